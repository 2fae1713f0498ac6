/* q6_k.h - format Q6_K: 256 weights of 6 bits in 16 groups of 16, an int8 scale each, one f16 scale of scales.
 * w[i] = d scale[i / 16] (q[i] - 32). GGUF type 14. */
#ifndef LEAT_QUANT_Q6_K_H
#define LEAT_QUANT_Q6_K_H

#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "quant/quant.h"

struct leat_q6_k {
	uint8_t ql[128];   /* low four bits, see leat_q6_k_get */
	uint8_t qh[64];    /* high two bits */
	int8_t scales[16];
	uint16_t d;        /* f16 */
};
_Static_assert(sizeof(struct leat_q6_k) == 210, "Q6_K blocks are 210 bytes in files");

/* Each half of 128 weights: weight 32 k + l takes its low bits from byte 32 (k % 2) + l (low nibble for k < 2) and its
 * high bits from bits 2 k of byte l. */
static inline int leat_q6_k_get(const struct leat_q6_k *q, int i)
{
	int half = i / 128, k = i % 128 / 32, l = i % 32;
	int lo = q->ql[64 * half + 32 * (k % 2) + l] >> (k < 2 ? 0 : 4) & 15;
	return lo | (q->qh[32 * half + l] >> 2 * k & 3) << 4;
}

static inline void leat_q6_k_dequant(float *y, const void *blocks, size_t n)
{
	const unsigned char *p = blocks;
	for (size_t b = 0; b < n / 256; b++, p += sizeof(struct leat_q6_k), y += 256) {
		struct leat_q6_k q;
		memcpy(&q, p, sizeof q);
		float d = leat_f16_to_f32(q.d);
		for (int i = 0; i < 256; i++)
			y[i] = d * (float)q.scales[i / 16] * (float)(leat_q6_k_get(&q, i) - 32);
	}
}

/* Scales from each group's largest magnitude: valid and close, not the best there is. */
static inline void leat_q6_k_quant(void *blocks, const float *x, size_t n)
{
	unsigned char *p = blocks;
	for (size_t b = 0; b < n / 256; b++, p += sizeof(struct leat_q6_k), x += 256) {
		struct leat_q6_k q = { 0 };
		float amax[16] = { 0 }, most = 0;
		for (int i = 0; i < 256; i++)
			amax[i / 16] = fmaxf(amax[i / 16], fabsf(x[i]));
		for (int g = 0; g < 16; g++)
			most = fmaxf(most, amax[g] / 31.0f);
		q.d = leat_f32_to_f16(most / 127.0f);
		float d = leat_f16_to_f32(q.d);
		for (int g = 0; g < 16; g++)
			q.scales[g] = (int8_t)(d > 0 ? fminf(127.0f, ceilf(amax[g] / 31.0f / d)) : 0.0f);
		for (int i = 0; i < 256; i++) {
			float s = d * (float)q.scales[i / 16];
			int v = s > 0 ? (int)lrintf(x[i] / s) : 0, half = i / 128, k = i % 128 / 32, l = i % 32;
			v = 32 + (v < -32 ? -32 : v > 31 ? 31 : v);
			q.ql[64 * half + 32 * (k % 2) + l] |= (uint8_t)((v & 15) << (k < 2 ? 0 : 4));
			q.qh[32 * half + l] |= (uint8_t)((v >> 4) << 2 * k);
		}
		memcpy(p, &q, sizeof q);
	}
}

#define LEAT_QUANT_DESC_q6_k { "Q6_K", 14, 256, 210, leat_q6_k_dequant, leat_q6_k_quant }

#endif
