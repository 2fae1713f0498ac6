/* test_warm.c - plans before they are needed: warm-up, a mixed load after it, work ahead, upkeep under pressure. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "support/answers.h"
#include "support/oracle.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_PLAIN 0
#elif defined(__has_feature)
#define IS_PLAIN (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define IS_PLAIN 1
#endif

static const char *const models[] = { "models/demo-rwkv7.gguf", "models/demo-qwen2.gguf" };
enum { N_MODELS = 2, MOST_PROMPT = 200 };

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

static struct leat_engine *open_engine(struct leat_model *m, int n_seqs, int warm_up, int maintain, const char *opts)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	p.n_threads = 1;
	p.n_seqs = n_seqs;
	p.n_ctx = 1024;
	p.n_batch = 128;
	p.opts = opts;
	p.mode = LEAT_MODE_DETERMINISTIC;
	p.warm_up = warm_up;
	p.maintain = maintain;
	p.prefix_cache_bytes = 2 << 20;
	if (leat_engine_create(m, &p, &e, &err))
		fail_msg("%s", err.message);
	return e;
}

static struct leat_cache_info cache(const struct leat_engine *e, int which)
{
	struct leat_cache_info i = { .struct_size = sizeof i };
	assert_int_equal(leat_engine_get_cache(e, which, &i), LEAT_OK);
	return i;
}

static struct leat_engine_work work(const struct leat_engine *e)
{
	struct leat_engine_work w = { .struct_size = sizeof w };
	assert_int_equal(leat_engine_get_work(e, &w), LEAT_OK);
	return w;
}

static struct leat_request *submit(struct leat_engine *e, struct leat_model *m, int n_prompt, int n_answer)
{
	int32_t t[MOST_PROMPT];
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_request *r;
	answer_prompt(t, n_prompt, (unsigned)(n_prompt * 31 + n_answer));
	struct leat_request_params p = answer_params(m, t, n_prompt, n_answer, 3);
	p.flags |= LEAT_REQUEST_NO_CACHE;
	if (leat_request_submit(e, &p, &r, &err))
		fail_msg("%s", err.message);
	return r;
}

static void finish(struct leat_request *r, struct answer *ret)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_token t = LEAT_TOKEN_INIT;
	memset(ret, 0, sizeof *ret);
	do {
		if (leat_request_next(r, &t, &err))
			fail_msg("%s", err.message);
	} while (!answer_add(ret, &t));
	leat_request_unref(r);
}

static void assert_same(const struct answer *a, const struct answer *b)
{
	if (answer_difference(a, b))
		fail_msg("%s", answer_difference(a, b));
}

/* The first prompt of every bucket, alone and beside answers, finds its plan. */
static void test_no_misses_after_warm_up(void **state)
{
	static const int length[] = { 1, 2, 3, 7, 16, 20, 33, 64, 65, 97, 128, 200 };
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct leat_model *model = open_model(m);
		struct leat_engine *e = open_engine(model, 6, 1, 0, NULL);
		struct leat_engine_info i = { .struct_size = sizeof i };
		struct leat_cache_info before = cache(e, LEAT_CACHE_PLANS), after;
		struct leat_request *r[4];
		struct answer a;
		leat_engine_get_info(e, &i);
		print_message("warm: %d plans of %llu bytes in %.2f ms\n", before.n_entries,
			      (unsigned long long)before.bytes, (double)i.compile_ns / 1e6);
		assert_true(i.compile_ns > 0);
		assert_int_equal(i.steps, 0);
		for (size_t n = 0; n < sizeof length / sizeof *length; n++)
			finish(submit(e, model, length[n], 3), &a);
		for (size_t n = 0; n < sizeof length / sizeof *length; n++) {
			for (int j = 0; j < 4; j++)
				r[j] = submit(e, model, length[(n + (size_t)j * 3) % 12], 6 + j);
			for (int j = 0; j < 4; j++)
				finish(r[j], &a);
		}
		after = cache(e, LEAT_CACHE_PLANS);
		assert_int_equal(after.made, before.made);
		assert_int_equal(after.lookups - before.lookups, after.hits - before.hits);
		assert_true(after.lookups > before.lookups + 50);
		leat_engine_unref(e);
		leat_model_unref(model);
	}
}

