/* normal.h - normalisers of tokenizer.json: what happens to a text before it is cut into tokens.
 *
 * Text here is well-formed UTF-8. Unicode's forms come from utf8proc (Unicode 15; code points that are newer stay as
 * they are). Work is linear: utf8proc orders combining marks by exchanging neighbours, so a run of more than
 * LEAT_NORMAL_MARKS of them is ordered in parts (Unicode's stream-safe format, UAX #15, allows 30). */
#ifndef LEAT_TEXT_NORMAL_H
#define LEAT_TEXT_NORMAL_H

#include "text/pattern.h"

enum { LEAT_NORMAL_MARKS = 40, LEAT_MAX_NORMALIZERS = 32 };

/* Bytes that grow, up to `limit`. */
struct leat_text {
	unsigned char *s;
	size_t n, cap, limit;
};
/* Appends n bytes; E_LIMIT beyond the limit, which names it; E_NOMEM. */
enum leat_status leat_text_put(struct leat_text *t, const void *s, size_t n, struct leat_error *err);
void leat_text_deinit(struct leat_text *t);

enum leat_normal_op {
	LEAT_NORMAL_NFC, LEAT_NORMAL_NFD, LEAT_NORMAL_NFKC, LEAT_NORMAL_NFKD,
	LEAT_NORMAL_LOWERCASE, LEAT_NORMAL_STRIP_ACCENTS, LEAT_NORMAL_STRIP, LEAT_NORMAL_PREPEND, LEAT_NORMAL_REPLACE,
};

struct leat_normalizer {
	enum leat_normal_op op;
	int left, right;                  /* STRIP */
	const unsigned char *from, *to;   /* REPLACE (from or pattern), PREPEND (to); borrowed */
	size_t n_from, n_to;
	struct leat_pattern_code *pattern;
};

/* Appends what the normaliser makes of text[0..n) to out, which must not hold it. */
enum leat_status leat_normalize(const struct leat_normalizer *z, const unsigned char *text, size_t n,
				struct leat_text *out, struct leat_error *err);

/* 1 if no normaliser of form op (one of the four) changes any of these bytes: a quick look that may say 0 for text that
 * is unchanged too. */
int leat_normal_is_plain(enum leat_normal_op op, const unsigned char *text, size_t n);

#endif
