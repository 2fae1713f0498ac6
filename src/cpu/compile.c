/* compile.c - lowers a plan: addresses are resolved, activations that a product wants in another form are prepared
 * right after the op that made them, and a barrier is put only before an op that touches what another op since the last
 * barrier wrote (or writes what it read). */
#include <stdlib.h>

#include "cpu/exec.h"
#include "plan/opts.h"

enum { MAX_PREPS = 12 };

/* A prepared form of a buffer, alive until the buffer is written again. */
struct prep {
	int buf;           /* -1: free */
	int rung;
	int last_use;      /* op index; the slot may be reused after it */
	size_t offset, bytes;
};

struct lower {
	struct leat_exec *x;
	const struct leat_plan *plan;
	int cap;
	struct prep prep[MAX_PREPS];
	size_t slot_bytes; /* one prepared activation at this plan's largest */
	int slots;         /* used so far: the others are never touched */
	int out_of_slots;
};

static int rows_of(const struct leat_plan *p, int rows)
{
	return rows == LEAT_ROWS_TOKENS ? p->key.tokens : p->key.outputs;
}

static size_t round64(size_t n)
{
	return (n + 63) / 64 * 64;
}

/* Which prepared form the product `op` reads: the rung if it needs one, -1 if it reads f32. */
static int wanted_form(const struct leat_exec *x, const struct leat_op *op)
{
	const struct leat_plan *p = x->plan;
	int rung = (int)leat_cpu_rung(x->cpu, op->w->quant, rows_of(p, p->buf[op->in[0]].rows));
	if (rung == LEAT_RUNG_MV && x->cpu->k.mv_form[op->w->quant] == LEAT_X_I16)
		return rung;
	return rung == LEAT_RUNG_GEMM_BF16 ? rung : -1;
}

static size_t prep_row_elems(int cols)
{
	return round64((size_t)cols * 2) / 2;
}

static size_t prep_bytes(const struct leat_plan *p, const struct leat_buf *b)
{
	size_t rows = (size_t)rows_of(p, b->rows);
	return round64(rows * prep_row_elems(b->cols) * 2) +
	       round64(rows * (size_t)leat_x16_blocks(b->cols) * 3 * sizeof(float));
}

static void measure(struct lower *l)
{
	const struct leat_plan *p = l->plan;
	for (int i = 0; i < p->n_ops; i++)
		if (p->op[i].kind == LEAT_OP_product && wanted_form(l->x, &p->op[i]) >= 0) {
			size_t n = prep_bytes(p, &p->buf[p->op[i].in[0]]);
			l->slot_bytes = n > l->slot_bytes ? n : l->slot_bytes;
		}
	for (int i = 0; i < MAX_PREPS; i++)
		l->prep[i] = (struct prep){ .buf = -1, .offset = (size_t)i * l->slot_bytes };
}

static struct leat_cpu_op *append(struct lower *l, const struct leat_op *op)
{
	struct leat_exec *x = l->x;
	if (x->n_ops == l->cap) {
		int cap = l->cap ? 2 * l->cap : 512;
		struct leat_cpu_op *n = realloc(x->op, (size_t)cap * sizeof *n);
		if (!n)
			return NULL;
		x->op = n;
		l->cap = cap;
	}
	struct leat_cpu_op *o = &x->op[x->n_ops++];
	*o = (struct leat_cpu_op){ .op = op };
	return o;
}

static struct leat_cpu_arg resolve(const struct leat_exec *x, int buf)
{
	const struct leat_buf *b = &x->plan->buf[buf];
	return (struct leat_cpu_arg){ x->arena + b->offset, (size_t)b->stride };
}

/* A number for how rows lie in a range: floats from one to the next (or columns of a prepared form), whose rows, and
 * the form, 0: f32. */
static uintptr_t row_layout(int cols, int rows, int form)
{
	return ((uintptr_t)cols << 1 | (uintptr_t)(rows == LEAT_ROWS_TOKENS)) << 3 | (uintptr_t)form;
}

static struct leat_cpu_range range_of(const struct leat_exec *x, int buf)
{
	const struct leat_buf *b = &x->plan->buf[buf];
	uintptr_t p = (uintptr_t)(x->arena + b->offset);
	uintptr_t bytes = (uintptr_t)rows_of(x->plan, b->rows) * (uintptr_t)b->stride * sizeof(float);
	return (struct leat_cpu_range){ p, p + bytes, row_layout(b->stride, b->rows, 0) };
}

/* State tensors have addresses of their own, above every pointer. */
static struct leat_cpu_range state_range(const struct leat_op *op, int n)
{
	uintptr_t p = UINTPTR_MAX / 2 + (uintptr_t)(op->layer + 1) * LEAT_MAX_STATE_TENSORS * 2 + (uintptr_t)op->state;
	return (struct leat_cpu_range){ p, p + (uintptr_t)n, 0 };
}

