/* test_stream.c - the ways to read a request, and what can be done to one from outside. */
#include <errno.h>
#include <math.h>
#include <poll.h>
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

static struct leat_error err = LEAT_ERROR_INIT;
static struct leat_model *model;
static int32_t prompt[32];
static struct answer want; /* of plain(40) alone */

#define MUST(call)                                    \
	do {                                          \
		if ((call) != LEAT_OK)                \
			fail_msg("%s", err.message);  \
	} while (0)

static struct leat_request_params plain(int64_t most)
{
	return answer_params(model, prompt, 32, most, 7);
}

static struct leat_engine *open_engine(int n_seqs)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e;
	p.n_threads = 1;
	p.n_seqs = n_seqs;
	p.n_ctx = 1024;
	p.mode = LEAT_MODE_DETERMINISTIC;
	MUST(leat_engine_create(model, &p, &e, &err));
	return e;
}

static int open_all(void **state)
{
	(void)state;
	if (access(source_path("models/demo-qwen2.gguf"), R_OK))
		return 0;
	MUST(leat_model_open(source_path("models/demo-qwen2.gguf"), NULL, &model, &err));
	answer_prompt(prompt, 32, 3);
	struct leat_request_params p = plain(40);
	struct leat_engine *e = open_engine(1);
	answer_alone(e, &p, &want);
	leat_engine_unref(e);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	leat_model_unref(model);
	return 0;
}

/* ---- reading ---- */

struct sink {
	struct answer got;
	int stop_at, calls;
};

static int take(void *user, const struct leat_token *t)
{
	struct sink *s = user;
	answer_add(&s->got, t);
	return ++s->calls == s->stop_at;
}

static void test_callback_stops_and_its_token_counts(void **state)
{
	struct leat_engine *e = open_engine(1);
	struct leat_request_params p = plain(40);
	struct leat_request *r;
	struct sink s = { .stop_at = -1 };
	struct leat_request_stats st = { .struct_size = sizeof st };
	struct leat_token t = LEAT_TOKEN_INIT;
	(void)state;
	MUST(leat_request_submit(e, &p, &r, &err));
	MUST(leat_request_stream(r, take, &s, &err));
	assert_null(answer_difference(&want, &s.got));
	assert_int_equal(s.calls, 40);
	leat_request_unref(r);

	memset(&s, 0, sizeof s);
	s.stop_at = 5;
	MUST(leat_request_submit(e, &p, &r, &err));
	MUST(leat_request_stream(r, take, &s, &err));
	assert_int_equal(s.calls, 5);
	assert_int_equal(s.got.n, 5);
	leat_request_get_stats(r, &st);
	assert_int_equal(st.finish, LEAT_FINISH_CANCELLED);
	assert_int_equal(st.n_generated, 5); /* nobody computed more */
	assert_int_equal(leat_request_next(r, &t, &err), LEAT_E_ARG);
	leat_request_unref(r);
	leat_engine_unref(e);
}

static void test_poll_waits_as_long_as_told(void **state)
{
	struct leat_engine *e = open_engine(1);
	struct leat_request_params p = plain(40);
	struct leat_request *r;
	struct leat_token t = LEAT_TOKEN_INIT;
	struct answer got = { .n = 0 };
	enum leat_status st;
	(void)state;
	MUST(leat_request_submit(e, &p, &r, &err));
	assert_int_equal(leat_request_poll(r, 0, &t, &err), LEAT_E_TIMEOUT); /* runs nothing */
	leat_request_pause(r);
	assert_int_equal(leat_request_poll(r, 20000000, &t, &err), LEAT_E_TIMEOUT);
	leat_request_resume(r);
	do {
		st = leat_request_poll(r, 1, &t, &err); /* one step at a time */
		assert_true(st == LEAT_OK || st == LEAT_E_TIMEOUT);
	} while (st == LEAT_E_TIMEOUT || !answer_add(&got, &t));
	assert_null(answer_difference(&want, &got));
	leat_request_unref(r);
	leat_engine_unref(e);
}

