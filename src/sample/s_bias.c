/* s_bias.c - logit bias: a number added to chosen tokens; -infinity forbids one. Runs before everything else. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plan/draw.h"
#include "sample/stage.h"

static enum leat_status check(const struct leat_sample_params *p, int n_vocab, struct leat_error *err)
{
	if (p->n_bias < 0 || p->n_bias > LEAT_MAX_LOGIT_BIAS || (p->n_bias > 0 && !p->bias))
		return leat_fail(err, LEAT_E_ARG, "logit_bias", LEAT_NO_OFFSET,
				 "logit_bias has %d entries; wanted 0 to %d", p->n_bias, LEAT_MAX_LOGIT_BIAS);
	for (int32_t i = 0; i < p->n_bias; i++) {
		const struct leat_logit_bias *b = &p->bias[i];
		if (b->id < 0 || b->id >= n_vocab)
			return leat_fail(err, LEAT_E_ARG, "logit_bias", LEAT_NO_OFFSET,
					 "logit_bias entry %d: id %d; wanted 0 to %d", i, b->id, n_vocab - 1);
		if (isnan(b->bias) || b->bias == INFINITY)
			return leat_fail(err, LEAT_E_ARG, "logit_bias", LEAT_NO_OFFSET,
					 "logit_bias entry %d: %g; wanted a finite number or -infinity", i,
					 (double)b->bias);
	}
	return LEAT_OK;
}

static int active(const struct leat_sample_params *p)
{
	return p->n_bias > 0;
}

static enum leat_status create(struct leat_sampler *s, const struct leat_sample_params *p, struct leat_error *err)
{
	s->bias = malloc((size_t)p->n_bias * sizeof *s->bias);
	if (!s->bias)
		return leat_fail(err, LEAT_E_NOMEM, "logit_bias", LEAT_NO_OFFSET, "no memory for %d entries",
				 p->n_bias);
	memcpy(s->bias, p->bias, (size_t)p->n_bias * sizeof *s->bias);
	s->n_bias = p->n_bias;
	return LEAT_OK;
}

static void apply(struct leat_sampler *s)
{
	float *row = leat_candidates_edit(s);
	for (int32_t i = 0; i < s->n_bias; i++) {
		row[s->bias[i].id] = leat_draw_biased(row[s->bias[i].id], s->bias[i].bias);
		leat_candidates_edited(s, s->bias[i].id);
	}
	leat_candidates_settle(s);
}

const struct leat_sampler_stage leat_sampler_bias = {
	.name = "bias", .always_first = 1, .for_greedy = 1, .edits_row = 1,
	.check = check, .active = active, .create = create, .apply = apply,
};
