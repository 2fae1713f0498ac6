/* q4_1.h - format Q4_1: 32 weights of 4 bits, f16 scale and minimum. w[i] = d q[i] + m. GGUF type 3. */
#ifndef LEAT_QUANT_Q4_1_H
#define LEAT_QUANT_Q4_1_H

#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "quant/quant.h"

struct leat_q4_1 {
	uint16_t d;    /* f16 scale */
	uint16_t m;    /* f16 minimum */
	uint8_t qs[16]; /* low nibbles are weights 0..15, high nibbles 16..31 */
};
_Static_assert(sizeof(struct leat_q4_1) == 20, "Q4_1 blocks are 20 bytes in files");

/* Stored integer of weight i. */
static inline int leat_q4_1_get(const struct leat_q4_1 *q, int i)
{
	int v = i < 16 ? q->qs[i] & 15 : q->qs[i - 16] >> 4;
	return v;
}

static inline void leat_q4_1_dequant(float *y, const void *blocks, size_t n)
{
	const unsigned char *p = blocks; /* blocks of a mapped file have no alignment */
	for (size_t b = 0; b < n / 32; b++, p += sizeof(struct leat_q4_1), y += 32) {
		struct leat_q4_1 q;
		memcpy(&q, p, sizeof q);
		float d = leat_f16_to_f32(q.d), m = leat_f16_to_f32(q.m);
		for (int i = 0; i < 32; i++)
			y[i] = d * (float)leat_q4_1_get(&q, i) + m;
	}
}

static inline void leat_q4_1_quant(void *blocks, const float *x, size_t n)
{
	unsigned char *p = blocks;
	for (size_t b = 0; b < n / 32; b++, p += sizeof(struct leat_q4_1), x += 32) {
		struct leat_q4_1 q = { 0 };
		float lo = x[0], hi = x[0];
		for (int i = 1; i < 32; i++) {
			lo = fminf(lo, x[i]);
			hi = fmaxf(hi, x[i]);
		}
		float d = (hi - lo) / 15.0f, id = d > 0 ? 1.0f / d : 0.0f;
		q.d = leat_f32_to_f16(d);
		q.m = leat_f32_to_f16(lo);
		for (int i = 0; i < 32; i++) {
			int v = (int)lrintf((x[i] - lo) * id);
			v = v < 0 ? 0 : v > 15 ? 15 : v;
			q.qs[i % 16] |= (uint8_t)((v & 15) << (i < 16 ? 0 : 4));
		}
		memcpy(p, &q, sizeof q);
	}
}

#define LEAT_QUANT_DESC_q4_1 { "Q4_1", 3, 32, 20, leat_q4_1_dequant, leat_q4_1_quant }

#endif
