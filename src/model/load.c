/* load.c - from a frozen file description to an architecture's structs of weights: names looked up, shapes proved. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "quant/quant.h"

static const char *const dim_names[LEAT_D_COUNT] = {
	"1", "vocabulary", "width", "feed-forward width", "query width", "key/value width", "heads", "key/value heads",
	"head size", "state size", "decay rank", "in-context learning rate rank", "value mix rank", "gate rank", "6",
};

const char *leat_arch_key(const struct leat_file *f, const char *suffix, char buf[128])
{
	struct leat_str a = { "", 0 };
	leat_meta_string(f, "general.architecture", &a, NULL);
	snprintf(buf, 128, "%.*s.%s", (int)(a.n < 64 ? a.n : 64), a.s, suffix);
	return buf;
}

static enum leat_status find_arch(const struct leat_file *f, const struct leat_arch **ret, struct leat_error *err)
{
	struct leat_str name;
	char known[200] = "", shown[80];
	size_t used = 0;
	LEAT_TRY(leat_meta_string(f, "general.architecture", &name, err));
	for (int i = 0; leat_arch_list[i]; i++) {
		const char *a = leat_arch_list[i]->name;
		if (strlen(a) == name.n && !memcmp(a, name.s, name.n)) {
			*ret = leat_arch_list[i];
			return LEAT_OK;
		}
		int w = snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", a);
		used = w > 0 && used + (size_t)w < sizeof known ? used + (size_t)w : used;
	}
	leat_escape(shown, sizeof shown, name.s, (size_t)name.n);
	enum leat_status st =
		leat_fail(err, LEAT_E_UNSUPPORTED, "general.architecture", LEAT_NO_OFFSET,
			  "%s: architecture '%s' is not one that this build runs (%s)", f->path, shown, known);
	leat_err_code(err, "unsupported_model");
	return st;
}

/* What is being loaded, for messages and lookups. */
struct load {
	struct leat_weights *w;
	const struct leat_file *f;
	struct leat_error *err;
	int layer; /* -1: top */
	unsigned char *taken; /* [n_tensors] 1: the architecture knows it */
	char name[96];
};

/* A symbol that nothing has fixed yet takes the tensor's value; a known one must equal it. */
static enum leat_status prove_dim(struct load *l, const struct leat_tensor *t, const char *axis, enum leat_dim d,
				  uint64_t found)
{
	int *known = &l->w->cfg.dim[d];
	if (!*known && found >= 1 && found <= LEAT_MAX_FF)
		*known = (int)found;
	if ((uint64_t)*known == found)
		return LEAT_OK;
	return leat_fail(l->err, LEAT_E_FORMAT, l->name, t->offset,
			 "%s: tensor '%s' has %s %llu, wanted %d (%s)", l->f->path, l->name, axis,
			 (unsigned long long)found, *known, dim_names[d]);
}

static enum leat_status prove_matrix(struct load *l, const struct leat_tensor *t, const struct leat_weight_decl *d)
{
	if (t->dim[2] != 1 || t->dim[3] != 1)
		return leat_fail(l->err, LEAT_E_FORMAT, l->name, t->offset,
				 "%s: tensor '%s' has %d dimensions, wanted 2", l->f->path, l->name, t->n_dims);
	LEAT_TRY(prove_dim(l, t, "columns", d->in, t->dim[0]));
	return prove_dim(l, t, "rows", d->out, t->dim[1]);
}

/* Adds a matrix to the list of all; the list was sized from the tables, so it never grows. */
static enum leat_status add_matrix(struct load *l, const struct leat_tensor *t, const struct leat_weight_decl *d,
				   const struct leat_weight **ret)
{
	char type[24];
	int q = leat_quant_of_type(t->type);
	LEAT_TRY(prove_matrix(l, t, d));
	if (q < 0) {
		enum leat_status st = leat_fail(l->err, LEAT_E_UNSUPPORTED, l->name, t->offset,
						"%s: tensor '%s' is of type %s, which this build cannot multiply",
						l->f->path, l->name, leat_quant_type_name(t->type, type));
		leat_err_code(l->err, "unsupported_model");
		return st;
	}
	struct leat_weights *w = l->w;
	struct leat_weight *m = &w->all[w->n_all];
	m->name = leat_arena_copy(&w->arena, l->name, strlen(l->name));
	if (!m->name)
		return leat_fail(l->err, LEAT_E_NOMEM, l->name, LEAT_NO_OFFSET, "%s: out of memory", l->f->path);
	m->quant = q;
	m->rows = (int)t->dim[1];
	m->cols = (int)t->dim[0];
	m->row_bytes = leat_quant_bytes(leat_quant_at(q), (size_t)t->dim[0]);
	m->data = t->data;
	m->multiplied = d->kind == LEAT_W_LINEAR;
	m->mapped = l->f->map.fd >= 0;
	m->index = w->n_all++;
	w->n_params += t->dim[0] * t->dim[1];
	if (d->kind != LEAT_W_TABLE)
		w->read_bytes_per_token += t->bytes;
	*ret = m;
	return LEAT_OK;
}

