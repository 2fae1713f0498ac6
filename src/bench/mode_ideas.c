/* mode_ideas.c - every idea of the reviews that leat grew from, on and off in turns, beside what its authors said of it
 * (R114, R117). The rows are data: ideas.def. Both sides live at once and take turns, ABAB, so that what the
 * machine does besides meets both; a side's ids are those of its first measured run. Rows that ask for the same
 * comparison share it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/crowd.h"
#include "bench/ideas.h"

enum { ON, OFF, SIDES };
enum { PROMPT_OF_DECODE = 16, MAX_TRIED = 64, MAX_SAMPLES = 1000 };

static const char *const measures[LEAT_IDEA_COUNT] = {
	"-", "decode", "prompt", "batch", "two", "mix", "first token", "load", "first token",
};

/* A comparison that was made. */
struct tried {
	enum leat_idea_measure measure;
	const char *on, *off;
	char name[LEAT_FIGURE_NAME - 8]; /* of its figures */
	struct leat_summary sum[SIDES];
	struct leat_welch welch;
	int same_ids;
	char why[64];              /* not "": it could not be */
};

struct ideas {
	struct leat_bench_job *j;
	struct leat_idea_side side[SIDES];
	struct leat_engine *e[SIDES];
	enum leat_idea_measure measure;
	struct leat_crowd_one *one; /* [n_requests or n_parallel or 2] */
	int32_t *ids[SIDES];        /* [cap] */
	int n_ids[SIDES], cap, n_one;
	struct tried tried[MAX_TRIED];
	int n_tried, n_rows;
	double v[SIDES][MAX_SAMPLES];
	struct leat_error *err;
};

static int less_is_better(enum leat_idea_measure m)
{
	return m >= LEAT_IDEA_FIRST;
}

/* ---- one run of one side: *ret_value in tokens/s or ms, ids from ids[SIDE] on ---- */

static enum leat_status ask(struct ideas *t, int side, int n_prompt, int n_gen, struct leat_request_stats *ret,
			    struct leat_error *err)
{
	struct leat_request *r;
	enum leat_status s;
	int n = 0;

	LEAT_TRY(leat_bench_go_on(t->j, err));
	LEAT_TRY(leat_bench_submit(t->j, t->e[side], 0, n_prompt, n_gen, &r, err));
	s = leat_bench_drain(t->j, r, t->ids[side], t->cap, &n, err);
	t->n_ids[side] = n;
	memset(ret, 0, sizeof(*ret));
	ret->struct_size = sizeof(*ret);
	leat_request_get_stats(r, ret);
	leat_request_unref(r);
	return s;
}

static double per_second(uint64_t n, uint64_t ns)
{
	return ns ? (double)n * 1e9 / (double)ns : 0;
}

/* Lengths that are no two alike, for what depends on shapes. */
static void lengths(const struct ideas *t, int i, int *ret_prompt, int *ret_gen)
{
	uint32_t x = (uint32_t)i * 2654435761u + 12345;

	*ret_prompt = PROMPT_OF_DECODE;
	*ret_gen = t->j->size.n_gen;
	if (t->measure == LEAT_IDEA_MIX) {
		*ret_prompt = 1 + (int)(x >> 16) % (t->j->size.n_prompt / 2 + 1);
		*ret_gen = 1 + (int)(x >> 8 & 255) % (t->j->size.n_gen / 2 + 1);
	}
}

static enum leat_status together(struct ideas *t, int side, double *ret_value)
{
	int n = t->measure == LEAT_IDEA_PAIR ? 2 : t->measure == LEAT_IDEA_MIX ? t->j->size.n_requests
									      : t->j->size.n_parallel;
	enum leat_status s = LEAT_OK;
	uint64_t start = leat_now_ns();
	int used = 0, total = 0, n_prompt, n_gen;

	memset(t->one, 0, (size_t)t->n_one * sizeof(*t->one));
	for (int i = 0; i < n && !s; i++) {
		lengths(t, i, &n_prompt, &n_gen);
		t->one[i].ids = t->ids[side] + used;
		t->one[i].cap = n_gen;
		used += n_gen;
		s = leat_bench_submit(t->j, t->e[side], (uint64_t)i, n_prompt, n_gen, &t->one[i].r, t->err);
	}
	if (!s)
		s = leat_crowd_read(t->j, t->one, n, t->err);
	for (int i = 0; i < n; i++)
		total += t->one[i].n;
	leat_crowd_drop(t->one, n);
	t->n_ids[side] = used;
	*ret_value = per_second((uint64_t)total, leat_now_ns() - start);
	return s;
}

