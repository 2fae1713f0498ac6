/* From the metadata of a model file to what a vocabulary is built from. */
#include <stdlib.h>
#include <string.h>

#include "text/pipe.h"

static const char tokens_key[] = "tokenizer.ggml.tokens", kinds_key[] = "tokenizer.ggml.token_type";
static const char merges_key[] = "tokenizer.ggml.merges", pre_key[] = "tokenizer.ggml.pre";
static const char scores_key[] = "tokenizer.ggml.scores", model_key[] = "tokenizer.ggml.model";

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

static enum leat_status load_pretok(const struct leat_file *f, struct leat_vocab_spec *s, struct leat_pipe *pipe,
				    struct leat_error *err)
{
	struct leat_str name = {"", 0};
	if (leat_file_meta(f, pre_key))
		LEAT_TRY(leat_meta_string(f, pre_key, &name, err));
	enum leat_status st = leat_pre_set(name, s, pipe, err);
	if (st != LEAT_E_UNSUPPORTED)
		return st;
	char shown[64], names[512];
	leat_escape(shown, sizeof(shown), name.s, (size_t)name.n);
	leat_pre_names(names, sizeof(names));
	return leat_fail(err, LEAT_E_UNSUPPORTED, pre_key, LEAT_NO_OFFSET,
			 "%s: found '%s'%s; leat knows the pre-tokenizers %s", pre_key, shown,
			 leat_file_meta(f, pre_key) ? "" : " (the key is missing)", names);
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

/* *ret is heap memory. */
static enum leat_status load_scores(const struct leat_file *f, size_t n, float **ret, struct leat_error *err)
{
	const struct leat_meta *m;
	LEAT_TRY(leat_meta_floats_opt(f, scores_key, &m, err));
	if (!m || m->count != n)
		return leat_fail(err, LEAT_E_FORMAT, scores_key, m ? m->offset : LEAT_NO_OFFSET,
				 "%s: found %llu entries, wanted %zu, one for each token", scores_key,
				 m ? (unsigned long long)m->count : 0, n);
	float *scores = malloc(n * sizeof(*scores));
	if (!scores)
		return leat_fail(err, LEAT_E_NOMEM, scores_key, LEAT_NO_OFFSET, "no memory for the vocabulary");
	for (size_t i = 0; i < n; i++)
		scores[i] = leat_meta_float_at(m, i);
	*ret = scores;
	return LEAT_OK;
}

/* Phi-3's tokens of turns take the white space after them along, which its published tokenizer says of each and GGUF
 * has no key for; the three that are older than it do not. *ret is heap memory. */
static enum leat_status phi3_flags(const struct leat_vocab_spec *s, unsigned char **ret, struct leat_error *err)
{
	static const char *const plain[] = {"<unk>", "<s>", "<|endoftext|>"};
	unsigned char *flags = calloc(s->n_tokens, 1);
	if (!flags)
		return leat_fail(err, LEAT_E_NOMEM, kinds_key, LEAT_NO_OFFSET, "no memory for the vocabulary");
	for (size_t i = 0; s->kinds && i < s->n_tokens; i++) {
		int kind = s->kinds[i], strip = kind >= LEAT_TOKEN_UNKNOWN && kind <= LEAT_TOKEN_USER;
		for (size_t k = 0; k < sizeof(plain) / sizeof(plain[0]); k++)
			strip &= s->tokens[i].n != strlen(plain[k]) ||
				 memcmp(s->tokens[i].s, plain[k], strlen(plain[k])) != 0;
		flags[i] = strip ? LEAT_ADDED_RSTRIP : 0;
	}
	*ret = flags;
	return LEAT_OK;
}

/* What SentencePiece's models may ask for and leat does not do is refused, not left out. */
static enum leat_status load_spm(const struct leat_file *f, struct leat_vocab_spec *s, struct leat_error *err)
{
	static const char squeeze[] = "tokenizer.ggml.remove_extra_whitespaces";
	static const char map[] = "tokenizer.ggml.precompiled_charsmap";
	int prefix, remove;
	const struct leat_meta *m = leat_file_meta(f, map);
	LEAT_TRY(leat_meta_bool_opt(f, "tokenizer.ggml.add_space_prefix", 1, &prefix, err));
	LEAT_TRY(leat_meta_bool_opt(f, squeeze, 0, &remove, err));
	if (remove || (m && m->type == LEAT_META_ARRAY && m->count))
		return leat_fail(err, LEAT_E_UNSUPPORTED, remove ? squeeze : map, LEAT_NO_OFFSET,
				 "%s: found %s, which leat does not know for the tokenizer model llama",
				 remove ? squeeze : map, remove ? "true" : "a table");
	s->metaspace = 1;
	s->prefix = prefix ? LEAT_PREFIX_ALWAYS : LEAT_PREFIX_NEVER;
	s->drop_space = prefix;
	return LEAT_OK;
}

static enum leat_status load_special(const struct leat_file *f, struct leat_vocab_spec *s, struct leat_error *err)
{
	static const char *const ends[] = {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
	int id, rwkv = s->kind == LEAT_VOCAB_RWKV, spm = s->kind == LEAT_VOCAB_SPM, three = spm && s->n_tokens > 2;
	/* SentencePiece's own defaults: 0 unknown, 1 begin, 2 end. */
	LEAT_TRY(load_id(f, "tokenizer.ggml.bos_token_id", s, three ? 1 : -1, &s->bos, err));
	LEAT_TRY(load_id(f, "tokenizer.ggml.eos_token_id", s, rwkv ? 0 : three ? 2 : -1, &s->eos, err));
	LEAT_TRY(load_id(f, "tokenizer.ggml.unknown_token_id", s, spm ? 0 : -1, &id, err));
	s->unk = id + 1;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		LEAT_TRY(load_id(f, ends[i], s, -1, &id, err));
		if (id >= 0)
			s->ends[s->n_ends++] = id;
	}
	if (rwkv)
		s->ends[s->n_ends++] = 0;
	LEAT_TRY(leat_meta_bool_opt(f, "tokenizer.ggml.add_bos_token", spm || s->add_bos, &s->add_bos, err));
	return leat_meta_bool_opt(f, "tokenizer.ggml.add_eos_token", 0, &s->add_eos, err);
}

static enum leat_status load_model(const struct leat_file *f, struct leat_vocab_spec *s, struct leat_error *err)
{
	static const struct {
		const char *name;
		enum leat_vocab_kind_id kind;
	} known[] = {{"gpt2", LEAT_VOCAB_BPE}, {"llama", LEAT_VOCAB_SPM}, {"rwkv", LEAT_VOCAB_RWKV}};
	struct leat_str name;
	LEAT_TRY(leat_meta_string(f, model_key, &name, err));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (name.n != strlen(known[i].name) || memcmp(name.s, known[i].name, (size_t)name.n) != 0)
			continue;
		s->kind = known[i].kind;
		return LEAT_OK;
	}
	char shown[64];
	leat_escape(shown, sizeof(shown), name.s, (size_t)name.n);
	return leat_fail(err, LEAT_E_UNSUPPORTED, model_key, LEAT_NO_OFFSET,
			 "%s: found '%s'; leat knows gpt2 (byte-level BPE), llama (SentencePiece BPE) and rwkv",
			 model_key, shown);
}

