/* answers.h - requests on a model and everything that came back, for comparing one way of running them with another. */
#ifndef LEAT_SUPPORT_ANSWERS_H
#define LEAT_SUPPORT_ANSWERS_H

#include <stdint.h>

#include "leat/leat.h"

enum { ANSWER_MOST = 400 };

struct answer {
	int32_t id[ANSWER_MOST];
	float logit[ANSWER_MOST], logprob[ANSWER_MOST];
	int n, finish, status;
	char text[8 * ANSWER_MOST];
	size_t text_bytes;
};

/* A prompt of n tokens, the same for the same seed; ids from 300 to 799. */
void answer_prompt(int32_t *t, int n, unsigned seed);
/* Wild sampling, so that a wrong state shows at once; penalties look back over everything. */
struct leat_request_params answer_params(const struct leat_model *m, const int32_t *t, int n, int64_t most,
					 uint64_t seed);
/* Adds an event. 1 when it was the last. */
int answer_add(struct answer *a, const struct leat_token *t);
/* Runs one request to its end; fails the test on any error. */
void answer_alone(struct leat_engine *e, const struct leat_request_params *p, struct answer *ret);
/* 0 when all is equal bit for bit, else what differs (static). */
const char *answer_difference(const struct answer *a, const struct answer *b);

#endif
