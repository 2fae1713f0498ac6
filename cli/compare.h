/* compare.h - rows of logits against a reference file, by the measure of NUMERICS section 1. */
#ifndef LEAT_CLI_COMPARE_H
#define LEAT_CLI_COMPARE_H

#include "cli.h"

struct compare {
	/* the reference */
	const char *path;
	const void *map;
	size_t map_bytes;
	const unsigned char *data;   /* rows, little-endian float32, maybe unaligned */
	uint64_t n_rows, width;
	/* tolerances */
	double rtol, atol, max_e;    /* negative: not asked for */
	/* found so far */
	uint64_t n, rows, ids_equal, n_gaps, outside;
	double mean, m2;             /* of the reference (Welford) */
	double max_diff;
	uint64_t max_row, max_column;
	double *gaps;                /* reference's best minus second, of rows whose id differs */
	float *row;                  /* one row of the reference */
};

/* Whether logit a ranks before b: the larger, and anything before what is not a number. */
int compare_ranks_before(float a, float b);
/* Maps REF (raw or .npy) for n_rows rows that are wide[0] or wide[1] long. Prints errors; returns the exit code. */
int compare_open(struct compare *x, const struct cli *c, const char *path, uint64_t n_rows, const int32_t wide[2]);
/* Row `index` of the reference beside ours. */
void compare_row(struct compare *x, uint64_t index, const float *logits);
double compare_e(const struct compare *x);
double compare_deviation(const struct compare *x);
/* Rows whose ids differ though the reference's gap is over 2 x bound x deviation. */
uint64_t compare_ids_beyond(const struct compare *x, double bound);
void compare_close(struct compare *x);

#endif
