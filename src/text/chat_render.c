/* chat_render.c - messages written out: frames with their control tokens, contents as plain text. */
#include <stdlib.h>
#include <string.h>

#include "text/template.h"
#include "text/vocab.h"

enum { MAX_RENDERED_BYTES = 1 << 30 };

struct writer {
	const struct leat_chat *chat;
	const struct leat_vocab *vocab;
	struct leat_rendering out;
	struct leat_error *err;
};

static enum leat_status no_memory(const struct writer *w)
{
	return leat_fail(w->err, LEAT_E_NOMEM, "messages", LEAT_NO_OFFSET, "out of memory");
}

/* Room for n more bytes and one more span. */
static enum leat_status reserve(struct writer *w, size_t n)
{
	struct leat_rendering *o = &w->out;
	if (n > MAX_RENDERED_BYTES - o->n_text)
		return leat_fail(w->err, LEAT_E_LIMIT, "messages", LEAT_NO_OFFSET,
				 "the conversation has more than %d bytes", MAX_RENDERED_BYTES);
	if (n > o->cap_text - o->n_text || !o->text) {
		size_t cap = o->n_text + n > 2 * o->cap_text ? o->n_text + n + 256 : 2 * o->cap_text;
		char *grown = realloc(o->text, cap);
		if (!grown)
			return no_memory(w);
		o->text = grown;
		o->cap_text = cap;
	}
	if (o->n_spans == o->cap_spans) {
		size_t cap = 2 * o->cap_spans + 16;
		struct leat_span *grown = realloc(o->span, cap * sizeof(*grown));
		if (!grown)
			return no_memory(w);
		o->span = grown;
		o->cap_spans = cap;
	}
	return LEAT_OK;
}

static enum leat_status put(struct writer *w, const void *text, size_t n, int32_t id)
{
	struct leat_rendering *o = &w->out;
	if (!n && id < 0)
		return LEAT_OK;
	LEAT_TRY(reserve(w, n));
	if (n)
		memcpy(o->text + o->n_text, text, n);
	if (id < 0 && o->n_spans && o->span[o->n_spans - 1].id < 0)
		o->span[o->n_spans - 1].n += n;
	else
		o->span[o->n_spans++] = (struct leat_span){o->n_text, n, id};
	o->n_text += n;
	return LEAT_OK;
}

static enum leat_status put_token(struct writer *w, int id)
{
	size_t n;
	if (id < 0)
		return LEAT_OK;
	const unsigned char *s = leat_vocab_bytes(w->vocab, id, 1, &n);
	return put(w, s, n, id);
}

/* The control token that a frame's text begins with: its bytes there, 0 if it begins with none. */
static size_t mark_at(const struct writer *w, const char *s, int *ret_id)
{
	const char *const *marks = w->chat->template->marks;
	if (*s == LEAT_TEMPLATE_BOS[0] || *s == LEAT_TEMPLATE_EOS[0]) {
		*ret_id = *s == LEAT_TEMPLATE_BOS[0] ? leat_vocab_bos(w->vocab) : leat_vocab_eos(w->vocab);
		return 1;
	}
	for (int i = 0; marks && marks[i]; i++) {
		size_t n = strlen(marks[i]);
		int id;
		if (strncmp(s, marks[i], n) || (id = leat_vocab_find(w->vocab, s, n)) < 0)
			continue;
		int kind = leat_vocab_token_kind(w->vocab, id);
		if (kind != LEAT_TOKEN_CONTROL && kind != LEAT_TOKEN_USER)
			continue;
		*ret_id = id;
		return n;
	}
	return 0;
}

static enum leat_status put_frame(struct writer *w, const char *s)
{
	while (*s) {
		int id = -1;
		size_t n = mark_at(w, s, &id);
		if (n)
			LEAT_TRY(put_token(w, id));
		else
			LEAT_TRY(put(w, s, n = 1, -1));
		s += n;
	}
	return LEAT_OK;
}

