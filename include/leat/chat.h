/* chat.h - conversations: messages as tokens, as the model was trained to read them, and sessions, which live on from
 * answer to answer. Part of <leat/leat.h>. */
#ifndef LEAT_CHAT_H
#define LEAT_CHAT_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_engine;
struct leat_model;

/* One turn of a conversation. */
struct leat_message {
	const char *role;       /* "system" (the first only), "user", "assistant" */
	const char *content;    /* any bytes; always plain text, never parsed for control tokens */
	uint64_t content_bytes; /* of content */
};

/* How the chat template of a model was found. */
enum leat_chat_source {
	LEAT_CHAT_NONE = 0,        /* nothing says that this is a chat model: "none" */
	LEAT_CHAT_FROM_FILE,       /* the file's own template was recognised */
	LEAT_CHAT_FROM_VOCABULARY, /* the file has none; architecture and vocabulary say it */
	LEAT_CHAT_GUESSED,         /* leat does not know the file's own; the vocabulary has the marks of this one */
	LEAT_CHAT_UNKNOWN,         /* leat does not know the file's own, and nothing else helps: "none" */
	LEAT_CHAT_NAMED,           /* the caller asked for it */
};

/* How a model is talked to. */
struct leat_chat_info {
	uint32_t struct_size;
	int32_t source;              /* enum leat_chat_source */
	const char *name;            /* "chatml", "none" ...; static */
	const char *system;          /* what the model's template says when there is no system message; borrowed from
				      * the model, NULL: nothing. Not for a template that was named */
	uint64_t system_bytes;       /* of system */
	int32_t n_stop, n_stop_ids;  /* what ends an answer, for leat_request_params */
	const char *stop[8];         /* static */
	int32_t stop_ids[8];         /* token ids */
	int32_t trim;                /* 1: blanks around an answer are not part of it */
	int32_t reserved0;
};
/* How a conversation is written for this model: *info, as far as info->struct_size says that the caller knows it.
 * `name`: a template; NULL: the model's own choice. Any thread. E_NOTFOUND: no such template; E_UNSUPPORTED: the
 * vocabulary lacks a control token that it writes. */
LEAT_API enum leat_status leat_model_get_chat_info(const struct leat_model *m, const char *name,
						   struct leat_chat_info *info, struct leat_error *err);
/* The templates of this build: index 0.. until NULL. */
LEAT_API const char *leat_chat_template_at(int32_t index);

/* Flags of leat_model_chat_tokens and leat_model_chat_text. */
enum {
	LEAT_CHAT_GENERATE = 1,  /* end with the words that open an answer */
	LEAT_CHAT_CONTINUE = 2,  /* the messages follow on an answer that was just generated: begin with what closes it,
				  * without system message and token that begins a text */
	LEAT_CHAT_OPEN_LAST = 4, /* an answer at the end is left open, as if it had just been generated */
};
/* A conversation of n messages as token ids: heap (leat_free), NULL when there are none. Any thread. E_ARG: unknown
 * role, a system message that is not the first; else as leat_model_get_chat_info. */
LEAT_API enum leat_status leat_model_chat_tokens(const struct leat_model *m, const char *name,
						 const struct leat_message *messages, size_t n, unsigned flags,
						 int32_t **ret_ids, size_t *ret_n, struct leat_error *err);
/* Where messages end in those token ids, for leat_request_params.borders: the last most_borders of them, ascending,
 * into borders[], and their number into *ret_n. ids[n_ids] is what leat_model_chat_tokens gave for the same arguments.
 * A conversation that begins with the same messages has the same tokens up to there. Any thread. Errors as above. */
LEAT_API enum leat_status leat_model_chat_borders(const struct leat_model *m, const char *name,
						  const struct leat_message *messages, size_t n, unsigned flags,
						  const int32_t *ids, size_t n_ids, uint64_t *borders,
						  size_t most_borders, size_t *ret_n, struct leat_error *err);
/* The same as text, with control tokens as they are written: heap (leat_free), *ret_bytes long, NUL-terminated behind
 * that. Meant for eyes: read back as text, what a message says could pass for a control token. */
LEAT_API enum leat_status leat_model_chat_text(const struct leat_model *m, const char *name,
					       const struct leat_message *messages, size_t n, unsigned flags,
					       char **ret_text, size_t *ret_bytes, struct leat_error *err);

/* ---- sessions ---------------------------------------------------------------------------------------------- */

/* A sequence that lives on over requests: each feeds only what is new. It takes one of the engine's n_seqs and belongs
 * to one thread at a time. A model with two sets of rotary factors takes the long ones if the engine's context is long.
 *
 * Its tokens are the prompts of its requests and the tokens that these returned, in order, however a request ended
 * (length, cancelled, failed), with two exceptions: a token that ended the answer (LEAT_FINISH_EOS) is not part of it,
 * since the next prompt brings what belongs there; and of an answer that a stop string ended it holds exactly what was
 * shown. What it holds but has not fed yet is fed with the next request. So an answer is the one that a fresh request
 * over all the tokens gives, bit for bit in LEAT_MODE_DETERMINISTIC.
 *
 * With a prefix cache its first prompt uses what is kept of others that begin alike, and what it has taken is kept for
 * others (leat_request_params.cache_salt parts users). */
struct leat_session;

/* An empty session. It holds the engine. E_BUSY: all sequences of the engine are in use. */
LEAT_API enum leat_status leat_session_create(struct leat_engine *e, struct leat_session **ret, struct leat_error *err);
/* Gives the sequence back to the engine; a live request keeps it until it is gone. NULL is fine. */
LEAT_API void leat_session_unref(struct leat_session *s);

/* Requests: set leat_request_params.session. n_tokens may be 0 if the session knows what comes next (it holds tokens
 * that are not fed, or the last request had max_tokens 0). max_tokens 0 feeds the prompt and returns one event without
 * token, LEAT_FINISH_LENGTH. E_BUSY: it has a live request. E_CONTEXT: its tokens and the prompt exceed the context. */

/* A place to return to, the logits included if the last request had max_tokens 0. Costs a copy of the state (recurrent
 * models; E_LIMIT when n_marks are in use) or nothing. E_BUSY: a request is live. */
LEAT_API enum leat_status leat_session_mark(struct leat_session *s, int64_t *ret_mark, struct leat_error *err);
/* Back to a mark, which stays; later ones are gone. Nothing is computed. E_NOTFOUND, E_BUSY. */
LEAT_API enum leat_status leat_session_rewind(struct leat_session *s, int64_t mark, struct leat_error *err);
/* Forgets a mark; unknown ones are fine. */
LEAT_API void leat_session_unmark(struct leat_session *s, int64_t mark);
/* Forgets all tokens and marks. E_BUSY. */
LEAT_API enum leat_status leat_session_reset(struct leat_session *s, struct leat_error *err);

/* What a session holds. */
struct leat_session_info {
	uint32_t struct_size;
	int32_t n_marks;          /* set and not forgotten */
	uint64_t n_tokens, n_fed; /* that it holds; of those, that the engine has seen */
};
/* Fills *info, as far as info->struct_size says that the caller knows it. */
LEAT_API void leat_session_get_info(const struct leat_session *s, struct leat_session_info *info);
/* Its tokens, borrowed until the next request or change; NULL if there are none. */
LEAT_API const int32_t *leat_session_tokens(const struct leat_session *s, uint64_t *ret_n);

#ifdef __cplusplus
}
#endif
#endif
