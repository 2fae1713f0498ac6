/* avx2.h - the vector words of AVX2 + FMA + F16C; see isa/avx512.h, which says the same words with twice the width. */
#ifndef LEAT_CPU_ISA_AVX2_H
#define LEAT_CPU_ISA_AVX2_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "cpu/isa/block.h"
#include "cpu/isa/word.h"

typedef __m256 vf;
enum { VF_N = 8 };
enum { MV_TOKENS = 2, GEMM_TOKENS = 6, PV_VECTORS = 2, ATTN_QUERIES = 3 };

LEAT_INLINE __m256i vf_mask(int n)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
LEAT_INLINE vf vf_zero(void)
{
	return _mm256_setzero_ps();
}
LEAT_INLINE vf vf_set1(float a)
{
	return _mm256_set1_ps(a);
}
LEAT_INLINE vf vf_load(const float *p)
{
	return _mm256_loadu_ps(p);
}
LEAT_INLINE vf vf_load_n(const float *p, int n)
{
	return _mm256_maskload_ps(p, vf_mask(n));
}
/* Each of the first n (at most VF_N / 2) twice: p[0] p[0] p[1] p[1] ... */
LEAT_INLINE vf vf_load_twice(const float *p, int n)
{
	__m128 half = _mm_maskload_ps(p, _mm_cmpgt_epi32(_mm_set1_epi32(n), _mm_setr_epi32(0, 1, 2, 3)));
	return _mm256_permutevar8x32_ps(_mm256_castps128_ps256(half), _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
}
LEAT_INLINE vf vf_swap_pairs(vf a)
{
	return _mm256_permute_ps(a, 0xb1);
}
LEAT_INLINE vf vf_negate_even(vf a)
{
	return _mm256_xor_ps(a, _mm256_setr_ps(-0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f, 0));
}
LEAT_INLINE void vf_store(float *p, vf a)
{
	_mm256_storeu_ps(p, a);
}
LEAT_INLINE void vf_store_n(float *p, vf a, int n)
{
	_mm256_maskstore_ps(p, vf_mask(n), a);
}
LEAT_INLINE void vf_stream(float *p, vf a)
{
	_mm256_stream_ps(p, a);
}
LEAT_INLINE void vf_stream_end(void)
{
	_mm_sfence();
}
LEAT_INLINE vf vf_add(vf a, vf b)
{
	return _mm256_add_ps(a, b);
}
LEAT_INLINE vf vf_sub(vf a, vf b)
{
	return _mm256_sub_ps(a, b);
}
LEAT_INLINE vf vf_mul(vf a, vf b)
{
	return _mm256_mul_ps(a, b);
}
LEAT_INLINE vf vf_div(vf a, vf b)
{
	return _mm256_div_ps(a, b);
}
LEAT_INLINE vf vf_fma(vf a, vf b, vf c)
{
	return _mm256_fmadd_ps(a, b, c);
}
LEAT_INLINE vf vf_fnma(vf a, vf b, vf c)
{
	return _mm256_fnmadd_ps(a, b, c);
}
LEAT_INLINE vf vf_max(vf a, vf b)
{
	return _mm256_max_ps(a, b);
}
LEAT_INLINE vf vf_min(vf a, vf b)
{
	return _mm256_min_ps(a, b);
}
LEAT_INLINE vf vf_abs(vf a)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
LEAT_INLINE vf vf_copysign(vf magnitude, vf sign)
{
	return _mm256_or_ps(magnitude, _mm256_and_ps(sign, _mm256_set1_ps(-0.0f)));
}
LEAT_INLINE vf vf_where_less(vf a, vf b, vf yes, vf no)
{
	return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
LEAT_INLINE vf vf_max_bits(vf a, vf b)
{
	return _mm256_castsi256_ps(_mm256_max_epu32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}
LEAT_INLINE vf vf_round(vf a)
{
	return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* In two steps, so that results near both ends of the range come out right. |n| < 250. */
LEAT_INLINE vf vf_scale2(vf a, vf n)
{
	__m256i bias = _mm256_set1_epi32(127), i = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(i, 1);
	__m256i rest = _mm256_sub_epi32(i, half);
	vf s = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
	vf r = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
	return _mm256_mul_ps(_mm256_mul_ps(a, s), r);
}

/* The first n of 8 16-bit values, others 0. */
LEAT_INLINE __m128i vf_half_n(const unsigned char *p, int n)
{
	uint16_t h[8] = {0};
	memcpy(h, p, (size_t)n * 2);
	return _mm_loadu_si128((const void *)h);
}
LEAT_INLINE vf vf_load_f16(const unsigned char *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const void *)p));
}
LEAT_INLINE vf vf_load_f16_n(const unsigned char *p, int n)
{
	return _mm256_cvtph_ps(vf_half_n(p, n));
}
/* 8 signed bytes. */
LEAT_INLINE vf vf_load_i8(const unsigned char *p)
{
	return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p)));
}
/* One f16 in all lanes. */
LEAT_INLINE vf vf_set1_f16(const unsigned char *p)
{
	return f8_set1_f16(p);
}
LEAT_INLINE vf vf_from_bf16(__m128i h)
{
	return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
LEAT_INLINE vf vf_load_bf16(const unsigned char *p)
{
	return vf_from_bf16(_mm_loadu_si128((const void *)p));
}
LEAT_INLINE vf vf_load_bf16_n(const unsigned char *p, int n)
{
	return vf_from_bf16(vf_half_n(p, n));
}
LEAT_INLINE void vf_store_half_n(uint16_t *p, __m128i h, int n)
{
	uint16_t all[8];
	if (n == VF_N) {
		_mm_storeu_si128((void *)p, h);
		return;
	}
	_mm_storeu_si128((void *)all, h);
	memcpy(p, all, (size_t)n * 2);
}
LEAT_INLINE __m128i vf_pack_u16(__m256i a)
{
	return _mm_packus_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}
LEAT_INLINE void vf_store_f16_n(uint16_t *p, vf a, int n)
{
	vf_store_half_n(p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), n);
}
LEAT_INLINE void vf_store_bf16_n(uint16_t *p, vf a, int n)
{
	__m256i u = _mm256_castps_si256(a), top = _mm256_srli_epi32(u, 16);
	__m256i odd = _mm256_and_si256(top, _mm256_set1_epi32(1));
	__m256i r = _mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7fff)), odd);
	__m256i quiet = _mm256_or_si256(top, _mm256_set1_epi32(0x40));
	__m256i nan = _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q));
	vf_store_half_n(p, vf_pack_u16(_mm256_blendv_epi8(_mm256_srli_epi32(r, 16), quiet, nan)), n);
}
LEAT_INLINE void vf_store_i16(int16_t *p, vf a)
{
	__m256i i = _mm256_cvtps_epi32(a);
	_mm_storeu_si128((void *)p, _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1)));
}

