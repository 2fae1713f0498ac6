/* attention.c - settings that attention architectures share, read and proved. */
#include "model/attention.h"

#include <math.h>

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
	return LEAT_OK;
}

/* A number in any type; `neutral` if the key is absent. A bool counts as 0 or 1. */
static double number_or(const struct leat_file *f, const char *key, double neutral)
{
	const struct leat_meta *m = leat_file_meta(f, key);
	double d;
	int64_t i;
	int b;
	if (!m)
		return neutral;
	if (m->type == LEAT_META_BOOL && leat_meta_bool_opt(f, key, 0, &b, NULL) == LEAT_OK)
		return b;
	if (leat_meta_int_opt(f, key, INT64_MIN, INT64_MAX, 0, &i, NULL) == LEAT_OK)
		return (double)i;
	return leat_meta_float_opt(f, key, -1e300, 1e300, neutral, &d, NULL) == LEAT_OK ? d : NAN;
}

/* Settings that change the arithmetic of a layer in ways that no architecture here knows, and the value that changes
 * nothing. What a file asks for must not be ignored silently. */
static enum leat_status refuse(const struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	static const struct {
		const char *suffix;
		double neutral;
	} numbers[] = {
		{ "expert_count", 0 },           { "num_local_experts", 0 },
		{ "num_experts", 0 },            { "attn_logit_softcapping", 0 },
		{ "final_logit_softcapping", 0 }, { "attention.clamp_kqv", 0 },
		{ "attention.max_alibi_bias", 0 }, { "logit_scale", 1 },
		{ "residual_scale", 1 },         { "embedding_scale", 1 },
		{ "attention.causal", 1 },       { "use_parallel_residual", 0 },
	};
	char key[128], shown[96];
	struct leat_str act = { "silu", 4 };
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		double v = number_or(f, leat_arch_key(f, numbers[i].suffix, key), numbers[i].neutral);
		if (!(fabs(v - numbers[i].neutral) < 1e-6))
			return leat_fail(err, LEAT_E_UNSUPPORTED, numbers[i].suffix, LEAT_NO_OFFSET,
					 "%s: %s is %g, which is not supported", f->path, key, v);
	}
	double usual = 1 / sqrt((double)p->dim[LEAT_D_HEAD]);
	double scale = number_or(f, leat_arch_key(f, "attention.scale", key), usual);
	if (scale != 0 && !(fabs(scale - usual) < 1e-4 * usual)) /* 0: the usual one */
		return leat_fail(err, LEAT_E_UNSUPPORTED, "attention.scale", LEAT_NO_OFFSET,
				 "%s: %s is %g, and only 1/sqrt(head size) = %g is supported", f->path, key, scale,
				 usual);
	if (leat_file_meta(f, "config.quantization_config.quant_method")) {
		struct leat_str method;
		LEAT_TRY(leat_meta_string(f, "config.quantization_config.quant_method", &method, err));
		return leat_fail(err, LEAT_E_UNSUPPORTED, "quantization_config", LEAT_NO_OFFSET,
				 "%s: the weights are quantised by '%s', which is not supported", f->path,
				 leat_str_show(method, shown));
	}
	if (leat_file_meta(f, "config.hidden_act"))
		LEAT_TRY(leat_meta_string(f, "config.hidden_act", &act, err));
	if (!leat_str_is(act, "silu") && !leat_str_is(act, "swish"))
		return leat_fail(err, LEAT_E_UNSUPPORTED, "hidden_act", LEAT_NO_OFFSET,
				 "%s: hidden_act is '%s', and only silu is supported", f->path,
				 leat_str_show(act, shown));
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
	LEAT_TRY(heads(p, f, embd, err));
	LEAT_TRY(rotated(p, f, err));
	p->n_layer = (int)n_layer;
	p->n_ctx = (int)ctx;
	p->eps = (float)eps;
	p->dim[LEAT_D_EMBD] = (int)embd;
	p->dim[LEAT_D_FF] = (int)ff;
	LEAT_TRY(leat_config_rope(p, f, err));
	return refuse(p, f, err);
}

/* The window of the layers by their types: 1 all of them, 0 none; E_UNSUPPORTED if they differ. */
static enum leat_status layer_types(const struct leat_file *f, int *ret_stated, int *ret_used, struct leat_error *err)
{
	const struct leat_meta *m;
	uint64_t sliding = 0;
	char shown[96];
	LEAT_TRY(leat_meta_strings_opt(f, "config.layer_types", &m, err));
	*ret_stated = m != NULL;
	for (uint64_t i = 0; m && i < m->count; i++) {
		int is_sliding = leat_str_is(m->v.strs[i], "sliding_attention");
		if (!is_sliding && !leat_str_is(m->v.strs[i], "full_attention"))
			return leat_fail(err, LEAT_E_UNSUPPORTED, "layer_types", LEAT_NO_OFFSET,
					 "%s: layers of type '%s' are not supported", f->path,
					 leat_str_show(m->v.strs[i], shown));
		sliding += (uint64_t)is_sliding;
	}
	if (m && sliding && sliding < m->count)
		return leat_fail(err, LEAT_E_UNSUPPORTED, "layer_types", LEAT_NO_OFFSET,
				 "%s: a sliding window in %llu of %llu layers is not supported: all or none", f->path,
				 (unsigned long long)sliding, (unsigned long long)m->count);
	*ret_used = sliding > 0;
	return LEAT_OK;
}

/* Qwen's switch, in files that do not name the types of their layers: windows begin at layer max_window_layers. */
static enum leat_status switched(const struct leat_config *p, const struct leat_file *f, int *ret_used,
				 struct leat_error *err)
{
	int64_t first;
	LEAT_TRY(leat_meta_bool_opt(f, "config.use_sliding_window", 0, ret_used, err));
	if (!*ret_used)
		return LEAT_OK;
	LEAT_TRY(leat_meta_int_opt(f, "config.max_window_layers", 0, 1 << 20, 28, &first, err));
	*ret_used = first < p->n_layer;
	if (first > 0 && first < p->n_layer)
		return leat_fail(err, LEAT_E_UNSUPPORTED, "max_window_layers", LEAT_NO_OFFSET,
				 "%s: a sliding window from layer %lld of %d on is not supported: all or none", f->path,
				 (long long)first, p->n_layer);
	return LEAT_OK;
}

enum leat_status leat_config_window(struct leat_config *p, const struct leat_file *f, enum leat_window_rule rule,
				    struct leat_error *err)
{
	char key[128];
	int64_t window;
	int typed = 0, used = 1;
	if (leat_file_meta(f, leat_arch_key(f, "attention.sliding_window_pattern", key)))
		return leat_fail(err, LEAT_E_UNSUPPORTED, "attention.sliding_window_pattern", LEAT_NO_OFFSET,
				 "%s: %s: windows that differ from layer to layer are not supported", f->path, key);
	LEAT_TRY(
		leat_meta_int_opt(f, leat_arch_key(f, "attention.sliding_window", key), 0, INT64_MAX, 0, &window, err));
	if (f->source == LEAT_SOURCE_HF) {
		LEAT_TRY(layer_types(f, &typed, &used, err));
		if (!typed)
			used = 1;
		if (!typed && rule == LEAT_WINDOW_IF_ASKED)
			LEAT_TRY(switched(p, f, &used, err));
	}
	/* one as long as the context stays: the engine may be asked for a longer one */
	p->window = used && window <= INT32_MAX ? (int)window : 0;
	return LEAT_OK;
}
