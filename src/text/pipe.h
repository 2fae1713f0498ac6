/* pipe.h - what a tokenizer.json does to a text before the model sees it: normalizers, then steps that cut it.
 *
 * Each step takes the pieces that the last one left. A step costs time linear in the text (patterns: pattern.h). */
#ifndef LEAT_TEXT_PIPE_H
#define LEAT_TEXT_PIPE_H

#include "text/normal.h"
#include "text/pretok.h"
#include "text/vocab.h"

enum leat_cut_op {
	LEAT_CUT_PATTERN,     /* by matches of a pattern, of a scanner that knows it, or of a string */
	LEAT_CUT_DIGITS,      /* by characters of a class: N */
	LEAT_CUT_SPACES,      /* White_Space */
	LEAT_CUT_PUNCTUATION, /* P, and what ASCII calls punctuation */
	LEAT_CUT_METASPACE,   /* spaces become U+2581, which starts a piece if `split` */
	LEAT_CUT_BYTES,       /* the model takes bytes; a space is put before each piece that has none if `prefix` */
};

/* What becomes of the matches: "Isolated" ... */
enum leat_cut_keep { LEAT_KEEP_ISOLATED, LEAT_KEEP_REMOVED, LEAT_KEEP_PREVIOUS, LEAT_KEEP_NEXT, LEAT_KEEP_CONTIGUOUS };

struct leat_cut {
	enum leat_cut_op op;
	enum leat_cut_keep keep;
	int invert;                   /* matches and what is between them change places */
	int split;
	enum leat_space_prefix prefix;
	const struct leat_pretok *scanner;
	struct leat_pattern_code *pattern;
	const unsigned char *text;    /* a string to find, in the vocabulary's arena */
	size_t n_text;
};

enum { LEAT_MAX_CUTS = 32, LEAT_TEXT_GROWTH = 64 };

struct leat_pipe {
	struct leat_normalizer normal[LEAT_MAX_NORMALIZERS];
	struct leat_cut cut[LEAT_MAX_CUTS];
	int n_normal, n_cut;
	struct leat_arena arena;      /* strings of the steps */
};

void leat_pipe_destroy(struct leat_pipe *p); /* NULL allowed */

/* pre.c: what a name in tokenizer.ggml.pre means: a scanner in spec->pretok, or steps in *pipe; and whether words and
 * BOS are special to it. E_UNSUPPORTED: leat does not know the name. */
enum leat_status leat_pre_set(struct leat_str name, struct leat_vocab_spec *spec, struct leat_pipe *pipe,
			      struct leat_error *err);
/* All names, separated by ", ", into dst. */
void leat_pre_names(char *dst, size_t cap);

/* Appends the ids of a text without special tokens; `first`: it starts the whole text. Bytes that are no UTF-8 go to
 * the model as they are. E_LIMIT also: a normalizer makes more than LEAT_TEXT_GROWTH times the text. */
enum leat_status leat_pipe_encode(const struct leat_vocab *v, const unsigned char *text, size_t n, int first,
				  struct leat_ids *out, struct leat_error *err);

#endif
