/* bench_pp.h - tokens per second of prompts (pp) and of generation (tg), without tokenising and sampling. */
#ifndef LEAT_BENCH_BENCH_PP_H
#define LEAT_BENCH_BENCH_PP_H

#include "leat/leat.h"

struct leat_bench_test {
	int n_prompt, n_gen; /* tokens in steps as large as the engine takes; tokens one a step */
	int n_depth;         /* tokens in the context before the clock starts */
};

/* Nonzero stops (E_CANCELLED); asked between steps. */
typedef int leat_bench_stop_fn(void *user);

/* Runs the test n times (after one unmeasured run if `warmup`) and stores the duration of each in ret_ns[n]. Tokens are
 * pseudo-random and the same on every run. The engine's sequences must all be free. */
enum leat_status leat_bench_run(struct leat_engine *e, int n_vocab, const struct leat_bench_test *t, int n, int warmup,
				leat_bench_stop_fn *stop, void *user, uint64_t *ret_ns, struct leat_error *err);

/* What the same engine writes: 32 greedy tokens after 32 pseudo-random ones, as the SHA-256 of their ids (little-endian
 * int32). A figure of speed beside the wrong hash is worth nothing. */
enum leat_status leat_bench_tokens_sha256(struct leat_engine *e, int n_vocab, char ret[65], struct leat_error *err);

/* Most memory that this process held so far. */
uint64_t leat_bench_peak_rss_bytes(void);

struct leat_bench_stats {
	double avg_ns, stddev_ns, avg_ts, stddev_ts; /* sample deviations; 0 for one sample */
};
void leat_bench_stats(const uint64_t *ns, int n, int n_tokens, struct leat_bench_stats *ret);

#endif
