/* test_schedules.c - whatever happens beside a request, its answer is the one that it gives alone.
 *
 * Random schedules: requests of all lengths, many with beginnings in common, arrive while others run, are read in any
 * order, are cancelled half way; on engines of 1 to 32 sequences, any chunk size, 1 or 2 threads, with memory that is
 * short, with requests put aside by force, with and without the prefix cache. Every request that was not cancelled must
 * give what it gives alone: bit for bit in deterministic mode, by the rule for ids (NUMERICS.md section 2) otherwise.
 * Seeds are printed; LEAT_SCHEDULE_SEED runs that one only. */
#include <math.h>
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

/* The sanitizers are ten times as slow: a few schedules there, and every third oracle model. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 10, ORACLE_STEP = 3 };
#else
enum { SLOWER = 1, ORACLE_STEP = 1 };
#endif
#ifndef LEAT_SCHEDULES
#define LEAT_SCHEDULES 25
#endif
/* For each of the demo models bit for bit, by ids, and for each oracle model. */
enum {
	N_EXACT = (LEAT_SCHEDULES + SLOWER - 1) / SLOWER,
	N_BY_IDS = (N_EXACT + 4) / 5,
	N_ORACLE = N_EXACT / 12 > 0 ? N_EXACT / 12 : 1,
};

enum { N_KINDS = 12, N_REQUESTS = 14, MOST_PROMPT = 150 };

struct world {
	struct leat_model *m;
	int32_t prompt[N_KINDS][MOST_PROMPT];
	struct leat_request_params p[N_KINDS];
	struct answer want[N_KINDS];
	int mode;
};

static unsigned seed_now;

static unsigned draw(unsigned n)
{
	seed_now = seed_now * 1664525u + 1013904223u;
	return (seed_now >> 8) % n;
}

static int pick(const int *from, int n)
{
	return from[draw((unsigned)n)];
}

static struct leat_engine *open_engine(const struct world *w, const struct leat_engine_params *p)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine *e;
	if (leat_engine_create(w->m, p, &e, &err))
		fail_msg("%s", err.message);
	return e;
}

/* Prompts begin alike in groups of four; answers are short and long. */
static void make_kinds(struct world *w)
{
	static const int n_prompt[N_KINDS] = { 1, 2, 31, 32, 33, 64, 65, 97, 128, 150, 40, 5 };
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	int most_id = leat_vocab_size(w->m->vocab);
	ep.n_threads = 1;
	ep.n_ctx = 256;
	ep.mode = w->mode;
	struct leat_engine *e = open_engine(w, &ep);
	for (int i = 0; i < N_KINDS; i++) {
		answer_prompt(w->prompt[i], MOST_PROMPT, (unsigned)(i % 3) + 1);
		for (int j = 0; j < MOST_PROMPT; j++)
			w->prompt[i][j] %= most_id;
		w->prompt[i][n_prompt[i] - 1] = (i * 37 + 11) % most_id;
		w->p[i] = answer_params(w->m, w->prompt[i], n_prompt[i], i % 4 ? 1 + i * 3 : 25, (uint64_t)i);
		if (w->mode != LEAT_MODE_DETERMINISTIC) {
			w->p[i].temperature = 0;
			w->p[i].repeat_penalty = 1;
		}
		answer_alone(e, &w->p[i], &w->want[i]);
	}
	leat_engine_unref(e);
}

struct ids {
	const struct answer *a, *b;
	int at, n_prompt, within;
};

/* The reference's two best at the first place where ids differ: near enough for either to be right? */
static int look(void *user, size_t index, const float *logits, int32_t n_rows)
{
	struct ids *d = user;
	if ((int)index != d->n_prompt + d->at - 1)
		return 0;
	float best = -INFINITY, second = -INFINITY;
	for (int i = 0; i < n_rows; i++) {
		if (logits[i] > best) {
			second = best;
			best = logits[i];
		} else if (logits[i] > second) {
			second = logits[i];
		}
	}
	d->within = (double)(best - second) <= 2 * 5e-2 * standard_deviation(logits, (size_t)n_rows);
	return 0;
}

static int ids_agree(const struct world *w, int kind, const struct answer *got)
{
	const struct answer *want = &w->want[kind];
	int n_prompt = (int)w->p[kind].n_tokens;
	struct ids d = { .a = want, .b = got, .n_prompt = n_prompt };
	while (d.at < want->n && d.at < got->n && want->id[d.at] == got->id[d.at])
		d.at++;
	if (d.at == want->n && want->n == got->n)
		return 1;
	if (d.at == want->n || d.at == got->n)
		return 0;
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	int32_t ids[MOST_PROMPT + ANSWER_MOST];
	ep.mode = LEAT_MODE_REFERENCE;
	ep.n_ctx = 1024;
	struct leat_engine *e = open_engine(w, &ep);
	memcpy(ids, w->prompt[kind], (size_t)n_prompt * sizeof *ids);
	memcpy(ids + n_prompt, want->id, (size_t)d.at * sizeof *ids);
	if (leat_engine_logits(e, ids, (size_t)(n_prompt + d.at), 0, look, &d, &err))
		fail_msg("%s", err.message);
	leat_engine_unref(e);
	return d.within;
}

struct run {
	struct world *w;
	struct leat_engine *e;
	struct leat_request *r[N_REQUESTS];
	struct answer got[N_REQUESTS];
	int kind[N_REQUESTS], cancelled[N_REQUESTS];
	int n_submitted, n_over, n_equal;
	unsigned seed;
};

