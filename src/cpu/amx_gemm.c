/* amx_gemm.c - products of bf16 pairs on AMX tiles.
 *
 * A step multiplies 16 tokens x 32 columns of x by 32 columns x 16 rows of the panel; 2 x 2 such tiles share their
 * loads. Both operands lie in memory as TDPBF16PS wants them: x by rows, the panel as pairs of columns side by side.
 * Intel 64 SDM vol. 1 chapter 18, vol. 2 "TDPBF16PS"; it treats subnormal numbers as zero. */
#include "cpu/isa/avx512.h"

#include "cpu/kernels.h"

enum { TILE = 16, TILE_COLS = 32, PAIR_TOKENS = 2 * TILE };
/* Sums: token half x row half. Macros, because the number becomes part of an instruction. */
#define SUM00 0
#define SUM01 1
#define SUM10 2
#define SUM11 3
#define X0    4
#define X1    5
#define W0    6
#define W1    7

struct tile_config {
	uint8_t palette, start_row, zero[14];
	uint16_t row_bytes[16];
	uint8_t rows[16];
};

/* Tiles of n0 and n1 tokens. Written as assembly: GCC 12's _tile_loadconfig names 8 of the 64 bytes as its input and
 * lets the compiler drop the stores to the others. Sets all tiles to zero. */
static void configure(int n0, int n1)
{
	const uint8_t rows[8] = {(uint8_t)n0, (uint8_t)n0, (uint8_t)n1, (uint8_t)n1,
				 (uint8_t)n0, (uint8_t)n1, TILE,        TILE};
	struct tile_config c = {.palette = 1};

	for (int i = 0; i < 8; i++) {
		c.rows[i] = rows[i];
		c.row_bytes[i] = rows[i] ? 64 : 0; /* a tile without rows must have no width either */
	}
	__asm__ volatile("ldtilecfg %0" : : "m"(c));
}

/* The loads of tiles name no memory to the compiler: what was written before must be in memory when they come. */
static inline void writes_are_done(void)
{
	__asm__ volatile("" : : : "memory");
}

/* Up to 32 tokens of which the second tile holds some. c: sums of row length c_bytes, added to if load is set. */
static void two_tiles(float *c, size_t c_bytes, int load, const uint16_t *x, size_t x_bytes, const uint16_t *panel,
		      int n_k)
{
	char *c10 = (char *)c + TILE * c_bytes;
	const char *x0 = (const char *)x, *x1 = x0 + TILE * x_bytes, *w = (const char *)panel;
	const size_t w_bytes = LEAT_PANEL_ROWS * 4;

	_tile_zero(SUM00);
	_tile_zero(SUM01);
	_tile_zero(SUM10);
	_tile_zero(SUM11);
	if (load) {
		_tile_loadd(SUM00, c, c_bytes);
		_tile_loadd(SUM01, c + TILE, c_bytes);
		_tile_loadd(SUM10, c10, c_bytes);
		_tile_loadd(SUM11, c10 + 4 * TILE, c_bytes);
	}
	for (int k = 0; k < n_k; k += TILE_COLS, x0 += 64, x1 += 64, w += TILE * w_bytes) {
		_tile_loadd(X0, x0, x_bytes);
		_tile_loadd(W0, w, w_bytes);
		_tile_loadd(W1, w + 64, w_bytes);
		_tile_dpbf16ps(SUM00, X0, W0);
		_tile_dpbf16ps(SUM01, X0, W1);
		_tile_loadd(X1, x1, x_bytes);
		_tile_dpbf16ps(SUM10, X1, W0);
		_tile_dpbf16ps(SUM11, X1, W1);
	}
	_tile_stored(SUM00, c, c_bytes);
	_tile_stored(SUM01, c + TILE, c_bytes);
	_tile_stored(SUM10, c10, c_bytes);
	_tile_stored(SUM11, c10 + 4 * TILE, c_bytes);
}

