/* params.c - defaults and ranges of the sampling parameters, and the order of the stages. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sample/stage.h"

static const char default_order[] = "penalties;top_k;typical_p;top_p;min_p;temperature";

void leat_sample_params_init(struct leat_sample_params *p)
{
	*p = (struct leat_sample_params){
		.temperature = 1.0f,
		.top_p = 1.0f,
		.typical_p = 1.0f,
		.repeat_penalty = 1.0f,
		.repeat_last_n = 64,
		.penalty_decay = 1.0f,
	};
}

enum leat_status leat_sample_check_range(const char *name, float value, float low, float high, struct leat_error *err)
{
	if (value >= low && value <= high)
		return LEAT_OK;
	return leat_fail(err, LEAT_E_ARG, name, LEAT_NO_OFFSET, "%s is %g; wanted %g to %g", name, (double)value,
			 (double)low, (double)high);
}

/* The names an order may hold, for messages. */
static void known_names(char *dst, size_t cap)
{
	size_t used = 0;
	dst[0] = '\0';
	for (int i = 0; leat_sampler_list[i]; i++) {
		if (leat_sampler_list[i]->always_first)
			continue;
		int n = snprintf(dst + used, cap - used, "%s%s", used ? ", " : "", leat_sampler_list[i]->name);
		if (n < 0 || (size_t)n >= cap - used)
			return;
		used += (size_t)n;
	}
}

static const struct leat_sampler_stage *find_stage(const char *name, size_t n)
{
	for (int i = 0; leat_sampler_list[i]; i++) {
		const struct leat_sampler_stage *stage = leat_sampler_list[i];
		if (!stage->always_first && strlen(stage->name) == n && memcmp(stage->name, name, n) == 0)
			return stage;
	}
	return NULL;
}

static enum leat_status fail_order(const char *name, size_t n, const char *what, struct leat_error *err)
{
	char shown[64];
	char known[200];
	leat_escape(shown, sizeof shown, name, n);
	known_names(known, sizeof known);
	return leat_fail(err, LEAT_E_ARG, "samplers", LEAT_NO_OFFSET, "samplers: '%s' %s; known: %s", shown,
			 what, known);
}

static void add_stage(struct leat_sampler *s, const struct leat_sample_params *p,
		      const struct leat_sampler_stage *stage)
{
	if (stage->active(p) && (p->temperature > 0.0f || stage->for_greedy))
		s->stages[s->n_stages++] = stage;
}

static enum leat_status plan_order(struct leat_sampler *s, const struct leat_sample_params *p, struct leat_error *err)
{
	const struct leat_sampler_stage *named[LEAT_SAMPLE_STAGES];
	const char *name = p->order ? p->order : default_order;
	for (int n_named = 0; *name; n_named++) {
		size_t n = strcspn(name, ";");
		const struct leat_sampler_stage *stage = find_stage(name, n);
		if (!stage)
			return fail_order(name, n, "is no sampler", err);
		for (int i = 0; i < n_named; i++)
			if (named[i] == stage)
				return fail_order(name, n, "stands there twice", err);
		named[n_named] = stage; /* distinct, so at most as many as there are stages */
		add_stage(s, p, stage);
		name += n;
		if (*name == ';' && name[1] == '\0')
			return fail_order(name + 1, 0, "is no sampler", err);
		name += *name == ';';
	}
	return LEAT_OK;
}

enum leat_status leat_sample_plan(struct leat_sampler *s, const struct leat_sample_params *p, struct leat_error *err)
{
	for (int i = 0; leat_sampler_list[i]; i++) {
		if (i == LEAT_SAMPLE_STAGES)
			return leat_fail(err, LEAT_E_INTERNAL, "samplers", LEAT_NO_OFFSET,
					 "too many samplers built in");
		LEAT_TRY(leat_sampler_list[i]->check(p, s->n_vocab, err));
	}
	s->n_stages = 0;
	for (int i = 0; leat_sampler_list[i]; i++)
		if (leat_sampler_list[i]->always_first)
			add_stage(s, p, leat_sampler_list[i]);
	return plan_order(s, p, err);
}
