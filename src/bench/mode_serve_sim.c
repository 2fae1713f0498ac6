/* mode_serve_sim.c - requests that arrive one by one at an engine that runs on its own, in this process: what each of
 * them waits for, and what those who answer wait for others, with max_prefill_stall_ms and without.
 *
 *   TTFT   from the moment that a request was to arrive to its first token
 *   ITL    from one token of a request to the next, over all requests
 *   TPOT   mean of a request's gaps
 *   E2E    from arrival to the last token
 *
 * One thread submits and reads, as a server's event loop does: asleep on the engine's eventfd until the next arrival.
 * Tokens are timed when they are read. A request that finds the queue full is counted as refused and not repeated. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/crowd.h"
#include "bench/use.h"

enum { BOUND, UNBOUND, N_WAYS };
enum { TTFT, ITL, TPOT, E2E, N_TIMES };
enum { DEFAULT_GAP_MS = 50, N_STALLS = 12 };

static const char *const ways[N_WAYS] = { "bound on", "bound off" };
static const char *const times[N_TIMES] = { "TTFT", "ITL", "TPOT", "E2E" };

struct samples {
	double *v;
	int n, cap;
};

struct sim {
	struct leat_bench_job *j;
	const struct leat_workload *w;
	struct leat_engine *e;
	struct leat_crowd_one *one;  /* [w->n] */
	int32_t *ids;                /* [w->n][most_gen] */
	uint64_t began_ns;
	int n_submitted, n_refused, n_open, fd;
	struct samples ms[N_TIMES];  /* of this run */
	struct samples all[N_WAYS][N_TIMES];
	struct leat_engine_load load[N_WAYS]; /* sums of stalls, worst */
	int refused[N_WAYS], preempted[N_WAYS];
	int out_of_memory;
	struct leat_error *err;
};

static void sample(struct sim *s, struct samples *to, double v)
{
	if (to->n == to->cap) {
		int cap = to->cap ? 2 * to->cap : 1024;
		double *more = realloc(to->v, (size_t)cap * sizeof(*more));
		if (!more) {
			s->out_of_memory = 1;
			return;
		}
		to->v = more;
		to->cap = cap;
	}
	to->v[to->n++] = v;
}

static uint64_t due_ns(const struct sim *s, const struct leat_crowd_one *o)
{
	return s->began_ns + (uint64_t)s->w->at[o - s->one].at_ms * 1000000;
}

/* The crowd has the time of the last token only: that of the one before stays here. */
struct reading {
	struct sim *s;
	uint64_t before_ns;
};

static void on_token(void *user, struct leat_crowd_one *o, uint64_t now_ns)
{
	struct reading *r = user;

	if (o->n > 1)
		sample(r->s, &r->s->ms[ITL], (double)(now_ns - r->before_ns) / 1e6);
	r->before_ns = now_ns;
}

static void ended(struct sim *s, const struct leat_crowd_one *o)
{
	if (o->failed || !o->n)
		return;
	sample(s, &s->ms[TTFT], (double)(o->first_ns - due_ns(s, o)) / 1e6);
	sample(s, &s->ms[E2E], (double)(o->last_ns - due_ns(s, o)) / 1e6);
	if (o->n > 1)
		sample(s, &s->ms[TPOT], (double)(o->last_ns - o->first_ns) / 1e6 / (o->n - 1));
}

