/* arena.h - memory that is taken piece by piece and given back at once. */
#ifndef LEAT_BASE_ARENA_H
#define LEAT_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct leat_arena_block;

/* Zero-initialised is valid and empty. `limit_bytes` 0 means no limit. */
struct leat_arena {
	struct leat_arena_block *head;
	size_t used_bytes, limit_bytes;
};

/* n zeroed bytes aligned to 64, or NULL (out of memory, limit exceeded, n too large). */
void *leat_arena_take(struct leat_arena *a, size_t n);

/* count * size zeroed bytes, NULL also when the product wraps. */
void *leat_arena_take_array(struct leat_arena *a, size_t count, size_t size);

/* A NUL-terminated copy of n bytes, NULL as above. */
char *leat_arena_copy(struct leat_arena *a, const void *bytes, size_t n);

/* Gives everything back; the arena is empty and usable again. */
void leat_arena_deinit(struct leat_arena *a);

/* 64-byte aligned heap memory of n > 0 bytes, not zeroed; freed by free(). */
void *leat_alloc_aligned(size_t n);

#endif