/* All of `rows` in chunks of 16 rows of about this many bytes: large enough to claim cheaply, small enough to share. */
static int unit_rows(const struct leat_exec *x, const struct leat_weight *w, int rung)
{
	if (rung >= LEAT_RUNG_GEMM_F32)
		return LEAT_PANEL_ROWS;
	size_t bytes = 192 * 1024, n = bytes / w->row_bytes / 16 * 16;
	int most = (w->rows / (x->cpu->n_threads * 4) + 15) / 16 * 16;
	if (n < 16)
		n = 16;
	return (int)n < most ? (int)n : most < 16 ? 16 : most;
}

static void state_hazards(struct leat_cpu_op *o)
{
	switch (o->op->kind) {
	case LEAT_OP_kv_store:
		o->write[o->n_write++] = state_range(o->op, 2);
		break;
	case LEAT_OP_attention:
		o->read[o->n_read++] = state_range(o->op, 2);
		break;
	case LEAT_OP_shift:
	case LEAT_OP_wkv7:
	case LEAT_OP_hook:
		o->write[o->n_write++] = state_range(o->op, 1);
		break;
	default:
		break;
	}
}

static void use_prep(struct lower *l, struct leat_cpu_op *o, const struct prep *p)
{
	const struct leat_exec *x = l->x;
	const struct leat_buf *b = &l->plan->buf[p->buf];
	unsigned char *at = x->prep + p->offset;
	o->xq_stride = prep_row_elems(b->cols);
	if (p->rung == LEAT_RUNG_GEMM_BF16) {
		o->xb = (uint16_t *)(void *)at;
	} else {
		o->xq = (int16_t *)(void *)at;
		size_t rows = (size_t)rows_of(l->plan, b->rows);
		o->xd = (float *)(void *)(at + round64(rows * o->xq_stride * 2));
		o->xs = o->xd + rows * (size_t)leat_x16_blocks(b->cols);
	}
}

static struct leat_cpu_range prep_range(const struct lower *l, const struct prep *p)
{
	uintptr_t at = (uintptr_t)l->x->prep + p->offset;
	const struct leat_buf *b = &l->plan->buf[p->buf];
	return (struct leat_cpu_range){ at, at + l->slot_bytes, row_layout(b->cols, b->rows, p->rung + 1) };
}

/* Units that are rows go to workers in fixed shares, unless one worker does them all. A token shift reads the row
 * before its own, a gather any row. */
static void go_by_row(const struct lower *l, struct leat_cpu_op *o)
{
	int kind = o->op ? o->op->kind : -1;
	if (o->single || !leat_opt_on(l->x->cpu->opts, LEAT_OPT_row_shares) ||
	    (o->units != leat_cpu_units_rows && o->units != leat_cpu_units_shift))
		return;
	o->by_row = 1;
	for (int i = 0; i < o->n_read && (kind == LEAT_OP_shift || kind == LEAT_OP_gather); i++)
		o->read[i].layout = 0;
}

static struct prep *find_prep(struct lower *l, int buf, int form)
{
	for (int i = 0; i < MAX_PREPS; i++)
		if (l->prep[i].buf == buf && l->prep[i].rung == form)
			return &l->prep[i];
	return NULL;
}

static int lower_op(struct lower *l, const struct leat_op *op)
{
	const struct leat_plan *p = l->plan;
	const struct leat_cpu_lowering *how = leat_cpu_lower(op->kind);
	struct leat_cpu_op *o = append(l, op);
	if (!o)
		return 1;
	const struct leat_buf *b = &p->buf[op->out >= 0 ? op->out : op->in[0]];
	o->layer = op->layer;
	o->part = op->part;
	o->run = how->run;
	o->units = how->units;
	o->rows = b->rows;
	o->cols = b->cols;
	o->w = op->w ? leat_cpu_weight(l->x->cpu, op->w) : NULL;
	o->single = op->kind == LEAT_OP_hook || (!how->splits && rows_of(p, b->rows) == 1);
	for (int i = 0; i < LEAT_OP_INS; i++)
		o->x[i] = op->n_in ? resolve(l->x, op->in[i < op->n_in ? i : 0]) : resolve(l->x, op->out);
	o->y = resolve(l->x, op->out >= 0 ? op->out : op->in[0]);
	for (int i = 0; i < op->n_in; i++)
		o->read[o->n_read++] = range_of(l->x, op->in[i]);
	if (op->out >= 0)
		o->write[o->n_write++] = range_of(l->x, op->out);
	if (op->state >= 0)
		state_hazards(o);
	if (op->kind == LEAT_OP_product) {
		int form = wanted_form(l->x, op);
		int rung = (int)leat_cpu_rung(l->x->cpu, op->w->quant, rows_of(p, b->rows));
		o->unit_rows = unit_rows(l->x, op->w, rung);
		o->looks_ahead = rung >= LEAT_RUNG_GEMM_F32 && leat_opt_on(l->x->cpu->opts, LEAT_OPT_pack_ahead);
		if (form >= 0) {
			const struct prep *pr = find_prep(l, op->in[0], form);
			if (!pr)
				return 1;
			use_prep(l, o, pr);
			o->read[0] = prep_range(l, pr);
		}
	}
	go_by_row(l, o);
	return 0;
}

