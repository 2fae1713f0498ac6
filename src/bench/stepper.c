/* stepper.c - see stepper.h. */
#include "bench/stepper.h"

#include <stdlib.h>

#include "base/clock.h"
#include "sample/sample.h"

static enum leat_status step(struct leat_stepper *t, const int32_t *tokens, int n, int32_t *ret_id)
{
	struct leat_feed f = { .seq = &t->seq, .tokens = tokens, .n_tokens = n, .want = LEAT_WANT_LAST };
	struct leat_drawn d;

	t->ns[LEAT_PHASE_PREPARE] = leat_now_ns();
	LEAT_TRY(leat_engine_prepare(t->e, &f, 1, t->err));
	t->ns[LEAT_PHASE_SUBMIT] = leat_now_ns();
	leat_engine_submit(t->e);
	t->ns[LEAT_PHASE_FINISH] = leat_now_ns();
	LEAT_TRY(leat_engine_finish(t->e, &f, 1, t->err));
	t->ns[LEAT_PHASE_DRAW] = leat_now_ns();
	LEAT_TRY(leat_sampler_draw(t->sampler, leat_engine_row(t->e, 0), (uint64_t)t->seq.n_past, &d, t->err));
	leat_sampler_accept(t->sampler, d.id);
	*ret_id = d.id;
	t->ns[LEAT_PHASES] = leat_now_ns();
	return LEAT_OK;
}

enum leat_status leat_stepper_begin(struct leat_stepper *t)
{
	leat_seq_reset(t->e, &t->seq);
	leat_bench_prompt(t->j, 0, t->prompt, t->j->size.n_prompt);
	return step(t, t->prompt, t->j->size.n_prompt, &t->ids[0]);
}

enum leat_status leat_stepper_next(struct leat_stepper *t, int i)
{
	LEAT_TRY(leat_bench_go_on(t->j, t->err));
	return step(t, &t->ids[i - 1], 1, &t->ids[i]);
}

static enum leat_status open_engine(struct leat_stepper *t)
{
	struct leat_sample_params sp;

	LEAT_TRY(leat_bench_engine(t->j, 1, t->j->size.n_prompt + t->j->size.n_gen + 1, &t->e, t->err));
	leat_sample_params_init(&sp);
	sp.temperature = 0;
	LEAT_TRY(leat_sampler_create(&sp, t->j->info.n_vocab, &t->sampler, t->err));
	return leat_seq_open(t->e, &t->seq, t->err);
}

enum leat_status leat_stepper_open(struct leat_stepper *t, struct leat_bench_job *j, struct leat_error *err)
{
	enum leat_status s = LEAT_E_NOMEM;

	t->j = j;
	t->err = err;
	t->seq.slot = -1;
	if (j->size.n_gen < 2 || j->size.n_prompt > (j->engine.n_batch ? j->engine.n_batch : 512))
		return leat_fail(err, LEAT_E_ARG, "n-gen", LEAT_NO_OFFSET,
				 "an answer of %d tokens after a prompt of %d, wanted 2 or more after a step at most",
				 j->size.n_gen, j->size.n_prompt);
	t->prompt = calloc((size_t)j->size.n_prompt, sizeof(*t->prompt));
	t->ids = calloc((size_t)j->size.n_gen, sizeof(*t->ids));
	if (!t->prompt || !t->ids)
		leat_fail(err, s, "", LEAT_NO_OFFSET, "no memory for %d ids", j->size.n_gen);
	else
		s = open_engine(t);
	if (s)
		leat_stepper_close(t);
	return s;
}

void leat_stepper_close(struct leat_stepper *t)
{
	if (t->seq.slot >= 0)
		leat_seq_close(t->e, &t->seq);
	leat_sampler_destroy(t->sampler);
	leat_engine_unref(t->e);
	free(t->prompt);
	free(t->ids);
}
