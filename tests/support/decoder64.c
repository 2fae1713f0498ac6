/* decoder64.c - see decoder64.h. */
#include "support/decoder64.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quant/quant.h"

static const double pi = 3.14159265358979323846;

struct matrix {
	double *a; /* [rows][cols], NULL: not in the file */
	size_t rows, cols;
};

struct model {
	const struct leat_file *f;
	char arch[32];
	size_t n, width, heads, kv, size, n_rot, ff, window;
	double eps, scale, *freq;
	int neighbours;
	decoder64_see *watcher; /* NULL: none */
	void *user;
};

static double setting(const struct model *m, const char *name, double otherwise)
{
	char key[128];
	snprintf(key, sizeof key, "%s.%s", m->arch, name);
	const struct leat_meta *v = leat_file_meta(m->f, key);
	if (!v)
		return otherwise;
	return v->type == LEAT_META_F32 || v->type == LEAT_META_F64 ? v->v.f : (double)v->v.u;
}

static int is_setting(const struct model *m, const char *name, const char *word)
{
	char key[128];
	struct leat_str s = { "", 0 };
	snprintf(key, sizeof key, "%s.%s", m->arch, name);
	return leat_file_meta(m->f, key) && leat_meta_string(m->f, key, &s, NULL) == LEAT_OK && leat_str_is(s, word);
}

/* Rows first .. first + rows - 1 of a tensor (rows 0: all); layer -1: of the top. */
static struct matrix get(const struct model *m, int layer, const char *name, size_t first, size_t rows)
{
	char full[96];
	snprintf(full, sizeof full, layer < 0 ? "%s%.0d%s" : "%sblk.%d.%s", "", layer < 0 ? 0 : layer, name);
	const struct leat_tensor *t = leat_file_tensor(m->f, full);
	if (!t)
		return (struct matrix){ NULL, 0, 0 };
	struct matrix r = { NULL, rows ? rows : (size_t)(t->dim[1] * t->dim[2]), (size_t)t->dim[0] };
	const struct leat_quant *q = leat_quant_at(leat_quant_of_type(t->type));
	float *x = malloc(r.rows * r.cols * sizeof *x);
	r.a = malloc(r.rows * r.cols * sizeof *r.a);
	q->dequant(x, (const unsigned char *)t->data + first * leat_quant_bytes(q, r.cols), r.rows * r.cols);
	for (size_t i = 0; i < r.rows * r.cols; i++)
		r.a[i] = (double)x[i];
	free(x);
	return r;
}

/* y[n][rows] = x W^T + b, W and b of the file; W is freed. */
static double *times(const struct model *m, const double *x, struct matrix w, int layer, const char *bias)
{
	struct matrix b = bias ? get(m, layer, bias, 0, 0) : (struct matrix){ NULL, 0, 0 };
	double *y = malloc(m->n * w.rows * sizeof *y);
	for (size_t t = 0; t < m->n; t++)
		for (size_t r = 0; r < w.rows; r++) {
			double sum = b.a ? b.a[r] : 0;
			for (size_t c = 0; c < w.cols; c++)
				sum += w.a[r * w.cols + c] * x[t * w.cols + c];
			y[t * w.rows + r] = sum;
		}
	free(w.a);
	free(b.a);
	return y;
}

/* RMS norm of every `size` numbers of x[total], in y (may be x); a gain that the file lacks leaves x as it is. */
static void norm(const struct model *m, double *y, const double *x, size_t total, int layer, const char *name)
{
	struct matrix g = get(m, layer, name, 0, 0);
	if (!g.a)
		return;
	for (size_t at = 0; at < total; at += g.cols) {
		double sum = 0;
		for (size_t i = 0; i < g.cols; i++)
			sum += x[at + i] * x[at + i];
		double s = 1 / sqrt(sum / (double)g.cols + m->eps);
		for (size_t i = 0; i < g.cols; i++)
			y[at + i] = x[at + i] * s * g.a[i];
	}
	free(g.a);
}

