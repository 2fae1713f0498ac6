#include <stdlib.h>

#include "text/pipe.h"
#include "text/unicode.h"
#include "text/vocab.h"

enum { MAX_TEXT_BYTES = 1 << 30 };

enum leat_status leat_ids_reserve(struct leat_ids *v, size_t more, struct leat_error *err)
{
	size_t cap = v->cap ? v->cap : 64;
	if (more <= v->cap - v->n)
		return LEAT_OK;
	while (cap - v->n < more)
		cap *= 2;
	int32_t *grown = realloc(v->id, cap * sizeof(*grown));
	if (!grown)
		return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for %zu tokens", cap);
	v->id = grown;
	v->cap = cap;
	return LEAT_OK;
}

static enum leat_status push(struct leat_ids *v, int32_t id, struct leat_error *err)
{
	LEAT_TRY(leat_ids_reserve(v, 1, err));
	v->id[v->n++] = id;
	return LEAT_OK;
}

/* Special tokens found in a text, from its end to its start. */
struct hits {
	struct hit {
		uint32_t pos;
		int32_t id;
	} *hit;
	size_t n, cap;
};

static enum leat_status add_hit(struct hits *h, size_t pos, int32_t id, struct leat_error *err)
{
	if (h->n == h->cap) {
		size_t cap = h->cap ? 2 * h->cap : 64;
		struct hit *grown = realloc(h->hit, cap * sizeof(*grown));
		if (!grown)
			return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for %zu special tokens",
					 cap);
		h->hit = grown;
		h->cap = cap;
	}
	h->hit[h->n++] = (struct hit){(uint32_t)pos, id};
	return LEAT_OK;
}

static enum leat_status find_special(const struct leat_vocab *v, const unsigned char *text, size_t n, int mode,
				     struct hits *h, struct leat_error *err)
{
	uint32_t state = 0;
	for (size_t i = v->special.node ? n : 0; i-- > 0;) {
		state = leat_matcher_step(&v->special, state, text[i]);
		int32_t id = v->special.node[state].out[mode];
		if (id >= 0)
			LEAT_TRY(add_hit(h, i, id, err));
	}
	return LEAT_OK;
}

static enum leat_status encode_plain(const struct leat_vocab *v, const unsigned char *text, size_t n, int first,
				     struct leat_ids *out, struct leat_error *err)
{
	if (n == 0)
		return LEAT_OK;
	if (v->pipe)
		return leat_pipe_encode(v, text, n, first, out, err);
	if (v->kind == LEAT_VOCAB_SPM)
		return leat_spm_encode(v, text, n, first, out, err);
	return v->kind == LEAT_VOCAB_BPE ? leat_bpe_encode(v, text, n, out, err)
					 : leat_rwkv_encode(v, text, n, out, err);
}

/* Class of the character that ends at text[pos] or, with `after`, starts there; -1 if there is none. */
static int class_beside(const unsigned char *text, size_t n, size_t pos, int after, size_t *ret_len)
{
	size_t at = pos;
	if (after ? pos == n : pos == 0)
		return -1;
	for (size_t back = 1; !after && back <= 4 && back <= pos; back++) {
		at = pos - back;
		if ((text[at] & 0xc0) != 0x80)
			break;
	}
	size_t len = leat_utf8_len(text + at, n - at);
	if (len == 0 || (!after && at + len != pos))
		return LEAT_CHAR_OTHER;
	*ret_len = len;
	return leat_char_class(leat_utf8_cp(text + at, &len));
}

static int in_word(const unsigned char *text, size_t n, size_t pos, int after)
{
	size_t len = 0;
	int class = class_beside(text, n, pos, after, &len);
	return class == LEAT_CHAR_LETTER || class == LEAT_CHAR_NUMBER ||
	       (class >= 0 && (after ? text[pos] : text[pos - 1]) == '_');
}

/* What a special token takes along: [*start, *end), not before `from`. 0 if it does not count here. */
static int widen(const unsigned char *text, size_t n, int flags, size_t from, size_t *start, size_t *end)
{
	size_t len = 0;
	if (flags & LEAT_ADDED_SINGLE_WORD && (in_word(text, n, *start, 0) || in_word(text, n, *end, 1)))
		return 0;
	while (flags & LEAT_ADDED_LSTRIP && *start > from &&
	       class_beside(text, n, *start, 0, &len) == LEAT_CHAR_SPACE)
		*start -= len;
	while (flags & LEAT_ADDED_RSTRIP && class_beside(text, n, *end, 1, &len) == LEAT_CHAR_SPACE)
		*end += len;
	return 1;
}

/* The leftmost special token wins, the longest of those that start at the same place; what lies between is plain. */
static enum leat_status encode(const struct leat_vocab *v, const unsigned char *text, size_t n, const struct hits *h,
			       struct leat_ids *out, struct leat_error *err)
{
	size_t at = 0, done = 0;
	for (size_t i = h->n; i-- > 0;) {
		const struct hit *hit = &h->hit[i];
		size_t start = hit->pos, end = start + (v->offset[hit->id + 1] - v->offset[hit->id]);
		if (start < done)
			continue;
		done = end;
		if (!widen(text, n, v->flags[hit->id], at, &start, &end))
			continue;
		LEAT_TRY(encode_plain(v, text + at, start - at, at == 0, out, err));
		LEAT_TRY(push(out, hit->id, err));
		at = done = end;
	}
	return encode_plain(v, text + at, n - at, at == 0, out, err);
}

static enum leat_status tokenize(const struct leat_vocab *v, const unsigned char *text, size_t n, unsigned flags,
				 struct leat_ids *out, struct leat_error *err)
{
	struct hits h = {0};
	enum leat_status st;
	if (flags & LEAT_TOK_SPECIAL && v->add_bos)
		LEAT_TRY(push(out, v->bos, err));
	LEAT_TRY_GOTO(st, done, find_special(v, text, n, (flags & LEAT_TOK_PARSE_SPECIAL) != 0, &h, err));
	LEAT_TRY_GOTO(st, done, encode(v, text, n, &h, out, err));
	if (flags & LEAT_TOK_SPECIAL && v->add_eos)
		st = push(out, v->eos, err);
done:
	free(h.hit);
	return st;
}

enum leat_status leat_tokenize(const struct leat_vocab *v, const void *text, size_t n, unsigned flags,
			       int32_t **ret_ids, size_t *ret_n, struct leat_error *err)
{
	struct leat_ids out = {0};
	if (n > MAX_TEXT_BYTES)
		return leat_fail(err, LEAT_E_LIMIT, "text", LEAT_NO_OFFSET,
				 "found %zu bytes of text, at most %d are allowed", n, MAX_TEXT_BYTES);
	if (flags & ~(unsigned)(LEAT_TOK_SPECIAL | LEAT_TOK_PARSE_SPECIAL))
		return leat_fail(err, LEAT_E_ARG, "flags", LEAT_NO_OFFSET, "found unknown flags 0x%x", flags);
	enum leat_status st = tokenize(v, n ? text : "", n, flags, &out, err);
	if (st != LEAT_OK || out.n == 0) {
		free(out.id);
		out = (struct leat_ids){0};
	}
	if (st != LEAT_OK)
		return st;
	if (out.n < out.cap / 2) {
		int32_t *fit = realloc(out.id, out.n * sizeof(*fit));
		out.id = fit ? fit : out.id;
	}
	*ret_ids = out.id;
	*ret_n = out.n;
	return LEAT_OK;
}
