/* bench.c - kerncheck --bench: time of each slot that a level changes, against the portable slot and the read
 * bandwidth.
 *
 * One thread. Rounds are short, the variants and the read test alternate, and the best counts: other programs can only
 * make a round slower. Work that should come from memory walks through `big`, which is much larger than the caches. */
#include <emmintrin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kerncheck.h"

enum { ROUNDS = 60, BIG = 192 << 20, CHUNK = 8 << 20, CACHED = 256 << 10 };

/* A case: run() does the work once; bytes and flops are of one run. */
struct job {
	char name[40];
	double bytes, flops;
	void (*run)(const struct leat_kernels *k, const struct job *j);
	int format, n_tokens, n_cols, n_rows;
	size_t slot; /* offset in struct leat_kernels */
};

static unsigned char *big; /* BIG bytes, more than the caches */
static float *x, *y, *panel;
static int16_t *xq;
static float *xd, *xs;
static uint16_t *xh;
static float sink;

enum { MAX_COLS = 4096, MAX_TOKENS = 512 };

static void *huge(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		fprintf(stderr, "kerncheck: no memory\n");
		exit(2);
	}
	madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

static void setup(void)
{
	size_t n = (size_t)MAX_COLS * MAX_TOKENS;

	if (big)
		return;
	big = huge(BIG);
	x = huge(n * sizeof *x);
	y = huge((size_t)1 << 22);
	panel = huge((size_t)LEAT_PANEL_COLS * LEAT_PANEL_ROWS * 4);
	xq = huge(n * sizeof *xq);
	xh = huge(n * sizeof *xh);
	xd = huge(n / LEAT_X16_BLOCK * sizeof *xd);
	xs = huge(n / LEAT_X16_BLOCK * 2 * sizeof *xs);
	for (size_t i = 0; i < n; i++)
		x[i] = rnd_f32(1);
	for (int i = 0; i < LEAT_PANEL_COLS * LEAT_PANEL_ROWS; i++)
		panel[i] = rnd_f32(1);
	for (size_t t = 0; t < MAX_TOKENS; t++)
		portable()->to_x16(xq + t * MAX_COLS, xd + t * (MAX_COLS / LEAT_X16_BLOCK),
				   xs + t * 2 * (MAX_COLS / LEAT_X16_BLOCK), x + t * MAX_COLS, MAX_COLS);
	portable()->to_bf16(xh, x, (int)n);
}

/* Walks `big` in chunks, so that none is in a cache when its turn comes. */
static unsigned char *next_chunk(void)
{
	static size_t at;
	at = at + 2 * CHUNK <= BIG ? at + CHUNK : 0;
	return big + at;
}

static __m128i read_line(const unsigned char *line)
{
	const __m128i *p = (const void *)line;
	return _mm_xor_si128(_mm_xor_si128(_mm_load_si128(p), _mm_load_si128(p + 1)),
			     _mm_xor_si128(_mm_load_si128(p + 2), _mm_load_si128(p + 3)));
}

/* Reads a chunk in four streams, bytes per second. */
static double read_once(void)
{
	const size_t part = CHUNK / 4;
	const unsigned char *p = next_chunk();
	__m128i a = _mm_setzero_si128(), b = a, c = a, d = a;
	double t0 = now();

	for (size_t i = 0; i < part; i += 64) {
		a = _mm_xor_si128(a, read_line(p + i));
		b = _mm_xor_si128(b, read_line(p + part + i));
		c = _mm_xor_si128(c, read_line(p + 2 * part + i));
		d = _mm_xor_si128(d, read_line(p + 3 * part + i));
	}
	sink += (float)_mm_cvtsi128_si32(_mm_xor_si128(_mm_xor_si128(a, b), _mm_xor_si128(c, d)));
	return CHUNK / (now() - t0);
}

static void run_mv(const struct leat_kernels *k, const struct job *j)
{
	struct leat_mm a = {.w = j->bytes > CACHED ? next_chunk() : big,
			    .n_cols = j->n_cols,
			    .n_tokens = j->n_tokens,
			    .x = x,
			    .x_stride = MAX_COLS,
			    .xq = xq,
			    .xd = xd,
			    .xs = xs,
			    .xq_stride = MAX_COLS,
			    .y = y,
			    .y_stride = (size_t)j->n_rows};
	a.row_bytes = leat_quant_bytes(leat_quant_at(j->format), (size_t)j->n_cols);
	k->mv[j->format](&a, 0, j->n_rows);
}

