/* test_limits.c - engines at their limits: the context, the pool of pages, the queue, sessions that hold everything,
 * values that are not finite, long runs. Rows E of HOSTILE.md by their ids. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/request.h"
#include "support/worlds.h"

static struct leat_error err = LEAT_ERROR_INIT;
static struct world *worlds[WORLD_DEMOS];
enum { RECURRENT, ATTENTION };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 5 }; /* a sample will do */
#else
enum { SLOWER = 1 };
#endif

#define MUST(call)                                    \
	do {                                          \
		if ((call) != LEAT_OK)                \
			fail_msg("%s", err.message);  \
	} while (0)

static int open_all(void **state)
{
	(void)state;
	for (int m = 0; m < WORLD_DEMOS; m++)
		worlds[m] = world_open(world_file(m), LEAT_MODE_DETERMINISTIC);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	for (int m = 0; m < WORLD_DEMOS; m++)
		world_close(worlds[m]);
	return 0;
}

static struct leat_engine_params engine_params(int n_seqs)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	p.n_threads = 1;
	p.n_seqs = n_seqs;
	p.n_ctx = WORLD_N_CTX;
	p.mode = LEAT_MODE_DETERMINISTIC;
	return p;
}

static struct leat_request *submit(struct leat_engine *e, const struct leat_request_params *p)
{
	struct leat_request *r;
	MUST(leat_request_submit(e, p, &r, &err));
	return r;
}

static int read_one(struct leat_request *r, struct answer *a)
{
	struct leat_token t = LEAT_TOKEN_INIT;
	MUST(leat_request_next(r, &t, &err));
	return answer_add(a, &t);
}

static void read_all(struct leat_request *r, struct answer *a)
{
	memset(a, 0, sizeof *a);
	while (!read_one(r, a))
		;
}

static void assert_as_alone(const struct world *w, int kind, const struct answer *a)
{
	const char *what = world_judge(w, kind, a);
	if (what)
		fail_msg("request %d: %s differ from those of the request alone", kind, what);
}

/* ---- E01 to E03: context and pool ---- */

static void test_E01_prompts_around_the_context(void **state)
{
	static const int64_t long_answers[] = { -1, 1000, INT64_MAX };
	(void)state;
	for (int m = 0; m < WORLD_DEMOS; m++) {
		struct leat_engine_params ep = engine_params(1);
		ep.n_ctx = 64;
		struct leat_engine *e = world_engine(worlds[m], &ep);
		struct leat_request_params p = worlds[m]->p[9];
		struct leat_request *r = NULL;
		struct answer a;
		p.n_tokens = 65;
		assert_int_equal(leat_request_submit(e, &p, &r, &err), LEAT_E_CONTEXT);
		p.n_tokens = 0;
		assert_int_equal(leat_request_submit(e, &p, &r, &err), LEAT_E_ARG);
		p.n_tokens = UINT64_MAX;
		assert_int_equal(leat_request_submit(e, &p, &r, &err), LEAT_E_CONTEXT);
		p.n_tokens = 4;
		p.max_tokens = INT64_MIN;
		assert_int_equal(leat_request_submit(e, &p, &r, &err), LEAT_E_ARG);
		assert_null(r);
		for (int i = 0; i < 3; i++) {
			p.max_tokens = long_answers[i];
			for (p.n_tokens = 63; p.n_tokens <= 64; p.n_tokens++) {
				r = submit(e, &p);
				read_all(r, &a);
				assert_int_equal(a.n, 65 - p.n_tokens); /* the last one is drawn, and not fed */
				assert_int_equal(a.finish, LEAT_FINISH_LENGTH);
				leat_request_unref(r);
			}
		}
		leat_engine_unref(e);
	}
}

