/* q4_k.h - format Q4_K: 256 weights of 4 bits in 8 groups of 32, a 6-bit scale and minimum each, two f16 scales of
 * them. w[i] = d scale[g] q[i] - dmin min[g], g = i / 32. GGUF type 12. */
#ifndef LEAT_QUANT_Q4_K_H
#define LEAT_QUANT_Q4_K_H

#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "quant/quant.h"

struct leat_q4_k {
	uint16_t d, dmin;   /* f16 */
	uint8_t scales[12]; /* packed, see leat_k_scale_get */
	uint8_t qs[128];    /* byte 32 k + l: weight l of groups 2 k (low nibble) and 2 k + 1 */
};
_Static_assert(sizeof(struct leat_q4_k) == 144, "Q4_K blocks are 144 bytes in files");

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

static inline int leat_q4_k_get(const struct leat_q4_k *q, int i)
{
	int g = i / 32;
	return (q->qs[32 * (g / 2) + i % 32] >> (g % 2 ? 4 : 0) & 15);
}

static inline void leat_q4_k_dequant(float *y, const void *blocks, size_t n)
{
	const unsigned char *p = blocks;
	for (size_t b = 0; b < n / 256; b++, p += sizeof(struct leat_q4_k), y += 256) {
		struct leat_q4_k q;
		memcpy(&q, p, sizeof q);
		for (int g = 0; g < 8; g++) {
			int scale, min;
			leat_k_scale_get(q.scales, g, &scale, &min);
			float d = leat_f16_to_f32(q.d) * (float)scale, m = leat_f16_to_f32(q.dmin) * (float)min;
			for (int i = 32 * g; i < 32 * g + 32; i++)
				y[i] = d * (float)leat_q4_k_get(&q, i) - m;
		}
	}
}

static inline void leat_q4_k_quant(void *blocks, const float *x, size_t n)
{
	unsigned char *p = blocks;
	for (size_t b = 0; b < n / 256; b++, p += sizeof(struct leat_q4_k), x += 256) {
		struct leat_q4_k q = { 0 };
		leat_k_scales(x, 15, q.scales, &q.d, &q.dmin);
		for (int i = 0; i < 256; i++) {
			int scale, min, g = i / 32;
			leat_k_scale_get(q.scales, g, &scale, &min);
			float d = leat_f16_to_f32(q.d) * (float)scale, m = leat_f16_to_f32(q.dmin) * (float)min;
			int v = d > 0 ? (int)lrintf((x[i] + m) / d) : 0;
			v = v < 0 ? 0 : v > 15 ? 15 : v;
			q.qs[32 * (g / 2) + i % 32] |= (uint8_t)((v & 15) << (g % 2 ? 4 : 0));
		}
		memcpy(p, &q, sizeof q);
	}
}

#define LEAT_QUANT_DESC_q4_k { "Q4_K", 12, 256, 144, leat_q4_k_dequant, leat_q4_k_quant }

#endif
