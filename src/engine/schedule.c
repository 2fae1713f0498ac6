/* schedule.c - the lists of requests: coming in, waiting, live, put aside, gone. */
#include "engine/schedule.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/request.h"

int leat_schedule_init(struct leat_engine *e, int max_queue, uint64_t stall_ns)
{
	struct leat_schedule *s = &e->sched;
	size_t n = (size_t)e->n_seqs;
	s->max_open = e->n_seqs + max_queue;
	s->next_deadline = UINT64_MAX;
	s->pace.stall_ns = stall_ns;
	s->live = calloc(n, sizeof *s->live);
	s->row = calloc(n, sizeof *s->row);
	s->order = calloc(n, sizeof *s->order);
	s->feed = calloc(n, sizeof *s->feed);
	return leat_queue_init(&s->offered, (uint32_t)s->max_open) || !s->live || !s->row || !s->order || !s->feed;
}

static void take_offered(struct leat_engine *e);

void leat_schedule_deinit(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	if (s->offered.cell) {
		take_offered(e);
		for (struct leat_request *r = s->waiting; r; r = r->next)
			leat_request_end(r, LEAT_FINISH_CANCELLED, LEAT_OK, NULL);
		for (int i = 0; i < s->n_live; i++)
			leat_request_end(s->live[i], LEAT_FINISH_CANCELLED, LEAT_OK, NULL);
		leat_schedule_sweep(e);
	}
	leat_queue_deinit(&s->offered);
	free(s->live);
	free(s->row);
	free(s->order);
	free(s->feed);
}

enum leat_status leat_schedule_offer(struct leat_engine *e, struct leat_request *r, struct leat_error *err)
{
	struct leat_schedule *s = &e->sched;
	if (!r->session && atomic_load(&s->n_session_seqs) >= e->n_seqs)
		return leat_fail(err, LEAT_E_BUSY, "n_seqs", LEAT_NO_OFFSET,
				 "sessions hold all %d sequences of this engine", e->n_seqs);
	if (atomic_fetch_add(&s->n_open, 1) >= s->max_open) {
		atomic_fetch_sub(&s->n_open, 1);
		atomic_fetch_add_explicit(&s->n_refused, 1, memory_order_relaxed);
		return leat_fail(err, LEAT_E_BUSY, "max_queue", LEAT_NO_OFFSET,
				 "%d sequences are in use and %d requests wait, as many as may", e->n_seqs,
				 s->max_open - e->n_seqs);
	}
	r->number = atomic_fetch_add(&s->n_arrived, 1);
	atomic_fetch_add(&r->refs, 1);
	leat_queue_put(&s->offered, r); /* n_open sees to it that there is room */
	return LEAT_OK;
}

/* ---- waiting ---- */

static int is_before(const struct leat_request *a, const struct leat_request *b)
{
	return a->key != b->key ? a->key < b->key : a->number < b->number;
}

static void wait_in_line(struct leat_engine *e, struct leat_request *r)
{
	struct leat_request **at = &e->sched.waiting;
	r->place = LEAT_PLACE_WAITING;
	while (*at && !is_before(r, *at))
		at = &(*at)->next;
	r->next = *at;
	*at = r;
	e->sched.n_waiting++;
}

static void take_from_line(struct leat_engine *e, struct leat_request **at)
{
	*at = (*at)->next;
	e->sched.n_waiting--;
}

static uint64_t first_deadline(const struct leat_request *r)
{
	uint64_t at = r->deadline_ns ? r->deadline_ns : UINT64_MAX;
	int queued = r->place == LEAT_PLACE_WAITING && r->queue_deadline_ns && !r->n_drawn && !r->spilled;
	return queued && r->queue_deadline_ns < at ? r->queue_deadline_ns : at;
}

static void mind_deadline(struct leat_engine *e, const struct leat_request *r)
{
	uint64_t at = first_deadline(r);
	if (at < e->sched.next_deadline)
		e->sched.next_deadline = at;
}

static void take_offered(struct leat_engine *e)
{
	struct leat_request *r;
	while ((r = leat_queue_take(&e->sched.offered))) {
		r->key = leat_request_key(r);
		wait_in_line(e, r);
		mind_deadline(e, r);
	}
}

