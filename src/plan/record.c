/* record.c - forward() runs here: each call appends one op to a plan. */
#include "plan/record.h"

#include <stdlib.h>
#include <string.h>

struct leat_rec {
	struct leat_plan *plan;
	int cap_ops, layer, part;
	int max_bufs;
	int out_of_memory;
	int bad_op; /* kind of the first op whose shapes disagree, -1: none */
};

static const char *const op_names[] = {
#define X(name) #name,
#include "plan/ops.def"
#undef X
};

const char *leat_op_name(int kind)
{
	return kind >= 0 && kind < LEAT_OP_COUNT ? op_names[kind] : "?";
}

/* Buffers are handed out as pointers, so their array never moves: an architecture that needs more is a bug. */
enum { MAX_BUFS = 16384, LEAT_ROW_ALIGN = 16 };

struct leat_rec *leat_record_begin(const struct leat_plan_key *key)
{
	struct leat_rec *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->plan = calloc(1, sizeof *c->plan);
	if (c->plan)
		c->plan->buf = calloc(MAX_BUFS, sizeof *c->plan->buf);
	if (!c->plan || !c->plan->buf) {
		leat_plan_destroy(c->plan);
		free(c);
		return NULL;
	}
	if (key->hooks)
		c->plan->point = calloc(LEAT_MAX_POINTS, sizeof *c->plan->point);
	c->out_of_memory = key->hooks && !c->plan->point;
	c->plan->key = *key;
	c->layer = -1;
	c->bad_op = -1;
	return c;
}

enum leat_status leat_record_end(struct leat_rec *c, const struct leat_buf *result, struct leat_plan **ret,
				 struct leat_error *err)
{
	struct leat_plan *p = c->plan;
	if (result && (p->key.variant & LEAT_VARIANT_PROBS))
		leat_softmax_op(c, &p->buf[result - p->buf]);
	int bad = c->bad_op, oom = c->out_of_memory;
	free(c);
	if (oom || bad >= 0 || !result) {
		leat_plan_destroy(p);
		if (oom)
			return leat_fail(err, LEAT_E_NOMEM, "plan", LEAT_NO_OFFSET,
					 "out of memory while recording a plan");
		return leat_fail(err, LEAT_E_INTERNAL, "plan", LEAT_NO_OFFSET,
				 "op %s was recorded with shapes that disagree", leat_op_name(bad));
	}
	p->result = (int)(result - p->buf);
	p->buf[p->result].is_result = 1;
	leat_plan_layout(p);
	struct leat_buf *fits = realloc(p->buf, (size_t)p->n_bufs * sizeof *fits); /* nobody points into it any more */
	p->buf = fits ? fits : p->buf;
	*ret = p;
	return LEAT_OK;
}

void leat_layer(struct leat_rec *c, int layer)
{
	c->layer = layer;
}

void leat_part(struct leat_rec *c, enum leat_part part)
{
	c->part = (int)part;
}

static struct leat_buf *new_buf(struct leat_rec *c, int rows, int cols)
{
	struct leat_plan *p = c->plan;
	if (p->n_bufs == MAX_BUFS) { /* keep recording on the last one: record_end reports it */
		c->out_of_memory = 1;
		return &p->buf[MAX_BUFS - 1];
	}
	struct leat_buf *b = &p->buf[p->n_bufs++];
	b->rows = rows;
	b->cols = cols;
	int align = p->key.align ? p->key.align : LEAT_ROW_ALIGN;
	b->stride = (cols + align - 1) / align * align;
	b->first_op = -1;
	return b;
}

struct leat_buf *leat_tmp(struct leat_rec *c, int cols)
{
	return new_buf(c, LEAT_ROWS_TOKENS, cols);
}

struct leat_buf *leat_tmp_out(struct leat_rec *c, int cols)
{
	return new_buf(c, LEAT_ROWS_OUTPUTS, cols);
}

