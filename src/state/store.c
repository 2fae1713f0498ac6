/* store.c - cells, pages and slots. */
#include "state/store.h"

#include <stdlib.h>

static size_t elem_bytes(int kv_type)
{
	return kv_type == LEAT_STORE_F16 ? 2 : 4;
}

uint64_t leat_store_token_bytes(const struct leat_state_spec *spec, int n_spec, int n_layer, int kv_type)
{
	uint64_t n = 0;
	for (int i = 0; i < n_spec; i++)
		if (spec[i].per_token)
			n += (uint64_t)spec[i].heads * (uint64_t)spec[i].cols * elem_bytes(kv_type);
	return n * (uint64_t)n_layer;
}

uint64_t leat_store_cell_bytes(const struct leat_state_spec *spec, int n_spec, int n_layer)
{
	uint64_t n = 0;
	for (int i = 0; i < n_spec; i++)
		if (!spec[i].per_token)
			n += (uint64_t)spec[i].cols * sizeof(float);
	return n * (uint64_t)n_layer;
}

/* Offsets of every tensor in a cell and in a page: [tensor][layer], and heads apart inside a page. */
static void lay_out(struct leat_state_view *v, const struct leat_store_params *p)
{
	for (int i = 0; i < p->n_spec; i++) {
		const struct leat_state_spec *t = &p->spec[i];
		size_t layers = (size_t)p->n_layer, cols = (size_t)t->cols;
		if (t->per_token) {
			v->page_head[i] = (size_t)v->page_tokens * cols * elem_bytes(p->kv_type);
			v->page_layer[i] = v->page_head[i] * (size_t)t->heads;
			v->page_offset[i] = v->page_bytes;
			v->page_bytes += v->page_layer[i] * layers;
		} else {
			v->cell_layer[i] = cols;
			v->cell_offset[i] = v->cell_floats;
			v->cell_floats += (cols * layers + 15) / 16 * 16;
		}
	}
}

static int32_t *stack(int n, int *ret_n)
{
	int32_t *s = malloc((size_t)(n > 0 ? n : 1) * sizeof *s);
	for (int i = 0; s && i < n; i++)
		s[i] = n - 1 - i;
	*ret_n = s ? n : 0;
	return s;
}

static int bookkeeping(struct leat_store *s)
{
	struct leat_state_view *v = &s->view;
	s->free_cell = stack(s->n_cells, &s->n_free_cell);
	s->free_page = stack(s->n_pages, &s->n_free_page);
	s->free_slot = stack(s->n_slots, &s->n_free_slot);
	s->table = calloc((size_t)s->n_slots * (size_t)(v->page_table_cols ? v->page_table_cols : 1), sizeof *s->table);
	s->slot_pages = calloc((size_t)s->n_slots, sizeof *s->slot_pages);
	v->page_table = s->table;
	return !s->free_cell || !s->free_page || !s->free_slot || !s->table || !s->slot_pages;
}

static enum leat_status allocate(struct leat_store *s, struct leat_error *err)
{
	struct leat_state_view *v = &s->view;
	void *p;
	s->cell_bytes = v->cell_floats * sizeof(float);
	if (v->cell_floats) {
		LEAT_TRY(s->backend->alloc(s->dev, s->cell_bytes * (size_t)s->n_cells, &p, err));
		v->cells = p;
		s->cells_bytes = s->cell_bytes * (size_t)s->n_cells;
	}
	if (s->n_pages) {
		LEAT_TRY(s->backend->alloc(s->dev, v->page_bytes * (size_t)s->n_pages, &p, err));
		v->pages = p;
		s->pages_bytes = v->page_bytes * (size_t)s->n_pages;
	}
	return LEAT_OK;
}

enum leat_status leat_store_create(const struct leat_store_params *p, struct leat_store **ret, struct leat_error *err)
{
	struct leat_store *s = calloc(1, sizeof *s);
	if (!s)
		return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
	s->backend = p->backend;
	s->dev = p->dev;
	s->n_cells = p->n_cells;
	s->n_slots = p->n_slots;
	s->view.page_tokens = LEAT_STORE_PAGE_TOKENS;
	s->view.kv_type = p->kv_type;
	lay_out(&s->view, p);
	int64_t cols = s->view.page_bytes ? (p->n_ctx + LEAT_STORE_PAGE_TOKENS - 1) / LEAT_STORE_PAGE_TOKENS : 0;
	enum leat_status st = LEAT_OK;
	if (cols * p->n_slots > INT32_MAX / 2) {
		st = leat_fail(err, LEAT_E_CONTEXT, "n_ctx", LEAT_NO_OFFSET,
			       "a context of %lld tokens for %d sequences is too much", (long long)p->n_ctx,
			       p->n_slots);
	} else {
		s->view.page_table_cols = (int)cols;
		s->n_pages = (int)cols * p->n_slots;
		if (!s->view.cell_floats)
			s->n_cells = 0;
		if (bookkeeping(s))
			st = leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
		else
			st = allocate(s, err);
	}
	if (st != LEAT_OK) {
		leat_store_destroy(s);
		return st;
	}
	*ret = s;
	return LEAT_OK;
}

void leat_store_destroy(struct leat_store *s)
{
	if (!s)
		return;
	if (s->view.cells)
		s->backend->dealloc(s->dev, s->view.cells, s->cells_bytes);
	if (s->view.pages)
		s->backend->dealloc(s->dev, s->view.pages, s->pages_bytes);
	free(s->free_cell);
	free(s->free_page);
	free(s->free_slot);
	free(s->table);
	free(s->slot_pages);
	free(s);
}

int leat_cell_take(struct leat_store *s)
{
	return s->n_free_cell ? s->free_cell[--s->n_free_cell] : -1;
}

void leat_cell_give(struct leat_store *s, int cell)
{
	if (cell >= 0)
		s->free_cell[s->n_free_cell++] = cell;
}

void leat_cell_copy(struct leat_store *s, int to, int from)
{
	float *cells = s->view.cells;
	s->backend->copy(s->dev, cells + (size_t)to * s->view.cell_floats, cells + (size_t)from * s->view.cell_floats,
			 s->cell_bytes);
}

int leat_slot_take(struct leat_store *s)
{
	return s->n_free_slot ? s->free_slot[--s->n_free_slot] : -1;
}

void leat_slot_give(struct leat_store *s, int slot)
{
	if (slot < 0)
		return;
	const int32_t *row = s->table + (size_t)slot * (size_t)s->view.page_table_cols;
	while (s->slot_pages[slot] > 0)
		s->free_page[s->n_free_page++] = row[--s->slot_pages[slot]];
	s->free_slot[s->n_free_slot++] = slot;
}

int leat_slot_reserve(struct leat_store *s, int slot, int64_t n_tokens)
{
	if (!s->view.page_bytes)
		return 0;
	int64_t need = (n_tokens + LEAT_STORE_PAGE_TOKENS - 1) / LEAT_STORE_PAGE_TOKENS;
	if (need > s->view.page_table_cols || need - s->slot_pages[slot] > s->n_free_page)
		return 1;
	int32_t *row = s->table + (size_t)slot * (size_t)s->view.page_table_cols;
	while (s->slot_pages[slot] < need)
		row[s->slot_pages[slot]++] = s->free_page[--s->n_free_page];
	return 0;
}
