/* run.c - leat_engine_*. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"

enum leat_status leat_engine_create(struct leat_model *m, const struct leat_engine_params *params,
				    struct leat_engine **ret, struct leat_error *err)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	LEAT_TRY(leat_params_take(&p, sizeof p, params, err));
	if (m->vocab_only)
		return leat_fail(err, LEAT_E_ARG, "model", LEAT_NO_OFFSET,
				 "the model was opened for its vocabulary only");
	return leat_engine_open(m, &p, ret, err);
}

void leat_engine_unref(struct leat_engine *e)
{
	leat_engine_drop(e);
}

enum leat_status leat_engine_get_info(const struct leat_engine *e, struct leat_engine_info *info)
{
	struct leat_engine_info r = {
		.struct_size = sizeof r,
		.n_threads = e->n_threads,
		.n_seqs = e->n_seqs,
		.n_batch = e->n_batch,
		.mode = e->mode,
		.n_ctx = e->n_ctx > INT32_MAX ? 0 : (int32_t)e->n_ctx,
		.state_bytes = e->store->cells_bytes + e->store->pages_bytes,
		.scratch_bytes = atomic_load_explicit(&e->told_scratch_bytes, memory_order_relaxed),
		.plan_lookups = atomic_load_explicit(&e->told[LEAT_CACHE_PLANS].lookups, memory_order_relaxed),
		.plan_hits = atomic_load_explicit(&e->told[LEAT_CACHE_PLANS].hits, memory_order_relaxed),
		.compile_ns = atomic_load_explicit(&e->told_compile_ns, memory_order_relaxed),
		.steps = atomic_load_explicit(&e->told_steps, memory_order_relaxed),
		.tokens = atomic_load_explicit(&e->told_tokens, memory_order_relaxed),
	};
	leat_escape(r.device, sizeof r.device, e->device, strlen(e->device));
	leat_info_give(info, &r, sizeof r);
	return LEAT_OK;
}

enum leat_status leat_engine_start(struct leat_engine *e, struct leat_error *err)
{
	if (!e->warm_up) { /* for whoever comes first; without it everything works, a little later */
		e->warm_up = -1;
		leat_engine_warm_up(e, NULL);
	}
	return leat_drive_start(e, err);
}

void leat_engine_stop(struct leat_engine *e)
{
	leat_drive_stop(e);
}

enum leat_status leat_engine_fd(struct leat_engine *e, int32_t *ret, struct leat_error *err)
{
	int fd;
	LEAT_TRY(leat_drive_fd(e, &fd, err));
	*ret = fd;
	return LEAT_OK;
}

static uint64_t get(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

enum leat_status leat_engine_get_load(const struct leat_engine *e, struct leat_engine_load *ret)
{
	const struct leat_schedule *s = &e->sched;
	struct leat_engine_load r = {
		.struct_size = sizeof r,
		.n_open = atomic_load(&s->n_open),
		.n_sessions = atomic_load(&s->n_session_seqs),
		.n_arrived = get(&s->n_arrived),
		.n_admitted = get(&s->n_admitted),
		.n_preempted = get(&s->n_preempted),
		.n_refused = get(&s->n_refused),
		.prefix_tokens_asked = get(&e->told_asked),
		.prefix_tokens_found = get(&e->told_found),
		.prefix_bytes = get(&e->told_prefix_bytes),
		.worst_stall_ns = get(&s->pace.worst_ns),
	};
	for (int i = 0; i < LEAT_STALL_BUCKETS; i++) {
		r.stalls[i] = get(&s->pace.stalls[i]);
		r.stall_below_ms[i] = leat_stall_bound_ms(i);
	}
	leat_info_give(ret, &r, sizeof r);
	return LEAT_OK;
}
