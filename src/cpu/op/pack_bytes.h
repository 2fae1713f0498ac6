/* pack_bytes.h - Q8_0 to bf16 pairs: bytes are brought to their places first and become floats there.
 *
 * The general way (gemm.h) makes floats of each row and transposes those: four times the bytes to shuffle, and CPUs
 * shuffle on one port only. Here two interleaved quarters of rows are one vector whose lane i holds rows 2 i and
 * 2 i + 1, and each shuffle after that is within lanes and makes 16 floats at once. A byte q becomes a float without a
 * conversion: under the constant 0x47000000 the byte q + 128 in bits 8 to 15 reads as 2^15 + 128 + q, and
 * (2^15 + 128 + q) d - (2^15 + 128) d is exact before its one rounding (d is an f16: 11 bits by 9). Same bits as the
 * general way, but that q = 0 under a negative d is +0. */
#ifndef LEAT_CPU_OP_PACK_BYTES_H
#define LEAT_CPU_OP_PACK_BYTES_H

#include "cpu/op/gemm.h"

enum { PACK_BIAS_BITS = 0x47000000, PACK_BIAS = 32768 + 128, HALF_ROWS = VF_N / 2 };

/* f16 scales of a super-block: block u of row i at [u][i]. */
struct pack_halves {
	_Alignas(32) uint16_t d[SUBS][VF_N];
};

LEAT_INLINE void pack_halves(struct pack_halves *h, const unsigned char *w, size_t row_bytes, int n_sub)
{
	for (int i = 0; i < VF_N; i++, w += row_bytes) {
		const unsigned char *d = w + offsetof(struct leat_q8_0, d);
		if (n_sub == SUBS) {
			LEAT_UNROLL
			for (int u = 0; u < SUBS; u++)
				memcpy(&h->d[u][i], d + u * (int)sizeof(struct leat_q8_0), 2);
		} else {
			for (int u = 0; u < n_sub; u++)
				memcpy(&h->d[u][i], d + u * (int)sizeof(struct leat_q8_0), 2);
		}
	}
}

/* 16 bytes at w of rows 0, 2, 4, 6: a lane each. Every byte plus 128. */
LEAT_INLINE __m512i pack_lanes(const unsigned char *w, size_t row_bytes)
{
	__m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)w));
	v = _mm512_mask_broadcast_i32x4(v, 0x00f0, _mm_loadu_si128((const void *)(w + 2 * row_bytes)));
	v = _mm512_mask_broadcast_i32x4(v, 0x0f00, _mm_loadu_si128((const void *)(w + 4 * row_bytes)));
	v = _mm512_mask_broadcast_i32x4(v, 0xf000, _mm_loadu_si128((const void *)(w + 6 * row_bytes)));
	return _mm512_xor_si512(v, _mm512_set1_epi8((char)0x80));
}

/* 32 columns of 8 rows: columns 8 g .. 8 g + 7 in v[g], lane i: those of row 2 i, then those of row 2 i + 1. */
LEAT_INLINE void pack_bytes_get(__m512i v[4], const unsigned char *w, size_t row_bytes)
{
	LEAT_UNROLL
	for (int half = 0; half < 2; half++) {
		__m512i even = pack_lanes(w + 16 * half, row_bytes);
		__m512i odd = pack_lanes(w + 16 * half + row_bytes, row_bytes);
		v[2 * half] = _mm512_unpacklo_epi64(even, odd);
		v[2 * half + 1] = _mm512_unpackhi_epi64(even, odd);
	}
}

/* Columns 2 pair and 2 pair + 1 of the 8 in v, of 8 rows: row after row. */
LEAT_INLINE vf pack_bytes_floats(__m512i v, int pair, vf d, vf bias)
{
	const __m512i bits = _mm512_set1_epi32(PACK_BIAS_BITS);
	int c = 2 * pair;
	__m512i at = _mm512_broadcast_i32x4(
		_mm_setr_epi32(c << 8, (c + 1) << 8, (c + 8) << 8, (c + 9) << 8));
	__m512i f = _mm512_mask_shuffle_epi8(bits, 0x2222222222222222, v, at);
	return _mm512_fmadd_ps(_mm512_castsi512_ps(f), d, bias);
}

