/* attention.h - the settings that attention architectures have in common, from whatever source a model came. */
#ifndef LEAT_MODEL_ATTENTION_H
#define LEAT_MODEL_ATTENTION_H

#include "model/arch.h"

/* Fills layers, widths, heads, context, epsilon and rotary embeddings. E_FORMAT names the setting, found and wanted.
 * E_UNSUPPORTED: the file asks by name for something that no architecture here computes (experts, capped logits). */
enum leat_status leat_config_attention(struct leat_config *p, const struct leat_file *f, struct leat_error *err);

/* When a stated window is one: the file need say no more, or it must ask for it (use_sliding_window: Qwen's files state
 * a window and, beside it, that it is not used). Files that name the type of every layer decide by that. */
enum leat_window_rule { LEAT_WINDOW_IF_STATED, LEAT_WINDOW_IF_ASKED };
/* Fills p->window. E_UNSUPPORTED: windows in some layers only. */
enum leat_status leat_config_window(struct leat_config *p, const struct leat_file *f, enum leat_window_rule rule,
				    struct leat_error *err);

/* The part of leat_config_attention about rotary embeddings; needs p->n_ctx. E_UNSUPPORTED names a kind of scaling
 * that is not known. The order of pairs stays LEAT_ROPE_HALVES: architectures whose files differ set it. */
enum leat_status leat_config_rope(struct leat_config *p, const struct leat_file *f, struct leat_error *err);
/* Computes p->rope.inv_freq (and long_freq) in the arena; does nothing without rotary embeddings. E_FORMAT, E_NOMEM. */
enum leat_status leat_rope_settle(struct leat_config *p, const struct leat_file *f, struct leat_arena *arena,
				  struct leat_error *err);

#endif
