/* pool.c - fork-join on a tree of arrivals and one release word.
 *
 * Every worker has one cache line that holds how often it has arrived; a parent waits for its children and then arrives
 * itself, so no line is written by more than one worker. Worker 0, the root, then steps the release word, on which all
 * others wait. A job begins with a release and ends with an arrival; a barrier is an arrival and a release. */
#include "base/pool.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

enum { LINE = 64, TREE_WIDTH = 4, MAX_WORKERS = 4096 };

/* A counter that others wait on. It only grows (and wraps). */
struct gate {
	_Alignas(LINE) _Atomic uint32_t count;
	_Atomic uint32_t n_sleeping;
};

struct slot {
	struct gate arrived;
	/* of this worker alone */
	_Alignas(LINE) struct leat_worker self;
	uint32_t n_arrived, n_released;
	pthread_t thread;
};

struct leat_pool {
	struct gate released;
	_Alignas(LINE) leat_job_fn *fn; /* NULL: leave */
	void *arg;
	int n_workers;
	uint64_t spin_ns;
	struct slot slot[];
};

static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* Returns when g->count == want. The announcement in n_sleeping and the look at count are ordered against the opposite
 * pair in gate_set (sequential consistency), so either the waiter sees the new count or the writer sees the sleeper. */
static void gate_wait(struct gate *g, uint32_t want, uint64_t spin_ns)
{
	if (spin_ns) {
		uint64_t until = leat_now_ns() + spin_ns;
		do {
			for (int i = 0; i < 64; i++) {
				if (atomic_load_explicit(&g->count, memory_order_acquire) == want)
					return;
				relax();
			}
		} while (leat_now_ns() < until);
	}
	atomic_fetch_add(&g->n_sleeping, 1);
	for (uint32_t now; (now = atomic_load(&g->count)) != want;)
		futex_wait(&g->count, now);
	atomic_fetch_sub(&g->n_sleeping, 1);
}

static void gate_set(struct gate *g, uint32_t value)
{
	atomic_store(&g->count, value);
	if (atomic_load(&g->n_sleeping))
		futex_wake_all(&g->count);
}

/* Returns when the whole subtree of s has arrived; tells the parent. */
static void arrive(struct leat_pool *p, struct slot *s)
{
	uint32_t n = ++s->n_arrived;
	int first = s->self.index * TREE_WIDTH + 1;

	for (int i = first; i < first + TREE_WIDTH && i < p->n_workers; i++)
		gate_wait(&p->slot[i].arrived, n, p->spin_ns);
	if (s->self.index)
		gate_set(&s->arrived, n);
}

/* The root lets all others go; they wait for that. */
static void release(struct leat_pool *p, struct slot *s)
{
	uint32_t n = ++s->n_released;

	if (s->self.index)
		gate_wait(&p->released, n, p->spin_ns);
	else
		gate_set(&p->released, n);
}

void leat_pool_barrier(struct leat_worker *w)
{
	struct leat_pool *p = w->pool;
	struct slot *s = &p->slot[w->index];

	if (p->n_workers == 1)
		return;
	arrive(p, s);
	release(p, s);
}

static void *worker_main(void *arg)
{
	struct slot *s = arg;
	struct leat_pool *p = s->self.pool;

	for (;;) {
		release(p, s);
		if (!p->fn)
			return NULL;
		p->fn(&s->self, p->arg);
		arrive(p, s);
	}
}

void leat_pool_run(struct leat_pool *p, leat_job_fn *fn, void *arg)
{
	struct slot *s = &p->slot[0];

	if (p->n_workers == 1) {
		fn(&s->self, arg);
		return;
	}
	p->fn = fn;
	p->arg = arg;
	release(p, s);
	fn(&s->self, arg);
	arrive(p, s);
}

/* Ends the threads of workers 1 .. n-1. */
static void stop(struct leat_pool *p, int n)
{
	p->fn = NULL;
	release(p, &p->slot[0]);
	for (int i = 1; i < n; i++)
		pthread_join(p->slot[i].thread, NULL);
}

static void pool_init(struct leat_pool *p, int n_workers, int spin_us)
{
	atomic_init(&p->released.count, 0);
	atomic_init(&p->released.n_sleeping, 0);
	p->fn = NULL;
	p->arg = NULL;
	p->n_workers = n_workers;
	p->spin_ns = (uint64_t)spin_us * 1000;
	for (int i = 0; i < n_workers; i++) {
		struct slot *s = &p->slot[i];
		atomic_init(&s->arrived.count, 0);
		atomic_init(&s->arrived.n_sleeping, 0);
		s->self = (struct leat_worker){p, i, n_workers};
		s->n_arrived = s->n_released = 0;
	}
}

enum leat_status leat_pool_create(int n_workers, int spin_us, struct leat_pool **ret, struct leat_error *err)
{
	if (n_workers < 1 || n_workers > MAX_WORKERS || spin_us < 0)
		return leat_fail(err, LEAT_E_ARG, "threads", LEAT_NO_OFFSET,
				 "thread pool: %d workers spinning %d us; wanted 1 to %d workers, 0 us or more",
				 n_workers, spin_us, MAX_WORKERS);
	size_t bytes = sizeof(struct leat_pool) + (size_t)n_workers * sizeof(struct slot);
	struct leat_pool *p = aligned_alloc(LINE, (bytes + LINE - 1) / LINE * LINE);
	if (!p)
		return leat_fail(err, LEAT_E_NOMEM, "threads", LEAT_NO_OFFSET, "thread pool: no memory for %d workers",
				 n_workers);
	pool_init(p, n_workers, spin_us);
	for (int i = 1; i < n_workers; i++) {
		int refused = leat_thread_start(&p->slot[i].thread, worker_main, &p->slot[i]);
		if (!refused)
			continue;
		stop(p, i);
		free(p);
		return leat_fail(err, LEAT_E_LIMIT, "threads", LEAT_NO_OFFSET,
				 "thread pool: the system refused thread %d of %d (error %d)", i, n_workers, refused);
	}
	*ret = p;
	return LEAT_OK;
}

void leat_pool_destroy(struct leat_pool *p)
{
	if (!p)
		return;
	if (p->n_workers > 1)
		stop(p, p->n_workers);
	free(p);
}

int leat_pool_size(const struct leat_pool *p)
{
	return p->n_workers;
}
