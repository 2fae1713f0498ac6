/* The RWKV World vocabulary as a text: lines `ID LITERAL LENGTH`, the literal as Python writes str or bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "text/unicode.h"
#include "text/vocab.h"

enum { MAX_FILE_BYTES = 1 << 26 };

/* What has been read so far. `literal` takes the decoded tokens one after the other: they are shorter than the file. */
struct reader {
	struct leat_str *token;    /* [LEAT_MAX_VOCAB] by id */
	unsigned char *kinds;      /* [LEAT_MAX_VOCAB] */
	unsigned char *literal;
	size_t used, n_tokens, line;
};

static enum leat_status bad_line(const struct reader *r, const unsigned char *s, size_t n, const char *wanted,
				 struct leat_error *err)
{
	char shown[64];
	leat_escape(shown, sizeof(shown), s, n);
	return leat_fail(err, LEAT_E_FORMAT, "vocabulary", LEAT_NO_OFFSET, "line %zu: found '%s', wanted %s",
			 r->line, shown, wanted);
}

/* A decimal number of 1 to 7 digits, or -1. */
static int number(const unsigned char *s, size_t n)
{
	int value = 0;
	if (n == 0 || n > 7)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		value = value * 10 + (s[i] - '0');
	}
	return value;
}

/* NULL, or what was wanted. The quote that closes is the last byte and stands nowhere inside without a backslash. */
static const char *read_literal(const unsigned char *s, size_t n, unsigned char *dst, size_t *ret_n)
{
	enum leat_literal kind = n && s[0] == 'b' ? LEAT_LITERAL_BYTES : LEAT_LITERAL_STR;
	size_t from = kind == LEAT_LITERAL_BYTES, to = n - 1;
	if (n < from + 2 || (s[from] != '\'' && s[from] != '"') || s[to] != s[from])
		return "a Python literal '...', \"...\" or b'...'";
	for (size_t i = from + 1; i < to; i++) {
		size_t len = leat_utf8_len(s + i, to - i);
		if (s[i] == s[from])
			return "a backslash before a quote inside the literal";
		if (len == 0 || (len > 1 && kind == LEAT_LITERAL_BYTES))
			return "well-formed UTF-8 in a str, ASCII in a bytes literal";
		i += s[i] == '\\' ? 1 : len - 1;
	}
	return leat_literal_decode(kind, s + from + 1, to - from - 1, dst, ret_n);
}

static enum leat_status read_line(struct reader *r, const unsigned char *s, size_t n, struct leat_error *err)
{
	const unsigned char *first = memchr(s, ' ', n), *last = memrchr(s, ' ', n);
	size_t len;
	if (!first || first == last)
		return bad_line(r, s, n, "ID LITERAL LENGTH", err);
	int id = number(s, (size_t)(first - s)), bytes = number(last + 1, (size_t)(s + n - last) - 1);
	if (id < 1 || id >= LEAT_MAX_VOCAB)
		return bad_line(r, s, n, "an id from 1 to 1048575 (0 ends a text)", err);
	const char *why = read_literal(first + 1, (size_t)(last - first) - 1, r->literal + r->used, &len);
	if (why)
		return bad_line(r, s, n, why, err);
	if (bytes < 1 || (size_t)bytes != len)
		return bad_line(r, s, n, "the length in bytes of the literal at the end", err);
	if (r->kinds[id] != LEAT_TOKEN_UNUSED)
		return bad_line(r, s, n, "each id once", err);
	r->token[id] = (struct leat_str){(const char *)r->literal + r->used, len};
	r->kinds[id] = LEAT_TOKEN_NORMAL;
	r->used += len;
	if ((size_t)id >= r->n_tokens)
		r->n_tokens = (size_t)id + 1;
	return LEAT_OK;
}

static enum leat_status read_lines(struct reader *r, const unsigned char *s, size_t n, struct leat_error *err)
{
	for (size_t at = 0; at < n;) {
		const unsigned char *end = memchr(s + at, '\n', n - at);
		size_t len = end ? (size_t)(end - s) - at : n - at, next = at + len + 1;
		r->line++;
		if (len && s[at + len - 1] == '\r')
			len--;
		if (len)
			LEAT_TRY(read_line(r, s + at, len, err));
		at = next;
	}
	return LEAT_OK;
}

static enum leat_status build(struct reader *r, const struct leat_map *m, struct leat_vocab **ret,
			      struct leat_error *err)
{
	r->token = calloc(LEAT_MAX_VOCAB, sizeof(*r->token));
	r->kinds = malloc(LEAT_MAX_VOCAB);
	r->literal = malloc((size_t)m->size + 1);
	if (!r->token || !r->kinds || !r->literal)
		return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for the vocabulary");
	memset(r->kinds, LEAT_TOKEN_UNUSED, LEAT_MAX_VOCAB);
	LEAT_TRY(read_lines(r, m->data, (size_t)m->size, err));
	r->kinds[0] = LEAT_TOKEN_CONTROL;
	struct leat_vocab_spec spec = {.kind = LEAT_VOCAB_RWKV, .raw = 1, .tokens = r->token, .kinds = r->kinds,
				       .n_tokens = r->n_tokens, .bos = -1, .ends = {0}, .n_ends = 1};
	return leat_vocab_build(&spec, ret, err);
}

enum leat_status leat_vocab_from_rwkv_text(const char *path, struct leat_vocab **ret, struct leat_error *err)
{
	struct leat_map m = {0};
	struct reader r = {0};
	LEAT_TRY(leat_map_open(&m, path, err));
	enum leat_status st;
	if (m.size > MAX_FILE_BYTES)
		st = leat_fail(err, LEAT_E_LIMIT, "vocabulary", LEAT_NO_OFFSET,
			       "found %llu bytes, at most %d are allowed", (unsigned long long)m.size,
			       MAX_FILE_BYTES);
	else
		st = build(&r, &m, ret, err);
	if (st != LEAT_OK)
		leat_err_prefix(err, path);
	free(r.literal);
	free(r.kinds);
	free(r.token);
	leat_map_close(&m);
	return st;
}
