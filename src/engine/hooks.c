/* hooks.c - see hooks.h. */
#include "engine/hooks.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "model/points.h"

/* Points that a name stands for. */
static enum leat_status find(struct leat_engine *e, const char *name, uint64_t *ret, struct leat_error *err)
{
	const struct leat_points *points;
	char shown[80];
	LEAT_TRY(leat_model_points(e->model, &points, err));
	if (!strcmp(name, "*")) {
		*ret = points->n < 64 ? ((uint64_t)1 << points->n) - 1 : UINT64_MAX;
		return LEAT_OK;
	}
	int i = leat_points_find(points, name);
	if (i < 0) {
		leat_escape(shown, sizeof shown, name, strlen(name));
		return leat_fail(err, LEAT_E_NOTFOUND, "hooks", LEAT_NO_OFFSET,
				 "no point '%s' in a model of architecture %s, which has %d, '%s' to '%s'", shown,
				 e->model->w.arch->name, points->n, points->at[0].name, points->at[points->n - 1].name);
	}
	*ret = (uint64_t)1 << i;
	return LEAT_OK;
}

static enum leat_status use_hook(struct leat_engine *e, struct leat_hook_set *s, const struct leat_hook *h,
				 struct leat_error *err)
{
	struct leat_hook_use *u = &s->use[s->n];
	if (!h->point || !h->fn)
		return leat_fail(err, LEAT_E_ARG, "hooks", LEAT_NO_OFFSET, "hook %d has no %s", s->n,
				 h->point ? "function" : "point");
	if (h->reserved)
		return leat_fail(err, LEAT_E_ARG, "hooks", LEAT_NO_OFFSET, "hook %d: reserved is %d, wanted 0", s->n,
				 h->reserved);
	if (h->layer < -1 || h->layer >= e->model->w.cfg.n_layer)
		return leat_fail(err, LEAT_E_ARG, "hooks", LEAT_NO_OFFSET, "hook %d: layer is %d, wanted -1 to %d",
				 s->n, h->layer, e->model->w.cfg.n_layer - 1);
	*u = (struct leat_hook_use){ .layer = h->layer, .fn = h->fn, .user = h->user };
	LEAT_TRY(find(e, h->point, &u->mask, err));
	s->mask |= u->mask;
	s->n++;
	return LEAT_OK;
}

enum leat_status leat_hooks_create(struct leat_engine *e, const struct leat_hook *hooks, int32_t n,
				   struct leat_hook_set **ret, struct leat_error *err)
{
	enum leat_status st = LEAT_OK;
	if (!n) {
		*ret = NULL;
		return LEAT_OK;
	}
	if (n < 0 || n > LEAT_MAX_HOOKS || !hooks)
		return leat_fail(err, hooks ? LEAT_E_LIMIT : LEAT_E_ARG, "hooks", LEAT_NO_OFFSET,
				 "%d hooks, wanted 0 to %d", n, hooks ? LEAT_MAX_HOOKS : 0);
	if (!e->backend->supports(e->dev, LEAT_OP_hook, -1))
		return leat_fail(err, LEAT_E_UNSUPPORTED, "hooks", LEAT_NO_OFFSET, "device %s has no hooks",
				 e->backend->name);
	struct leat_hook_set *s = calloc(1, sizeof *s + (size_t)n * sizeof s->use[0]);
	if (!s)
		return leat_fail(err, LEAT_E_NOMEM, "hooks", LEAT_NO_OFFSET, "out of memory");
	for (int32_t i = 0; i < n && st == LEAT_OK; i++)
		st = use_hook(e, s, &hooks[i], err);
	if (st == LEAT_OK)
		*ret = s;
	else
		free(s);
	return st;
}

/* The rows of sequence i that the buffer has: its tokens, or those of them that are wanted. */
static int rows_of(const struct leat_step *s, int i, int rows, int *ret_first, int *ret_token)
{
	const struct leat_step_seq *q = &s->seq[i];
	int first = 0, n = 0;
	*ret_first = *ret_token = q->first;
	if (rows == LEAT_ROWS_TOKENS)
		return q->n;
	while (first < s->n_outputs && s->out_row[first] < q->first)
		first++;
	while (first + n < s->n_outputs && s->out_row[first + n] < q->first + q->n)
		n++;
	*ret_first = first;
	*ret_token = n ? s->out_row[first] : q->first;
	return n;
}

static uint64_t state_floats(const struct leat_engine *e, int tensor)
{
	const struct leat_state_spec *spec = &e->model->w.spec[tensor];
	return (uint64_t)spec->heads * (uint64_t)spec->cols;
}

static void call_one(struct leat_engine *e, const struct leat_step_call *call, int i, const char *name)
{
	const struct leat_step *s = &e->step;
	const struct leat_hook_set *set = e->feeds[i].hooks;
	int first, token, n = rows_of(s, i, call->rows, &first, &token);
	if (!n)
		return;
	struct leat_hook_rows rows = {
		.struct_size = sizeof rows, .layer = call->layer, .point = name,
		.data = call->data + (size_t)first * call->stride, .stride = call->stride, .n_rows = n,
		.width = call->cols, .first_position = s->pos[token], .tokens = s->id + token,
	};
	if (call->state >= 0) {
		rows.state = leat_state_cell(&e->store->view, call->state, call->layer, s->seq[i].state_out);
		rows.state_floats = state_floats(e, call->state);
	}
	for (int j = 0; j < set->n; j++) {
		const struct leat_hook_use *u = &set->use[j];
		struct leat_hook_rows own = rows;
		if ((u->mask >> call->point & 1) && (u->layer < 0 || u->layer == call->layer))
			u->fn(u->user, &own);
	}
}

void leat_hooks_call(void *arg, const struct leat_step_call *call)
{
	struct leat_engine *e = arg;
	const char *name = atomic_load_explicit(&e->model->points, memory_order_acquire)->at[call->point].name;
	for (int i = 0; i < e->step.n_seqs; i++)
		if (e->feeds[i].hooks && (e->feeds[i].hooks->mask >> call->point & 1))
			call_one(e, call, i, name);
}
