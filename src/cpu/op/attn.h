/* attn.h - attention of one token and key/value head, page by page: scores, softmax so far, weighted values.
 *
 * Per (query, key) the score is one sum over the head in vectors, then over the lanes; per (query, element) the values
 * are added in order of keys. Neither depends on how queries are grouped: det. attn_tile.h computes the same bits for
 * many tokens at once, so a change of order here is one there. */
#ifndef LEAT_CPU_OP_ATTN_H
#define LEAT_CPU_OP_ATTN_H

#include "cpu/op/math.h"
#include "cpu/op/row.h"

/* The part of one page that a token sees. */
struct attn_page {
	const unsigned char *k, *v; /* first key and value */
	size_t row_bytes;
	int n; /* keys */
};

/* The sums of attn_scores over rows of Q8_0, a block at a time: a scale is turned into floats once for its 32 columns.
 * Keys from `last` on repeat that one. */
LEAT_INLINE void attn_blocks(vf *sum, const float *q, int size, const unsigned char *k, size_t row_bytes, int n_q,
			     int last)
{
	int width = VF_N / n_q;

	for (int d = 0; d < size; d += 32, q += 32, k += sizeof(struct leat_q8_0)) {
		vf qv[4][32 / VF_N];
		LEAT_UNROLL
		for (int g = 0; g < n_q; g++)
			LEAT_UNROLL
		for (int part = 0; part < 32 / VF_N; part++)
			qv[g][part] = vf_load(q + g * size + part * VF_N);
		LEAT_UNROLL
		for (int i = 0; i < width; i++) {
			const unsigned char *b = k + (size_t)(i < last ? i : last) * row_bytes;
			vf scale = vf_set1_f16(b);
			LEAT_UNROLL
			for (int part = 0; part < 32 / VF_N; part++) {
				const unsigned char *bytes = b + offsetof(struct leat_q8_0, qs) + part * VF_N;
				vf kv = vf_mul(vf_load_i8(bytes), scale);
				LEAT_UNROLL
				for (int g = 0; g < n_q; g++)
					sum[g * width + i] = vf_fma(kv, qv[g][part], sum[g * width + i]);
			}
		}
	}
}

/* n_q queries times VF_N / n_q keys: VF_N sums that are folded at once. Missing keys repeat the last one. */
LEAT_INLINE void attn_scores(float *score, const float *q, const struct leat_attn *a, const struct attn_page *page,
			     int p, int format, int n_q, int full)
{
	int width = VF_N / n_q, size = a->head_size, last = page->n - p - 1;
	const unsigned char *k = page->k + (size_t)p * page->row_bytes;
	vf sum[VF_N];
	float out[VF_N];

	LEAT_UNROLL
	for (int i = 0; i < VF_N; i++)
		sum[i] = vf_zero();
	if (format == LEAT_QUANT_q8_0)
		attn_blocks(sum, q, size, k, page->row_bytes, n_q, full ? width : last);
	for (int d = 0; d < size && format != LEAT_QUANT_q8_0; d += VF_N) {
		int m = size - d;
		vf qv[4];
		LEAT_UNROLL
		for (int g = 0; g < n_q; g++)
			qv[g] = vf_get(q + g * size + d, m);
		LEAT_UNROLL
		for (int i = 0; i < width; i++) {
			int key = full || i < last ? i : last;
			vf kv = float_get(format, k + (size_t)key * page->row_bytes, d, m);
			LEAT_UNROLL
			for (int g = 0; g < n_q; g++)
				sum[g * width + i] = vf_fma(kv, qv[g], sum[g * width + i]);
		}
	}
	vf_store(out, vf_mul(vf_sum_each(sum), vf_set1(a->scale)));
	for (int g = 0; g < n_q; g++)
		memcpy(score + g * LEAT_ATTN_KEYS + p, out + g * width, (size_t)width * sizeof *out);
}

/* score[n] -> weights; the running maximum, sum and output follow. */
LEAT_INLINE void attn_softmax(float *y, float *most, float *total, float *score, int n, int size)
{
	vf top = vf_set1(*most), sum = vf_zero();
	float lane[VF_N], m;

	for (int i = n; i % VF_N; i++)
		score[i] = -INFINITY;
	for (int i = 0; i < n; i += VF_N)
		top = vf_max(top, vf_load(score + i));
	m = vf_most(top);
	for (int i = 0; i < n; i += VF_N) {
		vf e = vf_exp(vf_sub(vf_load(score + i), vf_set1(m)));
		sum = vf_add(sum, e);
		vf_store(score + i, e);
	}
	vf keep = vf_exp(vf_set1(*most - m));
	vf_store(lane, keep);
	*total = *total * lane[0] + vf_sum(sum);
	*most = m;
	for (int d = 0; d < size; d += VF_N)
		vf_put(y + d, vf_mul(vf_get(y + d, size - d), keep), size - d);
}

