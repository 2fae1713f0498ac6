/* attention.h - the settings that attention architectures have in common, from whatever source a model came. */
#ifndef LEAT_MODEL_ATTENTION_H
#define LEAT_MODEL_ATTENTION_H

#include "model/arch.h"

/* Fills layers, widths, heads, context, epsilon, rope base and rotated elements. p->rope.scale becomes 1. E_FORMAT
 * names the setting, found and wanted. */
enum leat_status leat_config_attention(struct leat_config *p, const struct leat_file *f, struct leat_error *err);

/* What a file asks for and an architecture does not do must not be ignored silently: E_UNSUPPORTED, by name. */
enum leat_status leat_config_no_rope_scaling(const struct leat_file *f, struct leat_error *err);
/* A window as long as the context is none. */
enum leat_status leat_config_no_window(const struct leat_config *p, const struct leat_file *f, struct leat_error *err);

#endif
