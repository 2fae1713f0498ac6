/* turn.c - one round of the engine: look, admit, prepare, submit, finish, publish.
 *
 * A backend whose steps run on their own (leat_schedule.overlap) gets step n + 1 before the text of step n is made, so
 * that decoding, stop strings and readers cost nothing. On the CPU the step runs inside submit, on this thread too. */
#include "base/clock.h"
#include "engine/request.h"
#include "plan/opts.h"
#include "plan/softmax.h"

#include <unistd.h>

/* The row after a session's tokens is known already: its first token needs no step. */
static void draw_known_rows(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	for (int i = 0; i < s->n_live; i++) {
		struct leat_request *r = s->live[i];
		size_t n;
		if (!r->session || r->ended || r->why || r->event || atomic_load(&r->paused))
			continue;
		leat_request_ids(r, &n);
		if (n != (size_t)r->seq->n_past || !r->session->has_row)
			continue;
		if (!r->max_tokens) {
			leat_request_end(r, LEAT_FINISH_LENGTH, LEAT_OK, NULL);
			continue;
		}
		leat_request_draw(r, r->session->row);
		if (r->event)
			leat_request_tell(r);
	}
}

static void add_time(const struct leat_schedule *s, uint64_t ns)
{
	for (int i = 0; i < s->n_rows; i++) {
		struct leat_request *r = s->row[i];
		_Atomic uint64_t *sum = r->n_drawn ? &r->generate_ns : &r->prompt_ns;
		atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + ns, memory_order_relaxed);
	}
}

/* Nothing is to be drawn: the row is the session's. */
static void keep_row(struct leat_request *r, const float *row)
{
	struct leat_error err = LEAT_ERROR_INIT;
	enum leat_status st = leat_session_keep_row(r->session, row, &err);
	leat_request_end(r, st == LEAT_OK ? LEAT_FINISH_LENGTH : LEAT_FINISH_ERROR, st, &err);
}

/* How likely the model found the tokens of the prompt that follow the rows of this step. */
static void note_logprobs(const struct leat_engine *e, struct leat_request *r, const struct leat_feed *f, int row)
{
	size_t n, first = (size_t)(r->seq->n_past - f->n_tokens);
	const int32_t *id = leat_request_ids(r, &n);
	for (int i = 0; i < f->n_tokens; i++) {
		size_t next = first + (size_t)i + 1;
		const float *logits = leat_engine_row(e, row + i);
		if (next < r->n_first && next >= r->n_cached && id[next] >= 0)
			r->prompt_logprob[next - r->n_cached] =
				leat_logprob_row(logits, (size_t)e->step.n_vocab, (size_t)id[next]);
	}
}

static void look(void *arg, int i)
{
	struct leat_request *const *row = arg;
	if (row[i]->logits)
		leat_sampler_look(row[i]->sampler, row[i]->logits);
}

/* What draws do first, of all rows side by side: else the other threads would wait for this one. */
static void look_at_rows(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	int n = 0;
	for (int i = 0; i < s->n_rows; i++)
		n += s->row[i]->logits != NULL;
	if (n < 2 || !e->backend->run_tasks || !leat_opt_on(e->opts, LEAT_OPT_look))
		return;
	uint64_t began = leat_now_ns();
	e->backend->run_tasks(e->dev, look, s->row, s->n_rows);
	atomic_fetch_add_explicit(&s->draw_ns, leat_now_ns() - began, memory_order_relaxed);
}

static void find_rows(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	int out = 0;
	for (int i = 0; i < s->n_rows; i++) {
		struct leat_request *r = s->row[i];
		const struct leat_feed *f = &s->feed[i];
		size_t n_ids;
		int row = f->want == LEAT_WANT_LAST ? out++ : -1;
		if (f->want == LEAT_WANT_ALL) {
			note_logprobs(e, r, f, out);
			out += f->n_tokens;
			leat_request_ids(r, &n_ids);
			row = (size_t)r->seq->n_past == n_ids ? out - 1 : -1;
		}
		if (r->session)
			r->session->has_row = 0; /* of another token now */
		r->logits = row >= 0 && !r->ended && r->max_tokens ? leat_engine_row(e, row) : NULL;
		if (row >= 0 && !r->ended && !r->max_tokens)
			keep_row(r, leat_engine_row(e, row));
	}
}

static void use_rows(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	find_rows(e);
	look_at_rows(e);
	for (int i = 0; i < s->n_rows; i++) {
		struct leat_request *r = s->row[i];
		if (!r->logits)
			continue;
		leat_request_draw(r, r->logits);
		r->logits = NULL;
		if (r->event && (r->session || !s->overlap))
			leat_request_tell(r);
	}
}

/* A step failed as a whole. Nobody knows whose fault it is, so the one that is served last goes, and the others try
 * again; if it is everybody's, all go in turn. */
static void fail_last(struct leat_engine *e, enum leat_status st, const struct leat_error *err)
{
	struct leat_request *last = e->sched.row[0];
	for (int i = 1; i < e->sched.n_rows; i++) {
		struct leat_request *r = e->sched.row[i];
		if (r->key > last->key || (r->key == last->key && r->number > last->number))
			last = r;
	}
	leat_request_end(last, LEAT_FINISH_ERROR, st, err);
}