/* Eight grow to three pages each, and there are eight in all: some are put aside, and all get their whole answer. */
static void test_E02_a_pool_that_all_exhaust(void **state)
{
	enum { N = 8 };
	static struct answer want[N], got[N];
	struct leat_engine_params ep = engine_params(N);
	struct leat_engine_load load = { .struct_size = sizeof load };
	struct leat_request_params p[N];
	struct leat_request *r[N];
	(void)state;
	memset(got, 0, sizeof got);
	struct leat_engine *e = world_engine(worlds[ATTENTION], &ep);
	for (int i = 0; i < N; i++) {
		p[i] = worlds[ATTENTION]->p[i % 2 ? 4 : 11];
		p[i].seed = (uint64_t)i;
		p[i].max_tokens = 150;
		answer_alone(e, &p[i], &want[i]);
	}
	leat_engine_unref(e);
	ep.cache_tokens = 512;
	e = world_engine(worlds[ATTENTION], &ep);
	for (int i = 0; i < N; i++)
		r[i] = submit(e, &p[i]);
	for (int left = N; left;)
		for (int i = 0; i < N; i++)
			if (r[i] && read_one(r[i], &got[i])) {
				assert_null(answer_difference(&want[i], &got[i]));
				leat_request_unref(r[i]);
				r[i] = NULL;
				left--;
			}
	leat_engine_get_load(e, &load);
	assert_true(load.n_preempted > 0);
	assert_int_equal(e->store->n_free_page, e->store->n_pages);
	leat_engine_unref(e);
}

/* A level of priority counts as ten seconds: whoever came eleven seconds earlier goes before it, and not after that. */
static void test_E02_nobody_starves(void **state)
{
	static const int64_t s = 1000000000;
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct leat_engine_params ep = engine_params(1);
		struct leat_engine *e = world_engine(worlds[ATTENTION], &ep);
		struct leat_request_params p = worlds[ATTENTION]->p[11];
		struct leat_request_stats a = { .struct_size = sizeof a };
		struct leat_request *first = submit(e, &p), *second;
		struct answer got;
		p.priority = 1;
		second = submit(e, &p);
		first->submitted_ns -= (uint64_t)((late ? 9 : 11) * s); /* nobody has looked at it yet */
		read_all(second, &got);
		leat_request_get_stats(first, &a);
		assert_int_equal(a.n_generated > 0, !late);
		read_all(first, &got);
		leat_request_unref(first);
		leat_request_unref(second);
		leat_engine_unref(e);
	}
}

static void test_E03_larger_than_the_pool(void **state)
{
	struct leat_engine_params ep = engine_params(2);
	struct leat_request *r = NULL;
	(void)state;
	ep.cache_tokens = 128;
	struct leat_engine *e = world_engine(worlds[ATTENTION], &ep);
	struct leat_request_params p = worlds[ATTENTION]->p[9];
	struct answer a;
	p.n_tokens = 129;
	assert_int_equal(leat_request_submit(e, &p, &r, &err), LEAT_E_CONTEXT);
	p.n_tokens = 120;
	p.max_tokens = -1;
	r = submit(e, &p); /* grows until the pool is full */
	read_all(r, &a);
	assert_int_equal(a.finish, LEAT_FINISH_LENGTH);
	assert_int_equal(a.n, 9);
	leat_request_unref(r);
	leat_engine_unref(e);
}

/* Sessions hold all sequences, and their owner waits: told so after two seconds, not never. */
static void test_sessions_that_hold_everything(void **state)
{
	(void)state;
	for (int m = 0; m < WORLD_DEMOS; m++) {
		struct leat_engine_params ep = engine_params(2);
		struct leat_engine *e = world_engine(worlds[m], &ep);
		struct leat_session *s[2];
		struct leat_token t = LEAT_TOKEN_INIT;
		struct leat_request *r, *late = NULL;
		MUST(leat_session_create(e, &s[0], &err));
		r = submit(e, &worlds[m]->p[0]);
		MUST(leat_session_create(e, &s[1], &err));
		assert_int_equal(leat_request_submit(e, &worlds[m]->p[0], &late, &err), LEAT_E_BUSY);
		uint64_t began = leat_now_ns();
		assert_int_equal(leat_request_next(r, &t, &err), LEAT_E_BUSY);
		uint64_t ns = leat_now_ns() - began;
		assert_true(ns >= 1900000000 && ns < 20000000000);
		assert_non_null(strstr(err.message, "sessions hold"));
		leat_request_unref(r);
		leat_session_unref(s[1]); /* with room again, so is service */
		struct answer a;
		answer_alone(e, &worlds[m]->p[0], &a);
		assert_as_alone(worlds[m], 0, &a);
		leat_session_unref(s[0]);
		leat_engine_unref(e);
	}
}

