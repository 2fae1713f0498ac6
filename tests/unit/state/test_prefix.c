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

static struct leat_hash128 always_the_same(uint64_t seed, const void *data, size_t n)
{
	(void)seed, (void)data, (void)n;
	return (struct leat_hash128){ 7, 7 };
}

/* Every hash collides, and still each prompt gets its own state or none: tokens and key are compared. */
static void test_E04_collision(void **state)
{
	struct leat_store *s = heap_store(0, 1, 1, 200, 0, 0);
	struct leat_prefix *ix = make(s, 1 << 20, 0, always_the_same);
	struct leat_prefix_counts n;
	int32_t t[20][70], other[70];
	int cell = leat_cell_take(s);
	(void)state;
	for (int p = 0; p < 20; p++) {
		struct leat_prefix_key k = key_of(p / 10);
		tokens_of(t[p], 70, p % 10);
		feed_cells(s, ix, &k, t[p], 0, 70, (int64_t[]){ 69 }, 1);
	}
	for (int p = 0; p < 20; p++) {
		struct leat_prefix_key k = key_of(p / 10);
		assert_int_equal(leat_prefix_load(ix, &k, t[p], 69, 0, cell), 69);
		assert_true(*heap_cell(s, cell) == sum_of(t[p], 69));
		memcpy(other, t[p], sizeof other);
		other[40]++;
		assert_int_equal(leat_prefix_load(ix, &k, other, 69, 0, cell), 32);
		assert_true(*heap_cell(s, cell) == sum_of(other, 32));
		other[0] = -1;
		assert_int_equal(leat_prefix_load(ix, &k, other, 69, 0, cell), 0);
	}
	leat_prefix_get_counts(ix, &n);
	assert_true(n.n_collisions > 100);
	leat_prefix_destroy(ix);
	leat_store_destroy(s);
}

/* Each field of the key keeps states apart. */
static void test_keys(void **state)
{
	struct leat_store *s = heap_store(0, 1, 1, 8, 0, 0);
	struct leat_prefix *ix = make(s, 1 << 20, 0, NULL);
	struct leat_prefix_key k = key_of(1), o;
	int32_t t[40];
	int cell = leat_cell_take(s);
	(void)state;
	tokens_of(t, 40, 1);
	feed_cells(s, ix, &k, t, 0, 40, NULL, 0);
	assert_int_equal(leat_prefix_peek(ix, &k, t, 40), 32);
	for (size_t i = 0; i < sizeof k; i++) {
		o = k;
		((unsigned char *)&o)[i] ^= 1;
		assert_int_equal(leat_prefix_load(ix, &o, t, 40, 0, cell), 0);
	}
	leat_prefix_destroy(ix);
	leat_store_destroy(s);
}

/* R14: by bytes, the coldest first, and the hot ones survive; the pressure call goes lower. */
static void test_budget(void **state)
{
	struct leat_store *s = heap_store(0, 1, 1, 100, 0, 0);
	uint64_t budget = 40 * s->cell_bytes;
	struct leat_prefix *ix = make(s, budget, 0, NULL);
	struct leat_prefix_key k = key_of(1);
	struct leat_prefix_counts n;
	int32_t t[64], hot[33];
	int cell = leat_cell_take(s);
	(void)state;
	tokens_of(hot, 33, 999);
	feed_cells(s, ix, &k, hot, 0, 33, NULL, 0);
	assert_int_equal(leat_prefix_load(ix, &k, hot, 32, 0, cell), 32);
	for (int p = 0; p < 300; p++) {
		tokens_of(t, 64, p);
		feed_cells(s, ix, &k, t, 0, 20 + p % 45, (int64_t[]){ 20 }, 1); /* one or two, long and short */
		leat_prefix_get_counts(ix, &n);
		assert_true(n.bytes <= budget);
	}
	assert_true(n.n_evicted > 300);
	assert_int_equal(leat_prefix_load(ix, &k, hot, 32, 0, cell), 32);
	assert_int_equal(leat_prefix_peek(ix, &k, t, 20), 20); /* the newest is there */
	leat_prefix_shrink(ix, budget / 4);
	leat_prefix_get_counts(ix, &n);
	assert_true(n.bytes <= budget / 4 && n.n_entries > 0);
	assert_int_equal(leat_prefix_load(ix, &k, hot, 32, 0, cell), 32);
	leat_prefix_shrink(ix, 0);
	leat_prefix_get_counts(ix, &n);
	assert_int_equal(n.n_entries, 0);
	leat_prefix_destroy(ix);
	leat_store_destroy(s);
}

/* Plain least-recently-used over `cap` names, to compare with. */
struct lru {
	int name[64], n, cap, hits;
};

static void lru_use(struct lru *l, int name)
{
	int i = 0;
	while (i < l->n && l->name[i] != name)
		i++;
	if (i < l->n)
		l->hits++;
	else if (l->n < l->cap)
		l->n++;
	else
		i--;
	memmove(l->name + 1, l->name, (size_t)i * sizeof *l->name);
	l->name[0] = name;
}

