/* score.c - see score.h. Sums in double precision; a vocabulary's softmax is exact to about 1e-12. */
#include "score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add(struct series *s, double v)
{
	double step = v - s->mean;

	s->n++;
	s->mean += step / (double)s->n;
	s->m2 += step * (v - s->mean);
}

/* Standard error of the mean. */
static double uncertain(const struct series *s)
{
	return s->n > 1 ? sqrt(s->m2 / (double)(s->n - 1) / (double)s->n) : 0;
}

int score_init(struct score *s, uint64_t n)
{
	memset(s, 0, sizeof(*s));
	s->kls = n <= SIZE_MAX / sizeof(*s->kls) ? malloc((size_t)n * sizeof(*s->kls)) : NULL;
	return !s->kls;
}

void score_deinit(struct score *s)
{
	free(s->kls);
	s->kls = NULL;
}

/* log sum exp of the row, and the lowest id among its best. Not finite if any of them is not. */
static double log_sum(const float *v, int32_t n, int32_t *ret_top)
{
	double max = (double)v[0], sum = 0;
	int32_t i, top = 0;

	for (i = 0; i < n; i++) {
		if (!isfinite(v[i]))
			return NAN;
		if ((double)v[i] > max) {
			max = (double)v[i];
			top = i;
		}
	}
	for (i = 0; i < n; i++)
		sum += exp((double)v[i] - max);
	*ret_top = top;
	return max + log(sum);
}

int score_add(struct score *s, const float *logits, const float *base, int32_t n_vocab, int32_t next)
{
	int32_t i, top, base_top;
	double z = log_sum(logits, n_vocab, &top), base_z, kl = 0, p, q;

	if (!isfinite(z))
		return 1;
	add(&s->nll, z - (double)logits[next]);
	if (!base)
		return 0;
	base_z = log_sum(base, n_vocab, &base_top);
	for (i = 0; i < n_vocab; i++) {
		double log_p = (double)base[i] - base_z;
		kl += exp(log_p) * (log_p - ((double)logits[i] - z));
	}
	/* Rounding alone can make it negative. */
	kl = kl > 0 ? kl : 0;
	s->kls[s->kl.n] = kl;
	add(&s->kl, kl);
	add(&s->base_nll, base_z - (double)base[next]);
	add(&s->more, z - (double)logits[next] - (base_z - (double)base[next]));
	p = exp((double)base[next] - base_z);
	q = exp((double)logits[next] - z);
	add(&s->dp, q - p);
	add(&s->dp2, (q - p) * (q - p));
	s->top_same += top == base_top;
	return 0;
}

double score_ppl(const struct score *s)
{
	return exp(s->nll.mean);
}

double score_ppl_error(const struct score *s)
{
	return score_ppl(s) * uncertain(&s->nll);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value that `share` of n sorted ones do not exceed, between neighbours in proportion. */
static double quantile(const double *v, uint64_t n, double share)
{
	double at = share * (double)(n - 1);
	uint64_t i = (uint64_t)at;

	return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[n - 1];
}

void score_kl(struct score *s, struct score_kl *ret)
{
	uint64_t n = s->kl.n;
	double ppl = score_ppl(s), base = exp(s->base_nll.mean), a, b, both;

	memset(ret, 0, sizeof(*ret));
	if (!n)
		return;
	qsort(s->kls, (size_t)n, sizeof(*s->kls), by_size);
	ret->mean = s->kl.mean;
	ret->mean_error = uncertain(&s->kl);
	ret->median = quantile(s->kls, n, 0.5);
	ret->p99 = quantile(s->kls, n, 0.99);
	ret->max = s->kls[n - 1];
	ret->dp_rms = sqrt(s->dp2.mean);
	ret->dp_rms_error = ret->dp_rms > 0 ? uncertain(&s->dp2) / (2 * ret->dp_rms) : 0;
	ret->top_same = (double)s->top_same / (double)n;
	ret->ppl_base = base;
	ret->ppl_delta = ppl - base;
	/* Both are of the same tokens, so the variance of the difference gives their covariance. Written as squares, so
	 * that equal series come out as exactly 0. */
	a = uncertain(&s->nll);
	b = uncertain(&s->base_nll);
	both = uncertain(&s->more);
	a = (ppl * a - base * b) * (ppl * a - base * b) + ppl * base * (both * both - (a - b) * (a - b));
	ret->ppl_delta_error = a > 0 ? sqrt(a) : 0;
}
