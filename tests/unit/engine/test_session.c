/* test_session.c - sessions on the demo models: every answer is that of a fresh request over the same tokens, whatever
 * happened before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/request.h"
#include "support/oracle.h"

enum { N_MODELS = 2, MOST = 64 };
static struct leat_error err = LEAT_ERROR_INIT;

#define MUST(call)                                    \
	do {                                          \
		if ((call) != LEAT_OK)                \
			fail_msg("%s", err.message);  \
	} while (0)

/* A model, an engine for two sequences, a session. */
struct bench {
	struct leat_model *m;
	struct leat_engine *e;
	struct leat_session *s;
	unsigned seed;
};

static struct bench begin(int which, int n_ctx)
{
	static const char *const files[N_MODELS] = { "models/demo-rwkv7.gguf", "models/demo-qwen2.gguf" };
	struct bench b = { .seed = 1 };
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	if (access(source_path(files[which]), R_OK))
		skip();
	MUST(leat_model_open(source_path(files[which]), NULL, &b.m, &err));
	p.n_threads = 1;
	p.n_seqs = 2;
	p.n_ctx = n_ctx;
	p.n_batch = 16;
	p.mode = LEAT_MODE_DETERMINISTIC;
	MUST(leat_engine_create(b.m, &p, &b.e, &err));
	MUST(leat_session_create(b.e, &b.s, &err));
	return b;
}

static void finish(struct bench *b)
{
	leat_session_unref(b->s);
	leat_engine_unref(b->e);
	leat_model_unref(b->m);
}

static struct leat_request_params params(struct bench *b, const int32_t *t, size_t n, int64_t most)
{
	struct leat_request_params p;
	leat_request_params_init(b->m, &p);
	p.flags = LEAT_REQUEST_IGNORE_EOS;
	p.tokens = t;
	p.n_tokens = n;
	p.max_tokens = most;
	p.seed = b->seed;
	p.temperature = 1.5f; /* wild enough for a wrong state to show */
	p.top_k = 0;
	p.top_p = 1;
	p.min_p = 0;
	p.repeat_penalty = 1.2f; /* looks back over the whole session */
	p.penalty_decay = 1;
	p.repeat_last_n = -1;
	return p;
}

struct answer {
	int32_t id[MOST];
	float logit[MOST];
	int n, finish;
	char text[2048];
};

/* Runs a request to its end; cancels it after `cancel` tokens if that is not negative. */
static struct answer ask(struct bench *b, const struct leat_request_params *p, int cancel)
{
	struct answer a = { .n = 0 };
	struct leat_token t = LEAT_TOKEN_INIT;
	struct leat_request *r;
	MUST(leat_request_submit(b->e, p, &r, &err));
	while (!t.finish) {
		if (a.n == cancel)
			leat_request_cancel(r);
		MUST(leat_request_next(r, &t, &err));
		strncat(a.text, t.text, t.text_bytes);
		if (t.id < 0)
			continue;
		assert_in_range(a.n, 0, MOST - 1);
		a.id[a.n] = t.id;
		a.logit[a.n++] = t.logit;
	}
	a.finish = t.finish;
	leat_request_unref(r);
	return a;
}

static void fill(int32_t *t, int n, unsigned seed)
{
	for (int i = 0; i < n; i++)
		t[i] = (int32_t)((seed = seed * 1664525u + 1013904223u) >> 16) % 500 + 300;
}

static void assert_same(const struct answer *a, const struct answer *b)
{
	assert_int_equal(a->n, b->n);
	assert_memory_equal(a->id, b->id, (size_t)a->n * sizeof *a->id);
	assert_memory_equal(a->logit, b->logit, (size_t)a->n * sizeof *a->logit);
	assert_string_equal(a->text, b->text);
}

/* What the session holds, and then t[n], asked in one piece. */
static struct answer fresh(struct bench *b, const int32_t *t, int n, int64_t most)
{
	uint64_t held;
	const int32_t *ids = leat_session_tokens(b->s, &held);
	int32_t *all = malloc((held + (size_t)n + 1) * sizeof *all);
	assert_non_null(all);
	if (held)
		memcpy(all, ids, held * sizeof *all);
	if (n)
		memcpy(all + held, t, (size_t)n * sizeof *all);
	struct leat_request_params p = params(b, all, held + (size_t)n, most);
	struct answer a = ask(b, &p, -1);
	free(all);
	return a;
}

/* Answers of the next turn, and those of a fresh request, are the same. */
static void check_turn(struct bench *b, int n_prompt, int64_t most)
{
	int32_t t[MOST];
	fill(t, n_prompt, ++b->seed);
	struct answer want = fresh(b, t, n_prompt, most);
	struct leat_request_params p = params(b, t, (size_t)n_prompt, most);
	p.session = b->s;
	struct answer got = ask(b, &p, -1);
	assert_same(&got, &want);
}

