/* kerncheck.h - harness of the kernel check: memory that ends at an unmapped page, canaries, random data, verdicts. */
#ifndef TESTS_KERNELS_KERNCHECK_H
#define TESTS_KERNELS_KERNCHECK_H

#include <stddef.h>
#include <stdint.h>

#include "cpu/kernels.h"

/* One slot of the table. run() returns the worst error in the unit that the bound is in; INFINITY for a broken rule. */
struct check {
	const char *name;
	size_t slot; /* offset in struct leat_kernels */
	double bound;
	double (*run)(const struct leat_kernels *k, int which);
	int which;
};

/* Fill table[] and return how many. */
int checks_products(struct check *table);
int checks_rows(struct check *table);
int checks_state(struct check *table);

void bench_all(const struct leat_kernels *scalar, const struct leat_kernels *k, const struct leat_kernels *below,
	       const char *level, const char *pattern);

/* `bytes` of memory that end where an unmapped page begins; before them 64 canary bytes. The contents are canaries too.
 * Lives until guard_reset(). */
void *guard(size_t bytes);
float *guard_f32(size_t n);
/* Random finite values in +-2^range, exponents spread evenly, both signs. */
float *random_f32(size_t n, int range);
/* Unmaps all; returns 1 if a canary before one of them was overwritten. */
int guard_reset(void);
/* 1 if p[0..n) still holds the canary that guard() wrote. */
int untouched(const float *p, size_t n);

uint64_t rnd(void);
int rnd_below(int n);
float rnd_f32(int range);
/* Blocks of a format with random contents, finite values. */
void random_blocks(int format, unsigned char *p, size_t n_elems);
double now(void);

/* Bits equal, or both NaN. */
int same_f32(const float *a, const float *b, size_t n);

/* The portable table, against which exact slots are held. */
const struct leat_kernels *portable(void);

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

#endif
