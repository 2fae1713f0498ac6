/* q5_1.h - the vector words of Q5_1; the layout is quant/q5_1.h's. */
#ifndef LEAT_CPU_FMT_Q5_1_H
#define LEAT_CPU_FMT_Q5_1_H

#include "cpu/op/block_scales.h"
#include "quant/q5_1.h"

LEAT_INLINE void q5_1_scales(struct block_scales *s, const unsigned char *w, int n_sub)
{
	s->d[0] = f8_halves(w + offsetof(struct leat_q5_1, d), sizeof(struct leat_q5_1), n_sub);
	s->m[0] = f8_negative(f8_halves(w + offsetof(struct leat_q5_1, m), sizeof(struct leat_q5_1), n_sub));
}

LEAT_INLINE b32 q5_1_bytes(const unsigned char *w, int sub)
{
	const unsigned char *b = w + sub * (int)sizeof(struct leat_q5_1);
	return b32_add_bits(b32_nibbles(b + offsetof(struct leat_q5_1, qs)), b + offsetof(struct leat_q5_1, qh), 16);
}

#endif
