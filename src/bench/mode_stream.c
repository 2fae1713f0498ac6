/* mode_stream.c - what streaming costs over plain generation (R96), and callbacks apart (R97).
 *
 * Plain generation is the same step, draw and decoding of text in a bare loop: no request, no queue, no events. The
 * clock runs from the first token to the last, so that the prompt is in none of the figures. The ways take turns.
 *
 * Steps of a large model differ by more than a stream costs, so its cost is measured by itself too: the time from the
 * first token to the last, less what the engine spent in steps and in samplers, and for an engine with a thread of its
 * own the processor time of the thread that reads. That is the ring, the text, the wake-up and the schedule. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/mode.h"
#include "engine/request.h"
#include "sample/sample.h"
#include "text/tokenizer.h"

enum { MAX_TEXT = 4096, MAX_PROMPT = 64 };

static const int points[] = { 10, 50, 100, 500 };

struct stream {
	struct leat_bench_job *j;
	struct leat_engine *e;
	int32_t *ids, *first;   /* [most + 1] of this run; of the first run */
	int n_ids, n_first;
	uint64_t start_ns, start_cpu_ns, bytes; /* started when the first token came */
	uint64_t start_reader_ns, start_inside_ns;
	char text[MAX_TEXT];
	struct leat_error *err;
};

