/* rwkv64.h - RWKV-7 in double precision, straight from the equations of arXiv:2503.14456: a second implementation that
 * shares nothing with leat's but the reader of files and the dequantisation. */
#ifndef LEAT_TESTS_SUPPORT_RWKV64_H
#define LEAT_TESTS_SUPPORT_RWKV64_H

#include "support/decoder64.h"

/* Logits [n][*ret_rows] of the n tokens of a GGUF file of architecture rwkv7 (free), from a zero state. The watcher is
 * shown every named point; and as "state:wkv", [H * K][K] of each layer, the state after the last token. */
double *rwkv64_watched(const struct leat_file *f, const int32_t *tokens, size_t n, decoder64_see *watcher, void *user,
		       size_t *ret_rows);

#endif
