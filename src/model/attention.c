/* attention.c - settings that attention architectures share, read and proved. */
#include "model/attention.h"

#include <string.h>

#include "model/model.h"

static enum leat_status heads(struct leat_config *p, const struct leat_file *f, int64_t embd, struct leat_error *err)
{
	char key[128];
	int64_t n_head, n_kv, size, value;
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
	LEAT_TRY(leat_meta_int_opt(f, leat_arch_key(f, "attention.value_length", key), 1, 256, size, &value, err));
	if (value != size)
		return leat_fail(err, LEAT_E_FORMAT, "attention.value_length", LEAT_NO_OFFSET,
				 "%s: attention.value_length is %lld, wanted the head size %lld", f->path,
				 (long long)value, (long long)size);
	p->dim[LEAT_D_HEADS] = (int)n_head;
	p->dim[LEAT_D_KV_HEADS] = (int)n_kv;
	p->dim[LEAT_D_HEAD] = (int)size;
	p->dim[LEAT_D_Q] = (int)(n_head * size);
	p->dim[LEAT_D_KV] = (int)(n_kv * size);
	return LEAT_OK;
}

/* GGUF states how many elements of a head are rotated, Hugging Face the share of them. */
static enum leat_status rotated(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	char key[128];
	int size = p->dim[LEAT_D_HEAD];
	double share;
	int64_t n_rot;
	LEAT_TRY(leat_meta_float_opt(f, leat_arch_key(f, "rope.partial_rotary_factor", key), 0.01, 1, 1, &share, err));
	LEAT_TRY(leat_meta_int_opt(f, leat_arch_key(f, "rope.dimension_count", key), 2, size, (int64_t)(size * share),
				   &n_rot, err));
	if (n_rot % 2 || n_rot < 2)
		return leat_fail(err, LEAT_E_FORMAT, "rope.dimension_count", LEAT_NO_OFFSET,
				 "%s: rope.dimension_count is %lld, wanted an even number", f->path, (long long)n_rot);
	p->rope.n_rot = (int)n_rot;
	p->rope.scale = 1.0f;
	return LEAT_OK;
}

enum leat_status leat_config_attention(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	char key[128];
	int64_t n_layer, embd, ff, ctx;
	double eps;
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "block_count", key), 1, LEAT_MAX_LAYERS, &n_layer, err));
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "embedding_length", key), 1, LEAT_MAX_EMBD, &embd, err));
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "feed_forward_length", key), 1, LEAT_MAX_FF, &ff, err));
	LEAT_TRY(leat_meta_int(f, leat_arch_key(f, "context_length", key), 1, 1 << 28, &ctx, err));
	LEAT_TRY(leat_meta_float(f, leat_arch_key(f, "attention.layer_norm_rms_epsilon", key), 1e-12, 0.1, &eps, err));
	LEAT_TRY(leat_meta_float_opt(f, leat_arch_key(f, "rope.freq_base", key), 1, 1e12, 10000, &p->rope_base, err));
	LEAT_TRY(heads(p, f, embd, err));
	LEAT_TRY(rotated(p, f, err));
	p->n_layer = (int)n_layer;
	p->n_ctx = (int)ctx;
	p->eps = (float)eps;
	p->dim[LEAT_D_EMBD] = (int)embd;
	p->dim[LEAT_D_FF] = (int)ff;
	return LEAT_OK;
}

enum leat_status leat_config_no_rope_scaling(const struct leat_file *f, struct leat_error *err)
{
	char key[128], shown[96];
	struct leat_str type;
	if (!leat_file_meta(f, leat_arch_key(f, "rope.scaling.type", key)))
		return LEAT_OK;
	LEAT_TRY(leat_meta_string(f, key, &type, err));
	if ((type.n == 4 && !memcmp(type.s, "none", 4)) || (type.n == 7 && !memcmp(type.s, "default", 7)))
		return LEAT_OK;
	return leat_fail(err, LEAT_E_UNSUPPORTED, "rope.scaling.type", LEAT_NO_OFFSET,
			 "%s: %s is '%s', and only none is supported", f->path, key, leat_str_show(type, shown));
}

enum leat_status leat_config_no_window(const struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	char key[128];
	int64_t window;
	int used = 1; /* Qwen's configurations state a window and, beside it, that it is not used */
	LEAT_TRY(leat_meta_bool_opt(f, "config.use_sliding_window", 1, &used, err));
	LEAT_TRY(
		leat_meta_int_opt(f, leat_arch_key(f, "attention.sliding_window", key), 0, INT64_MAX, 0, &window, err));
	if (used && window && window < p->n_ctx)
		return leat_fail(err, LEAT_E_UNSUPPORTED, "attention.sliding_window", LEAT_NO_OFFSET,
				 "%s: a sliding window of %lld tokens is not supported for this architecture", f->path,
				 (long long)window);
	return LEAT_OK;
}
