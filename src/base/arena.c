/* arena.c - blocks in a list, a bump pointer in the newest. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

enum { ALIGN = 64, BLOCK_BYTES = 64 * 1024 };

struct leat_arena_block {
	struct leat_arena_block *next;
	size_t used, size; /* bytes after the header, which fills one alignment unit */
};
_Static_assert(sizeof(struct leat_arena_block) <= ALIGN, "the header must not disturb the alignment behind it");

static int round_up(size_t n, size_t *ret)
{
	size_t r;
	if (leat_add_size(n, ALIGN - 1, &r))
		return 1;
	*ret = r & ~(size_t)(ALIGN - 1);
	return 0;
}

void *leat_alloc_aligned(size_t n)
{
	size_t size;
	if (n == 0 || n > PTRDIFF_MAX || round_up(n, &size))
		return NULL;
	return aligned_alloc(ALIGN, size);
}

static struct leat_arena_block *add_block(struct leat_arena *a, size_t n)
{
	size_t size = n > BLOCK_BYTES - ALIGN ? n : BLOCK_BYTES - ALIGN, whole;
	if (leat_add_size(size, ALIGN, &whole))
		return NULL;
	struct leat_arena_block *b = leat_alloc_aligned(whole);
	if (!b)
		return NULL;
	b->used = 0;
	b->size = size;
	/* A block for one large piece goes behind the head, so that the room left in the head is still used. */
	if (a->head && n == size) {
		b->next = a->head->next;
		a->head->next = b;
	} else {
		b->next = a->head;
		a->head = b;
	}
	return b;
}

void *leat_arena_take(struct leat_arena *a, size_t n)
{
	size_t size;
	if (round_up(n ? n : 1, &size))
		return NULL;
	if (a->limit_bytes && (a->used_bytes > a->limit_bytes || size > a->limit_bytes - a->used_bytes))
		return NULL;
	struct leat_arena_block *b = a->head;
	if (!b || b->size - b->used < size)
		b = add_block(a, size);
	if (!b)
		return NULL;
	unsigned char *p = (unsigned char *)b + ALIGN + b->used;
	b->used += size;
	a->used_bytes += size;
	return memset(p, 0, size);
}

void *leat_arena_take_array(struct leat_arena *a, size_t count, size_t size)
{
	size_t n;
	if (leat_mul_size(count, size, &n))
		return NULL;
	return leat_arena_take(a, n);
}

char *leat_arena_copy(struct leat_arena *a, const void *bytes, size_t n)
{
	size_t whole;
	if (leat_add_size(n, 1, &whole))
		return NULL;
	char *p = leat_arena_take(a, whole);
	if (p && n)
		memcpy(p, bytes, n);
	return p;
}

void leat_arena_deinit(struct leat_arena *a)
{
	struct leat_arena_block *b = a->head;
	while (b) {
		struct leat_arena_block *next = b->next;
		free(b);
		b = next;
	}
	a->head = NULL;
	a->used_bytes = 0;
}
