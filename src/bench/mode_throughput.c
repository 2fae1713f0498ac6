/* mode_throughput.c - 100 prompts x 20 tokens, one after another and together (R106), counting tokens that really came;
 * or the requests of a workload, all at once, whenever they would arrive.
 *
 * Both halves do the same work, and say whether they wrote the same ids. The five figures that R99 tracks are here too:
 * busy processors, peak memory, hit rate of the plan cache, time per token, tokens per second. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "bench/bench_pp.h"
#include "bench/crowd.h"
#include "bench/use.h"

struct work {
	struct leat_bench_job *j;
	int32_t *alone, *together; /* [n_requests][n_gen] */
	int32_t *room;             /* [n_gen] of warm-up */
	struct leat_crowd_one *one; /* [n_requests] */
	int n_tokens;              /* that all requests ask for */
	struct leat_error *err;
};

static double cpu_seconds(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u))
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static enum leat_status one_after_another(struct work *w, struct leat_engine *e, int *ret_tokens)
{
	struct leat_bench_job *j = w->j;
	int n, total = 0;

	for (int i = 0; i < j->size.n_requests; i++) {
		LEAT_TRY(leat_bench_ask(j, e, (uint64_t)i, leat_bench_prompt_of(j, i), leat_bench_gen_of(j, i),
					w->alone + (size_t)i * (size_t)j->size.n_gen, &n, w->err));
		total += n;
	}
	*ret_tokens = total;
	return LEAT_OK;
}

/* All are submitted at once; those without a sequence wait in the engine's queue. Whoever is read drives all. */
static enum leat_status all_together(struct work *w, struct leat_engine *e, int *ret_tokens)
{
	struct leat_bench_job *j = w->j;
	enum leat_status s = LEAT_OK;
	int i, total = 0;

	memset(w->one, 0, (size_t)j->size.n_requests * sizeof(*w->one));
	for (i = 0; i < j->size.n_requests && !s; i++) {
		w->one[i].ids = w->together + (size_t)i * (size_t)j->size.n_gen;
		w->one[i].cap = j->size.n_gen;
		s = leat_bench_submit(j, e, (uint64_t)i, leat_bench_prompt_of(j, i), leat_bench_gen_of(j, i),
				      &w->one[i].r, w->err);
	}
	if (!s)
		s = leat_crowd_read(j, w->one, j->size.n_requests, w->err);
	for (i = 0; i < j->size.n_requests; i++)
		total += w->one[i].n;
	leat_crowd_drop(w->one, j->size.n_requests);
	*ret_tokens = total;
	return s;
}

static enum leat_status measure(struct work *w, struct leat_engine *e, int together)
{
	struct leat_report *p = w->j->report;
	double cpu = cpu_seconds(), seconds;
	uint64_t start = leat_now_ns();
	struct leat_use use;
	int n = 0;

	leat_use_begin(&use, e);
	LEAT_TRY(together ? all_together(w, e, &n) : one_after_another(w, e, &n));
	seconds = (double)(leat_now_ns() - start) / 1e9;
	cpu = cpu_seconds() - cpu;
	if (n != w->n_tokens)
		return leat_fail(w->err, LEAT_E_INTERNAL, "", LEAT_NO_OFFSET, "%d tokens came, wanted %d", n,
				 w->n_tokens);
	leat_report_add(p, together ? "batched" : "sequential", "tokens/s", LEAT_BETTER_MORE, n / seconds);
	leat_report_add(p, together ? "batched requests" : "sequential requests", "1/s", LEAT_BETTER_MORE,
			w->j->size.n_requests / seconds);
	leat_report_add(p, together ? "batched per token" : "sequential per token", "ms", LEAT_BETTER_LESS,
			seconds * 1e3 / n);
	leat_report_add(p, together ? "batched busy threads" : "sequential busy threads", "%", LEAT_BETTER_NEITHER,
			100 * cpu / seconds / w->j->ran.n_threads);
	leat_use_end(&use, p, together ? "batched" : "sequential");
	return LEAT_OK;
}

