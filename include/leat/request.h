/* request.h - generating text, token by token. Part of <leat/leat.h>.
 *
 * The life of a request. leat_request_submit checks it, copies it and puts it into the engine's queue; nothing is
 * computed yet. When a sequence and memory are free it is admitted, its prompt is read piece by piece, and then each
 * step draws a token, which becomes an event. The last event says why the answer ended (finish), or is an error that
 * the reading call returns. engine.h says who runs the steps.
 *
 *   Reading. One thread at a time takes the events in their order: leat_request_next waits for one, leat_request_poll
 *     no longer than it is told, leat_request_stream hands each to a callback. For event loops: leat_engine_start, then
 *     leat_engine_fd tells when there is something to poll. Ways may be mixed.
 *   Backpressure. Events wait in a ring of the request's own, about 256 of them. When it is full the request rests, and
 *     no other one; nothing is ever dropped. One that nobody reads gives its sequence to others that wait.
 *   Ending. leat_request_cancel from anywhere, a callback that returns nonzero, timeout_ns, or leat_request_unref,
 *     which abandons an answer that still runs. Each is heard between two steps.
 *   Ownership. What an event points to is borrowed until the next call on its request. What submit was given is the
 *     caller's again when it returns; a session and an initial state are held until the request is gone.
 *   The same answer. What a request computes never depends on who else runs: its random numbers are its own. In
 *     LEAT_MODE_DEFAULT the last bits of a sum may depend on the size of a step, and so, now and then, a token that was
 *     nearly a tie; in LEAT_MODE_DETERMINISTIC nothing does. */
#ifndef LEAT_REQUEST_H
#define LEAT_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_engine;
struct leat_hook;
struct leat_model;
struct leat_segment;
struct leat_session;
struct leat_state;

/* ---- requests ---------------------------------------------------------------------------------------------- */

/* One text that an engine goes on from. One thread at a time reads it; the calls that say so may come from any. */
struct leat_request;

/* What to add to the logit of one token before anything else looks at it. */
struct leat_logit_bias_entry {
	int32_t id; /* of the token */
	float bias; /* -INFINITY forbids the token */
};

/* What to generate. leat_request_params_init fills in everything but the prompt; what is said of a number to be "off"
 * leaves the distribution as it is. */
struct leat_request_params {
	uint32_t struct_size;
	uint32_t flags;          /* LEAT_REQUEST_... joined by | */
	const int32_t *tokens;   /* the prompt; copied */
	uint64_t n_tokens;       /* at least 1, or 0 with a session that knows what follows (chat.h) */
	int64_t max_tokens;      /* tokens to generate; -1: until the model ends or the context is full */
	uint64_t seed;           /* same seed, same parameters, same mode: same text */
	float temperature;       /* 0: always the likeliest token, lowest id on a tie; 1: off */
	float top_p;             /* (0, 1]: the likeliest that together hold this much; 1: off */
	float min_p;             /* [0, 1): at least this much of the best one's probability; 0: off */
	float typical_p;         /* (0, 1]: those nearest to the expected surprise that hold this much; 1: off */
	int32_t top_k;           /* this many of the likeliest; 0: off */
	float repeat_penalty;    /* logits of tokens that occurred are divided by it (multiplied if negative); 1: off */
	float presence_penalty;  /* subtracted once from tokens that occurred; 0: off */
	float frequency_penalty; /* subtracted for each occurrence; 0: off */
	float penalty_decay;     /* (0, 1]: an occurrence fades by this factor a token; 1: it stays */
	int32_t repeat_last_n;   /* tokens that the penalties look back on; -1: all; 0: none */
	uint32_t choice;         /* number of this answer among several to one prompt: another draw of the same seed */
	const char *samplers;    /* their order, "penalties;top_k;..."; NULL: the default. Copied */
	const struct leat_logit_bias_entry *logit_bias; /* copied */
	int32_t n_logit_bias;    /* entries of logit_bias */
	int32_t n_stop;          /* entries of stop, at most 16 */
	const char *const *stop; /* the answer ends before one of these; 1 to 256 bytes each, NUL-terminated; copied */
	const int32_t *stop_ids; /* tokens that end the answer as the model's own end does; copied */
	int32_t n_stop_ids;      /* entries of stop_ids, at most 16 */
	int32_t n_top;           /* alternatives that each token comes with, at most 20 */
	struct leat_session *session; /* go on from what it holds (chat.h); NULL: begin anew */
	/* Who is served first: -100 to 100, more is earlier. A level counts as ten seconds of arriving earlier, so that
	 * nobody waits for ever. When memory is short, the one that is served last is put aside. */
	int32_t priority;
	int32_t reserved0;       /* zero */
	uint64_t timeout_ns;     /* LEAT_FINISH_TIMEOUT when it has taken longer, from submit on; 0: no limit */
	uint64_t queue_timeout_ns; /* the same for waiting to be admitted; 0: no limit */
	const struct leat_state *initial_state; /* begin with it (state.h), without a session; NULL: empty */
	const char *cache_salt;  /* requests with different ones do not share kept beginnings of prompts; NULL: none */
	/* Places in `tokens` where other prompts may part from this one, each a number of tokens from its begin,
	 * ascending: leat_model_chat_borders finds those of messages. Recurrent models keep a state there, where the
	 * prefix cache is on; attention models keep every place anyway. */
	const uint64_t *borders;
	int32_t n_borders;       /* entries of borders, at most LEAT_MAX_BORDERS */
	int32_t reserved1;       /* zero */
	/* The prompt in pieces, text and rows of numbers among them (embed.h); then tokens is NULL. NULL: none. Rows do
	 * not go into a session. A prompt with rows, or with hooks, is not shared with others or found in a cache. */
	const struct leat_segment *segments;
	const struct leat_hook *hooks; /* called while this request is computed (hook.h); NULL: none. Copied */
	int32_t n_segments;      /* entries of segments */
	int32_t n_hooks;         /* entries of hooks, at most 64 */
};
enum { LEAT_MAX_BORDERS = 16 }; /* of one request */
/* Flags of struct leat_request_params. */
enum {
	LEAT_REQUEST_RANDOM_SEED = 1,  /* draw a seed; leat_request_get_stats reports it */
	LEAT_REQUEST_IGNORE_EOS = 2,   /* the model's end does not end the answer */
	LEAT_REQUEST_SHOW_SPECIAL = 4, /* control tokens appear in the text */
	LEAT_REQUEST_NO_CACHE = 8,     /* compute all of the prompt, and keep nothing of it for others */
	LEAT_REQUEST_PROMPT_LOGPROBS = 16, /* for leat_request_prompt_logprobs; all of the prompt is computed */
};

