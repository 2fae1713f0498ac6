/* mkbad.c - see mkbad.h. */
#include "hostile/mkbad.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"
#include "support/small_vocab.h"

/* splitmix64 (Steele, Lea, Flood 2014): the same numbers every time. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "mkbad: out of memory\n");
		abort();
	}
	return p;
}

static void *copy(const void *p, size_t n)
{
	void *q = must(malloc(n + 1));
	if (n)
		memcpy(q, p, n);
	((char *)q)[n] = '\0';
	return q;
}

struct buffer {
	unsigned char *p;
	size_t n, cap;
};

static void put(struct buffer *b, const void *p, size_t n)
{
	if (b->n + n > b->cap) {
		b->cap = (b->n + n) * 2 + 64;
		b->p = must(realloc(b->p, b->cap));
	}
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void put_int(struct buffer *b, uint64_t v, size_t size)
{
	unsigned char p[8];
	for (size_t i = 0; i < size; i++)
		p[i] = (unsigned char)(v >> 8 * i);
	put(b, p, size);
}

struct mk_pair *mk_pair(struct mk *m, const char *key)
{
	for (int i = 0; i < m->pairs; i++)
		if (!strcmp(m->pair[i].key, key))
			return &m->pair[i];
	return NULL;
}

struct mk_tensor *mk_tensor(struct mk *m, const char *name)
{
	for (int i = 0; i < m->tensors; i++)
		if (!strcmp(m->tensor[i].name, name))
			return &m->tensor[i];
	return NULL;
}

struct mk_pair *mk_add_pair(struct mk *m, const char *key, uint32_t type, const void *value, size_t n)
{
	if (m->pairs == MK_MAX_PAIRS)
		must(NULL);
	struct mk_pair *p = &m->pair[m->pairs++];
	uint64_t len = strlen(key);
	*p = (struct mk_pair){copy(key, (size_t)len), len, len, type, copy(value, n), n};
	m->n_pairs++;
	return p;
}

void mk_set_raw(struct mk *m, const char *key, uint32_t type, const void *value, size_t n)
{
	struct mk_pair *p = mk_pair(m, key);
	if (!p) {
		mk_add_pair(m, key, type, value, n);
		return;
	}
	free(p->value);
	p->value = copy(value, n);
	p->value_bytes = n;
	p->type = type;
}

void mk_set_int(struct mk *m, const char *key, uint32_t type, uint64_t v)
{
	static const unsigned char size[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 8, 8, 8, 8};
	unsigned char p[8];
	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(v >> 8 * i);
	mk_set_raw(m, key, type, p, type < sizeof size ? size[type] : 4);
}

void mk_set_f32(struct mk *m, const char *key, float v)
{
	mk_set_int(m, key, MK_F32, leat_f32_bits(v));
}

void mk_set_string(struct mk *m, const char *key, const char *s, size_t n)
{
	struct buffer b = {0};
	put_int(&b, n, 8);
	put(&b, s, n);
	mk_set_raw(m, key, MK_STRING, b.p, b.n);
	free(b.p);
}

void mk_set_array(struct mk *m, const char *key, uint32_t elem_type, uint64_t count, const void *bytes, size_t n)
{
	struct buffer b = {0};
	put_int(&b, elem_type, 4);
	put_int(&b, count, 8);
	put(&b, bytes, n);
	mk_set_raw(m, key, MK_ARRAY, b.p, b.n);
	free(b.p);
}

void mk_set_strings(struct mk *m, const char *key, const char *const *s, size_t n)
{
	struct buffer b = {0};
	for (size_t i = 0; i < n; i++) {
		put_int(&b, strlen(s[i]), 8);
		put(&b, s[i], strlen(s[i]));
	}
	mk_set_array(m, key, MK_STRING, n, b.p, b.n);
	free(b.p);
}

void mk_remove_pair(struct mk *m, const char *key)
{
	struct mk_pair *p = mk_pair(m, key);
	if (!p)
		return;
	free(p->key);
	free(p->value);
	size_t after = (size_t)(&m->pair[m->pairs] - p) - 1;
	memmove(p, p + 1, after * sizeof *p);
	m->pairs--;
	m->n_pairs--;
}

void mk_rename(struct mk_tensor *t, const char *name, size_t n)
{
	free(t->name);
	t->name = copy(name, n);
	t->name_bytes = t->name_length = n;
}

void mk_rekey(struct mk_pair *p, const char *key, size_t n)
{
	free(p->key);
	p->key = copy(key, n);
	p->key_bytes = p->key_length = n;
}

/* One row after the other of numbers with a spread of 1/sqrt(columns), so that activations stay near 1. */
static void fill(unsigned char *p, uint32_t type, uint64_t n, uint64_t cols, uint64_t *seed)
{
	float spread = 1.7f / sqrtf((float)cols);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t r = next_random(seed);
		float x = ((float)(r >> 40) / 8388608.0f - 1.0f) * spread;
		uint16_t h = type == 1 ? leat_f32_to_f16(x) : leat_f32_to_bf16(x);
		if (type == 0) {
			memcpy(p + 4 * i, &x, 4);
		} else if (type != 8) {
			memcpy(p + 2 * i, &h, 2);
		} else {
			if (i % 32 == 0) {
				uint16_t d = leat_f32_to_f16(spread / 127.0f);
				memcpy(p + i / 32 * 34, &d, 2);
			}
			p[i / 32 * 34 + 2 + i % 32] = (unsigned char)(r >> 56);
		}
	}
}

