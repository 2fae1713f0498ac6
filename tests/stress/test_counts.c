/* test_counts.c - what must not grow while an engine works: allocations, threads, descriptors, queues, memory, plans.
 *
 * Requests of mixed lengths come at any moment, are cancelled, left, put aside, read by whoever waits or by a poll
 * beside the engine's own thread; prompts begin alike, and the prefix cache is on. LEAT_COUNTS_REQUESTS says how many
 * (1,000; test_counts_long.c: 10,000), LEAT_COUNTS_SEED which. */
#include <dirent.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/request.h"
#include "support/own_malloc.h"
#include "support/worlds.h"

#ifndef LEAT_COUNTS
#define LEAT_COUNTS 1000
#endif
#if OWN_MALLOC
enum { N_REQUESTS = LEAT_COUNTS };
#else
enum { N_REQUESTS = LEAT_COUNTS / 40 }; /* a sanitizer is ten times as slow, and more */
#endif

enum { N_SEQS = 4, N_BATCH = 32, AT_ONCE = 20 };
static struct leat_error err = LEAT_ERROR_INIT;

#define MUST(call)                                    \
	do {                                          \
		if ((call) != LEAT_OK)                \
			fail_msg("%s", err.message);  \
	} while (0)

static int entries_of(const char *folder)
{
	DIR *d = opendir(folder);
	int n = 0;
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* What is looked at from outside. */
struct sight {
	int threads, descriptors;
	uint32_t queue_cells;
	int max_open;
};

static struct sight look(const struct leat_engine *e)
{
	return (struct sight){ entries_of("/proc/self/task"), entries_of("/proc/self/fd"), e->sched.offered.cap,
			       e->sched.max_open };
}

static void assert_same_sight(const struct sight *a, const struct sight *b)
{
	assert_int_equal(a->threads, b->threads);
	assert_int_equal(a->descriptors, b->descriptors);
	assert_int_equal(a->queue_cells, b->queue_cells);
	assert_int_equal(a->max_open, b->max_open);
}

/* Resident bytes of the process that belong to it alone, after what can be given back was. */
static double resident(void)
{
	unsigned long size, all, shared;
	malloc_trim(0);
	FILE *f = fopen("/proc/self/statm", "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu %lu", &size, &all, &shared), 3);
	fclose(f);
	return (double)(all - shared) * (double)sysconf(_SC_PAGESIZE);
}

/* Every page that is anybody's to write: what was set aside and is used later for the first time is no growth. */
static void touch_all(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512], rights[8];
	unsigned long from, to, inode;
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "%lx-%lx %7s %*x %*x:%*x %lu", &from, &to, rights, &inode) == 4 &&
		    !strcmp(rights, "rw-p") && !inode && !strstr(line, "[stack"))
			for (volatile char *p = (volatile char *)from; p < (volatile char *)to; p += 4096)
				*p = *p;
	fclose(f);
}

static struct leat_engine *open_engine(const struct world *w, int with_prefix)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	p.n_threads = 2;
	p.threads_poll_us = -1;
	p.n_seqs = N_SEQS;
	p.n_batch = N_BATCH;
	p.n_ctx = WORLD_N_CTX;
	p.max_queue = AT_ONCE;
	p.cache_tokens = with_prefix ? 600 : 0; /* short: some are put aside */
	p.prefix_cache_bytes = with_prefix ? 4 << 20 : 0;
	return world_engine(w, &p);
}

/* ---- allocations ---- */

