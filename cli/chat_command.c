/* chat_command.c - the lines that begin with '/'. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chat.h"

/* ---- settings ---- */

static const enum cli_option settings[] = {
	OPT_TEMP, OPT_TOP_K, OPT_TOP_P, OPT_MIN_P, OPT_TYPICAL, OPT_REPEAT_PENALTY, OPT_REPEAT_LAST_N,
	OPT_PRESENCE_PENALTY, OPT_FREQUENCY_PENALTY, OPT_PENALTY_DECAY, OPT_SEED, OPT_N_PREDICT, OPT_SAMPLERS,
	OPT_IGNORE_EOS, OPT_SHOW_SPECIAL, OPT_TIMINGS,
};
enum { N_SETTINGS = sizeof(settings) / sizeof(*settings) };

const char *chat_setting_name(int i)
{
	return i < N_SETTINGS ? cli_option_name(settings[i]) : NULL;
}

const char *chat_setting_value(const struct chat *h, int i)
{
	const struct cli_value *v = &h->c->value[settings[i]];

	return v->source != CLI_DEFAULT && v->s ? v->s : "";
}

static int find_setting(const char *key, char why[160])
{
	const char *names[N_SETTINGS + 1], *near;
	int i;

	for (i = 0; i < N_SETTINGS; i++) {
		names[i] = cli_option_name(settings[i]);
		if (!strcmp(names[i], key))
			return i;
	}
	names[N_SETTINGS] = NULL;
	near = cli_nearest(key, names);
	snprintf(why, 160, "there is no setting '%.40s'%s%s%s", key, near ? "; did you mean '" : "", near ? near : "",
		 near ? "'?" : "");
	return -1;
}

static char *keep(struct chat *h, const char *text)
{
	char **grown = realloc(h->kept, (h->n_kept + 1) * sizeof(*grown));
	char *copy;

	if (!grown)
		return NULL;
	h->kept = grown;
	copy = strdup(text);
	if (copy)
		h->kept[h->n_kept++] = copy;
	return copy;
}

/* The value that setting i would get from this text. */
static int parse_setting(const struct chat *h, int i, const char *text, struct cli_value *ret, char why[160])
{
	enum cli_option o = settings[i];
	const char *dflt = cli_option_row(o)->dflt;
	int reset = !strcmp(text, "default");
	char wanted[96];

	*ret = h->c->value[o];
	if ((!reset || dflt[0]) && cli_assign(ret, o, reset ? dflt : text, wanted)) {
		snprintf(why, 160, "%s: '%.30s' is not %s", cli_option_name(o), text, wanted);
		return 1;
	}
	if (reset) {
		ret->source = CLI_DEFAULT;
		ret->s = dflt[0] ? dflt : NULL;
	}
	return 0;
}

int chat_check_setting(const struct chat *h, const char *key, const char *value, char why[160])
{
	struct cli_value v;
	int i = find_setting(key, why);

	return i < 0 || parse_setting(h, i, value, &v, why);
}

int chat_set(struct chat *h, const char *key, const char *value, char why[160])
{
	int i = find_setting(key, why);
	struct cli_value v;
	char *copy = i < 0 ? NULL : keep(h, value);

	if (i < 0)
		return 1;
	if (!copy) {
		snprintf(why, 160, "out of memory");
		return 1;
	}
	if (parse_setting(h, i, copy, &v, why))
		return 1;
	h->c->value[settings[i]] = v;
	/* a new seed begins its row of answers anew */
	if (settings[i] == OPT_SEED && h->n_turns)
		h->turn[h->n_turns - 1].tries = UINT32_MAX;
	return chat_refresh(h) != 0;
}

