/* test_engine.c - steps and requests on the demo models: crowds, checkpoints, failed steps, allocations, endings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "support/oracle.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#define COUNTS_ALLOCATIONS (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define COUNTS_ALLOCATIONS 1
#endif

static long n_allocations;

#if COUNTS_ALLOCATIONS
/* The C library's own functions under the names that it exports for this purpose. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	__atomic_add_fetch(&n_allocations, 1, __ATOMIC_RELAXED);
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	__atomic_add_fetch(&n_allocations, 1, __ATOMIC_RELAXED);
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	__atomic_add_fetch(&n_allocations, 1, __ATOMIC_RELAXED);
	return __libc_realloc(p, n);
}
#endif

static const char *const models[] = { "models/demo-rwkv7.gguf", "models/demo-qwen2.gguf" };
enum { N_MODELS = 2, PROMPT = 24 };

static struct leat_model *open_model(int i)
{
	struct leat_model *m = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	if (access(source_path(models[i]), R_OK))
		skip();
	if (leat_model_open(source_path(models[i]), NULL, &m, &err))
		fail_msg("%s", err.message);
	return m;
}

static struct leat_engine *open_engine(struct leat_model *m, int n_seqs, int mode, const char *opts)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	p.n_threads = 2;
	p.n_seqs = n_seqs;
	p.n_ctx = 2048;
	p.mode = mode;
	p.opts = opts;
	if (leat_engine_create(m, &p, &e, &err))
		fail_msg("%s", err.message);
	return e;
}

static void fill_prompt(int32_t *t, int n, unsigned seed)
{
	for (int i = 0; i < n; i++)
		t[i] = (int32_t)((seed = seed * 1664525u + 1013904223u) >> 16) % 500 + 300;
}

static void must(enum leat_status st, const struct leat_error *err)
{
	if (st != LEAT_OK)
		fail_msg("%s", err->message);
}

/* Last-row logits of a prompt alone, in one chunk. */
static void solo(struct leat_engine *e, const int32_t *t, int n, float *row, size_t n_rows)
{
	struct leat_seq s;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_feed f = { .seq = &s, .tokens = t, .n_tokens = n, .want = LEAT_WANT_LAST };
	must(leat_seq_open(e, &s, &err), &err);
	must(leat_engine_step(e, &f, 1, &err), &err);
	memcpy(row, leat_engine_row(e, 0), n_rows * sizeof *row);
	leat_seq_close(e, &s);
}

/* Three sequences of different lengths in one step, fed in two parts: each row equals its solo run bit for bit. */
static void test_crowd_equals_solo(void **state)
{
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct leat_model *model = open_model(m);
		struct leat_engine *e = open_engine(model, 3, LEAT_MODE_DETERMINISTIC, NULL);
		size_t n_rows = (size_t)model->w.table->rows;
		float *want = malloc(n_rows * sizeof *want);
		int32_t t[3][PROMPT];
		struct leat_seq s[3];
		struct leat_feed f[3];
		struct leat_error err = LEAT_ERROR_INIT;
		for (int i = 0; i < 3; i++) {
			fill_prompt(t[i], PROMPT, (unsigned)i + 1);
			must(leat_seq_open(e, &s[i], &err), &err);
			f[i] = (struct leat_feed){
				.seq = &s[i], .tokens = t[i], .n_tokens = 3 + 4 * i, .want = LEAT_WANT_NONE};
		}
		must(leat_engine_step(e, f, 3, &err), &err);
		for (int i = 0; i < 3; i++) {
			f[i].tokens += f[i].n_tokens;
			f[i].n_tokens = PROMPT - f[i].n_tokens - i;
			f[i].want = LEAT_WANT_LAST;
		}
		must(leat_engine_step(e, f, 3, &err), &err);
		float *rows = malloc(3 * n_rows * sizeof *rows);
		for (int i = 0; i < 3; i++)
			memcpy(rows + (size_t)i * n_rows, leat_engine_row(e, i), n_rows * sizeof *rows);
		for (int i = 0; i < 3; i++)
			leat_seq_close(e, &s[i]);
		for (int i = 0; i < 3; i++) {
			solo(e, t[i], PROMPT - i, want, n_rows);
			assert_memory_equal(want, rows + (size_t)i * n_rows, n_rows * sizeof *want);
		}
		free(rows);
		free(want);
		leat_engine_unref(e);
		leat_model_unref(model);
	}
}

