#include "text/tokjson.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char vocab_key[] = "model.vocab", merges_key[] = "model.merges", added_key[] = "added_tokens",
		  post_key[] = "post_processor";

/* A value as a short line of JSON, for messages. */
static void show(json_t *found, char *dst, size_t cap)
{
	const size_t flags = JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII;
	char text[64];
	size_t n = found ? json_dumpb(found, text, sizeof(text), flags) : 0;
	if (n == 0)
		leat_escape(dst, cap, "nothing", 7);
	else if (n <= sizeof(text))
		leat_escape(dst, cap, text, n);
	else
		leat_escape(dst, cap, "something long", 14);
}

enum leat_status leat_tokjson_unknown(const char *where, const char *what, json_t *found, struct leat_error *err)
{
	char shown[96];
	show(found, shown, sizeof(shown));
	return leat_fail(err, LEAT_E_UNSUPPORTED, where, LEAT_NO_OFFSET,
			 "%s: found the %s %s, which leat does not know", where, what, shown);
}

enum leat_status leat_tokjson_bad(const char *where, json_t *found, const char *wanted, struct leat_error *err)
{
	char shown[96];
	show(found, shown, sizeof(shown));
	return leat_fail(err, LEAT_E_FORMAT, where, LEAT_NO_OFFSET, "%s: found %s, wanted %s", where, shown, wanted);
}

enum leat_status leat_tokjson_bool(json_t *o, const char *key, int dflt, int *ret, struct leat_error *err)
{
	json_t *b = json_object_get(o, key);
	if (b && !json_is_null(b) && !json_is_boolean(b))
		return leat_tokjson_bad(key, b, "true or false", err);
	*ret = json_is_boolean(b) ? json_is_true(b) : dflt;
	return LEAT_OK;
}

enum leat_status leat_tokjson_str(json_t *o, const char *key, struct leat_str *ret, struct leat_error *err)
{
	json_t *s = json_object_get(o, key);
	if (s && !json_is_null(s) && !json_is_string(s))
		return leat_tokjson_bad(key, s, "a string", err);
	*ret = (struct leat_str){"", 0};
	if (json_is_string(s))
		*ret = (struct leat_str){json_string_value(s), json_string_length(s)};
	return LEAT_OK;
}

struct reader {
	json_t *root, *model, *vocab, *added;
	struct leat_vocab_spec spec;
	struct leat_str *tokens, *pairs;
	unsigned char *kinds, *flags;
	int byte_fallback;
};

static enum leat_status no_memory(struct leat_error *err)
{
	return leat_fail(err, LEAT_E_NOMEM, vocab_key, LEAT_NO_OFFSET, "no memory for the vocabulary");
}

static enum leat_status read_id(json_t *value, const char *where, size_t *ret, struct leat_error *err)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) >= LEAT_MAX_VOCAB)
		return leat_tokjson_bad(where, value, "an id from 0 to 1048575", err);
	*ret = (size_t)json_integer_value(value);
	return LEAT_OK;
}

/* The table is as long as the largest id; what no token takes stays unused. */
static enum leat_status make_table(struct reader *r, struct leat_error *err)
{
	size_t n = 0, id, i;
	const char *key;
	json_t *value;
	json_object_foreach(r->vocab, key, value) {
		LEAT_TRY(read_id(value, vocab_key, &id, err));
		n = id >= n ? id + 1 : n;
	}
	json_array_foreach(r->added, i, value) {
		LEAT_TRY(read_id(json_object_get(value, "id"), added_key, &id, err));
		n = id >= n ? id + 1 : n;
	}
	if (n == 0)
		return leat_tokjson_bad(vocab_key, r->vocab, "at least one token", err);
	r->tokens = calloc(n, sizeof(*r->tokens));
	r->kinds = malloc(n);
	r->flags = calloc(n, 1);
	if (!r->tokens || !r->kinds || !r->flags)
		return no_memory(err);
	memset(r->kinds, LEAT_TOKEN_UNUSED, n);
	r->spec.n_tokens = n;
	r->spec.tokens = r->tokens;
	r->spec.kinds = r->kinds;
	r->spec.flags = r->flags;
	return LEAT_OK;
}

static int is_byte_token(struct leat_str s)
{
	return s.n == 6 && memcmp(s.s, "<0x", 3) == 0 && isxdigit((unsigned char)s.s[3]) &&
	       isxdigit((unsigned char)s.s[4]) && s.s[5] == '>';
}

