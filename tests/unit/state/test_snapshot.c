/* test_snapshot.c - what comes back is what was taken, and nothing else is accepted (HOSTILE P01, P11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "snaps.h"

enum { N = 150, VOCAB = 100000 };

static struct leat_prefix_key key1(void)
{
	struct leat_prefix_key k;
	memset(&k, 0, sizeof k);
	k.model[0] = 1;
	return k;
}

/* Both kinds, either kind; and into a store with another page size. */
static void test_P01_round_trip(void **state)
{
	static const int kinds[3][2] = { { 1, 1 }, { 1, 0 }, { 0, 1 } };
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct leat_store *s = heap_store(kinds[i][0], kinds[i][1], 2, 4, 320, 0);
		struct leat_snapshot *x = snap_make(s, N, 10, 3), *y = NULL;
		struct leat_prefix_key k = key1();
		assert_non_null(x);
		struct snap_bytes b = snap_write(x), c;
		assert_int_equal(b.n, leat_snapshot_file_bytes(x));
		assert_int_equal(leat_snapshot_read(b.data, b.n, &y, NULL), LEAT_OK);
		c = snap_write(y);
		assert_int_equal(c.n, b.n);
		assert_memory_equal(b.data, c.data, b.n);
		assert_int_equal(leat_snapshot_check(y, s, &k, VOCAB, 0, NULL), LEAT_OK);
		int slot = leat_slot_take(s), cell = kinds[i][1] ? leat_cell_take(s) : -1;
		assert_int_equal(leat_snapshot_restore(y, s, slot, cell, NULL), LEAT_OK);
		for (int r = 0; kinds[i][0] && r < N; r++)
			assert_int_equal(*heap_row(s, slot, r), 3);
		for (size_t r = 0; r < s->view.cell_floats; r++)
			assert_true(heap_cell(s, cell)[r] == 3);
		free(b.data);
		free(c.data);
		leat_snapshot_unref(x);
		leat_snapshot_unref(y);
		leat_store_destroy(s);
	}
}

/* Every element of every row, in every tensor, layer and head, through stores of different pages. */
static void test_rows_keep_their_places(void **state)
{
	struct leat_store_params p = { .backend = &heap, .spec = heap_spec, .n_spec = 2, .n_layer = HEAP_LAYERS,
				       .n_slots = 1, .n_ctx = 256, .kv_type = LEAT_STORE_F16, .page_tokens = 16 };
	struct leat_store *a = NULL, *b = heap_store(1, 0, 1, 0, 256, 0);
	struct leat_prefix_key k = key1();
	struct leat_snapshot *x = NULL, *y = NULL;
	int32_t t[N] = { 0 };
	(void)state;
	assert_int_equal(leat_store_create(&p, &a, NULL), LEAT_OK);
	int sa = leat_slot_take(a), sb = leat_slot_take(b);
	assert_int_equal(leat_slot_prepare(a, sa, 0, N), 0);
	for (size_t i = 0; i < a->pages_bytes / 2; i++)
		((uint16_t *)(void *)a->view.pages)[i] = (uint16_t)(i * 7 % 30000); /* finite */
	struct leat_snapshot_place at_a = { .tokens = t, .n_tokens = N, .n_fed = N, .slot = sa, .cell = -1 };
	struct leat_snapshot_place at_b = { .tokens = t, .n_tokens = N, .n_fed = N, .slot = sb, .cell = -1 };
	assert_int_equal(leat_snapshot_take(a, &k, &at_a, &x, NULL), LEAT_OK);
	assert_int_equal(leat_snapshot_restore(x, b, sb, -1, NULL), LEAT_OK);
	assert_int_equal(leat_snapshot_take(b, &k, &at_b, &y, NULL), LEAT_OK);
	assert_int_equal(x->rows_bytes, (uint64_t)N * leat_store_token_bytes(heap_spec, 2, HEAP_LAYERS, p.kv_type));
	assert_memory_equal(x->rows, y->rows, x->rows_bytes);
	for (int i = 0; i < N; i++) { /* tensor 1, layer 2, head 1 of row i, where the view says */
		const struct leat_state_view *v = &a->view;
		size_t page = (size_t)a->table[i / 16], want = page * v->page_bytes + v->page_offset[1] +
							       2 * v->page_layer[1] + v->page_head[1] +
							       (size_t)(i % 16) * 16;
		size_t at = ((size_t)(1 * HEAP_LAYERS + 2) * 2 + 1) * N * 16 + (size_t)i * 16;
		assert_memory_equal(x->rows + at, v->pages + want, 16);
	}
	leat_snapshot_unref(x);
	leat_snapshot_unref(y);
	leat_store_destroy(a);
	leat_store_destroy(b);
}

