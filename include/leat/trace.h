/* trace.h - what an engine did when, for a timeline. Part of <leat/leat.h>. */
#ifndef LEAT_TRACE_H
#define LEAT_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes the events of the engines that it is given to (leat_engine_params.trace) and keeps the newest. Any thread. */
struct leat_trace;

/* What an event says. */
enum leat_trace_kind {
	LEAT_TRACE_SPAN = 0,  /* something lasted: spans of one thread lie inside each other or apart */
	LEAT_TRACE_MARK = 1,  /* something happened */
	LEAT_TRACE_BEGIN = 2, /* a request came ... */
	LEAT_TRACE_END = 3,   /* ... and has had its last event: two events of one number */
};

/* One event. What each name means stands in docs/PERFORMANCE.md. */
struct leat_trace_event {
	uint64_t began_ns, lasted_ns; /* of the monotonic clock; lasted_ns of spans only */
	const char *name;             /* "launch", "submit", "rmsnorm" ...; lives as long as the library */
	const char *key[2];           /* names of value[]; NULL: none. They live as long */
	int64_t value[2];             /* figures that belong to it */
	int64_t number;               /* of the layer or request that it is about; -1: none */
	int32_t kind;                 /* enum leat_trace_kind */
	int32_t thread;               /* as the system numbers it */
};

/* Flags of leat_trace_create. */
enum {
	LEAT_TRACE_NO_OPS = 1, /* steps and their phases, but not each op: ops are hundreds a step */
};

/* A trace that holds the last n_events (1 to 16777216; 88 bytes each, taken as they come). LEAT_E_ARG. */
LEAT_API enum leat_status leat_trace_create(uint32_t n_events, uint32_t flags, struct leat_trace **ret,
					    struct leat_error *err);

/* Lets go of it. Engines that it was given to keep it until they are closed. */
LEAT_API void leat_trace_unref(struct leat_trace *t);

/* Takes one event. Nonzero ends leat_trace_each. It must not use the trace or an engine that the trace belongs to. */
typedef int leat_trace_fn(void *user, const struct leat_trace_event *ev);

/* Calls fn for the events from number `first` on (0: the oldest that is left), in the order that they came in: spans
 * when they ended. Returns the number of the next event to come. Events before the oldest that is left are lost. */
LEAT_API uint64_t leat_trace_each(struct leat_trace *t, uint64_t first, leat_trace_fn *fn, void *user);

/* Writes what is there as a file in the Trace Event Format, which chrome://tracing and Perfetto (ui.perfetto.dev) show;
 * an existing file is replaced. LEAT_E_IO. */
LEAT_API enum leat_status leat_trace_save(struct leat_trace *t, const char *path, struct leat_error *err);

#ifdef __cplusplus
}
#endif
#endif
