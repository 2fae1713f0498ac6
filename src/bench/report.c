/* report.c - see report.h. */
#include "bench/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

void leat_report_deinit(struct leat_report *r)
{
	for (int i = 0; i < r->n; i++)
		free(r->figure[i].sample);
	free(r->figure);
	free(r->table);
	memset(r, 0, sizeof(*r));
}

/* Room for one more element at *array. NULL when there is none. */
static void *grow(void *array, int n, int *cap, size_t size)
{
	int more = *cap ? 2 * *cap : 16;
	void *p = array;

	if (n < *cap)
		return p;
	if (more <= (1 << 24))
		p = realloc(array, (size_t)more * size);
	else
		return NULL;
	if (p)
		*cap = more;
	return p;
}

static struct leat_figure *find(struct leat_report *r, const char *name)
{
	struct leat_figure *f;

	for (int i = 0; i < r->n; i++) {
		if (!strcmp(r->figure[i].name, name))
			return &r->figure[i];
	}
	f = grow(r->figure, r->n, &r->cap, sizeof(*f));
	if (!f)
		return NULL;
	r->figure = f;
	f = &r->figure[r->n++];
	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "%s", name);
	return f;
}

void leat_report_add(struct leat_report *r, const char *name, const char *unit, enum leat_better better, double v)
{
	struct leat_figure *f = find(r, name);
	double *s = f ? grow(f->sample, f->n, &f->cap, sizeof(*s)) : NULL;

	if (!s) {
		r->out_of_memory = 1;
		return;
	}
	f->sample = s;
	f->unit = unit;
	f->better = better;
	f->sample[f->n++] = v;
}

void leat_report_hash(struct leat_report *r, const char *name, const int32_t *ids, int n)
{
	struct leat_sha256 sha;
	char hex[65];

	leat_sha256_init(&sha);
	for (int i = 0; i < n; i++) {
		unsigned char bytes[4];
		for (int k = 0; k < 4; k++)
			bytes[k] = (unsigned char)((uint32_t)ids[i] >> (8 * k));
		leat_sha256_add(&sha, bytes, 4);
	}
	leat_sha256_hex(&sha, hex);
	leat_report_hex(r, name, hex);
}

void leat_report_hex(struct leat_report *r, const char *name, const char hex[65])
{
	if (r->n_hashes == LEAT_MAX_HASHES)
		return;
	memcpy(r->hash[r->n_hashes].hex, hex, 65);
	snprintf(r->hash[r->n_hashes++].name, LEAT_FIGURE_NAME, "%s", name);
}

void leat_report_remark(struct leat_report *r, const char *fmt, ...)
{
	va_list ap;

	if (r->n_remarks == LEAT_MAX_REMARKS)
		return;
	va_start(ap, fmt);
	vsnprintf(r->remark[r->n_remarks++], sizeof(r->remark[0]), fmt, ap);
	va_end(ap);
}

/* ---- statistics ---- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The mean, and the sum of squared distances from it. */
static double mean_of(const double *v, int n, double *ret_squares)
{
	double sum = 0, squares = 0;

	for (int i = 0; i < n; i++)
		sum += v[i];
	for (int i = 0; i < n; i++)
		squares += (v[i] - sum / n) * (v[i] - sum / n);
	*ret_squares = squares;
	return sum / n;
}

int leat_summarise(const double *v, int n, struct leat_summary *ret)
{
	double *sorted = malloc((size_t)n * sizeof(*sorted)), squares;

	if (!sorted)
		return 1;
	memcpy(sorted, v, (size_t)n * sizeof(*sorted));
	qsort(sorted, (size_t)n, sizeof(*sorted), ascending);
	ret->mean = mean_of(v, n, &squares);
	ret->stddev = n > 1 ? sqrt(squares / (n - 1)) : 0;
	ret->median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
	ret->least = sorted[0];
	ret->most = sorted[n - 1];
	ret->p95 = sorted[(int)ceil(0.95 * n) - 1]; /* nearest rank */
	free(sorted);
	return 0;
}

/* Two-sided 1 % point of Student's t: z plus the first terms of its expansion in 1/df (Abramowitz & Stegun 26.7.5),
 * good to 1 % from 3 degrees on; the first three as tabulated. */
static double t_point(double df)
{
	static const double few[] = { 63.657, 63.657, 9.925, 5.841 };
	const double z = 2.5758293, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;

	if (df < 4)
		return few[(int)df];
	return z + (z3 + z) / (4 * df) + (5 * z5 + 16 * z3 + 3 * z) / (96 * df * df) +
	       (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * df * df * df);
}

void leat_welch(const double *a, int n_a, const double *b, int n_b, struct leat_welch *ret)
{
	double sa, sb, ma = mean_of(a, n_a, &sa), mb = mean_of(b, n_b, &sb), va, vb;

	memset(ret, 0, sizeof(*ret));
	ret->beyond_noise = ma != mb;
	if (n_a < 2 || n_b < 2)
		return;
	va = sa / (n_a - 1) / n_a;
	vb = sb / (n_b - 1) / n_b;
	if (va + vb <= 0)
		return;
	ret->t = (mb - ma) / sqrt(va + vb);
	ret->df = (va + vb) * (va + vb) / (va * va / (n_a - 1) + vb * vb / (n_b - 1));
	ret->beyond_noise = fabs(ret->t) > t_point(ret->df);
}

void leat_report_table(struct leat_report *r, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	if (r->table_bytes + (size_t)n + 1 > r->table_cap) {
		size_t cap = 2 * r->table_cap + (size_t)n + 4096;
		char *more = realloc(r->table, cap);
		if (!more) {
			r->out_of_memory = 1;
			return;
		}
		r->table = more;
		r->table_cap = cap;
	}
	va_start(args, fmt);
	vsnprintf(r->table + r->table_bytes, (size_t)n + 1, fmt, args);
	va_end(args);
	r->table_bytes += (size_t)n;
}
