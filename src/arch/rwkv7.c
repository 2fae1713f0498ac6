/* rwkv7.c - RWKV-7 "Goose": Peng et al. 2025, arXiv:2503.14456. Equation numbers are the paper's section 3; weight
 * names in GGUF as llama.cpp's converter writes them. One D-wide residual stream x; every sequence carries, for each
 * layer, the last normalised input of both mixes and one K x K state per head. */
#include <stdio.h>

#include "model/model.h"

struct top {
	const struct leat_weight *embd;
	struct leat_vec ln0_w, ln0_b, norm_w, norm_b;
	struct leat_linear head;
};

struct layer {
	struct leat_vec ln1_w, ln1_b, ln2_w, ln2_b; /* before time mix, before channel mix */
	struct leat_vec mu_r, mu_w, mu_k, mu_v, mu_a, mu_g; /* token shift */
	struct leat_linear r, k, v, o;
	struct leat_linear w1, w2, a1, a2, v1, v2, g1, g2; /* low-rank; w0, a0, v0 are the biases of the second ones */
	struct leat_vec k_k, k_a, r_k;
	struct leat_vec gn_w, gn_b;                 /* group norm over heads */
	struct leat_vec mu_ffn;
	struct leat_linear ffn_k, ffn_v;
};

enum { STATE_SHIFT, STATE_SHIFT_FFN, STATE_WKV };

static const struct leat_state_decl state[] = {
	{ "shift", 0, LEAT_D_ONE, LEAT_D_EMBD, LEAT_SPLIT_NONE },
	{ "shift_ffn", 0, LEAT_D_ONE, LEAT_D_EMBD, LEAT_SPLIT_NONE },
	{ "wkv", 0, LEAT_D_ONE, LEAT_D_WKV, LEAT_SPLIT_HEADS },
};

#define TOP(...) LEAT_WEIGHT(struct top, __VA_ARGS__)
static const struct leat_weight_decl top[] = {
	TOP(embd, TABLE, EMBD, VOCAB, NONE, 0, "token_embd.weight", NULL, "emb.weight"),
	TOP(ln0_w, VECTOR, EMBD, ONE, NONE, 0, "token_embd_norm.weight", NULL, "blocks.0.ln0.weight"),
	TOP(ln0_b, VECTOR, EMBD, ONE, NONE, 0, "token_embd_norm.bias", NULL, "blocks.0.ln0.bias"),
	TOP(norm_w, VECTOR, EMBD, ONE, NONE, 0, "output_norm.weight", NULL, "ln_out.weight"),
	TOP(norm_b, VECTOR, EMBD, ONE, NONE, 0, "output_norm.bias", NULL, "ln_out.bias"),
	TOP(head, LINEAR, EMBD, VOCAB, VOCAB, 0, "output.weight", NULL, "head.weight"),
};

