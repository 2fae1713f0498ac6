/* store.h - the memory that sequences live in: paged rows per token, cells per sequence.
 *
 * Counts are fixed when the store is created; taking and giving never allocates. A cell holds the per-sequence tensors
 * of all layers in one piece, so a snapshot or a fork is one copy. Owned by the engine's thread. */
#ifndef LEAT_STATE_STORE_H
#define LEAT_STATE_STORE_H

#include "plan/backend.h"

/* One state tensor of a model, shapes resolved. */
struct leat_state_spec {
	int per_token; /* 1: a row for each token (KV); 0: one block per sequence */
	int heads;     /* parts of a row that are stored apart, so that one head's rows are contiguous; 1 for blocks */
	int cols;      /* elements of a part, or of the whole block */
};

struct leat_store {
	const struct leat_backend *backend;
	void *dev;
	struct leat_state_view view;
	int n_cells, n_slots, n_pages;
	size_t cell_bytes;
	size_t cells_bytes, pages_bytes; /* allocated */
	int32_t *free_cell, *free_page, *free_slot; /* stacks */
	int n_free_cell, n_free_page, n_free_slot;
	int32_t *table;        /* [n_slots][view.page_table_cols] */
	int32_t *slot_pages;   /* pages a slot holds */
};

struct leat_store_params {
	const struct leat_backend *backend;
	void *dev;
	const struct leat_state_spec *spec;
	int n_spec, n_layer;
	int n_slots;   /* sequences at a time */
	int n_cells;   /* recurrent states at a time: two per sequence, and snapshots */
	int64_t n_ctx; /* tokens per sequence that pages are provided for */
	int kv_type;   /* LEAT_STORE_F16, LEAT_STORE_F32 */
};
enum { LEAT_STORE_F16, LEAT_STORE_F32 };
enum { LEAT_STORE_PAGE_TOKENS = 64 };

/* E_NOMEM names the bytes wanted. */
enum leat_status leat_store_create(const struct leat_store_params *p, struct leat_store **ret, struct leat_error *err);
void leat_store_destroy(struct leat_store *s);

/* Bytes that one token and one sequence cost. */
uint64_t leat_store_token_bytes(const struct leat_state_spec *spec, int n_spec, int n_layer, int kv_type);
uint64_t leat_store_cell_bytes(const struct leat_state_spec *spec, int n_spec, int n_layer);

/* An index, or -1 when none is free. A taken cell's content is undefined; steps read it only after it was written. */
int leat_cell_take(struct leat_store *s);
void leat_cell_give(struct leat_store *s, int cell);
/* In order with the steps, as backend->copy. */
void leat_cell_copy(struct leat_store *s, int to, int from);
int leat_slot_take(struct leat_store *s);
void leat_slot_give(struct leat_store *s, int slot); /* its pages go back too */

/* Makes sure that rows 0 .. n_tokens - 1 of the slot have pages. 1 if there are not enough (nothing changed). */
int leat_slot_reserve(struct leat_store *s, int slot, int64_t n_tokens);

#endif
