/* request.c - a request before it runs: its parameters checked, its memory taken. What happens to it then is in
 * schedule.c (waiting and being admitted), choose.c (being fed) and emit.c (answering). */
#include "engine/request.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/sha256.h"

static uint64_t random_seed(void)
{
	uint64_t s;
	if (getrandom(&s, sizeof s, GRND_NONBLOCK) != (ssize_t)sizeof s)
		s = leat_now_ns() ^ (uint64_t)time(NULL) << 32;
	return s >> 1; /* printable as a signed number everywhere */
}

static enum leat_status make_sampler(struct leat_request *r, const struct leat_request_params *p,
				     struct leat_error *err)
{
	struct leat_sample_params sp;
	leat_sample_params_init(&sp);
	sp.seed = r->seed;
	sp.choice = p->choice;
	sp.temperature = p->temperature;
	sp.top_k = p->top_k;
	sp.top_p = p->top_p;
	sp.min_p = p->min_p;
	sp.typical_p = p->typical_p;
	sp.repeat_penalty = p->repeat_penalty;
	sp.repeat_last_n = p->repeat_last_n;
	sp.presence_penalty = p->presence_penalty;
	sp.frequency_penalty = p->frequency_penalty;
	sp.penalty_decay = p->penalty_decay;
	sp.order = p->samplers;
	sp.n_bias = p->n_logit_bias;
	struct leat_logit_bias *bias = NULL;
	if (p->n_logit_bias < 0 || p->n_logit_bias > LEAT_MAX_LOGIT_BIAS)
		return leat_fail(err, LEAT_E_LIMIT, "logit_bias", LEAT_NO_OFFSET, "%d logit biases, at most %d",
				 p->n_logit_bias, LEAT_MAX_LOGIT_BIAS);
	if (p->n_logit_bias > 0 && !p->logit_bias)
		return leat_fail(err, LEAT_E_ARG, "logit_bias", LEAT_NO_OFFSET, "logit_bias is NULL");
	if (p->n_logit_bias > 0) {
		bias = malloc((size_t)p->n_logit_bias * sizeof *bias);
		if (!bias)
			return leat_fail(err, LEAT_E_NOMEM, "logit_bias", LEAT_NO_OFFSET, "out of memory");
		for (int i = 0; i < p->n_logit_bias; i++)
			bias[i] = (struct leat_logit_bias){ p->logit_bias[i].id, p->logit_bias[i].bias };
		sp.bias = bias;
	}
	enum leat_status st = leat_sampler_create(&sp, leat_vocab_size(r->engine->model->vocab), &r->sampler, err);
	free(bias);
	return st;
}

static enum leat_status make_stops(struct leat_request *r, const struct leat_request_params *p, struct leat_error *err)
{
	size_t lens[LEAT_MAX_STOPS];
	if (p->n_stop_ids < 0 || p->n_stop_ids > LEAT_MAX_STOPS)
		return leat_fail(err, LEAT_E_LIMIT, "stop_ids", LEAT_NO_OFFSET, "%d stop tokens, at most %d",
				 p->n_stop_ids, LEAT_MAX_STOPS);
	for (r->n_stop_ids = 0; r->n_stop_ids < p->n_stop_ids; r->n_stop_ids++)
		r->stop_id[r->n_stop_ids] = p->stop_ids[r->n_stop_ids];
	if (p->n_stop <= 0)
		return LEAT_OK;
	if (p->n_stop > LEAT_MAX_STOPS)
		return leat_fail(err, LEAT_E_LIMIT, "stop", LEAT_NO_OFFSET, "%d stop strings, at most %d", p->n_stop,
				 LEAT_MAX_STOPS);
	for (int i = 0; i < p->n_stop; i++)
		lens[i] = strlen(p->stop[i]);
	return leat_stops_create(p->stop, lens, p->n_stop, &r->stops, err);
}

/* The most tokens that a request may come to hold. */
static int64_t expected(const struct leat_request *r)
{
	int64_t room = r->engine->n_ctx - (int64_t)r->n_first;
	return (int64_t)r->n_first + (r->max_tokens >= 0 && r->max_tokens < room ? r->max_tokens : room);
}