static enum leat_status two_tokens(const char *where, size_t id, struct leat_str a, struct leat_str b,
				   struct leat_error *err)
{
	char first[64], second[64];
	leat_escape(first, sizeof(first), a.s, (size_t)a.n);
	leat_escape(second, sizeof(second), b.s, (size_t)b.n);
	return leat_fail(err, LEAT_E_FORMAT, where, LEAT_NO_OFFSET, "%s: id %zu: found '%s' and '%s', wanted one token",
			 where, id, first, second);
}

static enum leat_status read_vocab(struct reader *r, struct leat_error *err)
{
	for (void *it = json_object_iter(r->vocab); it; it = json_object_iter_next(r->vocab, it)) {
		struct leat_str s = {json_object_iter_key(it), json_object_iter_key_len(it)};
		size_t id = (size_t)json_integer_value(json_object_iter_value(it));
		if (r->kinds[id] != LEAT_TOKEN_UNUSED)
			return two_tokens(vocab_key, id, r->tokens[id], s, err);
		r->tokens[id] = s;
		r->kinds[id] = r->byte_fallback && is_byte_token(s) ? LEAT_TOKEN_BYTE : LEAT_TOKEN_NORMAL;
	}
	return LEAT_OK;
}

static enum leat_status read_added(struct reader *r, struct leat_error *err)
{
	size_t i;
	json_t *o;
	json_array_foreach(r->added, i, o) {
		struct leat_str s;
		int special, left, right, word;
		size_t id = (size_t)json_integer_value(json_object_get(o, "id"));
		LEAT_TRY(leat_tokjson_str(o, "content", &s, err));
		LEAT_TRY(leat_tokjson_bool(o, "special", 0, &special, err));
		LEAT_TRY(leat_tokjson_bool(o, "lstrip", 0, &left, err));
		LEAT_TRY(leat_tokjson_bool(o, "rstrip", 0, &right, err));
		LEAT_TRY(leat_tokjson_bool(o, "single_word", 0, &word, err));
		if (s.n == 0)
			return leat_tokjson_bad(added_key, o, "a token with content", err);
		if (r->kinds[id] != LEAT_TOKEN_UNUSED &&
		    (r->tokens[id].n != s.n || memcmp(r->tokens[id].s, s.s, (size_t)s.n) != 0))
			return two_tokens(added_key, id, r->tokens[id], s, err);
		/* What the merges may make stays a token of theirs. */
		int known = r->kinds[id] == LEAT_TOKEN_NORMAL && !special;
		r->tokens[id] = s;
		if (!known)
			r->kinds[id] = special ? LEAT_TOKEN_CONTROL : LEAT_TOKEN_USER;
		r->flags[id] = (unsigned char)((known ? LEAT_ADDED_MATCH : 0) | (left ? LEAT_ADDED_LSTRIP : 0) |
					       (right ? LEAT_ADDED_RSTRIP : 0) | (word ? LEAT_ADDED_SINGLE_WORD : 0));
	}
	return LEAT_OK;
}

/* One merge: "LEFT RIGHT" or ["LEFT", "RIGHT"]. 0 if it is neither. */
static int read_merge(json_t *m, struct leat_str *pair)
{
	for (size_t k = 0; json_is_array(m) && k < 2; k++) {
		json_t *s = json_array_get(m, k);
		pair[k] = (struct leat_str){json_string_value(s), json_string_length(s)};
	}
	if (json_is_array(m))
		return json_array_size(m) == 2 && pair[0].n && pair[1].n;
	const char *s = json_string_value(m), *gap = s ? strchr(s, ' ') : NULL;
	if (!gap || strchr(gap + 1, ' '))
		return 0;
	pair[0] = (struct leat_str){s, (uint64_t)(gap - s)};
	pair[1] = (struct leat_str){gap + 1, json_string_length(m) - pair[0].n - 1};
	return pair[0].n && pair[1].n;
}

static enum leat_status read_merges(struct reader *r, struct leat_error *err)
{
	json_t *merges = json_object_get(r->model, "merges"), *m;
	size_t n = json_array_size(merges), i;
	if (!json_is_array(merges))
		return leat_tokjson_bad(merges_key, merges, "a list", err);
	r->pairs = calloc(2 * n + 1, sizeof(*r->pairs));
	if (!r->pairs)
		return no_memory(err);
	json_array_foreach(merges, i, m)
		if (!read_merge(m, &r->pairs[2 * i]))
			return leat_tokjson_bad(merges_key, m, "two tokens, separated by one space or in a list", err);
	r->spec.pairs = r->pairs;
	r->spec.n_merges = n;
	return LEAT_OK;
}

