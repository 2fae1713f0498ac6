/* The components of a tokenizer.json: what each of them becomes in a pipe (pipe.h). */
#include <stdlib.h>
#include <string.h>

#include "text/tokjson.h"

static const char normalizer[] = "normalizer", pre_tokenizer[] = "pre_tokenizer", decoder[] = "decoder";
static const struct leat_str meta = {"\xe2\x96\x81", 3}, space = {" ", 1};

static int same(struct leat_str a, struct leat_str b)
{
	return a.n == b.n && memcmp(a.s, b.s, (size_t)a.n) == 0;
}

/* A Sequence inside a Sequence costs two levels of JSON, whose depth is bounded. */
enum leat_status leat_tokjson_each(json_t *root, const char *key, const char *list,
				   enum leat_status (*each)(json_t *part, const char *type, void *arg,
							    struct leat_error *err), void *arg,
				   struct leat_error *err)
{
	struct {
		json_t *array;
		size_t next;
	} stack[LEAT_JSON_MAX_DEPTH];
	int depth = 0;
	json_t *part = json_object_get(root, key);
	if (!part || json_is_null(part))
		return LEAT_OK;
	while (part) {
		const char *type = json_string_value(json_object_get(part, "type"));
		if (!type)
			return leat_tokjson_bad(key, part, "an object with a type", err);
		json_t *inner = strcmp(type, "Sequence") == 0 ? json_object_get(part, list) : NULL;
		if (strcmp(type, "Sequence") == 0) {
			if (!json_is_array(inner) || depth == LEAT_JSON_MAX_DEPTH)
				return leat_tokjson_bad(key, part, "a Sequence with its list", err);
			stack[depth].array = inner;
			stack[depth++].next = 0;
		} else {
			LEAT_TRY(each(part, type, arg, err));
		}
		for (part = NULL; depth && !part; depth -= part == NULL)
			part = json_array_get(stack[depth - 1].array, stack[depth - 1].next++);
	}
	return LEAT_OK;
}

struct parts {
	struct leat_vocab_spec *spec;
	struct leat_pipe *pipe;
	int bytes;      /* the pre-tokenizer ends in bytes */
	int decodes_bytes, decodes_spaces, n_decoders;
};

static enum leat_status keep(struct leat_pipe *p, struct leat_str s, const unsigned char **ret, size_t *ret_n,
			     struct leat_error *err)
{
	char *copy = leat_arena_copy(&p->arena, s.s, (size_t)s.n);
	if (!copy)
		return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for the tokenizer");
	*ret = (const unsigned char *)copy;
	*ret_n = (size_t)s.n;
	return LEAT_OK;
}

/* {"Regex": "..."} or {"String": "..."}, neither empty. */
static enum leat_status read_pattern(json_t *part, const char *where, int *ret_regex, struct leat_str *ret,
				     struct leat_error *err)
{
	json_t *p = json_object_get(part, "pattern");
	json_t *regex = json_object_get(p, "Regex"), *text = json_object_get(p, "String");
	if (json_is_string(p))
		text = p;
	*ret_regex = regex != NULL;
	json_t *s = regex ? regex : text;
	if (!json_is_string(s) || json_string_length(s) == 0)
		return leat_tokjson_bad(where, part, "a pattern that is a Regex or a String", err);
	*ret = (struct leat_str){json_string_value(s), json_string_length(s)};
	return LEAT_OK;
}

static enum leat_status replace(struct leat_pipe *p, json_t *part, struct leat_normalizer *z, struct leat_error *err)
{
	struct leat_str from, to;
	int regex;
	LEAT_TRY(read_pattern(part, normalizer, &regex, &from, err));
	LEAT_TRY(leat_tokjson_str(part, "content", &to, err));
	z->op = LEAT_NORMAL_REPLACE;
	LEAT_TRY(keep(p, to, &z->to, &z->n_to, err));
	if (regex)
		return leat_pattern_compile(from.s, (size_t)from.n, normalizer, &z->pattern, err);
	return keep(p, from, &z->from, &z->n_from, err);
}

