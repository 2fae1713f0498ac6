/* step.c - one step: fill the block, find the plan, run, commit. */
#include "engine/engine.h"
#include "engine/hooks.h"
#include "plan/opts.h"

/* Which points the step calls out at. A hooked plan is one of its own: that of steps without hooks stays as it is. */
static uint64_t hooks_of(const struct leat_feed *feeds, int n_feeds)
{
	uint64_t mask = 0;
	for (int i = 0; i < n_feeds; i++)
		mask |= feeds[i].hooks ? feeds[i].hooks->mask : 0;
	return mask;
}

static enum leat_status find_plan(struct leat_engine *e, uint64_t hooks, unsigned variant, struct leat_plan_entry **ret,
				  struct leat_error *err)
{
	const struct leat_step *s = &e->step;
	struct leat_plan_key key;
	leat_plan_key_of(e, s->n_tokens, s->n_seqs, s->n_outputs, &key);
	key.hooks = hooks;
	key.variant = variant;
	if (leat_opt_on(e->opts, LEAT_OPT_plan_cache)) {
		*ret = leat_ahead_take(e, &key);
		if (!*ret)
			*ret = leat_plan_cache_find(&e->plans, &key);
		leat_trace_mark(e->trace, *ret ? "plan hit" : "plan miss", "tokens", key.tokens);
		if (*ret)
			return LEAT_OK;
		leat_ahead_missed(e, &key);
	} else { /* to measure what it would cost: a plan for each step */
		e->plans.lookups++;
		leat_plan_cache_shrink(&e->plans, 0);
	}
	return leat_plan_make(e, &key, LEAT_PLAN_IN_STEP, ret, err);
}

static void add_rows(struct leat_step *s, const struct leat_feed *f, int seq)
{
	int first = s->n_tokens;
	for (int i = 0; i < f->n_tokens; i++) {
		s->id[first + i] = f->tokens[i];
		s->pos[first + i] = (int32_t)(f->seq->n_past + i);
		s->seq_of[first + i] = seq;
		if ((f->want == LEAT_WANT_ALL && i >= f->n_skip) || (f->want == LEAT_WANT_LAST && i == f->n_tokens - 1))
			s->out_row[s->n_outputs++] = first + i;
	}
	for (int i = 0; i < f->n_checkpoints; i++)
		s->checkpoint[s->n_checkpoints++] =
			(struct leat_checkpoint){ first + f->checkpoint[i].row, f->checkpoint[i].cell };
	s->n_tokens += f->n_tokens;
}

static enum leat_status admit(struct leat_engine *e, const struct leat_feed *f, int n_rows, struct leat_error *err)
{
	int64_t end = f->seq->n_past + f->n_tokens;
	int n_all = f->n_tokens > f->n_skip ? f->n_tokens - f->n_skip : 0;
	int n_out = f->want == LEAT_WANT_ALL ? n_all : f->want == LEAT_WANT_LAST;
	if (f->n_tokens < 1 || f->n_tokens > e->n_batch - n_rows || n_out > e->step.cap_outputs - e->step.n_outputs ||
	    f->n_checkpoints > e->step.cap_checkpoints - e->step.n_checkpoints)
		return leat_fail(err, LEAT_E_ARG, "tokens", LEAT_NO_OFFSET, "%d tokens do not fit a step of %d",
				 f->n_tokens, e->n_batch);
	for (int i = 0; i < f->n_checkpoints; i++)
		if (f->checkpoint[i].row < 0 || f->checkpoint[i].row >= f->n_tokens || f->checkpoint[i].cell < 0 ||
		    f->checkpoint[i].cell >= e->store->n_cells)
			return leat_fail(err, LEAT_E_ARG, "checkpoint", LEAT_NO_OFFSET,
					 "checkpoint %d: row %d, cell %d", i, f->checkpoint[i].row,
					 f->checkpoint[i].cell);
	for (int i = 0; i < f->n_tokens; i++)
		if (f->tokens[i] < -f->n_raw || f->tokens[i] >= e->model->w.table->rows)
			return leat_fail(err, LEAT_E_ARG, "tokens", LEAT_NO_OFFSET, "token id %d, wanted 0 to %d",
					 f->tokens[i], e->model->w.table->rows - 1);
	if (end > e->n_ctx || leat_slot_prepare(e->store, f->seq->slot, f->seq->n_past, end))
		return leat_fail(err, LEAT_E_CONTEXT, "n_ctx", LEAT_NO_OFFSET,
				 "%lld tokens do not fit the context of %lld", (long long)end, (long long)e->n_ctx);
	int short_ctx = e->model->w.cfg.rope_short_ctx;
	if (short_ctx && !f->seq->rope_long && end > short_ctx)
		return leat_fail(err, LEAT_E_CONTEXT, "max_tokens", LEAT_NO_OFFSET,
				 "%lld tokens do not fit a sequence that was admitted as a short one of %d",
				 (long long)end, short_ctx);
	return LEAT_OK;
}

