#include "text/normal.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "text/unicode.h"

/* Characters of one call of utf8proc, if there is a place to cut. */
enum { CHUNK = 4096 };

enum leat_status leat_text_put(struct leat_text *t, const void *s, size_t n, struct leat_error *err)
{
	if (n > t->limit - t->n)
		return leat_fail(err, LEAT_E_LIMIT, "normalizer", LEAT_NO_OFFSET,
				 "the normalizer makes more than %zu bytes of the text", t->limit);
	if (n > t->cap - t->n) {
		size_t cap = t->cap < 128 ? 256 : t->cap * 2;
		cap = cap - t->n < n ? t->n + n : cap;
		unsigned char *grown = realloc(t->s, cap);
		if (!grown)
			return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for %zu bytes of text",
					 cap);
		t->s = grown;
		t->cap = cap;
	}
	if (n)
		memcpy(t->s + t->n, s, n);
	t->n += n;
	return LEAT_OK;
}

void leat_text_deinit(struct leat_text *t)
{
	free(t->s);
	*t = (struct leat_text){0};
}

/* Characters that a form leaves alone and that never become part of what stands before them: an extract of the
 * character database that covers most texts, so that utf8proc sees only the rest. */
static int is_plain(enum leat_normal_op op, uint32_t cp)
{
	int composed = op == LEAT_NORMAL_NFC || op == LEAT_NORMAL_NFKC;
	if (cp < 0x80 || (cp >= 0x4e00 && cp <= 0x9fff))
		return 1;
	if (op == LEAT_NORMAL_NFC && cp < 0x300)
		return 1;
	/* Hangul syllables, kana with and without marks of sound, Cyrillic but for its combining marks. */
	return composed && ((cp >= 0xac00 && cp <= 0xd7a3) || (cp >= 0x3041 && cp <= 0x3096) ||
			    (cp >= 0x30a1 && cp <= 0x30fa) || (cp >= 0x400 && cp <= 0x482) ||
			    (cp >= 0x48a && cp <= 0x52f));
}

int leat_normal_is_plain(enum leat_normal_op op, const unsigned char *text, size_t n)
{
	size_t i = 0, len;
	while (i < n && text[i] < 0x80)
		i++;
	for (; i < n; i += len)
		if (!is_plain(op, leat_utf8_cp(text + i, &len)))
			return 0;
	return 1;
}

/* May what stands before this character change it, or it what stands before? */
static int sticks(uint32_t cp)
{
	const utf8proc_property_t *p = utf8proc_get_property((utf8proc_int32_t)cp);
	int vowel_or_tail = (cp >= 0x1161 && cp <= 0x1175) || (cp >= 0x11a8 && cp <= 0x11c2);
	return p->combining_class || vowel_or_tail || (p->comb_index != UINT16_MAX && p->comb_index >= 0x8000);
}

static int is_mark(uint32_t cp)
{
	return utf8proc_get_property((utf8proc_int32_t)cp)->combining_class != 0;
}

/* End of a part that can be normalised alone: it starts at `at` with what is not plain, or with the plain character
 * that stands before that. */
static size_t part_end(enum leat_normal_op op, const unsigned char *text, size_t at, size_t n)
{
	size_t len, marks = 0, chars = 0;
	leat_utf8_cp(text + at, &len);
	for (at += len; at < n; at += len, chars++) {
		uint32_t cp = leat_utf8_cp(text + at, &len);
		marks = is_mark(cp) ? marks + 1 : 0;
		if (is_plain(op, cp) || marks > LEAT_NORMAL_MARKS || (chars > CHUNK && !sticks(cp)))
			break;
	}
	return at;
}

/* The plain characters from `at` on that no mark follows. */
static size_t plain_end(enum leat_normal_op op, const unsigned char *text, size_t at, size_t n)
{
	size_t last = at, len;
	for (size_t i = at; i < n; last = i, i += len)
		if (!is_plain(op, leat_utf8_cp(text + i, &len)))
			return last;
	return n;
}

struct form {
	utf8proc_option_t options;
	utf8proc_int32_t *buffer;
	size_t cap;
};

static enum leat_status form_part(struct form *f, const unsigned char *text, size_t n, struct leat_text *out,
				  struct leat_error *err)
{
	utf8proc_ssize_t got = utf8proc_decompose(text, (utf8proc_ssize_t)n, f->buffer,
						  (utf8proc_ssize_t)f->cap, f->options);
	/* One more: utf8proc ends what it writes with a zero. */
	if (got >= 0 && ((size_t)got >= f->cap || !f->buffer)) {
		free(f->buffer);
		f->cap = (size_t)got + CHUNK + 1;
		f->buffer = malloc(f->cap * sizeof(*f->buffer));
		if (!f->buffer) {
			f->cap = 0;
			return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for the normalizer");
		}
		got = utf8proc_decompose(text, (utf8proc_ssize_t)n, f->buffer, (utf8proc_ssize_t)f->cap, f->options);
	}
	if (got >= 0)
		got = utf8proc_reencode(f->buffer, got, f->options);
	if (got < 0)
		return leat_fail(err, LEAT_E_FORMAT, "normalizer", LEAT_NO_OFFSET, "the normalizer fails: %s",
				 utf8proc_errmsg(got));
	return leat_text_put(out, f->buffer, (size_t)got, err);
}

