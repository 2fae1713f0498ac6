/* mode_phases.c - where the time of a decode step goes (R100): the phases that every backend has, and their sum.
 *
 *   prepare   find the plan and fill the step block: dispatch and load
 *   submit    hand the step to the device; a backend without a queue computes here
 *   finish    wait for it and commit
 *   draw      take the row of logits and choose the next token: read-back
 *   total     from border to border, on a clock of its own */
#include "base/clock.h"
#include "bench/stepper.h"

static const char *const names[LEAT_PHASES] = { "prepare", "submit", "finish", "draw" };

struct phases {
	struct leat_stepper t;
	double phase_ns[LEAT_PHASES], total_ns;
};

static void note(struct phases *p, uint64_t total)
{
	struct leat_report *r = p->t.j->report;

	for (int i = 0; i < LEAT_PHASES; i++) {
		double ns = (double)(p->t.ns[i + 1] - p->t.ns[i]);
		p->phase_ns[i] += ns;
		leat_report_add(r, names[i], "us", LEAT_BETTER_LESS, ns / 1e3);
	}
	p->total_ns += (double)total;
	leat_report_add(r, "total", "us", LEAT_BETTER_LESS, (double)total / 1e3);
}

/* The total runs from the end of one step to the end of the next, so it holds what is between the phases too. */
static enum leat_status once(struct phases *p, int measured)
{
	uint64_t end;

	LEAT_TRY(leat_stepper_begin(&p->t));
	for (int i = 1; i < p->t.j->size.n_gen; i++) {
		end = leat_now_ns();
		LEAT_TRY(leat_stepper_next(&p->t, i));
		if (measured)
			note(p, leat_now_ns() - end);
	}
	return LEAT_OK;
}

static void shares(struct phases *p)
{
	struct leat_report *r = p->t.j->report;
	double sum = 0;

	for (int i = 0; i < LEAT_PHASES; i++) {
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

/* Launches, barriers and bytes of a step, warm-up included: they are the same for every token (R10, R22). */
static void count(struct phases *p)
{
	struct leat_engine_work w = { .struct_size = sizeof w };
	struct leat_report *r = p->t.j->report;

	leat_engine_get_work(p->t.e, &w);
	if (!w.steps)
		return;
	leat_report_add(r, "launches per step", "", LEAT_BETTER_LESS, (double)w.launches / (double)w.steps);
	leat_report_add(r, "barriers per step", "", LEAT_BETTER_LESS, (double)w.barriers / (double)w.steps);
	leat_report_add(r, "bytes sent per token", "bytes", LEAT_BETTER_LESS,
			(double)w.upload_bytes / (double)w.tokens);
	leat_report_add(r, "padding of columns", "bytes", LEAT_BETTER_LESS, (double)w.padded_bytes);
	leat_report_remark(r, "a step: %llu operations, %llu barriers; steps that the device takes at a time: %d",
			   (unsigned long long)(w.launches / w.steps), (unsigned long long)(w.barriers / w.steps),
			   (int)w.steps_in_flight);
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	struct phases p = { .total_ns = 0 };
	enum leat_status s = leat_stepper_open(&p.t, j, err);

	if (s)
		return s;
	for (int i = 0; i < j->size.n_warmup + j->size.n_repeat && !s; i++)
		s = once(&p, i >= j->size.n_warmup);
	if (!s) {
		shares(&p);
		count(&p);
		leat_report_hash(j->report, "tokens_sha256", p.t.ids, j->size.n_gen);
	}
	leat_stepper_close(&p.t);
	return s;
}

const struct leat_bench leat_bench_phases = {
	.name = "phases",
	.summary = "where the time of a decode step goes",
	.size = { .n_prompt = 32, .n_gen = 128, .n_repeat = 5, .n_warmup = 1 },
	.run = run,
};
