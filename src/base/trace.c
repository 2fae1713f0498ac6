/* trace.c - see trace.h. A lock around each event: a trace is for looking, and an event is over in well under a
 * microsecond. */
#include "base/trace.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_EVENTS = 1 << 24 };

struct leat_trace {
	atomic_int refs;
	pthread_mutex_t lock;
	uint64_t n;      /* events so far; event i is at i % cap */
	uint32_t cap, flags;
	struct leat_trace_event *at;
};

enum leat_status leat_trace_create(uint32_t n_events, uint32_t flags, struct leat_trace **ret,
				   struct leat_error *err)
{
	struct leat_trace *t;
	if (flags & ~(uint32_t)LEAT_TRACE_NO_OPS)
		return leat_fail(err, LEAT_E_ARG, "flags", LEAT_NO_OFFSET, "flags %#x are not known", flags);
	if (n_events < 1 || n_events > MAX_EVENTS)
		return leat_fail(err, LEAT_E_ARG, "n_events", LEAT_NO_OFFSET, "%u events, wanted 1 to %d", n_events,
				 MAX_EVENTS);
	t = calloc(1, sizeof *t);
	if (t) /* calloc: pages that no event reaches are never there */
		t->at = calloc(n_events, sizeof *t->at);
	if (!t || !t->at || pthread_mutex_init(&t->lock, NULL)) {
		if (t)
			free(t->at);
		free(t);
		return leat_fail(err, LEAT_E_NOMEM, "n_events", LEAT_NO_OFFSET, "no memory for %u events", n_events);
	}
	atomic_init(&t->refs, 1);
	t->cap = n_events;
	t->flags = flags;
	*ret = t;
	return LEAT_OK;
}

struct leat_trace *leat_trace_ref(struct leat_trace *t)
{
	if (t)
		atomic_fetch_add(&t->refs, 1);
	return t;
}

void leat_trace_unref(struct leat_trace *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t->at);
	free(t);
}

int leat_trace_ops(const struct leat_trace *t)
{
	return t && !(t->flags & LEAT_TRACE_NO_OPS);
}

static int32_t this_thread(void)
{
	static _Thread_local int32_t id;
	if (!id)
		id = (int32_t)gettid();
	return id;
}

void leat_trace_put(struct leat_trace *t, const struct leat_trace_event *ev)
{
	struct leat_trace_event e = *ev;
	e.thread = this_thread();
	pthread_mutex_lock(&t->lock);
	t->at[t->n++ % t->cap] = e;
	pthread_mutex_unlock(&t->lock);
}

uint64_t leat_trace_each(struct leat_trace *t, uint64_t first, leat_trace_fn *fn, void *user)
{
	uint64_t n;
	pthread_mutex_lock(&t->lock);
	n = t->n;
	if (n > t->cap && first < n - t->cap)
		first = n - t->cap;
	while (first < n && !fn(user, &t->at[first % t->cap]))
		first++;
	pthread_mutex_unlock(&t->lock);
	return first;
}

/* ---- the file ---- */

struct writer {
	FILE *f;
	uint64_t from_ns; /* of the first event: the file's clock begins there */
	int first;
};

static int earliest(void *user, const struct leat_trace_event *ev)
{
	struct writer *w = user;
	if (ev->began_ns < w->from_ns)
		w->from_ns = ev->began_ns;
	return 0;
}

/* A JSON string; the names are ours and ASCII, and a trace must load whatever they hold. */
static void put_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(f, "\\u%04x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

static void put_args(FILE *f, const struct leat_trace_event *ev)
{
	const char *between = "";
	fputs(",\"args\":{", f);
	if (ev->number >= 0) {
		fprintf(f, "\"number\":%lld", (long long)ev->number);
		between = ",";
	}
	for (int i = 0; i < 2 && ev->key[i]; i++) {
		fputs(between, f);
		put_string(f, ev->key[i]);
		fprintf(f, ":%lld", (long long)ev->value[i]);
		between = ",";
	}
	fputs("}}", f);
}

/* Times are microseconds with three digits after the point. */
static int put_event(void *user, const struct leat_trace_event *ev)
{
	static const char phase[] = { 'X', 'i', 'b', 'e' };
	struct writer *w = user;
	uint64_t at = ev->began_ns - w->from_ns;
	int kind = ev->kind >= LEAT_TRACE_SPAN && ev->kind <= LEAT_TRACE_END ? ev->kind : LEAT_TRACE_MARK;
	fputs(w->first ? "\n{\"name\":" : ",\n{\"name\":", w->f);
	w->first = 0;
	put_string(w->f, ev->name);
	fprintf(w->f, ",\"cat\":\"%s\",\"ph\":\"%c\",\"pid\":1,\"tid\":%d,\"ts\":%llu.%03llu",
		kind >= LEAT_TRACE_BEGIN ? "request" : "engine", phase[kind], (int)ev->thread,
		(unsigned long long)(at / 1000), (unsigned long long)(at % 1000));
	if (kind == LEAT_TRACE_SPAN)
		fprintf(w->f, ",\"dur\":%llu.%03llu", (unsigned long long)(ev->lasted_ns / 1000),
			(unsigned long long)(ev->lasted_ns % 1000));
	else if (kind == LEAT_TRACE_MARK)
		fputs(",\"s\":\"t\"", w->f);
	else
		fprintf(w->f, ",\"id\":%lld", (long long)ev->number);
	put_args(w->f, ev);
	return ferror(w->f) != 0;
}

enum leat_status leat_trace_save(struct leat_trace *t, const char *path, struct leat_error *err)
{
	struct writer w = { .f = fopen(path, "we"), .from_ns = UINT64_MAX, .first = 1 };
	uint64_t n;
	int bad;
	if (!w.f)
		return leat_fail(err, LEAT_E_IO, "trace", LEAT_NO_OFFSET, "%s: %s", path, strerror(errno));
	leat_trace_each(t, 0, earliest, &w);
	fputs("{\"traceEvents\":[", w.f);
	n = leat_trace_each(t, 0, put_event, &w);
	fprintf(w.f, "\n],\"displayTimeUnit\":\"ns\",\"otherData\":{\"events\":%llu,\"lost\":%llu}}\n",
		(unsigned long long)n, (unsigned long long)(n > t->cap ? n - t->cap : 0));
	bad = ferror(w.f) ? errno : 0;
	if (fclose(w.f) && !bad)
		bad = errno;
	if (bad)
		return leat_fail(err, LEAT_E_IO, "trace", LEAT_NO_OFFSET, "%s: %s", path, strerror(bad));
	return LEAT_OK;
}
