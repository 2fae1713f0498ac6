/* mode_latency.c - how long one request takes that has the engine to itself (R105): 5 runs to warm up, 100 measured. */
#include <stdlib.h>

#include "base/clock.h"
#include "bench/mode.h"

static void take(struct leat_report *p, const struct leat_request *r, uint64_t ns, int n)
{
	struct leat_request_stats st = { .struct_size = sizeof(st) };

	leat_request_get_stats(r, &st);
	leat_report_add(p, "request", "ms", LEAT_BETTER_LESS, (double)ns / 1e6);
	leat_report_add(p, "first token", "ms", LEAT_BETTER_LESS, (double)st.first_token_ns / 1e6);
	if (n > 1)
		leat_report_add(p, "token", "ms", LEAT_BETTER_LESS,
				(double)(ns - st.first_token_ns) / 1e6 / (n - 1));
	leat_report_add(p, "requests", "1/s", LEAT_BETTER_MORE, 1e9 / (double)ns);
}

static enum leat_status once(struct leat_bench_job *j, struct leat_engine *e, int measured, int32_t *ids,
			     struct leat_error *err)
{
	struct leat_request *r;
	uint64_t start = leat_now_ns();
	enum leat_status s;
	int n = 0;

	LEAT_TRY(leat_bench_go_on(j, err));
	LEAT_TRY(leat_bench_submit(j, e, 0, j->size.n_prompt, j->size.n_gen, &r, err));
	s = leat_bench_drain(j, r, ids, j->size.n_gen, &n, err);
	if (!s && measured)
		take(j->report, r, leat_now_ns() - start, n);
	leat_request_unref(r);
	if (!s && n != j->size.n_gen)
		return leat_fail(err, LEAT_E_INTERNAL, "", LEAT_NO_OFFSET, "%d tokens came, wanted %d", n,
				 j->size.n_gen);
	return s;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	struct leat_engine *e;
	int32_t *ids = malloc((size_t)j->size.n_gen * sizeof(*ids));
	enum leat_status s;

	if (!ids)
		return leat_fail(err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for %d ids", j->size.n_gen);
	LEAT_TRY_GOTO(s, out, leat_bench_engine(j, 1, j->size.n_prompt + j->size.n_gen + 1, &e, err));
	for (int i = 0; i < j->size.n_warmup + j->size.n_repeat && !s; i++)
		s = once(j, e, i >= j->size.n_warmup, ids, err);
	leat_engine_unref(e);
	if (!s)
		leat_report_hash(j->report, "tokens_sha256", ids, j->size.n_gen);
out:
	free(ids);
	return s;
}

const struct leat_bench leat_bench_latency = {
	.name = "latency",
	.summary = "one request at a time, time to its end and to its first token",
	.size = { .n_prompt = 32, .n_gen = 20, .n_repeat = 100, .n_warmup = 5 },
	.run = run,
};
