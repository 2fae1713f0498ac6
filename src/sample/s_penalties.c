/* s_penalties.c - tokens that occurred become less likely: repetition, presence and frequency penalties.
 *
 *   logit > 0: logit / repeat, else logit * repeat        (Keskar et al., "CTRL", 2019, with the negative case mended)
 *   then - presence - frequency * count                   for every token that occurred
 *
 * Without decay, `count` is the number of occurrences among the last repeat_last_n tokens. With penalty_decay d < 1
 * there is no window: each accepted token first multiplies every count by d and then adds 1 to its own, as the RWKV
 * family does it; frequency uses the shrunk count, presence and repetition hold for every token that ever occurred. */
#include "plan/draw.h"
#include "sample/stage.h"

enum { MAX_WINDOW = 1 << 20 };

static enum leat_status check(const struct leat_sample_params *p, int n_vocab, struct leat_error *err)
{
	(void)n_vocab;
	LEAT_TRY(leat_sample_check_range("repeat_penalty", p->repeat_penalty, 0.01f, 100.0f, err));
	LEAT_TRY(leat_sample_check_range("presence_penalty", p->presence_penalty, -100.0f, 100.0f, err));
	LEAT_TRY(leat_sample_check_range("frequency_penalty", p->frequency_penalty, -100.0f, 100.0f, err));
	LEAT_TRY(leat_sample_check_range("penalty_decay", p->penalty_decay, 1e-6f, 1.0f, err));
	if (p->repeat_last_n >= -1 && p->repeat_last_n <= MAX_WINDOW)
		return LEAT_OK;
	return leat_fail(err, LEAT_E_ARG, "repeat_last_n", LEAT_NO_OFFSET, "repeat_last_n is %d; wanted -1 to %d",
			 p->repeat_last_n, MAX_WINDOW);
}

static int active(const struct leat_sample_params *p)
{
	int penalises = p->repeat_penalty != 1.0f || p->presence_penalty != 0.0f || p->frequency_penalty != 0.0f;
	return penalises && (p->repeat_last_n != 0 || p->penalty_decay < 1.0f);
}

static enum leat_status create(struct leat_sampler *s, const struct leat_sample_params *p, struct leat_error *err)
{
	int windowed = p->penalty_decay >= 1.0f && p->repeat_last_n > 0;
	return leat_occurrence_init(&s->seen, s->n_vocab, windowed ? p->repeat_last_n : 0, err);
}

/* After the temperature stage the logit stands for logit / temperature; costs are brought to the same scale. */
static float penalised(const struct leat_sampler *s, int32_t id, float logit)
{
	float cost = s->p.presence_penalty + s->p.frequency_penalty * leat_occurrence_count(&s->seen, id);
	return leat_draw_penalised(logit, s->p.repeat_penalty, cost / s->inv_temperature);
}

static void apply(struct leat_sampler *s)
{
	if (s->dense && s->seen.n_ids > 0) {
		float *row = leat_candidates_edit(s);
		for (int32_t i = 0; i < s->seen.n_ids; i++) {
			int32_t id = s->seen.ids[i];
			row[id] = penalised(s, id, row[id]);
			leat_candidates_edited(s, id);
		}
	}
	for (int i = 0; i < s->n; i++) {
		struct leat_candidate *c = &s->list[i];
		if (s->seen.place[c->id])
			c->logit = penalised(s, c->id, c->logit);
	}
	s->weighed = 0;
	leat_candidates_settle(s);
}

const struct leat_sampler_stage leat_sampler_penalties = {
	.name = "penalties", .for_greedy = 1, .edits_row = 1,
	.check = check, .active = active, .create = create, .apply = apply,
};
