/* attn_sum.h - products of queries with keys that lie across the lanes, added in the order in which attn_scores adds
 * its lanes: det. */
#ifndef LEAT_CPU_OP_ATTN_SUM_H
#define LEAT_CPU_OP_ATTN_SUM_H

#include "cpu/op/math.h"
#include "cpu/op/row.h"

/* What lane l of attn_scores holds before it is folded, of n_q queries and VF_N keys. */
LEAT_INLINE void tile_lane(vf *sum, const float *q, const float *k, int size, int l, int n_q)
{
	LEAT_UNROLL
	for (int g = 0; g < n_q; g++)
		sum[g] = vf_zero();
	for (int d = l; d < size; d += VF_N) {
		vf kv = vf_load(k + d * VF_N);
		LEAT_UNROLL
		for (int g = 0; g < n_q; g++)
			sum[g] = vf_fma(kv, vf_set1(q[g * size + d]), sum[g]);
	}
}

LEAT_INLINE void tile_add(vf *a, const vf *b, int n_q)
{
	LEAT_UNROLL
	for (int g = 0; g < n_q; g++)
		a[g] = vf_add(a[g], b[g]);
}

/* Four lanes from l on: (0 + 2) + (1 + 3). */
LEAT_INLINE void tile_four(vf *sum, const float *q, const float *k, int size, int l, int n_q)
{
	vf b[ATTN_QUERIES], c[ATTN_QUERIES];

	tile_lane(sum, q, k, size, l, n_q);
	tile_lane(b, q, k, size, l + 2, n_q);
	tile_add(sum, b, n_q);
	tile_lane(b, q, k, size, l + 1, n_q);
	tile_lane(c, q, k, size, l + 3, n_q);
	tile_add(b, c, n_q);
	tile_add(sum, b, n_q);
}

/* All lanes: fours of neighbours, and these as neighbours again. */
LEAT_INLINE void tile_sum(vf *sum, const float *q, const float *k, int size, int n_q)
{
	vf b[ATTN_QUERIES], c[ATTN_QUERIES];

	tile_four(sum, q, k, size, 0, n_q);
	tile_four(b, q, k, size, 4, n_q);
	tile_add(sum, b, n_q);
	if (VF_N == 8)
		return;
	tile_four(b, q, k, size, VF_N - 8, n_q);
	tile_four(c, q, k, size, VF_N - 4, n_q);
	tile_add(b, c, n_q);
	tile_add(sum, b, n_q);
}

#endif
