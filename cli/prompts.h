/* prompts.h - leat run --prompts: many prompts in one process, answered together. */
#ifndef LEAT_CLI_PROMPTS_H
#define LEAT_CLI_PROMPTS_H

#include <jansson.h>

#include "answer.h"

/* ---- prompts_read.c: lines of any number, one at a time ---- */

enum { PROMPTS_LINE_BYTES = 16 << 20 }; /* longest that is looked at */

struct prompts_reader {
	int fd;
	char *buf;           /* [cap] */
	size_t cap, n, at;   /* bytes read, bytes used up */
	uint64_t line;       /* number of the line that was returned last, from 1 */
	int ended, skipping; /* skipping: inside a line that was too long */
	int error;           /* errno */
};
enum prompts_got { PROMPTS_END, PROMPTS_LINE, PROMPTS_TOO_LONG, PROMPTS_LATER };

void prompts_reader_init(struct prompts_reader *r, int fd);
void prompts_reader_deinit(struct prompts_reader *r);
/* The next line, borrowed until the next call, without its end; not one that is blank. LATER: nothing yet; more may
 * come when the descriptor is readable. */
enum prompts_got prompts_read(struct prompts_reader *r, const char **ret, size_t *ret_n);

/* ---- prompts_line.c: a line as a request ---- */

/* What a line asks for; what p points to lives in here. */
struct prompts_ask {
	struct cli *c;                /* the command line with this line's settings over it */
	json_t *json;                 /* NULL: plain text */
	struct cli_sampling sampling; /* sampling.p: ready for submit */
	int32_t *ids;                 /* the library's */
	size_t n_ids;
	int32_t begin;
	int lead;                     /* blanks before the first word are not part of the answer */
};

/* Settings and prompt of one line; `base` holds the template. is_json: the line is a JSON value. *ret_id: what the line
 * calls itself, as JSON, heap, NULL if it does not; given back on failure too, as *a is to be released then too. */
enum leat_status prompts_parse(struct cli *c, const struct leat_model *m, const struct cli_sampling *base,
			       int is_json, const char *line, size_t n, struct prompts_ask *a, char **ret_id,
			       struct leat_error *err);
void prompts_ask_deinit(struct prompts_ask *a);

/* ---- prompts_job.c: a request and its answer ---- */

/* A token that is kept for --logprobs. */
struct prompts_token {
	struct leat_token t; /* text and top point to nothing */
	size_t text_at;      /* in the answer */
	size_t top_at;       /* in job.top */
};

struct prompts_job {
	struct prompts_job *next;
	uint64_t line;
	char *id;                     /* as JSON; NULL: the number of the line */
	struct leat_request *request; /* NULL: refused, or over */
	int over, lead;
	enum leat_status status;
	struct leat_error error;      /* of status */
	struct leat_request_stats stats;
	int32_t *prompt;              /* with --prompt-logprobs: its ids, and how likely they were */
	float *logprob;
	uint64_t n_prompt, n_logprob;
	char *text;
	size_t n_text, cap_text;
	struct prompts_token *token;  /* with --logprobs */
	size_t n_tokens, cap_tokens;
	struct leat_token_prob *top;
	size_t n_top, cap_top;
};

void prompts_job_free(struct prompts_job *j);
size_t prompts_job_bytes(const struct prompts_job *j);
/* Adds an event to the answer; keep: with its probabilities. 1: out of memory. */
int prompts_job_add(struct prompts_job *j, const struct leat_token *t, int keep);
/* Notes the prompt, and when its answer is over how likely it was. 1: out of memory. */
int prompts_job_keep_prompt(struct prompts_job *j, const int32_t *ids, uint64_t n);
int prompts_job_keep_logprobs(struct prompts_job *j);
/* The record of an answer, of a line that failed, of a token. */
void prompts_print_result(const struct prompts_job *j, const struct leat_model *m, int logprobs);
void prompts_print_token(const struct prompts_job *j, const struct leat_model *m, const struct leat_token *t,
			 int logprobs);

/* ---- prompts.c ---- */

/* All of it: returns the exit code. */
int cli_prompts(struct cli *c, const char *model_path);

#endif
