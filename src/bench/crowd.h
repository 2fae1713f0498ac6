/* crowd.h - many requests read side by side, each token as soon as it is there. Reading one after the other would let
 * the rings of the others fill up, and a full ring takes its request out of the batch. */
#ifndef LEAT_BENCH_CROWD_H
#define LEAT_BENCH_CROWD_H

#include "bench/mode.h"

struct leat_crowd_one {
	struct leat_request *r;  /* NULL: not submitted, or refused */
	int32_t *ids;            /* [cap]; NULL: tokens are only counted */
	int n, cap, finish;      /* finish: enum leat_finish */
	uint64_t first_ns, last_ns; /* when tokens were read */
	enum leat_status failed;
};

/* Called for each token read. */
typedef void leat_crowd_fn(void *user, struct leat_crowd_one *o, uint64_t now_ns);

/* Takes what is there of one, or waits at most timeout_ns for it (0: does not). 1 if there was anything. */
int leat_crowd_take(struct leat_crowd_one *o, int64_t timeout_ns, leat_crowd_fn *token, void *user);

/* Reads all to their ends, on this thread, which runs the engine. */
enum leat_status leat_crowd_read(struct leat_bench_job *j, struct leat_crowd_one *one, int n, struct leat_error *err);

/* Unrefs; zeroed is fine. */
void leat_crowd_drop(struct leat_crowd_one *one, int n);

#endif