/* Several answers at once, read in turns or beside the engine's thread: no allocation once all of them run. */
static void steady(const struct world *w, int own_thread)
{
	struct leat_engine *e = open_engine(w, 0);
	struct leat_request *r[N_SEQS];
	struct leat_token t = LEAT_TOKEN_INIT;
	for (int i = 0; i < N_SEQS; i++) {
		struct leat_request_params p = w->p[i];
		p.n_tokens = 3 + (uint64_t)i * 4;
		p.max_tokens = 200;
		MUST(leat_request_submit(e, &p, &r[i], &err));
	}
	if (own_thread)
		MUST(leat_engine_start(e, &err));
	for (int k = 0; k < 40; k++)
		for (int i = 0; i < N_SEQS; i++)
			MUST(leat_request_next(r[i], &t, &err));
	long before = own_malloc.n_calls;
	struct leat_engine_info a = { .struct_size = sizeof a }, b = a;
	leat_engine_get_info(e, &a);
	for (int k = 0; k < 100; k++)
		for (int i = 0; i < N_SEQS; i++)
			MUST(leat_request_next(r[i], &t, &err));
	leat_engine_get_info(e, &b);
	assert_int_equal(own_malloc.n_calls, before);
	print_message("%s: %llu steps, 0 allocations\n", own_thread ? "beside its thread" : "in turns",
		      (unsigned long long)(b.steps - a.steps));
	for (int i = 0; i < N_SEQS; i++)
		leat_request_unref(r[i]);
	leat_engine_unref(e);
}

static void for_each_demo(void (*test)(const struct world *w))
{
	for (int m = 0; m < WORLD_DEMOS; m++) {
		if (!world_file(m))
			skip();
		struct world *w = world_open(world_file(m), LEAT_MODE_DEFAULT);
		test(w);
		world_close(w);
	}
}

static void check_allocations(const struct world *w)
{
	steady(w, 0);
	steady(w, 1);
}

static void test_steps_allocate_nothing(void **state)
{
	(void)state;
	if (!OWN_MALLOC)
		skip();
	for_each_demo(check_allocations);
}

/* ---- thousands of requests ---- */

struct traffic {
	const struct world *w;
	struct leat_engine *e;
	struct leat_request *r[AT_ONCE];
	int leave[AT_ONCE]; /* events after which it is left or cancelled; -1: read to the end */
	int n_over, n_cancelled, n_left;
	unsigned seed;
};

static void submit(struct traffic *f, int i)
{
	unsigned kind = world_draw(&f->seed, WORLD_KINDS);
	struct leat_request_params p = f->w->p[kind];
	int32_t prompt[WORLD_MOST_PROMPT];
	p.max_tokens = 1 + (int64_t)world_draw(&f->seed, 12);
	p.priority = (int32_t)world_draw(&f->seed, 7) - 3;
	p.n_tokens -= world_draw(&f->seed, 2) && p.n_tokens > 9 ? world_draw(&f->seed, 9) : 0;
	memcpy(prompt, p.tokens, p.n_tokens * sizeof *prompt); /* it is copied: this may end here */
	p.tokens = prompt;
	prompt[world_draw(&f->seed, (unsigned)p.n_tokens)] = (int32_t)world_draw(&f->seed, 500);
	f->leave[i] = world_draw(&f->seed, 5) ? -1 : (int)world_draw(&f->seed, 6);
	MUST(leat_request_submit(f->e, &p, &f->r[i], &err));
}

static void read_one(struct traffic *f, int i)
{
	struct leat_token t = LEAT_TOKEN_INIT;
	int over = 0;
	if (f->leave[i] == 0 && world_draw(&f->seed, 2)) {
		over = 1;
		f->n_left++;
	} else {
		if (f->leave[i]-- == 0) {
			leat_request_cancel(f->r[i]);
			f->n_cancelled++;
		}
		MUST(leat_request_next(f->r[i], &t, &err));
		over = t.finish != 0;
	}
	if (!over)
		return;
	leat_request_unref(f->r[i]);
	f->r[i] = NULL;
	f->n_over++;
}

/* n requests from submit to their end, about AT_ONCE of them at a time. */
static void run(struct traffic *f, int n)
{
	int submitted = 0, goal = f->n_over + n;
	while (f->n_over < goal) {
		int i = (int)world_draw(&f->seed, AT_ONCE);
		if (f->r[i]) {
			read_one(f, i);
		} else if (submitted < n) {
			submit(f, i);
			submitted++;
		}
	}
}

static void near(const char *what, double before, double after)
{
	print_message("%s: %.0f bytes before, %.0f after (%+.2f %%)\n", what, before, after,
		      100 * (after - before) / before);
	if (after > before * 1.01)
		fail_msg("%s grew by more than 1 %%", what);
}

/* One step of every shape, so that no plan is made later on: prompts and answers of n_seqs sequences, n_out of which
 * end. */
