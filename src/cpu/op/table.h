/* table.h - every body as slots of one instruction set. Included once by isa_avx2.c and once by isa_avx512.c. */
#ifndef LEAT_CPU_OP_TABLE_H
#define LEAT_CPU_OP_TABLE_H

#include <math.h>

#include "cpu/scalar.h"

LEAT_INLINE vf gemm_mul(vf c, vf panel, vf x)
{
	return vf_fma(panel, x, c);
}

#include "cpu/op/block.h"

enum { PACK_VECTORS = 32 / VF_N };
LEAT_INLINE vf pack_values(int format, b32 q, const struct block_tables *t, int sub, int part)
{
	return block_values(format, q, t, sub, part);
}

#include "cpu/op/attn_tile.h"
#include "cpu/op/each.h"
#include "cpu/op/gemm.h"
#include "cpu/op/mv.h"
#include "cpu/op/norm.h"
#include "cpu/op/wkv7.h"

#define MV(name)                                                                                                       \
	LEAT_SLOT void mv_##name(const struct leat_mm *a, int r0, int r1)                                              \
	{                                                                                                              \
		mv_any(a, LEAT_QUANT_##name, r0, r1);                                                                  \
	}
#define PACK(name, body)                                                                                               \
	LEAT_SLOT void pack_f32_##name(void *panel, const void *w, size_t row_bytes, int n_rows, int k0, int n_k,      \
				       size_t ahead)                                                                   \
	{                                                                                                              \
		body(panel, w, row_bytes, LEAT_QUANT_##name, n_rows, k0, n_k, ahead);                                  \
	}
#define DEQUANT(name, body)                                                                                            \
	LEAT_SLOT void dequant_##name(float *y, const void *blocks, size_t n)                                          \
	{                                                                                                              \
		body(LEAT_QUANT_##name, y, blocks, n);                                                                 \
	}
#define X(name, elems, group, mins, zero) MV(name) PACK(name, pack_floats)
FLOAT_FORMATS(X)
#undef X
#define X(name, elems, group, mins, zero) MV(name) PACK(name, pack_blocks) DEQUANT(name, block_dequant)
BLOCK_FORMATS(X)
#undef X
DEQUANT(f16, float_dequant)
DEQUANT(bf16, float_dequant)

static void gemm_f32(float *y, size_t y_stride, const void *panel, const void *x, size_t x_stride, int n_tokens,
		     int n_rows, int n_k, int accumulate)
{
	gemm_any(y, y_stride, panel, x, x_stride * 4, n_tokens, n_rows, n_k, accumulate);
}

static void attn_f16(float *y, const float *q, const struct leat_attn *a, float *scratch)
{
	attn_any(y, q, a, scratch, LEAT_KV_F16);
}

static void attn_f32(float *y, const float *q, const struct leat_attn *a, float *scratch)
{
	attn_any(y, q, a, scratch, LEAT_KV_F32);
}

static void attn_q8_0(float *y, const float *q, const struct leat_attn *a, float *scratch)
{
	attn_any(y, q, a, scratch, LEAT_KV_Q8_0);
}

static void attn_tile_f16(const struct leat_attn_tile *t, float *scratch)
{
	attn_tile_any(t, scratch, LEAT_KV_F16);
}

static void attn_tile_f32(const struct leat_attn_tile *t, float *scratch)
{
	attn_tile_any(t, scratch, LEAT_KV_F32);
}

static void attn_tile_q8_0(const struct leat_attn_tile *t, float *scratch)
{
	attn_tile_any(t, scratch, LEAT_KV_Q8_0);
}

static void fill_products(struct leat_kernels *k)
{
#define X(name, elems, group, mins, zero)                                                                              \
	k->mv[LEAT_QUANT_##name] = mv_##name;                                                                          \
	k->pack_f32[LEAT_QUANT_##name] = pack_f32_##name;
	FLOAT_FORMATS(X)
	BLOCK_FORMATS(X)
#undef X
#define X(name, elems, group, mins, zero) k->dequant[LEAT_QUANT_##name] = dequant_##name;
	BLOCK_FORMATS(X)
#undef X
	k->dequant[LEAT_QUANT_f16] = dequant_f16;
	k->dequant[LEAT_QUANT_bf16] = dequant_bf16;
	k->gemm_f32 = gemm_f32;
	k->to_x16 = to_x16;
	k->to_bf16 = to_bf16;
	k->to_f16 = to_f16;
}

static void fill(struct leat_kernels *k)
{
	fill_products(k);
	k->rmsnorm = rmsnorm;
	k->layernorm = layernorm;
	k->l2norm = l2norm;
	k->act[LEAT_ACT_NONE] = act_none;
	k->act[LEAT_ACT_TANH] = act_tanh;
	k->act[LEAT_ACT_SIGMOID] = act_sigmoid;
	k->act[LEAT_ACT_SILU] = act_silu;
	k->act[LEAT_ACT_RELU2] = act_relu2;
	k->act[LEAT_ACT_RWKV_DECAY] = act_rwkv_decay;
	k->add = add;
	k->mul = mul;
	k->sub = sub;
	k->swiglu = swiglu;
	k->lerp = lerp;
	k->mix = mix;
	k->key_scale = key_scale;
	k->rope[LEAT_ROPE_HALVES] = rope_halves;
	k->rope[LEAT_ROPE_NEIGHBOURS] = rope_neighbours;
	k->attn[LEAT_KV_F16] = attn_f16;
	k->attn[LEAT_KV_F32] = attn_f32;
	k->attn[LEAT_KV_Q8_0] = attn_q8_0;
	k->attn_tile[LEAT_KV_F16] = attn_tile_f16;
	k->attn_tile[LEAT_KV_F32] = attn_tile_f32;
	k->attn_tile[LEAT_KV_Q8_0] = attn_tile_q8_0;
	k->to_q8_0 = to_q8_0;
	k->wkv7 = wkv7;
	k->wkv7_far = wkv7_far;
	k->bonus = bonus;
}

#endif
