/* chat.c - which template a model's conversations are written with. */
#include <stdlib.h>
#include <string.h>

#include "text/template.h"
#include "text/vocab.h"

enum { WORLD_TOKENS = 60000 }; /* RWKV World has 65,529; byte-level models of the same kind 256 */

const struct leat_template *leat_template_find(const char *name)
{
	for (int i = 0; leat_template_list[i]; i++)
		if (!strcmp(leat_template_list[i]->name, name))
			return leat_template_list[i];
	return NULL;
}

static const char *find_text(const char *text, size_t n, const char *word)
{
	return memmem(text, n, word, strlen(word));
}

/* The control token that is missing, NULL if all are there. */
static const char *missing_mark(const struct leat_template *t, const struct leat_vocab *v)
{
	for (int i = 0; t->marks && t->marks[i]; i++) {
		int id = leat_vocab_find(v, t->marks[i], strlen(t->marks[i]));
		int kind = id < 0 ? 0 : leat_vocab_token_kind(v, id);
		if (kind != LEAT_TOKEN_CONTROL && kind != LEAT_TOKEN_USER)
			return t->marks[i];
	}
	return NULL;
}

/* How many of the signs a text shows: all of them, or it does not count. */
static int shows(const char *text, size_t n, const char *const *signs)
{
	int i = 0;
	for (; signs && signs[i]; i++)
		if (!find_text(text, n, signs[i]))
			return 0;
	return i;
}

static int usable(const struct leat_template *t, const struct leat_vocab *v, const struct leat_chat_hints *h)
{
	if (t->arch && !strcmp(t->arch, "rwkv") && !h->rwkv)
		return 0;
	return t->flags & LEAT_TEMPLATE_MARKS_OPTIONAL || !missing_mark(t, v);
}

static const struct leat_template *recognise(const struct leat_vocab *v, const struct leat_chat_hints *h)
{
	const struct leat_template *best = NULL;
	int most = 0;
	for (int i = 0; leat_template_list[i]; i++) {
		const struct leat_template *t = leat_template_list[i];
		int a = shows(h->text, h->text_bytes, t->signs), b = shows(h->text, h->text_bytes, t->other_signs);
		int n = a > b ? a : b;
		if (n > most && usable(t, v, h)) {
			most = n;
			best = t;
		}
	}
	return best;
}

/* What architecture and vocabulary say. A vocabulary with marks is no proof of a chat model (base models share it), so
 * it counts only when the file has a template that leat does not know. */
static const struct leat_template *by_vocabulary(const struct leat_vocab *v, const struct leat_chat_hints *h)
{
	int world = h->rwkv && !strcmp(leat_vocab_kind(v), "rwkv") && leat_vocab_size(v) > WORLD_TOKENS;
	for (int i = 0; leat_template_list[i]; i++) {
		const struct leat_template *t = leat_template_list[i];
		int by_arch = t->arch && h->arch && !strcmp(t->arch, h->arch);
		if (t->arch && !strcmp(t->arch, "rwkv") ? world : by_arch && !missing_mark(t, v))
			return t;
	}
	for (int i = 0; leat_template_list[i] && (h->text || h->odd); i++) {
		const struct leat_template *t = leat_template_list[i];
		if (t->marks && !missing_mark(t, v))
			return t;
	}
	return NULL;
}

/* ---- the default system message ---- */

/* One character of a Jinja string at s[0..n): its bytes, or 0 where the literal ends. */
static size_t literal_char(const char *s, size_t n, char quote, char *ret)
{
	if (s[0] == '\\' && n > 1) {
		*ret = s[1] == 'n' ? '\n' : s[1] == 't' ? '\t' : s[1];
		return 2;
	}
	if (s[0] == '{' || s[0] == '}' || (quote ? s[0] == quote : s[0] == '\'' || s[0] == '"'))
		return 0;
	*ret = s[0];
	return 1;
}

/* The literal at s, up to the word `end`, into dst. 0 if it is not one literal of a sensible length. */
static size_t read_literal(const char *s, size_t n, char quote, const char *end, char *dst)
{
	size_t used = 0, n_end = strlen(end), step;
	for (size_t i = 0; i < n && used < LEAT_MAX_DEFAULT_SYSTEM_BYTES; i += step) {
		if (n - i >= n_end && !memcmp(s + i, end, n_end))
			return used;
		step = literal_char(s + i, n - i, quote, &dst[used++]);
		if (!step)
			return 0;
	}
	return 0;
}

/* Some templates write a system message of their own when there is none: the first one that stands in the template's
 * text as a literal, between the marks of the system's frame. */
