/* test_cache.c - the plan cache over a backend that only counts: limits, order of eviction, short memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan/cache.h"

/* A plan of n tokens takes n bytes of tables; compiling fails while more than max_live of them live. */
struct fake {
	int n_compiled, n_released, n_trimmed, max_live;
	uint64_t held;
};

static enum leat_status fake_compile(void *dev, const struct leat_plan *p, struct leat_exec **ret, size_t *ret_bytes,
				     struct leat_error *err)
{
	struct fake *f = dev;
	if (f->max_live && f->n_compiled - f->n_released >= f->max_live)
		return leat_fail(err, LEAT_E_NOMEM, "plan", LEAT_NO_OFFSET, "out of memory");
	f->n_compiled++;
	*ret = NULL;
	*ret_bytes = (size_t)p->key.tokens;
	return LEAT_OK;
}

static void fake_release(void *dev, struct leat_exec *x)
{
	struct fake *f = dev;
	(void)x;
	f->n_released++;
}

static void fake_scratch(void *dev, struct leat_bufpool_counts *ret)
{
	struct fake *f = dev;
	*ret = (struct leat_bufpool_counts){ .held_bytes = f->held };
}

static void fake_trim(void *dev, size_t keep)
{
	struct fake *f = dev;
	(void)keep;
	f->n_trimmed++;
}

static const struct leat_backend backend = { .name = "fake", .compile = fake_compile, .release = fake_release,
					     .scratch = fake_scratch, .trim = fake_trim };

static struct leat_plan_key key_of(int tokens)
{
	struct leat_plan_key k;
	memset(&k, 0, sizeof k);
	k.tokens = tokens;
	return k;
}

static void open_cache(struct leat_plan_cache *c, struct fake *f, int max_entries, size_t max_bytes, int guard)
{
	struct leat_plan_limits l = { .max_entries = max_entries, .max_bytes = max_bytes };
	struct leat_error err = LEAT_ERROR_INIT;
	assert_int_equal(leat_plan_cache_init(c, &backend, f, &l, guard, &err), LEAT_OK);
}

static struct leat_plan_entry *put(struct leat_plan_cache *c, int tokens)
{
	struct leat_plan *p = calloc(1, sizeof *p);
	struct leat_plan_entry *e = NULL;
	assert_non_null(p);
	p->key = key_of(tokens);
	assert_int_equal(leat_plan_cache_put(c, p, LEAT_PLAN_IN_STEP, &e, NULL), LEAT_OK);
	return e;
}

/* As a step does it. 1: it was there. */
static int step(struct leat_plan_cache *c, int tokens)
{
	struct leat_plan_key k = key_of(tokens);
	if (leat_plan_cache_find(c, &k))
		return 1;
	put(c, tokens);
	return 0;
}

static void test_budget_in_bytes_and_the_hot_stay(void **state)
{
	struct fake f = { .n_compiled = 0 };
	struct leat_plan_cache c;
	size_t fixed = sizeof(struct leat_plan_entry) + sizeof(struct leat_plan);
	(void)state;
	open_cache(&c, &f, 100, 8 * (fixed + 5000), 1);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(step(&c, 1), i > 0); /* hot: used between all the others */
		step(&c, 1000 + (i * 7919) % 9000);
		assert_true(leat_plan_cache_bytes(&c) <= c.limits.max_bytes);
		assert_true(c.n >= 2);
	}
	assert_true(c.evicted > 100);
	assert_int_equal(c.built, c.evicted + (uint64_t)c.n);
	assert_int_equal(f.n_released, c.evicted);
	leat_plan_cache_deinit(&c);
	assert_int_equal(f.n_released, f.n_compiled);
}

/* Hits of a trace: a hot set in random order, interrupted by runs of shapes that never come again. */
static uint64_t replay(int guard)
{
	struct fake f = { .n_compiled = 0 };
	struct leat_plan_cache c;
	unsigned rnd = 7;
	int rare = 1000;
	open_cache(&c, &f, 64, (size_t)1 << 30, guard);
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 60; i++) {
			rnd = rnd * 1664525u + 1013904223u;
			step(&c, 1 + (int)(rnd >> 16) % 40);
		}
		for (int i = 0; i < 70; i++)
			step(&c, rare++);
	}
	uint64_t hits = c.hits;
	leat_plan_cache_deinit(&c);
	return hits;
}

