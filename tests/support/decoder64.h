/* decoder64.h - attention models in double precision, straight from their definitions: a second implementation that
 * shares nothing with leat's but the reader of files and the dequantisation. Slow, no cache, no order of its own. */
#ifndef LEAT_TESTS_SUPPORT_DECODER64_H
#define LEAT_TESTS_SUPPORT_DECODER64_H

#include <stddef.h>
#include <stdint.h>

#include "format/file.h"

/* Logits [n][*ret_rows] of the n tokens of a GGUF file of architecture qwen2, qwen3, llama or phi3 (free). The file is
 * taken to be a good one. */
double *decoder64_logits(const struct leat_file *f, const int32_t *tokens, size_t n, size_t *ret_rows);

/* Shown at every named point of the computation (as leat names them): x[n][cols]. Models without norms of heads show
 * q and k as they are. */
typedef void decoder64_see(void *user, const char *point, int layer, const double *x, size_t cols);
double *decoder64_watched(const struct leat_file *f, const int32_t *tokens, size_t n, decoder64_see *watcher,
			  void *user, size_t *ret_rows);

#endif
