/* test_store.c - cells, pages and slots never overlap and all come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/store.h"

static enum leat_status heap_alloc(void *dev, size_t bytes, void **ret, struct leat_error *err)
{
	(void)dev, (void)err;
	*ret = calloc(1, bytes);
	return *ret ? LEAT_OK : LEAT_E_NOMEM;
}

static void heap_free(void *dev, void *p, size_t bytes)
{
	(void)dev, (void)bytes;
	free(p);
}

static const struct leat_backend heap = { .name = "heap", .alloc = heap_alloc, .dealloc = heap_free };

/* One of each kind, as a hybrid model would declare them. */
static const struct leat_state_spec spec[] = { { 1, 2, 8 }, { 1, 2, 8 }, { 0, 1, 24 }, { 0, 1, 10 } };
enum { N_SPEC = 4, N_LAYER = 3, N_SLOTS = 4, N_CELLS = 9 };

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells_do_not_overlap), cmocka_unit_test(test_pages_do_not_overlap),
		cmocka_unit_test(test_slots_own_their_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