/* The slot for a new preparation: a free one, else the one whose last use is longest past. */
static struct prep *take_slot(struct lower *l, int now)
{
	for (int i = 0; i < MAX_PREPS; i++)
		if (l->prep[i].buf < 0 || l->prep[i].last_use < now)
			return &l->prep[l->slots > i ? i : (l->slots = i + 1) - 1];
	l->out_of_slots = 1;
	return NULL;
}

static int lower_prep(struct lower *l, int buf, int form, int now, int last_use)
{
	const struct leat_buf *b = &l->plan->buf[buf];
	struct prep *p = take_slot(l, now);
	struct leat_cpu_op *o = p ? append(l, NULL) : NULL;
	if (!o)
		return 1;
	*p = (struct prep){ .buf = buf, .rung = form, .last_use = last_use, .offset = p->offset };
	o->layer = l->plan->op[now].layer;
	o->part = l->plan->op[now].part;
	o->run = form == LEAT_RUNG_GEMM_BF16 ? leat_cpu_run_prep_bf16 : leat_cpu_run_prep_x16;
	o->units = leat_cpu_units_rows;
	o->rows = b->rows;
	o->cols = b->cols;
	o->single = rows_of(l->plan, b->rows) == 1;
	for (int i = 0; i < LEAT_OP_INS; i++)
		o->x[i] = resolve(l->x, buf);
	o->y = o->x[0];
	use_prep(l, o, p);
	o->read[o->n_read++] = range_of(l->x, buf);
	o->write[o->n_write++] = prep_range(l, p);
	go_by_row(l, o);
	return 0;
}

/* After op i has written its output: prepare it for every product that reads it before it is written again. */
static int prepare_output(struct lower *l, int i)
{
	const struct leat_plan *p = l->plan;
	int buf = p->op[i].out, last[2] = { -1, -1 }, forms[2] = { LEAT_RUNG_MV, LEAT_RUNG_GEMM_BF16 };
	if (buf < 0)
		return 0;
	for (int j = 0; j < MAX_PREPS; j++)
		if (l->prep[j].buf == buf)
			l->prep[j].buf = -1;
	for (int j = i + 1; j < p->n_ops && j <= p->buf[buf].last_op; j++) {
		const struct leat_op *op = &p->op[j];
		if (op->kind == LEAT_OP_product && op->in[0] == buf) {
			int form = wanted_form(l->x, op);
			if (form >= 0)
				last[form == forms[1]] = j;
		}
		if (op->out == buf)
			break;
	}
	for (int f = 0; f < 2; f++)
		if (last[f] >= 0 && lower_prep(l, buf, forms[f], i, last[f]))
			return 1;
	return 0;
}

/* by_row: each worker uses the same rows of a range in one layout in both ops. */
static int overlap(const struct leat_cpu_range *a, int na, const struct leat_cpu_range *b, int nb, int by_row)
{
	for (int i = 0; i < na; i++)
		for (int j = 0; j < nb; j++) {
			int same = a[i].begin == b[j].begin && a[i].end == b[j].end && a[i].layout == b[j].layout;
			if (a[i].begin < b[j].end && b[j].begin < a[i].end && !(by_row && same && a[i].layout))
				return 1;
		}
	return 0;
}

/* Must all workers meet between op a and the later op b? Two ops that worker 0 runs alone are in order anyway. */
static int hazard(const struct leat_cpu_op *a, const struct leat_cpu_op *b)
{
	int by_row = a->by_row && b->by_row;
	if (a->single && b->single)
		return 0;
	return overlap(a->write, a->n_write, b->read, b->n_read, by_row) ||
	       overlap(a->write, a->n_write, b->write, b->n_write, by_row) ||
	       overlap(a->read, a->n_read, b->write, b->n_write, by_row);
}

static void place_barriers(struct leat_exec *x)
{
	int all = !leat_opt_on(x->cpu->opts, LEAT_OPT_barrier_elision), since = 0;
	for (int i = 1; i < x->n_ops; i++) {
		int need = all;
		for (int j = since; j < i && !need; j++)
			need = hazard(&x->op[j], &x->op[i]);
		if (need) {
			x->op[i].barrier = 1;
			since = i;
		}
	}
}

