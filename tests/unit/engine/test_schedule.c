/* test_schedule.c - many requests at once on the demo models: each gets what it would get alone, whoever comes and goes
 * beside it, and however it is read. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/request.h"
#include "support/answers.h"
#include "support/oracle.h"

enum { N_MODELS = 2, MANY = 7 };
static struct leat_error err = LEAT_ERROR_INIT;

#define MUST(call)                                    \
	do {                                          \
		if ((call) != LEAT_OK)                \
			fail_msg("%s", err.message);  \
	} while (0)

static struct leat_model *open_model(int which)
{
	static const char *const files[N_MODELS] = { "models/demo-rwkv7.gguf", "models/demo-qwen2.gguf" };
	struct leat_model *m;
	if (access(source_path(files[which]), R_OK))
		skip();
	MUST(leat_model_open(source_path(files[which]), NULL, &m, &err));
	return m;
}

static struct leat_engine *open_engine(struct leat_model *m, int n_seqs, int n_batch, int max_queue)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e;
	p.n_threads = 1;
	p.n_seqs = n_seqs;
	p.n_ctx = 1024;
	p.n_batch = n_batch;
	p.mode = LEAT_MODE_DETERMINISTIC;
	p.max_queue = max_queue;
	MUST(leat_engine_create(m, &p, &e, &err));
	return e;
}

/* MANY requests of different lengths, and their answers alone. */
struct crowd {
	struct leat_model *m;
	int32_t prompt[MANY][128];
	struct leat_request_params p[MANY];
	struct answer want[MANY], got[MANY];
	struct leat_request *r[MANY];
};

static struct crowd *make_crowd(int which)
{
	static const int n_prompt[MANY] = { 24, 1, 100, 7, 64, 33, 2 }, most[MANY] = { 20, 40, 3, 1, 60, 17, 33 };
	struct crowd *c = calloc(1, sizeof *c);
	assert_non_null(c);
	c->m = open_model(which);
	struct leat_engine *e = open_engine(c->m, 1, 512, 0);
	for (int i = 0; i < MANY; i++) {
		answer_prompt(c->prompt[i], n_prompt[i], (unsigned)i + 1);
		c->p[i] = answer_params(c->m, c->prompt[i], n_prompt[i], most[i], (uint64_t)i);
		answer_alone(e, &c->p[i], &c->want[i]);
	}
	leat_engine_unref(e);
	return c;
}

static void drop_crowd(struct crowd *c)
{
	leat_model_unref(c->m);
	free(c);
}

static void assert_as_alone(const struct crowd *c)
{
	for (int i = 0; i < MANY; i++) {
		const char *what = answer_difference(&c->want[i], &c->got[i]);
		if (what)
			fail_msg("request %d: %s differ from those of the request alone", i, what);
	}
}

static void submit_all(struct crowd *c, struct leat_engine *e)
{
	memset(c->got, 0, sizeof c->got);
	for (int i = 0; i < MANY; i++)
		MUST(leat_request_submit(e, &c->p[i], &c->r[i], &err));
}

/* One thread reads all in turns. */
static void read_in_turns(struct crowd *c)
{
	int left = MANY;
	while (left)
		for (int i = 0; i < MANY; i++) {
			struct leat_token t = LEAT_TOKEN_INIT;
			if (!c->r[i])
				continue;
			MUST(leat_request_next(c->r[i], &t, &err));
			if (answer_add(&c->got[i], &t)) {
				leat_request_unref(c->r[i]);
				c->r[i] = NULL;
				left--;
			}
		}
}

static void test_a_crowd_gets_what_each_gets_alone(void **state)
{
	static const int n_seqs[] = { 1, 2, 3, MANY }, n_batch[] = { 3, 16, 512 };
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct crowd *c = make_crowd(m);
		for (int i = 0; i < 12; i++) {
			struct leat_engine *e = open_engine(c->m, n_seqs[i % 4], n_batch[i / 4], 0);
			submit_all(c, e);
			read_in_turns(c);
			assert_as_alone(c);
			leat_engine_unref(e);
		}
		drop_crowd(c);
	}
}

/* Put aside every other turn, with text made at once or while the next step runs. */
static void test_put_aside_and_resumed(void **state)
{
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct crowd *c = make_crowd(m);
		for (int i = 0; i < 6; i++) {
			struct leat_engine *e = open_engine(c->m, 4, 32, 0);
			e->sched.preempt_every = 5 + 4 * (i / 2);
			e->sched.overlap = i % 2;
			submit_all(c, e);
			read_in_turns(c);
			assert_as_alone(c);
			if (i == 4)
				assert_true(e->sched.n_preempted > 2);
			leat_engine_unref(e);
		}
		drop_crowd(c);
	}
}

/* Read one after the other: those that nobody reads yet are held, not lost, and do not hold up the first. With one
 * sequence, and rings that are shorter than the answers, the unread ones have to be put aside. */
