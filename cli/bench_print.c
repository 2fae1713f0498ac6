/* bench_print.c - see bench_print.h. */
#include "bench_print.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { MAX_FIELDS = 64, NUMBER = 40 };

struct fields {
	const char *name[MAX_FIELDS], *value[MAX_FIELDS]; /* texts are the caller's, numbers stand in `digits` */
	char digits[MAX_FIELDS][NUMBER];
	int quoted[MAX_FIELDS], n;
};

static void text(struct fields *f, const char *name, const char *value)
{
	f->name[f->n] = name;
	f->value[f->n] = value;
	f->quoted[f->n++] = 1;
}

static void number(struct fields *f, const char *name, double value)
{
	f->name[f->n] = name;
	snprintf(f->digits[f->n], NUMBER, "%.17g", value);
	f->value[f->n] = f->digits[f->n];
	f->quoted[f->n++] = 0;
}

static void word(struct fields *f, const char *name, int on)
{
	f->name[f->n] = name;
	f->value[f->n] = on ? "true" : "false";
	f->quoted[f->n++] = 0;
}

/* "qwen2 0.5B Q8_0" and its like */
static const char *model_type(const struct bench_row *r)
{
	static char label[96];

	cli_arch_label(&r->info, label);
	return label;
}

static void set_fields(const struct bench_printer *p, const struct bench_row *r, struct fields *f)
{
	text(f, "build_commit", cli_commit);
	number(f, "build_number", 0);
	text(f, "cpu_info", r->engine.device);
	text(f, "gpu_info", "");
	text(f, "backends", "CPU");
	text(f, "model_filename", r->path);
	text(f, "model_type", model_type(r));
	number(f, "model_size", (double)r->info.file_bytes);
	number(f, "model_n_params", (double)r->info.n_params);
	number(f, "n_batch", r->engine.n_batch);
	number(f, "n_ubatch", r->engine.n_batch);
	number(f, "n_threads", r->engine.n_threads);
	text(f, "cpu_mask", "0x0");
	word(f, "cpu_strict", 0);
	number(f, "poll", p->poll_us);
	text(f, "type_k", r->kv_type);
	text(f, "type_v", r->kv_type);
	number(f, "n_gpu_layers", 0);
	text(f, "split_mode", "none");
	number(f, "main_gpu", 0);
	word(f, "flash_attn", 0);
	text(f, "devices", "auto");
	text(f, "tensor_split", "0.00");
	text(f, "load_mode", "mmap");
	word(f, "embeddings", 0);
	number(f, "n_prompt", r->test.n_prompt);
	number(f, "n_gen", r->test.n_gen);
	number(f, "n_depth", r->test.n_depth);
	text(f, "test_time", r->test_time);
}

/* Bytes that had to come from memory in a second: only generation reads all weights for each token. */
static void own_fields(const struct bench_printer *p, const struct bench_row *r, const struct leat_bench_stats *s,
		       struct fields *f)
{
	number(f, "avg_ns", s->avg_ns);
	number(f, "stddev_ns", s->stddev_ns);
	number(f, "avg_ts", s->avg_ts);
	number(f, "stddev_ts", s->stddev_ts);
	text(f, "leat_version", leat_version());
	number(f, "weights_bytes_read_per_token", (double)r->info.read_bytes_per_token);
	if (r->test.n_gen && !r->test.n_prompt)
		number(f, "bytes_per_second", (double)r->info.read_bytes_per_token * s->avg_ts);
	number(f, "rss_bytes", (double)leat_bench_peak_rss_bytes());
	number(f, "device_bytes", 0);
	word(f, "deterministic", p->deterministic);
	text(f, "opts", p->opts ? p->opts : "");
	text(f, "tokens_sha256", r->tokens_sha256);
}

static void json_samples(const struct bench_row *r)
{
	int i, n = r->test.n_prompt + r->test.n_gen;

	cli_puts(", \"samples_ns\": [");
	for (i = 0; i < r->n_ns; i++)
		cli_printf("%s%llu", i ? ", " : "", (unsigned long long)r->ns[i]);
	cli_puts("], \"samples_ts\": [");
	for (i = 0; i < r->n_ns; i++)
		cli_printf("%s%.6f", i ? ", " : "", r->ns[i] ? (double)n * 1e9 / (double)r->ns[i] : 0);
	cli_puts("]");
}

static void json_row(const struct bench_printer *p, const struct bench_row *r, const struct fields *f)
{
	int i;

	if (p->form == BENCH_JSON)
		cli_puts(p->n_rows ? ", " : "  ");
	cli_puts("{\"schema\": \"leat.bench/1\"");
	for (i = 0; i < f->n; i++) {
		cli_printf(", \"%s\": ", f->name[i]);
		if (f->quoted[i])
			cli_json_string(f->value[i], strlen(f->value[i]));
		else
			cli_puts(f->value[i]);
	}
	json_samples(r);
	cli_puts("}\n");
}

