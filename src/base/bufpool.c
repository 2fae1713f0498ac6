/* bufpool.c - see bufpool.h. There are a few dozen buffers at most, so they are scanned. */
#include "base/bufpool.h"

#include <stdlib.h>

enum { PAGE = 4096 };

void leat_bufpool_init(struct leat_bufpool *b, const struct leat_buf_source *source, int share, size_t max_idle_bytes)
{
	*b = (struct leat_bufpool){ .source = *source, .share = share, .max_idle_bytes = max_idle_bytes };
}

size_t leat_bufpool_class(size_t bytes)
{
	size_t n = PAGE;
	while (n < bytes) {
		if (n > SIZE_MAX / 2)
			return 0;
		n *= 2;
	}
	return n;
}

static size_t in_pages(size_t bytes)
{
	return bytes ? (bytes + PAGE - 1) / PAGE * PAGE : PAGE;
}

static void unmap(struct leat_bufpool *b, int i)
{
	struct leat_pooled *x = b->buf[i];
	b->counts.n_unmapped++;
	b->source.unmap(b->source.user, x->p, x->bytes);
	free(x);
	b->buf[i] = b->buf[--b->n];
}

void leat_bufpool_deinit(struct leat_bufpool *b)
{
	while (b->n)
		unmap(b, b->n - 1);
	free(b->buf);
	*b = (struct leat_bufpool){ .n = 0 };
}

static size_t idle_bytes(const struct leat_bufpool *b)
{
	size_t n = 0;
	for (int i = 0; i < b->n; i++)
		n += b->buf[i]->refs ? 0 : b->buf[i]->asked;
	return n;
}

void leat_bufpool_trim(struct leat_bufpool *b, size_t keep_bytes)
{
	for (size_t idle = idle_bytes(b); idle > keep_bytes; idle = idle_bytes(b)) {
		int oldest = -1;
		for (int i = 0; i < b->n; i++)
			if (!b->buf[i]->refs && (oldest < 0 || b->buf[i]->used < b->buf[oldest]->used))
				oldest = i;
		unmap(b, oldest);
	}
}

/* One to share, else an idle one. */
static struct leat_pooled *find(const struct leat_bufpool *b, int kind, size_t bytes)
{
	for (int i = 0; i < b->n; i++) {
		struct leat_pooled *x = b->buf[i];
		if (x->bytes == bytes && (x->refs ? b->share && x->kind == kind : !b->share || x->kind == kind))
			return x;
	}
	return NULL;
}

static struct leat_pooled *map(struct leat_bufpool *b, size_t bytes)
{
	struct leat_pooled *x = calloc(1, sizeof *x);
	if (b->n == b->cap) {
		int cap = b->cap ? 2 * b->cap : 16;
		struct leat_pooled **n = realloc(b->buf, (size_t)cap * sizeof *n);
		if (n) {
			b->buf = n;
			b->cap = cap;
		}
	}
	if (x && b->n < b->cap)
		x->p = b->source.map(b->source.user, bytes);
	if (!x || !x->p) {
		free(x);
		return NULL;
	}
	x->bytes = bytes;
	b->buf[b->n++] = x;
	b->counts.n_mapped++;
	return x;
}

struct leat_pooled *leat_bufpool_take(struct leat_bufpool *b, int kind, size_t bytes)
{
	size_t class = leat_bufpool_class(bytes);
	struct leat_pooled *x = class ? find(b, kind, class) : NULL;
	b->counts.takes++;
	b->counts.hits += x != NULL;
	if (!x && class) {
		x = map(b, class);
		if (!x && b->n) {
			leat_bufpool_trim(b, 0);
			x = map(b, class);
		}
	}
	if (!x)
		return NULL;
	x->kind = kind;
	x->refs++;
	x->used = ++b->clock;
	return x;
}

void leat_bufpool_uses(struct leat_pooled *x, size_t bytes)
{
	x->asked = in_pages(bytes) > x->asked ? in_pages(bytes) : x->asked;
}

void leat_bufpool_give(struct leat_bufpool *b, struct leat_pooled *x)
{
	if (!x)
		return;
	x->used = ++b->clock;
	if (!--x->refs)
		leat_bufpool_trim(b, b->max_idle_bytes);
}

void leat_bufpool_get_counts(const struct leat_bufpool *b, struct leat_bufpool_counts *ret)
{
	*ret = b->counts;
	ret->max_idle_bytes = b->max_idle_bytes;
	for (int i = 0; i < b->n; i++) {
		const struct leat_pooled *x = b->buf[i];
		ret->n_held += x->refs > 0;
		ret->n_idle += !x->refs;
		*(x->refs ? &ret->held_bytes : &ret->idle_bytes) += x->asked;
	}
}
