/* upkeep.c - see upkeep.h. */
#include "engine/upkeep.h"

#include "base/meminfo.h"
#include "engine/engine.h"

static const uint64_t period_ns = 500000000, most_low = (uint64_t)1 << 30, least_low = (uint64_t)64 << 20;

static void system_memory(void *user, uint64_t *ret_total_bytes, uint64_t *ret_free_bytes)
{
	(void)user;
	leat_meminfo(ret_total_bytes, ret_free_bytes);
}

void leat_upkeep_init(struct leat_upkeep *u, int maintain)
{
	u->maintain = maintain;
	u->memory = system_memory;
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static uint64_t kept_bytes(const struct leat_engine *e)
{
	struct leat_bufpool_counts n = { .takes = 0 };
	if (e->backend->scratch)
		e->backend->scratch(e->dev, &n);
	return leat_plan_cache_bytes(&e->plans) + n.idle_bytes;
}

/* What can be made again makes room. A plan whose results somebody may read is between steps nobody's. */
static uint64_t shed(struct leat_engine *e)
{
	struct leat_prefix_counts n;
	leat_ahead_clear(e);
	leat_plan_cache_shrink(&e->plans, leat_plan_cache_bytes(&e->plans) / 2);
	if (e->prefix) {
		leat_prefix_get_counts(e->prefix, &n);
		leat_prefix_shrink(e->prefix, n.bytes / 2);
	}
	return leat_store_discard(e->store);
}

static void run(struct leat_engine *e, int pressed)
{
	uint64_t before = kept_bytes(e), freed = 0, began = leat_trace_now(e->trace);
	if (pressed)
		freed = shed(e);
	if (e->backend->trim)
		e->backend->trim(e->dev, 0);
	e->exec = e->running = NULL;
	uint64_t after = kept_bytes(e);
	add(&e->upkeep.n_runs, 1);
	add(&e->upkeep.n_pressed, (uint64_t)pressed);
	add(&e->upkeep.freed_bytes, freed + (before > after ? before - after : 0));
	leat_caches_tell(e);
	leat_trace_span(e->trace, "upkeep", began);
}

/* 1 if memory is short, with some slack before it is not any more. */
static int look(struct leat_upkeep *u)
{
	uint64_t total = UINT64_MAX, avail = UINT64_MAX;
	u->memory(u->user, &total, &avail);
	uint64_t low = total / 32 < most_low ? total / 32 : most_low;
	low = low > least_low ? low : least_low;
	add(&u->n_looks, 1);
	u->pressed = avail < (u->pressed ? low + low / 2 : low);
	return u->pressed;
}

void leat_upkeep_turn(struct leat_engine *e, uint64_t now)
{
	struct leat_upkeep *u = &e->upkeep;
	uint64_t began = leat_trace_now(e->trace);
	if (u->maintain < 0)
		return;
	if (u->maintain > 0) {
		if (e->n_steps < u->next_step)
			return;
		u->next_step = e->n_steps + (uint64_t)u->maintain;
		run(e, look(u));
	} else {
		if (now < u->next_ns)
			return;
		u->next_ns = now + period_ns;
		if (look(u))
			run(e, 1);
	}
	leat_trace_span(e->trace, "upkeep", began);
}
