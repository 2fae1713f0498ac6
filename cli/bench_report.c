/* bench_report.c - what a mode of leat bench found, as a table or as one JSON object (leat.bench.mode/1). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/bench_pp.h"
#include "bench_mode.h"

/* ---- JSON ---- */

/* All digits: bytes are counted. */
static void json_value(double v)
{
	if (isfinite(v))
		cli_printf("%.15g", v);
	else
		cli_puts("null");
}

static void json_text(const char *name, const char *value)
{
	cli_printf(", \"%s\": ", name);
	cli_json_string(value, strlen(value));
}

static void json_number(const char *name, double value)
{
	cli_printf(", \"%s\": ", name);
	json_value(value);
}

static void json_figure(const struct leat_figure *f, const struct leat_summary *s)
{
	static const char *const better[] = { "neither", "less", "more" };

	cli_puts("{\"name\": ");
	cli_json_string(f->name, strlen(f->name));
	json_text("unit", f->unit);
	json_text("better", better[f->better]);
	json_number("mean", s->mean);
	json_number("stddev", s->stddev);
	json_number("median", s->median);
	json_number("min", s->least);
	json_number("max", s->most);
	json_number("p95", s->p95);
	cli_puts(", \"samples\": [");
	for (int i = 0; i < f->n; i++) {
		cli_puts(i ? ", " : "");
		json_value(f->sample[i]);
	}
	cli_puts("]}");
}

static void json_head(const struct cli *c, const struct bench_result *r)
{
	const struct leat_bench_sizes *z = &r->size;

	cli_puts("{\"schema\": \"leat.bench.mode/1\"");
	json_text("mode", r->mode);
	json_text("build_commit", cli_commit);
	json_text("leat_version", leat_version());
	json_text("cpu_info", r->engine.device);
	json_text("model_filename", r->path);
	json_number("model_size", (double)r->info.file_bytes);
	json_number("model_n_params", (double)r->info.n_params);
	json_number("n_threads", r->engine.n_threads);
	json_number("n_batch", r->engine.n_batch);
	json_text("type_k", r->kv_type);
	cli_printf(", \"deterministic\": %s", c->value[OPT_DETERMINISTIC].i ? "true" : "false");
	json_text("opts", c->opts ? c->opts : "");
	json_text("test_time", r->test_time);
	json_text("workload", r->workload);
	cli_printf(", \"n_requests\": %d, \"n_parallel\": %d, \"n_prompt\": %d, \"n_gen\": %d, \"n_repeat\": %d, "
		   "\"n_warmup\": %d",
		   z->n_requests, z->n_parallel, z->n_prompt, z->n_gen, z->n_repeat, z->n_warmup);
	json_number("rss_bytes", (double)leat_bench_peak_rss_bytes());
}

static void json_tail(const struct leat_report *p)
{
	cli_puts("]");
	for (int i = 0; i < p->n_hashes; i++)
		json_text(p->hash[i].name, p->hash[i].hex);
	cli_puts(", \"remarks\": [");
	for (int i = 0; i < p->n_remarks; i++) {
		cli_puts(i ? ", " : "");
		cli_json_string(p->remark[i], strlen(p->remark[i]));
	}
	cli_printf("], \"holds\": %s}\n", p->wrong ? "false" : "true");
}

/* ---- the table ---- */

static void md_head(const struct bench_result *r)
{
	const struct leat_bench_sizes *z = &r->size;
	char label[96];

	cli_arch_label(&r->info, label);
	cli_printf("%s: %s, %s", r->mode, label, r->engine.device);
	if (z->n_requests)
		cli_printf("; %d requests, %d together", z->n_requests, z->n_parallel);
	if (r->workload[0])
		cli_printf("; workload %s, at most", r->workload);
	if (z->n_prompt)
		cli_printf("; prompt %d tokens", z->n_prompt);
	if (z->n_gen)
		cli_printf(", answer %d", z->n_gen);
	if (z->n_repeat)
		cli_printf("; %d runs after %d", z->n_repeat, z->n_warmup);
	cli_puts("\n\n");
}

static void md_columns(void)
{
	cli_puts("| figure                                   | unit       |   n |         median |           mean ±"
		 "       spread |            min |            max |            p95 |\n"
		 "| ---------------------------------------- | ---------- | --: | -------------: |"
		 " -----------------------------: | -------------: | -------------: | -------------: |\n");
}

