/* session.c - leat_session_*. */
#include "engine/session.h"

#include "api/api.h"

enum leat_status leat_session_create(struct leat_engine *e, struct leat_session **ret, struct leat_error *err)
{
	leat_drive_lock(e);
	enum leat_status st = leat_session_open(e, ret, err);
	leat_drive_unlock(e);
	if (st == LEAT_OK)
		leat_engine_hold(e);
	return st;
}

void leat_session_unref(struct leat_session *s)
{
	if (!s)
		return;
	struct leat_engine *e = s->engine;
	leat_drive_lock(e);
	leat_session_drop(s);
	leat_drive_unlock(e);
	leat_engine_drop(e);
}

enum leat_status leat_session_mark(struct leat_session *s, int64_t *ret_mark, struct leat_error *err)
{
	leat_drive_lock(s->engine);
	enum leat_status st = leat_session_add_mark(s, ret_mark, err);
	leat_drive_unlock(s->engine);
	return st;
}

enum leat_status leat_session_rewind(struct leat_session *s, int64_t mark, struct leat_error *err)
{
	leat_drive_lock(s->engine);
	enum leat_status st = leat_session_go_to(s, mark, err);
	leat_drive_unlock(s->engine);
	return st;
}

void leat_session_unmark(struct leat_session *s, int64_t mark)
{
	leat_drive_lock(s->engine);
	leat_session_remove_mark(s, mark);
	leat_drive_unlock(s->engine);
}

enum leat_status leat_session_reset(struct leat_session *s, struct leat_error *err)
{
	leat_drive_lock(s->engine);
	enum leat_status st = leat_session_clear(s, err);
	leat_drive_unlock(s->engine);
	return st;
}

void leat_session_get_info(const struct leat_session *s, struct leat_session_info *info)
{
	leat_drive_lock(s->engine);
	struct leat_session_info r = {
		.struct_size = sizeof r,
		.n_marks = s->n_marks,
		.n_tokens = s->n_ids,
		.n_fed = (uint64_t)s->seq.n_past,
	};
	leat_drive_unlock(s->engine);
	leat_info_give(info, &r, sizeof r);
}

const int32_t *leat_session_tokens(const struct leat_session *s, uint64_t *ret_n)
{
	*ret_n = s->n_ids;
	return s->n_ids ? s->id : NULL;
}