/* y += weights times values: n_q queries, n_v vectors of the head from d on, the last of them m lanes wide. */
LEAT_INLINE void attn_values(float *y, const float *weight, const struct attn_page *page, int size, int d, int m,
			     int format, int n_q, int n_v)
{
	vf sum[4][PV_VECTORS];
	const unsigned char *row = page->v;

	if (n_v > 1 && d % (PV_VECTORS * VF_N)) /* so that a block's scale is read once for its vectors */
		__builtin_unreachable();

	LEAT_UNROLL
	for (int g = 0; g < n_q; g++)
		LEAT_UNROLL
	for (int j = 0; j < n_v; j++)
		sum[g][j] = vf_get(y + g * size + d + j * VF_N, m);
	for (int p = 0; p < page->n; p++, row += page->row_bytes) {
		vf v[PV_VECTORS];
		LEAT_UNROLL
		for (int j = 0; j < n_v; j++)
			v[j] = float_get(format, row, d + j * VF_N, m);
		LEAT_UNROLL
		for (int g = 0; g < n_q; g++) {
			vf e = vf_set1(weight[g * LEAT_ATTN_KEYS + p]);
			LEAT_UNROLL
			for (int j = 0; j < n_v; j++)
				sum[g][j] = vf_fma(e, v[j], sum[g][j]);
		}
	}
	LEAT_UNROLL
	for (int g = 0; g < n_q; g++)
		LEAT_UNROLL
	for (int j = 0; j < n_v; j++)
		vf_put(y + g * size + d + j * VF_N, sum[g][j], m);
}

/* One page for n_q queries. */
LEAT_INLINE void attn_group(float *y, const float *q, const struct leat_attn *a, const struct attn_page *page,
			    float *score, float *most, float *total, int format, int n_q)
{
	int p = 0, d = 0, size = a->head_size, width = VF_N / n_q;

	for (; p + width <= page->n; p += width)
		attn_scores(score, q, a, page, p, format, n_q, 1);
	if (p < page->n)
		attn_scores(score, q, a, page, p, format, n_q, 0);
	for (int g = 0; g < n_q; g++)
		attn_softmax(y + g * size, most + g, total + g, score + g * LEAT_ATTN_KEYS, page->n, size);
	for (; d + PV_VECTORS * VF_N <= size; d += PV_VECTORS * VF_N)
		attn_values(y, score, page, size, d, VF_N, format, n_q, PV_VECTORS);
	for (; d < size; d += VF_N)
		attn_values(y, score, page, size, d, size - d, format, n_q, 1);
}

LEAT_INLINE void attn_any(float *y, const float *q, const struct leat_attn *a, float *scratch, int kv)
{
	int format = kv == LEAT_KV_F32 ? LEAT_QUANT_f32 : kv == LEAT_KV_F16 ? LEAT_QUANT_f16 : LEAT_QUANT_q8_0;
	float *score = scratch, *most = scratch + 4 * LEAT_ATTN_KEYS, *total = most + LEAT_MAX_GROUP;
	int size = a->head_size;
	size_t row_bytes = leat_kv_row_bytes(kv, (size_t)size);

	for (int g = 0; g < a->n_group; g++) {
		most[g] = -INFINITY;
		total[g] = 0;
	}
	memset(y, 0, (size_t)(a->n_group * size) * sizeof *y);
	for (int p = a->first, next; p < a->end; p = next) {
		size_t at = (size_t)a->page[p / a->page_tokens] * a->page_bytes +
			    (size_t)(p % a->page_tokens) * row_bytes;
		next = leat_attn_block_end(a, p);
		struct attn_page page = {a->k + at, a->v + at, row_bytes, next - p};
		int g = 0;
		for (; g + 4 <= a->n_group; g += 4)
			attn_group(y + g * size, q + g * size, a, &page, score, most + g, total + g, format, 4);
		for (; g + 2 <= a->n_group; g += 2)
			attn_group(y + g * size, q + g * size, a, &page, score, most + g, total + g, format, 2);
		for (; g < a->n_group; g++)
			attn_group(y + g * size, q + g * size, a, &page, score, most + g, total + g, format, 1);
	}
	for (int g = 0; g < a->n_group; g++, y += size)
		for (int d = 0; d < size; d += VF_N)
			vf_put(y + d, vf_mul(vf_get(y + d, size - d), vf_set1(1.0f / total[g])), size - d);
}

#endif
