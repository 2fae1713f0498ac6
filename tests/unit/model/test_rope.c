/* test_rope.c - frequencies of rotary embeddings against the definitions, evaluated by hand or by other formulas. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/rope.h"

static void close_to(double found, double wanted)
{
	if (!(fabs(found - wanted) <= 2e-7 * fabs(wanted)))
		fail_msg("%.9g, wanted %.9g", found, wanted);
}

static void test_plain(void **state)
{
	(void)state;
	float f[4], g[4];
	struct leat_rope_rule r = { .base = 10000 };
	static const float divisor[] = { 1, 2, 4, 0.5f };
	leat_rope_frequencies(f, 4, &r, NULL);
	for (int i = 0; i < 4; i++)
		close_to((double)f[i], pow(10, -i));
	leat_rope_frequencies(g, 4, &r, divisor);
	for (int i = 0; i < 4; i++)
		close_to((double)g[i], (double)f[i] / (double)divisor[i]);
	r = (struct leat_rope_rule){ .bend = LEAT_ROPE_LINEAR, .base = 10000, .factor = 8 };
	leat_rope_frequencies(g, 4, &r, NULL);
	for (int i = 0; i < 4; i++)
		close_to((double)g[i], (double)f[i] / 8);
}

/* Base 16, four pairs: frequencies 1, 1/2, 1/4, 1/8. An original context of 8 pi: they turn 4, 2, 1 and 1/2 times. */
static void test_llama3(void **state)
{
	(void)state;
	float f[4];
	struct leat_rope_rule r = { .bend = LEAT_ROPE_LLAMA3, .base = 16, .factor = 10, .low = 1, .high = 3,
				    .original = 8 * 3.141592653589793 };
	leat_rope_frequencies(f, 4, &r, NULL);
	close_to((double)f[0], 1);                       /* more than 3 turns: as it was */
	close_to((double)f[1], 0.5 * (0.5 + 0.5 / 10));  /* half way between 1 and 3 */
	close_to((double)f[2], 0.25 / 10);               /* at the low end: divided */
	close_to((double)f[3], 0.125 / 10);
}

/* The same pairs: 4 turns is pair 0, 1 turn is pair 2; the ramp reaches half way at pair 1. */
static void test_yarn(void **state)
{
	(void)state;
	float f[4];
	struct leat_rope_rule r = { .bend = LEAT_ROPE_YARN, .base = 16, .factor = 10, .beta_fast = 3.999,
				    .beta_slow = 1.001, .original = 8 * 3.141592653589793 };
	leat_rope_frequencies(f, 4, &r, NULL);
	close_to((double)f[0], 1);
	close_to((double)f[1], 0.5 * (0.5 + 0.5 / 10));
	close_to((double)f[2], 0.25 / 10);
	close_to((double)f[3], 0.125 / 10);
	close_to(leat_rope_yarn_scale(&r), 1 + 0.1 * log(10));
}

/* Qwen2.5's published setting (factor 4, 32,768, base 1e6, heads of 128): pairs below 24 turn more than 32 times and
 * stay, pairs from 40 on turn less than once, by their turns in closed form. */
static void test_yarn_qwen(void **state)
{
	(void)state;
	float f[64];
	struct leat_rope_rule r = { .bend = LEAT_ROPE_YARN, .base = 1e6, .factor = 4, .beta_fast = 32, .beta_slow = 1,
				    .original = 32768 };
	leat_rope_frequencies(f, 64, &r, NULL);
	double previous = 1;
	for (int i = 0; i < 64; i++) {
		double plain = pow(1e6, -i / 64.0), share = (double)f[i] / plain;
		double turns = 32768 * plain / 6.283185307179586;
		if (turns > 64)
			close_to(share, 1);
		if (turns < 0.5)
			close_to(share, 0.25);
		assert_true(share <= previous + 1e-6 && share >= 0.25 - 1e-6);
		previous = share;
	}
}

static void test_longrope_scale(void **state)
{
	(void)state;
	close_to(leat_rope_longrope_scale(32, 4096), sqrt(1 + 5.0 / 12)); /* Phi-3 mini 128k */
	close_to(leat_rope_longrope_scale(1, 4096), 1);
	close_to(leat_rope_longrope_scale(0.5, 4096), 1);
	close_to(leat_rope_longrope_scale(8, 1), 1); /* ln 1 = 0 must not divide */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),     cmocka_unit_test(test_llama3),
		cmocka_unit_test(test_yarn),      cmocka_unit_test(test_yarn_qwen),
		cmocka_unit_test(test_longrope_scale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