static void show_settings(const struct chat *h)
{
	const struct leat_request_params *p = &h->sampling.p;
	const struct {
		enum cli_option o;
		double v;
	} effective[] = {
		{ OPT_TEMP, (double)p->temperature }, { OPT_TOP_K, p->top_k }, { OPT_TOP_P, (double)p->top_p },
		{ OPT_MIN_P, (double)p->min_p }, { OPT_TYPICAL, (double)p->typical_p },
		{ OPT_REPEAT_PENALTY, (double)p->repeat_penalty }, { OPT_REPEAT_LAST_N, p->repeat_last_n },
		{ OPT_PRESENCE_PENALTY, (double)p->presence_penalty },
		{ OPT_FREQUENCY_PENALTY, (double)p->frequency_penalty },
		{ OPT_PENALTY_DECAY, (double)p->penalty_decay },
	};
	size_t i, k;

	for (i = 0; i < N_SETTINGS; i++) {
		const struct cli_value *v = &h->c->value[settings[i]];
		char text[64];
		snprintf(text, sizeof(text), "%s", v->s ? v->s : "");
		for (k = 0; k < sizeof(effective) / sizeof(*effective); k++) {
			if (effective[k].o == settings[i])
				snprintf(text, sizeof(text), "%.6g", effective[k].v);
		}
		chat_say("  %-18s %s%s\n", cli_option_name(settings[i]), text,
			 v->source == CLI_DEFAULT ? "  (default)" : "");
	}
}

static int cmd_set(struct chat *h, char *arg)
{
	char *value = arg + strcspn(arg, " \t=");
	char why[160] = "out of memory";

	if (!*arg) {
		show_settings(h);
		return 0;
	}
	if (*value) {
		*value++ = 0;
		value += strspn(value, " \t=");
	}
	if (!*value) {
		chat_say("/set KEY VALUE, or /set KEY default\n");
		return EXIT_USAGE;
	}
	if (!chat_set(h, arg, value, why))
		return 0;
	return cli_error(h->c, LEAT_E_ARG, "/set: %s", why);
}

/* ---- /show ---- */

static int show_model(const struct chat *h)
{
	char label[96], bytes[32];
	const struct leat_model_info *i = &h->info;

	cli_arch_label(i, label);
	chat_say("  file       %s\n  model      %s%s%s\n  layers     %d, width %d, %d heads\n"
		 "  vocabulary %d tokens, %s\n  weights    %s\n", h->path, label, i->name[0] ? ", " : "", i->name,
		 (int)i->n_layer, (int)i->n_embd, (int)i->n_head, (int)i->n_vocab, i->tokenizer,
		 cli_bytes(i->file_bytes, bytes));
	return 0;
}

static int show_template(const struct chat *h)
{
	static const char *const how[] = {
		"nothing says that this is a chat model", "the model file's own", "by architecture and vocabulary",
		"the file's own is not known; by its vocabulary", "the file's own is not known", "--chat-template",
	};
	const struct leat_chat_info *i = &h->sampling.chat;
	struct leat_message m[2] = { { "system", h->system, h->system ? strlen(h->system) : 0 },
				     { "user", "MESSAGE", 7 } };
	struct leat_error e = LEAT_ERROR_INIT;
	char *text;
	size_t n;

	if (leat_model_chat_text(h->model, cli_template_name(h->c), h->system ? m : m + 1, h->system ? 2 : 1,
				 LEAT_CHAT_GENERATE, &text, &n, &e))
		return cli_fail(h->c, &e, 0);
	chat_say("  template   %s (%s)\n  a first message is written as:\n%s\n", i->name, how[i->source], text);
	leat_free(text);
	return 0;
}

static int show_memory(const struct chat *h)
{
	struct leat_engine_info e = { .struct_size = sizeof(e) };
	struct leat_session_info s = { .struct_size = sizeof(s) };
	char state[32], scratch[32];

	leat_engine_get_info(h->engine, &e);
	leat_session_get_info(h->session, &s);
	chat_say("  conversation  %llu tokens, context %d%s\n  %s  %s\n  scratch       %s\n  marks         %d\n",
		 (unsigned long long)s.n_tokens, (int)e.n_ctx, e.n_ctx ? "" : " (no limit)",
		 h->info.recurrent ? "states      " : "cache       ", cli_bytes(e.state_bytes, state),
		 cli_bytes(e.scratch_bytes, scratch), (int)s.n_marks);
	return 0;
}

static int cmd_show(struct chat *h, char *arg)
{
	int all = !*arg, known = 0;

	if (all || !strcmp(arg, "model"))
		known = 1, show_model(h);
	if (all || !strcmp(arg, "template"))
		known = 1, show_template(h);
	if (all || !strcmp(arg, "memory"))
		known = 1, show_memory(h);
	if (all || !strcmp(arg, "params"))
		known = 1, show_settings(h);
	if (known)
		return 0;
	return cli_error(h->c, LEAT_E_ARG, "/show params, model, template or memory");
}

