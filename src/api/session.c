/* session.c - leat_session_*. */
#include "engine/session.h"

#include "api/api.h"

enum leat_status leat_session_create(struct leat_engine *e, struct leat_session **ret, struct leat_error *err)
{
	return leat_session_open(e, ret, err);
}

void leat_session_unref(struct leat_session *s)
{
	leat_session_drop(s);
}

enum leat_status leat_session_mark(struct leat_session *s, int64_t *ret_mark, struct leat_error *err)
{
	return leat_session_add_mark(s, ret_mark, err);
}

enum leat_status leat_session_rewind(struct leat_session *s, int64_t mark, struct leat_error *err)
{
	return leat_session_go_to(s, mark, err);
}

void leat_session_unmark(struct leat_session *s, int64_t mark)
{
	leat_session_remove_mark(s, mark);
}

enum leat_status leat_session_reset(struct leat_session *s, struct leat_error *err)
{
	return leat_session_clear(s, err);
}

void leat_session_get_info(const struct leat_session *s, struct leat_session_info *info)
{
	struct leat_session_info r = {
		.struct_size = sizeof r,
		.n_marks = s->n_marks,
		.n_tokens = s->n_ids,
		.n_fed = (uint64_t)s->seq.n_past,
	};
	leat_info_give(info, &r, sizeof r);
}

const int32_t *leat_session_tokens(const struct leat_session *s, uint64_t *ret_n)
{
	*ret_n = s->n_ids;
	return s->n_ids ? s->id : NULL;
}