static void test_a_scan_does_not_evict_the_hot_set(void **state)
{
	uint64_t with = replay(1), without = replay(0);
	(void)state;
	print_message("2400 lookups of 40 hot shapes between 2800 rare ones: %llu hits with guard, %llu plain LRU\n",
		      (unsigned long long)with, (unsigned long long)without);
	assert_true(with > 2200);
	assert_true(with > without + 500);
}

static void test_held_plans_stay_where_they_are(void **state)
{
	struct fake f = { .n_compiled = 0 };
	struct leat_plan_cache c;
	struct leat_plan_key k = key_of(5);
	(void)state;
	open_cache(&c, &f, 4, (size_t)1 << 30, 1);
	struct leat_plan_entry *e = put(&c, 5);
	e->held++;
	for (int i = 0; i < 50; i++)
		step(&c, 100 + i);
	assert_ptr_equal(leat_plan_cache_peek(&c, &k), e);
	leat_plan_cache_shrink(&c, 0);
	assert_int_equal(c.n, 1);
	e->held--;
	leat_plan_cache_shrink(&c, 0);
	assert_int_equal(c.n, 0);
	assert_null(leat_plan_cache_peek(&c, &k));
	leat_plan_cache_deinit(&c);
}

static void test_short_memory_drops_what_is_not_needed(void **state)
{
	struct fake f = { .max_live = 3 };
	struct leat_plan_cache c;
	(void)state;
	open_cache(&c, &f, 64, (size_t)1 << 30, 1);
	for (int i = 0; i < 10; i++)
		step(&c, 10 + i);
	assert_true(c.n >= 1 && c.n <= 3);
	assert_true(f.n_trimmed >= 2);
	assert_int_equal(c.built, 10);
	leat_plan_cache_deinit(&c);
}

static void test_scratch_counts_in_the_budget(void **state)
{
	struct fake f = { .held = 0 };
	struct leat_plan_cache c;
	(void)state;
	open_cache(&c, &f, 64, 100000, 1);
	for (int i = 0; i < 10; i++)
		step(&c, 10 + i);
	assert_int_equal(c.n, 10);
	f.held = 200000; /* nothing but the new one may stay */
	step(&c, 99);
	assert_int_equal(c.n, 1);
	leat_plan_cache_deinit(&c);
}

static void test_limits_follow_layers_and_memory(void **state)
{
	struct leat_plan_limits few, many, small;
	(void)state;
	leat_plan_limits_choose(24, 10000, (uint64_t)16 << 30, &few);
	leat_plan_limits_choose(96, 10000, (uint64_t)16 << 30, &many);
	leat_plan_limits_choose(24, 10000, (uint64_t)100 << 20, &small);
	print_message("%s\n%s\n%s\n", few.how, many.how, small.how);
	assert_int_equal(few.max_bytes, (size_t)1 << 30);
	assert_true(few.max_entries > many.max_entries && many.max_entries >= 64);
	assert_true(small.max_entries >= 64 && small.max_entries < many.max_entries);
	assert_true(small.max_bytes < few.max_bytes);
	leat_plan_limits_choose(24, 10000, UINT64_MAX, &few);
	assert_int_equal(few.max_bytes, (size_t)4 << 30);
	leat_plan_limits_choose(1000, 100000, 0, &few);
	assert_int_equal(few.max_entries, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget_in_bytes_and_the_hot_stay),
		cmocka_unit_test(test_a_scan_does_not_evict_the_hot_set),
		cmocka_unit_test(test_held_plans_stay_where_they_are),
		cmocka_unit_test(test_short_memory_drops_what_is_not_needed),
		cmocka_unit_test(test_scratch_counts_in_the_budget),
		cmocka_unit_test(test_limits_follow_layers_and_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
