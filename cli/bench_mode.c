/* bench_mode.c - see bench_mode.h. */
#include "bench_mode.h"
#include "bench/bench_pp.h"
#include "bench_baseline.h"
#include "bench_log.h"
#include "bench_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int bench_get_ints(struct cli *c, enum cli_option o, struct bench_ints *ret)
{
	const struct cli_value *v = &c->value[o];
	char one[32];
	double x;
	int i;

	ret->n = 0;
	for (i = 0; i < v->n_list; i++) {
		const char *p = v->list[i];
		for (;;) {
			size_t n = strcspn(p, ",");
			snprintf(one, sizeof(one), "%.*s", (int)n, p);
			if (n >= sizeof(one) || cli_number(o, one, &x) || x != (double)(int)x)
				return cli_usage_error(c, "--%s: '%s' is not a list of integers in %s",
						       cli_option_name(o), v->list[i], cli_option_range(o));
			if (ret->n == BENCH_MAX_LIST)
				return cli_usage_error(c, "--%s: more than %d values", cli_option_name(o),
						       BENCH_MAX_LIST);
			ret->v[ret->n++] = (int)x;
			if (!p[n])
				break;
			p += n + 1;
		}
	}
	return 0;
}

void bench_engine_params(const struct cli *c, int n_threads, int n_batch, struct leat_engine_params *p)
{
	const struct cli_value *v = c->value;

	p->n_threads = n_threads;
	p->n_batch = n_batch;
	p->mode = v[OPT_DETERMINISTIC].i ? LEAT_MODE_DETERMINISTIC : LEAT_MODE_DEFAULT;
	p->kv_type = v[OPT_CACHE_TYPE].s;
	p->window = (int32_t)v[OPT_WINDOW_KEYS].i;
	p->opts = c->opts;
	p->trace = c->trace;
	p->threads_poll_us = (int32_t)v[OPT_THREADS_POLL].i;
	p->cpu_mask_off = cli_isa_off(c);
}

