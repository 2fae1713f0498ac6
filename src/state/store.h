/* store.h - the memory that sequences live in: paged rows per token, cells per sequence.
 *
 * Counts are fixed when the store is created; taking and giving never allocates. A cell holds the per-sequence tensors
 * of all layers in one piece, so a snapshot or a fork is one copy. Pages have reference counts: slots may share them,
 * with each other and with the prefix index, and a slot that is about to write into a shared page gets a copy of its
 * own first (leat_slot_prepare). Owned by the engine's thread. */
#ifndef LEAT_STATE_STORE_H
#define LEAT_STATE_STORE_H

#include "plan/backend.h"

/* One state tensor of a model, shapes resolved. */
struct leat_state_spec {
	int per_token; /* 1: a row for each token (KV); 0: one block per sequence */
	int heads;     /* parts of a row that are stored apart, so that one head's rows are contiguous; 1 for blocks */
	int cols;      /* elements of a part, or of the whole block */
};

/* What happened since the store was created, and how full it is. */
struct leat_store_counts {
	int n_pages, used_pages, peak_pages; /* a shared page counts once */
	int n_cells, used_cells, peak_cells;
	int n_spills, used_spills;           /* host copies that were ever allocated, and those in use */
	uint64_t n_shared, n_page_copies;    /* pages taken over by reference; copied since they were shared */
	uint64_t n_trimmed;                  /* pages given back by windows */
	uint64_t n_reclaims;                 /* times that the prefix index was asked to give memory back */
};

/* Asked when pages or cells run out: give back at least so many (by leat_page_unref, leat_cell_give) if you can. */
typedef void leat_store_reclaim_fn(void *user, int n_pages, int n_cells);

struct leat_store {
	const struct leat_backend *backend;
	void *dev;
	struct leat_state_view view;
	struct leat_state_spec spec[LEAT_MAX_STATE_TENSORS];
	int n_spec, n_layer;
	int n_cells, n_slots, n_pages;
	size_t cell_bytes;
	size_t cells_bytes, pages_bytes, book_bytes; /* allocated */
	int32_t *free_cell, *free_page, *free_slot;  /* stacks */
	int n_free_cell, n_free_page, n_free_slot;
	int32_t *table;      /* [n_slots][view.page_table_cols]; LEAT_NO_PAGE in front of a trimmed slot */
	int32_t *slot_pages; /* columns of the table that a slot uses, trimmed ones too */
	int32_t *slot_first; /* leading columns that are LEAT_NO_PAGE */
	int32_t *page_refs;  /* 0: free */
	float **spill;       /* host copies of cells, allocated when first needed and kept */
	int32_t *free_spill;
	int n_free_spill, cap_spill;
	struct leat_store_counts counts;
	leat_store_reclaim_fn *reclaim; /* NULL: none */
	void *reclaim_user;
};
enum { LEAT_NO_PAGE = -1 };

struct leat_store_params {
	const struct leat_backend *backend;
	void *dev;
	const struct leat_state_spec *spec;
	int n_spec, n_layer;
	int n_slots;     /* sequences at a time */
	int n_cells;     /* recurrent states at a time: two per sequence, and snapshots */
	int64_t n_ctx;   /* tokens per sequence that page tables hold */
	int kv_type;     /* LEAT_STORE_F16, LEAT_STORE_F32; LEAT_STORE_Q8_0: cols of per-token tensors in 32s, E_ARG */
	int page_tokens; /* 0: LEAT_STORE_PAGE_TOKENS; a power of two */
	int n_pages;     /* 0: n_ctx tokens for every slot; < 0: that, and -n_pages more (for the prefix index) */
};
enum { LEAT_STORE_F16 = LEAT_KV_F16, LEAT_STORE_F32 = LEAT_KV_F32, LEAT_STORE_Q8_0 = LEAT_KV_Q8_0 };
enum { LEAT_STORE_PAGE_TOKENS = 64 };

/* E_NOMEM names the bytes wanted. E_ARG: page_tokens. E_CONTEXT: more pages than can be numbered. */
enum leat_status leat_store_create(const struct leat_store_params *p, struct leat_store **ret, struct leat_error *err);
void leat_store_destroy(struct leat_store *s);