static unsigned rnd_state = 11;

static unsigned rnd(unsigned n)
{
	rnd_state = rnd_state * 1664525u + 1013904223u;
	return (rnd_state >> 8) % n;
}

/* 1,000 requests of random lengths, up to 12 at a time. */
static void mixed(struct leat_engine *e, struct leat_model *m, int n)
{
	enum { AT_ONCE = 12 };
	struct leat_request *open[AT_ONCE] = { NULL };
	struct answer a;
	for (int i = 0; i < n + AT_ONCE; i++) {
		int at = i % AT_ONCE;
		if (open[at])
			finish(open[at], &a);
		open[at] = i < n ? submit(e, m, 1 + (int)rnd(rnd(4) ? 40 : MOST_PROMPT), 1 + (int)rnd(12)) : NULL;
	}
}

static void test_mixed_load_hits(void **state)
{
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct leat_model *model = open_model(m);
		struct leat_engine *e = open_engine(model, 8, 1, 0, NULL);
		struct leat_cache_info before = cache(e, LEAT_CACHE_PLANS), after;
		uint64_t mapped = cache(e, LEAT_CACHE_SCRATCH).made;
		mixed(e, model, IS_PLAIN ? 1000 : 40);
		after = cache(e, LEAT_CACHE_PLANS);
		struct leat_engine_work w = work(e);
		double hits = (double)(after.hits - before.hits) / (double)(after.lookups - before.lookups);
		double right = (double)w.right_guesses / (double)w.guesses;
		print_message("%s: plans %.4f of %llu lookups; guessed %.3f of %llu, depth %llu\n", models[m], hits,
			      (unsigned long long)(after.lookups - before.lookups), right,
			      (unsigned long long)w.guesses, (unsigned long long)w.depth);
		print_message("%llu of %llu steps found a job, %llu prepared (%llu from plans there), %llu discarded\n",
			      (unsigned long long)w.jobs_ready, (unsigned long long)w.jobs_looked,
			      (unsigned long long)w.jobs_prepared, (unsigned long long)w.jobs_reused,
			      (unsigned long long)w.jobs_discarded);
		print_message("a step: %.1f launches, %.1f barriers, %.1f bytes sent, %.2f of %.2f rows real\n",
			      (double)w.launches / (double)w.steps, (double)w.barriers / (double)w.steps,
			      (double)w.upload_bytes / (double)w.steps, (double)w.tokens / (double)w.steps,
			      (double)w.bucket_tokens / (double)w.steps);
		assert_true(hits >= 0.99);
		assert_int_equal(cache(e, LEAT_CACHE_SCRATCH).made, mapped);
		assert_int_equal(w.jobs_discarded, 0);
		assert_true(after.made < w.steps); /* R21 */
		assert_true(right > 0.3); /* lengths and arrivals are random */
		leat_engine_unref(e);
		leat_model_unref(model);
	}
}

/* Answers alone: nearly every step was foreseen and its plan held ready; what a step sends is its tokens and scalars;
 * nothing is proved again. */