/* Everything that is there. */
static enum leat_status read_all(struct sim *s)
{
	for (int i = 0; i < s->n_submitted; i++) {
		struct leat_crowd_one *o = &s->one[i];
		struct reading r = { s, o->last_ns };
		if (!o->r || o->finish)
			continue;
		leat_crowd_take(o, 0, on_token, &r);
		if (o->failed)
			return leat_fail(s->err, o->failed, "", LEAT_NO_OFFSET, "request %d failed: %s", i,
					 leat_status_text(o->failed));
		if (o->finish) {
			ended(s, o);
			s->n_open--;
		}
	}
	return s->out_of_memory ? leat_fail(s->err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for samples")
				: LEAT_OK;
}

static enum leat_status submit_due(struct sim *s)
{
	while (s->n_submitted < s->w->n && due_ns(s, &s->one[s->n_submitted]) <= leat_now_ns()) {
		int i = s->n_submitted++;
		struct leat_crowd_one *o = &s->one[i];
		enum leat_status st;
		o->ids = s->ids + (size_t)i * (size_t)s->w->most_gen;
		o->cap = s->w->most_gen;
		st = leat_bench_submit(s->j, s->e, (uint64_t)i, s->w->at[i].n_prompt, s->w->at[i].n_gen, &o->r,
				       s->err);
		if (st == LEAT_E_BUSY) {
			o->r = NULL;
			s->n_refused++;
		} else if (st) {
			return st;
		} else {
			s->n_open++;
		}
	}
	return LEAT_OK;
}

/* Until the next arrival or the next event, but not so long that a signal would wait. */
static void wait_for_more(struct sim *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	struct timespec t = { 0, 100000000 };
	uint64_t n;

	if (s->n_submitted < s->w->n) {
		uint64_t due = due_ns(s, &s->one[s->n_submitted]), now = leat_now_ns();
		uint64_t left = due > now ? due - now : 0;
		t.tv_nsec = left < 100000000 ? (long)left : t.tv_nsec;
	}
	if (ppoll(&p, 1, &t, NULL) > 0 && read(s->fd, &n, sizeof(n)) < 0)
		return; /* somebody took the count: the tokens are there all the same */
}

static enum leat_status serve(struct sim *s)
{
	s->began_ns = leat_now_ns();
	while (s->n_submitted < s->w->n || s->n_open) {
		LEAT_TRY(leat_bench_go_on(s->j, s->err));
		LEAT_TRY(submit_due(s));
		LEAT_TRY(read_all(s));
		if (s->n_submitted < s->w->n || s->n_open)
			wait_for_more(s);
	}
	return LEAT_OK;
}

/* ---- figures ---- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double at_percent(const struct samples *s, int percent)
{
	int64_t i = ((int64_t)s->n * percent + 99) / 100;

	return s->n ? s->v[i > 0 ? i - 1 : 0] : 0;
}

static double mean_of(const struct samples *s)
{
	double sum = 0;

	for (int i = 0; i < s->n; i++)
		sum += s->v[i];
	return s->n ? sum / s->n : 0;
}

static void figure(struct sim *s, int way, const char *what, const char *unit, enum leat_better better, double v)
{
	char name[LEAT_FIGURE_NAME];

	snprintf(name, sizeof(name), "%s: %s", ways[way], what);
	leat_report_add(s->j->report, name, unit, better, v);
}

static void report_times(struct sim *s, int way)
{
	static const struct {
		const char *name;
		int percent;
	} points[] = { { "median", 50 }, { "p90", 90 }, { "p99", 99 }, { "max", 100 } };
	char name[48];

	for (int k = 0; k < N_TIMES; k++) {
		struct samples *m = &s->ms[k];
		if (!m->n)
			continue;
		qsort(m->v, (size_t)m->n, sizeof(*m->v), ascending);
		snprintf(name, sizeof(name), "%s mean", times[k]);
		figure(s, way, name, "ms", LEAT_BETTER_LESS, mean_of(m));
		for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++) {
			snprintf(name, sizeof(name), "%s %s", times[k], points[i].name);
			figure(s, way, name, "ms", LEAT_BETTER_LESS, at_percent(m, points[i].percent));
		}
		for (int i = 0; i < m->n; i++)
			sample(s, &s->all[way][k], m->v[i]);
		m->n = 0;
	}
}

static void report_run(struct sim *s, int way, uint64_t ns)
{
	struct leat_engine_load l = { .struct_size = sizeof(l) };
	double seconds = (double)ns / 1e9;
	int64_t tokens = 0, prompts = 0, done = 0;

	for (int i = 0; i < s->w->n; i++) {
		tokens += s->one[i].n;
		done += s->one[i].n > 0;
		prompts += s->one[i].n > 0 ? s->w->at[i].n_prompt : 0;
	}
	figure(s, way, "output", "tokens/s", LEAT_BETTER_MORE, (double)tokens / seconds);
	figure(s, way, "prompts and output", "tokens/s", LEAT_BETTER_MORE, (double)(prompts + tokens) / seconds);
	figure(s, way, "requests", "1/s", LEAT_BETTER_MORE, (double)done / seconds);
	figure(s, way, "refused, queue full", "", LEAT_BETTER_LESS, s->n_refused);
	report_times(s, way);
	leat_engine_get_load(s->e, &l);
	figure(s, way, "put aside for others", "", LEAT_BETTER_LESS, (double)l.n_preempted);
	figure(s, way, "worst stall", "ms", LEAT_BETTER_LESS, (double)l.worst_stall_ns / 1e6);
	s->refused[way] += s->n_refused;
	for (int i = 0; i < N_STALLS; i++) {
		s->load[way].stalls[i] += l.stalls[i];
		s->load[way].stall_below_ms[i] = l.stall_below_ms[i];
	}
	if (l.worst_stall_ns > s->load[way].worst_stall_ns)
		s->load[way].worst_stall_ns = l.worst_stall_ns;
}

/* ---- runs ---- */

static enum leat_status once(struct sim *s, int way, int first)
{
	struct leat_bench_job *j = s->j;
	int32_t stall_ms = j->engine.max_prefill_stall_ms;
	struct leat_use use;
	enum leat_status st;

