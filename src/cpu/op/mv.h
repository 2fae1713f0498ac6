/* mv.h - products with one or a few tokens: rows as parallel streams, the weight read once per tile of tokens.
 *
 * The rows of a call are cut into MV_ROWS parts and a tile takes one row of each, so that memory is read in MV_ROWS
 * long sequential streams: the prefetcher of a CPU starts anew where a stream jumps, and with neighbouring rows it
 * would jump at the end of every row. The sum of one (row, token) runs over k in vectors in order, then over the lanes,
 * in every tile: det. */
#ifndef LEAT_CPU_OP_MV_H
#define LEAT_CPU_OP_MV_H

#include "cpu/op/row.h"

enum { MV_ROWS = 4, MV_AHEAD_BYTES = 1024 };

/* Starts the line that this stream will want about 1 KiB later. The hardware does so too, but stops at the end of
 * each 4 KiB page and then waits a whole memory latency; asked for by hand, decode ran 20 to 22 % faster on two
 * cores of an AMX machine (2 KiB: 10 to 16 %, 4 KiB: 4 to 20 %; bench/results). Prefetching past the end of the
 * weights is no fault. */
LEAT_INLINE void mv_ahead(const unsigned char *p)
{
	_mm_prefetch((const void *)(p + MV_AHEAD_BYTES), _MM_HINT_T0);
}

/* Rows r, r + step, ... and tokens t, t + 1, ... */
struct mv_tile {
	int r, step, t;
};

LEAT_INLINE const unsigned char *mv_row(const struct leat_mm *a, int r)
{
	return (const unsigned char *)a->w + (size_t)r * a->row_bytes;
}

LEAT_INLINE void mv_float_step(vf sum[MV_ROWS][MV_TOKENS], const struct leat_mm *a, int format, const unsigned char *w,
			       size_t w_step, const float *x, int k, int m, int n_r, int n_t)
{
	vf xv[MV_TOKENS];

	LEAT_UNROLL
	for (int t = 0; t < n_t; t++)
		xv[t] = vf_get(x + (size_t)t * a->x_stride + k, m);
	LEAT_UNROLL
	for (int i = 0; i < n_r; i++) {
		mv_ahead(w + (size_t)i * w_step + (size_t)k * (format == LEAT_QUANT_f32 ? 4 : 2));
		vf wv = float_get(format, w + (size_t)i * w_step, k, m);
		LEAT_UNROLL
		for (int t = 0; t < n_t; t++)
			sum[i][t] = vf_fma(wv, xv[t], sum[i][t]);
	}
}

LEAT_INLINE void mv_store(const struct leat_mm *a, vf sum[MV_ROWS][MV_TOKENS], struct mv_tile at, int n_r, int n_t)
{
	LEAT_UNROLL
	for (int t = 0; t < n_t; t++)
		LEAT_UNROLL
	for (int i = 0; i < n_r; i++)
		a->y[(size_t)(at.t + t) * a->y_stride + (size_t)(at.r + i * at.step)] = vf_sum(sum[i][t]);
}

LEAT_INLINE void mv_float_tile(const struct leat_mm *a, int format, struct mv_tile at, int n_r, int n_t)
{
	const float *x = a->x + (size_t)at.t * a->x_stride;
	const unsigned char *w = mv_row(a, at.r);
	size_t w_step = (size_t)at.step * a->row_bytes;
	vf sum[MV_ROWS][MV_TOKENS];
	int k = 0, n = a->n_cols;

	LEAT_UNROLL
	for (int i = 0; i < n_r; i++)
		LEAT_UNROLL
	for (int j = 0; j < n_t; j++)
		sum[i][j] = vf_zero();
	for (; k + VF_N <= n; k += VF_N)
		mv_float_step(sum, a, format, w, w_step, x, k, VF_N, n_r, n_t);
	if (k < n)
		mv_float_step(sum, a, format, w, w_step, x, k, n - k, n_r, n_t);
	mv_store(a, sum, at, n_r, n_t);
}

/* One block of weights and one of activations, each with its scale. A lane adds at most 4 products of |w| <= 128 and
 * |x| <= 32767, which is below 2^24: exact until the scales come in. */
LEAT_INLINE void mv_q8_block(vf sum[MV_ROWS][MV_TOKENS], const struct leat_mm *a, const unsigned char *w, size_t w_step,
			     const int16_t *x, const float *xd, size_t n_xd, int n_r, int n_t)
{
	vf xs[MV_TOKENS];

	LEAT_UNROLL
	for (int j = 0; j < n_t; j++)
		xs[j] = vf_set1(xd[(size_t)j * n_xd]);
	LEAT_UNROLL
	for (int i = 0; i < n_r; i++) {
		const unsigned char *b = w + (size_t)i * w_step;
		mv_ahead(b);
		struct v16 wv = v16_from_i8(b + 2);
		vf d = vf_set1_f16(b);
		LEAT_UNROLL
		for (int j = 0; j < n_t; j++)
			sum[i][j] = vf_fma(v16_dot(wv, v16_load(x + (size_t)j * a->xq_stride)), vf_mul(d, xs[j]),
					   sum[i][j]);
	}
}

LEAT_INLINE void mv_q8_tile(const struct leat_mm *a, struct mv_tile at, int n_r, int n_t)
{
	enum { BLOCK = 34 };
	size_t n_xd = (size_t)leat_x16_blocks(a->n_cols), w_step = (size_t)at.step * a->row_bytes;
	const unsigned char *w = mv_row(a, at.r);
	const int16_t *x = a->xq + (size_t)at.t * a->xq_stride;
	const float *xd = a->xd + (size_t)at.t * n_xd;
	vf sum[MV_ROWS][MV_TOKENS];

	LEAT_UNROLL
	for (int i = 0; i < n_r; i++)
		LEAT_UNROLL
		for (int j = 0; j < n_t; j++)
			sum[i][j] = vf_zero();
	for (int k = 0; k < a->n_cols; k += LEAT_X16_BLOCK, x += LEAT_X16_BLOCK, xd++, w += BLOCK)
		mv_q8_block(sum, a, w, w_step, x, xd, n_xd, n_r, n_t);
	mv_store(a, sum, at, n_r, n_t);
}

LEAT_INLINE void mv_tile(const struct leat_mm *a, int format, struct mv_tile at, int n_r, int n_t)
{
	if (format == LEAT_QUANT_q8_0)
		mv_q8_tile(a, at, n_r, n_t);
	else
		mv_float_tile(a, format, at, n_r, n_t);
}

LEAT_INLINE void mv_rows(const struct leat_mm *a, int format, int r, int step, int n_r)
{
	int t = 0;
	for (; t + MV_TOKENS <= a->n_tokens; t += MV_TOKENS)
		mv_tile(a, format, (struct mv_tile){r, step, t}, n_r, MV_TOKENS);
	for (; MV_TOKENS > 2 && t + 2 <= a->n_tokens; t += 2)
		mv_tile(a, format, (struct mv_tile){r, step, t}, n_r, 2);
	for (; t < a->n_tokens; t++)
		mv_tile(a, format, (struct mv_tile){r, step, t}, n_r, 1);
}

LEAT_INLINE void mv_any(const struct leat_mm *a, int format, int r0, int r1)
{
	int step = (r1 - r0) / MV_ROWS;
	for (int r = r0; r < r0 + step; r++)
		mv_rows(a, format, r, step, MV_ROWS);
	for (int r = r0 + step * MV_ROWS; r < r1; r++)
		mv_rows(a, format, r, 0, 1);
}

#endif
