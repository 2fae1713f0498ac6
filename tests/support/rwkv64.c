/* rwkv64.c - see rwkv64.h. */
#include "support/rwkv64.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/quant.h"

struct run {
	const struct leat_file *f;
	size_t n, D, K;
	double eps;
	double *x, *v_first;
	int layer;
	decoder64_see *watcher;
	void *user;
};

static size_t setting(const struct run *m, const char *name)
{
	const struct leat_meta *v = leat_file_meta(m->f, name);
	return v ? (size_t)v->v.u : 0;
}

/* All numbers of a tensor of the layer (-1: of the top); NULL if the file has none. */
static double *numbers(const struct run *m, const char *name, size_t *ret_rows)
{
	char full[96];
	if (m->layer < 0)
		snprintf(full, sizeof full, "%s", name);
	else
		snprintf(full, sizeof full, "blk.%d.%s", m->layer, name);
	const struct leat_tensor *t = leat_file_tensor(m->f, full);
	if (!t)
		return NULL;
	size_t cols = (size_t)t->dim[0], n = cols * (size_t)(t->dim[1] * t->dim[2] * t->dim[3]);
	float *x = malloc(n * sizeof *x);
	double *y = malloc(n * sizeof *y);
	leat_quant_at(leat_quant_of_type(t->type))->dequant(x, t->data, n);
	for (size_t i = 0; i < n; i++)
		y[i] = (double)x[i];
	free(x);
	if (ret_rows)
		*ret_rows = n / cols;
	return y;
}

static void see(const struct run *m, const char *point, const double *x, size_t cols)
{
	if (m->watcher)
		m->watcher(m->user, point, m->layer, x, cols);
}

/* x[n][cols] W^T + b */
static double *times(const struct run *m, const double *x, size_t cols, const char *weight, const char *bias,
		     size_t *ret_rows)
{
	size_t rows = 0;
	double *w = numbers(m, weight, &rows), *b = bias ? numbers(m, bias, NULL) : NULL;
	double *y = malloc(m->n * rows * sizeof *y);
	for (size_t t = 0; t < m->n; t++)
		for (size_t r = 0; r < rows; r++) {
			double sum = b ? b[r] : 0;
			for (size_t c = 0; c < cols; c++)
				sum += w[r * cols + c] * x[t * cols + c];
			y[t * rows + r] = sum;
		}
	free(w);
	free(b);
	if (ret_rows)
		*ret_rows = rows;
	return y;
}

/* Layer norm of parts of `part` of every row of width D; in place is fine. */
static void norm(const struct run *m, double *y, const double *x, size_t part, double eps, const char *gain,
		 const char *bias)
{
	double *g = numbers(m, gain, NULL), *b = numbers(m, bias, NULL);
	for (size_t at = 0; at < m->n * m->D; at += part) {
		double mean = 0, var = 0;
		for (size_t i = 0; i < part; i++)
			mean += x[at + i] / (double)part;
		for (size_t i = 0; i < part; i++)
			var += (x[at + i] - mean) * (x[at + i] - mean) / (double)part;
		for (size_t i = 0; i < part; i++)
			y[at + i] = (x[at + i] - mean) / sqrt(var + eps) * g[(at + i) % m->D] + b[(at + i) % m->D];
	}
	free(g);
	free(b);
}

/* h + (h one token before - h) * mu, mu: part `part` of the tensor */
static double *shifted(const struct run *m, const double *h, const double *d, const char *name, size_t part)
{
	double *mu = numbers(m, name, NULL), *y = malloc(m->n * m->D * sizeof *y);
	for (size_t i = 0; i < m->n * m->D; i++)
		y[i] = h[i] + d[i] * mu[part * m->D + i % m->D];
	free(mu);
	return y;
}

static double *differences(const struct run *m, const double *h, const char *point)
{
	double *d = malloc(m->n * m->D * sizeof *d);
	for (size_t i = 0; i < m->n * m->D; i++)
		d[i] = (i >= m->D ? h[i - m->D] : 0) - h[i];
	see(m, point, d, m->D);
	return d;
}

static double identity(double x)
{
	return x;
}

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static double decay(double x)
{
	return exp(-exp(-0.5) * sigmoid(x));
}

struct low_rank {
	size_t part;             /* of the token shift */
	const char *down, *up, *bias;
	double (*inner)(double), (*outer)(double);
	const char *x_point, *low_point, *point;
};

