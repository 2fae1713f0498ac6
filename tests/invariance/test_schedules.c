/* test_schedules.c - whatever happens beside a request, its answer is the one that it gives alone.
 *
 * Random schedules: requests of all lengths, many with beginnings in common, arrive while others run, are read in any
 * order, are cancelled half way; on engines of 1 to 32 sequences, any chunk size, 1 or 2 threads, with memory that is
 * short, with requests put aside by force, with and without the prefix cache, closed and opened again over the same
 * folder of states. Every request that was not cancelled must give what it gives alone: bit for bit in deterministic
 * mode, by the rule for ids (NUMERICS.md section 2) otherwise.
 *
 * Seeds are printed. LEAT_SCHEDULE_SEED runs that one only; LEAT_SCHEDULE_PART=2/5 the second fifth of the seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/request.h"
#include "support/worlds.h"

/* The sanitizers are ten times as slow: a few schedules there, and every third oracle model. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 5, ORACLE_STEP = 3 };
#else
enum { SLOWER = 1, ORACLE_STEP = 1 };
#endif
#ifndef LEAT_SCHEDULES
#define LEAT_SCHEDULES 12
#endif
/* For each of the demo models bit for bit, by ids, and for each oracle model. */
enum {
	N_EXACT = (LEAT_SCHEDULES + SLOWER - 1) / SLOWER,
	N_BY_IDS = (N_EXACT + 3) / 4,
	N_ORACLE = N_EXACT / 12 > 0 ? N_EXACT / 12 : 1,
};

enum { MOST_REQUESTS = 40, FEW_REQUESTS = 14 };

struct run {
	const struct world *w;
	struct leat_engine_params ep;
	struct leat_engine *e;
	struct leat_request *r[MOST_REQUESTS];
	struct answer got[MOST_REQUESTS];
	int kind[MOST_REQUESTS], cancelled[MOST_REQUESTS];
	int n_requests, n_submitted, n_over, n_equal;
	int pause_at; /* requests after which the engine is closed and opened again; -1: not, or done */
	int preempt_every, overlap;
	unsigned seed, now;
};

/* What all schedules of a model did, so that it is seen that they did it. */
struct tally {
	int n_schedules, n_equal, n_restarts, n_threads2, n_wide;
	uint64_t n_aside, n_reused;
};

static unsigned draw(struct run *u, unsigned n)
{
	return world_draw(&u->now, n);
}

static int pick(struct run *u, const int *from, int n)
{
	return from[draw(u, (unsigned)n)];
}

static void open_engine(struct run *u)
{
	u->e = world_engine(u->w, &u->ep);
	u->e->sched.preempt_every = u->preempt_every;
	u->e->sched.overlap = u->overlap;
}

static void close_engine(struct run *u, struct tally *t)
{
	struct leat_engine_load load = { .struct_size = sizeof load };
	leat_engine_get_load(u->e, &load);
	t->n_aside += load.n_preempted;
	t->n_reused += load.prefix_tokens_found;
	leat_engine_unref(u->e);
}

static void submit_next(struct run *u)
{
	struct leat_error err = LEAT_ERROR_INIT;
	int i = u->n_submitted++;
	u->kind[i] = (int)draw(u, WORLD_KINDS);
	struct leat_request_params p = u->w->p[u->kind[i]];
	p.priority = (int32_t)draw(u, 5) - 2;
	if (leat_request_submit(u->e, &p, &u->r[i], &err))
		fail_msg("seed %u: %s", u->seed, err.message);
}

static void check(struct run *u, int i)
{
	const char *what = world_judge(u->w, u->kind[i], &u->got[i]);
	u->n_equal += !answer_difference(&u->w->want[u->kind[i]], &u->got[i]);
	if (what)
		fail_msg("seed %u: request %d (kind %d): %s differ from those of the request alone", u->seed, i,
			 u->kind[i], what);
}

static void read_one(struct run *u, int i)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_token t = LEAT_TOKEN_INIT;
	if (!draw(u, 60)) {
		leat_request_cancel(u->r[i]);
		u->cancelled[i] = 1;
	}
	if (leat_request_next(u->r[i], &t, &err))
		fail_msg("seed %u: %s", u->seed, err.message);
	if (!answer_add(&u->got[i], &t))
		return;
	if (!u->cancelled[i])
		check(u, i);
	leat_request_unref(u->r[i]);
	u->r[i] = NULL;
	u->n_over++;
}

static void set_up(struct run *u, const struct world *w, unsigned seed)
{
	static const int seqs[] = { 1, 2, 3, 7, 7, 32 }, batch[] = { 2, 5, 16, 33, 64, 512, 512 };
	static const int aside[] = { 0, 0, 0, 3, 11, 23 }, prefix[] = { 0, 300000, 1 << 25 };
	static const struct leat_engine_params defaults = LEAT_ENGINE_PARAMS_INIT;
	memset(u, 0, sizeof *u);
	u->w = w;
	u->seed = seed;
	u->now = world_mix(seed);
	u->ep = defaults;
	u->ep.n_threads = 1 + (int)draw(u, 2);
	u->ep.threads_poll_us = -1; /* other tests want the processors too */
	u->ep.n_seqs = pick(u, seqs, 6);
	u->ep.n_batch = pick(u, batch, 7);
	u->ep.n_ctx = WORLD_N_CTX;
	u->ep.mode = w->mode;
	u->ep.prefix_cache_bytes = pick(u, prefix, 3);
	u->ep.cache_tokens = draw(u, 2) ? 256 + (int64_t)draw(u, 800) : 0;
	u->preempt_every = pick(u, aside, 6);
	u->overlap = (int)draw(u, 2);
	u->n_requests = u->ep.n_seqs == 32 ? MOST_REQUESTS : FEW_REQUESTS;
	u->pause_at = -1;
	if (u->ep.prefix_cache_bytes == prefix[2] && draw(u, 2)) { /* the other is too small for some models */
		u->pause_at = u->n_requests / 2;
		u->ep.state_dir = world_folder();
	}
}

