/* source.c - names of tensors and settings, by source. GGUF: docs/gguf.md of the ggml project; Hugging Face: the
 * configuration classes of transformers 4 and 5; RWKV: the checkpoints of RWKV-LM. */
#include "model/source.h"

#include <stdio.h>
#include <string.h>

static const char *const layer_prefix[LEAT_SOURCE_COUNT] = { "blk.", "model.layers.", "blocks." };

/* GGUF's suffix, then how config.json may spell it, the usual spelling first. */
static const struct {
	const char *suffix;
	const char *hf[4];
} keys[] = {
	{ "block_count", { "num_hidden_layers" } },
	{ "embedding_length", { "hidden_size" } },
	{ "feed_forward_length", { "intermediate_size" } },
	{ "context_length", { "max_position_embeddings" } },
	{ "attention.head_count", { "num_attention_heads" } },
	{ "attention.head_count_kv", { "num_key_value_heads" } },
	{ "attention.key_length", { "head_dim" } },
	{ "attention.layer_norm_rms_epsilon", { "rms_norm_eps" } },
	{ "attention.sliding_window", { "sliding_window" } },
	{ "rope.freq_base", { "rope_theta", "rope_parameters.rope_theta" } },
	{ "rope.scaling.type",
	  { "rope_scaling.rope_type", "rope_parameters.rope_type", "rope_scaling.type", "rope_parameters.type" } },
	{ "rope.scaling.factor", { "rope_scaling.factor", "rope_parameters.factor" } },
	{ "rope.scaling.original_context_length",
	  { "rope_scaling.original_max_position_embeddings", "rope_parameters.original_max_position_embeddings",
	    "original_max_position_embeddings" } },
	{ "rope.scaling.low_freq_factor", { "rope_scaling.low_freq_factor", "rope_parameters.low_freq_factor" } },
	{ "rope.scaling.high_freq_factor", { "rope_scaling.high_freq_factor", "rope_parameters.high_freq_factor" } },
	{ "rope.scaling.short_factor", { "rope_scaling.short_factor", "rope_parameters.short_factor" } },
	{ "rope.scaling.long_factor", { "rope_scaling.long_factor", "rope_parameters.long_factor" } },
	{ "rope.scaling.yarn_beta_fast", { "rope_scaling.beta_fast", "rope_parameters.beta_fast" } },
	{ "rope.scaling.yarn_beta_slow", { "rope_scaling.beta_slow", "rope_parameters.beta_slow" } },
	{ "rope.scaling.mscale", { "rope_scaling.mscale", "rope_parameters.mscale" } },
	{ "rope.scaling.mscale_all_dim", { "rope_scaling.mscale_all_dim", "rope_parameters.mscale_all_dim" } },
	{ "rope.scaling.truncate", { "rope_scaling.truncate", "rope_parameters.truncate" } },
	{ "rope.scaling.attn_factor", { "rope_scaling.attention_factor", "rope_parameters.attention_factor" } },
	{ "rope.partial_rotary_factor", { "partial_rotary_factor", "rope_parameters.partial_rotary_factor" } },
};

static const char *hf_key(const struct leat_file *f, const char *suffix, char buf[128])
{
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (strcmp(keys[i].suffix, suffix))
			continue;
		for (int j = 0; j < 4 && keys[i].hf[j]; j++) {
			snprintf(buf, 128, "config.%s", keys[i].hf[j]);
			if (leat_file_meta(f, buf))
				return buf;
		}
		suffix = keys[i].hf[0];
		break;
	}
	snprintf(buf, 128, "config.%s", suffix);
	return buf;
}

const char *leat_arch_key(const struct leat_file *f, const char *suffix, char buf[128])
{
	struct leat_str a = { "", 0 };
	if (f->source == LEAT_SOURCE_HF)
		return hf_key(f, suffix, buf);
	leat_meta_string(f, "general.architecture", &a, NULL);
	snprintf(buf, 128, "%.*s.%s", (int)(a.n < 64 ? a.n : 64), a.s, suffix);
	return buf;
}

