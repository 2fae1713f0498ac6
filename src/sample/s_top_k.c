/* s_top_k.c - keeps the k largest logits; equal ones lowest id first. */
#include <math.h>

#include "plan/draw.h"
#include "sample/stage.h"

static enum leat_status check(const struct leat_sample_params *p, int n_vocab, struct leat_error *err)
{
	(void)n_vocab;
	if (p->top_k >= 0)
		return LEAT_OK;
	return leat_fail(err, LEAT_E_ARG, "top_k", LEAT_NO_OFFSET, "top_k is %d; wanted 0 (off) or more", p->top_k);
}

static int active(const struct leat_sample_params *p)
{
	return p->top_k > 0;
}

/* A floor that at least k logits reach: the k-th largest of the block maxima. Only the blocks above it need reading,
 * which for a usual k is a few dozen of thousands. */
static float floor_of(struct leat_sampler *s, int32_t k)
{
	if (k > s->n_blocks)
		return -INFINITY;
	s->n = s->n_blocks;
	for (int b = 0; b < s->n_blocks; b++)
		s->list[b] = (struct leat_candidate){b, s->block_max[b]};
	float max = s->max;
	leat_candidates_key_logits(s);
	const float *row = s->dense;
	s->dense = NULL;
	leat_candidates_select(s, NULL, (uint64_t)k);
	float floor = max;
	for (int i = 0; i < s->n; i++)
		floor = s->list[i].logit < floor ? s->list[i].logit : floor;
	s->dense = row;
	s->max = max;
	return floor;
}

static void apply(struct leat_sampler *s)
{
	if (s->dense)
		leat_candidates_gather(s, floor_of(s, s->p.top_k));
	if (s->n <= s->p.top_k)
		return;
	leat_candidates_key_logits(s);
	leat_candidates_select(s, NULL, (uint64_t)s->p.top_k);
}

const struct leat_sampler_stage leat_sampler_top_k = {
	.name = "top_k", .check = check, .active = active, .apply = apply,
};
