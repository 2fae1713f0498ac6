/* load.c - from a frozen file description to an architecture's structs of weights: names looked up, shapes proved. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/attention.h"
#include "model/model.h"
#include "model/source.h"
#include "quant/quant.h"

static const char *const dim_names[LEAT_D_COUNT] = {
	"1", "vocabulary", "width", "feed-forward width", "query width", "key/value width", "heads", "key/value heads",
	"head size", "state size", "decay rank", "in-context learning rate rank", "value mix rank", "gate rank",
};

/* What is being loaded, for messages and lookups. */
struct load {
	struct leat_weights *w;
	const struct leat_file *f;
	struct leat_error *err;
	int layer;            /* -1: top */
	unsigned char *taken; /* [n_tensors] 1: the architecture knows it */
	char name[160];       /* in the file */
};

/* The rows of a tensor that one declaration takes: all, or its share of a fused one. A [1][1][D] vector has one row of
 * D elements, as a [D] has. */
struct share {
	const struct leat_tensor *t;
	int quant;
	uint64_t first, rows, cols;
	int turned; /* stored [in][out] */
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

static enum leat_status no_memory(struct load *l)
{
	return leat_fail(l->err, LEAT_E_NOMEM, l->name, LEAT_NO_OFFSET, "%s: out of memory", l->f->path);
}

static enum leat_status prove_matrix(struct load *l, const struct share *s, const struct leat_weight_decl *d)
{
	if (s->t->dim[2] != 1 || s->t->dim[3] != 1)
		return leat_fail(l->err, LEAT_E_FORMAT, l->name, s->t->offset,
				 "%s: tensor '%s' has %d dimensions, wanted 2", l->f->path, l->name, s->t->n_dims);
	LEAT_TRY(prove_dim(l, s->t, s->turned ? "rows" : "columns", d->in, s->cols));
	return prove_dim(l, s->t, s->turned ? "columns" : "rows", d->out, s->rows);
}

/* A turned matrix is written again as [out][in]; these are the small low-rank ones. */
static enum leat_status turn(struct load *l, const struct share *s, const void **ret)
{
	size_t rows = (size_t)s->rows, cols = (size_t)s->cols;
	size_t size = (size_t)leat_quant_at(s->quant)->block_bytes;
	const unsigned char *src = s->t->data;
	if (leat_quant_at(s->quant)->block_elems != 1)
		return leat_fail(l->err, LEAT_E_UNSUPPORTED, l->name, s->t->offset,
				 "%s: tensor '%s' is stored by columns, which works for F32, F16 and BF16 only",
				 l->f->path, l->name);
	unsigned char *y = leat_arena_take_array(&l->w->arena, rows * cols, size);
	if (!y)
		return no_memory(l);
	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < cols; c++)
			memcpy(y + (r * cols + c) * size, src + (c * rows + r) * size, size);
	*ret = y;
	return LEAT_OK;
}

/* Adds a matrix to the list of all; the list was sized from the tables, so it never grows. */
static enum leat_status add_matrix(struct load *l, const struct share *s, const struct leat_weight_decl *d,
				   const struct leat_weight **ret)
{
	char type[24];
	LEAT_TRY(prove_matrix(l, s, d));
	if (s->quant < 0) {
		enum leat_status st = leat_fail(l->err, LEAT_E_UNSUPPORTED, l->name, s->t->offset,
						"%s: tensor '%s' is of type %s, which this build cannot multiply",
						l->f->path, l->name, leat_quant_type_name(s->t->type, type));
		leat_err_code(l->err, "unsupported_model");
		return st;
	}
	struct leat_weights *w = l->w;
	struct leat_weight *m = &w->all[w->n_all];
	m->name = leat_arena_copy(&w->arena, l->name, strlen(l->name));
	if (!m->name)
		return no_memory(l);
	m->quant = s->quant;
	m->rows = (int)s->rows;
	m->cols = (int)s->cols;
	m->row_bytes = leat_quant_bytes(leat_quant_at(s->quant), (size_t)s->cols);
	m->data = (const unsigned char *)s->t->data + s->first * m->row_bytes;
	m->mapped = leat_file_is_mapped(l->f) && !s->turned;
	if (s->turned)
		LEAT_TRY(turn(l, s, &m->data));
	m->multiplied = d->kind == LEAT_W_LINEAR;
	m->index = w->n_all++;
	w->n_params += s->rows * s->cols;
	if (d->kind != LEAT_W_TABLE)
		w->read_bytes_per_token += s->rows * m->row_bytes;
	*ret = m;
	return LEAT_OK;
}

