/* test_prefix.c - the prefix index: what it finds is what was kept, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "heap.h"
#include "state/prefix.h"

enum { N = 600 };

static struct leat_prefix *make(struct leat_store *s, uint64_t budget, int window,
				struct leat_hash128 (*hash)(uint64_t, const void *, size_t))
{
	struct leat_prefix_params p = { .store = s, .budget_bytes = budget, .window = window, .hash = hash };
	struct leat_prefix *ix = NULL;
	assert_int_equal(leat_prefix_create(&p, &ix, NULL), LEAT_OK);
	return ix;
}

static struct leat_prefix_key key_of(int model)
{
	struct leat_prefix_key k;
	memset(&k, 0, sizeof k);
	k.model[0] = (unsigned char)model;
	return k;
}

static void tokens_of(int32_t *t, int n, int prompt)
{
	for (int i = 0; i < n; i++)
		t[i] = prompt * 1000 + i;
}

/* Runs tokens[from..to) of a recurrent sequence: the state is the sum of its tokens, wrapped. */
static float sum_of(const int32_t *t, int64_t n)
{
	uint32_t x = 1;
	for (int64_t i = 0; i < n; i++)
		x = x * 31 + (uint32_t)t[i];
	return (float)(x % 65536);
}

/* What the engine does: plans snapshots, "runs" the step, commits. */
static void feed_cells(struct leat_store *s, struct leat_prefix *ix, const struct leat_prefix_key *k, const int32_t *t,
		       int from, int to, const int64_t *asked, int n_asked)
{
	struct leat_checkpoint made[64];
	int n = leat_prefix_plan(ix, k, t, from, to - from, asked, n_asked, made, 64);
	for (int i = 0; i < n; i++)
		*heap_cell(s, made[i].cell) = sum_of(t, from + made[i].row + 1);
	leat_prefix_commit(ix, k, t, from, made, n);
}

/* Every branch of a 600-token prompt reuses all but at most 32 tokens; the same prompt all but one. */
static void test_recurrent_grid(void **state)
{
	struct leat_store *s = heap_store(0, 1, 1, 64, 0, 0);
	struct leat_prefix *ix = make(s, 1 << 20, 0, NULL);
	struct leat_prefix_key k = key_of(1);
	int32_t t[N], b[N];
	int64_t asked[] = { N - 1, 77 };
	int cell = leat_cell_take(s);
	(void)state;
	tokens_of(t, N, 1);
	for (int from = 0; from < N; from += 250)
		feed_cells(s, ix, &k, t, from, from + 250 < N ? from + 250 : N, asked, 2);
	assert_int_equal(leat_prefix_load(ix, &k, t, N - 1, 0, cell), N - 1);
	assert_true(*heap_cell(s, cell) == sum_of(t, N - 1));
	for (int at = 0; at < N; at++) {
		memcpy(b, t, sizeof b);
		b[at] = -5;
		int64_t got = leat_prefix_load(ix, &k, b, N - 1, 0, cell);
		assert_true(got <= at && got > at - 32);
		if (got)
			assert_true(*heap_cell(s, cell) == sum_of(t, got));
		if (at >= 77 && at < 96)
			assert_int_equal(got, 77);
	}
	leat_prefix_destroy(ix);
	leat_cell_give(s, cell);
	assert_int_equal(s->n_free_cell, s->n_cells);
	leat_store_destroy(s);
}

/* Attention: pages of a prompt serve any prompt that begins alike, to the token. */
static void test_pages(void **state)
{
	struct leat_store *s = heap_store(1, 0, 3, 0, 640, -32);
	struct leat_prefix *ix = make(s, (uint64_t)64 * s->view.page_bytes, 0, NULL);
	struct leat_prefix_key k = key_of(1);
	int32_t t[N], b[N];
	int a = leat_slot_take(s), c = leat_slot_take(s);
	(void)state;
	tokens_of(t, N, 1);
	assert_int_equal(leat_slot_reserve(s, a, N), 0);
	for (int i = 0; i < N; i++)
		*heap_row(s, a, i) = t[i];
	leat_prefix_put(ix, &k, t, N, a, -1);
	for (int at = 1; at <= N; at += 37) {
		memcpy(b, t, sizeof b);
		for (int i = at; i < N; i++)
			b[i] = -i;
		assert_int_equal(leat_prefix_peek(ix, &k, b, N), at);
		assert_int_equal(leat_prefix_load(ix, &k, b, N, c, -1), at);
		assert_int_equal(leat_slot_prepare(s, c, at, at < N ? N : N + 1), 0);
		for (int i = 0; i < N; i++)
			if (i < at)
				assert_int_equal(*heap_row(s, c, i), t[i]);
			else
				*heap_row(s, c, i) = -1;
		for (int i = 0; i < N; i++)
			assert_int_equal(*heap_row(s, a, i), t[i]); /* the first owner's rows are its own */
	}
	leat_slot_give(s, a);
	leat_slot_give(s, c);
	assert_int_equal(s->n_pages - s->n_free_page, (N + 63) / 64); /* kept by the index alone */
	leat_prefix_destroy(ix);
	assert_int_equal(s->n_free_page, s->n_pages);
	leat_store_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recurrent_grid),
		cmocka_unit_test(test_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