	if (way == UNBOUND)
		j->engine.max_prefill_stall_ms = -1;
	j->engine.max_queue = s->w->max_queue ? s->w->max_queue : s->w->n;
	st = leat_bench_engine(j, j->size.n_parallel, s->w->most_tokens + 1, &s->e, s->err);
	j->engine.max_prefill_stall_ms = stall_ms;
	if (st)
		return st;
	memset(s->one, 0, (size_t)s->w->n * sizeof(*s->one));
	s->n_submitted = s->n_refused = s->n_open = 0;
	leat_use_begin(&use, s->e);
	st = leat_engine_fd(s->e, &s->fd, s->err);
	if (!st)
		st = leat_engine_start(s->e, s->err);
	if (!st)
		st = serve(s);
	if (!st) {
		report_run(s, way, leat_now_ns() - s->began_ns);
		leat_use_end(&use, j->report, ways[way]);
		if (first)
			leat_report_hash(j->report, way == BOUND ? "tokens_sha256" : "unbound_tokens_sha256", s->ids,
					 s->w->n * s->w->most_gen);
	}
	leat_crowd_drop(s->one, s->n_submitted);
	leat_engine_stop(s->e);
	leat_engine_unref(s->e);
	return st;
}

static void histogram(struct sim *s, int way)
{
	struct leat_report *r = s->j->report;
	const struct leat_engine_load *l = &s->load[way];
	char line[256];
	int n = snprintf(line, sizeof(line), "%s: tokens of answers by stall, ms:", ways[way]);

	for (int i = 0; i < N_STALLS && n < (int)sizeof(line); i++) {
		if (!l->stalls[i])
			continue;
		if (l->stall_below_ms[i] && i + 1 < N_STALLS)
			n += snprintf(line + n, sizeof(line) - (size_t)n, " <%llu: %llu",
				      (unsigned long long)l->stall_below_ms[i], (unsigned long long)l->stalls[i]);
		else
			n += snprintf(line + n, sizeof(line) - (size_t)n, " more: %llu",
				      (unsigned long long)l->stalls[i]);
	}
	leat_report_remark(r, "%.119s", line);
	leat_report_remark(r, "%s: worst stall beyond a step of their own %.1f ms, longest gap between tokens %.1f ms",
			   ways[way], (double)l->worst_stall_ns / 1e6, at_percent(&s->all[way][ITL], 100));
}

static void table(struct sim *s, int way)
{
	struct leat_report *r = s->j->report;

	for (int k = 0; k < N_TIMES; k++) {
		struct samples *m = &s->all[way][k];
		if (!m->n)
			continue;
		qsort(m->v, (size_t)m->n, sizeof(*m->v), ascending);
		leat_report_remark(r, "%s %-4s ms, %6d: mean %9.2f median %9.2f p90 %9.2f p99 %9.2f max %9.2f",
				   ways[way], times[k], m->n, mean_of(m), at_percent(m, 50), at_percent(m, 90),
				   at_percent(m, 99), at_percent(m, 100));
	}
	histogram(s, way);
	if (s->refused[way])
		leat_report_remark(r, "%s: %d requests found the queue full", ways[way], s->refused[way]);
}

static enum leat_status measure(struct sim *s)
{
	struct leat_bench_job *j = s->j;
	int32_t asked = j->engine.max_prefill_stall_ms, bound_ms = asked ? asked : 200;

	for (int i = 0; i < j->size.n_repeat; i++) {
		for (int way = 0; way < N_WAYS; way++)
			LEAT_TRY(once(s, way, !i));
	}
	for (int way = 0; way < N_WAYS; way++)
		table(s, way);
	if (asked >= 0 && s->load[BOUND].worst_stall_ns > (uint64_t)bound_ms * 1000000) {
		leat_report_remark(j->report, "EXCEEDED: a stall of more than %d ms with the bound on", bound_ms);
		j->report->wrong = 1;
	}
	return LEAT_OK;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	struct leat_workload even = { .n = 0 };
	struct sim *s = calloc(1, sizeof(*s));
	enum leat_status st = LEAT_E_NOMEM;

	if (!s)
		return leat_fail(err, st, "", LEAT_NO_OFFSET, "no memory for requests");
	s->j = j;
	s->err = err;
	s->w = j->workload ? j->workload : &even;
	if (!j->workload)
		st = leat_workload_even(j->size.n_requests, j->size.n_prompt, j->size.n_gen, DEFAULT_GAP_MS, &even,
					err);
	s->one = calloc((size_t)s->w->n + 1, sizeof(*s->one));
	s->ids = calloc((size_t)s->w->n * (size_t)s->w->most_gen + 1, sizeof(*s->ids));
	if (!s->one || !s->ids)
		st = leat_fail(err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for %d requests", s->w->n);
	else if (j->workload || !st)
		st = measure(s);
	for (int k = 0; k < N_TIMES; k++) {
		free(s->ms[k].v);
		free(s->all[BOUND][k].v);
		free(s->all[UNBOUND][k].v);
	}
	free(s->one);
	free(s->ids);
	free(s);
	leat_workload_deinit(&even);
	return st;
}

const struct leat_bench leat_bench_serve_sim = {
	.name = "serve-sim",
	.summary = "requests that arrive one by one: what they wait for",
	.size = { .n_requests = 16, .n_parallel = 8, .n_prompt = 64, .n_gen = 32, .n_repeat = 1 },
	.run = run,
	.takes_workload = 1,
};
