/* each.h - elementwise kernels and conversions. */
#ifndef LEAT_CPU_OP_EACH_H
#define LEAT_CPU_OP_EACH_H

#include "cpu/op/math.h"
#include "cpu/op/row.h"

/* EACH(name, parameters, expression): y[i] = expression for every i; AT(p) is p's vector there. */
#define EACH(name, parameters, expression)                                                                             \
	static void name(float *y, parameters, int n)                                                                  \
	{                                                                                                              \
		for (int i = 0; i < n; i += VF_N) {                                                                    \
			int m = n - i;                                                                                 \
			vf_put(y + i, expression, m);                                                                  \
		}                                                                                                      \
	}
#define AT(p)       vf_get((p) + i, m)
#define P1          const float *x
#define P2          const float *a, const float *b
#define P3(p, q, r) const float *p, const float *q, const float *r
#define ARGS(...)   __VA_ARGS__

LEAT_INLINE vf relu2(vf x)
{
	vf r = vf_max(vf_zero(), x);
	return vf_mul(r, r);
}

EACH(act_none, P1, AT(x))
EACH(act_tanh, P1, vf_tanh(AT(x)))
EACH(act_sigmoid, P1, vf_sigmoid(AT(x)))
EACH(act_silu, P1, vf_mul(AT(x), vf_sigmoid(AT(x))))
EACH(act_relu2, P1, relu2(AT(x)))
EACH(act_rwkv_decay, P1, vf_exp(vf_mul(vf_set1(-0.60653066f), vf_sigmoid(AT(x)))))
EACH(add, ARGS(P2), vf_add(AT(a), AT(b)))
EACH(mul, ARGS(P2), vf_mul(AT(a), AT(b)))
EACH(sub, ARGS(P2), vf_sub(AT(a), AT(b)))
EACH(swiglu, ARGS(P2), vf_mul(vf_mul(AT(a), vf_sigmoid(AT(a))), AT(b)))
EACH(lerp, ARGS(P3(x, d, mu)), vf_fma(AT(d), AT(mu), AT(x)))
EACH(mix, ARGS(P3(a, b, s)), vf_fma(vf_sub(AT(b), AT(a)), AT(s), AT(a)))
EACH(key_scale, ARGS(P3(k, a, ka)), vf_mul(AT(k), vf_fma(vf_sub(AT(a), vf_set1(1.0f)), AT(ka), vf_set1(1.0f))))
#undef AT
#undef EACH

static void rope_halves(float *y, const float *x, const float *cs, int n_heads, int head_size, int n_rot)
{
	int half = n_rot / 2;

	for (int h = 0; h < n_heads; h++, x += head_size, y += head_size) {
		for (int i = 0; i < half; i += VF_N) {
			int m = half - i;
			vf a = vf_get(x + i, m), b = vf_get(x + i + half, m);
			vf c = vf_get(cs + i, m), s = vf_get(cs + half + i, m);
			vf_put(y + i, vf_fnma(b, s, vf_mul(a, c)), m);
			vf_put(y + i + half, vf_fma(a, s, vf_mul(b, c)), m);
		}
		if (head_size > n_rot)
			memmove(y + n_rot, x + n_rot, (size_t)(head_size - n_rot) * sizeof *y);
	}
}

/* Both elements of a pair stand in one vector: x times cos, and the exchanged x times sin, minus for the first. */
static void rope_neighbours(float *y, const float *x, const float *cs, int n_heads, int head_size, int n_rot)
{
	for (int h = 0; h < n_heads; h++, x += head_size, y += head_size) {
		for (int i = 0; i < n_rot; i += VF_N) {
			int m = n_rot - i;
			vf a = vf_get(x + i, m), c = vf_load_twice(cs + i / 2, m / 2);
			vf s = vf_negate_even(vf_load_twice(cs + (n_rot + i) / 2, m / 2));
			vf_put(y + i, vf_fma(vf_swap_pairs(a), s, vf_mul(a, c)), m);
		}
		if (head_size > n_rot)
			memmove(y + n_rot, x + n_rot, (size_t)(head_size - n_rot) * sizeof *y);
	}
}

static void to_bf16(uint16_t *y, const float *x, int n)
{
	for (int i = 0; i < n; i += VF_N)
		vf_store_bf16_n(y + i, vf_get(x + i, n - i), n - i < VF_N ? n - i : VF_N);
}

static void to_f16(uint16_t *y, const float *x, int n)
{
	for (int i = 0; i < n; i += VF_N)
		vf_store_f16_n(y + i, vf_get(x + i, n - i), n - i < VF_N ? n - i : VF_N);
}

/* The cases of isa_scalar.c: not finite, too small, and all others. */
LEAT_INLINE void to_x16_block(int16_t *q, float *d, float *s, const float *x, int n)
{
	float lane[VF_N], top = 0;
	vf most = vf_zero();
	int finite = 1;

	for (int i = 0; i < n; i += VF_N)
		most = vf_max_bits(most, vf_abs(vf_load(x + i)));
	vf_store(lane, most);
	for (int i = 0; i < VF_N; i++) {
		finite &= lane[i] < INFINITY; /* false for NaN */
		top = lane[i] > top ? lane[i] : top;
	}
	float scale = finite && top >= LEAT_X16_LEAST ? 32767.0f / top : 0.0f;
	*d = !finite ? NAN : scale > 0 ? top / 32767.0f : 0.0f;
	for (int i = 0; i < n; i += VF_N)
		vf_store_i16(q + i, finite ? vf_mul(vf_load(x + i), vf_set1(scale)) : vf_zero());
	for (int half = 0; half < n; half += LEAT_X16_BLOCK / 2)
		s[half / (LEAT_X16_BLOCK / 2)] = (float)i16_sum16(q + half) * *d;
}

/* As isa_scalar.c does it, to the byte. */
LEAT_INLINE void to_q8_0_block(unsigned char *y, const float *x)
{
	struct leat_q8_0 b = {.d = 0x7e00};
	float lane[VF_N], top = 0, d = 0;
	int16_t q[32];
	vf most = vf_zero();
	int finite = 1;

	for (int i = 0; i < 32; i += VF_N)
		most = vf_max_bits(most, vf_abs(vf_load(x + i)));
	vf_store(lane, most);
	for (int i = 0; i < VF_N; i++) {
		finite &= lane[i] < INFINITY; /* false for NaN */
		top = lane[i] > top ? lane[i] : top;
	}
	if (finite && top / 127.0f < 65520.0f) {
		b.d = leat_f32_to_f16(top / 127.0f);
		d = leat_f16_to_f32(b.d);
	}
	vf most_q = vf_set1(127.0f), least_q = vf_set1(-127.0f);
	for (int i = 0; i < 32; i += VF_N) {
		vf v = d > 0 ? vf_div(vf_load(x + i), vf_set1(d)) : vf_zero();
		vf_store_i16(q + i, vf_min(vf_max(v, least_q), most_q));
	}
	for (int i = 0; i < 32; i++)
		b.qs[i] = (int8_t)q[i];
	memcpy(y, &b, sizeof b);
}

static void to_q8_0(unsigned char *y, const float *x, int n)
{
	for (int k = 0; k < n; k += 32, y += sizeof(struct leat_q8_0))
		to_q8_0_block(y, x + k);
}

static void to_x16(int16_t *q, float *d, float *s, const float *x, int n)
{
	for (int k = 0; k < n; k += LEAT_X16_BLOCK, s += 2)
		to_x16_block(q + k, d++, s, x + k, n - k < LEAT_X16_BLOCK ? n - k : LEAT_X16_BLOCK);
}

#endif
