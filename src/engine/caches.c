/* caches.c - plans by key, and what is told about caches. */
#include "engine/caches.h"

#include <string.h>

#include "base/clock.h"
#include "base/meminfo.h"
#include "engine/engine.h"
#include "plan/opts.h"

static enum leat_status record(struct leat_engine *e, const struct leat_plan_key *key, struct leat_plan **ret,
			       struct leat_error *err)
{
	struct leat_rec *c = leat_record_begin(key);
	if (!c)
		return leat_fail(err, LEAT_E_NOMEM, "plan", LEAT_NO_OFFSET, "out of memory while recording a plan");
	return leat_record_end(c, e->model->w.arch->forward(c, e->model), ret, err);
}

enum leat_status leat_caches_choose(struct leat_engine *e, struct leat_plan_limits *ret, struct leat_error *err)
{
	/* the compiled form of an op takes about six times what the recorded one takes */
	enum { FORMS = 7 };
	const struct leat_plan_key key = { .tokens = 1, .seqs = 1, .outputs = 1 };
	int n_layer = e->model->w.cfg.n_layer;
	uint64_t total, avail;
	struct leat_plan *p;
	LEAT_TRY(record(e, &key, &p, err));
	size_t bytes = (size_t)p->n_ops * sizeof *p->op + (size_t)p->n_bufs * sizeof *p->buf;
	leat_plan_destroy(p);
	leat_meminfo(&total, &avail);
	leat_plan_limits_choose(n_layer, FORMS * bytes / (size_t)(n_layer > 0 ? n_layer : 1), avail, ret);
	return LEAT_OK;
}

void leat_plan_key_of(const struct leat_engine *e, int n_tokens, int n_seqs, int n_outputs, struct leat_plan_key *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->tokens = leat_bucket_tokens(n_tokens, e->n_batch);
	ret->seqs = e->backend->seqs_are_data ? 0 : leat_bucket_rows(n_seqs, e->n_seqs);
	ret->align = e->row_align;
	ret->outputs = leat_bucket_rows(n_outputs, e->step.cap_outputs);
	ret->mode = e->mode;
	ret->kv_type = e->kv_type;
	ret->window = e->window;
	ret->opts = e->opts;
}

enum leat_status leat_plan_make(struct leat_engine *e, const struct leat_plan_key *key, enum leat_plan_origin origin,
				struct leat_plan_entry **ret, struct leat_error *err)
{
	uint64_t began = leat_now_ns();
	struct leat_plan *p;
	LEAT_TRY(record(e, key, &p, err));
	leat_trace_span(e->trace, "build", began);
	uint64_t recorded = leat_trace_now(e->trace);
	LEAT_TRY(leat_plan_cache_put(&e->plans, p, origin, ret, err));
	leat_trace_span(e->trace, "encode", recorded);
	e->plans.build_ns += leat_now_ns() - began;
	e->work.ops_checked += (uint64_t)(*ret)->plan->n_ops;
	return LEAT_OK;
}

static void set(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

static void tell_scratch(struct leat_engine *e, struct leat_told_cache *t)
{
	struct leat_bufpool_counts n = { .takes = 0 };
	if (e->backend->scratch)
		e->backend->scratch(e->dev, &n);
	set(&t->n_entries, (uint64_t)n.n_held);
	set(&t->n_idle, (uint64_t)n.n_idle);
	set(&t->bytes, n.held_bytes);
	set(&t->idle_bytes, n.idle_bytes);
	set(&t->lookups, n.takes);
	set(&t->hits, n.hits);
	set(&t->made, n.n_mapped);
	set(&t->dropped, n.n_unmapped);
	set(&e->told_scratch_bytes, e->plans.bytes + n.held_bytes + n.idle_bytes);
}

static void tell_prefix(struct leat_engine *e, struct leat_told_cache *t)
{
	struct leat_prefix_counts n;
	if (!e->prefix)
		return;
	leat_prefix_get_counts(e->prefix, &n);
	set(&t->n_entries, n.n_entries);
	set(&t->bytes, n.bytes);
	set(&t->lookups, n.lookups);
	set(&t->hits, n.hits);
	set(&t->made, n.n_put);
	set(&t->dropped, n.n_evicted);
}

void leat_work_note(struct leat_engine *e)
{
	const struct leat_step *s = &e->step;
	struct leat_work *w = &e->work;
	w->launches += (uint64_t)e->plan->info.n_launches;
	w->barriers += (uint64_t)e->plan->info.n_barriers;
	w->upload_bytes += (uint64_t)s->n_tokens * (sizeof *s->id + sizeof *s->pos + sizeof *s->seq_of) +
			   (uint64_t)s->n_outputs * sizeof *s->out_row + (uint64_t)s->n_seqs * sizeof *s->seq +
			   (uint64_t)s->n_checkpoints * sizeof *s->checkpoint;
	w->bucket_tokens += (uint64_t)e->plan->plan->key.tokens;
	w->padded_bytes = e->plan->info.padded_bytes;
}

static void tell_work(struct leat_engine *e)
{
	const struct leat_work *w = &e->work;
	const struct leat_ahead *a = &e->ahead;
	const uint64_t v[LEAT_TOLD_WORK] = {
		w->launches, w->barriers, w->upload_bytes, w->bucket_tokens, w->padded_bytes, w->ops_checked,
		a->predict.made, a->predict.right, (uint64_t)a->predict.depth, a->looked, a->ready, a->prepared,
		a->reused, a->built, e->plans.ahead_unused,
	};
	for (int i = 0; i < LEAT_TOLD_WORK; i++)
		set(&e->told_work[i], v[i]);
}

void leat_caches_tell(struct leat_engine *e)
{
	struct leat_told_cache *t = &e->told[LEAT_CACHE_PLANS];
	const struct leat_plan_cache *c = &e->plans;
	set(&t->n_entries, (uint64_t)c->n);
	set(&t->bytes, c->bytes);
	set(&t->lookups, c->lookups);
	set(&t->hits, c->hits);
	set(&t->made, c->built);
	set(&t->dropped, c->evicted);
	set(&e->told_compile_ns, c->build_ns);
	tell_scratch(e, &e->told[LEAT_CACHE_SCRATCH]);
	tell_work(e);
	tell_prefix(e, &e->told[LEAT_CACHE_PREFIX]);
}

void leat_caches_clear(struct leat_engine *e)
{
	e->exec = e->running = NULL;
	leat_ahead_clear(e);
	leat_plan_cache_shrink(&e->plans, 0);
	if (e->backend->trim)
		e->backend->trim(e->dev, 0);
	if (e->prefix)
		leat_prefix_clear(e->prefix);
	leat_caches_tell(e);
}
