/* caches.h - finding and making plans, and what is told about caches to other threads.
 *
 * The driver alone touches the caches. After each step it writes their counts to words that any thread may read, so
 * that asking costs the token path nothing and waits for nobody. */
#ifndef LEAT_ENGINE_CACHES_H
#define LEAT_ENGINE_CACHES_H

#include <stdatomic.h>

#include "leat/leat.h"
#include "plan/cache.h"

struct leat_engine;

struct leat_told_cache {
	_Atomic uint64_t n_entries, n_idle, bytes, idle_bytes, lookups, hits, made, dropped;
};

/* What steps were, all together. */
struct leat_work {
	uint64_t launches, barriers;
	uint64_t upload_bytes;  /* of the step block: what a device would have to be sent */
	uint64_t bucket_tokens; /* rows that plans were made for */
	uint64_t padded_bytes;  /* the last plan's */
	uint64_t ops_checked;   /* whose shapes were proved, when plans were recorded */
};

/* The same as words for other threads, with what is known of the work ahead. */
enum leat_told_work {
	LEAT_TOLD_LAUNCHES, LEAT_TOLD_BARRIERS, LEAT_TOLD_UPLOADS, LEAT_TOLD_BUCKETS, LEAT_TOLD_PADDING,
	LEAT_TOLD_CHECKED, LEAT_TOLD_GUESSED, LEAT_TOLD_RIGHT, LEAT_TOLD_DEPTH, LEAT_TOLD_LOOKED,
	LEAT_TOLD_READY, LEAT_TOLD_PREPARED,
	LEAT_TOLD_REUSED, LEAT_TOLD_AHEAD, LEAT_TOLD_UNUSED, LEAT_TOLD_WORK
};

/* Limits of the plan cache from the model's layers and the memory that is free now; before the device is opened. */
enum leat_status leat_caches_choose(struct leat_engine *e, struct leat_plan_limits *ret, struct leat_error *err);

/* The key of steps of this shape; counts are rounded up to buckets. */
void leat_plan_key_of(const struct leat_engine *e, int n_tokens, int n_seqs, int n_outputs, struct leat_plan_key *ret);
/* Records, compiles and keeps a plan. */
enum leat_status leat_plan_make(struct leat_engine *e, const struct leat_plan_key *key, enum leat_plan_origin origin,
				struct leat_plan_entry **ret, struct leat_error *err);

/* A step has run. */
void leat_work_note(struct leat_engine *e);
/* The driver: writes down what is to be told. */
void leat_caches_tell(struct leat_engine *e);
/* With the baton: empties all. */
void leat_caches_clear(struct leat_engine *e);

#endif
