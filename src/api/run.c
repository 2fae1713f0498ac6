/* run.c - leat_engine_* and leat_request_*. */
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
		.scratch_bytes = e->plans.bytes,
		.plan_lookups = e->plans.lookups,
		.plan_hits = e->plans.hits,
		.steps = e->n_steps,
		.tokens = e->n_tokens,
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
	LEAT_TRY(leat_seq_open(e, &s, err));
	leat_seq_expect(e, &s, n_tokens < INT64_MAX ? (int64_t)n_tokens : INT64_MAX);
	for (size_t i = 0; i < n_tokens && st == LEAT_OK;) {
		size_t n = n_tokens - i < (size_t)chunk ? n_tokens - i : (size_t)chunk;
		st = one_chunk(e, &s, tokens + i, (int)n, i, row, user, err);
		i += n;
	}
	leat_seq_close(e, &s);
	return st;
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
	struct leat_request_params p = default_params(e->model);
	if (!params)
		return leat_fail(err, LEAT_E_ARG, "tokens", LEAT_NO_OFFSET,
				 "no parameters: at least the prompt is needed");
	LEAT_TRY(leat_params_take(&p, sizeof p, params, err));
	return leat_request_open(e, &p, ret, err);
}

enum leat_status leat_request_next(struct leat_request *r, struct leat_token *ret, struct leat_error *err)
{
	struct leat_token t;
	uint32_t size = ret->struct_size;
	if (size < sizeof size)
		return leat_fail(err, LEAT_E_ABI, "struct_size", LEAT_NO_OFFSET,
				 "initialise leat_token with LEAT_TOKEN_INIT");
	LEAT_TRY(leat_request_run(r, &t, err));
	leat_info_give(ret, &t, sizeof t);
	return LEAT_OK;
}

void leat_request_cancel(struct leat_request *r)
{
	atomic_store_explicit(&r->cancelled, 1, memory_order_relaxed);
}

enum leat_status leat_request_get_stats(const struct leat_request *r, struct leat_request_stats *stats)
{
	struct leat_request_stats s = {
		.struct_size = sizeof s, .finish = r->finish, .seed = r->seed, .n_prompt = r->n_prompt,
		.n_generated = r->n_generated, .prompt_ns = r->prompt_ns, .generate_ns = r->generate_ns,
		.n_cached = r->n_cached,
		.rope_long = r->rope_long,
	};
	leat_info_give(stats, &s, sizeof s);
	return LEAT_OK;
}

void leat_request_unref(struct leat_request *r)
{
	leat_request_close(r);
}
