#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/unicode.h"

struct leat_pattern_code {
	pcre2_code *code;
	char where[64];
};

enum {
	MAX_NEST = 200,             /* parentheses */
	JIT_STACK_BYTES = 1 << 20,
	HEAP_KIB = 64 << 10,        /* of the interpreter */
	CALLS_PER_CHECK = 256,      /* items tried between two looks at the clock */
};

/* Steps of one search: a megabyte of spaces takes a few for each byte under the patterns in use. */
static const uint32_t base_steps = 1000000, steps_per_byte = 16;
/* CPU time of all searches of one text: ten times of what the slowest pattern in use needs, and half a second. PCRE2's
 * own limit counts steps, one of which may run over the whole text ((?:a*b)*d), so a callout before each item of the
 * pattern looks at the clock. That costs patterns two thirds of their speed; they still do 30 MiB/s. */
static const uint64_t base_ns = 500000000, ns_per_byte = 300;

/* What Oniguruma reads otherwise: NULL, or its name. */
static const char *foreign_syntax(const char *s, size_t n)
{
	int in_class = 0;
	for (size_t i = 0; i < n; i++) {
		char next = i + 1 < n ? s[i + 1] : 0;
		if (s[i] == '\\') {
			if (next == 'h' || next == 'H')
				return "\\h (a hexadecimal digit to Oniguruma, a space to PCRE2)";
			i++;
		} else if (s[i] == '[' && in_class && next == ':') {
			const char *end = memmem(s + i, n - i, ":]", 2);
			i = end ? (size_t)(end - s) + 1 : i;
		} else if (s[i] == '[') {
			if (in_class)
				return "a class inside a class";
			in_class = 1;
			/* A bracket that comes first is a member. */
			i += next == '^';
			i += i + 1 < n && s[i + 1] == ']';
		} else if (s[i] == ']') {
			in_class = 0;
		} else if (in_class && s[i] == '&' && next == '&') {
			return "&& (the intersection of classes)";
		}
	}
	return NULL;
}

/* \p{Han} is the script to Oniguruma; to PCRE2 it is also what other scripts share with it. Writes the pattern with
 * \p{sc:Han} instead; dst has room for twice the bytes. */
static size_t name_scripts(const char *s, size_t n, char *dst)
{
	static const char *const scripts[] = {"Han", "Hiragana", "Katakana", "Hangul", "Latin", "Cyrillic", "Greek",
					      "Arabic", "Hebrew", "Thai", "Devanagari", "Armenian", "Georgian"};
	size_t out = 0;
	for (size_t i = 0; i < n; i++) {
		dst[out++] = s[i];
		if (s[i] != '\\' || i + 1 == n)
			continue;
		dst[out++] = s[++i];
		if ((s[i] != 'p' && s[i] != 'P') || i + 1 == n || s[i + 1] != '{')
			continue;
		const char *name = s + i + 2, *end = memchr(name, '}', n - i - 2);
		size_t len = end ? (size_t)(end - name) : 0;
		for (size_t k = 0; k < sizeof(scripts) / sizeof(scripts[0]); k++) {
			if (strlen(scripts[k]) != len || memcmp(name, scripts[k], len) != 0)
				continue;
			memcpy(dst + out, "{sc:", 4);
			out += 4;
			i++;
		}
	}
	return out;
}

static enum leat_status refuse(const char *where, const char *s, size_t n, const char *what, struct leat_error *err)
{
	char shown[64];
	leat_escape(shown, sizeof(shown), s, n);
	return leat_fail(err, LEAT_E_UNSUPPORTED, where, LEAT_NO_OFFSET, "%s: found the pattern '%s' with %s", where,
			 shown, what);
}

static enum leat_status no_memory(const char *where, struct leat_error *err)
{
	return leat_fail(err, LEAT_E_NOMEM, where, LEAT_NO_OFFSET, "%s: no memory for a pattern", where);
}

static enum leat_status compile(struct leat_pattern_code *p, const char *s, size_t n, struct leat_error *err)
{
	int code;
	PCRE2_SIZE offset;
	char *text = malloc(2 * n + 1);
	pcre2_compile_context *context = text ? pcre2_compile_context_create(NULL) : NULL;
	if (!context) {
		free(text);
		return no_memory(p->where, err);
	}
	pcre2_set_parens_nest_limit(context, MAX_NEST);
	/* Oniguruma's ^ and $ are those of lines. */
	p->code = pcre2_compile((PCRE2_SPTR)text, name_scripts(s, n, text),
				PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C |
				PCRE2_AUTO_CALLOUT, &code, &offset, context);
	pcre2_compile_context_free(context);
	free(text);
	if (!p->code) {
		PCRE2_UCHAR why[128] = "an unknown fault";
		char what[192];
		pcre2_get_error_message(code, why, sizeof(why));
		snprintf(what, sizeof(what), "a fault at byte %zu: %s", (size_t)offset, (const char *)why);
		return refuse(p->where, s, n, what, err);
	}
	/* No JIT (no memory that may be executed): the interpreter does it. */
	(void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
	return LEAT_OK;
}

enum leat_status leat_pattern_compile(const char *s, size_t n, const char *where, struct leat_pattern_code **ret,
				      struct leat_error *err)
{
	if (n > LEAT_MAX_PATTERN_BYTES)
		return leat_fail(err, LEAT_E_LIMIT, where, LEAT_NO_OFFSET,
				 "%s: found a pattern of %zu bytes, at most %d are allowed", where, n,
				 LEAT_MAX_PATTERN_BYTES);
	const char *foreign = foreign_syntax(s, n);
	if (foreign)
		return refuse(where, s, n, foreign, err);
	struct leat_pattern_code *p = calloc(1, sizeof(*p));
	if (!p)
		return no_memory(where, err);
	snprintf(p->where, sizeof(p->where), "%s", where);
	enum leat_status st = compile(p, s, n, err);
	if (st == LEAT_OK)
		*ret = p;
	else
		leat_pattern_destroy(p);
	return st;
}

void leat_pattern_destroy(struct leat_pattern_code *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	free(p);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;
	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t))
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int is_late(struct leat_search *s)
{
	return s->calls++ % CALLS_PER_CHECK == 0 && cpu_ns() > s->deadline_ns;
}

