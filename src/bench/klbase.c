/* klbase.c - see klbase.h. */
#include "bench/klbase.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/cursor.h"

static const char magic[8] = "leatklb";

uint32_t leat_windows_step(const struct leat_windows *w)
{
	return w->stride ? w->stride : w->window;
}

uint32_t leat_windows_first(const struct leat_windows *w)
{
	return w->stride ? w->window - 1 - w->stride : w->window / 2;
}

uint32_t leat_windows_scored(const struct leat_windows *w)
{
	return w->window - 1 - leat_windows_first(w);
}

/* ---- reading ---- */

static enum leat_status outside(struct leat_error *err, const char *field, uint64_t at, uint64_t found, uint64_t low,
				uint64_t high)
{
	return leat_fail(err, LEAT_E_FORMAT, field, at, "%s is %llu, wanted %llu to %llu", field,
			 (unsigned long long)found, (unsigned long long)low, (unsigned long long)high);
}

static enum leat_status read_head(struct leat_cursor *c, struct leat_windows *w, struct leat_error *err)
{
	const unsigned char *bytes;
	uint32_t version, head, begin;

	LEAT_TRY(leat_read_bytes(c, sizeof(magic), "magic", &bytes, err));
	if (memcmp(bytes, magic, sizeof(magic)))
		return leat_fail(err, LEAT_E_FORMAT, "magic", 0, "no base of leat perplexity (the first bytes differ)");
	LEAT_TRY(leat_read_u32(c, "version", &version, err));
	if (version != 1)
		return leat_fail(err, LEAT_E_UNSUPPORTED, "version", 8, "version is %u, this build knows 1", version);
	LEAT_TRY(leat_read_u32(c, "head", &head, err));
	if (head != LEAT_KLBASE_HEAD)
		return outside(err, "head", 12, head, LEAT_KLBASE_HEAD, LEAT_KLBASE_HEAD);
	LEAT_TRY(leat_read_u32(c, "window", &w->window, err));
	LEAT_TRY(leat_read_u32(c, "stride", &w->stride, err));
	LEAT_TRY(leat_read_u32(c, "n_windows", &w->n_windows, err));
	LEAT_TRY(leat_read_u32(c, "n_vocab", &w->n_vocab, err));
	LEAT_TRY(leat_read_u64(c, "n_tokens", &w->n_tokens, err));
	LEAT_TRY(leat_read_u64(c, "vocab_hash", &w->vocab_hash, err));
	LEAT_TRY(leat_read_u32(c, "begin", &begin, err));
	w->begin = (int32_t)begin;
	LEAT_TRY(leat_read_bytes(c, 12, "reserved", &bytes, err));
	for (int i = 0; i < 12; i++) {
		if (bytes[i])
			return leat_fail(err, LEAT_E_FORMAT, "reserved", 52, "reserved bytes are not zero");
	}
	return LEAT_OK;
}

/* The numbers among themselves; on success they are small enough for what is computed from them. */
static enum leat_status check_head(const struct leat_windows *w, struct leat_error *err)
{
	uint64_t covered;

	if (w->window < LEAT_WINDOW_MIN || w->window > LEAT_WINDOW_MAX)
		return outside(err, "window", 16, w->window, LEAT_WINDOW_MIN, LEAT_WINDOW_MAX);
	if (w->stride >= w->window)
		return outside(err, "stride", 20, w->stride, 0, w->window - 1);
	if (!w->n_windows)
		return outside(err, "n_windows", 24, 0, 1, UINT32_MAX);
	if (!w->n_vocab || w->n_vocab > LEAT_KLBASE_MAX_VOCAB)
		return outside(err, "n_vocab", 28, w->n_vocab, 1, LEAT_KLBASE_MAX_VOCAB);
	if (w->begin < -1 || w->begin >= (int32_t)w->n_vocab)
		return leat_fail(err, LEAT_E_FORMAT, "begin", 48, "begin is %d, wanted -1 to %u", (int)w->begin,
				 w->n_vocab - 1);
	/* Below 2^32 * 2^24 + 2^24. */
	covered = (uint64_t)(w->n_windows - 1) * leat_windows_step(w) + w->window;
	if (w->n_tokens != covered)
		return leat_fail(err, LEAT_E_FORMAT, "n_tokens", 32, "n_tokens is %llu, the windows cover %llu",
				 (unsigned long long)w->n_tokens, (unsigned long long)covered);
	return LEAT_OK;
}

