/* mode_kernels.c - where the time of a step goes inside (R102, R103): by component of the model, by kernel, by layer
 * and by matrix, of one prompt step and of decode steps, from times that the backend took at the borders of ops.
 *
 * What an op waits for at its end (other threads) counts as its own; "waiting" says how much of the whole that is.
 * Every other run takes no times, so the price of taking them is a figure too. Times between steps, and what of a step
 * is in no op, are in the total only: the sum is held to 5 % of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/stepper.h"
#include "plan/plan.h"
#include "quant/quant.h"

enum { PROMPT, DECODE, N_KINDS };
enum component {
	EMBEDDING, NORMS, ROPE, ATTENTION, TIME_MIX, FEED_FORWARD, HEAD, OTHER, SAMPLING, DISPATCH, N_COMPONENTS
};
enum { MAX_SHAPES = 64, MAX_LAYERS = 1024 };

static const char *const kinds[N_KINDS] = { "prompt", "decode" };
static const char *const components[N_COMPONENTS] = { "embedding", "norms", "rope", "attention", "time mix",
						      "feed-forward", "head", "other", "sampling", "dispatch" };

struct shape {
	int rows, cols, quant, layer, per_step; /* layer: 1 inside a block, 0 outside */
	double ns;
};

/* Sums over the steps of one run. */
struct sums {
	double component[N_COMPONENTS], kernel[LEAT_OP_COUNT + 1], layer[MAX_LAYERS], wait_ns, total_ns;
	int n_steps, n_ops, n_layers;
	struct shape shape[MAX_SHAPES];
	int n_shapes;
};

struct kernels {
	struct leat_stepper t;
	struct leat_profile *profile; /* the engine's, put aside while no times are taken */
	struct sums sum[N_KINDS];
	double all[N_KINDS][N_COMPONENTS], all_total[N_KINDS]; /* of all runs, for the table */
	int n_all[N_KINDS];
};

/* A kind tells norms, rope and embedding; the rest is where the model's forward() was. */
static enum component component_of(const struct leat_op_time *o)
{
	static const enum component of_part[] = {
		[LEAT_PART_OTHER] = OTHER,	 [LEAT_PART_ATTENTION] = ATTENTION, [LEAT_PART_TIME_MIX] = TIME_MIX,
		[LEAT_PART_FEED_FORWARD] = FEED_FORWARD, [LEAT_PART_HEAD] = HEAD,
	};
	const char *name = o->kind < 0 ? "" : leat_op_name(o->kind);

	if (strstr(name, "norm"))
		return NORMS;
	if (strstr(name, "rope"))
		return ROPE;
	if (!strcmp(name, "embed"))
		return EMBEDDING;
	return of_part[o->part];
}

static void note_shape(struct sums *s, const struct leat_op_time *o, double ns)
{
	struct shape *at = s->shape, *end = at + s->n_shapes;

	while (at < end && (at->rows != o->w->rows || at->cols != o->w->cols || at->quant != o->w->quant ||
			    at->layer != (o->layer >= 0)))
		at++;
	if (at == end) {
		if (s->n_shapes == MAX_SHAPES)
			return;
		s->n_shapes++;
		*at = (struct shape){ o->w->rows, o->w->cols, o->w->quant, o->layer >= 0, 0, 0 };
	}
	at->per_step++;
	at->ns += ns;
}

static void note_step(struct kernels *k, int kind, uint64_t total)
{
	struct sums *s = &k->sum[kind];
	const struct leat_profile *p = k->profile;
	const uint64_t *ns = k->t.ns;
	double device = (double)(p->ended_ns - p->began_ns);

	for (int i = 0; i < p->n; i++) {
		const struct leat_op_time *o = &p->at[i];
		uint64_t next = i + 1 < p->n ? o[1].began_ns : p->ended_ns;
		double t = (double)(next - (i ? o->began_ns : p->began_ns));
		s->component[component_of(o)] += t;
		s->kernel[o->kind + 1] += t;
		s->wait_ns += (double)(next - o->ended_ns);
		if (o->layer >= 0 && o->layer < MAX_LAYERS)
			s->layer[o->layer] += t;
		s->n_layers = o->layer >= s->n_layers ? o->layer + 1 : s->n_layers;
		if (o->kind == LEAT_OP_product)
			note_shape(s, o, t);
	}
	s->component[SAMPLING] += (double)(ns[LEAT_PHASES] - ns[LEAT_PHASE_DRAW]);
	s->component[DISPATCH] += (double)(ns[LEAT_PHASE_DRAW] - ns[LEAT_PHASE_PREPARE]) - device;
	s->total_ns += (double)total;
	s->n_ops = p->n;
	s->n_steps++;
}

static void add(struct kernels *k, int kind, const char *what, const char *unit, enum leat_better better, double v)
{
	char name[LEAT_FIGURE_NAME];

	snprintf(name, sizeof(name), "%s: %s", kinds[kind], what);
	leat_report_add(k->t.j->report, name, unit, better, v);
}

static void report_shapes(struct kernels *k, int kind)
{
	const struct sums *s = &k->sum[kind];
	char name[48];

	for (int i = 0; i < s->n_shapes; i++) {
		const struct shape *h = &s->shape[i];
		snprintf(name, sizeof(name), "%d products %d x %d %s%s", h->per_step / s->n_steps, h->rows, h->cols,
			 leat_quant_at(h->quant)->name, h->layer ? "" : ", head");
		add(k, kind, name, "us", LEAT_BETTER_LESS, h->ns / 1e3 / s->n_steps);
	}
}

