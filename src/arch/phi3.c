/* phi3.c - Phi-3, Phi-3.5 and Phi-4 mini: the shared decoder with fused tensors, a window in every layer, and longrope.
 *
 * Abdin et al. 2024, arXiv:2404.14219; longrope: Ding et al. 2024, arXiv:2402.13753. */
#include "model/decoder.h"

static const struct leat_weight_decl top[] = { LEAT_DECODER_TOP };

static const struct leat_weight_decl layer[] = {
	LEAT_DECODER_NORMS,
	LEAT_LAYER(q, LINEAR, EMBD, Q, HEADS, 0, "attn_qkv.weight", "self_attn.qkv_proj.weight"),
	LEAT_LAYER(k, LINEAR, EMBD, KV, HEADS, 0, "attn_qkv.weight", "self_attn.qkv_proj.weight"),
	LEAT_LAYER(v, LINEAR, EMBD, KV, HEADS, 0, "attn_qkv.weight", "self_attn.qkv_proj.weight"),
	LEAT_LAYER(o, LINEAR, Q, EMBD, COLS, 0, "attn_output.weight", "self_attn.o_proj.weight"),
	LEAT_LAYER(gate, LINEAR, EMBD, FF, ROWS, 0, "ffn_up.weight", "mlp.gate_up_proj.weight"),
	LEAT_LAYER(up, LINEAR, EMBD, FF, ROWS, 0, "ffn_up.weight", "mlp.gate_up_proj.weight"),
	LEAT_LAYER(down, LINEAR, FF, EMBD, COLS, 0, "ffn_down.weight", "mlp.down_proj.weight"),
};

static enum leat_status config(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	LEAT_TRY(leat_config_attention(p, f, err));
	return leat_config_window(p, f, LEAT_WINDOW_IF_STATED, err);
}

extern const struct leat_arch leat_arch_phi3;
const struct leat_arch leat_arch_phi3 = {
	.name = "phi3",
	.hf_type = { "phi3" },
	LEAT_DECODER_TABLES,
	.config = config,
};
