/* request.c - leat_request_*. */
#include <string.h>

#include "api/api.h"

static uint64_t get(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static struct leat_request_params default_params(const struct leat_model *m)
{
	int rwkv = m->w.arch && m->w.arch->family == LEAT_FAMILY_RWKV;
	/* RWKV's fading penalties are tuned to the World vocabulary; others have far commoner common tokens */
	int fading = rwkv && !strcmp(leat_vocab_kind(m->vocab), "rwkv");
	return (struct leat_request_params){
		.struct_size = sizeof(struct leat_request_params),
		.flags = LEAT_REQUEST_RANDOM_SEED,
		.max_tokens = -1,
		.temperature = rwkv ? 1.0f : 0.8f,
		.top_k = rwkv ? 0 : 40,
		.top_p = rwkv ? 0.5f : 0.95f,
		.min_p = rwkv ? 0.0f : 0.05f,
		.typical_p = 1.0f,
		.repeat_penalty = 1.0f,
		.repeat_last_n = 64,
		.presence_penalty = fading ? 0.3f : 0.0f,
		.frequency_penalty = fading ? 0.3f : 0.0f,
		.penalty_decay = fading ? 0.996f : 1.0f,
	};
}

void leat_request_params_fill(const struct leat_model *m, struct leat_request_params *p, uint32_t struct_size)
{
	const struct leat_request_params d = default_params(m);
	if (struct_size < sizeof struct_size)
		return;
	memset(p, 0, struct_size);
	memcpy(p, &d, struct_size < sizeof d ? struct_size : sizeof d);
	p->struct_size = struct_size;
}

enum leat_status leat_request_submit(struct leat_engine *e, const struct leat_request_params *params,
				     struct leat_request **ret, struct leat_error *err)
{
	static const uint32_t known = LEAT_REQUEST_RANDOM_SEED | LEAT_REQUEST_IGNORE_EOS | LEAT_REQUEST_SHOW_SPECIAL |
				      LEAT_REQUEST_NO_CACHE | LEAT_REQUEST_PROMPT_LOGPROBS;
	struct leat_request_params p = default_params(e->model);
	if (!params)
		return leat_fail(err, LEAT_E_ARG, "tokens", LEAT_NO_OFFSET,
				 "no parameters: at least the prompt is needed");
	LEAT_TRY(leat_params_take(&p, sizeof p, params, err));
	LEAT_TRY(leat_flags_check("flags", p.flags, known, err));
	LEAT_TRY(leat_reserved_check("reserved0", p.reserved0, err));
	LEAT_TRY(leat_reserved_check("reserved1", p.reserved1, err));
	if (!p.session) {
		LEAT_TRY(leat_request_open(e, &p, ret, err));
		leat_drive_ring(e);
		return LEAT_OK;
	}
	leat_drive_lock(e);
	enum leat_status st = leat_request_open(e, &p, ret, err);
	leat_drive_unlock(e);
	return st;
}

/* What the request failed with, as the error of this call. */
static enum leat_status failed(const struct leat_request *r, enum leat_status st, struct leat_error *err)
{
	leat_fail(err, st, r->error.where, r->error.offset, "%s", r->error.message);
	leat_err_code(err, r->error.code);
	return st;
}

enum leat_status leat_request_poll(struct leat_request *r, int64_t timeout_ns, struct leat_token *ret,
				   struct leat_error *err)
{
	const struct leat_event *ev;
	if (ret->struct_size < sizeof ret->struct_size)
		return leat_fail(err, LEAT_E_ABI, "struct_size", LEAT_NO_OFFSET,
				 "initialise leat_token with LEAT_TOKEN_INIT");
	if (r->read_all)
		return leat_fail(err, LEAT_E_ARG, "request", LEAT_NO_OFFSET, "the request has ended");
	LEAT_TRY(leat_drive_wait(r, timeout_ns, &ev, err));
	r->read_all = ev->token.finish != LEAT_FINISH_NONE;
	if (ev->status != LEAT_OK)
		return failed(r, ev->status, err);
	leat_info_give(ret, &ev->token, sizeof ev->token);
	return LEAT_OK;
}

enum leat_status leat_request_next(struct leat_request *r, struct leat_token *ret, struct leat_error *err)
{
	return leat_request_poll(r, -1, ret, err);
}

enum leat_status leat_request_stream(struct leat_request *r, leat_token_fn *token, void *user, struct leat_error *err)
{
	struct leat_token t = LEAT_TOKEN_INIT;
	int stop = 0;
	while (!t.finish) {
		LEAT_TRY(leat_request_poll(r, -1, &t, err));
		if (!stop && token(user, &t)) {
			stop = 1; /* this token counts; what was drawn before the engine heard of it is dropped */
			leat_request_cancel(r);
		}
	}
	return LEAT_OK;
}

void leat_request_cancel(struct leat_request *r)
{
	atomic_store(&r->cancelled, 1);
	leat_drive_poke(r);
}

void leat_request_pause(struct leat_request *r)
{
	atomic_store(&r->paused, 1);
	leat_drive_ring(r->engine);
}

void leat_request_resume(struct leat_request *r)
{
	atomic_store(&r->paused, 0);
	leat_drive_ring(r->engine);
}

void leat_request_set_priority(struct leat_request *r, int32_t priority)
{
	int32_t p = priority < -LEAT_MAX_PRIORITY ? -LEAT_MAX_PRIORITY : priority;
	atomic_store(&r->priority, p > LEAT_MAX_PRIORITY ? LEAT_MAX_PRIORITY : p);
	leat_drive_ring(r->engine);
}

enum leat_status leat_request_get_stats(const struct leat_request *r, struct leat_request_stats *stats)
{
	struct leat_request_stats s = {
		.struct_size = sizeof s,
		.finish = atomic_load(&r->finish),
		.seed = r->seed,
		.n_prompt = r->n_prompt - get(&r->n_reused),
		.n_generated = get(&r->n_generated),
		.prompt_ns = get(&r->prompt_ns),
		.generate_ns = get(&r->generate_ns),
		.n_cached = r->n_cached + get(&r->n_reused),
		.rope_long = r->rope_long,
		.n_preempted = atomic_load(&r->n_preempted),
		.queued_ns = get(&r->queued_ns),
		.first_token_ns = get(&r->first_token_ns),
	};
	leat_info_give(stats, &s, sizeof s);
	return LEAT_OK;
}

void leat_request_unref(struct leat_request *r)
{
	leat_request_close(r);
}

const float *leat_request_prompt_logprobs(const struct leat_request *r, uint64_t *ret_n)
{
	*ret_n = r->prompt_logprob ? r->n_prompt : 0;
	return r->prompt_logprob;
}
