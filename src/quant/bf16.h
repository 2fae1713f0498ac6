/* bf16.h - format BF16: the upper half of IEEE binary32, little-endian. GGUF type 30. */
#ifndef LEAT_QUANT_BF16_H
#define LEAT_QUANT_BF16_H

#include "base/f16.h"
#include "quant/quant.h"

static inline void leat_bf16_dequant(float *y, const void *blocks, size_t n)
{
	const unsigned char *p = blocks;
	for (size_t i = 0; i < n; i++)
		y[i] = leat_bf16_to_f32((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
}

static inline void leat_bf16_quant(void *blocks, const float *x, size_t n)
{
	unsigned char *p = blocks;
	for (size_t i = 0; i < n; i++) {
		uint16_t h = leat_f32_to_bf16(x[i]);
		memcpy(p + 2 * i, &h, 2);
	}
}

#define LEAT_QUANT_DESC_bf16 { "BF16", 30, 1, 2, leat_bf16_dequant, leat_bf16_quant }

#endif