static enum leat_status add_normalizer(json_t *part, const char *type, void *arg, struct leat_error *err)
{
	static const struct {
		const char *type;
		enum leat_normal_op op;
	} simple[] = {{"NFC", LEAT_NORMAL_NFC}, {"NFD", LEAT_NORMAL_NFD}, {"NFKC", LEAT_NORMAL_NFKC},
		      {"NFKD", LEAT_NORMAL_NFKD}, {"Lowercase", LEAT_NORMAL_LOWERCASE},
		      {"StripAccents", LEAT_NORMAL_STRIP_ACCENTS}, {"Strip", LEAT_NORMAL_STRIP},
		      {"Prepend", LEAT_NORMAL_PREPEND}};
	struct leat_pipe *p = ((struct parts *)arg)->pipe;
	struct leat_str s;
	if (p->n_normal == LEAT_MAX_NORMALIZERS)
		return leat_fail(err, LEAT_E_LIMIT, normalizer, LEAT_NO_OFFSET,
				 "normalizer: found more than %d of them", LEAT_MAX_NORMALIZERS);
	struct leat_normalizer *z = &p->normal[p->n_normal++];
	if (strcmp(type, "Replace") == 0)
		return replace(p, part, z, err);
	for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++) {
		if (strcmp(type, simple[i].type) != 0)
			continue;
		z->op = simple[i].op;
		LEAT_TRY(leat_tokjson_bool(part, "strip_left", 0, &z->left, err));
		LEAT_TRY(leat_tokjson_bool(part, "strip_right", 0, &z->right, err));
		LEAT_TRY(leat_tokjson_str(part, "prepend", &s, err));
		return keep(p, s, &z->to, &z->n_to, err);
	}
	return leat_tokjson_unknown(normalizer, "component", json_object_get(part, "type"), err);
}

static enum leat_status read_keep(json_t *part, enum leat_cut_keep dflt, enum leat_cut_keep *ret,
				  struct leat_error *err)
{
	static const char *const names[] = {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext",
					    "Contiguous"};
	json_t *b = json_object_get(part, "behavior");
	*ret = dflt;
	if (!b)
		return LEAT_OK;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (json_is_string(b) && strcmp(json_string_value(b), names[i]) == 0) {
			*ret = (enum leat_cut_keep)i;
			return LEAT_OK;
		}
	return leat_tokjson_unknown(pre_tokenizer, "behavior", b, err);
}

static enum leat_status by_regex(struct leat_cut *c, struct leat_str s, struct leat_error *err)
{
	c->op = LEAT_CUT_PATTERN;
	c->scanner = leat_pretok_find_pattern(s.s, (size_t)s.n);
	if (c->scanner)
		return LEAT_OK;
	return leat_pattern_compile(s.s, (size_t)s.n, pre_tokenizer, &c->pattern, err);
}

static enum leat_status split(struct leat_pipe *p, json_t *part, struct leat_cut *c, struct leat_error *err)
{
	struct leat_str s;
	int regex;
	LEAT_TRY(read_pattern(part, pre_tokenizer, &regex, &s, err));
	LEAT_TRY(read_keep(part, LEAT_KEEP_ISOLATED, &c->keep, err));
	LEAT_TRY(leat_tokjson_bool(part, "invert", 0, &c->invert, err));
	if (regex)
		return by_regex(c, s, err);
	c->op = LEAT_CUT_PATTERN;
	return keep(p, s, &c->text, &c->n_text, err);
}

static enum leat_status metaspace(json_t *part, struct leat_cut *c, struct leat_error *err)
{
	struct leat_str with, scheme;
	int add;
	LEAT_TRY(leat_tokjson_str(part, "replacement", &with, err));
	LEAT_TRY(leat_tokjson_str(part, "prepend_scheme", &scheme, err));
	LEAT_TRY(leat_tokjson_bool(part, "add_prefix_space", 1, &add, err));
	LEAT_TRY(leat_tokjson_bool(part, "split", 1, &c->split, err));
	if (!same(with, meta))
		return leat_tokjson_unknown(pre_tokenizer, "replacement", json_object_get(part, "replacement"), err);
	c->op = LEAT_CUT_METASPACE;
	c->keep = LEAT_KEEP_NEXT;
	c->prefix = add ? LEAT_PREFIX_MISSING : LEAT_PREFIX_NEVER;
	if (leat_str_is(scheme, "never"))
		c->prefix = LEAT_PREFIX_NEVER;
	else if (leat_str_is(scheme, "first"))
		c->prefix = LEAT_PREFIX_FIRST;
	else if (scheme.n && !leat_str_is(scheme, "always"))
		return leat_tokjson_unknown(pre_tokenizer, "prepend_scheme", json_object_get(part, "prepend_scheme"),
					    err);
	return LEAT_OK;
}

