/* q5_k.h - format Q5_K: 256 weights of 5 bits in 8 groups of 32, a 6-bit scale and minimum each, two f16 scales of
 * them. w[i] = d scale[g] q[i] - dmin min[g], g = i / 32. GGUF type 13. */
#ifndef LEAT_QUANT_Q5_K_H
#define LEAT_QUANT_Q5_K_H

#include <string.h>

#include "quant/k_scales.h"
#include "quant/quant.h"

struct leat_q5_k {
	uint16_t d, dmin;   /* f16 */
	uint8_t scales[12]; /* packed, see leat_k_scale_get */
	uint8_t qh[32];     /* bit g of byte l: the fifth bit of weight l of group g */
	uint8_t qs[128];    /* byte 32 k + l: weight l of groups 2 k (low nibble) and 2 k + 1 */
};
_Static_assert(sizeof(struct leat_q5_k) == 176, "Q5_K blocks are 176 bytes in files");

static inline int leat_q5_k_get(const struct leat_q5_k *q, int i)
{
	int g = i / 32;
	return (q->qs[32 * (g / 2) + i % 32] >> (g % 2 ? 4 : 0) & 15) | (q->qh[i % 32] >> g & 1) << 4;
}

static inline void leat_q5_k_dequant(float *y, const void *blocks, size_t n)
{
	const unsigned char *p = blocks;
	for (size_t b = 0; b < n / 256; b++, p += sizeof(struct leat_q5_k), y += 256) {
		struct leat_q5_k q;
		memcpy(&q, p, sizeof q);
		for (int g = 0; g < 8; g++) {
			struct leat_k_group k = leat_k_group_get(q.scales, q.d, q.dmin, g);
			for (int i = 32 * g; i < 32 * g + 32; i++)
				y[i] = k.scale * (float)leat_q5_k_get(&q, i) - k.min;
		}
	}
}

static inline void leat_q5_k_quant(void *blocks, const float *x, size_t n)
{
	unsigned char *p = blocks;
	for (size_t b = 0; b < n / 256; b++, p += sizeof(struct leat_q5_k), x += 256) {
		struct leat_q5_k q = { 0 };
		leat_k_scales(x, 31, q.scales, &q.d, &q.dmin);
		for (int i = 0; i < 256; i++) {
			int g = i / 32, v = leat_k_level(leat_k_group_get(q.scales, q.d, q.dmin, g), x[i], 31);
			q.qs[32 * (g / 2) + i % 32] |= (uint8_t)((v & 15) << (g % 2 ? 4 : 0));
			q.qh[i % 32] |= (uint8_t)((v >> 4) << g);
		}
		memcpy(p, &q, sizeof q);
	}
}

#define LEAT_QUANT_DESC_q5_k { "Q5_K", 13, 256, 176, leat_q5_k_dequant, leat_q5_k_quant }

#endif
