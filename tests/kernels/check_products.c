/* check_products.c - matrix products, packing and conversions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"
#include "kerncheck.h"

/* A random problem for mv. Weights and activations end at an unmapped page. */
struct problem {
	struct leat_mm a;
	int n_rows, form, offset;
	float *w; /* dequantised */
};

static void make_activations(struct problem *p, int n_cols, int n_tokens)
{
	size_t n_xd = (size_t)leat_x16_blocks(n_cols), tokens = (size_t)n_tokens;

	p->a.x_stride = (size_t)n_cols + (size_t)rnd_below(3);
	p->a.x = random_f32(p->a.x_stride * (tokens - 1) + (size_t)n_cols, 4);
	if (p->form == LEAT_X_F32)
		return;
	p->a.xq_stride = (size_t)n_cols + 32 * (size_t)rnd_below(2);
	int16_t *q = guard((p->a.xq_stride * (tokens - 1) + (size_t)n_cols) * sizeof *q);
	float *d = guard_f32(n_xd * tokens), *s = guard_f32(2 * n_xd * tokens);
	for (size_t t = 0; t < tokens; t++)
		portable()->to_x16(q + t * p->a.xq_stride, d + t * n_xd, s + t * 2 * n_xd, p->a.x + t * p->a.x_stride,
				   n_cols);
	for (int i = 0; i < 8; i++) { /* the ends of the range */
		int at = rnd_below(n_cols), sum = 0;
		q[at] = i & 1 ? 32767 : -32767;
		for (int j = at / 16 * 16; j < at / 16 * 16 + 16; j++)
			sum += q[j];
		s[at / 16] = (float)sum * d[at / LEAT_X16_BLOCK];
	}
	p->a.xq = q;
	p->a.xd = d;
	p->a.xs = s;
}

static void make_problem(struct problem *p, int format, int form, int n_rows, int n_cols, int n_tokens)
{
	const struct leat_quant *f = leat_quant_at(format);
	size_t row = leat_quant_bytes(f, (size_t)n_cols), rows = (size_t)n_rows;

	memset(p, 0, sizeof *p);
	p->n_rows = n_rows;
	p->form = form;
	p->offset = f->block_elems > 1 && format != LEAT_QUANT_q8_0;
	p->a.row_bytes = row + (size_t)rnd_below(4) * (size_t)(f->block_elems == 1 ? f->block_bytes : 1);
	p->a.n_cols = n_cols;
	p->a.n_tokens = n_tokens;
	unsigned char *w = guard(p->a.row_bytes * (rows - 1) + row);
	p->w = guard_f32(rows * (size_t)n_cols);
	for (size_t r = 0; r < rows; r++) {
		random_blocks(format, w + r * p->a.row_bytes, (size_t)n_cols);
		f->dequant(p->w + r * (size_t)n_cols, w + r * p->a.row_bytes, (size_t)n_cols);
	}
	p->a.w = w;
	make_activations(p, n_cols, n_tokens);
	p->a.y_stride = rows + (size_t)rnd_below(4);
	p->a.y = guard_f32(p->a.y_stride * (size_t)(n_tokens - 1) + rows);
}

static double activation(const struct problem *p, int t, int k)
{
	const struct leat_mm *a = &p->a;
	if (p->form == LEAT_X_F32)
		return (double)a->x[(size_t)t * a->x_stride + (size_t)k];
	return (double)a->xq[(size_t)t * a->xq_stride + (size_t)k] *
	       (double)a->xd[(size_t)t * (size_t)leat_x16_blocks(a->n_cols) + (size_t)(k / LEAT_X16_BLOCK)];
}

/* The largest of the weights that share a minimum or scale with column k. */
static double largest(const float *w, int k)
{
	double most = 0;
	for (int i = k / 32 * 32; i < k / 32 * 32 + 32; i++)
		most = fmax(most, fabs((double)w[i]));
	return most;
}

