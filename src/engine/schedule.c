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
	s->checkpoint = calloc((size_t)e->step.cap_checkpoints, sizeof *s->checkpoint);
	return leat_queue_init(&s->offered, (uint32_t)s->max_open) || !s->live || !s->row || !s->order || !s->feed ||
	       !s->checkpoint;
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
	free(s->checkpoint);
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
	leat_timeline_request(r, LEAT_TRACE_BEGIN);
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
	int queued = r->place == LEAT_PLACE_WAITING && r->queue_deadline_ns && !r->n_drawn && r->spilled < 0;
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

/* A recurrent state is kept; rows per token are computed again from the tokens, unless the prefix cache still has
 * them. */
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
		if (leat_cell_spill(e->store, r->seq->cell[r->seq->now], &r->spilled, NULL) != LEAT_OK)
			return 1;
		r->spilled_past = r->seq->n_past;
	} else {
		leat_schedule_keep(e, r);
	}
	while (s->live[i] != r)
		i++;
	r->aside_past = r->seq->n_past;
	give_sequence(e, r);
	forget_live(e, i);
	wait_in_line(e, r);
	atomic_fetch_add_explicit(&r->n_preempted, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->n_preempted, 1, memory_order_relaxed);
	return 0;
}

static int uses_prefixes(const struct leat_engine *e, const struct leat_request *r)
{
	return e->prefix && !(r->flags & LEAT_REQUEST_NO_CACHE);
}

void leat_schedule_keep(struct leat_engine *e, struct leat_request *r)
{
	size_t n;
	if (uses_prefixes(e, r) && r->seq && r->seq->n_past)
		leat_prefix_put(e->prefix, &r->prefix_key, leat_request_ids(r, &n), r->seq->n_past, r->seq->slot,
				r->seq->cell[r->seq->now]);
}

/* What is kept of its tokens, if that is more than `held`, into the slot of q, which holds no rows, and the cell that q
 * does not use now: returns how many, 0: none. The last one is computed in any case, for its logits. */
static int64_t find_beginning(struct leat_engine *e, struct leat_request *r, struct leat_seq *q, int64_t held)
{
	size_t n;
	const int32_t *ids = leat_request_ids(r, &n);
	int64_t most = (int64_t)n - 1;
	if (!uses_prefixes(e, r) || most <= held ||
	    (held && leat_prefix_peek(e->prefix, &r->prefix_key, ids, most) <= held))
		return 0;
	int64_t got = leat_prefix_load(e->prefix, &r->prefix_key, ids, most, q->slot, q->cell[!q->now]);
	leat_trace_mark(e->trace, got > 0 ? "prefix hit" : "prefix miss", "tokens", got);
	if (got <= held)
		return 0;
	q->now = !q->now;
	q->n_past = got;
	q->primed = 0;
	if (!r->n_drawn && !atomic_load_explicit(&r->n_preempted, memory_order_relaxed))
		atomic_store_explicit(&r->n_reused, (uint64_t)got - r->n_cached, memory_order_relaxed);
	return got;
}

/* The first prompt of a session may have been somebody's. Behind a window only the last rows are kept, so that one that
 * may be asked to go back to its begin computes its own. */