/* Up to 16 tokens. */
static void one_tile(float *c, size_t c_bytes, int load, const uint16_t *x, size_t x_bytes, const uint16_t *panel,
		     int n_k)
{
	const char *x0 = (const char *)x, *w = (const char *)panel;
	const size_t w_bytes = LEAT_PANEL_ROWS * 4;

	_tile_zero(SUM00);
	_tile_zero(SUM01);
	if (load) {
		_tile_loadd(SUM00, c, c_bytes);
		_tile_loadd(SUM01, c + TILE, c_bytes);
	}
	for (int k = 0; k < n_k; k += TILE_COLS, x0 += 64, w += TILE * w_bytes) {
		_tile_loadd(X0, x0, x_bytes);
		_tile_loadd(W0, w, w_bytes);
		_tile_loadd(W1, w + 64, w_bytes);
		_tile_dpbf16ps(SUM00, X0, W0);
		_tile_dpbf16ps(SUM01, X0, W1);
	}
	_tile_stored(SUM00, c, c_bytes);
	_tile_stored(SUM01, c + TILE, c_bytes);
}

/* The first n_rows columns of the sums into y. */
static void put_part(float *y, size_t y_stride, const float *c, int n_tokens, int n_rows, int accumulate)
{
	for (int t = 0; t < n_tokens; t++, y += y_stride, c += LEAT_PANEL_ROWS)
		for (int i = 0; i < n_rows; i += VF_N) {
			int n = n_rows - i < VF_N ? n_rows - i : VF_N;
			vf v = vf_load(c + i);
			vf_store_n(y + i, accumulate ? vf_add(vf_load_n(y + i, n), v) : v, n);
		}
}

/* n_tokens <= 32, for which the tiles are configured. A full panel's sums go straight to y. */
static void gemm_block(float *y, size_t y_stride, const uint16_t *panel, const uint16_t *x, size_t x_stride,
		       int n_tokens, int n_rows, int n_k, int accumulate)
{
	_Alignas(64) float part[PAIR_TOKENS * LEAT_PANEL_ROWS];
	int whole = n_rows == LEAT_PANEL_ROWS;
	float *c = whole ? y : part;
	size_t c_bytes = (whole ? y_stride : LEAT_PANEL_ROWS) * sizeof *c;

	if (n_tokens > TILE)
		two_tiles(c, c_bytes, whole && accumulate, x, x_stride * 2, panel, n_k);
	else
		one_tile(c, c_bytes, whole && accumulate, x, x_stride * 2, panel, n_k);
	writes_are_done();
	if (!whole)
		put_part(y, y_stride, part, n_tokens, n_rows, accumulate);
}

static void gemm_bf16(float *y, size_t y_stride, const void *panel, const void *x, size_t x_stride, int n_tokens,
		      int n_rows, int n_k, int accumulate)
{
	const uint16_t *xt = x;

	writes_are_done();
	if (n_tokens >= PAIR_TOKENS)
		configure(TILE, TILE);
	for (; n_tokens >= PAIR_TOKENS;
	     n_tokens -= PAIR_TOKENS, xt += PAIR_TOKENS * x_stride, y += PAIR_TOKENS * y_stride)
		gemm_block(y, y_stride, panel, xt, x_stride, PAIR_TOKENS, n_rows, n_k, accumulate);
	if (n_tokens) {
		configure(n_tokens < TILE ? n_tokens : TILE, n_tokens > TILE ? n_tokens - TILE : 0);
		gemm_block(y, y_stride, panel, xt, x_stride, n_tokens, n_rows, n_k, accumulate);
	}
	_tile_release();
}

void leat_kernels_amx(struct leat_kernels *k)
{
	k->gemm_from[LEAT_QUANT_q8_0] = 5; /* tokens/s of 4 rows: 83 from here on, 130 by mv; of 8: 178, 121 */
	k->gemm_bf16 = gemm_bf16;
	k->gemm_bf16_fast = 1;
}
