/* answers.c - see answers.h. */
#include "support/answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

void answer_prompt(int32_t *t, int n, unsigned seed)
{
	for (int i = 0; i < n; i++)
		t[i] = (int32_t)((seed = seed * 1664525u + 1013904223u) >> 16) % 500 + 300;
}

struct leat_request_params answer_params(const struct leat_model *m, const int32_t *t, int n, int64_t most,
					 uint64_t seed)
{
	struct leat_request_params p;
	leat_request_params_init(m, &p);
	p.flags = LEAT_REQUEST_IGNORE_EOS;
	p.tokens = t;
	p.n_tokens = (uint64_t)n;
	p.max_tokens = most;
	p.seed = seed;
	p.temperature = 1.5f;
	p.top_k = 0;
	p.top_p = 1;
	p.min_p = 0;
	p.repeat_penalty = 1.2f;
	p.penalty_decay = 1;
	p.repeat_last_n = -1;
	return p;
}

int answer_add(struct answer *a, const struct leat_token *t)
{
	if (a->text_bytes + t->text_bytes < sizeof a->text) {
		memcpy(a->text + a->text_bytes, t->text, t->text_bytes);
		a->text_bytes += t->text_bytes;
	}
	if (t->id >= 0 && a->n < ANSWER_MOST) {
		a->id[a->n] = t->id;
		a->logit[a->n] = t->logit;
		a->logprob[a->n++] = t->logprob;
	}
	a->finish = t->finish;
	return t->finish != 0;
}

void answer_alone(struct leat_engine *e, const struct leat_request_params *p, struct answer *ret)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_token t = LEAT_TOKEN_INIT;
	struct leat_request *r;
	memset(ret, 0, sizeof *ret);
	if (leat_request_submit(e, p, &r, &err))
		fail_msg("%s", err.message);
	do {
		if (leat_request_next(r, &t, &err))
			fail_msg("%s", err.message);
	} while (!answer_add(ret, &t));
	leat_request_unref(r);
}

const char *answer_difference(const struct answer *a, const struct answer *b)
{
	size_t n = (size_t)a->n;
	if (a->n != b->n)
		return "number of tokens";
	if (a->finish != b->finish)
		return "finish";
	if (memcmp(a->id, b->id, n * sizeof *a->id))
		return "ids";
	if (memcmp(a->logit, b->logit, n * sizeof *a->logit))
		return "logits";
	if (memcmp(a->logprob, b->logprob, n * sizeof *a->logprob))
		return "log-probabilities";
	if (a->text_bytes != b->text_bytes || memcmp(a->text, b->text, a->text_bytes))
		return "text";
	return NULL;
}
