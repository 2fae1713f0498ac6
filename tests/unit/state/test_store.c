/* test_store.c - cells, pages and slots never overlap and all come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heap.h"

static const struct leat_state_spec *const spec = heap_spec;
enum { N_SPEC = 4, N_LAYER = HEAP_LAYERS, N_SLOTS = 4, N_CELLS = 9 };

static struct leat_store *make(int kv_type, int64_t n_ctx)
{
	struct leat_store_params p = { .backend = &heap, .spec = spec, .n_spec = N_SPEC, .n_layer = N_LAYER,
				       .n_slots = N_SLOTS, .n_cells = N_CELLS, .n_ctx = n_ctx, .kv_type = kv_type };
	struct leat_store *s = NULL;
	assert_int_equal(leat_store_create(&p, &s, NULL), LEAT_OK);
	return s;
}

static void test_cells_do_not_overlap(void **state)
{
	struct leat_store *s = make(LEAT_STORE_F16, 100);
	(void)state;
	for (int c = 0; c < N_CELLS; c++)
		for (int t = 2; t < N_SPEC; t++)
			for (int l = 0; l < N_LAYER; l++)
				for (int i = 0; i < spec[t].cols; i++) {
					float *x = leat_state_cell(&s->view, t, l, c) + i;
					assert_true(x >= s->view.cells &&
						    x < s->view.cells + s->view.cell_floats * N_CELLS);
					assert_true(*x == 0); /* nobody else wrote here */
					*x = 1;
				}
	assert_true(s->cell_bytes >= leat_store_cell_bytes(spec, N_SPEC, N_LAYER));
	leat_store_destroy(s);
}

static void test_pages_do_not_overlap(void **state)
{
	struct leat_store *s = make(LEAT_STORE_F32, 130);
	const struct leat_state_view *v = &s->view;
	(void)state;
	assert_int_equal(v->page_table_cols, 3); /* 130 tokens in pages of 64 */
	for (int page = 0; page < s->n_pages; page++)
		for (int t = 0; t < 2; t++)
			for (int l = 0; l < N_LAYER; l++)
				for (int h = 0; h < 2; h++) {
					unsigned char *x = v->pages + (size_t)page * v->page_bytes + v->page_offset[t] +
							   (size_t)l * v->page_layer[t] + (size_t)h * v->page_head[t];
					for (size_t i = 0; i < 64 * 8 * sizeof(float); i++) {
						assert_true(x + i < v->pages + s->pages_bytes);
						assert_int_equal(x[i], 0);
						x[i] = 1;
					}
				}
	assert_int_equal(v->page_bytes, 64 * leat_store_token_bytes(spec, N_SPEC, N_LAYER, LEAT_STORE_F32));
	leat_store_destroy(s);
}

static void test_slots_own_their_pages(void **state)
{
	struct leat_store *s = make(LEAT_STORE_F16, 200);
	char owner[64];
	int slot[N_SLOTS];
	unsigned seed = 7;
	(void)state;
	for (int i = 0; i < N_SLOTS; i++)
		slot[i] = leat_slot_take(s);
	assert_int_equal(leat_slot_take(s), -1);
	for (int round = 0; round < 500; round++) {
		int i = (int)((seed = seed * 1664525u + 1013904223u) >> 16) % N_SLOTS;
		if (round % 7 == 6) {
			leat_slot_give(s, slot[i]);
			slot[i] = leat_slot_take(s);
		} else {
			assert_int_equal(leat_slot_reserve(s, slot[i], 1 + (seed >> 8) % 200), 0);
		}
		memset(owner, 0, sizeof owner);
		for (int k = 0; k < N_SLOTS; k++)
			for (int j = 0; j < s->slot_pages[slot[k]]; j++) {
				int page = s->table[slot[k] * s->view.page_table_cols + j];
				assert_int_equal(owner[page], 0);
				owner[page] = 1;
			}
	}
	assert_int_equal(leat_slot_reserve(s, slot[0], 100000), 1);
	for (int i = 0; i < N_SLOTS; i++)
		leat_slot_give(s, slot[i]);
	assert_int_equal(s->n_free_page, s->n_pages);
	assert_int_equal(s->n_free_slot, N_SLOTS);
	leat_store_destroy(s);
}

