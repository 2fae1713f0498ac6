/* test_report.c - statistics of leat bench against values from tables (R114). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/report.h"

static int beyond(const double *a, int n, double shift)
{
	struct leat_welch w;
	double b[16];

	for (int i = 0; i < n; i++)
		b[i] = a[i] + shift;
	leat_welch(a, n, b, n, &w);
	return w.beyond_noise;
}

/* Two-sided 1 % points: 9.925 at 2 degrees, 3.355 at 8. */
static void test_welch(void **state)
{
	static const double two[] = { 0, 2 }, five[] = { 1, 2, 3, 4, 5 };
	struct leat_welch w;
	(void)state;
	leat_welch(five, 5, five, 5, &w);
	assert_true(w.t == 0 && !w.beyond_noise);
	assert_true(w.df > 7.999 && w.df < 8.001);
	assert_false(beyond(five, 5, 3.34)); /* variances 2.5 / 5 twice: t is the shift */
	assert_true(beyond(five, 5, 3.37));
	assert_true(beyond(five, 5, -3.37));
	assert_false(beyond(two, 2, 14.0)); /* t = shift / sqrt(2) */
	assert_true(beyond(two, 2, 14.1));
	assert_true(beyond(two, 1, 1e-9)); /* nothing is known of the noise */
	assert_false(beyond(two, 1, 0));
}

static void test_summary(void **state)
{
	struct leat_report r;
	struct leat_summary s;
	(void)state;
	memset(&r, 0, sizeof(r));
	for (int i = 100; i > 0; i--)
		leat_report_add(&r, "a", "ms", LEAT_BETTER_LESS, i);
	leat_report_add(&r, "b", "1/s", LEAT_BETTER_MORE, 7);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.figure[0].n, 100);
	assert_int_equal(leat_summarise(r.figure[0].sample, 100, &s), 0);
	assert_true(s.mean == 50.5 && s.median == 50.5 && s.least == 1 && s.most == 100 && s.p95 == 95);
	assert_true(s.stddev > 29.0114 && s.stddev < 29.0116); /* sqrt(100 * 101 / 12) */
	assert_int_equal(leat_summarise(r.figure[1].sample, 1, &s), 0);
	assert_true(s.mean == 7 && s.median == 7 && s.p95 == 7 && s.stddev == 0);
	leat_report_deinit(&r);
}

/* SHA-256 of 01 00 00 00 ff ff ff ff */
static void test_hash(void **state)
{
	static const int32_t ids[] = { 1, -1 };
	struct leat_report r;
	(void)state;
	memset(&r, 0, sizeof(r));
	leat_report_hash(&r, "ids", ids, 2);
	assert_string_equal(r.hash[0].name, "ids");
	assert_string_equal(r.hash[0].hex, "b15348c8f462384c01e83b6d499c6faf3f96808f5aa07c6bab4b65b36b4445d4");
	for (int i = 0; i < 2 * LEAT_MAX_HASHES; i++)
		leat_report_hash(&r, "more", ids, 1);
	for (int i = 0; i < 2 * LEAT_MAX_REMARKS; i++)
		leat_report_remark(&r, "%d", i);
	assert_int_equal(r.n_hashes, LEAT_MAX_HASHES);
	assert_int_equal(r.n_remarks, LEAT_MAX_REMARKS);
	leat_report_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_welch),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_hash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
