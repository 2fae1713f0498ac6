/* stream.h - the events of one request, on their way from the thread that runs the engine to the one that reads.
 *
 * All memory is taken when the request is opened: slots for events, one area for their text, rows of alternatives. An
 * event and its text are lent to the reader until it takes the next. */
#ifndef LEAT_ENGINE_STREAM_H
#define LEAT_ENGINE_STREAM_H

#include "base/ring.h"
#include "leat/leat.h"

struct leat_event {
	struct leat_token token;
	enum leat_status status;  /* not LEAT_OK on the last event of a request that failed */
	uint64_t text_end;        /* position in the text area behind this event's text */
};

struct leat_stream {
	struct leat_ring ring;
	struct leat_event *event;        /* [ring.cap] */
	struct leat_token_prob *top;     /* [ring.cap][n_top] */
	int n_top;
	char *text;                      /* [text_bytes], positions count up for ever, a text never wraps */
	size_t text_bytes, most_bytes;   /* most_bytes: longest text of one event */
	uint64_t text_head;              /* writer's */
	_Atomic uint64_t text_tail;      /* reader's */
	int lent;                        /* reader's: the event at the tail is in its hands */
	_Atomic uint32_t wake;           /* futex: bumped when the reader has to look */
	atomic_int waiting;              /* the reader sleeps or is about to */
	atomic_int starved;              /* the writer left this request out because there is no room */
};

/* n_events >= 4. 1 when out of memory. */
int leat_stream_init(struct leat_stream *s, uint32_t n_events, size_t most_bytes, int n_top);
void leat_stream_deinit(struct leat_stream *s); /* zeroed is fine */

/* Writer. Is there room for a token, one that is still to be decoded, and the last event? */
int leat_stream_has_room(struct leat_stream *s);
/* The next event, zeroed but for token.text (most_bytes of room) and token.top. There must be room. */
struct leat_event *leat_stream_begin(struct leat_stream *s);
/* Publishes it and wakes the reader if it sleeps. */
void leat_stream_publish(struct leat_stream *s, struct leat_event *ev);
void leat_stream_wake(struct leat_stream *s);

/* Reader. The next event, or NULL; gives the one before back. *ret_starved: the writer waits for that. */
const struct leat_event *leat_stream_take(struct leat_stream *s, int *ret_starved);
/* Is there an event that was not taken? */
int leat_stream_ready(struct leat_stream *s);

#endif