static struct leat_op scratch_op; /* never read: where ops go once memory has run out */

static struct leat_op *add_op(struct leat_rec *c, int kind)
{
	struct leat_plan *p = c->plan;
	if (p->n_ops == c->cap_ops) {
		int cap = c->cap_ops ? 2 * c->cap_ops : 256;
		struct leat_op *op = realloc(p->op, (size_t)cap * sizeof *op);
		if (!op) {
			c->out_of_memory = 1;
			return &scratch_op;
		}
		p->op = op;
		c->cap_ops = cap;
	}
	struct leat_op *o = &p->op[p->n_ops++];
	*o = (struct leat_op){ .kind = kind, .layer = c->layer, .part = c->part, .out = -1, .state = -1 };
	return o;
}

static void check(struct leat_rec *c, const struct leat_op *o, int ok)
{
	if (!ok && c->bad_op < 0)
		c->bad_op = o->kind;
}

static void reads(struct leat_rec *c, struct leat_op *o, const struct leat_buf *b)
{
	check(c, o, b->first_op >= 0 && o->n_in < LEAT_OP_INS); /* read before anything wrote it */
	if (o->n_in < LEAT_OP_INS)
		o->in[o->n_in++] = (int)(b - c->plan->buf);
}

static void writes(struct leat_rec *c, struct leat_op *o, struct leat_buf *b)
{
	if (b->first_op < 0)
		b->first_op = c->plan->n_ops - 1;
	o->out = (int)(b - c->plan->buf);
}

int leat_wants_hidden(const struct leat_rec *c)
{
	return (c->plan->key.variant & LEAT_VARIANT_EMBEDDING) != 0;
}

/* The point of that name; a new one counts from now on. -1: too many, or memory has run out. */
static int find_point(struct leat_rec *c, const char *name)
{
	struct leat_plan *p = c->plan;
	for (int i = 0; i < p->n_points; i++)
		if (p->point[i].name == name || !strcmp(p->point[i].name, name))
			return i;
	if (!p->point || p->n_points == LEAT_MAX_POINTS)
		return -1;
	p->point[p->n_points] = (struct leat_point){ .name = name, .first_layer = c->layer, .state = -1 };
	return p->n_points++;
}

void leat_point_state(struct leat_rec *c, const char *name, struct leat_buf *x, int state)
{
	struct leat_plan *p = c->plan;
	if (!p->key.hooks)
		return;
	int i = find_point(c, name);
	if (i < 0) {
		if (!c->out_of_memory && c->bad_op < 0)
			c->bad_op = LEAT_OP_hook;
		return;
	}
	p->point[i].cols = x->cols;
	p->point[i].rows = x->rows;
	p->point[i].last_layer = c->layer;
	p->point[i].state = state;
	if (!(p->key.hooks >> i & 1))
		return;
	struct leat_op *o = add_op(c, LEAT_OP_hook);
	reads(c, o, x);
	writes(c, o, x);
	o->i[0] = i;
	o->state = state;
}

void leat_point(struct leat_rec *c, const char *name, struct leat_buf *x)
{
	leat_point_state(c, name, x, -1);
}

static int same(const struct leat_buf *a, const struct leat_buf *b)
{
	return a->rows == b->rows && a->cols == b->cols;
}

/* y[] = op(x[], ...) over rows of one width */
static struct leat_op *rowwise(struct leat_rec *c, int kind, struct leat_buf *y, const struct leat_buf *x)
{
	struct leat_op *o = add_op(c, kind);
	reads(c, o, x);
	check(c, o, same(y, x));
	writes(c, o, y);
	return o;
}

void leat_embed(struct leat_rec *c, struct leat_buf *y, const struct leat_weight *table)
{
	struct leat_op *o = add_op(c, LEAT_OP_embed);
	o->w = table;
	check(c, o, y->cols == table->cols && y->rows == LEAT_ROWS_TOKENS);
	writes(c, o, y);
}