static uint64_t bytes_of(uint32_t type, uint64_t n)
{
	return type == 0 ? 4 * n : type == 8 ? n / 32 * 34 : 2 * n;
}

struct mk_tensor *mk_add_tensor(struct mk *m, const char *name, uint32_t type, uint32_t n_dims, const uint64_t *dim)
{
	if (m->tensors == MK_MAX_TENSORS)
		must(NULL);
	struct mk_tensor *t = &m->tensor[m->tensors];
	uint64_t n = 1, seed = 0x6c656174u + (uint64_t)m->tensors++, len = strlen(name);
	*t = (struct mk_tensor){.name = copy(name, (size_t)len), .name_bytes = len, .name_length = len};
	t->n_dims = t->written_dims = n_dims;
	t->type = type;
	for (uint32_t i = 0; i < n_dims; i++)
		n *= t->dim[i] = dim[i];
	t->offset = m->data_bytes;
	t->data_bytes = bytes_of(type, n);
	uint64_t padded = (t->data_bytes + m->alignment - 1) / m->alignment * m->alignment;
	m->data = must(realloc(m->data, (size_t)(m->data_bytes + padded) + 1));
	memset(m->data + m->data_bytes, 0, (size_t)padded);
	fill(m->data + m->data_bytes, type, n, dim[0], &seed);
	m->data_bytes += padded;
	m->n_tensors++;
	return t;
}

void mk_remove_tensor(struct mk *m, const char *name)
{
	struct mk_tensor *t = mk_tensor(m, name);
	if (!t)
		return;
	free(t->name);
	size_t after = (size_t)(&m->tensor[m->tensors] - t) - 1;
	memmove(t, t + 1, after * sizeof *t);
	m->tensors--;
	m->n_tensors--;
}

unsigned char *mk_data(struct mk *m, const struct mk_tensor *t)
{
	return m->data + t->offset;
}

/* ---- the models -------------------------------------------------------------------------------------------- */

enum { F32 = 0, F16 = 1, Q8_0 = 8, BF16 = 30 };

static void vector(struct mk *m, const char *name, uint64_t n)
{
	struct mk_tensor *t = mk_add_tensor(m, name, F32, 1, &n);
	/* Norms and mixing weights around 1. */
	for (uint64_t i = 0; i < n; i++) {
		float x = 1.0f + 0.05f * (float)((i * 7 + 3) % 5) - 0.1f;
		memcpy(mk_data(m, t) + 4 * i, &x, 4);
	}
}

static void bias(struct mk *m, const char *name, uint64_t n)
{
	mk_add_tensor(m, name, F32, 1, &n);
}

static void matrix(struct mk *m, const char *name, uint32_t type, uint64_t cols, uint64_t rows)
{
	uint64_t dim[2] = {cols, rows};
	mk_add_tensor(m, name, type, 2, dim);
}

static void tokens_bpe(struct mk *m)
{
	static const char *const specials[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "th", "he", "the", "in"};
	static const char *const merges[] = {"t h", "h e", "th e", "i n"};
	char text[256 + 7][16];
	const char *all[256 + 7];
	int32_t kind[256 + 7];
	for (int i = 0; i < 256 + 7; i++) {
		if (i < 256)
			text[i][small_letter((unsigned char)i, text[i])] = '\0';
		else
			snprintf(text[i], sizeof text[i], "%s", specials[i - 256]);
		kind[i] = i >= 256 && i < 259 ? 3 : 1;
		all[i] = text[i];
	}
	mk_set_string(m, "tokenizer.ggml.model", "gpt2", 4);
	mk_set_string(m, "tokenizer.ggml.pre", "qwen2", 5);
	mk_set_strings(m, "tokenizer.ggml.tokens", all, 256 + 7);
	mk_set_array(m, "tokenizer.ggml.token_type", MK_I32, 256 + 7, kind, sizeof kind);
	mk_set_strings(m, "tokenizer.ggml.merges", merges, 4);
	mk_set_int(m, "tokenizer.ggml.bos_token_id", MK_U32, 256);
	mk_set_int(m, "tokenizer.ggml.eos_token_id", MK_U32, 256);
	mk_set_int(m, "tokenizer.ggml.add_bos_token", MK_BOOL, 0);
}