/* What the step left for the prefix cache; after it was committed, or failed. */
static void settle_checkpoints(struct leat_engine *e, int failed)
{
	struct leat_schedule *s = &e->sched;
	for (int i = s->n_decode; i < s->n_rows; i++) {
		const struct leat_feed *f = &s->feed[i];
		size_t n;
		if (failed && f->n_checkpoints)
			leat_prefix_abort(e->prefix, f->checkpoint, f->n_checkpoints);
		else if (f->n_checkpoints)
			leat_prefix_commit(e->prefix, &s->row[i]->prefix_key, leat_request_ids(s->row[i], &n),
					   f->seq->n_past - f->n_tokens, f->checkpoint, f->n_checkpoints);
	}
}

/* The prompt is whole: its pages are for others too, from now on. */
static void keep_prompts(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	for (int i = s->n_decode; i < s->n_rows && e->store->view.page_bytes; i++) {
		struct leat_request *r = s->row[i];
		if (!r->n_drawn && r->seq->n_past == (int64_t)r->n_first)
			leat_schedule_keep(e, r);
	}
}

static void tell_prefix(struct leat_engine *e)
{
	struct leat_prefix_counts c;
	if (!e->prefix)
		return;
	leat_prefix_get_counts(e->prefix, &c);
	atomic_store_explicit(&e->told_asked, c.tokens_asked, memory_order_relaxed);
	atomic_store_explicit(&e->told_found, c.tokens_saved, memory_order_relaxed);
	atomic_store_explicit(&e->told_prefix_bytes, c.bytes, memory_order_relaxed);
}

/* The device runs a step on its own: what the next one needs is made meanwhile. */
static void prepare_beside(struct leat_engine *e)
{
	if (e->backend->steps_in_flight < 2)
		return;
	leat_ahead_prepare(e);
	e->plan->held++;
	leat_ahead_build(e);
	e->plan->held--;
}

/* Nothing can run. 1: something was done for what comes, and there may be more. */
static int use_idle_time(struct leat_engine *e)
{
	if (e->ahead.predict.last[0]) {
		leat_ahead_note(e, NULL);
		leat_ahead_prepare(e);
	}
	return leat_ahead_build(e);
}

static void step(struct leat_engine *e, uint64_t began)
{
	struct leat_schedule *s = &e->sched;
	struct leat_error err = LEAT_ERROR_INIT;
	uint64_t prepared = leat_now_ns();
	enum leat_status st = leat_engine_prepare(e, s->feed, s->n_rows, &err);
	if (st == LEAT_OK) {
		leat_engine_submit(e);
		prepare_beside(e);
		leat_request_tell_all(e); /* of the step before: there is nothing unless texts overlap */
		st = leat_engine_finish(e, s->feed, s->n_rows, &err);
	}
	settle_checkpoints(e, st != LEAT_OK);
	if (st != LEAT_OK) {
		fail_last(e, st, &err);
		return;
	}
	keep_prompts(e);
	uint64_t now = leat_now_ns(), ns = now - began;
	atomic_fetch_add_explicit(&s->compute_ns, now - prepared, memory_order_relaxed);
	double positions = 0;
	for (int i = s->n_decode; i < s->n_rows; i++) /* n_past counts the step's tokens by now */
		positions += s->feed[i].n_tokens * ((double)s->feed[i].seq->n_past - s->feed[i].n_tokens / 2.0);
	leat_pace_note(&s->pace, ns, s->n_decode, e->step.n_tokens - s->n_decode, positions);
	add_time(s, ns);
	leat_ahead_note(e, &e->plan->plan->key);
	use_rows(e);
	leat_timeline_step(e, began);
}

static void tell_listeners(struct leat_engine *e)
{
	const uint64_t one = 1;
	int fd = atomic_load(&e->driver.fd);
	if (fd >= 0) {
		ssize_t n = write(fd, &one, sizeof one);
		(void)n; /* a full counter is readable too */
	}
}

/* Tests: sequences come and go at moments that memory would not choose. Whoever has not got further than when it was
 * last put aside stays: rows per token are computed again, and with small steps that may take longer than until its
 * turn comes again, for ever. (When memory is short the last in order goes, so the first always gets on.) */
static void put_someone_aside(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	if (!s->preempt_every || !s->n_live || ++s->turns % (uint64_t)s->preempt_every)
		return;
	struct leat_request *r = s->live[s->turns / (uint64_t)s->preempt_every % (uint64_t)s->n_live];
	if (r->seq->n_past > r->aside_past)
		leat_schedule_put_aside(e, r);
}

int leat_engine_turn(struct leat_engine *e)
{
	uint64_t began = leat_now_ns();
	e->driver.told = 0;
	if (atomic_load(&e->driver.bell) != atomic_load_explicit(&e->driver.seen, memory_order_relaxed))
		leat_schedule_attend(e);
	if (began >= e->sched.next_deadline)
		leat_schedule_expire(e, began);
	leat_schedule_sweep(e);
	int moved = leat_schedule_admit(e);
	draw_known_rows(e);
	int rows = leat_schedule_choose(e);
	if (!rows && leat_schedule_admit(e)) { /* those who turned out not to be read made room */
		moved = 1;
		rows = leat_schedule_choose(e);
	}
	if (moved || rows)
		e->sched.stuck_since = 0;
	if (rows) {
		step(e, began);
		moved = 1;
	} else {
		leat_request_tell_all(e);
		if (!moved && !e->driver.told)
			moved = leat_schedule_refuse_stuck(e, began);
		if (!moved && !e->driver.told)
			moved = use_idle_time(e);
	}
	leat_schedule_sweep(e);
	put_someone_aside(e);
	tell_prefix(e);
	if (e->driver.told)
		tell_listeners(e);
	if (rows && e->backend->steps_in_flight < 2)
		leat_ahead_prepare(e);
	leat_upkeep_turn(e, began);
	return moved || e->driver.told;
}
