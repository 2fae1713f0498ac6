/* trace.h - what happened when: a ring of events that keeps the newest. Any thread. A NULL trace takes nothing, at the
 * price of one comparison. Events and how to read them are public (leat/trace.h). */
#ifndef LEAT_BASE_TRACE_H
#define LEAT_BASE_TRACE_H

#include "base/clock.h"
#include "base/err.h"
#include "leat/trace.h"

/* When a span begins: 0 without a trace, so that the clock is not asked for nothing. */
static inline uint64_t leat_trace_now(const struct leat_trace *t)
{
	return t ? leat_now_ns() : 0;
}

/* Takes the event; its thread is filled in here. */
void leat_trace_put(struct leat_trace *t, const struct leat_trace_event *ev);

/* A span of the calling thread that began then and ends now. Names and keys are static. */
static inline void leat_trace_span(struct leat_trace *t, const char *name, uint64_t began_ns)
{
	if (t)
		leat_trace_put(t, &(struct leat_trace_event){ .kind = LEAT_TRACE_SPAN, .name = name, .number = -1,
							      .began_ns = began_ns,
							      .lasted_ns = leat_now_ns() - began_ns });
}

/* A moment, with one figure. key NULL: none. */
static inline void leat_trace_mark(struct leat_trace *t, const char *name, const char *key, int64_t value)
{
	if (t)
		leat_trace_put(t, &(struct leat_trace_event){ .kind = LEAT_TRACE_MARK, .name = name, .number = -1,
							      .began_ns = leat_now_ns(), .key = { key },
							      .value = { value } });
}

/* 1: it wants to know of each op. */
int leat_trace_ops(const struct leat_trace *t);

struct leat_trace *leat_trace_ref(struct leat_trace *t); /* NULL allowed */

#endif
