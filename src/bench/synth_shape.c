/* synth_shape.c - the published shapes as lists of tensors.
 *
 * Sources: config.json of Qwen/Qwen2.5-{0.5B,1.5B,7B}, Qwen/Qwen3-0.6B, meta-llama/Llama-3.2-1B and
 * microsoft/Phi-3-mini-4k-instruct; RWKV-7 "World" checkpoints (arXiv:2503.14456, appendix on parameter shapes and
 * low-rank sizes). Names and storage as llama.cpp's converter and quantiser write them. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/synth_parts.h"
#include "quant/quant.h"

static const struct synth_shape shapes[] = {
	/* name            arch         layers embd    ff   vocab  heads kv tied head  w   a   v    g */
	{ "qwen2.5-0.5b", SYNTH_QWEN2, 24, 896, 4864, 151936, 14, 2, 1, 64, 0, 0, 0, 0 },
	{ "qwen2.5-1.5b", SYNTH_QWEN2, 28, 1536, 8960, 151936, 12, 2, 1, 128, 0, 0, 0, 0 },
	{ "qwen2.5-7b", SYNTH_QWEN2, 28, 3584, 18944, 152064, 28, 4, 0, 128, 0, 0, 0, 0 },
	{ "qwen3-0.6b", SYNTH_QWEN3, 28, 1024, 3072, 151936, 16, 8, 1, 128, 0, 0, 0, 0 },
	{ "llama-3.2-1b", SYNTH_LLAMA, 16, 2048, 8192, 128256, 32, 8, 1, 64, 0, 0, 0, 0 },
	{ "phi3-mini", SYNTH_PHI3, 32, 3072, 8192, 32064, 32, 32, 0, 96, 0, 0, 0, 0 },
	{ "rwkv7-0.1b", SYNTH_RWKV7, 12, 768, 3072, 65536, 12, 12, 0, 64, 64, 64, 32, 128 },
	{ "rwkv7-0.4b", SYNTH_RWKV7, 24, 1024, 4096, 65536, 16, 16, 0, 64, 64, 64, 32, 128 },
	{ "rwkv7-1.5b", SYNTH_RWKV7, 24, 2048, 8192, 65536, 32, 32, 0, 64, 96, 96, 64, 256 },
	{ "rwkv7-2.9b", SYNTH_RWKV7, 32, 2560, 10240, 65536, 40, 40, 0, 64, 96, 96, 64, 320 },
};

enum { Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14 };

/* Every matrix of one type (where its columns are whole blocks), or the mix of Q4_K_M; ftype is llama.cpp's numbering
 * of "mostly" types. */
static const struct {
	const char *name;
	int type, mix;
	uint32_t ftype;
} types[] = {
	{ "f32", SYNTH_F32, 0, 0 }, { "f16", SYNTH_F16, 0, 1 }, { "bf16", SYNTH_BF16, 0, 32 },
	{ "q8_0", SYNTH_Q8_0, 0, 7 }, { "q4_0", Q4_0, 0, 2 }, { "q4_1", Q4_1, 0, 3 }, { "q5_0", Q5_0, 0, 8 },
	{ "q5_1", Q5_1, 0, 9 }, { "q2_k", Q2_K, 0, 10 }, { "q3_k", Q3_K, 0, 12 }, { "q4_k", Q4_K, 0, 14 },
	{ "q5_k", Q5_K, 0, 16 }, { "q6_k", Q6_K, 0, 18 }, { "q4_k_m", Q4_K, 1, 15 },
};

enum { N_SHAPES = sizeof(shapes) / sizeof(shapes[0]), N_TYPES = sizeof(types) / sizeof(types[0]) };

/* Every value of this part of the model differs from zero by chance: large enough to be seen, small enough to stay
 * sane. */
static const float small_bias = 0.02f;
/* RWKV's keys get their negative mean from a constant that the layer norm adds (leat_synth_density proves it). */
static const float key_bias = 1.0f, key_lerp = 0.1f, key_variance = 0.95f;

const char *leat_synth_shape_at(int index)
{
	return index >= 0 && index < N_SHAPES ? shapes[index].name : NULL;
}