static enum leat_status make_engine(struct ideas *t, int side)
{
	struct leat_bench_job *j = t->j;
	struct leat_engine_params callers = j->engine;
	int longest = j->size.n_prompt + 1 > PROMPT_OF_DECODE + j->size.n_gen ? j->size.n_prompt + 1
									     : PROMPT_OF_DECODE + j->size.n_gen;
	enum leat_status s;

	j->engine = t->side[side].engine;
	j->engine.max_queue = j->size.n_requests + j->size.n_parallel;
	s = leat_bench_engine(j, t->side[side].n_parallel, longest + j->size.n_gen + 1, &t->e[side], t->err);
	j->engine = callers;
	return s;
}

static void drop_engine(struct ideas *t, int side)
{
	leat_engine_unref(t->e[side]);
	t->e[side] = NULL;
}

/* From here to the first token, of a new engine and, with LOAD, of a model that is opened anew. */
static enum leat_status anew(struct ideas *t, int side, double *ret_value)
{
	struct leat_model *callers = t->j->model;
	struct leat_request_stats st;
	uint64_t start = leat_now_ns();
	enum leat_status s = LEAT_OK;

	if (t->measure == LEAT_IDEA_LOAD)
		s = leat_model_open(t->j->path, &t->side[side].open, &t->j->model, t->err);
	if (!s)
		s = make_engine(t, side);
	if (!s && t->measure == LEAT_IDEA_FIRST)
		start = leat_now_ns();
	if (!s)
		s = ask(t, side, PROMPT_OF_DECODE, 1, &st, t->err);
	*ret_value = (double)(leat_now_ns() - start) / 1e6;
	drop_engine(t, side);
	if (t->j->model != callers)
		leat_model_unref(t->j->model);
	t->j->model = callers;
	return s;
}

/* A prompt that was there before: what it takes to the first token. */
static enum leat_status again(struct ideas *t, int side, double *ret_value)
{
	struct leat_request_stats st;
	enum leat_status s;

	t->j->keep_prompts = 1;
	s = ask(t, side, t->j->size.n_prompt, 1, &st, t->err);
	if (!s)
		s = ask(t, side, t->j->size.n_prompt, 1, &st, t->err);
	t->j->keep_prompts = 0;
	*ret_value = (double)st.first_token_ns / 1e6;
	return s;
}

static enum leat_status run_once(struct ideas *t, int side, double *ret_value)
{
	struct leat_request_stats st;

	switch (t->measure) {
	case LEAT_IDEA_DECODE:
		LEAT_TRY(ask(t, side, PROMPT_OF_DECODE, t->j->size.n_gen, &st, t->err));
		*ret_value = per_second(st.n_generated - 1, st.generate_ns);
		return LEAT_OK;
	case LEAT_IDEA_PROMPT:
		LEAT_TRY(ask(t, side, t->j->size.n_prompt, 1, &st, t->err));
		*ret_value = per_second(st.n_prompt, st.prompt_ns);
		return LEAT_OK;
	case LEAT_IDEA_FIRST:
	case LEAT_IDEA_LOAD:
		return anew(t, side, ret_value);
	case LEAT_IDEA_PREFIX:
		return again(t, side, ret_value);
	default:
		return together(t, side, ret_value);
	}
}

/* ---- a comparison ---- */

static int needs_engine(enum leat_idea_measure m)
{
	return m != LEAT_IDEA_FIRST && m != LEAT_IDEA_LOAD;
}

static enum leat_status take_turns(struct ideas *t, struct tried *r)
{
	struct leat_bench_sizes *z = &t->j->size;
	char name[LEAT_FIGURE_NAME];
	double v;

