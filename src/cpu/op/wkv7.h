/* wkv7.h - RWKV-7 time mix of one head: VF_N value channels at a time, so that their sums over the row are folded
 * together. */
#ifndef LEAT_CPU_OP_WKV7_H
#define LEAT_CPU_OP_WKV7_H

#include "cpu/op/row.h"

/* Floats of state between the row that is worked on and what is asked for: a group of VF_N rows of 64, so that the sums
 * of the next group find it there. Twice as far is 7 % slower (AMX machine, 12 and 32 sequences). */
enum { WKV7_AHEAD = 1024 };

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

/* New row and its product with r, lanes not yet added. far: it is written past the caches, and what will be read is
 * asked for from memory. */
LEAT_INLINE vf wkv7_row(float *out, const float *s, const struct wkv7_in *in, float sa, float v, int size, int far)
{
	vf sum = vf_zero(), sav = vf_set1(sa), vv = vf_set1(v);

	LEAT_UNROLL
	for (int j = 0; j < size; j += VF_N) {
		int m = size - j;
		vf kka = vf_mul(vf_get(in->kk + j, m), vf_get(in->a + j, m));
		vf n = vf_mul(vf_get(s + j, m), vf_get(in->w + j, m));
		n = vf_fnma(sav, kka, n);
		n = vf_fma(vv, vf_get(in->k + j, m), n);
		if (far && (j + VF_N) % 16 == 0)
			_mm_prefetch((const void *)(s + j + WKV7_AHEAD), _MM_HINT_T0);
		if (far)
			vf_stream(out + j, n);
		else
			vf_put(out + j, n, m);
		sum = vf_fma(n, vf_get(in->r + j, m), sum);
	}
	return sum;
}

LEAT_INLINE void wkv7_any(float *y, float *out, const float *s, const struct wkv7_in *in, const float *v, int size,
			  int far)
{
	for (int i = 0; i < size; i += VF_N) {
		int n = size - i < VF_N ? size - i : VF_N;
		float sa[VF_N];
		vf sum[VF_N];
		vf_store(sa, wkv7_removal(s, in->kk, n, size));
		for (int j = 0; j < VF_N; j++)
			sum[j] = vf_zero();
		for (int j = 0; j < n; j++, s += size, out += size)
			sum[j] = wkv7_row(out, s, in, sa[j], v[i + j], size, far);
		vf_put(y + i, vf_sum_each(sum), n);
	}
}

static void wkv7(float *y, float *s_out, const float *s_in, const float *r, const float *w, const float *k,
		 const float *v, const float *kk, const float *a, int n_head_size)
{
	const struct wkv7_in in = {r, w, k, kk, a};

	if (n_head_size == 64)
		wkv7_any(y, s_out, s_in, &in, v, 64, 0);
	else
		wkv7_any(y, s_out, s_in, &in, v, n_head_size, 0);
}

static void wkv7_far(float *y, float *s_out, const float *s_in, const float *r, const float *w, const float *k,
		     const float *v, const float *kk, const float *a, int n_head_size, int n_heads)
{
	int n = n_head_size;

	for (int h = 0, c = 0; h < n_heads; h++, c += n, s_in += n * n, s_out += n * n) {
		const struct wkv7_in in = {r + c, w + c, k + c, kk + c, a + c};
		if (n == 64 && (uintptr_t)s_out % 64 == 0)
			wkv7_any(y + c, s_out, s_in, &in, v + c, 64, 1);
		else
			wkv7_any(y + c, s_out, s_in, &in, v + c, n, 0);
	}
	vf_stream_end();
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