static enum leat_status default_system(struct leat_chat *c, const struct leat_chat_hints *h, struct leat_error *err)
{
	const struct leat_frame *f = &c->template->frame[LEAT_ROLE_SYSTEM];
	const char *end = NULL, *at = h->text, *last = h->text + h->text_bytes;
	char open[64], found[LEAT_MAX_DEFAULT_SYSTEM_BYTES + 1];
	size_t n_open = strlen(f->before), n = 0, breaks;
	for (int i = 0; c->template->marks && c->template->marks[i]; i++)
		if (!strncmp(f->after, c->template->marks[i], strlen(c->template->marks[i])))
			end = c->template->marks[i];
	if (!end || n_open >= sizeof(open))
		return LEAT_OK;
	memcpy(open, f->before, n_open + 1);
	while (n_open && open[n_open - 1] == '\n')
		open[--n_open] = 0;
	for (int tries = 0; !n && tries < 16 && (at = find_text(at, (size_t)(last - at), open)); at++, tries++) {
		const char *s = at + n_open;
		char quote = at > h->text && (at[-1] == '\'' || at[-1] == '"') ? at[-1] : 0;
		for (breaks = strlen(f->before) - n_open; breaks && s < last; breaks--)
			s += *s == '\n' ? 1 : last - s > 1 && s[0] == '\\' && s[1] == 'n' ? 2 : 0;
		n = read_literal(s, (size_t)(last - s), quote, end, found);
	}
	if (!n)
		return LEAT_OK;
	c->system = malloc(n);
	if (!c->system)
		return leat_fail(err, LEAT_E_NOMEM, "chat_template", LEAT_NO_OFFSET, "out of memory");
	memcpy(c->system, found, n);
	c->system_bytes = n;
	return LEAT_OK;
}

/* ---- the choice ---- */

static void set_template(struct leat_chat *c, const struct leat_template *t, const struct leat_vocab *v, int wants_bos)
{
	c->template = t;
	c->begin = (v->add_bos || wants_bos) && !(t->flags & LEAT_TEMPLATE_OWN_BOS) ? leat_vocab_bos(v) : -1;
}

enum leat_status leat_chat_choose(const struct leat_vocab *v, const struct leat_chat_hints *h, struct leat_chat *ret,
				  struct leat_error *err)
{
	struct leat_chat c = {.source = LEAT_CHAT_FROM_FILE};
	const struct leat_template *t = h->text ? recognise(v, h) : NULL;
	int unknown = !t && (h->text || h->odd), wants_bos = 0;
	if (!t) {
		t = by_vocabulary(v, h);
		c.source = t ? unknown ? LEAT_CHAT_GUESSED : LEAT_CHAT_FROM_VOCABULARY
			     : unknown ? LEAT_CHAT_UNKNOWN : LEAT_CHAT_NONE;
	} else {
		wants_bos = find_text(h->text, h->text_bytes, "bos_token") != NULL;
	}
	set_template(&c, t ? t : &leat_template_none, v, wants_bos);
	if (c.source == LEAT_CHAT_FROM_FILE)
		LEAT_TRY(default_system(&c, h, err));
	*ret = c;
	return LEAT_OK;
}

enum leat_status leat_chat_named(const struct leat_vocab *v, const char *name, struct leat_chat *ret,
				 struct leat_error *err)
{
	const struct leat_template *t = leat_template_find(name);
	struct leat_chat c = {.source = LEAT_CHAT_NAMED};
	char known[128] = "", shown[64];
	if (!t) {
		for (size_t i = 0, n = 0; leat_template_list[i] && n < sizeof(known) - 24; i++) {
			const char *word = leat_template_list[i]->name;
			size_t len = strlen(word);
			memcpy(known + n, ", ", 2);
			memcpy(known + n + 2, word, len < 20 ? len + 1 : 0);
			n += len + 2;
		}
		leat_escape(shown, sizeof(shown), name, strlen(name));
		return leat_fail(err, LEAT_E_NOTFOUND, "chat_template", LEAT_NO_OFFSET,
				 "no chat template '%s'; leat knows %s", shown, known + 2);
	}
	const char *mark = t->flags & LEAT_TEMPLATE_MARKS_OPTIONAL ? NULL : missing_mark(t, v);
	if (mark)
		return leat_fail(err, LEAT_E_UNSUPPORTED, "chat_template", LEAT_NO_OFFSET,
				 "chat template '%s' writes the control token '%s', which this model's vocabulary "
				 "does not have", name, mark);
	set_template(&c, t, v, 0);
	*ret = c;
	return LEAT_OK;
}

void leat_chat_deinit(struct leat_chat *c)
{
	free(c->system);
	*c = (struct leat_chat){0};
}
