/* attn_tile.h - attention of tokens that follow one another and of one key/value head: keys and values of a block are
 * turned into f32 once for all their queries.
 *
 * Every query goes through the blocks of attn.h and adds in its order, so that its bits are those of the one-token
 * form: keys lie across the lanes here, hence the lanes over which attn_scores sums are vectors, and tile_sum adds
 * these as vf_sum_each adds lanes. det. */
#ifndef LEAT_CPU_OP_ATTN_TILE_H
#define LEAT_CPU_OP_ATTN_TILE_H

#include "cpu/op/attn.h"
#include "cpu/op/attn_sum.h"

/* Queries whose sums of values stay in registers together; a score row, which may end in the midst of a vector. */
enum { TILE_QUERIES = 6, TILE_SCORES = LEAT_ATTN_KEYS + 16, TILE_PADDED = LEAT_ATTN_QUERIES + TILE_QUERIES };

struct tile {
	float *k;            /* [LEAT_ATTN_KEYS / VF_N][size][VF_N], keys across */
	float *v;            /* [LEAT_ATTN_KEYS][size] */
	float *q, *y;        /* [n][size] */
	float *score;        /* [TILE_QUERIES][TILE_SCORES] */
	float *most, *total; /* [n] */
	int n;               /* queries, a multiple of TILE_QUERIES: the last one is repeated */
	int size;
	float scale;
	int first[TILE_PADDED], end[TILE_PADDED]; /* keys that each sees */
};

/* The part of a block that one query sees, counted from the block's begin. */
struct tile_part {
	int begin, end;
};

LEAT_INLINE void tile_keys(float *out, const struct attn_page *page, int size, int format)
{
	for (int p = 0; p < page->n; p += VF_N)
		for (int d = 0; d < size; d += VF_N) {
			vf v[VF_N];
			LEAT_UNROLL
			for (int i = 0; i < VF_N; i++) {
				int key = p + i < page->n ? p + i : page->n - 1;
				v[i] = float_get(format, page->k + (size_t)key * page->row_bytes, d, size - d);
			}
			vf_transpose(v);
			for (int i = 0; i < VF_N && d + i < size; i++, out += VF_N)
				vf_store(out, v[i]);
		}
}

LEAT_INLINE void tile_rows(float *out, const struct attn_page *page, int size, int format)
{
	for (int p = 0; p < page->n; p++, out += size)
		for (int d = 0; d < size; d += VF_N)
			vf_put(out + d, float_get(format, page->v + (size_t)p * page->row_bytes, d, size - d),
			       size - d);
}

/* Scores of TILE_QUERIES queries with keys p0 <= p < p1 of the block, and of others that fill their vectors. */
LEAT_INLINE void tile_scores(const struct tile *t, const float *q, int p0, int p1, int size)
{
	vf scale = vf_set1(t->scale);

	for (int p = p0 - p0 % VF_N; p < p1; p += VF_N)
		for (int g = 0; g < TILE_QUERIES; g += ATTN_QUERIES) {
			vf sum[ATTN_QUERIES];
			tile_sum(sum, q + g * size, t->k + p * size, size, ATTN_QUERIES);
			LEAT_UNROLL
			for (int i = 0; i < ATTN_QUERIES; i++)
				vf_store(t->score + (g + i) * TILE_SCORES + p, vf_mul(sum[i], scale));
		}
}

/* y += weights times values of keys p0 <= p < p1: n_q queries, n_v vectors of the head from d on, the last of them m
 * lanes wide. */
LEAT_INLINE void tile_add_values(float *y, const float *weight, const float *v, int p0, int p1, int size, int m,
				 int n_q, int n_v)
{
	vf sum[TILE_QUERIES][PV_VECTORS];

	LEAT_UNROLL
	for (int g = 0; g < n_q; g++)
		LEAT_UNROLL
	for (int j = 0; j < n_v; j++)
		sum[g][j] = vf_get(y + g * size + j * VF_N, m);
	for (int p = p0; p < p1; p++) {
		vf value[PV_VECTORS];
		LEAT_UNROLL
		for (int j = 0; j < n_v; j++)
			value[j] = vf_get(v + p * size + j * VF_N, m);
		LEAT_UNROLL
		for (int g = 0; g < n_q; g++) {
			vf e = vf_set1(weight[g * TILE_SCORES + p]);
			LEAT_UNROLL
			for (int j = 0; j < n_v; j++)
				sum[g][j] = vf_fma(e, value[j], sum[g][j]);
		}
	}
	LEAT_UNROLL
	for (int g = 0; g < n_q; g++)
		LEAT_UNROLL
	for (int j = 0; j < n_v; j++)
		vf_put(y + g * size + j * VF_N, sum[g][j], m);
}

