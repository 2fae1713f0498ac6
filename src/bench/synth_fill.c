/* synth_fill.c - random weights faster than a disk takes them.
 *
 * A weight costs one look into a table that holds its value as the file stores it: 65536 values of the wanted
 * distribution for the float types, pairs of bytes for Q8_0 (256 values each), so a 64-bit random number makes 8 bytes.
 * Of every other block format it holds POOL blocks, quantised from random values, which are drawn whole.
 * Tensors that share type and distribution share the table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"
#include "bench/synth_parts.h"
#include "quant/quant.h"

enum { TABLE = 65536, LEVELS = 256, BLOCK = 32, BLOCK_BYTES = 34, POOL = 1024, MAX_BLOCK = 256 };

struct law {
	int type, kind;
	float a, b;
	uint16_t scale;        /* q8_0, as f16 */
	union {
		float f32[TABLE];
		uint16_t u16[TABLE]; /* f16, bf16; q8_0: two bytes */
		unsigned char block[TABLE * 4];
	} v;
};

struct synth_fill {
	struct law **law;      /* distinct ones */
	int n_laws;
	int *of;               /* law of each tensor */
};

/* splitmix64: a counter through a mixer; numbers of one chunk are independent of all others. */
static inline uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static const uint64_t golden = 0x9e3779b97f4a7c15u;

double leat_synth_quantile(double p, double z)
{
	int i;

	for (i = 0; i < 60; i++) {
		double step = (0.5 * erfc(-z / sqrt(2.0)) - p) / (exp(-0.5 * z * z) / sqrt(2 * 3.14159265358979323846));
		step = step > 0.5 ? 0.5 : step < -0.5 ? -0.5 : step;
		z -= step;
		if (fabs(step) < 1e-12)
			break;
	}
	return z;
}

/* z[n]: the middles of n equally likely parts of the normal distribution, scaled to variance 1; rising, so each is the
 * next one's starting point. */
static void normal_levels(double *z, int n)
{
	double square = 0, last = -4.5;
	int i;

	for (i = 0; i < n; i++) {
		last = z[i] = leat_synth_quantile((i + 0.5) / n, last);
		square += last * last;
	}
	for (i = 0; i < n; i++)
		z[i] /= sqrt(square / n);
}

static void levels(const struct law *l, double *z, int n)
{
	int i;

	if (l->kind == SYNTH_NORMAL) {
		normal_levels(z, n);
		for (i = 0; i < n; i++)
			z[i] = (double)l->a + (double)l->b * z[i];
		return;
	}
	for (i = 0; i < n; i++)
		z[i] = (double)l->a + ((double)l->b - (double)l->a) * (i + 0.5) / n;
}

static void build_q8_0(struct law *l)
{
	double z[LEVELS], top = 0, d;
	unsigned char byte[LEVELS];
	int i;

	levels(l, z, LEVELS);
	for (i = 0; i < LEVELS; i++)
		top = fabs(z[i]) > top ? fabs(z[i]) : top;
	l->scale = leat_f32_to_f16((float)(top / 127));
	d = (double)leat_f16_to_f32(l->scale);
	for (i = 0; i < LEVELS; i++) {
		long q = d > 0 ? lround(z[i] / d) : 0;
		byte[i] = (unsigned char)(int8_t)(q > 127 ? 127 : q < -127 ? -127 : q);
	}
	for (i = 0; i < TABLE; i++)
		l->v.u16[i] = (uint16_t)(byte[i & 255] | byte[i >> 8] << 8);
}

static const struct leat_quant *format_of(int type)
{
	return leat_quant_at(leat_quant_of_type(type));
}

/* z: TABLE values of the distribution */
static void build_pool(struct law *l, const double *z)
{
	const struct leat_quant *q = format_of(l->type);
	float x[MAX_BLOCK];
	uint64_t key = golden;
	int i, k;

	for (i = 0; i < POOL; i++) {
		for (k = 0; k < q->block_elems; k++)
			x[k] = (float)z[mix(key += golden) % TABLE];
		q->quant(l->v.block + i * q->block_bytes, x, (size_t)q->block_elems);
	}
}