static void tokens_rwkv(struct mk *m)
{
	char text[256 + 2][8];
	const char *all[256 + 2];
	for (int i = 0; i < 256 + 2; i++) {
		if (i < 256)
			snprintf(text[i], sizeof text[i], "\\x%02x", (unsigned)i);
		else
			snprintf(text[i], sizeof text[i], "%s", i == 256 ? "the" : " in");
		all[i] = text[i];
	}
	mk_set_string(m, "tokenizer.ggml.model", "rwkv", 4);
	mk_set_strings(m, "tokenizer.ggml.tokens", all, 256 + 2);
}

static const char *block(char buf[64], int i, const char *name)
{
	snprintf(buf, 64, "blk.%d.%s", i, name);
	return buf;
}

static void make_qwen2(struct mk *m)
{
	enum { D = 64, F = 96, V = 272, KV = 32 };
	char b[64];
	mk_set_string(m, "general.architecture", "qwen2", 5);
	mk_set_string(m, "general.name", "mkbad qwen2", 11);
	mk_set_int(m, "general.alignment", MK_U32, 32);
	mk_set_int(m, "qwen2.block_count", MK_U32, 2);
	mk_set_int(m, "qwen2.embedding_length", MK_U32, D);
	mk_set_int(m, "qwen2.feed_forward_length", MK_U32, F);
	mk_set_int(m, "qwen2.context_length", MK_U32, 128);
	mk_set_int(m, "qwen2.attention.head_count", MK_U32, 4);
	mk_set_int(m, "qwen2.attention.head_count_kv", MK_U32, 2);
	mk_set_f32(m, "qwen2.attention.layer_norm_rms_epsilon", 1e-6f);
	mk_set_f32(m, "qwen2.rope.freq_base", 10000.0f);
	tokens_bpe(m);
	matrix(m, "token_embd.weight", Q8_0, D, V);
	for (int i = 0; i < 2; i++) {
		vector(m, block(b, i, "attn_norm.weight"), D);
		matrix(m, block(b, i, "attn_q.weight"), Q8_0, D, D);
		bias(m, block(b, i, "attn_q.bias"), D);
		matrix(m, block(b, i, "attn_k.weight"), Q8_0, D, KV);
		bias(m, block(b, i, "attn_k.bias"), KV);
		matrix(m, block(b, i, "attn_v.weight"), F16, D, KV);
		bias(m, block(b, i, "attn_v.bias"), KV);
		matrix(m, block(b, i, "attn_output.weight"), Q8_0, D, D);
		vector(m, block(b, i, "ffn_norm.weight"), D);
		matrix(m, block(b, i, "ffn_gate.weight"), Q8_0, D, F);
		matrix(m, block(b, i, "ffn_up.weight"), BF16, D, F);
		matrix(m, block(b, i, "ffn_down.weight"), Q8_0, F, D);
	}
	vector(m, "output_norm.weight", D);
	matrix(m, "output.weight", Q8_0, D, V);
}

/* The other attention models: smaller, each with what the others lack. */
struct decoder {
	const char *arch;
	int fused, biased, normed;
	uint64_t q, kv; /* widths */
};
enum { DEC_D = 32, DEC_F = 64, DEC_V = 272, DEC_HEADS = 4, DEC_KV_HEADS = 2 };

static void decoder_settings(struct mk *m, const struct decoder *d)
{
	static const struct {
		const char *name;
		uint64_t v;
	} ints[] = {
		{"block_count", 2},           {"embedding_length", DEC_D},
		{"feed_forward_length", DEC_F}, {"context_length", 128},
		{"attention.head_count", DEC_HEADS}, {"attention.head_count_kv", DEC_KV_HEADS},
	};
	char key[96];
	mk_set_string(m, "general.architecture", d->arch, strlen(d->arch));
	mk_set_int(m, "general.alignment", MK_U32, 32);
	for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
		snprintf(key, sizeof key, "%s.%s", d->arch, ints[i].name);
		mk_set_int(m, key, MK_U32, ints[i].v);
	}
	snprintf(key, sizeof key, "%s.attention.key_length", d->arch);
	mk_set_int(m, key, MK_U32, d->q / DEC_HEADS);
	snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", d->arch);
	mk_set_f32(m, key, 1e-6f);
	tokens_bpe(m);
}

