/* block.h - formats of blocks: the list, and their words behind one name each.
 *
 * A format says two things of a super-block, which is 256 columns (the last one of a row may hold fewer of the blocks
 * of 32): NAME_scales gives scale d and minimum m of each group of columns, NAME_bytes the integers q of 32 columns as
 * signed bytes; a weight is d (q - zero) - m. Everything else (products with 16-bit activations, packing,
 * dequantising) is written once, in mv.h, gemm.h and row.h. */
#ifndef LEAT_CPU_OP_BLOCK_H
#define LEAT_CPU_OP_BLOCK_H

#include "cpu/kernels.h"
#include "cpu/op/block_scales.h"

#include "cpu/fmt/q2_k.h"
#include "cpu/fmt/q3_k.h"
#include "cpu/fmt/q4_0.h"
#include "cpu/fmt/q4_1.h"
#include "cpu/fmt/q4_k.h"
#include "cpu/fmt/q5_0.h"
#include "cpu/fmt/q5_1.h"
#include "cpu/fmt/q5_k.h"
#include "cpu/fmt/q6_k.h"
#include "cpu/fmt/q8_0.h"

/* Both lists together are all formats: X(name, columns of a block, columns of a group with one scale, has minimums,
 * what stands for zero among the integers). */
#define FLOAT_FORMATS(X) X(f32, 1, 1, 0, 0) X(f16, 1, 1, 0, 0) X(bf16, 1, 1, 0, 0)
#define BLOCK_FORMATS(X)                                                                                               \
	X(q2_k, 256, 16, 1, 0)                                                                                         \
	X(q3_k, 256, 16, 0, 4)                                                                                         \
	X(q4_0, 32, 32, 0, 8)                                                                                          \
	X(q4_1, 32, 32, 1, 0)                                                                                          \
	X(q4_k, 256, 32, 1, 0)                                                                                         \
	X(q5_0, 32, 32, 0, 16)                                                                                         \
	X(q5_1, 32, 32, 1, 0)                                                                                          \
	X(q5_k, 256, 32, 1, 0)                                                                                         \
	X(q6_k, 256, 16, 0, 32)                                                                                        \
	X(q8_0, 32, 32, 0, 0)

enum { SUPER = 256, SUBS = SUPER / 32 };

struct block_kind {
	int elems, bytes, group, mins, zero;
};

LEAT_INLINE struct block_kind block_kind(int format)
{
	switch (format) {
#define X(name, elems, group, mins, zero)                                                                              \
	case LEAT_QUANT_##name:                                                                                        \
		return (struct block_kind){elems, (int)sizeof(struct leat_##name), group, mins, zero};
		BLOCK_FORMATS(X)
#undef X
	default:
		return (struct block_kind){0, 0, 0, 0, 0};
	}
}

LEAT_INLINE int block_super_bytes(int format)
{
	return block_kind(format).bytes * (SUPER / block_kind(format).elems);
}

LEAT_INLINE void block_scales(int format, struct block_scales *s, const unsigned char *w, int n_sub)
{
	switch (format) {
#define X(name, elems, group, mins, zero)                                                                              \
	case LEAT_QUANT_##name:                                                                                        \
		name##_scales(s, w, n_sub);                                                                            \
		break;
		BLOCK_FORMATS(X)
#undef X
	default:
		break;
	}
}

LEAT_INLINE b32 block_bytes(int format, const unsigned char *w, int sub)
{
	switch (format) {
#define X(name, elems, group, mins, zero)                                                                              \
	case LEAT_QUANT_##name:                                                                                        \
		return name##_bytes(w, sub);
		BLOCK_FORMATS(X)
#undef X
	default:
		return b32_load(w);
	}
}

/* Scales and minimums of a super-block, as memory: group g of 16 or 32 columns at [g]. */
struct block_tables {
	float d[16], m[16];
};

LEAT_INLINE void block_tables(int format, struct block_tables *t, const unsigned char *w, int n_sub)
{
	struct block_scales s;

	block_scales(format, &s, w, n_sub);
	for (int i = 0; i < 32 / block_kind(format).group; i++) {
		_mm256_storeu_ps(t->d + 8 * i, s.d[i]);
		if (block_kind(format).mins)
			_mm256_storeu_ps(t->m + 8 * i, s.m[i]);
	}
}

/* Columns 32 sub + part VF_N ... of a super-block whose bytes q are at hand. One rounding: d q is exact. */
LEAT_INLINE vf block_values(int format, b32 q, const struct block_tables *t, int sub, int part)
{
	int group = block_kind(format).group, g = (32 * sub + part * VF_N) / group;
	int zero = block_kind(format).zero;
	vf d = vf_set1(t->d[g]), v = vf_from_b32(zero ? b32_minus(q, zero) : q, part);

	return block_kind(format).mins ? vf_sub(vf_mul(v, d), vf_set1(t->m[g])) : vf_mul(v, d);
}

#endif
