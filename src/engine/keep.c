/* keep.c - see keep.h. */
#include "engine/keep.h"

#include <string.h>

#include "base/sha256.h"
#include "model/hash.h"
#include "state/shelf.h"
#include "text/tokenizer.h"

void leat_seq_key(struct leat_engine *e, const struct leat_seq *s, struct leat_prefix_key *ret)
{
	memset(ret, 0, sizeof *ret);
	leat_model_hash(e->model, ret->model);
	memcpy(ret->initial, s->initial, sizeof ret->initial);
	ret->mode = e->mode;
	ret->kv_type = e->kv_type;
	ret->rope_long = s->rope_long;
	ret->window = e->window;
}

enum leat_status leat_keep_open(struct leat_engine *e, const char *dir, int64_t bytes, struct leat_error *err)
{
	static const uint64_t default_bytes = (uint64_t)1 << 30;
	if (!dir)
		return LEAT_OK;
	if (!e->prefix)
		return leat_fail(err, LEAT_E_ARG, "state_dir", LEAT_NO_OFFSET,
				 "a folder for states needs prefix_cache_bytes, for one state at least");
	LEAT_TRY(leat_shelf_open(dir, bytes ? (uint64_t)bytes : default_bytes, NULL, &e->shelf, err));
	leat_model_hash(e->model, e->model_hash);
	leat_prefix_set_shelf(e->prefix, e->shelf);
	return LEAT_OK;
}

void leat_keep_close(struct leat_engine *e)
{
	if (!e->shelf)
		return;
	leat_prefix_flush(e->prefix, 0, NULL);
	leat_prefix_set_shelf(e->prefix, NULL);
	leat_shelf_close(e->shelf);
	e->shelf = NULL;
}

static enum leat_status idle(const struct leat_session *s, struct leat_error *err)
{
	return s->live ? leat_fail(err, LEAT_E_BUSY, "session", LEAT_NO_OFFSET, "a request of the session is running")
		       : LEAT_OK;
}

enum leat_status leat_seq_capture(struct leat_engine *e, const struct leat_seq *s, const int32_t *id, size_t n_ids,
				  struct leat_snapshot **ret, struct leat_error *err)
{
	struct leat_prefix_key key;
	leat_seq_key(e, s, &key);
	struct leat_snapshot_place at = {
		.tokens = id, .n_tokens = (int64_t)n_ids, .n_fed = s->n_past, .slot = s->slot,
		.cell = s->n_past || s->primed ? s->cell[s->now] : -1,
	};
	return leat_snapshot_take(e->store, &key, &at, ret, err);
}

enum leat_status leat_session_capture(struct leat_session *s, struct leat_snapshot **ret, struct leat_error *err)
{
	LEAT_TRY(idle(s, err));
	return leat_seq_capture(s->engine, &s->seq, s->id, s->n_ids, ret, err);
}

/* A state of no tokens is told apart by what it holds. */
void leat_keep_began(struct leat_seq *q, const struct leat_snapshot *x)
{
	struct leat_sha256 sha;
	if (x->n_fed || !x->cell) {
		memcpy(q->initial, x->key.initial, sizeof q->initial);
		return;
	}
	leat_sha256_init(&sha);
	leat_sha256_add(&sha, x->cell, (size_t)x->cell_bytes);
	leat_sha256_end(&sha, q->initial);
}

static void begin_from(struct leat_seq *q, const struct leat_snapshot *x)
{
	q->n_past = x->n_fed;
	q->primed = !x->n_fed && x->cell;
	leat_keep_began(q, x);
}

enum leat_status leat_keep_check(struct leat_engine *e, const struct leat_seq *s, const struct leat_snapshot *x,
				 struct leat_error *err)
{
	struct leat_prefix_key key;
	leat_seq_key(e, s, &key);
	LEAT_TRY(leat_snapshot_check(x, e->store, &key, leat_vocab_size(e->model->vocab), leat_engine_window(e), err));
	if (x->n_tokens > e->n_ctx)
		return leat_fail(err, LEAT_E_CONTEXT, "n_ctx", LEAT_NO_OFFSET,
				 "the state has %lld tokens and the context holds %lld", (long long)x->n_tokens,
				 (long long)e->n_ctx);
	return LEAT_OK;
}

int leat_keep_begin(struct leat_engine *e, struct leat_seq *s, const struct leat_snapshot *x)
{
	if (leat_snapshot_restore(x, e->store, s->slot, s->cell[s->now], NULL) != LEAT_OK)
		return 1;
	begin_from(s, x);
	return 0;
}

enum leat_status leat_session_restore(struct leat_session *s, const struct leat_snapshot *x, struct leat_error *err)
{
	struct leat_seq *q = &s->seq;
	LEAT_TRY(idle(s, err));
	LEAT_TRY(leat_keep_check(s->engine, q, x, err));
	LEAT_TRY(leat_session_clear(s, err));
	LEAT_TRY(leat_session_append(s, x->tokens, (size_t)x->n_tokens, err));
	enum leat_status st = leat_snapshot_restore(x, s->engine->store, q->slot, q->cell[q->now], err);
	if (st != LEAT_OK) {
		leat_session_clear(s, NULL);
		return st;
	}
	begin_from(q, x);
	return LEAT_OK;
}