/* outer(bias + inner(x_m W1) W2) */
static double *low_rank(const struct run *m, const double *h, const double *d, const struct low_rank *l)
{
	size_t rank;
	double *x = shifted(m, h, d, "time_mix_lerp_fused.weight", l->part);
	double *a = times(m, x, m->D, l->down, NULL, &rank);
	if (l->x_point)
		see(m, l->x_point, x, m->D);
	for (size_t i = 0; i < m->n * rank; i++)
		a[i] = l->inner(a[i]);
	see(m, l->low_point, a, rank);
	double *y = times(m, a, rank, l->up, l->bias, NULL);
	for (size_t i = 0; i < m->n * m->D; i++)
		y[i] = l->outer(y[i]);
	see(m, l->point, y, m->D);
	free(x);
	free(a);
	return y;
}

static double *projected(const struct run *m, const double *h, const double *d, size_t part, const char *weight,
			 const char *x_point, const char *point)
{
	double *x = shifted(m, h, d, "time_mix_lerp_fused.weight", part);
	double *y = times(m, x, m->D, weight, NULL, NULL);
	see(m, x_point, x, m->D);
	see(m, point, y, m->D);
	free(x);
	return y;
}

/* The removal key into kk, the replacement key into k. */
static void keys(const struct run *m, double *kk, double *k, const double *a)
{
	double *k_k = numbers(m, "time_mix_k_k.weight", NULL), *k_a = numbers(m, "time_mix_k_a.weight", NULL);
	for (size_t at = 0; at < m->n * m->D; at += m->K) {
		double square = 0;
		for (size_t i = at; i < at + m->K; i++) {
			kk[i] = k[i] * k_k[i % m->D];
			square += kk[i] * kk[i];
			k[i] *= 1 + (a[i] - 1) * k_a[i % m->D];
		}
		for (size_t i = at; i < at + m->K; i++)
			kk[i] /= sqrt(square);
	}
	see(m, "att.k_removal", kk, m->D);
	see(m, "att.k_replace", k, m->D);
	free(k_k);
	free(k_a);
}

/* S = S (diag w - kk^T (a . kk)) + v^T k; y = r S^T, head by head */
static void mix(const struct run *m, double *y, const double *r, const double *w, const double *k, const double *v,
		const double *kk, const double *a)
{
	size_t K = m->K;
	double *S = calloc(m->D * K, sizeof *S);
	for (size_t t = 0; t < m->n; t++)
		for (size_t i = 0; i < m->D; i++) { /* row i of the state belongs to value i */
			size_t at = t * m->D + i / K * K;
			double *s = S + i * K, removed = 0, sum = 0;
			for (size_t j = 0; j < K; j++)
				removed += s[j] * kk[at + j];
			for (size_t j = 0; j < K; j++) {
				s[j] *= w[at + j];
				s[j] += v[t * m->D + i] * k[at + j] - removed * kk[at + j] * a[at + j];
				sum += s[j] * r[at + j];
			}
			y[t * m->D + i] = sum;
		}
	see(m, "state:wkv", S, K);
	see(m, "att.wkv", y, m->D);
	free(S);
}

static void add_bonus(const struct run *m, double *y, const double *r, const double *k, const double *v)
{
	double *r_k = numbers(m, "time_mix_r_k.weight", NULL);
	for (size_t at = 0; at < m->n * m->D; at += m->K) {
		double sum = 0;
		for (size_t i = at; i < at + m->K; i++)
			sum += r[i] * k[i] * r_k[i % m->D];
		for (size_t i = at; i < at + m->K; i++)
			y[i] += sum * v[i];
	}
	see(m, "att.bonus", y, m->D);
	free(r_k);
}

static void add(const struct run *m, double *y, const char *point, const char *after)
{
	see(m, point, y, m->D);
	for (size_t i = 0; i < m->n * m->D; i++)
		m->x[i] += y[i];
	see(m, after, m->x, m->D);
	free(y);
}

/* v = lerp(v, layer 0's v, nu) */
static void mix_value(const struct run *m, const double *h, const double *d, double *v)
{
	static const struct low_rank gate = { 3, "time_mix_v1.weight", "time_mix_v2.weight", "time_mix_v0.weight",
					      identity, sigmoid, NULL, "att.v_low", "att.v_gate" };
	if (!m->layer) {
		memcpy(m->v_first, v, m->n * m->D * sizeof *v);
		return;
	}
	double *nu = low_rank(m, h, d, &gate);
	for (size_t i = 0; i < m->n * m->D; i++)
		v[i] += (m->v_first[i] - v[i]) * nu[i];
	see(m, "att.v_mix", v, m->D);
	free(nu);
}

