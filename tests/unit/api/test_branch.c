/* test_branch.c - beginnings of prompts that are kept: what a branch, a session, a request on a state and a restart
 * compute of them (U55, U22). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "leat/leat.h"
#include "support/oracle.h"
#include "unit/state/snaps.h"

/* Places of the prompt from one branch to the next; all of them in the long run. */
#ifndef LEAT_BRANCH_STEP
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LEAT_BRANCH_STEP 61
#else
#define LEAT_BRANCH_STEP 13
#endif
#endif
#ifndef LEAT_BRANCH_KEPT
#define LEAT_BRANCH_KEPT (64 << 20) /* bytes: each branch leaves a state of its own beside the first prompt's */
#endif

enum { N_MODELS = 3, LONG = 600, ANSWER = 12, GRID = 32 };
static const char *const files[N_MODELS] = { "models/demo-rwkv7.gguf", "models/demo-qwen2.gguf",
					     "models/demo-qwen2.gguf" };
static const char *const caches[N_MODELS] = { NULL, NULL, "q8_0" };
static struct leat_error err = LEAT_ERROR_INIT;

#define MUST(call)                                    \
	do {                                          \
		if ((call) != LEAT_OK)                \
			fail_msg("%s", err.message);  \
	} while (0)

static struct leat_model *open_model(int which)
{
	struct leat_model *m;
	if (access(source_path(files[which]), R_OK))
		skip();
	MUST(leat_model_open(source_path(files[which]), NULL, &m, &err));
	return m;
}

/* kept: bytes for beginnings. */
static struct leat_engine *open_engine(struct leat_model *m, int which, int64_t kept, const char *dir)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e = NULL;
	p.n_threads = 1;
	p.n_ctx = 704;
	p.n_batch = 128;
	p.n_seqs = 2;
	p.mode = LEAT_MODE_DETERMINISTIC;
	p.kv_type = caches[which];
	p.prefix_cache_bytes = kept;
	p.state_dir = dir;
	MUST(leat_engine_create(m, &p, &e, &err));
	return e;
}

struct ask {
	struct leat_engine *e;
	struct leat_model *m;
	struct leat_session *session;
	const struct leat_state *initial;
	const uint64_t *borders;
	int n_borders, most;
	int32_t ids[ANSWER];
	uint64_t computed, cached;
};

/* Greedy ids after a prompt, and how many of its tokens were computed. */
static void serve(struct ask *a, const int32_t *t, int n)
{
	struct leat_request_params p;
	struct leat_request_stats stats = { .struct_size = sizeof stats };
	struct leat_request *r;
	struct leat_token tok = LEAT_TOKEN_INIT;
	leat_request_params_init(a->m, &p);
	p.tokens = t;
	p.n_tokens = (uint64_t)n;
	p.max_tokens = a->most;
	p.temperature = 0;
	p.presence_penalty = p.frequency_penalty = 0;
	p.flags = LEAT_REQUEST_IGNORE_EOS;
	p.session = a->session;
	p.initial_state = a->initial;
	p.borders = a->borders;
	p.n_borders = a->n_borders;
	MUST(leat_request_submit(a->e, &p, &r, &err));
	for (int i = 0; i < a->most; i++) {
		MUST(leat_request_next(r, &tok, &err));
		a->ids[i] = tok.id;
	}
	leat_request_get_stats(r, &stats);
	a->computed = stats.n_prompt;
	a->cached = stats.n_cached;
	leat_request_unref(r);
}

static void same_answer(const struct ask *a, const struct ask *b)
{
	assert_int_equal(a->most, b->most);
	assert_memory_equal(a->ids, b->ids, (size_t)a->most * sizeof *a->ids);
}

static void make_prompt(struct leat_model *m, int32_t *t)
{
	struct leat_model_info info = { .struct_size = sizeof info };
	leat_model_get_info(m, &info);
	for (int i = 0; i < LONG; i++)
		t[i] = (i * 7 + (i * i) % 31 + 3) % (info.n_vocab - 1);
}

/* Branches at earlier and earlier tokens, so that none finds what another one left: what is reused is the first
 * prompt's. Each answers as without a cache. */