#define LAYER(...) LEAT_WEIGHT(struct layer, __VA_ARGS__)
static const struct leat_weight_decl layer[] = {
	LAYER(ln1_w, VECTOR, EMBD, ONE, NONE, 0, "attn_norm.weight", NULL, "ln1.weight"),
	LAYER(ln1_b, VECTOR, EMBD, ONE, NONE, 0, "attn_norm.bias", NULL, "ln1.bias"),
	LAYER(ln2_w, VECTOR, EMBD, ONE, NONE, 0, "attn_norm_2.weight", NULL, "ln2.weight"),
	LAYER(ln2_b, VECTOR, EMBD, ONE, NONE, 0, "attn_norm_2.bias", NULL, "ln2.bias"),
	LAYER(mu_r, VECTOR, EMBD, ONE, NONE, 0, "time_mix_lerp_fused.weight", NULL, "att.x_r"),
	LAYER(mu_w, VECTOR, EMBD, ONE, NONE, 0, "time_mix_lerp_fused.weight", NULL, "att.x_w"),
	LAYER(mu_k, VECTOR, EMBD, ONE, NONE, 0, "time_mix_lerp_fused.weight", NULL, "att.x_k"),
	LAYER(mu_v, VECTOR, EMBD, ONE, NONE, 0, "time_mix_lerp_fused.weight", NULL, "att.x_v"),
	LAYER(mu_a, VECTOR, EMBD, ONE, NONE, 0, "time_mix_lerp_fused.weight", NULL, "att.x_a"),
	LAYER(mu_g, VECTOR, EMBD, ONE, NONE, 0, "time_mix_lerp_fused.weight", NULL, "att.x_g"),
	LAYER(r, LINEAR, EMBD, EMBD, ROWS, 0, "time_mix_receptance.weight", NULL, "att.receptance.weight"),
	LAYER(k, LINEAR, EMBD, EMBD, ROWS, 0, "time_mix_key.weight", NULL, "att.key.weight"),
	LAYER(v, LINEAR, EMBD, EMBD, ROWS, 0, "time_mix_value.weight", NULL, "att.value.weight"),
	LAYER(o, LINEAR, EMBD, EMBD, COLS, 0, "time_mix_output.weight", NULL, "att.output.weight"),
	LAYER(w1, LINEAR, EMBD, RANK_W, NONE, 0, "time_mix_w1.weight", NULL, "att.w1^T"),
	LAYER(w2, LINEAR, RANK_W, EMBD, ROWS, 0, "time_mix_w2.weight", NULL, "att.w2^T"),
	LAYER(w2, BIAS, EMBD, ONE, ROWS, 0, "time_mix_w0.weight", NULL, "att.w0"),
	LAYER(a1, LINEAR, EMBD, RANK_A, NONE, 0, "time_mix_a1.weight", NULL, "att.a1^T"),
	LAYER(a2, LINEAR, RANK_A, EMBD, ROWS, 0, "time_mix_a2.weight", NULL, "att.a2^T"),
	LAYER(a2, BIAS, EMBD, ONE, ROWS, 0, "time_mix_a0.weight", NULL, "att.a0"),
	LAYER(v1, LINEAR, EMBD, RANK_V, NONE, LEAT_W_NOT_FIRST, "time_mix_v1.weight", NULL, "att.v1^T"),
	LAYER(v2, LINEAR, RANK_V, EMBD, ROWS, LEAT_W_NOT_FIRST, "time_mix_v2.weight", NULL, "att.v2^T"),
	LAYER(v2, BIAS, EMBD, ONE, ROWS, LEAT_W_NOT_FIRST, "time_mix_v0.weight", NULL, "att.v0"),
	LAYER(g1, LINEAR, EMBD, RANK_G, NONE, 0, "time_mix_g1.weight", NULL, "att.g1^T"),
	LAYER(g2, LINEAR, RANK_G, EMBD, ROWS, 0, "time_mix_g2.weight", NULL, "att.g2^T"),
	LAYER(k_k, VECTOR, EMBD, ONE, ROWS, 0, "time_mix_k_k.weight", NULL, "att.k_k"),
	LAYER(k_a, VECTOR, EMBD, ONE, ROWS, 0, "time_mix_k_a.weight", NULL, "att.k_a"),
	LAYER(r_k, VECTOR, EMBD, ONE, ROWS, 0, "time_mix_r_k.weight", NULL, "att.r_k"),
	LAYER(gn_w, VECTOR, EMBD, ONE, ROWS, 0, "time_mix_ln.weight", NULL, "att.ln_x.weight"),
	LAYER(gn_b, VECTOR, EMBD, ONE, ROWS, 0, "time_mix_ln.bias", NULL, "att.ln_x.bias"),
	LAYER(mu_ffn, VECTOR, EMBD, ONE, NONE, 0, "channel_mix_lerp_k.weight", NULL, "ffn.x_k"),
	LAYER(ffn_k, LINEAR, EMBD, FF, ROWS, 0, "channel_mix_key.weight", NULL, "ffn.key.weight"),
	LAYER(ffn_v, LINEAR, FF, EMBD, COLS, 0, "channel_mix_value.weight", NULL, "ffn.value.weight"),
};

