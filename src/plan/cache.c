/* cache.c - see cache.h. Looking up is a hash and a compare; dropping, which goes with building, scans. */
#include "plan/cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { MAX_ENTRIES = 4096 };
static const size_t most_bytes = (size_t)4 << 30, few_bytes = (size_t)64 << 20;

void leat_plan_limits_choose(int n_layer, size_t layer_bytes, uint64_t free_bytes, struct leat_plan_limits *ret)
{
	size_t entry = (size_t)n_layer * layer_bytes, least = few_bytes + LEAT_PLAN_MIN_ENTRIES * entry;
	size_t bytes = free_bytes / 16 < most_bytes ? (size_t)(free_bytes / 16) : most_bytes;
	bytes = bytes > least ? bytes : least;
	size_t n = entry ? bytes / 4 / entry : MAX_ENTRIES;
	ret->max_bytes = bytes;
	ret->max_entries = n > MAX_ENTRIES ? MAX_ENTRIES : n < LEAT_PLAN_MIN_ENTRIES ? LEAT_PLAN_MIN_ENTRIES : (int)n;
	snprintf(ret->how, sizeof ret->how,
		 "%zu MiB: 1/16 of %" PRIu64 " MiB free; %d plans: 1/4 of it by %d layers of %zu bytes, at least %d",
		 bytes >> 20, free_bytes >> 20, ret->max_entries, n_layer, layer_bytes, LEAT_PLAN_MIN_ENTRIES);
}

enum leat_status leat_plan_cache_init(struct leat_plan_cache *c, const struct leat_backend *b, void *dev,
				      const struct leat_plan_limits *limits, int guard, struct leat_error *err)
{
	*c = (struct leat_plan_cache){ .backend = b, .dev = dev, .limits = *limits, .guard = guard };
	c->entry = calloc((size_t)limits->max_entries, sizeof *c->entry);
	return c->entry ? LEAT_OK
			: leat_fail(err, LEAT_E_NOMEM, "plan", LEAT_NO_OFFSET, "out of memory for %d plans",
				    limits->max_entries);
}

static struct leat_plan_entry **bucket(const struct leat_plan_cache *c, const struct leat_plan_key *key)
{
	uint64_t h = leat_hash128(0, key, sizeof *key).low % LEAT_PLAN_INDEX;
	return (struct leat_plan_entry **)&c->index[h];
}

static void set_protected(struct leat_plan_cache *c, struct leat_plan_entry *e, int on)
{
	if (e->is_protected == on)
		return;
	e->is_protected = on;
	c->n_protected += on ? 1 : -1;
	c->protected_bytes += on ? e->bytes : -e->bytes;
}

static void drop(struct leat_plan_cache *c, int i)
{
	struct leat_plan_entry *e = c->entry[i], **at = bucket(c, &e->plan->key);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	set_protected(c, e, 0);
	c->bytes -= e->bytes;
	c->ahead_unused += e->origin == LEAT_PLAN_AHEAD && !e->n_used;
	c->backend->release(c->dev, e->exec);
	leat_plan_destroy(e->plan);
	free(e);
	c->entry[i] = c->entry[--c->n];
}

void leat_plan_cache_deinit(struct leat_plan_cache *c)
{
	while (c->n)
		drop(c, c->n - 1);
	free(c->entry);
	c->entry = NULL;
}

/* The oldest of one segment that is not held, -1: none. */
static int oldest(const struct leat_plan_cache *c, int is_protected, const struct leat_plan_entry *keep)
{
	int found = -1;
	for (int i = 0; i < c->n; i++) {
		const struct leat_plan_entry *e = c->entry[i];
		if (e->is_protected == is_protected && !e->held && e != keep &&
		    (found < 0 || e->used < c->entry[found]->used))
			found = i;
	}
	return found;
}

size_t leat_plan_cache_bytes(const struct leat_plan_cache *c)
{
	struct leat_bufpool_counts s = { .takes = 0 };
	if (c->backend && c->backend->scratch)
		c->backend->scratch(c->dev, &s);
	return c->bytes + (size_t)s.held_bytes;
}

/* 1: nothing may go but `keep` and what is held. */
static int evict_one(struct leat_plan_cache *c, const struct leat_plan_entry *keep)
{
	int i = oldest(c, 0, keep);
	if (i < 0)
		i = oldest(c, 1, keep);
	if (i < 0)
		return 1;
	drop(c, i);
	c->evicted++;
	return 0;
}

