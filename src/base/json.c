/* json.c - see json.h. */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* Heap bytes that jansson 2.14 takes on a 64-bit machine, allocator's overhead included; test_json.c measures them. */
enum {
	OBJECT_COST = 256,  /* the object and its first eight buckets */
	ARRAY_COST = 144,   /* the array and its first eight slots */
	SLOT_COST = 24,     /* a value's pointer in an array that doubles, old and new while it is copied */
	KEY_COST = 144,     /* pair and its share of buckets that double */
	STRING_COST = 80,   /* the string and the smallest block for its bytes */
	NUMBER_COST = 32,
	LEXER_COST = 4096,  /* and three times the longest token */
};

typedef unsigned long long ull; /* what printf takes */

struct scan {
	const unsigned char *p;
	size_t n, at;
	uint64_t cost, longest;
	int depth, deepest;
	size_t deep_at; /* where the deepest nesting is reached first */
};

static int is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* From the opening quote to behind the closing one, or the end; what follows tells a key from a value. */
static void scan_string(struct scan *s)
{
	size_t from = ++s->at;
	while (s->at < s->n && s->p[s->at] != '"')
		s->at += s->p[s->at] == '\\' && s->n - s->at > 1 ? 2 : 1;
	uint64_t bytes = s->at - from;
	s->at += s->at < s->n;
	size_t next = s->at;
	while (next < s->n && is_space(s->p[next]))
		next++;
	s->at = next;
	s->longest = bytes > s->longest ? bytes : s->longest;
	s->cost += bytes + (next < s->n && s->p[next] == ':' ? KEY_COST : STRING_COST + SLOT_COST);
}

static void scan_word(struct scan *s)
{
	size_t from = s->at;
	while (s->at < s->n && !is_space(s->p[s->at]) && !strchr(",:\"[]{}", s->p[s->at]))
		s->at++;
	s->at += s->at == from; /* a NUL, which strchr takes for the end of its list */
	s->longest = s->at - from > s->longest ? s->at - from : s->longest;
	s->cost += strchr("tfn", s->p[from]) ? SLOT_COST : NUMBER_COST + SLOT_COST; /* true, false, null are shared */
}

static void open_level(struct scan *s, uint64_t cost)
{
	s->cost += cost + SLOT_COST;
	if (++s->depth > s->deepest) {
		s->deepest = s->depth;
		s->deep_at = s->at;
	}
	s->at++;
}

static void scan_next(struct scan *s)
{
	switch (s->p[s->at]) {
	case '{':
		open_level(s, OBJECT_COST);
		break;
	case '[':
		open_level(s, ARRAY_COST);
		break;
	case '}':
	case ']':
		s->depth -= s->depth > 0;
		s->at++;
		break;
	case '"':
		scan_string(s);
		break;
	case ' ':
	case '\t':
	case '\n':
	case '\r':
	case ',':
	case ':':
		s->at++;
		break;
	default:
		scan_word(s);
	}
}

/* Stops early at a depth of max_depth + 1. */
static void scan(struct scan *s, const void *bytes, size_t n, int max_depth)
{
	*s = (struct scan){ .p = bytes, .n = n, .cost = LEXER_COST };
	while (s->at < n && s->deepest <= max_depth)
		scan_next(s);
	s->cost += 3 * s->longest;
}

uint64_t leat_json_cost(const void *bytes, size_t n, int *ret_depth)
{
	struct scan s;
	scan(&s, bytes, n, INT32_MAX - 1);
	*ret_depth = s.deepest;
	return s.cost;
}

static enum leat_status check_limits(const void *bytes, size_t n, const struct leat_json_limits *l, const char *what,
				     uint64_t *ret_cost, struct leat_error *err)
{
	int max_depth = l->max_depth ? l->max_depth : LEAT_JSON_MAX_DEPTH;
	uint64_t max_bytes = l->max_bytes ? l->max_bytes : (uint64_t)64 << 20;
	uint64_t budget = l->max_memory_bytes ? l->max_memory_bytes : 32 * (uint64_t)n + ((uint64_t)1 << 20);
	struct scan s;
	if (n > max_bytes)
		return leat_fail(err, LEAT_E_LIMIT, what, LEAT_NO_OFFSET,
				 "%s: found %llu bytes of JSON, the limit is %llu", what, (ull)n, (ull)max_bytes);
	if (n >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3))
		return leat_fail(err, LEAT_E_FORMAT, what, 0,
				 "%s: found a byte order mark at byte 0, wanted JSON without one", what);
	scan(&s, bytes, n, max_depth);
	if (s.deepest > max_depth)
		return leat_fail(err, LEAT_E_LIMIT, what, s.deep_at,
				 "%s: JSON is nested deeper than %d levels at byte %llu", what, max_depth,
				 (ull)s.deep_at);
	if (s.cost > budget)
		return leat_fail(err, LEAT_E_LIMIT, what, LEAT_NO_OFFSET,
				 "%s: %llu bytes of JSON would take up to %llu bytes of memory, the limit is %llu",
				 what, (ull)n, (ull)s.cost, (ull)budget);
	*ret_cost = s.cost;
	return LEAT_OK;
}

static enum leat_status refused(const json_error_t *e, const char *what, struct leat_error *err)
{
	ull at = e->position > 0 ? (ull)e->position : 0;
	if (json_error_code(e) == json_error_out_of_memory)
		return leat_fail(err, LEAT_E_NOMEM, what, at, "%s: out of memory", what);
	return leat_fail(err, LEAT_E_FORMAT, what, at, "%s: JSON line %d, byte %llu: %s", what, e->line, at, e->text);
}

/* jansson (2.14) takes a token that it has no memory for as one that is wrong, and loses characters of a long one
 * without a word. So it is seen beforehand that there is memory for all of it. */
static int is_room(uint64_t bytes)
{
	void *room = bytes < SIZE_MAX ? malloc((size_t)bytes) : NULL;
	int is = room != NULL;
	free(room);
	return is;
}

enum leat_status leat_json_parse(const void *bytes, size_t n, const struct leat_json_limits *limits, const char *what,
				 json_t **ret, struct leat_error *err)
{
	static const struct leat_json_limits none;
	const struct leat_json_limits *l = limits ? limits : &none;
	json_error_t e;
	uint64_t cost = 0;
	LEAT_TRY(check_limits(bytes, n, l, what, &cost, err));
	if (!is_room(cost))
		return leat_fail(err, LEAT_E_NOMEM, what, LEAT_NO_OFFSET, "%s: no memory for %llu bytes of JSON", what,
				 (ull)n);
	const char *text = n ? bytes : "";
	json_t *v = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
	if (!v && l->huge_ints && json_error_code(&e) == json_error_numeric_overflow)
		v = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &e);
	if (!v)
		return refused(&e, what, err);
	*ret = v;
	return LEAT_OK;
}