static enum leat_status from_settings(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	char key[128];
	int64_t n_layer, embd, ff, head, ctx; /* what it was trained at is no limit: proved, not kept */
	double eps;
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "block_count", key), 1, LEAT_MAX_LAYERS, &n_layer, err));
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "embedding_length", key), 1, LEAT_MAX_EMBD, &embd, err));
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "feed_forward_length", key), 1, LEAT_MAX_FF, &ff, err));
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "wkv.head_size", key), 8, 256, &head, err));
	LEAT_TRY(leat_meta_int_opt(f, leat_arch_key(f, "context_length", key), 1, INT64_MAX, 0, &ctx, err));
	LEAT_TRY(leat_meta_float_opt(f, leat_arch_key(f, "attention.layer_norm_epsilon", key), 1e-12, 0.1, 1e-5, &eps,
				     err));
	p->n_layer = (int)n_layer;
	p->eps = (float)eps;
	p->dim[LEAT_D_EMBD] = (int)embd;
	p->dim[LEAT_D_FF] = (int)ff;
	p->dim[LEAT_D_HEAD] = (int)head;
	return LEAT_OK;
}

/* A checkpoint of RWKV-LM has no settings: width from the embedding, head size from r_k [heads][head size] (64 where a
 * converter made it flat), one ln1 per block, and the rest as the loader meets it. */
static enum leat_status from_tensors(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	const struct leat_tensor *embd = leat_file_tensor(f, "emb.weight");
	const struct leat_tensor *r_k = leat_file_tensor(f, "blocks.0.att.r_k");
	char name[64];
	if (!embd || embd->dim[0] > LEAT_MAX_EMBD || !r_k)
		return leat_fail(err, LEAT_E_FORMAT, "emb.weight", LEAT_NO_OFFSET,
				 "%s: tensor 'emb.weight' is missing or wider than %d", f->path, LEAT_MAX_EMBD);
	do
		snprintf(name, sizeof name, "blocks.%d.ln1.weight", ++p->n_layer);
	while (leat_file_tensor(f, name) && p->n_layer < LEAT_MAX_LAYERS);
	uint64_t head = r_k->dim[0] == embd->dim[0] && r_k->n_dims != 2 ? 64 : r_k->dim[0];
	p->eps = 1e-5f;
	p->dim[LEAT_D_EMBD] = (int)embd->dim[0];
	p->dim[LEAT_D_HEAD] = head <= 256 ? (int)head : 0;
	return LEAT_OK;
}

static enum leat_status config(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	LEAT_TRY(f->source == LEAT_SOURCE_RWKV ? from_tensors(p, f, err) : from_settings(p, f, err));
	int embd = p->dim[LEAT_D_EMBD], head = p->dim[LEAT_D_HEAD];
	if (head < 8 || embd % head || head % 8)
		return leat_fail(err, LEAT_E_FORMAT, "rwkv7.wkv.head_size", LEAT_NO_OFFSET,
				 "%s: rwkv7.wkv.head_size %d must be a multiple of 8 that divides the width %d",
				 f->path, head, embd);
	p->dim[LEAT_D_HEADS] = embd / head;
	p->dim[LEAT_D_WKV] = embd * head;
	return LEAT_OK;
}

/* Names of a step's activations, so that the equations below read as in the paper. */
struct vars {
	struct leat_buf *x;                 /* residual stream */
	struct leat_buf *h, *d, *y;         /* normalised input, its token-shift difference, a mix's inner result */
	struct leat_buf *xr, *xw, *xk, *xv, *xa, *xg;
	struct leat_buf *r, *w, *k, *v, *a, *g, *kk, *nu;
	struct leat_buf *v_first;           /* layer 0's v */
	struct leat_buf *lw, *la, *lv, *lg; /* inside the low-rank products */
	struct leat_buf *f;                 /* feed-forward width */
};

static struct vars declare(struct leat_rec *c, const struct leat_config *p)
{
	int D = p->dim[LEAT_D_EMBD];
	struct leat_buf *b[18];
	for (int i = 0; i < 18; i++)
		b[i] = leat_tmp(c, D);
	return (struct vars){
		.x = leat_tmp(c, D), .h = b[0], .d = b[1], .y = b[2], .xr = b[3], .xw = b[4], .xk = b[5], .xv = b[6],
		.xa = b[7], .xg = b[8], .r = b[9], .w = b[10], .k = b[11], .v = b[12], .a = b[13], .g = b[14],
		.kk = b[15], .nu = b[16], .v_first = b[17],
		.lw = leat_tmp(c, p->dim[LEAT_D_RANK_W]), .la = leat_tmp(c, p->dim[LEAT_D_RANK_A]),
		.lv = p->dim[LEAT_D_RANK_V] ? leat_tmp(c, p->dim[LEAT_D_RANK_V]) : NULL,
		.lg = leat_tmp(c, p->dim[LEAT_D_RANK_G]), .f = leat_tmp(c, p->dim[LEAT_D_FF]),
	};
}

