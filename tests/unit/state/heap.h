/* heap.h - a backend that only has memory, and small stores on it: shared by the tests of state. */
#ifndef LEAT_TESTS_UNIT_STATE_HEAP_H
#define LEAT_TESTS_UNIT_STATE_HEAP_H

#include <stdlib.h>
#include <string.h>

#include "state/store.h"

static inline enum leat_status heap_alloc(void *dev, size_t bytes, void **ret, struct leat_error *err)
{
	(void)dev;
	*ret = calloc(1, bytes);
	return *ret ? LEAT_OK : leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
}

static inline void heap_free(void *dev, void *p, size_t bytes)
{
	(void)dev, (void)bytes;
	free(p);
}

static inline void heap_copy(void *dev, void *dst, const void *src, size_t bytes)
{
	(void)dev;
	memmove(dst, src, bytes);
}

static const struct leat_backend heap = { .name = "heap", .alloc = heap_alloc, .dealloc = heap_free,
					  .copy = heap_copy };

/* One of each kind, as a hybrid model would declare them: pages are the first two, cells the last two. */
static const struct leat_state_spec heap_spec[] = { { 1, 2, 8 }, { 1, 2, 8 }, { 0, 1, 24 }, { 0, 1, 10 } };
enum { HEAP_LAYERS = 3 };

/* n_pages as in leat_store_params; pages or cells may be left out. */
static inline struct leat_store *heap_store(int with_pages, int with_cells, int n_slots, int n_cells, int64_t n_ctx,
					    int n_pages)
{
	struct leat_store_params p = { .backend = &heap, .spec = heap_spec + (with_pages ? 0 : 2),
				       .n_spec = (with_pages ? 2 : 0) + (with_cells ? 2 : 0), .n_layer = HEAP_LAYERS,
				       .n_slots = n_slots, .n_cells = n_cells, .n_ctx = n_ctx,
				       .kv_type = LEAT_STORE_F16, .n_pages = n_pages };
	struct leat_store *s = NULL;
	return leat_store_create(&p, &s, NULL) == LEAT_OK ? s : NULL;
}

/* A row of an attention sequence, told apart by one value: written to and read from its page. */
static inline int32_t *heap_row(struct leat_store *s, int slot, int64_t i)
{
	const struct leat_state_view *v = &s->view;
	int32_t page = s->table[(int64_t)slot * v->page_table_cols + i / v->page_tokens];
	return (int32_t *)(void *)(v->pages + (size_t)page * v->page_bytes + (size_t)(i % v->page_tokens) * 4);
}

/* The recurrent state of a sequence, told apart by one value. */
static inline float *heap_cell(struct leat_store *s, int cell)
{
	return s->view.cells + (size_t)cell * s->view.cell_floats;
}

#endif
