/* avx512.h - the vector words of AVX-512 F+BW+VL+DQ. isa/avx2.h says the same words with half the width; op/ bodies use
 * them. */
#ifndef LEAT_CPU_ISA_AVX512_H
#define LEAT_CPU_ISA_AVX512_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "cpu/isa/block.h"
#include "cpu/isa/word.h"

typedef __m512 vf;
enum { VF_N = 16 };
/* Register tiles of this set: tokens of a matrix-vector tile, tokens of a matrix-matrix tile, vectors of a value tile,
 * queries of a score tile. */
enum { MV_TOKENS = 4, GEMM_TOKENS = 12, PV_VECTORS = 4, ATTN_QUERIES = 6 };

LEAT_INLINE __mmask16 vf_mask(int n)
{
	return (__mmask16)_bzhi_u32(0xffff, (unsigned)n);
}
LEAT_INLINE vf vf_zero(void)
{
	return _mm512_setzero_ps();
}
LEAT_INLINE vf vf_set1(float a)
{
	return _mm512_set1_ps(a);
}
LEAT_INLINE vf vf_load(const float *p)
{
	return _mm512_loadu_ps(p);
}
LEAT_INLINE vf vf_load_n(const float *p, int n)
{
	return _mm512_maskz_loadu_ps(vf_mask(n), p);
}
/* Each of the first n (at most VF_N / 2) twice: p[0] p[0] p[1] p[1] ... */
LEAT_INLINE vf vf_load_twice(const float *p, int n)
{
	__m512 half = _mm512_maskz_loadu_ps((__mmask16)(vf_mask(n) & 0xff), p);
	return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7), half);
}
LEAT_INLINE vf vf_swap_pairs(vf a)
{
	return _mm512_permute_ps(a, 0xb1);
}
LEAT_INLINE vf vf_negate_even(vf a)
{
	return _mm512_mask_xor_ps(a, 0x5555, a, _mm512_set1_ps(-0.0f));
}
LEAT_INLINE void vf_store(float *p, vf a)
{
	_mm512_storeu_ps(p, a);
}
LEAT_INLINE void vf_store_n(float *p, vf a, int n)
{
	_mm512_mask_storeu_ps(p, vf_mask(n), a);
}
/* Past the caches: p is 64-byte aligned, and others see it after vf_stream_end. */
LEAT_INLINE void vf_stream(float *p, vf a)
{
	_mm512_stream_ps(p, a);
}
LEAT_INLINE void vf_stream_end(void)
{
	_mm_sfence();
}
LEAT_INLINE vf vf_add(vf a, vf b)
{
	return _mm512_add_ps(a, b);
}
LEAT_INLINE vf vf_sub(vf a, vf b)
{
	return _mm512_sub_ps(a, b);
}
LEAT_INLINE vf vf_mul(vf a, vf b)
{
	return _mm512_mul_ps(a, b);
}
LEAT_INLINE vf vf_div(vf a, vf b)
{
	return _mm512_div_ps(a, b);
}
LEAT_INLINE vf vf_fma(vf a, vf b, vf c)
{
	return _mm512_fmadd_ps(a, b, c);
}
LEAT_INLINE vf vf_fnma(vf a, vf b, vf c)
{
	return _mm512_fnmadd_ps(a, b, c);
}
LEAT_INLINE vf vf_max(vf a, vf b)
{
	return _mm512_max_ps(a, b);
}
LEAT_INLINE vf vf_min(vf a, vf b)
{
	return _mm512_min_ps(a, b);
}
LEAT_INLINE vf vf_abs(vf a)
{
	return _mm512_abs_ps(a);
}
LEAT_INLINE vf vf_copysign(vf magnitude, vf sign)
{
	return _mm512_or_ps(magnitude, _mm512_and_ps(sign, _mm512_set1_ps(-0.0f)));
}
LEAT_INLINE vf vf_where_less(vf a, vf b, vf yes, vf no)
{
	return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}
LEAT_INLINE vf vf_max_bits(vf a, vf b)
{
	return _mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}
LEAT_INLINE vf vf_round(vf a)
{
	return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
LEAT_INLINE vf vf_scale2(vf a, vf n)
{
	return _mm512_scalef_ps(a, n);
}

/* 16 signed bytes. */
LEAT_INLINE vf vf_load_i8(const unsigned char *p)
{
	return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p)));
}
/* One f16 in all lanes. */
LEAT_INLINE vf vf_set1_f16(const unsigned char *p)
{
	return _mm512_cvtph_ps(_mm256_set1_epi16(half_at(p)));
}
LEAT_INLINE vf vf_load_f16(const unsigned char *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p));
}
LEAT_INLINE vf vf_load_f16_n(const unsigned char *p, int n)
{
	return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(vf_mask(n), p));
}
LEAT_INLINE vf vf_from_bf16(__m256i h)
{
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
LEAT_INLINE vf vf_load_bf16(const unsigned char *p)
{
	return vf_from_bf16(_mm256_loadu_si256((const void *)p));
}
LEAT_INLINE vf vf_load_bf16_n(const unsigned char *p, int n)
{
	return vf_from_bf16(_mm256_maskz_loadu_epi16(vf_mask(n), p));
}
LEAT_INLINE void vf_store_f16_n(uint16_t *p, vf a, int n)
{
	_mm256_mask_storeu_epi16(p, vf_mask(n), _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
LEAT_INLINE void vf_store_bf16_n(uint16_t *p, vf a, int n)
{
	__m512i u = _mm512_castps_si512(a), top = _mm512_srli_epi32(u, 16);
	__m512i odd = _mm512_and_si512(top, _mm512_set1_epi32(1));
	__m512i r = _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7fff)), odd);
	__mmask16 nan = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
	r = _mm512_mask_or_epi32(_mm512_srli_epi32(r, 16), nan, top, _mm512_set1_epi32(0x40));
	_mm256_mask_storeu_epi16(p, vf_mask(n), _mm512_cvtepi32_epi16(r));
}
/* Rounded to nearest even; |a| <= 32767. */
LEAT_INLINE void vf_store_i16(int16_t *p, vf a)
{
	_mm256_storeu_si256((void *)p, _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(a)));
}