static void csv_row(const struct bench_printer *p, const struct fields *f)
{
	int i;
	const char *c;

	for (i = 0; i < f->n && !p->n_rows; i++)
		cli_printf("%s%s", i ? "," : "", f->name[i]);
	cli_puts(p->n_rows ? "" : "\n");
	for (i = 0; i < f->n; i++) {
		cli_puts(i ? ",\"" : "\"");
		for (c = f->value[i]; *c; c++)
			cli_printf(*c == '"' ? "\"\"" : "%c", *c);
		cli_puts("\"");
	}
	cli_puts("\n");
}

/* ---- the table: llama-bench's columns and widths ---- */

static void md_head(const struct bench_printer *p)
{
	cli_printf("| model                          |       size |     params | backend    | threads |%s%s"
		   "            test |                  t/s |\n",
		   p->show_batch ? " n_batch |" : "", p->show_type ? " type_k |" : "");
	cli_printf("| ------------------------------ | ---------: | ---------: | ---------- | ------: |%s%s"
		   " --------------: | -------------------: |\n",
		   p->show_batch ? " ------: |" : "", p->show_type ? " -----: |" : "");
}

/* What the greedy tokens of this model and number of threads were, once each. */
static void keep_hash(struct bench_printer *p, const struct bench_row *r)
{
	char label[120];
	int i;

	snprintf(label, sizeof(label), "%.90s, %d threads", model_type(r), (int)r->engine.n_threads);
	for (i = 0; i < p->n_hashes; i++) {
		if (!strcmp(p->hash[i].label, label) && !strcmp(p->hash[i].sha, r->tokens_sha256))
			return;
	}
	if (i == (int)(sizeof(p->hash) / sizeof(p->hash[0])))
		return;
	memcpy(p->hash[i].label, label, sizeof(label));
	memcpy(p->hash[i].sha, r->tokens_sha256, sizeof(r->tokens_sha256));
	p->n_hashes++;
}

void bench_test_name(const struct leat_bench_test *t, char buf[48])
{
	int n = 0;

	if (t->n_prompt)
		n = snprintf(buf, 48, "pp%d", t->n_prompt);
	if (t->n_gen)
		n += snprintf(buf + n, 48 - (size_t)n, "%stg%d", t->n_prompt ? "+" : "", t->n_gen);
	if (t->n_depth)
		snprintf(buf + n, 48 - (size_t)n, " @ d%d", t->n_depth);
}

static void md_row(struct bench_printer *p, const struct bench_row *r, const struct leat_bench_stats *s)
{
	char size[32], params[32], test[48], rate[64];
	double mib = (double)r->info.file_bytes / 1048576, n = (double)r->info.n_params;

	keep_hash(p, r);
	snprintf(size, sizeof(size), mib >= 1024 ? "%.2f GiB" : "%.2f MiB", mib >= 1024 ? mib / 1024 : mib);
	snprintf(params, sizeof(params), n >= 1e9 ? "%.2f B" : "%.2f M", n >= 1e9 ? n / 1e9 : n / 1e6);
	bench_test_name(&r->test, test);
	cli_printf("| %-30s | %10s | %10s | %-10s | %7d |", model_type(r), size, params, "CPU",
		   (int)r->engine.n_threads);
	if (p->show_batch)
		cli_printf(" %7d |", (int)r->engine.n_batch);
	if (p->show_type)
		cli_printf(" %6s |", r->kv_type);
	snprintf(rate, sizeof(rate), "%.2f ± %.2f", s->avg_ts, s->stddev_ts);
	cli_printf(" %15s | %21s |\n", test, rate); /* the sign is two bytes in one column */
}

void bench_print_begin(struct bench_printer *p)
{
	p->begun = 1;
	if (p->form == BENCH_MD)
		md_head(p);
	if (p->form == BENCH_JSON)
		cli_puts("[\n");
}

void bench_print_row(struct bench_printer *p, const struct bench_row *r)
{
	static struct fields f;
	struct leat_bench_stats s;

	leat_bench_stats(r->ns, r->n_ns, r->test.n_prompt + r->test.n_gen, &s);
	f.n = 0;
	set_fields(p, r, &f);
	own_fields(p, r, &s, &f);
	if (p->form == BENCH_MD)
		md_row(p, r, &s);
	else if (p->form == BENCH_CSV)
		csv_row(p, &f);
	else
		json_row(p, r, &f);
	p->n_rows++;
}

void bench_print_end(struct bench_printer *p)
{
	int i;

	if (p->form == BENCH_JSON && p->begun)
		cli_puts("]\n");
	if (p->form != BENCH_MD || !p->begun)
		return;
	cli_printf("\nbuild: %s, commit %s\n", leat_build_info(), cli_commit);
	for (i = 0; i < p->n_hashes; i++)
		cli_printf("tokens_sha256 (%s): %s\n", p->hash[i].label, p->hash[i].sha);
}