static void test_steady_answers(void **state)
{
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct leat_model *model = open_model(m);
		struct leat_engine *e = open_engine(model, 4, 1, 0, NULL);
		struct answer a;
		struct leat_request *r[4];
		for (int j = 0; j < 4; j++)
			r[j] = submit(e, model, 10, 40);
		for (int j = 0; j < 4; j++)
			finish(r[j], &a);
		struct leat_engine_work before = work(e), w;
		for (int j = 0; j < 4; j++)
			r[j] = submit(e, model, 10, 300);
		for (int j = 0; j < 4; j++)
			finish(r[j], &a);
		w = work(e);
		uint64_t steps = w.steps - before.steps, right = w.right_guesses - before.right_guesses,
			 sent = w.upload_bytes - before.upload_bytes, tokens = w.tokens - before.tokens;
		print_message("%llu steps, %llu foreseen, %llu jobs ready; %.1f bytes sent a token\n",
			      (unsigned long long)steps, (unsigned long long)right,
			      (unsigned long long)(w.jobs_ready - before.jobs_ready), (double)sent / (double)tokens);
		assert_true(right * 100 >= steps * 95);
		assert_true((w.jobs_ready - before.jobs_ready) * 100 >= steps * 95);
		assert_int_equal(w.ops_checked, before.ops_checked);
		assert_true(sent <= tokens * (4 * sizeof(int32_t) + sizeof(struct leat_step_seq)));
		leat_engine_unref(e);
		leat_model_unref(model);
	}
}

/* An engine with a thread of its own and nothing to do makes what it has been missing. */
static void test_idle_time_is_used(void **state)
{
	struct leat_model *model = open_model(0);
	struct leat_engine *e = open_engine(model, 4, -1, 0, NULL), *off = open_engine(model, 4, -1, 0, "ahead=off");
	struct answer a, b;
	struct leat_error err = LEAT_ERROR_INIT;
	uint64_t built = 0;
	(void)state;
	assert_int_equal(leat_engine_start(e, &err), LEAT_OK);
	finish(submit(e, model, 40, 5), &a);
	finish(submit(off, model, 40, 5), &b);
	assert_same(&a, &b);
	for (int i = 0; i < 2000 && !built; i++) {
		const struct timespec ms = { 0, 1000000 };
		finish(submit(e, model, 40, 1), &a); /* counts are told after steps */
		nanosleep(&ms, NULL);
		built = work(e).jobs_built;
	}
	assert_true(built > 0);
	assert_int_equal(work(off).jobs_built, 0);
	assert_int_equal(work(off).guesses, 0);
	leat_engine_stop(e);
	leat_engine_unref(e);
	leat_engine_unref(off);
	leat_model_unref(model);
}

/* A device that takes two steps at a time: the next plan is made while the step runs. */
static void test_beside_a_running_step(void **state)
{
	struct leat_model *model = open_model(0);
	struct leat_engine *e = open_engine(model, 4, -1, 0, NULL), *plain = open_engine(model, 4, -1, 0, NULL);
	struct leat_backend two = *e->backend;
	const struct leat_backend *own = e->backend;
	struct answer a, b;
	(void)state;
	two.steps_in_flight = 2;
	e->backend = &two;
	e->plans.backend = &two;
	e->sched.overlap = 1;
	finish(submit(e, model, 150, 30), &a);
	finish(submit(plain, model, 150, 30), &b);
	assert_same(&a, &b);
	assert_true(work(e).jobs_built > 0);
	assert_true(e->plans.n_origin[LEAT_PLAN_AHEAD] > 0);
	assert_int_equal(work(e).steps_in_flight, 2);
	e->backend = own;
	e->plans.backend = own;
	leat_engine_unref(e);
	leat_engine_unref(plain);
	leat_model_unref(model);
}

/* ---- upkeep ---- */

struct memory {
	uint64_t total, avail;
	int n;
};

static void fake_memory(void *user, uint64_t *ret_total, uint64_t *ret_avail)
{
	struct memory *m = user;
	m->n++;
	*ret_total = m->total;
	*ret_avail = m->avail;
}

static struct leat_engine *open_with_memory(struct leat_model *model, int maintain, struct memory *m)
{
	struct leat_engine *e = open_engine(model, 2, -1, maintain, NULL);
	e->upkeep.memory = fake_memory;
	e->upkeep.user = m;
	return e;
}

/* A prompt that the prefix cache keeps. */
static void ask(struct leat_engine *e, struct leat_model *m, int n_prompt, struct answer *ret)
{
	int32_t t[MOST_PROMPT];
	answer_prompt(t, n_prompt, (unsigned)n_prompt);
	struct leat_request_params p = answer_params(m, t, n_prompt, 20, 3);
	answer_alone(e, &p, ret);
}

