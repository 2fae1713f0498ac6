/* mv.h - products with one or a few tokens: rows as parallel streams, the weight read once per tile of tokens.
 *
 * The rows of a call are cut into MV_ROWS parts and a tile takes one row of each, so that memory is read in MV_ROWS
 * long sequential streams: the prefetcher of a CPU starts anew where a stream jumps, and with neighbouring rows it
 * would jump at the end of every row. The sum of one (row, token) runs over k in vectors in order, then over the lanes,
 * in every tile: det. */
#ifndef LEAT_CPU_OP_MV_H
#define LEAT_CPU_OP_MV_H

#include "cpu/op/block.h"
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

/* What a tile reads of the activations of one token in one super-block. */
struct mv_x {
	const int16_t *q;
	f8 d, sums[2]; /* of groups of 32; sums of 16 if the format's groups are 16 */
};

LEAT_INLINE void mv_x_get(struct mv_x x[MV_TOKENS], const struct leat_mm *a, struct block_kind kind, int t0, int k,
			  int n_sub, int n_t)
{
	size_t n_xd = (size_t)leat_x16_blocks(a->n_cols);

	LEAT_UNROLL
	for (int j = 0; j < n_t; j++) {
		size_t at = (size_t)(t0 + j) * n_xd + (size_t)k / LEAT_X16_BLOCK;
		x[j].q = a->xq + (size_t)(t0 + j) * a->xq_stride + k;
		x[j].d = f8_load_n(a->xd + at, n_sub);
		if (!kind.mins && !kind.zero)
			continue;
		x[j].sums[0] = f8_load_n(a->xs + 2 * at, 2 * n_sub);
		x[j].sums[1] = n_sub > 4 ? f8_load_n(a->xs + 2 * at + 8, 2 * n_sub - 8) : f8_zero();
		if (kind.group == 32)
			x[j].sums[0] = f8_pair_sums(x[j].sums[0], x[j].sums[1]);
	}
}

/* Scales of weights times scales of activations into d; minimums, and what stands for zero, leave the sum with the sums
 * of activations. */
LEAT_INLINE vf mv_scale(vf sum, float d[16], const struct block_scales *s, const struct mv_x *x, struct block_kind kind)
{
	if (kind.group == 32) {
		_mm256_storeu_ps(d, f8_mul(s->d[0], x->d));
	} else {
		_mm256_storeu_ps(d, f8_mul(s->d[0], f8_twice(x->d, 0)));
		_mm256_storeu_ps(d + 8, f8_mul(s->d[1], f8_twice(x->d, 1)));
	}
	if (kind.mins || kind.zero)
		sum = vf_fnma(vf_from_f8(s->m[0]), vf_from_f8(x->sums[0]), sum);
	if ((kind.mins || kind.zero) && kind.group == 16)
		sum = vf_fnma(vf_from_f8(s->m[1]), vf_from_f8(x->sums[1]), sum);
	return sum;
}

/* Scales of a super-block's rows, times those of the tokens. */
struct mv_scales {
	float d[MV_ROWS][MV_TOKENS][16];
};

LEAT_INLINE void mv_sub(vf sum[MV_ROWS][MV_TOKENS], int format, const unsigned char *w, size_t w_step,
			const struct mv_x x[MV_TOKENS], const struct mv_scales *s, int u, int n_r, int n_t)
{
	int per_sub = 32 / block_kind(format).group;

	LEAT_UNROLL
	for (int i = 0; i < n_r; i++) {
		struct v16 wv = v16_from_b32(block_bytes(format, w + (size_t)i * w_step, u));
		LEAT_UNROLL
		for (int j = 0; j < n_t; j++)
			sum[i][j] = v16_dot_add(sum[i][j], wv, v16_load(x[j].q + 32 * u), &s->d[i][j][u * per_sub],
						per_sub == 2);
	}
}

/* 32 n_sub columns; n_sub is SUBS but at the end of a row. */
LEAT_INLINE void mv_super(vf sum[MV_ROWS][MV_TOKENS], int format, const unsigned char *w, size_t w_step,
			  const struct mv_x x[MV_TOKENS], int n_sub, int n_r, int n_t)
{
	struct block_kind kind = block_kind(format);
	struct mv_scales scales;

	LEAT_UNROLL
	for (int i = 0; i < n_r; i++) {
		const unsigned char *b = w + (size_t)i * w_step;
		struct block_scales s;
		block_scales(format, &s, b, n_sub);
		if (kind.zero) {
			s.m[0] = f8_mul(s.d[0], _mm256_set1_ps((float)kind.zero));
			s.m[1] = f8_mul(s.d[kind.group == 16], _mm256_set1_ps((float)kind.zero));
		}
		LEAT_UNROLL
		for (int at = 0; at < block_super_bytes(format); at += 64)
			mv_ahead(b + at);
		LEAT_UNROLL
		for (int j = 0; j < n_t; j++)
			sum[i][j] = mv_scale(sum[i][j], scales.d[i][j], &s, &x[j], kind);
	}
	LEAT_IN_MEMORY(scales);
	if (n_sub == SUBS && (n_t == 1 || kind.elems == SUPER)) { /* what depends on u folds */
		LEAT_UNROLL
		for (int u = 0; u < SUBS; u++)
			mv_sub(sum, format, w, w_step, x, &scales, u, n_r, n_t);
	} else {
		LEAT_ROLLED
		for (int u = 0; u < n_sub; u++)
			mv_sub(sum, format, w, w_step, x, &scales, u, n_r, n_t);
	}
}

LEAT_INLINE void mv_block_tile(const struct leat_mm *a, int format, struct mv_tile at, int n_r, int n_t)
{
	size_t w_step = (size_t)at.step * a->row_bytes;
	const unsigned char *w = mv_row(a, at.r);
	struct block_kind kind = block_kind(format);
	struct mv_x x[MV_TOKENS];
	vf sum[MV_ROWS][MV_TOKENS];
	int k = 0, left;

	LEAT_UNROLL
	for (int i = 0; i < n_r; i++)
		LEAT_UNROLL
		for (int j = 0; j < n_t; j++)
			sum[i][j] = vf_zero();
	for (; k + SUPER <= a->n_cols; k += SUPER, w += block_super_bytes(format)) {
		mv_x_get(x, a, kind, at.t, k, SUBS, n_t);
		mv_super(sum, format, w, w_step, x, SUBS, n_r, n_t);
	}
	left = (a->n_cols - k) / 32;
	if (kind.elems < SUPER && left > 0) {
		mv_x_get(x, a, kind, at.t, k, left, n_t);
		mv_super(sum, format, w, w_step, x, left, n_r, n_t);
	}
	mv_store(a, sum, at, n_r, n_t);
}

LEAT_INLINE void mv_tile(const struct leat_mm *a, int format, struct mv_tile at, int n_r, int n_t)
{
	if (block_kind(format).elems)
		mv_block_tile(a, format, at, n_r, n_t);
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
	for (int r = r0 + step * MV_ROWS; r < r1; r++) /* of blocks: a tile of one row only would be more code */
		mv_rows(a, format, r, 0, block_kind(format).elems ? MV_ROWS : 1);
}

#endif