/* A checkpoint inside a chunk holds what a chunk that ends there leaves behind. */
static void test_checkpoint_inside_a_chunk(void **state)
{
	struct leat_model *model = open_model(0);
	struct leat_engine *e = open_engine(model, 2, LEAT_MODE_DETERMINISTIC, NULL);
	int32_t t[PROMPT];
	struct leat_seq a, b;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_checkpoint cp = { 9, leat_cell_take(e->store) };
	(void)state;
	fill_prompt(t, PROMPT, 3);
	must(leat_seq_open(e, &a, &err), &err);
	must(leat_seq_open(e, &b, &err), &err);
	struct leat_feed whole = { .seq = &a, .tokens = t, .n_tokens = PROMPT, .checkpoint = &cp, .n_checkpoints = 1 };
	struct leat_feed part = { .seq = &b, .tokens = t, .n_tokens = 10 };
	assert_true(cp.cell >= 0);
	must(leat_engine_step(e, &whole, 1, &err), &err);
	must(leat_engine_step(e, &part, 1, &err), &err);
	assert_memory_equal(leat_state_cell(&e->store->view, 0, 0, cp.cell),
			    leat_state_cell(&e->store->view, 0, 0, b.cell[b.now]), e->store->cell_bytes);
	leat_cell_give(e->store, cp.cell);
	leat_seq_close(e, &a);
	leat_seq_close(e, &b);
	leat_engine_unref(e);
	leat_model_unref(model);
}

/* A step that is refused leaves the sequence where it was: the next one continues as if nothing had happened. */
static void test_refused_step_changes_nothing(void **state)
{
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct leat_model *model = open_model(m);
		struct leat_engine *e = open_engine(model, 1, LEAT_MODE_DETERMINISTIC, NULL);
		size_t n_rows = (size_t)model->w.table->rows;
		float *want = malloc(n_rows * sizeof *want);
		int32_t t[PROMPT], bad[2] = { 1, 1 << 30 };
		struct leat_seq s;
		struct leat_error err = LEAT_ERROR_INIT;
		fill_prompt(t, PROMPT, 9);
		solo(e, t, PROMPT, want, n_rows);
		must(leat_seq_open(e, &s, &err), &err);
		struct leat_feed f = { .seq = &s, .tokens = t, .n_tokens = 10 };
		struct leat_feed wrong = { .seq = &s, .tokens = bad, .n_tokens = 2, .want = LEAT_WANT_LAST };
		must(leat_engine_step(e, &f, 1, &err), &err);
		assert_int_equal(leat_engine_step(e, &wrong, 1, &err), LEAT_E_ARG);
		struct leat_feed twice[2] = { f, f };
		e->n_seqs = 2; /* as an engine for several would have it */
		assert_int_equal(leat_engine_step(e, twice, 2, &err), LEAT_E_ARG);
		e->n_seqs = 1;
		wrong.n_tokens = 100000;
		assert_int_equal(leat_engine_step(e, &wrong, 1, &err), LEAT_E_ARG);
		f.tokens += 10;
		f.n_tokens = PROMPT - 10;
		f.want = LEAT_WANT_LAST;
		must(leat_engine_step(e, &f, 1, &err), &err);
		assert_memory_equal(want, leat_engine_row(e, 0), n_rows * sizeof *want);
		leat_seq_close(e, &s);
		free(want);
		leat_engine_unref(e);
		leat_model_unref(model);
	}
}

static struct leat_request_params greedy(const struct leat_model *m, const int32_t *t, int n, int64_t max)
{
	struct leat_request_params p;
	leat_request_params_init(m, &p);
	p.flags = LEAT_REQUEST_IGNORE_EOS;
	p.tokens = t;
	p.n_tokens = (uint64_t)n;
	p.max_tokens = max;
	p.temperature = 0;
	return p;
}

/* 1,000 decode steps through the public interface: no allocation, no plan recorded. */
static void test_steady_decode_allocates_nothing(void **state)
{
	(void)state;
	if (!COUNTS_ALLOCATIONS)
		skip(); /* the sanitizer owns malloc; the plain build counts */
	for (int m = 0; m < N_MODELS; m++) {
		struct leat_model *model = open_model(m);
		struct leat_engine *e = open_engine(model, 1, LEAT_MODE_DEFAULT, NULL);
		int32_t t[8];
		struct leat_request *r;
		struct leat_error err = LEAT_ERROR_INIT;
		struct leat_token tok = LEAT_TOKEN_INIT;
		fill_prompt(t, 8, 5);
		struct leat_request_params p = greedy(model, t, 8, 1100);
		p.temperature = 0.8f; /* the whole chain */
		p.top_k = 40;
		p.top_p = 0.95f;
		must(leat_request_submit(e, &p, &r, &err), &err);
		for (int i = 0; i < 50; i++)
			must(leat_request_next(r, &tok, &err), &err);
		struct leat_engine_info before = { .struct_size = sizeof before }, after = before;
		leat_engine_get_info(e, &before);
		long count = n_allocations;
		for (int i = 0; i < 1000; i++)
			must(leat_request_next(r, &tok, &err), &err);
		assert_int_equal(n_allocations - count, 0);
		leat_engine_get_info(e, &after);
		assert_int_equal(after.plan_lookups - before.plan_lookups, 1000);
		assert_int_equal(after.plan_hits - before.plan_hits, 1000);
		leat_request_unref(r);
		leat_engine_unref(e);
		leat_model_unref(model);
	}
}