/* |y - exact| / sum |w x|; for formats with an offset m, of the terms that they add: |d q x| + |m x|. */
static double mv_error(const struct problem *p, int t, int r)
{
	const float *w = p->w + (size_t)r * (size_t)p->a.n_cols;
	double exact = 0, most = 1e-300;
	for (int k = 0; k < p->a.n_cols; k++) {
		double product = (double)w[k] * activation(p, t, k);
		exact += product;
		most += fabs(product);
		if (p->offset)
			most += largest(w, k) * fabs(activation(p, t, k));
	}
	return fabs((double)p->a.y[(size_t)t * p->a.y_stride + (size_t)r] - exact) / most;
}

/* The bits of every (row, token) must not change with the range of rows or the number of tokens. */
static int mv_is_det(leat_mv_fn *fn, const struct problem *p)
{
	const struct leat_mm *a = &p->a;
	for (int t = 0; t < a->n_tokens; t++) {
		struct leat_mm one = *a;
		float *y = guard_f32((size_t)p->n_rows);
		one.n_tokens = 1;
		one.x = a->x + (size_t)t * a->x_stride;
		if (p->form == LEAT_X_I16) {
			one.xq = a->xq + (size_t)t * a->xq_stride;
			one.xd = a->xd + (size_t)t * (size_t)leat_x16_blocks(a->n_cols);
			one.xs = a->xs + (size_t)t * 2 * (size_t)leat_x16_blocks(a->n_cols);
		}
		one.y = y;
		for (int r = 0, next; r < p->n_rows; r = next) {
			next = r + 1 + rnd_below(7);
			next = next < p->n_rows ? next : p->n_rows;
			fn(&one, r, next);
		}
		if (!same_f32(y, a->y + (size_t)t * a->y_stride, (size_t)p->n_rows))
			return 0;
	}
	return 1;
}

static double mv_case(const struct leat_kernels *k, int format, int n_rows, int n_cols, int n_tokens)
{
	struct problem p;
	double worst = 0;

	make_problem(&p, format, k->mv_form[format], n_rows, n_cols, n_tokens);
	int r0 = rnd_below(n_rows), r1 = r0 + rnd_below(n_rows - r0 + 1);
	k->mv[format](&p.a, r0, r1);
	for (int t = 0; t < n_tokens; t++) {
		const float *y = p.a.y + (size_t)t * p.a.y_stride;
		if (!untouched(y, (size_t)r0) || !untouched(y + r1, (size_t)(n_rows - r1)))
			return INFINITY;
	}
	k->mv[format](&p.a, 0, n_rows);
	for (int t = 0; t < n_tokens; t++)
		for (int r = 0; r < n_rows; r++)
			worst = fmax(worst, mv_error(&p, t, r));
	for (int t = 0; t + 1 < n_tokens; t++)
		if (!untouched(p.a.y + (size_t)t * p.a.y_stride + n_rows, p.a.y_stride - (size_t)n_rows))
			return INFINITY;
	if (!mv_is_det(k->mv[format], &p) || guard_reset())
		return INFINITY;
	return worst;
}

/* Whole blocks: the next multiple of the format's. */
static int whole_blocks(int format, int n)
{
	int block = leat_quant_at(format)->block_elems;
	return (n + block - 1) / block * block;
}

static double check_mv(const struct leat_kernels *k, int format)
{
	static const int cols[] = {32, 64, 96, 224, 256, 288, 480, 512, 1056, 4096};
	static const int odd[] = {1, 7, 8, 15, 16, 17, 31, 33, 47, 100, 1001};
	static const int tokens[] = {1, 2, 3, 4, 5, 7, 8, 9, 13};
	int blocks = leat_quant_at(format)->block_elems > 1;
	double worst = 0;

	for (size_t c = 0; c < COUNT_OF(cols); c++)
		for (size_t t = 0; t < COUNT_OF(tokens); t++)
			worst = fmax(worst,
				     mv_case(k, format, 1 + rnd_below(13), whole_blocks(format, cols[c]), tokens[t]));
	for (size_t c = 0; !blocks && c < COUNT_OF(odd); c++)
		for (size_t t = 0; t < COUNT_OF(tokens); t++)
			worst = fmax(worst, mv_case(k, format, 1 + rnd_below(13), odd[c], tokens[t]));
	return fmax(worst, mv_case(k, format, 3, 16384, 1));
}

