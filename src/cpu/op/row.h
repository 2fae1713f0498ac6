/* row.h - access to rows: whole vectors and their last part, and weights of any format as f32.
 *
 * m is what is left of the row: all VF_N lanes if m >= VF_N, else the first m, others 0. No byte beyond them is
 * touched. */
#ifndef LEAT_CPU_OP_ROW_H
#define LEAT_CPU_OP_ROW_H

#include "cpu/op/block.h"

LEAT_INLINE vf vf_get(const float *p, int m)
{
	return m >= VF_N ? vf_load(p) : vf_load_n(p, m);
}
LEAT_INLINE void vf_put(float *p, vf a, int m)
{
	if (m >= VF_N)
		vf_store(p, a);
	else
		vf_store_n(p, a, m);
}

/* Of a row in blocks of 32, which are whole vectors. */
LEAT_INLINE vf q8_0_get(const unsigned char *row, int k)
{
	const unsigned char *b = row + (size_t)(k / 32) * sizeof(struct leat_q8_0);
	return vf_mul(vf_load_i8(b + offsetof(struct leat_q8_0, qs) + k % 32), vf_set1_f16(b));
}

/* Formats whose block is one element, and so columns need not come in blocks; and rows of Q8_0. */
LEAT_INLINE vf float_get(int format, const unsigned char *row, int k, int m)
{
	if (format == LEAT_QUANT_q8_0)
		return q8_0_get(row, k);
	const unsigned char *p = row + (size_t)k * (format == LEAT_QUANT_f32 ? 4 : 2);
	vf r;

	if (format == LEAT_QUANT_f32 && m >= VF_N)
		memcpy(&r, p, sizeof r);
	else if (format == LEAT_QUANT_f32)
		r = vf_load_n((const void *)p, m);
	else if (format == LEAT_QUANT_f16)
		r = m >= VF_N ? vf_load_f16(p) : vf_load_f16_n(p, m);
	else
		r = m >= VF_N ? vf_load_bf16(p) : vf_load_bf16_n(p, m);
	return r;
}

/* y[n] = n weights that begin at a block. */
LEAT_INLINE void float_dequant(int format, float *y, const unsigned char *p, size_t n)
{
	for (size_t k = 0; k < n; k += VF_N) {
		int left = n - k < VF_N ? (int)(n - k) : VF_N;
		vf_put(y + k, float_get(format, p + 2 * k, 0, left), left);
	}
}

LEAT_INLINE void block_dequant(int format, float *y, const unsigned char *p, size_t n)
{
	for (; n > 0; p += block_super_bytes(format)) {
		int n_sub = n < SUPER ? (int)n / 32 : SUBS;
		struct block_tables t;
		block_tables(format, &t, p, n_sub);
		for (int u = 0; u < n_sub; u++, y += 32) {
			b32 q = block_bytes(format, p, u);
			LEAT_UNROLL
			for (int part = 0; part < 32 / VF_N; part++)
				vf_store(y + part * VF_N, block_values(format, q, &t, u, part));
		}
		n -= (size_t)n_sub * 32;
	}
}

#endif
