/* test_bufpool.c - pooled buffers: classes, sharing, the cap on what is idle, nothing lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bufpool.h"

static size_t mapped_bytes, limit_bytes;

static void *map(void *user, size_t bytes)
{
	(void)user;
	if (limit_bytes && mapped_bytes + bytes > limit_bytes)
		return NULL;
	mapped_bytes += bytes;
	return malloc(bytes);
}

static void unmap(void *user, void *p, size_t bytes)
{
	(void)user;
	mapped_bytes -= bytes;
	free(p);
}

static const struct leat_buf_source source = { map, unmap, NULL };

static void test_classes(void **state)
{
	(void)state;
	assert_int_equal(leat_bufpool_class(0), 4096);
	assert_int_equal(leat_bufpool_class(4096), 4096);
	assert_int_equal(leat_bufpool_class(4097), 8192);
	assert_int_equal(leat_bufpool_class(SIZE_MAX), 0);
}

static void test_shared(void **state)
{
	struct leat_bufpool b;
	struct leat_bufpool_counts n;
	(void)state;
	leat_bufpool_init(&b, &source, 1, 1 << 20);
	struct leat_pooled *x = leat_bufpool_take(&b, 0, 5000), *y = leat_bufpool_take(&b, 0, 8000),
			   *other = leat_bufpool_take(&b, 1, 5000), *large = leat_bufpool_take(&b, 0, 9000);
	leat_bufpool_uses(x, 5000);
	leat_bufpool_uses(y, 100);
	leat_bufpool_uses(other, 1);
	leat_bufpool_uses(large, 9000);
	assert_ptr_equal(x, y);
	assert_ptr_not_equal(x, other); /* another kind is used at the same time */
	assert_ptr_not_equal(x, large);
	leat_bufpool_get_counts(&b, &n);
	assert_int_equal(n.held_bytes, 8192 + 4096 + 12288);
	assert_int_equal(n.n_held, 3);
	assert_int_equal(n.hits, 1);
	leat_bufpool_give(&b, x);
	leat_bufpool_get_counts(&b, &n);
	assert_int_equal(n.n_held, 3);
	leat_bufpool_give(&b, y);
	leat_bufpool_get_counts(&b, &n);
	assert_int_equal(n.idle_bytes, 8192);
	assert_ptr_equal(leat_bufpool_take(&b, 0, 8192), x);
	leat_bufpool_give(&b, x);
	leat_bufpool_give(&b, other);
	leat_bufpool_give(&b, large);
	leat_bufpool_give(&b, NULL);
	leat_bufpool_deinit(&b);
	assert_int_equal(mapped_bytes, 0);
}

/* Random holders over many sizes: nobody shares, idle memory stays under the cap, and after a while hardly anything
 * new is mapped. */
static void test_handed_on(void **state)
{
	enum { MOST = 12, CAP = 4 << 20 };
	struct leat_bufpool b;
	struct leat_bufpool_counts n;
	struct leat_pooled *held[MOST] = { NULL };
	uint64_t mapped = 0;
	unsigned rnd = 3;
	(void)state;
	leat_bufpool_init(&b, &source, 0, CAP);
	for (int i = 0; i < 10000; i++) {
		rnd = rnd * 1664525u + 1013904223u;
		int at = (int)(rnd >> 20) % MOST;
		leat_bufpool_give(&b, held[at]);
		size_t bytes = 1 + (rnd >> 8) % 100000;
		held[at] = leat_bufpool_take(&b, i % 2, bytes);
		assert_non_null(held[at]);
		assert_true(held[at]->bytes >= bytes);
		leat_bufpool_uses(held[at], bytes);
		for (int j = 0; j < MOST; j++)
			assert_true(j == at || held[j] != held[at]);
		leat_bufpool_get_counts(&b, &n);
		assert_true(n.idle_bytes <= CAP);
		if (i == 5000)
			mapped = n.n_mapped;
	}
	leat_bufpool_get_counts(&b, &n);
	print_message("%llu mapped for the first 5000, %llu more for the others\n", (unsigned long long)mapped,
		      (unsigned long long)(n.n_mapped - mapped));
	assert_true(n.n_mapped - mapped <= 5);
	for (int j = 0; j < MOST; j++)
		leat_bufpool_give(&b, held[j]);
	leat_bufpool_trim(&b, 10000);
	leat_bufpool_get_counts(&b, &n);
	assert_true(n.idle_bytes <= 10000 && !n.n_held);
	leat_bufpool_deinit(&b);
	assert_int_equal(mapped_bytes, 0);
}

static void test_idle_goes_before_out_of_memory(void **state)
{
	struct leat_bufpool b;
	(void)state;
	leat_bufpool_init(&b, &source, 0, 1 << 20);
	leat_bufpool_give(&b, leat_bufpool_take(&b, 0, 65536));
	limit_bytes = 100000;
	struct leat_pooled *x = leat_bufpool_take(&b, 0, 50000);
	assert_non_null(x); /* another class: the idle one went */
	assert_null(leat_bufpool_take(&b, 0, 50000));
	leat_bufpool_give(&b, x);
	limit_bytes = 0;
	leat_bufpool_deinit(&b);
	assert_int_equal(mapped_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_handed_on),
		cmocka_unit_test(test_idle_goes_before_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
