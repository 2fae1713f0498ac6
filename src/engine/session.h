/* session.h - a sequence that lives on over requests, with places that it can return to.
 *
 * A session's tokens are those of its prompts and answers, in order. What has been fed is in the sequence; the rest
 * (the last token of an answer that was cut, a prompt that was interrupted) is fed before the next prompt. So the state
 * is always that of a fresh request over the same tokens.
 *
 * Every call here is made with the engine's baton in hand (drive.h), and does not count references on the engine: the
 * user's handles do. */
#ifndef LEAT_ENGINE_SESSION_H
#define LEAT_ENGINE_SESSION_H

#include "engine/engine.h"

struct leat_request;

/* A place that the user asked for. */
struct leat_session_mark {
	int64_t number;
	struct leat_mark at;
	size_t n_ids;
	float *row;              /* logits there, NULL: not known */
};

struct leat_session {
	int refs;                /* the creator's, and the live request's */
	struct leat_engine *engine;
	struct leat_seq seq;
	int32_t *id;             /* all tokens; those from seq.n_past on have not been fed */
	size_t n_ids, cap_ids;
	float *row;              /* logits after the last fed token, where has_row */
	int has_row;
	const struct leat_request *live;
	struct leat_session_mark *mark;
	int n_marks, cap_marks;
	int64_t n_marks_ever;
	/* The place before the first token whose text is held back, since it may belong to a stop string. */
	struct leat_mark hold;
	int holding;
	char *held_text;         /* since the hold: decoded text, and for each token where it ends */
	size_t n_held_text, cap_held_text;
	struct leat_held {
		size_t end;
		int whole;       /* it ends on a character's border */
	} *held;
	size_t n_held, cap_held;
};

/* E_BUSY when as many sequences as n_seqs live. */
enum leat_status leat_session_open(struct leat_engine *e, struct leat_session **ret, struct leat_error *err);
struct leat_session *leat_session_hold(struct leat_session *s);
void leat_session_drop(struct leat_session *s); /* closes with the last reference; NULL allowed */

/* Appends tokens that are not fed yet. E_NOMEM. */
enum leat_status leat_session_append(struct leat_session *s, const int32_t *ids, size_t n, struct leat_error *err);
/* Keeps the logits of the step that just ran. E_NOMEM. */
enum leat_status leat_session_keep_row(struct leat_session *s, const float *row, struct leat_error *err);

/* Token s->id[n_ids - 1] was drawn and brought `n` bytes of text; `held`: some text is held back now. Call before the
 * token is fed. E_NOMEM. */
enum leat_status leat_session_drew(struct leat_session *s, const char *text, size_t n, int whole, int held,
				   struct leat_error *err);
/* A stop string was found, after drew(): `shown` bytes since the hold are text, the rest is not part of the session. */
enum leat_status leat_session_cut(struct leat_session *s, size_t shown, struct leat_error *err);
/* The request is over. */
void leat_session_rest(struct leat_session *s);

/* E_LIMIT: no cell is left. E_NOTFOUND: the mark is gone. E_BUSY: a request is live. */
enum leat_status leat_session_add_mark(struct leat_session *s, int64_t *ret, struct leat_error *err);
enum leat_status leat_session_go_to(struct leat_session *s, int64_t mark, struct leat_error *err);
void leat_session_remove_mark(struct leat_session *s, int64_t mark);
enum leat_status leat_session_clear(struct leat_session *s, struct leat_error *err);

#endif