/* R53: the figures of Qwen2.5-0.5B, Phi-3-mini and RWKV-7 0.4B, from their shapes. */
static void test_bytes_of_known_models(void **state)
{
	static const struct leat_state_spec qwen[] = { { 1, 2, 64 }, { 1, 2, 64 } };
	static const struct leat_state_spec phi3[] = { { 1, 32, 96 }, { 1, 32, 96 } };
	static const struct leat_state_spec rwkv7[] = { { 0, 1, 1024 }, { 0, 1, 1024 }, { 0, 1, 1024 * 64 } };
	(void)state;
	assert_int_equal(leat_store_token_bytes(qwen, 2, 24, LEAT_STORE_F16), 12288);
	assert_int_equal(leat_store_token_bytes(phi3, 2, 32, LEAT_STORE_F16), 393216);
	assert_int_equal(leat_store_cell_bytes(rwkv7, 3, 24), 1024 * 66 * 24 * 4);
}

/* What each slot should hold, kept beside it. */
enum { CTX = 400 };
struct shadow {
	int slot;
	int64_t n, first;
	int32_t row[CTX];
};

static void check_rows(struct leat_store *s, const struct shadow *h)
{
	for (int64_t i = leat_slot_first(s, h->slot); i < h->n; i++)
		assert_int_equal(*heap_row(s, h->slot, i), h->row[i]);
}

static void append(struct leat_store *s, struct shadow *h, int64_t n, int32_t *next)
{
	if (leat_slot_prepare(s, h->slot, h->n, h->n + n))
		return; /* no pages left */
	for (int64_t i = h->n; i < h->n + n; i++)
		*heap_row(s, h->slot, i) = h->row[i] = (*next)++;
	h->n += n;
}

static void fork_from(struct leat_store *s, struct shadow *to, const struct shadow *from, int64_t n)
{
	leat_slot_truncate(s, to->slot, 0);
	to->n = to->first = 0;
	if (n < from->first || leat_slot_fork(s, to->slot, from->slot, n))
		return;
	memcpy(to->row, from->row, sizeof to->row);
	to->n = n;
	to->first = from->first;
}

/* References and the free list agree, and nobody else changes a slot's rows, whatever is done to the others. */
static void test_shared_pages_hold_what_each_slot_wrote(void **state)
{
	struct leat_store *s = heap_store(1, 0, N_SLOTS, 0, CTX, 14);
	struct shadow h[N_SLOTS];
	unsigned seed = 11;
	int32_t next = 1;
	(void)state;
	memset(h, 0, sizeof h);
	for (int i = 0; i < N_SLOTS; i++)
		h[i].slot = leat_slot_take(s);
	for (int round = 0; round < 20000; round++) {
		unsigned r = (seed = seed * 1664525u + 1013904223u) >> 8;
		struct shadow *x = &h[r % N_SLOTS], *y = &h[r / 4 % N_SLOTS];
		int64_t n = r / 16 % 90;
		switch (r / 2048 % 5) {
		case 0:
		case 1:
			if (x->n + n <= CTX)
				append(s, x, n, &next);
			break;
		case 2:
			if (x != y)
				fork_from(s, x, y, y->n > n ? y->n - n : y->n);
			break;
		case 3:
			if (x->n - n > x->first) {
				x->n -= n;
				leat_slot_truncate(s, x->slot, x->n);
			}
			break;
		default:
			if (x->first + n < x->n) {
				leat_slot_trim(s, x->slot, x->first + n);
				x->first = leat_slot_first(s, x->slot) > x->first + n ? x->first : x->first + n;
			}
		}
		int held = 0, free_pages = 0;
		for (int i = 0; i < N_SLOTS; i++) {
			check_rows(s, &h[i]);
			held += s->slot_pages[i] - s->slot_first[i];
		}
		for (int i = 0; i < s->n_pages; i++) {
			held -= s->page_refs[i];
			free_pages += s->page_refs[i] == 0;
		}
		assert_int_equal(held, 0);
		assert_int_equal(free_pages, s->n_free_page);
	}
	assert_true(s->counts.n_page_copies > 100 && s->counts.n_shared > 100 && s->counts.n_trimmed > 100);
	for (int i = 0; i < N_SLOTS; i++)
		leat_slot_give(s, h[i].slot);
	assert_int_equal(s->n_free_page, s->n_pages);
	leat_store_destroy(s);
}

