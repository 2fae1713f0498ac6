/* cache.c - leat_engine_get_cache and its kin. */
#include <stdio.h>

#include "api/api.h"

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