static enum leat_status add_vector(struct load *l, struct share *s, enum leat_dim in, enum leat_dim out,
				   struct leat_vec *ret)
{
	char type[24];
	/* r_k may come as [head size, heads]: the same numbers in the same order as [width] */
	if (s->cols != (uint64_t)l->w->cfg.dim[in] && out == LEAT_D_ONE &&
	    s->cols * s->rows == (uint64_t)l->w->cfg.dim[in])
		s->rows = 1;
	else
		LEAT_TRY(prove_dim(l, s->t, "columns", in, s->cols));
	LEAT_TRY(prove_dim(l, s->t, "rows", out, s->rows));
	if (s->quant < 0 || leat_quant_at(s->quant)->block_elems != 1)
		return leat_fail(l->err, s->quant < 0 ? LEAT_E_UNSUPPORTED : LEAT_E_FORMAT, l->name, s->t->offset,
				 "%s: tensor '%s' is a vector of type %s, wanted F32, F16 or BF16", l->f->path, l->name,
				 leat_quant_type_name(s->t->type, type));
	size_t cols = (size_t)l->w->cfg.dim[in], n = cols * (size_t)s->rows;
	const struct leat_quant *fmt = leat_quant_at(s->quant);
	const unsigned char *data = (const unsigned char *)s->t->data +
				    (size_t)s->first * cols * (size_t)fmt->block_bytes;
	if (fmt->block_bytes == 4 && (uintptr_t)data % 4 == 0) {
		ret->data = (const float *)(const void *)data;
	} else {
		float *y = leat_arena_take_array(&l->w->arena, n, sizeof *y);
		if (!y)
			return no_memory(l);
		fmt->dequant(y, data, n);
		ret->data = y;
	}
	ret->name = "";
	ret->n = (int)n;
	ret->rows = (int)s->rows;
	l->w->n_params += n;
	l->w->read_bytes_per_token += n * (size_t)fmt->block_bytes;
	return LEAT_OK;
}

static enum leat_status absent(struct load *l, const struct leat_weight_decl *d, void *where)
{
	/* a head of its own that the file does not hold is missing */
	int is_apart = leat_file_meta(l->f, "config.tie_word_embeddings") && !leat_source_ties_head(l->f);
	if (d->flags & LEAT_W_TIED_TO_TABLE && l->w->table && !is_apart) {
		struct leat_weight *t = &l->w->all[l->w->table->index];
		t->multiplied = 1;
		((struct leat_linear *)where)->w = t;
		l->w->read_bytes_per_token += (uint64_t)t->rows * t->row_bytes;
		return LEAT_OK;
	}
	if (d->flags & LEAT_W_OPTIONAL || d->kind == LEAT_W_UNUSED || !d->name[l->f->source] ||
	    (d->flags & LEAT_W_NOT_FIRST && l->layer == 0))
		return LEAT_OK;
	return leat_fail(l->err, LEAT_E_FORMAT, l->name, LEAT_NO_OFFSET, "%s: tensor '%s' is missing", l->f->path,
			 l->name);
}

/* Which rows of tensor `t` declaration `d` of `table` takes. Of a fused tensor every share's rows must be known from
 * the settings, and the last share has to end where the tensor ends. */