/* Greedy text of n tokens under the given switches (free). */
static char *text_of(struct leat_model *model, const char *opts, int n)
{
	struct leat_engine *e = open_engine(model, 1, LEAT_MODE_DEFAULT, opts);
	char *text = calloc((size_t)n + 1, model->max_token_bytes);
	int32_t t[40];
	struct leat_request *r;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_token tok = LEAT_TOKEN_INIT;
	fill_prompt(t, 40, 11);
	struct leat_request_params p = greedy(model, t, 40, n);
	must(leat_request_submit(e, &p, &r, &err), &err);
	do {
		must(leat_request_next(r, &tok, &err), &err);
		strncat(text, tok.text, tok.text_bytes);
	} while (!tok.finish);
	assert_int_equal(tok.finish, LEAT_FINISH_LENGTH);
	assert_int_equal(tok.index, n - 1);
	assert_int_equal(leat_request_next(r, &tok, &err), LEAT_E_ARG);
	leat_request_unref(r);
	leat_engine_unref(e);
	return text;
}

/* Switches change speed, not the text (these do not change the arithmetic at all). */
static void test_switches_keep_the_text(void **state)
{
	static const char *const off[] = { "barrier_elision=off", "steal=off", "plan_cache=off", "hugepages=off",
					   "pack_ahead=off", "weight_copy=on", "attn_tiles=off", "pack_bytes=off" };
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct leat_model *model = open_model(m);
		char *on = text_of(model, NULL, 40);
		assert_true(strlen(on) > 40);
		for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
			char *other = text_of(model, off[i], 40);
			assert_string_equal(on, other);
			free(other);
		}
		free(on);
		leat_model_unref(model);
	}
}

static void test_cancel_and_stop(void **state)
{
	struct leat_model *model = open_model(1);
	struct leat_engine *e = open_engine(model, 1, LEAT_MODE_DEFAULT, NULL);
	char *all = text_of(model, NULL, 40), stop[5] = { 0 }, got[4096] = { 0 };
	const char *stops[1] = { stop };
	int32_t t[40];
	struct leat_request *r, *second;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_token tok = LEAT_TOKEN_INIT;
	(void)state;
	fill_prompt(t, 40, 11);
	struct leat_request_params p = greedy(model, t, 40, -1);
	must(leat_request_submit(e, &p, &r, &err), &err);
	must(leat_request_submit(e, &p, &second, &err), &err); /* waits for the only sequence, and goes unserved */
	must(leat_request_next(r, &tok, &err), &err);
	leat_request_unref(second);
	leat_request_cancel(r);
	must(leat_request_next(r, &tok, &err), &err);
	assert_int_equal(tok.finish, LEAT_FINISH_CANCELLED);
	leat_request_unref(r);

	memcpy(stop, all + 20,
	       4); /* four characters of the middle: the text must end right before their first occurrence */
	size_t where = (size_t)(strstr(all, stop) - all);
	p.max_tokens = 40;
	p.stop = stops;
	p.n_stop = 1;
	must(leat_request_submit(e, &p, &r, &err), &err);
	do {
		must(leat_request_next(r, &tok, &err), &err);
		strncat(got, tok.text, tok.text_bytes);
	} while (!tok.finish);
	assert_int_equal(tok.finish, LEAT_FINISH_STOP);
	assert_int_equal(strlen(got), where);
	assert_memory_equal(got, all, where);
	leat_request_unref(r);
	free(all);
	leat_engine_unref(e);
	leat_model_unref(model);
}

static void test_context_is_a_limit(void **state)
{
	struct leat_model *model = open_model(1);
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e;
	struct leat_request *r;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_token tok = LEAT_TOKEN_INIT;
	int32_t t[100];
	int n = 0;
	(void)state;
	fill_prompt(t, 100, 2);
	ep.n_ctx = 70;
	must(leat_engine_create(model, &ep, &e, &err), &err);
	struct leat_request_params p = greedy(model, t, 71, -1);
	assert_int_equal(leat_request_submit(e, &p, &r, &err), LEAT_E_CONTEXT);
	p.n_tokens = 60;
	must(leat_request_submit(e, &p, &r, &err), &err);
	do {
		must(leat_request_next(r, &tok, &err), &err);
		n++;
	} while (!tok.finish);
	assert_int_equal(tok.finish, LEAT_FINISH_LENGTH);
	assert_int_equal(n, 11); /* ten more fit, and the last token drawn needs no room */
	leat_request_unref(r);
	leat_engine_unref(e);
	leat_model_unref(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crowd_equals_solo),
		cmocka_unit_test(test_checkpoint_inside_a_chunk),
		cmocka_unit_test(test_refused_step_changes_nothing),
		cmocka_unit_test(test_steady_decode_allocates_nothing),
		cmocka_unit_test(test_switches_keep_the_text),
		cmocka_unit_test(test_cancel_and_stop),
		cmocka_unit_test(test_context_is_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
