/* request.c - feed the prompt in chunks, then draw, decode to text, look for stops, feed back. */
#include "engine/request.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"

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

/* The prompt; of a session first what it holds and has not fed. */
static enum leat_status take_prompt(struct leat_request *r, const struct leat_request_params *p, struct leat_error *err)
{
	const struct leat_session *s = r->session;
	size_t held = 0, n = (size_t)p->n_tokens;
	if (s) {
		r->n_cached = (size_t)s->seq.n_past;
		held = s->n_ids - r->n_cached;
	}
	r->n_prompt = held + n;
	r->prompt = malloc((r->n_prompt ? r->n_prompt : 1) * sizeof *r->prompt);
	if (!r->prompt)
		return leat_fail(err, LEAT_E_NOMEM, "tokens", LEAT_NO_OFFSET, "out of memory");
	if (held)
		memcpy(r->prompt, s->id + r->n_cached, held * sizeof *r->prompt);
	if (n)
		memcpy(r->prompt + held, p->tokens, n * sizeof *r->prompt);
	return LEAT_OK;
}

static enum leat_status take_sequence(struct leat_request *r, const struct leat_request_params *p,
				      struct leat_error *err)
{
	if (r->session) {
		LEAT_TRY(leat_session_append(r->session, p->tokens, (size_t)p->n_tokens, err));
		r->session->live = r;
		r->seq = &r->session->seq;
	} else {
		LEAT_TRY(leat_seq_open(r->engine, &r->own, err));
		r->seq = &r->own;
		int64_t room = r->engine->n_ctx - (int64_t)r->n_prompt;
		int64_t most = p->max_tokens > 0 && p->max_tokens < room ? p->max_tokens : room;
		leat_seq_expect(r->engine, r->seq, (int64_t)r->n_prompt + most);
	}
	r->rope_long = r->seq->rope_long;
	return LEAT_OK;
}

static enum leat_status set_up(struct leat_request *r, const struct leat_request_params *p, struct leat_error *err)
{
	const struct leat_model *m = r->engine->model;
	r->flags = p->flags;
	r->max_tokens = p->max_tokens;
	r->seed = p->flags & LEAT_REQUEST_RANDOM_SEED ? random_seed() : p->seed;
	/* an event holds one token's text, what was held back before it, and at the end what is flushed */
	r->text_cap = m->max_token_bytes + 2 * LEAT_MAX_STOP_BYTES + 64;
	r->raw = malloc(r->text_cap);
	r->text = malloc(r->text_cap);
	if (!r->raw || !r->text)
		return leat_fail(err, LEAT_E_NOMEM, "tokens", LEAT_NO_OFFSET, "out of memory");
	LEAT_TRY(take_prompt(r, p, err));
	LEAT_TRY(make_sampler(r, p, err));
	LEAT_TRY(make_stops(r, p, err));
	leat_detok_init(&r->detok, m->vocab, (p->flags & LEAT_REQUEST_SHOW_SPECIAL) != 0);
	/* fading penalties look at the answer only, as RWKV's own chat programs do; windowed ones at the prompt too */
	for (size_t i = 0; i < r->n_cached && p->penalty_decay >= 1; i++)
		leat_sampler_accept(r->sampler, r->session->id[i]);
	for (size_t i = 0; i < r->n_prompt && p->penalty_decay >= 1; i++)
		leat_sampler_accept(r->sampler, r->prompt[i]);
	return take_sequence(r, p, err);
}

