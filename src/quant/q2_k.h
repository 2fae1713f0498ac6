/* q2_k.h - format Q2_K: 256 weights of 2 bits in 16 groups of 16, a 4-bit scale and minimum each, two f16 scales of
 * them. w[i] = d scale[g] q[i] - dmin min[g], g = i / 16. GGUF type 10. */
#ifndef LEAT_QUANT_Q2_K_H
#define LEAT_QUANT_Q2_K_H

#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "quant/quant.h"

struct leat_q2_k {
	uint8_t scales[16]; /* low nibble scale, high nibble minimum */
	uint8_t qs[64];     /* half h of 128 weights: weight 32 k + l in bits 2 k of byte 32 h + l */
	uint16_t d, dmin;   /* f16 */
};
_Static_assert(sizeof(struct leat_q2_k) == 84, "Q2_K blocks are 84 bytes in files");

static inline int leat_q2_k_get(const struct leat_q2_k *q, int i)
{
	return q->qs[32 * (i / 128) + i % 32] >> 2 * (i % 128 / 32) & 3;
}

static inline void leat_q2_k_dequant(float *y, const void *blocks, size_t n)
{
	const unsigned char *p = blocks;
	for (size_t b = 0; b < n / 256; b++, p += sizeof(struct leat_q2_k), y += 256) {
		struct leat_q2_k q;
		memcpy(&q, p, sizeof q);
		float d = leat_f16_to_f32(q.d), m = leat_f16_to_f32(q.dmin);
		for (int i = 0; i < 256; i++) {
			uint8_t s = q.scales[i / 16];
			y[i] = d * (float)(s & 15) * (float)leat_q2_k_get(&q, i) - m * (float)(s >> 4);
		}
	}
}

static inline void leat_q2_k_quant(void *blocks, const float *x, size_t n)
{
	unsigned char *p = blocks;
	for (size_t b = 0; b < n / 256; b++, p += sizeof(struct leat_q2_k), x += 256) {
		struct leat_q2_k q = { 0 };
		float lo[16] = { 0 }, hi[16] = { 0 }, most = 0, most_min = 0;
		for (int i = 0; i < 256; i++) {
			lo[i / 16] = fminf(lo[i / 16], x[i]);
			hi[i / 16] = fmaxf(hi[i / 16], x[i]);
		}
		for (int g = 0; g < 16; g++) {
			most = fmaxf(most, (hi[g] - lo[g]) / 3.0f);
			most_min = fmaxf(most_min, -lo[g]);
		}
		q.d = leat_f32_to_f16(most / 15.0f);
		q.dmin = leat_f32_to_f16(most_min / 15.0f);
		float d = leat_f16_to_f32(q.d), m = leat_f16_to_f32(q.dmin);
		for (int g = 0; g < 16; g++) {
			int scale = d > 0 ? (int)fminf(15.0f, rintf((hi[g] - lo[g]) / 3.0f / d)) : 0;
			int min = m > 0 ? (int)fminf(15.0f, rintf(-lo[g] / m)) : 0;
			q.scales[g] = (uint8_t)(scale | min << 4);
		}
		for (int i = 0; i < 256; i++) {
			float s = d * (float)(q.scales[i / 16] & 15), min = m * (float)(q.scales[i / 16] >> 4);
			int v = s > 0 ? (int)lrintf((x[i] + min) / s) : 0;
			v = v < 0 ? 0 : v > 3 ? 3 : v;
			q.qs[32 * (i / 128) + i % 32] |= (uint8_t)(v << 2 * (i % 128 / 32));
		}
		memcpy(p, &q, sizeof q);
	}
}

#define LEAT_QUANT_DESC_q2_k { "Q2_K", 10, 256, 84, leat_q2_k_dequant, leat_q2_k_quant }

#endif
