/* test_hook.c - hooks of requests on the demo models: looking changes nothing, what is changed shows, requests beside
 * are untouched bit for bit, plans without hooks stay in the cache; control vectors; refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "leat/leat.h"
#include "support/answers.h"
#include "support/oracle.h"

enum { N_MODELS = 2, N_PROMPT = 40, N_ANSWER = 24 };
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

static struct leat_engine *open_engine(struct leat_model *m, int n_seqs)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e;
	p.n_threads = 1;
	p.n_seqs = n_seqs;
	p.n_ctx = 512;
	p.n_batch = 32; /* the prompt comes in two pieces */
	p.mode = LEAT_MODE_DETERMINISTIC;
	MUST(leat_engine_create(m, &p, &e, &err));
	return e;
}

static struct leat_engine_info info_of(const struct leat_engine *e)
{
	struct leat_engine_info info = { .struct_size = sizeof info };
	leat_engine_get_info(e, &info);
	return info;
}

static void look(void *user, struct leat_hook_rows *rows)
{
	*(uint64_t *)user += (uint64_t)rows->n_rows;
}

static void add_some(void *user, struct leat_hook_rows *rows)
{
	(void)user;
	for (int r = 0; r < rows->n_rows; r++)
		for (int i = 0; i < rows->width; i++)
			rows->data[(uint64_t)r * rows->stride + (uint64_t)i] += i % 2 ? 0.5f : -0.5f;
}

static void assert_same(const struct answer *a, const struct answer *b)
{
	const char *what = answer_difference(a, b);
	if (what)
		fail_msg("the answers differ: %s", what);
}

struct setting {
	struct leat_model *m;
	struct leat_engine *e;
	int32_t prompt[N_PROMPT];
	struct leat_request_params p;
	struct answer plain;
};

static struct setting *set_up(int which, int n_seqs)
{
	struct setting *s = calloc(1, sizeof *s);
	assert_non_null(s);
	s->m = open_model(which);
	s->e = open_engine(s->m, n_seqs);
	answer_prompt(s->prompt, N_PROMPT, 5);
	s->p = answer_params(s->m, s->prompt, N_PROMPT, N_ANSWER, 9);
	answer_alone(s->e, &s->p, &s->plain);
	return s;
}

static void tear_down(struct setting *s)
{
	leat_engine_unref(s->e);
	leat_model_unref(s->m);
	free(s);
}

/* Looked at everywhere: the same bits, and every token's row is seen once. */
static void test_looking(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, 1);
		uint64_t seen = 0, at_layer = 0, all = 0;
		struct leat_hook hooks[] = {
			{ .point = "embed", .layer = -1, .fn = look, .user = &seen },
			{ .point = "layer.out", .layer = 1, .fn = look, .user = &at_layer },
			{ .point = "*", .layer = -1, .fn = look, .user = &all },
		};
		struct answer got;
		s->p.hooks = hooks;
		s->p.n_hooks = 3;
		answer_alone(s->e, &s->p, &got);
		assert_same(&s->plain, &got);
		assert_int_equal(seen, N_PROMPT + N_ANSWER - 1);
		assert_int_equal(at_layer, N_PROMPT + N_ANSWER - 1);
		assert_true(all > 20 * seen);
		tear_down(s);
	}
}

/* On, its effect is visible; off again, plans are found where they were and answers are as before (R3). */
static void test_off_again(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, 1);
		struct leat_hook hook = { .point = "layer.out", .layer = 1, .fn = add_some };
		struct answer got, again;
		answer_alone(s->e, &s->p, &again);
		struct leat_engine_info before = info_of(s->e);
		answer_alone(s->e, &s->p, &again);
		struct leat_engine_info after = info_of(s->e);
		assert_int_equal(after.plan_lookups - before.plan_lookups, after.plan_hits - before.plan_hits);
		uint64_t lookups = after.plan_lookups - before.plan_lookups;
		s->p.hooks = &hook;
		s->p.n_hooks = 1;
		answer_alone(s->e, &s->p, &got);
		assert_non_null(answer_difference(&s->plain, &got));
		struct leat_engine_info hooked = info_of(s->e);
		assert_true(hooked.plan_lookups > hooked.plan_hits); /* plans of its own were made */
		s->p.n_hooks = 0;
		answer_alone(s->e, &s->p, &again);
		assert_same(&s->plain, &again);
		struct leat_engine_info off = info_of(s->e);
		assert_int_equal(off.plan_lookups - hooked.plan_lookups, lookups);
		assert_int_equal(off.plan_hits - hooked.plan_hits, lookups); /* and none was pushed out */
		s->p.n_hooks = 1;
		answer_alone(s->e, &s->p, &again);
		assert_same(&got, &again); /* nor does a hooked answer vary */
		assert_int_equal(info_of(s->e).plan_hits - off.plan_hits, lookups);
		tear_down(s);
	}
}

