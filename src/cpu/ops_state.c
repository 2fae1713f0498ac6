/* ops_state.c - ops that read and write what sequences carry: token shift, RWKV-7 time mix, the paged cache, attention.
 */
#include <math.h>
#include <string.h>

#include "cpu/exec.h"
#include "plan/opts.h"

static inline float *row(const struct leat_cpu_arg *a, int r)
{
	return a->p + (size_t)r * a->stride;
}

/* A checkpoint after row r copies n floats of one state tensor from the sequence's state as it is now. */
static void checkpoint(const struct leat_exec *e, const struct leat_op *op, int r, size_t at, const float *now,
		       size_t n)
{
	const struct leat_step *s = e->step;
	for (int i = 0; i < s->n_checkpoints; i++)
		if (s->checkpoint[i].row == r)
			memcpy(leat_state_cell(e->state, op->state, op->layer, s->checkpoint[i].cell) + at, now,
			       n * sizeof *now);
}

int leat_cpu_units_shift(const struct leat_exec *x, const struct leat_cpu_op *o)
{
	(void)o;
	return x->step->n_tokens;
}

/* Unit: one row. The last row of a sequence also writes the outgoing state. */
void leat_cpu_run_shift(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	const struct leat_op *op = o->op;
	size_t bytes = (size_t)o->cols * sizeof(float);
	(void)worker;
	for (int r = u0; r < u1; r++) {
		const struct leat_step_seq *q = &e->step->seq[e->step->seq_of[r]];
		float *d = row(&o->y, r), *x = row(&o->x[0], r);
		if (r > q->first)
			e->cpu->k.sub(d, row(&o->x[0], r - 1), x, o->cols);
		else if (q->state_in >= 0)
			e->cpu->k.sub(d, leat_state_cell(e->state, op->state, op->layer, q->state_in), x, o->cols);
		else
			for (int i = 0; i < o->cols; i++)
				d[i] = -x[i];
		if (r == q->first + q->n - 1)
			memcpy(leat_state_cell(e->state, op->state, op->layer, q->state_out), x, bytes);
		checkpoint(e, op, r, 0, x, (size_t)o->cols);
	}
}

/* From so many bytes of states, read and written, on a step's state is long out of the caches when it is read again. */
enum { FAR_BYTES = 16 << 20 };

static int states_are_far(const struct leat_exec *x)
{
	size_t bytes = (size_t)x->step->n_seqs * x->state->cell_floats * sizeof(float) * 2;
	return leat_opt_on(x->cpu->opts, LEAT_OPT_far_state) && bytes >= FAR_BYTES;
}

/* Heads of a unit. Those of one sequence lie together, and long runs of memory stream best: as many as leave each
 * thread eight units, where all units are as long. */
static int unit_heads(const struct leat_exec *x, int n_heads)
{
	enum { MOST = 8 };
	int n = 1, all = x->step->n_seqs * n_heads;
	if (x->step->n_tokens > x->step->n_seqs || !states_are_far(x))
		return 1;
	while (n < MOST && all / (2 * n) >= 8 * x->cpu->n_threads)
		n *= 2;
	return n;
}

int leat_cpu_units_wkv7(const struct leat_exec *x, const struct leat_cpu_op *o)
{
	int n_heads = o->op->i[0], unit = unit_heads(x, n_heads);
	return x->step->n_seqs * ((n_heads + unit - 1) / unit);
}

/* Heads h0 <= h < h1 of one sequence, its tokens in order. */
static void wkv7_heads(const struct leat_exec *e, const struct leat_cpu_op *o, const struct leat_step_seq *q, int h0,
		       int h1)
{
	const struct leat_op *op = o->op;
	int n = o->cols / op->i[0], far = q->n == 1 && q->state_in >= 0 && states_are_far(e);
	size_t block = (size_t)n * (size_t)n, at = (size_t)h0 * block, c = (size_t)h0 * (size_t)n;
	size_t n_out = (size_t)(h1 - h0) * block;
	float *out = leat_state_cell(e->state, op->state, op->layer, q->state_out) + at;
	const float *in = out;
	if (q->state_in >= 0)
		in = leat_state_cell(e->state, op->state, op->layer, q->state_in) + at;
	else
		memset(out, 0, n_out * sizeof *out);
	for (int r = q->first; r < q->first + q->n; r++, in = out) {
		float *y = row(&o->y, r) + c;
		const float *x[6];
		for (int i = 0; i < 6; i++)
			x[i] = row(&o->x[i], r) + c;
		if (far)
			e->cpu->k.wkv7_far(y, out, in, x[0], x[1], x[2], x[3], x[4], x[5], n, h1 - h0);
		for (int h = 0; !far && h < h1 - h0; h++)
			e->cpu->k.wkv7(y + h * n, out + (size_t)h * block, in + (size_t)h * block, x[0] + h * n,
				       x[1] + h * n, x[2] + h * n, x[3] + h * n, x[4] + h * n, x[5] + h * n, n);
		checkpoint(e, op, r, at, out, n_out);
	}
}

/* Unit: some heads of one sequence. */
void leat_cpu_run_wkv7(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	int n_heads = o->op->i[0], unit = unit_heads(e, n_heads), per_seq = (n_heads + unit - 1) / unit;
	(void)worker;
	for (int u = u0; u < u1; u++) {
		int h0 = u % per_seq * unit, h1 = h0 + unit < n_heads ? h0 + unit : n_heads;
		wkv7_heads(e, o, &e->step->seq[u / per_seq], h0, h1);
	}
}

