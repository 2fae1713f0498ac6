/* softmax.h - probabilities from a row of logits: what every backend's op `softmax` is held to. */
#ifndef LEAT_PLAN_SOFTMAX_H
#define LEAT_PLAN_SOFTMAX_H

#include <stddef.h>

/* x[i] becomes exp(x[i] - max) / sum of them, i < n; the sum in double, in order. Relative error 1e-6 down to 1e-30.
 * -infinity gives 0; a NaN or +infinity in the row, or -infinity only: all NaN. */
void leat_softmax_row(float *x, size_t n);
/* The natural logarithm of what x[i] would become; NaN where that is. Changes nothing. */
float leat_logprob_row(const float *x, size_t n, size_t i);

#endif
