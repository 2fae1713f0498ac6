/* s_top_p.c - nucleus sampling: the smallest set of best tokens that holds a share p of the probability (Holtzman et
 * al., "The Curious Case of Neural Text Degeneration", 2020). Larger logits first, equal ones lowest id first. */
#include "plan/draw.h"
#include "sample/stage.h"

static enum leat_status check(const struct leat_sample_params *p, int n_vocab, struct leat_error *err)
{
	(void)n_vocab;
	if (p->top_p > 0.0f && p->top_p <= 1.0f)
		return LEAT_OK;
	return leat_fail(err, LEAT_E_ARG, "top_p", LEAT_NO_OFFSET, "top_p is %g; wanted above 0, to 1",
			 (double)p->top_p);
}

static int active(const struct leat_sample_params *p)
{
	return p->top_p < 1.0f;
}

static void apply(struct leat_sampler *s)
{
	leat_candidates_weigh(s);
	uint64_t target = leat_draw_share(s->total, leat_draw_fraction(s->p.top_p));
	/* A short cut that changes no result: all candidates below this floor together weigh no more than may be
	 * left out, and they are the worst. It leaves hundreds of the usual hundred thousand. */
	leat_candidates_drop_light(s, (s->total - target) / (uint64_t)s->n);
	leat_candidates_key_logits(s);
	leat_candidates_select(s, s->weight, target);
}

const struct leat_sampler_stage leat_sampler_top_p = {
	.name = "top_p", .check = check, .active = active, .apply = apply,
};