static void submit_next(struct run *u)
{
	struct leat_error err = LEAT_ERROR_INIT;
	int i = u->n_submitted++;
	u->kind[i] = (int)draw(N_KINDS);
	struct leat_request_params p = u->w->p[u->kind[i]];
	p.priority = (int32_t)draw(5) - 2;
	if (leat_request_submit(u->e, &p, &u->r[i], &err))
		fail_msg("seed %u: %s", u->seed, err.message);
}

static void check(struct run *u, int i)
{
	const struct answer *want = &u->w->want[u->kind[i]];
	const char *what = answer_difference(want, &u->got[i]);
	u->n_equal += !what;
	if (u->w->mode != LEAT_MODE_DETERMINISTIC && ids_agree(u->w, u->kind[i], &u->got[i]))
		return;
	if (what)
		fail_msg("seed %u: request %d (kind %d): %s differ from those of the request alone", u->seed, i,
			 u->kind[i], what);
}

static void read_one(struct run *u, int i)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_token t = LEAT_TOKEN_INIT;
	if (!draw(60)) {
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

/* Returns how many requests were equal bit for bit. */
static int run_schedule(struct world *w, unsigned seed)
{
	static const int seqs[] = { 1, 2, 3, 7, 7, 32 }, batch[] = { 2, 5, 16, 33, 64, 512, 512 };
	static const int aside[] = { 0, 0, 0, 11, 23 }, prefix[] = { 0, 300000, 1 << 25 };
	static struct run u;
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	memset(&u, 0, sizeof u);
	seed_now = u.seed = seed;
	u.w = w;
	ep.n_threads = 1 + (int)draw(2);
	ep.n_seqs = pick(seqs, 6);
	ep.n_batch = pick(batch, 7);
	ep.n_ctx = 256;
	ep.mode = w->mode;
	ep.prefix_cache_bytes = pick(prefix, 3);
	ep.cache_tokens = draw(2) ? 256 + (int64_t)draw(800) : 0;
	u.e = open_engine(w, &ep);
	u.e->sched.preempt_every = pick(aside, 5);
	if (ep.n_batch < 64) /* computing a prompt again must not take longer than until the next time */
		u.e->sched.preempt_every *= 20;
	u.e->sched.overlap = (int)draw(2);
	while (u.n_over < N_REQUESTS) {
		int i = (int)draw(N_REQUESTS);
		if (u.n_submitted < N_REQUESTS && (u.n_over == u.n_submitted || !draw(4)))
			submit_next(&u);
		else if (u.r[i])
			read_one(&u, i);
	}
	leat_engine_unref(u.e);
	return u.n_equal;
}

static void run_schedules(const char *path, int mode, int n, unsigned first)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct world *w = calloc(1, sizeof *w);
	const char *only = getenv("LEAT_SCHEDULE_SEED");
	int n_equal = 0;
	assert_non_null(w);
	if (leat_model_open(path, NULL, &w->m, &err))
		fail_msg("%s", err.message);
	w->mode = mode;
	make_kinds(w);
	for (int i = 0; i < n; i++)
		n_equal += run_schedule(w, only ? (unsigned)strtoul(only, NULL, 10) : first + (unsigned)i);
	print_message("%s: seeds %u to %u, %d answers equal bit for bit\n", strrchr(path, '/') + 1, first,
		      first + (unsigned)n - 1, n_equal);
	leat_model_unref(w->m);
	free(w);
}

static const char *const demos[] = { "models/demo-rwkv7.gguf", "models/demo-qwen2.gguf" };

static void test_demo_models_bit_for_bit(void **state)
{
	(void)state;
	for (int m = 0; m < 2; m++) {
		if (access(source_path(demos[m]), R_OK))
			skip();
		run_schedules(source_path(demos[m]), LEAT_MODE_DETERMINISTIC, N_EXACT, 1000u * (unsigned)m);
	}
}

static void test_demo_models_by_ids(void **state)
{
	(void)state;
	for (int m = 0; m < 2; m++) {
		if (access(source_path(demos[m]), R_OK))
			skip();
		run_schedules(source_path(demos[m]), LEAT_MODE_DEFAULT, N_BY_IDS,
			      5000u + 1000u * (unsigned)m);
	}
}

/* Every architecture that there is a small model of. */
static void test_oracle_models_bit_for_bit(void **state)
{
	static const char *const files[] = {
		"hf-gguf/llama.gguf",	      "hf-gguf/llama3-rope.gguf", "hf-gguf/mistral-window.gguf",
		"hf-gguf/phi3-longrope.gguf", "hf-gguf/phi3-window.gguf", "hf-gguf/phi3.gguf",
		"hf-gguf/qwen2-tied.gguf",    "hf-gguf/qwen2-untied.gguf", "hf-gguf/qwen3.gguf",
		"rwkv7-4h/model.gguf",
	};
	int found = 0;
	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i += ORACLE_STEP) {
		const char *path = oracle_path(files[i]);
		if (!path)
			continue;
		char copy[4096];
		snprintf(copy, sizeof copy, "%s", path);
		run_schedules(copy, LEAT_MODE_DETERMINISTIC, N_ORACLE, 9000u + 100u * (unsigned)i);
		found++;
	}
	if (!found)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_demo_models_bit_for_bit),
		cmocka_unit_test(test_demo_models_by_ids),
		cmocka_unit_test(test_oracle_models_bit_for_bit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