/* Bit for bit, but that zeros may differ in their sign. */
static int same_panel(const void *a, const void *b, size_t bytes, int pairs)
{
	const uint16_t *p = a, *q = b;
	size_t i = 0, n = bytes / sizeof *p;

	if (!pairs)
		return !memcmp(a, b, bytes);
	while (i < n && (p[i] == q[i] || !((p[i] | q[i]) & 0x7fff)))
		i++;
	return i == n;
}

/* Panels must equal the portable ones. */
static double pack_case(leat_pack_fn *fn, leat_pack_fn *ref, int format, int n_rows, int n_k, int pairs)
{
	const struct leat_quant *f = leat_quant_at(format);
	int block = f->block_elems, k0 = rnd_below(4) * (block > 1 ? block : 16);
	size_t cols = (size_t)(k0 + n_k), row = leat_quant_bytes(f, cols);
	size_t row_bytes = row + (size_t)rnd_below(3) * (size_t)(block == 1 ? f->block_bytes : 1);
	unsigned char *w = guard(row_bytes * (size_t)(n_rows - 1) + row);
	size_t bytes = pairs ? (size_t)((n_k + 31) / 32 * 32) * LEAT_PANEL_ROWS * 2 : (size_t)n_k * LEAT_PANEL_ROWS * 4;
	void *a = guard(bytes), *b = guard(bytes);

	for (int r = 0; r < n_rows; r++)
		random_blocks(format, w + (size_t)r * row_bytes, cols);
	ref(a, w, row_bytes, n_rows, k0, n_k, 0);
	fn(b, w, row_bytes, n_rows, k0, n_k, (size_t)rnd_below(2) << rnd_below(40));
	int same = same_panel(a, b, bytes, pairs);
	return guard_reset() || !same ? INFINITY : 0;
}

static double check_pack_any(leat_pack_fn *fn, leat_pack_fn *ref, int format, int pairs)
{
	static const int odd[] = {1, 7, 15, 17, 33, 63, 511};
	double worst = 0;

	for (int n_rows = 1; n_rows <= LEAT_PANEL_ROWS; n_rows++) {
		worst = fmax(worst,
			     pack_case(fn, ref, format, n_rows, whole_blocks(format, 32 * (1 + rnd_below(16))), pairs));
		if (leat_quant_at(format)->block_elems == 1)
			worst = fmax(worst, pack_case(fn, ref, format, n_rows, odd[rnd_below(COUNT_OF(odd))], pairs));
	}
	return fmax(worst, pack_case(fn, ref, format, LEAT_PANEL_ROWS, LEAT_PANEL_COLS, pairs));
}

static double check_pack_f32(const struct leat_kernels *k, int format)
{
	return check_pack_any(k->pack_f32[format], portable()->pack_f32[format], format, 0);
}

static double check_pack_bf16(const struct leat_kernels *k, int format)
{
	return check_pack_any(k->pack_bf16[format], portable()->pack_bf16[format], format, 1);
}

struct gemm {
	int n_tokens, n_rows, n_k, accumulate, pairs;
	size_t y_stride, x_stride;
	float *y, *y0;
	void *panel, *x;
};

static double element(const void *p, size_t i, int pairs)
{
	return pairs ? (double)leat_bf16_to_f32(((const uint16_t *)p)[i]) : (double)((const float *)p)[i];
}

static void *random_elements(size_t n, int pairs)
{
	float *f = random_f32(n, 3);
	if (!pairs)
		return f;
	uint16_t *h = guard(n * 2);
	portable()->to_bf16(h, f, (int)n);
	return h;
}

static void make_gemm(struct gemm *g)
{
	size_t pad = g->pairs ? (size_t)((g->n_k + 31) / 32 * 32) : (size_t)g->n_k, tokens = (size_t)g->n_tokens;

	g->x_stride = pad + (g->pairs ? 32 : 1) * (size_t)rnd_below(2);
	g->y_stride = (size_t)g->n_rows + (size_t)rnd_below(3);
	g->panel = random_elements(pad * LEAT_PANEL_ROWS, g->pairs);
	g->x = random_elements(g->x_stride * (tokens - 1) + pad, g->pairs);
	for (size_t t = 0; g->pairs && t < tokens; t++)
		memset((uint16_t *)g->x + t * g->x_stride + g->n_k, 0, (pad - (size_t)g->n_k) * 2);
	size_t n_y = g->y_stride * (tokens - 1) + (size_t)g->n_rows;
	g->y = guard_f32(n_y);
	g->y0 = random_f32(n_y, 3);
	for (size_t t = 0; g->accumulate && t < tokens; t++)
		memcpy(g->y + t * g->y_stride, g->y0 + t * g->y_stride, (size_t)g->n_rows * sizeof *g->y);
}

