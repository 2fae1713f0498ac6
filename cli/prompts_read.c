/* prompts_read.c - lines from a file or a pipe, as many as there are, holding one. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prompts.h"

void prompts_reader_init(struct prompts_reader *r, int fd)
{
	memset(r, 0, sizeof(*r));
	r->fd = fd;
}

void prompts_reader_deinit(struct prompts_reader *r)
{
	free(r->buf);
	r->buf = NULL;
}

/* 1: nothing to be had without waiting. */
static int would_wait(const struct prompts_reader *r)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

static int make_room(struct prompts_reader *r)
{
	size_t cap = r->cap ? r->cap * 2 : 1 << 16;
	char *buf;

	if (r->at) {
		memmove(r->buf, r->buf + r->at, r->n - r->at);
		r->n -= r->at;
		r->at = 0;
	}
	if (r->n < r->cap)
		return 0;
	buf = realloc(r->buf, cap);
	if (!buf)
		return ENOMEM;
	r->buf = buf;
	r->cap = cap;
	return 0;
}

static void fill(struct prompts_reader *r)
{
	ssize_t got;

	if (cli_drain_level()) { /* inside a line that never ends, perhaps */
		r->ended = 1;
		return;
	}
	r->error = make_room(r);
	got = r->error ? 0 : read(r->fd, r->buf + r->n, r->cap - r->n);
	if (got > 0) {
		r->n += (size_t)got;
		return;
	}
	if (got < 0 && errno == EINTR)
		return;
	if (got < 0)
		r->error = errno;
	r->ended = 1;
}

static int is_blank(const char *s, size_t n)
{
	while (n && (*s == ' ' || *s == '\t' || *s == '\r')) {
		s++;
		n--;
	}
	return n == 0;
}

/* A whole line of n bytes at r->at, `used` with its end. 1: it is one to return. */
static int take(struct prompts_reader *r, size_t n, size_t used, const char **ret, size_t *ret_n)
{
	const char *s = r->buf + r->at;
	int wanted = !r->skipping;

	r->at += used;
	r->skipping = 0;
	if (!wanted)
		return 0;
	r->line++;
	if (r->line == 1 && n >= 3 && !memcmp(s, "\xef\xbb\xbf", 3)) { /* what some editors put before a text */
		s += 3;
		n -= 3;
	}
	if (n && s[n - 1] == '\r')
		n--;
	*ret = s;
	*ret_n = n;
	return !is_blank(s, n);
}

enum prompts_got prompts_read(struct prompts_reader *r, const char **ret, size_t *ret_n)
{
	size_t seen = 0;

	for (;;) {
		size_t left = r->n - r->at;
		const char *end = left > seen ? memchr(r->buf + r->at + seen, '\n', left - seen) : NULL;
		if (end || (r->ended && left)) {
			size_t n = end ? (size_t)(end - (r->buf + r->at)) : left;
			seen = 0;
			if (take(r, n, n + (end != NULL), ret, ret_n))
				return n > PROMPTS_LINE_BYTES ? PROMPTS_TOO_LONG : PROMPTS_LINE;
			continue;
		}
		if (r->ended)
			return PROMPTS_END;
		seen = left;
		if (left > PROMPTS_LINE_BYTES || (r->skipping && left)) {
			int first = !r->skipping;
			r->at = r->n;
			seen = 0;
			r->skipping = 1;
			r->line += (uint64_t)first;
			return first ? PROMPTS_TOO_LONG : PROMPTS_LATER; /* others are to be seen to meanwhile */
		}
		if (would_wait(r))
			return PROMPTS_LATER;
		fill(r);
	}
}