/* initial: hash of the state that the sequence begins with. */
static void make_prefix_key(struct leat_request *r, const unsigned char initial[32], const char *salt)
{
	memset(&r->prefix_key, 0, sizeof r->prefix_key);
	memcpy(r->prefix_key.initial, initial, sizeof r->prefix_key.initial);
	memcpy(r->prefix_key.model, r->engine->model_hash, sizeof r->prefix_key.model);
	r->prefix_key.mode = r->engine->mode;
	r->prefix_key.kv_type = r->engine->kv_type;
	r->prefix_key.rope_long = r->rope_long;
	r->prefix_key.window = r->engine->window;
	if (salt) { /* nobody may find a salt that passes for another's */
		struct leat_sha256 sha;
		unsigned char hash[32];
		leat_sha256_init(&sha);
		leat_sha256_add(&sha, salt, strlen(salt));
		leat_sha256_end(&sha, hash);
		memcpy(r->prefix_key.salt, hash, sizeof r->prefix_key.salt);
	}
}

static void take_borders(struct leat_request *r, const struct leat_request_params *p)
{
	for (r->n_borders = 0; r->n_borders < p->n_borders; r->n_borders++)
		r->border[r->n_borders] = (int64_t)(r->n_first - p->n_tokens + p->borders[r->n_borders]);
}

/* The prompt, and room for the answer, so that no token has to ask for memory. */
static enum leat_status take_tokens(struct leat_request *r, const struct leat_request_params *p, struct leat_error *err)
{
	enum { ROOM = 65536 }; /* tokens of an answer that room is made for at once */
	size_t held = r->initial ? (size_t)r->initial->n_tokens : 0;
	r->n_first = held + (size_t)p->n_tokens;
	r->n_cached = r->initial ? (size_t)r->initial->n_fed : 0;
	size_t answer = (size_t)(expected(r) - (int64_t)r->n_first);
	size_t cap = r->n_first + (answer < ROOM ? answer : ROOM) + 1;
	r->id = cap <= SIZE_MAX / sizeof *r->id ? malloc(cap * sizeof *r->id) : NULL;
	if (!r->id)
		return leat_fail(err, LEAT_E_NOMEM, "tokens", LEAT_NO_OFFSET, "out of memory");
	r->cap_ids = cap;
	r->n_ids = r->n_first;
	r->n_prompt = r->n_first - r->n_cached;
	if (held)
		memcpy(r->id, r->initial->tokens, held * sizeof *r->id);
	if (p->n_tokens)
		memcpy(r->id + held, p->tokens, (size_t)p->n_tokens * sizeof *r->id);
	struct leat_seq s = { 0 };
	leat_seq_expect(r->engine, &s, expected(r));
	r->rope_long = s.rope_long;
	if (r->initial)
		leat_keep_began(&s, r->initial);
	make_prefix_key(r, s.initial, p->cache_salt);
	take_borders(r, p);
	return r->initial ? leat_keep_check(r->engine, &s, r->initial, err) : LEAT_OK;
}

/* A session's tokens: those it holds and has not fed are fed before the prompt. */
static enum leat_status take_session(struct leat_request *r, const struct leat_request_params *p,
				     struct leat_error *err)
{
	struct leat_session *s = r->session;
	r->n_cached = (size_t)s->seq.n_past;
	r->rope_long = s->seq.rope_long;
	LEAT_TRY(leat_session_append(s, p->tokens, (size_t)p->n_tokens, err));
	r->n_first = s->n_ids;
	r->n_prompt = s->n_ids - r->n_cached;
	make_prefix_key(r, s->seq.initial, p->cache_salt);
	take_borders(r, p);
	return LEAT_OK;
}

static enum leat_status take_logprobs(struct leat_request *r, struct leat_error *err)
{
	r->prompt_logprob = malloc((r->n_prompt + 1) * sizeof *r->prompt_logprob);
	if (!r->prompt_logprob)
		return leat_fail(err, LEAT_E_NOMEM, "tokens", LEAT_NO_OFFSET, "out of memory");
	for (size_t i = 0; i < r->n_prompt; i++)
		r->prompt_logprob[i] = NAN;
	return LEAT_OK;
}

static enum leat_status take_stream(struct leat_request *r, const struct leat_request_params *p, struct leat_error *err)
{
	enum { MOST_EVENTS = 256 };
	uint32_t n = p->max_tokens >= 0 && p->max_tokens < MOST_EVENTS - 3 ? (uint32_t)p->max_tokens + 3 : MOST_EVENTS;
	/* an event holds one token's text, what was held back before it, and at the end what is flushed */
	size_t most = r->engine->model->max_token_bytes + 2 * LEAT_MAX_STOP_BYTES + 64;
	r->raw = malloc(most);
	if (!r->raw || leat_stream_init(&r->out, n, most, r->n_top))
		return leat_fail(err, LEAT_E_NOMEM, "tokens", LEAT_NO_OFFSET, "out of memory for events");
	return LEAT_OK;
}