/* Bytes that one token and one sequence cost. */
uint64_t leat_store_token_bytes(const struct leat_state_spec *spec, int n_spec, int n_layer, int kv_type);
uint64_t leat_store_cell_bytes(const struct leat_state_spec *spec, int n_spec, int n_layer);
/* Bytes of cells and pages that are memory by now; all of them where the system does not tell. */
uint64_t leat_store_resident(const struct leat_store *s);
/* Pages and cells that nobody uses go back to the system until they are used again. Returns how many bytes that can
 * be at most. */
uint64_t leat_store_discard(struct leat_store *s);
void leat_store_get_counts(const struct leat_store *s, struct leat_store_counts *ret);

/* ---- cells ---- */

/* An index, or -1 when none is free and none was reclaimed. A taken cell's content is undefined; steps read it only
 * after it was written. */
int leat_cell_take(struct leat_store *s);
void leat_cell_give(struct leat_store *s, int cell); /* -1 allowed */
/* In order with the steps, as backend->copy. */
void leat_cell_copy(struct leat_store *s, int to, int from);
/* One copy of all layers to and from host memory of cell_bytes bytes; it has happened when they return. */
void leat_cell_read(struct leat_store *s, int cell, void *dst);
void leat_cell_write(struct leat_store *s, int cell, const void *src);

/* Host buffers of cell_bytes for preempted sequences: an index. The first uses allocate (E_NOMEM), later ones reuse. */
enum leat_status leat_cell_spill(struct leat_store *s, int cell, int *ret, struct leat_error *err);
/* Copies back and gives the buffer back; cell -1: only gives it back. */
void leat_cell_restore(struct leat_store *s, int cell, int spill);

/* ---- slots ---- */

int leat_slot_take(struct leat_store *s);
void leat_slot_give(struct leat_store *s, int slot); /* its pages go back too; -1 allowed */

/* Makes sure that rows 0 .. n_tokens - 1 of the slot have pages (rows that were trimmed stay away). 1 if there are not
 * enough (nothing changed), also after reclaiming. */
int leat_slot_reserve(struct leat_store *s, int slot, int64_t n_tokens);
/* The same, and rows from `first` on are the slot's own: pages of them that are shared are copied. Call before a step
 * writes rows first .. n_tokens - 1. 1 if there are not enough pages (what was made the slot's own stays so), or if
 * `first` lies before what was trimmed. */
int leat_slot_prepare(struct leat_store *s, int slot, int64_t first, int64_t n_tokens);
/* Makes the empty slot `to` hold the first n_tokens rows of `from`: whole pages are shared, the last one is copied if
 * it is not whole. 1 if no page is left for that (nothing changed). n_tokens must not lie before what was trimmed. */
int leat_slot_fork(struct leat_store *s, int to, int from, int64_t n_tokens);
/* The empty slot begins with these pages, which it then shares; LEAT_NO_PAGE only in front. */
void leat_slot_share(struct leat_store *s, int slot, const int32_t *pages, int n_pages);
/* The empty slot begins with row `first`, as if what lies before had been trimmed. */
void leat_slot_skip(struct leat_store *s, int slot, int64_t first);
/* Forgets rows from n_tokens on: pages wholly behind them go back. */
void leat_slot_truncate(struct leat_store *s, int slot, int64_t n_tokens);
/* Rows before `first` are never read again (a sliding window has passed): pages wholly before it go back. */
void leat_slot_trim(struct leat_store *s, int slot, int64_t first);
/* The first row that the slot still has pages for. */
int64_t leat_slot_first(const struct leat_store *s, int slot);

/* ---- pages, for the prefix index ---- */

void leat_page_ref(struct leat_store *s, int page);
void leat_page_unref(struct leat_store *s, int page); /* LEAT_NO_PAGE allowed */
/* A page of the caller's own with reference count 1, reclaimed if need be; LEAT_NO_PAGE. */
int leat_page_take(struct leat_store *s);
/* Whole pages in order with the steps; and to and from host memory of view.page_bytes bytes. */
void leat_page_copy(struct leat_store *s, int to, int from);
void leat_page_read(struct leat_store *s, int page, void *dst);
void leat_page_write(struct leat_store *s, int page, const void *src);
/* How many pages could be had for slots: the free ones. Those of the prefix index come on top by reclaiming. */
static inline int leat_pages_free(const struct leat_store *s)
{
	return s->n_free_page;
}

#endif
