/* q3_k.h - the vector words of Q3_K; the layout is quant/q3_k.h's. */
#ifndef LEAT_CPU_FMT_Q3_K_H
#define LEAT_CPU_FMT_Q3_K_H

#include "cpu/op/block_scales.h"
#include "quant/q3_k.h"

/* leat_q3_k_scale of all 16 groups at once. */
LEAT_INLINE void q3_k_scales(struct block_scales *s, const unsigned char *w, int n_sub)
{
	const unsigned char *p = w + offsetof(struct leat_q3_k, scales);
	uint32_t a = word32(p), b = word32(p + 4), c = word32(p + 8), low = 0x0f0f0f0f, high = 0x30303030;
	__m128i all = _mm_setr_epi32((int)((a & low) | (c << 4 & high)), (int)((b & low) | (c << 2 & high)),
				     (int)((a >> 4 & low) | (c & high)), (int)((b >> 4 & low) | (c >> 2 & high)));

	(void)n_sub;
	scales_of_i8(s->d, _mm_sub_epi8(all, _mm_set1_epi8(32)), f8_set1_f16(w + offsetof(struct leat_q3_k, d)));
}

LEAT_INLINE b32 q3_k_bytes(const unsigned char *w, int sub)
{
	b32 high = b32_take(b32_load(w), sub, 2, 1);
	return b32_join(b32_load(w + offsetof(struct leat_q3_k, qs) + sub / 4 * 32), sub % 4 * 2, 2, high);
}

#endif