void leat_rmsnorm(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_vec *gain,
		  float eps)
{
	struct leat_op *o = rowwise(c, LEAT_OP_rmsnorm, y, x);
	o->v[0] = gain;
	o->f[0] = eps;
	check(c, o, gain->n == x->cols);
}

void leat_headnorm(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_vec *gain,
		   int n_heads, float eps)
{
	struct leat_op *o = rowwise(c, LEAT_OP_headnorm, y, x);
	o->v[0] = gain;
	o->f[0] = eps;
	o->i[0] = n_heads;
	check(c, o, gain->n * n_heads == x->cols);
}

void leat_layernorm(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_vec *gain,
		    const struct leat_vec *bias, float eps)
{
	struct leat_op *o = rowwise(c, LEAT_OP_layernorm, y, x);
	o->v[0] = gain;
	o->v[1] = bias;
	o->f[0] = eps;
	check(c, o, gain->n == x->cols && bias->n == x->cols);
}

void leat_groupnorm(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_vec *gain,
		    const struct leat_vec *bias, int n_heads, float eps)
{
	struct leat_op *o = rowwise(c, LEAT_OP_groupnorm, y, x);
	o->v[0] = gain;
	o->v[1] = bias;
	o->f[0] = eps;
	o->i[0] = n_heads;
	check(c, o, gain->n == x->cols && bias->n == x->cols && x->cols % n_heads == 0);
}

void leat_l2norm(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, int n_heads)
{
	struct leat_op *o = rowwise(c, LEAT_OP_l2norm, y, x);
	o->i[0] = n_heads;
	check(c, o, x->cols % n_heads == 0);
}

void leat_product(struct leat_rec *c, struct leat_buf *y, const struct leat_weight *w, const struct leat_buf *x,
		  const struct leat_vec *bias, enum leat_act act)
{
	struct leat_op *o = add_op(c, LEAT_OP_product);
	o->w = w;
	o->v[0] = bias;
	o->i[0] = (int)act;
	reads(c, o, x);
	check(c, o, x->cols == w->cols && y->cols == w->rows && x->rows == y->rows && x != y &&
			    (!bias || bias->n == w->rows));
	writes(c, o, y);
}

void leat_rope_table(struct leat_rec *c, struct leat_buf *cs, const struct leat_rope *rope)
{
	struct leat_op *o = add_op(c, LEAT_OP_rope_table);
	o->rope = rope;
	check(c, o, cs->cols == rope->n_rot && rope->n_rot % 2 == 0);
	writes(c, o, cs);
}

void leat_rope_apply(struct leat_rec *c, struct leat_buf *x, const struct leat_buf *cs, int head_size,
		     const struct leat_rope *rope)
{
	struct leat_op *o = rowwise(c, LEAT_OP_rope, x, x);
	reads(c, o, cs);
	o->i[0] = x->cols / head_size;
	o->i[1] = head_size;
	o->i[2] = rope->n_rot;
	o->i[3] = rope->pairs;
	check(c, o, x->cols % head_size == 0 && cs->cols == rope->n_rot && rope->n_rot <= head_size);
}

void leat_attention(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *q, const struct leat_buf *k,
		    const struct leat_buf *v, int n_head, int n_kv, int head_size, int window, int state_k)
{
	int own = c->plan->key.window;
	struct leat_op *o = add_op(c, LEAT_OP_kv_store);
	reads(c, o, k);
	reads(c, o, v);
	o->i[0] = n_kv;
	o->i[1] = head_size;
	o->state = state_k;
	check(c, o, same(k, v) && k->cols == n_kv * head_size);

	o = rowwise(c, LEAT_OP_attention, y, q);
	o->i[0] = n_head;
	o->i[1] = n_kv;
	o->i[2] = head_size;
	o->i[3] = own && (!window || own < window) ? own : window;
	o->state = state_k;
	check(c, o, q->cols == n_head * head_size && n_head % n_kv == 0);
}

