/* timeline.c - what an engine tells a trace (base/trace.h): steps with their phases, layers and ops inside submit,
 * requests from arrival to end. Nothing here runs without one. */
#include <stdlib.h>

#include "engine/request.h"

/* Beyond any model: 1,024 layers of 60 ops would fit. */
enum { MAX_OPS = 65536 };

enum leat_status leat_engine_profile(struct leat_engine *e, struct leat_error *err)
{
	struct leat_profile *p;
	if (e->profile)
		return LEAT_OK;
	if (!e->backend->profile)
		return leat_fail(err, LEAT_E_UNSUPPORTED, "profile", LEAT_NO_OFFSET, "device %s takes no times of ops",
				 e->backend->name);
	p = calloc(1, sizeof *p);
	if (p)
		p->at = calloc(MAX_OPS, sizeof *p->at);
	if (!p || !p->at) {
		free(p);
		return leat_fail(err, LEAT_E_NOMEM, "profile", LEAT_NO_OFFSET, "no memory for the times of ops");
	}
	p->cap = MAX_OPS;
	e->profile = p;
	e->backend->profile(e->dev, p);
	return LEAT_OK;
}

enum leat_status leat_timeline_open(struct leat_engine *e, struct leat_trace *t, struct leat_error *err)
{
	if (!t)
		return LEAT_OK;
	e->trace = leat_trace_ref(t);
	return e->backend->profile && leat_trace_ops(t) ? leat_engine_profile(e, err) : LEAT_OK;
}

void leat_timeline_close(struct leat_engine *e)
{
	if (e->profile) {
		e->backend->profile(e->dev, NULL);
		free(e->profile->at);
	}
	free(e->profile);
	leat_trace_unref(e->trace);
}

static void put_op(struct leat_trace *t, const struct leat_op_time *o)
{
	struct leat_trace_event ev = {
		.kind = LEAT_TRACE_SPAN, .name = o->kind < 0 ? "prepare" : leat_op_name(o->kind), .number = -1,
		.began_ns = o->began_ns, .lasted_ns = o->ended_ns - o->began_ns,
	};
	if (o->w) {
		ev.key[0] = "rows";
		ev.key[1] = "cols";
		ev.value[0] = o->w->rows;
		ev.value[1] = o->w->cols;
	}
	leat_trace_put(t, &ev);
}

void leat_timeline_ops(struct leat_engine *e)
{
	const struct leat_profile *p = e->profile;
	if (!leat_trace_ops(e->trace) || !p)
		return;
	for (int i = 0, first = 0; i < p->n; i++) {
		put_op(e->trace, &p->at[i]);
		if (i + 1 < p->n && p->at[i + 1].layer == p->at[i].layer)
			continue;
		if (p->at[i].layer >= 0)
			leat_trace_put(e->trace, &(struct leat_trace_event){
				.kind = LEAT_TRACE_SPAN, .name = "layer", .number = p->at[i].layer,
				.began_ns = p->at[first].began_ns,
				.lasted_ns = p->at[i].ended_ns - p->at[first].began_ns });
		first = i + 1;
	}
}

void leat_timeline_step(struct leat_engine *e, uint64_t began_ns)
{
	if (e->trace)
		leat_trace_put(e->trace, &(struct leat_trace_event){
			.kind = LEAT_TRACE_SPAN, .name = "step", .number = -1, .began_ns = began_ns,
			.lasted_ns = leat_now_ns() - began_ns, .key = { "tokens", "sequences" },
			.value = { e->step.n_tokens, e->sched.n_rows } });
}

void leat_timeline_request(const struct leat_request *r, int kind)
{
	if (r->engine->trace)
		leat_trace_put(r->engine->trace, &(struct leat_trace_event){
			.kind = kind, .name = "request", .number = (int64_t)r->number, .began_ns = leat_now_ns(),
			.key = { kind == LEAT_TRACE_END ? "tokens" : "prompt" },
			.value = { (int64_t)(kind == LEAT_TRACE_END ? r->n_drawn : r->n_prompt) } });
}