/* Reads with every byte flipped once, and cut at every length: refused, with a typed error, and nothing returned. */
static void test_P11_flips_and_cuts(void **state)
{
	struct leat_store *s = heap_store(0, 1, 1, 2, 0, 0);
	struct leat_snapshot *x = snap_make(s, 20, 10, 3), *y;
	struct snap_bytes b = snap_write(x);
	struct leat_error err = LEAT_ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < b.n; i++) {
		unsigned char *copy = malloc(i + 1); /* exact: a sanitizer sees reads behind the end */
		enum leat_status st;
		memcpy(copy, b.data, i);
		y = NULL;
		st = leat_snapshot_read(copy, i, &y, &err);
		assert_int_equal(st, LEAT_E_FORMAT);
		assert_null(y);
		free(copy);
		b.data[i] ^= 0x10;
		st = leat_snapshot_read(b.data, b.n, &y, &err);
		assert_true(st == LEAT_E_FORMAT || st == LEAT_E_UNSUPPORTED);
		assert_true(err.message[0] && err.code[0]);
		assert_null(y);
		b.data[i] ^= 0x10;
	}
	assert_int_equal(leat_snapshot_read(b.data, b.n, &y, NULL), LEAT_OK);
	leat_snapshot_unref(y);
	leat_snapshot_unref(x);
	free(b.data);
	leat_store_destroy(s);
}

/* Makes a changed file whole again: sums and hash. */
static void seal(struct snap_bytes *b)
{
	struct leat_sha256 sha;
	for (int i = 0; i < 5; i++) {
		unsigned char *e = b->data + 32 + i * 40;
		uint64_t at, n;
		memcpy(&at, e + 8, 8);
		memcpy(&n, e + 16, 8);
		if (at > b->n || n > b->n - at)
			continue;
		struct leat_hash128 h = leat_hash128(0, b->data + at, n);
		memcpy(e + 24, &h, 16);
	}
	leat_sha256_init(&sha);
	leat_sha256_add(&sha, b->data, b->n - 32);
	leat_sha256_end(&sha, b->data + b->n - 32);
}

/* A file made by somebody who knows the sums: sizes that do not fit, values that are not finite. */
static void test_P11_forged(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		enum leat_status want;
	} forged[] = {
		{ 8, 2, LEAT_E_UNSUPPORTED },            /* version */
		{ 12, 0x04030201, LEAT_E_UNSUPPORTED },  /* byte order */
		{ 24, 6, LEAT_E_FORMAT },                /* sections */
		{ 28, 1, LEAT_E_FORMAT },
		{ 32, 2, LEAT_E_FORMAT },                /* kind */
		{ 40, 0, LEAT_E_FORMAT },                /* offset */
		{ 48 + 4, 0x7fffffff, LEAT_E_FORMAT },   /* bytes, the high half */
		{ 232, 0, LEAT_E_FORMAT },               /* layers */
		{ 232, 0xffffffff, LEAT_E_FORMAT },
		{ 236, 0, LEAT_E_FORMAT },               /* tensors */
		{ 236, 9, LEAT_E_FORMAT },
		{ 240, 0x7fffffff, LEAT_E_FORMAT },      /* tokens */
		{ 244, 0x7fffffff, LEAT_E_FORMAT },
		{ 248, 21, LEAT_E_FORMAT },              /* fed */
		{ 256, 21, LEAT_E_FORMAT },              /* first row */
		{ 264, 2, LEAT_E_FORMAT },               /* per_token */
		{ 268, 0, LEAT_E_FORMAT },               /* heads */
		{ 272, 0, LEAT_E_FORMAT },               /* cols */
		{ 272, 0x10000000, LEAT_E_FORMAT },
		{ 288 + 116, 9, LEAT_E_FORMAT },         /* cache type */
		{ 288 + 128 + 80, 0x7f800000, LEAT_E_FORMAT }, /* first element of the cell */
		{ 288 + 128 + 80, 0xffc00000, LEAT_E_FORMAT },
	};
	struct leat_store *s = heap_store(0, 1, 1, 2, 0, 0);
	struct leat_snapshot *x = snap_make(s, 20, 10, 3), *y = NULL;
	struct snap_bytes b = snap_write(x);
	(void)state;
	for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
		struct snap_bytes c = { malloc(b.n), b.n };
		memcpy(c.data, b.data, b.n);
		memcpy(c.data + forged[i].at, &forged[i].value, 4);
		seal(&c);
		assert_int_equal(leat_snapshot_read(c.data, c.n, &y, NULL), forged[i].want);
		assert_null(y);
		free(c.data);
	}
	seal(&b); /* sealing itself changes nothing */
	assert_int_equal(leat_snapshot_read(b.data, b.n, &y, NULL), LEAT_OK);
	leat_snapshot_unref(x);
	leat_snapshot_unref(y);
	free(b.data);
	leat_store_destroy(s);
}