static void test_auto_waits_for_pressure(void **state)
{
	(void)state;
	for (int m = 0; m < N_MODELS; m++) {
		struct memory mem = { (uint64_t)64 << 30, (uint64_t)32 << 30, 0 };
		struct leat_model *model = open_model(m);
		struct leat_engine *e = open_with_memory(model, 0, &mem);
		struct answer want, got;
		for (int n = 20; n <= 180; n += 40)
			ask(e, model, n, &want);
		struct leat_engine_work w = work(e);
		assert_true(w.upkeep_looks >= 1 && w.upkeep_looks <= w.steps / 2);
		assert_int_equal(w.upkeep_runs, 0);
		uint64_t plans = cache(e, LEAT_CACHE_PLANS).bytes, prefix = cache(e, LEAT_CACHE_PREFIX).bytes;
		mem.avail = (uint64_t)100 << 20;
		for (int i = 0; i < 4; i++) {
			e->upkeep.next_ns = 0;
			ask(e, model, 180, &got);
			assert_same(&want, &got);
		}
		w = work(e);
		print_message("pressure: %llu looks, %llu runs, plans %llu -> %llu bytes, prefix %llu -> %llu\n",
			      (unsigned long long)w.upkeep_looks, (unsigned long long)w.upkeep_runs,
			      (unsigned long long)plans, (unsigned long long)cache(e, LEAT_CACHE_PLANS).bytes,
			      (unsigned long long)prefix, (unsigned long long)cache(e, LEAT_CACHE_PREFIX).bytes);
		assert_true(w.upkeep_runs >= 4);
		assert_int_equal(w.upkeep_pressed, w.upkeep_runs);
		assert_true(w.upkeep_freed_bytes > 0);
		assert_true(cache(e, LEAT_CACHE_PLANS).bytes < plans);
		assert_true(cache(e, LEAT_CACHE_PREFIX).bytes < prefix);
		mem.avail = (uint64_t)1100 << 20; /* more than the border, less than its slack: still short */
		e->upkeep.next_ns = 0;
		ask(e, model, 30, &got);
		assert_true(e->upkeep.pressed);
		mem.avail = (uint64_t)2 << 30;
		e->upkeep.next_ns = 0;
		ask(e, model, 30, &got);
		assert_false(e->upkeep.pressed);
		uint64_t runs = work(e).upkeep_runs;
		ask(e, model, 180, &got);
		assert_same(&want, &got);
		assert_int_equal(work(e).upkeep_runs, runs);
		leat_engine_unref(e);
		leat_model_unref(model);
	}
}

static void test_every_n_steps_or_never(void **state)
{
	struct memory mem = { (uint64_t)64 << 30, (uint64_t)1 << 20, 0 };
	struct leat_model *model = open_model(0);
	struct answer a;
	(void)state;
	struct leat_engine *never = open_with_memory(model, -1, &mem);
	ask(never, model, 100, &a);
	assert_int_equal(mem.n, 0);
	assert_int_equal(work(never).upkeep_looks, 0);
	leat_engine_unref(never);
	mem.avail = (uint64_t)32 << 30;
	struct leat_engine *often = open_with_memory(model, 7, &mem);
	ask(often, model, 100, &a);
	struct leat_engine_work w = work(often);
	assert_true(w.upkeep_runs >= w.steps / 7 && w.upkeep_runs <= w.steps / 7 + 1);
	assert_int_equal(w.upkeep_pressed, 0);
	leat_engine_unref(often);
	leat_model_unref(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_misses_after_warm_up), cmocka_unit_test(test_mixed_load_hits),
		cmocka_unit_test(test_steady_answers),		cmocka_unit_test(test_idle_time_is_used),
		cmocka_unit_test(test_beside_a_running_step),	cmocka_unit_test(test_auto_waits_for_pressure),
		cmocka_unit_test(test_every_n_steps_or_never),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