/* One set of frequencies after the rules of scaling. */
static void frequencies(struct model *m)
{
	double base = setting(m, "rope.freq_base", 10000), ctx = setting(m, "context_length", 0);
	double original = setting(m, "rope.scaling.original_context_length", ctx);
	double factor = setting(m, "rope.scaling.factor", 1), dims = (double)m->n_rot;
	struct matrix by = get(m, -1, "rope_freqs.weight", 0, 0);
	int is_long = (double)m->n > original, yarn = is_setting(m, "rope.scaling.type", "yarn");
	if (!by.a)
		by = get(m, -1, is_long ? "rope_factors_long.weight" : "rope_factors_short.weight", 0, 0);
	/* the dimension whose wave turns so many times within the original context */
	double first = floor(dims * log(original / (32 * 2 * pi)) / (2 * log(base)));
	double last = ceil(dims * log(original / (2 * pi)) / (2 * log(base)));
	m->freq = malloc(m->n_rot / 2 * sizeof *m->freq);
	m->scale = setting(m, "rope.scaling.attn_factor", 1);
	if (yarn)
		m->scale *= 1 + 0.1 * log(factor);
	else if (leat_file_tensor(m->f, "rope_factors_long.weight") && m->scale == 1 && ctx > original)
		m->scale = sqrt(1 + log(ctx / original) / log(original));
	for (size_t i = 0; i < m->n_rot / 2; i++) {
		double f = 1 / pow(base, 2 * (double)i / dims), wave = 2 * pi / f;
		double ramp = fmin(1, fmax(0, ((double)i - fmax(first, 0)) / (fmin(last, dims - 1) - fmax(first, 0))));
		if (is_setting(m, "rope.scaling.type", "linear"))
			f /= factor;
		if (yarn)
			f = f / factor * ramp + f * (1 - ramp);
		if (is_setting(m, "rope.scaling.type", "llama3")) {
			double low = setting(m, "rope.scaling.low_freq_factor", 1);
			double high = setting(m, "rope.scaling.high_freq_factor", 4);
			double smooth = (original / wave - low) / (high - low);
			if (wave > original / low)
				f /= factor;
			else if (wave > original / high)
				f = (1 - smooth) * f / factor + smooth * f;
		}
		m->freq[i] = by.a ? f / by.a[i] : f;
	}
	free(by.a);
}

static void turn(const struct model *m, double *x, size_t heads)
{
	size_t half = m->n_rot / 2;
	for (size_t t = 0; t < m->n; t++)
		for (size_t h = 0; h < heads; h++)
			for (size_t i = 0; i < half; i++) {
				double *v = x + (t * heads + h) * m->size;
				double *a = v + (m->neighbours ? 2 * i : i);
				double *b = v + (m->neighbours ? 2 * i + 1 : i + half);
				double angle = (double)t * m->freq[i], old = *a;
				*a = m->scale * (old * cos(angle) - *b * sin(angle));
				*b = m->scale * (*b * cos(angle) + old * sin(angle));
			}
}

static void attend(const struct model *m, double *y, const double *q, const double *k, const double *v)
{
	double *weight = malloc(m->n * sizeof *weight);
	for (size_t t = 0; t < m->n; t++)
		for (size_t h = 0; h < m->heads; h++) {
			const double *query = q + (t * m->heads + h) * m->size;
			size_t of = h / (m->heads / m->kv), from = m->window && t >= m->window ? t + 1 - m->window : 0;
			double sum = 0, *out = y + (t * m->heads + h) * m->size;
			for (size_t p = from; p <= t; p++) {
				double dot = 0;
				for (size_t i = 0; i < m->size; i++)
					dot += query[i] * k[(p * m->kv + of) * m->size + i];
				sum += weight[p] = exp(dot / sqrt((double)m->size));
			}
			for (size_t i = 0; i < m->size; i++) {
				out[i] = 0;
				for (size_t p = from; p <= t; p++)
					out[i] += weight[p] / sum * v[(p * m->kv + of) * m->size + i];
			}
		}
	free(weight);
}

static void add_to(double *x, double *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] += y[i];
	free(y);
}

static void see(const struct model *m, const char *point, int layer, const double *x, size_t cols)
{
	if (m->watcher)
		m->watcher(m->user, point, layer, x, cols);
}

static void attention(const struct model *m, double *x, int l)
{
	size_t nq = m->heads * m->size, nkv = m->kv * m->size;
	int fused = leat_file_tensor(m->f, "blk.0.attn_qkv.weight") != NULL;
	const char *qkv = "attn_qkv.weight";
	double *h = malloc(m->n * m->width * sizeof *h), *a = malloc(m->n * nq * sizeof *a);
	norm(m, h, x, m->n * m->width, l, "attn_norm.weight");
	see(m, "att.norm", l, h, m->width);
	double *q = times(m, h, get(m, l, fused ? qkv : "attn_q.weight", 0, nq), l, "attn_q.bias");
	double *k = times(m, h, get(m, l, fused ? qkv : "attn_k.weight", fused ? nq : 0, nkv), l, "attn_k.bias");
	double *v = times(m, h, get(m, l, fused ? qkv : "attn_v.weight", fused ? nq + nkv : 0, nkv), l, "attn_v.bias");
	see(m, "att.q", l, q, nq);
	see(m, "att.k", l, k, nkv);
	see(m, "att.v", l, v, nkv);
	norm(m, q, q, m->n * nq, l, "attn_q_norm.weight");
	norm(m, k, k, m->n * nkv, l, "attn_k_norm.weight");
	see(m, "att.q_norm", l, q, nq);
	see(m, "att.k_norm", l, k, nkv);
	turn(m, q, m->heads);
	turn(m, k, m->kv);
	see(m, "att.q_rope", l, q, nq);
	see(m, "att.k_rope", l, k, nkv);
	attend(m, a, q, k, v);
	see(m, "att.mix", l, a, nq);
	double *o = times(m, a, get(m, l, "attn_output.weight", 0, 0), l, "attn_output.bias");
	see(m, "att.out", l, o, m->width);
	add_to(x, o, m->n * m->width);
	see(m, "att.residual", l, x, m->width);
	free(h);
	free(a);
	free(q);
	free(k);
	free(v);
}

