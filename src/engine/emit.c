/* emit.c - from a row of logits to an event: draw, decode, look for stop strings, publish.
 *
 * Drawing has to be over before the next step can be put together; the text has not. So a backend that runs steps on
 * its own gets the next step first, and the text of the last one is made while it runs. */
#include <string.h>

#include "base/clock.h"
#include "engine/request.h"

static int is_end(const struct leat_request *r, int32_t id)
{
	int end = leat_vocab_is_end(r->engine->model->vocab, id);
	for (int i = 0; i < r->n_stop_ids; i++)
		end |= id == r->stop_id[i];
	return end;
}

static enum leat_status append(struct leat_request *r, int32_t id, struct leat_error *err)
{
	if (r->session)
		return leat_session_append(r->session, &id, 1, err);
	LEAT_TRY(leat_grow_ids(&r->id, &r->cap_ids, r->n_ids + 1, err));
	r->id[r->n_ids++] = id;
	return LEAT_OK;
}

static enum leat_status draw(struct leat_request *r, const float *row, struct leat_token *t, struct leat_error *err)
{
	struct leat_drawn d;
	int n_top = 0;
	uint64_t began = leat_now_ns();
	/* the row is the slot's own; the event shows it as const */
	LEAT_TRY(leat_sampler_draw_top(r->sampler, row, (uint64_t)r->seq->n_past, r->n_top, &d,
				       (struct leat_token_prob *)(uintptr_t)t->top, &n_top, err));
	atomic_fetch_add_explicit(&r->engine->sched.draw_ns, leat_now_ns() - began, memory_order_relaxed);
	t->n_top = n_top;
	t->id = d.id;
	t->logit = d.logit;
	t->prob = d.prob;
	t->logprob = d.logprob;
	t->index = r->n_drawn;
	t->is_eos = is_end(r, d.id);
	if (t->is_eos && !(r->flags & LEAT_REQUEST_IGNORE_EOS)) {
		r->why = LEAT_FINISH_EOS;
	} else {
		LEAT_TRY(append(r, d.id, err));
		if ((r->max_tokens > 0 && r->n_drawn + 1 >= (uint64_t)r->max_tokens) ||
		    r->seq->n_past >= r->engine->n_ctx)
			r->why = LEAT_FINISH_LENGTH;
	}
	leat_sampler_accept(r->sampler, d.id);
	return LEAT_OK;
}

void leat_request_draw(struct leat_request *r, const float *row)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_event *ev = leat_stream_begin(&r->out);
	uint64_t began = leat_trace_now(r->engine->trace);
	enum leat_status st = draw(r, row, &ev->token, &err);
	leat_trace_span(r->engine->trace, "sample", began);
	if (st == LEAT_OK) {
		if (!r->n_drawn++)
			atomic_store_explicit(&r->first_token_ns, leat_now_ns() - r->submitted_ns,
					      memory_order_relaxed);
		r->event = ev;
	} else {
		leat_request_end(r, LEAT_FINISH_ERROR, st, &err);
	}
}

/* What was held back is text after all. */
static void flush(struct leat_request *r, struct leat_event *ev)
{
	char *text = (char *)(uintptr_t)ev->token.text;
	size_t n = leat_detok_flush(&r->detok, r->raw, r->out.most_bytes), out = 0;
	uint64_t at = ev->token.text_bytes;
	if (!r->stops) {
		memcpy(text + at, r->raw, n);
		at += n;
	} else if (leat_stops_feed(r->stops, r->raw, n, text + at, &out) < 0) {
		at += out;
		at += leat_stops_flush(r->stops, text + at);
	} else {
		at += out;
	}
	ev->token.text_bytes = at;
}

/* The text that a token brings. *ret_stop: a stop string ended it. */
static enum leat_status decode(struct leat_request *r, struct leat_event *ev, int *ret_stop, struct leat_error *err)
{
	char *text = (char *)(uintptr_t)ev->token.text;
	size_t n = leat_detok_next(&r->detok, ev->token.id, r->raw, r->out.most_bytes), out = n;
	int stop = -1;
	if (r->stops)
		stop = leat_stops_feed(r->stops, r->raw, n, text, &out);
	else
		memcpy(text, r->raw, n);
	ev->token.text_bytes = out;
	*ret_stop = stop >= 0;
	if (!r->session || !r->stops)
		return LEAT_OK;
	int whole = r->detok.n_held == 0, held = stop >= 0 || !whole || leat_stops_held(r->stops);
	r->shown_since_hold = out + (r->session->holding ? r->shown_since_hold : 0);
	LEAT_TRY(leat_session_drew(r->session, r->raw, n, whole, held, err));
	return stop >= 0 ? leat_session_cut(r->session, r->shown_since_hold, err) : LEAT_OK;
}

static void publish(struct leat_request *r, struct leat_event *ev)
{
	r->event = NULL;
	r->engine->driver.told = 1;
	leat_stream_publish(&r->out, ev);
}

/* The last event goes out; the sequence is given back at the end of the turn. */
static void close_with(struct leat_request *r, struct leat_event *ev, int why)
{
	if (why != LEAT_FINISH_STOP && why != LEAT_FINISH_ERROR)
		flush(r, ev);
	ev->token.finish = why;
	leat_timeline_request(r, LEAT_TRACE_END);
	r->why = why;
	r->ended = 1;
	atomic_store_explicit(&r->finish, why, memory_order_relaxed);
	publish(r, ev);
}

void leat_request_tell(struct leat_request *r)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_event *ev = r->event;
	int stop = 0;
	enum leat_status st = LEAT_OK;
	uint64_t began = leat_trace_now(r->engine->trace);
	if (r->why != LEAT_FINISH_EOS)
		st = decode(r, ev, &stop, &err);
	leat_trace_span(r->engine->trace, "text", began);
	atomic_store_explicit(&r->n_generated, r->n_drawn, memory_order_relaxed);
	if (st != LEAT_OK) {
		leat_request_end(r, LEAT_FINISH_ERROR, st, &err);
	} else if (stop || r->why) {
		close_with(r, ev, stop ? LEAT_FINISH_STOP : r->why);
	} else {
		publish(r, ev);
	}
}

int leat_request_tell_all(struct leat_engine *e)
{
	int n = 0;
	for (int i = 0; i < e->sched.n_live; i++)
		if (e->sched.live[i]->event) {
			leat_request_tell(e->sched.live[i]);
			n++;
		}
	return n;
}

void leat_request_end(struct leat_request *r, int why, enum leat_status st, const struct leat_error *err)
{
	if (r->ended)
		return;
	if (r->event && st == LEAT_OK)
		leat_request_tell(r); /* drawn before this happened: it is part of the answer */
	if (r->ended)
		return;
	struct leat_event *ev = leat_stream_begin(&r->out);
	ev->status = st;
	if (st != LEAT_OK)
		r->error = *err;
	close_with(r, ev, why);
}