/* Serves one prompt of one block: 1 if its state was there, else it is computed and kept. */
static int serve(struct leat_store *s, struct leat_prefix *ix, int prompt, int cell)
{
	struct leat_prefix_key k = key_of(1);
	int32_t t[32];
	tokens_of(t, 32, prompt);
	if (leat_prefix_load(ix, &k, t, 32, 0, cell)) {
		assert_true(*heap_cell(s, cell) == sum_of(t, 32));
		return 1;
	}
	feed_cells(s, ix, &k, t, 0, 32, NULL, 0);
	return 0;
}

static void replay(const char *name, const int *trace, int n)
{
	struct leat_store *s = heap_store(0, 1, 1, 80, 0, 0);
	struct leat_prefix *ix = make(s, 32 * s->cell_bytes, 0, NULL);
	struct lru plain = { .cap = 32 }; /* generous: the index pays for its tree from the same budget */
	int hits = 0, cell = leat_cell_take(s);
	for (int i = 0; i < n; i++) {
		hits += serve(s, ix, trace[i], cell);
		lru_use(&plain, trace[i]);
	}
	print_message("%s: %d of %d hit, plain LRU %d\n", name, hits, n, plain.hits);
	assert_true(hits >= plain.hits);
	leat_prefix_destroy(ix);
	leat_store_destroy(s);
}

/* R15: a hot set between scans, and scans alone in between. */
static void test_scan_does_not_evict_the_hot_set(void **state)
{
	enum { TRACE = 20000, HOT = 12 };
	static int trace[TRACE];
	unsigned seed = 5;
	int fresh = 1000;
	(void)state;
	for (int i = 0; i < TRACE; i++) {
		unsigned r = (seed = seed * 1664525u + 1013904223u) >> 8;
		trace[i] = r % 10 < 3 ? (int)(r / 16 % HOT) : fresh++; /* 7 of 10 never come back */
	}
	replay("hot set and scan", trace, TRACE);
	for (int i = 0; i < TRACE; i++) {
		unsigned r = (seed = seed * 1664525u + 1013904223u) >> 8;
		trace[i] = i % 500 < 300 ? (int)(r % HOT) : fresh++; /* 200 new ones in a row */
	}
	replay("hot set, then scan, in turns", trace, TRACE);
}

/* Slots come first: when they need pages or cells, the index gives up what it keeps. */
static void test_slots_take_back(void **state)
{
	struct leat_store *s = heap_store(1, 0, 2, 0, 640, -4);
	struct leat_prefix *ix = make(s, 1 << 24, 0, NULL);
	struct leat_prefix_key k = key_of(1);
	int32_t t[640];
	(void)state;
	for (int round = 0; round < 20; round++) {
		int a = leat_slot_take(s), b = leat_slot_take(s);
		tokens_of(t, 640, 2 * round);
		assert_int_equal(leat_slot_prepare(s, a, 0, 640), 0);
		leat_prefix_put(ix, &k, t, 640, a, -1);
		tokens_of(t, 640, 2 * round + 1);
		assert_int_equal(leat_slot_prepare(s, b, 0, 640), 0);
		leat_prefix_put(ix, &k, t, 640, b, -1);
		leat_slot_give(s, a);
		leat_slot_give(s, b);
	}
	assert_int_equal(leat_prefix_peek(ix, &k, t, 640), 640);
	assert_true(s->counts.n_reclaims > 10);
	leat_prefix_destroy(ix);
	assert_int_equal(s->n_free_page, s->n_pages);
	leat_store_destroy(s);

	s = heap_store(0, 1, 2, 5, 0, 0);
	ix = make(s, 1 << 24, 0, NULL);
	feed_cells(s, ix, &k, t, 0, 640, NULL, 0);
	for (int i = 0; i < 5; i++)
		assert_true(leat_cell_take(s) >= 0);
	assert_int_equal(leat_cell_take(s), -1);
	assert_int_equal(leat_prefix_peek(ix, &k, t, 640), 0);
	leat_prefix_destroy(ix);
	leat_store_destroy(s);
}

/* With a window the rows before it need not be there: a trimmed slot's end serves those that begin alike. */
static void test_window(void **state)
{
	enum { WINDOW = 128 };
	struct leat_store *s = heap_store(1, 0, 2, 0, 640, 0);
	struct leat_prefix *ix = make(s, 1 << 24, WINDOW, NULL);
	struct leat_prefix_key k = key_of(1);
	int32_t t[N];
	int a = leat_slot_take(s), b = leat_slot_take(s);
	(void)state;
	tokens_of(t, N, 3);
	for (int i = 0; i < N; i++) {
		assert_int_equal(leat_slot_prepare(s, a, i, i + 1), 0);
		*heap_row(s, a, i) = t[i];
		leat_slot_trim(s, a, i + 1 - WINDOW + 1);
	}
	leat_prefix_put(ix, &k, t, N, a, -1);
	int64_t got = leat_prefix_load(ix, &k, t, N - 1, b, -1);
	assert_int_equal(got, N - 1);
	for (int64_t i = got - WINDOW + 1; i < got; i++)
		assert_int_equal(*heap_row(s, b, i), t[i]);
	t[300] = -1; /* what lies before the kept pages cannot be continued */
	assert_int_equal(leat_prefix_load(ix, &k, t, N - 1, b, -1), 0);
	leat_prefix_destroy(ix);
	leat_store_destroy(s);
}