static void end_if_unwanted(struct leat_request *r)
{
	if (!r->ended && (atomic_load_explicit(&r->cancelled, memory_order_relaxed) ||
			  atomic_load_explicit(&r->abandoned, memory_order_relaxed)))
		leat_request_end(r, LEAT_FINISH_CANCELLED, LEAT_OK, NULL);
}

/* The line again, by keys that may have changed. */
static void sort_line(struct leat_engine *e)
{
	struct leat_request *r = e->sched.waiting, *next;
	int changed = 0;
	for (struct leat_request *q = r; q; q = q->next) {
		int64_t key = leat_request_key(q);
		changed |= key != q->key;
		q->key = key;
	}
	if (!changed)
		return;
	e->sched.waiting = NULL;
	e->sched.n_waiting = 0;
	for (; r; r = next) {
		next = r->next;
		wait_in_line(e, r);
	}
}

void leat_schedule_attend(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	atomic_store(&e->driver.seen, atomic_load(&e->driver.bell));
	take_offered(e);
	for (struct leat_request *r = s->waiting; r; r = r->next)
		end_if_unwanted(r);
	for (int i = 0; i < s->n_live; i++) {
		end_if_unwanted(s->live[i]);
		s->live[i]->key = leat_request_key(s->live[i]);
	}
	sort_line(e);
}

static void expire(struct leat_engine *e, struct leat_request *r, uint64_t now)
{
	if (r->ended)
		return;
	if (first_deadline(r) <= now)
		leat_request_end(r, LEAT_FINISH_TIMEOUT, LEAT_OK, NULL);
	else
		mind_deadline(e, r);
}

void leat_schedule_expire(struct leat_engine *e, uint64_t now)
{
	struct leat_schedule *s = &e->sched;
	s->next_deadline = UINT64_MAX;
	for (struct leat_request *r = s->waiting; r; r = r->next)
		expire(e, r, now);
	for (int i = 0; i < s->n_live; i++)
		expire(e, s->live[i], now);
}

struct leat_request *leat_schedule_sleeper(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	for (int i = 0; i < s->n_live; i++)
		if (atomic_load(&s->live[i]->out.waiting))
			return s->live[i];
	for (struct leat_request *r = s->waiting; r; r = r->next)
		if (atomic_load(&r->out.waiting))
			return r;
	return NULL;
}

/* ---- sequences ---- */

static void give_sequence(struct leat_engine *e, struct leat_request *r)
{
	if (r->session)
		leat_session_rest(r->session);
	else if (r->seq)
		leat_seq_close(e, &r->own);
	r->seq = NULL;
}

static void forget_live(struct leat_engine *e, int i)
{
	struct leat_schedule *s = &e->sched;
	s->n_live--;
	memmove(s->live + i, s->live + i + 1, (size_t)(s->n_live - i) * sizeof *s->live);
	if (s->next_decode > i)
		s->next_decode--;
}

static float *cell_of(const struct leat_engine *e, const struct leat_seq *s)
{
	return e->store->view.cells + (size_t)s->cell[s->now] * e->store->view.cell_floats;
}

/* A recurrent state is kept; rows per token are computed again from the tokens. */
static int is_spillable(const struct leat_engine *e)
{
	return e->store->n_cells && !e->store->view.page_bytes;
}

int leat_schedule_put_aside(struct leat_engine *e, struct leat_request *r)
{
	struct leat_schedule *s = &e->sched;
	int i = 0;
	if (r->session || r->ended || r->why || r->event)
		return 1;
	if (is_spillable(e) && r->seq->n_past) {
		r->spilled = malloc(e->store->cell_bytes);
		if (!r->spilled)
			return 1;
		e->backend->copy(e->dev, r->spilled, cell_of(e, r->seq), e->store->cell_bytes);
		r->spilled_past = r->seq->n_past;
	}
	while (s->live[i] != r)
		i++;
	give_sequence(e, r);
	forget_live(e, i);
	wait_in_line(e, r);
	atomic_fetch_add_explicit(&r->n_preempted, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->n_preempted, 1, memory_order_relaxed);
	return 0;
}

