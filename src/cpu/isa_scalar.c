/* isa_scalar.c - every product and conversion in portable C: what the faster sets are compared with.
 *
 * Written to be read. A sum of many terms is kept in LANES partial sums, which bounds its rounding error and lets the
 * compiler use whatever vectors the baseline has. Elementwise slots, norms, attention and time mix: scalar_rows.c. */
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/scalar.h"
#include "gen/quant_all.h"

/* Columns that are dequantised at a time; a multiple of every block and of LEAT_X16_BLOCK. */
enum { CHUNK = 256 };

typedef void dequant_fn(float *y, const void *blocks, size_t n);

/* The values that xq stands for. */
static void x16_values(float *x, const int16_t *q, const float *d, int n)
{
	for (int i = 0; i < n; i++)
		x[i] = (float)q[i] * d[i / LEAT_X16_BLOCK];
}

static float mv_one(const struct leat_mm *a, int t, const unsigned char *row, const struct leat_quant *f,
		    dequant_fn *dequant)
{
	float lane[LEAT_LANES] = {0}, w[CHUNK], x[CHUNK];

	for (int k = 0; k < a->n_cols; k += CHUNK) {
		int n = a->n_cols - k < CHUNK ? a->n_cols - k : CHUNK;
		dequant(w, row + leat_quant_bytes(f, (size_t)k), (size_t)n);
		if (f->block_elems == 1)
			memcpy(x, a->x + (size_t)t * a->x_stride + k, (size_t)n * sizeof *x);
		else
			x16_values(x, a->xq + (size_t)t * a->xq_stride + k,
				   a->xd + (size_t)t * (size_t)leat_x16_blocks(a->n_cols) + k / LEAT_X16_BLOCK, n);
		leat_lanes_dot(lane, w, x, n);
	}
	return leat_lanes_sum(lane);
}

static void mv(const struct leat_mm *a, int r0, int r1, const struct leat_quant *f, dequant_fn *dequant)
{
	for (int r = r0; r < r1; r++)
		for (int t = 0; t < a->n_tokens; t++)
			a->y[(size_t)t * a->y_stride + (size_t)r] =
				mv_one(a, t, (const unsigned char *)a->w + (size_t)r * a->row_bytes, f, dequant);
}

/* One row's columns as f32, columns beyond n_k up to n_pad zero. */
static void unpack_row(float *x, const void *w, size_t row_bytes, int row, int k0, int n_k, int n_pad,
		       const struct leat_quant *f, dequant_fn *dequant)
{
	const unsigned char *p = (const unsigned char *)w + (size_t)row * row_bytes + leat_quant_bytes(f, (size_t)k0);

	dequant(x, p, (size_t)n_k);
	for (int k = n_k; k < n_pad; k++)
		x[k] = 0;
}

static void pack_f32(float *panel, const void *w, size_t row_bytes, int n_rows, int k0, int n_k,
		     const struct leat_quant *f, dequant_fn *dequant)
{
	float x[LEAT_PANEL_COLS];

	memset(panel, 0, (size_t)n_k * LEAT_PANEL_ROWS * sizeof *panel);
	for (int i = 0; i < n_rows; i++) {
		unpack_row(x, w, row_bytes, i, k0, n_k, n_k, f, dequant);
		for (int k = 0; k < n_k; k++)
			panel[k * LEAT_PANEL_ROWS + i] = x[k];
	}
}

static void pack_bf16(uint16_t *panel, const void *w, size_t row_bytes, int n_rows, int k0, int n_k,
		      const struct leat_quant *f, dequant_fn *dequant)
{
	float x[LEAT_PANEL_COLS];
	int n_pad = (n_k + 31) / 32 * 32;

	memset(panel, 0, (size_t)n_pad * LEAT_PANEL_ROWS * sizeof *panel);
	for (int i = 0; i < n_rows; i++) {
		unpack_row(x, w, row_bytes, i, k0, n_k, n_pad, f, dequant);
		for (int k = 0; k < n_pad; k++)
			panel[(k / 2 * LEAT_PANEL_ROWS + i) * 2 + k % 2] = leat_f32_to_bf16(x[k]);
	}
}

static void gemm_store(float *y, const float *sum, int n_rows, int accumulate)
{
	for (int i = 0; i < n_rows; i++)
		y[i] = accumulate ? y[i] + sum[i] : sum[i];
}

static void gemm_f32(float *y, size_t y_stride, const void *panel, const void *x, size_t x_stride, int n_tokens,
		     int n_rows, int n_k, int accumulate)
{
	for (int t = 0; t < n_tokens; t++) {
		const float *xt = (const float *)x + (size_t)t * x_stride, *p = panel;
		float sum[LEAT_PANEL_ROWS] = {0};
		for (int k = 0; k < n_k; k++, p += LEAT_PANEL_ROWS)
			for (int i = 0; i < LEAT_PANEL_ROWS; i++)
				sum[i] += p[i] * xt[k];
		gemm_store(y + (size_t)t * y_stride, sum, n_rows, accumulate);
	}
}