/* GPT-2's way: its pattern unless told not to, then bytes. Both are steps of their own here. */
static enum leat_status byte_level(struct parts *a, json_t *part, struct leat_cut *c, struct leat_error *err)
{
	int prefix, regex;
	LEAT_TRY(leat_tokjson_bool(part, "add_prefix_space", 1, &prefix, err));
	LEAT_TRY(leat_tokjson_bool(part, "use_regex", 1, &regex, err));
	c->op = LEAT_CUT_BYTES;
	c->prefix = prefix ? LEAT_PREFIX_MISSING : LEAT_PREFIX_NEVER;
	a->bytes = 1;
	if (!regex)
		return LEAT_OK;
	if (a->pipe->n_cut == LEAT_MAX_CUTS)
		return leat_fail(err, LEAT_E_LIMIT, pre_tokenizer, LEAT_NO_OFFSET,
				 "pre_tokenizer: found more than %d of them", LEAT_MAX_CUTS);
	c = &a->pipe->cut[a->pipe->n_cut++];
	c->op = LEAT_CUT_PATTERN;
	c->scanner = leat_pretok_find("gpt-2", 5);
	return LEAT_OK;
}

/* Rust's \w, which the original cuts by. */
static enum leat_status words(struct leat_cut *c, struct leat_error *err)
{
	static const char text[] = "[\\p{L}\\p{M}\\p{N}\\p{Pc}\\x{200c}\\x{200d}]+|[^\\p{L}\\p{M}\\p{N}\\p{Pc}\\x{200c}"
				   "\\x{200d}\\s]+";
	c->op = LEAT_CUT_PATTERN;
	c->keep = LEAT_KEEP_REMOVED;
	c->invert = 1;
	return leat_pattern_compile(text, sizeof(text) - 1, pre_tokenizer, &c->pattern, err);
}

static enum leat_status digits(json_t *part, struct leat_cut *c, struct leat_error *err)
{
	int each;
	LEAT_TRY(leat_tokjson_bool(part, "individual_digits", 0, &each, err));
	c->op = LEAT_CUT_DIGITS;
	c->keep = each ? LEAT_KEEP_ISOLATED : LEAT_KEEP_CONTIGUOUS;
	return LEAT_OK;
}

static enum leat_status by_delimiter(struct leat_pipe *p, json_t *part, struct leat_cut *c, struct leat_error *err)
{
	struct leat_str s;
	LEAT_TRY(leat_tokjson_str(part, "delimiter", &s, err));
	if (s.n == 0)
		return leat_tokjson_bad(pre_tokenizer, part, "a delimiter", err);
	c->op = LEAT_CUT_PATTERN;
	c->keep = LEAT_KEEP_REMOVED;
	return keep(p, s, &c->text, &c->n_text, err);
}

static enum leat_status add_cut(json_t *part, const char *type, void *arg, struct leat_error *err)
{
	struct parts *a = arg;
	struct leat_pipe *p = a->pipe;
	if (a->bytes)
		return leat_tokjson_unknown(pre_tokenizer, "component after ByteLevel", json_object_get(part, "type"),
					    err);
	if (p->n_cut == LEAT_MAX_CUTS)
		return leat_fail(err, LEAT_E_LIMIT, pre_tokenizer, LEAT_NO_OFFSET,
				 "pre_tokenizer: found more than %d of them", LEAT_MAX_CUTS);
	struct leat_cut *c = &p->cut[p->n_cut++];
	if (strcmp(type, "Split") == 0)
		return split(p, part, c, err);
	if (strcmp(type, "ByteLevel") == 0)
		return byte_level(a, part, c, err);
	if (strcmp(type, "Metaspace") == 0)
		return metaspace(part, c, err);
	if (strcmp(type, "Digits") == 0)
		return digits(part, c, err);
	if (strcmp(type, "Whitespace") == 0)
		return words(c, err);
	if (strcmp(type, "CharDelimiterSplit") == 0)
		return by_delimiter(p, part, c, err);
	if (strcmp(type, "WhitespaceSplit") == 0) {
		c->op = LEAT_CUT_SPACES;
		c->keep = LEAT_KEEP_REMOVED;
		return LEAT_OK;
	}
	if (strcmp(type, "Punctuation") == 0) {
		c->op = LEAT_CUT_PUNCTUATION;
		return read_keep(part, LEAT_KEEP_ISOLATED, &c->keep, err);
	}
	return leat_tokjson_unknown(pre_tokenizer, "component", json_object_get(part, "type"), err);
}

