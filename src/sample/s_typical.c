/* s_typical.c - locally typical sampling (Meister et al., "Locally Typical Sampling", 2023): the tokens whose
 * surprise lies nearest to the expected one, as many as hold a share p of the probability.
 *
 * With x the distance of a logit from the largest, |surprise - entropy| = |x - sum of prob * x|: no logarithm is
 * needed, and in fixed point the sum does not depend on its order. */
#include "plan/draw.h"
#include "sample/stage.h"

static enum leat_status check(const struct leat_sample_params *p, int n_vocab, struct leat_error *err)
{
	(void)n_vocab;
	if (p->typical_p > 0.0f && p->typical_p <= 1.0f)
		return LEAT_OK;
	return leat_fail(err, LEAT_E_ARG, "typical_p", LEAT_NO_OFFSET, "typical_p is %g; wanted above 0, to 1",
			 (double)p->typical_p);
}

static int active(const struct leat_sample_params *p)
{
	return p->typical_p < 1.0f;
}

static void apply(struct leat_sampler *s)
{
	uint64_t sum = 0;
	leat_candidates_weigh(s);
	for (int i = 0; i < s->n; i++) {
		float x = leat_draw_scale(s->list[i].logit, s->max, s->inv_temperature);
		s->key[i] = x > -LEAT_DRAW_REACH ? leat_draw_distance(x) : UINT32_MAX;
		sum += leat_draw_moment(s->weight[i], s->key[i]);
	}
	uint32_t mean = leat_draw_mean(sum, s->total);
	for (int i = 0; i < s->n; i++)
		s->key[i] = leat_draw_atypical(s->key[i], mean);
	leat_candidates_select(s, s->weight, leat_draw_share(s->total, leat_draw_fraction(s->p.typical_p)));
}

const struct leat_sampler_stage leat_sampler_typical = {
	.name = "typical_p", .check = check, .active = active, .apply = apply,
};