/* Id of the token that is written so, or -1. */
static int find_id(const struct reader *r, struct leat_str s)
{
	json_t *o, *id = s.n ? json_object_getn(r->vocab, s.s, (size_t)s.n) : NULL;
	size_t i;
	if (id)
		return (int)json_integer_value(id);
	json_array_foreach(r->added, i, o) {
		json_t *c = json_object_get(o, "content");
		if (s.n && json_string_length(c) == s.n && memcmp(json_string_value(c), s.s, (size_t)s.n) == 0)
			return (int)json_integer_value(json_object_get(o, "id"));
	}
	return -1;
}

static enum leat_status refuse_options(const struct reader *r, struct leat_error *err)
{
	static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
	json_t *dropout = json_object_get(r->model, "dropout");
	for (size_t i = 0; i < 2; i++) {
		json_t *s = json_object_get(r->model, affixes[i]);
		if (s && !json_is_null(s) && !(json_is_string(s) && json_string_length(s) == 0))
			return leat_tokjson_unknown("model", affixes[i], s, err);
	}
	if (json_is_number(dropout) && json_number_value(dropout) != 0)
		return leat_tokjson_unknown("model", "dropout", dropout, err);
	return LEAT_OK;
}

static enum leat_status read_model(struct reader *r, struct leat_error *err)
{
	struct leat_str unk;
	json_t *type = json_object_get(r->model, "type");
	if (!json_is_object(r->model))
		return leat_tokjson_bad("model", r->model, "an object", err);
	/* Files older than the key are BPE if they have merges. */
	if (type ? !json_is_string(type) || strcmp(json_string_value(type), "BPE") != 0
		 : !json_object_get(r->model, "merges"))
		return leat_tokjson_unknown("model", "type", type, err);
	r->vocab = json_object_get(r->model, "vocab");
	if (!json_is_object(r->vocab))
		return leat_tokjson_bad(vocab_key, r->vocab, "an object of tokens and ids", err);
	LEAT_TRY(refuse_options(r, err));
	LEAT_TRY(leat_tokjson_bool(r->model, "byte_fallback", 0, &r->byte_fallback, err));
	LEAT_TRY(leat_tokjson_bool(r->model, "fuse_unk", 0, &r->spec.fuse_unk, err));
	LEAT_TRY(leat_tokjson_bool(r->model, "ignore_merges", 0, &r->spec.whole_words, err));
	LEAT_TRY(make_table(r, err));
	LEAT_TRY(read_vocab(r, err));
	LEAT_TRY(read_added(r, err));
	LEAT_TRY(leat_tokjson_str(r->model, "unk_token", &unk, err));
	r->spec.unk = find_id(r, unk) + 1;
	return read_merges(r, err);
}

/* A token that the template puts beside the text: one before it, one after it. */
static enum leat_status template_token(struct reader *r, json_t *id, int before, struct leat_error *err)
{
	int *slot = before ? &r->spec.bos : &r->spec.eos, *on = before ? &r->spec.add_bos : &r->spec.add_eos;
	if (!json_is_integer(id) || json_integer_value(id) < 0 ||
	    (size_t)json_integer_value(id) >= r->spec.n_tokens)
		return leat_tokjson_bad(post_key, id, "the id of a token", err);
	if (*on)
		return leat_tokjson_unknown(post_key, "second token on the same side of the text:", id, err);
	*slot = (int)json_integer_value(id);
	*on = 1;
	return LEAT_OK;
}

static enum leat_status read_template(struct reader *r, json_t *part, struct leat_error *err)
{
	json_t *single = json_object_get(part, "single"), *item;
	json_t *known = json_object_get(part, "special_tokens");
	size_t i;
	int before = 1;
	if (!json_is_array(single))
		return leat_tokjson_bad(post_key, single, "a template for a single text", err);
	json_array_foreach(single, i, item) {
		json_t *token = json_object_get(item, "SpecialToken");
		const char *name = json_string_value(json_object_get(token, "id"));
		if (!token && !json_object_get(item, "Sequence"))
			return leat_tokjson_bad(post_key, item, "SpecialToken or Sequence", err);
		if (!token) {
			before = 0;
			continue;
		}
		json_t *ids = json_object_get(json_object_get(known, name ? name : ""), "ids");
		if (json_array_size(ids) != 1)
			return leat_tokjson_bad(post_key, token, "a token of special_tokens with one id", err);
		LEAT_TRY(template_token(r, json_array_get(ids, 0), before, err));
	}
	return LEAT_OK;
}

