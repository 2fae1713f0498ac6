/* queue.h - a bounded queue of pointers: any thread puts, one thread at a time takes. No lock, no allocation after
 * init; a thread that stops in the middle of a put delays nobody but the taker of its own element. */
#ifndef LEAT_BASE_QUEUE_H
#define LEAT_BASE_QUEUE_H

#include <stdatomic.h>
#include <stdint.h>

struct leat_queue_cell {
	_Atomic uint32_t turn; /* = position: free to be put there; position + 1: filled */
	void *item;
};

struct leat_queue {
	struct leat_queue_cell *cell;
	uint32_t cap;             /* a power of two */
	char apart[52];
	_Atomic uint32_t head;    /* next position to put */
	char apart2[60];
	uint32_t tail;            /* next position to take */
};

/* Room for at least n elements, 1 <= n <= 2^30. 1 when out of memory. */
int leat_queue_init(struct leat_queue *q, uint32_t n);
void leat_queue_deinit(struct leat_queue *q); /* zeroed is fine */
/* 1 when it is full. */
int leat_queue_put(struct leat_queue *q, void *item);
/* NULL when it is empty. */
void *leat_queue_take(struct leat_queue *q);

#endif
