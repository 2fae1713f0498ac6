/* sha256_x86.c - SHA-256 with the SHA extensions of x86-64 (Intel SDM, volume 2: SHA256RNDS2, SHA256MSG1, SHA256MSG2).
 *
 * The instructions keep the eight words of the state in two registers, {A B E F} and {C D G H} with A and C on top, and
 * do two rounds at a time. */
#include "base/sha256_blocks.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define LEAT_TARGET __attribute__((target("sha,ssse3,sse4.1")))

static int usable(void)
{
	unsigned a, b, c, d;
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1))
		return 0;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* Words t .. t + 3 of the schedule out of the 16 before them: m[0] is the oldest four. */
LEAT_TARGET static inline __m128i next_words(const __m128i m[4])
{
	__m128i seven_back = _mm_alignr_epi8(m[3], m[2], 4);
	return _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(m[0], m[1]), seven_back), m[3]);
}

LEAT_TARGET static void block(__m128i *abef, __m128i *cdgh, const unsigned char *data)
{
	const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i x = *abef, y = *cdgh, m[4];
	for (int i = 0; i < 4; i++)
		m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const void *)(data + 16 * i)), big_endian);
	for (int t = 0; t < 16; t++) {
		__m128i now = m[0];
		__m128i wk = _mm_add_epi32(now, _mm_loadu_si128((const void *)(leat_sha256_k + 4 * t)));
		__m128i more = t < 12 ? next_words(m) : now;
		y = _mm_sha256rnds2_epu32(y, x, wk);
		x = _mm_sha256rnds2_epu32(x, y, _mm_shuffle_epi32(wk, 0x0e));
		m[0] = m[1];
		m[1] = m[2];
		m[2] = m[3];
		m[3] = more;
	}
	*abef = _mm_add_epi32(*abef, x);
	*cdgh = _mm_add_epi32(*cdgh, y);
}

LEAT_TARGET static void blocks(uint32_t h[8], const unsigned char *data, size_t n)
{
	__m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const void *)h), 0xb1);
	__m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const void *)(h + 4)), 0x1b);
	__m128i abef = _mm_alignr_epi8(badc, hgfe, 8), cdgh = _mm_blend_epi16(hgfe, badc, 0xf0);
	for (; n; n--, data += 64)
		block(&abef, &cdgh, data);
	__m128i abfe = _mm_shuffle_epi32(abef, 0x1b), ghcd = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((void *)h, _mm_blend_epi16(abfe, ghcd, 0xf0));
	_mm_storeu_si128((void *)(h + 4), _mm_alignr_epi8(ghcd, abfe, 8));
}

leat_sha256_blocks_fn *leat_sha256_native(void)
{
	return usable() ? blocks : NULL;
}

#else

leat_sha256_blocks_fn *leat_sha256_native(void)
{
	return NULL;
}

#endif
