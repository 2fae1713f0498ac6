/* q2_k.h - the vector words of Q2_K; the layout is quant/q2_k.h's. */
#ifndef LEAT_CPU_FMT_Q2_K_H
#define LEAT_CPU_FMT_Q2_K_H

#include "cpu/op/block_scales.h"
#include "quant/q2_k.h"

LEAT_INLINE void q2_k_scales(struct block_scales *s, const unsigned char *w, int n_sub)
{
	__m128i both = _mm_loadu_si128((const void *)w), low = _mm_set1_epi8(15);

	(void)n_sub;
	scales_of_u8(s->d, _mm_and_si128(both, low), f8_set1_f16(w + offsetof(struct leat_q2_k, d)));
	scales_of_u8(s->m, _mm_and_si128(_mm_srli_epi16(both, 4), low),
		     f8_set1_f16(w + offsetof(struct leat_q2_k, dmin)));
}

LEAT_INLINE b32 q2_k_bytes(const unsigned char *w, int sub)
{
	return b32_take(b32_load(w + offsetof(struct leat_q2_k, qs) + sub / 4 * 32), sub % 4 * 2, 0, 2);
}

#endif
