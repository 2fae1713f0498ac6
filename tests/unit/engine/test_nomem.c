/* test_nomem.c - every allocation of an engine's life fails once: opening, submitting, running, cancelling, closing.
 * Each time it is an error or it is not; nothing leaks, nothing hangs, and the next request is served (E09). */
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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_MALLOC 0
#elif defined(__has_feature)
#define OWN_MALLOC (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define OWN_MALLOC 1
#endif

static long n_calls, fail_at, n_live;

#if OWN_MALLOC
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);

static int fails(void)
{
	return __atomic_add_fetch(&n_calls, 1, __ATOMIC_RELAXED) == fail_at;
}

static void *count(void *p)
{
	if (p)
		__atomic_add_fetch(&n_live, 1, __ATOMIC_RELAXED);
	return p;
}

void *malloc(size_t n)
{
	return fails() ? NULL : count(__libc_malloc(n));
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : count(__libc_calloc(n, size));
}

void *realloc(void *p, size_t n)
{
	if (fails())
		return NULL;
	return p ? __libc_realloc(p, n) : count(__libc_realloc(p, n));
}

void *aligned_alloc(size_t align, size_t n)
{
	return fails() ? NULL : count(__libc_memalign(align, n));
}

int posix_memalign(void **ret, size_t align, size_t n)
{
	void *p = aligned_alloc(align, n);
	if (p)
		*ret = p;
	return p ? 0 : 12;
}

void free(void *p)
{
	if (p)
		__atomic_sub_fetch(&n_live, 1, __ATOMIC_RELAXED);
	__libc_free(p);
}
#endif

static struct leat_model *model;

static int is_expected(enum leat_status st)
{
	return st == LEAT_OK || st == LEAT_E_NOMEM;
}

/* Reads at most n events, or to the end. */
static void read_some(struct leat_request *r, int n)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_token t = LEAT_TOKEN_INIT;
	enum leat_status st = LEAT_OK;
	while (n-- && st == LEAT_OK && !t.finish) {
		st = leat_request_next(r, &t, &err);
		if (!is_expected(st))
			fail_msg("allocation %ld: %s", fail_at, err.message);
	}
}

static void use_session(struct leat_engine *e, const struct leat_request_params *params)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_session *s;
	struct leat_request *r;
	struct leat_request_params p = *params;
	int64_t mark;
	if (leat_session_create(e, &s, &err) != LEAT_OK)
		return;
	p.session = s;
	if (leat_request_submit(e, &p, &r, &err) == LEAT_OK) {
		read_some(r, -1);
		leat_request_unref(r);
	}
	leat_session_mark(s, &mark, &err);
	leat_session_unref(s);
}

/* One life. *ret_engine: it came to be. */
static void live(int *ret_engine)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e;
	struct leat_request *r[3] = { NULL };
	int32_t prompt[70];
	ep.n_threads = 1;
	ep.n_seqs = 2;
	ep.n_ctx = 256;
	ep.n_batch = 48;
	ep.prefix_cache_bytes = 1 << 20;
	enum leat_status st = leat_engine_create(model, &ep, &e, &err);
	*ret_engine = st == LEAT_OK;
	if (!is_expected(st))
		fail_msg("allocation %ld: %s", fail_at, err.message);
	if (st != LEAT_OK)
		return;
	e->sched.preempt_every = 4;
	answer_prompt(prompt, 70, 2);
	for (int i = 0; i < 3; i++) {
		const char *stops[] = { "zzz" };
		struct leat_request_params p = answer_params(model, prompt, 70 - 30 * i, 4, 1);
		p.n_top = 3;
		p.stop = stops;
		p.n_stop = 1;
		st = leat_request_submit(e, &p, &r[i], &err);
		if (!is_expected(st))
			fail_msg("allocation %ld: %s", fail_at, err.message);
	}
	if (r[0])
		read_some(r[0], 2);
	if (r[1])
		leat_request_cancel(r[1]);
	if (r[2])
		read_some(r[2], -1);
	for (int i = 0; i < 3; i++)
		leat_request_unref(r[i]);
	struct leat_request_params p = answer_params(model, prompt, 20, 3, 1);
	use_session(e, &p);
	/* the engine is whole: whatever failed is over by now */
	fail_at = 0;
	struct answer a;
	answer_alone(e, &p, &a);
	assert_int_equal(a.n, 3);
	assert_int_equal(a.finish, LEAT_FINISH_LENGTH);
	assert_int_equal(atomic_load(&e->sched.n_open), 0);
	leat_engine_unref(e);
}

static void every_one(const char *file)
{
	struct leat_error err = LEAT_ERROR_INIT;
	int engine;
	long k = 0, before, n_all;
	if (!OWN_MALLOC || access(source_path(file), R_OK))
		skip(); /* the sanitizer owns malloc; the plain build does this */
	if (leat_model_open(source_path(file), NULL, &model, &err))
		fail_msg("%s", err.message);
	live(&engine); /* what is made once is made */
	n_calls = 0;
	live(&engine);
	n_all = n_calls;
	before = n_live;
	while (++k <= n_all) {
		n_calls = 0;
		fail_at = k;
		live(&engine);
		fail_at = 0;
		if (n_live != before)
			fail_msg("allocation %ld of %ld: %ld blocks leaked", k, n_all, n_live - before);
	}
	print_message("%s: %ld allocations failed, one at a time\n", file, n_all);
	assert_true(n_all > 30);
	leat_model_unref(model);
}

static void test_recurrent(void **state)
{
	(void)state;
	every_one("models/demo-rwkv7.gguf");
}

static void test_attention(void **state)
{
	(void)state;
	every_one("models/demo-qwen2.gguf");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recurrent),
		cmocka_unit_test(test_attention),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
