/* cache.h - compiled plans by key, least recently used out first. */
#ifndef LEAT_PLAN_CACHE_H
#define LEAT_PLAN_CACHE_H

#include "plan/backend.h"

struct leat_plan_entry {
	struct leat_plan *plan;
	struct leat_exec *exec;
	size_t bytes;
	uint64_t used; /* clock of the last lookup */
};

enum { LEAT_PLAN_CACHE_CAP = 64 };

struct leat_plan_cache {
	const struct leat_backend *backend;
	void *dev;
	size_t limit_bytes; /* scratch of all entries together; at least one entry stays */
	size_t bytes;
	uint64_t clock, lookups, hits;
	int n;
	struct leat_plan_entry entry[LEAT_PLAN_CACHE_CAP];
};

void leat_plan_cache_init(struct leat_plan_cache *c, const struct leat_backend *b, void *dev, size_t limit_bytes);
void leat_plan_cache_deinit(struct leat_plan_cache *c);

/* The entry of an equal key, counted as a hit, or NULL. Borrowed until the next put. */
struct leat_plan_entry *leat_plan_cache_find(struct leat_plan_cache *c, const struct leat_plan_key *key);

/* Compiles `plan` (ownership moves here, on failure too) and keeps it, dropping what was used longest ago. */
enum leat_status leat_plan_cache_put(struct leat_plan_cache *c, struct leat_plan *plan, struct leat_plan_entry **ret,
				     struct leat_error *err);

#endif
