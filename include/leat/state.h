/* state.h - the state of a sequence as a thing of its own: kept, saved, loaded, begun from. Part of <leat/leat.h>.
 *
 *   leat_state_capture(session, &state, &err);             // after a long document
 *   leat_state_save(state, "document.state", &err);
 *   ...                                                     // another day, another process
 *   leat_state_load(model, "document.state", &state, &err);
 *   params.initial_state = state;                           // any number of requests follow on it
 *
 * A state holds tokens and what the model made of them, in host memory: of recurrent models a block of fixed size, of
 * attention models a row for each token. It belongs to one model (by content, not by name), numeric mode and cache
 * type; another one is refused with LEAT_E_MISMATCH before anything has changed. States never change, may be shared by
 * threads, and live for as long as somebody refers to them, with or without the engine that they came from. */
#ifndef LEAT_STATE_H
#define LEAT_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_engine;
struct leat_model;
struct leat_request;
struct leat_session;

/* ---- states ------------------------------------------------------------------------------------------------ */

struct leat_state;

/* Copies the state of a session, its tokens included. LEAT_E_BUSY: a request is running; LEAT_E_NOMEM. */
LEAT_API enum leat_status leat_state_capture(struct leat_session *s, struct leat_state **ret, struct leat_error *err);

/* The same of a request that runs without a session, between two of its tokens: the prompt and what has been drawn so
 * far, which may be ahead of what its reader has seen. LEAT_E_NOTFOUND: it waits, or it is over and its state is gone;
 * LEAT_E_ARG: it runs in a session; LEAT_E_NOMEM. */
LEAT_API enum leat_status leat_state_capture_request(struct leat_request *r, struct leat_state **ret,
						     struct leat_error *err);

/* Makes a session hold that state and nothing else: its marks and tokens are gone. What follows is what would have
 * followed in the session that it was taken from. LEAT_E_MISMATCH (nothing has changed), LEAT_E_BUSY, LEAT_E_CONTEXT:
 * more tokens than the context holds; LEAT_E_NOMEM: the session is empty then. */
LEAT_API enum leat_status leat_state_apply(const struct leat_state *x, struct leat_session *s, struct leat_error *err);

/* One more reference, returned. NULL is not allowed. */
LEAT_API struct leat_state *leat_state_ref(struct leat_state *x);
/* Gives a reference back; the last one frees. NULL is fine. */
LEAT_API void leat_state_unref(struct leat_state *x);

/* Writes the state to a file, whole or not at all (an older file of that name stays until the new one is complete), for
 * the owner's eyes only. LEAT_E_IO, LEAT_E_NOTFOUND (no such folder), LEAT_E_ARG (what lies there is no file). */
LEAT_API enum leat_status leat_state_save(const struct leat_state *x, const char *path, struct leat_error *err);

/* Reads a state for `m`: a file of leat_state_save, all of it checked; or one with trained initial states
 * (blocks.N.att.time_state, safetensors), of no tokens. LEAT_E_FORMAT, LEAT_E_UNSUPPORTED, LEAT_E_MISMATCH,
 * LEAT_E_NOTFOUND, LEAT_E_IO, LEAT_E_NOMEM. Hashes the model when it is first asked to. */
LEAT_API enum leat_status leat_state_load(struct leat_model *m, const char *path, struct leat_state **ret,
					  struct leat_error *err);

/* The bytes of leat_state_save, for other places than files: *ret_data is for leat_free. */
LEAT_API enum leat_status leat_state_to_bytes(const struct leat_state *x, uint8_t **ret_data, size_t *ret_n,
					      struct leat_error *err);
/* From such bytes, untrusted: as leat_state_load. */
LEAT_API enum leat_status leat_state_from_bytes(struct leat_model *m, const void *data, size_t n,
						struct leat_state **ret, struct leat_error *err);

/* Writes the beginnings of prompts that the engine keeps to its state_dir, the most used first, so that they outlive a
 * crash too; what is there already is not written again. Nothing to do without a state_dir. LEAT_E_IO: what was written
 * before that is there, whole. Waits for the step that runs. */
LEAT_API enum leat_status leat_engine_keep_states(struct leat_engine *e, struct leat_error *err);

/* What a state is. */
struct leat_state_info {
	uint32_t struct_size;
	int32_t mode;        /* enum leat_mode */
	uint64_t n_tokens;   /* that it holds */
	uint64_t n_fed;      /* of those, that are in the state; the rest is fed by the next request */
	uint64_t bytes;      /* of the state itself, without the tokens */
	uint64_t file_bytes; /* that leat_state_save writes */
	char id[65];         /* names what it is the state of: model, settings, tokens */
	char reserved[31];   /* zero */
};
/* Fills *info, as far as info->struct_size says that the caller knows it. */
LEAT_API void leat_state_get_info(const struct leat_state *x, struct leat_state_info *info);
/* Its tokens, borrowed for as long as the state lives; NULL if there are none. */
LEAT_API const int32_t *leat_state_tokens(const struct leat_state *x, uint64_t *ret_n);

#ifdef __cplusplus
}
#endif
#endif
