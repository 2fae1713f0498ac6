/* decoder.h - the layer that most attention models share: pre-norm, rotary grouped-query attention, SwiGLU.
 *
 * x += O attention(rope(Q n), rope(K n), V n), n = RMSNorm(x);  x += down(silu(gate m) * up m), m = RMSNorm(x).
 * Touvron et al. 2023, arXiv:2302.13971; Ainslie et al. 2023 (GQA), arXiv:2305.13245; Shazeer 2020 (SwiGLU),
 * arXiv:2002.05202. What an architecture of this family adds or leaves out is in its table of weights: a vector that
 * is not bound (no bias, no norm of heads) is not recorded. One that computes in another order writes its own
 * forward(). */
#ifndef LEAT_MODEL_DECODER_H
#define LEAT_MODEL_DECODER_H

#include "model/attention.h"
#include "model/model.h"

struct leat_decoder_top {
	const struct leat_weight *embd;
	struct leat_vec norm;
	struct leat_linear head;
};

struct leat_decoder_layer {
	struct leat_vec attn_norm, ffn_norm;
	struct leat_vec q_norm, k_norm; /* RMS norm of each head before it is turned, one gain for all heads; or none */
	struct leat_linear q, k, v, o;
	struct leat_linear gate, up, down;
};

/* Its state: "k" and "v", one row a token. */
extern const struct leat_state_decl leat_decoder_state[2];

#define LEAT_TOP(...)   LEAT_WEIGHT(struct leat_decoder_top, __VA_ARGS__)
#define LEAT_LAYER(...) LEAT_WEIGHT(struct leat_decoder_layer, __VA_ARGS__)

/* The top of all of them. The rope tensors are read with the settings (model/rope_config.c). */
#define LEAT_DECODER_TOP                                                                               \
	LEAT_TOP(embd, TABLE, EMBD, VOCAB, NONE, 0, "token_embd.weight", "model.embed_tokens.weight"),  \
	LEAT_TOP(norm, VECTOR, EMBD, ONE, NONE, 0, "output_norm.weight", "model.norm.weight"),          \
	LEAT_TOP(head, LINEAR, EMBD, VOCAB, VOCAB, LEAT_W_TIED_TO_TABLE, "output.weight", "lm_head.weight"), \
	LEAT_TOP(norm, UNUSED, ONE, ONE, NONE, 0, "rope_freqs.weight"),                                 \
	LEAT_TOP(norm, UNUSED, ONE, ONE, NONE, 0, "rope_factors_long.weight"),                          \
	LEAT_TOP(norm, UNUSED, ONE, ONE, NONE, 0, "rope_factors_short.weight")

#define LEAT_DECODER_NORMS                                                                           \
	LEAT_LAYER(attn_norm, VECTOR, EMBD, ONE, NONE, 0, "attn_norm.weight", "input_layernorm.weight"), \
	LEAT_LAYER(ffn_norm, VECTOR, EMBD, ONE, NONE, 0, "ffn_norm.weight", "post_attention_layernorm.weight")

/* q, k, v, o, gate, up and down, each a tensor of its own. */
#define LEAT_DECODER_MATRICES                                                                        \
	LEAT_LAYER(q, LINEAR, EMBD, Q, HEADS, 0, "attn_q.weight", "self_attn.q_proj.weight"),         \
	LEAT_LAYER(k, LINEAR, EMBD, KV, HEADS, 0, "attn_k.weight", "self_attn.k_proj.weight"),        \
	LEAT_LAYER(v, LINEAR, EMBD, KV, HEADS, 0, "attn_v.weight", "self_attn.v_proj.weight"),        \
	LEAT_LAYER(o, LINEAR, Q, EMBD, COLS, 0, "attn_output.weight", "self_attn.o_proj.weight"),     \
	LEAT_LAYER(gate, LINEAR, EMBD, FF, ROWS, 0, "ffn_gate.weight", "mlp.gate_proj.weight"),       \
	LEAT_LAYER(up, LINEAR, EMBD, FF, ROWS, 0, "ffn_up.weight", "mlp.up_proj.weight"),             \
	LEAT_LAYER(down, LINEAR, FF, EMBD, COLS, 0, "ffn_down.weight", "mlp.down_proj.weight")

/* Biases of q, k and v, by `flags`. */
#define LEAT_DECODER_QKV_BIASES(flags)                                                               \
	LEAT_LAYER(q, BIAS, Q, ONE, HEADS, flags, "attn_q.bias", "self_attn.q_proj.bias"),            \
	LEAT_LAYER(k, BIAS, KV, ONE, HEADS, flags, "attn_k.bias", "self_attn.k_proj.bias"),           \
	LEAT_LAYER(v, BIAS, KV, ONE, HEADS, flags, "attn_v.bias", "self_attn.v_proj.bias")

/* The members of a descriptor that follow from tables called top and layer. */
#define LEAT_DECODER_TABLES                                                                            \
	.family = LEAT_FAMILY_ATTENTION, .top_size = sizeof(struct leat_decoder_top),                  \
	.layer_size = sizeof(struct leat_decoder_layer), .top = top, .layer = layer,                   \
	.n_top = sizeof top / sizeof *top, .n_layer = sizeof layer / sizeof *layer,                    \
	.state = leat_decoder_state, .n_state = sizeof leat_decoder_state / sizeof *leat_decoder_state, \
	.forward = leat_decoder_forward

struct leat_buf *leat_decoder_forward(struct leat_rec *c, const struct leat_model *m);

#endif
