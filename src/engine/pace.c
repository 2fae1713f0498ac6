/* pace.c - moving averages, and the histogram of stalls. */
#include "engine/pace.h"

enum { FIRST_TOKENS = 16, FEWEST_TOKENS = 4 };

uint64_t leat_stall_bound_ms(int bucket)
{
	static const uint64_t bound[LEAT_STALL_BUCKETS] = { 1,	 2,   5,   10,	20,   50,
							    100, 150, 200, 300, 1000, UINT64_MAX };
	return bucket >= 0 && bucket < LEAT_STALL_BUCKETS ? bound[bucket] : UINT64_MAX;
}

/* The time of a token falls as more of them ride along, and rises with what they look back on. So a step takes at most
 * twice as many as the last one, and the bound is approached from below. */
int leat_pace_tokens(const struct leat_pace *p, int most)
{
	int n = p->last_tokens * 2 > FIRST_TOKENS ? p->last_tokens * 2 : FIRST_TOKENS;
	if (!p->stall_ns || most < 1)
		return most;
	if (p->token_ns > 0) {
		double fits = 0.6 * (double)p->stall_ns / p->token_ns;
		n = fits < n ? (int)fits : n;
	}
	return n < 1 ? 1 : n < most ? n : most;
}

/* Follows fast what is worse, and slowly what is better. */
static double follow(double average, double now)
{
	return average <= 0 ? now : average + (now > average ? 0.5 : 0.25) * (now - average);
}

void leat_pace_note(struct leat_pace *p, uint64_t ns, int n_decode, int n_prompt)
{
	if (!n_decode)
		return;
	if (!n_prompt) {
		p->decode_ns = p->decode_ns <= 0 ? (double)ns : p->decode_ns + 0.25 * ((double)ns - p->decode_ns);
		atomic_fetch_add_explicit(&p->stalls[0], (uint64_t)n_decode, memory_order_relaxed);
		return;
	}
	uint64_t stall = (double)ns > p->decode_ns ? ns - (uint64_t)p->decode_ns : 0;
	int i = 0;
	while (i < LEAT_STALL_BUCKETS - 1 && stall / 1000000 >= leat_stall_bound_ms(i))
		i++;
	atomic_fetch_add_explicit(&p->stalls[i], (uint64_t)n_decode, memory_order_relaxed);
	if (stall > atomic_load_explicit(&p->worst_ns, memory_order_relaxed))
		atomic_store_explicit(&p->worst_ns, stall, memory_order_relaxed);
	p->last_tokens = n_prompt;
	/* a hitch of the machine must not pass for the price of a token or two, or prompts crawl from then on */
	int n = n_prompt > FEWEST_TOKENS ? n_prompt : FEWEST_TOKENS;
	p->token_ns = follow(p->token_ns, (double)(stall ? stall : 1) / n);
}
