/* cmd_bench.c - leat bench: tokens per second, in llama-bench's table and JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench_pp.h"
#include "bench_baseline.h"
#include "bench_log.h"
#include "bench_mode.h"
#include "bench_print.h"
#include "cli.h"

enum { MAX_TESTS = 3 * BENCH_MAX_LIST * 4 };

struct bench {
	struct cli *c;
	struct bench_printer print;
	struct bench_baseline *baseline; /* NULL: none */
	struct leat_bench_test test[MAX_TESTS];
	int n_tests, changed; /* changed: --log found another hash */
	struct bench_ints threads, batch;
};

static int add_test(struct bench *b, int n_prompt, int n_gen, int n_depth)
{
	if (!n_prompt && !n_gen)
		return 0;
	if (b->n_tests == MAX_TESTS)
		return cli_usage_error(b->c, "more than %d tests", MAX_TESTS);
	b->test[b->n_tests].n_prompt = n_prompt;
	b->test[b->n_tests].n_gen = n_gen;
	b->test[b->n_tests++].n_depth = n_depth;
	return 0;
}

static int add_pairs(struct bench *b, int n_depth)
{
	const struct cli_value *v = &b->c->value[OPT_PG];
	int i, p, n, end, rc = 0;

	for (i = 0; i < v->n_list && !rc; i++) {
		if (sscanf(v->list[i], "%8d,%8d%n", &p, &n, &end) != 2 || v->list[i][end] || p < 0 || n < 0 ||
		    p > 16777216 || n > 16777216)
			return cli_usage_error(b->c, "-pg: '%s' is not P,N", v->list[i]);
		rc = add_test(b, p, n, n_depth);
	}
	return rc;
}

static int make_tests(struct bench *b)
{
	struct bench_ints pp, tg, depth;
	int i, k, rc = bench_get_ints(b->c, OPT_N_PROMPT, &pp);

	if (!rc)
		rc = bench_get_ints(b->c, OPT_N_GEN, &tg);
	if (!rc)
		rc = bench_get_ints(b->c, OPT_N_DEPTH, &depth);
	if (!rc)
		rc = bench_get_ints(b->c, OPT_BENCH_THREADS, &b->threads);
	if (!rc)
		rc = bench_get_ints(b->c, OPT_BENCH_BATCH, &b->batch);
	for (k = 0; !rc && k < depth.n; k++) {
		for (i = 0; !rc && i < pp.n; i++)
			rc = add_test(b, pp.v[i], 0, depth.v[k]);
		for (i = 0; !rc && i < tg.n; i++)
			rc = add_test(b, 0, tg.v[i], depth.v[k]);
		if (!rc)
			rc = add_pairs(b, depth.v[k]);
	}
	if (!rc && !b->n_tests)
		return cli_usage_error(b->c, "no test: give -p, -n or -pg a length");
	return rc;
}

static int note_figure(struct bench *b, const struct bench_row *r)
{
	double v[1000];
	struct leat_figure f = { .unit = "tokens/s", .better = LEAT_BETTER_MORE, .sample = v, .n = r->n_ns };
	struct bench_setting s = { .mode = "", .path = r->path, .kv_type = r->kv_type };

	s.n_threads = r->engine.n_threads;
	s.n_batch = r->engine.n_batch;
	bench_test_name(&r->test, f.name);
	for (int i = 0; i < f.n; i++)
		v[i] = r->ns[i] ? (r->test.n_prompt + r->test.n_gen) * 1e9 / (double)r->ns[i] : 0;
	if (b->baseline)
		bench_baseline_add(b->baseline, &s, &f);
	return bench_log_add(b->c, &s, r->test_time, r->tokens_sha256, &f, 1);
}