static void test_turns_equal_a_fresh_request(void **state)
{
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct bench b = begin(m, 1024);
		int32_t t[MOST];
		struct leat_session_info info = { .struct_size = sizeof info };
		check_turn(&b, 20, 12);
		check_turn(&b, 1, 9);
		check_turn(&b, 33, 1);
		check_turn(&b, 0, 7); /* goes on with the token that is not fed */
		/* interrupted after five tokens: all five are part of it */
		fill(t, 10, 77);
		struct leat_request_params p = params(&b, t, 10, 40);
		p.session = b.s;
		leat_session_get_info(b.s, &info);
		uint64_t before = info.n_tokens;
		struct answer a = ask(&b, &p, 5);
		assert_int_equal(a.finish, LEAT_FINISH_CANCELLED);
		assert_int_equal(a.n, 5);
		leat_session_get_info(b.s, &info);
		assert_int_equal(info.n_tokens, before + 15);
		assert_int_equal(info.n_fed, before + 14);
		check_turn(&b, 8, 6);
		/* interrupted before the prompt was fed: it still is part of it */
		leat_session_get_info(b.s, &info);
		before = info.n_tokens;
		a = ask(&b, &p, 0);
		leat_session_get_info(b.s, &info);
		assert_int_equal(info.n_tokens, before + 10);
		assert_int_equal(info.n_fed, before - 1);
		check_turn(&b, 3, 6);
		/* thrown away while it runs */
		struct leat_request *r;
		struct leat_token tok = LEAT_TOKEN_INIT;
		MUST(leat_request_submit(b.e, &p, &r, &err));
		MUST(leat_request_next(r, &tok, &err));
		leat_request_unref(r);
		check_turn(&b, 5, 6);
		finish(&b);
	}
}

/* A request without an answer, a mark, and any number of answers from there: nothing is computed again. */
static void test_regen_and_undo(void **state)
{
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct bench b = begin(m, 1024);
		int32_t t[MOST];
		int64_t start, asked, later;
		struct leat_engine_info before = { .struct_size = sizeof before }, after = before;
		size_t n_rows = (size_t)b.m->w.table->rows;
		check_turn(&b, 12, 10);
		MUST(leat_session_mark(b.s, &start, &err));
		fill(t, 30, 5);
		struct answer want = fresh(&b, t, 30, 16), first, second;
		struct leat_request_params p = params(&b, t, 30, 0);
		p.session = b.s;
		first = ask(&b, &p, -1);
		assert_int_equal(first.n, 0);
		assert_int_equal(first.finish, LEAT_FINISH_LENGTH);
		float *row = malloc(n_rows * sizeof *row);
		assert_non_null(row);
		memcpy(row, b.s->row, n_rows * sizeof *row);
		MUST(leat_session_mark(b.s, &asked, &err));
		p.n_tokens = 0;
		p.max_tokens = 16;
		first = ask(&b, &p, -1);
		assert_same(&first, &want);
		check_turn(&b, 9, 9);
		MUST(leat_session_mark(b.s, &later, &err));
		leat_engine_get_info(b.e, &before);
		MUST(leat_session_rewind(b.s, asked, &err));
		leat_engine_get_info(b.e, &after);
		assert_int_equal(before.steps, after.steps);
		assert_int_equal(leat_session_rewind(b.s, later, &err), LEAT_E_NOTFOUND);
		second = ask(&b, &p, -1);
		assert_same(&first, &second);
		leat_engine_get_info(b.e, &before);
		assert_int_equal(before.tokens - after.tokens, 15); /* the first came from the kept row */
		MUST(leat_session_rewind(b.s, asked, &err));
		p.seed = 99;
		second = ask(&b, &p, -1);
		assert_memory_not_equal(first.id, second.id, sizeof *first.id * 16);
		/* back before the prompt, which then gives the same logits again */
		MUST(leat_session_rewind(b.s, start, &err));
		p.n_tokens = 30;
		p.max_tokens = 0;
		ask(&b, &p, -1);
		assert_memory_equal(row, b.s->row, n_rows * sizeof *row);
		free(row);
		MUST(leat_session_reset(b.s, &err));
		check_turn(&b, 6, 6);
		finish(&b);
	}
}

