/* s_temperature.c - divides logits by the temperature: below 1 sharpens, above 1 flattens. Temperature 0 never comes
 * here: the chain then takes the largest logit. No logit is rewritten: all that follows weighs distances times
 * 1/temperature. */
#include "plan/draw.h"
#include "sample/stage.h"

static enum leat_status check(const struct leat_sample_params *p, int n_vocab, struct leat_error *err)
{
	(void)n_vocab;
	return leat_sample_check_range("temperature", p->temperature, 0.0f, 100.0f, err);
}

static int active(const struct leat_sample_params *p)
{
	return p->temperature != 1.0f;
}

static void apply(struct leat_sampler *s)
{
	s->inv_temperature = leat_draw_inv_temperature(s->p.temperature);
	s->weighed = 0;
}

const struct leat_sampler_stage leat_sampler_temperature = {
	.name = "temperature", .check = check, .active = active, .apply = apply,
};
