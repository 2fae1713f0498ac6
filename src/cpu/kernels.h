/* kernels.h - the CPU kernel table: every inner loop of the CPU backend.
 *
 * isa_scalar.c fills every slot with portable C, which is the specification; each stronger instruction set overlays the
 * slots that it improves (isa_avx2.c, isa_avx512.c, ...). Hot code reads slots and never tests CPU flags. Pointers need
 * no alignment unless a line says so; outputs alias inputs only where a line says so. All arithmetic is f32 with f32
 * accumulation unless said otherwise. NUMERICS.md section 6: "det" marks kernels whose result for one (row, token) does
 * not depend on T, on the row range or on the other tokens, which --deterministic may use. */
#ifndef LEAT_CPU_KERNELS_H
#define LEAT_CPU_KERNELS_H

#include "plan/act.h"
#include "plan/rope.h"
#include "plan/step.h"
#include "quant/quant.h"

/* ---- activations as 16-bit integers -------------------------------------------------------------------------
 * A product with a quantised weight reads activations as int16 with one f32 scale per block of LEAT_X16_BLOCK columns:
 * x[k] ~ q[k] * d[k / 32], |q| <= 32767, so that weight (<= 8 bit) times activation is exact in int32 and the only
 * error is the rounding of q, 2^-16 of the block's largest value. (NUMERICS.md section 2 asks for int8 pairs or better;
 * one 16-bit value is the same information and one instruction less.) n_cols is a multiple of 32; the last block may
 * be short. For formats with minimums (w = d q - m) the sum of each 16 columns' q d is at hand as well. */
enum { LEAT_X16_BLOCK = 32 };
static inline int leat_x16_blocks(int n_cols)
{
	return (n_cols + LEAT_X16_BLOCK - 1) / LEAT_X16_BLOCK;
}

/* Which form of the activations mv[f] reads. */
enum leat_x_form { LEAT_X_F32, LEAT_X_I16 };

/* One product: y[t, r] = sum_k w[r, k] * x[t, k]. */
struct leat_mm {
	const void *w;      /* row r starts at w + r * row_bytes; the blocks of a file: no alignment */
	size_t row_bytes;
	int n_cols;         /* multiple of the format's block */
	int n_tokens;       /* T >= 1 */
	const float *x;     /* LEAT_X_F32: [T][x_stride] */
	size_t x_stride;
	const int16_t *xq;  /* LEAT_X_I16: [T][xq_stride], 64-byte aligned rows */
	const float *xd;    /*             [T][leat_x16_blocks(n_cols)] */
	const float *xs;    /*             [T][2 leat_x16_blocks(n_cols)], sums of 16 columns */
	size_t xq_stride;
	float *y;           /* [T][y_stride], element (t, r) at t * y_stride + r */
	size_t y_stride;
};

/* Rows r0 <= r < r1, all tokens. det. Error <= 2e-6 * sum |w x| relative to float64 on the same inputs (same xq); for
 * formats with minimums, or integers that are not symmetric, of sum (|d q| + |m|) |x|: those are the terms. Meant
 * for T up to about 8 (memory-bound); correct for every T. A call reads its rows as four sequential streams, one per
 * quarter of the range: ranges of 64 rows and more stream best. */
typedef void leat_mv_fn(const struct leat_mm *a, int r0, int r1);

/* ---- many tokens: pack(format) x micro-kernel(instruction set) ----------------------------------------------
 * A panel is LEAT_PANEL_ROWS rows of the weight over n_k columns, dequantised. f32 panels are [n_k][32]; bf16 panels
 * are [n_k / 2][32][2] (pairs of columns side by side, as VDPBF16PS and AMX tiles want them), columns padded with zeros
 * to a multiple of 32. Rows beyond n_rows are zero. Panels and x rows of bf16 are 64-byte aligned. */
enum { LEAT_PANEL_ROWS = 32, LEAT_PANEL_COLS = 512, LEAT_GEMM_FROM = 16 };
/* cols [k0, k0 + n_k) of rows w + i * row_bytes, i < n_rows <= 32; k0 and n_k multiples of the block (n_k <= 512).
 * ahead: how many bytes behind these weights those lie that will be packed next, 0: not known. A hint: they are asked
 * for from memory, and need not exist. */
typedef void leat_pack_fn(void *panel, const void *w, size_t row_bytes, int n_rows, int k0, int n_k, size_t ahead);

/* y[t, i] (+)= sum_k panel[k][i] * x[t, k], i < n_rows, t < n_tokens; accumulate 0 overwrites. x is f32 [T][x_stride]
 * for gemm_f32, bf16 (uint16_t) for gemm_bf16 with rows zero-padded to a multiple of 32 columns. Not det. */
