/* predict.c - see predict.h. */
#include "engine/predict.h"

#include <string.h>

enum { GAIN = 16, MOST_WEIGHT = 240, LATELY = 32, FEWEST_JUDGED = 8 };

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 32)) * 0x9e3779b97f4a7c15u;
	return x ^ (x >> 29);
}

static void contexts(const struct leat_predict *p, uint64_t expected, uint64_t ret[2])
{
	uint64_t near = mix(mix(p->last[0]) + expected);
	ret[1] = near ? near : 1;
	ret[0] = mix(near + p->last[1]);
	ret[0] = ret[0] ? ret[0] : 1;
}

static struct leat_predict_row *row_of(struct leat_predict *p, int table, uint64_t context)
{
	return &p->row[table][context % LEAT_PREDICT_ROWS];
}

static int have(const uint64_t *list, int n, uint64_t x)
{
	for (int i = 0; i < n; i++)
		if (list[i] == x)
			return 1;
	return 0;
}

/* Appends what a row has seen, most first. */
static int append(const struct leat_predict_row *r, uint64_t *ret, int n, int most)
{
	int best;
	do {
		best = -1;
		for (int i = 0; i < LEAT_PREDICT_WAYS; i++)
			if (r->weight[i] && !have(ret, n, r->shape[i]) && (best < 0 || r->weight[i] > r->weight[best]))
				best = i;
		if (best >= 0 && n < most)
			ret[n++] = r->shape[best];
	} while (best >= 0 && n < most);
	return n;
}

int leat_predict_next(struct leat_predict *p, uint64_t expected, uint64_t *ret, int most)
{
	int n = 0;
	contexts(p, expected, p->context);
	for (int t = 0; t < 2; t++) {
		const struct leat_predict_row *r = row_of(p, t, p->context[t]);
		if (r->context == p->context[t])
			n = append(r, p->guess, n, LEAT_PREDICT_MOST);
	}
	if (n < LEAT_PREDICT_MOST && expected && !have(p->guess, n, expected))
		p->guess[n++] = expected;
	if (n < LEAT_PREDICT_MOST && p->last[0] && !have(p->guess, n, p->last[0]))
		p->guess[n++] = p->last[0];
	p->n_guesses = n;
	n = n < most ? n : most;
	memcpy(ret, p->guess, (size_t)n * sizeof *ret);
	return n;
}

static void learn(struct leat_predict_row *r, uint64_t context, uint64_t shape)
{
	int at = -1, least = 0;
	if (r->context != context)
		*r = (struct leat_predict_row){ .context = context };
	for (int i = 0; i < LEAT_PREDICT_WAYS; i++) {
		if (r->weight[i] && r->shape[i] == shape)
			at = i;
		else
			r->weight[i] = (uint16_t)(r->weight[i] * 7 / 8); /* what was lately counts */
		if (r->weight[i] < r->weight[least])
			least = i;
	}
	if (at < 0) {
		at = least;
		r->shape[at] = shape;
		r->weight[at] = 0;
	}
	r->weight[at] = (uint16_t)(r->weight[at] + GAIN < MOST_WEIGHT ? r->weight[at] + GAIN : MOST_WEIGHT);
}

static void judge(struct leat_predict *p, uint64_t shape)
{
	int right = p->n_guesses && p->guess[0] == shape;
	double step = 1.0 / (double)(p->made < LATELY ? p->made + 1 : LATELY);
	p->made++;
	p->right += (uint64_t)right;
	p->rate += (right - p->rate) * step;
	if (p->made >= FEWEST_JUDGED)
		p->depth = leat_predict_depth(p->depth, p->rate);
}

void leat_predict_note(struct leat_predict *p, uint64_t shape)
{
	if (p->context[0]) {
		judge(p, shape);
		for (int t = 0; t < 2; t++)
			learn(row_of(p, t, p->context[t]), p->context[t], shape);
	}
	p->context[0] = p->context[1] = 0;
	p->last[1] = p->last[0];
	p->last[0] = shape;
}

int leat_predict_depth(int depth, double rate)
{
	int plain = rate > 0.8 ? 1 : rate > 0.5 ? 2 : 3;
	double back = depth == 1 ? 0.8 - LEAT_DEPTH_SLACK : 0.5 - LEAT_DEPTH_SLACK;
	double on = depth == 3 ? 0.5 + LEAT_DEPTH_SLACK : 0.8 + LEAT_DEPTH_SLACK;
	if (!depth || plain == depth)
		return plain;
	if (plain > depth) /* worse than the border of its own depth */
		return rate > back ? depth : plain;
	return rate > on ? plain : depth;
}