/* ---- E05 ---- */

static uint64_t cached_of(struct leat_engine *e, const struct world *w, const char *salt)
{
	struct leat_request_stats st = { .struct_size = sizeof st };
	struct leat_request_params p = w->p[8];
	struct answer a;
	p.cache_salt = salt;
	struct leat_request *r = submit(e, &p);
	read_all(r, &a);
	leat_request_get_stats(r, &st);
	assert_as_alone(w, 8, &a);
	leat_request_unref(r);
	return st.n_cached;
}

static void test_E05_salts_keep_apart(void **state)
{
	static const char *const salts[] = { NULL, "", "a", "b", "ab", "a\xff" };
	(void)state;
	for (int m = 0; m < WORLD_DEMOS; m++) {
		struct leat_engine_params ep = engine_params(1);
		ep.prefix_cache_bytes = 1 << 26;
		struct leat_engine *e = world_engine(worlds[m], &ep);
		for (int i = 0; i < 6; i++)
			assert_int_equal(cached_of(e, worlds[m], salts[i]), 0);
		for (int i = 0; i < 6; i++)
			assert_true(cached_of(e, worlds[m], salts[i]) > 90);
		leat_engine_unref(e);
	}
}

/* ---- E06 ---- */

/* Into what the victim's sequence holds: its recurrent state, or the values of a token at a layer. */
static void poison(struct leat_engine *e, const struct leat_request *r, float what)
{
	struct leat_store *s = e->store;
	if (s->n_cells && !s->view.page_bytes) {
		s->view.cells[(size_t)r->seq->cell[r->seq->now] * s->view.cell_floats + 7] = what;
	} else {
		uint16_t half = isnan(what) ? 0x7e00 : 0x7c00;
		int32_t page = s->table[(int64_t)r->seq->slot * s->view.page_table_cols];
		for (size_t i = 0; i < s->view.page_bytes / 2; i += 64 * 5) /* some of each layer and head */
			memcpy(s->view.pages + (size_t)page * s->view.page_bytes + 2 * i, &half, sizeof half);
	}
}

/* One of five goes wrong between two steps: it ends with the error, the others do not notice, and whoever gets its
 * pages or its cell next does not either. */
static void spoil(const struct world *w, float what)
{
	enum { N = 5, VICTIM = 2 };
	static const int kind[N] = { 4, 5, 8, 10, 9 };
	struct leat_engine_params ep = engine_params(N);
	struct leat_engine *e = world_engine(w, &ep);
	static struct answer got[N];
	struct leat_request *r[N];
	struct leat_token t = LEAT_TOKEN_INIT;
	memset(got, 0, sizeof got);
	for (int i = 0; i < N; i++)
		r[i] = submit(e, &w->p[kind[i]]);
	for (int i = 0; i < N; i++)
		read_one(r[i], &got[i]);
	leat_drive_lock(e);
	poison(e, r[VICTIM], what);
	leat_drive_unlock(e);
	enum leat_status st = LEAT_OK;
	while (st == LEAT_OK && !t.finish)
		st = leat_request_next(r[VICTIM], &t, &err);
	assert_int_equal(st, LEAT_E_NONFINITE);
	assert_string_equal(err.code, "model_nonfinite");
	for (int i = 0; i < N; i++) {
		if (i != VICTIM) {
			while (!read_one(r[i], &got[i]))
				;
			assert_as_alone(w, kind[i], &got[i]);
		}
		leat_request_unref(r[i]);
	}
	for (int i = 0; i < WORLD_KINDS; i += SLOWER) {
		struct answer a;
		answer_alone(e, &w->p[i], &a);
		assert_as_alone(w, i, &a);
	}
	leat_engine_unref(e);
}

