/* prompts_job.c - an answer while it grows, and the records that are printed of it. */
#include <stdlib.h>
#include <string.h>

#include "prompts.h"

void prompts_job_free(struct prompts_job *j)
{
	leat_request_unref(j->request);
	free(j->id);
	free(j->prompt);
	free(j->logprob);
	free(j->text);
	free(j->token);
	free(j->top);
	free(j);
}

size_t prompts_job_bytes(const struct prompts_job *j)
{
	return sizeof(*j) + j->n_prompt * sizeof(*j->prompt) + j->n_logprob * sizeof(*j->logprob) + j->cap_text +
	       j->cap_tokens * sizeof(*j->token) + j->cap_top * sizeof(*j->top);
}

/* Room for n elements behind the pointer at `p`. */
static int grow(void *p, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap ? *cap : 32;
	void *old, *grown;

	if (n <= *cap)
		return 0;
	while (want < n)
		want *= 2;
	memcpy(&old, p, sizeof(old));
	grown = realloc(old, want * size);
	if (!grown)
		return 1;
	memcpy(p, &grown, sizeof(grown));
	*cap = want;
	return 0;
}

static int keep_token(struct prompts_job *j, const struct leat_token *t)
{
	struct prompts_token *k;
	size_t n_top = (size_t)t->n_top;

	if (grow(&j->token, &j->cap_tokens, j->n_tokens + 1, sizeof(*j->token)) ||
	    grow(&j->top, &j->cap_top, j->n_top + n_top, sizeof(*j->top)))
		return 1;
	k = &j->token[j->n_tokens++];
	k->t = *t;
	k->text_at = j->n_text;
	k->top_at = j->n_top;
	if (n_top)
		memcpy(j->top + j->n_top, t->top, n_top * sizeof(*j->top));
	j->n_top += n_top;
	return 0;
}

int prompts_job_add(struct prompts_job *j, const struct leat_token *t, int keep)
{
	const char *text = t->text;
	size_t n = t->text_bytes;
	struct leat_token shown = *t;

	while (j->lead && n && strchr(" \t\r\n", *text)) {
		text++;
		n--;
	}
	if (n)
		j->lead = 0;
	if (grow(&j->text, &j->cap_text, j->n_text + n, 1))
		return 1;
	shown.text_bytes = n;
	if (keep && t->id >= 0 && keep_token(j, &shown))
		return 1;
	if (n)
		memcpy(j->text + j->n_text, text, n);
	j->n_text += n;
	return 0;
}

int prompts_job_keep_prompt(struct prompts_job *j, const int32_t *ids, uint64_t n)
{
	j->prompt = malloc((size_t)n * sizeof(*j->prompt));
	if (!j->prompt)
		return 1;
	memcpy(j->prompt, ids, (size_t)n * sizeof(*j->prompt));
	j->n_prompt = n;
	return 0;
}

int prompts_job_keep_logprobs(struct prompts_job *j)
{
	uint64_t n;
	const float *logprob = leat_request_prompt_logprobs(j->request, &n);

	if (!j->prompt || !logprob || !n)
		return 0;
	j->logprob = malloc((size_t)n * sizeof(*j->logprob));
	if (!j->logprob)
		return 1;
	memcpy(j->logprob, logprob, (size_t)n * sizeof(*j->logprob));
	j->n_logprob = n;
	return 0;
}

/* ---- records ---- */

static void begin(const struct prompts_job *j, const char *event, const char *id_key)
{
	cli_printf("{\"schema\":\"leat.run/1\",\"event\":\"%s\",\"line\":%llu,\"%s\":", event,
		   (unsigned long long)j->line, id_key);
	if (j->id)
		cli_puts(j->id);
	else
		cli_printf("%llu", (unsigned long long)j->line);
}

static void print_tokens(const struct prompts_job *j, const struct leat_model *m)
{
	size_t i;

	cli_puts(",\"logprobs\":[");
	for (i = 0; i < j->n_tokens; i++) {
		struct leat_token t = j->token[i].t;
		t.text = j->text + j->token[i].text_at;
		t.top = j->top + j->token[i].top_at;
		cli_puts(i ? ",{" : "{");
		cli_json_token(m, &t, 1);
		cli_puts("}");
	}
	cli_puts("]");
}

static void print_error(const struct prompts_job *j)
{
	cli_puts(",\"error\":{\"code\":");
	cli_json_string(j->error.code, strlen(j->error.code));
	cli_puts(",\"message\":");
	cli_json_string(j->error.message, strlen(j->error.message));
	cli_puts(",\"where\":");
	cli_json_string(j->error.where, strlen(j->error.where));
	cli_printf(",\"status\":%d}", (int)j->status);
}

void prompts_print_result(const struct prompts_job *j, const struct leat_model *m, int logprobs)
{
	const struct leat_request_stats *s = &j->stats;

	begin(j, j->status ? "error" : "result", "id");
	if (j->status)
		print_error(j);
	if (s->struct_size) { /* it ran */
		cli_puts(",\"text\":");
		cli_json_string(j->text ? j->text : "", j->n_text);
		cli_printf(",\"finish\":\"%s\",\"seed\":%llu,\"n_prompt\":%llu,\"n_cached\":%llu,\"n_generated\":%llu",
			   cli_finish_word(s->finish), (unsigned long long)s->seed, (unsigned long long)s->n_prompt,
			   (unsigned long long)s->n_cached, (unsigned long long)s->n_generated);
		cli_printf(",\"queued_s\":%.6f,\"first_token_s\":%.6f,\"prompt_s\":%.6f,\"generate_s\":%.6f,"
			   "\"n_preempted\":%d,\"rope_long\":%d",
			   (double)s->queued_ns * 1e-9, (double)s->first_token_ns * 1e-9, (double)s->prompt_ns * 1e-9,
			   (double)s->generate_ns * 1e-9, (int)s->n_preempted, (int)s->rope_long);
		if (j->logprob) {
			cli_puts(",");
			cli_json_prompt(m, j->prompt, j->n_prompt, j->logprob, j->n_logprob);
		}
		if (logprobs)
			print_tokens(j, m);
	}
	cli_puts("}\n");
}

void prompts_print_token(const struct prompts_job *j, const struct leat_model *m, const struct leat_token *t,
			 int logprobs)
{
	begin(j, "token", "request");
	cli_puts(",");
	cli_json_token(m, t, logprobs);
	cli_puts("}\n");
}