LEAT_INLINE void tile_values(float *y, const float *weight, const float *v, int p0, int p1, int size, int n_q)
{
	int d = 0;

	if (p0 >= p1)
		return;
	for (; d + PV_VECTORS * VF_N <= size; d += PV_VECTORS * VF_N)
		tile_add_values(y + d, weight, v + d, p0, p1, size, VF_N, n_q, PV_VECTORS);
	for (; d < size; d += VF_N)
		tile_add_values(y + d, weight, v + d, p0, p1, size, size - d, n_q, 1);
}

/* attn_softmax of the queries from g0 on, step by step for all of them: they do not wait for each other. */
LEAT_INLINE void tile_softmax(const struct tile *t, int g0, const struct tile_part *part, int size)
{
	float most[VF_N] = {0}, keep[VF_N], *old = t->most + g0, *total = t->total + g0, *y = t->y + g0 * size;

	for (int g = 0; g < TILE_QUERIES; g++) {
		float *score = t->score + g * TILE_SCORES + part[g].begin;
		int n = part[g].end - part[g].begin;
		vf top = vf_set1(old[g]);
		for (int i = n; i % VF_N && n > 0; i++)
			score[i] = -INFINITY;
		for (int i = 0; i < n; i += VF_N)
			top = vf_max(top, vf_load(score + i));
		most[g] = vf_most(top);
	}
	vf_store(keep, vf_exp(vf_sub(vf_load_n(old, TILE_QUERIES), vf_load(most))));
	for (int g = 0; g < TILE_QUERIES; g++) {
		float *score = t->score + g * TILE_SCORES + part[g].begin;
		int n = part[g].end - part[g].begin;
		vf sum = vf_zero(), m = vf_set1(most[g]);
		if (n <= 0)
			continue;
		for (int i = 0; i < n; i += VF_N) {
			vf e = vf_exp(vf_sub(vf_load(score + i), m));
			sum = vf_add(sum, e);
			vf_store(score + i, e);
		}
		total[g] = total[g] * keep[g] + vf_sum(sum);
		old[g] = most[g];
		m = vf_set1(keep[g]);
		for (int d = 0; d < size; d += VF_N)
			vf_put(y + g * size + d, vf_mul(vf_get(y + g * size + d, size - d), m), size - d);
	}
}

/* TILE_QUERIES queries from g0 on, and the block of n keys that begins at p. What they all see is added for all
 * together, what single ones see before and after that for each. */
LEAT_INLINE void tile_group(const struct tile *t, int g0, int p, int n, int size)
{
	struct tile_part part[TILE_QUERIES], any = {n, 0}, all = {0, n};
	float *y = t->y + g0 * size;

	for (int g = 0; g < TILE_QUERIES; g++) {
		int first = t->first[g0 + g] - p, end = t->end[g0 + g] - p;
		part[g].begin = first > 0 ? first : 0;
		part[g].end = end < n ? end : n;
		all.begin = part[g].begin > all.begin ? part[g].begin : all.begin;
		all.end = part[g].end < all.end ? part[g].end : all.end;
		if (part[g].begin >= part[g].end) {
			part[g] = (struct tile_part){0, 0};
			continue;
		}
		any.begin = part[g].begin < any.begin ? part[g].begin : any.begin;
		any.end = part[g].end > any.end ? part[g].end : any.end;
	}
	if (any.begin >= any.end)
		return;
	if (all.begin >= all.end)
		all = (struct tile_part){n, n};
	tile_scores(t, t->q + g0 * size, any.begin, any.end, size);
	tile_softmax(t, g0, part, size);
	for (int g = 0; g < TILE_QUERIES; g++) {
		int before = part[g].end < all.begin ? part[g].end : all.begin;
		if (part[g].begin < before)
			tile_values(y + g * size, t->score + g * TILE_SCORES, t->v, part[g].begin, before, size, 1);
	}
	tile_values(y, t->score, t->v, all.begin, all.end, size, TILE_QUERIES);
	for (int g = 0; g < TILE_QUERIES; g++)
		if (all.end < part[g].end)
			tile_values(y + g * size, t->score + g * TILE_SCORES, t->v, all.end, part[g].end, size, 1);
}

