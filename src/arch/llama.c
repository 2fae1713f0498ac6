/* llama.c - Llama 1 to 3.x and Mistral: the shared decoder, with biases where a file has them.
 *
 * Touvron et al. 2023, arXiv:2302.13971 and arXiv:2307.09288; Llama Team 2024, arXiv:2407.21783; Jiang et al. 2023
 * (Mistral and its sliding window), arXiv:2310.06825. */
#include "model/decoder.h"

static const struct leat_weight_decl top[] = { LEAT_DECODER_TOP };

#define BIAS(field, out, ...) LEAT_LAYER(field, BIAS, out, ONE, NONE, LEAT_W_OPTIONAL, __VA_ARGS__)
static const struct leat_weight_decl layer[] = {
	LEAT_DECODER_NORMS,
	LEAT_DECODER_MATRICES,
	LEAT_DECODER_QKV_BIASES(LEAT_W_OPTIONAL),
	BIAS(o, EMBD, "attn_output.bias", "self_attn.o_proj.bias"),
	BIAS(gate, FF, "ffn_gate.bias", "mlp.gate_proj.bias"),
	BIAS(up, FF, "ffn_up.bias", "mlp.up_proj.bias"),
	BIAS(down, EMBD, "ffn_down.bias", "mlp.down_proj.bias"),
	/* the first releases stored the plain frequencies beside every layer */
	LEAT_LAYER(attn_norm, UNUSED, ONE, ONE, NONE, 0, "attn_rot_embd", "self_attn.rotary_emb.inv_freq"),
};

static enum leat_status config(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	LEAT_TRY(leat_config_attention(p, f, err));
	/* GGUF files of this architecture hold the rows of q and k as the first release of the weights did */
	p->rope.pairs = f->source == LEAT_SOURCE_GGUF ? LEAT_ROPE_NEIGHBOURS : LEAT_ROPE_HALVES;
	return leat_config_window(p, f, LEAT_WINDOW_IF_STATED, err);
}

extern const struct leat_arch leat_arch_llama;
const struct leat_arch leat_arch_llama = {
	.name = "llama",
	.hf_type = { "llama", "mistral" },
	LEAT_DECODER_TABLES,
	.config = config,
};
