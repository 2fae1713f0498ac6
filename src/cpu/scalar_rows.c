/* scalar_rows.c - portable norms, elementwise kernels, attention and time mix. */
#include <string.h>

#include "base/f16.h"
#include "cpu/kernels.h"
#include "cpu/scalar.h"
#include "quant/q8_0.h"

static void rmsnorm(float *y, const float *x, const float *gain, int n, float eps)
{
	float s = 1.0f / sqrtf(leat_dot(x, x, n) / (float)n + eps);
	for (int i = 0; i < n; i++)
		y[i] = x[i] * s * gain[i];
}

/* Two passes: the difference of two large sums would lose a small variance. */
static void layernorm(float *y, const float *x, const float *gain, const float *bias, int n, float eps)
{
	float lane[LEAT_LANES] = {0}, square[LEAT_LANES] = {0};

	for (int i = 0; i < n; i++)
		lane[i % LEAT_LANES] += x[i];
	float mean = leat_lanes_sum(lane) / (float)n;
	for (int i = 0; i < n; i++)
		square[i % LEAT_LANES] += (x[i] - mean) * (x[i] - mean);
	float s = 1.0f / sqrtf(leat_lanes_sum(square) / (float)n + eps);
	for (int i = 0; i < n; i++)
		y[i] = (x[i] - mean) * s * gain[i] + bias[i];
}

static void l2norm(float *y, const float *x, int n)
{
	float s = 1.0f / fmaxf(sqrtf(leat_dot(x, x, n)), 1e-12f);
	for (int i = 0; i < n; i++)
		y[i] = x[i] * s;
}

/* By e^-|x|, which cannot overflow. */
static float sigmoid(float x)
{
	float e = expf(-fabsf(x));
	return (x < 0 ? e : 1.0f) / (1.0f + e);
}

/* EACH(name, parameters, expression): one elementwise kernel over i. */
#define EACH(name, parameters, expression)                                                                             \
	static void name(float *y, parameters, int n)                                                                  \
	{                                                                                                              \
		for (int i = 0; i < n; i++)                                                                            \
			y[i] = (expression);                                                                           \
	}
#define P1 const float *x
#define P2 const float *a, const float *b
EACH(act_none, P1, x[i])
EACH(act_tanh, P1, tanhf(x[i]))
EACH(act_sigmoid, P1, sigmoid(x[i]))
EACH(act_silu, P1, x[i] * sigmoid(x[i]))
EACH(act_relu2, P1, x[i] > 0 || x[i] != x[i] ? x[i] * x[i] : 0)
EACH(act_rwkv_decay, P1, expf(-0.60653066f * sigmoid(x[i])))
EACH(add, P2, a[i] + b[i])
EACH(mul, P2, a[i] * b[i])
EACH(sub, P2, a[i] - b[i])
EACH(swiglu, P2, a[i] * sigmoid(a[i]) * b[i])

static void lerp(float *y, const float *x, const float *d, const float *mu, int n)
{
	for (int i = 0; i < n; i++)
		y[i] = x[i] + d[i] * mu[i];
}

static void mix(float *y, const float *a, const float *b, const float *s, int n)
{
	for (int i = 0; i < n; i++)
		y[i] = a[i] + (b[i] - a[i]) * s[i];
}

static void key_scale(float *y, const float *k, const float *a, const float *ka, int n)
{
	for (int i = 0; i < n; i++)
		y[i] = k[i] * (1.0f + (a[i] - 1.0f) * ka[i]);
}

static void rope_halves(float *y, const float *x, const float *cs, int n_heads, int head_size, int n_rot)
{
	int half = n_rot / 2;

	for (int h = 0; h < n_heads; h++, x += head_size, y += head_size) {
		for (int i = 0; i < half; i++) {
			float a = x[i], b = x[i + half], c = cs[i], s = cs[half + i];
			y[i] = a * c - b * s;
			y[i + half] = b * c + a * s;
		}
		if (head_size > n_rot)
			memmove(y + n_rot, x + n_rot, (size_t)(head_size - n_rot) * sizeof *y);
	}
}

