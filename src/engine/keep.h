/* keep.h - states of an engine's sequences, out of it and into it. */
#ifndef LEAT_ENGINE_KEEP_H
#define LEAT_ENGINE_KEEP_H

#include <string.h>

#include "engine/session.h"
#include "state/snapshot.h"

/* The public handle is the snapshot, which counts its references; its content never changes. */
static inline struct leat_snapshot *leat_state_snapshot(const struct leat_state *x)
{
	struct leat_snapshot *s;
	memcpy(&s, &x, sizeof s);
	return s;
}

/* All that shapes the state of a sequence besides its tokens. Hashes the model the first time. */
void leat_seq_key(struct leat_engine *e, const struct leat_seq *s, struct leat_prefix_key *ret);

/* The engine's folder of states, found and made; NULL: none. E_ARG: there is no prefix cache. Errors of
 * leat_shelf_open. */
enum leat_status leat_keep_open(struct leat_engine *e, const char *dir, int64_t bytes, struct leat_error *err);
/* Writes what is kept, as far as that goes, and closes the folder. */
void leat_keep_close(struct leat_engine *e);

/* Can that state be the begin of the sequence? E_MISMATCH, E_CONTEXT. Any thread. */
enum leat_status leat_keep_check(struct leat_engine *e, const struct leat_seq *s, const struct leat_snapshot *x,
				 struct leat_error *err);
/* The sequence began with that state: part of what its own is known by. */
void leat_keep_began(struct leat_seq *s, const struct leat_snapshot *x);
/* After check: the sequence begins with it. 1: no memory for that now. */
int leat_keep_begin(struct leat_engine *e, struct leat_seq *s, const struct leat_snapshot *x);

/* All of these with the baton in hand. */

/* A copy of a sequence's state, and the tokens id[n_ids] that it has taken or is to take. E_NOMEM. */
enum leat_status leat_seq_capture(struct leat_engine *e, const struct leat_seq *s, const int32_t *id, size_t n_ids,
				  struct leat_snapshot **ret, struct leat_error *err);
/* A copy of the state of an idle session, and all its tokens. E_BUSY: a request is running. E_NOMEM. */
enum leat_status leat_session_capture(struct leat_session *s, struct leat_snapshot **ret, struct leat_error *err);
/* Makes an idle session hold that state and no other; its marks are gone. E_MISMATCH (nothing has changed); E_BUSY;
 * E_CONTEXT, E_NOMEM: the session is empty then. */
enum leat_status leat_session_restore(struct leat_session *s, const struct leat_snapshot *x, struct leat_error *err);

#endif
