/* block_scales.h - what the words of every format have in common. */
#ifndef LEAT_CPU_OP_BLOCK_SCALES_H
#define LEAT_CPU_OP_BLOCK_SCALES_H

#include "cpu/isa/block.h"

/* Of a super-block: groups of 32 columns fill d[0] and m[0]; groups of 16 all four. */
struct block_scales {
	f8 d[2], m[2];
};

/* 16 bytes as integers times d, for groups of 16. */
LEAT_INLINE void scales_of_u8(f8 out[2], __m128i bytes, f8 d)
{
	out[0] = f8_mul(d, f8_from_u8(bytes));
	out[1] = f8_mul(d, f8_from_u8(upper_half(bytes)));
}
LEAT_INLINE void scales_of_i8(f8 out[2], __m128i bytes, f8 d)
{
	out[0] = f8_mul(d, f8_from_i8(bytes));
	out[1] = f8_mul(d, f8_from_i8(upper_half(bytes)));
}

#endif