/* What a sequence's row or state is after these tokens. */
static int32_t value_of(const int32_t *t, int64_t n)
{
	uint32_t x = 7;
	for (int64_t i = 0; i < n; i++)
		x = x * 31 + (uint32_t)t[i];
	return (int32_t)(x >> 8);
}

/* One request: loads what there is, checks it, computes the rest, keeps it. */
static void random_request(struct leat_store *s, struct leat_prefix *ix, unsigned seed)
{
	struct leat_prefix_key k = key_of((int)(seed >> 29 & 1));
	struct leat_checkpoint made[16];
	int32_t t[300];
	int n = 1 + (int)(seed >> 7) % 299, cell = s->n_cells ? leat_cell_take(s) : -1, slot = leat_slot_take(s);
	for (int i = 0; i < n; i++)
		t[i] = i < 280 && (seed >> (i / 40)) & 1 ? 1 : 2; /* many begin alike */
	int64_t got = leat_prefix_load(ix, &k, t, n - 1, slot, cell);
	assert_true(got < n);
	for (int64_t i = 0; s->view.page_bytes && i < got; i++)
		assert_int_equal(*heap_row(s, slot, i), value_of(t, i + 1));
	if (cell >= 0 && got)
		assert_true(*heap_cell(s, cell) == (float)value_of(t, got));
	if (!leat_slot_prepare(s, slot, got, n)) {
		int64_t asked = n - 1;
		int m = leat_prefix_plan(ix, &k, t, got, (int)(n - got), &asked, 1, made, 16);
		for (int i = 0; i < m; i++)
			*heap_cell(s, made[i].cell) = (float)value_of(t, got + made[i].row + 1);
		for (int64_t i = got; s->view.page_bytes && i < n; i++)
			*heap_row(s, slot, i) = value_of(t, i + 1);
		if (cell >= 0)
			*heap_cell(s, cell) = (float)value_of(t, n);
		if (seed % 13)
			leat_prefix_commit(ix, &k, t, got, made, m);
		else
			leat_prefix_abort(ix, made, m);
		if (!s->n_cells || !s->view.page_bytes)
			leat_prefix_put(ix, &k, t, n, slot, cell);
	}
	leat_cell_give(s, cell);
	leat_slot_give(s, slot);
}

/* Budgets and pools of all sizes: what is found is right, and in the end all comes back. */
static void test_random_requests(void **state)
{
	unsigned seed = 3;
	(void)state;
	for (int round = 0; round < 60; round++) {
		int pages = round % 2, cells = !pages;
		struct leat_store *s = heap_store(pages, cells, 2, 3 + round, 320, pages ? 10 + round / 4 : 0);
		uint64_t unit = pages ? s->view.page_bytes : s->cell_bytes;
		struct leat_prefix *ix = make(s, unit * (uint64_t)(round / 3), 0, round % 5 ? NULL : always_the_same);
		struct leat_prefix_counts n;
		for (int i = 0; i < 200; i++) {
			seed = seed * 1664525u + 1013904223u;
			random_request(s, ix, seed);
			leat_prefix_get_counts(ix, &n);
			assert_true(n.bytes <= n.budget_bytes || !n.n_entries);
			if (seed % 97 == 0)
				leat_prefix_shrink(ix, n.bytes / 2);
		}
		leat_prefix_destroy(ix);
		assert_int_equal(s->n_free_page, s->n_pages);
		assert_int_equal(s->n_free_cell, s->n_cells);
		leat_store_destroy(s);
	}
}

struct seen {
	int n;
	int64_t longest;
};

static int see(void *user, const struct leat_prefix_entry *e)
{
	struct seen *x = user;
	x->n++;
	for (int64_t i = 0; i < e->n_tokens; i++)
		assert_int_equal(e->tokens[i] % 1000, i);
	if (e->n_tokens > x->longest)
		x->longest = e->n_tokens;
	return 0;
}

static void test_each(void **state)
{
	struct leat_store *s = heap_store(0, 1, 1, 40, 0, 0);
	struct leat_prefix *ix = make(s, 1 << 20, 0, NULL);
	struct leat_prefix_key k = key_of(1);
	struct seen x = { 0 };
	int32_t t[N];
	(void)state;
	tokens_of(t, N, 1);
	feed_cells(s, ix, &k, t, 0, N, (int64_t[]){ N - 1 }, 1);
	assert_int_equal(leat_prefix_each(ix, see, &x, NULL), LEAT_OK);
	assert_int_equal(x.n, N / 32 + 1);
	assert_int_equal(x.longest, N - 1);
	leat_prefix_destroy(ix);
	leat_store_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recurrent_grid),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_E04_collision),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_scan_does_not_evict_the_hot_set),
		cmocka_unit_test(test_slots_take_back),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_random_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