static void test_own_thread_and_descriptor(void **state)
{
	enum { N = 3 };
	struct leat_engine *e = open_engine(2);
	struct leat_request_params p = plain(40);
	struct leat_request *r[N];
	static struct answer got[N];
	int32_t fd;
	int left = N;
	(void)state;
	memset(got, 0, sizeof got);
	MUST(leat_engine_fd(e, &fd, &err));
	MUST(leat_engine_start(e, &err));
	assert_int_equal(leat_engine_start(e, &err), LEAT_E_BUSY);
	for (int i = 0; i < N; i++)
		MUST(leat_request_submit(e, &p, &r[i], &err));
	while (left) {
		struct pollfd pf = { .fd = fd, .events = POLLIN };
		uint64_t n;
		assert_int_equal(poll(&pf, 1, 20000), 1);
		assert_int_equal(read(fd, &n, sizeof n), sizeof n);
		for (int i = 0; i < N; i++) {
			struct leat_token t = LEAT_TOKEN_INIT;
			while (r[i] && leat_request_poll(r[i], 0, &t, &err) == LEAT_OK)
				if (answer_add(&got[i], &t)) {
					leat_request_unref(r[i]);
					r[i] = NULL;
					left--;
				}
		}
	}
	for (int i = 0; i < N; i++)
		assert_null(answer_difference(&want, &got[i]));
	/* nothing to do: it sleeps; stopped: requests go on with whoever waits */
	leat_engine_stop(e);
	leat_engine_stop(e);
	answer_alone(e, &p, &got[0]);
	assert_null(answer_difference(&want, &got[0]));
	MUST(leat_engine_start(e, &err));
	leat_engine_unref(e); /* which ends the thread */
}

static void *cancel_soon(void *arg)
{
	usleep(20000);
	leat_request_cancel(arg);
	return NULL;
}

/* A reader that sleeps, on a request that cannot run, is woken by a cancel from outside. */
static void test_cancel_wakes_a_sleeper(void **state)
{
	struct leat_engine *e = open_engine(1);
	struct leat_request_params p = plain(40);
	struct leat_request *r;
	struct leat_token t = LEAT_TOKEN_INIT;
	pthread_t other;
	(void)state;
	for (int own_thread = 0; own_thread < 2; own_thread++) {
		MUST(leat_request_submit(e, &p, &r, &err));
		leat_request_pause(r);
		if (own_thread)
			MUST(leat_engine_start(e, &err));
		assert_int_equal(pthread_create(&other, NULL, cancel_soon, r), 0);
		MUST(leat_request_next(r, &t, &err));
		assert_int_equal(t.finish, LEAT_FINISH_CANCELLED);
		pthread_join(other, NULL);
		leat_request_unref(r);
	}
	leat_engine_unref(e);
}

/* ---- service ---- */

static void test_deadlines(void **state)
{
	struct leat_engine *e = open_engine(1);
	struct leat_request_params p = plain(900);
	struct leat_request *first, *r;
	struct leat_token t = LEAT_TOKEN_INIT;
	(void)state;
	p.timeout_ns = 30000000;
	MUST(leat_request_submit(e, &p, &r, &err));
	leat_request_pause(r); /* nobody runs it: the deadline holds all the same */
	MUST(leat_request_next(r, &t, &err));
	assert_int_equal(t.finish, LEAT_FINISH_TIMEOUT);
	leat_request_unref(r);

	p.timeout_ns = 0;
	MUST(leat_request_submit(e, &p, &first, &err));
	MUST(leat_request_next(first, &t, &err));
	p.queue_timeout_ns = 1;
	MUST(leat_request_submit(e, &p, &r, &err));
	MUST(leat_request_next(first, &t, &err));
	MUST(leat_request_next(r, &t, &err));
	assert_int_equal(t.finish, LEAT_FINISH_TIMEOUT);
	leat_request_unref(r);
	leat_request_unref(first);
	/* one that was admitted in time is not held to it */
	p.queue_timeout_ns = 60000000000ull;
	p.max_tokens = 3;
	MUST(leat_request_submit(e, &p, &r, &err));
	do
		MUST(leat_request_next(r, &t, &err));
	while (!t.finish);
	assert_int_equal(t.finish, LEAT_FINISH_LENGTH);
	leat_request_unref(r);
	leat_engine_unref(e);
}