/* The sum of both halves of each 32-bit float pair of a and b; then of pairs of pairs. */
LEAT_INLINE vf vf_fold_ps(vf a, vf b)
{
	return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
}
LEAT_INLINE vf vf_fold_pd(vf a, vf b)
{
	__m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
	return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
}
LEAT_INLINE vf vf_fold_128(vf a, vf b)
{
	return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}
LEAT_INLINE vf vf_sum_each(const vf v[VF_N])
{
	vf t[8], u[4];
	LEAT_UNROLL
	for (int i = 0; i < 8; i++)
		t[i] = vf_fold_ps(v[2 * i], v[2 * i + 1]);
	LEAT_UNROLL
	for (int i = 0; i < 4; i++)
		u[i] = vf_fold_pd(t[2 * i], t[2 * i + 1]);
	return vf_fold_128(vf_fold_128(u[0], u[1]), vf_fold_128(u[2], u[3]));
}
LEAT_INLINE float vf_most(vf a)
{
	return _mm512_reduce_max_ps(a);
}
LEAT_INLINE float vf_sum(vf a)
{
	return _mm512_reduce_add_ps(a);
}

LEAT_INLINE void vf_transpose(vf v[VF_N])
{
	vf u[4][4];
	LEAT_UNROLL
	for (int g = 0; g < 4; g++) {
		__m512d lo01 = _mm512_castps_pd(_mm512_unpacklo_ps(v[4 * g], v[4 * g + 1]));
		__m512d hi01 = _mm512_castps_pd(_mm512_unpackhi_ps(v[4 * g], v[4 * g + 1]));
		__m512d lo23 = _mm512_castps_pd(_mm512_unpacklo_ps(v[4 * g + 2], v[4 * g + 3]));
		__m512d hi23 = _mm512_castps_pd(_mm512_unpackhi_ps(v[4 * g + 2], v[4 * g + 3]));
		u[g][0] = _mm512_castpd_ps(_mm512_unpacklo_pd(lo01, lo23));
		u[g][1] = _mm512_castpd_ps(_mm512_unpackhi_pd(lo01, lo23));
		u[g][2] = _mm512_castpd_ps(_mm512_unpacklo_pd(hi01, hi23));
		u[g][3] = _mm512_castpd_ps(_mm512_unpackhi_pd(hi01, hi23));
	}
	LEAT_UNROLL
	for (int c = 0; c < 4; c++) {
		vf even01 = _mm512_shuffle_f32x4(u[0][c], u[1][c], 0x88),
		   odd01 = _mm512_shuffle_f32x4(u[0][c], u[1][c], 0xdd);
		vf even23 = _mm512_shuffle_f32x4(u[2][c], u[3][c], 0x88),
		   odd23 = _mm512_shuffle_f32x4(u[2][c], u[3][c], 0xdd);
		v[c] = _mm512_shuffle_f32x4(even01, even23, 0x88);
		v[4 + c] = _mm512_shuffle_f32x4(odd01, odd23, 0x88);
		v[8 + c] = _mm512_shuffle_f32x4(even01, even23, 0xdd);
		v[12 + c] = _mm512_shuffle_f32x4(odd01, odd23, 0xdd);
	}
}

/* 32 16-bit integers. */
struct v16 {
	__m512i all;
};
/* Signed bytes. */
LEAT_INLINE struct v16 v16_from_b32(b32 a)
{
	return (struct v16){_mm512_cvtepi8_epi16(a)};
}
LEAT_INLINE struct v16 v16_load(const int16_t *p)
{
	return (struct v16){_mm512_loadu_si512(p)};
}
/* sum + the 32 products times their scale: d[0], or d[0] for the first 16 and d[1] for the others if `two`. A lane adds
 * at most 4 products of |a| <= 128 and |b| <= 32767, which is below 2^24: exact until the scales come in. */
LEAT_INLINE vf v16_dot_add(vf sum, struct v16 a, struct v16 b, const float *d, int two)
{
	vf scale = vf_set1(d[0]);

	if (two)
		scale = _mm512_mask_blend_ps(0xff00, scale, vf_set1(d[1]));
	return vf_fma(_mm512_cvtepi32_ps(_mm512_madd_epi16(a.all, b.all)), scale, sum);
}

/* `value` more in byte i if bit i of the 4 bytes at p is set. */
LEAT_INLINE b32 b32_add_bits(b32 a, const unsigned char *p, int value)
{
	return _mm256_mask_add_epi8(a, (__mmask32)word32(p), a, _mm256_set1_epi8((char)value));
}
/* Bits from .. from + n - 1 of every byte of a, moved to the bottom, or b. */
LEAT_INLINE b32 b32_join(b32 a, int from, int n, b32 b)
{
	return _mm256_ternarylogic_epi32(_mm256_srli_epi16(a, from), _mm256_set1_epi8((char)((1 << n) - 1)), b, 0xea);
}
/* Lanes beyond the 8 are 0. */
LEAT_INLINE vf vf_from_f8(f8 a)
{
	return _mm512_zextps256_ps512(a);
}
/* Signed bytes part VF_N .. part VF_N + VF_N - 1. */
LEAT_INLINE vf vf_from_b32(b32 a, int part)
{
	__m128i half = part ? _mm256_extracti128_si256(a, 1) : _mm256_castsi256_si128(a);
	return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(half));
}

#endif
