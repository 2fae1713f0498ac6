/* check_rows.c - norms, activation functions, elementwise kernels and rope. */
#include <math.h>
#include <string.h>

#include "kerncheck.h"

enum { RMS, LAYER, L2 };

static void norm_exact(double *y, const float *x, const float *gain, const float *bias, int n, double eps, int which)
{
	double mean = 0, square = 0;

	for (int i = 0; which == LAYER && i < n; i++)
		mean += (double)x[i] / n;
	for (int i = 0; i < n; i++)
		square += ((double)x[i] - mean) * ((double)x[i] - mean);
	double s = which == L2 ? 1 / fmax(sqrt(square), 1e-12) : 1 / sqrt(square / n + eps);
	for (int i = 0; i < n; i++) {
		y[i] = ((double)x[i] - mean) * s;
		if (which != L2)
			y[i] *= (double)gain[i];
		if (which == LAYER)
			y[i] += (double)bias[i];
	}
}

static void norm_call(const struct leat_kernels *k, float *y, const float *x, const float *gain, const float *bias,
		      int n, int which)
{
	if (which == RMS)
		k->rmsnorm(y, x, gain, n, 1e-5f);
	else if (which == LAYER)
		k->layernorm(y, x, gain, bias, n, 1e-5f);
	else
		k->l2norm(y, x, n);
}

/* How much the subtraction of the mean magnifies the rounding of x: |mean| over the deviation, at least 1. */
static double magnification(const float *x, int n)
{
	double mean = 0, square = 0;
	for (int i = 0; i < n; i++)
		mean += (double)x[i] / n;
	for (int i = 0; i < n; i++)
		square += ((double)x[i] - mean) * ((double)x[i] - mean) / n;
	return fmax(1, fabs(mean) / sqrt(square + 1e-5));
}

static double norm_case(const struct leat_kernels *k, int n, int which)
{
	float *x = random_f32((size_t)n, 3), *gain = random_f32((size_t)n, 1), *bias = random_f32((size_t)n, 1);
	float *y = guard_f32((size_t)n);
	static double exact[8192];
	double worst = 0, most = 1e-30, condition = 1;

	for (int i = 0; which == LAYER && i < n; i++)
		x[i] += 3.0f; /* a mean that matters */
	if (which == LAYER)
		condition = magnification(x, n);
	norm_exact(exact, x, gain, bias, n, (double)1e-5f, which);
	norm_call(k, y, x, gain, bias, n, which);
	for (int i = 0; i < n; i++) {
		most = fmax(most, fabs(exact[i]));
		worst = fmax(worst, fabs((double)y[i] - exact[i]));
	}
	norm_call(k, x, x, gain, bias, n, which);
	int same = same_f32(x, y, (size_t)n);
	return guard_reset() || !same ? INFINITY : worst / most / condition;
}

static double check_norm(const struct leat_kernels *k, int which)
{
	double worst = 0;
	for (int n = 1; n <= 131; n++)
		worst = fmax(worst, norm_case(k, n, which));
	return fmax(worst, fmax(norm_case(k, 4096, which), norm_case(k, 8191, which)));
}

static double act_exact(double x, int which)
{
	double s = 1 / (1 + exp(-x));
	switch (which) {
	case LEAT_ACT_TANH:
		return tanh(x);
	case LEAT_ACT_SIGMOID:
		return s;
	case LEAT_ACT_SILU:
		return x * s;
	case LEAT_ACT_RELU2:
		return x > 0 ? x * x : 0;
	case LEAT_ACT_RWKV_DECAY:
		return exp(-exp(-0.5) * s);
	default:
		return x;
	}
}

/* Relative error; below 1e-35 a float (or its parts) has fewer digits and absolute error counts. */
static double relative(double y, double exact)
{
	if (isinf(exact) || fabs(exact) > 3.4e38)
		return isinf(y) ? 0 : INFINITY;
	return fabs(y - exact) / fmax(fabs(exact), 1e-35);
}

