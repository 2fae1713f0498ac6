/* points.c - see points.h. */
#include "model/points.h"

#include <stdlib.h>
#include <string.h>

static enum leat_status take_census(struct leat_model *m, struct leat_points *ret, struct leat_error *err)
{
	struct leat_plan_key key;
	struct leat_plan *p;
	memset(&key, 0, sizeof key);
	key.tokens = key.seqs = key.outputs = 1;
	key.hooks = UINT64_MAX;
	struct leat_rec *c = leat_record_begin(&key);
	if (!c)
		return leat_fail(err, LEAT_E_NOMEM, "plan", LEAT_NO_OFFSET, "out of memory while recording a plan");
	LEAT_TRY(leat_record_end(c, m->w.arch->forward(c, m), &p, err));
	ret->n = p->n_points;
	memcpy(ret->at, p->point, (size_t)p->n_points * sizeof *ret->at);
	leat_plan_destroy(p);
	return LEAT_OK;
}

enum leat_status leat_model_points(struct leat_model *m, const struct leat_points **ret, struct leat_error *err)
{
	struct leat_points *p = atomic_load(&m->points), *first = NULL;
	if (p) {
		*ret = p;
		return LEAT_OK;
	}
	p = calloc(1, sizeof *p);
	if (!p)
		return leat_fail(err, LEAT_E_NOMEM, "plan", LEAT_NO_OFFSET, "out of memory");
	enum leat_status st = take_census(m, p, err);
	if (st == LEAT_OK && !atomic_compare_exchange_strong(&m->points, &first, p)) {
		free(p); /* another thread was quicker */
		p = first;
	}
	if (st == LEAT_OK)
		*ret = p;
	else
		free(p);
	return st;
}

int leat_points_find(const struct leat_points *p, const char *name)
{
	for (int i = 0; i < p->n; i++)
		if (!strcmp(p->at[i].name, name))
			return i;
	return -1;
}
