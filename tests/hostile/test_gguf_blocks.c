/* Row G65 of the matrix of bad files for the block formats that mkbad does not write: the oracle's models with blocks
 * of 0xFF and with scales that are NaN, infinite or denormal. Each runs, or ends in a typed error. */
#include "hostile/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/file.h"
#include "quant/quant.h"
#include "support/oracle.h"

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

static const struct {
	const char *file;
	int n, at[2]; /* f16 scales of a block: how many, where */
} formats[] = {
	{"quant/q4_0.gguf", 1, {0}},	{"quant/q4_1.gguf", 2, {0, 2}},	  {"quant/q5_0.gguf", 1, {0}},
	{"quant/q5_1.gguf", 2, {0, 2}}, {"quant/q8_0.gguf", 1, {0}},	  {"quant/q2_k.gguf", 2, {80, 82}},
	{"quant/q3_k.gguf", 1, {108}},	{"quant/q4_k.gguf", 2, {0, 2}}, {"quant/q5_k.gguf", 2, {0, 2}},
	{"quant/q6_k.gguf", 1, {208}},
};

static const uint16_t scales[] = {0x7e00, 0xfe01, 0x7c00, 0xfc00, 0x0001, 0x8001, 0x7bff, 0x0000};

/* Where the blocks of a tensor are; skips what is not quantised. */
static int blocks(const struct leat_file *f, uint64_t i, uint64_t *ret_at, uint64_t *ret_n, int *ret_bytes)
{
	int elems;
	const struct leat_tensor *t = &f->tensor[i];
	if (!leat_quant_layout(t->type, &elems, ret_bytes) || elems == 1)
		return 0;
	*ret_at = t->offset;
	*ret_n = t->bytes / (uint64_t)*ret_bytes;
	return 1;
}

static void all_ones(const unsigned char *good, size_t n, uint64_t at, uint64_t bytes)
{
	unsigned char *bad = malloc(n);
	assert_non_null(bad);
	memcpy(bad, good, n);
	memset(bad + at, 0xff, (size_t)bytes);
	hostile_any(bad, n, 1);
	free(bad);
}

/* One scale of every `step`th block. */
static void scaled(const unsigned char *good, size_t n, uint64_t at, uint64_t n_blocks, int bytes, int scale_at,
		   uint16_t scale, uint64_t step)
{
	unsigned char *bad = malloc(n);
	assert_non_null(bad);
	memcpy(bad, good, n);
	for (uint64_t b = 0; b < n_blocks; b += step)
		memcpy(bad + at + b * (uint64_t)bytes + (uint64_t)scale_at, &scale, sizeof scale);
	hostile_any(bad, n, 1);
	free(bad);
}

static void one_format(size_t k)
{
	size_t n;
	struct leat_file *f = NULL;
	unsigned char *good = read_file(oracle_path(formats[k].file), &n);
	if (!good)
		return;
	assert_int_equal(leat_file_open_memory("good", good, n, &f, NULL), LEAT_OK);
	int tensors = 0;
	for (uint64_t i = 0; i < f->n_tensors; i++) {
		uint64_t at, n_blocks;
		int bytes;
		if (!blocks(f, i, &at, &n_blocks, &bytes) || tensors++ % 5)
			continue;
		all_ones(good, n, at, n_blocks * (uint64_t)bytes);
		for (size_t s = 0; s < COUNT_OF(scales); s++)
			for (int d = 0; d < formats[k].n; d++)
				scaled(good, n, at, n_blocks, bytes, formats[k].at[d], scales[s], s % 2 ? 1 : n_blocks);
	}
	assert_true(tensors > 0);
	leat_file_close(f);
	free(good);
}

static void test_G65(void **state)
{
	(void)state;
	if (!oracle_path(formats[0].file))
		skip();
	for (size_t k = 0; k < COUNT_OF(formats); k++)
		one_format(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_G65)};
	return hostile_main(tests, COUNT_OF(tests), "none of block formats");
}
