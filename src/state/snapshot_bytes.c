/* snapshot_bytes.c - snapshots to bytes and back: see snapshot.h for the format. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/cursor.h"
#include "base/sha256.h"
#include "state/snapshot.h"
#include "state/snapshot_parts.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tokens, cells and rows are written as they lie in memory");

enum {
	SHAPE = 1, KEY, TOKENS, CELL, ROWS,
	N_SECTIONS = 5,
	HEAD_BYTES = 32,
	SECTION_BYTES = 40,
	TABLE_END = HEAD_BYTES + N_SECTIONS * SECTION_BYTES,
	KEY_BYTES = 128,
	SHAPE_BYTES = 32 + LEAT_MAX_STATE_TENSORS * 12,
	HASH_BYTES = 32,
	BYTE_ORDER_MARK = 0x01020304,
};
static const char magic[9] = "leatstat";
static const char *const section_name[N_SECTIONS + 1] = { "", "shape", "key", "tokens", "cell", "rows" };

_Static_assert(sizeof(struct leat_prefix_key) == KEY_BYTES, "the key is written as it lies in memory");

/* ---- writing ---- */

static unsigned char *put(unsigned char *p, uint64_t x, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*p++ = (unsigned char)(x >> (8 * i));
	return p;
}

static size_t put_shape(const struct leat_snapshot *x, unsigned char *shape)
{
	unsigned char *p = shape;
	p = put(p, (uint64_t)x->n_layer, 4);
	p = put(p, (uint64_t)x->n_spec, 4);
	p = put(p, (uint64_t)x->n_tokens, 8);
	p = put(p, (uint64_t)x->n_fed, 8);
	p = put(p, (uint64_t)x->first, 8);
	for (int i = 0; i < x->n_spec; i++) {
		p = put(p, (uint64_t)x->spec[i].per_token, 4);
		p = put(p, (uint64_t)x->spec[i].heads, 4);
		p = put(p, (uint64_t)x->spec[i].cols, 4);
	}
	return (size_t)(p - shape);
}

struct section {
	const void *data;
	uint64_t bytes;
};

/* Fills the sections; `shape` is their first one's memory. */
static void list_sections(const struct leat_snapshot *x, unsigned char shape[SHAPE_BYTES],
			  struct section s[N_SECTIONS + 1])
{
	s[SHAPE] = (struct section){ shape, put_shape(x, shape) };
	s[KEY] = (struct section){ &x->key, KEY_BYTES };
	s[TOKENS] = (struct section){ x->tokens, (uint64_t)x->n_tokens * sizeof *x->tokens };
	s[CELL] = (struct section){ x->cell, x->cell_bytes };
	s[ROWS] = (struct section){ x->rows, x->rows_bytes };
}

uint64_t leat_snapshot_file_bytes(const struct leat_snapshot *x)
{
	unsigned char shape[SHAPE_BYTES];
	struct section s[N_SECTIONS + 1];
	uint64_t n = TABLE_END + HASH_BYTES;
	list_sections(x, shape, s);
	for (int i = 1; i <= N_SECTIONS; i++)
		n += s[i].bytes;
	return n;
}

static void put_head(const struct leat_snapshot *x, const struct section *s, unsigned char *p)
{
	uint64_t at = TABLE_END;
	memcpy(p, magic, 8);
	p = put(p + 8, LEAT_SNAPSHOT_VERSION, 4);
	p = put(p, BYTE_ORDER_MARK, 4);
	p = put(p, leat_snapshot_file_bytes(x), 8);
	p = put(p, N_SECTIONS, 4);
	p = put(p, 0, 4);
	for (int i = 1; i <= N_SECTIONS; i++) {
		struct leat_hash128 h = leat_hash128(0, s[i].data, (size_t)s[i].bytes);
		p = put(p, (uint64_t)i, 8);
		p = put(p, at, 8);
		p = put(p, s[i].bytes, 8);
		p = put(p, h.low, 8);
		p = put(p, h.high, 8);
		at += s[i].bytes;
	}
}