/* Three requests in one batch, the middle one hooked. */
static void test_others_untouched(void **state)
{
	enum { N = 3 };
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, N);
		int32_t prompt[N][N_PROMPT];
		struct leat_request_params p[N];
		struct answer alone[N];
		struct leat_result *r = NULL;
		struct leat_hook hook = { .point = "att.out", .layer = -1, .fn = add_some };
		for (int i = 0; i < N; i++) {
			int n = 11 + 9 * i;
			answer_prompt(prompt[i], n, (unsigned)i + 20);
			p[i] = answer_params(s->m, prompt[i], n, N_ANSWER, (uint64_t)i);
			p[i].hooks = &hook;
			p[i].n_hooks = i == 1;
			answer_alone(s->e, &p[i], &alone[i]);
		}
		MUST(leat_engine_generate_batch(s->e, p, N, &r, &err));
		for (int i = 0; i < N; i++) {
			assert_int_equal(r[i].n_ids, alone[i].n);
			assert_memory_equal(r[i].ids, alone[i].id, r[i].n_ids * sizeof *r[i].ids);
		}
		leat_results_free(r, N);
		tear_down(s);
	}
}

static void clear_state(void *user, struct leat_hook_rows *rows)
{
	assert_non_null(rows->state);
	if (*(int *)user)
		memset(rows->state, 0, rows->state_floats * sizeof *rows->state);
}

/* A recurrent state can be read and written: one that is written as it was changes nothing, an empty one all. */
static void test_state(void **state)
{
	struct setting *s = set_up(0, 1);
	int clear = 0;
	struct leat_hook hook = { .point = "att.wkv", .layer = -1, .fn = clear_state, .user = &clear };
	struct answer got;
	(void)state;
	s->p.hooks = &hook;
	s->p.n_hooks = 1;
	answer_alone(s->e, &s->p, &got);
	assert_same(&s->plain, &got);
	clear = 1;
	answer_alone(s->e, &s->p, &got);
	assert_non_null(answer_difference(&s->plain, &got));
	tear_down(s);
}

/* What hooks had a hand in is not kept for others, nor is what others left taken. */
static void test_prefix_cache(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct leat_model *m = open_model(which);
		struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
		struct leat_engine *e;
		int32_t prompt[200];
		struct answer plain, hooked, got;
		struct leat_hook hook = { .point = "layer.out", .layer = 0, .fn = add_some };
		ep.n_ctx = 512;
		ep.prefix_cache_bytes = 64 << 20;
		ep.mode = LEAT_MODE_DETERMINISTIC;
		MUST(leat_engine_create(m, &ep, &e, &err));
		answer_prompt(prompt, 200, 3);
		struct leat_request_params p = answer_params(m, prompt, 200, 8, 1);
		p.hooks = &hook;
		p.n_hooks = 1;
		answer_alone(e, &p, &hooked);
		p.n_hooks = 0;
		answer_alone(e, &p, &plain);
		assert_non_null(answer_difference(&plain, &hooked));
		answer_alone(e, &p, &got); /* from the cache */
		assert_same(&plain, &got);
		p.n_hooks = 1;
		answer_alone(e, &p, &got);
		assert_same(&hooked, &got);
		leat_engine_unref(e);
		leat_model_unref(m);
	}
}

/* Strength 0 changes no bit; more of it moves more. */
static void test_control_vector(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, 1);
		struct leat_hook_point point = { .struct_size = sizeof point };
		for (int i = 0; strcmp(point.name ? point.name : "", "layer.out"); i++)
			MUST(leat_model_hook_at(s->m, i, &point, &err));
		float *direction = malloc((size_t)point.width * sizeof *direction);
		for (int i = 0; i < point.width; i++)
			direction[i] = i % 3 ? 0.1f : -0.2f;
		struct leat_control_vector v = { direction, point.width, 0, 0 };
		struct leat_hook hook = { .point = "layer.out", .layer = 1, .fn = leat_control_vector_add, .user = &v };
		struct answer got;
		s->p.hooks = &hook;
		s->p.n_hooks = 1;
		answer_alone(s->e, &s->p, &got);
		assert_same(&s->plain, &got);
		v.strength = 20;
		answer_alone(s->e, &s->p, &got);
		assert_non_null(answer_difference(&s->plain, &got));
		v.from_position = N_PROMPT + 3; /* the first tokens of the answer are as they were */
		answer_alone(s->e, &s->p, &got);
		assert_memory_equal(got.logit, s->plain.logit, 4 * sizeof *got.logit);
		assert_non_null(answer_difference(&s->plain, &got));
		v.width--; /* of another model: left alone */
		answer_alone(s->e, &s->p, &got);
		assert_same(&s->plain, &got);
		free(direction);
		tear_down(s);
	}
}

static void test_session(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, 2);
		struct leat_hook hook = { .point = "layer.out", .layer = 1, .fn = add_some };
		struct answer want, got;
		s->p.hooks = &hook;
		s->p.n_hooks = 1;
		answer_alone(s->e, &s->p, &want);
		MUST(leat_session_create(s->e, &s->p.session, &err));
		answer_alone(s->e, &s->p, &got);
		assert_same(&want, &got);
		leat_session_unref(s->p.session);
		tear_down(s);
	}
}

