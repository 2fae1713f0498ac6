/* test_pool.c - jobs, barriers, visibility, more workers than processors, errors. Run under the thread sanitizer too.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/pool.h"

enum { MAX = 16 };

static struct leat_pool *make(int n_workers, int spin_us)
{
	struct leat_pool *p = NULL;
	struct leat_error err = {0};
	assert_int_equal(leat_pool_create(n_workers, spin_us, &p, &err), LEAT_OK);
	assert_non_null(p);
	assert_int_equal(leat_pool_size(p), n_workers);
	return p;
}

struct count {
	int seen[MAX]; /* plain: only the pool orders accesses */
	int n_workers[MAX];
};

static void count_job(struct leat_worker *w, void *arg)
{
	struct count *c = arg;
	c->seen[w->index]++;
	c->n_workers[w->index] = w->n_workers;
}

static void every_worker_runs_once(int n, int spin_us)
{
	struct leat_pool *p = make(n, spin_us);
	struct count c = {{0}, {0}};

	for (int job = 1; job <= 300; job++) {
		leat_pool_run(p, count_job, &c);
		for (int i = 0; i < n; i++) {
			assert_int_equal(c.seen[i], job);
			assert_int_equal(c.n_workers[i], n);
		}
	}
	leat_pool_destroy(p);
}

static void test_jobs(void **state)
{
	(void)state;
	for (int n = 1; n <= 7; n++)
		every_worker_runs_once(n, 50);
	every_worker_runs_once(MAX, 0);
	every_worker_runs_once(MAX, 20);
}

struct relay {
	int value[MAX];
	int wrong;
};

/* Every phase each worker writes its own cell and, behind the barrier, reads all others. */
static void relay_job(struct leat_worker *w, void *arg)
{
	struct relay *r = arg;
	int wrong = 0;

	for (int phase = 1; phase <= 100; phase++) {
		r->value[w->index] = phase * 1000 + w->index;
		leat_pool_barrier(w);
		for (int i = 0; i < w->n_workers; i++)
			wrong += r->value[i] != phase * 1000 + i;
		leat_pool_barrier(w);
	}
	if (wrong)
		__atomic_fetch_add(&r->wrong, wrong, __ATOMIC_RELAXED);
}

static void barriers(int n, int spin_us)
{
	struct leat_pool *p = make(n, spin_us);

	for (int job = 0; job < 5; job++) {
		struct relay r = {{0}, 0};
		leat_pool_run(p, relay_job, &r);
		assert_int_equal(r.wrong, 0);
		for (int i = 0; i < n; i++)
			assert_int_equal(r.value[i], 100 * 1000 + i);
	}
	leat_pool_destroy(p);
}

static void test_barriers(void **state)
{
	(void)state;
	barriers(1, 50);
	barriers(2, 50);
	barriers(5, 50);
	barriers(6, 0);
	barriers(MAX, 0); /* more workers than processors: must not spin its time slices away */
	barriers(MAX, 20);
}

/* Workers that fell asleep must wake for the next job, and a caller that sleeps must wake for a slow worker. */
static void slow_job(struct leat_worker *w, void *arg)
{
	int *done = arg;
	if (w->index == w->n_workers - 1)
		usleep(3000);
	leat_pool_barrier(w);
	done[w->index]++;
}

static void test_sleep_and_wake(void **state)
{
	struct leat_pool *p = make(3, 10);
	int done[3] = {0};

	(void)state;
	for (int job = 1; job <= 20; job++) {
		usleep(2000);
		leat_pool_run(p, slow_job, done);
		for (int i = 0; i < 3; i++)
			assert_int_equal(done[i], job);
	}
	leat_pool_destroy(p);
}

static void test_create_and_destroy(void **state)
{
	(void)state;
	leat_pool_destroy(NULL);
	for (int i = 0; i < 50; i++)
		leat_pool_destroy(make(1 + i % 5, i % 2 ? 0 : 50)); /* threads that never ran a job must end too */
}

static void test_errors(void **state)
{
	struct leat_pool *const untouched = (struct leat_pool *)(uintptr_t)64;
	struct leat_pool *p = untouched;
	struct leat_error err = {0};

	(void)state;
	assert_int_equal(leat_pool_create(0, 50, &p, &err), LEAT_E_ARG);
	assert_int_equal(err.status, LEAT_E_ARG);
	assert_int_equal(leat_pool_create(-1, 50, &p, NULL), LEAT_E_ARG);
	assert_int_equal(leat_pool_create(INT_MAX, 50, &p, NULL), LEAT_E_ARG);
	assert_int_equal(leat_pool_create(2, -1, &p, NULL), LEAT_E_ARG);
	assert_ptr_equal(p, untouched);
}

static void test_cpu_count(void **state)
{
	(void)state;
	assert_in_range(leat_cpu_count(), 1, sysconf(_SC_NPROCESSORS_CONF));
}

static void test_cpu_flags(void **state)
{
	char buf[96];
	unsigned all = leat_cpu_flags();

	(void)state;
	leat_cpu_set_mask(LEAT_CPU_AVX2);
	assert_int_equal(leat_cpu_flags(), all & LEAT_CPU_AVX2);
	leat_cpu_set_mask(0);
	assert_int_equal(leat_cpu_flags(), 0);
	assert_string_equal(leat_cpu_names(leat_cpu_flags(), buf), "scalar");
	leat_cpu_set_mask(~0u);
	assert_int_equal(leat_cpu_flags(), all);
	assert_string_equal(leat_cpu_names(LEAT_CPU_AVX2 | LEAT_CPU_AMX, buf), "avx2 amx");
	assert_string_equal(leat_cpu_names(31, buf), "avx2 avx512 avx512vnni avx512bf16 amx");
	assert_non_null(leat_cpu_model());
	assert_ptr_equal(leat_cpu_model(), leat_cpu_model());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs),           cmocka_unit_test(test_barriers),
		cmocka_unit_test(test_sleep_and_wake), cmocka_unit_test(test_create_and_destroy),
		cmocka_unit_test(test_errors),         cmocka_unit_test(test_cpu_count),
		cmocka_unit_test(test_cpu_flags),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