static int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A line break ends a line; several, or with blanks between, are one. */
static enum leat_status put_lines(struct writer *w, const char *s, size_t n)
{
	for (size_t i = 0, end; i < n; i = end) {
		const char *at = memchr(s + i, '\n', n - i);
		end = at ? (size_t)(at - s) : n;
		size_t last = end;
		while (at && last > i && (s[last - 1] == '\r' || is_blank(s[last - 1])))
			last--;
		LEAT_TRY(put(w, s + i, last - i, -1));
		while (end < n && (s[end] == '\n' || s[end] == '\r'))
			end++;
		if (at && (last > i || i == 0))
			LEAT_TRY(put(w, "\n", 1, -1));
	}
	return LEAT_OK;
}

static enum leat_status put_content(struct writer *w, const struct leat_message *m)
{
	const char *s = m->content;
	size_t n = (size_t)m->content_bytes;
	unsigned flags = w->chat->template->flags;
	if (flags & LEAT_TEMPLATE_TRIM) {
		for (; n && is_blank(*s); n--)
			s++;
		while (n && is_blank(s[n - 1]))
			n--;
	}
	return flags & LEAT_TEMPLATE_NO_BLANK_LINES ? put_lines(w, s, n) : put(w, s, n, -1);
}

static int role_of(const struct leat_message *m)
{
	static const char *const names[LEAT_ROLE_COUNT] = {"system", "user", "assistant"};
	for (int i = 0; i < LEAT_ROLE_COUNT; i++)
		if (!strcmp(m->role, names[i]))
			return i;
	return -1;
}

static enum leat_status check(const struct leat_message *m, size_t n, unsigned flags, struct leat_error *err)
{
	char shown[64];
	if (flags & ~(unsigned)(LEAT_CHAT_GENERATE | LEAT_CHAT_CONTINUE | LEAT_CHAT_OPEN_LAST))
		return leat_fail(err, LEAT_E_ARG, "flags", LEAT_NO_OFFSET, "found unknown flags 0x%x", flags);
	for (size_t i = 0; i < n; i++) {
		if (!m[i].role || (!m[i].content && m[i].content_bytes))
			return leat_fail(err, LEAT_E_ARG, "messages", LEAT_NO_OFFSET,
					 "message %zu has no role or no content", i);
		int role = role_of(&m[i]);
		if (role < 0) {
			leat_escape(shown, sizeof(shown), m[i].role, strlen(m[i].role));
			return leat_fail(err, LEAT_E_ARG, "messages", LEAT_NO_OFFSET,
					 "message %zu: role '%s', wanted system, user or assistant", i, shown);
		}
		if (role == LEAT_ROLE_SYSTEM && (i || flags & LEAT_CHAT_CONTINUE))
			return leat_fail(err, LEAT_E_ARG, "messages", LEAT_NO_OFFSET,
					 "message %zu: a system message can only be the first of a conversation", i);
	}
	return LEAT_OK;
}

static enum leat_status put_system(struct writer *w, const struct leat_message *m)
{
	const struct leat_frame *f = &w->chat->template->frame[LEAT_ROLE_SYSTEM];
	LEAT_TRY(put_frame(w, f->before));
	LEAT_TRY(put_content(w, m));
	return put_frame(w, f->after);
}

/* `inside`: a system message that stands in this one. */
static enum leat_status put_message(struct writer *w, const struct leat_message *m, const struct leat_message *inside,
				    int open)
{
	const struct leat_template *t = w->chat->template;
	int role = role_of(m);
	LEAT_TRY(put_frame(w, t->frame[role].before));
	if (inside)
		LEAT_TRY(put_system(w, inside));
	if (role == LEAT_ROLE_ASSISTANT && t->lead)
		LEAT_TRY(put_frame(w, t->lead));
	LEAT_TRY(put_content(w, m));
	return open && role == LEAT_ROLE_ASSISTANT ? LEAT_OK : put_frame(w, t->frame[role].after);
}

