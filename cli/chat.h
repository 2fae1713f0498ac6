/* chat.h - a conversation at the terminal: its state, its commands, its files, its lines. */
#ifndef LEAT_CLI_CHAT_H
#define LEAT_CLI_CHAT_H

#include "answer.h"

/* A question and its answer, and where the session can return to. A mark of 0 is gone: the way back is to feed the
 * conversation again. */
struct chat_turn {
	char *user, *answer;
	size_t n_user, n_answer;
	int64_t start, asked; /* before the question, after it */
	uint32_t tries;       /* answers that were drawn to it before this one */
};

struct chat {
	struct cli *c;
	const char *path;
	struct leat_model *model;
	struct leat_engine *engine;
	struct leat_session *session;
	struct leat_state *begin; /* that the session begins with; NULL: nothing */
	int follows;          /* which holds tokens: the first message is a conversation's next */
	struct leat_model_info info;
	struct cli_sampling sampling;
	char *system;         /* NULL: none of the user's own */
	struct chat_turn *turn;
	size_t n_turns, cap_turns;
	char **kept;          /* texts that option values point to */
	size_t n_kept;
	struct cli_timing total;
	double load_s;
	int terminal;         /* a person types: prompts, hints, editing */
	int escape;
	int leave;            /* /exit, the end of the input, a second Ctrl-C */
	int rc;               /* the first failure, for scripts */
};

/* All of `leat chat` from the model's path on; the exit code. */
int cli_chat(struct cli *c, const char *path);

/* ---- chat_talk.c: 0, or an exit code after the error was printed ---- */
int chat_open(struct chat *h);
void chat_close(struct chat *h);
int chat_ask(struct chat *h, const char *text, size_t n);
int chat_regen(struct chat *h);
int chat_undo(struct chat *h);
int chat_clear(struct chat *h);
/* What comes is another conversation: a state that holds the begin of one is let go of; a trained one stays. */
void chat_forget_begin(struct chat *h);
/* The conversation becomes these turns (taken over, their marks too) and this system message (taken over, may be NULL).
 * When it does not fit the context nothing has changed and nothing was taken. */
int chat_replace(struct chat *h, char *system, struct chat_turn *turns, size_t n);
void chat_free_turns(struct chat_turn *turns, size_t n);
/* The flags have changed: makes the request's parameters anew. */
int chat_refresh(struct chat *h);

/* ---- chat_command.c ---- */
/* A line that begins with '/'. */
int chat_command(struct chat *h, const char *line);
/* Names of commands, NULL at the end, for the Tab key. */
const char *chat_command_name(int i);
const char *chat_setting_name(int i);
/* 0, or 1 with the reason in why[160]. The value is copied. */
int chat_check_setting(const struct chat *h, const char *key, const char *value, char why[160]);
int chat_set(struct chat *h, const char *key, const char *value, char why[160]);
/* Setting i by name with the value it has, "" if it was never set. */
const char *chat_setting_value(const struct chat *h, int i);

/* ---- chat_file.c: a conversation as a JSON file ---- */
int chat_save(struct chat *h, const char *path, int replace);
int chat_load(struct chat *h, const char *path);

/* ---- chat_line.c: what is typed ---- */
struct chat_reader;
enum chat_input { CHAT_TEXT, CHAT_END, CHAT_INTERRUPT };
int chat_reader_open(struct chat *h, struct chat_reader **ret);
void chat_reader_close(struct chat_reader *r);
/* One message: a line, several with \ at their ends or between """. *ret is the caller's (free). */
enum chat_input chat_read(struct chat_reader *r, char **ret, size_t *ret_n);

/* A hint or a command's output: standard error, so that standard output is the model's alone. */
void chat_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
