/* qwen2.c - Qwen2 and Qwen2.5: the shared decoder with biases on q, k and v.
 *
 * Qwen Team 2024, arXiv:2407.10671 and arXiv:2412.15115. */
#include "model/decoder.h"

static const struct leat_weight_decl top[] = { LEAT_DECODER_TOP };
static const struct leat_weight_decl layer[] = {
	LEAT_DECODER_NORMS,
	LEAT_DECODER_MATRICES,
	LEAT_DECODER_QKV_BIASES(0),
};

static enum leat_status config(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	LEAT_TRY(leat_config_attention(p, f, err));
	return leat_config_window(p, f, LEAT_WINDOW_IF_ASKED, err);
}

extern const struct leat_arch leat_arch_qwen2;
const struct leat_arch leat_arch_qwen2 = {
	.name = "qwen2",
	.hf_type = { "qwen2" },
	LEAT_DECODER_TABLES,
	.config = config,
};