static int run_tests(struct bench *b, struct bench_row *row, struct leat_engine *e)
{
	const struct cli_value *v = b->c->value;
	uint64_t ns[1000];
	struct leat_error err = LEAT_ERROR_INIT;
	int i, rc, n = (int)v[OPT_REPETITIONS].i;

	if (leat_bench_tokens_sha256(e, row->info.n_vocab, row->tokens_sha256, &err))
		return cli_fail(b->c, &err, 0);
	for (i = 0; i < b->n_tests; i++) {
		row->test = b->test[i];
		bench_now_text(row->test_time);
		if (leat_bench_run(e, row->info.n_vocab, &row->test, n, !v[OPT_NO_WARMUP].i, bench_stop, NULL, ns,
				   &err))
			return cli_fail(b->c, &err, 0);
		row->ns = ns;
		row->n_ns = n;
		bench_print_row(&b->print, row);
		rc = note_figure(b, row);
		cli_flush();
		if (rc > EXIT_VERDICT)
			return rc;
		b->changed |= rc;
		if (cli_out_failed())
			return cli_out_failed();
	}
	return 0;
}

/* Room for the longest test and for the tokens of the hash. */
static int context_for(const struct bench *b)
{
	int64_t most = 128, n;
	int i;

	for (i = 0; i < b->n_tests; i++) {
		n = (int64_t)b->test[i].n_prompt + b->test[i].n_gen + b->test[i].n_depth;
		most = n > most ? n : most;
	}
	return (int)most;
}

static int run_engine(struct bench *b, struct bench_row *row, struct leat_model *m, int n_threads, int n_batch)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e = NULL;
	int rc;

	bench_engine_params(b->c, n_threads, n_batch, &p);
	p.n_ctx = row->info.recurrent ? 0 : context_for(b);
	rc = cli_create_engine(b->c, m, &p, &e);
	if (rc)
		return rc;
	memset(&row->engine, 0, sizeof(row->engine));
	row->engine.struct_size = sizeof(row->engine);
	leat_engine_get_info(e, &row->engine);
	row->kv_type = p.kv_type;
	rc = run_tests(b, row, e);
	leat_engine_unref(e);
	return rc;
}

static int run_model(struct bench *b, const char *path)
{
	struct leat_model *m = NULL;
	struct bench_row row;
	int i, k, rc;

	memset(&row, 0, sizeof(row));
	rc = cli_open_model(b->c, path, 0, &m);
	if (rc)
		return rc;
	row.path = path;
	row.info.struct_size = sizeof(row.info);
	leat_model_get_info(m, &row.info);
	for (i = 0; i < b->threads.n && !rc; i++) {
		for (k = 0; k < b->batch.n && !rc; k++)
			rc = run_engine(b, &row, m, b->threads.v[i], b->batch.v[k]);
	}
	leat_model_unref(m);
	return rc;
}

static int run_table(struct cli *c)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct cli_value *files = &c->value[OPT_BENCH_MODEL];
	int i, rc;

	if (!b)
		return cli_error(c, LEAT_E_NOMEM, "out of memory");
	b->c = c;
	rc = make_tests(b);
	if (!rc && !c->n_args && !files->n_list)
		rc = cli_usage_error(c, "no model given");
	b->print.form = c->json ? BENCH_JSONL : (enum bench_form)c->value[OPT_OUTPUT].i;
	b->print.deterministic = (int)c->value[OPT_DETERMINISTIC].i;
	b->print.opts = c->opts;
	b->print.poll_us = (int)c->value[OPT_THREADS_POLL].i;
	b->print.show_batch = cli_is_set(c, OPT_BENCH_BATCH);
	b->print.show_type = cli_is_set(c, OPT_CACHE_TYPE);
	if (!rc && b->print.form == BENCH_CSV && cli_is_set(c, OPT_BASELINE))
		rc = cli_usage_error(c, "--baseline prints md, json or jsonl");
	if (!rc)
		rc = bench_baseline_open(c, &b->baseline);
	if (!rc)
		bench_print_begin(&b->print);
	/* An environment variable is a default, not one more model. */
	for (i = 0; i < files->n_list && !rc && (files->source == CLI_FLAG || !c->n_args); i++)
		rc = run_model(b, files->list[i]);
	for (i = 0; i < c->n_args && !rc; i++)
		rc = run_model(b, c->args[i]);
	if (!rc)
		rc = bench_baseline_end(c, b->baseline, b->print.form);
	else
		bench_baseline_close(b->baseline);
	bench_print_end(&b->print);
	rc = rc ? rc : b->changed;
	free(b);
	return rc;
}

