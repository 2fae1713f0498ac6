/* quant.h - what a block format is: one header per format, one const descriptor each, collected by the build.
 *
 * A row of a matrix is n / block_elems blocks one after the other. Dequantisation here is the definition of the format;
 * every kernel is compared with it. Sources: the GGUF specification for type numbers and block layouts. */
#ifndef LEAT_QUANT_QUANT_H
#define LEAT_QUANT_QUANT_H

#include <stddef.h>
#include <stdint.h>

struct leat_quant {
	const char *name;     /* "Q8_0" */
	int type;             /* GGUF tensor type number */
	int block_elems;      /* elements per block */
	int block_bytes;
	/* y[n] = exact value of n elements (n a multiple of block_elems) */
	void (*dequant)(float *y, const void *blocks, size_t n);
	/* blocks = nearest representation of x[n]; used by tests, synth and the quantiser */
	void (*quant)(void *blocks, const float *x, size_t n);
};

/* Index of a format inside leat: LEAT_QUANT_q8_0 ... in the order of the generated list; not stored anywhere. */
enum leat_quant_index {
#define X(name) LEAT_QUANT_##name,
#include "gen/quant_formats.def"
#undef X
	LEAT_QUANT_COUNT
};

/* By index; total. */
const struct leat_quant *leat_quant_at(int index);

/* Index of a GGUF tensor type, -1 if leat has no such format. */
int leat_quant_of_type(int64_t type);

/* Numbers of leat's own for element types that only safetensors has: they can be named and measured, not computed with.
 */
enum {
	LEAT_TYPE_U8 = 1 << 16, LEAT_TYPE_U16, LEAT_TYPE_U32, LEAT_TYPE_U64, LEAT_TYPE_BOOL, LEAT_TYPE_F8_E4M3,
	LEAT_TYPE_F8_E5M2, LEAT_TYPE_END,
};

/* Layout of any type that is known by name, also where leat cannot compute with it: 1, or 0 for what is no type. */
int leat_quant_layout(int64_t type, int *ret_block_elems, int *ret_block_bytes);

/* Name of any GGUF tensor type for messages ("Q4_K", "IQ2_XXS", "type 99"); buf at least 24 bytes, returned. */
const char *leat_quant_type_name(int64_t type, char buf[24]);

/* Bytes of n elements; n is a multiple of block_elems. */
static inline size_t leat_quant_bytes(const struct leat_quant *q, size_t n)
{
	return n / (size_t)q->block_elems * (size_t)q->block_bytes;
}

#endif