static enum leat_status add_post(json_t *part, const char *type, void *arg, struct leat_error *err)
{
	struct reader *r = arg;
	if (strcmp(type, "ByteLevel") == 0)
		return LEAT_OK;
	if (strcmp(type, "TemplateProcessing") == 0)
		return read_template(r, part, err);
	if (strcmp(type, "BertProcessing") && strcmp(type, "RobertaProcessing"))
		return leat_tokjson_unknown(post_key, "component", json_object_get(part, "type"), err);
	LEAT_TRY(template_token(r, json_array_get(json_object_get(part, "cls"), 1), 1, err));
	return template_token(r, json_array_get(json_object_get(part, "sep"), 1), 0, err);
}

static void add_end(struct reader *r, int id)
{
	if (id >= 0 && r->spec.n_ends < LEAT_MAX_ENDS)
		r->spec.ends[r->spec.n_ends++] = id;
}

/* The files beside it say what ends a text; what the template adds decides what is added. */
static enum leat_status read_ends(struct reader *r, const struct leat_token_hints *h, struct leat_error *err)
{
	struct leat_vocab_spec *s = &r->spec;
	s->bos = s->eos = -1;
	LEAT_TRY(leat_tokjson_each(r->root, post_key, "processors", add_post, r, err));
	if (!h)
		return LEAT_OK;
	for (int i = 0; i < h->n_ends; i++) {
		if (h->ends[i] < 0 || (uint64_t)h->ends[i] >= s->n_tokens)
			return leat_fail(err, LEAT_E_FORMAT, "eos_token_id", LEAT_NO_OFFSET,
					 "eos_token_id: found %lld, wanted 0 to %zu", (long long)h->ends[i],
					 s->n_tokens - 1);
		add_end(r, (int)h->ends[i]);
	}
	if (s->bos < 0)
		s->bos = find_id(r, h->bos);
	if (s->eos < 0)
		s->eos = find_id(r, h->eos);
	else
		add_end(r, find_id(r, h->eos));
	if (s->eos < 0 && h->n_ends)
		s->eos = (int)h->ends[0];
	if (h->add_bos)
		s->add_bos = h->add_bos > 0;
	if (h->add_eos)
		s->add_eos = h->add_eos > 0;
	return LEAT_OK;
}

static enum leat_status read_all(struct reader *r, const struct leat_token_hints *hints, struct leat_pipe *pipe,
				 struct leat_vocab **ret, struct leat_error *err)
{
	struct leat_vocab *v = NULL;
	r->model = json_object_get(r->root, "model");
	r->added = json_object_get(r->root, added_key);
	r->spec.json = 1;
	LEAT_TRY(read_model(r, err));
	LEAT_TRY(leat_tokjson_parts(r->root, &r->spec, pipe, err));
	LEAT_TRY(read_ends(r, hints, err));
	LEAT_TRY(leat_vocab_build(&r->spec, &v, err));
	if (pipe->n_normal || pipe->n_cut || (v->kind == LEAT_VOCAB_BPE && !v->pretok))
		v->pipe = pipe;
	else
		leat_pipe_destroy(pipe);
	*ret = v;
	return LEAT_OK;
}

enum leat_status leat_vocab_from_json(const void *bytes, size_t n, const struct leat_token_hints *hints,
				      struct leat_vocab **ret, struct leat_error *err)
{
	/* A merge as a list of two short strings costs most: 40 times its bytes. */
	enum { MEMORY_PER_BYTE = 48, MOST_MEMORY = 1 << 30 };
	struct leat_json_limits limits = {.max_memory_bytes = (uint64_t)n * MEMORY_PER_BYTE + (1 << 20)};
	struct reader r = {0};
	struct leat_pipe *pipe = calloc(1, sizeof(*pipe));
	enum leat_status st = pipe ? LEAT_OK : no_memory(err);
	if (limits.max_memory_bytes > MOST_MEMORY)
		limits.max_memory_bytes = MOST_MEMORY;
	if (st == LEAT_OK)
		st = leat_json_parse(bytes, n, &limits, "tokenizer.json", &r.root, err);
	if (st == LEAT_OK)
		st = read_all(&r, hints, pipe, ret, err);
	if (st != LEAT_OK)
		leat_pipe_destroy(pipe);
	json_decref(r.root);
	free(r.tokens);
	free(r.pairs);
	free(r.kinds);
	free(r.flags);
	return st;
}
