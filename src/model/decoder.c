/* decoder.c - the layer that most attention models share. */
#include "model/decoder.h"

enum { STATE_K, STATE_V };

const struct leat_state_decl leat_decoder_state[2] = {
	[STATE_K] = { "k", 1, LEAT_D_KV_HEADS, LEAT_D_HEAD, LEAT_SPLIT_HEADS },
	[STATE_V] = { "v", 1, LEAT_D_KV_HEADS, LEAT_D_HEAD, LEAT_SPLIT_HEADS },
};

/* Buffers of a step, reused from layer to layer. */
struct bufs {
	struct leat_buf *x; /* residual stream */
	struct leat_buf *h; /* input of a branch, then its output */
	struct leat_buf *q, *k, *v, *a;
	struct leat_buf *g, *u;
	struct leat_buf *cs;
};

static struct bufs take_bufs(struct leat_rec *c, const struct leat_config *p)
{
	const int *dim = p->dim;
	return (struct bufs){
		.x = leat_tmp(c, dim[LEAT_D_EMBD]), .h = leat_tmp(c, dim[LEAT_D_EMBD]),
		.q = leat_tmp(c, dim[LEAT_D_Q]), .k = leat_tmp(c, dim[LEAT_D_KV]),
		.v = leat_tmp(c, dim[LEAT_D_KV]), .a = leat_tmp(c, dim[LEAT_D_Q]),
		.g = leat_tmp(c, dim[LEAT_D_FF]), .u = leat_tmp(c, dim[LEAT_D_FF]),
		.cs = leat_tmp(c, p->rope.n_rot),
	};
}

/* Every head by itself, in models that have a gain for it. */
static void norm_heads(struct leat_rec *c, struct leat_buf *x, const struct leat_vec *gain, int n_heads, float eps,
		       const char *point)
{
	if (!gain->data)
		return;
	leat_headnorm(c, x, x, gain, n_heads, eps);
	leat_point(c, point, x);
}

static void attention(struct leat_rec *c, const struct bufs *b, const struct leat_decoder_layer *l,
		      const struct leat_config *p)
{
	int n_head = p->dim[LEAT_D_HEADS], n_kv = p->dim[LEAT_D_KV_HEADS], size = p->dim[LEAT_D_HEAD];
	leat_part(c, LEAT_PART_ATTENTION);
	leat_rmsnorm(c, b->h, b->x, &l->attn_norm, p->eps);
	leat_point(c, "att.norm", b->h);
	leat_linear(c, b->q, &l->q, b->h);
	leat_linear(c, b->k, &l->k, b->h);
	leat_linear(c, b->v, &l->v, b->h);
	leat_point(c, "att.q", b->q);
	leat_point(c, "att.k", b->k);
	leat_point(c, "att.v", b->v);
	norm_heads(c, b->q, &l->q_norm, n_head, p->eps, "att.q_norm");
	norm_heads(c, b->k, &l->k_norm, n_kv, p->eps, "att.k_norm");
	leat_rope_apply(c, b->q, b->cs, size, &p->rope);
	leat_rope_apply(c, b->k, b->cs, size, &p->rope);
	leat_point(c, "att.q_rope", b->q);
	leat_point(c, "att.k_rope", b->k);
	leat_attention(c, b->a, b->q, b->k, b->v, n_head, n_kv, size, p->window, STATE_K);
	leat_point(c, "att.mix", b->a);
	leat_linear(c, b->h, &l->o, b->a);
	leat_point(c, "att.out", b->h);
	leat_add(c, b->x, b->h);
	leat_point(c, "att.residual", b->x);
}

static void feed_forward(struct leat_rec *c, const struct bufs *b, const struct leat_decoder_layer *l,
			 const struct leat_config *p)
{
	leat_part(c, LEAT_PART_FEED_FORWARD);
	leat_rmsnorm(c, b->h, b->x, &l->ffn_norm, p->eps);
	leat_point(c, "ffn.norm", b->h);
	leat_linear(c, b->g, &l->gate, b->h);
	leat_linear(c, b->u, &l->up, b->h);
	leat_point(c, "ffn.gate", b->g);
	leat_point(c, "ffn.up", b->u);
	leat_swiglu(c, b->g, b->g, b->u);
	leat_point(c, "ffn.act", b->g);
	leat_linear(c, b->h, &l->down, b->g);
	leat_point(c, "ffn.out", b->h);
	leat_add(c, b->x, b->h);
	leat_point(c, "layer.out", b->x);
}

struct leat_buf *leat_decoder_forward(struct leat_rec *c, const struct leat_model *m)
{
	const struct leat_config *p = &m->w.cfg;
	const struct leat_decoder_top *t = leat_model_top(m);
	struct bufs b = take_bufs(c, p);
	struct leat_buf *last = leat_tmp_out(c, p->dim[LEAT_D_EMBD]);
	struct leat_buf *logits = leat_tmp_out(c, p->dim[LEAT_D_VOCAB]);

	leat_rope_table(c, b.cs, &p->rope);
	leat_embed(c, b.x, t->embd);
	leat_point(c, "embed", b.x);
	for (int i = 0; i < p->n_layer; i++) {
		leat_layer(c, i);
		attention(c, &b, leat_model_layer(m, i), p);
		feed_forward(c, &b, leat_model_layer(m, i), p);
	}
	leat_layer(c, -1);
	leat_part(c, LEAT_PART_HEAD);
	leat_gather(c, last, b.x);
	leat_rmsnorm(c, last, last, &t->norm, p->eps);
	leat_point(c, "norm", last);
	if (leat_wants_hidden(c))
		return last;
	leat_linear(c, logits, &t->head, last);
	leat_point(c, "logits", logits);
	return logits;
}
