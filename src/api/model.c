/* model.c - leat_model_*: open, describe, text. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/meminfo.h"
#include "model/source.h"
#include "quant/quant.h"

#ifndef LEAT_VERSION
#define LEAT_VERSION "0.1.0"
#endif

const char *leat_version(void)
{
	return LEAT_VERSION;
}

int32_t leat_abi_version(void)
{
	return LEAT_ABI_VERSION;
}

const char *leat_build_info(void)
{
#if defined(__clang__)
	return "leat " LEAT_VERSION ", clang " __clang_version__;
#else
	return "leat " LEAT_VERSION ", gcc " __VERSION__;
#endif
}

void leat_free(void *p)
{
	free(p);
}

enum leat_status leat_params_take(void *dst, size_t known, const void *params, struct leat_error *err)
{
	uint32_t size;
	if (!params)
		return LEAT_OK;
	memcpy(&size, params, sizeof size);
	if (size < sizeof size)
		return leat_fail(err, LEAT_E_ABI, "struct_size", LEAT_NO_OFFSET,
				 "struct_size is %u: initialise with the _INIT macro", size);
	for (size_t i = known; i < size; i++)
		if (((const unsigned char *)params)[i])
			return leat_fail(err, LEAT_E_ABI, "struct_size", LEAT_NO_OFFSET,
					 "the caller sets a field that this library (version %s) does not know",
					 LEAT_VERSION);
	memcpy(dst, params, size < known ? size : known);
	return LEAT_OK;
}

enum leat_status leat_flags_check(const char *field, uint32_t flags, uint32_t known, struct leat_error *err)
{
	if (flags & ~known)
		return leat_fail(err, LEAT_E_ARG, field, LEAT_NO_OFFSET,
				 "%s is 0x%x, of which this library (version %s) does not know 0x%x", field, flags,
				 LEAT_VERSION, flags & ~known);
	return LEAT_OK;
}

enum leat_status leat_reserved_check(const char *field, int32_t value, struct leat_error *err)
{
	if (value)
		return leat_fail(err, LEAT_E_ARG, field, LEAT_NO_OFFSET, "%s is %d, wanted 0: it means nothing yet",
				 field, value);
	return LEAT_OK;
}

void leat_info_give(void *ret, const void *src, size_t known)
{
	uint32_t size;
	memcpy(&size, ret, sizeof size);
	size_t n = size < known ? size : known;
	memcpy(ret, src, n);
	if (n >= sizeof size)
		memcpy(ret, &size, sizeof size);
}

/* The file's own vocabulary, or the one that the caller names for files that carry none. */
static enum leat_status open_vocab(struct leat_model *m, const char *path, struct leat_error *err)
{
	if (path)
		LEAT_TRY(leat_vocab_from_path(path, &m->vocab, err));
	else
		LEAT_TRY(leat_vocab_from_file(m->w.file, &m->vocab, err));
	m->max_token_bytes = 0;
	struct leat_detok d;
	leat_detok_init(&d, m->vocab, 1);
	for (int i = 0; i < leat_vocab_size(m->vocab); i++) {
		size_t n = leat_detok_bound(&d, i);
		m->max_token_bytes = n > m->max_token_bytes ? n : m->max_token_bytes;
	}
	return LEAT_OK;
}

static enum leat_status report(const struct leat_model_params *p, const char *phase, uint64_t done, uint64_t total,
			       struct leat_error *err)
{
	if (p->progress && p->progress(p->progress_user, phase, done, total))
		return leat_fail(err, LEAT_E_CANCELLED, "", LEAT_NO_OFFSET, "loading was cancelled");
	return LEAT_OK;
}

struct loading {
	const struct leat_model_params *p;
	uint64_t done, total;
};

static int on_bytes(void *user, uint64_t bytes)
{
	struct loading *l = user;
	l->done = l->done + bytes < l->total ? l->done + bytes : l->total;
	return l->p->progress && l->p->progress(l->p->progress_user, "weights", l->done, l->total);
}

/* Before anything looks at the weights, so that no page comes twice. */
static enum leat_status load_bytes(struct leat_file *f, const struct leat_model_params *p, struct leat_error *err)
{
	static const enum leat_map_how how[] = {
		[LEAT_LOAD_MMAP] = LEAT_MAP_POPULATE,
		[LEAT_LOAD_READ] = LEAT_MAP_READ,
		[LEAT_LOAD_DIRECT] = LEAT_MAP_DIRECT,
		[LEAT_LOAD_MLOCK] = LEAT_MAP_LOCK,
	};
	struct loading l = { p, 0, leat_file_tensor_bytes(f) };
	uint64_t total, avail;
	LEAT_TRY(report(p, "weights", 0, l.total, err));
	if (p->load_mode == LEAT_LOAD_AUTO) {
		leat_meminfo(&total, &avail);
		if (l.total < avail)
			leat_file_will_need(f);
	} else if (p->load_mode != LEAT_LOAD_LAZY) {
		LEAT_TRY(leat_file_load(f, how[p->load_mode], on_bytes, &l, err));
	}
	return LEAT_OK;
}

