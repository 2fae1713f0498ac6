/* f16.h - IEEE binary16 and bfloat16, in portable C, exact, round-to-nearest-even. */
#ifndef LEAT_BASE_F16_H
#define LEAT_BASE_F16_H

#include <stdint.h>
#include <string.h>

static inline uint32_t leat_f32_bits(float f)
{
	uint32_t u;
	memcpy(&u, &f, 4);
	return u;
}

static inline float leat_f32_from_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, 4);
	return f;
}

/* Exact for every input: subnormals, infinities and NaN (payload kept in the top bits) included. */
float leat_f16_to_f32(uint16_t h);

/* Round to nearest, ties to even; overflow gives infinity; NaN stays NaN. */
uint16_t leat_f32_to_f16(float f);

static inline float leat_bf16_to_f32(uint16_t h)
{
	return leat_f32_from_bits((uint32_t)h << 16);
}

static inline uint16_t leat_f32_to_bf16(float f)
{
	uint32_t u = leat_f32_bits(f);
	if ((u & 0x7fffffffu) > 0x7f800000u)
		return (uint16_t)((u >> 16) | 0x40u); /* quiet the NaN: rounding could turn it into infinity */
	return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

#endif
