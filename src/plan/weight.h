/* weight.h - what a plan's ops refer to: matrices in a block format and small f32 vectors. Immutable once bound. */
#ifndef LEAT_PLAN_WEIGHT_H
#define LEAT_PLAN_WEIGHT_H

#include <stddef.h>
#include <stdint.h>

/* Matrix [rows][cols], row-major, each row cols / block elements blocks of format `quant` (enum leat_quant_index). data
 * is borrowed from the mapped file and unaligned. A product computes y = W x with x of cols and y of rows elements. */
struct leat_weight {
	const char *name;     /* as in the file, for messages; borrowed from the model */
	int quant;
	int rows, cols;
	size_t row_bytes;
	const void *data;
	void *bound;          /* what the backend made of it, NULL where it reads data as it is */
};

/* Vector of n f32 (or several of n / rows each, one after the other). */
struct leat_vec {
	const char *name;
	const float *data;
	int n, rows;
};

#endif