static void decoder_attention(struct mk *m, const struct decoder *d, int i)
{
	const char *const name[] = {"attn_q", "attn_k", "attn_v"};
	char b[64], part[32];
	for (int k = 0; k < 3; k++) {
		uint64_t rows = k ? d->kv : d->q;
		snprintf(part, sizeof part, "%s.weight", name[k]);
		if (!d->fused)
			matrix(m, block(b, i, part), k == 1 ? F16 : Q8_0, DEC_D, rows);
		snprintf(part, sizeof part, "%s.bias", name[k]);
		if (d->biased)
			bias(m, block(b, i, part), rows);
		snprintf(part, sizeof part, "%s_norm.weight", name[k]);
		if (d->normed && k < 2)
			vector(m, block(b, i, part), d->q / DEC_HEADS);
	}
	if (d->fused)
		matrix(m, block(b, i, "attn_qkv.weight"), Q8_0, DEC_D, d->q + 2 * d->kv);
	matrix(m, block(b, i, "attn_output.weight"), Q8_0, d->q, DEC_D);
	vector(m, block(b, i, "attn_norm.weight"), DEC_D);
}

static void make_decoder(struct mk *m, const struct decoder *d)
{
	char b[64];
	decoder_settings(m, d);
	matrix(m, "token_embd.weight", Q8_0, DEC_D, DEC_V);
	for (int i = 0; i < 2; i++) {
		decoder_attention(m, d, i);
		vector(m, block(b, i, "ffn_norm.weight"), DEC_D);
		if (!d->fused)
			matrix(m, block(b, i, "ffn_gate.weight"), F32, DEC_D, DEC_F);
		matrix(m, block(b, i, "ffn_up.weight"), BF16, DEC_D, d->fused ? 2 * DEC_F : DEC_F);
		matrix(m, block(b, i, "ffn_down.weight"), Q8_0, DEC_F, DEC_D);
	}
	vector(m, "output_norm.weight", DEC_D);
	matrix(m, "output.weight", Q8_0, DEC_D, DEC_V);
}

static void make_attention_kind(struct mk *m, enum mk_kind kind)
{
	if (kind == MK_LLAMA) {
		make_decoder(m, &(struct decoder){"llama", 0, 1, 0, 32, 16});
		mk_set_int(m, "llama.attention.sliding_window", MK_U32, 12);
		vector(m, "rope_freqs.weight", 4);
	} else if (kind == MK_PHI3) {
		make_decoder(m, &(struct decoder){"phi3", 1, 0, 0, 32, 16});
		mk_set_int(m, "phi3.rope.scaling.original_context_length", MK_U32, 24);
		vector(m, "rope_factors_short.weight", 4);
		vector(m, "rope_factors_long.weight", 4);
		struct mk_tensor *t = mk_tensor(m, "rope_factors_long.weight");
		for (int i = 0; i < 4; i++) {
			float x = 1.5f + (float)i;
			memcpy(mk_data(m, t) + 4 * i, &x, 4);
		}
	} else {
		make_decoder(m, &(struct decoder){"qwen3", 0, 0, 1, 64, 32});
	}
}

static void rwkv7_block(struct mk *m, int i)
{
	enum { D = 64, F = 128, R = 32 };
	static const char *const vectors[] = {"attn_norm.weight",    "attn_norm_2.weight",
					      "time_mix_ln.weight",  "time_mix_k_k.weight",
					      "time_mix_k_a.weight", "channel_mix_lerp_k.weight"};
	static const char *const biases[] = {"attn_norm.bias",     "attn_norm_2.bias",   "time_mix_ln.bias",
					     "time_mix_w0.weight", "time_mix_a0.weight", "time_mix_v0.weight",
					     "time_mix_r_k.weight"};
	static const char *const down[] = {"time_mix_w1.weight", "time_mix_a1.weight", "time_mix_v1.weight",
					   "time_mix_g1.weight"};
	static const char *const up[] = {"time_mix_w2.weight", "time_mix_a2.weight", "time_mix_v2.weight",
					 "time_mix_g2.weight"};
	static const char *const square[] = {"time_mix_receptance.weight", "time_mix_key.weight",
					     "time_mix_value.weight", "time_mix_output.weight"};
	char b[64];
	for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
		vector(m, block(b, i, vectors[k]), D);
	for (size_t k = 0; k < sizeof biases / sizeof *biases; k++)
		bias(m, block(b, i, biases[k]), D);
	uint64_t mu[4] = {D, 1, 1, 6};
	mk_add_tensor(m, block(b, i, "time_mix_lerp_fused.weight"), F32, 4, mu);
	for (int k = 0; k < 4; k++) {
		matrix(m, block(b, i, down[k]), k % 2 ? F32 : Q8_0, D, R);
		matrix(m, block(b, i, up[k]), k % 2 ? BF16 : Q8_0, R, D);
		matrix(m, block(b, i, square[k]), k == 2 ? F16 : Q8_0, D, D);
	}
	matrix(m, block(b, i, "channel_mix_key.weight"), Q8_0, D, F);
	matrix(m, block(b, i, "channel_mix_value.weight"), Q8_0, F, D);
}