/* What enters each projection: x_m = x_t + (x_{t-1} - x_t) mu_m */
static void token_shift(struct leat_rec *c, struct vars *s, const struct layer *l)
{
	leat_shift(c, s->d, s->h, STATE_SHIFT);
	leat_point_state(c, "att.shift", s->d, STATE_SHIFT);
	leat_lerp(c, s->xr, s->h, s->d, &l->mu_r, 0);
	leat_lerp(c, s->xw, s->h, s->d, &l->mu_w, 0);
	leat_lerp(c, s->xk, s->h, s->d, &l->mu_k, 0);
	leat_lerp(c, s->xv, s->h, s->d, &l->mu_v, 0);
	leat_lerp(c, s->xa, s->h, s->d, &l->mu_a, 0);
	leat_lerp(c, s->xg, s->h, s->d, &l->mu_g, 0);
	leat_point(c, "att.x_r", s->xr);
	leat_point(c, "att.x_w", s->xw);
	leat_point(c, "att.x_k", s->xk);
	leat_point(c, "att.x_v", s->xv);
	leat_point(c, "att.x_a", s->xa);
	leat_point(c, "att.x_g", s->xg);
}

/* Inside the low-rank products. */
static void project_down(struct leat_rec *c, struct vars *s, const struct layer *l, int first)
{
	leat_linear_act(c, s->lw, &l->w1, s->xw, LEAT_ACT_TANH);
	leat_linear(c, s->la, &l->a1, s->xa);
	leat_linear_act(c, s->lg, &l->g1, s->xg, LEAT_ACT_SIGMOID);
	leat_point(c, "att.w_low", s->lw);
	leat_point(c, "att.a_low", s->la);
	leat_point(c, "att.g_low", s->lg);
	if (first)
		return;
	leat_linear(c, s->lv, &l->v1, s->xv);
	leat_point(c, "att.v_low", s->lv);
}

static void project(struct leat_rec *c, struct vars *s, const struct layer *l, struct leat_buf *v, int first)
{
	leat_linear(c, s->r, &l->r, s->xr);                                 /* r = x_r W_r */
	leat_linear(c, s->k, &l->k, s->xk);                                 /* k = x_k W_k */
	leat_linear(c, v, &l->v, s->xv);                                    /* v = x_v W_v */
	leat_point(c, "att.r", s->r);
	leat_point(c, "att.k", s->k);
	leat_point(c, "att.v", v);
	project_down(c, s, l, first);
	leat_linear_act(c, s->w, &l->w2, s->lw, LEAT_ACT_RWKV_DECAY); /* w = exp(-e^-0.5 s(w0 + tanh(x_w W1) W2)) */
	leat_linear_act(c, s->a, &l->a2, s->la, LEAT_ACT_SIGMOID);          /* a = s(a0 + x_a A1 A2) */
	leat_linear(c, s->g, &l->g2, s->lg);                                /* g = s(x_g G1) G2 */
	leat_point(c, "att.w", s->w);
	leat_point(c, "att.a", s->a);
	leat_point(c, "att.g", s->g);
	if (first)
		return;
	leat_linear_act(c, s->nu, &l->v2, s->lv, LEAT_ACT_SIGMOID);         /* nu = s(v0 + x_v V1 V2) */
	leat_point(c, "att.v_gate", s->nu);
	leat_mix(c, v, s->v_first, s->nu);                                  /* v = lerp(v, v_first, nu) */
	leat_point(c, "att.v_mix", v);
}