static int build(struct law *l)
{
	double *z;
	int i;

	if (l->type == SYNTH_Q8_0) {
		build_q8_0(l);
		return 0;
	}
	z = malloc(sizeof(*z) * TABLE);
	if (!z)
		return 1;
	levels(l, z, TABLE);
	if (format_of(l->type)->block_elems > 1)
		build_pool(l, z);
	for (i = 0; i < TABLE && format_of(l->type)->block_elems == 1; i++) {
		if (l->type == SYNTH_F32)
			l->v.f32[i] = (float)z[i];
		else
			l->v.u16[i] =
				l->type == SYNTH_F16 ? leat_f32_to_f16((float)z[i]) : leat_f32_to_bf16((float)z[i]);
	}
	free(z);
	return 0;
}

static int same(const struct law *l, const struct synth_tensor *t)
{
	return l->type == t->type && l->kind == t->law && !memcmp(&l->a, &t->a, 4) && !memcmp(&l->b, &t->b, 4);
}

/* Index of the law of a tensor, -1 out of memory. */
static int law_of(struct synth_fill *f, const struct synth_tensor *t)
{
	struct law *l;
	int i;

	for (i = 0; i < f->n_laws; i++) {
		if (same(f->law[i], t))
			return i;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return -1;
	l->type = t->type;
	l->kind = t->law;
	l->a = t->a;
	l->b = t->b;
	f->law[f->n_laws++] = l;
	return build(l) ? -1 : i;
}

struct synth_fill *leat_synth_fill_create(const struct synth_model *m)
{
	struct synth_fill *f = calloc(1, sizeof(*f));
	int i;

	if (!f)
		return NULL;
	f->of = calloc((size_t)m->n_tensors, sizeof(*f->of));
	f->law = calloc((size_t)m->n_tensors, sizeof(struct law *));
	for (i = 0; f->of && f->law && i < m->n_tensors; i++) {
		f->of[i] = law_of(f, &m->tensor[i]);
		if (f->of[i] < 0)
			break;
	}
	if (i == m->n_tensors)
		return f;
	leat_synth_fill_destroy(f);
	return NULL;
}

void leat_synth_fill_destroy(struct synth_fill *f)
{
	int i;

	if (!f)
		return;
	for (i = 0; i < f->n_laws; i++)
		free(f->law[i]);
	free(f->law);
	free(f->of);
	free(f);
}

static void fill_u16(const uint16_t *table, uint64_t key, size_t n, unsigned char *out)
{
	size_t i;

	for (i = 0; i < n; i += 4) {
		uint64_t r = mix(key += golden), w;
		w = (uint64_t)table[r & 0xffff] | (uint64_t)table[r >> 16 & 0xffff] << 16 |
		    (uint64_t)table[r >> 32 & 0xffff] << 32 | (uint64_t)table[r >> 48] << 48;
		memcpy(out + i * 2, &w, 8);
	}
}

static void fill_f32(const float *table, uint64_t key, size_t n, unsigned char *out)
{
	size_t i;

	for (i = 0; i < n; i += 4) {
		uint64_t r = mix(key += golden);
		float w[4] = { table[r & 0xffff], table[r >> 16 & 0xffff], table[r >> 32 & 0xffff], table[r >> 48] };
		memcpy(out + i * 4, w, 16);
	}
}

static void fill_q8_0(const struct law *l, uint64_t key, size_t n, unsigned char *out)
{
	size_t i;

	for (i = 0; i < n; i += BLOCK, out += BLOCK_BYTES) {
		memcpy(out, &l->scale, 2);
		fill_u16(l->v.u16, key, BLOCK / 2, out + 2);
		key += golden * (BLOCK / 8);
	}
}

static void fill_blocks(const struct law *l, uint64_t key, size_t n, unsigned char *out)
{
	const struct leat_quant *q = format_of(l->type);
	size_t i, bytes = (size_t)q->block_bytes;

	for (i = 0; i < n; i += (size_t)q->block_elems, out += bytes)
		memcpy(out, l->v.block + mix(key += golden) % POOL * bytes, bytes);
}

void leat_synth_fill(const struct synth_fill *f, int tensor, uint64_t seed, uint64_t first, size_t n,
		     unsigned char *out)
{
	const struct law *l = f->law[f->of[tensor]];
	uint64_t key = mix(mix(seed + golden) + (uint64_t)tensor * golden) + mix(first + golden);

	if (l->type == SYNTH_Q8_0)
		fill_q8_0(l, key, n, out);
	else if (l->type == SYNTH_F32)
		fill_f32(l->v.f32, key, n, out);
	else if (format_of(l->type)->block_elems > 1)
		fill_blocks(l, key, n, out);
	else
		fill_u16(l->v.u16, key, n, out);
}

/* ---- density ---- */

/* A layer-normalised vector of random direction: mean 0, variance 1, then the norm's constant. */
static void random_input(float *x, size_t n, uint64_t key, float bias)
{
	double sum = 0, square = 0;
	size_t i;
	int k;

	for (i = 0; i < n; i++) {
		x[i] = 0;
		for (k = 0; k < 8; k++) { /* a sum of sixteen uniform numbers is near enough to normal */
			uint64_t r = mix(key += golden);
			x[i] += (float)(r >> 40) + (float)(r & 0xffffff);
		}
		sum += (double)x[i];
	}
	for (i = 0; i < n; i++)
		square += ((double)x[i] - sum / (double)n) * ((double)x[i] - sum / (double)n);
	for (i = 0; i < n; i++)
		x[i] = (float)(((double)x[i] - sum / (double)n) / sqrt(square / (double)n)) + bias;
}

/* Part of a sample of keys (rows of the first layer's matrix, random inputs) that is positive. */
static double sample(const struct synth_fill *f, const struct synth_model *m, int tensor, uint64_t seed, float bias,
		     unsigned char *bytes, float *row, float *x)
{
	enum { ROWS = 512, INPUTS = 16 };
	size_t d = (size_t)m->tensor[tensor].dim[0], i;
	int r, k, positive = 0;

	for (k = 0; k < INPUTS; k++)
		random_input(x + (size_t)k * d, d, seed + (uint64_t)k * 1000003u, bias);
	for (r = 0; r < ROWS; r++) {
		leat_synth_fill(f, tensor, seed, (uint64_t)r * d, d, bytes);
		format_of(m->tensor[tensor].type)->dequant(row, bytes, d);
		for (k = 0; k < INPUTS; k++) {
			float s = 0;
			for (i = 0; i < d; i++)
				s += row[i] * x[(size_t)k * d + i];
			positive += s > 0;
		}
	}
	return (double)positive / (ROWS * INPUTS);
}

double leat_synth_density(const struct synth_fill *f, const struct synth_model *m, uint64_t seed)
{
	int i, key = -1;
	float bias = 0, *row, *x;
	size_t d = (size_t)m->shape->n_embd;
	unsigned char *bytes;
	double density = 0;

	for (i = 0; i < m->n_tensors; i++) {
		if (!strcmp(m->tensor[i].name, "blk.0.attn_norm_2.bias"))
			bias = m->tensor[i].a;
		if (!strcmp(m->tensor[i].name, "blk.0.channel_mix_key.weight"))
			key = i;
	}
	bytes = malloc(d * 4);
	row = malloc(d * sizeof(*row));
	x = malloc(16 * d * sizeof(*x));
	if (key >= 0 && bytes && row && x)
		density = sample(f, m, key, seed, bias, bytes, row, x);
	free(bytes);
	free(row);
	free(x);
	return density;
}