static enum leat_status render(struct writer *w, const struct leat_message *m, size_t n, unsigned flags)
{
	const struct leat_chat *c = w->chat;
	const struct leat_template *t = c->template;
	const struct leat_message dflt = {"system", c->system, c->system_bytes}, *system = NULL;
	if (flags & LEAT_CHAT_CONTINUE) {
		LEAT_TRY(put_frame(w, t->frame[LEAT_ROLE_ASSISTANT].after));
	} else {
		LEAT_TRY(put_token(w, c->begin));
		system = n && role_of(m) == LEAT_ROLE_SYSTEM ? m : c->system ? &dflt : NULL;
	}
	size_t i = system == m && n;
	int inside = system && t->flags & LEAT_TEMPLATE_SYSTEM_IN_USER && i < n && role_of(&m[i]) == LEAT_ROLE_USER;
	if (system && !inside)
		LEAT_TRY(put_system(w, system));
	for (; i < n; i++, inside = 0)
		LEAT_TRY(put_message(w, &m[i], inside ? system : NULL,
				     i == n - 1 && flags & LEAT_CHAT_OPEN_LAST));
	return flags & LEAT_CHAT_GENERATE ? put_frame(w, t->frame[LEAT_ROLE_ASSISTANT].before) : LEAT_OK;
}

enum leat_status leat_chat_render(const struct leat_chat *c, const struct leat_vocab *v,
				  const struct leat_message *messages, size_t n, unsigned flags,
				  struct leat_rendering *ret, struct leat_error *err)
{
	struct writer w = {.chat = c, .vocab = v, .err = err};
	LEAT_TRY(check(messages, n, flags, err));
	enum leat_status st = reserve(&w, 1);
	if (st == LEAT_OK)
		st = render(&w, messages, n, flags);
	if (st != LEAT_OK) {
		leat_rendering_deinit(&w.out);
		return st;
	}
	*ret = w.out;
	return LEAT_OK;
}

void leat_rendering_deinit(struct leat_rendering *r)
{
	free(r->text);
	free(r->span);
	*r = (struct leat_rendering){0};
}

/* ---- ids ---- */

static enum leat_status append(struct leat_ids *all, const int32_t *ids, size_t n, struct leat_error *err)
{
	if (!n)
		return LEAT_OK;
	LEAT_TRY(leat_ids_reserve(all, n, err));
	memcpy(all->id + all->n, ids, n * sizeof(*ids));
	all->n += n;
	return LEAT_OK;
}

static enum leat_status append_plain(struct leat_ids *all, const struct leat_vocab *v, const char *s, size_t n,
				     struct leat_error *err)
{
	int32_t *ids = NULL;
	size_t n_ids = 0;
	LEAT_TRY(leat_tokenize(v, s, n, 0, &ids, &n_ids, err));
	enum leat_status st = append(all, ids, n_ids, err);
	free(ids);
	return st;
}

/* Bytes up to the first mark that the tokenizer would find in plain text, and one byte of it; n if there is none. Some
 * files declare their marks as user tokens, which every text is searched for: cut in two, they are only text. */
static size_t up_to_mark(const struct leat_chat *c, const struct leat_vocab *v, const char *s, size_t n)
{
	size_t first = n;
	for (int i = 0; c->template->marks && c->template->marks[i]; i++) {
		const char *mark = c->template->marks[i];
		int id = leat_vocab_find(v, mark, strlen(mark));
		if (id < 0 || leat_vocab_token_kind(v, id) != LEAT_TOKEN_USER)
			continue;
		const char *at = memmem(s, first, mark, strlen(mark));
		if (at)
			first = (size_t)(at - s) + 1;
	}
	return first;
}

enum leat_status leat_rendering_tokenize(const struct leat_rendering *r, const struct leat_chat *c,
					 const struct leat_vocab *v, int32_t **ret_ids, size_t *ret_n,
					 struct leat_error *err)
{
	struct leat_ids all = {0};
	enum leat_status st = LEAT_OK;
	for (size_t i = 0; i < r->n_spans && st == LEAT_OK; i++) {
		const struct leat_span *span = &r->span[i];
		const char *s = r->text + span->first;
		size_t n = span->n;
		if (span->id >= 0) {
			st = append(&all, &span->id, 1, err);
			continue;
		}
		if (i && c->template->flags & LEAT_TEMPLATE_MARKS_EAT_BLANKS)
			for (; n && is_blank(*s); n--)
				s++;
		for (size_t part; n && st == LEAT_OK; s += part, n -= part) {
			part = up_to_mark(c, v, s, n);
			st = append_plain(&all, v, s, part, err);
		}
	}
	if (st != LEAT_OK) {
		free(all.id);
		return st;
	}
	*ret_ids = all.id;
	*ret_n = all.n;
	return LEAT_OK;
}