static void refused(const struct leat_snapshot *x, const struct leat_store *s, const struct leat_prefix_key *k,
		    int n_vocab, const char *where)
{
	struct leat_error err = LEAT_ERROR_INIT;
	assert_int_equal(leat_snapshot_check(x, s, k, n_vocab, 0, &err), LEAT_E_MISMATCH);
	assert_string_equal(err.where, where);
	assert_string_equal(err.code, "state_incompatible");
}

/* A sequence of N rows in blocks of 8 bits, every byte of its rows told apart; *ret_s: the store. */
static struct leat_snapshot *blocks_make(int page_tokens, struct leat_store **ret_s)
{
	static const struct leat_state_spec wide[] = { { 1, 2, 64 }, { 1, 2, 64 } };
	struct leat_store_params p = { .backend = &heap, .spec = wide, .n_spec = 2, .n_layer = HEAP_LAYERS,
				       .n_slots = 2, .n_ctx = 256, .kv_type = LEAT_STORE_Q8_0,
				       .page_tokens = page_tokens };
	struct leat_prefix_key k = key1();
	struct leat_snapshot *x = NULL;
	struct leat_store *s = NULL;
	int32_t t[N] = { 0 };
	assert_int_equal(leat_store_create(&p, &s, NULL), LEAT_OK);
	assert_int_equal(s->view.page_head[0], (size_t)page_tokens * 68);
	int slot = leat_slot_take(s);
	assert_int_equal(leat_slot_prepare(s, slot, 0, N), 0);
	for (size_t i = 0; i < s->pages_bytes; i++)
		s->view.pages[i] = i % 34 == 0 ? 0x12 : i % 34 == 1 ? 0x3c : (unsigned char)(i * 7);
	struct leat_snapshot_place at = { .tokens = t, .n_tokens = N, .n_fed = N, .slot = slot, .cell = -1 };
	assert_int_equal(leat_snapshot_take(s, &k, &at, &x, NULL), LEAT_OK);
	assert_int_equal(x->rows_bytes, (uint64_t)N * leat_store_token_bytes(wide, 2, HEAP_LAYERS, p.kv_type));
	assert_int_equal(x->rows_bytes, N * HEAP_LAYERS * 2 * 2 * 68);
	leat_slot_give(s, slot);
	*ret_s = s;
	return x;
}

/* Rows of Q8_0 come back through pages of another size, and a scale that is not finite, or a shape that has no whole
 * blocks, is refused. */
static void test_P11_rows_in_blocks(void **state)
{
	struct leat_store *a, *b;
	struct leat_snapshot *x = blocks_make(16, &a), *other = blocks_make(64, &b), *y = NULL, *z = NULL;
	struct leat_prefix_key k = key1();
	struct leat_store *f16 = heap_store(1, 0, 1, 0, 256, 0);
	struct snap_bytes bytes = snap_write(x);
	int32_t t[N] = { 0 };
	(void)state;
	assert_int_equal(leat_snapshot_read(bytes.data, bytes.n, &y, NULL), LEAT_OK);
	assert_int_equal(leat_snapshot_check(y, b, &k, VOCAB, 0, NULL), LEAT_OK);
	refused(y, f16, &k, VOCAB, "kv_type");
	int slot = leat_slot_take(b);
	assert_int_equal(leat_snapshot_restore(y, b, slot, -1, NULL), LEAT_OK);
	struct leat_snapshot_place at = { .tokens = t, .n_tokens = N, .n_fed = N, .slot = slot, .cell = -1 };
	assert_int_equal(leat_snapshot_take(b, &k, &at, &z, NULL), LEAT_OK);
	assert_memory_equal(z->rows, x->rows, x->rows_bytes);
	static const struct {
		size_t from_end;
		int add;
		unsigned char value;
	} forged[] = { { 32 + 34, 1, 0x7c }, { 32 + 34, 1, 0xfe }, { 0, 272, 63 }, { 0, 288 + 116, 3 } };
	leat_snapshot_unref(y);
	for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
		struct snap_bytes c = { malloc(bytes.n), bytes.n };
		memcpy(c.data, bytes.data, bytes.n);
		c.data[(forged[i].from_end ? c.n - forged[i].from_end : 0) + (size_t)forged[i].add] = forged[i].value;
		seal(&c);
		y = NULL;
		assert_int_equal(leat_snapshot_read(c.data, c.n, &y, NULL), LEAT_E_FORMAT);
		assert_null(y);
		free(c.data);
	}
	free(bytes.data);
	leat_snapshot_unref(x);
	leat_snapshot_unref(other);
	leat_snapshot_unref(z);
	leat_store_destroy(a);
	leat_store_destroy(b);
	leat_store_destroy(f16);
}