static struct leat_op *binary(struct leat_rec *c, int kind, struct leat_buf *y, const struct leat_buf *a,
			      const struct leat_buf *b)
{
	struct leat_op *o = rowwise(c, kind, y, a);
	reads(c, o, b);
	check(c, o, same(a, b));
	return o;
}

void leat_swiglu(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *gate, const struct leat_buf *up)
{
	binary(c, LEAT_OP_swiglu, y, gate, up);
}

void leat_add(struct leat_rec *c, struct leat_buf *x, const struct leat_buf *y)
{
	binary(c, LEAT_OP_add, x, x, y);
}

void leat_mul(struct leat_rec *c, struct leat_buf *x, const struct leat_buf *y)
{
	binary(c, LEAT_OP_mul, x, x, y);
}

void leat_mul_vec(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_vec *v)
{
	struct leat_op *o = rowwise(c, LEAT_OP_mul, y, x);
	o->v[0] = v;
	check(c, o, v->n == x->cols);
}

void leat_mix(struct leat_rec *c, struct leat_buf *x, const struct leat_buf *to, const struct leat_buf *s)
{
	struct leat_op *o = binary(c, LEAT_OP_mix, x, x, to);
	reads(c, o, s);
	check(c, o, same(x, s));
}

void leat_shift(struct leat_rec *c, struct leat_buf *d, const struct leat_buf *x, int state)
{
	struct leat_op *o = rowwise(c, LEAT_OP_shift, d, x);
	o->state = state;
	check(c, o, d != x && x->rows == LEAT_ROWS_TOKENS);
}

void leat_lerp(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_buf *d,
	       const struct leat_vec *mu, int part)
{
	struct leat_op *o = binary(c, LEAT_OP_lerp, y, x, d);
	o->v[0] = mu;
	o->i[0] = part;
	check(c, o, part < mu->rows && mu->n == mu->rows * x->cols);
}

void leat_key_scale(struct leat_rec *c, struct leat_buf *k, const struct leat_buf *a, const struct leat_vec *ka)
{
	struct leat_op *o = binary(c, LEAT_OP_key_scale, k, k, a);
	o->v[0] = ka;
	check(c, o, ka->n == k->cols);
}

void leat_wkv7(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *r, const struct leat_buf *w,
	       const struct leat_buf *k, const struct leat_buf *v, const struct leat_buf *kk, const struct leat_buf *a,
	       int n_heads, int state)
{
	struct leat_op *o = rowwise(c, LEAT_OP_wkv7, y, r);
	reads(c, o, w);
	reads(c, o, k);
	reads(c, o, v);
	reads(c, o, kk);
	reads(c, o, a);
	o->i[0] = n_heads;
	o->state = state;
	check(c, o, same(r, w) && same(r, k) && same(r, v) && same(r, kk) && same(r, a) && r->cols % n_heads == 0);
}

void leat_bonus(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *r, const struct leat_buf *k,
		const struct leat_buf *v, const struct leat_vec *rk, int n_heads)
{
	struct leat_op *o = binary(c, LEAT_OP_bonus, y, y, r);
	reads(c, o, k);
	reads(c, o, v);
	o->v[0] = rk;
	o->i[0] = n_heads;
	check(c, o, same(y, k) && same(y, v) && rk->n == y->cols && y->cols % n_heads == 0);
}

void leat_softmax_op(struct leat_rec *c, struct leat_buf *x)
{
	rowwise(c, LEAT_OP_softmax, x, x);
}

void leat_gather(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x)
{
	struct leat_op *o = add_op(c, LEAT_OP_gather);
	reads(c, o, x);
	check(c, o, x->rows == LEAT_ROWS_TOKENS && y->rows == LEAT_ROWS_OUTPUTS && x->cols == y->cols);
	writes(c, o, y);
}