static void branch(int which, struct leat_model *m, struct leat_engine *e, struct leat_engine *plain)
{
	struct ask a = { .e = e, .m = m, .most = 1 }, b = { .e = plain, .m = m, .most = 1 };
	int32_t t[LONG];
	uint64_t worst = 0;
	int n = 0;
	make_prompt(m, t);
	for (int at = LONG - 1; at > 0; at -= LEAT_BRANCH_STEP, n++) {
		t[at]++;
		serve(&a, t, at + 1);
		assert_int_equal(a.computed + a.cached, at + 1);
		worst = (uint64_t)at - a.cached > worst ? (uint64_t)at - a.cached : worst;
		assert_true(a.cached + GRID >= (uint64_t)at);
		if (n % 8 == 0) {
			serve(&b, t, at + 1);
			same_answer(&a, &b);
		}
		t[at]--;
	}
	print_message("%s, cache %s: %d branches of a prompt of %d tokens: at most %llu of the tokens before them "
		      "computed again, aim %d\n", files[which], caches[which] ? caches[which] : "f16", n, LONG,
		      (unsigned long long)worst, GRID);
}

/* A branch at any earlier token computes at most 32 tokens before it; closed and opened anew, the same prompt
 * computes one. */
static void test_branches(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct leat_model *m = open_model(which);
		char dir[64];
		int32_t t[LONG];
		snap_folder(dir);
		make_prompt(m, t);
		struct ask plain = { .e = open_engine(m, which, 0, NULL), .m = m, .most = ANSWER };
		struct ask a = { .e = open_engine(m, which, LEAT_BRANCH_KEPT, dir), .m = m, .most = ANSWER };
		serve(&plain, t, LONG);
		serve(&a, t, LONG);
		assert_int_equal(a.computed, LONG);
		same_answer(&a, &plain);
		branch(which, m, a.e, plain.e);

		struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
		struct leat_engine *two = NULL;
		p.state_dir = dir;
		assert_int_equal(leat_engine_create(m, &p, &two, &err), LEAT_E_ARG); /* no cache to keep */
		p.prefix_cache_bytes = 1 << 20;
		assert_int_equal(leat_engine_create(m, &p, &two, &err), LEAT_E_BUSY);
		assert_null(two);
		leat_engine_unref(a.e);

		a.e = open_engine(m, which, 64 << 20, dir);
		serve(&a, t, LONG);
		print_message("%s, cache %s: after a restart the prompt computes %llu of %d tokens, aim 1\n",
			      files[which], caches[which] ? caches[which] : "f16", (unsigned long long)a.computed,
			      LONG);
		assert_int_equal(a.computed, 1);
		same_answer(&a, &plain);
		MUST(leat_engine_keep_states(a.e, &err));
		leat_engine_unref(a.e);
		leat_engine_unref(plain.e);
		leat_model_unref(m);
		assert_true(snap_files(dir, 1) > 0);
	}
}

/* A state is kept at each border that is told, beside the grid: a branch there computes its own tokens only. */
static void test_borders(void **state)
{
	static const uint64_t borders[] = { 5, 77, 78, 190 };
	struct leat_model *m = open_model(0);
	struct ask a = { .e = open_engine(m, 0, 64 << 20, NULL), .m = m, .most = 1, .borders = borders,
			 .n_borders = 4 };
	int32_t t[LONG];
	(void)state;
	make_prompt(m, t);
	serve(&a, t, 200);
	a.n_borders = 0;
	for (int i = 3; i >= 0; i--) {
		int at = (int)borders[i];
		t[at]++;
		serve(&a, t, at + 1);
		assert_int_equal(a.computed, 1);
		t[at]--;
	}
	t[100]++;
	serve(&a, t, 101); /* elsewhere: the grid */
	assert_int_equal(a.computed, 101 - 96);
	struct leat_request_params p;
	struct leat_request *r = NULL;
	static const uint64_t wrong[] = { 7, 7, 0, 300 };
	leat_request_params_init(m, &p);
	p.tokens = t;
	p.n_tokens = 200;
	p.borders = wrong;
	p.n_borders = 2;
	assert_int_equal(leat_request_submit(a.e, &p, &r, &err), LEAT_E_ARG);
	p.borders = wrong + 2;
	assert_int_equal(leat_request_submit(a.e, &p, &r, &err), LEAT_E_ARG);
	p.borders = wrong + 3;
	p.n_borders = 1;
	assert_int_equal(leat_request_submit(a.e, &p, &r, &err), LEAT_E_ARG);
	p.n_borders = LEAT_MAX_BORDERS + 1;
	assert_int_equal(leat_request_submit(a.e, &p, &r, &err), LEAT_E_LIMIT);
	p.borders = NULL;
	p.n_borders = 1;
	assert_int_equal(leat_request_submit(a.e, &p, &r, &err), LEAT_E_ARG);
	assert_null(r);
	leat_engine_unref(a.e);
	leat_model_unref(m);
}

