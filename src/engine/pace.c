/* pace.c - moving medians, and the histogram of stalls. */
#include "engine/pace.h"

enum { FIRST_TOKENS = 16, FEWEST_TOKENS = 4 };

uint64_t leat_stall_bound_ms(int bucket)
{
	static const uint64_t bound[LEAT_STALL_BUCKETS] = { 1,	 2,   5,   10,	20,   50,
							    100, 150, 200, 300, 1000, UINT64_MAX };
	return bucket >= 0 && bucket < LEAT_STALL_BUCKETS ? bound[bucket] : UINT64_MAX;
}

static void add(struct leat_pace_times *t, double ns)
{
	t->ns[t->n++ % LEAT_PACE_SAMPLES] = ns;
}

/* 0: not known */
static double median(const struct leat_pace_times *t)
{
	double sorted[LEAT_PACE_SAMPLES];
	int n = t->n < LEAT_PACE_SAMPLES ? (int)t->n : LEAT_PACE_SAMPLES;
	for (int i = 0; i < n; i++) {
		int at = i;
		for (; at > 0 && sorted[at - 1] > t->ns[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = t->ns[i];
	}
	return n ? sorted[n / 2] : 0;
}

/* The time of a token falls as more of them ride along, and rises with what they look back on. So a step takes at most
 * twice as many as the last one, and the bound is approached from below. */
int leat_pace_tokens(const struct leat_pace *p, int most)
{
	int n = p->last_tokens * 2 > FIRST_TOKENS ? p->last_tokens * 2 : FIRST_TOKENS;
	double token_ns = median(&p->token);
	if (!p->stall_ns || most < 1)
		return most;
	if (token_ns > 0) {
		double fits = 0.6 * (double)p->stall_ns / token_ns;
		n = fits < n ? (int)fits : n;
	}
	return n < 1 ? 1 : n < most ? n : most;
}

void leat_pace_note(struct leat_pace *p, uint64_t ns, int n_decode, int n_prompt)
{
	if (!n_decode)
		return;
	if (!n_prompt) {
		add(&p->decode, (double)ns);
		atomic_fetch_add_explicit(&p->stalls[0], (uint64_t)n_decode, memory_order_relaxed);
		return;
	}
	uint64_t alone = (uint64_t)median(&p->decode), stall = ns > alone ? ns - alone : 0;
	int i = 0;
	while (i < LEAT_STALL_BUCKETS - 1 && stall / 1000000 >= leat_stall_bound_ms(i))
		i++;
	atomic_fetch_add_explicit(&p->stalls[i], (uint64_t)n_decode, memory_order_relaxed);
	if (stall > atomic_load_explicit(&p->worst_ns, memory_order_relaxed))
		atomic_store_explicit(&p->worst_ns, stall, memory_order_relaxed);
	p->last_tokens = n_prompt;
	/* the unsteadiness of the answers' own time must not pass for the price of a token or two */
	add(&p->token, (double)(stall ? stall : 1) / (n_prompt > FEWEST_TOKENS ? n_prompt : FEWEST_TOKENS));
}