static double check_act(const struct leat_kernels *k, int which)
{
	double worst = 0;

	for (int n = 1; n <= 3000; n += n < 70 ? 1 : 977) {
		float *x = random_f32((size_t)n, 7), *y = guard_f32((size_t)n);
		x[rnd_below(n)] = rnd_f32(30);
		x[rnd_below(n)] = rnd_f32(120) * 1e-3f;
		k->act[which](y, x, n);
		for (int i = 0; i < n; i++)
			worst = fmax(worst, relative((double)y[i], act_exact((double)x[i], which)));
		x[0] = NAN;
		k->act[which](x, x, n); /* in place */
		int same = isnan(x[0]) && same_f32(x + 1, y + 1, (size_t)n - 1);
		if (guard_reset() || !same)
			return INFINITY;
	}
	return worst;
}

enum { ADD, MUL, SUB, SWIGLU, LERP, MIX, KEY_SCALE };

static void each_call(const struct leat_kernels *k, float *y, float *const in[3], int n, int which)
{
	switch (which) {
	case ADD:
		k->add(y, in[0], in[1], n);
		break;
	case MUL:
		k->mul(y, in[0], in[1], n);
		break;
	case SUB:
		k->sub(y, in[0], in[1], n);
		break;
	case SWIGLU:
		k->swiglu(y, in[0], in[1], n);
		break;
	case LERP:
		k->lerp(y, in[0], in[1], in[2], n);
		break;
	case MIX:
		k->mix(y, in[0], in[1], in[2], n);
		break;
	default:
		k->key_scale(y, in[0], in[1], in[2], n);
		break;
	}
}

/* Error relative to the sum of the magnitudes of the terms. */
static double each_error(float got, const double v[3], int which)
{
	double a = v[0], b = v[1], c = v[2], y, most;
	switch (which) {
	case ADD:
		y = a + b;
		most = fabs(a) + fabs(b);
		break;
	case SUB:
		y = a - b;
		most = fabs(a) + fabs(b);
		break;
	case SWIGLU:
		y = act_exact(a, LEAT_ACT_SILU) * b;
		most = fabs(y);
		break;
	case LERP:
		y = a + b * c;
		most = fabs(a) + fabs(b * c);
		break;
	case MIX:
		y = a + (b - a) * c;
		most = fabs(a) + (fabs(a) + fabs(b)) * fabs(c);
		break;
	case KEY_SCALE:
		y = a * (1 + (b - 1) * c);
		most = fabs(a) * (1 + (fabs(b) + 1) * fabs(c));
		break;
	default:
		y = a * b;
		most = fabs(y);
		break;
	}
	return fabs((double)got - y) / fmax(most, 1e-35);
}

static double check_each(const struct leat_kernels *k, int which)
{
	double worst = 0;

	for (int n = 1; n <= 300; n += n < 70 ? 1 : 77) {
		float *in[3], *y = guard_f32((size_t)n);
		for (int i = 0; i < 3; i++)
			in[i] = random_f32((size_t)n, 5);
		each_call(k, y, in, n, which);
		for (int i = 0; i < n; i++)
			worst = fmax(worst,
				     each_error(y[i], (double[]){(double)in[0][i], (double)in[1][i], (double)in[2][i]},
						which));
		int alias = rnd_below(which < LERP ? 2 : 3);
		each_call(k, in[alias], in, n, which);
		int same = same_f32(in[alias], y, (size_t)n);
		if (guard_reset() || !same)
			return INFINITY;
	}
	return worst;
}

/* Where the first and the second element of pair i lie. */
static int pair_at(int pairs, int n_rot, int i, int second)
{
	return pairs == LEAT_ROPE_HALVES ? i + second * n_rot / 2 : 2 * i + second;
}

/* The same pairs stored the other way come out with the same bits. y holds what `pairs` gave for x. */
static int rope_order_free(const struct leat_kernels *k, const float *y, const float *x, const float *cs, int n_heads,
			   int head_size, int n_rot, int pairs)
{
	size_t n = (size_t)(n_heads * head_size);
	float *moved = guard_f32(n), *out = guard_f32(n);
	int same = 1;

	memcpy(moved, x, n * sizeof *x);
	for (int h = 0; h < n_heads; h++)
		for (int i = 0; i < n_rot; i++)
			moved[h * head_size + pair_at(!pairs, n_rot, i / 2, i % 2)] =
				x[h * head_size + pair_at(pairs, n_rot, i / 2, i % 2)];
	k->rope[!pairs](out, moved, cs, n_heads, head_size, n_rot);
	for (int h = 0; h < n_heads; h++)
		for (int i = 0; i < n_rot; i++)
			same &= same_f32(&out[h * head_size + pair_at(!pairs, n_rot, i / 2, i % 2)],
					 &y[h * head_size + pair_at(pairs, n_rot, i / 2, i % 2)], 1);
	return same;
}

