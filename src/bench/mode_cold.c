/* mode_cold.c - the first run against those after it (R104): 50 runs on one input, from opening the file on.
 *
 * The first one finds no plans and weights that no thread has touched. Whether the file is in the page cache is not
 * asked: this is what a program sees that starts now. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/mode.h"

static double ms_since(uint64_t start)
{
	return (double)(leat_now_ns() - start) / 1e6;
}

static enum leat_status runs(struct leat_bench_job *j, struct leat_engine *e, double before_ms, int32_t *ids,
			     struct leat_error *err)
{
	struct leat_report *p = j->report;
	int n = 0, wanted = j->size.n_gen;

	for (int i = 0; i < j->size.n_repeat; i++) {
		uint64_t start = leat_now_ns();
		double ms;
		LEAT_TRY(leat_bench_ask(j, e, 0, j->size.n_prompt, wanted, i ? ids + wanted : ids, &n, err));
		ms = ms_since(start);
		if (n != wanted)
			return leat_fail(err, LEAT_E_INTERNAL, "", LEAT_NO_OFFSET, "%d tokens came, wanted %d", n,
					 wanted);
		leat_report_add(p, i ? "steady run" : "first run", "ms", LEAT_BETTER_LESS, ms);
		if (!i)
			leat_report_add(p, "open, create and first run", "ms", LEAT_BETTER_LESS, before_ms + ms);
		if (i && memcmp(ids, ids + wanted, (size_t)wanted * sizeof(*ids))) {
			leat_report_remark(p, "run %d wrote other ids than the first one", i + 1);
			p->wrong = 1;
		}
	}
	return LEAT_OK;
}

/* p: the figures of runs, in their order. */
static enum leat_status improvement(struct leat_report *p, struct leat_error *err)
{
	struct leat_summary s;
	double first = 0;

	for (int i = 0; i < p->n; i++) {
		if (!strcmp(p->figure[i].name, "first run"))
			first = p->figure[i].sample[0];
		if (strcmp(p->figure[i].name, "steady run"))
			continue;
		if (leat_summarise(p->figure[i].sample, p->figure[i].n, &s))
			return leat_fail(err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for samples");
		leat_report_add(p, "improvement", "%", LEAT_BETTER_NEITHER, 100 * (first - s.median) / first);
		leat_report_remark(p, "first run %.3f ms, median of the others %.3f ms: %.1f %% less", first, s.median,
				   100 * (first - s.median) / first);
		break;
	}
	return LEAT_OK;
}

/* With a model of its own, because the caller's has been open for a while. */
static enum leat_status cold(struct leat_bench_job *j, int32_t *ids, struct leat_error *err)
{
	struct leat_model *m, *callers = j->model;
	struct leat_engine *e;
	uint64_t start = leat_now_ns(), opened;
	enum leat_status s;

	LEAT_TRY(leat_model_open(j->path, j->open, &m, err));
	leat_report_add(j->report, "open", "ms", LEAT_BETTER_LESS, ms_since(start));
	j->model = m;
	opened = leat_now_ns();
	s = leat_bench_engine(j, 1, j->size.n_prompt + j->size.n_gen + 1, &e, err);
	if (!s) {
		leat_report_add(j->report, "create", "ms", LEAT_BETTER_LESS, ms_since(opened));
		s = runs(j, e, ms_since(start), ids, err);
		leat_engine_unref(e);
	}
	j->model = callers;
	leat_model_unref(m);
	return s;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	int32_t *ids = calloc((size_t)j->size.n_gen, 2 * sizeof(*ids));
	enum leat_status s;

	if (!ids)
		return leat_fail(err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for %d ids", j->size.n_gen);
	s = cold(j, ids, err);
	if (!s)
		s = improvement(j->report, err);
	if (!s)
		leat_report_hash(j->report, "tokens_sha256", ids, j->size.n_gen);
	free(ids);
	return s;
}

const struct leat_bench leat_bench_cold = {
	.name = "cold",
	.summary = "the first run against those after it",
	.size = { .n_prompt = 32, .n_gen = 8, .n_repeat = 50 },
	.run = run,
};
