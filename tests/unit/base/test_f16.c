/* binary16 and bfloat16 against a second way of computing them: in double, by the definition of the formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/f16.h"

static double half_value(uint16_t h)
{
	int exp = h >> 10 & 31, frac = h & 1023;
	double v = exp ? ldexp(1024 + frac, exp - 25) : ldexp(frac, -24);
	return h & 0x8000 ? -v : v;
}

static void test_all_halves(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 65536; i++) {
		uint16_t h = (uint16_t)i;
		float f = leat_f16_to_f32(h);
		if ((h & 0x7c00) == 0x7c00) {
			assert_true(h & 1023 ? isnan(f) : isinf(f));
			assert_int_equal(signbit(f) != 0, h >> 15);
			assert_int_equal(leat_f32_to_f16(f),
					 h & 1023 ? h | 0x200 : h); /* a quiet NaN stays as it was */
			continue;
		}
		assert_true((double)f == half_value(h));
		assert_int_equal(signbit(f) != 0, h >> 15);
		assert_int_equal(leat_f32_to_f16(f), h);
	}
}

/* The nearest half of a positive finite float by search, ties to the even one. */
static uint16_t nearest(double x)
{
	uint32_t lo = 0, hi = 0x7c00; /* as integers halves are ordered; 0x7c00 stands for 2^16 here */
	while (hi - lo > 1) {
		uint32_t mid = (lo + hi) / 2;
		if (half_value((uint16_t)mid) <= x)
			lo = mid;
		else
			hi = mid;
	}
	double below = half_value((uint16_t)lo), above = hi == 0x7c00 ? 65536 : half_value((uint16_t)hi);
	if (x - below < above - x)
		return (uint16_t)lo;
	if (x - below > above - x)
		return (uint16_t)hi;
	return (uint16_t)(lo & 1 ? hi : lo);
}

static void check_round(uint32_t bits)
{
	float f = leat_f32_from_bits(bits & 0x7fffffffu);
	if (isnan(f) || isinf(f))
		return;
	uint16_t want = (double)f >= 65536 ? 0x7c00 : nearest((double)f);
	assert_int_equal(leat_f32_to_f16(f), want);
	assert_int_equal(leat_f32_to_f16(-f), want | 0x8000);
}

/* Around every half, the middle between it and the next one, and random bits. */
static void test_rounding(void **state)
{
	(void)state;
	for (uint32_t h = 0; h < 0x7c00; h++) {
		double next = h == 0x7bff ? 65536 : half_value((uint16_t)(h + 1));
		uint32_t mid = leat_f32_bits((float)((half_value((uint16_t)h) + next) / 2));
		uint32_t at = leat_f32_bits(leat_f16_to_f32((uint16_t)h));
		for (uint32_t d = 0; d < 3; d++) {
			check_round(mid + d - 1);
			if (at + d >= 1)
				check_round(at + d - 1);
		}
	}
	uint64_t s = 88172645463325252u;
	for (int i = 0; i < 300000; i++) {
		s ^= s << 13;
		s ^= s >> 7;
		s ^= s << 17;
		check_round((uint32_t)s);
		check_round(0x38000000u + (uint32_t)(s >> 32) % 0x10000000u); /* where halves are normal */
		check_round(0x32000000u + (uint32_t)(s >> 32) % 0x07000000u); /* and where they are not */
	}
}

static void test_bf16(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 65536; i++) {
		float f = leat_bf16_to_f32((uint16_t)i);
		assert_int_equal(leat_f32_bits(f), i << 16);
		if (isnan(f))
			assert_true((leat_f32_to_bf16(f) & 0x7fffu) > 0x7f80u);
		else
			assert_int_equal(leat_f32_to_bf16(f), i);
		if ((i & 0x7f80u) == 0x7f80u)
			continue;
		assert_int_equal(leat_f32_to_bf16(leat_f32_from_bits(i << 16 | 0x7fffu)), i);
		assert_int_equal(leat_f32_to_bf16(leat_f32_from_bits(i << 16 | 0x8000u)), i + (i & 1));
		assert_int_equal(leat_f32_to_bf16(leat_f32_from_bits(i << 16 | 0x8001u)), i + 1);
	}
	assert_true((leat_f32_to_bf16(leat_f32_from_bits(0x7f800001u)) & 0x7fffu) > 0x7f80u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_halves),
		cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_bf16),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
