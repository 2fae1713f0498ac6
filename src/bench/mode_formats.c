/* mode_formats.c - one model in several files: what each costs to open, to hold, and to compute with (U58).
 *
 * Every run begins with the file and ends with nothing: open, create an engine, one answer that finds everything cold,
 * then the answer that is measured. Whether the file is in the page cache is not asked; after the first run it is. The
 * memory is what the process grew by, mapped pages included, which other processes may share. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/meminfo.h"
#include "bench/mode.h"

static double seconds_since(uint64_t start)
{
	return (double)(leat_now_ns() - start) / 1e9;
}

/* The rates of one answer, whose ids go to ids[n_gen]. */
static enum leat_status answer(struct leat_bench_job *j, struct leat_engine *e, int32_t *ids, struct leat_error *err)
{
	struct leat_request_stats s = { .struct_size = sizeof(s) };
	struct leat_request *r;
	int n = 0;
	enum leat_status st;

	LEAT_TRY(leat_bench_submit(j, e, 0, j->size.n_prompt, j->size.n_gen, &r, err));
	st = leat_bench_drain(j, r, ids, j->size.n_gen, &n, err);
	leat_request_get_stats(r, &s);
	leat_request_unref(r);
	LEAT_TRY(st);
	if (n != j->size.n_gen)
		return leat_fail(err, LEAT_E_INTERNAL, "", LEAT_NO_OFFSET, "%d tokens came, wanted %d", n,
				 j->size.n_gen);
	if (s.prompt_ns)
		leat_report_add(j->report, "prefill", "tokens/s", LEAT_BETTER_MORE,
				(double)s.n_prompt * 1e9 / (double)s.prompt_ns);
	if (s.generate_ns && n > 1) /* the first token comes with the prompt */
		leat_report_add(j->report, "generation", "tokens/s", LEAT_BETTER_MORE,
				(double)(n - 1) * 1e9 / (double)s.generate_ns);
	return LEAT_OK;
}

static enum leat_status with_engine(struct leat_bench_job *j, uint64_t start, int32_t *ids, struct leat_error *err)
{
	struct leat_engine *e;
	int n;
	enum leat_status s;

	LEAT_TRY(leat_bench_engine(j, 1, j->size.n_prompt + j->size.n_gen + 1, &e, err));
	leat_report_add(j->report, "load", "s", LEAT_BETTER_LESS, seconds_since(start));
	s = leat_bench_ask(j, e, 1, 1, 1, ids, &n, err);
	leat_report_add(j->report, "load and first token", "s", LEAT_BETTER_LESS, seconds_since(start));
	if (!s)
		s = leat_bench_ask(j, e, 0, j->size.n_prompt, j->size.n_gen, ids, &n, err);
	if (!s)
		s = answer(j, e, ids, err);
	leat_engine_unref(e);
	return s;
}

static enum leat_status once(struct leat_bench_job *j, int32_t *ids, struct leat_error *err)
{
	struct leat_model *callers = j->model;
	uint64_t before = leat_process_bytes(), start = leat_now_ns(), after;
	enum leat_status s;

	LEAT_TRY(leat_model_open(j->path, j->open, &j->model, err));
	s = with_engine(j, start, ids, err);
	after = leat_process_bytes();
	leat_model_unref(j->model);
	j->model = callers;
	LEAT_TRY(s);
	leat_report_add(j->report, "memory", "MiB", LEAT_BETTER_LESS,
			after > before ? (double)(after - before) / 1048576 : 0);
	return LEAT_OK;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	int32_t *ids = calloc((size_t)j->size.n_gen, sizeof(*ids));
	enum leat_status s = LEAT_OK;

	if (!ids)
		return leat_fail(err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for %d ids", j->size.n_gen);
	leat_report_add(j->report, "file", "MiB", LEAT_BETTER_LESS, (double)j->info.file_bytes / 1048576);
	for (int i = 0; i < j->size.n_repeat && !s; i++)
		s = once(j, ids, err);
	if (!s)
		leat_report_hash(j->report, "tokens_sha256", ids, j->size.n_gen);
	free(ids);
	return s;
}

const struct leat_bench leat_bench_formats = {
	.name = "formats",
	.summary = "one model in several files: load time, memory, speed",
	.size = { .n_prompt = 128, .n_gen = 32, .n_repeat = 5 },
	.one_table = 1,
	.run = run,
};
