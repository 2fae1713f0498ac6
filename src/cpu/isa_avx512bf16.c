/* isa_avx512bf16.c - packing to bf16 and products of bf16 pairs. Two products go into one f32 addition (VDPBF16PS),
 * which treats subnormal numbers as zero. */
#include "cpu/isa/avx512.h"

#define LEAT_GEMM_WIDE 1

LEAT_INLINE vf gemm_mul(vf c, vf panel, vf x)
{
	return _mm512_dpbf16_ps(c, (__m512bh)_mm512_castps_si512(panel), (__m512bh)_mm512_castps_si512(x));
}

#include "cpu/op/block.h"

/* 32 columns of a block as 16 pairs. */
enum { PACK_VECTORS = 1 };
LEAT_INLINE vf pack_values(int format, b32 q, const struct block_tables *t, int sub, int part)
{
	vf lo = block_values(format, q, t, sub, 0), hi = block_values(format, q, t, sub, 1);
	(void)part;
	return _mm512_castsi512_ps((__m512i)_mm512_cvtne2ps_pbh(hi, lo));
}

#include "cpu/op/gemm.h"
#include "cpu/op/pack_bytes.h"

/* 32 columns of one row as 16 pairs; the first m of them, others 0. */
LEAT_INLINE vf pairs_get(int format, const unsigned char *row, int k, int m)
{
	if (format == LEAT_QUANT_bf16) {
		__mmask32 mask = m >= 32 ? 0xffffffffu : _bzhi_u32(0xffffffffu, (unsigned)m);
		return _mm512_castsi512_ps(_mm512_maskz_loadu_epi16(mask, row + 2 * (size_t)k));
	}
	vf lo = float_get(format, row, k, m);
	vf hi = m > VF_N ? float_get(format, row, k + VF_N, m - VF_N) : vf_zero();
	return _mm512_castsi512_ps((__m512i)_mm512_cvtne2ps_pbh(hi, lo));
}

LEAT_INLINE void pack_pairs(float *panel, const unsigned char *w, size_t row_bytes, int format, int n_rows, int k0,
			    int n_k, size_t ahead)
{
	int size = format == LEAT_QUANT_f32 ? 4 : 2;
	for (int i0 = 0; i0 < LEAT_PANEL_ROWS; i0 += VF_N, w += VF_N * row_bytes)
		for (int k = 0; k < n_k; k += 2 * VF_N) {
			vf v[VF_N];
			pack_ahead(w + (size_t)(size * (k0 + k)), row_bytes, n_rows - i0, 2 * VF_N * size, ahead);
			if (n_rows - i0 >= VF_N && n_k - k >= 2 * VF_N) {
				LEAT_UNROLL
				for (int i = 0; i < VF_N; i++)
					v[i] = pairs_get(format, w + (size_t)i * row_bytes, k0 + k, 2 * VF_N);
			} else {
				for (int i = 0; i < VF_N; i++)
					v[i] = i0 + i < n_rows
						       ? pairs_get(format, w + (size_t)i * row_bytes, k0 + k, n_k - k)
						       : vf_zero();
			}
			vf_transpose(v);
			LEAT_UNROLL
			for (int j = 0; j < VF_N; j++)
				vf_store(panel + (k / 2 + j) * LEAT_PANEL_ROWS + i0, v[j]);
		}
}

#define PACK(name, body)                                                                                               \
	LEAT_SLOT void pack_bf16_##name(void *panel, const void *w, size_t row_bytes, int n_rows, int k0, int n_k,     \
					size_t ahead)                                                                  \
	{                                                                                                              \
		body(panel, w, row_bytes, LEAT_QUANT_##name, n_rows, k0, n_k, ahead);                                  \
	}
#define X(name, elems, group, mins, zero) PACK(name, pack_pairs)
FLOAT_FORMATS(X)
#undef X
#define X(name, elems, group, mins, zero) PACK(name, pack_blocks)
BLOCK_FORMATS(X)
#undef X

LEAT_SLOT void pack_bytes_q8_0(void *panel, const void *w, size_t row_bytes, int n_rows, int k0, int n_k, size_t ahead)
{
	if (n_rows == LEAT_PANEL_ROWS)
		pack_bytes(panel, w, row_bytes, k0, n_k, ahead);
	else
		pack_bf16_q8_0(panel, w, row_bytes, n_rows, k0, n_k, ahead);
}

static void gemm_bf16(float *y, size_t y_stride, const void *panel, const void *x, size_t x_stride, int n_tokens,
		      int n_rows, int n_k, int accumulate)
{
	gemm_any(y, y_stride, panel, x, x_stride * 2, n_tokens, n_rows, (n_k + 1) / 2, accumulate);
}

void leat_kernels_avx512bf16(struct leat_kernels *k)
{
#define X(name, elems, group, mins, zero) k->pack_bf16[LEAT_QUANT_##name] = pack_bf16_##name;
	FLOAT_FORMATS(X)
	BLOCK_FORMATS(X)
#undef X
	k->pack_q8_0_floats = pack_bf16_q8_0;
	k->pack_bf16[LEAT_QUANT_q8_0] = pack_bytes_q8_0;
	k->gemm_from[LEAT_QUANT_q8_0] = 5;
	k->gemm_bf16 = gemm_bf16;
	k->gemm_bf16_fast = 1;
}
