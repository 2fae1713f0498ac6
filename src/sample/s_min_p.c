/* s_min_p.c - drops tokens less likely than a fraction of the likeliest one. */
#include "plan/draw.h"
#include "sample/stage.h"

static enum leat_status check(const struct leat_sample_params *p, int n_vocab, struct leat_error *err)
{
	(void)n_vocab;
	if (p->min_p >= 0.0f && p->min_p < 1.0f)
		return LEAT_OK;
	return leat_fail(err, LEAT_E_ARG, "min_p", LEAT_NO_OFFSET, "min_p is %g; wanted 0 (off) to below 1",
			 (double)p->min_p);
}

static int active(const struct leat_sample_params *p)
{
	return p->min_p > 0.0f;
}

static void apply(struct leat_sampler *s)
{
	leat_candidates_weigh(s);
	/* The likeliest weighs 2^32 - 1 and the fraction is rounded up: the border lies in [1, 2^32 - 1]. */
	leat_candidates_drop_light(s, leat_draw_share(UINT32_MAX, leat_draw_fraction(s->p.min_p)));
}

const struct leat_sampler_stage leat_sampler_min_p = {
	.name = "min_p", .check = check, .active = active, .apply = apply,
};