/* Of all threads. Other programs on the machine do not count. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) ? 0 : (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Of the thread that calls. */
static uint64_t reader_ns(void)
{
	struct timespec t;

	return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) ? 0
							  : (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* In steps and samplers so far. */
static uint64_t inside_ns(const struct stream *s)
{
	return atomic_load(&s->e->sched.compute_ns) + atomic_load(&s->e->sched.draw_ns);
}

static void got(struct stream *s, int32_t id)
{
	if (!s->n_ids) {
		s->start_inside_ns = inside_ns(s);
		s->start_reader_ns = reader_ns();
		s->start_cpu_ns = cpu_ns();
		s->start_ns = leat_now_ns();
	}
	s->ids[s->n_ids++] = id;
}

/* ---- plain ---- */

static enum leat_status plain_loop(struct stream *s, struct leat_seq *seq, struct leat_sampler *draw, int n_tokens)
{
	struct leat_detok detok;
	struct leat_feed f = { .seq = seq, .want = LEAT_WANT_LAST };
	int32_t prompt[MAX_PROMPT];
	struct leat_drawn d;

	f.n_tokens = s->j->size.n_prompt;
	leat_bench_prompt(s->j, 0, prompt, f.n_tokens);
	f.tokens = prompt;
	leat_detok_init(&detok, s->e->model->vocab, 0);
	while (s->n_ids < n_tokens) {
		LEAT_TRY(leat_engine_step(s->e, &f, 1, s->err));
		LEAT_TRY(leat_sampler_draw(draw, leat_engine_row(s->e, 0), (uint64_t)seq->n_past, &d, s->err));
		leat_sampler_accept(draw, d.id);
		s->bytes += leat_detok_next(&detok, d.id, s->text, sizeof(s->text));
		got(s, d.id);
		f.tokens = &s->ids[s->n_ids - 1];
		f.n_tokens = 1;
	}
	return LEAT_OK;
}

static enum leat_status plain(struct stream *s, int n_tokens)
{
	struct leat_sample_params p;
	struct leat_sampler *draw;
	struct leat_seq seq;
	enum leat_status st;

	leat_sample_params_init(&p);
	p.temperature = 0;
	LEAT_TRY(leat_sampler_create(&p, s->j->info.n_vocab, &draw, s->err));
	st = leat_seq_open(s->e, &seq, s->err);
	if (!st) {
		st = plain_loop(s, &seq, draw, n_tokens);
		leat_seq_close(s->e, &seq);
	}
	leat_sampler_destroy(draw);
	return st;
}

/* ---- streams ---- */

static enum leat_status pull(struct stream *s, struct leat_request *r)
{
	struct leat_token t = LEAT_TOKEN_INIT;

	do {
		LEAT_TRY(leat_request_next(r, &t, s->err));
		s->bytes += t.text_bytes;
		if (t.id >= 0)
			got(s, t.id);
	} while (!t.finish);
	return LEAT_OK;
}

static enum leat_status poll_each(struct stream *s, struct leat_request *r)
{
	struct leat_token t = LEAT_TOKEN_INIT;

	do {
		LEAT_TRY(leat_request_poll(r, -1, &t, s->err));
		s->bytes += t.text_bytes;
		if (t.id >= 0)
			got(s, t.id);
	} while (!t.finish);
	return LEAT_OK;
}

/* It has to know the ids all the same. */
static int on_empty(void *user, const struct leat_token *t)
{
	if (t->id >= 0)
		got(user, t->id);
	return 0;
}

static int on_count(void *user, const struct leat_token *t)
{
	struct stream *s = user;

	s->bytes += t->text_bytes;
	return on_empty(user, t);
}

static int on_format(void *user, const struct leat_token *t)
{
	struct stream *s = user;

	s->bytes += (uint64_t)snprintf(s->text, sizeof(s->text),
				       "data: {\"id\": %d, \"text\": \"%.*s\", \"p\": %.6f}\n", (int)t->id,
				       (int)t->text_bytes, t->text, (double)t->prob);
	return on_empty(user, t);
}

static enum leat_status call_empty(struct stream *s, struct leat_request *r)
{
	return leat_request_stream(r, on_empty, s, s->err);
}

static enum leat_status call_count(struct stream *s, struct leat_request *r)
{
	return leat_request_stream(r, on_count, s, s->err);
}

static enum leat_status call_format(struct stream *s, struct leat_request *r)
{
	return leat_request_stream(r, on_format, s, s->err);
}

static const struct way {
	const char *name;
	enum leat_status (*read)(struct stream *s, struct leat_request *r); /* NULL: plain */
	int thread; /* the engine has its own */
} ways[] = {
	{ "plain", NULL, 0 },
	{ "pull", pull, 0 },
	{ "callback, empty", call_empty, 0 },
	{ "callback, counting", call_count, 0 },
	{ "callback, formatting", call_format, 0 },
	{ "asynchronous", poll_each, 1 },
};
enum { N_WAYS = (int)(sizeof(ways) / sizeof(ways[0])) };

static enum leat_status streamed(struct stream *s, const struct way *w, int n_tokens)
{
	struct leat_request *r;
	enum leat_status st;

	if (w->thread)
		LEAT_TRY(leat_engine_start(s->e, s->err));
	st = leat_bench_submit(s->j, s->e, 0, s->j->size.n_prompt, n_tokens, &r, s->err);
	if (!st) {
		st = w->read(s, r);
		leat_request_unref(r);
	}
	if (w->thread)
		leat_engine_stop(s->e);
	return st;
}

struct took {
	uint64_t ns, cpu_ns; /* of the tokens after the first */
	int64_t stream_ns;   /* of those, what was neither step nor draw */
};

static enum leat_status once(struct stream *s, const struct way *w, int n_tokens, struct took *ret)
{
	LEAT_TRY(leat_bench_go_on(s->j, s->err));
	s->n_ids = 0;
	LEAT_TRY(w->read ? streamed(s, w, n_tokens + 1) : plain(s, n_tokens + 1));
	ret->ns = leat_now_ns() - s->start_ns;
	ret->cpu_ns = cpu_ns() - s->start_cpu_ns;
	ret->stream_ns = (int64_t)ret->ns - (int64_t)(inside_ns(s) - s->start_inside_ns);
	if (w->thread) /* beside the thread that ran the steps */
		ret->stream_ns += (int64_t)(reader_ns() - s->start_reader_ns);
	if (s->n_ids != n_tokens + 1)
		return leat_fail(s->err, LEAT_E_INTERNAL, w->name, LEAT_NO_OFFSET, "%d tokens came, wanted %d",
				 s->n_ids, n_tokens + 1);
	if (s->n_first < s->n_ids) {
		memcpy(s->first, s->ids, (size_t)s->n_ids * sizeof(*s->ids));
		s->n_first = s->n_ids;
	} else if (memcmp(s->first, s->ids, (size_t)s->n_ids * sizeof(*s->ids))) {
		leat_report_remark(s->j->report, "%s wrote other ids than plain generation", w->name);
		s->j->report->wrong = 1;
	}
	return LEAT_OK;
}

static void name_figure(char name[LEAT_FIGURE_NAME], int way, int n_tokens, const char *more)
{
	snprintf(name, LEAT_FIGURE_NAME, "%s @ %d%s", ways[way].name, n_tokens, more);
}

static void report(struct stream *s, int n_tokens, const struct took took[N_WAYS])
{
	char name[LEAT_FIGURE_NAME];

	for (int i = 0; i < N_WAYS; i++) {
		name_figure(name, i, n_tokens, "");
		leat_report_add(s->j->report, name, "ns/token", LEAT_BETTER_LESS, (double)took[i].ns / n_tokens);
		name_figure(name, i, n_tokens, ", CPU");
		leat_report_add(s->j->report, name, "ns/token", LEAT_BETTER_LESS, (double)took[i].cpu_ns / n_tokens);
		if (!ways[i].read)
			continue;
		name_figure(name, i, n_tokens, ", stream");
		leat_report_add(s->j->report, name, "ns/token", LEAT_BETTER_LESS,
				(double)took[i].stream_ns / n_tokens);
	}
}

/* The median of a figure; 0 for one that does not exist. */
static double median(const struct leat_report *p, int way, int n_tokens, const char *more)
{
	struct leat_summary sum;
	char name[LEAT_FIGURE_NAME];

	name_figure(name, way, n_tokens, more);
	for (int k = 0; k < p->n; k++) {
		if (!strcmp(p->figure[k].name, name))
			return leat_summarise(p->figure[k].sample, p->figure[k].n, &sum) ? 0 : sum.median;
	}
	return 0;
}

/* Overhead from medians: single runs differ by more than a stream costs. */
static void remarks(struct stream *s, int n_tokens)
{
	struct leat_report *p = s->j->report;
	double plain_ns = median(p, 0, n_tokens, ""), plain_cpu = median(p, 0, n_tokens, ", CPU");

	for (int i = 1; i < N_WAYS; i++) {
		double ns = median(p, i, n_tokens, "") - plain_ns, cpu = median(p, i, n_tokens, ", CPU") - plain_cpu;
		leat_report_remark(p, "%4d tokens, %-20s over plain: %+8.0f ns/token, %+7.2f %%; CPU %+8.0f, %+7.2f %%",
				   n_tokens, ways[i].name, ns, 100 * ns / plain_ns, cpu, 100 * cpu / plain_cpu);
		ns = median(p, i, n_tokens, ", stream");
		leat_report_remark(p, "%4d tokens, %-20s the stream itself: %.0f ns/token, %.3f %% of the time",
				   n_tokens, ways[i].name, ns, 100 * ns / median(p, i, n_tokens, ""));
	}
}

static enum leat_status measure(struct stream *s)
{
	struct leat_bench_job *j = s->j;
	struct took took[N_WAYS];

	for (int i = 0; i < j->n_points; i++) {
		for (int k = 0; k < j->size.n_warmup + j->size.n_repeat; k++) {
			for (int w = 0; w < N_WAYS; w++) {
				/* who begins changes, so that nobody always follows the same one; but plain comes
				 * first in the first run, for its ids are what the others are held to */
				int turn = (w + k) % N_WAYS;
				LEAT_TRY(once(s, &ways[turn], j->point[i], &took[turn]));
			}
			if (k >= j->size.n_warmup)
				report(s, j->point[i], took);
		}
		remarks(s, j->point[i]);
	}
	leat_report_hash(j->report, "tokens_sha256", s->first, s->n_first);
	return LEAT_OK;
}

static enum leat_status with_memory(struct stream *s, int most)
{
	enum leat_status st = LEAT_E_NOMEM;

	s->ids = calloc((size_t)most, sizeof(*s->ids));
	s->first = calloc((size_t)most, sizeof(*s->first));
	if (!s->ids || !s->first)
		leat_fail(s->err, st, "", LEAT_NO_OFFSET, "no memory for %d ids", most);
	else
		st = leat_bench_engine(s->j, 1, s->j->size.n_prompt + most + 1, &s->e, s->err);
	if (!st) {
		st = measure(s);
		leat_engine_unref(s->e);
	}
	free(s->ids);
	free(s->first);
	return st;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	struct stream s = { .j = j, .err = err };

	if (!j->n_points) {
		j->n_points = (int)(sizeof(points) / sizeof(points[0]));
		memcpy(j->point, points, sizeof(points));
	}
	if (j->point[0] < 1)
		return leat_fail(err, LEAT_E_ARG, "n-depth", LEAT_NO_OFFSET, "a stream of 0 tokens");
	if (j->size.n_prompt > MAX_PROMPT)
		return leat_fail(err, LEAT_E_ARG, "n-prompt", LEAT_NO_OFFSET, "%d tokens, wanted at most %d",
				 j->size.n_prompt, MAX_PROMPT);
	return with_memory(&s, j->point[j->n_points - 1] + 1);
}

const struct leat_bench leat_bench_stream = {
	.name = "stream",
	.summary = "cost of streaming over plain generation",
	.size = { .n_prompt = 8, .n_repeat = 5, .n_warmup = 1 },
	.run = run,
};
