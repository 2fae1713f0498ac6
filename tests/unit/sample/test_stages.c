/* Each stage, every order and the draw itself against a plain reference: double precision, full sorts, no tricks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/draw.h"
#include "sample/stage.h"

enum { MAX_VOCAB = 5000, MAX_HISTORY = 200 };

struct item {
	int id;
	double logit;
	double rank; /* smaller: better */
};

struct reference {
	const struct leat_sample_params *p;
	const int *history;
	int n_history;
	int n;
	struct item item[MAX_VOCAB]; /* ascending ids */
};

static uint64_t n_random;

static double uniform(void)
{
	return (double)(leat_draw_random(2024, 9, n_random++) >> 11) * 0x1p-53;
}

static int below(int n)
{
	return (int)(uniform() * n);
}

static int by_rank(const void *a, const void *b)
{
	const struct item *x = a;
	const struct item *y = b;
	if (x->rank < y->rank || x->rank > y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->id - y->id;
}

static int by_id(const void *a, const void *b)
{
	return ((const struct item *)a)->id - ((const struct item *)b)->id;
}

static double largest(const struct reference *r)
{
	double max = -INFINITY;
	for (int i = 0; i < r->n; i++)
		max = fmax(max, r->item[i].logit);
	return max;
}

static double mass(const struct reference *r, int n)
{
	double max = largest(r);
	double sum = 0;
	for (int i = 0; i < n; i++)
		sum += exp(r->item[i].logit - max);
	return sum;
}

/* Sorts by rank, keeps as many as reach the target, sorts back. */
static void keep_share(struct reference *r, double share)
{
	double max = largest(r);
	double target = share * mass(r, r->n);
	double sum = 0;
	int n = 0;
	qsort(r->item, (size_t)r->n, sizeof *r->item, by_rank);
	while (n < r->n && sum < target)
		sum += exp(r->item[n++].logit - max);
	r->n = n;
	qsort(r->item, (size_t)r->n, sizeof *r->item, by_id);
}

static void rank_by_logit(struct reference *r)
{
	for (int i = 0; i < r->n; i++)
		r->item[i].rank = -r->item[i].logit;
}

static void ref_top_k(struct reference *r)
{
	if (r->p->top_k == 0 || r->n <= r->p->top_k)
		return;
	rank_by_logit(r);
	qsort(r->item, (size_t)r->n, sizeof *r->item, by_rank);
	r->n = r->p->top_k;
	qsort(r->item, (size_t)r->n, sizeof *r->item, by_id);
}

static void ref_top_p(struct reference *r)
{
	rank_by_logit(r);
	if (r->p->top_p < 1.0f)
		keep_share(r, (double)r->p->top_p);
}

static void ref_min_p(struct reference *r)
{
	double max = largest(r);
	int n = 0;
	for (int i = 0; i < r->n; i++)
		if (exp(r->item[i].logit - max) >= (double)r->p->min_p)
			r->item[n++] = r->item[i];
	if (r->p->min_p > 0.0f)
		r->n = n;
}

static void ref_typical(struct reference *r)
{
	if (r->p->typical_p >= 1.0f)
		return;
	double max = largest(r);
	double total = mass(r, r->n);
	double entropy = 0;
	for (int i = 0; i < r->n; i++) {
		double prob = exp(r->item[i].logit - max) / total;
		entropy -= prob > 0 ? prob * log(prob) : 0;
	}
	for (int i = 0; i < r->n; i++) {
		double surprise = log(total) - (r->item[i].logit - max);
		r->item[i].rank = fabs(surprise - entropy);
	}
	keep_share(r, (double)r->p->typical_p);
}

static void ref_temperature(struct reference *r)
{
	for (int i = 0; i < r->n; i++)
		r->item[i].logit /= (double)r->p->temperature;
}

static void ref_penalties(struct reference *r)
{
	const struct leat_sample_params *p = r->p;
	int window = p->penalty_decay < 1.0f || p->repeat_last_n < 0 ? r->n_history : p->repeat_last_n;
	int first = r->n_history > window ? r->n_history - window : 0;
	for (int i = 0; i < r->n; i++) {
		double count = 0;
		int occurred = 0;
		for (int h = first; h < r->n_history; h++) {
			count *= (double)p->penalty_decay;
			count += r->history[h] == r->item[i].id;
			occurred |= r->history[h] == r->item[i].id;
		}
		if (!occurred)
			continue;
		double *logit = &r->item[i].logit;
		*logit = *logit > 0 ? *logit / (double)p->repeat_penalty : *logit * (double)p->repeat_penalty;
		*logit -= (double)p->presence_penalty + (double)p->frequency_penalty * count;
	}
}

static const struct {
	const char *name;
	void (*apply)(struct reference *r);
} stages[] = {
	{"penalties", ref_penalties}, {"top_k", ref_top_k}, {"typical_p", ref_typical},
	{"top_p", ref_top_p}, {"min_p", ref_min_p}, {"temperature", ref_temperature},
};
enum { N_STAGES = sizeof stages / sizeof *stages };

static int ref_draw(const struct reference *r, uint64_t u)
{
	double max = largest(r);
	if (!(r->p->temperature > 0.0f)) {
		int i = 0;
		while (r->item[i].logit < max)
			i++;
		return r->item[i].id;
	}
	double point = (double)u * 0x1p-64 * mass(r, r->n);
	double sum = 0;
	for (int i = 0; i < r->n; i++) {
		sum += exp(r->item[i].logit - max);
		if (sum > point)
			return r->item[i].id;
	}
	return r->item[r->n - 1].id;
}

static double normal(void)
{
	return sqrt(-2.0 * log(uniform() + 1e-300)) * cos(6.283185307179586 * uniform());
}

static void random_logits(float *logits, int n, int kind)
{
	double width = 0.5 + 4.0 * uniform();
	for (int i = 0; i < n; i++) {
		double x = width * normal();
		logits[i] = (float)(kind == 1 ? round(x) : x); /* 1: many ties */
		if (kind == 2 && below(3) == 0)
			logits[i] = -INFINITY;
	}
	logits[below(n)] = 7.0f;
}

/* A random order of the stages whose bits are set in `which`. */
static void random_order(char *text, size_t cap, unsigned which, int *order, int *ret_n)
{
	int n = 0;
	for (int i = 0; i < N_STAGES; i++)
		if (which >> i & 1)
			order[n++] = i;
	for (int i = n - 1; i > 0; i--) {
		int j = below(i + 1);
		int t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
	text[0] = '\0';
	for (int i = 0; i < n; i++)
		snprintf(text + strlen(text), cap - strlen(text), "%s%s", i ? ";" : "", stages[order[i]].name);
	*ret_n = n;
}

static void random_params(struct leat_sample_params *p)
{
	leat_sample_params_init(p);
	p->seed = (uint64_t)below(1 << 30);
	p->temperature = below(8) ? (float)(0.2 + 2.0 * uniform()) : 0.0f;
	p->top_k = below(3) ? 1 + below(300) : 0;
	p->top_p = below(3) ? (float)(0.05 + 0.94 * uniform()) : 1.0f;
	p->min_p = below(3) ? (float)(0.3 * uniform()) : 0.0f;
	p->typical_p = below(3) ? (float)(0.05 + 0.94 * uniform()) : 1.0f;
	p->repeat_penalty = below(3) ? (float)(0.7 + uniform()) : 1.0f;
	p->presence_penalty = below(2) ? (float)uniform() : 0.0f;
	p->frequency_penalty = below(2) ? (float)uniform() : 0.0f;
	p->penalty_decay = below(2) ? (float)(0.9 + 0.1 * uniform()) : 1.0f;
	if (below(6) == 0)
		p->penalty_decay = 0.001f; /* the unit of the counts runs out within the history */
	p->repeat_last_n = below(80) - 1;
}

static struct reference ref;

static void compare(const struct leat_sample_params *p, const int *order, int n_order, const float *logits, int n,
		    const int *history, int n_history)
{
	struct leat_error err = {0};
	struct leat_sampler *s = NULL;
	struct leat_drawn drawn;
	assert_int_equal(leat_sampler_create(p, n, &s, &err), LEAT_OK);
	for (int i = 0; i < n_history; i++)
		leat_sampler_accept(s, history[i]);
	ref = (struct reference){.p = p, .history = history, .n_history = n_history};
	for (int i = 0; i < n; i++)
		if (logits[i] > -INFINITY)
			ref.item[ref.n++] = (struct item){i, (double)logits[i], 0};
	for (int i = 0; i < n_order; i++)
		if (p->temperature > 0.0f || stages[order[i]].apply == ref_penalties)
			stages[order[i]].apply(&ref);
	for (uint64_t position = 0; position < 5; position++) {
		assert_int_equal(leat_sampler_draw(s, logits, position, &drawn, &err), LEAT_OK);
		uint64_t u = leat_draw_random(p->seed, p->choice, position);
		assert_int_equal(drawn.id, ref_draw(&ref, u));
		assert_true(drawn.logit >= logits[drawn.id] && drawn.logit <= logits[drawn.id]);
	}
	/* Which candidates were left; those that weigh nothing may be gone already. */
	for (int i = 0, j = 0; p->temperature > 0.0f && j < ref.n; j++) {
		while (i < s->n - 1 && s->list[i].id < ref.item[j].id)
			i++;
		if (s->list[i].id == ref.item[j].id)
			assert_true(fabs((double)leat_draw_scale(s->list[i].logit, s->max, s->inv_temperature) -
					 (ref.item[j].logit - largest(&ref))) < 1e-4);
		else
			assert_true(ref.item[j].logit < largest(&ref) - 22.0);
	}
	assert_true(s->n <= ref.n);
	leat_sampler_destroy(s);
}

static void run_cases(int n_cases, unsigned which)
{
	static const int sizes[] = {1, 2, 3, 63, 64, 65, 200, 1000, MAX_VOCAB};
	static float logits[MAX_VOCAB];
	int history[MAX_HISTORY];
	for (int c = 0; c < n_cases; c++) {
		struct leat_sample_params p;
		char text[128];
		int order[N_STAGES];
		int n_order;
		int n = sizes[c % (int)(sizeof sizes / sizeof *sizes)];
		random_params(&p);
		random_order(text, sizeof text, which ? which : (unsigned)below(1 << N_STAGES), order, &n_order);
		p.order = text;
		random_logits(logits, n, c % 3);
		int n_history = below(MAX_HISTORY);
		for (int i = 0; i < n_history; i++)
			history[i] = below(2) ? below(n) : below(n < 10 ? n : 10);
		compare(&p, order, n_order, logits, n, history, n_history);
	}
}

static void each_stage_alone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_STAGES; i++)
		run_cases(90, 1u << i);
}

