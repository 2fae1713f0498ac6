/* weight.h - what a plan's ops refer to: matrices in a block format and small f32 vectors. Immutable once bound. */
#ifndef LEAT_PLAN_WEIGHT_H
#define LEAT_PLAN_WEIGHT_H

#include <stddef.h>
#include <stdint.h>

/* Matrix [rows][cols], row-major, each row cols / block elements blocks of format `quant` (enum leat_quant_index). data
 * is borrowed from the mapped file and unaligned. A product computes y = W x with x of cols and y of rows elements.
 * What a device makes of it at bind is the device's own, found by `index`: engines may share a model. */
struct leat_weight {
	const char *name;     /* as in the file, for messages; borrowed from the model */
	int quant;
	int rows, cols;
	size_t row_bytes;
	const void *data;
	int index;            /* among the matrices of its model, 0 .. n - 1 */
	int multiplied;       /* 0: rows are only looked up */
	int mapped;           /* data is a read-only mapping of a file: its pages can be let go and come back */
};

/* Vector of n f32 (or several of n / rows each, one after the other). */
struct leat_vec {
	const char *name;
	const float *data;
	int n, rows;
};

#endif
