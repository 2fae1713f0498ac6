/* draw.h - the arithmetic of sampling, shared by C11 and CUDA C++: the same logits and seed give the same id
 * everywhere.
 *
 * NUMERICS.md section 4. A backend that draws on its device must reproduce exactly this:
 *   1. x = leat_draw_scale(logit, max, inv_temperature) <= 0, max being the largest logit among the candidates;
 *   2. w = leat_draw_weight(x): the unnormalised probability in units of 2^-32, the largest candidate's being 2^32 - 1;
 *   3. total = sum of w, a 64-bit integer, so the order of summing means nothing;
 *   4. t = leat_draw_point(u, total); the id drawn is the first, in ascending order of ids, with (sum of w up to and
 *      including it) > t.
 * Filters keep the smallest set "best first" whose weights reach an integer share (leat_draw_share) of the total; equal
 * candidates are taken lowest id first.
 *
 * Why the bits cannot differ. Integers are integers. The exponential has few float32 operations, and each product that
 * an addition follows is exact in float32 (the constants are short enough), so that fused and separate multiply-add,
 * and whatever a compiler contracts, round once, in the same place. No libm, no fast-math variants, no denormal
 * matters: flushing them changes no weight. Do not compile this with reassociation (-ffast-math). */
#ifndef LEAT_PLAN_DRAW_H
#define LEAT_PLAN_DRAW_H

#include <stdint.h>

#if defined(__CUDACC__)
#define LEAT_HD __host__ __device__
#else
#define LEAT_HD
#endif

/* Below this x a weight is 0: 2^-32 = exp(-22.18). */
#define LEAT_DRAW_REACH 22.5f
/* Candidates at most: 2^20 weights below 2^32 sum to less than 2^52. */
#define LEAT_DRAW_MAX_CANDIDATES (1 << 20)
#define LEAT_DRAW_FLT_MAX 3.402823466e+38f

/* ---- random numbers ------------------------------------------------------------------------------------------- */

struct leat_philox {
	uint32_t v[4];
};

/* Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
LEAT_HD static inline struct leat_philox leat_draw_philox(struct leat_philox ctr, uint32_t key0, uint32_t key1)
{
	for (int round = 0; round < 10; round++) {
		uint64_t a = (uint64_t)0xd2511f53u * ctr.v[0];
		uint64_t b = (uint64_t)0xcd9e8d57u * ctr.v[2];
		uint32_t v1 = ctr.v[1];
		uint32_t v3 = ctr.v[3];
		ctr.v[0] = (uint32_t)(b >> 32) ^ v1 ^ key0;
		ctr.v[1] = (uint32_t)b;
		ctr.v[2] = (uint32_t)(a >> 32) ^ v3 ^ key1;
		ctr.v[3] = (uint32_t)a;
		key0 += 0x9e3779b9u;
		key1 += 0xbb67ae85u;
	}
	return ctr;
}

/* The 64 random bits of one draw. Philox's key holds 64 bits: the seed fills it, and the choice index has a counter
 * word of its own beside the position, so no two of (seed, choice, position) share a block. */
LEAT_HD static inline uint64_t leat_draw_random(uint64_t seed, uint32_t choice, uint64_t position)
{
	struct leat_philox c = {{(uint32_t)position, (uint32_t)(position >> 32), choice, 0}};
	c = leat_draw_philox(c, (uint32_t)seed, (uint32_t)(seed >> 32));
	return c.v[0] | (uint64_t)c.v[1] << 32;
}

/* ---- integers ------------------------------------------------------------------------------------------------- */

/* The upper 64 bits of a * b. */
LEAT_HD static inline uint64_t leat_draw_mulhi(uint64_t a, uint64_t b)
{
#if defined(__CUDA_ARCH__)
	return __umul64hi(a, b);
#else
	uint64_t a0 = (uint32_t)a;
	uint64_t a1 = a >> 32;
	uint64_t b0 = (uint32_t)b;
	uint64_t b1 = b >> 32;
	uint64_t mid = a1 * b0 + (a0 * b0 >> 32);
	uint64_t low = a0 * b1 + (uint32_t)mid;
	return a1 * b1 + (mid >> 32) + (low >> 32);
#endif
}

/* floor(u * total / 2^64), in [0, total). */
LEAT_HD static inline uint64_t leat_draw_point(uint64_t u, uint64_t total)
{
	return leat_draw_mulhi(u, total);
}

/* A parameter p in [0, 1] as a fraction of 2^32. Rounded up, so that a p above 0 stays above 0; p <= 0 gives 0. */
LEAT_HD static inline uint64_t leat_draw_fraction(float p)
{
	float scaled = p * 4294967296.0f; /* a power of two: exact */
	if (!(scaled > 0.0f))
		return 0;
	if (scaled >= 4294967296.0f)
		return (uint64_t)1 << 32;
	uint64_t whole = (uint64_t)scaled;
	return whole + ((float)whole < scaled);
}

