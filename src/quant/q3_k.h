/* q3_k.h - format Q3_K: 256 weights of 3 bits in 16 groups of 16, a 6-bit signed scale each, one f16 scale of scales.
 * w[i] = d (scale[g] - 32) (q[i] - 4), g = i / 16. GGUF type 11. */
#ifndef LEAT_QUANT_Q3_K_H
#define LEAT_QUANT_Q3_K_H

#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "quant/quant.h"

struct leat_q3_k {
	uint8_t hmask[32];  /* bit i / 32 of byte i % 32: the third bit of weight i */
	uint8_t qs[64];     /* low two bits, as in Q2_K */
	uint8_t scales[12]; /* packed: low nibbles in bytes 0..7, high two bits in bytes 8..11 */
	uint16_t d;         /* f16 */
};
_Static_assert(sizeof(struct leat_q3_k) == 110, "Q3_K blocks are 110 bytes in files");

static inline int leat_q3_k_scale(const struct leat_q3_k *q, int g)
{
	int lo = g < 8 ? q->scales[g] & 15 : q->scales[g - 8] >> 4;
	return (lo | (q->scales[8 + g % 4] >> 2 * (g / 4) & 3) << 4) - 32;
}

static inline int leat_q3_k_get(const struct leat_q3_k *q, int i)
{
	int lo = q->qs[32 * (i / 128) + i % 32] >> 2 * (i % 128 / 32) & 3;
	return (lo | (q->hmask[i % 32] >> i / 32 & 1) << 2) - 4;
}

static inline void leat_q3_k_dequant(float *y, const void *blocks, size_t n)
{
	const unsigned char *p = blocks;
	for (size_t b = 0; b < n / 256; b++, p += sizeof(struct leat_q3_k), y += 256) {
		struct leat_q3_k q;
		memcpy(&q, p, sizeof q);
		float d = leat_f16_to_f32(q.d);
		for (int i = 0; i < 256; i++)
			y[i] = d * (float)leat_q3_k_scale(&q, i / 16) * (float)leat_q3_k_get(&q, i);
	}
}

static inline void leat_q3_k_quant(void *blocks, const float *x, size_t n)
{
	unsigned char *p = blocks;
	for (size_t b = 0; b < n / 256; b++, p += sizeof(struct leat_q3_k), x += 256) {
		struct leat_q3_k q = { 0 };
		float amax[16] = { 0 }, most = 0;
		for (int i = 0; i < 256; i++)
			amax[i / 16] = fmaxf(amax[i / 16], fabsf(x[i]));
		for (int g = 0; g < 16; g++)
			most = fmaxf(most, amax[g] / 3.5f);
		q.d = leat_f32_to_f16(most / 31.0f);
		float d = leat_f16_to_f32(q.d);
		for (int g = 0; g < 16; g++) {
			int s = 32 + (d > 0 ? (int)fminf(31.0f, rintf(amax[g] / 3.5f / d)) : 0);
			q.scales[g % 8] |= (uint8_t)((s & 15) << (g < 8 ? 0 : 4));
			q.scales[8 + g % 4] |= (uint8_t)((s >> 4) << 2 * (g / 4));
		}
		for (int i = 0; i < 256; i++) {
			float s = d * (float)leat_q3_k_scale(&q, i / 16);
			int v = 4 + (s > 0 ? (int)lrintf(x[i] / s) : 0);
			v = v < 0 ? 0 : v > 7 ? 7 : v;
			q.qs[32 * (i / 128) + i % 32] |= (uint8_t)((v & 3) << 2 * (i % 128 / 32));
			q.hmask[i % 32] |= (uint8_t)((v >> 2) << i / 32);
		}
		memcpy(p, &q, sizeof q);
	}
}

#define LEAT_QUANT_DESC_q3_k { "Q3_K", 11, 256, 110, leat_q3_k_dequant, leat_q3_k_quant }

#endif
