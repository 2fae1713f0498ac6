/* chat.c - leat_model_chat_*: conversations as tokens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "text/template.h"

/* Where a container keeps the model's own template. */
static const char *const keys[] = { "tokenizer.chat_template", "tokenizer_config.chat_template" };

/* A list of named ones in tokenizer_config.json, numbered: the one for conversations is called "default". */
static const struct leat_meta *named_template(const struct leat_file *f)
{
	static const char default_name[] = "default";
	enum { MOST_NAMED = 16 };
	char key[64];
	for (int i = 0; i < MOST_NAMED; i++) {
		snprintf(key, sizeof key, "tokenizer_config.chat_template.%d.name", i);
		const struct leat_meta *v = leat_file_meta(f, key);
		if (!v || v->type != LEAT_META_STRING || v->v.str.n != sizeof default_name - 1 ||
		    memcmp(v->v.str.s, default_name, sizeof default_name - 1))
			continue;
		snprintf(key, sizeof key, "tokenizer_config.chat_template.%d.template", i);
		return leat_file_meta(f, key);
	}
	return NULL;
}

static void read_hints(const struct leat_file *f, struct leat_chat_hints *h)
{
	enum { N_KEYS = sizeof keys / sizeof *keys };
	for (size_t i = 0; i <= N_KEYS; i++) {
		const struct leat_meta *v = i < N_KEYS ? leat_file_meta(f, keys[i]) : named_template(f);
		if (!v)
			continue;
		if (v->type == LEAT_META_STRING && v->v.str.n && v->v.str.n <= LEAT_MAX_TEMPLATE_BYTES) {
			h->text = v->v.str.s;
			h->text_bytes = (size_t)v->v.str.n;
			return;
		}
		h->odd |= v->type != LEAT_META_STRING || v->v.str.n;
	}
}

enum leat_status leat_model_choose_chat(struct leat_model *m, struct leat_error *err)
{
	struct leat_chat_hints h = { 0 };
	struct leat_str arch;
	char name[32] = "";
	read_hints(m->w.file, &h);
	if (m->w.arch) {
		h.arch = m->w.arch->name;
		h.rwkv = m->w.arch->family == LEAT_FAMILY_RWKV;
	} else if (leat_meta_string(m->w.file, "general.architecture", &arch, NULL) == LEAT_OK) {
		leat_escape(name, sizeof name, arch.s, (size_t)arch.n);
		h.arch = name;
		h.rwkv = !strncmp(name, "rwkv", 4);
	}
	m->chat = calloc(1, sizeof *m->chat);
	if (!m->chat)
		return leat_fail(err, LEAT_E_NOMEM, "model", LEAT_NO_OFFSET, "out of memory");
	return leat_chat_choose(m->vocab, &h, m->chat, err);
}

void leat_model_forget_chat(struct leat_model *m)
{
	if (m->chat)
		leat_chat_deinit(m->chat);
	free(m->chat);
}

/* The model's own choice, or the named one in *tmp. */
static enum leat_status pick(const struct leat_model *m, const char *name, struct leat_chat *tmp,
			     const struct leat_chat **ret, struct leat_error *err)
{
	if (name && strcmp(name, m->chat->template->name)) {
		LEAT_TRY(leat_chat_named(m->vocab, name, tmp, err));
		*ret = tmp;
	} else {
		*ret = m->chat;
	}
	return LEAT_OK;
}

