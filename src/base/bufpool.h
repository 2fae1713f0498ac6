/* bufpool.h - large buffers by size class, shared or handed on instead of being given back to the system.
 *
 * A class is a power of two of bytes, and buffers are only ever reused whole, so nothing can fragment. What nobody
 * holds is idle, and is given back to the system beyond a cap, the one that was used longest ago first. Where the
 * caller's memory is mapped lazily, what a class adds to the bytes asked for is address space and no memory.
 *
 * Holders that never use their contents at the same time may share: then a class has one buffer for each kind, which is
 * as large as the largest that was asked for. One thread at a time. */
#ifndef LEAT_BASE_BUFPOOL_H
#define LEAT_BASE_BUFPOOL_H

#include <stddef.h>
#include <stdint.h>

struct leat_buf_source {
	void *(*map)(void *user, size_t bytes); /* NULL when out of memory */
	void (*unmap)(void *user, void *p, size_t bytes);
	void *user;
};

struct leat_pooled {
	void *p;
	size_t bytes;   /* of the class */
	size_t asked;   /* the most that a holder said it uses since it was mapped: what can be memory */
	int kind, refs; /* refs 0: idle */
	uint64_t used;  /* clock of the last take or give */
};

struct leat_bufpool_counts {
	uint64_t takes, hits;        /* hits: shared, or idle before */
	uint64_t n_mapped, n_unmapped;
	uint64_t held_bytes, idle_bytes, max_idle_bytes; /* as said by leat_bufpool_uses, in whole pages */
	int32_t n_held, n_idle;
};

struct leat_bufpool {
	struct leat_buf_source source;
	int share;              /* holders of one class and kind share a buffer */
	size_t max_idle_bytes;  /* 0: nothing is kept */
	struct leat_pooled **buf;
	int n, cap;
	uint64_t clock;
	struct leat_bufpool_counts counts;
};

void leat_bufpool_init(struct leat_bufpool *b, const struct leat_buf_source *source, int share, size_t max_idle_bytes);
void leat_bufpool_deinit(struct leat_bufpool *b); /* nobody holds a buffer any more; zeroed is fine */

/* A buffer of at least so many bytes (0: the smallest), its contents undefined. NULL when out of memory, after what is
 * idle has been given back. */
struct leat_pooled *leat_bufpool_take(struct leat_bufpool *b, int kind, size_t bytes);
/* The holder writes no further than this. */
void leat_bufpool_uses(struct leat_pooled *x, size_t bytes);
void leat_bufpool_give(struct leat_bufpool *b, struct leat_pooled *x); /* NULL allowed */

/* Gives back to the system what is idle, beyond so many bytes. */
void leat_bufpool_trim(struct leat_bufpool *b, size_t keep_bytes);
void leat_bufpool_get_counts(const struct leat_bufpool *b, struct leat_bufpool_counts *ret);

/* Bytes of the class that holds so many. 0: no class is that large. */
size_t leat_bufpool_class(size_t bytes);

#endif