static enum leat_status add_vector(struct load *l, const struct leat_tensor *t, enum leat_dim in, enum leat_dim out,
				   struct leat_vec *ret)
{
	char type[24];
	int q = leat_quant_of_type(t->type);
	uint64_t rows = t->dim[1] * t->dim[2] * t->dim[3]; /* the reader proved that the product fits */
	/* r_k may come as [head size, heads]: the same numbers in the same order as [width] */
	if (t->dim[0] != (uint64_t)l->w->cfg.dim[in] && out == LEAT_D_ONE &&
	    t->dim[0] * rows == (uint64_t)l->w->cfg.dim[in])
		rows = 1;
	else
		LEAT_TRY(prove_dim(l, t, "columns", in, t->dim[0]));
	LEAT_TRY(prove_dim(l, t, "rows", out, rows));
	if (q < 0 || leat_quant_at(q)->block_elems != 1)
		return leat_fail(l->err, LEAT_E_FORMAT, l->name, t->offset,
				 "%s: tensor '%s' is a vector of type %s, wanted F32, F16 or BF16", l->f->path, l->name,
				 leat_quant_type_name(t->type, type));
	size_t n = (size_t)(t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3]);
	const struct leat_quant *fmt = leat_quant_at(q);
	if (fmt->block_bytes == 4 && (uintptr_t)t->data % 4 == 0) {
		ret->data = t->data;
	} else {
		float *y = leat_arena_take_array(&l->w->arena, n, sizeof *y);
		if (!y)
			return leat_fail(l->err, LEAT_E_NOMEM, l->name, LEAT_NO_OFFSET, "%s: out of memory",
					 l->f->path);
		fmt->dequant(y, t->data, n);
		ret->data = y;
	}
	ret->name = "";
	ret->n = (int)n;
	ret->rows = (int)rows;
	l->w->n_params += n;
	l->w->read_bytes_per_token += t->bytes;
	return LEAT_OK;
}

static enum leat_status absent(struct load *l, const struct leat_weight_decl *d, void *where)
{
	if (d->flags & LEAT_W_TIED_TO_TABLE && l->w->table) {
		struct leat_weight *t = &l->w->all[l->w->table->index];
		t->multiplied = 1;
		((struct leat_linear *)where)->w = t;
		l->w->read_bytes_per_token += (uint64_t)t->rows * t->row_bytes;
		return LEAT_OK;
	}
	if (d->flags & LEAT_W_OPTIONAL || (d->flags & LEAT_W_NOT_FIRST && l->layer == 0))
		return LEAT_OK;
	return leat_fail(l->err, LEAT_E_FORMAT, l->name, LEAT_NO_OFFSET, "%s: tensor '%s' is missing", l->f->path,
			 l->name);
}

static enum leat_status load_one(struct load *l, const struct leat_weight_decl *d, unsigned char *base)
{
	void *where = base + d->offset;
	if (l->layer < 0)
		snprintf(l->name, sizeof l->name, "%s", d->name[LEAT_SOURCE_GGUF]);
	else
		snprintf(l->name, sizeof l->name, "blk.%d.%s", l->layer, d->name[LEAT_SOURCE_GGUF]);
	const struct leat_tensor *t = leat_file_tensor(l->f, l->name);
	if (!t)
		return absent(l, d, where);
	l->taken[t - l->f->tensor] = 1;
	/* Converted RWKV-7 files carry a copy of another tensor here, of another shape: not looked at, not bound. */
	if (d->flags & LEAT_W_NOT_FIRST && l->layer == 0)
		return LEAT_OK;
	const struct leat_weight *m;
	switch (d->kind) {
	case LEAT_W_LINEAR:
		return add_matrix(l, t, d, &((struct leat_linear *)where)->w);
	case LEAT_W_TABLE:
		LEAT_TRY(add_matrix(l, t, d, &m));
		*(const struct leat_weight **)where = l->w->table = m;
		return LEAT_OK;
	case LEAT_W_BIAS:
		return add_vector(l, t, d->in, LEAT_D_ONE, &((struct leat_linear *)where)->bias);
	case LEAT_W_VECTOR:
		return add_vector(l, t, d->in, d->out, where);
	}
	return LEAT_OK;
}