static void all_stages_in_random_orders(void **state)
{
	(void)state;
	run_cases(300, (1u << N_STAGES) - 1);
	run_cases(300, 0);
}

/* Without an order the chain runs the one that NUMERICS.md names. */
static void the_default_order(void **state)
{
	(void)state;
	static const int order[] = {0, 1, 2, 3, 4, 5};
	float logits[500];
	int history[3] = {1, 2, 2};
	for (int c = 0; c < 100; c++) {
		struct leat_sample_params p;
		random_params(&p);
		random_logits(logits, 500, 0);
		compare(&p, order, N_STAGES, logits, 500, history, 3);
	}
}

/* Two orders that must differ: top-p before a high temperature keeps fewer than after it. */
static void the_order_matters(void **state)
{
	(void)state;
	float logits[100];
	int kept[2];
	for (int i = 0; i < 100; i++)
		logits[i] = (float)-i * 0.5f;
	for (int i = 0; i < 2; i++) {
		struct leat_sample_params p;
		struct leat_sampler *s = NULL;
		struct leat_drawn drawn;
		leat_sample_params_init(&p);
		p.temperature = 4.0f;
		p.top_p = 0.9f;
		p.order = i ? "temperature;top_p" : "top_p;temperature";
		assert_int_equal(leat_sampler_create(&p, 100, &s, NULL), LEAT_OK);
		assert_int_equal(leat_sampler_draw(s, logits, 0, &drawn, NULL), LEAT_OK);
		kept[i] = s->n;
		leat_sampler_destroy(s);
	}
	assert_int_equal(kept[0], 5);  /* 1 - exp(-i/2) >= 0.9 first at i = 5 */
	assert_int_equal(kept[1], 19); /* 1 - exp(-i/8) >= 0.9 first at i = 19 */
}

/* The point where one candidate ends belongs to the next, and what weighs nothing is never hit. */
static void points_on_the_border(void **state)
{
	(void)state;
	struct leat_candidate list[] = {{3, 0}, {5, 0}, {8, 0}, {9, 0}};
	uint32_t weight[] = {0, 10, 0, 1};
	struct leat_sampler s = {.list = list, .weight = weight, .n = 4, .total = 11, .weighed = 1};
	assert_int_equal(leat_candidates_at(&s, 0), 5);
	assert_int_equal(leat_candidates_at(&s, 9), 5);
	assert_int_equal(leat_candidates_at(&s, 10), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stage_alone),
		cmocka_unit_test(all_stages_in_random_orders),
		cmocka_unit_test(the_default_order),
		cmocka_unit_test(the_order_matters),
		cmocka_unit_test(points_on_the_border),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