enum leat_status leat_snapshot_write(const struct leat_snapshot *x, const struct leat_snapshot_sink *sink,
				     struct leat_error *err)
{
	unsigned char head[TABLE_END], shape[SHAPE_BYTES], hash[HASH_BYTES];
	struct section s[N_SECTIONS + 1];
	struct leat_sha256 sha;
	list_sections(x, shape, s);
	put_head(x, s, head);
	leat_sha256_init(&sha);
	leat_sha256_add(&sha, head, sizeof head);
	LEAT_TRY(sink->write(sink->user, head, sizeof head, err));
	for (int i = 1; i <= N_SECTIONS; i++) {
		if (!s[i].bytes)
			continue;
		leat_sha256_add(&sha, s[i].data, (size_t)s[i].bytes);
		LEAT_TRY(sink->write(sink->user, s[i].data, (size_t)s[i].bytes, err));
	}
	leat_sha256_end(&sha, hash);
	return sink->write(sink->user, hash, sizeof hash, err);
}

void leat_snapshot_id(const struct leat_snapshot *x, char out[65])
{
	unsigned char shape[SHAPE_BYTES];
	struct leat_sha256 sha;
	size_t n = put_shape(x, shape);
	leat_sha256_init(&sha);
	leat_sha256_add(&sha, shape, n);
	leat_sha256_add(&sha, &x->key, sizeof x->key);
	if (x->n_tokens)
		leat_sha256_add(&sha, x->tokens, (size_t)x->n_tokens * sizeof *x->tokens);
	else if (x->cell) /* a state without tokens is what it holds */
		leat_sha256_add(&sha, x->cell, (size_t)x->cell_bytes);
	leat_sha256_hex(&sha, out);
}

/* ---- reading ---- */

static enum leat_status bad(struct leat_error *err, const char *where, uint64_t offset, const char *what,
			    uint64_t found, uint64_t wanted)
{
	enum leat_status st = leat_fail(err, LEAT_E_FORMAT, where, offset, "state file: %s: found %llu, wanted %llu",
					what, (unsigned long long)found, (unsigned long long)wanted);
	leat_err_code(err, "invalid_state_file");
	return st;
}

int leat_snapshot_is(const void *data, uint64_t n)
{
	return n >= 8 && !memcmp(data, magic, 8);
}

static enum leat_status read_head(struct leat_cursor *c, struct leat_error *err)
{
	const unsigned char *p;
	uint32_t version, order, n, zero;
	uint64_t bytes;
	LEAT_TRY(leat_read_bytes(c, 8, "magic", &p, err));
	if (memcmp(p, magic, 8)) {
		leat_fail(err, LEAT_E_FORMAT, "magic", 0, "this is no state file of leat");
		leat_err_code(err, "invalid_state_file");
		return LEAT_E_FORMAT;
	}
	LEAT_TRY(leat_read_u32(c, "version", &version, err));
	LEAT_TRY(leat_read_u32(c, "byte order", &order, err));
	if (version != LEAT_SNAPSHOT_VERSION || order != BYTE_ORDER_MARK)
		return leat_fail(err, LEAT_E_UNSUPPORTED, "version", 8,
				 "state file of version %u and byte order %08x, wanted version %d and %08x", version,
				 order, LEAT_SNAPSHOT_VERSION, BYTE_ORDER_MARK);
	LEAT_TRY(leat_read_u64(c, "file size", &bytes, err));
	if (bytes != c->size)
		return bad(err, "file size", 16, "bytes of the file", c->size, bytes);
	LEAT_TRY(leat_read_u32(c, "sections", &n, err));
	LEAT_TRY(leat_read_u32(c, "reserved", &zero, err));
	return n == N_SECTIONS && !zero ? LEAT_OK : bad(err, "sections", 24, "sections", n, N_SECTIONS);
}