static void gemm_bf16(float *y, size_t y_stride, const void *panel, const void *x, size_t x_stride, int n_tokens,
		      int n_rows, int n_k, int accumulate)
{
	for (int t = 0; t < n_tokens; t++) {
		const uint16_t *xt = (const uint16_t *)x + (size_t)t * x_stride, *p = panel;
		float sum[LEAT_PANEL_ROWS] = {0};
		for (int k = 0; k < n_k; k += 2, p += 2 * LEAT_PANEL_ROWS) {
			float x0 = leat_bf16_to_f32(xt[k]), x1 = leat_bf16_to_f32(xt[k + 1]);
			for (int i = 0; i < LEAT_PANEL_ROWS; i++) {
				sum[i] += leat_bf16_to_f32(p[2 * i]) * x0;
				sum[i] += leat_bf16_to_f32(p[2 * i + 1]) * x1;
			}
		}
		gemm_store(y + (size_t)t * y_stride, sum, n_rows, accumulate);
	}
}

/* The scale keeps |q| <= 32767; a block that holds an infinity or NaN gets d = NaN, so that it shows in every product.
 * A block whose largest value is below 2^-100 counts as zeros: its scale would lose bits or vanish. */
static void to_x16_block(int16_t *q, float *d, float *s, const float *x, int n)
{
	uint32_t top = 0;

	for (int i = 0; i < n; i++) {
		uint32_t b = leat_f32_bits(x[i]) & 0x7fffffffu; /* as integers, magnitudes order and NaN is largest */
		top = b > top ? b : top;
	}
	float most = leat_f32_from_bits(top), scale = most >= LEAT_X16_LEAST ? 32767.0f / most : 0.0f;
	*d = top >= 0x7f800000u ? NAN : scale > 0 ? most / 32767.0f : 0.0f;
	for (int i = 0; i < n; i++)
		q[i] = top >= 0x7f800000u ? 0 : (int16_t)lrintf(x[i] * scale);
	for (int half = 0; half < n; half += LEAT_X16_BLOCK / 2) {
		int sum = 0;
		for (int i = half; i < half + LEAT_X16_BLOCK / 2 && i < n; i++)
			sum += q[i];
		s[half / (LEAT_X16_BLOCK / 2)] = (float)sum * *d;
	}
}

static void to_x16(int16_t *q, float *d, float *s, const float *x, int n)
{
	for (int k = 0; k < n; k += LEAT_X16_BLOCK, s += 2)
		to_x16_block(q + k, d++, s, x + k, n - k < LEAT_X16_BLOCK ? n - k : LEAT_X16_BLOCK);
}

static void to_bf16(uint16_t *y, const float *x, int n)
{
	for (int i = 0; i < n; i++)
		y[i] = leat_f32_to_bf16(x[i]);
}

static void to_f16(uint16_t *y, const float *x, int n)
{
	for (int i = 0; i < n; i++)
		y[i] = leat_f32_to_f16(x[i]);
}

/* One format, one set of slots. The descriptor is a constant here, so its sizes fold. */
#define X(name)                                                                                                        \
	static const struct leat_quant fmt_##name = LEAT_QUANT_DESC_##name;                                            \
	static void mv_##name(const struct leat_mm *a, int r0, int r1)                                                 \
	{                                                                                                              \
		mv(a, r0, r1, &fmt_##name, leat_##name##_dequant);                                                     \
	}                                                                                                              \
	static void pack_f32_##name(void *panel, const void *w, size_t row_bytes, int n_rows, int k0, int n_k,         \
				    size_t ahead)                                                                      \
	{                                                                                                              \
		(void)ahead;                                                                                           \
		pack_f32(panel, w, row_bytes, n_rows, k0, n_k, &fmt_##name, leat_##name##_dequant);                    \
	}                                                                                                              \
	static void pack_bf16_##name(void *panel, const void *w, size_t row_bytes, int n_rows, int k0, int n_k,        \
				     size_t ahead)                                                                     \
	{                                                                                                              \
		(void)ahead;                                                                                           \
		pack_bf16(panel, w, row_bytes, n_rows, k0, n_k, &fmt_##name, leat_##name##_dequant);                   \
	}
#include "gen/quant_formats.def"
#undef X

void leat_kernels_scalar(struct leat_kernels *k)
{
	memset(k, 0, sizeof *k);
#define X(name)                                                                                                        \
	k->mv[LEAT_QUANT_##name] = mv_##name;                                                                          \
	k->mv_form[LEAT_QUANT_##name] = fmt_##name.block_elems == 1 ? LEAT_X_F32 : LEAT_X_I16;                         \
	k->pack_f32[LEAT_QUANT_##name] = pack_f32_##name;                                                              \
	k->pack_bf16[LEAT_QUANT_##name] = pack_bf16_##name;                                                            \
	k->gemm_from[LEAT_QUANT_##name] = LEAT_GEMM_FROM;                                                              \
	k->dequant[LEAT_QUANT_##name] = leat_##name##_dequant;
#include "gen/quant_formats.def"
#undef X
	k->pack_q8_0_floats = pack_bf16_q8_0;
	k->gemm_f32 = gemm_f32;
	k->gemm_bf16 = gemm_bf16;
	k->to_x16 = to_x16;
	k->to_bf16 = to_bf16;
	k->to_f16 = to_f16;
	leat_kernels_scalar_rows(k);
}
