/* klbase.h - the rows of logits that one model computed over a text, kept so that another may be compared with them
 * (leat perplexity --kl-base).
 *
 * Little-endian. 64 bytes of head, n_tokens int32, then the scored rows in order, each n_vocab float32:
 *    0  "leatklb\0"      8  u32 version, 1        12  u32 bytes of the head, 64
 *   16  u32 window      20  u32 stride (0: windows lie side by side)      24  u32 n_windows
 *   28  u32 n_vocab     32  u64 n_tokens          40  u64 vocab_hash      48  i32 begin      52  12 bytes, 0
 * Every number must agree with every other and with the length of the file. */
#ifndef LEAT_BENCH_KLBASE_H
#define LEAT_BENCH_KLBASE_H

#include "base/map.h"
#include "bench/outfile.h"

enum { LEAT_KLBASE_HEAD = 64, LEAT_KLBASE_MAX_VOCAB = 1 << 24, LEAT_WINDOW_MIN = 8, LEAT_WINDOW_MAX = 1 << 24 };

/* How a text is cut: window i is `window` tokens from i * step; its rows [first, window - 1) are scored, row r by the
 * token r + 1. */
struct leat_windows {
	uint32_t window, stride, n_windows;
	uint32_t n_vocab;
	uint64_t n_tokens;    /* exactly what the windows cover */
	uint64_t vocab_hash;  /* of the tokens' bytes */
	int32_t begin;        /* put in place of each window's first token, -1: nothing is */
};

/* step, first scored row and scored rows of a window. Without a stride the second half is scored, as perplexities of
 * this kind usually are; with one, the last `stride` tokens. */
uint32_t leat_windows_step(const struct leat_windows *w);
uint32_t leat_windows_first(const struct leat_windows *w);
uint32_t leat_windows_scored(const struct leat_windows *w);

struct leat_klbase {
	struct leat_windows windows;
	struct leat_map map;         /* zero when parsed from memory */
	const unsigned char *tokens; /* maybe unaligned */
	const unsigned char *rows;
};

/* E_NOTFOUND, E_IO, E_ARG as leat_map_open; E_FORMAT, E_UNSUPPORTED (a version this build does not know). */
enum leat_status leat_klbase_open(struct leat_klbase *ret, const char *path, struct leat_error *err);
/* The same from memory that outlives *ret. */
enum leat_status leat_klbase_parse(struct leat_klbase *ret, const void *data, uint64_t bytes, struct leat_error *err);
int32_t leat_klbase_token(const struct leat_klbase *b, uint64_t index);
/* Copies row `index` (over all windows) into n_vocab floats. E_FORMAT: one of them is no finite number. */
enum leat_status leat_klbase_row(const struct leat_klbase *b, uint64_t index, float *ret, struct leat_error *err);
void leat_klbase_close(struct leat_klbase *b);

/* Head and tokens of a new file; the rows follow by leat_outfile_write, n_vocab float32 each. */
enum leat_status leat_klbase_begin(struct leat_outfile *f, const struct leat_windows *w, const int32_t *tokens,
				   struct leat_error *err);

#endif
