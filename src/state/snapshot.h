/* snapshot.h - the state of one sequence as a thing of its own: out of a store, into one, to bytes and back.
 *
 * Host memory, shareable between threads (immutable once taken or read). The bytes are leat's own format, version 1,
 * little-endian:
 *   "leatstat", u32 version, u32 0x01020304, u64 bytes of the file, u32 sections (5), u32 0
 *   for each section: u32 kind, u32 0, u64 offset, u64 bytes, u64 low and u64 high half of its XXH3-128 (seed 0)
 *   the sections, in order and without gaps:
 *     1 shape   u32 layers, u32 tensors, u64 tokens, u64 tokens fed, u64 first row kept, for each tensor u32
 *               per_token, heads, cols
 *     2 key     struct leat_prefix_key: 112 bytes as they are, then i32 mode, kv_type, rope_long, window
 *     3 tokens  i32 each
 *     4 cell    f32 [tensor][layer][cols], each tensor begins at a multiple of 16 elements; only per-sequence tensors
 *     5 rows    [tensor][layer][head][row][cols] in the cache's type; only per-token tensors
 *   SHA-256 of everything before it. */
#ifndef LEAT_STATE_SNAPSHOT_H
#define LEAT_STATE_SNAPSHOT_H

#include <stdatomic.h>

#include "state/prefix.h"

enum { LEAT_SNAPSHOT_VERSION = 1, LEAT_SNAPSHOT_MAX_LAYERS = 65536 };

struct leat_snapshot {
	atomic_int refs;
	struct leat_prefix_key key;
	struct leat_state_spec spec[LEAT_MAX_STATE_TENSORS];
	int n_spec, n_layer;
	int64_t n_tokens, n_fed;       /* the state is that after n_fed <= n_tokens; the rest is to be fed next */
	int64_t first;                 /* rows first .. n_fed - 1 are held, where there are rows */
	int32_t *tokens;               /* [n_tokens] */
	unsigned char *cell, *rows;    /* NULL: none, or only the head was read */
	uint64_t cell_bytes, rows_bytes;
};

/* Where a sequence's state lies in a store. */
struct leat_snapshot_place {
	const int32_t *tokens;
	int64_t n_tokens, n_fed;
	const int32_t *pages; /* a page table for n_fed rows; NULL: that of `slot` */
	int slot, cell;       /* cell -1: none */
};
/* Copies a state out of a store. E_NOMEM. */
enum leat_status leat_snapshot_take(struct leat_store *s, const struct leat_prefix_key *key,
				    const struct leat_snapshot_place *at, struct leat_snapshot **ret,
				    struct leat_error *err);
/* Fills *ret with what a snapshot of that place would be, without a copy: tokens are borrowed, cell and rows are NULL.
 * For leat_snapshot_id and leat_snapshot_file_bytes. E_FORMAT: an impossible shape. */
enum leat_status leat_snapshot_describe(const struct leat_store *s, const struct leat_prefix_key *key,
					const struct leat_snapshot_place *at, struct leat_snapshot *ret,
					struct leat_error *err);
/* One of no tokens whose per-sequence tensors the caller fills: `cell` is zeroed and laid out as in the file. E_NOMEM.
 */
enum leat_status leat_snapshot_empty(const struct leat_state_spec *spec, int n_spec, int n_layer,
				     const struct leat_prefix_key *key, struct leat_snapshot **ret,
				     struct leat_error *err);
/* Bytes from the begin of `cell` to tensor `i` of layer `layer`. */
uint64_t leat_snapshot_cell_offset(const struct leat_snapshot *x, int i, int layer);
struct leat_snapshot *leat_snapshot_ref(struct leat_snapshot *x);
void leat_snapshot_unref(struct leat_snapshot *x); /* NULL allowed */

/* 64 hexadecimal digits that name what this is the state of: key, shape and tokens. */
void leat_snapshot_id(const struct leat_snapshot *x, char out[65]);

/* E_MISMATCH (state_incompatible), naming what differs: shape and type against the store, all of the key, token ids
 * below n_vocab, rows against the window's need (0: all rows). Changes nothing. */
enum leat_status leat_snapshot_check(const struct leat_snapshot *x, const struct leat_store *s,
				     const struct leat_prefix_key *key, int n_vocab, int window,
				     struct leat_error *err);
/* After check: puts the state into a slot (in place of what it holds) and a cell (-1: none). E_CONTEXT: not enough
 * pages; the slot is empty then. E_NOMEM. */
enum leat_status leat_snapshot_restore(const struct leat_snapshot *x, struct leat_store *s, int slot, int cell,
				       struct leat_error *err);

/* Writes the bytes piece by piece, without a copy of the whole. The sink's failure is returned. */
struct leat_snapshot_sink {
	enum leat_status (*write)(void *user, const void *data, size_t n, struct leat_error *err);
	void *user;
};
enum leat_status leat_snapshot_write(const struct leat_snapshot *x, const struct leat_snapshot_sink *sink,
				     struct leat_error *err);
uint64_t leat_snapshot_file_bytes(const struct leat_snapshot *x);

/* Reads untrusted bytes: all of them are checked (structure, sizes, checksums, SHA-256, finite values) before anything
 * is returned. E_FORMAT, E_UNSUPPORTED (another version or byte order), E_NOMEM. */
enum leat_status leat_snapshot_read(const void *data, uint64_t n, struct leat_snapshot **ret, struct leat_error *err);
/* 1 if the bytes begin as those of a state do. */
int leat_snapshot_is(const void *data, uint64_t n);
/* Only shape, key and tokens, with their checksums: cell and rows stay NULL. For lists; a reader of the state comes
 * back with leat_snapshot_read. */
enum leat_status leat_snapshot_read_head(const void *data, uint64_t n, struct leat_snapshot **ret,
					 struct leat_error *err);

#endif