static void restart(struct run *u, struct tally *t)
{
	close_engine(u, t);
	open_engine(u);
	u->pause_at = -1;
	t->n_restarts++;
}

static void run_schedule(const struct world *w, unsigned seed, struct tally *t)
{
	static struct run u;
	set_up(&u, w, seed);
	unsigned slow = u.ep.n_seqs == 32 ? 1 : 4; /* many at a time where they have the room */
	open_engine(&u);
	while (u.n_over < u.n_requests) {
		int i = (int)draw(&u, (unsigned)u.n_requests), all_over = u.n_over == u.n_submitted;
		int waits = u.n_submitted == u.pause_at;
		if (waits && all_over)
			restart(&u, t);
		else if (!waits && u.n_submitted < u.n_requests && (all_over || !draw(&u, slow)))
			submit_next(&u);
		else if (u.r[i])
			read_one(&u, i);
	}
	close_engine(&u, t);
	if (u.ep.state_dir)
		world_remove(u.ep.state_dir);
	t->n_equal += u.n_equal;
	t->n_threads2 += u.ep.n_threads == 2;
	t->n_wide += u.ep.n_seqs == 32;
	t->n_schedules++;
}

/* Seeds first to first + n - 1, or the part of them that was asked for. */
static void seeds_of(int n, unsigned first, unsigned *ret_from, unsigned *ret_to)
{
	const char *only = getenv("LEAT_SCHEDULE_SEED"), *part = getenv("LEAT_SCHEDULE_PART");
	unsigned k = 1, of = 1;
	if (part && (sscanf(part, "%u/%u", &k, &of) != 2 || !of || k < 1 || k > of))
		fail_msg("LEAT_SCHEDULE_PART=%s: wanted 1/5 to 5/5, for instance", part);
	*ret_from = only ? (unsigned)strtoul(only, NULL, 10) : first + (unsigned)n * (k - 1) / of;
	*ret_to = only ? *ret_from + 1 : first + (unsigned)n * k / of;
}

static void run_schedules(const char *path, const char *name, int mode, const char *cache, int n, unsigned first)
{
	struct tally t = { .n_schedules = 0 };
	unsigned from, to;
	seeds_of(n, first, &from, &to);
	if (from == to)
		return;
	struct world *w = world_open_cache(path, mode, cache);
	for (unsigned seed = from; seed < to; seed++)
		run_schedule(w, seed, &t);
	print_message("%s: seeds %u to %u: %d answers equal bit for bit, %llu put aside, %llu tokens reused, %d "
		      "restarts, %d on two threads, %d of 32 sequences\n",
		      name, from, to - 1, t.n_equal, (unsigned long long)t.n_aside, (unsigned long long)t.n_reused,
		      t.n_restarts, t.n_threads2, t.n_wide);
	assert_int_equal(t.n_schedules, to - from);
	world_close(w);
}

static void run_demos(int mode, int n, unsigned first)
{
	for (int m = 0; m < WORLD_DEMOS; m++) {
		const char *path = world_file(m);
		if (!path)
			skip();
		run_schedules(path, world_name(m), mode, NULL, n, first + 1000u * (unsigned)m);
	}
}

static void test_E20_E21_demo_models_bit_for_bit(void **state)
{
	(void)state;
	run_demos(LEAT_MODE_DETERMINISTIC, N_EXACT, 0);
}

static void test_E20_E21_demo_models_by_ids(void **state)
{
	(void)state;
	run_demos(LEAT_MODE_DEFAULT, N_BY_IDS, 5000);
}

/* Keys and values in blocks of 8 bits: the attention models only, a recurrent one has none. */
static void test_E20_E21_cache_of_blocks(void **state)
{
	(void)state;
	for (int m = 0; m < WORLD_DEMOS; m++) {
		const char *path = world_file(m);
		if (!path)
			skip();
		if (strstr(path, "qwen2"))
			run_schedules(path, "qwen2, cache q8_0", LEAT_MODE_DETERMINISTIC, "q8_0", N_BY_IDS, 40000);
	}
}

/* Every architecture that there is a small model of. */
static void test_E20_E21_oracle_models(void **state)
{
	int found = 0;
	(void)state;
	for (int i = WORLD_DEMOS; i < WORLD_FILES; i += ORACLE_STEP) {
		const char *path = world_file(i);
		if (!path)
			continue;
		run_schedules(path, world_name(i), LEAT_MODE_DETERMINISTIC, NULL, N_ORACLE, 9000u + 100u * (unsigned)i);
		run_schedules(path, world_name(i), LEAT_MODE_DEFAULT, NULL, N_ORACLE > 1 ? N_ORACLE / 4 : 1,
			      20000u + 100u * (unsigned)i);
		found++;
	}
	if (!found)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_E20_E21_demo_models_bit_for_bit),
		cmocka_unit_test(test_E20_E21_demo_models_by_ids),
		cmocka_unit_test(test_E20_E21_cache_of_blocks),
		cmocka_unit_test(test_E20_E21_oracle_models),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
