/* scan.h - reading every weight of a model file, for leat inspect --verify. */
#ifndef LEAT_BENCH_SCAN_H
#define LEAT_BENCH_SCAN_H

#include "base/err.h"

struct leat_scan {
	uint64_t n_tensors, n_numbers;
	uint64_t n_unread;     /* tensors of a type that leat cannot compute with */
};

/* Decodes all tensors of `path` and looks at each number. E_NONFINITE: one is a NaN or an infinity; the message names
 * the tensor, the element and the count in it, err->offset the block's first byte in its file. E_CANCELLED: `stop`
 * (NULL: never) was not 0. Else as leat_model_open. */
enum leat_status leat_scan_weights(const char *path, int (*stop)(void), struct leat_scan *ret, struct leat_error *err);

#endif
