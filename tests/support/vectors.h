/* vectors.h - texts and their ids as other programs computed them, against a vocabulary; for tests under cmocka. */
#ifndef LEAT_TESTS_SUPPORT_VECTORS_H
#define LEAT_TESTS_SUPPORT_VECTORS_H

#include "text/tokenizer.h"

/* The text must give the ids of that line, and they the text. */
void vectors_check_text(const struct leat_vocab *v, const char *text, size_t n, const char *ids);

/* All texts of NAME.inp and NAME.out under the oracle folder. */
void vectors_check(const struct leat_vocab *v, const char *name);

#endif
