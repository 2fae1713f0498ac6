/* qwen2.c - Qwen2 and Qwen2.5: pre-norm, rotary grouped-query attention with biases on q, k and v, SwiGLU.
 *
 * Qwen Team 2024, arXiv:2407.10671 and arXiv:2412.15115; Ainslie et al. 2023 (GQA), arXiv:2305.13245. */
#include <string.h>

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
	TOP("token_embd.weight", embd, TABLE, EMBD, VOCAB, NONE, 0),
	TOP("output_norm.weight", norm, VECTOR, EMBD, ONE, NONE, 0),
	TOP("output.weight", head, LINEAR, EMBD, VOCAB, VOCAB, LEAT_W_TIED_TO_TABLE),
};

#define LAYER(...) LEAT_WEIGHT(struct layer, __VA_ARGS__)
static const struct leat_weight_decl layer[] = {
	LAYER("attn_norm.weight", attn_norm, VECTOR, EMBD, ONE, NONE, 0),
	LAYER("attn_q.weight", q, LINEAR, EMBD, Q, HEADS, 0),
	LAYER("attn_q.bias", q, BIAS, Q, ONE, HEADS, 0),
	LAYER("attn_k.weight", k, LINEAR, EMBD, KV, HEADS, 0),
	LAYER("attn_k.bias", k, BIAS, KV, ONE, HEADS, 0),
	LAYER("attn_v.weight", v, LINEAR, EMBD, KV, HEADS, 0),
	LAYER("attn_v.bias", v, BIAS, KV, ONE, HEADS, 0),
	LAYER("attn_output.weight", o, LINEAR, Q, EMBD, COLS, 0),
	LAYER("ffn_norm.weight", ffn_norm, VECTOR, EMBD, ONE, NONE, 0),
	LAYER("ffn_gate.weight", gate, LINEAR, EMBD, FF, ROWS, 0),
	LAYER("ffn_up.weight", up, LINEAR, EMBD, FF, ROWS, 0),
	LAYER("ffn_down.weight", down, LINEAR, FF, EMBD, COLS, 0),
};

static enum leat_status heads(struct leat_config *p, const struct leat_file *f, int64_t embd, struct leat_error *err)
{
	char key[128];
	int64_t n_head, n_kv, size;
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "attention.head_count", key), 1, LEAT_MAX_HEADS, &n_head, err));
	LEAT_TRY(leat_meta_int_opt(f, leat_arch_key(f, "attention.head_count_kv", key), 1, n_head, n_head, &n_kv, err));
	LEAT_TRY(
		leat_meta_int_opt(f, leat_arch_key(f, "attention.key_length", key), 8, 256, embd / n_head, &size, err));
	if (n_head % n_kv || n_head / n_kv > 64)
		return leat_fail(err, LEAT_E_FORMAT, "attention.head_count_kv", LEAT_NO_OFFSET,
				 "%s: %lld key/value heads must divide %lld heads, at most 64 to one", f->path,
				 (long long)n_kv, (long long)n_head);
	if (size < 8 || size > 256 || size % 8)
		return leat_fail(
			err, LEAT_E_FORMAT, "attention.key_length", LEAT_NO_OFFSET,
			"%s: heads of %lld elements (width %lld, %lld heads), wanted a multiple of 8 up to 256",
			f->path, (long long)size, (long long)embd, (long long)n_head);
	p->dim[LEAT_D_HEADS] = (int)n_head;
	p->dim[LEAT_D_KV_HEADS] = (int)n_kv;
	p->dim[LEAT_D_HEAD] = (int)size;
	p->dim[LEAT_D_Q] = (int)(n_head * size);
	p->dim[LEAT_D_KV] = (int)(n_kv * size);
	return LEAT_OK;
}

/* What a file may ask for and this architecture does not do would be ignored silently: refuse it by name. */
static enum leat_status refuse(const struct leat_file *f, const struct leat_config *p, struct leat_error *err)
{
	char key[128];
	struct leat_str type;
	int64_t value, window;
	if (leat_file_meta(f, leat_arch_key(f, "rope.scaling.type", key))) {
		LEAT_TRY(leat_meta_string(f, key, &type, err));
		if (type.n != 4 || memcmp(type.s, "none", 4))
			return leat_fail(err, LEAT_E_UNSUPPORTED, "rope.scaling.type", LEAT_NO_OFFSET,
					 "%s: %s is '%.*s', and only none is supported", f->path, key,
					 (int)(type.n < 40 ? type.n : 40), type.s);
	}
	LEAT_TRY(
		leat_meta_int_opt(f, leat_arch_key(f, "attention.sliding_window", key), 0, INT64_MAX, 0, &window, err));
	if (window && window < p->n_ctx)
		return leat_fail(err, LEAT_E_UNSUPPORTED, "attention.sliding_window", LEAT_NO_OFFSET,
				 "%s: a sliding window of %lld tokens is not supported for this architecture", f->path,
				 (long long)window);
	LEAT_TRY(leat_meta_int_opt(f, leat_arch_key(f, "attention.value_length", key), 1, 256, p->dim[LEAT_D_HEAD],
				   &value, err));
	if (value != p->dim[LEAT_D_HEAD])
		return leat_fail(err, LEAT_E_FORMAT, "attention.value_length", LEAT_NO_OFFSET,
				 "%s: attention.value_length is %lld, wanted the head size %d", f->path,
				 (long long)value, p->dim[LEAT_D_HEAD]);
	return LEAT_OK;
}

static enum leat_status config(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	char key[128];
	int64_t n_layer, embd, ff, ctx, n_rot;
	double eps;
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "block_count", key), 1, LEAT_MAX_LAYERS, &n_layer, err));
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "embedding_length", key), 1, LEAT_MAX_EMBD, &embd, err));
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "feed_forward_length", key), 1, LEAT_MAX_FF, &ff, err));
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "context_length", key), 1, 1 << 28, &ctx, err));
	LEAT_TRY(leat_meta_float(f, leat_arch_key(f, "attention.layer_norm_rms_epsilon", key), 1e-12, 0.1, &eps, err));
	LEAT_TRY(leat_meta_float_opt(f, leat_arch_key(f, "rope.freq_base", key), 1, 1e12, 10000, &p->rope_base, err));
	LEAT_TRY(heads(p, f, embd, err));
	LEAT_TRY(leat_meta_int_opt(f, leat_arch_key(f, "rope.dimension_count", key), 2, p->dim[LEAT_D_HEAD],
				   p->dim[LEAT_D_HEAD], &n_rot, err));
	if (n_rot % 2)
		return leat_fail(err, LEAT_E_FORMAT, "rope.dimension_count", LEAT_NO_OFFSET,
				 "%s: rope.dimension_count is %lld, wanted an even number", f->path, (long long)n_rot);
	p->n_layer = (int)n_layer;
	p->n_ctx = (int)ctx;
	p->eps = (float)eps;
	p->rope.n_rot = (int)n_rot;
	p->rope.scale = 1.0f;
	p->dim[LEAT_D_EMBD] = (int)embd;
	p->dim[LEAT_D_FF] = (int)ff;
	return refuse(f, p, err);
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
	.family = LEAT_FAMILY_ATTENTION,
	LEAT_ARCH_TABLES,
	.config = config,
	.forward = forward,
};
