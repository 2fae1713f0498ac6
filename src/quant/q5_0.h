/* q5_0.h - format Q5_0: 32 weights of 5 bits, one f16 scale. w[i] = d (q[i] - 16). GGUF type 6. */
#ifndef LEAT_QUANT_Q5_0_H
#define LEAT_QUANT_Q5_0_H

#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "quant/quant.h"

struct leat_q5_0 {
	uint16_t d;    /* f16 scale */
	uint8_t qh[4]; /* bit i: the fifth bit of weight i */
	uint8_t qs[16]; /* low nibbles are weights 0..15, high nibbles 16..31 */
};
_Static_assert(sizeof(struct leat_q5_0) == 22, "Q5_0 blocks are 22 bytes in files");

/* Stored integer of weight i. */
static inline int leat_q5_0_get(const struct leat_q5_0 *q, int i)
{
	int v = i < 16 ? q->qs[i] & 15 : q->qs[i - 16] >> 4;
	v |= (q->qh[i / 8] >> i % 8 & 1) << 4;
	return v;
}

static inline void leat_q5_0_dequant(float *y, const void *blocks, size_t n)
{
	const unsigned char *p = blocks; /* blocks of a mapped file have no alignment */
	for (size_t b = 0; b < n / 32; b++, p += sizeof(struct leat_q5_0), y += 32) {
		struct leat_q5_0 q;
		memcpy(&q, p, sizeof q);
		float d = leat_f16_to_f32(q.d);
		for (int i = 0; i < 32; i++)
			y[i] = d * (float)(leat_q5_0_get(&q, i) - 16);
	}
}

static inline void leat_q5_0_quant(void *blocks, const float *x, size_t n)
{
	unsigned char *p = blocks;
	for (size_t b = 0; b < n / 32; b++, p += sizeof(struct leat_q5_0), x += 32) {
		struct leat_q5_0 q = { 0 };
		float most = 0; /* the value of largest magnitude, with its sign: it becomes -16 exactly */
		for (int i = 0; i < 32; i++)
			most = fabsf(x[i]) > fabsf(most) ? x[i] : most;
		float d = most / -16.0f, id = d != 0 ? 1.0f / d : 0.0f;
		q.d = leat_f32_to_f16(d);
		for (int i = 0; i < 32; i++) {
			int v = (int)lrintf(x[i] * id) + 16;
			v = v < 0 ? 0 : v > 31 ? 31 : v;
			q.qs[i % 16] |= (uint8_t)((v & 15) << (i < 16 ? 0 : 4));
			q.qh[i / 8] |= (uint8_t)((v >> 4) << i % 8);
		}
		memcpy(p, &q, sizeof q);
	}
}

#define LEAT_QUANT_DESC_q5_0 { "Q5_0", 6, 32, 22, leat_q5_0_dequant, leat_q5_0_quant }

#endif