/* R54: beyond its window a sequence of any length lives in the same few pages. */
static void test_window_is_constant_memory(void **state)
{
	enum { WINDOW = 100, LONG = 100000 };
	struct leat_store *s = heap_store(1, 0, 1, 0, LONG, (WINDOW + 62) / 64 + 2);
	int slot = leat_slot_take(s);
	(void)state;
	for (int64_t i = 0; i < LONG; i++) {
		assert_int_equal(leat_slot_prepare(s, slot, i, i + 1), 0);
		*heap_row(s, slot, i) = (int32_t)i;
		for (int64_t j = i >= WINDOW ? i - WINDOW + 1 : 0; j <= i; j += 33)
			assert_int_equal(*heap_row(s, slot, j), j);
		leat_slot_trim(s, slot, i + 1 - WINDOW + 1);
		assert_true(s->n_pages - s->n_free_page <= (WINDOW + 62) / 64 + 1);
	}
	assert_int_equal(leat_slot_prepare(s, slot, 10, 20), 1); /* gone for good */
	leat_slot_give(s, slot);
	assert_int_equal(s->n_free_page, s->n_pages);
	leat_store_destroy(s);
}

/* R58-R60: one copy for all layers, into a buffer that stays. */
static void test_spill_allocates_once(void **state)
{
	struct leat_store *s = heap_store(0, 1, 2, 4, 0, 0);
	int cell = leat_cell_take(s), other = leat_cell_take(s), spill;
	struct leat_store_counts n;
	(void)state;
	for (int round = 0; round < 10; round++) {
		for (size_t i = 0; i < s->view.cell_floats; i++)
			heap_cell(s, cell)[i] = (float)(i + (size_t)round);
		assert_int_equal(leat_cell_spill(s, cell, &spill, NULL), LEAT_OK);
		memset(heap_cell(s, cell), 0, s->cell_bytes);
		leat_cell_restore(s, other, spill);
		for (size_t i = 0; i < s->view.cell_floats; i++)
			assert_true(heap_cell(s, other)[i] == (float)(i + (size_t)round));
	}
	leat_store_get_counts(s, &n);
	assert_int_equal(n.n_spills, 1);
	assert_int_equal(n.used_spills, 0);
	assert_int_equal(n.used_cells, 2);
	int taken[8], k = 0;
	while (leat_cell_spill(s, cell, &taken[k], NULL) == LEAT_OK)
		k++;
	assert_int_equal(k, 4); /* as many as cells */
	while (k--)
		leat_cell_restore(s, -1, taken[k]);
	leat_store_destroy(s);
}

static void test_page_size(void **state)
{
	struct leat_store_params p = { .backend = &heap, .spec = heap_spec, .n_spec = 2, .n_layer = 1, .n_slots = 1,
				       .n_ctx = 100, .kv_type = LEAT_STORE_F16 };
	struct leat_store *s = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	(void)state;
	for (p.page_tokens = 1; p.page_tokens <= 128; p.page_tokens *= 2) {
		assert_int_equal(leat_store_create(&p, &s, NULL), LEAT_OK);
		assert_int_equal(s->n_pages, (100 + p.page_tokens - 1) / p.page_tokens);
		assert_int_equal(s->view.page_bytes,
				 (uint64_t)p.page_tokens * leat_store_token_bytes(p.spec, 2, 1, p.kv_type));
		leat_store_destroy(s);
	}
	p.page_tokens = 48;
	assert_int_equal(leat_store_create(&p, &s, &err), LEAT_E_ARG);
	assert_string_equal(err.where, "page_tokens");
	p.page_tokens = 0;
	p.n_ctx = INT64_MAX;
	assert_int_equal(leat_store_create(&p, &s, &err), LEAT_E_CONTEXT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells_do_not_overlap), cmocka_unit_test(test_pages_do_not_overlap),
		cmocka_unit_test(test_slots_own_their_pages),
		cmocka_unit_test(test_shared_pages_hold_what_each_slot_wrote),
		cmocka_unit_test(test_window_is_constant_memory), cmocka_unit_test(test_spill_allocates_once),
		cmocka_unit_test(test_page_size), cmocka_unit_test(test_bytes_of_known_models),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
