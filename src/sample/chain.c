/* chain.c - creates a chain of stages and runs it. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "plan/draw.h"
#include "sample/stage.h"

static enum leat_status make_room(struct leat_sampler *s, struct leat_error *err)
{
	size_t n = (size_t)s->n_vocab;
	int edits = 0;
	for (int i = 0; i < s->n_stages; i++)
		edits |= s->stages[i]->edits_row;
	if (edits)
		s->work = malloc(n * sizeof *s->work);
	s->block_max = malloc((size_t)s->n_blocks * sizeof *s->block_max);
	s->list = malloc(n * sizeof *s->list);
	s->weight = malloc(n * sizeof *s->weight);
	s->key = malloc(n * sizeof *s->key);
	if ((s->work || !edits) && s->block_max && s->list && s->weight && s->key)
		return LEAT_OK;
	return leat_fail(err, LEAT_E_NOMEM, "sampler", LEAT_NO_OFFSET, "no memory for %d candidates", s->n_vocab);
}

static enum leat_status build(struct leat_sampler *s, const struct leat_sample_params *p, struct leat_error *err)
{
	LEAT_TRY(leat_sample_plan(s, p, err));
	LEAT_TRY(make_room(s, err));
	for (int i = 0; i < s->n_stages; i++)
		if (s->stages[i]->create)
			LEAT_TRY(s->stages[i]->create(s, p, err));
	return LEAT_OK;
}

enum leat_status leat_sampler_create(const struct leat_sample_params *p, int n_vocab, struct leat_sampler **ret,
				     struct leat_error *err)
{
	if (n_vocab < 1 || n_vocab > LEAT_DRAW_MAX_CANDIDATES)
		return leat_fail(err, LEAT_E_ARG, "n_vocab", LEAT_NO_OFFSET, "n_vocab is %d; wanted 1 to %d", n_vocab,
				 LEAT_DRAW_MAX_CANDIDATES);
	struct leat_sampler *s = calloc(1, sizeof *s);
	if (!s)
		return leat_fail(err, LEAT_E_NOMEM, "sampler", LEAT_NO_OFFSET, "no memory");
	s->p = *p;
	s->p.bias = NULL;
	s->p.order = NULL;
	s->n_vocab = n_vocab;
	s->n_blocks = (n_vocab + LEAT_SAMPLE_BLOCK - 1) / LEAT_SAMPLE_BLOCK;
	enum leat_status status = build(s, p, err);
	if (status != LEAT_OK) {
		leat_sampler_destroy(s);
		return status;
	}
	*ret = s;
	return LEAT_OK;
}

void leat_sampler_destroy(struct leat_sampler *s)
{
	if (!s)
		return;
	leat_occurrence_deinit(&s->seen);
	free(s->bias);
	free(s->work);
	free(s->block_max);
	free(s->list);
	free(s->weight);
	free(s->key);
	free(s);
}

void leat_sampler_accept(struct leat_sampler *s, int32_t id)
{
	if (s->seen.count && id >= 0 && id < s->n_vocab)
		leat_occurrence_add(&s->seen, id, (double)s->p.penalty_decay);
}

/* The last step: one of what the stages left. */
static int32_t pick(struct leat_sampler *s, uint64_t position)
{
	if (!(s->p.temperature > 0.0f))
		return leat_candidates_best(s);
	leat_candidates_weigh(s);
	uint64_t u = leat_draw_random(s->p.seed, s->p.choice, position);
	return leat_candidates_at(s, leat_draw_point(u, s->total));
}

enum leat_status leat_sampler_draw(struct leat_sampler *s, const float *logits, uint64_t position,
				   struct leat_drawn *ret, struct leat_error *err)
{
	return leat_sampler_draw_top(s, logits, position, 0, ret, NULL, NULL, err);
}

static int find_top(const struct leat_sampler *s, const float *logits, int n_top, double log_all,
		    struct leat_token_prob *ret)
{
	int n = leat_candidates_top(s, logits, n_top, ret);
	for (int i = 0; i < n; i++) {
		double logprob = (double)ret[i].logprob - log_all;
		ret[i].logprob = (float)(logprob < 0.0 ? logprob : 0.0);
	}
	return n;
}

void leat_sampler_look(struct leat_sampler *s, const float *logits)
{
	s->looked = logits;
	s->bad = leat_candidates_open(s, logits);
	if (!s->bad && s->max >= -FLT_MAX)
		s->log_sum = leat_model_log_sum(logits, s->n_vocab, s->max, s->block_max);
}

enum leat_status leat_sampler_draw_top(struct leat_sampler *s, const float *logits, uint64_t position, int n_top,
				       struct leat_drawn *ret, struct leat_token_prob *ret_top, int *ret_n,
				       struct leat_error *err)
{
	if (s->looked != logits)
		leat_sampler_look(s, logits);
	s->looked = NULL;
	if (s->bad)
		return leat_fail(err, LEAT_E_NONFINITE, "logits", LEAT_NO_OFFSET,
				 "position %llu: a logit is NaN or +infinity", (unsigned long long)position);
	if (!(s->max >= -FLT_MAX))
		return leat_fail(err, LEAT_E_NONFINITE, "logits", LEAT_NO_OFFSET,
				 "position %llu: every logit is -infinity", (unsigned long long)position);
	float max = s->max;
	double log_sum = s->log_sum;
	int found = n_top > 0 ? find_top(s, logits, n_top, (double)max + log_sum, ret_top) : 0;
	for (int i = 0; i < s->n_stages && s->max >= -FLT_MAX; i++)
		s->stages[i]->apply(s);
	if (!(s->max >= -FLT_MAX))
		return leat_fail(err, LEAT_E_NONFINITE, "logits", LEAT_NO_OFFSET,
				 "position %llu: bias and penalties leave no token", (unsigned long long)position);
	int32_t id = pick(s, position);
	double logprob = (double)logits[id] - (double)max - log_sum;
	logprob = logprob < 0.0 ? logprob : 0.0;
	float prob = (float)exp(logprob);
	if (ret_n)
		*ret_n = found;
	*ret = (struct leat_drawn){
		.id = id,
		.logit = logits[id],
		.prob = prob > FLT_MIN ? prob : FLT_MIN,
		.logprob = (float)logprob,
	};
	return LEAT_OK;
}
