/* check_state.c - attention over pages and the RWKV-7 time mix. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"
#include "kerncheck.h"
#include "quant/q8_0.h"

enum { MAX_KEYS = 512, LEAST_PAGE = 16 };

struct attn_case {
	struct leat_attn a;
	int32_t page[MAX_KEYS / LEAST_PAGE];
	int type;
	float *q, *scratch;
	/* f32 copies of what the pages hold, by position */
	float *k, *v;
};

/* Writes a row as the cache keeps it, and what it then says. */
static void kv_write(int type, unsigned char *at, float *values, size_t n)
{
	if (type == LEAT_KV_Q8_0) {
		portable()->to_q8_0(at, values, (int)n);
		leat_q8_0_dequant(values, at, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint16_t h = leat_f32_to_f16(values[i]);
		if (type == LEAT_KV_F16)
			values[i] = leat_f16_to_f32(h);
		memcpy(at + i * (type == LEAT_KV_F16 ? 2 : 4), type == LEAT_KV_F16 ? (void *)&h : (void *)&values[i],
		       type == LEAT_KV_F16 ? 2 : 4);
	}
}

/* Random keys or values of all positions below end; the page that holds the last ones lies last and ends after them. */
static unsigned char *make_pages(struct attn_case *c, float **ret_values, int range)
{
	size_t size = (size_t)c->a.head_size, row = leat_kv_row_bytes(c->type, size);
	int tokens = c->a.page_tokens, n_pages = (c->a.end - 1) / tokens + 1, rest = c->a.end - (n_pages - 1) * tokens;
	unsigned char *base = guard((size_t)(n_pages - 1) * c->a.page_bytes + (size_t)rest * row);
	float *values = guard_f32((size_t)c->a.end * size);

	for (int p = 0; p < c->a.end; p++) {
		unsigned char *at = base + (size_t)c->page[p / tokens] * c->a.page_bytes +
				    (size_t)(p % tokens) * row;
		for (size_t i = 0; i < size; i++)
			values[(size_t)p * size + i] = rnd_f32(range);
		kv_write(c->type, at, values + (size_t)p * size, size);
	}
	*ret_values = values;
	return base;
}

static void make_attn(struct attn_case *c, int type, int head_size, int n_group, int first, int end)
{
	int tokens = LEAST_PAGE << rnd_below(5), n_pages = (end - 1) / tokens + 1;

	memset(c, 0, sizeof *c);
	c->a.page_tokens = tokens;
	c->type = type;
	c->a.head_size = head_size;
	c->a.n_group = n_group;
	c->a.first = first;
	c->a.end = end;
	c->a.scale = 1.0f / sqrtf((float)head_size);
	c->a.page_bytes = leat_kv_row_bytes(type, (size_t)head_size) * (size_t)tokens + 64 * (size_t)rnd_below(3);
	for (int i = 0; i < n_pages; i++) /* the last page stays last, others turn around */
		c->page[i] = i == n_pages - 1 ? i : n_pages - 2 - i;
	c->a.page = c->page;
	c->q = random_f32((size_t)(n_group * head_size), 1);
	c->a.k = make_pages(c, &c->k, 1);
	c->a.v = make_pages(c, &c->v, 2);
	c->scratch = guard_f32(LEAT_ATTN_SCRATCH);
}

/* Worst error of one query in units of the largest |value|. */
static double attn_error(const struct attn_case *c, const float *y, int g)
{
	int size = c->a.head_size;
	static double weight[MAX_KEYS];
	double most = -INFINITY, sum = 0, worst = 0, largest = 0;

	for (int p = c->a.first; p < c->a.end; p++) {
		weight[p] = 0;
		for (int i = 0; i < size; i++)
			weight[p] += (double)c->q[g * size + i] * (double)c->k[p * size + i];
		weight[p] *= (double)c->a.scale;
		most = fmax(most, weight[p]);
	}
	for (int p = c->a.first; p < c->a.end; p++)
		sum += weight[p] = exp(weight[p] - most);
	for (int i = 0; i < size; i++) {
		double exact = 0;
		for (int p = c->a.first; p < c->a.end; p++) {
			exact += weight[p] / sum * (double)c->v[p * size + i];
			largest = fmax(largest, fabs((double)c->v[p * size + i]));
		}
		worst = fmax(worst, fabs((double)y[g * size + i] - exact));
	}
	return worst / largest;
}

static double attn_case(leat_attn_fn *fn, int type, int head_size, int n_group, int first, int end)
{
	struct attn_case c;
	double worst = 0;

	make_attn(&c, type, head_size, n_group, first, end);
	size_t size = (size_t)head_size;
	float *y = guard_f32(size * (size_t)n_group), *alone = guard_f32(size);
	fn(y, c.q, &c.a, c.scratch);
	for (int g = 0; g < n_group; g++)
		worst = fmax(worst, attn_error(&c, y, g));
	c.a.n_group = 1; /* a query's bits must not depend on the others of its group */
	int g = rnd_below(n_group);
	fn(alone, c.q + (size_t)g * size, &c.a, c.scratch);
	int same = same_f32(alone, y + (size_t)g * size, size);
	return guard_reset() || !same ? INFINITY : worst;
}

static double check_attn(const struct leat_kernels *k, int type)
{
	static const int any[] = {8, 16, 24, 40, 64, 72, 80, 96, 128, 256}, whole[] = {32, 64, 96, 128, 160, 256};
	static const int groups[] = {1, 2, 3, 4, 5, 7, 8, 14};
	leat_attn_fn *fn = k->attn[type];
	double worst = 0;

	int blocks = type == LEAT_KV_Q8_0;
	const int *sizes = blocks ? whole : any;

	for (size_t s = 0; s < (blocks ? COUNT_OF(whole) : COUNT_OF(any)); s++)
		for (size_t g = 0; g < COUNT_OF(groups); g++) {
			int end = 1 + rnd_below(MAX_KEYS - 1);
			worst = fmax(worst, attn_case(fn, type, sizes[s], groups[g], rnd_below(end), end));
			worst = fmax(worst, attn_case(fn, type, sizes[s], groups[g], 0, 1 + rnd_below(70)));
		}
	return fmax(worst, attn_case(fn, type, LEAT_MAX_HEAD_SIZE, LEAT_MAX_GROUP, 3, 200));
}

/* Every token of a tile comes out as it does by itself, whoever is beside it: 0, or infinity. */
static double tile_case(const struct leat_kernels *k, int type, int head_size, int n_group, int n_tokens, int window,
			int end)
{
	struct attn_case c;
	size_t row = (size_t)(n_group * head_size), stride = row + 8;
	int same = 1;

	make_attn(&c, type, head_size, n_group, 0, end);
	float *q = random_f32((size_t)(n_tokens - 1) * stride + row, 1), *alone = guard_f32(row);
	float *y = guard_f32((size_t)(n_tokens - 1) * stride + row);
	struct leat_attn_tile t = {c.a, window, n_tokens, q, y, stride, stride};
	t.a.end = end - n_tokens + 1;
	t.a = leat_attn_token(&t, 0);
	k->attn_tile[type](&t, c.scratch);
	for (int i = 0; i < n_tokens; i++) {
		struct leat_attn a = leat_attn_token(&t, i);
		k->attn[type](alone, q + (size_t)i * stride, &a, c.scratch);
		same &= same_f32(alone, y + (size_t)i * stride, row);
	}
	return guard_reset() || !same ? INFINITY : 0;
}

static double check_attn_tile(const struct leat_kernels *k, int type)
{
	static const int any[] = {8, 24, 64, 80, 96, 128, 256}, whole[] = {32, 64, 96, 128, 256};
	static const int groups[] = {1, 2, 3, 4, 5, 7, 8, 14, LEAT_MAX_GROUP};
	static const int windows[] = {0, 1, 5, 64, 100};
	int blocks = type == LEAT_KV_Q8_0;
	const int *sizes = blocks ? whole : any;
	double worst = 0;

	for (size_t s = 0; s < (blocks ? COUNT_OF(whole) : COUNT_OF(any)); s++)
		for (size_t g = 0; g < COUNT_OF(groups); g++)
			for (size_t w = 0; w < COUNT_OF(windows); w++) {
				int most = LEAT_ATTN_QUERIES / groups[g], n = w ? 1 + rnd_below(most) : most;
				int end = n + rnd_below(MAX_KEYS / 2 - n);
				worst = fmax(worst, tile_case(k, type, sizes[s], groups[g], n, windows[w], end));
			}
	return worst;
}

/* Bytes as the portable form gives them, and values within half a step of what went in. */
static double check_to_q8_0(const struct leat_kernels *k, int which)
{
	static const float odd[] = {0, NAN, INFINITY, -INFINITY, 3e38f, 1e7f, 1e-9f, 7.6e-6f, 1e-40f, -0.0f};
	double worst = 0;

	(void)which;
	for (int round = 0; round < 2000; round++) {
		int n = 32 * (1 + rnd_below(8)), special = round % 4 == 0;
		size_t bytes = leat_kv_row_bytes(LEAT_KV_Q8_0, (size_t)n);
		float *x = random_f32((size_t)n, special ? 30 : 6), *back = guard_f32((size_t)n);
		unsigned char *y = guard(bytes), *want = guard(bytes);
		if (special)
			x[rnd_below(n)] = odd[(size_t)rnd_below((int)COUNT_OF(odd))];
		k->to_q8_0(y, x, n);
		portable()->to_q8_0(want, x, n);
		int same = !memcmp(y, want, bytes);
		leat_q8_0_dequant(back, y, (size_t)n);
		for (int b = 0; b < n && !special; b += 32) {
			double most = 0;
			for (int i = b; i < b + 32; i++)
				most = fmax(most, fabs((double)x[i]));
			for (int i = b; i < b + 32; i++)
				worst = fmax(worst, fabs((double)back[i] - (double)x[i]) / most);
		}
		for (int b = 0; b < n; b += 32) { /* what is not finite shows, and never as a finite value */
			int finite = 1;
			for (int i = b; i < b + 32; i++)
				finite &= isfinite(x[i]) != 0;
			for (int i = b; i < b + 32; i++)
				same &= finite || isnan(back[i]);
		}
		if (guard_reset() || !same)
			return INFINITY;
	}
	return worst;
}

struct wkv {
	int n;
	float *s, *r, *w, *k, *v, *kk, *a;
};

static void make_wkv(struct wkv *m, int n)
{
	size_t size = (size_t)n;
	double norm = 0;

	m->n = n;
	m->s = random_f32(size * size, 2);
	m->r = random_f32(size, 1);
	m->k = random_f32(size, 1);
	m->v = random_f32(size, 1);
	m->kk = random_f32(size, 1);
	m->w = random_f32(size, 1);
	m->a = random_f32(size, 1);
	for (int i = 0; i < n; i++)
		norm += (double)m->kk[i] * (double)m->kk[i];
	for (int i = 0; i < n; i++) {
		m->kk[i] = (float)((double)m->kk[i] / sqrt(norm));
		m->w[i] = 0.545f + 0.455f * fabsf(m->w[i]) / 4;
		m->a[i] = fabsf(m->a[i]) / 4;
	}
}

/* Worst error of one row of the state and of its output, relative to the sums of the magnitudes of their terms. */
static double wkv_error(const struct wkv *m, const float *s_out, float y, int i)
{
	const float *s = m->s + i * m->n;
	double sa = 0, sa_most = 0, exact_y = 0, y_most = 1e-30, worst = 0;

	for (int j = 0; j < m->n; j++) {
		sa -= (double)s[j] * (double)m->kk[j];
		sa_most += fabs((double)s[j] * (double)m->kk[j]);
	}
	for (int j = 0; j < m->n; j++) {
		double old = (double)s[j] * (double)m->w[j], kka = (double)m->kk[j] * (double)m->a[j];
		double in = (double)m->v[i] * (double)m->k[j], exact = old + sa * kka + in;
		double most = fabs(old) + sa_most * fabs(kka) + fabs(in);
		worst = fmax(worst, fabs((double)s_out[i * m->n + j] - exact) / most);
		exact_y += exact * (double)m->r[j];
		y_most += most * fabs((double)m->r[j]);
	}
	return fmax(worst, fabs((double)y - exact_y) / y_most);
}

static double check_wkv7(const struct leat_kernels *k, int which)
{
	static const int sizes[] = {8, 16, 24, 32, 40, 64, 72, 128};
	double worst = 0;

	(void)which;
	for (int round = 0; round < 40; round++) {
		struct wkv m;
		int n = sizes[round % (int)COUNT_OF(sizes)];
		make_wkv(&m, n);
		size_t size = (size_t)n;
		float *s_out = guard_f32(size * size), *y = guard_f32(size), *again = guard_f32(size);
		k->wkv7(y, s_out, m.s, m.r, m.w, m.k, m.v, m.kk, m.a, n);
		for (int i = 0; i < n; i++)
			worst = fmax(worst, wkv_error(&m, s_out, y[i], i));
		k->wkv7(again, m.s, m.s, m.r, m.w, m.k, m.v, m.kk, m.a, n); /* in place */
		int same = same_f32(again, y, size) && same_f32(m.s, s_out, size * size);
		if (guard_reset() || !same)
			return INFINITY;
	}
	return worst;
}

/* Two heads, aligned and not: the same as wkv7 of the same set. */
static int far_is_same(const struct leat_kernels *k, int n, int off)
{
	size_t size = (size_t)n, all = 2 * size * size + 16;
	float *in[6], *s = random_f32(all, 2), *y = guard_f32(2 * size), *want_y = guard_f32(2 * size);
	float *out = NULL, *want = guard_f32(all);

	if (posix_memalign((void **)&out, 64, all * sizeof *out))
		return 0;
	for (int i = 0; i < 6; i++)
		in[i] = random_f32(2 * size, 1);
	for (size_t h = 0, c = 0; h < 2; h++, c += size)
		k->wkv7(want_y + c, want + h * size * size, s + h * size * size, in[0] + c, in[1] + c, in[2] + c,
			in[3] + c, in[4] + c, in[5] + c, n);
	k->wkv7_far(y, out + off, s, in[0], in[1], in[2], in[3], in[4], in[5], n, 2);
	int same = same_f32(y, want_y, 2 * size) && same_f32(out + off, want, 2 * size * size);
	free(out);
	return same;
}

static double check_wkv7_far(const struct leat_kernels *k, int which)
{
	static const int sizes[] = {8, 16, 24, 32, 40, 64, 72, 128};

	(void)which;
	for (int i = 0; i < 2 * (int)COUNT_OF(sizes); i++) {
		int same = far_is_same(k, sizes[i / 2], i % 2 ? 5 : 0);
		if (guard_reset() || !same)
			return INFINITY;
	}
	return 0;
}

static double check_bonus(const struct leat_kernels *k, int which)
{
	double worst = 0;

	(void)which;
	for (int n = 1; n <= 200; n++) {
		size_t size = (size_t)n;
		float *r = random_f32(size, 2), *key = random_f32(size, 2), *v = random_f32(size, 2),
		      *rk = random_f32(size, 2);
		float *y = random_f32(size, 2), *old = guard_f32(size);
		double sum = 0, most = 0;
		memcpy(old, y, size * sizeof *y);
		k->bonus(y, r, key, v, rk, n);
		for (int i = 0; i < n; i++) {
			sum += (double)r[i] * (double)key[i] * (double)rk[i];
			most += fabs((double)r[i] * (double)key[i] * (double)rk[i]);
		}
		for (int i = 0; i < n; i++)
			worst = fmax(worst, fabs((double)y[i] - ((double)old[i] + sum * (double)v[i])) /
						    (fabs((double)old[i]) + most * fabs((double)v[i])));
		if (guard_reset())
			return INFINITY;
	}
	return worst;
}

int checks_state(struct check *table)
{
	size_t attn = offsetof(struct leat_kernels, attn), next = sizeof(leat_attn_fn *);

	table[0] = (struct check){"attn.f16", attn + LEAT_KV_F16 * next, 1e-5, check_attn, LEAT_KV_F16};
	table[1] = (struct check){"attn.f32", attn + LEAT_KV_F32 * next, 1e-5, check_attn, LEAT_KV_F32};
	table[2] = (struct check){"attn.q8_0", attn + LEAT_KV_Q8_0 * next, 1e-5, check_attn, LEAT_KV_Q8_0};
	size_t tile = offsetof(struct leat_kernels, attn_tile);
	table[3] = (struct check){"attn_tile.f16", tile + LEAT_KV_F16 * next, 0, check_attn_tile, LEAT_KV_F16};
	table[4] = (struct check){"attn_tile.f32", tile + LEAT_KV_F32 * next, 0, check_attn_tile, LEAT_KV_F32};
	table[5] = (struct check){"attn_tile.q8_0", tile + LEAT_KV_Q8_0 * next, 0, check_attn_tile, LEAT_KV_Q8_0};
	table[6] = (struct check){"wkv7", offsetof(struct leat_kernels, wkv7), 2e-6, check_wkv7, 0};
	table[7] = (struct check){"bonus", offsetof(struct leat_kernels, bonus), 1e-6, check_bonus, 0};
	/* half a step, and the rounding of the scale */
	table[8] = (struct check){"to_q8_0", offsetof(struct leat_kernels, to_q8_0), 0.5 / 127 + 127.0 / 127 / 2048,
				  check_to_q8_0, 0};
	table[9] = (struct check){"wkv7_far", offsetof(struct leat_kernels, wkv7_far), 0, check_wkv7_far, 0};
	return 10;
}
