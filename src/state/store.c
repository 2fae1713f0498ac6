/* store.c - the store, and its cells; pages.c has pages and slots. */
#include "state/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"

uint64_t leat_store_token_bytes(const struct leat_state_spec *spec, int n_spec, int n_layer, int kv_type)
{
	uint64_t n = 0;
	for (int i = 0; i < n_spec; i++)
		if (spec[i].per_token)
			n += (uint64_t)spec[i].heads * leat_kv_row_bytes(kv_type, (size_t)spec[i].cols);
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
			v->page_head[i] = (size_t)v->page_tokens * leat_kv_row_bytes(p->kv_type, cols);
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

/* n >= 0 zeroed elements, counted. */
static void *book(struct leat_store *s, size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);
	s->book_bytes += n * size;
	return p;
}

static int bookkeeping(struct leat_store *s)
{
	struct leat_state_view *v = &s->view;
	size_t slots = (size_t)s->n_slots, cols = (size_t)v->page_table_cols;
	int n;
	s->free_cell = stack(s->n_cells, &s->n_free_cell);
	s->free_page = stack(s->n_pages, &s->n_free_page);
	s->free_slot = stack(s->n_slots, &s->n_free_slot);
	s->book_bytes = ((size_t)s->n_cells + (size_t)s->n_pages + slots) * sizeof(int32_t);
	s->table = book(s, slots * cols, sizeof *s->table);
	s->slot_pages = book(s, slots, sizeof *s->slot_pages);
	s->slot_first = book(s, slots, sizeof *s->slot_first);
	s->page_refs = book(s, (size_t)s->n_pages, sizeof *s->page_refs);
	s->cap_spill = s->n_cells ? s->n_cells : 0;
	s->spill = book(s, (size_t)s->cap_spill, sizeof *s->spill);
	s->free_spill = stack(s->cap_spill, &n);
	s->n_free_spill = n;
	v->page_table = s->table;
	return !s->free_cell || !s->free_page || !s->free_slot || !s->table || !s->slot_pages || !s->slot_first ||
	       !s->page_refs || !s->spill || !s->free_spill;
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

/* Columns of the page table and pages in all. */
static enum leat_status count_pages(struct leat_store *s, const struct leat_store_params *p, struct leat_error *err)
{
	int64_t per_page = s->view.page_tokens, cols, pages;
	if (!s->view.page_bytes)
		return LEAT_OK;
	cols = p->n_ctx / per_page + (p->n_ctx % per_page != 0);
	if (cols > INT32_MAX / 4 / p->n_slots)
		return leat_fail(err, LEAT_E_CONTEXT, "n_ctx", LEAT_NO_OFFSET,
				 "a context of %lld tokens for %d sequences is too much", (long long)p->n_ctx,
				 p->n_slots);
	pages = p->n_pages > 0 ? p->n_pages : cols * p->n_slots - p->n_pages;
	if (pages > INT32_MAX / 2)
		return leat_fail(err, LEAT_E_CONTEXT, "n_pages", LEAT_NO_OFFSET, "%lld pages are too many",
				 (long long)pages);
	s->view.page_table_cols = (int)cols;
	s->n_pages = (int)pages;
	return LEAT_OK;
}

static enum leat_status set_up(struct leat_store *s, const struct leat_store_params *p, struct leat_error *err)
{
	int page_tokens = p->page_tokens ? p->page_tokens : LEAT_STORE_PAGE_TOKENS;
	if (page_tokens < 1 || page_tokens > 65536 || (page_tokens & (page_tokens - 1)))
		return leat_fail(err, LEAT_E_ARG, "page_tokens", LEAT_NO_OFFSET,
				 "pages of %d tokens, wanted a power of two up to 65536", page_tokens);
	for (int i = 0; i < p->n_spec; i++)
		if (p->kv_type == LEAT_STORE_Q8_0 && p->spec[i].per_token && p->spec[i].cols % LEAT_KV_BLOCK)
			return leat_fail(err, LEAT_E_ARG, "kv_type", LEAT_NO_OFFSET,
					 "cache type q8_0 keeps heads in blocks of %d elements, and this model's have "
					 "%d; f16 and f32 take any", LEAT_KV_BLOCK, p->spec[i].cols);
	s->backend = p->backend;
	s->dev = p->dev;
	s->n_cells = p->n_cells;
	s->n_slots = p->n_slots;
	s->n_spec = p->n_spec;
	s->n_layer = p->n_layer;
	memcpy(s->spec, p->spec, (size_t)p->n_spec * sizeof *p->spec);
	s->view.page_tokens = page_tokens;
	s->view.kv_type = p->kv_type;
	lay_out(&s->view, p);
	if (!s->view.cell_floats)
		s->n_cells = 0;
	LEAT_TRY(count_pages(s, p, err));
	if (bookkeeping(s))
		return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
	return allocate(s, err);
}

enum leat_status leat_store_create(const struct leat_store_params *p, struct leat_store **ret, struct leat_error *err)
{
	struct leat_store *s = calloc(1, sizeof *s);
	if (!s)
		return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
	enum leat_status st = set_up(s, p, err);
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
	for (int i = 0; s->spill && i < s->cap_spill; i++)
		free(s->spill[i]);
	free(s->spill);
	free(s->free_spill);
	free(s->free_cell);
	free(s->free_page);
	free(s->free_slot);
	free(s->table);
	free(s->slot_pages);
	free(s->slot_first);
	free(s->page_refs);
	free(s);
}

/* Pages of the system that are there, of `bytes` from p on. */
static uint64_t resident(const void *p, size_t bytes)
{
	enum { AT_ONCE = 4096 };
	unsigned char there[AT_ONCE];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;
	uintptr_t at = (uintptr_t)p / page * page, end = (uintptr_t)p + bytes;
	while (at < end) {
		size_t most = (end - at + page - 1) / page, take = most < AT_ONCE ? most : AT_ONCE;
		void *from;
		memcpy(&from, &at, sizeof from);
		if (mincore(from, take * page, there))
			return bytes;
		for (size_t i = 0; i < take; i++)
			n += there[i] & 1;
		at += take * page;
	}
	return n * page < bytes ? n * page : bytes;
}

uint64_t leat_store_resident(const struct leat_store *s)
{
	return resident(s->view.cells, s->cells_bytes) + resident(s->view.pages, s->pages_bytes);
}

uint64_t leat_store_discard(struct leat_store *s)
{
	if (!s->backend->discard)
		return 0;
	for (int i = 0; i < s->n_free_page; i++)
		s->backend->discard(s->dev, s->view.pages + (size_t)s->free_page[i] * s->view.page_bytes,
				    s->view.page_bytes);
	for (int i = 0; i < s->n_free_cell; i++)
		s->backend->discard(s->dev, s->view.cells + (size_t)s->free_cell[i] * s->view.cell_floats,
				    s->cell_bytes);
	return (uint64_t)s->n_free_page * s->view.page_bytes + (uint64_t)s->n_free_cell * s->cell_bytes;
}

void leat_store_get_counts(const struct leat_store *s, struct leat_store_counts *ret)
{
	*ret = s->counts;
	ret->n_pages = s->n_pages;
	ret->used_pages = s->n_pages - s->n_free_page;
	ret->n_cells = s->n_cells;
	ret->used_cells = s->n_cells - s->n_free_cell;
	ret->used_spills = s->cap_spill - s->n_free_spill;
}

/* ---- cells ---- */

int leat_cell_take(struct leat_store *s)
{
	if (!s->n_free_cell && s->reclaim && s->n_cells) {
		s->counts.n_reclaims++;
		s->reclaim(s->reclaim_user, 0, 1);
	}
	if (!s->n_free_cell)
		return -1;
	int used = s->n_cells - --s->n_free_cell;
	if (used > s->counts.peak_cells)
		s->counts.peak_cells = used;
	return s->free_cell[s->n_free_cell];
}

void leat_cell_give(struct leat_store *s, int cell)
{
	if (cell >= 0)
		s->free_cell[s->n_free_cell++] = cell;
}

static float *cell_at(const struct leat_store *s, int cell)
{
	return s->view.cells + (size_t)cell * s->view.cell_floats;
}

void leat_cell_copy(struct leat_store *s, int to, int from)
{
	s->backend->copy(s->dev, cell_at(s, to), cell_at(s, from), s->cell_bytes);
}

void leat_cell_read(struct leat_store *s, int cell, void *dst)
{
	s->backend->copy(s->dev, dst, cell_at(s, cell), s->cell_bytes);
}

void leat_cell_write(struct leat_store *s, int cell, const void *src)
{
	s->backend->copy(s->dev, cell_at(s, cell), src, s->cell_bytes);
}

enum leat_status leat_cell_spill(struct leat_store *s, int cell, int *ret, struct leat_error *err)
{
	if (!s->n_free_spill)
		return leat_fail(err, LEAT_E_LIMIT, "state", LEAT_NO_OFFSET, "all %d copies of states are in use",
				 s->cap_spill);
	int i = s->free_spill[s->n_free_spill - 1];
	if (!s->spill[i]) {
		s->spill[i] = leat_alloc_aligned(s->cell_bytes);
		if (!s->spill[i])
			return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET,
					 "out of memory: %zu bytes wanted for a copy of a state", s->cell_bytes);
		s->counts.n_spills++;
	}
	s->n_free_spill--;
	leat_cell_read(s, cell, s->spill[i]);
	*ret = i;
	return LEAT_OK;
}

void leat_cell_restore(struct leat_store *s, int cell, int spill)
{
	if (cell >= 0)
		leat_cell_write(s, cell, s->spill[spill]);
	s->free_spill[s->n_free_spill++] = spill;
}