/* Heap memory that a spec points to. */
struct held {
	unsigned char *kinds, *flags;
	float *scores;
	struct leat_pipe *pipe;
};

static enum leat_status load(const struct leat_file *f, struct leat_vocab **ret, struct held *held,
			     struct leat_error *err)
{
	struct leat_vocab_spec s = {0};
	struct leat_str arch = {"", 0};
	LEAT_TRY(load_model(f, &s, err));
	LEAT_TRY(load_tokens(f, &s, err));
	if (s.kind == LEAT_VOCAB_BPE) {
		held->pipe = calloc(1, sizeof(*held->pipe));
		if (!held->pipe)
			return leat_fail(err, LEAT_E_NOMEM, pre_key, LEAT_NO_OFFSET, "no memory for the vocabulary");
		LEAT_TRY(load_pretok(f, &s, held->pipe, err));
		LEAT_TRY(load_merges(f, &s, err));
	}
	LEAT_TRY(load_special(f, &s, err));
	LEAT_TRY(load_kinds(f, s.n_tokens, &held->kinds, err));
	s.kinds = held->kinds;
	if (s.kind == LEAT_VOCAB_SPM) {
		LEAT_TRY(load_spm(f, &s, err));
		LEAT_TRY(load_scores(f, s.n_tokens, &held->scores, err));
		s.scores = held->scores;
		if (leat_file_meta(f, "general.architecture"))
			LEAT_TRY(leat_meta_string(f, "general.architecture", &arch, err));
		if (arch.n == 4 && memcmp(arch.s, "phi3", 4) == 0)
			LEAT_TRY(phi3_flags(&s, &held->flags, err));
		s.flags = held->flags;
	}
	LEAT_TRY(leat_vocab_build(&s, ret, err));
	if (s.kind == LEAT_VOCAB_BPE && !s.pretok) {
		(*ret)->pipe = held->pipe;
		held->pipe = NULL;
	}
	return LEAT_OK;
}

enum leat_status leat_vocab_from_gguf(const struct leat_file *f, struct leat_vocab **ret, struct leat_error *err)
{
	struct held held = {0};
	enum leat_status st = load(f, ret, &held, err);
	free(held.kinds);
	free(held.flags);
	free(held.scores);
	leat_pipe_destroy(held.pipe);
	return st;
}
