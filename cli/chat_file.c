/* chat_file.c - a conversation as a JSON file: written whole or not at all, read with suspicion. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/outfile.h"
#include "chat.h"

enum { MAX_FILE_BYTES = 16 << 20, MAX_VALUES = 200000, MAX_DEPTH = 8 };
static const char schema[] = "leat.chat/1";

/* ---- saving ---- */

static int add_message(json_t *list, const char *role, const char *text, size_t n)
{
	json_t *m = json_object();

	return !m || json_object_set_new(m, "role", json_string(role)) ||
	       json_object_set_new(m, "content", json_stringn(text ? text : "", n)) || json_array_append_new(list, m);
}

static json_t *messages(const struct chat *h)
{
	json_t *list = json_array();
	int bad = !list;
	size_t i;

	if (!bad && h->system)
		bad = add_message(list, "system", h->system, strlen(h->system));
	for (i = 0; i < h->n_turns && !bad; i++) {
		const struct chat_turn *t = &h->turn[i];
		bad = add_message(list, "user", t->user, t->n_user) ||
		      add_message(list, "assistant", t->answer, t->n_answer);
	}
	if (!bad)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *settings(const struct chat *h)
{
	json_t *o = json_object();
	int i;

	for (i = 0; o && chat_setting_name(i); i++) {
		const char *value = chat_setting_value(h, i);
		if (*value && json_object_set_new(o, chat_setting_name(i), json_string(value))) {
			json_decref(o);
			o = NULL;
		}
	}
	return o;
}

static char *as_text(const struct chat *h)
{
	json_t *all = json_object();
	char *text = NULL;

	if (all && !json_object_set_new(all, "schema", json_string(schema)) &&
	    !json_object_set_new(all, "leat_version", json_string(leat_version())) &&
	    !json_object_set_new(all, "model", json_string(h->info.name)) &&
	    !json_object_set_new(all, "arch", json_string(h->info.arch)) &&
	    !json_object_set_new(all, "template", json_string(h->sampling.chat.name)) &&
	    !json_object_set_new(all, "settings", settings(h)) && !json_object_set_new(all, "messages", messages(h)))
		text = json_dumps(all, JSON_INDENT(2));
	json_decref(all);
	return text;
}

int chat_save(struct chat *h, const char *path, int replace)
{
	struct leat_outfile f;
	struct leat_error e = LEAT_ERROR_INIT;
	struct stat st;
	mode_t mask;
	char *text;
	enum leat_status s;

	if (!replace && !lstat(path, &st))
		return cli_error(h->c, LEAT_E_ARG, "%s exists; /save! replaces it", path);
	text = as_text(h);
	if (!text)
		return cli_error(h->c, LEAT_E_NOMEM, "out of memory");
	mask = umask(077); /* what was said is nobody else's business */
	s = leat_outfile_open(&f, path, replace, &e);
	umask(mask);
	if (!s)
		s = leat_outfile_write(&f, text, strlen(text), &e);
	if (!s)
		s = leat_outfile_write(&f, "\n", 1, &e);
	if (!s)
		s = leat_outfile_commit(&f, 1, &e);
	else if (f.path)
		leat_outfile_abort(&f);
	free(text);
	if (s)
		return cli_fail(h->c, &e, 0);
	chat_say("saved %zu turns to %s\n", h->n_turns, path);
	return 0;
}

/* ---- loading ---- */

/* What a file becomes before anything live changes. */
struct loaded {
	struct chat *h;
	const char *path;
	char *system;
	struct chat_turn *turn;
	size_t n_turns;
	json_t *settings;
};

static int wrong(const struct loaded *l, const char *what)
{
	return cli_error(l->h->c, LEAT_E_FORMAT, "%s: %s; nothing was loaded", l->path, what);
}

static char *copy(const json_t *s)
{
	size_t n = json_string_length(s);
	char *text = malloc(n + 1);

	if (text)
		memcpy(text, json_string_value(s), n + 1);
	return text;
}

static int take_message(struct loaded *l, const json_t *m, size_t i)
{
	const json_t *role = json_object_get(m, "role"), *content = json_object_get(m, "content");
	const char *word = json_string_value(role);
	size_t at = i - (l->system != NULL);
	struct chat_turn *t = &l->turn[at / 2];
	char why[96], *text;

	snprintf(why, sizeof(why), "message %zu is not an object with texts 'role' and 'content'", i);
	if (!word || !json_is_string(content))
		return wrong(l, why);
	text = copy(content);
	if (!text)
		return cli_error(l->h->c, LEAT_E_NOMEM, "out of memory");
	if (i == 0 && !strcmp(word, "system")) {
		l->system = text;
		return 0;
	}
	if (strcmp(word, at % 2 ? "assistant" : "user")) {
		free(text);
		snprintf(why, sizeof(why), "message %zu has the role '%.20s', wanted '%s'", i, word,
			 at % 2 ? "assistant" : "user");
		return wrong(l, why);
	}
	if (at % 2) {
		t->answer = text;
		t->n_answer = json_string_length(content);
		l->n_turns = at / 2 + 1;
	} else {
		t->user = text;
		t->n_user = json_string_length(content);
	}
	return 0;
}

static int take_messages(struct loaded *l, const json_t *list)
{
	size_t i, n = json_array_size(list);
	int rc = 0;

	if (!json_is_array(list))
		return wrong(l, "'messages' is not an array");
	l->turn = calloc(n / 2 + 1, sizeof(*l->turn));
	if (!l->turn)
		return cli_error(l->h->c, LEAT_E_NOMEM, "out of memory");
	for (i = 0; i < n && !rc; i++)
		rc = take_message(l, json_array_get(list, i), i);
	if (!rc && (n - (l->system != NULL)) % 2)
		rc = wrong(l, "the last message has no answer");
	return rc;
}

static int check_settings(struct loaded *l, json_t *o)
{
	const char *key;
	json_t *value;
	char why[160];
	int bad = 0;

	if (!o)
		return 0;
	if (!json_is_object(o))
		return wrong(l, "'settings' is not an object");
	json_object_foreach(o, key, value) {
		snprintf(why, sizeof(why), "setting '%.40s' is not a text", key);
		bad = !json_is_string(value) || chat_check_setting(l->h, key, json_string_value(value), why);
		if (bad)
			break;
	}
	l->settings = o;
	return bad ? wrong(l, why) : 0;
}

static int check(struct loaded *l, json_t *all)
{
	const char *word = json_string_value(json_object_get(all, "schema"));
	int rc;

	if (!word || strcmp(word, schema))
		return wrong(l, "'schema' is not \"leat.chat/1\": this is no conversation that leat saved");
	rc = check_settings(l, json_object_get(all, "settings"));
	return rc ? rc : take_messages(l, json_object_get(all, "messages"));
}

static void apply_settings(struct loaded *l)
{
	const char *key;
	json_t *value;
	char why[160];

	json_object_foreach(l->settings, key, value)
		chat_set(l->h, key, json_string_value(value), why);
}

static int parse(struct loaded *l, json_t **ret)
{
	struct stat st;
	json_error_t e;
	char *text, why[320];
	size_t n;
	int rc;

	if (!stat(l->path, &st) && (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE_BYTES))
		return wrong(l, S_ISREG(st.st_mode) ? "larger than 16 MiB" : "not a file");
	rc = cli_read_text(l->h->c, l->path, &text, &n);
	if (rc)
		return rc;
	if (!cli_json_bounded(text, n, MAX_DEPTH, MAX_VALUES)) {
		free(text);
		return wrong(l, "too deep, or too many values, for a conversation");
	}
	*ret = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
	free(text);
	if (*ret)
		return 0;
	snprintf(why, sizeof(why), "not JSON: line %d: %s", e.line, e.text);
	return wrong(l, why);
}

int chat_load(struct chat *h, const char *path)
{
	struct loaded l = { .h = h, .path = path };
	json_t *all = NULL;
	int rc = parse(&l, &all);

	if (!rc)
		rc = check(&l, all);
	if (!rc)
		rc = chat_replace(h, l.system, l.turn, l.n_turns);
	if (!rc)
		apply_settings(&l);
	if (!rc)
		chat_say("loaded %zu turns from %s\n", h->n_turns, path);
	if (h->turn != l.turn) { /* nothing was taken over */
		free(l.system);
		if (l.turn)
			chat_free_turns(l.turn, l.n_turns + 1);
	}
	json_decref(all);
	return rc;
}
