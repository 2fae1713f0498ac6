/* block.h - the words in which formats unpack their blocks: 32 bytes and 8 floats, the same for AVX2 and AVX-512.
 *
 * Included by isa/avx2.h and isa/avx512.h, which add what they do differently. */
#ifndef LEAT_CPU_ISA_BLOCK_H
#define LEAT_CPU_ISA_BLOCK_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "cpu/isa/word.h"

typedef __m256i b32; /* 32 bytes, one weight each */
typedef __m256 f8;

LEAT_INLINE b32 b32_load(const unsigned char *p)
{
	return _mm256_loadu_si256((const void *)p);
}
/* Bits from .. from + n - 1 of every byte, moved to bit `to`; all other bits zero. */
LEAT_INLINE b32 b32_take(b32 a, int from, int to, int n)
{
	b32 moved = from >= to ? _mm256_srli_epi16(a, from - to) : _mm256_slli_epi16(a, to - from);
	return _mm256_and_si256(moved, _mm256_set1_epi8((char)(((1 << n) - 1) << to)));
}
LEAT_INLINE b32 b32_or(b32 a, b32 b)
{
	return _mm256_or_si256(a, b);
}
LEAT_INLINE b32 b32_minus(b32 a, int n)
{
	return _mm256_sub_epi8(a, _mm256_set1_epi8((char)n));
}
/* The low nibbles of 16 bytes, then the high ones. */
LEAT_INLINE b32 b32_nibbles(const unsigned char *p)
{
	__m256i twice = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)p));
	return _mm256_and_si256(_mm256_srlv_epi64(twice, _mm256_setr_epi64x(0, 0, 4, 4)), _mm256_set1_epi8(15));
}

LEAT_INLINE uint32_t word32(const unsigned char *p)
{
	uint32_t u;
	memcpy(&u, p, sizeof u);
	return u;
}
LEAT_INLINE short half_at(const unsigned char *p)
{
	short h;
	memcpy(&h, p, sizeof h);
	return h;
}

/* The sum of 16 integers. */
LEAT_INLINE int i16_sum16(const int16_t *p)
{
	__m256i two = _mm256_madd_epi16(_mm256_loadu_si256((const void *)p), _mm256_set1_epi16(1));
	__m128i four = _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
	__m128i eight = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
	return _mm_cvtsi128_si32(eight) + _mm_extract_epi32(eight, 1);
}

LEAT_INLINE f8 f8_zero(void)
{
	return _mm256_setzero_ps();
}
LEAT_INLINE f8 f8_mul(f8 a, f8 b)
{
	return _mm256_mul_ps(a, b);
}
LEAT_INLINE f8 f8_negative(f8 a)
{
	return _mm256_xor_ps(a, _mm256_set1_ps(-0.0f));
}
/* One f16 in all lanes. */
LEAT_INLINE f8 f8_set1_f16(const unsigned char *p)
{
	return _mm256_cvtph_ps(_mm_set1_epi16(half_at(p)));
}
/* The f16 at p, p + step, ...: n of them, others 0. */
LEAT_INLINE f8 f8_halves(const unsigned char *p, int step, int n)
{
	short h[8] = {0};

	if (n >= 8)
		return _mm256_cvtph_ps(_mm_set_epi16(
			half_at(p + 7 * step), half_at(p + 6 * step), half_at(p + 5 * step), half_at(p + 4 * step),
			half_at(p + 3 * step), half_at(p + 2 * step), half_at(p + step), half_at(p)));
	LEAT_ROLLED
	for (int i = 0; i < n; i++)
		h[i] = half_at(p + i * step);
	return _mm256_cvtph_ps(_mm_loadu_si128((const void *)h));
}
/* The low 8 of 16 bytes, with or without sign. */
LEAT_INLINE f8 f8_from_u8(__m128i a)
{
	return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(a));
}
LEAT_INLINE f8 f8_from_i8(__m128i a)
{
	return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(a));
}
LEAT_INLINE __m128i upper_half(__m128i a)
{
	return _mm_unpackhi_epi64(a, a);
}
LEAT_INLINE f8 f8_load_n(const float *p, int n)
{
	if (n >= 8)
		return _mm256_loadu_ps(p);
	return _mm256_maskload_ps(p,
				  _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
}
/* a[0] a[0] a[1] a[1] a[2] a[2] a[3] a[3], of the lower or the upper four. */
LEAT_INLINE f8 f8_twice(f8 a, int upper)
{
	__m256i lower_at = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3),
		upper_at = _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7);
	return _mm256_permutevar8x32_ps(a, upper ? upper_at : lower_at);
}
/* a[0] + a[1], a[2] + a[3], ... then the same of b. */
LEAT_INLINE f8 f8_pair_sums(f8 a, f8 b)
{
	__m256d both = _mm256_castps_pd(_mm256_hadd_ps(a, b));
	return _mm256_castpd_ps(_mm256_permute4x64_pd(both, 0xd8));
}

#endif
