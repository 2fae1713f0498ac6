/* stream.c - events and their text in two rings that move together. */
#include "engine/stream.h"

#include <stdlib.h>

#include "base/futex.h"

int leat_stream_init(struct leat_stream *s, uint32_t n_events, size_t most_bytes, int n_top)
{
	uint32_t cap = 4;
	while (cap < n_events && cap < UINT32_MAX / 4)
		cap *= 2;
	leat_ring_init(&s->ring, cap);
	s->most_bytes = most_bytes;
	/* Three texts of the largest size (see has_room), one that may be lost at the end of the area, and others. With
	 * 16 bytes for each of them, answers of long words filled the area before the ring, and who waited for its
	 * reader ran in steps of its own later: half the throughput of 32 requests that were read one after another. */
	s->text_bytes = 4 * most_bytes + (size_t)cap * 64;
	s->n_top = n_top;
	s->event = calloc(cap, sizeof *s->event);
	s->text = malloc(s->text_bytes);
	s->top = n_top ? calloc((size_t)cap * (size_t)n_top, sizeof *s->top) : NULL;
	return !s->event || !s->text || (n_top && !s->top);
}

void leat_stream_deinit(struct leat_stream *s)
{
	free(s->event);
	free(s->text);
	free(s->top);
}

int leat_stream_has_room(struct leat_stream *s)
{
	uint64_t used = s->text_head - atomic_load_explicit(&s->text_tail, memory_order_acquire);
	return leat_ring_room(&s->ring) >= 3 && used + 4 * s->most_bytes <= s->text_bytes;
}

struct leat_event *leat_stream_begin(struct leat_stream *s)
{
	uint32_t slot = leat_ring_write_slot(&s->ring);
	struct leat_event *ev = &s->event[slot];
	size_t at = (size_t)(s->text_head % s->text_bytes);
	if (s->text_bytes - at < s->most_bytes) {
		s->text_head += s->text_bytes - at;
		at = 0;
	}
	*ev = (struct leat_event){
		.token = { .struct_size = sizeof ev->token, .id = -1, .text = s->text + at,
			   .top = s->n_top ? s->top + (size_t)slot * (size_t)s->n_top : NULL },
	};
	return ev;
}

void leat_stream_wake(struct leat_stream *s)
{
	if (atomic_load(&s->waiting)) {
		atomic_fetch_add(&s->wake, 1);
		leat_futex_wake(&s->wake);
	}
}

void leat_stream_publish(struct leat_stream *s, struct leat_event *ev)
{
	s->text_head += ev->token.text_bytes;
	ev->text_end = s->text_head;
	leat_ring_publish(&s->ring);
	leat_stream_wake(s);
}

const struct leat_event *leat_stream_take(struct leat_stream *s, int *ret_starved)
{
	*ret_starved = 0;
	if (s->lent) {
		atomic_store(&s->text_tail, s->event[leat_ring_read_slot(&s->ring)].text_end);
		leat_ring_release(&s->ring);
		s->lent = 0;
		if (atomic_load(&s->starved))
			*ret_starved = atomic_exchange(&s->starved, 0);
	}
	if (!leat_ring_filled(&s->ring))
		return NULL;
	s->lent = 1;
	return &s->event[leat_ring_read_slot(&s->ring)];
}

int leat_stream_ready(struct leat_stream *s)
{
	return leat_ring_filled(&s->ring) > (uint32_t)s->lent;
}