/* Live ones that cannot run, because they are paused or nobody reads them, make room for those who can. */
static int put_idle_aside(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	for (int i = s->n_live - 1; i >= 0; i--) {
		struct leat_request *r = s->live[i];
		int idle = atomic_load_explicit(&r->paused, memory_order_relaxed) ||
			   atomic_load_explicit(&r->out.starved, memory_order_relaxed);
		if (idle && !leat_schedule_put_aside(e, r))
			return 0;
	}
	return 1;
}

static int take_sequence(struct leat_engine *e, struct leat_request *r)
{
	int64_t need = (int64_t)r->n_ids + LEAT_STORE_PAGE_TOKENS;
	if (leat_seq_open(e, &r->own, NULL) != LEAT_OK &&
	    (put_idle_aside(e) || leat_seq_open(e, &r->own, NULL) != LEAT_OK))
		return 1;
	if (leat_slot_reserve(e->store, r->own.slot, need < e->n_ctx ? need : e->n_ctx)) {
		leat_seq_close(e, &r->own);
		return 1;
	}
	r->own.rope_long = r->rope_long;
	if (r->initial && !r->spilled && leat_keep_begin(e, &r->own, r->initial)) {
		leat_seq_close(e, &r->own);
		return 1;
	}
	if (r->spilled) {
		e->backend->copy(e->dev, cell_of(e, &r->own), r->spilled, e->store->cell_bytes);
		r->own.n_past = r->spilled_past;
		free(r->spilled);
		r->spilled = NULL;
	}
	r->seq = &r->own;
	return 0;
}

static int can_run(struct leat_request *r)
{
	return !r->ended && !atomic_load_explicit(&r->paused, memory_order_relaxed) && leat_stream_has_room(&r->out);
}

int leat_schedule_admit(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	struct leat_request **at = &s->waiting;
	int n = 0;
	while (*at) {
		struct leat_request *r = *at;
		if (!can_run(r)) {
			at = &r->next;
			continue;
		}
		if (!r->session) {
			if (take_sequence(e, r))
				break; /* no other one overtakes: what becomes free is for this one */
			at = &s->waiting; /* the line may be another one now */
			while (*at != r)
				at = &(*at)->next;
		} else {
			r->seq = &r->session->seq;
		}
		take_from_line(e, at);
		if (!r->n_drawn && !atomic_load_explicit(&r->n_preempted, memory_order_relaxed))
			atomic_store_explicit(&r->queued_ns, leat_now_ns() - r->submitted_ns, memory_order_relaxed);
		r->place = LEAT_PLACE_LIVE;
		s->live[s->n_live++] = r;
		atomic_fetch_add_explicit(&s->n_admitted, 1, memory_order_relaxed);
		n++;
	}
	return n > 0;
}

int leat_schedule_refuse_stuck(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	struct leat_error err = LEAT_ERROR_INIT;
	int n = 0;
	if (s->n_live)
		return 0;
	for (struct leat_request *r = s->waiting; r; r = r->next)
		if (can_run(r)) {
			enum leat_status st = leat_fail(&err, LEAT_E_BUSY, "n_seqs", LEAT_NO_OFFSET,
							"sessions hold the sequences or the memory that this needs");
			leat_request_end(r, LEAT_FINISH_ERROR, st, &err);
			n++;
		}
	return n > 0;
}

static void let_go(struct leat_engine *e, struct leat_request *r)
{
	give_sequence(e, r);
	free(r->spilled);
	r->spilled = NULL;
	r->place = LEAT_PLACE_OVER;
	atomic_fetch_sub(&e->sched.n_open, 1);
	leat_request_drop(r);
}

void leat_schedule_sweep(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	for (int i = s->n_live - 1; i >= 0; i--) {
		struct leat_request *r = s->live[i];
		if (r->ended) {
			forget_live(e, i);
			let_go(e, r);
		}
	}
	for (struct leat_request **at = &s->waiting; *at;) {
		struct leat_request *r = *at;
		if (r->ended) {
			take_from_line(e, at);
			let_go(e, r);
		} else {
			at = &r->next;
		}
	}
}
