/* model_prob.c - the model's own log-probability of what was drawn. */
#include <math.h>
#include <string.h>

#include "sample/stage.h"

enum { BLOCK = LEAT_SAMPLE_BLOCK };

/* Blocks whose largest logit lies this far below the row's add less than 2^20 * exp(-40) to a sum of at least 1. */
#define NEGLIGIBLE 40.0f

/* Sum of exp(x - max) over a block, for reporting only (no id depends on it): plain float32 that a compiler turns into
 * vectors of any width. 2^t = 2^n * 2^f, f in [-1, 0]; the polynomial is the Taylor series of 2^f about -1/2, 1e-7 off. */
static float sum_block(const float *x, float max)
{
	float part[BLOCK];
	int32_t power[BLOCK];
	float scale[BLOCK];
	for (int i = 0; i < BLOCK; i++) {
		float d = x[i] - max;
		d = d > -80.0f ? d : -80.0f;
		float t = d * 1.44269504f;
		int32_t n = (int32_t)t;
		float h = t - (float)n + 0.5f;
		float p = 1.0893e-4f;
		p = p * h + 9.42811e-4f;
		p = p * h + 6.80096e-3f;
		p = p * h + 0.0392471f;
		p = p * h + 0.169864949f;
		p = p * h + 0.490129072f;
		part[i] = p * h + 0.707106781f;
		power[i] = (n + 127) * (1 << 23);
	}
	memcpy(scale, power, sizeof scale);
	float sum[8] = {0};
	for (int i = 0; i < BLOCK; i += 8)
		for (int j = 0; j < 8; j++)
			sum[j] += part[i + j] * scale[i + j];
	return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
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
