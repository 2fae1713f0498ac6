/* wkv7.h - RWKV-7 time mix of one head: VF_N value channels at a time, so that their sums over the row are folded
 * together. */
#ifndef LEAT_CPU_OP_WKV7_H
#define LEAT_CPU_OP_WKV7_H

#include "cpu/op/row.h"

struct wkv7_in {
	const float *r, *w, *k, *kk, *a;
};

/* s . kk of each of n rows, the others 0. Row by row, so that the state streams in from memory in order. */
LEAT_INLINE vf wkv7_removal(const float *s, const float *kk, int n, int size)
{
	vf sum[VF_N];

	for (int i = 0; i < VF_N; i++)
		sum[i] = vf_zero();
	for (int i = 0; i < n; i++, s += size) {
		vf row = vf_zero();
		LEAT_UNROLL
		for (int j = 0; j < size; j += VF_N)
			row = vf_fma(vf_get(s + j, size - j), vf_get(kk + j, size - j), row);
		sum[i] = row;
	}
	return vf_sum_each(sum);
}

/* New row and its product with r, lanes not yet added. */
LEAT_INLINE vf wkv7_row(float *out, const float *s, const struct wkv7_in *in, float sa, float v, int size)
{
	vf sum = vf_zero(), sav = vf_set1(sa), vv = vf_set1(v);

	LEAT_UNROLL
	for (int j = 0; j < size; j += VF_N) {
		int m = size - j;
		vf kka = vf_mul(vf_get(in->kk + j, m), vf_get(in->a + j, m));
		vf n = vf_mul(vf_get(s + j, m), vf_get(in->w + j, m));
		n = vf_fnma(sav, kka, n);
		n = vf_fma(vv, vf_get(in->k + j, m), n);
		vf_put(out + j, n, m);
		sum = vf_fma(n, vf_get(in->r + j, m), sum);
	}
	return sum;
}

LEAT_INLINE void wkv7_any(float *y, float *out, const float *s, const struct wkv7_in *in, const float *v, int size)
{
	for (int i = 0; i < size; i += VF_N) {
		int n = size - i < VF_N ? size - i : VF_N;
		float sa[VF_N];
		vf sum[VF_N];
		vf_store(sa, wkv7_removal(s, in->kk, n, size));
		for (int j = 0; j < VF_N; j++)
			sum[j] = vf_zero();
		for (int j = 0; j < n; j++, s += size, out += size)
			sum[j] = wkv7_row(out, s, in, sa[j], v[i + j], size);
		vf_put(y + i, vf_sum_each(sum), n);
	}
}

static void wkv7(float *y, float *s_out, const float *s_in, const float *r, const float *w, const float *k,
		 const float *v, const float *kk, const float *a, int n_head_size)
{
	const struct wkv7_in in = {r, w, k, kk, a};

	if (n_head_size == 64)
		wkv7_any(y, s_out, s_in, &in, v, 64);
	else
		wkv7_any(y, s_out, s_in, &in, v, n_head_size);
}

static void bonus(float *y, const float *r, const float *k, const float *v, const float *rk, int n)
{
	vf sum = vf_zero();

	for (int i = 0; i < n; i += VF_N)
		sum = vf_fma(vf_mul(vf_get(r + i, n - i), vf_get(k + i, n - i)), vf_get(rk + i, n - i), sum);
	vf s = vf_set1(vf_sum(sum));
	for (int i = 0; i < n; i += VF_N)
		vf_put(y + i, vf_fma(s, vf_get(v + i, n - i), vf_get(y + i, n - i)), n - i);
}

#endif