static void make_rwkv7(struct mk *m)
{
	enum { D = 64, V = 258 };
	mk_set_string(m, "general.architecture", "rwkv7", 5);
	mk_set_int(m, "general.alignment", MK_U32, 32);
	mk_set_int(m, "rwkv7.block_count", MK_U32, 2);
	mk_set_int(m, "rwkv7.embedding_length", MK_U32, D);
	mk_set_int(m, "rwkv7.feed_forward_length", MK_U32, 128);
	mk_set_int(m, "rwkv7.context_length", MK_U32, 1 << 20);
	mk_set_f32(m, "rwkv7.attention.layer_norm_epsilon", 1e-5f);
	mk_set_int(m, "rwkv7.wkv.head_size", MK_U32, 32);
	tokens_rwkv(m);
	matrix(m, "token_embd.weight", F16, D, V);
	vector(m, "token_embd_norm.weight", D);
	bias(m, "token_embd_norm.bias", D);
	rwkv7_block(m, 0);
	rwkv7_block(m, 1);
	vector(m, "output_norm.weight", D);
	bias(m, "output_norm.bias", D);
	matrix(m, "output.weight", Q8_0, D, V);
}

struct mk *mk_create(enum mk_kind kind)
{
	struct mk *m = must(calloc(1, sizeof *m));
	memcpy(m->magic, "GGUF", 4);
	m->version = 3;
	m->alignment = 32;
	if (kind == MK_QWEN2)
		make_qwen2(m);
	else if (kind == MK_RWKV7)
		make_rwkv7(m);
	else
		make_attention_kind(m, kind);
	return m;
}

void mk_destroy(struct mk *m)
{
	for (int i = 0; i < m->pairs; i++) {
		free(m->pair[i].key);
		free(m->pair[i].value);
	}
	for (int i = 0; i < m->tensors; i++)
		free(m->tensor[i].name);
	free(m->data);
	free(m);
}

static void border(struct mk *m, const struct buffer *b)
{
	if (m->n_borders < MK_MAX_BORDERS)
		m->border[m->n_borders++] = b->n;
}

static void field(struct mk *m, struct buffer *b, uint64_t v, size_t size)
{
	border(m, b);
	put_int(b, v, size);
}

static void encode_tensor(struct mk *m, struct buffer *b, const struct mk_tensor *t)
{
	field(m, b, t->name_length, 8);
	border(m, b);
	put(b, t->name, (size_t)t->name_bytes);
	field(m, b, t->n_dims, 4);
	for (uint32_t k = 0; k < t->written_dims; k++)
		field(m, b, t->dim[k], 8);
	field(m, b, t->type, 4);
	field(m, b, t->offset, 8);
}

unsigned char *mk_encode(struct mk *m, size_t *ret_n)
{
	struct buffer b = {0};
	m->n_borders = 0;
	border(m, &b);
	put(&b, m->magic, 4);
	field(m, &b, m->version, 4);
	field(m, &b, m->n_tensors, 8);
	field(m, &b, m->n_pairs, 8);
	for (int i = 0; i < m->pairs; i++) {
		const struct mk_pair *p = &m->pair[i];
		field(m, &b, p->key_length, 8);
		border(m, &b);
		put(&b, p->key, (size_t)p->key_bytes);
		field(m, &b, p->type, 4);
		border(m, &b);
		put(&b, p->value, p->value_bytes);
	}
	for (int i = 0; i < m->tensors; i++)
		encode_tensor(m, &b, &m->tensor[i]);
	border(m, &b);
	while (b.n % m->alignment)
		put(&b, "", 1);
	m->data_at = b.n;
	border(m, &b);
	put(&b, m->data, (size_t)m->data_bytes);
	for (uint64_t i = 0; i < m->tail_bytes; i++)
		put(&b, "\xa5", 1);
	border(m, &b);
	*ret_n = b.n;
	return b.p;
}