static void rope_neighbours(float *y, const float *x, const float *cs, int n_heads, int head_size, int n_rot)
{
	for (int h = 0; h < n_heads; h++, x += head_size, y += head_size) {
		for (int i = 0; i < n_rot; i += 2) {
			float a = x[i], b = x[i + 1], c = cs[i / 2], s = cs[(n_rot + i) / 2];
			y[i] = a * c - b * s;
			y[i + 1] = b * c + a * s;
		}
		if (head_size > n_rot)
			memmove(y + n_rot, x + n_rot, (size_t)(head_size - n_rot) * sizeof *y);
	}
}

/* Key or value `row` of page `page` as f32. */
static void kv_row(float *out, const unsigned char *base, const struct leat_attn *a, int position, int type)
{
	size_t width = type == LEAT_KV_F16 ? 2 : 4;
	const unsigned char *p = base + (size_t)a->page[position / a->page_tokens] * a->page_bytes +
				 (size_t)(position % a->page_tokens) * leat_kv_row_bytes(type, (size_t)a->head_size);
	if (type == LEAT_KV_Q8_0) {
		leat_q8_0_dequant(out, p, (size_t)a->head_size);
		return;
	}
	for (int i = 0; i < a->head_size; i++, p += width) {
		uint16_t h;
		if (type == LEAT_KV_F16) {
			memcpy(&h, p, 2);
			out[i] = leat_f16_to_f32(h);
		} else {
			memcpy(&out[i], p, 4);
		}
	}
}

/* Keys [p0, p1) of one block for one query: continues the running largest score, sum and weighted value. */
static void attn_page(float *y, float *most, float *sum, const float *q, const struct leat_attn *a, int p0, int p1,
		      int type)
{
	float score[LEAT_ATTN_KEYS], row[LEAT_MAX_HEAD_SIZE], m = *most;

	for (int p = p0; p < p1; p++) {
		kv_row(row, a->k, a, p, type);
		score[p - p0] = a->scale * leat_dot(q, row, a->head_size);
		m = fmaxf(m, score[p - p0]);
	}
	float keep = expf(*most - m), total = *sum * keep;
	for (int i = 0; i < a->head_size; i++)
		y[i] *= keep;
	for (int p = p0; p < p1; p++) {
		float e = expf(score[p - p0] - m);
		kv_row(row, a->v, a, p, type);
		total += e;
		for (int i = 0; i < a->head_size; i++)
			y[i] += e * row[i];
	}
	*most = m;
	*sum = total;
}

static void attn(float *y, const float *q, const struct leat_attn *a, int type)
{
	for (int g = 0; g < a->n_group; g++, y += a->head_size, q += a->head_size) {
		float most = -INFINITY, sum = 0;
		memset(y, 0, (size_t)a->head_size * sizeof *y);
		for (int p = a->first, next; p < a->end; p = next) {
			next = leat_attn_block_end(a, p);
			attn_page(y, &most, &sum, q, a, p, next, type);
		}
		for (int i = 0; i < a->head_size; i++)
			y[i] /= sum;
	}
}

static void attn_f16(float *y, const float *q, const struct leat_attn *a, float *scratch)
{
	(void)scratch;
	attn(y, q, a, LEAT_KV_F16);
}

static void attn_f32(float *y, const float *q, const struct leat_attn *a, float *scratch)
{
	(void)scratch;
	attn(y, q, a, LEAT_KV_F32);
}

static void attn_q8_0(float *y, const float *q, const struct leat_attn *a, float *scratch)
{
	(void)scratch;
	attn(y, q, a, LEAT_KV_Q8_0);
}

static void attn_tile(const struct leat_attn_tile *t, int type)
{
	for (int i = 0; i < t->n_tokens; i++) {
		struct leat_attn a = leat_attn_token(t, i);
		attn(t->y + (size_t)i * t->y_stride, t->q + (size_t)i * t->q_stride, &a, type);
	}
}

static void attn_tile_f16(const struct leat_attn_tile *t, float *scratch)
{
	(void)scratch;
	attn_tile(t, LEAT_KV_F16);
}