static int on_item(pcre2_callout_block *block, void *search)
{
	(void)block;
	return is_late(search) ? PCRE2_ERROR_CALLOUT : 0;
}

enum leat_status leat_search_init(struct leat_search *s, const struct leat_pattern_code *code,
				  const unsigned char *text, size_t n, struct leat_error *err)
{
	uint64_t steps = base_steps + (uint64_t)steps_per_byte * n;
	*s = (struct leat_search){.code = code, .text = text, .n = n, .last_end = SIZE_MAX};
	s->data = pcre2_match_data_create(1, NULL);
	s->context = pcre2_match_context_create(NULL);
	if (!s->data || !s->context) {
		leat_search_deinit(s);
		return no_memory(code->where, err);
	}
	pcre2_set_match_limit(s->context, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
	pcre2_set_heap_limit(s->context, HEAP_KIB);
	s->stack = pcre2_jit_stack_create(32768, JIT_STACK_BYTES, NULL);
	if (s->stack)
		pcre2_jit_stack_assign(s->context, NULL, s->stack);
	pcre2_set_callout(s->context, on_item, s);
	s->deadline_ns = cpu_ns() + base_ns + ns_per_byte * n;
	return LEAT_OK;
}

void leat_search_restart(struct leat_search *s, const unsigned char *text, size_t n)
{
	s->text = text;
	s->n = n;
	s->at = 0;
	s->last_end = SIZE_MAX;
}

void leat_search_deinit(struct leat_search *s)
{
	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->context);
	pcre2_jit_stack_free(s->stack);
	*s = (struct leat_search){0};
}

static int match(struct leat_search *s)
{
	uint32_t options = PCRE2_NO_UTF_CHECK;
	int rc = PCRE2_ERROR_JIT_STACKLIMIT;
	if (!s->interpreted)
		rc = pcre2_match(s->code->code, s->text, s->n, s->at, options, s->data, s->context);
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
		s->interpreted = 1;
		rc = pcre2_match(s->code->code, s->text, s->n, s->at, options | PCRE2_NO_JIT, s->data, s->context);
	}
	return rc;
}

static enum leat_status too_long(const struct leat_search *s, const char *what, struct leat_error *err)
{
	return leat_fail(err, LEAT_E_LIMIT, s->code->where, LEAT_NO_OFFSET,
			 "%s: the pattern needs too %s for a text of %zu bytes", s->code->where, what, s->n);
}

static enum leat_status check(const struct leat_search *s, int rc, const PCRE2_SIZE *span, struct leat_error *err)
{
	if (rc == PCRE2_ERROR_CALLOUT)
		return too_long(s, "long", err);
	if (rc == PCRE2_ERROR_MATCHLIMIT || rc == PCRE2_ERROR_DEPTHLIMIT || rc == PCRE2_ERROR_RECURSELOOP)
		return too_long(s, "many steps", err);
	if (rc == PCRE2_ERROR_HEAPLIMIT || rc == PCRE2_ERROR_NOMEMORY)
		return too_long(s, "much memory", err);
	/* \K can put the start of a match behind its end, and in front of where the search began. */
	if (rc < 0 || span[0] < s->at || span[1] < span[0] || span[1] > s->n)
		return leat_fail(err, LEAT_E_UNSUPPORTED, s->code->where, LEAT_NO_OFFSET,
				 "%s: the pattern's matches have no order (\\K), or PCRE2 reports %d", s->code->where,
				 rc);
	return LEAT_OK;
}

/* Behind an empty match the search goes on one character later, and an empty match where the last one ended is none. */
enum leat_status leat_search_next(struct leat_search *s, int *ret_found, size_t *ret_start, size_t *ret_end,
				  struct leat_error *err)
{
	*ret_found = 0;
	while (s->at <= s->n) {
		if (is_late(s))
			return too_long(s, "long", err);
		int rc = match(s);
		if (rc == PCRE2_ERROR_NOMATCH)
			return LEAT_OK;
		const PCRE2_SIZE *span = pcre2_get_ovector_pointer(s->data);
		LEAT_TRY(check(s, rc, span, err));
		size_t start = span[0], end = span[1], step = 0;
		if (start == end)
			step = end < s->n ? leat_utf8_len(s->text + end, s->n - end) : 1;
		s->at = end + step;
		if (start == end && end == s->last_end)
			continue;
		s->last_end = end;
		*ret_found = 1;
		*ret_start = start;
		*ret_end = end;
		return LEAT_OK;
	}
	return LEAT_OK;
}
