/* q4_k.h - the vector words of Q4_K; the layout is quant/q4_k.h's. */
#ifndef LEAT_CPU_FMT_Q4_K_H
#define LEAT_CPU_FMT_Q4_K_H

#include "cpu/op/block_scales.h"
#include "quant/q4_k.h"

/* The 12 packed bytes as 8 scales and 8 minimums of 6 bits (leat_k_scale_get), times d and dmin: Q5_K's too. */
LEAT_INLINE void k_scales(struct block_scales *s, const unsigned char *packed, f8 d, f8 dmin)
{
	uint32_t a = word32(packed), b = word32(packed + 4), c = word32(packed + 8), low6 = 0x3f3f3f3f;
	uint32_t scale47 = (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030),
		 min47 = (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030);
	uint64_t scale = (a & low6) | (uint64_t)scale47 << 32, min = (b & low6) | (uint64_t)min47 << 32;

	s->d[0] = f8_mul(d, f8_from_u8(_mm_cvtsi64_si128((long long)scale)));
	s->m[0] = f8_mul(dmin, f8_from_u8(_mm_cvtsi64_si128((long long)min)));
}

LEAT_INLINE void q4_k_scales(struct block_scales *s, const unsigned char *w, int n_sub)
{
	(void)n_sub;
	k_scales(s, w + offsetof(struct leat_q4_k, scales), f8_set1_f16(w), f8_set1_f16(w + 2));
}

LEAT_INLINE b32 q4_k_bytes(const unsigned char *w, int sub)
{
	return b32_take(b32_load(w + offsetof(struct leat_q4_k, qs) + sub / 2 * 32), sub % 2 * 4, 0, 4);
}

#endif
