/* f16.h - format F16: IEEE binary16, little-endian. GGUF type 1. */
#ifndef LEAT_QUANT_F16_H
#define LEAT_QUANT_F16_H

#include "base/f16.h"
#include "quant/quant.h"

static inline void leat_f16_dequant(float *y, const void *blocks, size_t n)
{
	const unsigned char *p = blocks;
	for (size_t i = 0; i < n; i++)
		y[i] = leat_f16_to_f32((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
}

static inline void leat_f16_quant(void *blocks, const float *x, size_t n)
{
	unsigned char *p = blocks;
	for (size_t i = 0; i < n; i++) {
		uint16_t h = leat_f32_to_f16(x[i]);
		memcpy(p + 2 * i, &h, 2);
	}
}

#define LEAT_QUANT_DESC_f16 { "F16", 1, 1, 2, leat_f16_dequant, leat_f16_quant }

#endif