static enum leat_status to_form(enum leat_normal_op op, const unsigned char *text, size_t n, struct leat_text *out,
				struct leat_error *err)
{
	struct form f = {UTF8PROC_STABLE, NULL, 0};
	enum leat_status st = LEAT_OK;
	f.options |= op == LEAT_NORMAL_NFC || op == LEAT_NORMAL_NFKC ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
	f.options |= op == LEAT_NORMAL_NFKC || op == LEAT_NORMAL_NFKD ? UTF8PROC_COMPAT : 0;
	for (size_t at = 0, end; at < n && st == LEAT_OK; at = end) {
		end = plain_end(op, text, at, n);
		if (end > at) {
			st = leat_text_put(out, text + at, end - at, err);
			continue;
		}
		end = part_end(op, text, at, n);
		st = form_part(&f, text + at, end - at, out, err);
	}
	free(f.buffer);
	return st;
}

/* Each character by itself. */
static enum leat_status map_chars(enum leat_normal_op op, const unsigned char *text, size_t n, struct leat_text *out,
				  struct leat_error *err)
{
	for (size_t i = 0, len; i < n; i += len) {
		unsigned char c[8];
		uint32_t cp = leat_utf8_cp(text + i, &len);
		size_t more;
		if (op == LEAT_NORMAL_STRIP_ACCENTS) {
			if (utf8proc_category((utf8proc_int32_t)cp) != UTF8PROC_CATEGORY_MN)
				LEAT_TRY(leat_text_put(out, text + i, len, err));
			continue;
		}
		more = leat_utf8_put((uint32_t)utf8proc_tolower((utf8proc_int32_t)cp), c);
		/* The one capital whose small form is two characters. */
		if (cp == 0x130) {
			memcpy(c, "i\xcc\x87", 3);
			more = 3;
		}
		LEAT_TRY(leat_text_put(out, c, more, err));
	}
	return LEAT_OK;
}

static enum leat_status strip(const struct leat_normalizer *z, const unsigned char *text, size_t n,
			      struct leat_text *out, struct leat_error *err)
{
	size_t start = 0, end = 0, len;
	while (z->left && start < n && leat_char_class(leat_utf8_cp(text + start, &len)) == LEAT_CHAR_SPACE)
		start += len;
	if (!z->right)
		end = n;
	for (size_t i = start; i < n; i += len)
		if (leat_char_class(leat_utf8_cp(text + i, &len)) != LEAT_CHAR_SPACE && z->right)
			end = i + len;
	return leat_text_put(out, text + start, end > start ? end - start : 0, err);
}

static enum leat_status replace_text(const struct leat_normalizer *z, const unsigned char *text, size_t n,
				     struct leat_text *out, struct leat_error *err)
{
	size_t at = 0;
	while (at < n) {
		const unsigned char *hit = memmem(text + at, n - at, z->from, z->n_from);
		size_t end = hit ? (size_t)(hit - text) : n;
		LEAT_TRY(leat_text_put(out, text + at, end - at, err));
		if (hit)
			LEAT_TRY(leat_text_put(out, z->to, z->n_to, err));
		at = hit ? end + z->n_from : n;
	}
	return LEAT_OK;
}

static enum leat_status replace_matches(const struct leat_normalizer *z, const unsigned char *text, size_t n,
					struct leat_text *out, struct leat_error *err)
{
	struct leat_search s;
	size_t at = 0, start, end;
	int found = 1;
	LEAT_TRY(leat_search_init(&s, z->pattern, text, n, err));
	enum leat_status st = LEAT_OK;
	while (found) {
		LEAT_TRY_GOTO(st, done, leat_search_next(&s, &found, &start, &end, err));
		if (!found)
			break;
		LEAT_TRY_GOTO(st, done, leat_text_put(out, text + at, start - at, err));
		LEAT_TRY_GOTO(st, done, leat_text_put(out, z->to, z->n_to, err));
		at = end;
	}
	st = leat_text_put(out, text + at, n - at, err);
done:
	leat_search_deinit(&s);
	return st;
}

enum leat_status leat_normalize(const struct leat_normalizer *z, const unsigned char *text, size_t n,
				struct leat_text *out, struct leat_error *err)
{
	switch (z->op) {
	case LEAT_NORMAL_LOWERCASE:
	case LEAT_NORMAL_STRIP_ACCENTS:
		return map_chars(z->op, text, n, out, err);
	case LEAT_NORMAL_STRIP:
		return strip(z, text, n, out, err);
	case LEAT_NORMAL_PREPEND:
		if (n)
			LEAT_TRY(leat_text_put(out, z->to, z->n_to, err));
		return leat_text_put(out, text, n, err);
	case LEAT_NORMAL_REPLACE:
		if (z->pattern)
			return replace_matches(z, text, n, out, err);
		return replace_text(z, text, n, out, err);
	default:
		return to_form(z->op, text, n, out, err);
	}
}
