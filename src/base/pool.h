/* pool.h - fork-join threads that spin briefly between jobs and then sleep.
 *
 * The caller is worker 0. A job runs the same function once on every worker; inside it workers share work by claiming
 * chunks and meet at barriers. Nothing here allocates, locks or enters the kernel while all workers are awake. */
#ifndef LEAT_BASE_POOL_H
#define LEAT_BASE_POOL_H

#include <stdatomic.h>

#include "base/err.h"

struct leat_pool;

/* What a job function gets. */
struct leat_worker {
	struct leat_pool *pool;
	int index;     /* 0 .. n_workers-1, 0 is the caller of leat_pool_run */
	int n_workers;
};

typedef void leat_job_fn(struct leat_worker *w, void *arg);

/* n_workers >= 1 (1 starts no thread). spin_us: how long an idle worker spins before it sleeps; 0 sleeps at once, the
 * right choice when there are more workers than processors. Errors: E_ARG, E_NOMEM, E_LIMIT (threads refused). */
enum leat_status leat_pool_create(int n_workers, int spin_us, struct leat_pool **ret, struct leat_error *err);
void leat_pool_destroy(struct leat_pool *p);
int leat_pool_size(const struct leat_pool *p);

/* Runs fn(worker, arg) on every worker and returns when all have returned. Not reentrant. What one worker wrote before
 * it returned is visible to the caller afterwards. */
void leat_pool_run(struct leat_pool *p, leat_job_fn *fn, void *arg);

/* Inside a job: returns when every worker has arrived; earlier writes of all are then visible to all. */
void leat_pool_barrier(struct leat_worker *w);

/* Processors that this process may really use: affinity mask and cgroup quota (v1 and v2), at least 1. */
int leat_cpu_count(void);

#endif
