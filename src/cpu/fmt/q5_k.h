/* q5_k.h - the vector words of Q5_K; the layout is quant/q5_k.h's. */
#ifndef LEAT_CPU_FMT_Q5_K_H
#define LEAT_CPU_FMT_Q5_K_H

#include "cpu/fmt/q4_k.h"
#include "quant/q5_k.h"

LEAT_INLINE void q5_k_scales(struct block_scales *s, const unsigned char *w, int n_sub)
{
	(void)n_sub;
	k_scales(s, w + offsetof(struct leat_q5_k, scales), f8_set1_f16(w), f8_set1_f16(w + 2));
}

LEAT_INLINE b32 q5_k_bytes(const unsigned char *w, int sub)
{
	b32 high = b32_take(b32_load(w + offsetof(struct leat_q5_k, qh)), sub, 4, 1);
	return b32_join(b32_load(w + offsetof(struct leat_q5_k, qs) + sub / 2 * 32), sub % 2 * 4, 4, high);
}

#endif