static uint64_t deadline(const struct leat_request *r, uint64_t timeout_ns)
{
	return !timeout_ns ? 0 : timeout_ns < UINT64_MAX - r->submitted_ns ? r->submitted_ns + timeout_ns : UINT64_MAX;
}

static enum leat_status set_up(struct leat_request *r, const struct leat_request_params *p, struct leat_error *err)
{
	/* what others have computed is of no use to one that wants to see all of it computed, nor its own to others if
	 * its tokens do not tell what it is */
	r->flags = p->flags | (r->rows || r->hooks || (p->flags & LEAT_REQUEST_PROMPT_LOGPROBS) ? LEAT_REQUEST_NO_CACHE
												: 0u);
	r->max_tokens = p->max_tokens;
	r->n_top = p->n_top;
	r->submitted_ns = leat_now_ns();
	r->deadline_ns = deadline(r, p->timeout_ns);
	r->queue_deadline_ns = deadline(r, p->queue_timeout_ns);
	atomic_init(&r->priority, p->priority);
	r->seed = p->flags & LEAT_REQUEST_RANDOM_SEED ? random_seed() : p->seed;
	LEAT_TRY(take_stream(r, p, err));
	LEAT_TRY(make_sampler(r, p, err));
	LEAT_TRY(make_stops(r, p, err));
	leat_detok_init(&r->detok, r->engine->model->vocab, (p->flags & LEAT_REQUEST_SHOW_SPECIAL) != 0);
	LEAT_TRY(r->session ? take_session(r, p, err) : take_tokens(r, p, err));
	if (p->flags & LEAT_REQUEST_PROMPT_LOGPROBS)
		LEAT_TRY(take_logprobs(r, err));
	/* fading penalties look at the answer only, as RWKV's own chat programs do; windowed ones at the prompt too */
	size_t n;
	const int32_t *ids = leat_request_ids(r, &n);
	for (size_t i = 0; i < n && p->penalty_decay >= 1; i++)
		leat_sampler_accept(r->sampler, ids[i]);
	return LEAT_OK;
}

int64_t leat_request_key(const struct leat_request *r)
{
	return (int64_t)r->submitted_ns -
	       atomic_load_explicit(&r->priority, memory_order_relaxed) * LEAT_PRIORITY_NS;
}

static enum leat_status check_session(const struct leat_engine *e, const struct leat_session *s, uint64_t n_tokens,
				      struct leat_error *err)
{
	if (s->engine != e)
		return leat_fail(err, LEAT_E_ARG, "session", LEAT_NO_OFFSET, "the session belongs to another engine");
	if (s->live)
		return leat_fail(err, LEAT_E_BUSY, "session", LEAT_NO_OFFSET, "the session has a running request");
	if (!n_tokens && (uint64_t)s->seq.n_past == s->n_ids && !s->has_row)
		return leat_fail(err, LEAT_E_ARG, "tokens", LEAT_NO_OFFSET,
				 "the prompt is empty and the session does not know what follows");
	if (s->n_ids + n_tokens > (uint64_t)e->n_ctx)
		return leat_fail(err, LEAT_E_CONTEXT, "tokens", LEAT_NO_OFFSET,
				 "the session holds %zu tokens, the prompt brings %llu, and the context holds %lld",
				 s->n_ids, (unsigned long long)n_tokens, (long long)e->n_ctx);
	return LEAT_OK;
}

/* The state that the request begins with, and its prompt, are within the context. */
static enum leat_status check_initial(const struct leat_engine *e, const struct leat_request_params *p,
				      struct leat_error *err)
{
	const struct leat_snapshot *x = leat_state_snapshot(p->initial_state);
	if (p->session)
		return leat_fail(err, LEAT_E_ARG, "initial_state", LEAT_NO_OFFSET,
				 "a request has an initial state or a session, not both");
	if (!p->n_tokens && x->n_fed == x->n_tokens)
		return leat_fail(err, LEAT_E_ARG, "tokens", LEAT_NO_OFFSET,
				 "the prompt is empty and the state does not know what follows");
	if ((uint64_t)x->n_tokens + p->n_tokens > (uint64_t)e->n_ctx)
		return leat_fail(err, LEAT_E_CONTEXT, "tokens", LEAT_NO_OFFSET,
				 "the state holds %lld tokens, the prompt brings %llu, and the context holds %lld",
				 (long long)x->n_tokens, (unsigned long long)p->n_tokens, (long long)e->n_ctx);
	return LEAT_OK;
}

