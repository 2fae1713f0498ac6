/* state.c - leat_state_*. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/map.h"
#include "engine/keep.h"
#include "model/hash.h"
#include "model/tuned.h"
#include "state/shelf.h"

static struct leat_snapshot *snap(const struct leat_state *x)
{
	return leat_state_snapshot(x);
}

static struct leat_state *handle(struct leat_snapshot *x)
{
	return (struct leat_state *)(void *)x;
}

enum leat_status leat_state_capture(struct leat_session *s, struct leat_state **ret, struct leat_error *err)
{
	struct leat_snapshot *x = NULL;
	leat_drive_lock(s->engine);
	enum leat_status st = leat_session_capture(s, &x, err);
	leat_drive_unlock(s->engine);
	if (st == LEAT_OK)
		*ret = handle(x);
	return st;
}

static enum leat_status capture_request(struct leat_request *r, struct leat_snapshot **ret, struct leat_error *err)
{
	const struct leat_seq *q = r->seq;
	if (r->session)
		return leat_fail(err, LEAT_E_ARG, "request", LEAT_NO_OFFSET,
				 "the request runs in a session, which has the state when it is over");
	if (!q)
		return leat_fail(err, LEAT_E_NOTFOUND, "request", LEAT_NO_OFFSET,
				 "the request is not running, so it has no state");
	if (r->rows)
		return leat_fail(err, LEAT_E_UNSUPPORTED, "request", LEAT_NO_OFFSET,
				 "the prompt has rows of numbers, which a state does not hold");
	if (r->hooks)
		leat_seq_shape(r->seq);
	return leat_seq_capture(r->engine, q, r->id, r->n_ids, ret, err);
}

enum leat_status leat_state_capture_request(struct leat_request *r, struct leat_state **ret, struct leat_error *err)
{
	struct leat_snapshot *x = NULL;
	leat_drive_lock(r->engine);
	enum leat_status st = capture_request(r, &x, err);
	leat_drive_unlock(r->engine);
	if (st == LEAT_OK)
		*ret = handle(x);
	return st;
}

enum leat_status leat_state_apply(const struct leat_state *x, struct leat_session *s, struct leat_error *err)
{
	leat_drive_lock(s->engine);
	enum leat_status st = leat_session_restore(s, snap(x), err);
	leat_drive_unlock(s->engine);
	return st;
}

struct leat_state *leat_state_ref(struct leat_state *x)
{
	return handle(leat_snapshot_ref(snap(x)));
}

void leat_state_unref(struct leat_state *x)
{
	if (x)
		leat_snapshot_unref(snap(x));
}

enum leat_status leat_state_save(const struct leat_state *x, const char *path, struct leat_error *err)
{
	return leat_snapshot_save(snap(x), path, NULL, err);
}

enum leat_status leat_engine_keep_states(struct leat_engine *e, struct leat_error *err)
{
	leat_drive_lock(e);
	enum leat_status st = e->shelf ? leat_prefix_flush(e->prefix, 0, err) : LEAT_OK;
	leat_drive_unlock(e);
	return st;
}

/* The state is whole; is it of this model? */
static enum leat_status belongs(struct leat_model *m, struct leat_snapshot *x, struct leat_state **ret,
				struct leat_error *err)
{
	unsigned char hash[32];
	leat_model_hash(m, hash);
	if (memcmp(hash, x->key.model, sizeof hash)) {
		leat_snapshot_unref(x);
		leat_fail(err, LEAT_E_MISMATCH, "model", LEAT_NO_OFFSET, "the state belongs to another model");
		leat_err_code(err, "state_incompatible");
		return LEAT_E_MISMATCH;
	}
	*ret = handle(x);
	return LEAT_OK;
}

/* *ret: 1 if the file begins as our own do. */
static enum leat_status is_ours(const char *path, int *ret, struct leat_error *err)
{
	struct leat_map map;
	LEAT_TRY(leat_map_open(&map, path, err));
	*ret = leat_snapshot_is(map.data, map.size);
	leat_map_close(&map);
	return LEAT_OK;
}

static enum leat_status needs_weights(const struct leat_model *m, struct leat_error *err)
{
	return m->vocab_only ? leat_fail(err, LEAT_E_ARG, "model", LEAT_NO_OFFSET,
					 "the model was opened for its vocabulary only")
			     : LEAT_OK;
}

enum leat_status leat_state_load(struct leat_model *m, const char *path, struct leat_state **ret,
				 struct leat_error *err)
{
	struct leat_snapshot *x;
	int ours;
	LEAT_TRY(needs_weights(m, err));
	LEAT_TRY(is_ours(path, &ours, err));
	if (!ours) {
		LEAT_TRY(leat_tuned_load(m, path, &x, err));
		*ret = handle(x);
		return LEAT_OK;
	}
	LEAT_TRY(leat_snapshot_load(path, &x, err));
	return belongs(m, x, ret, err);
}

struct bytes {
	unsigned char *data;
	size_t n;
};

static enum leat_status to_bytes(void *user, const void *data, size_t n, struct leat_error *err)
{
	struct bytes *b = user;
	(void)err;
	memcpy(b->data + b->n, data, n);
	b->n += n;
	return LEAT_OK;
}

enum leat_status leat_state_to_bytes(const struct leat_state *x, uint8_t **ret_data, size_t *ret_n,
				     struct leat_error *err)
{
	uint64_t n = leat_snapshot_file_bytes(snap(x));
	struct bytes b = { .data = malloc((size_t)n) };
	if (!b.data)
		return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory: %llu bytes wanted",
				 (unsigned long long)n);
	leat_snapshot_write(snap(x), &(struct leat_snapshot_sink){ to_bytes, &b }, NULL); /* memory does not fail */
	*ret_data = b.data;
	*ret_n = b.n;
	return LEAT_OK;
}

enum leat_status leat_state_from_bytes(struct leat_model *m, const void *data, size_t n, struct leat_state **ret,
				       struct leat_error *err)
{
	struct leat_snapshot *x;
	LEAT_TRY(needs_weights(m, err));
	LEAT_TRY(leat_snapshot_read(data, n, &x, err));
	return belongs(m, x, ret, err);
}

void leat_state_get_info(const struct leat_state *x, struct leat_state_info *info)
{
	const struct leat_snapshot *s = snap(x);
	struct leat_state_info r = {
		.struct_size = sizeof r,
		.mode = s->key.mode,
		.n_tokens = (uint64_t)s->n_tokens,
		.n_fed = (uint64_t)s->n_fed,
		.bytes = s->cell_bytes + s->rows_bytes,
		.file_bytes = leat_snapshot_file_bytes(s),
	};
	leat_snapshot_id(s, r.id);
	leat_info_give(info, &r, sizeof r);
}

const int32_t *leat_state_tokens(const struct leat_state *x, uint64_t *ret_n)
{
	*ret_n = (uint64_t)snap(x)->n_tokens;
	return *ret_n ? snap(x)->tokens : NULL;
}
