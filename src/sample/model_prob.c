/* model_prob.c - the model's own log-probability of what was drawn. */
#include <math.h>

#include "sample/lanes.h"
#include "sample/stage.h"

enum { BLOCK = LEAT_SAMPLE_BLOCK };

/* Blocks whose largest logit lies this far below the row's add less than 2^20 * exp(-40) to a sum of at least 1. */
#define NEGLIGIBLE 40.0f

/* exp(d) for d <= 0, for reporting only (no id depends on it): 2^t = 2^n * 2^(h - 1/2), h in (-1/2, 1/2]; the
 * polynomial is the Taylor series of 2^(h - 1/2) about 0, 3e-7 off at its ends. Below -80 it gives 0. */
static inline leat_lanes_f32 exp_lanes(leat_lanes_f32 d)
{
	leat_lanes_i32 near = d > -80.0f;
	leat_lanes_f32 t = leat_lanes_and(d, near) * 1.44269504f;
	leat_lanes_i32 n = leat_lanes_truncate(t);
	leat_lanes_f32 h = t - leat_lanes_float(n) + 0.5f;
	leat_lanes_f32 p = leat_lanes_set(1.08919408e-4f);
	p = p * h + 9.42824938e-4f;
	p = p * h + 6.80104431e-3f;
	p = p * h + 0.0392473316f;
	p = p * h + 0.169865792f;
	p = p * h + 0.490129072f;
	p = p * h + 0.707106781f;
	return leat_lanes_and(p * (leat_lanes_f32)((n + 127) << 23), near);
}

static float sum_block(const float *x, float max)
{
	leat_lanes_f32 even = leat_lanes_set(0.0f);
	leat_lanes_f32 odd = even;
	for (int i = 0; i < BLOCK; i += 2 * LEAT_LANES) {
		even += exp_lanes(leat_lanes_load(x + i) - max);
		odd += exp_lanes(leat_lanes_load(x + i + LEAT_LANES) - max);
	}
	even += odd;
	return (even[0] + even[1]) + (even[2] + even[3]);
}

double leat_model_log_sum(const float *logits, int n, float max, const float *block_max)
{
	double sum = 0.0;
	for (int b = 0; b * BLOCK < n; b++) {
		if (block_max[b] < max - NEGLIGIBLE)
			continue;
		int left = n - b * BLOCK;
		const float *x = logits + (size_t)b * BLOCK;
		float padded[BLOCK];
		if (left < BLOCK) {
			for (int i = 0; i < BLOCK; i++)
				padded[i] = i < left ? x[i] : -INFINITY;
			x = padded;
		}
		sum += (double)sum_block(x, max);
	}
	return log(sum);
}