static void compare(struct work *w)
{
	struct leat_bench_job *j = w->j;
	size_t n_gen = (size_t)j->size.n_gen;
	int i, same = 0, n = j->size.n_requests;

	for (i = 0; i < n; i++)
		same += !memcmp(w->alone + (size_t)i * n_gen, w->together + (size_t)i * n_gen, n_gen * sizeof(int32_t));
	leat_report_hash(j->report, "tokens_sha256", w->alone, n * j->size.n_gen);
	leat_report_hash(j->report, "batched_tokens_sha256", w->together, n * j->size.n_gen);
	leat_report_remark(j->report, "%d of %d answers are the same alone and together%s", same, n,
			   same == n || j->engine.mode ? "" : " (--deterministic makes all of them)");
	leat_report_remark(j->report, "%d requests, %d tokens to write", n, w->n_tokens);
	if (same < n && j->engine.mode)
		j->report->wrong = 1;
}

static double median_of(const struct leat_report *p, const char *name)
{
	struct leat_summary s;

	for (int i = 0; i < p->n; i++) {
		if (!strcmp(p->figure[i].name, name) && !leat_summarise(p->figure[i].sample, p->figure[i].n, &s))
			return s.median;
	}
	return 0;
}

static double ratio(const struct leat_report *p)
{
	double alone = median_of(p, "sequential");

	return alone > 0 ? median_of(p, "batched") / alone : 0;
}

static void end_figures(struct work *w, struct leat_engine *e)
{
	struct leat_report *p = w->j->report;
	struct leat_engine_info i = { .struct_size = sizeof(i) };

	leat_engine_get_info(e, &i);
	leat_report_add(p, "plan cache hits", "%", LEAT_BETTER_MORE,
			i.plan_lookups ? 100 * (double)i.plan_hits / (double)i.plan_lookups : 0);
	leat_report_add(p, "batched over sequential", "x", LEAT_BETTER_MORE, ratio(p));
	leat_report_add(p, "peak memory", "bytes", LEAT_BETTER_LESS, (double)leat_bench_peak_rss_bytes());
}

/* The two halves take turns, so that what the machine does besides meets both. */
static enum leat_status both(struct work *w, struct leat_engine *e)
{
	struct leat_bench_job *j = w->j;
	int n;

	for (int i = 0; i < j->size.n_warmup; i++)
		LEAT_TRY(leat_bench_ask(j, e, (uint64_t)i, j->size.n_prompt, j->size.n_gen, w->room, &n, w->err));
	if (j->size.n_warmup && !j->workload)
		LEAT_TRY(all_together(w, e, &n)); /* plans of many sequences are others than those of one */
	for (int i = 0; i < j->size.n_repeat; i++) {
		LEAT_TRY(measure(w, e, 0));
		LEAT_TRY(measure(w, e, 1));
		if (!i)
			compare(w);
	}
	end_figures(w, e);
	return LEAT_OK;
}

static int context_for(const struct leat_bench_job *j)
{
	return (j->workload ? j->workload->most_tokens : j->size.n_prompt + j->size.n_gen) + 1;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	size_t n = (size_t)j->size.n_requests, ids = n * (size_t)j->size.n_gen;
	struct work w = { .j = j, .err = err };
	struct leat_engine *e;
	enum leat_status s = LEAT_E_NOMEM;

	w.alone = calloc(ids, sizeof(*w.alone));
	w.together = calloc(ids, sizeof(*w.together));
	w.room = calloc((size_t)j->size.n_gen, sizeof(*w.room));
	w.one = calloc(n, sizeof(*w.one));
	for (int i = 0; i < j->size.n_requests; i++)
		w.n_tokens += leat_bench_gen_of(j, i);
	j->engine.max_queue = j->size.n_requests;
	if (!w.alone || !w.together || !w.room || !w.one)
		leat_fail(err, s, "", LEAT_NO_OFFSET, "no memory for %zu ids", ids);
	else
		s = leat_bench_engine(j, j->size.n_parallel, context_for(j), &e, err);
	if (!s) {
		s = both(&w, e);
		leat_engine_unref(e);
	}
	free(w.alone);
	free(w.together);
	free(w.room);
	free(w.one);
	return s;
}

const struct leat_bench leat_bench_throughput = {
	.name = "throughput",
	.summary = "many requests, one after another and together",
	.size = { .n_requests = 100, .n_parallel = 32, .n_prompt = 32, .n_gen = 20, .n_repeat = 5, .n_warmup = 5 },
	.run = run,
	.takes_workload = 1,
};
