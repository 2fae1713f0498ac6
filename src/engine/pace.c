/* pace.c - moving medians, the price of context, and the histogram of stalls. */
#include "engine/pace.h"

#include <math.h>

enum { FIRST_TOKENS = 16, FEWEST_TOKENS = 4 };

uint64_t leat_stall_bound_ms(int bucket)
{
	static const uint64_t bound[LEAT_STALL_BUCKETS] = { 1,	 2,   5,   10,	20,   50,
							    100, 150, 200, 300, 1000, UINT64_MAX };
	return bucket >= 0 && bucket < LEAT_STALL_BUCKETS ? bound[bucket] : UINT64_MAX;
}

/* The part of the bound that a step is meant to take: the rest is for what the model does not know. */
#define AIM 0.6
/* The guess: a token at position 1,000 costs twice what the first one does. It weighs as much as a step of 16 tokens at
 * position 256 does. */
#define GUESS 1000.0
#define GUESS_WEIGHT (16.0 * 256 * 16 * 256)
/* How much of the sums is left after a step: what counts are the last ten or so. */
#define KEEP 0.9

static double middle(const double *v, int n)
{
	double sorted[LEAT_PACE_SAMPLES];
	for (int i = 0; i < n; i++) {
		int at = i;
		for (; at > 0 && sorted[at - 1] > v[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = v[i];
	}
	return n ? sorted[n / 2] : 0;
}

static int n_samples(const struct leat_pace_times *t)
{
	return t->n < LEAT_PACE_SAMPLES ? (int)t->n : LEAT_PACE_SAMPLES;
}

static void add(struct leat_pace_times *t, double ns, double n_tokens, double positions)
{
	uint64_t at = t->n++ % LEAT_PACE_SAMPLES;
	t->ns[at] = ns;
	t->n_tokens[at] = n_tokens;
	t->positions[at] = positions;
}

/* 1 / the position at which a token costs twice what the first one does. */
static double context_price(const struct leat_pace *p)
{
	double nn = p->fit.nn + GUESS_WEIGHT / (GUESS * GUESS), ns = p->fit.ns - GUESS_WEIGHT / GUESS;
	double ss = p->fit.ss + GUESS_WEIGHT, det = nn * ss - ns * ns;
	double a = ss * p->fit.nt - ns * p->fit.st, b = nn * p->fit.st - ns * p->fit.nt;
	if (!(det > 0) || !(a > 0) || !(b > 0))
		return p->fit.st > 0 && det > 0 && a > 0 ? 0 : 1 / GUESS;
	return b / a < 1 ? b / a : 1;
}

/* Units of work; a few tokens cost what the unsteadiness of the answers' own time costs. */
static double work_of(double n, double positions, double price)
{
	return (n > FEWEST_TOKENS ? n : FEWEST_TOKENS) + positions * price;
}

/* The time of a unit, 0 if nothing is known. */
static double unit_ns(const struct leat_pace *p, double price)
{
	double unit[LEAT_PACE_SAMPLES];
	const struct leat_pace_times *t = &p->prompt;
	for (int i = 0; i < n_samples(t); i++)
		unit[i] = t->ns[i] / work_of(t->n_tokens[i], t->positions[i], price);
	return middle(unit, n_samples(t));
}

/* A step takes at most twice the work of the last one, for the time of a unit falls as more of them ride along, so the
 * bound is approached from below. n tokens from `position` on: n + price (n position + n^2 / 2) <= work. */
int leat_pace_tokens(const struct leat_pace *p, int most, double position)
{
	double price = context_price(p), unit = unit_ns(p, price), n;
	double work = 2 * p->last_work > FIRST_TOKENS ? 2 * p->last_work : FIRST_TOKENS;
	if (!p->stall_ns || most < 1)
		return most;
	if (unit > 0 && AIM * (double)p->stall_ns / unit < work)
		work = AIM * (double)p->stall_ns / unit;
	double slope = 1 + price * position;
	n = price > 0 ? (sqrt(slope * slope + 2 * price * work) - slope) / price : work;
	return n < 1 ? 1 : n < most ? (int)n : most;
}

/* A hitch must not bend the line either: what took more than twice the time that was to be expected counts twice. */
static void fit_step(struct leat_pace *p, double ns, double n, double positions)
{
	struct leat_pace_fit *f = &p->fit;
	double price = context_price(p), expected = unit_ns(p, price) * work_of(n, positions, price);
	double t = expected > 0 && ns > 2 * expected ? 2 * expected : ns;
	f->nn = KEEP * f->nn + n * n;
	f->ns = KEEP * f->ns + n * positions;
	f->ss = KEEP * f->ss + positions * positions;
	f->nt = KEEP * f->nt + n * t;
	f->st = KEEP * f->st + positions * t;
}

static int size_of(int n_decode)
{
	int size = 0;
	while (n_decode > 1 && size < LEAT_PACE_SIZES - 1) {
		n_decode /= 2;
		size++;
	}
	return size;
}

int leat_pace_has_to_look(const struct leat_pace *p, int n_decode)
{
	return p->stall_ns && n_decode && !p->decode[size_of(n_decode)].n;
}

void leat_pace_note(struct leat_pace *p, uint64_t ns, int n_decode, int n_prompt, double positions)
{
	struct leat_pace_times *decode = &p->decode[size_of(n_decode)];
	if (!n_decode)
		return;
	if (!n_prompt) {
		add(decode, (double)ns, 0, 0);
		atomic_fetch_add_explicit(&p->stalls[0], (uint64_t)n_decode, memory_order_relaxed);
		return;
	}
	uint64_t alone = (uint64_t)middle(decode->ns, n_samples(decode)), stall = ns > alone ? ns - alone : 0;
	int i = 0;
	while (i < LEAT_STALL_BUCKETS - 1 && stall / 1000000 >= leat_stall_bound_ms(i))
		i++;
	atomic_fetch_add_explicit(&p->stalls[i], (uint64_t)n_decode, memory_order_relaxed);
	if (stall > atomic_load_explicit(&p->worst_ns, memory_order_relaxed))
		atomic_store_explicit(&p->worst_ns, stall, memory_order_relaxed);
	double t = (double)(stall ? stall : 1);
	fit_step(p, t, (double)n_prompt, positions);
	add(&p->prompt, t, (double)n_prompt, positions);
	p->last_work = work_of((double)n_prompt, positions, context_price(p));
}