enum leat_status leat_model_get_chat_info(const struct leat_model *m, const char *name, struct leat_chat_info *info,
					  struct leat_error *err)
{
	struct leat_chat_info r = { .struct_size = sizeof r };
	struct leat_chat named;
	const struct leat_chat *c;
	LEAT_TRY(pick(m, name, &named, &c, err));
	const struct leat_template *t = c->template;
	const int most = sizeof r.stop / sizeof *r.stop;
	r.source = name ? LEAT_CHAT_NAMED : c->source;
	r.name = t->name;
	r.system = c->system;
	r.system_bytes = c->system_bytes;
	r.trim = (t->flags & LEAT_TEMPLATE_TRIM) != 0 || t->lead != NULL ||
		 (t->flags & LEAT_TEMPLATE_MARKS_EAT_BLANKS) != 0;
	for (int i = 0; t->stops && t->stops[i] && r.n_stop < most; i++)
		r.stop[r.n_stop++] = t->stops[i];
	for (int i = 0; t->ends && t->ends[i] && r.n_stop_ids < most; i++) {
		int id = leat_vocab_find(m->vocab, t->ends[i], strlen(t->ends[i]));
		if (id >= 0)
			r.stop_ids[r.n_stop_ids++] = id;
	}
	leat_info_give(info, &r, sizeof r);
	return LEAT_OK;
}

const char *leat_chat_template_at(int32_t index)
{
	for (int32_t i = 0; i <= index && leat_template_list[i]; i++)
		if (i == index)
			return leat_template_list[i]->name;
	return NULL;
}

static const uint32_t chat_flags = LEAT_CHAT_GENERATE | LEAT_CHAT_CONTINUE | LEAT_CHAT_OPEN_LAST;

enum leat_status leat_model_chat_tokens(const struct leat_model *m, const char *name,
					const struct leat_message *messages, size_t n, unsigned flags,
					int32_t **ret_ids, size_t *ret_n, struct leat_error *err)
{
	struct leat_chat named;
	const struct leat_chat *c;
	struct leat_rendering r;
	LEAT_TRY(leat_flags_check("flags", flags, chat_flags, err));
	LEAT_TRY(pick(m, name, &named, &c, err));
	LEAT_TRY(leat_chat_render(c, m->vocab, messages, n, flags, &r, err));
	enum leat_status st = leat_rendering_tokenize(&r, c, m->vocab, ret_ids, ret_n, err);
	leat_rendering_deinit(&r);
	return st;
}

/* Messages are written out again from the begin: tokens of neighbours may have become one. For the last ones only. */
enum leat_status leat_model_chat_borders(const struct leat_model *m, const char *name,
					 const struct leat_message *messages, size_t n, unsigned flags,
					 const int32_t *ids, size_t n_ids, uint64_t *borders, size_t most_borders,
					 size_t *ret_n, struct leat_error *err)
{
	size_t n_found = 0;
	unsigned part_flags = flags & LEAT_CHAT_CONTINUE;
	for (size_t i = n >= most_borders ? n - most_borders + 1 : 0; most_borders && i <= n; i++) {
		int32_t *part = NULL;
		size_t n_part = 0, same = 0;
		LEAT_TRY(leat_model_chat_tokens(m, name, messages, i, part_flags, &part, &n_part, err));
		while (same < n_part && same < n_ids && part[same] == ids[same])
			same++;
		leat_free(part);
		if (same > 1 && (!n_found || same > borders[n_found - 1])) /* one token is no saving */
			borders[n_found++] = same;
	}
	*ret_n = n_found;
	return LEAT_OK;
}

enum leat_status leat_model_chat_text(const struct leat_model *m, const char *name,
				      const struct leat_message *messages, size_t n, unsigned flags, char **ret_text,
				      size_t *ret_bytes, struct leat_error *err)
{
	struct leat_chat named;
	const struct leat_chat *c;
	struct leat_rendering r;
	LEAT_TRY(leat_flags_check("flags", flags, chat_flags, err));
	LEAT_TRY(pick(m, name, &named, &c, err));
	LEAT_TRY(leat_chat_render(c, m->vocab, messages, n, flags, &r, err));
	char *text = realloc(r.text, r.n_text + 1);
	free(r.span);
	if (!text) {
		free(r.text);
		return leat_fail(err, LEAT_E_NOMEM, "messages", LEAT_NO_OFFSET, "out of memory");
	}
	text[r.n_text] = 0;
	*ret_text = text;
	*ret_bytes = r.n_text;
	return LEAT_OK;
}
