/* answer.h - what `run` and `chat` share: sampling flags, the chat template, text on a terminal, timings. */
#ifndef LEAT_CLI_ANSWER_H
#define LEAT_CLI_ANSWER_H

#include "cli.h"

/* The flags that a request is made from, and what they point to. */
struct cli_sampling {
	struct leat_request_params p;
	struct leat_logit_bias_entry *bias;
	const char *stop[32]; /* the user's, then the template's */
	struct leat_chat_info chat;
};

/* Defaults of the model's family, then the flags that are set; prompt and session are left to the caller. With a
 * template its ends are added to --stop. Prints errors. */
int cli_sampling_init(struct cli *c, const struct leat_model *m, struct cli_sampling *s);
void cli_sampling_deinit(struct cli_sampling *s);

/* The template that --chat-template names (NULL: the model's own), into s->chat; says on stderr when the file's own is
 * not known. Prints errors. */
int cli_pick_template(struct cli *c, const struct leat_model *m, struct cli_sampling *s);
int cli_wants_raw(const struct cli *c); /* --raw, and the flags that are about raw text */
const char *cli_template_name(const struct cli *c); /* NULL: the model's own */

double cli_now(void);
/* A model must not be able to drive the terminal: control bytes are shown, not sent. */
void cli_write_escaped(const char *text, size_t n);
const char *cli_finish_word(int finish);
/* The members of a token's JSON record; likely: with its probability and what else was likely. */
void cli_json_token(const struct leat_model *m, const struct leat_token *t, int likely);
/* "prompt":[...] of a request with LEAT_REQUEST_PROMPT_LOGPROBS: the last ids of ids[n_ids] are its. */
void cli_json_prompt(const struct leat_model *m, const int32_t *ids, uint64_t n_ids, const float *logprob, uint64_t n);
/* Writes n bytes of an answer. While *lead, blanks are dropped, from *text and *n too; it ends with the first other
 * byte. */
void cli_write_answer(const char **text, size_t *n, int *lead, int escape);
/* One line on standard error; `template` may be NULL. */
void cli_banner(const struct cli *c, const struct leat_model_info *info, const struct leat_engine *engine,
		const char *template, double load_s);

/* The line in brackets. */
struct cli_timing {
	uint64_t n_in, n_cached, n_out, seed;
	uint64_t in_ns, out_ns;
	int finish, cached; /* cached: say how many were */
};
void cli_add_stats(struct cli_timing *t, const struct leat_request_stats *s);
void cli_print_timing(const struct cli_timing *t);

#endif
