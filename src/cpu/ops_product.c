/* ops_product.c - y = act(W x + b), by one of four rungs.
 *
 * reference: dequantise a row, sum in order of k. mv: straight from the file's blocks, for few rows of x. gemm: panels
 * of 32 weight rows are dequantised once and multiplied with all rows of x. Which rung is a function of the plan's
 * bucket and of how fast panels are packed (leat_kernels.gemm_from); with --deterministic it is always mv. */
#include "cpu/exec.h"
#include "leat/leat.h"
#include "plan/opts.h"

enum leat_cpu_rung leat_cpu_rung(const struct leat_cpu *cpu, int quant, int bucket_rows)
{
	if (cpu->mode == LEAT_MODE_REFERENCE)
		return LEAT_RUNG_REFERENCE;
	if (cpu->mode == LEAT_MODE_DETERMINISTIC || bucket_rows < cpu->k.gemm_from[quant] ||
	    !leat_opt_on(cpu->opts, LEAT_OPT_gemm))
		return LEAT_RUNG_MV;
	/* F16 has three bits more than bf16: rounding them off costs more than NUMERICS.md allows (0.036 measured,
	 * 0.03) */
	int bf16_holds = quant != LEAT_QUANT_f32 && quant != LEAT_QUANT_f16;
	if (bf16_holds && cpu->k.gemm_bf16_fast && leat_opt_on(cpu->opts, LEAT_OPT_bf16_gemm))
		return LEAT_RUNG_GEMM_BF16;
	return LEAT_RUNG_GEMM_F32;
}

int leat_cpu_units_product(const struct leat_exec *x, const struct leat_cpu_op *o)
{
	int rows = o->op->w->rows;
	return leat_cpu_units_rows(x, o) ? (rows + o->unit_rows - 1) / o->unit_rows : 0;
}

void leat_cpu_run_prep_x16(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	size_t n_xd = (size_t)leat_x16_blocks(o->cols);
	(void)worker;
	for (int r = u0; r < u1; r++)
		e->cpu->k.to_x16(o->xq + (size_t)r * o->xq_stride, o->xd + (size_t)r * n_xd,
				 o->xs + (size_t)r * n_xd * 2, o->x[0].p + (size_t)r * o->x[0].stride, o->cols);
}

void leat_cpu_run_prep_bf16(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	(void)worker;
	for (int r = u0; r < u1; r++) {
		uint16_t *y = o->xb + (size_t)r * o->xq_stride;
		e->cpu->k.to_bf16(y, o->x[0].p + (size_t)r * o->x[0].stride, o->cols);
		for (size_t i = (size_t)o->cols; i < o->xq_stride; i++)
			y[i] = 0;
	}
}

static void reference(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int r0, int r1, int n_rows)
{
	const struct leat_weight *w = o->op->w;
	float *row = e->cpu->scratch[worker].row;
	for (int r = r0; r < r1; r++) {
		leat_quant_at(w->quant)->dequant(row, o->w + (size_t)r * w->row_bytes,
						 (size_t)w->cols);
		for (int t = 0; t < n_rows; t++) {
			const float *x = o->x[0].p + (size_t)t * o->x[0].stride;
			double sum = 0;
			for (int k = 0; k < w->cols; k++)
				sum += (double)row[k] * (double)x[k];
			o->y.p[(size_t)t * o->y.stride + (size_t)r] = (float)sum;
		}
	}
}

static void mv(struct leat_exec *e, const struct leat_cpu_op *o, int r0, int r1, int n_rows)
{
	const struct leat_weight *w = o->op->w;
	struct leat_mm a = {
		.w = o->w, .row_bytes = w->row_bytes, .n_cols = w->cols, .n_tokens = n_rows, .x = o->x[0].p,
		.x_stride = o->x[0].stride, .xq = o->xq, .xd = o->xd, .xs = o->xs, .xq_stride = o->xq_stride,
		.y = o->y.p, .y_stride = o->y.stride,
	};
	e->cpu->k.mv[w->quant](&a, r0, r1);
}