/* Tokens are decoded one by one, so of the decoders those count that do the same to every token. */
static enum leat_status add_decoder(json_t *part, const char *type, void *arg, struct leat_error *err)
{
	struct parts *a = arg;
	struct leat_str s, to;
	int regex, add;
	a->n_decoders++;
	if (strcmp(type, "ByteLevel") == 0) {
		a->decodes_bytes = 1;
	} else if (strcmp(type, "Metaspace") == 0) {
		LEAT_TRY(leat_tokjson_str(part, "prepend_scheme", &s, err));
		LEAT_TRY(leat_tokjson_bool(part, "add_prefix_space", 1, &add, err));
		a->decodes_spaces = 1;
		a->spec->drop_space = add && !leat_str_is(s, "never");
	} else if (strcmp(type, "Replace") == 0) {
		LEAT_TRY(read_pattern(part, decoder, &regex, &s, err));
		LEAT_TRY(leat_tokjson_str(part, "content", &to, err));
		if (regex || !same(s, meta) || !same(to, space))
			return leat_tokjson_unknown(decoder, "replacement", json_object_get(part, "pattern"), err);
		a->decodes_spaces = 1;
	} else if (strcmp(type, "Strip") == 0) {
		json_int_t start = json_integer_value(json_object_get(part, "start"));
		json_int_t stop = json_integer_value(json_object_get(part, "stop"));
		LEAT_TRY(leat_tokjson_str(part, "content", &s, err));
		if (!same(s, space) || stop != 0 || start < 0 || start > 1)
			return leat_tokjson_unknown(decoder, "Strip of", json_object_get(part, "content"), err);
		a->spec->drop_space = start == 1;
	} else if (strcmp(type, "ByteFallback") != 0 && strcmp(type, "Fuse") != 0) {
		return leat_tokjson_unknown(decoder, "component", json_object_get(part, "type"), err);
	}
	return LEAT_OK;
}

static int is_replace_of_spaces(const struct leat_normalizer *z)
{
	return z->op == LEAT_NORMAL_REPLACE && !z->pattern && z->n_from == 1 && z->from[0] == ' ' && z->n_to == 3 &&
	       memcmp(z->to, meta.s, 3) == 0;
}

/* SentencePiece as such: what leat_spm_encode does by itself needs no pipe. */
static void shorten_spm(struct parts *a)
{
	struct leat_pipe *p = a->pipe;
	const struct leat_normalizer *z = p->normal, *last = p->n_normal ? &z[p->n_normal - 1] : z;
	if (!a->spec->metaspace)
		return;
	if (p->n_cut == 0 && p->n_normal && is_replace_of_spaces(last) &&
	    (p->n_normal == 1 || (p->n_normal == 2 && z->op == LEAT_NORMAL_PREPEND && z->n_to == 3 &&
				  memcmp(z->to, meta.s, 3) == 0))) {
		a->spec->prefix = p->n_normal == 2 ? LEAT_PREFIX_ALWAYS : LEAT_PREFIX_NEVER;
		p->n_normal = 0;
	} else if (p->n_normal == 0 && p->n_cut == 1 && p->cut[0].op == LEAT_CUT_METASPACE && !p->cut[0].split) {
		a->spec->prefix = p->cut[0].prefix;
		p->n_cut = 0;
	}
}

/* One known pattern, then bytes: the scanner alone does it. */
static void shorten_bytes(struct parts *a)
{
	struct leat_pipe *p = a->pipe;
	if (p->n_cut != 2)
		return;
	int first = p->cut[0].op == LEAT_CUT_BYTES;
	const struct leat_cut *bytes = &p->cut[!first], *by = &p->cut[first];
	if (bytes->op != LEAT_CUT_BYTES || bytes->prefix != LEAT_PREFIX_NEVER || by->op != LEAT_CUT_PATTERN ||
	    !by->scanner || by->keep != LEAT_KEEP_ISOLATED)
		return;
	a->spec->pretok = by->scanner;
	p->n_cut = 0;
}

enum leat_status leat_tokjson_parts(json_t *root, struct leat_vocab_spec *spec, struct leat_pipe *pipe,
				    struct leat_error *err)
{
	struct parts a = {.spec = spec, .pipe = pipe};
	LEAT_TRY(leat_tokjson_each(root, normalizer, "normalizers", add_normalizer, &a, err));
	LEAT_TRY(leat_tokjson_each(root, pre_tokenizer, "pretokenizers", add_cut, &a, err));
	LEAT_TRY(leat_tokjson_each(root, decoder, "decoders", add_decoder, &a, err));
	if (a.n_decoders && a.bytes != a.decodes_bytes)
		return leat_fail(err, LEAT_E_UNSUPPORTED, decoder, LEAT_NO_OFFSET,
				 "decoder: found %s, which does not fit the pre_tokenizer",
				 a.bytes ? "no ByteLevel" : "ByteLevel");
	spec->kind = a.bytes ? LEAT_VOCAB_BPE : LEAT_VOCAB_SPM;
	spec->metaspace = a.decodes_spaces && !a.bytes;
	if (a.bytes)
		shorten_bytes(&a);
	else
		shorten_spm(&a);
	return LEAT_OK;
}
