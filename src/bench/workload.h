/* workload.h - which requests come when, and how long they are: a small text file, or the same length at even gaps.
 * bench/README.md describes the file. */
#ifndef LEAT_BENCH_WORKLOAD_H
#define LEAT_BENCH_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	LEAT_WORKLOAD_MAX_BYTES = 1 << 20,
	LEAT_WORKLOAD_MAX_REQUESTS = 100000,
	LEAT_WORKLOAD_MAX_TOKENS = 1 << 20, /* of a prompt, of an answer */
	LEAT_WORKLOAD_MAX_MS = 86400000,
};

struct leat_arrival {
	uint32_t at_ms;        /* from the beginning, ascending in a workload */
	int n_prompt, n_gen;   /* tokens, each >= 1 */
};

struct leat_workload {
	int n;
	struct leat_arrival *at;
	int n_parallel;        /* sequences that go together; 0: it does not say */
	int max_queue;         /* requests that may wait beside them; 0: all of them */
	int most_prompt, most_gen, most_tokens; /* longest; most_tokens: of one request, both together */
};

/* Reads text[n]. E_FORMAT with the line, E_LIMIT, E_NOMEM. */
enum leat_status leat_workload_parse(const char *text, size_t n, struct leat_workload *ret, struct leat_error *err);
/* The same request n times, one each gap_ms. E_NOMEM. */
enum leat_status leat_workload_even(int n, int n_prompt, int n_gen, uint32_t gap_ms, struct leat_workload *ret,
				    struct leat_error *err);
void leat_workload_deinit(struct leat_workload *w); /* zeroed is fine */

#endif
