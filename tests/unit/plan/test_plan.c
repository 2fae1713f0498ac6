/* test_plan.c - recording, arena layout, buckets, switches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan/opts.h"
#include "plan/record.h"

static unsigned rnd_state = 12345;

static unsigned rnd(unsigned n)
{
	rnd_state = rnd_state * 1664525u + 1013904223u;
	return (rnd_state >> 8) % n;
}

static struct leat_plan_key key_of(int tokens, int outputs)
{
	struct leat_plan_key k;
	memset(&k, 0, sizeof k);
	k.tokens = tokens;
	k.seqs = 1;
	k.outputs = outputs;
	return k;
}

static const struct leat_weight table = { .name = "table", .rows = 50, .cols = 16 };

/* A random chain of elementwise ops over a few live buffers. */
static struct leat_plan *random_plan(int n_ops)
{
	struct leat_plan_key key = key_of(1 + (int)rnd(5), 1);
	struct leat_rec *c = leat_record_begin(&key);
	struct leat_buf *live[6];
	struct leat_plan *p = NULL;
	assert_non_null(c);
	for (int i = 0; i < 6; i++) {
		live[i] = leat_tmp(c, 16);
		leat_embed(c, live[i], &table);
	}
	for (int i = 0; i < n_ops; i++) {
		struct leat_buf *y = leat_tmp(c, 16);
		leat_swiglu(c, y, live[rnd(6)], live[rnd(6)]);
		live[rnd(6)] = y;
	}
	struct leat_buf *out = leat_tmp_out(c, 16);
	leat_gather(c, out, live[0]);
	assert_int_equal(leat_record_end(c, out, &p, NULL), LEAT_OK);
	return p;
}

static void test_layout_never_shares_live_memory(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		struct leat_plan *p = random_plan(1 + (int)rnd(60));
		size_t total = 0;
		for (int i = 0; i < p->n_bufs; i++) {
			const struct leat_buf *a = &p->buf[i];
			size_t na = (size_t)leat_buf_rows(p, a) * (size_t)a->stride;
			total += na;
			assert_true(a->offset + na <= p->arena_floats);
			assert_int_equal(a->offset % 16, 0);
			for (int j = 0; j < i; j++) {
				const struct leat_buf *b = &p->buf[j];
				size_t nb = (size_t)leat_buf_rows(p, b) * (size_t)b->stride;
				int together = a->first_op <= b->last_op && b->first_op <= a->last_op;
				int overlap = a->offset < b->offset + nb && b->offset < a->offset + na;
				assert_false(together && overlap);
			}
		}
		assert_true(p->n_bufs < 20 || p->arena_floats < total); /* dead buffers are reused */
		leat_plan_destroy(p);
	}
}

static void test_shape_mismatch_is_reported(void **state)
{
	(void)state;
	struct leat_plan_key key = key_of(2, 1);
	struct leat_rec *c = leat_record_begin(&key);
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_plan *p = NULL;
	struct leat_buf *x = leat_tmp(c, 16), *y = leat_tmp(c, 8), *out = leat_tmp_out(c, 16);
	leat_embed(c, x, &table);
	leat_swiglu(c, y, x, x); /* 8 columns from 16 */
	leat_gather(c, out, x);
	assert_int_equal(leat_record_end(c, out, &p, &err), LEAT_E_INTERNAL);
	print_message("%s\n", err.message);
	assert_non_null(strstr(err.message, "swiglu"));
	assert_null(p);
}

static void test_reading_before_writing_is_reported(void **state)
{
	(void)state;
	struct leat_plan_key key = key_of(2, 1);
	struct leat_rec *c = leat_record_begin(&key);
	struct leat_plan *p = NULL;
	struct leat_buf *x = leat_tmp(c, 16), *out = leat_tmp_out(c, 16);
	leat_gather(c, out, x);
	assert_int_equal(leat_record_end(c, out, &p, NULL), LEAT_E_INTERNAL);
}

static void test_buckets_round_up(void **state)
{
	(void)state;
	for (int n = 1; n <= 512; n++) {
		int b = leat_bucket_tokens(n, 512);
		assert_true(b >= n && b <= 512);
		assert_true(n > 32 ? b % 32 == 0 && b - n < 32 : (b & (b - 1)) == 0 && b < 2 * n);
	}
	assert_int_equal(leat_bucket_tokens(500, 500), 500);
	assert_int_equal(leat_bucket_rows(5, 64), 8);
	assert_int_equal(leat_bucket_rows(0, 64), 1);
}

static void test_opts(void **state)
{
	uint64_t opts = 0;
	struct leat_error err = LEAT_ERROR_INIT;
	(void)state;
	assert_int_equal(leat_opts_parse("gemm=off,steal=off,gemm=on", &opts, NULL), LEAT_OK);
	assert_true(leat_opt_on(opts, LEAT_OPT_gemm));
	assert_false(leat_opt_on(opts, LEAT_OPT_steal));
	assert_true(leat_opt_on(opts, LEAT_OPT_plan_cache));
	assert_int_equal(leat_opts_parse("nonsense=on", &opts, &err), LEAT_E_ARG);
	assert_non_null(strstr(err.message, "nonsense"));
	assert_int_equal(leat_opts_parse("gemm=maybe", &opts, &err), LEAT_E_ARG);
	assert_int_equal(leat_opts_parse("gemm", &opts, &err), LEAT_E_ARG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout_never_shares_live_memory),
		cmocka_unit_test(test_shape_mismatch_is_reported),
		cmocka_unit_test(test_reading_before_writing_is_reported),
		cmocka_unit_test(test_buckets_round_up),
		cmocka_unit_test(test_opts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