static void step_of(struct leat_engine *e, struct leat_seq *q, int n_tokens, int n_seqs, int n_out)
{
	static const int32_t ids[N_BATCH] = { 0 };
	struct leat_feed f[N_SEQS];
	for (int i = 0; i < n_seqs; i++) {
		leat_seq_reset(e, &q[i]);
		f[i] = (struct leat_feed){ .seq = &q[i], .tokens = ids,
					   .n_tokens = i ? 1 : n_tokens - n_seqs + 1,
					   .want = i < n_out ? LEAT_WANT_LAST : LEAT_WANT_NONE };
	}
	MUST(leat_engine_step(e, f, n_seqs, &err));
}

static void warm_up(struct leat_engine *e)
{
	struct leat_seq q[N_SEQS];
	leat_drive_lock(e);
	for (int i = 0; i < N_SEQS; i++)
		MUST(leat_seq_open(e, &q[i], &err));
	for (int n_tokens = N_BATCH; n_tokens; n_tokens /= 2)
		for (int n_seqs = 1; n_seqs <= N_SEQS && n_seqs <= n_tokens; n_seqs++)
			for (int n_out = 0; n_out <= n_seqs; n_out++)
				step_of(e, q, n_tokens, n_seqs, n_out);
	for (int i = 0; i < N_SEQS; i++)
		leat_seq_close(e, &q[i]);
	leat_drive_unlock(e);
}

static void check_traffic(const struct world *w)
{
	int n = (int)world_number("LEAT_COUNTS_REQUESTS", N_REQUESTS);
	struct traffic f = { .w = w, .e = open_engine(w, 1), .seed = world_mix(world_number("LEAT_COUNTS_SEED", 1)) };
	struct leat_memory_info m[2] = { { .struct_size = sizeof m[0] }, { .struct_size = sizeof m[1] } };
	struct leat_engine_info i[2] = { { .struct_size = sizeof i[0] }, { .struct_size = sizeof i[1] } };
	struct leat_engine_load load = { .struct_size = sizeof load };
	warm_up(f.e);
	run(&f, 150); /* and the prefix cache is full */
	if (OWN_MALLOC)
		touch_all();
	struct sight before = look(f.e);
	double bytes = resident();
	long blocks = own_malloc.n_live;
	leat_engine_get_memory(f.e, &m[0]);
	leat_engine_get_info(f.e, &i[0]);
	for (int k = 0; k < 10; k++) {
		run(&f, n / 10);
		struct sight now = look(f.e);
		assert_same_sight(&before, &now);
	}
	leat_engine_get_memory(f.e, &m[1]);
	leat_engine_get_info(f.e, &i[1]);
	leat_engine_get_load(f.e, &load);
	double share = (double)(i[1].plan_hits - i[0].plan_hits) / (double)(i[1].plan_lookups - i[0].plan_lookups);
	print_message("%d requests, %d cancelled, %d left, %llu put aside, %llu tokens reused; "
		      "plans %llu of %llu found (%.4f); blocks %ld, before %ld\n",
		      f.n_over, f.n_cancelled, f.n_left, (unsigned long long)load.n_preempted,
		      (unsigned long long)load.prefix_tokens_found,
		      (unsigned long long)(i[1].plan_hits - i[0].plan_hits),
		      (unsigned long long)(i[1].plan_lookups - i[0].plan_lookups), share, own_malloc.n_live, blocks);
	near("states", (double)m[0].resident_bytes, (double)m[1].resident_bytes);
	near("books", (double)m[0].books_bytes, (double)m[1].books_bytes);
	if (m[0].scratch_bytes)
		near("plans", (double)m[0].scratch_bytes, (double)m[1].scratch_bytes);
	if (OWN_MALLOC)
		near("resident", bytes, resident());
	assert_true(m[1].spill_bytes <= m[0].spill_bytes + m[0].sequence_bytes * N_SEQS);
	assert_int_equal(load.n_open, 0);
	assert_true(share >= 0.99);
	leat_engine_unref(f.e);
}

static void test_thousands_of_requests_leave_nothing(void **state)
{
	(void)state;
	for_each_demo(check_traffic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps_allocate_nothing),
		cmocka_unit_test(test_thousands_of_requests_leave_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