static void run_gemm_f32(const struct leat_kernels *k, const struct job *j)
{
	k->gemm_f32(y, LEAT_PANEL_ROWS, panel, x, MAX_COLS, j->n_tokens, LEAT_PANEL_ROWS, LEAT_PANEL_COLS, 1);
}

static void run_gemm_bf16(const struct leat_kernels *k, const struct job *j)
{
	k->gemm_bf16(y, LEAT_PANEL_ROWS, panel, xh, MAX_COLS, j->n_tokens, LEAT_PANEL_ROWS, LEAT_PANEL_COLS, 1);
}

static void run_pack(leat_pack_fn *fn, int format)
{
	size_t row = leat_quant_bytes(leat_quant_at(format), MAX_COLS);
	for (int i = 0; i < 8; i++)
		fn(y, big, row, LEAT_PANEL_ROWS, i * LEAT_PANEL_COLS, LEAT_PANEL_COLS, 0);
}

static void run_pack_f32(const struct leat_kernels *k, const struct job *j)
{
	run_pack(k->pack_f32[j->format], j->format);
}

static void run_pack_bf16(const struct leat_kernels *k, const struct job *j)
{
	run_pack(k->pack_bf16[j->format], j->format);
}

static void run_attn(const struct leat_kernels *k, const struct job *j)
{
	static int32_t page[4096 / LEAT_ATTN_KEYS];
	static _Alignas(64) float scratch[LEAT_ATTN_SCRATCH];
	size_t row = leat_kv_row_bytes(j->format, (size_t)j->n_cols), page_bytes = row * LEAT_ATTN_KEYS;
	struct leat_attn a = {big, big + BIG / 2, page_bytes, page, j->n_cols, j->n_rows, 0, j->n_tokens, 0.1f,
			      LEAT_ATTN_KEYS};

	for (int i = 0; i < (int)COUNT_OF(page); i++)
		page[i] = i;
	k->attn[j->format](y, x, &a, scratch);
}

/* The same of as many tokens as a tile takes. */
static void run_attn_tile(const struct leat_kernels *k, const struct job *j)
{
	static int32_t page[4096 / LEAT_ATTN_KEYS];
	static _Alignas(64) float scratch[LEAT_ATTN_SCRATCH];
	size_t row = leat_kv_row_bytes(j->format, (size_t)j->n_cols), page_bytes = row * LEAT_ATTN_KEYS;
	int n = LEAT_ATTN_QUERIES / j->n_rows;
	size_t stride = (size_t)(j->n_rows * j->n_cols);
	struct leat_attn_tile t = {{big, big + BIG / 2, page_bytes, page, j->n_cols, j->n_rows, 0,
				    j->n_tokens - n + 1, 0.1f, LEAT_ATTN_KEYS}, 0, n, x, y, stride, stride};

	for (int i = 0; i < (int)COUNT_OF(page); i++)
		page[i] = i;
	k->attn_tile[j->format](&t, scratch);
}

static void run_wkv7(const struct leat_kernels *k, const struct job *j)
{
	size_t size = (size_t)j->n_cols;
	unsigned char *from = j->bytes > CHUNK ? next_chunk() : big;
	for (int h = 0; h < j->n_rows; h++) {
		float *s = (float *)(void *)from + (size_t)h * size * size;
		k->wkv7(y, s, s, x, x + size, x + 2 * size, x + 3 * size, x + 4 * size, x + 5 * size, j->n_cols);
	}
}

static void run_row(const struct leat_kernels *k, const struct job *j)
{
	int n = j->n_cols;
	switch (j->format) {
	case 0:
		k->rmsnorm(y, x, x + n, n, 1e-5f);
		break;
	case 1:
		k->layernorm(y, x, x + n, x + 2 * n, n, 1e-5f);
		break;
	case 2:
		k->act[LEAT_ACT_TANH](y, x, n);
		break;
	case 3:
		k->swiglu(y, x, x + n, n);
		break;
	case 4:
		k->to_x16(xq, xd, xs, x, n);
		break;
	default:
		k->lerp(y, x, x + n, x + 2 * n, n);
		break;
	}
}