/* The request's part in a session, or its own sequence, is over. */
static void give_sequence(struct leat_request *r)
{
	if (!r->seq)
		return;
	if (r->session)
		leat_session_rest(r->session);
	else
		leat_seq_close(r->engine, &r->own);
	r->seq = NULL;
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

static enum leat_status check(const struct leat_engine *e, const struct leat_request_params *p, struct leat_error *err)
{
	int n_vocab = leat_vocab_size(e->model->vocab);
	if ((p->n_tokens < 1 && !p->session) || (p->n_tokens && !p->tokens))
		return leat_fail(err, LEAT_E_ARG, "tokens", LEAT_NO_OFFSET, "the prompt is empty");
	if (p->n_tokens > (uint64_t)e->n_ctx || p->n_tokens > SIZE_MAX / sizeof(int32_t))
		return leat_fail(err, LEAT_E_CONTEXT, "tokens", LEAT_NO_OFFSET,
				 "the prompt has %llu tokens and the context holds %lld",
				 (unsigned long long)p->n_tokens, (long long)e->n_ctx);
	for (uint64_t i = 0; i < p->n_tokens; i++)
		if (p->tokens[i] < 0 || p->tokens[i] >= n_vocab)
			return leat_fail(err, LEAT_E_ARG, "tokens", LEAT_NO_OFFSET,
					 "token %llu of the prompt is %d, wanted 0 to %d", (unsigned long long)i,
					 p->tokens[i], n_vocab - 1);
	if (p->max_tokens < -1 || (p->max_tokens == 0 && !p->session))
		return leat_fail(err, LEAT_E_ARG, "max_tokens", LEAT_NO_OFFSET,
				 "max_tokens is %lld, wanted -1 or at least 1", (long long)p->max_tokens);
	for (int32_t i = 0; i < p->n_stop_ids && p->stop_ids; i++)
		if (p->stop_ids[i] < 0 || p->stop_ids[i] >= n_vocab)
			return leat_fail(err, LEAT_E_ARG, "stop_ids", LEAT_NO_OFFSET,
					 "stop token %d is %d, wanted 0 to %d", i, p->stop_ids[i], n_vocab - 1);
	if (p->n_stop_ids > 0 && !p->stop_ids)
		return leat_fail(err, LEAT_E_ARG, "stop_ids", LEAT_NO_OFFSET, "stop_ids is NULL");
	return p->session ? check_session(e, p->session, p->n_tokens, err) : LEAT_OK;
}

enum leat_status leat_request_open(struct leat_engine *e, const struct leat_request_params *p,
				   struct leat_request **ret, struct leat_error *err)
{
	LEAT_TRY(check(e, p, err));
	struct leat_request *r = calloc(1, sizeof *r);
	if (!r)
		return leat_fail(err, LEAT_E_NOMEM, "request", LEAT_NO_OFFSET, "out of memory");
	r->engine = leat_engine_hold(e);
	r->session = p->session ? leat_session_hold(p->session) : NULL;
	enum leat_status st = set_up(r, p, err);
	if (st != LEAT_OK) {
		leat_request_close(r);
		return st;
	}
	*ret = r;
	return LEAT_OK;
}

void leat_request_close(struct leat_request *r)
{
	if (!r)
		return;
	give_sequence(r);
	leat_session_drop(r->session);
	leat_sampler_destroy(r->sampler);
	leat_stops_destroy(r->stops);
	free(r->prompt);
	free(r->raw);
	free(r->text);
	leat_engine_drop(r->engine);
	free(r);
}

/* One step with the next chunk of the prompt, or with the last drawn token. *ret_ready: logits of a next token exist.
 */
static enum leat_status feed(struct leat_request *r, int *ret_ready, struct leat_error *err)
{
	struct leat_feed f = { .seq = r->seq, .tokens = &r->last, .n_tokens = 1, .want = LEAT_WANT_LAST };
	uint64_t t0 = leat_now_ns(), *sum = &r->generate_ns;
	if (r->n_fed < r->n_prompt) {
		size_t left = r->n_prompt - r->n_fed,
		       n = left < (size_t)r->engine->n_batch ? left : (size_t)r->engine->n_batch;
		f.tokens = r->prompt + r->n_fed;
		f.n_tokens = (int)n;
		f.want = n == left ? LEAT_WANT_LAST : LEAT_WANT_NONE;
		sum = &r->prompt_ns;
	}
	LEAT_TRY(leat_engine_step(r->engine, &f, 1, err));
	if (r->session)
		r->session->has_row = 0; /* of another token now */
	if (sum == &r->prompt_ns)
		r->n_fed += (size_t)f.n_tokens;
	*sum += leat_now_ns() - t0;
	*ret_ready = f.want == LEAT_WANT_LAST;
	return LEAT_OK;
}

static void end(struct leat_request *r, struct leat_token *t, int why)
{
	r->finish = t->finish = why;
	if (why != LEAT_FINISH_STOP) { /* what was held back is text after all */
		size_t n = leat_detok_flush(&r->detok, r->raw, r->text_cap), out = 0;
		if (r->stops) {
			if (leat_stops_feed(r->stops, r->raw, n, r->text + t->text_bytes, &out) < 0) {
				t->text_bytes += out;
				out = leat_stops_flush(r->stops, r->text + t->text_bytes);
			}
			t->text_bytes += out;
		} else {
			memcpy(r->text + t->text_bytes, r->raw, n);
			t->text_bytes += n;
		}
	}
	give_sequence(r);
}

/* The text that token t brings into r->text. *ret_stop: a stop string ended it. */
static enum leat_status decode(struct leat_request *r, struct leat_token *t, int *ret_stop, struct leat_error *err)
{
	size_t n = leat_detok_next(&r->detok, t->id, r->raw, r->text_cap), out = n;
	int stop = -1;
	if (r->stops)
		stop = leat_stops_feed(r->stops, r->raw, n, r->text, &out);
	else
		memcpy(r->text, r->raw, n);
	t->text_bytes = out;
	*ret_stop = stop >= 0;
	if (!r->session || !r->stops)
		return LEAT_OK;
	int whole = r->detok.n_held == 0, held = stop >= 0 || !whole || leat_stops_held(r->stops);
	r->shown_since_hold = out + (r->session->holding ? r->shown_since_hold : 0);
	LEAT_TRY(leat_session_drew(r->session, r->raw, n, whole, held, err));
	return stop >= 0 ? leat_session_cut(r->session, r->shown_since_hold, err) : LEAT_OK;
}

static enum leat_status draw(struct leat_request *r, struct leat_token *t, struct leat_error *err)
{
	struct leat_drawn d;
	const float *row =
		r->session && r->session->has_row ? r->session->row : leat_engine_row(r->engine, 0);
	LEAT_TRY(leat_sampler_draw(r->sampler, row, (uint64_t)r->seq->n_past, &d, err));
	leat_sampler_accept(r->sampler, d.id);
	t->id = r->last = d.id;
	t->logit = d.logit;
	t->prob = d.prob;
	t->logprob = d.logprob;
	t->index = r->n_generated++;
	t->is_eos = leat_vocab_is_end(r->engine->model->vocab, d.id);
	for (int i = 0; i < r->n_stop_ids; i++)
		t->is_eos |= d.id == r->stop_id[i];
	return LEAT_OK;
}

static enum leat_status take(struct leat_request *r, struct leat_token *t, struct leat_error *err)
{
	int stop;
	if (t->is_eos && !(r->flags & LEAT_REQUEST_IGNORE_EOS)) {
		end(r, t, LEAT_FINISH_EOS);
		return LEAT_OK;
	}
	if (r->session)
		LEAT_TRY(leat_session_append(r->session, &t->id, 1, err));
	LEAT_TRY(decode(r, t, &stop, err));
	if (stop)
		end(r, t, LEAT_FINISH_STOP);
	else if ((r->max_tokens > 0 && r->n_generated >= (uint64_t)r->max_tokens) ||
		 r->seq->n_past >= r->engine->n_ctx)
		end(r, t, LEAT_FINISH_LENGTH);
	return LEAT_OK;
}

/* The next token; or the end, without one. */
static enum leat_status advance(struct leat_request *r, struct leat_token *t, struct leat_error *err)
{
	/* a session that was fed before knows the logits already */
	for (int ready = !r->n_prompt && !r->n_generated; !ready;) {
		if (atomic_load_explicit(&r->cancelled, memory_order_relaxed)) {
			end(r, t, LEAT_FINISH_CANCELLED);
			return LEAT_OK;
		}
		LEAT_TRY(feed(r, &ready, err));
	}
	if (!r->max_tokens) {
		if (r->n_prompt)
			LEAT_TRY(leat_session_keep_row(r->session, leat_engine_row(r->engine, 0), err));
		end(r, t, LEAT_FINISH_LENGTH);
		return LEAT_OK;
	}
	LEAT_TRY(draw(r, t, err));
	return take(r, t, err);
}

enum leat_status leat_request_run(struct leat_request *r, struct leat_token *ret, struct leat_error *err)
{
	struct leat_token t = { .struct_size = sizeof t, .id = -1, .text = r->text };
	if (r->finish)
		return leat_fail(err, LEAT_E_ARG, "request", LEAT_NO_OFFSET, "the request has ended");
	enum leat_status st = advance(r, &t, err);
	if (st != LEAT_OK) {
		give_sequence(r);
		r->finish = LEAT_FINISH_ERROR;
		return st;
	}
	*ret = t;
	return LEAT_OK;
}
