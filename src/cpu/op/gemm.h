/* gemm.h - packing of panels and the micro-kernel of many tokens.
 *
 * The micro-kernel works on 4-byte steps: one f32 column, or a pair of bf16 columns. The file that includes this says
 * which by gemm_mul(c, panel, x), c + panel * x, and how 32 columns of a block become PACK_VECTORS vectors of steps, by
 * pack_values(). A tile is 2 vectors of rows by GEMM_TOKENS tokens, all of it in
 * registers. */
#ifndef LEAT_CPU_OP_GEMM_H
#define LEAT_CPU_OP_GEMM_H

#include "cpu/op/row.h"

LEAT_INLINE vf gemm_set1(const unsigned char *p)
{
	float f;
	memcpy(&f, p, 4);
	return vf_set1(f);
}

LEAT_INLINE void gemm_put(float *y, vf c, int m, int accumulate)
{
	if (m <= 0)
		return;
	if (accumulate)
		c = vf_add(vf_get(y, m), c);
	vf_put(y, c, m);
}

LEAT_INLINE void gemm_tile(float *y, size_t y_stride, const float *panel, const unsigned char *x, size_t x_bytes,
			   int n_rows, int n_steps, int accumulate, int n_t)
{
	const unsigned char *xt[GEMM_TOKENS];
	vf c[GEMM_TOKENS][2];

	LEAT_UNROLL
	for (int t = 0; t < n_t; t++) {
		c[t][0] = c[t][1] = vf_zero();
		/* one pointer for three tokens: the others are reached by index registers */
		xt[t] = x + (size_t)(t / 3 * 3) * x_bytes;
	}
	for (int k = 0; k < n_steps; k++, panel += LEAT_PANEL_ROWS) {
		vf p0 = vf_load(panel), p1 = vf_load(panel + VF_N);
		LEAT_UNROLL
		for (int t = 0; t < n_t; t++) {
			vf xv = gemm_set1(xt[t] + (size_t)(t % 3) * x_bytes);
			c[t][0] = gemm_mul(c[t][0], p0, xv);
			c[t][1] = gemm_mul(c[t][1], p1, xv);
		}
		LEAT_UNROLL
		for (int t = 0; t < n_t; t++)
			xt[t] += 4;
	}
	LEAT_UNROLL
	for (int t = 0; t < n_t; t++, y += y_stride) {
		gemm_put(y, c[t][0], n_rows, accumulate);
		gemm_put(y + VF_N, c[t][1], n_rows - VF_N, accumulate);
	}
}