/* One block, converted: common head sizes are constants to the compiler. */
static __attribute__((noinline)) LEAT_UNCHECKED void tile_block(const struct tile *t, int p, int n)
{
	if (t->size == 64)
		for (int g = 0; g < t->n; g += TILE_QUERIES)
			tile_group(t, g, p, n, 64);
	else if (t->size == 128)
		for (int g = 0; g < t->n; g += TILE_QUERIES)
			tile_group(t, g, p, n, 128);
	else
		for (int g = 0; g < t->n; g += TILE_QUERIES)
			tile_group(t, g, p, n, t->size);
}

static void tile_begin(struct tile *t, const struct leat_attn_tile *a, float *scratch)
{
	int size = a->a.head_size, group = a->a.n_group, n = a->n_tokens * group;
	size_t row_bytes = (size_t)size * sizeof(float);

	t->n = (n + TILE_QUERIES - 1) / TILE_QUERIES * TILE_QUERIES;
	t->size = size;
	t->scale = a->a.scale;
	t->k = scratch;
	t->v = t->k + LEAT_ATTN_KEYS * size;
	t->score = t->v + LEAT_ATTN_KEYS * size;
	t->most = t->score + TILE_QUERIES * TILE_SCORES;
	t->total = t->most + TILE_PADDED;
	t->q = t->total + TILE_PADDED;
	t->y = t->q + t->n * size;
	for (int i = 0; i < t->n; i++) {
		int query = i < n ? i : n - 1;
		struct leat_attn one = leat_attn_token(a, query / group);
		t->first[i] = one.first;
		t->end[i] = one.end;
		t->most[i] = -INFINITY;
		t->total[i] = 0;
		memcpy(t->q + i * size, a->q + (size_t)(query / group) * a->q_stride + query % group * size, row_bytes);
	}
	memset(t->y, 0, (size_t)t->n * row_bytes);
}

static void tile_end(const struct tile *t, const struct leat_attn_tile *a)
{
	int size = t->size, group = a->a.n_group;

	for (int i = 0; i < a->n_tokens * group; i++) {
		float *y = a->y + (size_t)(i / group) * a->y_stride + i % group * size;
		for (int d = 0; d < size; d += VF_N)
			vf_put(y + d, vf_mul(vf_get(t->y + i * size + d, size - d), vf_set1(1.0f / t->total[i])),
			       size - d);
	}
}

LEAT_INLINE void attn_tile_any(const struct leat_attn_tile *tile, float *scratch, int kv)
{
	int format = kv == LEAT_KV_F32 ? LEAT_QUANT_f32 : kv == LEAT_KV_F16 ? LEAT_QUANT_f16 : LEAT_QUANT_q8_0;
	struct leat_attn a = tile->a;
	size_t row_bytes = leat_kv_row_bytes(kv, (size_t)a.head_size);
	struct tile t;

	tile_begin(&t, tile, scratch);
	a.end = t.end[t.n - 1];
	for (int p = a.first, next; p < a.end; p = next) {
		size_t at = (size_t)a.page[p / a.page_tokens] * a.page_bytes + (size_t)(p % a.page_tokens) * row_bytes;
		next = leat_attn_block_end(&a, p);
		struct attn_page page = {a.k + at, a.v + at, row_bytes, next - p};
		tile_keys(t.k, &page, a.head_size, format);
		tile_rows(t.v, &page, a.head_size, format);
		tile_block(&t, p, next - p);
	}
	tile_end(&t, tile);
}

#endif