/* Reads one entry of the table: sections follow each other from *at on. Checks its sum if `check`. */
static enum leat_status read_section(struct leat_cursor *c, int kind, uint64_t *at, int check, struct section *ret,
				     struct leat_error *err)
{
	uint64_t found, offset, bytes, low, high, end;
	const char *name = section_name[kind];
	LEAT_TRY(leat_read_u64(c, name, &found, err));
	LEAT_TRY(leat_read_u64(c, name, &offset, err));
	LEAT_TRY(leat_read_u64(c, name, &bytes, err));
	LEAT_TRY(leat_read_u64(c, name, &low, err));
	LEAT_TRY(leat_read_u64(c, name, &high, err));
	if (found != (uint64_t)kind)
		return bad(err, name, c->pos, "kind of section", found, (uint64_t)kind);
	if (offset != *at)
		return bad(err, name, c->pos, "offset", offset, *at);
	if (leat_add_u64(offset, bytes, &end) || end > c->size - HASH_BYTES)
		return bad(err, name, c->pos, "bytes", bytes, c->size - HASH_BYTES - offset);
	if (check) {
		struct leat_hash128 h = leat_hash128(0, c->data + offset, (size_t)bytes);
		if (h.low != low || h.high != high)
			return bad(err, name, offset, "checksum", h.low, low);
	}
	*ret = (struct section){ c->data + offset, bytes };
	*at = end;
	return LEAT_OK;
}

static enum leat_status read_sections(const void *data, uint64_t n, int all, struct section s[N_SECTIONS + 1],
				      struct leat_error *err)
{
	struct leat_cursor c = { .data = data, .size = n };
	uint64_t at = TABLE_END;
	LEAT_TRY(read_head(&c, err));
	if (n < TABLE_END + HASH_BYTES)
		return bad(err, "file size", 16, "bytes of the file", n, TABLE_END + HASH_BYTES);
	for (int i = 1; i <= N_SECTIONS; i++)
		LEAT_TRY(read_section(&c, i, &at, all || i <= TOKENS, &s[i], err));
	return at == n - HASH_BYTES ? LEAT_OK : bad(err, "file size", 16, "bytes of sections", at, n - HASH_BYTES);
}

static enum leat_status read_spec(struct leat_cursor *c, struct leat_state_spec *t, struct leat_error *err)
{
	uint32_t per_token, heads, cols;
	LEAT_TRY(leat_read_u32(c, "shape", &per_token, err));
	LEAT_TRY(leat_read_u32(c, "shape", &heads, err));
	LEAT_TRY(leat_read_u32(c, "shape", &cols, err));
	if (per_token > 1 || heads < 1 || heads > 1 << 20 || cols < 1 || cols > 1 << 28)
		return bad(err, "shape", c->pos, "elements of a tensor", cols, 1);
	*t = (struct leat_state_spec){ (int)per_token, (int)heads, (int)cols };
	return LEAT_OK;
}

static enum leat_status read_shape(const struct section *s, struct leat_snapshot *x, struct leat_error *err)
{
	struct leat_cursor c = { .data = s->data, .size = s->bytes };
	uint32_t layers, specs;
	uint64_t tokens, fed, first;
	LEAT_TRY(leat_read_u32(&c, "shape", &layers, err));
	LEAT_TRY(leat_read_u32(&c, "shape", &specs, err));
	LEAT_TRY(leat_read_u64(&c, "shape", &tokens, err));
	LEAT_TRY(leat_read_u64(&c, "shape", &fed, err));
	LEAT_TRY(leat_read_u64(&c, "shape", &first, err));
	if (layers < 1 || layers > LEAT_SNAPSHOT_MAX_LAYERS)
		return bad(err, "shape", TABLE_END, "layers", layers, LEAT_SNAPSHOT_MAX_LAYERS);
	if (specs < 1 || specs > LEAT_MAX_STATE_TENSORS)
		return bad(err, "shape", TABLE_END, "tensors", specs, LEAT_MAX_STATE_TENSORS);
	if (tokens > INT32_MAX || fed > tokens || first > fed)
		return bad(err, "shape", TABLE_END, "tokens", tokens, fed);
	x->n_layer = (int)layers;
	x->n_spec = (int)specs;
	x->n_tokens = (int64_t)tokens;
	x->n_fed = (int64_t)fed;
	x->first = (int64_t)first;
	for (int i = 0; i < x->n_spec; i++)
		LEAT_TRY(read_spec(&c, &x->spec[i], err));
	return leat_cursor_left(&c) ? bad(err, "shape", TABLE_END, "bytes too many", leat_cursor_left(&c), 0) : LEAT_OK;
}