static int lower_all(struct lower *l)
{
	const struct leat_plan *p = l->plan;
	struct leat_exec *x = l->x;
	for (int i = 0; i < p->n_ops; i++)
		if (lower_op(l, &p->op[i]) || prepare_output(l, i))
			return 1;
	place_barriers(x);
	struct leat_cpu_op *fits = realloc(x->op, (size_t)x->n_ops * sizeof *fits);
	if (fits) {
		x->op = fits;
		l->cap = x->n_ops;
	}
	x->ticket = leat_alloc_aligned((size_t)x->n_ops * sizeof *x->ticket);
	return !x->ticket;
}

/* Reference products dequantise a whole row. */
static int grow_rows(struct leat_cpu *cpu, const struct leat_plan *p)
{
	size_t most = 0;
	for (int i = 0; i < p->n_ops; i++)
		if (p->op[i].kind == LEAT_OP_product && (size_t)p->op[i].w->cols > most)
			most = (size_t)p->op[i].w->cols;
	for (int i = 0; i < cpu->n_threads; i++) {
		if (cpu->scratch[i].row_floats >= most)
			continue;
		float *row = leat_alloc_aligned(most * sizeof *row);
		if (!row)
			return 1;
		free(cpu->scratch[i].row);
		cpu->scratch[i].row = row;
		cpu->scratch[i].row_floats = most;
	}
	return 0;
}

/* Address space for the largest preparations; what is written of it shows when all ops are lowered. */
static int take_scratch(struct lower *l)
{
	struct leat_exec *x = l->x;
	struct leat_bufpool *pool = &x->cpu->scratch_pool;
	x->arena_held = leat_bufpool_take(pool, LEAT_SCRATCH_ARENA, l->plan->arena_floats * sizeof(float));
	x->prep_held = leat_bufpool_take(pool, LEAT_SCRATCH_PREP, l->slot_bytes * MAX_PREPS);
	if (!x->arena_held || !x->prep_held)
		return 1;
	x->arena = x->arena_held->p;
	x->prep = x->prep_held->p;
	return 0;
}

static void sum_up(const struct lower *l)
{
	struct leat_exec *x = l->x;
	const struct leat_plan *p = l->plan;
	size_t arena = p->arena_floats * sizeof(float), prep = l->slot_bytes * (size_t)l->slots;
	x->info = (struct leat_exec_info){
		.n_launches = x->n_ops,
		.table_bytes = sizeof *x + (size_t)l->cap * sizeof *x->op + (size_t)x->n_ops * sizeof *x->ticket,
		.scratch_bytes = arena + prep,
	};
	for (int i = 0; i < x->n_ops; i++)
		x->info.n_barriers += x->op[i].barrier;
	for (int i = 0; i < p->n_bufs; i++)
		x->info.padded_bytes += (size_t)leat_buf_rows(p, &p->buf[i]) *
					(size_t)(p->buf[i].stride - p->buf[i].cols) * sizeof(float);
	leat_bufpool_uses(x->arena_held, arena);
	leat_bufpool_uses(x->prep_held, prep);
}

enum leat_status leat_cpu_compile(void *dev, const struct leat_plan *plan, struct leat_exec **ret, size_t *ret_bytes,
				  struct leat_error *err)
{
	struct leat_cpu *cpu = dev;
	struct leat_exec *x = calloc(1, sizeof *x);
	struct lower l = { .x = x, .plan = plan };
	int bad = !x;
	if (!bad) {
		x->cpu = cpu;
		x->plan = plan;
		measure(&l);
		bad = take_scratch(&l) || grow_rows(cpu, plan) || lower_all(&l);
	}
	if (bad) {
		leat_cpu_release(dev, x);
		if (l.out_of_slots)
			return leat_fail(err, LEAT_E_INTERNAL, "plan", LEAT_NO_OFFSET,
					 "more than %d prepared activations live at once", MAX_PREPS);
		return leat_fail(err, LEAT_E_NOMEM, "plan", LEAT_NO_OFFSET,
				 "out of memory for a plan of %d tokens (%zu bytes of scratch)", plan->key.tokens,
				 plan->arena_floats * sizeof(float));
	}
	sum_up(&l);
	*ret_bytes = x->info.table_bytes;
	*ret = x;
	return LEAT_OK;
}

void leat_cpu_release(void *dev, struct leat_exec *x)
{
	struct leat_cpu *cpu = dev;
	if (!x)
		return;
	leat_bufpool_give(&cpu->scratch_pool, x->arena_held);
	leat_bufpool_give(&cpu->scratch_pool, x->prep_held);
	free(x->op);
	free(x->ticket);
	free(x);
}
