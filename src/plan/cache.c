/* cache.c - compiled plans by key. A handful of buckets is live at a time, so a scan beats a hash. */
#include "plan/cache.h"

#include <string.h>

void leat_plan_cache_init(struct leat_plan_cache *c, const struct leat_backend *b, void *dev, size_t limit_bytes)
{
	*c = (struct leat_plan_cache){ .backend = b, .dev = dev, .limit_bytes = limit_bytes };
}

static void drop(struct leat_plan_cache *c, int i)
{
	struct leat_plan_entry *e = &c->entry[i];
	c->bytes -= e->bytes;
	c->backend->release(c->dev, e->exec);
	leat_plan_destroy(e->plan);
	*e = c->entry[--c->n];
}

void leat_plan_cache_deinit(struct leat_plan_cache *c)
{
	while (c->n)
		drop(c, c->n - 1);
}

struct leat_plan_entry *leat_plan_cache_find(struct leat_plan_cache *c, const struct leat_plan_key *key)
{
	c->lookups++;
	for (int i = 0; i < c->n; i++) {
		struct leat_plan_entry *e = &c->entry[i];
		if (!memcmp(&e->plan->key, key, sizeof *key)) {
			c->hits++;
			e->used = ++c->clock;
			return e;
		}
	}
	return NULL;
}

/* Drops what was used longest ago until `bytes` more fit. */
static void make_room(struct leat_plan_cache *c, size_t bytes)
{
	while (c->n && (c->n == LEAT_PLAN_CACHE_CAP || c->bytes + bytes > c->limit_bytes)) {
		int oldest = 0;
		for (int i = 1; i < c->n; i++)
			if (c->entry[i].used < c->entry[oldest].used)
				oldest = i;
		drop(c, oldest);
	}
}

enum leat_status leat_plan_cache_put(struct leat_plan_cache *c, struct leat_plan *plan, struct leat_plan_entry **ret,
				     struct leat_error *err)
{
	struct leat_plan_entry e = { .plan = plan };
	make_room(c, plan->arena_floats * sizeof(float)); /* at least; what else it takes shows after compile */
	enum leat_status st = c->backend->compile(c->dev, plan, &e.exec, &e.bytes, err);
	if (st != LEAT_OK) {
		leat_plan_destroy(plan);
		return st;
	}
	make_room(c, e.bytes);
	e.used = ++c->clock;
	c->bytes += e.bytes;
	c->entry[c->n] = e;
	*ret = &c->entry[c->n++];
	return LEAT_OK;
}
