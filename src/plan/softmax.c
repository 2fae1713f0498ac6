/* softmax.c - see softmax.h. */
#include "plan/softmax.h"

#include <math.h>

/* The largest; NaN if there is no distribution. */
static float largest(const float *x, size_t n)
{
	float max = -INFINITY;
	int nan = 0;
	for (size_t i = 0; i < n; i++) {
		nan |= isnan(x[i]) != 0;
		max = x[i] > max ? x[i] : max;
	}
	return nan || !isfinite(max) ? NAN : max;
}

void leat_softmax_row(float *x, size_t n)
{
	float max = largest(x, n);
	double sum = 0;
	for (size_t i = 0; i < n; i++) {
		/* the difference in double: in float it would be off by more than the result may be */
		double p = exp((double)x[i] - (double)max);
		sum += p;
		x[i] = (float)p;
	}
	for (size_t i = 0; i < n; i++)
		x[i] = isnan(max) ? NAN : (float)((double)x[i] / sum);
}

float leat_logprob_row(const float *x, size_t n, size_t i)
{
	float max = largest(x, n);
	double sum = 0;
	for (size_t j = 0; j < n; j++)
		sum += exp((double)x[j] - (double)max);
	return (float)((double)x[i] - (double)max - log(sum));
}