/* How far behind columns k0 .. of unit u this worker's next weights lie: the same columns of its next unit, or the
 * next columns of this one if a unit is more than a core's own cache should hold. 0: not known. */
static size_t pack_ahead(const struct leat_cpu_op *o, int u, int next, int k0)
{
	enum { MOST_BYTES = 256 << 10 };
	const struct leat_weight *w = o->op->w;
	size_t unit_bytes = (size_t)o->unit_rows * w->row_bytes;
	if (!o->looks_ahead)
		return 0;
	if (unit_bytes > MOST_BYTES && k0 + LEAT_PANEL_COLS < w->cols)
		return w->row_bytes * LEAT_PANEL_COLS / (size_t)w->cols;
	if (next <= u)
		return 0;
	return (size_t)(next - u) * unit_bytes -
	       (unit_bytes > MOST_BYTES ? w->row_bytes * (size_t)k0 / (size_t)w->cols : 0);
}

static void gemm(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int r0, int r1, int n_rows, int next,
		 int bf16)
{
	int u = r0 / o->unit_rows;
	const struct leat_kernels *k = &e->cpu->k;
	const struct leat_weight *w = o->op->w;
	const unsigned char *src = o->w + (size_t)r0 * w->row_bytes;
	void *panel = e->cpu->scratch[worker].panel;
	for (int k0 = 0; k0 < w->cols; k0 += LEAT_PANEL_COLS) {
		int n_k = w->cols - k0 < LEAT_PANEL_COLS ? w->cols - k0 : LEAT_PANEL_COLS;
		size_t ahead = pack_ahead(o, u, next, k0);
		if (bf16) {
			k->pack_bf16[w->quant](panel, src, w->row_bytes, r1 - r0, k0, n_k, ahead);
			k->gemm_bf16(o->y.p + r0, o->y.stride, panel, o->xb + k0, o->xq_stride, n_rows, r1 - r0, n_k,
				     k0 > 0);
		} else {
			k->pack_f32[w->quant](panel, src, w->row_bytes, r1 - r0, k0, n_k, ahead);
			k->gemm_f32(o->y.p + r0, o->y.stride, panel, o->x[0].p + k0, o->x[0].stride, n_rows, r1 - r0,
				    n_k, k0 > 0);
		}
	}
}

static void epilogue(const struct leat_exec *e, const struct leat_cpu_op *o, int r0, int r1, int n_rows)
{
	const struct leat_kernels *k = &e->cpu->k;
	int act = o->op->i[0], n = r1 - r0;
	if (!o->op->v[0] && act == LEAT_ACT_NONE)
		return;
	for (int t = 0; t < n_rows; t++) {
		float *y = o->y.p + (size_t)t * o->y.stride + r0;
		if (o->op->v[0])
			k->add(y, y, o->op->v[0]->data + r0, n);
		if (act != LEAT_ACT_NONE)
			k->act[act](y, y, n);
	}
}

void leat_cpu_run_product(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	const struct leat_weight *w = o->op->w;
	int n_rows = leat_cpu_units_rows(e, o);
	int bucket = o->rows == LEAT_ROWS_TOKENS ? e->plan->key.tokens : e->plan->key.outputs;
	enum leat_cpu_rung rung = leat_cpu_rung(e->cpu, w->quant, bucket);
	int next = e->cpu->scratch[worker].next_unit;
	for (int u = u0; u < u1; u++) {
		int r0 = u * o->unit_rows, r1 = r0 + o->unit_rows < w->rows ? r0 + o->unit_rows : w->rows;
		if (rung == LEAT_RUNG_REFERENCE)
			reference(e, o, worker, r0, r1, n_rows);
		else if (rung == LEAT_RUNG_MV)
			mv(e, o, r0, r1, n_rows);
		else
			gemm(e, o, worker, r0, r1, n_rows, u + 1 < u1 ? u + 1 : next, rung == LEAT_RUNG_GEMM_BF16);
		epilogue(e, o, r0, r1, n_rows);
	}
}