/* A word that could be a mode and is no file: a path says so with a slash or a dot. */
static int is_no_file(const char *word)
{
	return !strpbrk(word, "/.") && access(word, F_OK);
}

static int unknown_mode(struct cli *c)
{
	const char *names[64], *near;
	int n = 0;

	for (; leat_bench_list[n] && n < 62; n++)
		names[n] = leat_bench_list[n]->name;
	names[n++] = "compare";
	names[n] = NULL;
	near = cli_nearest(c->args[0], names);
	if (near)
		return cli_usage_error(c, "'%s' is neither a mode nor a file; did you mean '%s'?", c->args[0], near);
	return cli_usage_error(c, "'%s' is neither a mode nor a file", c->args[0]);
}

/* A first argument that is the name of a mode means it; a file of that name is ./NAME. */
static int run(struct cli *c)
{
	const struct leat_bench *mode = c->n_args ? bench_find_mode(c->args[0]) : NULL;

	if (c->n_args && !strcmp(c->args[0], "compare")) {
		c->args++;
		c->n_args--;
		return bench_compare(c);
	}
	if (!mode)
		return c->n_args && is_no_file(c->args[0]) ? unknown_mode(c) : run_table(c);
	c->args++;
	c->n_args--;
	return bench_run_mode(c, mode);
}

const struct leat_cmd leat_cmd_bench = {
	.name = "bench",
	.alias = "",
	.summary = "measure tokens per second",
	.usage = "bench [MODE] FILE... [-p N,N] [-n N,N] [-pg P,N] [-d N,N] [-r N] [options]",
	.notes = "\nTests: ppN a prompt of N tokens, tgN N tokens one by one; tokenising and sampling are not\n"
		 "measured. Every list may be repeated. tokens_sha256 names the 32 ids that the same engine writes\n"
		 "greedily after 32 fixed ones.\n"
		 "\nModes measure something else, with prompts of fixed ids. -p, -n and -r change their sizes:\n"
		 "latency (one request at a time: 100 runs after 5, prompt 32, answer 20 tokens), throughput\n"
		 "(100 requests one after another and together: prompt 32, answer 20 tokens, 5 runs), memory\n"
		 "(growth with the tokens of a sequence, predicted and measured; -d says where), stream (what\n"
		 "events cost over plain generation at 10, 50, 100 and 500 tokens, or those of -d), cold (the\n"
		 "first of 50 runs against the others), phases (where the time of a decode step goes),\n"
		 "bandwidth (bytes that a token moves, against what memory can give), kernels (the same inside a\n"
		 "step: components, kernels, layers, matrices), serve-sim (requests that arrive one by one),\n"
		 "formats (files of one model beside each other: load time, memory, speed, ids), ideas (every\n"
		 "optimisation on and off, beside what its authors said; --only one), batched (1, 2, 4 ...\n"
		 "sequences side by side, as llama-batched-bench prints them).\n"
		 "\nleat bench compare OLD NEW compares two files of results as --baseline does.\n",
	.examples = {
		{ "leat bench model.gguf", "pp512 and tg128, five times each" },
		{ "leat bench a.gguf b.gguf -p 0 -n 64 -d 0,4096", "decode of two models, empty and deep" },
		{ "leat bench model.gguf -t 1,2,4 -o csv", "how it scales, for a spreadsheet" },
	},
	.verdict = "a mode or --baseline finds fault",
	.bit = C_BENCH,
	.max_args = -1,
	.run = run,
};
