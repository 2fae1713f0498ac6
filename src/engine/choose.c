/* choose.c - what the next step takes of whom. */
#include "engine/request.h"

#include <string.h>

static size_t pending(const struct leat_request *r)
{
	size_t n;
	leat_request_ids(r, &n);
	return n - (size_t)r->seq->n_past;
}

/* May it take part? One without room for its events says so to its reader, and is looked at once more after that. */
static int is_ready(struct leat_request *r)
{
	if (r->ended || r->why || atomic_load_explicit(&r->paused, memory_order_relaxed) || !pending(r))
		return 0;
	if (leat_stream_has_room(&r->out))
		return 1;
	atomic_store(&r->out.starved, 1);
	if (!leat_stream_has_room(&r->out))
		return 0;
	atomic_store(&r->out.starved, 0);
	return 1;
}

/* Every row of its prompt is looked at. */
static int wants_all(const struct leat_request *r)
{
	return r->prompt_logprob && !r->n_drawn;
}

static void add(struct leat_schedule *s, struct leat_request *r, size_t n)
{
	size_t n_ids;
	const int32_t *ids = leat_request_ids(r, &n_ids);
	size_t past = (size_t)r->seq->n_past;
	s->row[s->n_rows] = r;
	s->feed[s->n_rows++] = (struct leat_feed){
		.seq = r->seq,
		.tokens = ids + past,
		.n_tokens = (int)n,
		.want = wants_all(r) ? LEAT_WANT_ALL : past + n == n_ids ? LEAT_WANT_LAST : LEAT_WANT_NONE,
		.raw = r->rows,
		.n_raw = (int64_t)r->n_rows,
		.hooks = r->hooks,
	};
}

/* One row of everybody who has one token to go, in turns if the step cannot hold all. */
static void choose_answers(struct leat_engine *e, int most)
{
	struct leat_schedule *s = &e->sched;
	int first = s->next_decode < s->n_live ? s->next_decode : 0;
	s->next_decode = 0;
	for (int i = 0; i < s->n_live; i++) {
		int at = (first + i) % s->n_live;
		struct leat_request *r = s->live[at];
		if (!is_ready(r) || pending(r) != 1)
			continue;
		if (s->n_rows == most) {
			s->next_decode = at;
			break;
		}
		add(s, r, 1);
	}
	s->n_decode = s->n_rows;
}

/* Prompts by what is left of them, the shortest first; those that stand equal stay in order of admission. */
static int order_prompts(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	int n = 0;
	for (int i = 0; i < s->n_live; i++) {
		struct leat_request *r = s->live[i];
		if (!is_ready(r) || pending(r) == 1)
			continue;
		int at = n++;
		for (; at > 0 && pending(s->order[at - 1]) > pending(r); at--)
			s->order[at] = s->order[at - 1];
		s->order[at] = r;
	}
	return n;
}

/* An equal share for each; what the short ones leave is shared by those after them. */
static void choose_prompts(struct leat_engine *e, int tokens, int outputs)
{
	struct leat_schedule *s = &e->sched;
	int n = order_prompts(e);
	double position = 0;
	for (int i = 0; i < n; i++)
		position += (double)s->order[i]->seq->n_past / n;
	if (leat_pace_has_to_look(&s->pace, s->n_decode))
		return;
	if (s->n_decode)
		tokens = leat_pace_tokens(&s->pace, tokens, position);
	for (int i = 0; i < n && tokens > 0; i++) {
		size_t share = (size_t)((tokens + n - i - 1) / (n - i)), left = pending(s->order[i]);
		size_t take = left < share ? left : share;
		int all = wants_all(s->order[i]);
		if (all && take > (size_t)outputs)
			take = (size_t)outputs;
		else if (take == left && !outputs)
			take--; /* its row has to wait */
		if (!take)
			continue;
		outputs -= all ? (int)take : take == left;
		add(s, s->order[i], take);
		tokens -= (int)take;
	}
}

/* The one that is served last, among those that can be put aside. */
static struct leat_request *last_in_order(const struct leat_schedule *s)
{
	struct leat_request *last = NULL;
	for (int i = 0; i < s->n_live; i++) {
		struct leat_request *r = s->live[i];
		if (!r->session && !r->ended && !r->event &&
		    (!last || r->key > last->key || (r->key == last->key && r->number > last->number)))
			last = r;
	}
	return last;
}

/* Memory for the rows of the step. 1: somebody had to go, so choose again. */
static int make_room(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	for (int i = 0; i < s->n_rows; i++) {
		struct leat_request *r = s->row[i];
		if (!leat_slot_prepare(e->store, r->seq->slot, r->seq->n_past,
				       r->seq->n_past + s->feed[i].n_tokens))
			continue;
		if (leat_request_tell_all(e)) { /* those may be over, and nobody else can be put aside before that */
			leat_schedule_sweep(e);
			return 1;
		}
		struct leat_request *last = last_in_order(s);
		if (last && (s->n_live > 1 || last != r) && !leat_schedule_put_aside(e, last))
			return 1;
		struct leat_error err = LEAT_ERROR_INIT;
		enum leat_status st = leat_fail(&err, LEAT_E_CONTEXT, "cache", LEAT_NO_OFFSET,
						"the cache is full: no page for token %lld",
						(long long)r->seq->n_past + s->feed[i].n_tokens);
		leat_err_code(&err, "cache_full");
		leat_request_end(r, LEAT_FINISH_ERROR, st, &err);
		return 1;
	}
	return 0;
}

/* Recurrent states inside the pieces of prompts: at borders of messages, and before the last token, so that the same
 * prompt again computes one token. */
static void choose_checkpoints(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	s->n_checkpoints = 0;
	if (!e->prefix || e->store->view.page_bytes)
		return;
	for (int i = s->n_decode; i < s->n_rows; i++) {
		struct leat_request *r = s->row[i];
		int64_t asked[LEAT_MAX_BORDERS + 1] = { (int64_t)r->n_first - 1 };
		size_t n;
		if (r->n_drawn || (r->flags & LEAT_REQUEST_NO_CACHE))
			continue;
		const int32_t *ids = leat_request_ids(r, &n);
		memcpy(asked + 1, r->border, (size_t)r->n_borders * sizeof *asked);
		struct leat_checkpoint *c = s->checkpoint + s->n_checkpoints;
		s->feed[i].checkpoint = c;
		s->feed[i].n_checkpoints =
			leat_prefix_plan(e->prefix, &r->prefix_key, ids, r->seq->n_past, s->feed[i].n_tokens, asked,
					 r->n_borders + 1, c, e->step.cap_checkpoints - s->n_checkpoints);
		s->n_checkpoints += s->feed[i].n_checkpoints;
	}
}

int leat_schedule_choose(struct leat_engine *e)
{
	struct leat_schedule *s = &e->sched;
	int outputs = e->step.cap_outputs;
	do {
		s->n_rows = s->n_decode = 0;
		choose_answers(e, outputs < e->n_batch ? outputs : e->n_batch);
		choose_prompts(e, e->n_batch - s->n_rows, outputs - s->n_rows);
	} while (make_room(e));
	choose_checkpoints(e);
	return s->n_rows;
}