static enum leat_status find_share(struct load *l, const struct leat_weight_decl *d,
				   const struct leat_weight_decl *table, int n, struct share *s)
{
	const char *name = d->name[l->f->source];
	const int *dim = l->w->cfg.dim;
	int fused = 0;
	uint64_t total = 0;
	s->quant = leat_quant_of_type(s->t->type);
	s->cols = s->t->dim[0];
	s->rows = s->t->dim[1] * s->t->dim[2] * s->t->dim[3]; /* the reader proved that the product fits */
	s->turned = leat_source_is_turned(name) && s->cols != (uint64_t)dim[d->in];
	for (int i = 0; i < n; i++) {
		if (!table[i].name[l->f->source] || strcmp(table[i].name[l->f->source], name))
			continue;
		s->first = &table[i] == d ? total : s->first;
		fused += &table[i] != d;
		total += (uint64_t)dim[table[i].out];
	}
	if (s->turned) {
		s->rows = s->t->dim[0];
		s->cols = s->t->dim[1];
	}
	if (!fused)
		return LEAT_OK;
	if (total != s->rows)
		return leat_fail(l->err, LEAT_E_FORMAT, l->name, s->t->offset,
				 "%s: tensor '%s' has rows %llu, wanted %llu: the sum of its parts", l->f->path,
				 l->name, (unsigned long long)s->rows, (unsigned long long)total);
	s->rows = (uint64_t)dim[d->out];
	return LEAT_OK;
}

static enum leat_status load_one(struct load *l, const struct leat_weight_decl *d, const struct leat_weight_decl *table,
				 int n, unsigned char *base)
{
	void *where = base + d->offset;
	struct share s = { 0 };
	leat_source_name(l->f->source, l->layer, d->name[l->f->source], l->name, sizeof l->name);
	s.t = d->name[l->f->source] ? leat_file_tensor(l->f, l->name) : NULL;
	if (!s.t)
		return absent(l, d, where);
	l->taken[s.t - l->f->tensor] = 1;
	/* Converted RWKV-7 files carry a copy of another tensor here, of another shape: not looked at, not bound. */
	if (d->kind == LEAT_W_UNUSED || (d->flags & LEAT_W_NOT_FIRST && l->layer == 0))
		return LEAT_OK;
	if (d->flags & LEAT_W_TIED_TO_TABLE && leat_source_ties_head(l->f))
		return absent(l, d, where);
	LEAT_TRY(find_share(l, d, table, n, &s));
	const struct leat_weight *m;
	switch (d->kind) {
	case LEAT_W_LINEAR:
		return add_matrix(l, &s, d, &((struct leat_linear *)where)->w);
	case LEAT_W_TABLE:
		LEAT_TRY(add_matrix(l, &s, d, &m));
		*(const struct leat_weight **)where = l->w->table = m;
		return LEAT_OK;
	case LEAT_W_BIAS:
		return add_vector(l, &s, d->in, LEAT_D_ONE, &((struct leat_linear *)where)->bias);
	case LEAT_W_VECTOR:
		return add_vector(l, &s, d->in, d->out, where);
	case LEAT_W_UNUSED:
		break;
	}
	return LEAT_OK;
}

/* A tensor of a block that does not exist would be silently ignored: the file and its number of blocks disagree. */
static enum leat_status check_strays(struct load *l)
{
	for (uint64_t i = 0; i < l->f->n_tensors; i++) {
		const struct leat_str *n = &l->f->tensor[i].name;
		if (l->taken[i])
			continue;
		leat_escape(l->name, sizeof l->name, n->s, (size_t)n->n);
		if (leat_source_layer_of(l->f->source, *n) >= l->w->cfg.n_layer)
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
		LEAT_TRY(load_one(l, &a->top[i], a->top, a->n_top, w->top));
	for (l->layer = 0; l->layer < w->cfg.n_layer; l->layer++)
		for (int i = 0; i < a->n_layer; i++)
			LEAT_TRY(load_one(l, &a->layer[i], a->layer, a->n_layer,
					  w->layers + (size_t)l->layer * a->layer_size));
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
	LEAT_TRY(leat_source_arch(f, &w->arch, err));
	w->cfg.dim[LEAT_D_ONE] = 1;
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
	LEAT_TRY(leat_rope_settle(&w->cfg, f, &w->arena, err));
	resolve_state(w);
	return LEAT_OK;
}

void leat_weights_deinit(struct leat_weights *w)
{
	leat_arena_deinit(&w->arena);
	leat_file_close(w->file);
	*w = (struct leat_weights){ 0 };
}
