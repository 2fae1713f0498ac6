/* rope.c - frequencies of rotary embeddings. */
#include "model/rope.h"

#include <math.h>

static const double two_pi = 6.283185307179586;

static double llama3(const struct leat_rope_rule *r, double f)
{
	double turns = r->original * f / two_pi; /* within the original context */
	if (turns < r->low)
		return f / r->factor;
	if (turns > r->high)
		return f;
	double keep = (turns - r->low) / (r->high - r->low);
	return (1 - keep) * f / r->factor + keep * f;
}

/* The pair (a real number) that turns `turns` times within the original context. */
static double pair_of(const struct leat_rope_rule *r, int n, double turns)
{
	return n * log(r->original / (turns * two_pi)) / log(r->base);
}

static double yarn(const struct leat_rope_rule *r, int n, int i, double f)
{
	double first = fmax(floor(pair_of(r, n, r->beta_fast)), 0);
	double last = fmin(ceil(pair_of(r, n, r->beta_slow)), 2 * n - 1);
	double bent = fmin(fmax((i - first) / fmax(last - first, 0.001), 0), 1);
	return bent * f / r->factor + (1 - bent) * f;
}

void leat_rope_frequencies(float *inv_freq, int n, const struct leat_rope_rule *r, const float *divisor)
{
	for (int i = 0; i < n; i++) {
		double f = pow(r->base, -(double)i / n);
		if (r->bend == LEAT_ROPE_LINEAR)
			f /= r->factor;
		else if (r->bend == LEAT_ROPE_LLAMA3)
			f = llama3(r, f);
		else if (r->bend == LEAT_ROPE_YARN)
			f = yarn(r, n, i, f);
		inv_freq[i] = (float)(divisor ? f / (double)divisor[i] : f);
	}
}

double leat_rope_yarn_scale(const struct leat_rope_rule *r)
{
	return r->bend == LEAT_ROPE_YARN ? 0.1 * log(r->factor) + 1 : 1;
}

double leat_rope_longrope_scale(double stretch, double original)
{
	return stretch > 1 && original > 1 ? sqrt(1 + log(stretch) / log(original)) : 1;
}