static enum leat_status check(const struct leat_engine *e, const struct leat_request_params *p, struct leat_error *err)
{
	int n_vocab = leat_vocab_size(e->model->vocab);
	if (p->n_segments < 0 || (p->n_segments && !p->segments))
		return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET,
				 "n_segments is %d, wanted 0 or more pieces", p->n_segments);
	if ((p->n_tokens < 1 && !p->session && !p->initial_state) || (p->n_tokens && !p->tokens))
		return leat_fail(err, LEAT_E_ARG, "tokens", LEAT_NO_OFFSET, "the prompt is empty");
	if (p->n_tokens > (uint64_t)e->n_ctx || p->n_tokens > SIZE_MAX / sizeof(int32_t))
		return leat_fail(err, LEAT_E_CONTEXT, "tokens", LEAT_NO_OFFSET,
				 "the prompt has %llu tokens and the context holds %lld",
				 (unsigned long long)p->n_tokens, (long long)e->n_ctx);
	for (uint64_t i = 0; i < p->n_tokens && !p->segments; i++) /* pieces are checked */
		if (p->tokens[i] < 0 || p->tokens[i] >= n_vocab)
			return leat_fail(err, LEAT_E_ARG, "tokens", LEAT_NO_OFFSET,
					 "token %llu of the prompt is %d, wanted 0 to %d", (unsigned long long)i,
					 p->tokens[i], n_vocab - 1);
	if (p->max_tokens < -1 || (p->max_tokens == 0 && !p->session))
		return leat_fail(err, LEAT_E_ARG, "max_tokens", LEAT_NO_OFFSET,
				 "max_tokens is %lld, wanted -1 or at least 1", (long long)p->max_tokens);
	if (p->n_stop_ids > 0 && !p->stop_ids)
		return leat_fail(err, LEAT_E_ARG, "stop_ids", LEAT_NO_OFFSET, "stop_ids is NULL");
	for (int32_t i = 0; i < p->n_stop_ids; i++)
		if (p->stop_ids[i] < 0 || p->stop_ids[i] >= n_vocab)
			return leat_fail(err, LEAT_E_ARG, "stop_ids", LEAT_NO_OFFSET,
					 "stop token %d is %d, wanted 0 to %d", i, p->stop_ids[i], n_vocab - 1);
	for (int32_t i = 0; i < p->n_stop && i < LEAT_MAX_STOPS; i++)
		if (!p->stop || !p->stop[i])
			return leat_fail(err, LEAT_E_ARG, "stop", LEAT_NO_OFFSET, "stop string %d is NULL", i);
	if (p->initial_state)
		return check_initial(e, p, err);
	return p->session ? check_session(e, p->session, p->n_tokens, err) : LEAT_OK;
}

static enum leat_status check_borders(const struct leat_request_params *p, struct leat_error *err)
{
	if (p->n_borders < 0 || p->n_borders > LEAT_MAX_BORDERS)
		return leat_fail(err, LEAT_E_LIMIT, "borders", LEAT_NO_OFFSET, "%d borders, at most %d", p->n_borders,
				 LEAT_MAX_BORDERS);
	if (p->n_borders && !p->borders)
		return leat_fail(err, LEAT_E_ARG, "borders", LEAT_NO_OFFSET, "borders is NULL");
	for (int32_t i = 0; i < p->n_borders; i++)
		if (p->borders[i] < 1 || p->borders[i] > p->n_tokens || (i && p->borders[i] <= p->borders[i - 1]))
			return leat_fail(err, LEAT_E_ARG, "borders", LEAT_NO_OFFSET,
					 "border %d is at %llu, wanted ascending numbers from 1 to %llu", i,
					 (unsigned long long)p->borders[i], (unsigned long long)p->n_tokens);
	return LEAT_OK;
}