/* The share of `total` (below 2^52) that a fraction of 2^32 means, rounded up: ceil(total * fraction / 2^32). */
LEAT_HD static inline uint64_t leat_draw_share(uint64_t total, uint64_t fraction)
{
	uint64_t low = (uint32_t)total * fraction; /* fraction <= 2^32, so below 2^64 */
	uint64_t high = (total >> 32) * fraction;
	return high + (low >> 32) + ((uint32_t)low != 0);
}

/* ---- logits and weights --------------------------------------------------------------------------------------- */

LEAT_HD static inline uint32_t leat_draw_bits(float x)
{
	union {
		float f;
		uint32_t u;
	} pun;
	pun.f = x;
	return pun.u;
}

/* Integers in the opposite order of the logits (0 for the largest): descending logits are ascending keys, and equal
 * keys are equal logits, -0 and +0 included. No NaN. */
LEAT_HD static inline uint32_t leat_draw_key(float logit)
{
	uint32_t u = leat_draw_bits(logit);
	if (u == 0x80000000u)
		u = 0;
	return (u >> 31) ? u : ~(u | 0x80000000u);
}

/* 1 / temperature, bounded so that 0 * inv stays 0. temperature > 0. The host computes it, once per request. */
LEAT_HD static inline float leat_draw_inv_temperature(float temperature)
{
	return 1.0f / (temperature > 1e-30f ? temperature : 1e-30f);
}

LEAT_HD static inline float leat_draw_scale(float logit, float max, float inv_temperature)
{
	return (logit - max) * inv_temperature;
}

/* |x| in units of 2^-20, for x of (-LEAT_DRAW_REACH, 0]. */
LEAT_HD static inline uint32_t leat_draw_distance(float x)
{
	return (uint32_t)(x * -1048576.0f);
}

/* exp(x) in units of 2^-32 is computed as 2^-(k >> 7) * 2^-((k & 127) / 128) * (1 + r + r^2/2) with x = -k ln2/128 +
 * r; the middle factor comes from a table. ln2/128 is the sum of an 11-bit and a 9-bit constant and k has 13 bits:
 * both products are exact, and so is the first sum. */
#define LEAT_DRAW_STEPS (-184.66496f) /* -128 / ln2 */
#define LEAT_DRAW_STEP_HIGH 0x1.63p-8f
#define LEAT_DRAW_STEP_LOW (-0x1.bdp-20f)
#define LEAT_DRAW_ONE 2147483648.0f /* 2^31 */

/* The integer end of it: k of [0, 4155], m = (r + r^2/2) * 2^31 truncated. */
LEAT_HD static inline uint32_t leat_draw_power(int32_t k, int32_t m)
{
	/* round(2^(32 - j/128)), the first cut to 32 bits */
	static const uint32_t power[128] = {
		0xffffffffu, 0xfe9e115cu, 0xfd3e0c0du, 0xfbdfed6du, 0xfa83b2dbu, 0xf92959bbu, 0xf7d0df73u, 0xf67a416cu,
		0xf5257d15u, 0xf3d28fdeu, 0xf281773cu, 0xf13230a8u, 0xefe4b99cu, 0xee990f98u, 0xed4f301fu, 0xec0718b6u,
		0xeac0c6e8u, 0xe97c3840u, 0xe8396a50u, 0xe6f85aabu, 0xe5b906e7u, 0xe47b6ca0u, 0xe33f8973u, 0xe2055b00u,
		0xe0ccdeecu, 0xdf9612dfu, 0xde60f482u, 0xdd2d8185u, 0xdbfbb798u, 0xdacb946fu, 0xd99d15c2u, 0xd870394cu,
		0xd744fccbu, 0xd61b5dffu, 0xd4f35aacu, 0xd3ccf09au, 0xd2a81d92u, 0xd184df62u, 0xd06333dbu, 0xcf4318cfu,
		0xce248c15u, 0xcd078b86u, 0xcbec14ffu, 0xcad2265eu, 0xc9b9bd86u, 0xc8a2d85du, 0xc78d74c9u, 0xc67990b6u,
		0xc5672a11u, 0xc4563eccu, 0xc346ccdau, 0xc238d231u, 0xc12c4ccau, 0xc0213aa2u, 0xbf1799b6u, 0xbe0f680au,
		0xbd08a39fu, 0xbc034a7fu, 0xbaff5ab2u, 0xb9fcd245u, 0xb8fbaf47u, 0xb7fbefcbu, 0xb6fd91e3u, 0xb60093a8u,
		0xb504f334u, 0xb40aaea2u, 0xb311c413u, 0xb21a31a6u, 0xb123f582u, 0xb02f0dccu, 0xaf3b78adu, 0xae493453u,
		0xad583eeau, 0xac6896a5u, 0xab7a39b6u, 0xaa8d2653u, 0xa9a15ab5u, 0xa8b6d516u, 0xa7cd93b5u, 0xa6e594d0u,
		0xa5fed6aau, 0xa5195787u, 0xa43515aeu, 0xa3520f69u, 0xa2704303u, 0xa18faecbu, 0xa0b05110u, 0x9fd22825u,
		0x9ef53261u, 0x9e196e19u, 0x9d3ed9a7u, 0x9c657368u, 0x9b8d39bau, 0x9ab62afdu, 0x99e04593u, 0x990b87e2u,
		0x9837f052u, 0x97657d4au, 0x96942d37u, 0x95c3fe87u, 0x94f4efa9u, 0x9426ff10u, 0x935a2b2fu, 0x928e727eu,
		0x91c3d374u, 0x90fa4c8cu, 0x9031dc43u, 0x8f6a8118u, 0x8ea4398bu, 0x8ddf0420u, 0x8d1adf5bu, 0x8c57c9c4u,
		0x8b95c1e4u, 0x8ad4c645u, 0x8a14d575u, 0x8955ee03u, 0x88980e81u, 0x87db3580u, 0x871f6197u, 0x8664915cu,
		0x85aac368u, 0x84f1f656u, 0x843a28c4u, 0x8383594fu, 0x82cd8699u, 0x8218af43u, 0x8164d1f4u, 0x80b1ed50u,
	};
	return (uint32_t)((power[k & 127] * (uint64_t)(2147483648LL + m)) >> (31 + (k >> 7)));
}