/* The session holds what was shown, not what the stop string was made of. */
static void test_stop_strings_leave_no_trace(void **state)
{
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct bench b = begin(m, 1024);
		struct leat_request_params p;
		int32_t t[MOST];
		int64_t start;
		int n_stopped = 0;
		fill(t, 12, 3);
		MUST(leat_session_mark(b.s, &start, &err));
		p = params(&b, t, 12, 40);
		p.temperature = 0;
		struct answer whole = ask(&b, &p, -1);
		p.session = b.s;
		for (size_t i = 0; i + 8 < strlen(whole.text); i += 3) {
			char one[10] = { 0 }, two[] = "no such text";
			const char *stops[] = { one, two };
			memcpy(one, whole.text + i, 2 + i % 7);
			p.stop = stops;
			p.n_stop = 2;
			MUST(leat_session_rewind(b.s, start, &err));
			struct answer a = ask(&b, &p, -1);
			if (a.finish != LEAT_FINISH_STOP) /* cut inside a character */
				continue;
			n_stopped++;
			assert_int_equal(strstr(whole.text, one) - whole.text, strlen(a.text));
			uint64_t n;
			const int32_t *ids = leat_session_tokens(b.s, &n);
			char *text;
			size_t bytes;
			MUST(leat_model_detokenize(b.m, ids + 12, n - 12, 0, &text, &bytes, &err));
			assert_string_equal(text, a.text);
			leat_free(text);
			check_turn(&b, 4, 3);
		}
		assert_in_range(n_stopped, 8, 1000);
		finish(&b);
	}
}

static void test_refusals(void **state)
{
	struct bench b = begin(0, 0), q = begin(1, 64);
	int64_t mark[5], n = 0;
	int32_t t[MOST], bad = 1 << 30;
	struct leat_request *r, *r2;
	struct leat_session *s, *other;
	struct leat_token tok = LEAT_TOKEN_INIT;
	(void)state;
	fill(t, MOST, 4);
	struct leat_request_params p = params(&b, t, 8, 4);
	p.session = b.s;
	p.n_tokens = 0;
	assert_int_equal(leat_request_submit(b.e, &p, &r, &err), LEAT_E_ARG);
	p.n_tokens = 8;
	assert_int_equal(leat_request_submit(q.e, &p, &r, &err), LEAT_E_ARG);
	p.stop_ids = &bad;
	p.n_stop_ids = 1;
	assert_int_equal(leat_request_submit(b.e, &p, &r, &err), LEAT_E_ARG);
	p.n_stop_ids = 0;
	MUST(leat_request_submit(b.e, &p, &r, &err));
	assert_int_equal(leat_request_submit(b.e, &p, &r2, &err), LEAT_E_BUSY);
	assert_int_equal(leat_session_mark(b.s, &mark[0], &err), LEAT_E_BUSY);
	assert_int_equal(leat_session_reset(b.s, &err), LEAT_E_BUSY);
	MUST(leat_request_next(r, &tok, &err));
	leat_request_unref(r);
	/* the engine was made for four marks (and two cells for checkpoints); a rewound or removed one is free again */
	while (n < 100 && leat_session_mark(b.s, &mark[n < 4 ? n : 4], &err) == LEAT_OK)
		n++;
	assert_in_range(n, 4, 10);
	assert_int_equal(err.status, LEAT_E_LIMIT);
	leat_session_unmark(b.s, mark[1]);
	leat_session_unmark(b.s, mark[1]);
	MUST(leat_session_mark(b.s, &mark[4], &err));
	MUST(leat_session_rewind(b.s, mark[0], &err));
	MUST(leat_session_mark(b.s, &mark[4], &err));
	/* n_seqs */
	MUST(leat_session_create(b.e, &s, &err));
	assert_int_equal(leat_session_create(b.e, &other, &err), LEAT_E_BUSY);
	leat_session_unref(s);
	/* the context */
	p = params(&q, t, 60, 30);
	p.session = q.s;
	struct answer a = ask(&q, &p, -1);
	assert_int_equal(a.finish, LEAT_FINISH_LENGTH);
	assert_int_equal(a.n, 5);
	p.n_tokens = 1;
	assert_int_equal(leat_request_submit(q.e, &p, &r, &err), LEAT_E_CONTEXT);
	assert_non_null(strstr(err.message, "65 tokens"));
	/* a token that the caller makes an end ends, and is no part of the session */
	MUST(leat_session_reset(q.s, &err));
	p = params(&q, t, 10, 20);
	p.flags = 0;
	a = ask(&q, &p, -1);
	p.stop_ids = &a.id[3];
	p.n_stop_ids = 1;
	p.session = q.s;
	struct answer cut = ask(&q, &p, -1);
	assert_int_equal(cut.finish, LEAT_FINISH_EOS);
	struct leat_session_info info = { .struct_size = sizeof info };
	leat_session_get_info(q.s, &info);
	assert_int_equal(info.n_tokens, 10 + cut.n - 1);
	assert_int_equal(info.n_fed, info.n_tokens);
	finish(&b);
	finish(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns_equal_a_fresh_request),
		cmocka_unit_test(test_regen_and_undo),
		cmocka_unit_test(test_stop_strings_leave_no_trace),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