/* A tensor of a block that does not exist would be silently ignored: the file and its block_count disagree. */
static enum leat_status check_strays(struct load *l)
{
	for (uint64_t i = 0; i < l->f->n_tensors; i++) {
		const struct leat_str *n = &l->f->tensor[i].name;
		uint64_t layer = 0, k = 4;
		if (l->taken[i])
			continue;
		leat_escape(l->name, sizeof l->name, n->s, (size_t)n->n);
		for (; n->n > 5 && !memcmp(n->s, "blk.", 4) && k < n->n && n->s[k] >= '0' && n->s[k] <= '9'; k++)
			layer = layer < 1000000 ? layer * 10 + (uint64_t)(n->s[k] - '0') : layer; /* never wraps */
		if (k > 4 && k < n->n && n->s[k] == '.' && layer >= (uint64_t)l->w->cfg.n_layer)
			return leat_fail(l->err, LEAT_E_FORMAT, l->name, l->f->tensor[i].offset,
					 "%s: tensor '%s' belongs to a block beyond block_count %d", l->f->path,
					 l->name, l->w->cfg.n_layer);
		enum leat_status st =
			leat_fail(l->err, LEAT_E_UNSUPPORTED, l->name, l->f->tensor[i].offset,
				  "%s: tensor '%s' is not one that %s knows: results would be wrong without it",
				  l->f->path, l->name, l->w->arch->name);
		leat_err_code(l->err, "unsupported_model");
		return st;
	}
	return LEAT_OK;
}

static enum leat_status load_all(struct load *l)
{
	struct leat_weights *w = l->w;
	const struct leat_arch *a = w->arch;
	for (int i = 0; i < a->n_top; i++)
		LEAT_TRY(load_one(l, &a->top[i], w->top));
	for (l->layer = 0; l->layer < w->cfg.n_layer; l->layer++)
		for (int i = 0; i < a->n_layer; i++)
			LEAT_TRY(load_one(l, &a->layer[i], w->layers + (size_t)l->layer * a->layer_size));
	return check_strays(l);
}

static void resolve_state(struct leat_weights *w)
{
	for (int i = 0; i < w->arch->n_state; i++) {
		const struct leat_state_decl *d = &w->arch->state[i];
		w->spec[i] = (struct leat_state_spec){ d->per_token, w->cfg.dim[d->heads], w->cfg.dim[d->cols] };
	}
}

enum leat_status leat_weights_load(struct leat_weights *w, struct leat_file *f, struct leat_error *err)
{
	*w = (struct leat_weights){ .file = f };
	LEAT_TRY(find_arch(f, &w->arch, err));
	w->cfg.dim[LEAT_D_ONE] = 1;
	w->cfg.dim[LEAT_D_SIX] = 6;
	LEAT_TRY(w->arch->config(&w->cfg, f, err));

	size_t n_layer = (size_t)w->cfg.n_layer;
	w->cap_all = w->arch->n_top + w->cfg.n_layer * w->arch->n_layer;
	w->top = leat_arena_take(&w->arena, w->arch->top_size);
	w->layers = leat_arena_take_array(&w->arena, n_layer, w->arch->layer_size);
	w->all = leat_arena_take_array(&w->arena, (size_t)w->cap_all, sizeof *w->all);
	if (!w->top || !w->layers || !w->all)
		return leat_fail(err, LEAT_E_NOMEM, "model", LEAT_NO_OFFSET, "%s: out of memory", f->path);
	struct load l = { .w = w, .f = f, .err = err, .layer = -1 };
	l.taken = leat_arena_take_array(&w->arena, (size_t)f->n_tensors + 1, 1);
	if (!l.taken)
		return leat_fail(err, LEAT_E_NOMEM, "model", LEAT_NO_OFFSET, "%s: out of memory", f->path);
	LEAT_TRY(load_all(&l));
	if (w->cfg.rope.n_rot) {
		int n = w->cfg.rope.n_rot / 2;
		float *inv = leat_arena_take_array(&w->arena, (size_t)n, sizeof *inv);
		if (!inv)
			return leat_fail(err, LEAT_E_NOMEM, "rope", LEAT_NO_OFFSET, "%s: out of memory", f->path);
		leat_rope_frequencies(inv, n, w->cfg.rope_base);
		w->cfg.rope.inv_freq = inv;
	}
	resolve_state(w);
	return LEAT_OK;
}

void leat_weights_deinit(struct leat_weights *w)
{
	leat_arena_deinit(&w->arena);
	leat_file_close(w->file);
	*w = (struct leat_weights){ 0 };
}