static uint32_t u32_at(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

enum leat_status leat_klbase_parse(struct leat_klbase *ret, const void *data, uint64_t bytes, struct leat_error *err)
{
	struct leat_klbase b = { .map.fd = -1 };
	struct leat_cursor c = { data, bytes, 0 };
	uint64_t n_rows, row_bytes, wanted;

	LEAT_TRY(read_head(&c, &b.windows, err));
	LEAT_TRY(check_head(&b.windows, err));
	LEAT_TRY(leat_read_bytes(&c, 4 * b.windows.n_tokens, "tokens", &b.tokens, err));
	n_rows = (uint64_t)b.windows.n_windows * leat_windows_scored(&b.windows);
	row_bytes = (uint64_t)b.windows.n_vocab * 4;
	if (leat_mul_u64(n_rows, row_bytes, &wanted) || leat_cursor_left(&c) != wanted)
		return leat_fail(err, LEAT_E_FORMAT, "rows", c.pos,
				 "%llu rows of %u numbers do not fill the %llu bytes that are left (cut short?)",
				 (unsigned long long)n_rows, b.windows.n_vocab,
				 (unsigned long long)leat_cursor_left(&c));
	b.rows = c.data + c.pos;
	for (uint64_t i = 0; i < b.windows.n_tokens; i++) {
		if (u32_at(b.tokens + 4 * i) >= b.windows.n_vocab)
			return leat_fail(err, LEAT_E_FORMAT, "tokens", LEAT_KLBASE_HEAD + 4 * i,
					 "token %llu is %d, wanted 0 to %u", (unsigned long long)i,
					 (int)u32_at(b.tokens + 4 * i), b.windows.n_vocab - 1);
	}
	*ret = b;
	return LEAT_OK;
}

enum leat_status leat_klbase_open(struct leat_klbase *ret, const char *path, struct leat_error *err)
{
	struct leat_map map;
	enum leat_status s;

	LEAT_TRY(leat_map_open(&map, path, err));
	s = leat_klbase_parse(ret, map.data, map.size, err);
	if (s) {
		leat_err_prefix(err, path);
		leat_map_close(&map);
		return s;
	}
	ret->map = map;
	return LEAT_OK;
}

int32_t leat_klbase_token(const struct leat_klbase *b, uint64_t index)
{
	return (int32_t)u32_at(b->tokens + 4 * index);
}

enum leat_status leat_klbase_row(const struct leat_klbase *b, uint64_t index, float *ret, struct leat_error *err)
{
	const unsigned char *row = b->rows + index * b->windows.n_vocab * 4;

	for (uint32_t i = 0; i < b->windows.n_vocab; i++) {
		uint32_t bits = u32_at(row + 4 * (uint64_t)i);
		memcpy(&ret[i], &bits, sizeof(bits));
		if (!isfinite(ret[i]))
			return leat_fail(err, LEAT_E_FORMAT, "rows", (uint64_t)(row - b->tokens) + LEAT_KLBASE_HEAD,
					 "row %llu of the base holds a NaN or an infinity", (unsigned long long)index);
	}
	return LEAT_OK;
}

void leat_klbase_close(struct leat_klbase *b)
{
	if (b->map.fd > 0)
		leat_map_close(&b->map);
	memset(b, 0, sizeof(*b));
}

/* ---- writing ---- */

static void put_u32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static void put_u64(unsigned char *p, uint64_t v)
{
	put_u32(p, (uint32_t)v);
	put_u32(p + 4, (uint32_t)(v >> 32));
}

enum leat_status leat_klbase_begin(struct leat_outfile *f, const struct leat_windows *w, const int32_t *tokens,
				   struct leat_error *err)
{
	unsigned char head[LEAT_KLBASE_HEAD] = { 0 }, token[4];

	LEAT_TRY(check_head(w, err));
	memcpy(head, magic, sizeof(magic));
	put_u32(head + 8, 1);
	put_u32(head + 12, LEAT_KLBASE_HEAD);
	put_u32(head + 16, w->window);
	put_u32(head + 20, w->stride);
	put_u32(head + 24, w->n_windows);
	put_u32(head + 28, w->n_vocab);
	put_u64(head + 32, w->n_tokens);
	put_u64(head + 40, w->vocab_hash);
	put_u32(head + 48, (uint32_t)w->begin);
	LEAT_TRY(leat_outfile_write(f, head, sizeof(head), err));
	for (uint64_t i = 0; i < w->n_tokens; i++) {
		put_u32(token, (uint32_t)tokens[i]);
		LEAT_TRY(leat_outfile_write(f, token, sizeof(token), err));
	}
	return LEAT_OK;
}
