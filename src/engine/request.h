/* request.h - one prompt and what is generated from it. */
#ifndef LEAT_ENGINE_REQUEST_H
#define LEAT_ENGINE_REQUEST_H

#include "engine/session.h"
#include "sample/sample.h"
#include "text/tokenizer.h"

struct leat_request {
	struct leat_engine *engine; /* holds a reference */
	struct leat_session *session; /* NULL: the request has a sequence of its own */
	struct leat_seq own, *seq;    /* &own or the session's; NULL when the request is over */
	int32_t *prompt;
	size_t n_prompt, n_fed;     /* prompt tokens, and how many the engine has seen */
	size_t n_cached;            /* tokens that the session held before */
	int64_t max_tokens;
	uint32_t flags;
	uint64_t seed;
	struct leat_sampler *sampler;
	struct leat_detok detok;
	struct leat_stops *stops;   /* NULL: none */
	char *raw, *text;           /* of one event */
	size_t text_cap;
	int32_t last;               /* token drawn and not yet fed */
	size_t shown_since_hold;    /* bytes of text, of a session that holds some back */
	int32_t stop_id[LEAT_MAX_STOPS];
	int n_stop_ids, rope_long;
	uint64_t n_generated, prompt_ns, generate_ns;
	int finish;
	atomic_int cancelled;
};

enum leat_status leat_request_open(struct leat_engine *e, const struct leat_request_params *p,
				   struct leat_request **ret, struct leat_error *err);
void leat_request_close(struct leat_request *r); /* NULL allowed */
enum leat_status leat_request_run(struct leat_request *r, struct leat_token *ret, struct leat_error *err);

#endif