/* 32 columns of 16 rows. */
LEAT_INLINE void pack_bytes_block(float *panel, const unsigned char *w, size_t row_bytes, const uint16_t *halves)
{
	const __m512i low = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
	const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(HALF_ROWS));
	const vf minus = vf_set1(-(float)PACK_BIAS);
	vf d = _mm512_cvtph_ps(_mm256_load_si256((const void *)halves));
	vf d0 = _mm512_permutexvar_ps(low, d), d1 = _mm512_permutexvar_ps(high, d);
	vf b0 = vf_mul(d0, minus), b1 = vf_mul(d1, minus);
	__m512i v0[4], v1[4];

	pack_bytes_get(v0, w, row_bytes);
	pack_bytes_get(v1, w + HALF_ROWS * row_bytes, row_bytes);
	LEAT_UNROLL
	for (int i = 0; i < VF_N; i++) {
		vf f0 = pack_bytes_floats(v0[i / 4], i % 4, d0, b0), f1 = pack_bytes_floats(v1[i / 4], i % 4, d1, b1);
		_mm512_storeu_si512(panel + i * LEAT_PANEL_ROWS, (__m512i)_mm512_cvtne2ps_pbh(f1, f0));
	}
}

/* What is packed next, asked for a little with each block: all at once would be more than a core can wait for, and the
 * block's own reads behind it. Rows that follow each other are asked for in the order of memory, whatever the order
 * they are packed in: the prefetcher of the second level then runs along. (Per million weights out of memory on one
 * core of a Zen 5: 118 us with one burst for 256 columns, 66 us spread, 53 us in order, 37 us out of the cache.) */
LEAT_INLINE void pack_ahead_in_order(const unsigned char *next)
{
	LEAT_UNROLL
	for (int at = 0; at < VF_N * (int)sizeof(struct leat_q8_0); at += 64)
		_mm_prefetch((const void *)(next + at), _MM_HINT_T0);
}

/* A block is about half a line: every other row. */
LEAT_INLINE void pack_ahead_by_rows(const unsigned char *next, size_t row_bytes)
{
	LEAT_UNROLL
	for (int i = 0; i < VF_N; i += 2)
		_mm_prefetch((const void *)(next + (size_t)i * row_bytes), _MM_HINT_T0);
}

/* 16 rows that all exist; n_k columns, whole blocks. next: where as many bytes lie that are packed next, or NULL. */
LEAT_INLINE void pack_bytes_rows(float *panel, const unsigned char *w, size_t row_bytes, int n_k,
				 const unsigned char *next, int in_order)
{
	const int step = (int)sizeof(struct leat_q8_0);
	struct pack_halves h;

	for (int k = 0; k < n_k; k += SUPER, w += SUBS * step) {
		int n_sub = n_k - k < SUPER ? (n_k - k) / 32 : SUBS;
		pack_halves(&h, w, row_bytes, n_sub);
		for (int u = 0; u < n_sub; u++, panel += VF_N * LEAT_PANEL_ROWS) {
			if (next && in_order)
				pack_ahead_in_order(next + (k / 32 + u) * VF_N * step);
			else if (next)
				pack_ahead_by_rows(next + (k / 32 + u) * step + (u & 1) * row_bytes, row_bytes);
			pack_bytes_block(panel, w + u * step + offsetof(struct leat_q8_0, qs), row_bytes, h.d[u]);
		}
	}
}

/* A whole panel. Another unit lies whole rows behind this one; other columns of this unit do not. */
LEAT_INLINE void pack_bytes(float *panel, const unsigned char *w, size_t row_bytes, int k0, int n_k, size_t ahead)
{
	size_t before = (size_t)k0 / 32 * sizeof(struct leat_q8_0), bytes = (size_t)n_k / 32 * sizeof(struct leat_q8_0);
	int in_order = ahead % row_bytes == 0;

	for (int i = 0; i < LEAT_PANEL_ROWS; i += VF_N) {
		const unsigned char *from = w + (size_t)i * row_bytes + before, *next = NULL;
		if (ahead && in_order)
			next = w + ahead + before * LEAT_PANEL_ROWS + bytes * (size_t)i;
		else if (ahead)
			next = from + ahead;
		pack_bytes_rows(panel + i, from, row_bytes, n_k, next, in_order);
	}
}

#endif