/* One run is one sample of each figure. */
static void report(struct kernels *k, int kind)
{
	struct sums *s = &k->sum[kind];
	double sum = 0, n = s->n_steps, products = s->kernel[LEAT_OP_product + 1];
	char name[48];

	if (!s->n_steps)
		return;
	for (int i = 0; i < N_COMPONENTS; i++) {
		sum += s->component[i];
		k->all[kind][i] += s->component[i];
		if (s->component[i] > 0)
			add(k, kind, components[i], "us", LEAT_BETTER_LESS, s->component[i] / 1e3 / n);
	}
	k->all_total[kind] += s->total_ns;
	k->n_all[kind] += s->n_steps;
	add(k, kind, "step, timed", "us", LEAT_BETTER_LESS, s->total_ns / 1e3 / n);
	add(k, kind, "sum of components", "%", LEAT_BETTER_NEITHER, 100 * sum / s->total_ns);
	add(k, kind, "waiting for other threads", "%", LEAT_BETTER_LESS, 100 * s->wait_ns / s->total_ns);
	add(k, kind, "share of products", "%", LEAT_BETTER_NEITHER, 100 * products / s->total_ns);
	add(k, kind, "kernels of a step", "", LEAT_BETTER_LESS, s->n_ops);
	for (int i = 0; i <= LEAT_OP_COUNT; i++) {
		snprintf(name, sizeof(name), "kernel %s", i ? leat_op_name(i - 1) : "prepare");
		if (s->kernel[i] > 0)
			add(k, kind, name, "us", LEAT_BETTER_LESS, s->kernel[i] / 1e3 / n);
	}
	report_shapes(k, kind);
	for (int i = 0; i < s->n_layers && i < MAX_LAYERS; i++)
		add(k, kind, "one layer", "us", LEAT_BETTER_LESS, s->layer[i] / 1e3 / n);
}

/* Without times the engine has no profile, and the backend's submit is the one that users have. */
static void take_times(struct kernels *k, int on)
{
	k->t.e->backend->profile(k->t.e->dev, on ? k->profile : NULL);
}

static enum leat_status once(struct kernels *k, int timed, int measured)
{
	struct leat_bench_job *j = k->t.j;
	uint64_t began = leat_now_ns(), now;
	double plain = 0;

	memset(k->sum, 0, sizeof(k->sum));
	take_times(k, timed);
	LEAT_TRY(leat_stepper_begin(&k->t));
	now = leat_now_ns();
	if (timed)
		note_step(k, PROMPT, now - k->t.ns[0]);
	else if (measured)
		add(k, PROMPT, "step", "us", LEAT_BETTER_LESS, (double)(now - began) / 1e3);
	for (int i = 1; i < j->size.n_gen; i++) {
		began = leat_now_ns();
		LEAT_TRY(leat_stepper_next(&k->t, i));
		now = leat_now_ns();
		if (timed)
			note_step(k, DECODE, now - began);
		plain += (double)(now - began);
	}
	if (!timed && measured)
		add(k, DECODE, "step", "us", LEAT_BETTER_LESS, plain / 1e3 / (j->size.n_gen - 1));
	for (int i = 0; timed && measured && i < N_KINDS; i++)
		report(k, i);
	return LEAT_OK;
}

static void table(struct kernels *k, int kind)
{
	struct leat_report *r = k->t.j->report;
	double sum = 0, total = k->all_total[kind], n = k->n_all[kind];

	leat_report_remark(r, "%s, a step of %d token%s: component, ms, %% of the step", kinds[kind],
			   kind == PROMPT ? k->t.j->size.n_prompt : 1,
			   kind == PROMPT && k->t.j->size.n_prompt > 1 ? "s" : "");
	for (int i = 0; i < N_COMPONENTS; i++) {
		sum += k->all[kind][i];
		if (k->all[kind][i] > 0)
			leat_report_remark(r, "  %-14s %10.4f %7.2f %%", components[i], k->all[kind][i] / 1e6 / n,
					   100 * k->all[kind][i] / total);
	}
	leat_report_remark(r, "  %-14s %10.4f %7.2f %% are the components", "step", total / 1e6 / n, 100 * sum / total);
	if (sum < 0.95 * total || sum > 1.05 * total) {
		leat_report_remark(r, "WRONG: the sum is not within 5 %% of the step; is the machine busy?");
		r->wrong = 1;
	}
}

static enum leat_status measure(struct kernels *k)
{
	struct leat_bench_job *j = k->t.j;

	LEAT_TRY(leat_engine_profile(k->t.e, k->t.err));
	k->profile = k->t.e->profile;
	for (int i = 0; i < 2 * (j->size.n_warmup + j->size.n_repeat); i++)
		LEAT_TRY(once(k, i & 1, i >= 2 * j->size.n_warmup));
	take_times(k, 1);
	table(k, PROMPT);
	table(k, DECODE);
	leat_report_hash(j->report, "tokens_sha256", k->t.ids, j->size.n_gen);
	return k->profile->n_lost ? leat_fail(k->t.err, LEAT_E_LIMIT, "", LEAT_NO_OFFSET, "%d ops have no times",
					      k->profile->n_lost)
				  : LEAT_OK;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	struct kernels *k = calloc(1, sizeof(*k));
	enum leat_status s;

	if (!k)
		return leat_fail(err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for times");
	s = leat_stepper_open(&k->t, j, err);
	if (!s) {
		s = measure(k);
		leat_stepper_close(&k->t);
	}
	free(k);
	return s;
}

const struct leat_bench leat_bench_kernels = {
	.name = "kernels",
	.summary = "where the time of a step goes inside: components, kernels, layers, matrices",
	.size = { .n_prompt = 128, .n_gen = 64, .n_repeat = 5, .n_warmup = 1 },
	.run = run,
};