/* ---- the conversation ---- */

static int cmd_clear(struct chat *h, char *arg)
{
	(void)arg;
	chat_say("the conversation is empty\n");
	return chat_clear(h);
}

static int cmd_regen(struct chat *h, char *arg)
{
	(void)arg;
	return chat_regen(h);
}

static int cmd_undo(struct chat *h, char *arg)
{
	(void)arg;
	return chat_undo(h);
}

static int cmd_system(struct chat *h, char *arg)
{
	char *text;

	if (!*arg) {
		chat_say("%s\n", h->system ? h->system : "there is no system message");
		return 0;
	}
	if (!cli_is_utf8(arg, strlen(arg)))
		return cli_error(h->c, LEAT_E_ARG, "this is not UTF-8 text");
	text = strdup(arg);
	if (!text)
		return cli_error(h->c, LEAT_E_NOMEM, "out of memory");
	free(h->system);
	h->system = text;
	chat_forget_begin(h);
	if (h->n_turns)
		chat_say("a system message begins a conversation: this one is a new one\n");
	return chat_clear(h);
}

/* A leading ~/ is the home folder. */
static char *path_of(const char *arg)
{
	const char *home = getenv("HOME");
	size_t n = strlen(arg) + (home ? strlen(home) : 0) + 2;
	char *path = malloc(n);

	if (path)
		snprintf(path, n, "%s%s", home && !strncmp(arg, "~/", 2) ? home : "",
			 home && !strncmp(arg, "~/", 2) ? arg + 1 : arg);
	return path;
}

static int with_path(struct chat *h, const char *arg, int (*f)(struct chat *, const char *))
{
	char *path;
	int rc;

	if (!*arg)
		return cli_error(h->c, LEAT_E_ARG, "a file name is missing");
	path = path_of(arg);
	if (!path)
		return cli_error(h->c, LEAT_E_NOMEM, "out of memory");
	rc = f(h, path);
	free(path);
	return rc;
}

static int save_new(struct chat *h, const char *path)
{
	return chat_save(h, path, 0);
}

static int save_over(struct chat *h, const char *path)
{
	return chat_save(h, path, 1);
}

static int send_file(struct chat *h, const char *path)
{
	char *text;
	size_t n;
	int rc = cli_read_text(h->c, path, &text, &n);

	if (rc)
		return rc;
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (n)
		rc = chat_ask(h, text, n);
	else
		chat_say("%s is empty; nothing was sent\n", path);
	free(text);
	return rc;
}

static int cmd_save(struct chat *h, char *arg)
{
	return with_path(h, arg, save_new);
}

static int cmd_save_over(struct chat *h, char *arg)
{
	return with_path(h, arg, save_over);
}

static int cmd_load(struct chat *h, char *arg)
{
	return with_path(h, arg, chat_load);
}

static int cmd_read(struct chat *h, char *arg)
{
	return with_path(h, arg, send_file);
}

