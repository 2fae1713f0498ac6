/* norm.h - norms of one row. Sums in two vectors of lanes, then over the lanes. */
#ifndef LEAT_CPU_OP_NORM_H
#define LEAT_CPU_OP_NORM_H

#include "cpu/op/row.h"

/* Keeps the first m lanes. */
LEAT_INLINE vf vf_keep(vf a, int m)
{
	float lane[VF_N];
	if (m >= VF_N)
		return a;
	vf_store(lane, a);
	return vf_load_n(lane, m);
}

LEAT_INLINE float sum_row(const float *x, int n)
{
	vf s0 = vf_zero(), s1 = vf_zero();
	int i = 0;
	for (; i + 2 * VF_N <= n; i += 2 * VF_N) {
		s0 = vf_add(s0, vf_load(x + i));
		s1 = vf_add(s1, vf_load(x + i + VF_N));
	}
	for (; i < n; i += VF_N)
		s0 = vf_add(s0, vf_get(x + i, n - i));
	return vf_sum(vf_add(s0, s1));
}

LEAT_INLINE float sum_squares(const float *x, float mean, int n)
{
	vf s0 = vf_zero(), s1 = vf_zero(), mv = vf_set1(mean);
	int i = 0;
	for (; i + 2 * VF_N <= n; i += 2 * VF_N) {
		vf a = vf_sub(vf_load(x + i), mv), b = vf_sub(vf_load(x + i + VF_N), mv);
		s0 = vf_fma(a, a, s0);
		s1 = vf_fma(b, b, s1);
	}
	for (; i < n; i += VF_N) {
		vf a = vf_keep(vf_sub(vf_get(x + i, n - i), mv), n - i);
		s0 = vf_fma(a, a, s0);
	}
	return vf_sum(vf_add(s0, s1));
}

static void rmsnorm(float *y, const float *x, const float *gain, int n, float eps)
{
	vf s = vf_set1(1.0f / sqrtf(sum_squares(x, 0, n) / (float)n + eps));
	for (int i = 0; i < n; i += VF_N)
		vf_put(y + i, vf_mul(vf_mul(vf_get(x + i, n - i), s), vf_get(gain + i, n - i)), n - i);
}

static void layernorm(float *y, const float *x, const float *gain, const float *bias, int n, float eps)
{
	float mean = sum_row(x, n) / (float)n;
	vf s = vf_set1(1.0f / sqrtf(sum_squares(x, mean, n) / (float)n + eps)), mv = vf_set1(mean);

	for (int i = 0; i < n; i += VF_N) {
		vf centred = vf_mul(vf_sub(vf_get(x + i, n - i), mv), s);
		vf_put(y + i, vf_fma(centred, vf_get(gain + i, n - i), vf_get(bias + i, n - i)), n - i);
	}
}

static void l2norm(float *y, const float *x, int n)
{
	vf s = vf_set1(1.0f / fmaxf(sqrtf(sum_squares(x, 0, n)), 1e-12f));
	for (int i = 0; i < n; i += VF_N)
		vf_put(y + i, vf_mul(vf_get(x + i, n - i), s), n - i);
}

#endif
