/* cache.h - compiled plans by key.
 *
 * Limits in entries and in bytes (tables of plans, and the scratch that they hold). Two segments, each in order of use:
 * a plan enters on probation; one that is looked up again is protected, until those that were used later push it out.
 * What goes first is the plan on probation that was used longest ago, so a run of shapes that never come back does not
 * evict those that do (segmented LRU: Karedla, Love, Wherry 1994, as in state/prefix_lru.c). A plan that is held
 * (prepared for a step to come) stays. The driver alone touches a cache. */
#ifndef LEAT_PLAN_CACHE_H
#define LEAT_PLAN_CACHE_H

#include "plan/backend.h"

/* On what occasion a plan was made. */
enum leat_plan_origin { LEAT_PLAN_IN_STEP, LEAT_PLAN_WARM, LEAT_PLAN_AHEAD };

struct leat_plan_entry {
	struct leat_plan *plan;
	struct leat_exec *exec;
	struct leat_exec_info info;
	size_t bytes;   /* tables: as recorded and as compiled */
	uint64_t used;  /* clock of the last use */
	uint64_t n_used; /* lookups that found it */
	struct leat_plan_entry *next; /* of the same bucket of the index */
	enum leat_plan_origin origin;
	int held;       /* times */
	int is_protected;
};

struct leat_plan_limits {
	int max_entries;
	size_t max_bytes;
	char how[160]; /* the formula with its numbers, for people */
};

enum { LEAT_PLAN_INDEX = 256, LEAT_PLAN_MIN_ENTRIES = 64 };

struct leat_plan_cache {
	const struct leat_backend *backend;
	void *dev;
	struct leat_plan_limits limits;
	int guard;                 /* 0: one segment, plain LRU */
	size_t bytes, protected_bytes; /* tables */
	uint64_t clock;
	uint64_t lookups, hits, built, evicted;
	uint64_t n_origin[3];      /* built, by origin */
	uint64_t ahead_unused;     /* made ahead, and dropped without having been used */
	uint64_t build_ns;         /* recording and compiling, all together */
	int n, n_protected;
	struct leat_plan_entry **entry; /* [limits.max_entries] */
	struct leat_plan_entry *index[LEAT_PLAN_INDEX];
};

/* The limits of an engine: an entry costs n_layer * layer_bytes, and free_bytes (UINT64_MAX: unknown) are there now.
 * A sixteenth of the memory, of which entries may take a quarter; never fewer than LEAT_PLAN_MIN_ENTRIES. */
void leat_plan_limits_choose(int n_layer, size_t layer_bytes, uint64_t free_bytes, struct leat_plan_limits *ret);

/* E_NOMEM. */
enum leat_status leat_plan_cache_init(struct leat_plan_cache *c, const struct leat_backend *b, void *dev,
				      const struct leat_plan_limits *limits, int guard, struct leat_error *err);
void leat_plan_cache_deinit(struct leat_plan_cache *c); /* zeroed is fine */

/* The entry of an equal key, counted as a hit, or NULL. Lives until the next put or shrink, longer while it is held. */
struct leat_plan_entry *leat_plan_cache_find(struct leat_plan_cache *c, const struct leat_plan_key *key);
/* The same without counting anything. */
struct leat_plan_entry *leat_plan_cache_peek(const struct leat_plan_cache *c, const struct leat_plan_key *key);
/* A step runs this entry, found or just made, without a lookup: counted as one that hit. */
void leat_plan_cache_use(struct leat_plan_cache *c, struct leat_plan_entry *e);

/* Compiles `plan` (ownership moves here, on failure too) and keeps it. When memory is short, what is not held goes. */
enum leat_status leat_plan_cache_put(struct leat_plan_cache *c, struct leat_plan *plan, enum leat_plan_origin origin,
				     struct leat_plan_entry **ret, struct leat_error *err);

/* Drops what is least wanted until so many bytes are held (tables and scratch), or nothing is left that may go. */
void leat_plan_cache_shrink(struct leat_plan_cache *c, size_t max_bytes);
/* Tables, and the scratch that plans hold. */
size_t leat_plan_cache_bytes(const struct leat_plan_cache *c);

#endif