const char *leat_synth_type_at(int index)
{
	return index >= 0 && index < N_TYPES ? types[index].name : NULL;
}

size_t leat_synth_bytes(int type, uint64_t n)
{
	return leat_quant_bytes(leat_quant_at(leat_quant_of_type(type)), n);
}

/* What a quantiser writes where the columns are not whole blocks of `type`: the next finer of blocks of 32. */
static int fitting(int type, uint64_t cols)
{
	const struct leat_quant *q = leat_quant_at(leat_quant_of_type(type));

	if (cols % (uint64_t)q->block_elems == 0)
		return type;
	if (cols % 32)
		return SYNTH_F16;
	return type == Q4_K ? Q5_0 : type == Q5_K ? Q5_1 : type == Q6_K ? SYNTH_Q8_0 : Q4_0;
}

/* Appends a tensor. cols x rows; rows 0: a vector, always F32. `read` as in synth_tensor. */
static struct synth_tensor *add(struct synth_model *m, int type, uint64_t cols, uint64_t rows, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
static struct synth_tensor *add(struct synth_model *m, int type, uint64_t cols, uint64_t rows, const char *fmt, ...)
{
	struct synth_tensor *t = &m->tensor[m->n_tensors++];
	va_list ap;

	memset(t, 0, sizeof(*t));
	va_start(ap, fmt);
	vsnprintf(t->name, sizeof(t->name), fmt, ap);
	va_end(ap);
	t->type = rows ? fitting(type, cols) : SYNTH_F32;
	t->n_dims = rows ? 2 : 1;
	t->dim[0] = cols;
	t->dim[1] = rows ? rows : 1;
	t->dim[2] = t->dim[3] = 1;
	t->n = cols * t->dim[1];
	t->read = 1;
	t->law = SYNTH_NORMAL;
	/* A product of a normalised vector stays of the size of its input. */
	t->b = (float)(1.0 / sqrt((double)cols));
	return t;
}

static void constant(struct synth_tensor *t, float value)
{
	t->law = SYNTH_UNIFORM;
	t->a = t->b = value;
}

static void uniform(struct synth_tensor *t, float from, float to)
{
	t->law = SYNTH_UNIFORM;
	t->a = from;
	t->b = to;
}

static void norm(struct synth_model *m, const char *name, int layer, float bias)
{
	char base[48];

	if (layer < 0)
		snprintf(base, sizeof(base), "%s", name);
	else
		snprintf(base, sizeof(base), "blk.%d.%s", layer, name);
	constant(add(m, 0, (uint64_t)m->shape->n_embd, 0, "%s.weight", base), 1);
	if (m->shape->arch == SYNTH_RWKV7)
		constant(add(m, 0, (uint64_t)m->shape->n_embd, 0, "%s.bias", base), bias);
}

/* What a block adds to the residual stream is small, so that depth does not blow it up. */
static void residual(const struct synth_model *m, struct synth_tensor *t)
{
	t->b /= sqrtf(2.0f * (float)m->shape->n_layer);
}

/* The mix gives values and the way out of the block more bits in the first and last eighth and every third layer. */
static int finer(const struct synth_model *m, int i)
{
	int n = m->shape->n_layer;

	return m->mix && (i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2) ? Q6_K : m->type;
}

static void separate_qkv(struct synth_model *m, int i)
{
	static const char *const qkv[] = { "q", "k", "v" };
	const struct synth_shape *s = m->shape;
	uint64_t d = (uint64_t)s->n_embd, head = (uint64_t)s->head_size;
	int k;

	for (k = 0; k < 3; k++) {
		uint64_t rows = head * (uint64_t)(k ? s->n_kv_head : s->n_head);
		add(m, k == 2 ? finer(m, i) : m->type, d, rows, "blk.%d.attn_%s.weight", i, qkv[k]);
		if (s->arch == SYNTH_QWEN2)
			add(m, 0, rows, 0, "blk.%d.attn_%s.bias", i, qkv[k])->b = small_bias;
		if (s->arch == SYNTH_QWEN3 && k < 2)
			constant(add(m, 0, head, 0, "blk.%d.attn_%s_norm.weight", i, qkv[k]), 1);
	}
}

/* qwen2, qwen3, llama; phi3 with its fused matrices. */
static void attention_layer(struct synth_model *m, int i)
{
	const struct synth_shape *s = m->shape;
	uint64_t d = (uint64_t)s->n_embd, ff = (uint64_t)s->n_ff, q = (uint64_t)(s->n_head * s->head_size);
	int fused = s->arch == SYNTH_PHI3;

	norm(m, "attn_norm", i, 0);
	if (fused)
		add(m, m->mix ? Q5_K : m->type, d, q + 2 * (uint64_t)(s->n_kv_head * s->head_size),
		    "blk.%d.attn_qkv.weight", i);
	else
		separate_qkv(m, i);
	residual(m, add(m, m->type, q, d, "blk.%d.attn_output.weight", i));
	norm(m, "ffn_norm", i, 0);
	if (!fused)
		add(m, m->type, d, ff, "blk.%d.ffn_gate.weight", i);
	add(m, m->type, d, fused ? 2 * ff : ff, "blk.%d.ffn_up.weight", i);
	residual(m, add(m, finer(m, i), ff, d, "blk.%d.ffn_down.weight", i));
}

/* x -> rank -> x, with the bias of the second matrix. Quantised files keep these as F16. */
static void low_rank(struct synth_model *m, int i, char c, int rank, float lo, float hi)
{
	uint64_t d = (uint64_t)m->shape->n_embd;
	int block = leat_quant_at(leat_quant_of_type(m->type))->block_elems;
	int type = block > 1 ? SYNTH_F16 : m->type, first = m->n_tensors;

	if (c != 'g')
		uniform(add(m, 0, d, 0, "blk.%d.time_mix_%c0.weight", i, c), lo, hi);
	add(m, type, d, (uint64_t)rank, "blk.%d.time_mix_%c1.weight", i, c);
	add(m, type, (uint64_t)rank, d, "blk.%d.time_mix_%c2.weight", i, c);
	/* The first layer has no value of a layer before it to mix in; files carry the tensors all the same. */
	for (; c == 'v' && i == 0 && first < m->n_tensors; first++)
		m->tensor[first].read = 0;
}

static void rwkv7_time_mix(struct synth_model *m, int i)
{
	const struct synth_shape *s = m->shape;
	uint64_t d = (uint64_t)s->n_embd;
	static const char *const square[] = { "key", "value", "receptance", "output" };
	struct synth_tensor *t = NULL;
	int k;

	t = add(m, 0, d, 0, "blk.%d.time_mix_lerp_fused.weight", i);
	t->n_dims = 4;
	t->dim[3] = 6;
	t->n = 6 * d;
	uniform(t, 0, 1);
	low_rank(m, i, 'w', s->rank_w, -6, -1);
	low_rank(m, i, 'a', s->rank_a, -1, 1);
	low_rank(m, i, 'v', i ? s->rank_v : s->rank_a, 0, 1);
	low_rank(m, i, 'g', s->rank_g, 0, 0);
	uniform(add(m, 0, d, 0, "blk.%d.time_mix_k_k.weight", i), 0.7f, 1);
	uniform(add(m, 0, d, 0, "blk.%d.time_mix_k_a.weight", i), 0.9f, 1.1f);
	uniform(add(m, 0, d, 0, "blk.%d.time_mix_r_k.weight", i), -0.1f, 0.1f);
	for (k = 0; k < 4; k++)
		t = add(m, m->type, d, d, "blk.%d.time_mix_%s.weight", i, square[k]);
	residual(m, t);
	norm(m, "time_mix_ln", i, 0);
}

/* With the constant c added to every element of the normalised x and the mean -g in every key, a key's product is
 * normal with mean -g c d and variance sigma^2 d (v + c^2): g for which a part `density` lies above zero. */
static float key_mean(const struct synth_model *m, float sigma)
{
	double d = (double)m->shape->n_embd, z = leat_synth_quantile(1 - m->density, 0);

	return (float)(-z * (double)sigma * sqrt(d * (double)(key_variance + key_bias * key_bias)) /
		       ((double)key_bias * d));
}

static void rwkv7_layer(struct synth_model *m, int i)
{
	const struct synth_shape *s = m->shape;
	uint64_t d = (uint64_t)s->n_embd, ff = (uint64_t)s->n_ff;
	struct synth_tensor *t;

	norm(m, "attn_norm", i, 0);
	norm(m, "attn_norm_2", i, m->density > 0 ? key_bias : 0);
	rwkv7_time_mix(m, i);
	t = add(m, 0, d, 0, "blk.%d.channel_mix_lerp_k.weight", i);
	t->n_dims = 3;
	uniform(t, 0, key_lerp);
	t = add(m, m->type, d, ff, "blk.%d.channel_mix_key.weight", i);
	if (m->density > 0)
		t->a = key_mean(m, t->b);
	residual(m, add(m, m->type, ff, d, "blk.%d.channel_mix_value.weight", i));
}

static void finish(struct synth_model *m)
{
	int i;

	for (i = 0; i < m->n_tensors; i++) {
		struct synth_tensor *t = &m->tensor[i];
		t->bytes = leat_synth_bytes(t->type, t->n);
		m->n_params += t->n;
		if (t->read)
			m->read_bytes += t->bytes;
	}
}

static enum leat_status find(struct synth_model *m, const char *shape, const char *type, struct leat_error *err)
{
	int i;

	for (i = 0; i < N_SHAPES; i++) {
		if (!strcmp(shapes[i].name, shape))
			m->shape = &shapes[i];
	}
	if (!m->shape)
		return leat_fail(err, LEAT_E_ARG, "shape", LEAT_NO_OFFSET,
				 "unknown shape '%s'; leat synth --list shows them", shape);
	for (i = 0; i < N_TYPES; i++) {
		if (!strcmp(types[i].name, type)) {
			m->type = types[i].type;
			m->mix = types[i].mix;
			m->ftype = types[i].ftype;
			return LEAT_OK;
		}
	}
	return leat_fail(err, LEAT_E_ARG, "type", LEAT_NO_OFFSET, "unknown type '%s'; leat synth --list shows them",
			 type);
}

enum leat_status leat_synth_layout(struct synth_model *m, const char *shape, const char *type, double density,
				   struct leat_error *err)
{
	const struct synth_shape *s;
	struct synth_tensor *t;
	int i, head;

	memset(m, 0, sizeof(*m));
	LEAT_TRY(find(m, shape, type, err));
	s = m->shape;
	m->density = density;
	if (density > 0 && s->arch != SYNTH_RWKV7)
		return leat_fail(err, LEAT_E_ARG, "ffn-density", LEAT_NO_OFFSET,
				 "%s has no relu to be sparse; RWKV only", shape);
	/* 37 tensors a layer at most (rwkv7), and a handful around them. */
	m->cap = 40 * s->n_layer + 16;
	m->tensor = calloc((size_t)m->cap, sizeof(*m->tensor));
	if (!m->tensor)
		return leat_fail(err, LEAT_E_NOMEM, "synth", LEAT_NO_OFFSET, "out of memory");
	head = m->mix ? Q6_K : m->type;
	t = add(m, s->tied ? head : m->type, (uint64_t)s->n_embd, (uint64_t)s->n_vocab, "token_embd.weight");
	t->read = s->tied; /* else one row of it, which is nothing */
	if (s->arch == SYNTH_LLAMA) /* factors of the angles, as its rope scaling gives them */
		uniform(add(m, 0, (uint64_t)s->head_size / 2, 0, "rope_freqs.weight"), 1, 32);
	if (s->arch == SYNTH_RWKV7)
		norm(m, "token_embd_norm", -1, 0);
	for (i = 0; i < s->n_layer; i++)
		(s->arch == SYNTH_RWKV7 ? rwkv7_layer : attention_layer)(m, i);
	norm(m, "output_norm", -1, 0);
	if (!s->tied)
		add(m, head, (uint64_t)s->n_embd, (uint64_t)s->n_vocab, "output.weight");
	finish(m);
	return LEAT_OK;
}
