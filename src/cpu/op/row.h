/* row.h - access to rows: whole vectors and their last part, and weights of any format as f32.
 *
 * m is what is left of the row: all VF_N lanes if m >= VF_N, else the first m, others 0. No byte beyond them is
 * touched. */
#ifndef LEAT_CPU_OP_ROW_H
#define LEAT_CPU_OP_ROW_H

#include "cpu/kernels.h"

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

/* Formats whose block is one element, and so columns need not come in blocks. */
LEAT_INLINE vf float_get(int format, const unsigned char *row, int k, int m)
{
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

/* Columns k .. k + m - 1 of a row, k a multiple of VF_N. */
LEAT_INLINE vf weight_get(int format, const unsigned char *row, int k, int m)
{
	if (format == LEAT_QUANT_q8_0) {
		const unsigned char *block = row + (size_t)(k / 32) * 34;
		return vf_mul(vf_set1_f16(block), vf_load_i8(block + 2 + k % 32));
	}
	return float_get(format, row, k, m);
}

LEAT_INLINE void weight_dequant(int format, float *y, const void *blocks, size_t n)
{
	const unsigned char *p = blocks;
	size_t unit = format == LEAT_QUANT_q8_0 ? 34 : 2 * 32;

	for (; n >= 32; n -= 32, y += 32, p += unit)
		for (int k = 0; k < 32; k += VF_N)
			vf_store(y + k, weight_get(format, p, k, VF_N));
	for (int k = 0, left = (int)n; k < left; k += VF_N)
		vf_put(y + k, weight_get(format, p, k, left - k), left - k);
}

#endif