	for (int i = 0; i < z->n_warmup + z->n_repeat; i++) {
		for (int side = 0; side < SIDES; side++) {
			LEAT_TRY(run_once(t, side, &v));
			if (i < z->n_warmup)
				continue;
			t->v[side][i - z->n_warmup] = v;
			snprintf(name, sizeof(name), "%s %s", r->name, side == ON ? "on" : "off");
			leat_report_add(t->j->report, name, less_is_better(t->measure) ? "ms" : "tokens/s",
					less_is_better(t->measure) ? LEAT_BETTER_LESS : LEAT_BETTER_MORE, v);
		}
		if (i == z->n_warmup)
			r->same_ids = t->n_ids[ON] == t->n_ids[OFF] &&
				      !memcmp(t->ids[ON], t->ids[OFF], (size_t)t->n_ids[ON] * sizeof(int32_t));
	}
	for (int side = 0; side < SIDES; side++) {
		if (leat_summarise(t->v[side], z->n_repeat, &r->sum[side]))
			return leat_fail(t->err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for samples");
	}
	leat_welch(t->v[ON], z->n_repeat, t->v[OFF], z->n_repeat, &r->welch);
	return LEAT_OK;
}

static enum leat_status compare(struct ideas *t, struct tried *r)
{
	enum leat_status s = LEAT_OK;

	for (int side = 0; side < SIDES; side++) {
		if (leat_idea_side(t->j, side == ON ? r->on : r->off, &t->side[side], r->why))
			return LEAT_OK;
		if (t->side[side].engine.opts && t->side[side].opts[0])
			t->side[side].engine.opts = t->side[side].opts;
	}
	t->measure = r->measure;
	if (r->measure == LEAT_IDEA_PAIR)
		t->side[ON].n_parallel = 2;
	for (int side = 0; side < SIDES && !s && needs_engine(r->measure); side++)
		s = make_engine(t, side);
	if (!s)
		s = take_turns(t, r);
	drop_engine(t, ON);
	drop_engine(t, OFF);
	return s;
}

static struct tried *find_tried(struct ideas *t, enum leat_idea_measure m, const char *on, const char *off)
{
	for (int i = 0; i < t->n_tried; i++) {
		struct tried *r = &t->tried[i];
		if (r->measure == m && !strcmp(r->on, on) && !strcmp(r->off, off))
			return r;
	}
	return NULL;
}

/* ---- the table ---- */

static void side_text(const struct tried *r, int side, char buf[48])
{
	const struct leat_summary *s = &r->sum[side];

	snprintf(buf, 48, "%.*f ± %.1f %%", s->median >= 100 ? 0 : s->median >= 1 ? 2 : 4, s->median,
		 s->mean > 0 ? 100 * s->stddev / s->mean : 0);
}

static void print_row(struct ideas *t, const struct leat_idea *i, const struct tried *r)
{
	struct leat_report *p = t->j->report;
	char on[48], off[48];
	double gain;

	if (!r || r->why[0]) {
		leat_report_table(p, "| %s | %s | %s | - | | | | | | %s |\n", i->id, i->what, i->authors,
				  r ? r->why : i->note);
		return;
	}
	gain = r->sum[OFF].median > 0 && r->sum[ON].median > 0 ? r->sum[ON].median / r->sum[OFF].median : 0;
	if (less_is_better(r->measure) && gain > 0)
		gain = 1 / gain;
	side_text(r, ON, on);
	side_text(r, OFF, off);
	leat_report_table(p, "| %s | %s | %s | %s, %s | %s | %s | %.3fx | %s | %s | `%s` for `%s`%s%s |\n", i->id,
			  i->what, i->authors, measures[r->measure], less_is_better(r->measure) ? "ms" : "tokens/s",
			  on, off, gain, !r->welch.beyond_noise ? "within noise" : gain > 1 ? "helps" : "hurts",
			  r->same_ids ? "equal" : "differ", r->on[0] ? r->on : "defaults", r->off,
			  i->note[0] ? "; " : "", i->note);
}

static void print_head(const struct leat_bench_job *j)
{
	leat_report_table(j->report,
			  "on and off in turns, %d runs each after %d; medians ± standard deviation; noise: Welch's t, "
			  "1 %%\ndecode: %d tokens after %d; prompt: %d tokens; batch: %d requests, mix: %d of all "
			  "lengths, %d together\n\n", j->size.n_repeat, j->size.n_warmup, j->size.n_gen,
			  PROMPT_OF_DECODE, j->size.n_prompt, j->size.n_parallel, j->size.n_requests,
			  j->size.n_parallel);
	leat_report_table(j->report, "| id | idea | its authors: [0] no effect, [+] helps, [x] hurts, [?] not "
				     "measured, [=] was there | measured | on | off | gain | verdict | ids | "
				     "how, or why not |\n"
				     "| --- | --- | --- | --- | --: | --: | --: | --- | --- | --- |\n");
}

/* --only: an id, a part of a setting, or nothing at all. */
static int wanted(const struct leat_bench_job *j, const struct leat_idea *i)
{
	return !j->only || !strcmp(j->only, i->id) || leat_idea_names(i->on, j->only) ||
	       leat_idea_names(i->off, j->only);
}

static enum leat_status try_idea(struct ideas *t, const struct leat_idea *i)
{
	struct tried *r = NULL;

