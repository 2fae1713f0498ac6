/* q8_0.h - the vector words of Q8_0; the layout is quant/q8_0.h's. */
#ifndef LEAT_CPU_FMT_Q8_0_H
#define LEAT_CPU_FMT_Q8_0_H

#include "cpu/op/block_scales.h"
#include "quant/q8_0.h"

LEAT_INLINE void q8_0_scales(struct block_scales *s, const unsigned char *w, int n_sub)
{
	s->d[0] = f8_halves(w + offsetof(struct leat_q8_0, d), sizeof(struct leat_q8_0), n_sub);
}

LEAT_INLINE b32 q8_0_bytes(const unsigned char *w, int sub)
{
	const unsigned char *b = w + sub * (int)sizeof(struct leat_q8_0);
	return b32_load(b + offsetof(struct leat_q8_0, qs));
}

#endif
