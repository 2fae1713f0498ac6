/* ops_row.c - ops whose rows are independent: norms, elementwise, embedding, rope. */
#include <math.h>
#include <string.h>

#include "cpu/exec.h"
#include "plan/softmax.h"

int leat_cpu_units_rows(const struct leat_exec *x, const struct leat_cpu_op *o)
{
	return o->rows == LEAT_ROWS_TOKENS ? x->step->n_tokens : x->step->n_outputs;
}

static inline float *row(const struct leat_cpu_arg *a, int r)
{
	return a->p + (size_t)r * a->stride;
}

/* Every function below is a loop over rows around one kernel. */
#define ROW_OP(name, body)                                                                                         \
	static void run_##name(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)       \
	{                                                                                                          \
		const struct leat_kernels *k = &e->cpu->k;                                                         \
		const struct leat_op *op = o->op;                                                                  \
		(void)worker, (void)k, (void)op;                                                                   \
		for (int r = u0; r < u1; r++) {                                                                    \
			float *y = row(&o->y, r);                                                                  \
			const float *a = row(&o->x[0], r), *b = row(&o->x[1], r);                                  \
			int n = o->cols;                                                                           \
			(void)a, (void)b, (void)n;                                                                 \
			body;                                                                                      \
		}                                                                                                  \
	}

ROW_OP(rmsnorm, k->rmsnorm(y, a, op->v[0]->data, n, op->f[0]))
ROW_OP(layernorm, k->layernorm(y, a, op->v[0]->data, op->v[1]->data, n, op->f[0]))
ROW_OP(swiglu, k->swiglu(y, a, b, n))
ROW_OP(add, k->add(y, a, b, n))
ROW_OP(mul, k->mul(y, a, op->v[0] ? op->v[0]->data : b, n))
ROW_OP(mix, k->mix(y, a, b, row(&o->x[2], r), n))
ROW_OP(lerp, k->lerp(y, a, b, op->v[0]->data + (size_t)op->i[0] * (size_t)n, n))
ROW_OP(key_scale, k->key_scale(y, a, b, op->v[0]->data, n))
ROW_OP(rope, k->rope[op->i[3]](y, a, b, op->i[0], op->i[1], op->i[2]))
ROW_OP(gather, memcpy(y, row(&o->x[0], e->step->out_row[r]), (size_t)n * sizeof *y))

static void run_embed(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	const struct leat_weight *w = o->op->w;
	(void)worker;
	for (int r = u0; r < u1; r++) {
		int32_t id = e->step->id[r];
		const float *raw = e->step->seq[e->step->seq_of[r]].raw;
		if (id < 0) {
			memcpy(row(&o->y, r), raw + (size_t)(-1 - id) * (size_t)w->cols, (size_t)w->cols * sizeof *raw);
			continue;
		}
		const unsigned char *src = o->w + (size_t)id * w->row_bytes;
		e->cpu->k.dequant[w->quant](row(&o->y, r), src, (size_t)w->cols);
	}
}

static void run_groupnorm(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	const struct leat_op *op = o->op;
	int n = o->cols / op->i[0];
	(void)worker;
	for (int r = u0; r < u1; r++)
		for (int h = 0; h < o->cols; h += n)
			e->cpu->k.layernorm(row(&o->y, r) + h, row(&o->x[0], r) + h, op->v[0]->data + h,
					    op->v[1]->data + h, n, op->f[0]);
}

static void run_headnorm(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	int n = o->cols / o->op->i[0];
	(void)worker;
	for (int r = u0; r < u1; r++)
		for (int h = 0; h < o->cols; h += n)
			e->cpu->k.rmsnorm(row(&o->y, r) + h, row(&o->x[0], r) + h, o->op->v[0]->data, n, o->op->f[0]);
}

static void run_l2norm(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	int n = o->cols / o->op->i[0];
	(void)worker;
	for (int r = u0; r < u1; r++)
		for (int h = 0; h < o->cols; h += n)
			e->cpu->k.l2norm(row(&o->y, r) + h, row(&o->x[0], r) + h, n);
}

static void run_bonus(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	int n = o->cols / o->op->i[0];
	(void)worker;
	for (int r = u0; r < u1; r++)
		for (int h = 0; h < o->cols; h += n)
			e->cpu->k.bonus(row(&o->y, r) + h, row(&o->x[1], r) + h, row(&o->x[2], r) + h,
					row(&o->x[3], r) + h, o->op->v[0]->data + h, n);
}

