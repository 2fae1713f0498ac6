/* From the metadata of a model file to what a vocabulary is built from. */
#include <stdlib.h>
#include <string.h>

#include "text/vocab.h"

static const char tokens_key[] = "tokenizer.ggml.tokens", kinds_key[] = "tokenizer.ggml.token_type";
static const char merges_key[] = "tokenizer.ggml.merges", pre_key[] = "tokenizer.ggml.pre";

static enum leat_status missing(const char *key, struct leat_error *err)
{
	return leat_fail(err, LEAT_E_FORMAT, key, LEAT_NO_OFFSET, "%s: found nothing, wanted an array of strings", key);
}

static enum leat_status load_tokens(const struct leat_file *f, struct leat_vocab_spec *s, struct leat_error *err)
{
	const struct leat_meta *m;
	LEAT_TRY(leat_meta_strings_opt(f, tokens_key, &m, err));
	if (!m)
		return missing(tokens_key, err);
	if (m->count == 0 || m->count > LEAT_MAX_VOCAB)
		return leat_fail(err, m->count ? LEAT_E_LIMIT : LEAT_E_FORMAT, tokens_key, m->offset,
				 "%s: found %llu tokens, wanted 1 to %d", tokens_key, (unsigned long long)m->count,
				 LEAT_MAX_VOCAB);
	s->tokens = m->v.strs;
	s->n_tokens = (size_t)m->count;
	return LEAT_OK;
}

/* *ret is heap memory, or NULL where the file does not tell kinds. */
static enum leat_status load_kinds(const struct leat_file *f, size_t n, unsigned char **ret, struct leat_error *err)
{
	const struct leat_meta *m;
	LEAT_TRY(leat_meta_ints_opt(f, kinds_key, &m, err));
	if (!m)
		return LEAT_OK;
	if (m->count != n)
		return leat_fail(err, LEAT_E_FORMAT, kinds_key, m->offset,
				 "%s: found %llu entries, wanted %zu, one for each token", kinds_key,
				 (unsigned long long)m->count, n);
	unsigned char *kinds = malloc(n);
	if (!kinds)
		return leat_fail(err, LEAT_E_NOMEM, kinds_key, LEAT_NO_OFFSET, "no memory for the vocabulary");
	for (size_t i = 0; i < n; i++) {
		int64_t kind = leat_meta_int_at(m, i);
		if (kind < LEAT_TOKEN_NORMAL || kind > LEAT_TOKEN_BYTE) {
			free(kinds);
			return leat_fail(err, LEAT_E_FORMAT, kinds_key, m->offset,
					 "%s: token %zu: found %lld, wanted 1 to 6", kinds_key, i, (long long)kind);
		}
		kinds[i] = (unsigned char)kind;
	}
	*ret = kinds;
	return LEAT_OK;
}

static enum leat_status load_pretok(const struct leat_file *f, struct leat_vocab_spec *s, struct leat_error *err)
{
	struct leat_str name = {"default", 7};
	if (leat_file_meta(f, pre_key))
		LEAT_TRY(leat_meta_string(f, pre_key, &name, err));
	s->pretok = leat_pretok_find(name.s, (size_t)name.n);
	if (s->pretok)
		return LEAT_OK;
	char shown[64];
	leat_escape(shown, sizeof(shown), name.s, (size_t)name.n);
	return leat_fail(err, LEAT_E_UNSUPPORTED, pre_key, LEAT_NO_OFFSET,
			 "%s: found '%s'%s; leat knows the pre-tokenizers %s", pre_key, shown,
			 leat_file_meta(f, pre_key) ? "" : " (the key is missing)", leat_pretok_names());
}

static enum leat_status load_merges(const struct leat_file *f, struct leat_vocab_spec *s, struct leat_error *err)
{
	const struct leat_meta *m;
	LEAT_TRY(leat_meta_strings_opt(f, merges_key, &m, err));
	if (!m)
		return missing(merges_key, err);
	s->merges = m->v.strs;
	s->n_merges = (size_t)m->count;
	return LEAT_OK;
}

static enum leat_status load_id(const struct leat_file *f, const char *key, const struct leat_vocab_spec *s, int dflt,
				int *ret, struct leat_error *err)
{
	int64_t id;
	LEAT_TRY(leat_meta_int_opt(f, key, 0, (int64_t)s->n_tokens - 1, dflt, &id, err));
	*ret = (int)id;
	return LEAT_OK;
}

static enum leat_status load_special(const struct leat_file *f, struct leat_vocab_spec *s, struct leat_error *err)
{
	static const char *const ends[] = {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
	int id, rwkv = s->kind == LEAT_VOCAB_RWKV;
	LEAT_TRY(load_id(f, "tokenizer.ggml.bos_token_id", s, -1, &s->bos, err));
	LEAT_TRY(load_id(f, "tokenizer.ggml.eos_token_id", s, rwkv ? 0 : -1, &s->eos, err));
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		LEAT_TRY(load_id(f, ends[i], s, -1, &id, err));
		if (id >= 0)
			s->ends[s->n_ends++] = id;
	}
	if (rwkv)
		s->ends[s->n_ends++] = 0;
	LEAT_TRY(leat_meta_bool_opt(f, "tokenizer.ggml.add_bos_token", s->pretok && s->pretok->add_bos, &s->add_bos,
				    err));
	return leat_meta_bool_opt(f, "tokenizer.ggml.add_eos_token", 0, &s->add_eos, err);
}

static enum leat_status load_model(const struct leat_file *f, struct leat_vocab_spec *s, struct leat_error *err)
{
	static const char key[] = "tokenizer.ggml.model";
	struct leat_str name;
	LEAT_TRY(leat_meta_string(f, key, &name, err));
	if (name.n == 4 && memcmp(name.s, "gpt2", 4) == 0) {
		s->kind = LEAT_VOCAB_BPE;
		return LEAT_OK;
	}
	if (name.n == 4 && memcmp(name.s, "rwkv", 4) == 0) {
		s->kind = LEAT_VOCAB_RWKV;
		return LEAT_OK;
	}
	char shown[64];
	leat_escape(shown, sizeof(shown), name.s, (size_t)name.n);
	return leat_fail(err, LEAT_E_UNSUPPORTED, key, LEAT_NO_OFFSET,
			 "%s: found '%s'; leat knows gpt2 (byte-level BPE) and rwkv", key, shown);
}

static enum leat_status load(const struct leat_file *f, struct leat_vocab **ret, unsigned char **kinds,
			     struct leat_error *err)
{
	struct leat_vocab_spec s = {0};
	LEAT_TRY(load_model(f, &s, err));
	LEAT_TRY(load_tokens(f, &s, err));
	if (s.kind == LEAT_VOCAB_BPE) {
		LEAT_TRY(load_pretok(f, &s, err));
		LEAT_TRY(load_merges(f, &s, err));
	}
	LEAT_TRY(load_special(f, &s, err));
	LEAT_TRY(load_kinds(f, s.n_tokens, kinds, err));
	s.kinds = *kinds;
	return leat_vocab_build(&s, ret, err);
}

enum leat_status leat_vocab_from_file(const struct leat_file *f, struct leat_vocab **ret, struct leat_error *err)
{
	unsigned char *kinds = NULL;
	enum leat_status st = load(f, ret, &kinds, err);
	free(kinds);
	if (st != LEAT_OK && f->path)
		leat_err_prefix(err, f->path);
	return st;
}