static void test_priority_goes_first(void **state)
{
	struct leat_engine *e = open_engine(1);
	struct leat_request_params p = plain(4);
	struct leat_request *r[4];
	struct leat_request_stats st[4];
	struct leat_token t = LEAT_TOKEN_INIT;
	(void)state;
	for (int i = 0; i < 4; i++) {
		p.priority = i == 2 ? 1 : 0;
		MUST(leat_request_submit(e, &p, &r[i], &err));
	}
	leat_request_set_priority(r[3], 2);
	do
		MUST(leat_request_next(r[1], &t, &err));
	while (!t.finish);
	for (int i = 0; i < 4; i++) {
		st[i] = (struct leat_request_stats){ .struct_size = sizeof st[i] };
		leat_request_get_stats(r[i], &st[i]);
		assert_int_equal(st[i].n_generated, 4);
	}
	/* 3, 2, 0, 1: the first token of each after the last of the one before */
	assert_true(st[3].first_token_ns < st[2].first_token_ns);
	assert_true(st[2].first_token_ns < st[0].first_token_ns);
	assert_true(st[0].first_token_ns < st[1].first_token_ns);
	p.priority = 101;
	assert_int_equal(leat_request_submit(e, &p, &r[0] + 0, &err), LEAT_E_ARG);
	for (int i = 0; i < 4; i++)
		leat_request_unref(r[i]);
	leat_engine_unref(e);
}

static void test_alternatives_are_the_best(void **state)
{
	struct leat_engine *e = open_engine(1);
	struct leat_request_params p = plain(20);
	struct leat_request *r;
	struct leat_token t = LEAT_TOKEN_INIT;
	int n_seen = 0;
	(void)state;
	p.n_top = 20;
	MUST(leat_request_submit(e, &p, &r, &err));
	do {
		double sum = 0;
		MUST(leat_request_next(r, &t, &err));
		assert_int_equal(t.n_top, 20);
		for (int i = 0; i < t.n_top; i++) {
			sum += exp((double)t.top[i].logprob);
			assert_true(!i || t.top[i].logprob <= t.top[i - 1].logprob);
			if (t.top[i].id == t.id) {
				n_seen++;
				assert_true(fabsf(t.top[i].logprob - t.logprob) < 1e-5f);
			}
		}
		assert_true(sum <= 1.00001);
		if (t.logprob > t.top[19].logprob)
			assert_true(n_seen > 0);
	} while (!t.finish);
	assert_true(n_seen > 0);
	leat_request_unref(r);
	p.n_top = 21;
	assert_int_equal(leat_request_submit(e, &p, &r, &err), LEAT_E_ARG);
	leat_engine_unref(e);
}

static void test_batches_come_back_in_order(void **state)
{
	enum { N = 9 };
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_request_params p[N];
	struct leat_engine *e;
	struct leat_result *res;
	(void)state;
	ep.n_ctx = 512;
	ep.n_seqs = 3;
	ep.max_queue = 2; /* the batch is longer than the queue */
	ep.mode = LEAT_MODE_DETERMINISTIC;
	MUST(leat_engine_create(model, &ep, &e, &err));
	for (int i = 0; i < N; i++)
		p[i] = plain(i % 2 ? 40 : 1 + i);
	p[4].priority = 1000; /* refused: a result too */
	MUST(leat_engine_generate_batch(e, p, N, &res, &err));
	for (int i = 0; i < N; i++) {
		if (i == 4) {
			assert_int_equal(res[i].finish, LEAT_FINISH_ERROR);
			assert_int_equal(res[i].status, LEAT_E_ARG);
			continue;
		}
		assert_int_equal(res[i].n_ids, p[i].max_tokens);
		assert_memory_equal(res[i].ids, want.id, res[i].n_ids * sizeof(int32_t));
		assert_int_equal(res[i].finish, LEAT_FINISH_LENGTH);
		if (i % 2)
			assert_memory_equal(res[i].text, want.text, want.text_bytes + 1);
	}
	leat_results_free(res, N);
	assert_int_equal(leat_engine_generate_batch(e, p, 0, &res, &err), LEAT_E_ARG);
	leat_engine_unref(e);
}