static void time_mix(struct leat_rec *c, struct vars *s, const struct layer *l, const struct leat_config *p, int i)
{
	int H = p->dim[LEAT_D_HEADS], K = p->dim[LEAT_D_HEAD];
	struct leat_buf *v = i ? s->v : s->v_first;
	leat_part(c, LEAT_PART_TIME_MIX);
	leat_layernorm(c, s->h, s->x, &l->ln1_w, &l->ln1_b, p->eps);
	leat_point(c, "att.norm", s->h);
	token_shift(c, s, l);
	project(c, s, l, v, i == 0);
	leat_mul_vec(c, s->kk, s->k, &l->k_k);                              /* removal key: kappa = k . xi, */
	leat_l2norm(c, s->kk, s->kk, H);                                    /* normalised per head */
	leat_key_scale(c, s->k, s->a, &l->k_a);                             /* replacement key: k (1 + (a - 1) alpha) */
	leat_point(c, "att.k_removal", s->kk);
	leat_point(c, "att.k_replace", s->k);
	leat_wkv7(c, s->y, s->r, s->w, s->k, v, s->kk, s->a, H, STATE_WKV); /* S = S (diag w - kk^T (a . kk)) + v^T k */
	leat_point_state(c, "att.wkv", s->y, STATE_WKV);
	leat_groupnorm(c, s->y, s->y, &l->gn_w, &l->gn_b, H, (float)K * 1e-5f); /* p = LN(r S^T) per head */
	leat_point(c, "att.wkv_norm", s->y);
	leat_bonus(c, s->y, s->r, s->k, v, &l->r_k, H);                     /* + (r (rho . k)^T) v */
	leat_point(c, "att.bonus", s->y);
	leat_mul(c, s->y, s->g);
	leat_point(c, "att.gated", s->y);
	leat_linear(c, s->h, &l->o, s->y);                                  /* o = (g . p) W_o */
	leat_point(c, "att.out", s->h);
	leat_add(c, s->x, s->h);
	leat_point(c, "att.residual", s->x);
}

static void channel_mix(struct leat_rec *c, struct vars *s, const struct layer *l, const struct leat_config *p)
{
	leat_part(c, LEAT_PART_FEED_FORWARD);
	leat_layernorm(c, s->h, s->x, &l->ln2_w, &l->ln2_b, p->eps);
	leat_point(c, "ffn.norm", s->h);
	leat_shift(c, s->d, s->h, STATE_SHIFT_FFN);
	leat_point_state(c, "ffn.shift", s->d, STATE_SHIFT_FFN);
	leat_lerp(c, s->xk, s->h, s->d, &l->mu_ffn, 0);
	leat_point(c, "ffn.x_k", s->xk);
	leat_linear_act(c, s->f, &l->ffn_k, s->xk, LEAT_ACT_RELU2);         /* relu(x_k W_k)^2 */
	leat_point(c, "ffn.act", s->f);
	leat_linear(c, s->h, &l->ffn_v, s->f);
	leat_point(c, "ffn.out", s->h);
	leat_add(c, s->x, s->h);
	leat_point(c, "layer.out", s->x);
}

static struct leat_buf *forward(struct leat_rec *c, const struct leat_model *m)
{
	const struct leat_config *p = &m->w.cfg;
	const struct top *t = leat_model_top(m);
	struct vars s = declare(c, p); /* buffers are shared by layers: each is written before it is read */
	struct leat_buf *last = leat_tmp_out(c, p->dim[LEAT_D_EMBD]), *logits = leat_tmp_out(c, p->dim[LEAT_D_VOCAB]);

	leat_embed(c, s.x, t->embd);
	leat_point(c, "embed", s.x);
	leat_layernorm(c, s.x, s.x, &t->ln0_w, &t->ln0_b, p->eps);
	leat_point(c, "embed.norm", s.x);
	for (int i = 0; i < p->n_layer; i++) {
		const struct layer *l = leat_model_layer(m, i);
		leat_layer(c, i);
		time_mix(c, &s, l, p, i);
		channel_mix(c, &s, l, p);
	}
	leat_layer(c, -1);
	leat_part(c, LEAT_PART_HEAD);
	leat_gather(c, last, s.x);
	leat_layernorm(c, last, last, &t->norm_w, &t->norm_b, p->eps);
	leat_point(c, "norm", last);
	if (leat_wants_hidden(c))
		return last;
	leat_linear(c, logits, &t->head, last);
	leat_point(c, "logits", logits);
	return logits;
}

extern const struct leat_arch leat_arch_rwkv7;
const struct leat_arch leat_arch_rwkv7 = {
	.name = "rwkv7",
	.rwkv_mark = "blocks.0.att.r_k",
	.family = LEAT_FAMILY_RWKV,
	LEAT_ARCH_TABLES,
	.config = config,
	.forward = forward,
};