static void time_mix(const struct run *m)
{
	static const struct low_rank low[3] = {
		{ 1, "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_w0.weight", tanh, decay, "att.x_w",
		  "att.w_low", "att.w" },
		{ 4, "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_a0.weight", identity, sigmoid, "att.x_a",
		  "att.a_low", "att.a" },
		{ 5, "time_mix_g1.weight", "time_mix_g2.weight", NULL, sigmoid, identity, "att.x_g", "att.g_low",
		  "att.g" },
	};
	size_t bytes = m->n * m->D * sizeof(double);
	double *h = malloc(bytes), *y = malloc(bytes), *kk = malloc(bytes);
	norm(m, h, m->x, m->D, m->eps, "attn_norm.weight", "attn_norm.bias");
	see(m, "att.norm", h, m->D);
	double *d = differences(m, h, "att.shift");
	double *r = projected(m, h, d, 0, "time_mix_receptance.weight", "att.x_r", "att.r");
	double *k = projected(m, h, d, 2, "time_mix_key.weight", "att.x_k", "att.k");
	double *v = projected(m, h, d, 3, "time_mix_value.weight", "att.x_v", "att.v");
	double *w = low_rank(m, h, d, &low[0]), *a = low_rank(m, h, d, &low[1]), *g = low_rank(m, h, d, &low[2]);
	mix_value(m, h, d, v);
	keys(m, kk, k, a);
	mix(m, y, r, w, k, v, kk, a);
	norm(m, y, y, m->K, (double)m->K * 1e-5, "time_mix_ln.weight", "time_mix_ln.bias");
	see(m, "att.wkv_norm", y, m->D);
	add_bonus(m, y, r, k, v);
	for (size_t i = 0; i < m->n * m->D; i++)
		y[i] *= g[i];
	see(m, "att.gated", y, m->D);
	add(m, times(m, y, m->D, "time_mix_output.weight", NULL, NULL), "att.out", "att.residual");
	double *all[] = { h, y, kk, d, r, k, v, w, a, g };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free(all[i]);
}

static void channel_mix(const struct run *m)
{
	size_t ff;
	double *h = malloc(m->n * m->D * sizeof *h);
	norm(m, h, m->x, m->D, m->eps, "attn_norm_2.weight", "attn_norm_2.bias");
	see(m, "ffn.norm", h, m->D);
	double *d = differences(m, h, "ffn.shift"), *x = shifted(m, h, d, "channel_mix_lerp_k.weight", 0);
	see(m, "ffn.x_k", x, m->D);
	double *f = times(m, x, m->D, "channel_mix_key.weight", NULL, &ff);
	for (size_t i = 0; i < m->n * ff; i++)
		f[i] = f[i] > 0 ? f[i] * f[i] : 0;
	see(m, "ffn.act", f, ff);
	add(m, times(m, f, ff, "channel_mix_value.weight", NULL, NULL), "ffn.out", "layer.out");
	free(h);
	free(d);
	free(x);
	free(f);
}

double *rwkv64_watched(const struct leat_file *f, const int32_t *tokens, size_t n, decoder64_see *watcher, void *user,
		       size_t *ret_rows)
{
	struct run m = { .f = f, .n = n, .layer = -1, .watcher = watcher, .user = user };
	const struct leat_meta *eps = leat_file_meta(f, "rwkv7.attention.layer_norm_epsilon");
	m.D = setting(&m, "rwkv7.embedding_length");
	m.K = setting(&m, "rwkv7.wkv.head_size");
	m.eps = eps ? eps->v.f : 1e-5;
	double *table = numbers(&m, "token_embd.weight", NULL);
	m.x = malloc(n * m.D * sizeof *m.x);
	m.v_first = malloc(n * m.D * sizeof *m.x);
	for (size_t t = 0; t < n; t++)
		memcpy(m.x + t * m.D, table + (size_t)tokens[t] * m.D, m.D * sizeof *m.x);
	see(&m, "embed", m.x, m.D);
	norm(&m, m.x, m.x, m.D, m.eps, "token_embd_norm.weight", "token_embd_norm.bias");
	see(&m, "embed.norm", m.x, m.D);
	int n_layer = (int)setting(&m, "rwkv7.block_count");
	for (m.layer = 0; m.layer < n_layer; m.layer++) {
		time_mix(&m);
		channel_mix(&m);
	}
	m.layer = -1;
	norm(&m, m.x, m.x, m.D, m.eps, "output_norm.weight", "output_norm.bias");
	see(&m, "norm", m.x, m.D);
	double *y = times(&m, m.x, m.D, "output.weight", NULL, ret_rows);
	see(&m, "logits", y, *ret_rows);
	free(table);
	free(m.x);
	free(m.v_first);
	return y;
}
