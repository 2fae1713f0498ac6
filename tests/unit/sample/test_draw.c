/* plan/draw.h: known answers, exactness whatever the compiler fuses, integers against wider integers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "plan/draw.h"

/* The vectors published with the Random123 library: counter, key, answer. */
static void philox_known_answers(void **state)
{
	(void)state;
	static const uint32_t known[][10] = {
		{0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
		{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e,
		 0xa20bc7c6, 0x6d5451fd},
		{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb,
		 0x5001e420, 0x24126ea1},
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		const uint32_t *k = known[i];
		struct leat_philox c = {{k[0], k[1], k[2], k[3]}};
		c = leat_draw_philox(c, k[4], k[5]);
		assert_memory_equal(c.v, k + 6, sizeof c.v);
	}
	assert_true(leat_draw_random(0, 0, 0) == 0xe169c58d6627e8d5u);
}

static void random_uses_every_bit_of_its_arguments(void **state)
{
	(void)state;
	uint64_t base = leat_draw_random(7, 3, 11);
	for (int bit = 0; bit < 64; bit++) {
		uint64_t one = (uint64_t)1 << bit;
		assert_true(leat_draw_random(7 ^ one, 3, 11) != base);
		assert_true(leat_draw_random(7, 3, 11 ^ one) != base);
		if (bit < 32)
			assert_true(leat_draw_random(7, 3 ^ (uint32_t)one, 11) != base);
	}
}

static void integers_agree_with_128_bits(void **state)
{
	(void)state;
	__extension__ typedef unsigned __int128 wide;
	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t a = leat_draw_random(1, 0, i) >> (i % 61);
		uint64_t b = leat_draw_random(2, 0, i) >> (i % 47);
		assert_true(leat_draw_mulhi(a, b) == (uint64_t)((wide)a * b >> 64));
		uint64_t total = b & (((uint64_t)1 << 52) - 1);
		uint64_t fraction = i % 7 ? (uint32_t)a : (uint64_t)1 << 32;
		uint64_t share = (uint64_t)(((wide)total * fraction + UINT32_MAX) >> 32);
		assert_true(leat_draw_share(total, fraction) == share);
	}
	assert_true(leat_draw_mulhi(UINT64_MAX, UINT64_MAX) == UINT64_MAX - 1);
}

static void fractions_round_up(void **state)
{
	(void)state;
	assert_true(leat_draw_fraction(0.0f) == 0);
	assert_true(leat_draw_fraction(-1.0f) == 0);
	assert_true(leat_draw_fraction(NAN) == 0);
	assert_true(leat_draw_fraction(1e-30f) == 1);
	assert_true(leat_draw_fraction(0.5f) == (uint64_t)1 << 31);
	assert_true(leat_draw_fraction(1.0f) == (uint64_t)1 << 32);
	for (uint64_t i = 0; i < 10000; i++) {
		float p = (float)(leat_draw_random(3, 0, i) >> 40) * 0x1p-24f * (i & 1 ? 1.0f : 1e-6f);
		assert_true((double)leat_draw_fraction(p) == ceil((double)p * 4294967296.0));
	}
}

/* The same formula with fused multiply-adds throughout. fmaf is exact on every machine, in hardware or not. */
static uint32_t fused_weight(float x)
{
	int32_t k = (int32_t)(x * LEAT_DRAW_STEPS);
	float r = fmaf((float)k, LEAT_DRAW_STEP_HIGH, x);
	r = fmaf((float)k, LEAT_DRAW_STEP_LOW, r);
	float p = r * fmaf(r, 0.5f, 1.0f);
	return leat_draw_power(k, (int32_t)(p * LEAT_DRAW_ONE));
}

static float float_of(uint32_t bits)
{
	float x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

/* From -0 to beyond the reach, a prime number of floats apart. */
static void weights_are_near_and_fused_is_the_same(void **state)
{
	(void)state;
	uint32_t before = UINT32_MAX;
	for (uint32_t bits = 0x80000000u; bits < 0xc1b80000u; bits += 487) {
		float x = float_of(bits);
		uint32_t w = leat_draw_weight(x);
		assert_true(w <= before);
		before = w;
		if (x <= -LEAT_DRAW_REACH) {
			assert_int_equal(w, 0);
			continue;
		}
		assert_int_equal(w, fused_weight(x));
		double exact = exp((double)x) * 4294967296.0;
		assert_true(fabs((double)w - exact) <= 1.0 + exact * 0x1p-24);
	}
	assert_true(leat_draw_weight(0.0f) == UINT32_MAX);
	assert_true(leat_draw_weight(-INFINITY) == 0);
}

/* The two products that sums follow, and the first sum, need no rounding: this is what makes fusing harmless. */
static void the_products_are_exact(void **state)
{
	(void)state;
	for (int32_t k = 0; k <= 4155; k++) {
		float high = (float)k * LEAT_DRAW_STEP_HIGH;
		float low = (float)k * LEAT_DRAW_STEP_LOW;
		assert_true((double)high == (double)k * (double)LEAT_DRAW_STEP_HIGH);
		assert_true((double)low == (double)k * (double)LEAT_DRAW_STEP_LOW);
	}
	for (uint32_t bits = 0xb0000000u; bits < 0xc1b40000u; bits += 499) {
		float x = float_of(bits);
		float high = (float)(int32_t)(x * LEAT_DRAW_STEPS) * LEAT_DRAW_STEP_HIGH;
		assert_true((double)(x + high) == (double)x + (double)high);
	}
}

static void keys_follow_logits_backwards(void **state)
{
	(void)state;
	static const float falling[] = {3e38f, 2.0f, 1.0000001f, 1.0f, 1e-40f, 0.0f, -1e-40f, -1.0f, -3e38f, -INFINITY};
	for (size_t i = 1; i < sizeof falling / sizeof *falling; i++)
		assert_true(leat_draw_key(falling[i - 1]) < leat_draw_key(falling[i]));
	assert_true(leat_draw_key(-0.0f) == leat_draw_key(0.0f));
}

static void edits_stay_below_infinity(void **state)
{
	(void)state;
	assert_true(leat_draw_penalised(2.0f, 2.0f, 0.5f) == 0.5f);
	assert_true(leat_draw_penalised(-2.0f, 2.0f, 0.5f) == -4.5f);
	assert_true(leat_draw_penalised(3e38f, 0.01f, 0.0f) <= LEAT_DRAW_FLT_MAX);
	assert_true(leat_draw_penalised(-INFINITY, 2.0f, -1.0f) < -LEAT_DRAW_FLT_MAX);
	assert_true(leat_draw_biased(3e38f, 3e38f) <= LEAT_DRAW_FLT_MAX);
	assert_true(leat_draw_biased(1.0f, -INFINITY) < -LEAT_DRAW_FLT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(philox_known_answers),
		cmocka_unit_test(random_uses_every_bit_of_its_arguments),
		cmocka_unit_test(integers_agree_with_128_bits),
		cmocka_unit_test(fractions_round_up),
		cmocka_unit_test(weights_are_near_and_fused_is_the_same),
		cmocka_unit_test(the_products_are_exact),
		cmocka_unit_test(keys_follow_logits_backwards),
		cmocka_unit_test(edits_stay_below_infinity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
