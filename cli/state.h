/* state.h - the flags of states. */
#ifndef LEAT_CLI_STATE_H
#define LEAT_CLI_STATE_H

#include "cli.h"

/* --state-dir, --prefix-cache-ram, --prefix-cache-disk. 0, or an exit code after the error was printed. */
int cli_state_params(struct cli *c, struct leat_engine_params *p);

/* The state of --load-state, or of --state and --use-state: *ret, NULL if none is wanted. *ret_follows: 1 if it holds
 * tokens, so that what comes is a conversation's next message. Prints errors. */
int cli_state_open(struct cli *c, struct leat_model *m, struct leat_state **ret, int *ret_follows);

/* --save-state: the session as it is now; nothing without the flag, or without a session. Prints errors. */
int cli_state_save(struct cli *c, struct leat_session *s);

#endif