static void shrink(struct leat_plan_cache *c, size_t max_bytes, const struct leat_plan_entry *keep)
{
	while (leat_plan_cache_bytes(c) > max_bytes && !evict_one(c, keep))
		;
}

void leat_plan_cache_shrink(struct leat_plan_cache *c, size_t max_bytes)
{
	shrink(c, max_bytes, NULL);
}

/* Protected plans may take four fifths; beyond that the oldest of them go back on probation, as its newest. */
static void protect(struct leat_plan_cache *c, struct leat_plan_entry *e)
{
	if (!c->guard)
		return;
	set_protected(c, e, 1);
	while (c->n_protected > c->limits.max_entries / 5 * 4 || c->protected_bytes > c->limits.max_bytes / 5 * 4) {
		int i = oldest(c, 1, e);
		if (i < 0)
			return;
		set_protected(c, c->entry[i], 0);
		c->entry[i]->used = ++c->clock;
	}
}

struct leat_plan_entry *leat_plan_cache_peek(const struct leat_plan_cache *c, const struct leat_plan_key *key)
{
	struct leat_plan_entry *e = *bucket(c, key);
	while (e && memcmp(&e->plan->key, key, sizeof *key))
		e = e->next;
	return e;
}

void leat_plan_cache_use(struct leat_plan_cache *c, struct leat_plan_entry *e)
{
	c->lookups++;
	c->hits++;
	e->used = ++c->clock;
	e->n_used++;
	if (!e->is_protected)
		protect(c, e);
}

struct leat_plan_entry *leat_plan_cache_find(struct leat_plan_cache *c, const struct leat_plan_key *key)
{
	struct leat_plan_entry *e = leat_plan_cache_peek(c, key);
	if (e)
		leat_plan_cache_use(c, e);
	else
		c->lookups++;
	return e;
}

static size_t recorded_bytes(const struct leat_plan *p)
{
	return sizeof *p + (size_t)p->n_ops * sizeof *p->op + (size_t)p->n_bufs * sizeof *p->buf;
}

/* Short of memory: everything that may go goes, idle scratch too, before it is tried once more. */
static enum leat_status compile(struct leat_plan_cache *c, struct leat_plan_entry *e, struct leat_error *err)
{
	enum leat_status st = c->backend->compile(c->dev, e->plan, &e->exec, &e->bytes, err);
	if (st != LEAT_E_NOMEM || !c->n)
		return st;
	shrink(c, 0, NULL);
	if (c->backend->trim)
		c->backend->trim(c->dev, 0);
	return c->backend->compile(c->dev, e->plan, &e->exec, &e->bytes, err);
}

enum leat_status leat_plan_cache_put(struct leat_plan_cache *c, struct leat_plan *plan, enum leat_plan_origin origin,
				     struct leat_plan_entry **ret, struct leat_error *err)
{
	struct leat_plan_entry *e = calloc(1, sizeof *e);
	enum leat_status st = e ? LEAT_OK : leat_fail(err, LEAT_E_NOMEM, "plan", LEAT_NO_OFFSET, "out of memory");
	if (st == LEAT_OK) {
		e->plan = plan;
		while (c->n >= c->limits.max_entries && !evict_one(c, NULL))
			;
		if (c->n >= c->limits.max_entries)
			st = leat_fail(err, LEAT_E_LIMIT, "plan", LEAT_NO_OFFSET, "all %d plans are held", c->n);
	}
	if (st == LEAT_OK)
		st = compile(c, e, err);
	if (st != LEAT_OK) {
		leat_plan_destroy(plan);
		free(e);
		return st;
	}
	struct leat_plan_entry **at = bucket(c, &plan->key);
	e->bytes += sizeof *e + recorded_bytes(plan);
	e->used = ++c->clock;
	e->origin = origin;
	if (c->backend->inspect)
		c->backend->inspect(c->dev, e->exec, &e->info);
	e->next = *at;
	*at = e;
	c->entry[c->n++] = e;
	c->bytes += e->bytes;
	c->built++;
	c->n_origin[origin]++;
	if (origin == LEAT_PLAN_WARM)
		protect(c, e);
	shrink(c, c->limits.max_bytes, e);
	*ret = e;
	return LEAT_OK;
}