static enum leat_status check_service(const struct leat_request_params *p, struct leat_error *err)
{
	if (p->priority < -LEAT_MAX_PRIORITY || p->priority > LEAT_MAX_PRIORITY)
		return leat_fail(err, LEAT_E_ARG, "priority", LEAT_NO_OFFSET, "priority is %d, wanted %d to %d",
				 p->priority, -LEAT_MAX_PRIORITY, LEAT_MAX_PRIORITY);
	if (p->n_top < 0 || p->n_top > LEAT_MAX_TOP)
		return leat_fail(err, LEAT_E_ARG, "n_top", LEAT_NO_OFFSET, "n_top is %d, wanted 0 to %d", p->n_top,
				 LEAT_MAX_TOP);
	return LEAT_OK;
}

/* What it is made of, once it is known what its tokens are: those of p, and `pieces` behind ids below 0. */
static enum leat_status open_with(struct leat_engine *e, const struct leat_request_params *p,
				  struct leat_prompt *pieces, struct leat_request **ret, struct leat_error *err)
{
	LEAT_TRY(check(e, p, err));
	LEAT_TRY(check_service(p, err));
	LEAT_TRY(check_borders(p, err));
	struct leat_request *r = calloc(1, sizeof *r);
	if (!r)
		return leat_fail(err, LEAT_E_NOMEM, "request", LEAT_NO_OFFSET, "out of memory");
	r->rows = pieces->raw;
	r->n_rows = pieces->n_raw;
	pieces->raw = NULL;
	atomic_init(&r->refs, 1);
	r->engine = e;
	r->spilled = -1;
	r->session = p->session ? leat_session_hold(p->session) : NULL;
	r->initial = p->initial_state ? leat_snapshot_ref(leat_state_snapshot(p->initial_state)) : NULL;
	size_t n_before = r->session ? r->session->n_ids : 0;
	enum leat_status st = leat_hooks_create(e, p->hooks, p->n_hooks, &r->hooks, err);
	if (st == LEAT_OK)
		st = set_up(r, p, err);
	if (st == LEAT_OK)
		st = leat_schedule_offer(e, r, err);
	if (st != LEAT_OK) {
		if (r->session)
			r->session->n_ids = n_before;
		leat_request_drop(r);
		return st;
	}
	if (r->session)
		r->session->live = r;
	leat_engine_hold(e);
	*ret = r;
	return LEAT_OK;
}

/* Pieces of the prompt become its tokens. */
static enum leat_status join_pieces(const struct leat_engine *e, struct leat_request_params *p,
				    struct leat_prompt *pieces, struct leat_error *err)
{
	if (p->n_tokens)
		return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET,
				 "the prompt is given as tokens and as segments");
	LEAT_TRY(leat_prompt_add(pieces, e->model, p->segments, p->n_segments, err));
	if (pieces->n_raw && p->session)
		return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET,
				 "rows of numbers do not go into a session");
	p->tokens = pieces->id;
	p->n_tokens = pieces->n;
	return LEAT_OK;
}

enum leat_status leat_request_open(struct leat_engine *e, const struct leat_request_params *params,
				   struct leat_request **ret, struct leat_error *err)
{
	struct leat_request_params p = *params;
	struct leat_prompt pieces = { 0 };
	enum leat_status st = p.segments && p.n_segments > 0 ? join_pieces(e, &p, &pieces, err) : LEAT_OK;
	if (st == LEAT_OK)
		st = open_with(e, &p, &pieces, ret, err);
	leat_prompt_deinit(&pieces);
	return st;
}

void leat_request_close(struct leat_request *r)
{
	struct leat_engine *e;
	if (!r)
		return;
	e = r->engine;
	if (r->session || r->hooks) { /* which its user may use again, or free, as soon as this returns */
		leat_drive_lock(e);
		leat_schedule_attend(e);
		leat_request_end(r, LEAT_FINISH_CANCELLED, LEAT_OK, NULL);
		leat_schedule_sweep(e);
		leat_request_drop(r);
		leat_drive_unlock(e);
	} else {
		atomic_store(&r->abandoned, 1);
		leat_drive_attend(e);
		leat_request_drop(r);
	}
	leat_engine_drop(e);
}

void leat_request_drop(struct leat_request *r)
{
	if (atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	leat_session_drop(r->session);
	leat_snapshot_unref(r->initial);
	leat_sampler_destroy(r->sampler);
	leat_stops_destroy(r->stops);
	leat_stream_deinit(&r->out);
	free(r->id);
	free(r->raw);
	free(r->rows);
	free(r->hooks);
	free(r->prompt_logprob);
	free(r);
}