/* The last tokens: not every number has a tile of its own, which keeps the code small. */
LEAT_INLINE int gemm_part(int left)
{
#if LEAT_GEMM_WIDE
	if (left >= 6)
		return left >= GEMM_TOKENS ? GEMM_TOKENS : left >= 10 ? 10 : left >= 8 ? 8 : 6;
	if (left == 3)
		return left;
#endif
	return left >= GEMM_TOKENS ? GEMM_TOKENS : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

LEAT_INLINE void gemm_any(float *y, size_t y_stride, const float *panel, const unsigned char *x, size_t x_bytes,
			  int n_tokens, int n_rows, int n_steps, int accumulate)
{
	for (int r = 0; r < n_rows; r += 2 * VF_N) {
		const unsigned char *xt = x;
		float *yt = y + r;
		for (int left = n_tokens, n; left > 0;
		     left -= n, xt += (size_t)n * x_bytes, yt += (size_t)n * y_stride) {
			n = gemm_part(left);
			switch (n) {
#define CASE(N)                                                                                                        \
	case N:                                                                                                        \
		gemm_tile(yt, y_stride, panel + r, xt, x_bytes, n_rows - r, n_steps, accumulate, N);                   \
		break;
				CASE(GEMM_TOKENS)
#if LEAT_GEMM_WIDE
				CASE(10)
				CASE(8)
				CASE(6)
				CASE(3)
#endif
				CASE(4)
				CASE(2)
				CASE(1)
#undef CASE
			}
		}
	}
}

/* Asks for n_bytes of each of n rows (at most VF_N) of what is packed next. The rows of a panel are many short streams
 * that no prefetcher follows. Into the second level: until they are wanted a whole panel is multiplied. */
LEAT_INLINE void pack_ahead(const unsigned char *w, size_t row_bytes, int n, int n_bytes, size_t ahead)
{
	if (!ahead)
		return;
	for (int i = 0; i < VF_N && i < n; i++)
		LEAT_UNROLL
		for (int at = 0; at < n_bytes; at += 64)
			_mm_prefetch((const void *)(w + (size_t)i * row_bytes + ahead + at), _MM_HINT_T1);
}

/* VF_N rows' VF_N columns, the first m of them into the panel. */
LEAT_INLINE void pack_put(float *out, vf v[VF_N], int m)
{
	vf_transpose(v);
	if (m >= VF_N) {
		LEAT_UNROLL
		for (int j = 0; j < VF_N; j++)
			vf_store(out + j * LEAT_PANEL_ROWS, v[j]);
	} else {
		for (int j = 0; j < m; j++)
			vf_store(out + j * LEAT_PANEL_ROWS, v[j]);
	}
}

/* One vector of rows, VF_N columns; rows from `full` on are zero. */
LEAT_INLINE void pack_square(float *out, const unsigned char *w, size_t row_bytes, int format, int full, int k, int m)
{
	vf v[VF_N];

	if (full >= VF_N) {
		LEAT_UNROLL
		for (int i = 0; i < VF_N; i++)
			v[i] = float_get(format, w + (size_t)i * row_bytes, k, m);
	} else {
		for (int i = 0; i < VF_N; i++)
			v[i] = i < full ? float_get(format, w + (size_t)i * row_bytes, k, m) : vf_zero();
	}
	pack_put(out, v, m);
}

LEAT_INLINE void pack_floats(float *panel, const unsigned char *w, size_t row_bytes, int format, int n_rows, int k0,
			     int n_k, size_t ahead)
{
	int size = format == LEAT_QUANT_f32 ? 4 : 2;

	for (int i = 0; i < LEAT_PANEL_ROWS; i += VF_N, w += VF_N * row_bytes) {
		int k = 0, full = n_rows - i;
		for (; k + VF_N <= n_k; k += VF_N) {
			if ((k * size) % 64 == 0)
				pack_ahead(w + (size_t)(size * (k0 + k)), row_bytes, full, 64, ahead);
			pack_square(panel + k * LEAT_PANEL_ROWS + i, w, row_bytes, format, full, k0 + k, VF_N);
		}
		if (k < n_k)
			pack_square(panel + k * LEAT_PANEL_ROWS + i, w, row_bytes, format, full, k0 + k, n_k - k);
	}
}

/* The super-blocks of VF_N rows of which `full` exist: their tables, then 32 columns at a time by
 * pack_values(). Loops over rows stay loops: unrolled, ten formats would be 200 KB. */
LEAT_INLINE void pack_block_columns(float *panel, const unsigned char *w, size_t row_bytes, int format, int full,
				    int n_sub, size_t ahead)
{
	struct block_kind kind = block_kind(format);
	struct block_tables t[VF_N];
	vf v[PACK_VECTORS][VF_N];

	full = full < VF_N ? full : VF_N;
	if (n_sub == SUBS || kind.elems == SUPER)
		pack_ahead(w, row_bytes, full, block_super_bytes(format), ahead);
	else
		for (int u = 0; u < n_sub; u++)
			pack_ahead(w + u * kind.bytes, row_bytes, full, 1, ahead);
	for (int i = 0; i < full; i++)
		block_tables(format, &t[i], w + (size_t)i * row_bytes, n_sub);
	for (int i = 0; i < VF_N; i++)
		LEAT_UNROLL
		for (int part = 0; part < PACK_VECTORS; part++)
			v[part][i] = vf_zero();
	for (int u = 0; u < n_sub; u++, panel += PACK_VECTORS * VF_N * LEAT_PANEL_ROWS) {
		vf out[VF_N];
		for (int i = 0; i < full; i++) {
			b32 q = block_bytes(format, w + (size_t)i * row_bytes, u);
			LEAT_UNROLL
			for (int part = 0; part < PACK_VECTORS; part++)
				v[part][i] = pack_values(format, q, &t[i], u, part);
		}
		LEAT_UNROLL
		for (int part = 0; part < PACK_VECTORS; part++) {
			memcpy(out, v[part], sizeof out);
			pack_put(panel + part * VF_N * LEAT_PANEL_ROWS, out, VF_N);
		}
	}
}

/* k0 and n_k are multiples of the block; a super-block may begin at any block. */
LEAT_INLINE void pack_blocks(float *panel, const unsigned char *w, size_t row_bytes, int format, int n_rows, int k0,
			     int n_k, size_t ahead)
{
	w += k0 / block_kind(format).elems * block_kind(format).bytes;
	for (int i = 0; i < LEAT_PANEL_ROWS; i += VF_N)
		for (int k = 0; k < n_k; k += SUPER) {
			int n_sub = n_k - k < SUPER ? (n_k - k) / 32 : SUBS;
			pack_block_columns(panel + k / 32 * PACK_VECTORS * VF_N * LEAT_PANEL_ROWS + i,
					   w + (size_t)i * row_bytes + k / SUPER * block_super_bytes(format), row_bytes,
					   format, n_rows - i, n_sub, ahead);
		}
}

#endif
