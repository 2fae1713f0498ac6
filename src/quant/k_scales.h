/* k_scales.h - what Q4_K and Q5_K share: a 6-bit scale and minimum for each of 8 groups of 32 weights, packed into 12
 * bytes. A weight is d scale[g] q - dmin min[g]. No format of its own. */
#ifndef LEAT_QUANT_K_SCALES_H
#define LEAT_QUANT_K_SCALES_H

#include <math.h>
#include <stdint.h>

#include "base/f16.h"

/* The 6-bit scale and minimum of group g out of the 12 packed bytes: four of each in the low six bits of bytes 0..3 and
 * 4..7, the other four in the nibbles of bytes 8..11 with their high bits atop the first eight. */
static inline void leat_k_scale_get(const uint8_t s[12], int g, int *scale, int *min)
{
	*scale = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | (s[g - 4] >> 6) << 4;
	*min = g < 4 ? s[g + 4] & 63 : s[g + 4] >> 4 | (s[g] >> 6) << 4;
}

static inline void leat_k_scale_put(uint8_t s[12], int g, int scale, int min)
{
	if (g < 4) {
		s[g] |= (uint8_t)scale;
		s[g + 4] |= (uint8_t)min;
	} else {
		s[g + 4] |= (uint8_t)((scale & 15) | (min & 15) << 4);
		s[g - 4] |= (uint8_t)(scale >> 4 << 6);
		s[g] |= (uint8_t)(min >> 4 << 6);
	}
}

/* Scale and minimum of 32 values for `levels` steps: x ~ scale q - min, min >= 0. */
static inline void leat_k_fit(const float *x, int levels, float *scale, float *min)
{
	float lo = 0, hi = 0;
	for (int i = 0; i < 32; i++) {
		lo = fminf(lo, x[i]);
		hi = fmaxf(hi, x[i]);
	}
	*scale = (hi - lo) / (float)levels;
	*min = -lo;
}

/* Both of all eight groups in 6 bits under one f16 scale each; returns nothing that the packed bytes do not hold. */
static inline void leat_k_scales(const float *x, int levels, uint8_t s[12], uint16_t *d, uint16_t *dmin)
{
	float scale[8], min[8], most = 0, most_min = 0;
	for (int g = 0; g < 8; g++) {
		leat_k_fit(x + 32 * g, levels, &scale[g], &min[g]);
		most = fmaxf(most, scale[g]);
		most_min = fmaxf(most_min, min[g]);
	}
	*d = leat_f32_to_f16(most / 63.0f);
	*dmin = leat_f32_to_f16(most_min / 63.0f);
	float fd = leat_f16_to_f32(*d), fm = leat_f16_to_f32(*dmin);
	for (int g = 0; g < 8; g++)
		leat_k_scale_put(s, g, fd > 0 ? (int)fminf(63.0f, ceilf(scale[g] / fd)) : 0,
				 fm > 0 ? (int)fminf(63.0f, ceilf(min[g] / fm)) : 0);
}

/* A group's weights are scale q - min. */
struct leat_k_group {
	float scale, min;
};
static inline struct leat_k_group leat_k_group_get(const uint8_t s[12], uint16_t d, uint16_t dmin, int g)
{
	int scale, min;
	leat_k_scale_get(s, g, &scale, &min);
	return (struct leat_k_group){ leat_f16_to_f32(d) * (float)scale, leat_f16_to_f32(dmin) * (float)min };
}

/* The q in 0 .. most that comes nearest to x. */
static inline int leat_k_level(struct leat_k_group k, float x, int most)
{
	int v = k.scale > 0 ? (int)lrintf((x + k.min) / k.scale) : 0;
	return v < 0 ? 0 : v > most ? most : v;
}

#endif
