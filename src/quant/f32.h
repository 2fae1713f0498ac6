/* f32.h - format F32: IEEE binary32, little-endian. GGUF type 0. */
#ifndef LEAT_QUANT_F32_H
#define LEAT_QUANT_F32_H

#include <string.h>

#include "quant/quant.h"

static inline void leat_f32_dequant(float *y, const void *blocks, size_t n)
{
	memcpy(y, blocks, n * sizeof *y);
}

static inline void leat_f32_quant(void *blocks, const float *x, size_t n)
{
	memcpy(blocks, x, n * sizeof *x);
}

#define LEAT_QUANT_DESC_f32 { "F32", 0, 1, 4, leat_f32_dequant, leat_f32_quant }

#endif