static enum leat_status fill(struct leat_engine *e, const struct leat_feed *feeds, int n_feeds, struct leat_error *err)
{
	struct leat_step *s = &e->step;
	s->n_tokens = s->n_seqs = s->n_outputs = s->n_checkpoints = 0;
	e->n_prepared++;
	for (int i = 0; i < n_feeds; i++) {
		struct leat_seq *q = feeds[i].seq;
		if (q->in_step == e->n_prepared)
			return leat_fail(err, LEAT_E_ARG, "seq", LEAT_NO_OFFSET,
					 "a sequence stands twice in one step");
		q->in_step = e->n_prepared;
		LEAT_TRY(admit(e, &feeds[i], s->n_tokens, err));
		s->seq[i] = (struct leat_step_seq){
			.first = s->n_tokens, .n = feeds[i].n_tokens, .slot = q->slot,
			.state_in = q->n_past || q->primed ? q->cell[q->now] : -1, .state_out = q->cell[!q->now],
			.adapter = -1, .rope_long = q->rope_long, .raw = feeds[i].raw,
		};
		if (feeds[i].hooks)
			leat_seq_shape(q);
		s->n_seqs++;
		add_rows(s, &feeds[i], i);
	}
	return LEAT_OK;
}

enum leat_status leat_engine_prepare(struct leat_engine *e, const struct leat_feed *feeds, int n_feeds,
				     struct leat_error *err)
{
	struct leat_plan_entry *plan;
	uint64_t began = leat_trace_now(e->trace);
	e->exec = e->running = NULL;
	e->feeds = feeds;
	if (n_feeds < 1 || n_feeds > e->n_seqs)
		return leat_fail(err, LEAT_E_ARG, "n_seqs", LEAT_NO_OFFSET, "%d sequences in a step, wanted 1 to %d",
				 n_feeds, e->n_seqs);
	LEAT_TRY(fill(e, feeds, n_feeds, err));
	for (int i = 1; i < n_feeds; i++)
		if (feeds[i].variant != feeds[0].variant)
			return leat_fail(err, LEAT_E_INTERNAL, "variant", LEAT_NO_OFFSET,
					 "a step gives one kind of rows only");
	LEAT_TRY(find_plan(e, hooks_of(feeds, n_feeds), feeds[0].variant, &plan, err));
	e->plan = plan;
	e->running = plan->exec;
	leat_trace_span(e->trace, "launch", began);
	return LEAT_OK;
}

void leat_engine_submit(struct leat_engine *e)
{
	uint64_t began = leat_trace_now(e->trace);
	e->backend->submit(e->dev, e->running, &e->step, &e->store->view);
	leat_trace_span(e->trace, "submit", began);
}

static void tell(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

/* Rows that no window will see again go back, but for those that a mark may return to. */
static void trim(struct leat_engine *e, const struct leat_seq *s)
{
	int64_t from = s->n_past < s->keep_from ? s->n_past : s->keep_from, window = leat_engine_window(e);
	if (window && from >= window)
		leat_slot_trim(e->store, s->slot, from - window + 1);
}

enum leat_status leat_engine_finish(struct leat_engine *e, const struct leat_feed *feeds, int n_feeds,
				    struct leat_error *err)
{
	uint64_t began = leat_trace_now(e->trace);
	LEAT_TRY(e->backend->wait(e->dev, e->running, err));
	leat_trace_span(e->trace, "wait", began);
	leat_timeline_ops(e);
	for (int i = 0; i < n_feeds; i++) { /* accepted: the next state becomes the sequence's own */
		feeds[i].seq->n_past += feeds[i].n_tokens;
		feeds[i].seq->now = !feeds[i].seq->now;
		feeds[i].seq->primed = 0;
		trim(e, feeds[i].seq);
	}
	e->exec = e->running;
	tell(&e->told_steps, ++e->n_steps);
	tell(&e->told_tokens, atomic_load_explicit(&e->told_tokens, memory_order_relaxed) + (uint64_t)e->step.n_tokens);
	tell(&e->told_rows, atomic_load_explicit(&e->told_rows, memory_order_relaxed) +
				    (uint64_t)leat_bucket_tokens(e->step.n_tokens, e->n_batch));
	leat_work_note(e);
	leat_caches_tell(e);
	return LEAT_OK;
}

enum leat_status leat_engine_step(struct leat_engine *e, const struct leat_feed *feeds, int n_feeds,
				  struct leat_error *err)
{
	LEAT_TRY(leat_engine_prepare(e, feeds, n_feeds, err));
	leat_engine_submit(e);
	return leat_engine_finish(e, feeds, n_feeds, err);
}

const float *leat_engine_row(const struct leat_engine *e, int row)
{
	return e->backend->result(e->dev, e->exec, row);
}
