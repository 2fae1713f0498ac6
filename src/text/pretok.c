#include "text/pretok.h"

#include <string.h>

#include "text/unicode.h"

#define LEAT_PATTERN_QWEN2                                                                                    \
	"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"    \
	"|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LEAT_PATTERN_LLAMA3                                                                                   \
	"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" \
	"|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LEAT_PATTERN_GPT2                                                                                     \
	"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

static const struct leat_pretok table[] = {
	{"qwen2", LEAT_PATTERN_QWEN2, 1, 1, 1, 1},
	{"llama-bpe", LEAT_PATTERN_LLAMA3, 1, 1, 3, 1},
	{"gpt-2", LEAT_PATTERN_GPT2, 0, 0, 0, 0},
};

const struct leat_pretok *leat_pretok_find(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strlen(table[i].name) == n && memcmp(table[i].name, name, n) == 0)
			return &table[i];
	return NULL;
}

const struct leat_pretok *leat_pretok_find_pattern(const char *pattern, size_t n)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strlen(table[i].pattern) == n && memcmp(table[i].pattern, pattern, n) == 0)
			return &table[i];
	return NULL;
}

/* One character: its class and where the next one starts. */
static int class_at(const unsigned char *text, size_t pos, size_t *ret_next)
{
	size_t len;
	uint32_t cp = leat_utf8_cp(text + pos, &len);
	*ret_next = pos + len;
	return leat_char_class(cp);
}

/* End of the longest run of class `cls` from pos, of at most `max` characters (0: any). */
static size_t run_of(int cls, const unsigned char *text, size_t pos, size_t end, int max)
{
	for (int n = 0; pos < end && (max == 0 || n < max); n += max != 0) {
		size_t next;
		if (class_at(text, pos, &next) != cls)
			break;
		pos = next;
	}
	return pos;
}

/* 's 't 're 've 'm 'll 'd: the bytes after the apostrophe, or 0. */
static size_t contraction(const unsigned char *text, size_t pos, size_t end, int fold_case)
{
	unsigned char c[2] = {0, 0};
	for (size_t i = 0; i < 2 && pos + i < end; i++) {
		c[i] = text[pos + i];
		if (fold_case && c[i] >= 'A' && c[i] <= 'Z')
			c[i] = (unsigned char)(c[i] + 32);
	}
	if (c[0] == 's' || c[0] == 't' || c[0] == 'm' || c[0] == 'd')
		return 1;
	if ((c[0] == 'r' && c[1] == 'e') || (c[0] == 'v' && c[1] == 'e') || (c[0] == 'l' && c[1] == 'l'))
		return 2;
	/* The long s, U+017F, is an s to Unicode's case folding. */
	return fold_case && c[0] == 0xc5 && c[1] == 0xbf ? 2 : 0;
}

static size_t punctuation(const struct leat_pretok *p, const unsigned char *text, size_t pos, size_t end)
{
	pos = run_of(LEAT_CHAR_OTHER, text, pos, end, 0);
	while (p->line_ends && pos < end && (text[pos] == '\r' || text[pos] == '\n'))
		pos++;
	return pos;
}

/* A run of white space ends after its last line end; else it leaves its last character to what follows. */
static size_t spaces(const struct leat_pretok *p, const unsigned char *text, size_t pos, size_t end)
{
	size_t line = 0, before_last = pos, at = pos, next;
	while (at < end && class_at(text, at, &next) == LEAT_CHAR_SPACE) {
		if (text[at] == '\r' || text[at] == '\n')
			line = next;
		before_last = at;
		at = next;
	}
	if (p->line_ends && line)
		return line;
	return at == end || before_last == pos ? at : before_last;
}

size_t leat_pretok_next(const struct leat_pretok *p, const unsigned char *text, size_t pos, size_t end)
{
	size_t next, after;
	int first = class_at(text, pos, &next), second = -1;
	unsigned char c = text[pos];
	if (c == '\'') {
		size_t n = contraction(text, next, end, p->fold_case);
		if (n)
			return next + n;
	}
	if (first == LEAT_CHAR_LETTER)
		return run_of(LEAT_CHAR_LETTER, text, next, end, 0);
	if (first == LEAT_CHAR_NUMBER)
		return run_of(LEAT_CHAR_NUMBER, text, pos, end, p->max_digits);
	if (next < end)
		second = class_at(text, next, &after);
	if (second == LEAT_CHAR_LETTER && (c == ' ' || (p->any_prefix && c != '\r' && c != '\n')))
		return run_of(LEAT_CHAR_LETTER, text, after, end, 0);
	if (second == LEAT_CHAR_NUMBER && c == ' ' && p->max_digits == 0)
		return run_of(LEAT_CHAR_NUMBER, text, after, end, 0);
	if (first == LEAT_CHAR_OTHER)
		return punctuation(p, text, pos, end);
	if (second == LEAT_CHAR_OTHER && c == ' ')
		return punctuation(p, text, next, end);
	return spaces(p, text, pos, end);
}
