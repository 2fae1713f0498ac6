/* synth_head.c - metadata and a vocabulary of the right size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "bench/synth_parts.h"

enum { KIND_NORMAL = 1, KIND_CONTROL = 3, N_BYTES = 256 };

struct vocab {
	struct leat_arena arena;
	struct leat_str *text;
	int32_t *kind;
	int n;
};

static void u32(struct leat_gguf_out *o, const char *arch, const char *key, int v)
{
	char full[96];

	snprintf(full, sizeof(full), "%s.%s", arch, key);
	leat_gguf_out_u32(o, full, (uint32_t)v);
}

static void word(struct leat_gguf_out *o, const char *key, const char *value)
{
	leat_gguf_out_string(o, key, value, strlen(value));
}

static void general(const struct synth_model *m, struct leat_gguf_out *o, const char *arch)
{
	char name[64];

	snprintf(name, sizeof(name), "synthetic %s", m->shape->name);
	word(o, "general.architecture", arch);
	word(o, "general.name", name);
	leat_gguf_out_u32(o, "general.file_type", m->ftype);
	leat_gguf_out_u32(o, "general.quantization_version", 2);
}

/* What differs between the architectures with attention. */
static const struct {
	const char *name;
	int context;
	float base, eps;
} config[] = {
	[SYNTH_QWEN2] = { "qwen2", 32768, 1e6f, 1e-6f },
	[SYNTH_RWKV7] = { "rwkv7", 0, 0, 0 },
	[SYNTH_LLAMA] = { "llama", 131072, 5e5f, 1e-5f },
	[SYNTH_QWEN3] = { "qwen3", 40960, 1e6f, 1e-6f },
	[SYNTH_PHI3] = { "phi3", 4096, 1e4f, 1e-5f },
};

static void attention_config(const struct synth_model *m, struct leat_gguf_out *o, const char *arch)
{
	const struct synth_shape *s = m->shape;
	char key[96];

	u32(o, arch, "block_count", s->n_layer);
	u32(o, arch, "context_length", config[s->arch].context);
	u32(o, arch, "embedding_length", s->n_embd);
	u32(o, arch, "feed_forward_length", s->n_ff);
	u32(o, arch, "attention.head_count", s->n_head);
	u32(o, arch, "attention.head_count_kv", s->n_kv_head);
	snprintf(key, sizeof(key), "%s.rope.freq_base", arch);
	leat_gguf_out_f32(o, key, config[s->arch].base);
	snprintf(key, sizeof(key), "%s.attention.layer_norm_rms_epsilon", arch);
	leat_gguf_out_f32(o, key, config[s->arch].eps);
	if (s->arch == SYNTH_QWEN2)
		return;
	u32(o, arch, "rope.dimension_count", s->head_size);
	u32(o, arch, "attention.key_length", s->head_size);
	u32(o, arch, "attention.value_length", s->head_size);
	u32(o, arch, "vocab_size", s->n_vocab);
	if (s->arch == SYNTH_PHI3) {
		u32(o, arch, "rope.scaling.original_context_length", config[s->arch].context);
		u32(o, arch, "attention.sliding_window", 2047);
	}
}

static void rwkv7_config(const struct synth_model *m, struct leat_gguf_out *o)
{
	const struct synth_shape *s = m->shape;

	u32(o, "rwkv7", "block_count", s->n_layer);
	u32(o, "rwkv7", "context_length", 1048576);
	u32(o, "rwkv7", "embedding_length", s->n_embd);
	u32(o, "rwkv7", "feed_forward_length", s->n_ff);
	u32(o, "rwkv7", "wkv.head_size", s->n_embd / s->n_head);
	u32(o, "rwkv7", "attention.head_count", 0);
	u32(o, "rwkv7", "attention.decay_lora_rank", s->rank_w);
	u32(o, "rwkv7", "attention.iclr_lora_rank", s->rank_a);
	u32(o, "rwkv7", "attention.value_residual_mix_lora_rank", s->rank_v);
	u32(o, "rwkv7", "attention.gate_lora_rank", s->rank_g);
	leat_gguf_out_f32(o, "rwkv7.attention.layer_norm_epsilon", 1e-5f);
}

/* ---- vocabulary ---- */

static int push(struct vocab *v, int kind, const char *text)
{
	size_t n = strlen(text);

	v->text[v->n].s = leat_arena_copy(&v->arena, text, n);
	v->text[v->n].n = n;
	v->kind[v->n] = kind;
	return v->text[v->n++].s == NULL;
}

