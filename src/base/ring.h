/* ring.h - the indexes of a ring with one writer and one reader: who owns which slots, without a lock.
 *
 * The slots themselves are the user's array. Positions count up for ever; slot of position p is p & (cap - 1). The
 * writer fills slot of position `head`, then publishes it; the reader looks at slot of position `tail` and releases it
 * when it no longer needs what is in there. */
#ifndef LEAT_BASE_RING_H
#define LEAT_BASE_RING_H

#include <stdatomic.h>
#include <stdint.h>

struct leat_ring {
	_Atomic uint32_t head;    /* written by the writer */
	char apart[60];           /* the two threads do not share a cache line */
	_Atomic uint32_t tail;    /* written by the reader */
	uint32_t cap;             /* a power of two */
};

static inline void leat_ring_init(struct leat_ring *r, uint32_t cap)
{
	atomic_init(&r->head, 0);
	atomic_init(&r->tail, 0);
	r->cap = cap;
}

/* Writer: slots that it may fill, the index of the first of them, and its publication. The last is sequentially
 * consistent, so that a writer which then finds no sleeping reader cannot have been missed by one. */
static inline uint32_t leat_ring_room(struct leat_ring *r)
{
	return r->cap - (atomic_load_explicit(&r->head, memory_order_relaxed) -
			 atomic_load(&r->tail));
}

static inline uint32_t leat_ring_write_slot(struct leat_ring *r)
{
	return atomic_load_explicit(&r->head, memory_order_relaxed) & (r->cap - 1);
}

static inline void leat_ring_publish(struct leat_ring *r)
{
	atomic_store(&r->head, atomic_load_explicit(&r->head, memory_order_relaxed) + 1);
}

/* Reader: slots that are filled, the index of the first of them, and its release. */
static inline uint32_t leat_ring_filled(struct leat_ring *r)
{
	return atomic_load(&r->head) - atomic_load_explicit(&r->tail, memory_order_relaxed);
}

static inline uint32_t leat_ring_read_slot(struct leat_ring *r)
{
	return atomic_load_explicit(&r->tail, memory_order_relaxed) & (r->cap - 1);
}

static inline void leat_ring_release(struct leat_ring *r)
{
	atomic_store(&r->tail, atomic_load_explicit(&r->tail, memory_order_relaxed) + 1);
}

#endif
