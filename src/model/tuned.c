/* tuned.c - see tuned.h. */
#include "model/tuned.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/hash.h"
#include "quant/quant.h"

static enum leat_status mismatch(const char *name, const char *what, struct leat_error *err)
{
	leat_fail(err, LEAT_E_MISMATCH, name, LEAT_NO_OFFSET, "the initial state does not belong to this model: %s %s",
		  name, what);
	leat_err_code(err, "state_incompatible");
	return LEAT_E_MISMATCH;
}

/* The state tensor that the file is about: the one that the time mix carries. */
static int find_wkv(const struct leat_arch *a)
{
	for (int i = 0; i < a->n_state; i++)
		if (!strcmp(a->state[i].name, "wkv"))
			return i;
	return -1;
}

static enum leat_status read_layer(const struct leat_model *m, const struct leat_file *f, int layer, int n, float *to,
				   struct leat_error *err)
{
	const int *dim = m->w.cfg.dim;
	char name[64];
	snprintf(name, sizeof name, "blocks.%d.att.time_state", layer);
	const struct leat_tensor *t = leat_file_tensor(f, name);
	if (!t)
		return mismatch(name, "is missing", err);
	uint64_t size = (uint64_t)dim[LEAT_D_HEAD];
	if (t->dim[0] != size || t->dim[1] != size || t->dim[2] != (uint64_t)dim[LEAT_D_HEADS] || t->dim[3] != 1)
		return mismatch(name, "has another shape than the heads of the model", err);
	int quant = leat_quant_of_type(t->type);
	if (quant != LEAT_QUANT_f32 && quant != LEAT_QUANT_f16 && quant != LEAT_QUANT_bf16)
		return leat_fail(err, LEAT_E_UNSUPPORTED, name, LEAT_NO_OFFSET,
				 "%s: wanted f32, f16 or bf16 elements", name);
	leat_quant_at(quant)->dequant(to, t->data, (size_t)n);
	for (int i = 0; i < n; i++)
		if (!isfinite(to[i]))
			return leat_fail(err, LEAT_E_FORMAT, name, LEAT_NO_OFFSET, "%s: element %d is not finite",
					 name, i);
	return LEAT_OK;
}

static enum leat_status fill(const struct leat_model *m, const struct leat_file *f, int wkv, struct leat_snapshot *x,
			     struct leat_error *err)
{
	char name[64];
	for (int l = 0; l < x->n_layer; l++) {
		unsigned char *to = x->cell + leat_snapshot_cell_offset(x, wkv, l);
		LEAT_TRY(read_layer(m, f, l, x->spec[wkv].cols, (float *)(void *)to, err));
	}
	snprintf(name, sizeof name, "blocks.%d.att.time_state", x->n_layer);
	return leat_file_tensor(f, name) ? mismatch(name, "is of a layer that the model does not have", err) : LEAT_OK;
}

enum leat_status leat_tuned_load(struct leat_model *m, const char *path, struct leat_snapshot **ret,
				 struct leat_error *err)
{
	struct leat_prefix_key key;
	struct leat_file *f;
	struct leat_snapshot *x = NULL;
	int wkv = find_wkv(m->w.arch);
	if (wkv < 0)
		return leat_fail(err, LEAT_E_UNSUPPORTED, "initial_state", LEAT_NO_OFFSET,
				 "a model of architecture %s has no initial state that could be tuned",
				 m->w.arch->name);
	LEAT_TRY(leat_file_open(path, &f, err));
	memset(&key, 0, sizeof key);
	leat_model_hash(m, key.model);
	enum leat_status st = leat_snapshot_empty(m->w.spec, m->w.arch->n_state, m->w.cfg.n_layer, &key, &x, err);
	if (st == LEAT_OK)
		st = fill(m, f, wkv, x, err);
	leat_file_close(f);
	if (st != LEAT_OK) {
		leat_snapshot_unref(x);
		leat_err_prefix(err, path);
		return st;
	}
	*ret = x;
	return LEAT_OK;
}
