/* f16.c - binary16 in integers only, so that every compiler and processor gives the same bits. */
#include "base/f16.h"

float leat_f16_to_f32(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exp = (h >> 10) & 31u, frac = h & 0x3ffu;
	if (exp == 31) /* infinity and NaN: the fraction moves to the top bits */
		return leat_f32_from_bits(sign | 0x7f800000u | frac << 13);
	if (exp > 0) /* bias 15 -> 127 */
		return leat_f32_from_bits(sign | (exp + 112) << 23 | frac << 13);
	/* Zero and subnormals are frac * 2^-24, which float32 holds exactly. */
	float v = (float)frac * 0x1p-24f;
	return leat_f32_from_bits(sign | leat_f32_bits(v));
}

uint16_t leat_f32_to_f16(float f)
{
	uint32_t u = leat_f32_bits(f), sign = u >> 16 & 0x8000u, a = u & 0x7fffffffu;
	if (a > 0x7f800000u) /* NaN: quiet, the top of its payload kept */
		return (uint16_t)(sign | 0x7e00u | (a >> 13 & 0x3ffu));
	if (a >= 0x477ff000u) /* 65520 and more round to infinity */
		return (uint16_t)(sign | 0x7c00u);
	if (a >= 0x38800000u) { /* normal: drop 13 bits, ties to even; a carry into the exponent is right as it is */
		uint32_t r = a - (112u << 23);
		return (uint16_t)(sign | (r + 0xfffu + (r >> 13 & 1u)) >> 13);
	}
	if (a <= 0x33000000u) /* at most half of the smallest subnormal: the tie goes to zero */
		return (uint16_t)sign;
	/* Subnormal: the significand with its hidden bit, shifted to units of 2^-24. */
	uint32_t shift = 126u - (a >> 23), m = (a & 0x7fffffu) | 0x800000u;
	uint32_t q = m >> shift, rest = m & ((1u << shift) - 1u), half = 1u << (shift - 1u);
	q += rest > half || (rest == half && (q & 1u));
	return (uint16_t)(sign | q);
}
