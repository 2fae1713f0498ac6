/* test_far_state.c - states of so many sequences that they are written past the caches, and rows that stay with their
 * threads from op to op: not a bit is another than without that, for any number of threads, in steps of single tokens
 * and beside a prompt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "support/oracle.h"

enum { N_SEQS = 48, N_STEPS = 6, PROMPT_STEP = 4, LONGEST = 9 };

/* 48 sequences are 32 MB of state, read and written: twice what counts as far (cpu/ops_state.c). */
static const char file[] = "models/demo-rwkv7.gguf";

static int n_tokens(int step, int seq)
{
	return step == 0 ? 1 + seq % 3 : step == PROMPT_STEP && seq == 7 ? LONGEST : 1;
}

static void run_step(struct leat_engine *e, struct leat_seq *seqs, int step)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_feed feed[N_SEQS];
	int32_t ids[N_SEQS][LONGEST];

	for (int i = 0; i < N_SEQS; i++) {
		for (int k = 0; k < LONGEST; k++)
			ids[i][k] = (i * 31 + k * 7 + step * 13) % 200;
		feed[i] = (struct leat_feed){ .seq = &seqs[i], .tokens = ids[i], .n_tokens = n_tokens(step, i),
					      .want = LEAT_WANT_LAST };
	}
	if (leat_engine_step(e, feed, N_SEQS, &err))
		fail_msg("%s", err.message);
}

/* Logits [N_STEPS][N_SEQS][n_vocab]; the caller frees them. */
static float *logits(struct leat_model *m, const char *opts, int n_threads)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_seq seqs[N_SEQS];
	struct leat_engine *e = NULL;
	size_t n = (size_t)m->w.table->rows;
	float *all = malloc(N_STEPS * N_SEQS * n * sizeof *all);

	assert_non_null(all);
	p.n_threads = n_threads;
	p.n_seqs = N_SEQS;
	p.n_batch = 3 * N_SEQS;
	p.n_ctx = 64;
	p.opts = opts;
	p.mode = LEAT_MODE_DETERMINISTIC;
	if (leat_engine_create(m, &p, &e, &err))
		fail_msg("%s", err.message);
	for (int i = 0; i < N_SEQS; i++)
		assert_int_equal(leat_seq_open(e, &seqs[i], &err), LEAT_OK);
	for (int s = 0; s < N_STEPS; s++) {
		run_step(e, seqs, s);
		for (int i = 0; i < N_SEQS; i++)
			memcpy(all + (size_t)(s * N_SEQS + i) * n, leat_engine_row(e, i), n * sizeof *all);
	}
	for (int i = 0; i < N_SEQS; i++)
		leat_seq_close(e, &seqs[i]);
	leat_engine_unref(e);
	return all;
}

static void test_far_states_change_no_bit(void **state)
{
	static const struct {
		const char *opts;
		int n_threads;
	} cases[] = { { "far_state=on", 1 }, { "far_state=on", 2 }, { "far_state=on,steal=off", 3 },
		      { "far_state=off", 4 }, { "row_shares=off", 2 } };
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *m = NULL;
	(void)state;
	if (access(source_path(file), R_OK))
		skip();
	if (leat_model_open(source_path(file), NULL, &m, &err))
		fail_msg("%s", err.message);
	size_t bytes = (size_t)N_STEPS * N_SEQS * (size_t)m->w.table->rows * sizeof(float);
	float *want = logits(m, "far_state=off,row_shares=off", 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		float *got = logits(m, cases[i].opts, cases[i].n_threads);
		if (memcmp(got, want, bytes))
			fail_msg("%s, %d threads: other bits", cases[i].opts, cases[i].n_threads);
		free(got);
	}
	free(want);
	leat_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_far_states_change_no_bit) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
