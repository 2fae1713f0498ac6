/* qwen2.c - Qwen2 and Qwen2.5: pre-norm, rotary grouped-query attention with biases on q, k and v, SwiGLU.
 *
 * Qwen Team 2024, arXiv:2407.10671 and arXiv:2412.15115; Ainslie et al. 2023 (GQA), arXiv:2305.13245. */
#include "model/attention.h"
#include "model/model.h"

struct top {
	const struct leat_weight *embd;
	struct leat_vec norm;
	struct leat_linear head;
};

struct layer {
	struct leat_vec attn_norm, ffn_norm;
	struct leat_linear q, k, v, o;
	struct leat_linear gate, up, down;
};

enum { STATE_K, STATE_V };

static const struct leat_state_decl state[] = {
	{ "k", 1, LEAT_D_KV_HEADS, LEAT_D_HEAD, LEAT_SPLIT_HEADS },
	{ "v", 1, LEAT_D_KV_HEADS, LEAT_D_HEAD, LEAT_SPLIT_HEADS },
};

#define TOP(...) LEAT_WEIGHT(struct top, __VA_ARGS__)
static const struct leat_weight_decl top[] = {
	TOP(embd, TABLE, EMBD, VOCAB, NONE, 0, "token_embd.weight", "model.embed_tokens.weight"),
	TOP(norm, VECTOR, EMBD, ONE, NONE, 0, "output_norm.weight", "model.norm.weight"),
	TOP(head, LINEAR, EMBD, VOCAB, VOCAB, LEAT_W_TIED_TO_TABLE, "output.weight", "lm_head.weight"),
};

#define LAYER(...) LEAT_WEIGHT(struct layer, __VA_ARGS__)
static const struct leat_weight_decl layer[] = {
	LAYER(attn_norm, VECTOR, EMBD, ONE, NONE, 0, "attn_norm.weight", "input_layernorm.weight"),
	LAYER(q, LINEAR, EMBD, Q, HEADS, 0, "attn_q.weight", "self_attn.q_proj.weight"),
	LAYER(q, BIAS, Q, ONE, HEADS, 0, "attn_q.bias", "self_attn.q_proj.bias"),
	LAYER(k, LINEAR, EMBD, KV, HEADS, 0, "attn_k.weight", "self_attn.k_proj.weight"),
	LAYER(k, BIAS, KV, ONE, HEADS, 0, "attn_k.bias", "self_attn.k_proj.bias"),
	LAYER(v, LINEAR, EMBD, KV, HEADS, 0, "attn_v.weight", "self_attn.v_proj.weight"),
	LAYER(v, BIAS, KV, ONE, HEADS, 0, "attn_v.bias", "self_attn.v_proj.bias"),
	LAYER(o, LINEAR, Q, EMBD, COLS, 0, "attn_output.weight", "self_attn.o_proj.weight"),
	LAYER(ffn_norm, VECTOR, EMBD, ONE, NONE, 0, "ffn_norm.weight", "post_attention_layernorm.weight"),
	LAYER(gate, LINEAR, EMBD, FF, ROWS, 0, "ffn_gate.weight", "mlp.gate_proj.weight"),
	LAYER(up, LINEAR, EMBD, FF, ROWS, 0, "ffn_up.weight", "mlp.up_proj.weight"),
	LAYER(down, LINEAR, FF, EMBD, COLS, 0, "ffn_down.weight", "mlp.down_proj.weight"),
};

static enum leat_status config(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	LEAT_TRY(leat_config_attention(p, f, err));
	LEAT_TRY(leat_config_no_rope_scaling(f, err));
	return leat_config_no_window(p, f, err);
}

static struct leat_buf *forward(struct leat_rec *c, const struct leat_model *m)
{
	const struct leat_config *p = &m->w.cfg;
	const struct top *t = leat_model_top(m);
	int D = p->dim[LEAT_D_EMBD], K = p->dim[LEAT_D_HEAD];
	struct leat_buf *x = leat_tmp(c, D);                     /* residual stream */
	struct leat_buf *h = leat_tmp(c, D);                     /* input of a branch, then its output */
	struct leat_buf *q = leat_tmp(c, p->dim[LEAT_D_Q]);
	struct leat_buf *k = leat_tmp(c, p->dim[LEAT_D_KV]);
	struct leat_buf *v = leat_tmp(c, p->dim[LEAT_D_KV]);
	struct leat_buf *a = leat_tmp(c, p->dim[LEAT_D_Q]);
	struct leat_buf *g = leat_tmp(c, p->dim[LEAT_D_FF]);
	struct leat_buf *u = leat_tmp(c, p->dim[LEAT_D_FF]);
	struct leat_buf *cs = leat_tmp(c, p->rope.n_rot);
	struct leat_buf *last = leat_tmp_out(c, D), *logits = leat_tmp_out(c, p->dim[LEAT_D_VOCAB]);

	leat_rope_table(c, cs, &p->rope);
	leat_embed(c, x, t->embd);
	for (int i = 0; i < p->n_layer; i++) {
		const struct layer *l = leat_model_layer(m, i);
		leat_layer(c, i);
		leat_rmsnorm(c, h, x, &l->attn_norm, p->eps);
		leat_linear(c, q, &l->q, h);
		leat_linear(c, k, &l->k, h);
		leat_linear(c, v, &l->v, h);
		leat_rope_apply(c, q, cs, K, &p->rope);
		leat_rope_apply(c, k, cs, K, &p->rope);
		leat_attention(c, a, q, k, v, p->dim[LEAT_D_HEADS], p->dim[LEAT_D_KV_HEADS], K, 0, STATE_K);
		leat_linear(c, h, &l->o, a);
		leat_add(c, x, h);

		leat_rmsnorm(c, h, x, &l->ffn_norm, p->eps);
		leat_linear(c, g, &l->gate, h);
		leat_linear(c, u, &l->up, h);
		leat_swiglu(c, g, g, u);
		leat_linear(c, h, &l->down, g);
		leat_add(c, x, h);
	}
	leat_layer(c, -1);
	leat_gather(c, last, x);
	leat_rmsnorm(c, last, last, &t->norm, p->eps);
	leat_linear(c, logits, &t->head, last);
	return logits;
}

extern const struct leat_arch leat_arch_qwen2;
const struct leat_arch leat_arch_qwen2 = {
	.name = "qwen2",
	.hf_type = { "qwen2" },
	.family = LEAT_FAMILY_ATTENTION,
	LEAT_ARCH_TABLES,
	.config = config,
	.forward = forward,
};