/* Fills *p, of which the caller knows struct_size bytes, with the defaults of the model's family: attention 0.8 / top-k
 * 40 / top-p 0.95 / min-p 0.05; RWKV 1.0 / top-p 0.5, and with the World vocabulary penalties 0.3 and 0.3 that fade by
 * 0.996 a token and look at the answer only; a random seed, no limit, no prompt. Any thread. */
LEAT_API void leat_request_params_fill(const struct leat_model *m, struct leat_request_params *p, uint32_t struct_size);
#define leat_request_params_init(m, p) leat_request_params_fill((m), (p), (uint32_t)sizeof(struct leat_request_params))

/* Begins a request; nothing is computed yet. Up to n_seqs of them run together, the others wait; the text of each is
 * the one that it would have alone. It holds the engine until leat_request_unref. Any thread.
 * LEAT_E_ARG names the field; LEAT_E_CONTEXT: the prompt is longer than the context; LEAT_E_LIMIT: too many stops or
 * biases; LEAT_E_BUSY ("queue_full"): max_queue requests wait, or sessions hold all n_seqs, or the session has a live
 * request. */
LEAT_API enum leat_status leat_request_submit(struct leat_engine *e, const struct leat_request_params *params,
					      struct leat_request **ret, struct leat_error *err);

/* Why an answer ended. */
enum leat_finish {
	LEAT_FINISH_NONE = 0,  /* it has not */
	LEAT_FINISH_EOS,       /* the model ended it */
	LEAT_FINISH_STOP,      /* a stop string */
	LEAT_FINISH_LENGTH,    /* max_tokens, or the context is full */
	LEAT_FINISH_CANCELLED, /* leat_request_cancel */
	LEAT_FINISH_ERROR,     /* leat_request_next returned the error */
	LEAT_FINISH_TIMEOUT,   /* timeout_ns or queue_timeout_ns */
};

/* One of the likeliest tokens, under the model's own distribution. */
struct leat_token_prob {
	int32_t id;    /* of the token */
	float logprob; /* natural logarithm of its probability */
};

/* One event of an answer. */
struct leat_token {
	uint32_t struct_size;
	int32_t id;              /* -1 on a final event that brings no token */
	const char *text;        /* whole UTF-8 characters, not NUL-terminated; borrowed until the next call */
	uint64_t text_bytes;     /* may be 0 */
	uint64_t index;          /* 0 for the first generated token */
	float logit, prob, logprob; /* of id under the model's own distribution, before any sampler */
	int32_t is_eos;          /* 1: id is one of those that end a text */
	int32_t finish;          /* enum leat_finish; nonzero on the last event only */
	const struct leat_token_prob *top; /* the n_top likeliest, best first; borrowed like text */
	int32_t n_top;           /* as asked for, or as many as there are */
	int32_t reserved0;       /* zero */
};
#define LEAT_TOKEN_INIT { sizeof(struct leat_token), 0, NULL, 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0 }

/* Waits until this request has a token, and returns it. If nobody else does, it runs the engine, for all requests.
 * Text that may yet become a stop string, and characters that are not whole, come with a later event, so an event may
 * be without text; the last may bring the rest. After the event with finish != 0 every call returns LEAT_E_ARG.
 * LEAT_E_NONFINITE: the model computed a NaN; the request is over, the engine goes on. LEAT_E_CONTEXT ("cache_full"):
 * no memory for another token, though nobody else uses any. LEAT_E_BUSY: for two seconds nobody could run, because
 * sessions hold the sequences or the memory that this request would need; their owner may be the one who waits. */
