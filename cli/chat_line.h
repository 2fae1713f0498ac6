/* chat_line.h - what the line reader and its history share. */
#ifndef LEAT_CLI_CHAT_LINE_H
#define LEAT_CLI_CHAT_LINE_H

#include <histedit.h>

#include "chat.h"

/* What was typed, kept over sessions in $XDG_STATE_HOME/leat/chat_history (0600) unless --no-history. Lines that cannot
 * be kept are no error: it is said once. */
struct chat_history;
int chat_history_open(struct chat *h, EditLine *el, struct chat_history **ret);
void chat_history_close(struct chat_history *k);
void chat_history_add(struct chat_history *k, const char *line, size_t n);

/* Completes a file name by `finish`, which gets the candidates. */
unsigned char chat_complete_path(EditLine *el, const char *word,
				 unsigned char (*finish)(EditLine *, const char *, char *const *, size_t));

#endif
