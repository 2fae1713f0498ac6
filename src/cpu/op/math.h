/* math.h - exponential, logistic function and tanh on vectors, relative error about 1e-7 and below.
 *
 * exp: x = n ln 2 + r, |r| <= ln 2 / 2, with ln 2 as a sum of two floats of which the first has few bits, so that n *
 * ln 2 is exact; the series of e^r to r^7 leaves 5e-9. Cody & Waite 1980, "Software Manual for the Elementary
 * Functions". */
#ifndef LEAT_CPU_OP_MATH_H
#define LEAT_CPU_OP_MATH_H

/* NaN in, NaN out: a vector minimum and maximum return their second operand then. */
LEAT_INLINE vf vf_exp(vf x)
{
	x = vf_max(vf_set1(-110.0f), vf_min(vf_set1(100.0f), x));
	vf n = vf_round(vf_mul(x, vf_set1(1.44269504f)));
	vf r = vf_fnma(n, vf_set1(0.693359375f), x);
	r = vf_fnma(n, vf_set1(-2.12194440e-4f), r);
	vf p = vf_set1(1.0f / 5040);
	p = vf_fma(p, r, vf_set1(1.0f / 720));
	p = vf_fma(p, r, vf_set1(1.0f / 120));
	p = vf_fma(p, r, vf_set1(1.0f / 24));
	p = vf_fma(p, r, vf_set1(1.0f / 6));
	p = vf_fma(p, r, vf_set1(0.5f));
	p = vf_fma(p, r, vf_set1(1.0f));
	p = vf_fma(p, r, vf_set1(1.0f));
	return vf_scale2(p, n);
}

/* By e^-|x|, which cannot overflow: 1 / (1 + e) or e / (1 + e). */
LEAT_INLINE vf vf_sigmoid(vf x)
{
	vf one = vf_set1(1.0f), e = vf_exp(vf_sub(vf_zero(), vf_abs(x)));
	return vf_div(vf_where_less(x, vf_zero(), e, one), vf_add(one, e));
}

/* Near 0 an odd polynomial (fitted at Chebyshev points of x^2 <= 0.4, error 7e-10), elsewhere 1 - 2 / (e^2|x| + 1). */
LEAT_INLINE vf vf_tanh(vf x)
{
	vf a = vf_abs(x), z = vf_mul(x, x);
	vf p = vf_set1(0.00226950168f);
	p = vf_fma(p, z, vf_set1(-0.00832318706f));
	p = vf_fma(p, z, vf_set1(0.0217625029f));
	p = vf_fma(p, z, vf_set1(-0.0539584616f));
	p = vf_fma(p, z, vf_set1(0.133333001f));
	p = vf_fma(p, z, vf_set1(-0.333333331f));
	vf small = vf_fma(vf_mul(z, x), p, x), one = vf_set1(1.0f);
	vf e = vf_exp(vf_add(a, a));
	vf large = vf_sub(one, vf_div(vf_set1(2.0f), vf_add(e, one)));
	return vf_where_less(a, vf_set1(0.625f), small, vf_copysign(large, x));
}

#endif