static void test_unread_requests_hold_nobody_up(void **state)
{
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct leat_model *model = open_model(m);
		struct answer want, got = { .n = 0 };
		int32_t t[20];
		struct leat_engine *e = open_engine(model, 1, 512, 0);
		struct leat_request *a, *b;
		struct leat_token tok = LEAT_TOKEN_INIT;
		answer_prompt(t, 20, 9);
		struct leat_request_params p = answer_params(model, t, 20, 390, 4);
		answer_alone(e, &p, &want);
		MUST(leat_request_submit(e, &p, &a, &err));
		MUST(leat_request_next(a, &tok, &err));
		answer_add(&got, &tok);
		p.n_tokens = 10;
		p.max_tokens = 5;
		MUST(leat_request_submit(e, &p, &b, &err));
		do
			MUST(leat_request_next(b, &tok, &err));
		while (!tok.finish);
		assert_int_equal(tok.index, 4);
		do
			MUST(leat_request_next(a, &tok, &err));
		while (!answer_add(&got, &tok));
		assert_null(answer_difference(&want, &got));
		struct leat_request_stats st = { .struct_size = sizeof st };
		leat_request_get_stats(a, &st);
		assert_int_equal(st.n_generated, 390);
		leat_request_unref(a);
		leat_request_unref(b);
		leat_engine_unref(e);
		leat_model_unref(model);
	}
}

/* A cache of as many contexts as there are sequences holds all of them at once, also when each fits one page: nobody
 * keeps room for growth that cannot come. */
static void test_as_many_as_there_are_sequences_run_together(void **state)
{
	enum { N = 16, PROMPT = 24, ANSWER = 20 };
	struct leat_model *m = open_model(1);
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine_info before = { .struct_size = sizeof before }, after = before;
	struct leat_request *r[N];
	struct leat_engine *e;
	int32_t prompt[PROMPT];
	(void)state;
	ep.n_threads = 1;
	ep.n_seqs = N;
	ep.n_ctx = PROMPT + ANSWER + 1;
	MUST(leat_engine_create(m, &ep, &e, &err));
	leat_engine_get_info(e, &before);
	for (int i = 0; i < N; i++) {
		answer_prompt(prompt, PROMPT, (unsigned)i + 1);
		struct leat_request_params p = answer_params(m, prompt, PROMPT, ANSWER, (uint64_t)i);
		p.flags |= LEAT_REQUEST_IGNORE_EOS;
		MUST(leat_request_submit(e, &p, &r[i], &err));
	}
	for (int i = 0; i < N; i++) { /* one after another: nobody waits for a reader either */
		struct leat_token t = LEAT_TOKEN_INIT;
		do
			MUST(leat_request_next(r[i], &t, &err));
		while (!t.finish);
		leat_request_unref(r[i]);
	}
	leat_engine_get_info(e, &after);
	assert_int_equal(after.steps - before.steps, ANSWER);
	leat_engine_unref(e);
	leat_model_unref(m);
}

static void test_the_queue_is_bounded(void **state)
{
	struct leat_model *m = open_model(1);
	int32_t t[8];
	struct leat_request *r[4], *more = NULL;
	struct leat_token tok = LEAT_TOKEN_INIT;
	(void)state;
	answer_prompt(t, 8, 1);
	struct leat_request_params p = answer_params(m, t, 8, 4, 0);
	struct leat_engine *e = open_engine(m, 1, 64, -1);
	MUST(leat_request_submit(e, &p, &r[0], &err));
	assert_int_equal(leat_request_submit(e, &p, &more, &err), LEAT_E_BUSY);
	assert_string_equal(err.code, "queue_full");
	leat_request_unref(r[0]); /* at once, though nobody ran anything */
	MUST(leat_request_submit(e, &p, &r[0], &err));
	leat_request_unref(r[0]);
	leat_engine_unref(e);

	e = open_engine(m, 2, 64, 2);
	for (int i = 0; i < 4; i++)
		MUST(leat_request_submit(e, &p, &r[i], &err));
	assert_int_equal(leat_request_submit(e, &p, &more, &err), LEAT_E_BUSY);
	assert_null(more);
	/* one that waits goes, another comes */
	leat_request_unref(r[3]);
	MUST(leat_request_submit(e, &p, &r[3], &err));
	/* the last one, read first, waits for no more than a sequence */
	do
		MUST(leat_request_next(r[3], &tok, &err));
	while (!tok.finish);
	assert_int_equal(tok.finish, LEAT_FINISH_LENGTH);
	struct leat_engine_load load = { .struct_size = sizeof load };
	leat_engine_get_load(e, &load);
	assert_int_equal(load.n_refused, 1);
	for (int i = 0; i < 4; i++)
		leat_request_unref(r[i]);
	leat_engine_get_load(e, &load);
	assert_int_equal(load.n_open, 0);
	assert_int_equal(load.n_arrived, 5);
	leat_engine_unref(e);
	leat_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_crowd_gets_what_each_gets_alone),
		cmocka_unit_test(test_put_aside_and_resumed),
		cmocka_unit_test(test_unread_requests_hold_nobody_up),
		cmocka_unit_test(test_as_many_as_there_are_sequences_run_together),
		cmocka_unit_test(test_the_queue_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
