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

#ifdef __cplusplus
}
#endif
#endif