/* ---- prefixes ---- */

static void check_prefix(const char *file, uint64_t most_computed)
{
	struct leat_model *m;
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e;
	struct leat_request *r;
	struct leat_request_stats st = { .struct_size = sizeof st };
	struct leat_token t = LEAT_TOKEN_INIT;
	static struct answer first, again;
	int32_t long_prompt[300];
	MUST(leat_model_open(source_path(file), NULL, &m, &err));
	answer_prompt(long_prompt, 300, 5);
	ep.n_ctx = 512;
	ep.mode = LEAT_MODE_DETERMINISTIC;
	ep.prefix_cache_bytes = 1 << 26;
	MUST(leat_engine_create(m, &ep, &e, &err));
	struct leat_request_params p = answer_params(m, long_prompt, 300, 30, 1);
	answer_alone(e, &p, &first);
	memset(&again, 0, sizeof again);
	MUST(leat_request_submit(e, &p, &r, &err));
	do
		MUST(leat_request_next(r, &t, &err));
	while (!answer_add(&again, &t));
	leat_request_get_stats(r, &st);
	assert_null(answer_difference(&first, &again));
	assert_int_equal(st.n_cached + st.n_prompt, 300);
	assert_in_range(st.n_prompt, 1, 1);
	leat_request_unref(r);
	/* a branch somewhere inside */
	p.n_tokens = 201;
	long_prompt[200] = 299;
	MUST(leat_request_submit(e, &p, &r, &err));
	MUST(leat_request_next(r, &t, &err));
	leat_request_get_stats(r, &st);
	assert_in_range(st.n_prompt, 1, most_computed);
	leat_request_unref(r);
	/* not wanted, and not shared */
	p.flags |= LEAT_REQUEST_NO_CACHE;
	MUST(leat_request_submit(e, &p, &r, &err));
	MUST(leat_request_next(r, &t, &err));
	leat_request_get_stats(r, &st);
	assert_int_equal(st.n_prompt, 201);
	leat_request_unref(r);
	p.flags &= ~(uint32_t)LEAT_REQUEST_NO_CACHE;
	p.cache_salt = "someone else";
	MUST(leat_request_submit(e, &p, &r, &err));
	MUST(leat_request_next(r, &t, &err));
	leat_request_get_stats(r, &st);
	assert_int_equal(st.n_prompt, 201);
	leat_request_unref(r);
	leat_engine_unref(e);
	leat_model_unref(m);
}

static void test_prefixes_are_found(void **state)
{
	(void)state;
	check_prefix("models/demo-qwen2.gguf", 1);
	if (access(source_path("models/demo-rwkv7.gguf"), R_OK) == 0)
		check_prefix("models/demo-rwkv7.gguf", 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_callback_stops_and_its_token_counts),
		cmocka_unit_test(test_poll_waits_as_long_as_told),
		cmocka_unit_test(test_own_thread_and_descriptor),
		cmocka_unit_test(test_cancel_wakes_a_sleeper),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_priority_goes_first),
		cmocka_unit_test(test_alternatives_are_the_best),
		cmocka_unit_test(test_batches_come_back_in_order),
		cmocka_unit_test(test_prefixes_are_found),
	};
	if (access(source_path("models/demo-qwen2.gguf"), R_OK))
		return 77;
	return cmocka_run_group_tests(tests, open_all, close_all);
}