static void feed_forward(const struct model *m, double *x, int l)
{
	int fused = leat_file_tensor(m->f, "blk.0.ffn_gate.weight") == NULL;
	double *h = malloc(m->n * m->width * sizeof *h);
	norm(m, h, x, m->n * m->width, l, "ffn_norm.weight");
	see(m, "ffn.norm", l, h, m->width);
	double *g = times(m, h, get(m, l, fused ? "ffn_up.weight" : "ffn_gate.weight", 0, m->ff), l, "ffn_gate.bias");
	double *u = times(m, h, get(m, l, "ffn_up.weight", fused ? m->ff : 0, m->ff), l, "ffn_up.bias");
	see(m, "ffn.gate", l, g, m->ff);
	see(m, "ffn.up", l, u, m->ff);
	for (size_t i = 0; i < m->n * m->ff; i++)
		g[i] = g[i] / (1 + exp(-g[i])) * u[i];
	see(m, "ffn.act", l, g, m->ff);
	double *o = times(m, g, get(m, l, "ffn_down.weight", 0, 0), l, "ffn_down.bias");
	see(m, "ffn.out", l, o, m->width);
	add_to(x, o, m->n * m->width);
	see(m, "layer.out", l, x, m->width);
	free(h);
	free(g);
	free(u);
}

static struct model read_model(const struct leat_file *f, size_t n)
{
	struct model m = { .f = f, .n = n };
	struct leat_str arch = { "", 0 };
	leat_meta_string(f, "general.architecture", &arch, NULL);
	snprintf(m.arch, sizeof m.arch, "%.*s", (int)arch.n, arch.s);
	m.neighbours = !strcmp(m.arch, "llama");
	m.width = (size_t)setting(&m, "embedding_length", 0);
	m.ff = (size_t)setting(&m, "feed_forward_length", 0);
	m.heads = (size_t)setting(&m, "attention.head_count", 1);
	m.kv = (size_t)setting(&m, "attention.head_count_kv", (double)m.heads);
	m.size = (size_t)setting(&m, "attention.key_length", (double)(m.width / m.heads));
	m.n_rot = (size_t)setting(&m, "rope.dimension_count", (double)m.size);
	m.window = (size_t)setting(&m, "attention.sliding_window", 0);
	m.eps = setting(&m, "attention.layer_norm_rms_epsilon", 0);
	frequencies(&m);
	return m;
}

double *decoder64_logits(const struct leat_file *f, const int32_t *tokens, size_t n, size_t *ret_rows)
{
	return decoder64_watched(f, tokens, n, NULL, NULL, ret_rows);
}

double *decoder64_watched(const struct leat_file *f, const int32_t *tokens, size_t n, decoder64_see *watcher,
			  void *user, size_t *ret_rows)
{
	struct model m = read_model(f, n);
	m.watcher = watcher;
	m.user = user;
	struct matrix embd = get(&m, -1, "token_embd.weight", 0, 0), head = get(&m, -1, "output.weight", 0, 0);
	double *x = malloc(n * m.width * sizeof *x);
	for (size_t t = 0; t < n; t++)
		memcpy(x + t * m.width, embd.a + (size_t)tokens[t] * m.width, m.width * sizeof *x);
	see(&m, "embed", -1, x, m.width);
	for (int l = 0; l < (int)setting(&m, "block_count", 0); l++) {
		attention(&m, x, l);
		feed_forward(&m, x, l);
	}
	norm(&m, x, x, n * m.width, -1, "output_norm.weight");
	see(&m, "norm", -1, x, m.width);
	*ret_rows = embd.rows;
	double *y = times(&m, x, head.a ? head : embd, -1, NULL);
	see(&m, "logits", -1, y, embd.rows);
	if (head.a)
		free(embd.a);
	free(x);
	free(m.freq);
	return y;
}