/* Finite weights of a format everywhere. */
static void fill_big(int format)
{
	static int filled = -1;
	const size_t n = (size_t)16 * MAX_COLS;
	size_t part = leat_quant_bytes(leat_quant_at(format), n);

	if (filled == format)
		return;
	filled = format;
	random_blocks(format, big, n);
	for (size_t at = part; at + part <= BIG; at += part)
		memcpy(big + at, big, part);
}

/* Best time of one run, in seconds; short runs are repeated within a round. */
static double once(const struct leat_kernels *k, const struct job *j)
{
	int reps = 0;
	double t0 = now(), t;
	do {
		j->run(k, j);
		reps++;
		t = now() - t0;
	} while (t < 2e-4);
	return t / reps;
}

static void time_job(const struct leat_kernels *scalar, const struct leat_kernels *k, const struct job *j,
		     const char *level)
{
	double base = INFINITY, mine = INFINITY, read = 0;

	for (int i = 0; i < ROUNDS; i++) {
		if (i < 3)
			base = fmin(base, once(scalar, j));
		mine = fmin(mine, once(k, j));
		if (j->bytes >= CHUNK / 2)
			read = fmax(read, read_once());
	}
	printf("time %-10s %-24s %10.2f us %7.1fx portable %7.1f GB/s %8.1f GFLOP/s", level, j->name, mine * 1e6,
	       base / mine, j->bytes / mine * 1e-9, j->flops / mine * 1e-9);
	if (read > 0)
		printf("   %5.1f %% of the read bandwidth %.1f GB/s", 100 * j->bytes / mine / read, read * 1e-9);
	printf("\n");
}

/* Each format from memory, and with 1 token from the cache, which is the limit that instructions set. */
static int add_mv(struct job *job)
{
	static const int tokens[] = {0, 1, 2, 4, 8};
	int n = 0;

	for (int f = 0; f < LEAT_QUANT_COUNT; f++)
		for (size_t i = 0; i < COUNT_OF(tokens); i++) {
			int t = tokens[i] ? tokens[i] : 1;
			struct job *j = &job[n++];
			*j = (struct job){.run = run_mv,
					  .format = f,
					  .n_tokens = t,
					  .n_cols = MAX_COLS,
					  .slot = offsetof(struct leat_kernels, mv) +
						  (size_t)f * sizeof(void (*)(void))};
			size_t row = leat_quant_bytes(leat_quant_at(f), MAX_COLS);
			j->n_rows = (int)((size_t)(tokens[i] ? CHUNK : CACHED) / row);
			j->bytes = (double)row * j->n_rows;
			j->flops = 2.0 * MAX_COLS * j->n_rows * t;
			snprintf(j->name, sizeof j->name, "mv.%s T=%d%s", leat_quant_at(f)->name, t,
				 tokens[i] ? "" : " cached");
		}
	return n;
}

static int add_pack(struct job *job)
{
	int n = 0;
	for (int f = 0; f < LEAT_QUANT_COUNT; f++)
		for (int pairs = 0; pairs < 2; pairs++) {
			struct job *j = &job[n++];
			*j = (struct job){.run = pairs ? run_pack_bf16 : run_pack_f32, .format = f};
			j->slot = (pairs ? offsetof(struct leat_kernels, pack_bf16)
					 : offsetof(struct leat_kernels, pack_f32)) +
				  (size_t)f * sizeof(void (*)(void));
			j->bytes = (double)leat_quant_bytes(leat_quant_at(f), MAX_COLS) * LEAT_PANEL_ROWS;
			snprintf(j->name, sizeof j->name, "pack_%s.%s", pairs ? "bf16" : "f32", leat_quant_at(f)->name);
		}
	return n;
}