static double gemm_error(const struct gemm *g, int t, int i)
{
	double exact = g->accumulate ? (double)g->y0[(size_t)t * g->y_stride + (size_t)i] : 0,
	       most = fabs(exact) + 1e-300;

	for (int k = 0; k < g->n_k; k++) {
		size_t at = g->pairs ? (size_t)((k / 2 * LEAT_PANEL_ROWS + i) * 2 + k % 2)
				     : (size_t)(k * LEAT_PANEL_ROWS + i);
		double product =
			element(g->panel, at, g->pairs) * element(g->x, (size_t)t * g->x_stride + (size_t)k, g->pairs);
		exact += product;
		most += fabs(product);
	}
	return fabs((double)g->y[(size_t)t * g->y_stride + (size_t)i] - exact) / most;
}

static double gemm_case(leat_gemm_fn *fn, int n_tokens, int n_rows, int n_k, int pairs)
{
	struct gemm g = {
		.n_tokens = n_tokens, .n_rows = n_rows, .n_k = n_k, .accumulate = rnd_below(2), .pairs = pairs};
	double worst = 0;

	make_gemm(&g);
	fn(g.y, g.y_stride, g.panel, g.x, g.x_stride, n_tokens, n_rows, n_k, g.accumulate);
	for (int t = 0; t < n_tokens; t++) {
		for (int i = 0; i < n_rows; i++)
			worst = fmax(worst, gemm_error(&g, t, i));
		if (t + 1 < n_tokens && !untouched(g.y + (size_t)t * g.y_stride + n_rows, g.y_stride - (size_t)n_rows))
			worst = INFINITY;
	}
	return guard_reset() ? INFINITY : worst;
}

static double check_gemm(const struct leat_kernels *k, int pairs)
{
	static const int rows[] = {1, 5, 15, 16, 17, 31, 32, 32}, cols[] = {1, 2, 7, 32, 33, 64, 160, 511, 512};
	leat_gemm_fn *fn = pairs ? k->gemm_bf16 : k->gemm_f32;
	double worst = 0;

	for (int t = 1; t <= 70; t += t < 40 ? 1 : 7)
		for (size_t r = 0; r < COUNT_OF(rows); r++)
			worst = fmax(worst, gemm_case(fn, t, rows[r], cols[rnd_below(COUNT_OF(cols))], pairs));
	return worst;
}

static double check_dequant(const struct leat_kernels *k, int format)
{
	const struct leat_quant *f = leat_quant_at(format);
	for (int i = 0; i < 200; i++) {
		size_t n = (size_t)(1 + rnd_below(100)) * (size_t)f->block_elems;
		unsigned char *p = guard(leat_quant_bytes(f, n));
		float *a = guard_f32(n), *b = guard_f32(n);
		random_blocks(format, p, n);
		f->dequant(a, p, n);
		k->dequant[format](b, p, n);
		int same = same_f32(a, b, n);
		if (guard_reset() || !same)
			return INFINITY;
	}
	return 0;
}

