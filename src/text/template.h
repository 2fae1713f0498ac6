/* template.h - how the messages of a conversation become the text that a model was trained on.
 *
 * A template is a table: the text before and after a message of each role, and which words of that text are control
 * tokens. Content is always plain text: what a user writes is never parsed for control tokens. One file
 * template_NAME.c exports `const struct leat_template leat_template_NAME`; adding one is adding a file. A file's own
 * template (Jinja) is not run, but recognised by the marks it writes. */
#ifndef LEAT_TEXT_TEMPLATE_H
#define LEAT_TEXT_TEMPLATE_H

#include "leat/leat.h"
#include "text/tokenizer.h"

enum leat_role { LEAT_ROLE_SYSTEM, LEAT_ROLE_USER, LEAT_ROLE_ASSISTANT, LEAT_ROLE_COUNT };

/* In the texts of a frame: the vocabulary's tokens that begin and end a text. */
#define LEAT_TEMPLATE_BOS "\001"
#define LEAT_TEMPLATE_EOS "\002"

enum {
	LEAT_TEMPLATE_TRIM = 1,            /* blanks around a message are not part of it */
	LEAT_TEMPLATE_NO_BLANK_LINES = 2,  /* a blank line ends a message, so there is none inside */
	LEAT_TEMPLATE_SYSTEM_IN_USER = 4,  /* the system message stands inside the first message of the user */
	LEAT_TEMPLATE_MARKS_OPTIONAL = 8,  /* marks that are no control tokens of the vocabulary are written as text */
	LEAT_TEMPLATE_MARKS_EAT_BLANKS = 16, /* control tokens swallow the blanks that follow them */
	LEAT_TEMPLATE_OWN_BOS = 32,        /* the frames say where the token that begins a text stands */
};

struct leat_template {
	const char *name;
	/* A model's own template that contains all of one of these lists is this one; the longer list wins. Each list
	 * ends with NULL. */
	const char *const *signs, *const *other_signs;
	/* The control tokens that the frames write, NULL at the end; all must be in the vocabulary. NULL: none. */
	const char *const *marks;
	/* Control tokens that end an answer, and texts that do, NULL at the end. NULL: none. */
	const char *const *ends, *const *stops;
	struct leat_frame {
		const char *before, *after;
	} frame[LEAT_ROLE_COUNT];
	/* Between the words that open an answer and the answer, written by the model itself. */
	const char *lead;
	unsigned flags;
	/* Files of this architecture are for chat even if they carry no template. NULL: none. "rwkv": every RWKV with
	 * the World vocabulary. */
	const char *arch;
};
extern const struct leat_template *const leat_template_list[]; /* generated, NULL at the end */
extern const struct leat_template leat_template_none; /* what is used when nothing else is known */

/* NULL if there is none of that name. "none" is the template without frames. */
const struct leat_template *leat_template_find(const char *name);

/* What is known about a model's conversations. */
struct leat_chat {
	const struct leat_template *template;
	int source;           /* enum leat_chat_source */
	int begin;            /* id that every conversation begins with, -1: none */
	char *system;         /* what the model's own template says when nobody does; owned, NULL: nothing */
	size_t system_bytes;
};

enum { LEAT_MAX_TEMPLATE_BYTES = 1 << 20, LEAT_MAX_DEFAULT_SYSTEM_BYTES = 4096 };

struct leat_chat_hints {
	const char *text;     /* the file's own template, text_bytes of it; NULL: it has none */
	size_t text_bytes;
	int odd;              /* it has one, but not one text of at most LEAT_MAX_TEMPLATE_BYTES */
	const char *arch;     /* "qwen2"; NULL: not known */
	int rwkv;             /* an RWKV of any version */
};

/* Chooses; never refuses a file. E_NOMEM. ret->template is never NULL. */
enum leat_status leat_chat_choose(const struct leat_vocab *v, const struct leat_chat_hints *h, struct leat_chat *ret,
				  struct leat_error *err);
void leat_chat_deinit(struct leat_chat *c); /* zeroed ones are fine */
/* The choice `name` for a vocabulary instead of what the file says, without default system message. E_NOTFOUND names
 * what there is; E_UNSUPPORTED names the control token that the vocabulary lacks. */
enum leat_status leat_chat_named(const struct leat_vocab *v, const char *name, struct leat_chat *ret,
				 struct leat_error *err);

/* A conversation written out: spans of plain text and control tokens, in order. Neighbouring plain texts are one span:
 * a tokenizer has to see what a person would read as one word. */
struct leat_span {
	size_t first, n; /* in text */
	int32_t id;      /* the control token; -1: plain text */
};
struct leat_rendering {
	char *text;      /* the written form of all of it */
	size_t n_text, cap_text;
	struct leat_span *span;
	size_t n_spans, cap_spans;
};
/* `flags` are LEAT_CHAT_... E_ARG: an unknown role, a system message that is not the first; E_LIMIT: over 2^30 bytes;
 * E_NOMEM. On failure *ret holds nothing. */
enum leat_status leat_chat_render(const struct leat_chat *c, const struct leat_vocab *v,
				  const struct leat_message *messages, size_t n, unsigned flags,
				  struct leat_rendering *ret, struct leat_error *err);
void leat_rendering_deinit(struct leat_rendering *r);

/* The ids of a rendering; heap (free()), NULL when there are none. */
enum leat_status leat_rendering_tokenize(const struct leat_rendering *r, const struct leat_chat *c,
					 const struct leat_vocab *v, int32_t **ret_ids, size_t *ret_n,
					 struct leat_error *err);

#endif
