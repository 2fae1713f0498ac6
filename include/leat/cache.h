/* cache.h - what an engine keeps so as not to make it again. Part of <leat/leat.h>. */
#ifndef LEAT_CACHE_H
#define LEAT_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_engine;

/* The caches of an engine. */
enum leat_cache {
	LEAT_CACHE_PLANS = 0,   /* compiled plans, one for each shape of step */
	LEAT_CACHE_SCRATCH = 1, /* memory that plans compute in, by size class */
	LEAT_CACHE_PREFIX = 2,  /* beginnings of prompts */
	LEAT_CACHE_COUNT = 3,
};

/* One cache. Counts are since the engine was made. */
struct leat_cache_info {
	uint32_t struct_size;
	int32_t n_entries;    /* now */
	int32_t max_entries;  /* 0: limited by bytes only */
	int32_t n_idle;       /* scratch: buffers that no plan uses */
	uint64_t bytes;       /* in use now */
	uint64_t idle_bytes;  /* scratch: kept for plans to come */
	uint64_t max_bytes;   /* limit of bytes; scratch: of idle_bytes, what is in use counts among the plans */
	uint64_t lookups, hits; /* times that something was looked for, and found */
	uint64_t made, dropped; /* entries */
	char name[16];        /* "plans" */
	char limit[160];      /* how the limit was chosen, with its numbers; may be empty */
};

/* Fills *info about cache `which` (enum leat_cache), as far as info->struct_size says that the caller knows it. Any
 * thread, at any time: it waits for nobody. LEAT_E_ARG: no such cache. */
LEAT_API enum leat_status leat_engine_get_cache(const struct leat_engine *e, int32_t which,
						struct leat_cache_info *info);

/* Empties them all between two steps. Memory goes back to the system, answers do not change; what is needed is made
 * again. */
LEAT_API void leat_engine_clear_caches(struct leat_engine *e);

/* Makes the engine ready for its first requests: plans for answers of 1 to n_seqs rows and for prompts of every size
 * alone and beside answers, as many as half of the plan cache holds; then a step that touches weights and threads and
 * leaves no trace. leat_engine_info.compile_ns says what the plans took. Any thread, at any time; what is there is not
 * made again. LEAT_E_NOMEM. */
LEAT_API enum leat_status leat_engine_warm_up(struct leat_engine *e, struct leat_error *err);

/* How the work of an engine is cut up, and what was made ready ahead of it. Counts are since the engine was made. */
struct leat_engine_work {
	uint32_t struct_size;
	int32_t steps_in_flight; /* steps that the device takes at a time; 1: a step runs while it is submitted */
	uint64_t steps, tokens;  /* run so far */
	uint64_t launches;       /* operations that the device was given, as kernels or loops */
	uint64_t barriers;       /* points in steps where all workers waited for each other */
	uint64_t upload_bytes;   /* that a step sends: ids, positions, places, wanted rows; no weights, no constants */
	uint64_t bucket_tokens;  /* rows that plans were made for, `tokens` of which were real; the others never run */
	uint64_t padded_bytes;   /* columns beyond the real ones, in all buffers of the plan that ran last */
	uint64_t ops_checked;    /* operations whose shapes were proved; when a plan is made, and at no other time */
	uint64_t guesses, right_guesses; /* shapes of next steps that were predicted, and those that came */
	uint64_t depth;          /* shapes that are made ready for one step: 1 to 3; 0: nothing was predicted yet */
	uint64_t jobs_looked, jobs_ready; /* steps that looked for a plan held ready, and found one */
	uint64_t jobs_prepared, jobs_reused; /* plans that were made ready; of those, plans that were there already */
	uint64_t jobs_built;     /* plans that were built ahead */
	uint64_t jobs_discarded; /* of those, dropped before they were used */
	uint64_t upkeep_looks;   /* times that the memory that is free was looked at */
	uint64_t upkeep_runs;    /* times that something was done about it */
	uint64_t upkeep_pressed; /* of those, because memory was short */
	uint64_t upkeep_freed_bytes; /* given back then, at most */
};

/* Fills *work, as far as work->struct_size says that the caller knows it. Any thread, at any time: it waits for nobody.
 * Never fails when struct_size is set. */
LEAT_API enum leat_status leat_engine_get_work(const struct leat_engine *e, struct leat_engine_work *work);

#ifdef __cplusplus
}
#endif
#endif