LEAT_INLINE vf vf_fold_ps(vf a, vf b)
{
	return _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
}
LEAT_INLINE vf vf_fold_pd(vf a, vf b)
{
	__m256d x = _mm256_castps_pd(a), y = _mm256_castps_pd(b);
	return _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(x, y)), _mm256_castpd_ps(_mm256_unpackhi_pd(x, y)));
}
LEAT_INLINE vf vf_sum_each(const vf v[VF_N])
{
	vf a = vf_fold_pd(vf_fold_ps(v[0], v[1]), vf_fold_ps(v[2], v[3]));
	vf b = vf_fold_pd(vf_fold_ps(v[4], v[5]), vf_fold_ps(v[6], v[7]));
	return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}
LEAT_INLINE float vf_most(vf a)
{
	__m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	s = _mm_max_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
LEAT_INLINE float vf_sum(vf a)
{
	__m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

LEAT_INLINE void vf_transpose(vf v[VF_N])
{
	vf u[2][4];
	LEAT_UNROLL
	for (int g = 0; g < 2; g++) {
		__m256d lo01 = _mm256_castps_pd(_mm256_unpacklo_ps(v[4 * g], v[4 * g + 1]));
		__m256d hi01 = _mm256_castps_pd(_mm256_unpackhi_ps(v[4 * g], v[4 * g + 1]));
		__m256d lo23 = _mm256_castps_pd(_mm256_unpacklo_ps(v[4 * g + 2], v[4 * g + 3]));
		__m256d hi23 = _mm256_castps_pd(_mm256_unpackhi_ps(v[4 * g + 2], v[4 * g + 3]));
		u[g][0] = _mm256_castpd_ps(_mm256_unpacklo_pd(lo01, lo23));
		u[g][1] = _mm256_castpd_ps(_mm256_unpackhi_pd(lo01, lo23));
		u[g][2] = _mm256_castpd_ps(_mm256_unpacklo_pd(hi01, hi23));
		u[g][3] = _mm256_castpd_ps(_mm256_unpackhi_pd(hi01, hi23));
	}
	LEAT_UNROLL
	for (int c = 0; c < 4; c++) {
		v[c] = _mm256_permute2f128_ps(u[0][c], u[1][c], 0x20);
		v[4 + c] = _mm256_permute2f128_ps(u[0][c], u[1][c], 0x31);
	}
}

struct v16 {
	__m256i half[2];
};
LEAT_INLINE struct v16 v16_from_b32(b32 a)
{
	return (struct v16){{_mm256_cvtepi8_epi16(_mm256_castsi256_si128(a)),
			     _mm256_cvtepi8_epi16(_mm256_extracti128_si256(a, 1))}};
}
LEAT_INLINE struct v16 v16_load(const int16_t *p)
{
	const __m256i *b = (const void *)p;
	return (struct v16){{_mm256_loadu_si256(b), _mm256_loadu_si256(b + 1)}};
}
LEAT_INLINE vf v16_dot_add(vf sum, struct v16 a, struct v16 b, const float *d, int two)
{
	__m256i lo = _mm256_madd_epi16(a.half[0], b.half[0]), hi = _mm256_madd_epi16(a.half[1], b.half[1]);

	if (!two)
		return vf_fma(_mm256_cvtepi32_ps(_mm256_add_epi32(lo, hi)), vf_set1(d[0]), sum);
	sum = vf_fma(_mm256_cvtepi32_ps(lo), vf_set1(d[0]), sum);
	return vf_fma(_mm256_cvtepi32_ps(hi), vf_set1(d[1]), sum);
}

LEAT_INLINE b32 b32_add_bits(b32 a, const unsigned char *p, int value)
{
	__m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201u);
	__m256i byte = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
	__m256i all = _mm256_shuffle_epi8(_mm256_set1_epi32((int)word32(p)), byte);
	__m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(all, bit), bit);
	return _mm256_add_epi8(a, _mm256_and_si256(set, _mm256_set1_epi8((char)value)));
}
LEAT_INLINE b32 b32_join(b32 a, int from, int n, b32 b)
{
	return b32_or(b32_take(a, from, 0, n), b);
}
LEAT_INLINE vf vf_from_f8(f8 a)
{
	return a;
}
LEAT_INLINE vf vf_from_b32(b32 a, int part)
{
	__m128i half = part < 2 ? _mm256_castsi256_si128(a) : _mm256_extracti128_si256(a, 1);
	return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(part % 2 ? upper_half(half) : half));
}

#endif
