/* workload.c - see workload.h. */
#include "bench/workload.h"

#include <stdlib.h>
#include <string.h>

static const char magic[] = "leat-workload 1";

struct lines {
	const char *at, *end;  /* what is left */
	const char *line;      /* the current one, without comment and blanks around */
	size_t n;
	int number;
};

static int blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next line that says something. 0: there is none. */
static int next_line(struct lines *l)
{
	while (l->at < l->end) {
		const char *eol = memchr(l->at, '\n', (size_t)(l->end - l->at)), *end = eol ? eol : l->end;
		const char *comment = memchr(l->at, '#', (size_t)(end - l->at));
		l->line = l->at;
		l->at = eol ? eol + 1 : l->end;
		l->number++;
		end = comment ? comment : end;
		while (l->line < end && blank(*l->line))
			l->line++;
		while (end > l->line && blank(end[-1]))
			end--;
		l->n = (size_t)(end - l->line);
		if (l->n)
			return 1;
	}
	return 0;
}

/* A number from lo to hi at *p; moves on. 1: there is none. */
static int number(const char **p, const char *end, int lo, int hi, int *ret)
{
	int64_t v = 0;
	const char *s = *p;

	while (s < end && blank(*s))
		s++;
	*p = s;
	for (; s < end && *s >= '0' && *s <= '9' && v <= INT32_MAX; s++)
		v = v * 10 + (*s - '0');
	if (s == *p || v < lo || v > hi || (s < end && !blank(*s)))
		return 1;
	*p = s;
	*ret = (int)v;
	return 0;
}

static enum leat_status bad_line(const struct lines *l, struct leat_error *err)
{
	char shown[96];

	leat_escape(shown, sizeof(shown), l->line, l->n);
	return leat_fail(err, LEAT_E_FORMAT, "workload", LEAT_NO_OFFSET,
			 "workload: line %d: '%s', wanted MILLISECONDS PROMPT ANSWER, not before the line above, "
			 "or 'parallel N' or 'queue N'", l->number, shown);
}

static enum leat_status add(struct leat_workload *w, int *cap, const struct leat_arrival *a, struct leat_error *err)
{
	if (w->n == *cap) {
		int more = *cap ? 2 * *cap : 64;
		struct leat_arrival *at = realloc(w->at, (size_t)more * sizeof(*at));
		if (!at)
			return leat_fail(err, LEAT_E_NOMEM, "workload", LEAT_NO_OFFSET, "no memory for %d requests",
					 more);
		w->at = at;
		*cap = more;
	}
	w->at[w->n++] = *a;
	w->most_prompt = a->n_prompt > w->most_prompt ? a->n_prompt : w->most_prompt;
	w->most_gen = a->n_gen > w->most_gen ? a->n_gen : w->most_gen;
	w->most_tokens = a->n_prompt + a->n_gen > w->most_tokens ? a->n_prompt + a->n_gen : w->most_tokens;
	return LEAT_OK;
}

/* "parallel N", "queue N" */
static int setting(struct leat_workload *w, const struct lines *l)
{
	static const char *const words[] = { "parallel ", "queue " };
	int *to[] = { &w->n_parallel, &w->max_queue };
	const int most[] = { 1024, 1 << 20 };
	const char *end = l->line + l->n;

	for (int i = 0; i < 2; i++) {
		size_t n = strlen(words[i]);
		const char *p = l->line + n;
		if (l->n > n && !memcmp(l->line, words[i], n))
			return !number(&p, end, 1, most[i], to[i]) && p == end;
	}
	return 0;
}

static enum leat_status request(struct leat_workload *w, int *cap, const struct lines *l, struct leat_error *err)
{
	struct leat_arrival a;
	const char *p = l->line, *end = p + l->n;
	int ms;

	if (number(&p, end, 0, LEAT_WORKLOAD_MAX_MS, &ms) ||
	    number(&p, end, 1, LEAT_WORKLOAD_MAX_TOKENS, &a.n_prompt) ||
	    number(&p, end, 1, LEAT_WORKLOAD_MAX_TOKENS, &a.n_gen) || p != end ||
	    (w->n && (uint32_t)ms < w->at[w->n - 1].at_ms))
		return bad_line(l, err);
	if (w->n == LEAT_WORKLOAD_MAX_REQUESTS)
		return leat_fail(err, LEAT_E_LIMIT, "workload", LEAT_NO_OFFSET, "workload: more than %d requests",
				 LEAT_WORKLOAD_MAX_REQUESTS);
	a.at_ms = (uint32_t)ms;
	return add(w, cap, &a, err);
}

static enum leat_status read_lines(struct lines *l, struct leat_workload *w, struct leat_error *err)
{
	int cap = 0;

	if (!next_line(l) || l->n != sizeof(magic) - 1 || memcmp(l->line, magic, l->n))
		return leat_fail(err, LEAT_E_FORMAT, "workload", LEAT_NO_OFFSET,
				 "workload: the first line is not '%s'", magic);
	while (next_line(l)) {
		if (l->line[0] >= '0' && l->line[0] <= '9')
			LEAT_TRY(request(w, &cap, l, err));
		else if (!setting(w, l))
			return bad_line(l, err);
	}
	return w->n ? LEAT_OK
		    : leat_fail(err, LEAT_E_FORMAT, "workload", LEAT_NO_OFFSET, "workload: no requests in it");
}

enum leat_status leat_workload_parse(const char *text, size_t n, struct leat_workload *ret, struct leat_error *err)
{
	struct lines l = { .at = text, .end = text + n };
	struct leat_workload w = { .n = 0 };
	enum leat_status s;

	if (n > LEAT_WORKLOAD_MAX_BYTES)
		return leat_fail(err, LEAT_E_LIMIT, "workload", LEAT_NO_OFFSET, "workload: more than %d bytes",
				 LEAT_WORKLOAD_MAX_BYTES);
	s = read_lines(&l, &w, err);
	if (s)
		leat_workload_deinit(&w);
	else
		*ret = w;
	return s;
}

enum leat_status leat_workload_even(int n, int n_prompt, int n_gen, uint32_t gap_ms, struct leat_workload *ret,
				    struct leat_error *err)
{
	struct leat_workload w = { .n = 0 };
	int cap = 0;

	for (int i = 0; i < n; i++) {
		uint64_t ms = (uint64_t)gap_ms * (uint64_t)i;
		struct leat_arrival a = { ms < LEAT_WORKLOAD_MAX_MS ? (uint32_t)ms : LEAT_WORKLOAD_MAX_MS, n_prompt,
					  n_gen };
		enum leat_status s = add(&w, &cap, &a, err);
		if (s) {
			leat_workload_deinit(&w);
			return s;
		}
	}
	*ret = w;
	return LEAT_OK;
}

void leat_workload_deinit(struct leat_workload *w)
{
	free(w->at);
	memset(w, 0, sizeof(*w));
}
