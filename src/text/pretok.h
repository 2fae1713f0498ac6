/* pretok.h - cutting a text into the pieces inside which BPE merges.
 *
 * The published definitions are regular expressions. Those that leat knows differ in a few places only, so one linear
 * scanner serves them all: it never backtracks over more than one character or the white space that it then consumes,
 * needs no stack, and a test compares it with the expressions themselves. */
#ifndef LEAT_TEXT_PRETOK_H
#define LEAT_TEXT_PRETOK_H

#include <stddef.h>

struct leat_pretok {
	const char *name;     /* of the model that is known for it */
	const char *pattern;  /* the definition, for tests */
	int any_prefix;       /* any character but a letter, number or line end may lead a word; else only a space */
	int fold_case;        /* contractions in any case */
	int max_digits;       /* numbers in one piece; 0: any, and a space may lead them */
	int line_ends;        /* line ends stick to punctuation and close a run of white space */
};

/* NULL if leat does not know that name. */
const struct leat_pretok *leat_pretok_find(const char *name, size_t n);

/* The scanner of exactly this expression, or NULL. */
const struct leat_pretok *leat_pretok_find_pattern(const char *pattern, size_t n);

/* End of the piece that starts at text[pos], pos < end. Text must be well-formed UTF-8 up to `end`. */
size_t leat_pretok_next(const struct leat_pretok *p, const unsigned char *text, size_t pos, size_t end);

#endif