LEAT_API enum leat_status leat_request_next(struct leat_request *r, struct leat_token *ret, struct leat_error *err);

/* The same, for at most timeout_ns (below 0: without end), then LEAT_E_TIMEOUT, which changes nothing. 0 takes what is
 * there and runs nothing, so it wants leat_engine_start. */
LEAT_API enum leat_status leat_request_poll(struct leat_request *r, int64_t timeout_ns, struct leat_token *ret,
					    struct leat_error *err);

/* Gets each event, the last one too, on the thread that called leat_request_stream. Nonzero stops: the token counts,
 * and is the last that is shown. It may call leat_request_cancel. */
typedef int leat_token_fn(void *user, const struct leat_token *t);

/* leat_request_next until the end, each event to `token`. After a stop the request has ended with
 * LEAT_FINISH_CANCELLED. */
LEAT_API enum leat_status leat_request_stream(struct leat_request *r, leat_token_fn *token, void *user,
					      struct leat_error *err);

/* Stops within one step: after the events that wait already comes one with LEAT_FINISH_CANCELLED. Any thread, signal
 * handlers too; again is fine. The caller sees to it that `r` still lives. */
LEAT_API void leat_request_cancel(struct leat_request *r);

/* No more steps for this request until it is resumed; others may get its sequence. Any thread. */
LEAT_API void leat_request_pause(struct leat_request *r);

/* Goes on where it was paused. Any thread. */
LEAT_API void leat_request_resume(struct leat_request *r);

/* See leat_request_params.priority, to which it is cut. Any thread. */
LEAT_API void leat_request_set_priority(struct leat_request *r, int32_t priority);

/* What a request took. */
struct leat_request_stats {
	uint32_t struct_size;
	int32_t finish;          /* enum leat_finish, as far as it has come */
	uint64_t seed;           /* the one in use, also if it was drawn */
	uint64_t n_prompt;       /* tokens fed */
	uint64_t n_generated;    /* tokens drawn */
	uint64_t prompt_ns, generate_ns; /* time in steps; generate_ns excludes the prompt */
	/* 1: a model with two sets of rotary factors (longrope) took the long ones, because prompt and max_tokens
	 * together exceed its original context. Fixed when the request is submitted. */
	int32_t rope_long;
	int32_t n_preempted;     /* times that it was put aside for others */
	uint64_t n_cached;       /* tokens that were not computed: a session or the prefix cache held them */
	uint64_t queued_ns;      /* from submit until it was admitted */
	uint64_t first_token_ns; /* from submit until the first token was drawn */
	char reserved[16];       /* zero */
};

/* Fills *stats, as far as stats->struct_size says that the caller knows it; at any time of the request's life. Never
 * fails when struct_size is set. */
LEAT_API enum leat_status leat_request_get_stats(const struct leat_request *r, struct leat_request_stats *stats);

/* The natural logarithms of the probabilities that the model gave to each token of the prompt, by what precedes it;
 * NaN for the first, and for rows of numbers. Borrowed, *ret_n of them; complete once the first event was read. NULL
 * without LEAT_REQUEST_PROMPT_LOGPROBS. The request's reader only. */
LEAT_API const float *leat_request_prompt_logprobs(const struct leat_request *r, uint64_t *ret_n);

/* Ends the request if it is still running, and gives its sequence back to the engine, after the step that runs. */
LEAT_API void leat_request_unref(struct leat_request *r);

/* ---- batches ----------------------------------------------------------------------------------------------- */

/* One answer of a batch. It does not grow, for it comes in arrays. */
struct leat_result {
	int32_t *ids;        /* tokens, the one that ended the text included */
	uint64_t n_ids;      /* how many */
	char *text;          /* NUL-terminated after text_bytes bytes; NULL without any event */
	uint64_t text_bytes; /* its length */
	uint64_t seed;       /* that was used */
	uint64_t n_cached;   /* as in leat_request_stats */
	int32_t finish;      /* enum leat_finish */
	int32_t status;      /* enum leat_status of LEAT_FINISH_ERROR, a refusal included; else LEAT_OK */
};

/* Runs params[n] together, as many at a time as the engine takes, and waits for all. *ret: n results in the order of
 * the requests, each the one that its request would have alone; release them with leat_results_free.
 * All params have one struct_size. LEAT_E_ARG: n is 0. What happens to one request is in its result. */
LEAT_API enum leat_status leat_engine_generate_batch(struct leat_engine *e, const struct leat_request_params *params,
						     size_t n, struct leat_result **ret, struct leat_error *err);

/* Releases n results; NULL with n = 0 is fine. */
LEAT_API void leat_results_free(struct leat_result *results, size_t n);

#ifdef __cplusplus
}
#endif
#endif