void bench_now_text(char buf[32])
{
	time_t t = time(NULL);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int bench_stop(void *user)
{
	(void)user;
	return cli_signal() != 0;
}

const struct leat_bench *bench_find_mode(const char *name)
{
	for (int i = 0; leat_bench_list[i]; i++) {
		if (!strcmp(leat_bench_list[i]->name, name))
			return leat_bench_list[i];
	}
	return NULL;
}

/* ---- sizes: the protocol's, and over them what the user asked for ---- */

static int take_int(struct cli *c, enum cli_option o, int *size)
{
	if (!*size || !cli_is_set(c, o))
		return 0;
	*size = (int)c->value[o].i;
	return 0;
}

/* The first number of a list. 0 means nothing to a mode. */
static int take_list(struct cli *c, enum cli_option o, int *size)
{
	struct bench_ints v;
	int rc = bench_get_ints(c, o, &v);

	if (rc || !*size || !cli_is_set(c, o))
		return rc;
	if (v.n != 1 || v.v[0] < 1)
		return cli_usage_error(c, "--%s: this mode takes one number from 1 on", cli_option_name(o));
	*size = v.v[0];
	return 0;
}

static int take_sizes(struct cli *c, struct leat_bench_sizes *z)
{
	int has_warmup = z->n_warmup > 0, rc = take_list(c, OPT_N_PROMPT, &z->n_prompt);

	if (!rc)
		rc = take_list(c, OPT_N_GEN, &z->n_gen);
	if (!rc)
		rc = take_int(c, OPT_REPETITIONS, &z->n_repeat);
	if (!rc)
		rc = take_int(c, OPT_REQUESTS, &z->n_requests);
	if (!rc)
		rc = take_int(c, OPT_PARALLEL, &z->n_parallel);
	if (has_warmup && cli_is_set(c, OPT_WARMUPS))
		z->n_warmup = (int)c->value[OPT_WARMUPS].i;
	if (c->value[OPT_NO_WARMUP].i)
		z->n_warmup = 0;
	if (!rc && ((int64_t)z->n_prompt + z->n_gen > 16777216 || (int64_t)z->n_requests * z->n_gen > 1 << 28))
		rc = cli_usage_error(c, "more tokens than a measurement can hold");
	return rc;
}

static int ascending(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int take_points(struct cli *c, struct leat_bench_job *j)
{
	struct bench_ints v;
	int rc = bench_get_ints(c, OPT_N_DEPTH, &v);

	if (rc || !cli_is_set(c, OPT_N_DEPTH))
		return rc;
	memcpy(j->point, v.v, (size_t)v.n * sizeof(int));
	j->n_points = v.n;
	qsort(j->point, (size_t)v.n, sizeof(int), ascending);
	return 0;
}

/* A workload brings its own number and lengths, and how many go together unless the user says so. */
static int take_workload(struct cli *c, const struct leat_bench *mode, struct leat_bench_job *j,
			 struct leat_workload *w)
{
	const char *path = c->value[OPT_TRACE_FILE].s;
	struct leat_error e = LEAT_ERROR_INIT;
	char *text;
	size_t n;
	int rc;

	if (!path || !*path)
		return 0;
	if (!mode->takes_workload)
		return cli_usage_error(c, "--trace-file: %s takes no workload", mode->name);
	rc = cli_read_text(c, path, &text, &n);
	if (rc)
		return rc;
	if (leat_workload_parse(text, n, w, &e))
		rc = cli_error(c, e.status, "%s: %s", path, e.message);
	free(text);
	if (rc)
		return rc;
	j->workload = w;
	j->workload_name = path;
	j->size.n_requests = w->n;
	j->size.n_prompt = w->most_prompt;
	j->size.n_gen = w->most_gen;
	if (w->n_parallel && !cli_is_set(c, OPT_PARALLEL))
		j->size.n_parallel = w->n_parallel;
	if ((int64_t)w->n * w->most_gen > 1 << 28)
		return cli_usage_error(c, "more tokens than a measurement can hold");
	return 0;
}

/* ---- runs ---- */

static enum bench_form bench_form(const struct cli *c)
{
	return c->json ? BENCH_JSONL : (enum bench_form)c->value[OPT_OUTPUT].i;
}

/* For the comparison and for the log. */
static int note_figures(struct cli *c, struct bench_baseline *b, const struct bench_result *r)
{
	struct bench_setting s = { r->mode, r->path, r->kv_type, r->engine.n_threads, r->engine.n_batch,
				   r->size.n_prompt, r->size.n_gen, r->size.n_requests, r->size.n_parallel };
	const char *hash = "";

	for (int i = 0; b && i < r->report->n; i++)
		bench_baseline_add(b, &s, &r->report->figure[i]);
	for (int i = 0; i < r->report->n_hashes; i++)
		hash = !strcmp(r->report->hash[i].name, "tokens_sha256") ? r->report->hash[i].hex : hash;
	return bench_log_add(c, &s, r->test_time, hash, r->report->figure, r->report->n);
}

/* Every table has the peak of the process, for --baseline to compare (R52); some modes know a better moment for it. */
static void note_peak(struct leat_report *p)
{
	static const char name[] = "peak memory";

	for (int i = 0; i < p->n; i++) {
		if (!strcmp(p->figure[i].name, name))
			return;
	}
	leat_report_add(p, name, "bytes", LEAT_BETTER_LESS, (double)leat_bench_peak_rss_bytes());
}

static int run_job(struct cli *c, const struct leat_bench *mode, struct leat_bench_job *j, struct bench_baseline *b,
		   int first)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_report report;
	struct bench_result r = { .mode = mode->name, .path = j->path, .kv_type = j->engine.kv_type };
	int rc, logged;

	memset(&report, 0, sizeof(report));
	j->report = &report;
	bench_now_text(r.test_time);
	if (mode->run(j, &err)) {
		rc = cli_signal() ? 128 + cli_signal() : cli_fail(c, &err, 0);
	} else {
		if (!mode->one_table)
			note_peak(&report);
		r.info = j->info;
		r.engine = j->ran;
		r.size = j->size;
		r.workload = j->workload_name;
		r.report = &report;
		rc = mode->one_table && bench_form(c) == BENCH_MD
			     ? bench_print_table_row(c, &r, first)
			     : bench_print_result(c, &r, bench_form(c) != BENCH_MD);
		logged = note_figures(c, b, &r);
		rc = rc ? rc : logged ? logged : report.wrong ? EXIT_VERDICT : 0;
	}
	leat_report_deinit(&report);
	return rc;
}

static int run_model(struct cli *c, const struct leat_bench *mode, const struct leat_bench_job *plan, const char *path,
		     struct bench_baseline *b, int first)
{
	struct leat_model_params open = LEAT_MODEL_PARAMS_INIT;
	struct leat_bench_job j = *plan;
	int rc;

	open.tokenizer = c->value[OPT_TOKENIZER].s;
	open.load_mode = (int32_t)c->value[OPT_LOAD_MODE].i;
	j.path = path;
	j.open = &open;
	j.scratch = getenv("TMPDIR");
	if (j.scratch && !*j.scratch)
		j.scratch = NULL;
	rc = cli_open_model(c, path, 0, &j.model);
	if (rc)
		return rc;
	if (!first && bench_form(c) == BENCH_JSON)
		cli_puts(",");
	j.info.struct_size = sizeof(j.info);
	leat_model_get_info(j.model, &j.info);
	rc = run_job(c, mode, &j, b, first);
	leat_model_unref(j.model);
	return rc;
}

/* A verdict on one model does not keep the others from being measured. */
static int run_models(struct cli *c, const struct leat_bench *mode, const struct leat_bench_job *j,
		      struct bench_baseline *b)
{
	const struct cli_value *files = &c->value[OPT_BENCH_MODEL];
	/* an environment variable is a default, not one more model */
	int n_files = files->source == CLI_FLAG || !c->n_args ? files->n_list : 0, worst = 0;

	for (int i = 0; i < n_files + c->n_args && worst <= EXIT_VERDICT; i++) {
		int rc = run_model(c, mode, j, i < n_files ? files->list[i] : c->args[i - n_files], b, !i);
		worst = rc > worst ? rc : worst;
	}
	return worst;
}

static int plan_job(struct cli *c, const struct leat_bench *mode, struct leat_bench_job *j, struct leat_workload *w)
{
	struct leat_engine_params engine = LEAT_ENGINE_PARAMS_INIT;
	struct bench_ints threads, batch;
	int rc;

	memset(j, 0, sizeof(*j));
	j->size = mode->size;
	j->stop = bench_stop;
	j->workload_name = "";
	rc = take_sizes(c, &j->size);
	if (!rc)
		rc = take_workload(c, mode, j, w);
	if (!rc)
		rc = take_points(c, j);
	if (!rc)
		rc = bench_get_ints(c, OPT_BENCH_THREADS, &threads);
	if (!rc)
		rc = bench_get_ints(c, OPT_BENCH_BATCH, &batch);
	if (rc)
		return rc;
	j->only = c->value[OPT_ONLY].s && *c->value[OPT_ONLY].s ? c->value[OPT_ONLY].s : NULL;
	bench_engine_params(c, threads.v[0], batch.v[0], &engine);
	if (cli_is_set(c, OPT_STALL))
		engine.max_prefill_stall_ms = c->value[OPT_STALL].i ? (int32_t)c->value[OPT_STALL].i : -1;
	j->engine = engine;
	return 0;
}

static int run_planned(struct cli *c, const struct leat_bench *mode, const struct leat_bench_job *j)
{
	struct bench_baseline *baseline = NULL;
	int rc = bench_baseline_open(c, &baseline), compared;

	if (rc)
		return rc;
	cli_puts(bench_form(c) == BENCH_JSON ? "[\n" : "");
	rc = run_models(c, mode, j, baseline);
	if (rc <= EXIT_VERDICT) {
		compared = bench_baseline_end(c, baseline, bench_form(c));
		rc = compared > rc ? compared : rc;
	} else {
		bench_baseline_close(baseline);
	}
	cli_puts(bench_form(c) == BENCH_JSON ? "]\n" : "");
	return rc;
}

int bench_run_mode(struct cli *c, const struct leat_bench *mode)
{
	struct leat_workload workload;
	struct leat_bench_job j;
	int rc;

	memset(&workload, 0, sizeof(workload));
	rc = plan_job(c, mode, &j, &workload);
	if (!rc && bench_form(c) == BENCH_CSV)
		rc = cli_usage_error(c, "--output: modes print md, json or jsonl");
	if (!rc && !c->n_args && !c->value[OPT_BENCH_MODEL].n_list)
		rc = cli_usage_error(c, "no model given");
	if (!rc)
		rc = run_planned(c, mode, &j);
	leat_workload_deinit(&workload);
	return rc;
}