/* Angles in f32, as transformers computes them: position times inverse frequency, then cosf and sinf. */
static void run_rope_table(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	const struct leat_rope *rope = o->op->rope;
	int n = rope->n_rot / 2;
	(void)worker;
	for (int r = u0; r < u1; r++) {
		float *y = row(&o->y, r), pos = (float)e->step->pos[r];
		int is_long = e->step->seq[e->step->seq_of[r]].rope_long && rope->long_freq;
		const float *inv_freq = is_long ? rope->long_freq : rope->inv_freq;
		for (int i = 0; i < n; i++) {
			y[i] = cosf(pos * inv_freq[i]) * rope->scale;
			y[n + i] = sinf(pos * inv_freq[i]) * rope->scale;
		}
	}
}

static void run_softmax(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	int n = e->step->n_vocab > 0 && e->step->n_vocab < o->cols ? e->step->n_vocab : o->cols;
	(void)worker;
	for (int r = u0; r < u1; r++) {
		leat_softmax_row(row(&o->y, r), (size_t)n);
		memset(row(&o->y, r) + n, 0, (size_t)(o->cols - n) * sizeof(float));
	}
}

static int units_hook(const struct leat_exec *x, const struct leat_cpu_op *o)
{
	return leat_cpu_units_rows(x, o) > 0;
}

/* All rows in one call. */
static void run_hook(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	const struct leat_step_call call = {
		.point = o->op->i[0], .layer = o->op->layer, .rows = o->rows, .cols = o->cols,
		.state = o->op->state, .data = o->y.p, .stride = o->y.stride,
	};
	(void)worker, (void)u0, (void)u1;
	e->step->hook(e->step->hook_arg, &call);
}

static const struct leat_cpu_lowering table[LEAT_OP_COUNT] = {
	[LEAT_OP_embed] = { run_embed, leat_cpu_units_rows, 0 },
	[LEAT_OP_rmsnorm] = { run_rmsnorm, leat_cpu_units_rows, 0 },
	[LEAT_OP_headnorm] = { run_headnorm, leat_cpu_units_rows, 0 },
	[LEAT_OP_layernorm] = { run_layernorm, leat_cpu_units_rows, 0 },
	[LEAT_OP_groupnorm] = { run_groupnorm, leat_cpu_units_rows, 0 },
	[LEAT_OP_l2norm] = { run_l2norm, leat_cpu_units_rows, 0 },
	[LEAT_OP_product] = { leat_cpu_run_product, leat_cpu_units_product, 1 },
	[LEAT_OP_rope_table] = { run_rope_table, leat_cpu_units_rows, 0 },
	[LEAT_OP_rope] = { run_rope, leat_cpu_units_rows, 0 },
	[LEAT_OP_kv_store] = { leat_cpu_run_kv_store, leat_cpu_units_rows, 0 },
	[LEAT_OP_attention] = { leat_cpu_run_attention, leat_cpu_units_attention, 1 },
	[LEAT_OP_swiglu] = { run_swiglu, leat_cpu_units_rows, 0 },
	[LEAT_OP_add] = { run_add, leat_cpu_units_rows, 0 },
	[LEAT_OP_mul] = { run_mul, leat_cpu_units_rows, 0 },
	[LEAT_OP_mix] = { run_mix, leat_cpu_units_rows, 0 },
	[LEAT_OP_shift] = { leat_cpu_run_shift, leat_cpu_units_shift, 0 },
	[LEAT_OP_lerp] = { run_lerp, leat_cpu_units_rows, 0 },
	[LEAT_OP_key_scale] = { run_key_scale, leat_cpu_units_rows, 0 },
	[LEAT_OP_wkv7] = { leat_cpu_run_wkv7, leat_cpu_units_wkv7, 1 },
	[LEAT_OP_bonus] = { run_bonus, leat_cpu_units_rows, 0 },
	[LEAT_OP_gather] = { run_gather, leat_cpu_units_rows, 0 },
	[LEAT_OP_softmax] = { run_softmax, leat_cpu_units_rows, 1 },
	[LEAT_OP_hook] = { run_hook, units_hook, 0 },
};

const struct leat_cpu_lowering *leat_cpu_lower(int op_kind)
{
	return &table[op_kind];
}