static enum leat_status open_parts(struct leat_model *m, const char *path, const struct leat_model_params *p,
				   struct leat_error *err)
{
	struct leat_file *f;
	LEAT_TRY(report(p, "open", 0, 1, err));
	LEAT_TRY(leat_file_open(path, &f, err));
	m->w.file = f;
	if (f->is_adapter) {
		leat_fail(err, LEAT_E_UNSUPPORTED, "path", LEAT_NO_OFFSET,
			  "%s: this is a LoRA adapter, wanted the model that it belongs to", path);
		leat_err_code(err, "unsupported_model");
		return LEAT_E_UNSUPPORTED;
	}
	/* First: a model that cannot run has often a vocabulary that leat does not know either. */
	m->vocab_only = (p->flags & LEAT_MODEL_VOCAB_ONLY) != 0;
	const struct leat_arch *arch;
	if (!m->vocab_only)
		LEAT_TRY(leat_source_arch(f, &arch, err));
	uint64_t size = leat_file_bytes(f);
	LEAT_TRY(report(p, "vocabulary", 0, size, err));
	LEAT_TRY(open_vocab(m, p->tokenizer, err));
	if (m->vocab_only)
		return leat_model_choose_chat(m, err);
	LEAT_TRY(load_bytes(f, p, err));
	LEAT_TRY(leat_weights_load(&m->w, f, err));
	if (leat_vocab_size(m->vocab) > m->w.table->rows)
		return leat_fail(err, LEAT_E_FORMAT, "tokenizer.ggml.tokens", LEAT_NO_OFFSET,
				 "%s: the vocabulary has %d tokens and tensor '%s' only %d rows", path,
				 leat_vocab_size(m->vocab), m->w.table->name, m->w.table->rows);
	LEAT_TRY(leat_model_choose_chat(m, err));
	return report(p, "weights", size, size, err);
}

enum leat_status leat_model_open(const char *path, const struct leat_model_params *params, struct leat_model **ret,
				 struct leat_error *err)
{
	struct leat_model_params p = LEAT_MODEL_PARAMS_INIT;
	LEAT_TRY(leat_params_take(&p, sizeof p, params, err));
	if (!path || !*path)
		return leat_fail(err, LEAT_E_ARG, "path", LEAT_NO_OFFSET, "no model file given");
	LEAT_TRY(leat_flags_check("flags", p.flags, LEAT_MODEL_VOCAB_ONLY, err));
	LEAT_TRY(leat_reserved_check("reserved0", p.reserved0, err));
	if (p.load_mode < LEAT_LOAD_AUTO || p.load_mode > LEAT_LOAD_MLOCK)
		return leat_fail(err, LEAT_E_ARG, "load_mode", LEAT_NO_OFFSET, "load_mode is %d, wanted %d to %d",
				 p.load_mode, LEAT_LOAD_AUTO, LEAT_LOAD_MLOCK);
	struct leat_model *m = calloc(1, sizeof *m);
	if (!m)
		return leat_fail(err, LEAT_E_NOMEM, "model", LEAT_NO_OFFSET, "out of memory");
	atomic_init(&m->refs, 1);
	enum leat_status st = open_parts(m, path, &p, err);
	if (st != LEAT_OK) {
		leat_model_unref(m);
		return st;
	}
	*ret = m;
	return LEAT_OK;
}

struct leat_model *leat_model_ref(struct leat_model *m)
{
	atomic_fetch_add(&m->refs, 1);
	return m;
}

void leat_model_unref(struct leat_model *m)
{
	if (!m || atomic_fetch_sub(&m->refs, 1) != 1)
		return;
	leat_model_forget_chat(m);
	leat_vocab_destroy(m->vocab);
	leat_weights_deinit(&m->w);
	free(atomic_load(&m->points));
	free(m);
}

/* The format that most of the weights' bytes are in. */
static const char *main_type(const struct leat_weights *w)
{
	uint64_t bytes[LEAT_QUANT_COUNT] = { 0 };
	int best = 0;
	for (int i = 0; i < w->n_all; i++)
		bytes[w->all[i].quant] += (uint64_t)w->all[i].rows * w->all[i].row_bytes;
	for (int q = 1; q < LEAT_QUANT_COUNT; q++)
		if (bytes[q] > bytes[best])
			best = q;
	return leat_quant_at(best)->name;
}

static void copy_text(char *dst, size_t cap, const char *src)
{
	leat_escape(dst, cap, src, strlen(src));
}

