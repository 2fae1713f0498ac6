/* scalar.h - what the two files of portable kernels share. */
#ifndef LEAT_CPU_SCALAR_H
#define LEAT_CPU_SCALAR_H

#include <math.h>

#include "cpu/kernels.h"

enum { LEAT_LANES = 16 };
/* Below this largest value a block of 16-bit activations counts as zeros: 2^-100. */
#define LEAT_X16_LEAST 0x1p-100f

/* lane[i % LEAT_LANES] += a[i] * b[i] */
static inline void leat_lanes_dot(float lane[LEAT_LANES], const float *a, const float *b, int n)
{
	int i = 0;
	for (; i + LEAT_LANES <= n; i += LEAT_LANES)
		for (int j = 0; j < LEAT_LANES; j++)
			lane[j] += a[i + j] * b[i + j];
	for (int j = 0; i + j < n; j++)
		lane[j] += a[i + j] * b[i + j];
}

static inline float leat_lanes_sum(float lane[LEAT_LANES])
{
	for (int step = LEAT_LANES / 2; step > 0; step /= 2)
		for (int j = 0; j < step; j++)
			lane[j] += lane[j + step];
	return lane[0];
}

static inline float leat_dot(const float *a, const float *b, int n)
{
	float lane[LEAT_LANES] = {0};
	leat_lanes_dot(lane, a, b, n);
	return leat_lanes_sum(lane);
}

void leat_kernels_scalar_rows(struct leat_kernels *k);

#endif