/* Borders of messages: where conversations that begin alike part. */
static void test_message_borders(void **state)
{
	static const struct leat_message one[] = { { "system", "Answer in one word.", 19 },
						   { "user", "What is red?", 12 },
						   { "assistant", "A colour.", 9 },
						   { "user", "And what is blue?", 17 } },
					 two[] = { { "system", "Answer in one word.", 19 },
						   { "user", "Name a fish.", 12 } };
	struct leat_model *m = open_model(0);
	static const char *const templates[] = { "chatml", "rwkv", "llama2", "none" };
	int n_checked = 0;
	(void)state;
	for (int i = 0; i < 4; i++) {
		uint64_t b[LEAT_MAX_BORDERS], c[LEAT_MAX_BORDERS];
		int32_t *x = NULL, *y = NULL;
		size_t n_x, n_y, n_b = 0, n_c = 0, same = 0;
		if (leat_model_chat_tokens(m, templates[i], one, 4, LEAT_CHAT_GENERATE, &x, &n_x, &err))
			continue; /* this vocabulary lacks its marks */
		MUST(leat_model_chat_tokens(m, templates[i], two, 2, LEAT_CHAT_GENERATE, &y, &n_y, &err));
		MUST(leat_model_chat_borders(m, templates[i], one, 4, LEAT_CHAT_GENERATE, x, n_x, b, LEAT_MAX_BORDERS,
					     &n_b, &err));
		MUST(leat_model_chat_borders(m, templates[i], two, 2, LEAT_CHAT_GENERATE, y, n_y, c, 1, &n_c, &err));
		assert_true(n_b >= 3 && n_b <= 5 && n_c <= 1);
		for (size_t k = 0; k < n_b; k++)
			assert_true(b[k] > (k ? b[k - 1] : 0) && b[k] <= n_x);
		while (same < n_x && same < n_y && x[same] == y[same])
			same++;
		size_t best = 0;
		for (size_t k = 0; k < n_b; k++)
			best = b[k] <= same && b[k] > best ? b[k] : best;
		n_checked++;
		if (strcmp(templates[i], "llama2")) /* which puts the system message inside the user's */
			assert_true(best > 0 && same - best <= strlen("\n\nUser: ")); /* words that open a message */
		leat_free(x);
		leat_free(y);
	}
	assert_true(n_checked >= 2);
	leat_model_unref(m);
}