static void describe_weights(const struct leat_weights *w, struct leat_model_info *r)
{
	const int *dim = w->cfg.dim;
	copy_text(r->arch, sizeof r->arch, w->arch->name);
	copy_text(r->type, sizeof r->type, main_type(w));
	r->n_params = w->n_params;
	r->read_bytes_per_token = w->read_bytes_per_token;
	r->kv_bytes_per_token = leat_store_token_bytes(w->spec, w->arch->n_state, w->cfg.n_layer, LEAT_STORE_F16);
	r->state_bytes = leat_store_cell_bytes(w->spec, w->arch->n_state, w->cfg.n_layer);
	r->recurrent = r->kv_bytes_per_token == 0;
	r->n_layer = w->cfg.n_layer;
	r->n_embd = dim[LEAT_D_EMBD];
	r->n_ff = dim[LEAT_D_FF];
	r->n_head = dim[LEAT_D_HEADS];
	r->n_kv_head = dim[LEAT_D_KV_HEADS] ? dim[LEAT_D_KV_HEADS] : dim[LEAT_D_HEADS];
	r->head_size = dim[LEAT_D_HEAD];
	r->n_rows = w->table->rows;
	r->n_ctx_train = w->cfg.n_ctx;
	r->window = w->cfg.window;
	r->n_ctx_short = w->cfg.rope_short_ctx;
}

enum leat_status leat_model_get_info(const struct leat_model *m, struct leat_model_info *info)
{
	struct leat_model_info r = { .struct_size = sizeof r };
	struct leat_str name;
	r.file_bytes = leat_file_bytes(m->w.file);
	if (leat_meta_string(m->w.file, "general.name", &name, NULL) == LEAT_OK)
		leat_escape(r.name, sizeof r.name, name.s, (size_t)name.n);
	if (!m->vocab_only)
		describe_weights(&m->w, &r);
	r.n_vocab = leat_vocab_size(m->vocab);
	r.bos = leat_vocab_bos(m->vocab);
	r.eos = leat_vocab_eos(m->vocab);
	r.space_prefix = leat_vocab_space_prefix(m->vocab);
	copy_text(r.tokenizer, sizeof r.tokenizer, leat_vocab_kind(m->vocab));
	leat_info_give(info, &r, sizeof r);
	return LEAT_OK;
}

enum leat_status leat_model_tokenize(const struct leat_model *m, const char *text, size_t n, unsigned flags,
				     int32_t **ret_ids, size_t *ret_n, struct leat_error *err)
{
	LEAT_TRY(leat_flags_check("flags", flags, LEAT_TEXT_SPECIAL | LEAT_TEXT_PARSE_SPECIAL, err));
	unsigned f = (flags & LEAT_TEXT_SPECIAL ? LEAT_TOK_SPECIAL : 0u) |
		     (flags & LEAT_TEXT_PARSE_SPECIAL ? LEAT_TOK_PARSE_SPECIAL : 0u);
	return leat_tokenize(m->vocab, text, n, f, ret_ids, ret_n, err);
}

enum leat_status leat_model_detokenize(const struct leat_model *m, const int32_t *ids, size_t n, unsigned flags,
				       char **ret_text, size_t *ret_bytes, struct leat_error *err)
{
	struct leat_detok d;
	size_t cap = 5, used = 0;
	LEAT_TRY(leat_flags_check("flags", flags, LEAT_TEXT_SPECIAL, err));
	leat_detok_init_text(&d, m->vocab, (flags & LEAT_TEXT_SPECIAL) != 0);
	for (size_t i = 0; i < n; i++) {
		if (ids[i] < 0 || ids[i] >= leat_vocab_size(m->vocab))
			return leat_fail(err, LEAT_E_ARG, "ids", LEAT_NO_OFFSET, "token %zu is %d, wanted 0 to %d", i,
					 ids[i], leat_vocab_size(m->vocab) - 1);
		cap += leat_detok_bound(&d, ids[i]) + 4;
	}
	char *text = malloc(cap);
	if (!text)
		return leat_fail(err, LEAT_E_NOMEM, "text", LEAT_NO_OFFSET, "out of memory");
	for (size_t i = 0; i < n; i++)
		used += leat_detok_next(&d, ids[i], text + used, cap - used);
	used += leat_detok_flush(&d, text + used, cap - used);
	text[used] = 0;
	*ret_text = text;
	*ret_bytes = used;
	return LEAT_OK;
}

const unsigned char *leat_model_token_bytes(const struct leat_model *m, int32_t id, size_t *ret_n)
{
	if (id < 0 || id >= leat_vocab_size(m->vocab))
		return NULL;
	return leat_vocab_bytes(m->vocab, id, 1, ret_n);
}
