/* report.h - what a measurement found: figures with all their samples, hashes of what was written, remarks. */
#ifndef LEAT_BENCH_REPORT_H
#define LEAT_BENCH_REPORT_H

#include <stdint.h>

#include "leat/leat.h"

/* Which way a figure gets better: what a comparison with an earlier result looks at. */
enum leat_better { LEAT_BETTER_NEITHER, LEAT_BETTER_LESS, LEAT_BETTER_MORE };

enum { LEAT_MAX_HASHES = 4, LEAT_MAX_REMARKS = 64, LEAT_FIGURE_NAME = 64 };

struct leat_figure {
	char name[LEAT_FIGURE_NAME];
	const char *unit;      /* static: "ms", "tokens/s", "bytes", "%" */
	enum leat_better better;
	double *sample;        /* [n], in the order of measuring */
	int n, cap;
};

struct leat_report {
	struct leat_figure *figure;
	int n, cap;
	struct {
		char name[LEAT_FIGURE_NAME], hex[65];
	} hash[LEAT_MAX_HASHES];
	int n_hashes;
	char remark[LEAT_MAX_REMARKS][120];
	int n_remarks;
	char *table;           /* Markdown that people get instead of the figures; NULL: none */
	size_t table_bytes, table_cap;
	int wrong;             /* 1: something that has to hold does not, and a remark says what */
	int out_of_memory;     /* 1: samples were lost */
};

void leat_report_deinit(struct leat_report *r); /* zeroed is fine */

/* One more sample of the figure of that name, which is made when it is new. `unit` static. */
void leat_report_add(struct leat_report *r, const char *name, const char *unit, enum leat_better better, double v);
/* The SHA-256 of ids[n] as little-endian int32. Beyond LEAT_MAX_HASHES: left out. */
void leat_report_hash(struct leat_report *r, const char *name, const int32_t *ids, int n);
/* A hash that is known already, of 64 digits. */
void leat_report_hex(struct leat_report *r, const char *name, const char hex[65]);
/* A line for people. Beyond LEAT_MAX_REMARKS: left out. */
void leat_report_remark(struct leat_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* More of the table. */
void leat_report_table(struct leat_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Of samples v[n], n >= 1. */
struct leat_summary {
	double mean, stddev, median, least, most, p95; /* stddev: of a sample, 0 for one */
};
/* 1 when out of memory. */
int leat_summarise(const double *v, int n, struct leat_summary *ret);

/* Welch's t of two samples and whether it is beyond the two-sided 1 % point of its degrees of freedom. With fewer than
 * two samples on a side nothing is known of the noise, and a difference counts as one. */
struct leat_welch {
	double t, df;
	int beyond_noise;
};
void leat_welch(const double *a, int n_a, const double *b, int n_b, struct leat_welch *ret);

#endif