static void test_E06_one_row_is_not_finite(void **state)
{
	(void)state;
	for (int m = 0; m < WORLD_DEMOS; m++) {
		spoil(worlds[m], NAN);
		if (SLOWER == 1)
			spoil(worlds[m], INFINITY);
	}
}

/* ---- E22 ---- */

/* Six requests begin with six states and the same prompt, in one batch. */
static void states_in_one_batch(const struct world *w)
{
	enum { N = 6 };
	struct leat_engine_params ep = engine_params(N);
	struct leat_engine *e = world_engine(w, &ep);
	struct leat_state *x[N];
	static struct answer alone[N], got[N];
	struct leat_request *r[N];
	struct leat_request_params p = w->p[3];
	memset(got, 0, sizeof got);
	for (int i = 0; i < N; i++) {
		struct leat_session *s;
		struct leat_request_params first = w->p[i + 3];
		MUST(leat_session_create(e, &s, &err));
		first.session = s;
		first.max_tokens = 0;
		r[i] = submit(e, &first);
		read_all(r[i], &alone[i]);
		leat_request_unref(r[i]);
		MUST(leat_state_capture(s, &x[i], &err));
		leat_session_unref(s);
		p.initial_state = x[i];
		answer_alone(e, &p, &alone[i]);
	}
	for (int i = 0; i < N; i++) {
		p.initial_state = x[i];
		r[i] = submit(e, &p);
	}
	for (int i = 0; i < N; i++) {
		while (!read_one(r[i], &got[i]))
			;
		assert_null(answer_difference(&alone[i], &got[i]));
		assert_true(i == 0 || answer_difference(&alone[0], &got[i]) != NULL);
		leat_request_unref(r[i]);
		leat_state_unref(x[i]);
	}
	leat_engine_unref(e);
}

static void test_E22_states_in_one_batch(void **state)
{
	(void)state;
	states_in_one_batch(worlds[RECURRENT]);
	states_in_one_batch(worlds[ATTENTION]);
}

/* ---- P4: what one request leaves is nothing to the next ---- */

/* All memory of states that nobody holds becomes values that are no numbers. */
static void poison_what_is_free(struct leat_engine *e)
{
	struct leat_store *s = e->store;
	for (int i = 0; i < s->n_free_cell; i++)
		memset(s->view.cells + (size_t)s->free_cell[i] * s->view.cell_floats, 0xff, s->cell_bytes);
	for (int i = 0; i < s->n_free_page; i++)
		memset(s->view.pages + (size_t)s->free_page[i] * s->view.page_bytes, 0xff, s->view.page_bytes);
}

static void test_P4_a_thousand_in_turns(void **state)
{
	static const int kind[] = { 1, 2, 11, 3 };
	enum { N = 1000 };
	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	const int step = 25;
#else
	const int step = 1;
#endif
	for (int m = 0; m < WORLD_DEMOS; m++) {
		struct leat_engine_params ep = engine_params(1);
		struct leat_engine *e = world_engine(worlds[m], &ep);
		for (int i = 0; i < N; i += step) {
			struct leat_request_params p = worlds[m]->p[kind[i % 4]];
			struct answer a;
			p.max_tokens = 1 + i % 3;
			answer_alone(e, &p, &a);
			assert_int_equal(a.n, p.max_tokens);
			assert_memory_equal(a.id, worlds[m]->want[kind[i % 4]].id, (size_t)a.n * sizeof *a.id);
			assert_memory_equal(a.logit, worlds[m]->want[kind[i % 4]].logit, (size_t)a.n * sizeof *a.logit);
			if (i % 7 == 0)
				poison_what_is_free(e);
		}
		leat_engine_unref(e);
	}
}

/* ---- E24 ---- */

enum { MOST_DRIFT = 1200, DRIFT_PART = 200 };

struct rows {
	float *row;
	size_t n;        /* rows */
	double worst[2]; /* of the first part, and of the last */
};

