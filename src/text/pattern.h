/* pattern.h - regular expressions from tokenizer files, run so that none of them can hold leat up.
 *
 * PCRE2 with JIT, or its interpreter where there is no JIT. A pattern is hostile input: each search has limits on steps
 * and memory that grow with the text, and all searches of one text share a budget of CPU time. */
#ifndef LEAT_TEXT_PATTERN_H
#define LEAT_TEXT_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { LEAT_MAX_PATTERN_BYTES = 16384 };

struct leat_pattern_code;

/* Compiles n bytes of well-formed UTF-8. `where` names the place in messages. E_LIMIT: longer than
 * LEAT_MAX_PATTERN_BYTES; E_UNSUPPORTED: what PCRE2 does not know or would take for something else than Oniguruma,
 * whose syntax tokenizer.json uses (a class inside a class, && in one, \h); E_NOMEM. */
enum leat_status leat_pattern_compile(const char *s, size_t n, const char *where, struct leat_pattern_code **ret,
				      struct leat_error *err);
void leat_pattern_destroy(struct leat_pattern_code *p); /* NULL allowed */

/* One walk over one text; it must not move while it is in use. */
struct leat_search {
	const struct leat_pattern_code *code;
	const unsigned char *text; /* well-formed UTF-8, n bytes */
	size_t n, at;              /* the next match starts at `at` or later */
	void *data, *context, *stack;
	uint64_t deadline_ns;      /* of this thread's CPU time */
	unsigned calls;
	size_t last_end;           /* of the last match, SIZE_MAX before the first */
	int interpreted;
};
enum leat_status leat_search_init(struct leat_search *s, const struct leat_pattern_code *code,
				  const unsigned char *text, size_t n, struct leat_error *err);
/* *ret_found 0: no further match. Matches are in order and do not overlap; they may be empty. E_LIMIT: the pattern
 * needs too long for this text; E_NOMEM. */
enum leat_status leat_search_next(struct leat_search *s, int *ret_found, size_t *ret_start, size_t *ret_end,
				  struct leat_error *err);
/* Another part of the same text: the budgets go on. */
void leat_search_restart(struct leat_search *s, const unsigned char *text, size_t n);
void leat_search_deinit(struct leat_search *s);

#endif