/* A session finds what requests left, requests what a session left; a mark at its begin leads back. */
static void test_sessions(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct leat_model *m = open_model(which);
		struct ask plain = { .e = open_engine(m, which, 0, NULL), .m = m, .most = ANSWER };
		struct ask a = { .e = open_engine(m, which, 64 << 20, NULL), .m = m, .most = ANSWER };
		int32_t t[LONG], next[20];
		int64_t mark;
		make_prompt(m, t);
		for (int i = 0; i < 20; i++)
			next[i] = 9 + i;
		serve(&a, t, 300);
		MUST(leat_session_create(a.e, &a.session, &err));
		MUST(leat_session_create(plain.e, &plain.session, &err));
		MUST(leat_session_mark(a.session, &mark, &err));
		serve(&a, t, 320); /* a begin of the request's */
		assert_true(a.cached >= 300 - GRID && a.computed + a.cached == 320);
		serve(&plain, t, 320);
		same_answer(&a, &plain);
		serve(&a, next, 20);
		serve(&plain, next, 20);
		same_answer(&a, &plain);
		MUST(leat_session_rewind(a.session, mark, &err));
		MUST(leat_session_reset(plain.session, &err));
		t[310]++;
		serve(&a, t, 400); /* and of the session's own, that it has left */
		assert_true(a.cached + GRID >= 310);
		serve(&plain, t, 400);
		same_answer(&a, &plain);
		leat_session_unref(a.session);
		leat_session_unref(plain.session);
		a.session = plain.session = NULL;
		serve(&a, t, 400);
		assert_int_equal(a.computed, 1);
		same_answer(&a, &plain);
		leat_engine_unref(a.e);
		leat_engine_unref(plain.e);
		leat_model_unref(m);
	}
}

/* Requests on a state find what others left that began with the same one, and nobody else's. */
static void test_initial_states(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct leat_model *m = open_model(which);
		struct ask plain = { .e = open_engine(m, which, 0, NULL), .m = m, .most = ANSWER };
		struct ask a = { .e = open_engine(m, which, 64 << 20, NULL), .m = m, .most = ANSWER };
		struct leat_state *x;
		int32_t t[LONG];
		make_prompt(m, t);
		MUST(leat_session_create(a.e, &a.session, &err));
		a.most = 1;
		serve(&a, t + 100, 150);
		MUST(leat_state_capture(a.session, &x, &err));
		leat_session_unref(a.session);
		a.session = NULL;
		a.most = ANSWER;
		a.initial = plain.initial = x;
		serve(&a, t, 200);
		assert_int_equal(a.cached, 150);
		serve(&plain, t, 200);
		same_answer(&a, &plain);
		serve(&a, t, 200);
		assert_int_equal(a.computed, 1);
		same_answer(&a, &plain);
		t[120]++;
		serve(&a, t, 200);
		assert_true(a.cached >= 150 + 120 - GRID);
		serve(&plain, t, 200);
		same_answer(&a, &plain);
		a.initial = plain.initial = NULL;
		serve(&a, t, 200); /* the same tokens behind nothing */
		assert_int_equal(a.cached, 0);
		serve(&plain, t, 200);
		same_answer(&a, &plain);
		leat_state_unref(x);
		leat_engine_unref(a.e);
		leat_engine_unref(plain.e);
		leat_model_unref(m);
	}
}

/* In a process that may write little: the failure is told, the engine goes on, and closes. */
static int with_full_disk(const char *dir)
{
	struct leat_model *m = open_model(0);
	struct ask a = { .e = open_engine(m, 0, 64 << 20, dir), .m = m, .most = 1 };
	int32_t t[LONG], first;
	int ok = 1;
	make_prompt(m, t);
	signal(SIGXFSZ, SIG_IGN);
	ok &= !setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 5000, 5000 });
	serve(&a, t, 100);
	first = a.ids[0];
	ok &= leat_engine_keep_states(a.e, &err) == LEAT_E_IO && strstr(err.message, dir);
	serve(&a, t, 100);
	ok &= a.computed == 1 && a.ids[0] == first;
	leat_engine_unref(a.e);
	leat_model_unref(m);
	return ok;
}

static void test_P03_full_disk(void **state)
{
	char dir[64];
	int status = -1;
	struct leat_model *m = open_model(0);
	(void)state;
	snap_folder(dir);
	pid_t pid = fork();
	if (!pid)
		_exit(!with_full_disk(dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(snap_files(dir, 0), 0); /* nothing half-written */
	struct leat_engine *e = open_engine(m, 0, 64 << 20, dir);
	leat_engine_unref(e);
	leat_model_unref(m);
	snap_files(dir, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_branches),        cmocka_unit_test(test_borders),
		cmocka_unit_test(test_message_borders), cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_initial_states),  cmocka_unit_test(test_P03_full_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
