/* test_caches.c - what an engine tells about its caches, emptying them, and reading while it runs. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "support/answers.h"
#include "support/oracle.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_PLAIN 0
#elif defined(__has_feature)
#define IS_PLAIN (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define IS_PLAIN 1
#endif

static const char *const models[] = { "models/demo-rwkv7.gguf", "models/demo-qwen2.gguf" };
enum { N_MODELS = 2 };

static struct leat_model *open_model(int i)
{
	struct leat_model *m = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	if (access(source_path(models[i]), R_OK))
		skip();
	if (leat_model_open(source_path(models[i]), NULL, &m, &err))
		fail_msg("%s", err.message);
	return m;
}

static struct leat_engine *open_engine(struct leat_model *m, int n_seqs, const char *opts)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	p.n_threads = 2;
	p.n_seqs = n_seqs;
	p.n_ctx = 1024;
	p.opts = opts;
	p.mode = LEAT_MODE_DETERMINISTIC;
	p.prefix_cache_bytes = 1 << 20;
	if (leat_engine_create(m, &p, &e, &err))
		fail_msg("%s", err.message);
	return e;
}

static struct leat_cache_info cache(const struct leat_engine *e, int which)
{
	struct leat_cache_info i = { .struct_size = sizeof i };
	assert_int_equal(leat_engine_get_cache(e, which, &i), LEAT_OK);
	return i;
}

static void ask(struct leat_engine *e, struct leat_model *m, int n_prompt, struct answer *ret)
{
	int32_t t[200];
	answer_prompt(t, n_prompt, (unsigned)n_prompt);
	struct leat_request_params p = answer_params(m, t, n_prompt, 12, 3);
	answer_alone(e, &p, ret);
}

static void assert_same(const struct answer *a, const struct answer *b)
{
	if (answer_difference(a, b))
		fail_msg("%s", answer_difference(a, b));
}

static void test_clearing_frees_memory_and_changes_nothing(void **state)
{
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct leat_model *model = open_model(m);
		struct leat_engine *e = open_engine(model, 2, NULL);
		struct answer before, after;
		ask(e, model, 150, &before);
		struct leat_cache_info plans = cache(e, LEAT_CACHE_PLANS), scratch = cache(e, LEAT_CACHE_SCRATCH),
				       prefix = cache(e, LEAT_CACHE_PREFIX);
		print_message("%s: %d plans, %llu bytes, %s\n%s: %d buffers, %llu bytes; %s: %d entries, %llu bytes\n",
			      plans.name, plans.n_entries, (unsigned long long)plans.bytes, plans.limit, scratch.name,
			      scratch.n_entries, (unsigned long long)scratch.bytes, prefix.name, prefix.n_entries,
			      (unsigned long long)prefix.bytes);
		assert_true(plans.n_entries >= 2 && plans.bytes && plans.max_entries >= 64 && plans.lookups > 10);
		assert_true(scratch.n_entries >= 2 && scratch.bytes);
		assert_true(prefix.n_entries && prefix.bytes);
		leat_engine_clear_caches(e);
		for (int i = 0; i < LEAT_CACHE_COUNT; i++) {
			struct leat_cache_info c = cache(e, i);
			assert_int_equal(c.n_entries, 0);
			assert_int_equal(c.n_idle, 0);
			assert_int_equal(c.idle_bytes, 0);
			assert_true(i == LEAT_CACHE_PREFIX || !c.bytes);
		}
		ask(e, model, 150, &after);
		assert_same(&before, &after);
		assert_int_equal(leat_engine_get_cache(e, LEAT_CACHE_COUNT, &plans), LEAT_E_ARG);
		assert_int_equal(leat_engine_get_cache(e, -1, &plans), LEAT_E_ARG);
		leat_engine_unref(e);
		leat_model_unref(model);
	}
}

static void test_shared_scratch_is_smaller_and_changes_nothing(void **state)
{
	struct leat_model *model = open_model(1);
	struct answer want, got;
	uint64_t bytes[2];
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct leat_engine *e = open_engine(model, 2, i ? "share_scratch=off,scratch_pool=off" : NULL);
		for (int n = 20; n < 200; n += 40)
			ask(e, model, n, i ? &got : &want);
		bytes[i] = cache(e, LEAT_CACHE_SCRATCH).bytes;
		leat_engine_unref(e);
	}
	assert_same(&want, &got);
	print_message("scratch: %llu bytes shared, %llu apart\n", (unsigned long long)bytes[0],
		      (unsigned long long)bytes[1]);
	assert_true(bytes[0] < bytes[1]);
	leat_model_unref(model);
}

/* ---- readers ---- */

enum { N_READERS = 16, N_TIMES = 200000 };
static atomic_int is_over;
static _Atomic uint64_t n_read;

static void *read_counts(void *arg)
{
	const struct leat_engine *e = arg;
	uint64_t last = 0;
	while (!atomic_load(&is_over)) {
		struct leat_cache_info c = { .struct_size = sizeof c };
		leat_engine_get_cache(e, LEAT_CACHE_PLANS, &c);
		if (c.lookups < last)
			return arg;
		last = c.lookups;
		leat_engine_get_cache(e, LEAT_CACHE_SCRATCH, &c);
		atomic_fetch_add(&n_read, 1);
		sched_yield();
	}
	return NULL;
}

static int by_time(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* What a step pays to look its plan up, while others ask for counts. */
static void time_checkouts(struct leat_engine *e)
{
	uint32_t *ns = malloc(N_TIMES * sizeof *ns);
	struct leat_plan_key key;
	assert_non_null(ns);
	leat_plan_key_of(e, 1, 1, 1, &key);
	leat_drive_lock(e);
	for (int i = 0; i < N_TIMES; i++) {
		uint64_t began = leat_now_ns();
		struct leat_plan_entry *x = leat_plan_cache_find(&e->plans, &key);
		ns[i] = (uint32_t)(leat_now_ns() - began);
		assert_non_null(x);
	}
	leat_drive_unlock(e);
	qsort(ns, N_TIMES, sizeof *ns, by_time);
	print_message("checkout beside %d readers: median %u ns, p99 %u ns, the clock included\n", N_READERS,
		      ns[N_TIMES / 2], ns[N_TIMES / 100 * 99]);
	if (IS_PLAIN)
		assert_true(ns[N_TIMES / 100 * 99] < 1000);
	free(ns);
}

static void test_sixteen_readers_beside_a_driver(void **state)
{
	struct leat_model *model = open_model(0);
	struct leat_engine *e = open_engine(model, 2, NULL);
	pthread_t t[N_READERS];
	struct answer first, a;
	void *bad;
	(void)state;
	ask(e, model, 40, &first);
	atomic_store(&is_over, 0);
	for (int i = 0; i < N_READERS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, read_counts, e), 0);
	for (int i = 0; i < 5; i++) {
		ask(e, model, 40, &a);
		assert_same(&first, &a);
		leat_engine_clear_caches(e);
	}
	ask(e, model, 40, &a);
	time_checkouts(e);
	atomic_store(&is_over, 1);
	for (int i = 0; i < N_READERS; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	assert_true(atomic_load(&n_read) > N_READERS);
	leat_engine_unref(e);
	leat_model_unref(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clearing_frees_memory_and_changes_nothing),
		cmocka_unit_test(test_shared_scratch_is_smaller_and_changes_nothing),
		cmocka_unit_test(test_sixteen_readers_beside_a_driver),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
