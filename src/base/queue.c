/* queue.c - every cell says whose turn it is, so a put claims a position with one compare-and-swap and a take needs
 * none (D. Vyukov's bounded queue, 2010, with a single taker). */
#include "base/queue.h"

#include <stdlib.h>

int leat_queue_init(struct leat_queue *q, uint32_t n)
{
	uint32_t cap = 1;
	while (cap < n)
		cap *= 2;
	q->cell = calloc(cap, sizeof *q->cell);
	if (!q->cell)
		return 1;
	for (uint32_t i = 0; i < cap; i++)
		atomic_init(&q->cell[i].turn, i);
	atomic_init(&q->head, 0);
	q->cap = cap;
	q->tail = 0;
	return 0;
}

void leat_queue_deinit(struct leat_queue *q)
{
	free(q->cell);
	q->cell = NULL;
}

int leat_queue_put(struct leat_queue *q, void *item)
{
	uint32_t at = atomic_load_explicit(&q->head, memory_order_relaxed);
	for (;;) {
		struct leat_queue_cell *c = &q->cell[at & (q->cap - 1)];
		int32_t ahead = (int32_t)(atomic_load_explicit(&c->turn, memory_order_acquire) - at);
		if (ahead < 0)
			return 1;
		if (ahead > 0) {
			at = atomic_load_explicit(&q->head, memory_order_relaxed);
		} else if (atomic_compare_exchange_weak(&q->head, &at, at + 1)) {
			c->item = item;
			atomic_store_explicit(&c->turn, at + 1, memory_order_release);
			return 0;
		}
	}
}

void *leat_queue_take(struct leat_queue *q)
{
	struct leat_queue_cell *c = &q->cell[q->tail & (q->cap - 1)];
	if (atomic_load_explicit(&c->turn, memory_order_acquire) != q->tail + 1)
		return NULL;
	void *item = c->item;
	atomic_store_explicit(&c->turn, q->tail + q->cap, memory_order_release);
	q->tail++;
	return item;
}
