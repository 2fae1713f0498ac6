/* qwen3.c - Qwen3, dense: the shared decoder with every head of q and k normalised, and heads wider than the model.
 *
 * Qwen Team 2025, arXiv:2505.09388; norm of queries and keys: Henry et al. 2020, arXiv:2010.04245. */
#include "model/decoder.h"

static const struct leat_weight_decl top[] = { LEAT_DECODER_TOP };
static const struct leat_weight_decl layer[] = {
	LEAT_DECODER_NORMS,
	LEAT_DECODER_MATRICES,
	LEAT_DECODER_QKV_BIASES(LEAT_W_OPTIONAL),
	LEAT_LAYER(o, BIAS, EMBD, ONE, NONE, LEAT_W_OPTIONAL, "attn_output.bias", "self_attn.o_proj.bias"),
	LEAT_LAYER(q_norm, VECTOR, HEAD, ONE, NONE, 0, "attn_q_norm.weight", "self_attn.q_norm.weight"),
	LEAT_LAYER(k_norm, VECTOR, HEAD, ONE, NONE, 0, "attn_k_norm.weight", "self_attn.k_norm.weight"),
};

static enum leat_status config(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	LEAT_TRY(leat_config_attention(p, f, err));
	return leat_config_window(p, f, LEAT_WINDOW_IF_ASKED, err);
}

extern const struct leat_arch leat_arch_qwen3;
const struct leat_arch leat_arch_qwen3 = {
	.name = "qwen3",
	.hf_type = { "qwen3" },
	LEAT_DECODER_TABLES,
	.config = config,
};
