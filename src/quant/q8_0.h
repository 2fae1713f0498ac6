/* q8_0.h - format Q8_0: 32 weights, one f16 scale, 32 signed bytes. w[i] = d * q[i]. GGUF type 8. */
#ifndef LEAT_QUANT_Q8_0_H
#define LEAT_QUANT_Q8_0_H

#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "quant/quant.h"

struct leat_q8_0 {
	uint16_t d;    /* f16 */
	int8_t qs[32];
};
_Static_assert(sizeof(struct leat_q8_0) == 34, "Q8_0 blocks are 34 bytes in files");

static inline void leat_q8_0_dequant(float *y, const void *blocks, size_t n)
{
	const unsigned char *p = blocks; /* blocks of a mapped file have no alignment */
	for (size_t b = 0; b < n / 32; b++, p += sizeof(struct leat_q8_0)) {
		struct leat_q8_0 q;
		memcpy(&q, p, sizeof q);
		float d = leat_f16_to_f32(q.d);
		for (int i = 0; i < 32; i++)
			y[32 * b + (size_t)i] = d * (float)q.qs[i];
	}
}

static inline void leat_q8_0_quant(void *blocks, const float *x, size_t n)
{
	unsigned char *p = blocks;
	for (size_t b = 0; b < n / 32; b++, p += sizeof(struct leat_q8_0), x += 32) {
		struct leat_q8_0 q;
		float amax = 0;
		for (int i = 0; i < 32; i++)
			amax = fmaxf(amax, fabsf(x[i]));
		float d = amax / 127.0f, id = d > 0 ? 1.0f / d : 0.0f;
		q.d = leat_f32_to_f16(d);
		for (int i = 0; i < 32; i++)
			q.qs[i] = (int8_t)lrintf(x[i] * id);
		memcpy(p, &q, sizeof q);
	}
}

#define LEAT_QUANT_DESC_q8_0 { "Q8_0", 8, 32, 34, leat_q8_0_dequant, leat_q8_0_quant }

#endif