/* The weight of x <= 0, not NaN: exp(x) in units of 2^-32; 2^32 - 1 at 0, and 0 from -LEAT_DRAW_REACH on. Error:
 * below 2^-24 relative plus one unit. It never rises while x falls. */
LEAT_HD static inline uint32_t leat_draw_weight(float x)
{
	if (!(x > -LEAT_DRAW_REACH))
		return 0;
	int32_t k = (int32_t)(x * LEAT_DRAW_STEPS);
	float r = x + (float)k * LEAT_DRAW_STEP_HIGH;
	r = r + (float)k * LEAT_DRAW_STEP_LOW;
	float p = r * (1.0f + r * 0.5f);
	return leat_draw_power(k, (int32_t)(p * LEAT_DRAW_ONE));
}

/* ---- typical sampling ------------------------------------------------------------------------------------------ */

/* One candidate's part of the expected distance, in units of 2^-40: below 2^39, so 2^20 of them fit. */
LEAT_HD static inline uint64_t leat_draw_moment(uint32_t weight, uint32_t distance)
{
	return (uint64_t)weight * distance >> 12;
}

/* The expected distance in units of 2^-20 from the sum of the moments; total is at least 2^32 - 1. */
LEAT_HD static inline uint32_t leat_draw_mean(uint64_t moments, uint64_t total)
{
	return (uint32_t)(moments / (total >> 12));
}

/* How far from typical, as a key: ascending, most typical first. A distance of UINT32_MAX stays last. */
LEAT_HD static inline uint32_t leat_draw_atypical(uint32_t distance, uint32_t mean)
{
	if (distance == UINT32_MAX)
		return distance;
	return (distance > mean ? distance - mean : mean - distance) << 7;
}

/* ---- what penalties and bias do to a logit -------------------------------------------------------------------- */

LEAT_HD static inline float leat_draw_clamp(float logit)
{
	return logit > LEAT_DRAW_FLT_MAX ? LEAT_DRAW_FLT_MAX : logit;
}

LEAT_HD static inline float leat_draw_biased(float logit, float bias)
{
	return leat_draw_clamp(logit + bias);
}

/* `repeat` divides positive logits and multiplies negative ones; then `cost` (presence + frequency * count, computed
 * once by the host) is subtracted. The quotient or product is rounded before the subtraction. */
LEAT_HD static inline float leat_draw_penalised(float logit, float repeat, float cost)
{
#if defined(__CUDA_ARCH__)
	float scaled = logit > 0.0f ? __fdiv_rn(logit, repeat) : __fmul_rn(logit, repeat);
#else
	/* volatile: a compiler set to contract must not fuse the product with the subtraction. */
	volatile float product = logit > 0.0f ? logit / repeat : logit * repeat;
	float scaled = product;
#endif
	return leat_draw_clamp(scaled - cost);
}

#endif