typedef void leat_gemm_fn(float *y, size_t y_stride, const void *panel, const void *x, size_t x_stride, int n_tokens,
			  int n_rows, int n_k, int accumulate);

/* ---- attention ----------------------------------------------------------------------------------------------
 * One token's queries of the heads that share one key/value head, over a paged cache. Keys first <= p < end. Key p is
 * row p % page_tokens of page page[p / page_tokens]; the rows of one page and head are contiguous. Softmax is computed
 * online over blocks that start at absolute multiples of 64 and of page_tokens, so chunking never changes a result:
 * det. y[g][head_size] = softmax(scale * q K^T) V. Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022,
 * arXiv:2205.14135. */
enum { LEAT_ATTN_KEYS = 64, LEAT_MAX_GROUP = 64, LEAT_MAX_HEAD_SIZE = 256 };
struct leat_attn {
	const unsigned char *k, *v; /* page 0 of this head */
	size_t page_bytes;          /* from one page of this head to the next */
	const int32_t *page;        /* page numbers */
	int head_size;              /* multiple of 8 (Q8_0: of 32), <= LEAT_MAX_HEAD_SIZE */
	int n_group;                /* query heads, <= LEAT_MAX_GROUP */
	int first, end;             /* 0 <= first < end */
	float scale;
	int page_tokens;            /* >= 1 */
};
/* Where the block of keys that begins at p ends. */
static inline int leat_attn_block_end(const struct leat_attn *a, int p)
{
	int block = (p / LEAT_ATTN_KEYS + 1) * LEAT_ATTN_KEYS, page = (p / a->page_tokens + 1) * a->page_tokens;
	int end = block < page ? block : page;
	return end < a->end ? end : a->end;
}
/* The most queries of a tile, and what they need: a block of keys and of values, queries and outputs, and the rest. */
enum { LEAT_ATTN_QUERIES = 128 };
enum {
	LEAT_ATTN_SCRATCH = 2 * (LEAT_ATTN_KEYS + LEAT_ATTN_QUERIES + 8) * LEAT_MAX_HEAD_SIZE +
			    16 * (LEAT_ATTN_KEYS + 32) + 4 * (LEAT_ATTN_QUERIES + 8)
};
/* scratch: LEAT_ATTN_SCRATCH floats, 64-byte aligned, contents ignored */
typedef void leat_attn_fn(float *y, const float *q, const struct leat_attn *a, float *scratch);

/* Tokens of one sequence at positions that follow one another: token i sees keys before a.end + i, and of these the
 * last `window` if that is not 0. Their bits are those of leat_attn_fn for each token by itself. */
struct leat_attn_tile {
	struct leat_attn a; /* of token 0 */
	int window;
	int n_tokens;       /* >= 1; n_tokens * n_group <= LEAT_ATTN_QUERIES */
	const float *q;     /* [n_tokens][q_stride], of which n_group * head_size */
	float *y;           /* [n_tokens][y_stride], the same */
	size_t q_stride, y_stride;
};
static inline struct leat_attn leat_attn_token(const struct leat_attn_tile *t, int i)
{
	struct leat_attn a = t->a;
	a.end += i;
	a.first = t->window && a.end > t->window ? a.end - t->window : 0;
	return a;
}
typedef void leat_attn_tile_fn(const struct leat_attn_tile *t, float *scratch);

struct leat_kernels {
	/* products */
	leat_mv_fn *mv[LEAT_QUANT_COUNT];
	int mv_form[LEAT_QUANT_COUNT];                 /* enum leat_x_form that mv[f] reads */
	leat_pack_fn *pack_f32[LEAT_QUANT_COUNT];
	leat_gemm_fn *gemm_f32;
	leat_pack_fn *pack_bf16[LEAT_QUANT_COUNT];     /* round to nearest even, F16 and quantised too */
	leat_pack_fn *pack_q8_0_floats;                /* pack_bf16 of Q8_0 in its older form: --opt pack_bytes=off */
	leat_gemm_fn *gemm_bf16;
	int gemm_bf16_fast;                            /* 1 if gemm_bf16 beats gemm_f32 on this machine (BF16 or AMX) */
	/* The fewest tokens for which packing a panel pays, against mv[f]: measured. */
	int gemm_from[LEAT_QUANT_COUNT];
	/* y[n] = exact value of n elements starting at a block border */
	void (*dequant[LEAT_QUANT_COUNT])(float *y, const void *blocks, size_t n);
	/* x[n] -> q, d, s as above; n a multiple of 32. A block of zeros gets d = 0, and so does one whose largest
	 * value is below 2^-100; a block with an infinity or NaN gets d = NaN and q = 0: it shows in every product. */
	void (*to_x16)(int16_t *q, float *d, float *s, const float *x, int n);
	void (*to_bf16)(uint16_t *y, const float *x, int n); /* round to nearest even */
	void (*to_f16)(uint16_t *y, const float *x, int n);  /* round to nearest even, overflow to infinity */
	/* Rows of the cache: x[n] in blocks of 32, d = f16(largest / 127), q = x / d to the nearest, at most 127. A
	 * block with an infinity or NaN, or too large for an f16 scale, gets d = NaN: it shows in every product. All
	 * kernels give the same bytes. */
	void (*to_q8_0)(unsigned char *y, const float *x, int n);

