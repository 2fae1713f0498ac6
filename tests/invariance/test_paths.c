/* test_paths.c - every way in which a request can be computed, one at a time, for every architecture: in chunks of any
 * size, by one thread or two, in company of 1, 6 and 31 others, put aside and resumed, after a beginning found in the
 * prefix cache, found on disk by another engine, or loaded from a file. The answer is bit for bit the one of the
 * request alone, and it is seen that the way was taken. test_schedules.c mixes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/request.h"
#include "support/worlds.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STEP = 6 }; /* of models */
#else
enum { STEP = 1 };
#endif

enum { MOST = 3 * WORLD_KINDS };

/* What requests took, all together. */
struct took {
	uint64_t n_cached, n_preempted;
};

static struct leat_engine_params params(int n_seqs, int n_batch)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	p.n_threads = 1;
	p.threads_poll_us = -1;
	p.n_seqs = n_seqs;
	p.n_batch = n_batch;
	p.n_ctx = WORLD_N_CTX;
	p.mode = LEAT_MODE_DETERMINISTIC;
	return p;
}

static struct leat_request *submit(struct leat_engine *e, const struct leat_request_params *p)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_request *r;
	if (leat_request_submit(e, p, &r, &err))
		fail_msg("%s", err.message);
	return r;
}

static int read_one(struct leat_request *r, struct answer *a)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_token t = LEAT_TOKEN_INIT;
	if (leat_request_next(r, &t, &err))
		fail_msg("%s", err.message);
	return answer_add(a, &t);
}

static void finish(const struct world *w, const char *how, int kind, struct leat_request *r, const struct answer *a,
		   struct took *t)
{
	struct leat_request_stats st = { .struct_size = sizeof st };
	const char *what = world_judge(w, kind, a);
	leat_request_get_stats(r, &st);
	t->n_cached += st.n_cached;
	t->n_preempted += (uint64_t)st.n_preempted;
	if (what)
		fail_msg("%s: request %d: %s differ from those of the request alone", how, kind, what);
	leat_request_unref(r);
}

/* All kinds of requests, n_each of each, read in turns, so that they come and go. */
static struct took run_all(const struct world *w, struct leat_engine *e, const char *how, int n_each)
{
	static struct answer got[MOST];
	struct leat_request *r[MOST];
	struct took t = { 0 };
	int n = n_each * WORLD_KINDS, left = n;
	memset(got, 0, sizeof got);
	for (int i = 0; i < n; i++)
		r[i] = submit(e, &w->p[i % WORLD_KINDS]);
	while (left)
		for (int i = 0; i < n; i++)
			if (r[i] && read_one(r[i], &got[i])) {
				finish(w, how, i % WORLD_KINDS, r[i], &got[i], &t);
				r[i] = NULL;
				left--;
			}
	return t;
}

static void chunks_and_threads(const struct world *w)
{
	static const int batch[] = { 2, 7, 33, 64, 512 };
	for (int i = 0; i < 5; i++) {
		struct leat_engine_params p = params(1, batch[i]);
		p.n_threads = 1 + i % 2;
		struct leat_engine *e = world_engine(w, &p);
		run_all(w, e, "chunks", 1);
		leat_engine_unref(e);
	}
}

static void company(const struct world *w)
{
	static const int n[] = { 2, 7, 32 };
	for (int i = 0; i < 3; i++) {
		struct leat_engine_params p = params(n[i], 64);
		p.n_threads = 1 + i % 2;
		struct leat_engine *e = world_engine(w, &p);
		run_all(w, e, "company", n[i] == 32 ? 3 : 1);
		leat_engine_unref(e);
	}
}

static void put_aside(const struct world *w)
{
	for (int i = 1; i < 4; i++) {
		struct leat_engine_params p = params(3, i == 2 ? 16 : 512);
		p.prefix_cache_bytes = i == 3 ? 1 << 24 : 0;
		struct leat_engine *e = world_engine(w, &p);
		e->sched.preempt_every = i;
		struct took t = run_all(w, e, "put aside", 1);
		assert_true(t.n_preempted > 10);
		leat_engine_unref(e);
	}
}

static void found(const struct world *w)
{
	struct leat_engine_params p = params(2, 40);
	p.prefix_cache_bytes = 1 << 25;
	p.state_dir = world_folder();
	struct leat_engine *e = world_engine(w, &p);
	run_all(w, e, "kept", 1);
	struct took t = run_all(w, e, "found", 1);
	assert_true(t.n_cached > 300);
	leat_engine_unref(e);
	e = world_engine(w, &p); /* which knows nothing but the folder */
	t = run_all(w, e, "found on disk", 1);
	assert_true(t.n_cached > 300);
	leat_engine_unref(e);
	world_remove(p.state_dir);
}

/* A session takes all of the prompt but its last token; its state goes to a file. 0: the prompt is too short. */
static int save(const struct world *w, struct leat_engine *e, int kind, const char *path)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_session *s;
	struct leat_state *x;
	struct leat_request_params p = w->p[kind];
	struct answer a = { .n = 0 };
	if (p.n_tokens < 2)
		return 0;
	if (leat_session_create(e, &s, &err))
		fail_msg("%s", err.message);
	p.session = s;
	p.n_tokens--;
	p.max_tokens = 0;
	struct leat_request *r = submit(e, &p);
	while (!read_one(r, &a))
		;
	leat_request_unref(r);
	if (leat_state_capture(s, &x, &err) || leat_state_save(x, path, &err))
		fail_msg("%s", err.message);
	leat_state_unref(x);
	leat_session_unref(s);
	return 1;
}

/* Models with two sets of rotary frequencies choose by the length that is expected, and a session may grow to the
 * context; so the file is for requests that the context bounds too. */
static void loaded(const struct world *w)
{
	struct leat_error err = LEAT_ERROR_INIT;
	char path[600];
	const char *folder = world_folder();
	snprintf(path, sizeof path, "%s/one.state", folder);
	for (int kind = 0; kind < WORLD_KINDS; kind++) {
		struct leat_engine_params ep = params(1, 24);
		ep.n_ctx = (int32_t)((int64_t)w->p[kind].n_tokens + w->p[kind].max_tokens);
		struct leat_engine *e = world_engine(w, &ep);
		struct leat_request_params p = w->p[kind];
		struct answer a = { .n = 0 };
		struct took t = { 0 };
		int saved = save(w, e, kind, path);
		leat_engine_unref(e);
		if (!saved)
			continue;
		struct leat_state *x;
		e = world_engine(w, &ep);
		if (leat_state_load(w->m, path, &x, &err))
			fail_msg("%s", err.message);
		p.tokens += p.n_tokens - 1;
		p.n_tokens = 1;
		p.initial_state = x;
		struct leat_request *r = submit(e, &p);
		while (!read_one(r, &a))
			;
		finish(w, "loaded", kind, r, &a, &t);
		assert_int_equal(t.n_cached, w->p[kind].n_tokens - 1);
		leat_state_unref(x);
		leat_engine_unref(e);
	}
	world_remove(folder);
}

static void test_E21_every_path(void **state)
{
	int n = 0;
	(void)state;
	for (int i = 0; i < WORLD_FILES; i += STEP) {
		const char *path = world_file(i);
		if (!path)
			continue;
		struct world *w = world_open(path, LEAT_MODE_DETERMINISTIC);
		chunks_and_threads(w);
		company(w);
		put_aside(w);
		found(w);
		loaded(w);
		print_message("%s: equal bit for bit\n", world_name(i));
		world_close(w);
		n++;
	}
	if (!n)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_E21_every_path) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