static int is_type(const struct leat_arch *a, enum leat_source source, struct leat_str name)
{
	int n = source == LEAT_SOURCE_HF ? (int)(sizeof a->hf_type / sizeof *a->hf_type) : 1;
	for (int i = 0; i < n; i++) {
		const char *s = source == LEAT_SOURCE_HF ? a->hf_type[i] : a->name;
		if (s && strlen(s) == name.n && !memcmp(s, name.s, name.n))
			return 1;
	}
	return 0;
}

static enum leat_status unknown(const struct leat_file *f, const char *where, const char *what, struct leat_error *err)
{
	char known[200] = "";
	size_t used = 0;
	for (int i = 0; leat_arch_list[i]; i++) {
		int w = snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", leat_arch_list[i]->name);
		used = w > 0 && used + (size_t)w < sizeof known ? used + (size_t)w : used;
	}
	enum leat_status st = leat_fail(err, LEAT_E_UNSUPPORTED, where, LEAT_NO_OFFSET,
					"%s: architecture '%s' is not one that this build runs (%s)", f->path, what,
					known);
	leat_err_code(err, "unsupported_model");
	return st;
}

/* A lone safetensors file has nothing that says what it is. */
static enum leat_status no_config(const struct leat_file *f, struct leat_error *err)
{
	return leat_fail(err, LEAT_E_UNSUPPORTED, "config.json", LEAT_NO_OFFSET,
			 "%s: there is no config.json beside it, which would say what model these weights are",
			 f->path);
}

static int has_config(const struct leat_file *f)
{
	for (uint64_t i = 0; i < f->n_meta; i++)
		if (f->meta[i].key.n > 7 && !memcmp(f->meta[i].key.s, "config.", 7))
			return 1;
	return 0;
}

enum leat_status leat_source_arch(const struct leat_file *f, const struct leat_arch **ret, struct leat_error *err)
{
	const char *key = f->source == LEAT_SOURCE_HF ? "config.model_type" : "general.architecture";
	struct leat_str name = { "", 0 };
	char shown[96];
	if (f->source == LEAT_SOURCE_HF && !has_config(f))
		return no_config(f, err);
	if (f->source != LEAT_SOURCE_RWKV)
		LEAT_TRY(leat_meta_string(f, key, &name, err));
	for (int i = 0; leat_arch_list[i]; i++) {
		const struct leat_arch *a = leat_arch_list[i];
		int found = f->source == LEAT_SOURCE_RWKV ? a->rwkv_mark && leat_file_tensor(f, a->rwkv_mark)
							  : is_type(a, f->source, name);
		if (found) {
			*ret = a;
			return LEAT_OK;
		}
	}
	if (f->source == LEAT_SOURCE_RWKV)
		return unknown(f, "tensors", "RWKV of a version before 7", err);
	return unknown(f, key, leat_str_show(name, shown), err);
}

void leat_source_name(enum leat_source source, int layer, const char *declared, char *buf, size_t cap)
{
	const char *name = declared ? declared : "";
	int n = (int)strcspn(name, "^");
	if (layer < 0)
		snprintf(buf, cap, "%.*s", n, name);
	else
		snprintf(buf, cap, "%s%d.%.*s", layer_prefix[source], layer, n, name);
}

int leat_source_is_turned(const char *declared)
{
	return strchr(declared, '^') != NULL;
}

int leat_source_layer_of(enum leat_source source, struct leat_str name)
{
	size_t n = strlen(layer_prefix[source]), k = n;
	int layer = 0;
	if (name.n <= n || memcmp(name.s, layer_prefix[source], n))
		return -1;
	for (; k < name.n && name.s[k] >= '0' && name.s[k] <= '9'; k++)
		layer = layer < 1000000 ? layer * 10 + (name.s[k] - '0') : layer; /* never wraps */
	return k > n && k < name.n && name.s[k] == '.' ? layer : -1;
}

int leat_source_ties_head(const struct leat_file *f)
{
	int tied = 0;
	if (f->source == LEAT_SOURCE_HF &&
	    leat_meta_bool_opt(f, "config.tie_word_embeddings", 0, &tied, NULL) != LEAT_OK)
		return 0;
	return tied;
}
