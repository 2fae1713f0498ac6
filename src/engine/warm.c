/* warm.c - plans of common shapes, made before the first request; and one step, so that threads, weights and scratch
 * have been touched. */
#include "engine/warm.h"

#include "engine/engine.h"

enum { MOST_PLANS = 512 };

/* Warm plans may take half of the cache, so that there is room for what else comes. */
static int is_enough(const struct leat_engine *e)
{
	const struct leat_plan_cache *c = &e->plans;
	return c->n >= MOST_PLANS || c->n >= c->limits.max_entries / 2 ||
	       leat_plan_cache_bytes(c) > c->limits.max_bytes / 2;
}

static enum leat_status make(struct leat_engine *e, int tokens, int seqs, int outputs, struct leat_error *err)
{
	struct leat_plan_key key;
	struct leat_plan_entry *x;
	leat_plan_key_of(e, tokens, seqs, outputs, &key);
	if (leat_plan_cache_peek(&e->plans, &key) || is_enough(e))
		return LEAT_OK;
	return leat_plan_make(e, &key, LEAT_PLAN_WARM, &x, err);
}

/* The bucket after the one that n fills; 0: none. */
static int next_tokens(const struct leat_engine *e, int n)
{
	return n < e->n_batch ? leat_bucket_tokens(n + 1, e->n_batch) : 0;
}

static int next_rows(int n, int most)
{
	return n < most ? leat_bucket_rows(n + 1, most) : 0;
}

/* Answers alone first, then prompts that come alone, then prompts beside more and more answers. */
enum leat_status leat_warm_plans(struct leat_engine *e, struct leat_error *err)
{
	int most = e->n_seqs < e->step.cap_outputs ? e->n_seqs : e->step.cap_outputs;
	for (int n = 1; n; n = next_rows(n, most < e->n_batch ? most : e->n_batch))
		LEAT_TRY(make(e, n, n, n, err));
	for (int rows = 1; rows; rows = next_rows(rows, most))
		for (int n = leat_bucket_tokens(rows, e->n_batch); n; n = next_tokens(e, n))
			LEAT_TRY(make(e, n, rows, rows, err));
	return LEAT_OK;
}

/* Runs, and is not committed: it leaves no trace. */
static enum leat_status run(struct leat_engine *e, int n, struct leat_error *err)
{
	int32_t ids[32] = { 0 };
	struct leat_seq s;
	struct leat_feed f = { .seq = &s, .tokens = ids, .n_tokens = n, .want = LEAT_WANT_LAST };
	if (leat_seq_open(e, &s, NULL) != LEAT_OK)
		return LEAT_OK; /* all sequences are in use: it is warm already */
	enum leat_status st = leat_engine_prepare(e, &f, 1, err);
	if (st == LEAT_OK) {
		leat_engine_submit(e);
		st = e->backend->wait(e->dev, e->running, err);
	}
	e->exec = e->running = NULL;
	leat_seq_close(e, &s);
	return st;
}

enum leat_status leat_warm_up(struct leat_engine *e, struct leat_error *err)
{
	LEAT_TRY(leat_warm_plans(e, err));
	LEAT_TRY(run(e, 1, err));
	LEAT_TRY(run(e, e->n_batch < 32 ? e->n_batch : 32, err));
	leat_caches_tell(e);
	return LEAT_OK;
}