static int add_gemm(struct job *job)
{
	static const int tokens[] = {8, 32, 64, 256};
	int n = 0;

	for (int pairs = 0; pairs < 2; pairs++)
		for (size_t t = 0; t < COUNT_OF(tokens); t++) {
			struct job *j = &job[n++];
			*j = (struct job){.run = pairs ? run_gemm_bf16 : run_gemm_f32, .n_tokens = tokens[t]};
			j->slot = pairs ? offsetof(struct leat_kernels, gemm_bf16)
					: offsetof(struct leat_kernels, gemm_f32);
			j->flops = 2.0 * LEAT_PANEL_ROWS * LEAT_PANEL_COLS * tokens[t];
			snprintf(j->name, sizeof j->name, "gemm_%s T=%d", pairs ? "bf16" : "f32", tokens[t]);
		}
	return n;
}

static int add_attn(struct job *job, int tile)
{
	static const int group[] = {1, 7}, size[] = {64, 128};
	int n = 0;

	for (int type = 0; type < LEAT_KV_TYPES; type++)
		for (int i = 0; i < 4; i++) {
			struct job *j = &job[n++];
			*j = (struct job){.run = tile ? run_attn_tile : run_attn,
					  .format = type,
					  .n_cols = size[i / 2],
					  .n_rows = group[i % 2],
					  .n_tokens = tile ? 1024 : 4096};
			j->slot = tile ? offsetof(struct leat_kernels, attn_tile) : offsetof(struct leat_kernels, attn);
			j->slot += (size_t)type * sizeof(void (*)(void));
			j->bytes = 2.0 * j->n_tokens * (double)leat_kv_row_bytes(type, (size_t)j->n_cols);
			j->flops = 4.0 * j->n_tokens * j->n_cols * j->n_rows *
				   (tile ? LEAT_ATTN_QUERIES / j->n_rows : 1);
			snprintf(j->name, sizeof j->name, "attn%s.%s %dx%d", tile ? "_tile" : "",
				 type == LEAT_KV_F16 ? "f16" : type == LEAT_KV_F32 ? "f32" : "q8_0", j->n_rows,
				 j->n_cols);
		}
	return n;
}

static int add_rows(struct job *job)
{
	static const struct {
		const char *name;
		size_t slot;
	} row[] = {
		{"rmsnorm", offsetof(struct leat_kernels, rmsnorm)},
		{"layernorm", offsetof(struct leat_kernels, layernorm)},
		{"act.tanh", offsetof(struct leat_kernels, act) + LEAT_ACT_TANH * sizeof(void (*)(void))},
		{"swiglu", offsetof(struct leat_kernels, swiglu)},
		{"to_x16", offsetof(struct leat_kernels, to_x16)},
		{"lerp", offsetof(struct leat_kernels, lerp)},
	};
	int n = 0;

	for (; n < (int)COUNT_OF(row); n++) {
		job[n] = (struct job){
			.run = run_row, .format = n, .n_cols = MAX_COLS, .slot = row[n].slot, .bytes = MAX_COLS * 4};
		snprintf(job[n].name, sizeof job[n].name, "%s n=%d", row[n].name, MAX_COLS);
	}
	for (int heads = 32; heads <= 512; heads *= 16) { /* in the caches, and beyond them */
		job[n] = (struct job){
			.run = run_wkv7, .n_cols = 64, .n_rows = heads, .slot = offsetof(struct leat_kernels, wkv7)};
		job[n].bytes = 2.0 * 64 * 64 * 4 * heads; /* read and written */
		snprintf(job[n].name, sizeof job[n].name, "wkv7 heads=%d", heads);
		n++;
	}
	return n;
}

void bench_all(const struct leat_kernels *scalar, const struct leat_kernels *k, const struct leat_kernels *below,
	       const char *level, const char *pattern)
{
	static struct job job[160];
	int n = 0;

	setup();
	n += add_mv(job + n);
	n += add_pack(job + n);
	n += add_gemm(job + n);
	n += add_attn(job + n, 0);
	n += add_attn(job + n, 1);
	n += add_rows(job + n);
	for (int i = 0; i < n; i++) {
		const struct job *j = &job[i];
		if (!memcmp((const char *)k + j->slot, (const char *)below + j->slot, sizeof(void (*)(void))))
			continue;
		if (!strstr(j->name, pattern))
			continue;
		fill_big(j->run == run_mv ? j->format : LEAT_QUANT_f32);
		time_job(scalar, k, j, level);
	}
}
