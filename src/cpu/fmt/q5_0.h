/* q5_0.h - the vector words of Q5_0; the layout is quant/q5_0.h's. */
#ifndef LEAT_CPU_FMT_Q5_0_H
#define LEAT_CPU_FMT_Q5_0_H

#include "cpu/op/block_scales.h"
#include "quant/q5_0.h"

LEAT_INLINE void q5_0_scales(struct block_scales *s, const unsigned char *w, int n_sub)
{
	s->d[0] = f8_halves(w + offsetof(struct leat_q5_0, d), sizeof(struct leat_q5_0), n_sub);
}

LEAT_INLINE b32 q5_0_bytes(const unsigned char *w, int sub)
{
	const unsigned char *b = w + sub * (int)sizeof(struct leat_q5_0);
	return b32_add_bits(b32_nibbles(b + offsetof(struct leat_q5_0, qs)), b + offsetof(struct leat_q5_0, qh), 16);
}

#endif