static void find_for_session(struct leat_engine *e, struct leat_request *r)
{
	struct leat_seq *q = &r->session->seq;
	if (!q->n_past && !(leat_engine_window(e) && q->keep_from != INT64_MAX) && find_beginning(e, r, q, 0))
		r->session->has_row = 0;
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

/* Can it still grow beyond the pages that it has? */
static int may_want_page(const struct leat_engine *e, const struct leat_request *r)
{
	size_t n;
	int64_t most = e->n_ctx;
	leat_request_ids(r, &n);
	if (r->max_tokens >= 0 && (int64_t)n + r->max_tokens - (int64_t)r->n_drawn < most)
		most = (int64_t)n + r->max_tokens - (int64_t)r->n_drawn;
	return (int64_t)e->store->slot_pages[r->seq->slot] * e->store->view.page_tokens < most;
}

/* Each live one may need a page soon; whoever comes in must not send another away at once. Those that have all they
 * can ever use do not count: a cache of n_seqs whole contexts holds n_seqs sequences. */
static int would_crowd_out(const struct leat_engine *e)
{
	struct leat_prefix_counts kept = { .n_entries = 0 };
	int n_free = e->store->view.page_bytes ? leat_pages_free(e->store) : 0, n = 0;
	if (!e->store->view.page_bytes || n_free >= e->sched.n_live)
		return 0;
	for (int i = 0; i < e->sched.n_live; i++)
		n += may_want_page(e, e->sched.live[i]);
	if (n_free >= n)
		return 0;
	if (e->prefix)
		leat_prefix_get_counts(e->prefix, &kept);
	return kept.n_entries < (uint64_t)n;
}

/* From what is kept of its tokens, else from its initial state or from nothing. 1: no memory for that now. */
static int begin_anew(struct leat_engine *e, struct leat_request *r)
{
	if (!find_beginning(e, r, &r->own, r->initial ? r->initial->n_fed : 0))
		return r->initial && leat_keep_begin(e, &r->own, r->initial);
	if (r->initial)
		leat_keep_began(&r->own, r->initial);
	return 0;
}

static int take_sequence(struct leat_engine *e, struct leat_request *r)
{
	int64_t need = (int64_t)r->n_ids + LEAT_STORE_PAGE_TOKENS;
	if (leat_seq_open(e, &r->own, NULL) != LEAT_OK &&
	    (put_idle_aside(e) || leat_seq_open(e, &r->own, NULL) != LEAT_OK))
		return 1;
	r->own.rope_long = r->rope_long;
	if (r->spilled >= 0) {
		leat_cell_restore(e->store, r->own.cell[r->own.now], r->spilled);
		r->own.n_past = r->spilled_past;
		if (r->initial)
			leat_keep_began(&r->own, r->initial);
		r->spilled = -1;
	} else if (begin_anew(e, r)) {
		leat_seq_close(e, &r->own);
		return 1;
	}
	if (leat_slot_reserve(e->store, r->own.slot, need < e->n_ctx ? need : e->n_ctx) || would_crowd_out(e)) {
		leat_seq_close(e, &r->own);
		return 1;
	}
	r->seq = &r->own;
	return 0;
}

static int can_run(struct leat_request *r)
{
	return !r->ended && !atomic_load_explicit(&r->paused, memory_order_relaxed) && leat_stream_has_room(&r->out);
}

static void make_live(struct leat_engine *e, struct leat_request *r)
{
	struct leat_schedule *s = &e->sched;
	struct leat_request **at = &s->waiting;
	while (*at != r)
		at = &(*at)->next;
	take_from_line(e, at);
	if (!r->n_drawn && !atomic_load_explicit(&r->n_preempted, memory_order_relaxed))
		atomic_store_explicit(&r->queued_ns, leat_now_ns() - r->submitted_ns, memory_order_relaxed);
	r->place = LEAT_PLACE_LIVE;
	s->live[s->n_live++] = r;
	atomic_fetch_add_explicit(&s->n_admitted, 1, memory_order_relaxed);
}

/* Nobody overtakes one that cannot be admitted: what becomes free is for that one. Requests of sessions take nothing
 * that others could have. */
int leat_schedule_admit(struct leat_engine *e)
{
	struct leat_request *r = e->sched.waiting, *next;
	int n = 0, blocked = 0;
	for (; r; r = next) {
		next = r->next; /* whoever is put aside goes in before, or is looked at the next time */
		if (!can_run(r) || (blocked && !r->session))
			continue;
		if (r->session) {
			find_for_session(e, r);
			r->seq = &r->session->seq;
		} else if (take_sequence(e, r)) {
			blocked = 1;
			continue;
		}
		make_live(e, r);
		n++;
	}
	return n > 0;
}

int leat_schedule_refuse_stuck(struct leat_engine *e, uint64_t now)
{
	static const uint64_t patience_ns = 2000000000;
	struct leat_schedule *s = &e->sched;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_request *r = s->waiting;
	while (r && !can_run(r))
		r = r->next;
	if (!r) {
		s->stuck_since = 0;
		return 0;
	}
	if (!s->stuck_since)
		s->stuck_since = now;
	if (now - s->stuck_since < patience_ns) {
		uint64_t at = s->stuck_since + patience_ns;
		s->next_deadline = at < s->next_deadline ? at : s->next_deadline;
		return 0;
	}
	for (; r; r = r->next)
		if (can_run(r)) {
			enum leat_status st = leat_fail(&err, LEAT_E_BUSY, "n_seqs", LEAT_NO_OFFSET,
							"sessions hold the sequences or the memory that this needs");
			leat_request_end(r, LEAT_FINISH_ERROR, st, &err);
		}
	return 1;
}

static void let_go(struct leat_engine *e, struct leat_request *r)
{
	if (r->why == LEAT_FINISH_EOS || r->why == LEAT_FINISH_LENGTH || r->why == LEAT_FINISH_STOP)
		leat_schedule_keep(e, r); /* a conversation goes on from here */
	give_sequence(e, r);
	if (r->spilled >= 0)
		leat_cell_restore(e->store, -1, r->spilled);
	r->spilled = -1;
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