/* GPT-2's spelling of a byte: printable Latin-1 stands for itself, the others are U+0100 and on in order. */
static void gpt2_byte(int b, char out[8])
{
	int c, shifted = 0x100, code = b;

	for (c = 0; c <= b; c++) {
		int printable = (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || c >= 0xae;
		if (c == b)
			code = printable ? b : shifted;
		else
			shifted += !printable;
	}
	if (code < 0x80)
		snprintf(out, 8, "%c", code);
	else
		snprintf(out, 8, "%c%c", 0xc0 | code >> 6, 0x80 | (code & 0x3f));
}

static int gpt2_words(struct vocab *v, int n, int phi3)
{
	/* llama.cpp looks these up by name in a model that calls itself phi3 */
	static const char *const control[] = { "<unk>", "<s>", "</s>" };
	char text[32];
	int i, bad = 0;

	for (i = 0; i < N_BYTES; i++) {
		gpt2_byte(i, text);
		bad |= push(v, KIND_NORMAL, text);
	}
	bad |= push(v, KIND_CONTROL, "<|endoftext|>");
	for (i = 0; phi3 && i < 3; i++)
		bad |= push(v, KIND_CONTROL, control[i]);
	bad |= push(v, KIND_NORMAL, "\xc4\xa0w"); /* what the only merge makes */
	while (v->n < n && !bad) {
		snprintf(text, sizeof(text), "\xc4\xa0w%d", v->n);
		bad |= push(v, KIND_NORMAL, text);
	}
	return bad;
}

/* As in the World vocabulary: id 0 ends a text, ids 1..256 are the bytes. Spelled with escapes. */
static int rwkv_words(struct vocab *v, int n)
{
	char text[32];
	int i, bad = push(v, KIND_CONTROL, "<s>");

	for (i = 0; i < N_BYTES; i++) {
		snprintf(text, sizeof(text), "\\x%02x", i);
		bad |= push(v, KIND_NORMAL, text);
	}
	while (v->n < n && !bad) {
		snprintf(text, sizeof(text), " w%d", v->n);
		bad |= push(v, KIND_NORMAL, text);
	}
	return bad;
}

static enum leat_status vocabulary(const struct synth_model *m, struct leat_gguf_out *o, struct leat_error *err)
{
	static const struct leat_str merge = { "\xc4\xa0 w", 4 };
	struct vocab v;
	int n = m->shape->n_vocab, bad = 1;

	memset(&v, 0, sizeof(v));
	v.text = leat_arena_take_array(&v.arena, (size_t)n, sizeof(*v.text));
	v.kind = leat_arena_take_array(&v.arena, (size_t)n, sizeof(*v.kind));
	if (v.text && v.kind)
		bad = m->shape->arch == SYNTH_RWKV7 ? rwkv_words(&v, n)
						     : gpt2_words(&v, n, m->shape->arch == SYNTH_PHI3);
	if (!bad) {
		word(o, "tokenizer.ggml.model", m->shape->arch == SYNTH_RWKV7 ? "rwkv" : "gpt2");
		leat_gguf_out_strings(o, "tokenizer.ggml.tokens", v.text, (size_t)n);
		leat_gguf_out_i32s(o, "tokenizer.ggml.token_type", v.kind, (size_t)n);
	}
	if (!bad && m->shape->arch != SYNTH_RWKV7) {
		word(o, "tokenizer.ggml.pre", "qwen2");
		leat_gguf_out_strings(o, "tokenizer.ggml.merges", &merge, 1);
		leat_gguf_out_u32(o, "tokenizer.ggml.eos_token_id", N_BYTES);
		leat_gguf_out_bool(o, "tokenizer.ggml.add_bos_token", 0);
	} else if (!bad) {
		leat_gguf_out_u32(o, "tokenizer.ggml.eos_token_id", 0);
	}
	leat_arena_deinit(&v.arena);
	return bad ? leat_fail(err, LEAT_E_NOMEM, "vocabulary", LEAT_NO_OFFSET, "out of memory") : LEAT_OK;
}

enum leat_status leat_synth_head(const struct synth_model *m, struct leat_gguf_out *o, struct leat_error *err)
{
	int i;

	general(m, o, config[m->shape->arch].name);
	if (m->shape->arch == SYNTH_RWKV7)
		rwkv7_config(m, o);
	else
		attention_config(m, o, config[m->shape->arch].name);
	LEAT_TRY(vocabulary(m, o, err));
	for (i = 0; i < m->n_tensors; i++) {
		const struct synth_tensor *t = &m->tensor[i];
		leat_gguf_out_tensor(o, t->name, t->type, t->n_dims, t->dim);
	}
	return LEAT_OK;
}