static const char *digits(double v, char buf[32])
{
	double a = v < 0 ? -v : v;

	snprintf(buf, 32, "%.*f", v == (double)(long long)v ? 0 : a >= 1000 ? 1 : a >= 1 ? 3 : 6, v);
	return buf;
}

static void md_figure(const struct leat_figure *f, const struct leat_summary *s)
{
	char b[6][32];

	cli_printf("| %-40s | %-10s | %3d | %14s | %14s ± %13s | %14s | %14s | %14s |\n", f->name, f->unit, f->n,
		   digits(s->median, b[0]), digits(s->mean, b[1]), digits(s->stddev, b[2]), digits(s->least, b[3]),
		   digits(s->most, b[4]), digits(s->p95, b[5]));
}

static void md_tail(const struct leat_report *p)
{
	cli_puts("\n");
	for (int i = 0; i < p->n_remarks; i++)
		cli_printf("%s\n", p->remark[i]);
	for (int i = 0; i < p->n_hashes; i++)
		cli_printf("%s: %s\n", p->hash[i].name, p->hash[i].hex);
	cli_printf("build: leat %s, commit %s\n", leat_version(), cli_commit);
}

int bench_print_result(struct cli *c, const struct bench_result *r, int json)
{
	const struct leat_report *p = r->report;
	struct leat_summary s;

	if (json)
		json_head(c, r);
	else
		md_head(r);
	if (json)
		cli_puts(", \"figures\": [");
	else if (p->table)
		cli_out(p->table, p->table_bytes);
	else
		md_columns();
	for (int i = 0; i < p->n; i++) {
		if (leat_summarise(p->figure[i].sample, p->figure[i].n, &s))
			return cli_error(c, LEAT_E_NOMEM, "out of memory");
		if (json) {
			cli_puts(i ? ", " : "");
			json_figure(&p->figure[i], &s);
		} else if (!p->table) {
			md_figure(&p->figure[i], &s);
		}
	}
	if (json)
		json_tail(p);
	else
		md_tail(p);
	cli_flush();
	return cli_out_failed();
}

/* ---- one table of several models ---- */

enum { MODEL_WIDTH = 48 };
static const char dashes[] = "--------------------------------------------------------------------------------";

/* Title and width of a figure's column. */
static int column_of(const struct leat_figure *f, char buf[80])
{
	int n = snprintf(buf, 80, "%s %s", f->name, f->unit);

	return n < 10 ? 10 : n;
}

static void table_head(const struct bench_result *r)
{
	const struct leat_report *p = r->report;
	char column[80];

	cli_printf("%s: %s; prompt %d tokens, answer %d; medians of %d runs; leat %s, commit %s\n\n| %-*s", r->mode,
		   r->engine.device, r->size.n_prompt, r->size.n_gen, r->size.n_repeat, leat_version(), cli_commit,
		   MODEL_WIDTH, "model");
	for (int i = 0; i < p->n; i++)
		cli_printf(" | %*s", column_of(&p->figure[i], column), column);
	cli_printf(" | tokens_sha256    |\n| %.*s", MODEL_WIDTH, dashes);
	for (int i = 0; i < p->n; i++)
		cli_printf(" | %.*s:", column_of(&p->figure[i], column) - 1, dashes);
	cli_puts(" | ---------------- |\n");
}

/* The last parts of a path: models of one name lie in folders of different ones. */
static const char *short_path(const char *path)
{
	const char *p = path + strlen(path);

	for (int slashes = 0; p > path; p--) {
		if (p[-1] == '/' && p[0] && ++slashes == 2)
			break;
	}
	return p;
}

int bench_print_table_row(struct cli *c, const struct bench_result *r, int first)
{
	const struct leat_report *p = r->report;
	struct leat_summary s;
	char label[96], number[32], column[80], name[200];

	if (first)
		table_head(r);
	cli_arch_label(&r->info, label);
	snprintf(name, sizeof(name), "%s (%s)", short_path(r->path), label);
	cli_printf("| %-*s", MODEL_WIDTH, name);
	for (int i = 0; i < p->n; i++) {
		if (leat_summarise(p->figure[i].sample, p->figure[i].n, &s))
			return cli_error(c, LEAT_E_NOMEM, "out of memory");
		cli_printf(" | %*s", column_of(&p->figure[i], column), digits(s.median, number));
	}
	cli_printf(" | %.16s |\n", p->n_hashes ? p->hash[0].hex : "");
	cli_flush();
	return cli_out_failed();
}