/* A copy of the section, if it has the bytes that the shape says. */
static enum leat_status take(const struct section *s, const char *name, uint64_t wanted, void *ret_p,
			     struct leat_error *err)
{
	void *p;
	if (s->bytes != wanted)
		return bad(err, name, LEAT_NO_OFFSET, "bytes", s->bytes, wanted);
	if (!wanted)
		return LEAT_OK;
	p = leat_alloc_aligned((size_t)wanted);
	if (!p)
		return leat_fail(err, LEAT_E_NOMEM, name, LEAT_NO_OFFSET, "out of memory: %llu bytes wanted",
				 (unsigned long long)wanted);
	memcpy(p, s->data, (size_t)wanted);
	memcpy(ret_p, &p, sizeof p);
	return LEAT_OK;
}

static enum leat_status check_hash(const unsigned char *data, uint64_t n, struct leat_error *err)
{
	unsigned char hash[HASH_BYTES];
	struct leat_sha256 sha;
	leat_sha256_init(&sha);
	leat_sha256_add(&sha, data, (size_t)(n - HASH_BYTES));
	leat_sha256_end(&sha, hash);
	if (!memcmp(hash, data + n - HASH_BYTES, HASH_BYTES))
		return LEAT_OK;
	leat_fail(err, LEAT_E_FORMAT, "hash", n - HASH_BYTES, "state file: its SHA-256 is not that of its content");
	leat_err_code(err, "invalid_state_file");
	return LEAT_E_FORMAT;
}

static enum leat_status fill(struct leat_snapshot *x, const void *data, uint64_t n, int all, struct leat_error *err)
{
	struct section s[N_SECTIONS + 1];
	LEAT_TRY(read_sections(data, n, all, s, err));
	if (all)
		LEAT_TRY(check_hash(data, n, err));
	LEAT_TRY(read_shape(&s[SHAPE], x, err));
	if (s[KEY].bytes != KEY_BYTES)
		return bad(err, "key", LEAT_NO_OFFSET, "bytes", s[KEY].bytes, KEY_BYTES);
	memcpy(&x->key, s[KEY].data, KEY_BYTES);
	LEAT_TRY(leat_snapshot_sizes(x, err));
	LEAT_TRY(take(&s[TOKENS], "tokens", (uint64_t)x->n_tokens * sizeof *x->tokens, &x->tokens, err));
	if (s[CELL].bytes != x->cell_bytes || s[ROWS].bytes != x->rows_bytes)
		return bad(err, "rows", LEAT_NO_OFFSET, "bytes of the state", s[CELL].bytes + s[ROWS].bytes,
			   x->cell_bytes + x->rows_bytes);
	if (!all)
		return LEAT_OK;
	LEAT_TRY(take(&s[CELL], "cell", x->cell_bytes, &x->cell, err));
	LEAT_TRY(take(&s[ROWS], "rows", x->rows_bytes, &x->rows, err));
	return leat_snapshot_finite(x, err);
}

static enum leat_status read_any(const void *data, uint64_t n, int all, struct leat_snapshot **ret,
				 struct leat_error *err)
{
	struct leat_snapshot *x = calloc(1, sizeof *x);
	if (!x)
		return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
	atomic_init(&x->refs, 1);
	enum leat_status st = fill(x, data, n, all, err);
	if (st != LEAT_OK) {
		leat_snapshot_unref(x);
		return st;
	}
	*ret = x;
	return LEAT_OK;
}

enum leat_status leat_snapshot_read(const void *data, uint64_t n, struct leat_snapshot **ret, struct leat_error *err)
{
	return read_any(data, n, 1, ret, err);
}

enum leat_status leat_snapshot_read_head(const void *data, uint64_t n, struct leat_snapshot **ret,
					 struct leat_error *err)
{
	return read_any(data, n, 0, ret, err);
}