	/* norms; y may be x.  mean and variance in f32, error <= 4e-6 of the largest |y|, times
	 * |mean| / deviation in layernorm where that is above 1 */
	/* x g / sqrt(mean(x^2) + eps) */
	void (*rmsnorm)(float *y, const float *x, const float *gain, int n, float eps);
	void (*layernorm)(float *y, const float *x, const float *gain, const float *bias, int n, float eps);
	void (*l2norm)(float *y, const float *x, int n); /* x / max(|x|_2, 1e-12), as torch.nn.functional.normalize */

	/* n elements each; y may be any input */
	void (*act[LEAT_ACT_COUNT])(float *y, const float *x, int n);
	void (*add)(float *y, const float *a, const float *b, int n);
	void (*mul)(float *y, const float *a, const float *b, int n);
	void (*sub)(float *y, const float *a, const float *b, int n);
	void (*swiglu)(float *y, const float *gate, const float *up, int n);                /* silu(gate) * up */
	void (*lerp)(float *y, const float *x, const float *d, const float *mu, int n);     /* x + d * mu */
	void (*mix)(float *y, const float *a, const float *b, const float *s, int n);       /* a + (b - a) * s */
	void (*key_scale)(float *y, const float *k, const float *a, const float *ka, int n); /* k (1 + (a - 1) ka) */

	/* Rotates the pairs that the index names of each of n_heads heads of head_size elements; cs holds cos[n_rot/2]
	 * then sin[n_rot/2] of this token, pair i turns by cs[i]. The rest of each head is copied. y may be x. A pair
	 * comes out the same, bit for bit, wherever its two elements lie. (Su et al. 2021, arXiv:2104.09864.) */
	void (*rope[LEAT_ROPE_PAIRS])(float *y, const float *x, const float *cs, int n_heads, int head_size, int n_rot);
	leat_attn_fn *attn[LEAT_KV_TYPES];
	leat_attn_tile_fn *attn_tile[LEAT_KV_TYPES];

	/* RWKV-7 time mix of one head and one token (arXiv:2503.14456, section 3), K = head size, a multiple of 8:
	 *   sa[i] = sum_j s[i][j] * -kk[j]
	 *   s'[i][j] = s[i][j] * w[j] + sa[i] * (kk[j] * a[j]) + v[i] * k[j]
	 *   y[i] = sum_j s'[i][j] * r[j]
	 * s and s' are [K][K], rows are value channels; s_out may be s_in. det. */
	void (*wkv7)(float *y, float *s_out, const float *s_in, const float *r, const float *w, const float *k,
		     const float *v, const float *kk, const float *a, int n_head_size);
	/* The same, bit for bit, of heads that lie one behind the other in every operand, for a state in memory that
	 * nobody reads again soon: it is written past the caches where s_out is 64-byte aligned, and what lies behind
	 * s_in is asked for early. s_out is not s_in. det. */
	void (*wkv7_far)(float *y, float *s_out, const float *s_in, const float *r, const float *w, const float *k,
			 const float *v, const float *kk, const float *a, int n_head_size, int n_heads);
	/* y[i] += (sum_j r[j] k[j] rk[j]) * v[i] over one head */
	void (*bonus)(float *y, const float *r, const float *k, const float *v, const float *rk, int n);
};

/* Fills *k for the given flags (enum leat_cpu_flag). Total: every slot is non-NULL on return. */
void leat_kernels_init(struct leat_kernels *k, unsigned cpu_flags);

/* One per translation unit; each overlays what it improves. */
void leat_kernels_scalar(struct leat_kernels *k);
void leat_kernels_avx2(struct leat_kernels *k);
void leat_kernels_avx512(struct leat_kernels *k);
void leat_kernels_avx512vnni(struct leat_kernels *k);
void leat_kernels_avx512bf16(struct leat_kernels *k);
void leat_kernels_amx(struct leat_kernels *k);

#endif