static double rope_case(const struct leat_kernels *k, int n_heads, int head_size, int n_rot, int pairs)
{
	size_t n = (size_t)(n_heads * head_size);
	int half = n_rot / 2;
	float *x = random_f32(n, 3), *cs = guard_f32((size_t)n_rot), *y = guard_f32(n);
	double worst = 0;

	for (int i = 0; i < half; i++) {
		double angle = (double)rnd_f32(10);
		cs[i] = (float)cos(angle);
		cs[half + i] = (float)sin(angle);
	}
	k->rope[pairs](y, x, cs, n_heads, head_size, n_rot);
	for (int h = 0; h < n_heads; h++) {
		const float *xh = x + h * head_size, *yh = y + h * head_size;
		for (int i = 0; i < half; i++) {
			int first = pair_at(pairs, n_rot, i, 0), second = pair_at(pairs, n_rot, i, 1);
			double a = (double)xh[first], b = (double)xh[second], c = (double)cs[i];
			double s = (double)cs[half + i], most = fabs(a) + fabs(b);
			worst = fmax(worst, fabs((double)yh[first] - (a * c - b * s)) / most);
			worst = fmax(worst, fabs((double)yh[second] - (b * c + a * s)) / most);
		}
		if (!same_f32(xh + n_rot, yh + n_rot, (size_t)(head_size - n_rot)))
			return INFINITY;
	}
	int same = rope_order_free(k, y, x, cs, n_heads, head_size, n_rot, pairs);
	k->rope[pairs](x, x, cs, n_heads, head_size, n_rot);
	same &= same_f32(x, y, n);
	return guard_reset() || !same ? INFINITY : worst;
}

static double check_rope(const struct leat_kernels *k, int which)
{
	double worst = 0;

	for (int i = 0; i < 200; i++) {
		int head_size = 2 * (1 + rnd_below(70)), n_rot = 2 * (1 + rnd_below(head_size / 2));
		worst = fmax(worst, rope_case(k, 1 + rnd_below(5), head_size, i % 2 ? head_size : n_rot, which));
	}
	return worst;
}

#define SLOT(member) offsetof(struct leat_kernels, member)

int checks_rows(struct check *table)
{
	static const char *const act[LEAT_ACT_COUNT] = {"act.none", "act.tanh",  "act.sigmoid",
							"act.silu", "act.relu2", "act.rwkv_decay"};
	static const double bound[LEAT_ACT_COUNT] = {0, 4e-7, 4e-7, 6e-7, 2e-7, 3e-7};
	const struct check rows[] = {
		{"rmsnorm", SLOT(rmsnorm), 4e-6, check_norm, RMS},
		{"layernorm", SLOT(layernorm), 4e-6, check_norm, LAYER},
		{"l2norm", SLOT(l2norm), 4e-6, check_norm, L2},
		{"add", SLOT(add), 1e-7, check_each, ADD},
		{"mul", SLOT(mul), 1e-7, check_each, MUL},
		{"sub", SLOT(sub), 1e-7, check_each, SUB},
		{"swiglu", SLOT(swiglu), 6e-7, check_each, SWIGLU},
		{"lerp", SLOT(lerp), 2e-7, check_each, LERP},
		{"mix", SLOT(mix), 3e-7, check_each, MIX},
		{"key_scale", SLOT(key_scale), 3e-7, check_each, KEY_SCALE},
		{"rope.halves", SLOT(rope[LEAT_ROPE_HALVES]), 2e-7, check_rope, LEAT_ROPE_HALVES},
		{"rope.neighbours", SLOT(rope[LEAT_ROPE_NEIGHBOURS]), 2e-7, check_rope, LEAT_ROPE_NEIGHBOURS},
	};
	struct check *c = table;

	for (int i = 0; i < LEAT_ACT_COUNT; i++)
		*c++ = (struct check){act[i], SLOT(act) + (size_t)i * sizeof(void (*)(void)), bound[i], check_act, i};
	memcpy(c, rows, sizeof rows);
	return (int)(c - table) + (int)COUNT_OF(rows);
}
