/* mode_phases.c - where the time of a decode step goes (R100): the phases that every backend has, and their sum.
 *
 *   prepare   find the plan and fill the step block: dispatch and load
 *   submit    hand the step to the device; a backend without a queue computes here
 *   finish    wait for it and commit
 *   draw      take the row of logits and choose the next token: read-back
 *   total     from border to border, on a clock of its own */
#include <stdlib.h>

#include "base/clock.h"
#include "bench/mode.h"
#include "engine/engine.h"
#include "sample/sample.h"

enum { PREPARE, SUBMIT, FINISH, DRAW, N_PHASES };

static const char *const names[N_PHASES] = { "prepare", "submit", "finish", "draw" };

struct phases {
	struct leat_bench_job *j;
	struct leat_engine *e;
	struct leat_seq seq;
	struct leat_sampler *sampler;
	int32_t *prompt, *ids; /* [n_prompt], [n_gen] */
	double phase_ns[N_PHASES], total_ns;
	struct leat_error *err;
};

/* ns[i]: when phase i began, the last when the step ended. */
static enum leat_status step(struct phases *p, const int32_t *tokens, int n, int32_t *ret_id, uint64_t ns[N_PHASES + 1])
{
	struct leat_feed f = { .seq = &p->seq, .tokens = tokens, .n_tokens = n, .want = LEAT_WANT_LAST };
	struct leat_drawn d;

	ns[PREPARE] = leat_now_ns();
	LEAT_TRY(leat_engine_prepare(p->e, &f, 1, p->err));
	ns[SUBMIT] = leat_now_ns();
	leat_engine_submit(p->e);
	ns[FINISH] = leat_now_ns();
	LEAT_TRY(leat_engine_finish(p->e, &f, 1, p->err));
	ns[DRAW] = leat_now_ns();
	LEAT_TRY(leat_sampler_draw(p->sampler, leat_engine_row(p->e, 0), (uint64_t)p->seq.n_past, &d, p->err));
	leat_sampler_accept(p->sampler, d.id);
	*ret_id = d.id;
	ns[N_PHASES] = leat_now_ns();
	return LEAT_OK;
}

static void note(struct phases *p, const uint64_t ns[N_PHASES + 1], uint64_t total)
{
	for (int i = 0; i < N_PHASES; i++) {
		double t = (double)(ns[i + 1] - ns[i]);
		p->phase_ns[i] += t;
		leat_report_add(p->j->report, names[i], "us", LEAT_BETTER_LESS, t / 1e3);
	}
	p->total_ns += (double)total;
	leat_report_add(p->j->report, "total", "us", LEAT_BETTER_LESS, (double)total / 1e3);
}

/* The total runs from the end of one step to the end of the next, so it holds what is between the phases too. */
static enum leat_status once(struct phases *p, int measured)
{
	uint64_t ns[N_PHASES + 1], end;
	int n_gen = p->j->size.n_gen;

	leat_seq_reset(p->e, &p->seq);
	leat_bench_prompt(p->j, 0, p->prompt, p->j->size.n_prompt);
	LEAT_TRY(step(p, p->prompt, p->j->size.n_prompt, &p->ids[0], ns));
	for (int i = 1; i < n_gen; i++) {
		LEAT_TRY(leat_bench_go_on(p->j, p->err));
		end = leat_now_ns();
		LEAT_TRY(step(p, &p->ids[i - 1], 1, &p->ids[i], ns));
		if (measured)
			note(p, ns, leat_now_ns() - end);
	}
	return LEAT_OK;
}

static void shares(struct phases *p)
{
	struct leat_report *r = p->j->report;
	double sum = 0;

	for (int i = 0; i < N_PHASES; i++) {
		sum += p->phase_ns[i];
		leat_report_remark(r, "%-8s %12.3f ms %6.2f %%", names[i], p->phase_ns[i] / 1e6,
				   100 * p->phase_ns[i] / p->total_ns);
	}
	leat_report_remark(r, "%-8s %12.3f ms; the phases are %.2f %% of it", "total", p->total_ns / 1e6,
			   100 * sum / p->total_ns);
	leat_report_add(r, "sum of phases in total", "%", LEAT_BETTER_NEITHER, 100 * sum / p->total_ns);
	if (sum < 0.98 * p->total_ns || sum > 1.02 * p->total_ns) {
		leat_report_remark(r, "WRONG: more than 2 %% of the time is in no phase; is the machine busy?");
		r->wrong = 1;
	}
}

static enum leat_status measure(struct phases *p)
{
	struct leat_bench_job *j = p->j;

	for (int i = 0; i < j->size.n_warmup + j->size.n_repeat; i++)
		LEAT_TRY(once(p, i >= j->size.n_warmup));
	shares(p);
	leat_report_hash(j->report, "tokens_sha256", p->ids, j->size.n_gen);
	return LEAT_OK;
}

static enum leat_status with_sampler(struct phases *p)
{
	struct leat_sample_params sp;
	enum leat_status s;

	leat_sample_params_init(&sp);
	sp.temperature = 0;
	LEAT_TRY(leat_sampler_create(&sp, p->j->info.n_vocab, &p->sampler, p->err));
	s = leat_seq_open(p->e, &p->seq, p->err);
	if (!s) {
		s = measure(p);
		leat_seq_close(p->e, &p->seq);
	}
	leat_sampler_destroy(p->sampler);
	return s;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	struct phases p = { .j = j, .err = err };
	enum leat_status s = LEAT_E_NOMEM;

	if (j->size.n_gen < 2 || j->size.n_prompt > (j->engine.n_batch ? j->engine.n_batch : 512))
		return leat_fail(err, LEAT_E_ARG, "n-gen", LEAT_NO_OFFSET,
				 "an answer of %d tokens after a prompt of %d, wanted 2 or more after a step at most",
				 j->size.n_gen, j->size.n_prompt);
	p.prompt = calloc((size_t)j->size.n_prompt, sizeof(*p.prompt));
	p.ids = calloc((size_t)j->size.n_gen, sizeof(*p.ids));
	if (!p.prompt || !p.ids)
		leat_fail(err, s, "", LEAT_NO_OFFSET, "no memory for %d ids", j->size.n_gen);
	else
		s = leat_bench_engine(j, 1, j->size.n_prompt + j->size.n_gen + 1, &p.e, err);
	if (!s) {
		s = with_sampler(&p);
		leat_engine_unref(p.e);
	}
	free(p.prompt);
	free(p.ids);
	return s;
}

const struct leat_bench leat_bench_phases = {
	.name = "phases",
	.summary = "where the time of a decode step goes",
	.size = { .n_prompt = 32, .n_gen = 128, .n_repeat = 5, .n_warmup = 1 },
	.run = run,
};