/* The editor runs with the terminal's own signals; Ctrl-C in it is its own affair. */
static int run_editor(const char *path)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		execl("/bin/sh", "sh", "-c", "exec ${VISUAL:-${EDITOR:-vi}} \"$1\"", "leat", path, (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	cli_interrupted();
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

static int cmd_edit(struct chat *h, char *arg)
{
	const char *dir = getenv("TMPDIR");
	const struct chat_turn *last = h->n_turns ? &h->turn[h->n_turns - 1] : NULL;
	char path[512];
	int fd, rc = 0;

	(void)arg;
	snprintf(path, sizeof(path), "%.480s/leat-XXXXXX", dir && *dir ? dir : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return cli_error(h->c, LEAT_E_IO, "%s: %s", path, strerror(errno));
	if (last && write(fd, last->user, last->n_user) < 0)
		rc = cli_error(h->c, LEAT_E_IO, "%s: %s", path, strerror(errno));
	close(fd);
	if (!rc && run_editor(path))
		rc = cli_error(h->c, LEAT_E_IO, "the editor failed; nothing was sent (VISUAL or EDITOR chooses it)");
	if (!rc)
		rc = send_file(h, path);
	unlink(path);
	return rc;
}

/* ---- looking ---- */

static int cmd_stats(struct chat *h, char *arg)
{
	struct cli_timing *t = &h->total;

	(void)arg;
	chat_say("  turns      %zu\n  read       %llu tokens in %.2f s\n  written    %llu tokens in %.2f s\n",
		 h->n_turns, (unsigned long long)t->n_in, (double)t->in_ns * 1e-9, (unsigned long long)t->n_out,
		 (double)t->out_ns * 1e-9);
	return show_memory(h);
}

static int cmd_tokens(struct chat *h, char *arg)
{
	struct leat_error e = LEAT_ERROR_INIT;
	int32_t *ids;
	size_t n, i;

	if (leat_model_tokenize(h->model, arg, strlen(arg), 0, &ids, &n, &e))
		return cli_fail(h->c, &e, 0);
	chat_say("%zu tokens:", n);
	for (i = 0; i < n; i++)
		chat_say(" %d", (int)ids[i]);
	chat_say("\n");
	if (n)
		leat_free(ids);
	return 0;
}

static int cmd_exit(struct chat *h, char *arg)
{
	(void)arg;
	h->leave = 1;
	return 0;
}

static int cmd_help(struct chat *h, char *arg);

static const struct command {
	const char *name, *args, *help;
	int (*run)(struct chat *h, char *arg);
} commands[] = {
	{ "/help", "", "this list", cmd_help },
	{ "/regen", "", "another answer to the last message", cmd_regen },
	{ "/undo", "", "take the last message and its answer back", cmd_undo },
	{ "/clear", "", "begin a new conversation", cmd_clear },
	{ "/system", "TEXT", "begin a new one with this system message", cmd_system },
	{ "/set", "KEY VALUE", "change how answers are drawn; KEY default undoes it", cmd_set },
	{ "/show", "[WHAT]", "params, model, template or memory", cmd_show },
	{ "/stats", "", "tokens and seconds so far", cmd_stats },
	{ "/save", "FILE", "write the conversation to a file; /save! replaces one", cmd_save },
	{ "/save!", NULL, NULL, cmd_save_over },
	{ "/load", "FILE", "go on with a conversation from a file", cmd_load },
	{ "/read", "FILE", "send a file's text as the message", cmd_read },
	{ "/edit", "", "write the message in VISUAL or EDITOR", cmd_edit },
	{ "/tokens", "TEXT", "the token ids of a text", cmd_tokens },
	{ "/exit", "", "leave; so does Ctrl-D", cmd_exit },
	{ "/quit", NULL, NULL, cmd_exit },
};
enum { N_COMMANDS = sizeof(commands) / sizeof(*commands) };

static int cmd_help(struct chat *h, char *arg)
{
	int i;

	(void)h;
	(void)arg;
	for (i = 0; i < N_COMMANDS; i++) {
		if (commands[i].help)
			chat_say("  %-8s%-10s  %s\n", commands[i].name, commands[i].args, commands[i].help);
	}
	chat_say("A line that ends with \\, or lines between \"\"\", are one message; // begins one with /.\n"
		 "Ctrl-C stops an answer. Tab completes commands, the arrows bring back what was typed.\n");
	return 0;
}

const char *chat_command_name(int i)
{
	return i < N_COMMANDS ? commands[i].name : NULL;
}

int chat_command(struct chat *h, const char *line)
{
	const char *names[N_COMMANDS + 1], *near;
	size_t n = strcspn(line, " \t\n"), end;
	char word[32], *arg;
	int i, rc;

	snprintf(word, sizeof(word), "%.*s", (int)n, line);
	for (i = 0; i < N_COMMANDS && strcmp(commands[i].name, word); i++)
		names[i] = commands[i].name;
	if (i == N_COMMANDS) {
		names[i] = NULL;
		near = cli_nearest(word, names);
		return cli_error(h->c, LEAT_E_ARG, "unknown command '%s'%s%s%s; /help lists them", word,
				 near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	arg = strdup(line + n + strspn(line + n, " \t\n"));
	if (!arg)
		return cli_error(h->c, LEAT_E_NOMEM, "out of memory");
	for (end = strlen(arg); end && strchr(" \t\r\n", arg[end - 1]); end--)
		arg[end - 1] = 0;
	rc = commands[i].run(h, arg);
	free(arg);
	return rc;
}
