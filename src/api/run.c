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

/* Tokens of one chunk, all of whose rows are wanted. */
static enum leat_status one_chunk(struct leat_engine *e, struct leat_seq *s, const int32_t *tokens, int n, size_t first,
				  leat_logits_fn *row, void *user, struct leat_error *err)
{
	struct leat_feed f = { .seq = s, .tokens = tokens, .n_tokens = n, .want = LEAT_WANT_ALL };
	LEAT_TRY(leat_engine_step(e, &f, 1, err));
	for (int i = 0; i < n; i++)
		if (row(user, first + (size_t)i, leat_engine_row(e, i), e->model->w.table->rows))
			return leat_fail(err, LEAT_E_CANCELLED, "", LEAT_NO_OFFSET, "stopped by the caller");
	return LEAT_OK;
}

enum leat_status leat_engine_logits(struct leat_engine *e, const int32_t *tokens, size_t n_tokens, int32_t chunk,
				    leat_logits_fn *row, void *user, struct leat_error *err)
{
	struct leat_seq s;
	enum leat_status st = LEAT_OK;
	int most = leat_engine_max_outputs(e);
	if (chunk < 0)
		return leat_fail(err, LEAT_E_ARG, "chunk", LEAT_NO_OFFSET, "chunk is %d, wanted 0 or more", chunk);
	if (!chunk || chunk > most)
		chunk = most;
	leat_drive_lock(e);
	st = leat_seq_open(e, &s, err);
	if (st != LEAT_OK) {
		leat_drive_unlock(e);
		return st;
	}
	leat_seq_expect(e, &s, n_tokens < INT64_MAX ? (int64_t)n_tokens : INT64_MAX);
	for (size_t i = 0; i < n_tokens && st == LEAT_OK;) {
		size_t n = n_tokens - i < (size_t)chunk ? n_tokens - i : (size_t)chunk;
		st = one_chunk(e, &s, tokens + i, (int)n, i, row, user, err);
		i += n;
	}
	leat_seq_close(e, &s);
	leat_drive_unlock(e);
	return st;
}

enum leat_status leat_engine_start(struct leat_engine *e, struct leat_error *err)
{
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
