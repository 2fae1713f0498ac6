/* cache.c - leat_engine_get_cache and its kin. */
#include <stdio.h>

#include "api/api.h"
#include "engine/warm.h"

static uint64_t get(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

enum leat_status leat_engine_get_cache(const struct leat_engine *e, int32_t which, struct leat_cache_info *info)
{
	static const char *const names[LEAT_CACHE_COUNT] = { "plans", "scratch", "prefix" };
	if (which < 0 || which >= LEAT_CACHE_COUNT)
		return LEAT_E_ARG;
	const struct leat_told_cache *t = &e->told[which];
	const struct leat_plan_limits *limits = &e->plans.limits; /* does not change */
	struct leat_cache_info r = {
		.struct_size = sizeof r,
		.n_entries = (int32_t)get(&t->n_entries),
		.n_idle = (int32_t)get(&t->n_idle),
		.bytes = get(&t->bytes),
		.idle_bytes = get(&t->idle_bytes),
		.lookups = get(&t->lookups),
		.hits = get(&t->hits),
		.made = get(&t->made),
		.dropped = get(&t->dropped),
	};
	snprintf(r.name, sizeof r.name, "%s", names[which]);
	if (which == LEAT_CACHE_PREFIX) {
		r.max_bytes = e->prefix_budget_bytes;
	} else {
		r.max_bytes = which == LEAT_CACHE_PLANS ? limits->max_bytes : e->max_idle_bytes;
		r.max_entries = which == LEAT_CACHE_PLANS ? limits->max_entries : 0;
		snprintf(r.limit, sizeof r.limit, "%s", limits->how);
	}
	leat_info_give(info, &r, sizeof r);
	return LEAT_OK;
}

void leat_engine_clear_caches(struct leat_engine *e)
{
	leat_drive_lock(e);
	leat_caches_clear(e);
	leat_drive_unlock(e);
}

enum leat_status leat_engine_warm_up(struct leat_engine *e, struct leat_error *err)
{
	leat_drive_lock(e);
	enum leat_status st = leat_warm_up(e, err);
	leat_drive_unlock(e);
	return st;
}

enum leat_status leat_engine_get_work(const struct leat_engine *e, struct leat_engine_work *ret)
{
	const _Atomic uint64_t *t = e->told_work;
	const struct leat_upkeep *u = &e->upkeep;
	struct leat_engine_work r = {
		.struct_size = sizeof r,
		.steps_in_flight = e->backend->steps_in_flight,
		.steps = get(&e->told_steps),
		.tokens = get(&e->told_tokens),
		.launches = get(&t[LEAT_TOLD_LAUNCHES]),
		.barriers = get(&t[LEAT_TOLD_BARRIERS]),
		.upload_bytes = get(&t[LEAT_TOLD_UPLOADS]),
		.bucket_tokens = get(&t[LEAT_TOLD_BUCKETS]),
		.padded_bytes = get(&t[LEAT_TOLD_PADDING]),
		.ops_checked = get(&t[LEAT_TOLD_CHECKED]),
		.guesses = get(&t[LEAT_TOLD_GUESSED]),
		.right_guesses = get(&t[LEAT_TOLD_RIGHT]),
		.depth = get(&t[LEAT_TOLD_DEPTH]),
		.jobs_looked = get(&t[LEAT_TOLD_LOOKED]),
		.jobs_ready = get(&t[LEAT_TOLD_READY]),
		.jobs_prepared = get(&t[LEAT_TOLD_PREPARED]),
		.jobs_reused = get(&t[LEAT_TOLD_REUSED]),
		.jobs_built = get(&t[LEAT_TOLD_AHEAD]),
		.jobs_discarded = get(&t[LEAT_TOLD_UNUSED]),
		.upkeep_looks = get(&u->n_looks),
		.upkeep_runs = get(&u->n_runs),
		.upkeep_pressed = get(&u->n_pressed),
		.upkeep_freed_bytes = get(&u->freed_bytes),
	};
	leat_info_give(ret, &r, sizeof r);
	return LEAT_OK;
}
