/* request.h - one prompt and what is generated from it.
 *
 * A request is held by its user and by its engine, and freed with the last of them. Fields belong to the driver
 * (drive.h) from submit to the last event, but for those marked "any thread". */
#ifndef LEAT_ENGINE_REQUEST_H
#define LEAT_ENGINE_REQUEST_H

#include "engine/hooks.h"
#include "engine/keep.h"
#include "engine/prompt.h"
#include "engine/stream.h"
#include "sample/sample.h"
#include "text/tokenizer.h"

/* Where a request is. A waiting one may have run before and been put aside. */
enum leat_place { LEAT_PLACE_WAITING, LEAT_PLACE_LIVE, LEAT_PLACE_OVER };

struct leat_request {
	atomic_int refs;
	struct leat_engine *engine;   /* held by the user's reference */
	struct leat_session *session; /* NULL: the request has a sequence of its own */
	struct leat_snapshot *initial; /* that its own sequence begins with; NULL: empty */
	struct leat_seq own, *seq;    /* &own or the session's; NULL while it has none */
	int place;                    /* enum leat_place */
	struct leat_request *next;    /* in the list of waiting ones */
	int64_t key;                  /* order of service: smaller is earlier */
	uint64_t number;              /* of arrival, breaks ties */

	int32_t *id;                  /* prompt and answer; of a session the session's array is used */
	size_t n_ids, cap_ids;
	float *rows;                  /* [n_rows][n_embd] what ids below 0 stand for; NULL: none */
	size_t n_rows;
	struct leat_hook_set *hooks;  /* NULL: none */
	float *prompt_logprob;        /* [n_prompt], if asked for */
	size_t n_prompt;              /* tokens to feed before the first one is drawn */
	size_t n_cached;              /* tokens that were there before */
	size_t n_first;               /* tokens before the answer: cached and prompt */
	int64_t max_tokens;
	uint32_t flags;
	uint64_t seed;
	struct leat_sampler *sampler;
	const float *logits;          /* of the step that just ran: its row; NULL: none */
	struct leat_detok detok;
	struct leat_stops *stops;     /* NULL: none */
	char *raw;                    /* decoded text before stop strings are looked for */
	size_t shown_since_hold;      /* bytes of text, of a session that holds some back */
	int32_t stop_id[LEAT_MAX_STOPS];
	int n_stop_ids, rope_long, n_top;
	uint64_t n_drawn;

	struct leat_stream out;
	struct leat_event *event;     /* drawn, and its text not decoded yet */
	int why;                      /* enum leat_finish, once it is known that nothing more will be drawn */
	int ended;                    /* the last event is published */
	struct leat_error error;      /* of LEAT_FINISH_ERROR */
	int read_all;                 /* reader's: the last event was returned */

	int spilled;                  /* host copy of the recurrent state of a request that was put aside; -1: none */
	int64_t spilled_past;
	int64_t aside_past;           /* tokens that its sequence held when it was last put aside */
	int64_t border[LEAT_MAX_BORDERS]; /* tokens of the sequence before places to keep a state at */
	int n_borders;
	struct leat_prefix_key prefix_key; /* of the prefix cache; used unless LEAT_REQUEST_NO_CACHE */
	uint64_t submitted_ns, deadline_ns, queue_deadline_ns; /* of the clock; 0: none */

	/* any thread */
	atomic_int cancelled, abandoned, paused;
	_Atomic int32_t priority;
	atomic_int finish, n_preempted;
	_Atomic uint64_t n_generated, prompt_ns, generate_ns, queued_ns, first_token_ns;
	_Atomic uint64_t n_reused;    /* of n_cached and prompt: not computed again */
};

/* The tokens that its sequence is to hold. */
static inline const int32_t *leat_request_ids(const struct leat_request *r, size_t *ret_n)
{
	*ret_n = r->session ? r->session->n_ids : r->n_ids;
	return r->session ? r->session->id : r->id;
}

/* ---- request.c ---- */

/* Checks everything, takes all memory, and leaves it with the engine. Of a session: with the baton in hand. */
enum leat_status leat_request_open(struct leat_engine *e, const struct leat_request_params *p,
				   struct leat_request **ret, struct leat_error *err);
/* The user's reference goes, and with it the request if it is still running. NULL allowed. */
void leat_request_close(struct leat_request *r);
/* Gives one reference back; the last one frees. Of a session: with the baton in hand. */
void leat_request_drop(struct leat_request *r);
/* A number that puts requests in order: arrival, with a head start for priority. */
int64_t leat_request_key(const struct leat_request *r);

/* ---- timeline.c ---- */

/* It came, or it ends (enum leat_trace_kind). */
void leat_timeline_request(const struct leat_request *r, int kind);

/* ---- emit.c: with the baton in hand ---- */

/* Draws the next token from a row of logits and opens its event. On failure the request has ended with that error. */
void leat_request_draw(struct leat_request *r, const float *row);
/* Decodes and publishes the open event; the request may have ended with it. */
void leat_request_tell(struct leat_request *r);
/* The same for all live ones that have an open event; returns how many. */
int leat_request_tell_all(struct leat_engine *e);
/* Publishes a last event that brings no token. st: LEAT_OK, or the error in *err for LEAT_FINISH_ERROR. */
void leat_request_end(struct leat_request *r, int why, enum leat_status st, const struct leat_error *err);

#endif