/* Heads that are no multiple of a block. */
static void test_no_blocks(void **state)
{
	struct leat_store_params p = { .backend = &heap, .spec = heap_spec, .n_spec = 2, .n_layer = 1, .n_slots = 1,
				       .n_ctx = 64, .kv_type = LEAT_STORE_Q8_0 };
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_store *s = NULL;
	(void)state;
	assert_int_equal(leat_store_create(&p, &s, &err), LEAT_E_ARG);
	assert_string_equal(err.where, "kv_type");
	assert_non_null(strstr(err.message, "q8_0"));
	assert_null(s);
}

/* A whole file of another model, adapter, mode, shape: refused, naming what differs. */
static void test_P11_other_partner(void **state)
{
	struct leat_store *s = heap_store(1, 1, 1, 2, 128, 0), *r = heap_store(0, 1, 1, 2, 0, 0);
	struct leat_snapshot *x = snap_make(s, 20, 10, 3);
	struct leat_prefix_key k;
	(void)state;
	k = key1();
	k.model[31] = 9;
	refused(x, s, &k, VOCAB, "model");
	k = key1();
	k.adapter[0] = 9;
	refused(x, s, &k, VOCAB, "adapter");
	k = key1();
	k.mode = 1;
	refused(x, s, &k, VOCAB, "mode");
	k = key1();
	k.rope_long = 1;
	refused(x, s, &k, VOCAB, "rope_long");
	k = key1();
	refused(x, s, &k, 29, "tokens");
	refused(x, r, &k, VOCAB, "tensors");
	assert_int_equal(leat_snapshot_check(x, s, &k, 30, 0, NULL), LEAT_OK);
	leat_snapshot_unref(x);
	leat_store_destroy(s);
	leat_store_destroy(r);
}

/* A windowed slot keeps its last rows only, and comes back so. */
static void test_window(void **state)
{
	struct leat_store *s = heap_store(1, 0, 2, 0, 320, 0);
	struct leat_prefix_key k = key1();
	struct leat_snapshot *x = NULL;
	int32_t t[300] = { 0 };
	int a = leat_slot_take(s), b = leat_slot_take(s);
	(void)state;
	assert_int_equal(leat_slot_prepare(s, a, 0, 300), 0);
	for (int i = 0; i < 300; i++)
		*heap_row(s, a, i) = i;
	leat_slot_trim(s, a, 300 - 100 + 1);
	struct leat_snapshot_place at = { .tokens = t, .n_tokens = 300, .n_fed = 300, .slot = a, .cell = -1 };
	assert_int_equal(leat_snapshot_take(s, &k, &at, &x, NULL), LEAT_OK);
	assert_int_equal(x->first, 192);
	assert_int_equal(leat_snapshot_check(x, s, &k, VOCAB, 100, NULL), LEAT_OK);
	assert_int_equal(leat_snapshot_check(x, s, &k, VOCAB, 200, NULL), LEAT_E_MISMATCH);
	assert_int_equal(leat_snapshot_restore(x, s, b, -1, NULL), LEAT_OK);
	assert_int_equal(leat_slot_first(s, b), 192);
	for (int i = 192; i < 300; i++)
		assert_int_equal(*heap_row(s, b, i), i);
	leat_slot_give(s, a);
	leat_slot_give(s, b);
	assert_int_equal(s->n_free_page, s->n_pages);
	leat_snapshot_unref(x);
	leat_store_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_P01_round_trip),
		cmocka_unit_test(test_rows_keep_their_places),
		cmocka_unit_test(test_P11_flips_and_cuts),
		cmocka_unit_test(test_P11_forged),
		cmocka_unit_test(test_P11_rows_in_blocks),
		cmocka_unit_test(test_no_blocks),
		cmocka_unit_test(test_P11_other_partner),
		cmocka_unit_test(test_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