	if (!wanted(t->j, i))
		return LEAT_OK;
	if (i->measure != LEAT_IDEA_NONE) {
		r = find_tried(t, i->measure, i->on, i->off);
		if (!r && t->n_tried < MAX_TRIED) {
			r = &t->tried[t->n_tried++];
			r->measure = i->measure;
			r->on = i->on;
			r->off = i->off;
			snprintf(r->name, sizeof(r->name), "%s %.40s", i->id, i->what);
			LEAT_TRY(compare(t, r));
		}
	}
	print_row(t, i, r);
	t->n_rows++;
	return LEAT_OK;
}

/* Switches that no row names. The texts live as long as the measurement: their comparisons point at them. */
static enum leat_status try_switches(struct ideas *t, char (*text)[2][96])
{
	for (int k = 0; leat_opt_at(k) && k < MAX_TRIED; k++) {
		const struct leat_opt_info *o = leat_opt_at(k);
		struct leat_idea i = { "-", LEAT_IDEA_DECODE, o->name, "", text[k][ON], text[k][OFF], o->help };
		int named = 0;
		for (int n = 0; n < leat_n_ideas; n++)
			named |= leat_idea_names(leat_ideas[n].on, o->name);
		snprintf(text[k][ON], 96, "opts=%.60s=on", o->name);
		snprintf(text[k][OFF], 96, "opts=%.60s=off", o->name);
		if (!named)
			LEAT_TRY(try_idea(t, &i));
	}
	return LEAT_OK;
}

static enum leat_status measure(struct ideas *t)
{
	static char text[MAX_TRIED][2][96];
	struct leat_engine_info ran;

	/* the report says what an engine as asked for runs on */
	LEAT_TRY(leat_bench_engine(t->j, t->j->size.n_parallel, t->j->size.n_prompt + t->j->size.n_gen, &t->e[ON],
				   t->err));
	ran = t->j->ran;
	drop_engine(t, ON);
	print_head(t->j);
	for (int i = 0; i < leat_n_ideas; i++)
		LEAT_TRY(try_idea(t, &leat_ideas[i]));
	LEAT_TRY(try_switches(t, text));
	if (t->j->only && !t->n_rows)
		return leat_fail(t->err, LEAT_E_ARG, "only", LEAT_NO_OFFSET,
				 "--only %.60s is neither the id of an idea nor a switch", t->j->only);
	t->j->ran = ran;
	if (t->n_tried && t->n_ids[ON])
		leat_report_hash(t->j->report, "tokens_sha256", t->ids[ON], t->n_ids[ON]);
	return LEAT_OK;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	struct ideas *t = calloc(1, sizeof(*t));
	enum leat_status s;

	if (!t)
		return leat_fail(err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for ideas");
	t->j = j;
	t->err = err;
	t->n_one = (j->size.n_requests > j->size.n_parallel ? j->size.n_requests : j->size.n_parallel) + 2;
	t->cap = t->n_one * j->size.n_gen;
	t->one = calloc((size_t)t->n_one, sizeof(*t->one));
	t->ids[ON] = calloc((size_t)t->cap, sizeof(int32_t));
	t->ids[OFF] = calloc((size_t)t->cap, sizeof(int32_t));
	if (j->size.n_gen < 2)
		s = leat_fail(err, LEAT_E_ARG, "n-gen", LEAT_NO_OFFSET, "answers of %d tokens, wanted 2 or more",
			      j->size.n_gen);
	else if (!t->one || !t->ids[ON] || !t->ids[OFF])
		s = leat_fail(err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for %d ids", t->cap);
	else
		s = measure(t);
	free(t->one);
	free(t->ids[ON]);
	free(t->ids[OFF]);
	free(t);
	return s;
}

const struct leat_bench leat_bench_ideas = {
	.name = "ideas",
	.summary = "every optimisation on and off, beside what its authors said",
	.size = { .n_requests = 24, .n_parallel = 8, .n_prompt = 256, .n_gen = 48, .n_repeat = 5, .n_warmup = 1 },
	.run = run,
};