static void attn_tile_f32(const struct leat_attn_tile *t, float *scratch)
{
	(void)scratch;
	attn_tile(t, LEAT_KV_F32);
}

static void attn_tile_q8_0(const struct leat_attn_tile *t, float *scratch)
{
	(void)scratch;
	attn_tile(t, LEAT_KV_Q8_0);
}

static void to_q8_0(unsigned char *y, const float *x, int n)
{
	for (int k = 0; k < n; k += 32, x += 32, y += sizeof(struct leat_q8_0)) {
		struct leat_q8_0 b;
		float most = 0, bad = 0;
		for (int i = 0; i < 32; i++) {
			most = fmaxf(most, fabsf(x[i]));
			bad += x[i] - x[i]; /* not 0 for what is not finite */
		}
		b.d = leat_f32_to_f16(most / 127.0f);
		float d = leat_f16_to_f32(b.d);
		if (bad != 0 || !isfinite(d)) {
			b.d = 0x7e00;
			d = 0;
		}
		for (int i = 0; i < 32; i++) /* a scale that is nearly zero may be rounded to much less */
			b.qs[i] = (int8_t)(d > 0 ? lrintf(fminf(fmaxf(x[i] / d, -127), 127)) : 0);
		memcpy(y, &b, sizeof b);
	}
}

static void wkv7(float *y, float *s_out, const float *s_in, const float *r, const float *w, const float *k,
		 const float *v, const float *kk, const float *a, int n_head_size)
{
	for (int i = 0; i < n_head_size; i++, s_in += n_head_size, s_out += n_head_size) {
		float sa = -leat_dot(s_in, kk, n_head_size);
		for (int j = 0; j < n_head_size; j++)
			s_out[j] = s_in[j] * w[j] + sa * (kk[j] * a[j]) + v[i] * k[j];
		y[i] = leat_dot(s_out, r, n_head_size);
	}
}

static void wkv7_far(float *y, float *s_out, const float *s_in, const float *r, const float *w, const float *k,
		     const float *v, const float *kk, const float *a, int n_head_size, int n_heads)
{
	for (int n = n_head_size, c = 0; c < n * n_heads; c += n, s_in += n * n, s_out += n * n)
		wkv7(y + c, s_out, s_in, r + c, w + c, k + c, v + c, kk + c, a + c, n);
}

static void bonus(float *y, const float *r, const float *k, const float *v, const float *rk, int n)
{
	float sum = 0;

	for (int i = 0; i < n; i++)
		sum += r[i] * k[i] * rk[i];
	for (int i = 0; i < n; i++)
		y[i] += sum * v[i];
}

void leat_kernels_scalar_rows(struct leat_kernels *k)
{
	k->rmsnorm = rmsnorm;
	k->layernorm = layernorm;
	k->l2norm = l2norm;
	k->act[LEAT_ACT_NONE] = act_none;
	k->act[LEAT_ACT_TANH] = act_tanh;
	k->act[LEAT_ACT_SIGMOID] = act_sigmoid;
	k->act[LEAT_ACT_SILU] = act_silu;
	k->act[LEAT_ACT_RELU2] = act_relu2;
	k->act[LEAT_ACT_RWKV_DECAY] = act_rwkv_decay;
	k->add = add;
	k->mul = mul;
	k->sub = sub;
	k->swiglu = swiglu;
	k->lerp = lerp;
	k->mix = mix;
	k->key_scale = key_scale;
	k->rope[LEAT_ROPE_HALVES] = rope_halves;
	k->rope[LEAT_ROPE_NEIGHBOURS] = rope_neighbours;
	k->attn[LEAT_KV_F16] = attn_f16;
	k->attn[LEAT_KV_F32] = attn_f32;
	k->attn[LEAT_KV_Q8_0] = attn_q8_0;
	k->attn_tile[LEAT_KV_F16] = attn_tile_f16;
	k->attn_tile[LEAT_KV_F32] = attn_tile_f32;
	k->attn_tile[LEAT_KV_Q8_0] = attn_tile_q8_0;
	k->to_q8_0 = to_q8_0;
	k->wkv7 = wkv7;
	k->wkv7_far = wkv7_far;
	k->bonus = bonus;
}
