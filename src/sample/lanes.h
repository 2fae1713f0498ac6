/* lanes.h - four floats at a time, for the loop over every logit. Compilers at -O2 differ in what they vectorise;
 * this is the same for both and, being vectors of 16 bytes, plain SSE2 on x86-64. */
#ifndef LEAT_SAMPLE_LANES_H
#define LEAT_SAMPLE_LANES_H

#include <stdint.h>
#include <string.h>

enum { LEAT_LANES = 4 };

typedef float leat_lanes_f32 __attribute__((vector_size(16)));
typedef int32_t leat_lanes_i32 __attribute__((vector_size(16)));

static inline leat_lanes_f32 leat_lanes_load(const float *x)
{
	leat_lanes_f32 v;
	memcpy(&v, x, sizeof v);
	return v;
}

static inline leat_lanes_f32 leat_lanes_set(float x)
{
	return (leat_lanes_f32){x, x, x, x};
}

/* x where a comparison of lanes held, else 0. */
static inline leat_lanes_f32 leat_lanes_and(leat_lanes_f32 x, leat_lanes_i32 mask)
{
	return (leat_lanes_f32)((leat_lanes_i32)x & mask);
}

static inline leat_lanes_i32 leat_lanes_truncate(leat_lanes_f32 x)
{
	return __builtin_convertvector(x, leat_lanes_i32);
}

static inline leat_lanes_f32 leat_lanes_float(leat_lanes_i32 x)
{
	return __builtin_convertvector(x, leat_lanes_f32);
}

#endif