/* Address of (tensor, head) in page 0 of the op's layer. */
static unsigned char *page0(const struct leat_exec *e, const struct leat_op *op, int tensor, int head)
{
	const struct leat_state_view *v = e->state;
	return v->pages + v->page_offset[tensor] + (size_t)op->layer * v->page_layer[tensor] +
	       (size_t)head * v->page_head[tensor];
}

static void store_row(const struct leat_exec *e, unsigned char *dst, const float *src, int n)
{
	if (e->state->kv_type == LEAT_KV_F16)
		e->cpu->k.to_f16((uint16_t *)(void *)dst, src, n);
	else if (e->state->kv_type == LEAT_KV_Q8_0)
		e->cpu->k.to_q8_0(dst, src, n);
	else
		memcpy(dst, src, (size_t)n * sizeof *src);
}

void leat_cpu_run_kv_store(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	const struct leat_op *op = o->op;
	const struct leat_state_view *v = e->state;
	int n_kv = op->i[0], n = op->i[1], pt = v->page_tokens;
	size_t row_bytes = leat_kv_row_bytes(v->kv_type, (size_t)n);
	(void)worker;
	for (int r = u0; r < u1; r++) {
		const struct leat_step_seq *q = &e->step->seq[e->step->seq_of[r]];
		int pos = e->step->pos[r];
		size_t page = (size_t)v->page_table[(size_t)q->slot * (size_t)v->page_table_cols + (size_t)(pos / pt)];
		size_t at = page * v->page_bytes + (size_t)(pos % pt) * row_bytes;
		for (int h = 0; h < n_kv; h++) {
			store_row(e, page0(e, op, op->state, h) + at, row(&o->x[0], r) + h * n, n);
			store_row(e, page0(e, op, op->state + 1, h) + at, row(&o->x[1], r) + h * n, n);
		}
	}
}

int leat_cpu_units_attention(const struct leat_exec *x, const struct leat_cpu_op *o)
{
	return x->step->n_tokens * o->op->i[1];
}

/* How many tokens of a sequence one worker takes together: a tile full, but several tiles per thread. */
static int tile_tokens(const struct leat_exec *e, int n_kv, int group)
{
	enum { TILES_PER_THREAD = 4 };
	int most = LEAT_ATTN_QUERIES / group, share = e->step->n_tokens * n_kv / (TILES_PER_THREAD * e->cpu->n_threads);
	int n = share < most ? share : most;
	return leat_opt_on(e->cpu->opts, LEAT_OPT_attn_tiles) && n > 1 ? n : 1;
}

/* The token of unit u. Later tokens see more keys: where workers claim units they begin with the longest, and in fixed
 * shares the first and the last tokens take turns. */
static int unit_token(const struct leat_exec *e, int u)
{
	int last = e->step->n_tokens - 1;
	if (leat_opt_on(e->cpu->opts, LEAT_OPT_steal) || u % 2 == 0)
		return last - (leat_opt_on(e->cpu->opts, LEAT_OPT_steal) ? u : u / 2);
	return u / 2;
}

/* Tokens r .. r + n - 1 of one sequence, at positions that follow one another, and key/value head h. */
static void attend(const struct leat_exec *e, const struct leat_cpu_op *o, int worker, int r, int n, int h)
{
	enum { MIN_QUERIES = 8 }; /* that pay for converting keys and values */
	const struct leat_op *op = o->op;
	const struct leat_state_view *v = e->state;
	const struct leat_step_seq *q = &e->step->seq[e->step->seq_of[r]];
	int size = op->i[2], group = op->i[0] / op->i[1];
	size_t c = (size_t)h * (size_t)group * (size_t)size;
	struct leat_attn_tile t = {
		.a = {
			.k = page0(e, op, op->state, h),
			.v = page0(e, op, op->state + 1, h),
			.page_bytes = v->page_bytes,
			.page = v->page_table + (size_t)q->slot * (size_t)v->page_table_cols,
			.head_size = size,
			.n_group = group,
			.end = e->step->pos[r] + 1,
			.scale = 1.0f / sqrtf((float)size),
			.page_tokens = v->page_tokens,
		},
		.window = op->i[3],
		.n_tokens = n,
		.q = row(&o->x[0], r) + c,
		.y = row(&o->y, r) + c,
		.q_stride = o->x[0].stride,
		.y_stride = o->y.stride,
	};
	float *scratch = e->cpu->scratch[worker].attn;
	t.a = leat_attn_token(&t, 0);
	if (n > 1 && n * group >= MIN_QUERIES) {
		e->cpu->k.attn_tile[v->kv_type](&t, scratch);
		return;
	}
	for (int i = 0; i < n; i++) {
		struct leat_attn a = leat_attn_token(&t, i);
		e->cpu->k.attn[v->kv_type](t.y + (size_t)i * t.y_stride, t.q + (size_t)i * t.q_stride, &a, scratch);
	}
}

/* Unit: one token and one key/value head with all its query heads. The first token of a tile does the others as well,
 * whose units are empty then. */
void leat_cpu_run_attention(struct leat_exec *e, const struct leat_cpu_op *o, int worker, int u0, int u1)
{
	const struct leat_step *s = e->step;
	int n_kv = o->op->i[1], tile = tile_tokens(e, n_kv, o->op->i[0] / n_kv);
	for (int u = u0; u < u1; u++) {
		int r = unit_token(e, u / n_kv), h = u % n_kv;
		const struct leat_step_seq *q = &s->seq[s->seq_of[r]];
		if ((r - q->first) % tile)
			continue;
		int end = q->first + q->n < r + tile ? q->first + q->n : r + tile;
		for (int n; r < end; r += n) {
			for (n = 1; r + n < end && s->pos[r + n] == s->pos[r] + n;)
				n++;
			attend(e, o, worker, r, n, h);
		}
	}
}