/* Another thread drives; the request is let go of in the middle, and what its hook writes to is freed at once. */
static void test_let_go(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, 2);
		struct answer got;
		MUST(leat_engine_start(s->e, &err));
		for (int i = 0; i < 12; i++) {
			uint64_t *seen = calloc(1, sizeof *seen);
			struct leat_hook hook = { .point = "*", .layer = -1, .fn = look, .user = seen };
			struct leat_token t = LEAT_TOKEN_INIT;
			struct leat_request *r;
			assert_non_null(seen);
			s->p.hooks = &hook;
			s->p.n_hooks = 1;
			MUST(leat_request_submit(s->e, &s->p, &r, &err));
			for (int k = 0; k < i % 4; k++)
				MUST(leat_request_next(r, &t, &err));
			leat_request_unref(r);
			free(seen);
		}
		s->p.n_hooks = 0;
		answer_alone(s->e, &s->p, &got);
		assert_same(&s->plain, &got);
		leat_engine_stop(s->e);
		tear_down(s);
	}
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static uint64_t one_token_ns(struct leat_request *r)
{
	struct leat_token t = LEAT_TOKEN_INIT;
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	MUST(leat_request_next(r, &t, &err));
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (uint64_t)(b.tv_sec - a.tv_sec) * 1000000000u + (uint64_t)b.tv_nsec - (uint64_t)a.tv_nsec;
}

/* A token of an engine that has hooked plans beside the plain ones, and of one that never had: in turns, medians. */
static void test_speed_of_others(void **state)
{
	enum { TOKENS = 201, WIDE = 2 };
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s[2] = { set_up(which, 1), set_up(which, 1) };
		uint64_t seen = 0;
		struct leat_hook hook = { .point = "*", .layer = -1, .fn = look, .user = &seen };
		struct leat_request *r[2];
		struct answer got;
		uint64_t ns[2][TOKENS];
		s[1]->p.hooks = &hook;
		s[1]->p.n_hooks = 1;
		answer_alone(s[1]->e, &s[1]->p, &got);
		s[1]->p.n_hooks = 0;
		for (int i = 0; i < 2; i++) {
			s[i]->p.max_tokens = TOKENS + 10;
			MUST(leat_request_submit(s[i]->e, &s[i]->p, &r[i], &err));
			one_token_ns(r[i]);
		}
		for (int t = 0; t < TOKENS; t++)
			for (int i = 0; i < 2; i++)
				ns[i][t] = one_token_ns(r[i]);
		for (int i = 0; i < 2; i++)
			qsort(ns[i], TOKENS, sizeof ns[i][0], by_time);
		double plain = (double)ns[0][TOKENS / 2], beside = (double)ns[1][TOKENS / 2];
		printf("%s: a token takes %.1f us, %.1f us where hooks were (%+.1f %%)\n", which ? "qwen2" : "rwkv7",
		       plain / 1e3, beside / 1e3, 100 * (beside / plain - 1));
		assert_true(beside < WIDE * plain); /* the machine may be busy with other tests */
		for (int i = 0; i < 2; i++) {
			leat_request_unref(r[i]);
			tear_down(s[i]);
		}
	}
}

static void refused(struct setting *s, const struct leat_hook *h, int n, enum leat_status st, const char *word)
{
	struct leat_request *r;
	s->p.hooks = h;
	s->p.n_hooks = n;
	assert_int_equal(leat_request_submit(s->e, &s->p, &r, &err), st);
	if (!strstr(err.message, word))
		fail_msg("'%s' does not say %s", err.message, word);
}

static void test_refusals(void **state)
{
	struct setting *s = set_up(1, 1);
	struct leat_hook h = { .point = "layer.inn\n", .layer = -1, .fn = look };
	struct leat_hook_point point = { .struct_size = sizeof point };
	(void)state;
	refused(s, &h, 1, LEAT_E_NOTFOUND, "no point 'layer.inn\\x0A' in a model of architecture qwen2");
	h.point = "layer.out";
	h.layer = 99;
	refused(s, &h, 1, LEAT_E_ARG, "layer is 99");
	h.layer = -1;
	h.fn = NULL;
	refused(s, &h, 1, LEAT_E_ARG, "no function");
	h.fn = look;
	h.point = NULL;
	refused(s, &h, 1, LEAT_E_ARG, "no point");
	refused(s, &h, 65, LEAT_E_LIMIT, "65 hooks");
	refused(s, NULL, 1, LEAT_E_ARG, "hooks");
	assert_int_equal(leat_model_hook_at(s->m, 1000, &point, &err), LEAT_E_ARG);
	assert_int_equal(leat_model_hook_at(s->m, -1, &point, &err), LEAT_E_ARG);
	tear_down(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_looking),
		cmocka_unit_test(test_off_again),
		cmocka_unit_test(test_others_untouched),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_prefix_cache),
		cmocka_unit_test(test_control_vector),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_let_go),
		cmocka_unit_test(test_speed_of_others),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
