/* q6_k.h - the vector words of Q6_K; the layout is quant/q6_k.h's. */
#ifndef LEAT_CPU_FMT_Q6_K_H
#define LEAT_CPU_FMT_Q6_K_H

#include "cpu/op/block_scales.h"
#include "quant/q6_k.h"

LEAT_INLINE void q6_k_scales(struct block_scales *s, const unsigned char *w, int n_sub)
{
	(void)n_sub;
	scales_of_i8(s->d, _mm_loadu_si128((const void *)(w + offsetof(struct leat_q6_k, scales))),
		     f8_set1_f16(w + offsetof(struct leat_q6_k, d)));
}

LEAT_INLINE b32 q6_k_bytes(const unsigned char *w, int sub)
{
	int half = sub / 4, k = sub % 4;
	b32 high = b32_take(b32_load(w + offsetof(struct leat_q6_k, qh) + 32 * half), 2 * k, 4, 2);
	return b32_join(b32_load(w + 64 * half + k % 2 * 32), k / 2 * 4, 4, high);
}

#endif