/* Worst |x - q d| / max |x|, with the rules for zeros, the smallest and what is not finite. */
static double x16_case(const struct leat_kernels *k, int n, int kind)
{
	static const float special[] = {0, 1e-38f, INFINITY, NAN, -INFINITY};
	float *x = random_f32((size_t)n, kind == 0 ? 100 : 6), *d = guard_f32((size_t)leat_x16_blocks(n)),
	      *s = guard_f32(2 * (size_t)leat_x16_blocks(n));
	int16_t *q = guard((size_t)n * 2);
	double worst = 0, most = 0;

	if (kind == 1)
		memset(x, 0, (size_t)n * sizeof *x);
	if (kind >= 2)
		x[rnd_below(n)] = special[rnd_below(COUNT_OF(special))];
	k->to_x16(q, d, s, x, n);
	for (int i = 0; i < n; i++) {
		int first = i / LEAT_X16_BLOCK * LEAT_X16_BLOCK, bad = 0;
		most = 0;
		for (int j = first; j < n && j < first + LEAT_X16_BLOCK; j++) {
			bad |= !isfinite(x[j]);
			most = fmax(most, fabs((double)x[j]));
		}
		float scale = d[i / LEAT_X16_BLOCK];
		int first16 = i / 16 * 16, sum = 0;
		for (int j = first16; j < first16 + 16; j++)
			sum += q[j];
		float want = (float)sum * scale;
		if (!same_f32(&s[i / 16], &want, 1))
			return INFINITY;
		if (q[i] == -32768 || (most == 0 && (scale != 0 || q[i])) || (bad && !isnan(scale)) ||
		    (!bad && !isfinite(scale)))
			return INFINITY;
		if (!bad && most > 0)
			worst = fmax(worst, fabs((double)x[i] - (double)q[i] * (double)scale) / most);
	}
	return worst;
}

static double check_to_x16(const struct leat_kernels *k, int which)
{
	double worst = 0;

	(void)which;
	for (int i = 0; i < 200; i++) {
		worst = fmax(worst, x16_case(k, 32 * (1 + rnd_below(24)), i % 4));
		if (guard_reset())
			return INFINITY;
	}
	return worst;
}

/* All kinds of bit patterns, and every length of the last part. */
static double check_to_half(const struct leat_kernels *k, int which)
{
	for (int n = 1; n < 200; n++) {
		float *x = guard_f32((size_t)n);
		uint16_t *a = guard((size_t)n * 2), *b = guard((size_t)n * 2);
		for (int i = 0; i < n; i++)
			x[i] = i % 3 ? leat_f32_from_bits((uint32_t)rnd()) : rnd_f32(18);
		(which ? portable()->to_bf16 : portable()->to_f16)(a, x, n);
		(which ? k->to_bf16 : k->to_f16)(b, x, n);
		for (int i = 0; i < n; i++)
			if (a[i] != b[i] && !isnan(x[i]))
				return INFINITY;
			else if (isnan(x[i]) && !isnan(which ? leat_bf16_to_f32(b[i]) : leat_f16_to_f32(b[i])))
				return INFINITY;
		if (guard_reset())
			return INFINITY;
	}
	return 0;
}

#define SLOT(member) offsetof(struct leat_kernels, member)

int checks_products(struct check *table)
{
	static char name[LEAT_QUANT_COUNT][4][32];
	struct check *c = table;

	for (int f = 0; f < LEAT_QUANT_COUNT; f++) {
		size_t at = (size_t)f * sizeof(void (*)(void));
		static const char *const kind[] = {"mv", "pack_f32", "pack_bf16", "dequant"};
		for (int i = 0; i < 4; i++)
			snprintf(name[f][i], sizeof name[f][i], "%s.%s", kind[i], leat_quant_at(f)->name);
		*c++ = (struct check){name[f][0], SLOT(mv) + at, 2e-6, check_mv, f};
		*c++ = (struct check){name[f][1], SLOT(pack_f32) + at, 0, check_pack_f32, f};
		*c++ = (struct check){name[f][2], SLOT(pack_bf16) + at, 0, check_pack_bf16, f};
		*c++ = (struct check){name[f][3], SLOT(dequant) + at, 0, check_dequant, f};
	}
	*c++ = (struct check){"gemm_f32", SLOT(gemm_f32), 4e-6, check_gemm, 0};
	*c++ = (struct check){"gemm_bf16", SLOT(gemm_bf16), 4e-6, check_gemm, 1};
	*c++ = (struct check){"to_x16", SLOT(to_x16), 1.55e-5, check_to_x16, 0};
	*c++ = (struct check){"to_f16", SLOT(to_f16), 0, check_to_half, 0};
	*c++ = (struct check){"to_bf16", SLOT(to_bf16), 0, check_to_half, 1};
	return (int)(c - table);
}
