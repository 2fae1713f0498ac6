/* fuzz_klbase.c - base files of leat perplexity: what is accepted can be read to its last row and token. */
#include <stdlib.h>

#include "bench/klbase.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct leat_klbase b;
	struct leat_error err = LEAT_ERROR_INIT;
	const struct leat_windows *w = &b.windows;
	float *row;

	if (leat_klbase_parse(&b, data, n, &err)) {
		REQUIRE(err.status && err.message[0]);
		return 0;
	}
	row = malloc(sizeof(*row) * w->n_vocab);
	REQUIRE(row);
	for (uint64_t i = 0; i < w->n_tokens; i++)
		REQUIRE((uint32_t)leat_klbase_token(&b, i) < w->n_vocab);
	REQUIRE(leat_windows_first(w) + leat_windows_scored(w) == w->window - 1);
	for (uint64_t i = 0; i < (uint64_t)w->n_windows * leat_windows_scored(w); i++)
		leat_klbase_row(&b, i, row, NULL);
	free(row);
	leat_klbase_close(&b);
	return 0;
}