static int keep_row(void *user, size_t index, const float *logits, int32_t n_rows)
{
	struct rows *k = user;
	memcpy(k->row + index * (size_t)n_rows, logits, (size_t)n_rows * sizeof *logits);
	return 0;
}

static int compare_row(void *user, size_t index, const float *logits, int32_t n_rows)
{
	struct rows *k = user;
	const float *want = k->row + index * (size_t)n_rows;
	double most = 0, sum = 0, squares = 0;
	int part = index < DRIFT_PART ? 0 : index >= k->n - DRIFT_PART ? 1 : -1;
	for (int i = 0; i < n_rows && part >= 0; i++) {
		most = fmax(most, fabs((double)logits[i] - (double)want[i]));
		sum += (double)want[i];
		squares += (double)want[i] * (double)want[i];
	}
	double deviation = sqrt(squares / n_rows - sum / n_rows * (sum / n_rows));
	if (part >= 0)
		k->worst[part] = fmax(k->worst[part], most / deviation);
	return 0;
}

/* A story, told again and again. */
static size_t drift_ids(struct leat_model *m, int32_t *ids)
{
	static const char story[] =
		"Once upon a time, there was a little girl named Lily. She liked to play outside in the park with her "
		"friends. One day, she found a big red ball under a tree. She was very happy and wanted to show it to "
		"her mom. ";
	struct leat_model_info info = { .struct_size = sizeof info };
	int32_t *some;
	size_t n, most = MOST_DRIFT;
	leat_model_get_info(m, &info);
	if (info.n_ctx_train && (size_t)info.n_ctx_train < most)
		most = (size_t)info.n_ctx_train;
	MUST(leat_model_tokenize(m, story, sizeof story - 1, 0, &some, &n, &err));
	for (size_t i = 0; i < most; i++)
		ids[i] = some[i % n];
	leat_free(some);
	return most;
}

static void drift(const struct world *w, const char *name)
{
	static int32_t ids[MOST_DRIFT];
	struct leat_engine_params ep = engine_params(1);
	struct rows k = { .n = drift_ids(w->m, ids) };
	k.row = calloc(k.n, sizeof(float) * (size_t)w->m->w.table->rows);
	assert_non_null(k.row);
	ep.n_ctx = MOST_DRIFT;
	ep.mode = LEAT_MODE_REFERENCE;
	struct leat_engine *e = world_engine(w, &ep);
	MUST(leat_engine_logits(e, ids, k.n, 0, keep_row, &k, &err));
	leat_engine_unref(e);
	ep.mode = LEAT_MODE_DEFAULT;
	e = world_engine(w, &ep);
	MUST(leat_engine_logits(e, ids, k.n, 0, compare_row, &k, &err));
	leat_engine_unref(e);
	print_message("%s: e %.2g in the first %d tokens, %.2g in the last of %zu\n", name, k.worst[0], DRIFT_PART,
		      k.worst[1], k.n);
	assert_true(k.worst[1] < 2 * k.worst[0]);
	free(k.row);
}

/* Thousands of tokens later the fast mode is as near to the reference as at the beginning. */
static void test_E24_long_runs_do_not_drift(void **state)
{
	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* arithmetic: the plain build does it */
#endif
	for (int m = 0; m < WORLD_DEMOS; m++)
		drift(worlds[m], world_name(m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_E01_prompts_around_the_context),
		cmocka_unit_test(test_E02_a_pool_that_all_exhaust),
		cmocka_unit_test(test_E02_nobody_starves),
		cmocka_unit_test(test_E03_larger_than_the_pool),
		cmocka_unit_test(test_sessions_that_hold_everything),
		cmocka_unit_test(test_E05_salts_keep_apart),
		cmocka_unit_test(test_E06_one_row_is_not_finite),
		cmocka_unit_test(test_E22_states_in_one_batch),
		cmocka_unit_test(test_P4_a_thousand_in_turns),
		cmocka_unit_test(test_E24_long_runs_do_not_drift),
	};
	for (int m = 0; m < WORLD_DEMOS; m++)
		if (!world_file(m))
			return 77;
	return cmocka_run_group_tests(tests, open_all, close_all);
}
