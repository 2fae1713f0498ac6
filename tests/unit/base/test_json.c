/* test_json.c - JSON under limits: what is refused and where, and that the estimate of memory holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static enum leat_status parse(const char *text, size_t n, const struct leat_json_limits *l, struct leat_error *err)
{
	json_t *v = NULL;
	enum leat_status st = leat_json_parse(text, n, l, "t.json", &v, err);
	assert_true((st == LEAT_OK) == (v != NULL));
	json_decref(v);
	return st;
}

static void refuse(const char *text, size_t n, enum leat_status status, uint64_t offset, const char *part)
{
	struct leat_error err = LEAT_ERROR_INIT;
	enum leat_status st = parse(text, n, NULL, &err);
	if (st != status || !strstr(err.message, part) || (offset != LEAT_NO_OFFSET && err.offset != offset))
		fail_msg("status %d at %llu: %s", st, (unsigned long long)err.offset, err.message);
	assert_non_null(strstr(err.message, "t.json"));
}

#define REFUSE(text, status, offset, part) refuse(text, sizeof(text) - 1, status, offset, part)

static void refusals(void **state)
{
	(void)state;
	REFUSE("", LEAT_E_FORMAT, LEAT_NO_OFFSET, "JSON");
	REFUSE("   ", LEAT_E_FORMAT, LEAT_NO_OFFSET, "JSON");
	REFUSE("\xef\xbb\xbf{}", LEAT_E_FORMAT, 0, "byte order mark");
	REFUSE("{\"a\":1,\"a\":1}", LEAT_E_FORMAT, LEAT_NO_OFFSET, "duplicate");
	REFUSE("{\"a\":{\"b\":1,\"b\":2}}", LEAT_E_FORMAT, LEAT_NO_OFFSET, "duplicate");
	REFUSE("{}x", LEAT_E_FORMAT, LEAT_NO_OFFSET, "end of file");
	REFUSE("{}\0", LEAT_E_FORMAT, LEAT_NO_OFFSET, "JSON");
	REFUSE("{\"a\":\"\\u0000\"}", LEAT_E_FORMAT, LEAT_NO_OFFSET, "JSON");
	REFUSE("{\"a\":\"\0\"}", LEAT_E_FORMAT, LEAT_NO_OFFSET, "JSON");
	REFUSE("{\"a\":\"\xff\"}", LEAT_E_FORMAT, 6, "0xff");
	REFUSE("{\"a\":\"\\ud800\"}", LEAT_E_FORMAT, LEAT_NO_OFFSET, "JSON");
	REFUSE("{\"a\":1e999}", LEAT_E_FORMAT, LEAT_NO_OFFSET, "JSON");
	REFUSE("{\"a\":99999999999999999999}", LEAT_E_FORMAT, LEAT_NO_OFFSET, "JSON");
	REFUSE("{\"a\":NaN}", LEAT_E_FORMAT, LEAT_NO_OFFSET, "JSON");
	REFUSE("{\"a\":[1,]}", LEAT_E_FORMAT, LEAT_NO_OFFSET, "JSON");
	REFUSE("{\"a\":\n\n  nul}", LEAT_E_FORMAT, 12, "line 3");
	REFUSE("7", LEAT_E_FORMAT, LEAT_NO_OFFSET, "JSON");
}

static void acceptances(void **state)
{
	struct leat_error err = LEAT_ERROR_INIT;
	const struct leat_json_limits huge = { .huge_ints = 1 };
	const char *text = "{\"max\": 1000000000000000019884624838656, \"n\": 3}";
	json_t *v = NULL;
	(void)state;
	assert_int_equal(parse(" {\"a\":[1,2,{}]} \n\t ", 18, NULL, &err), LEAT_OK);
	assert_int_equal(leat_json_parse(text, strlen(text), &huge, "t", &v, &err), LEAT_OK);
	assert_true(json_real_value(json_object_get(v, "max")) > 9.9e29);
	assert_true(json_real_value(json_object_get(v, "n")) == 3);
	json_decref(v);
}

static char *nested(int depth, size_t *ret_n)
{
	char *text = malloc((size_t)depth * 2 + 1);
	assert_non_null(text);
	memset(text, '[', (size_t)depth);
	memset(text + depth, ']', (size_t)depth);
	*ret_n = (size_t)depth * 2;
	return text;
}

static void depth(void **state)
{
	static const int depths[] = { 1, 128, 129, 100000 };
	(void)state;
	for (int i = 0; i < 4; i++) {
		size_t n;
		struct leat_error err = LEAT_ERROR_INIT;
		char *text = nested(depths[i], &n);
		assert_int_equal(parse(text, n, NULL, &err), depths[i] <= 128 ? LEAT_OK : LEAT_E_LIMIT);
		if (depths[i] > 128) {
			assert_non_null(strstr(err.message, "128 levels"));
			assert_int_equal(err.offset, 128);
		}
		free(text);
	}
}

static void *deepest_on_small_stack(void *arg)
{
	size_t n;
	char *text = nested(128, &n);
	*(int *)arg = parse(text, n, NULL, NULL);
	free(text);
	return NULL;
}

/* The deepest text that is let through fits on a stack of 64 KiB (1 MiB for a sanitizer's frames). */
static void small_stack(void **state)
{
	pthread_t t;
	pthread_attr_t a;
	int status = 1;
	size_t bytes = 64 << 10;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	bytes = 1 << 20;
#endif
	(void)state;
	assert_int_equal(pthread_attr_init(&a), 0);
	assert_int_equal(pthread_attr_setstacksize(&a, bytes), 0);
	assert_int_equal(pthread_create(&t, &a, deepest_on_small_stack, &status), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(status, LEAT_OK);
	pthread_attr_destroy(&a);
}

static void limits(void **state)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_json_limits l = { .max_bytes = 8 };
	size_t n = (1 << 20) / 3 * 3;
	char *bomb = malloc(n + 1);
	(void)state;
	assert_int_equal(parse("{\"a\":10}", 8, &l, &err), LEAT_OK);
	assert_int_equal(parse("{\"a\":100}", 9, &l, &err), LEAT_E_LIMIT);
	l = (struct leat_json_limits){ .max_memory_bytes = 5000 };
	assert_int_equal(parse("[1,2,3]", 7, &l, &err), LEAT_OK);
	assert_int_equal(parse("[1,2,3,{},{},{},{}]", 19, &l, &err), LEAT_E_LIMIT);
	/* 1 MiB of empty objects, 79 MiB when parsed */
	assert_non_null(bomb);
	for (size_t i = 0; i < n; i += 3)
		memcpy(bomb + i, "{},", 3);
	bomb[0] = '[';
	bomb[1] = ' ';
	bomb[2] = ' ';
	bomb[n - 1] = ']';
	assert_int_equal(parse(bomb, n, NULL, &err), LEAT_E_LIMIT);
	assert_non_null(strstr(err.message, "memory"));
	free(bomb);
}

/* `count` times `item`, with %d as the number of the item, between brackets. */
static char *repeat(const char *open, const char *item, const char *close, int count)
{
	size_t cap = (strlen(item) + 16) * (size_t)count + 16, n = 0;
	char *text = malloc(cap);
	assert_non_null(text);
	n += (size_t)snprintf(text, cap, "%s", open);
	for (int i = 0; i < count; i++) {
		n += (size_t)snprintf(text + n, cap - n, "%s", i ? "," : "");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		n += (size_t)snprintf(text + n, cap - n, item, i);
#pragma GCC diagnostic pop
	}
	snprintf(text + n, cap - n, "%s", close);
	return text;
}

/* What jansson really takes is within the estimate, and the estimate no more than 2.5 times too large. */
static void estimate(void **state)
{
	static const char *const form[][3] = {
		{ "[", "{}", "]" }, { "[", "[]", "]" }, { "[", "%d", "]" }, { "[", "%d.5", "]" },
		{ "[", "\"%d\"", "]" },
		{ "{", "\"%d\":true", "}" }, { "{", "\"token-number-%d\":%d", "}" }, { "[", "[\"a%d\",\"b\"]", "]" },
		{ "{", "\"%d\":{\"a\":[1,2,3]}", "}" },
		{ "[", "[[[{\"x\":\"a string of some length and then some\"}]]]", "]" },
		{ "[", "null", "]" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof form / sizeof *form; i++)
		for (int count = 1; count <= 100000; count = count * 7 + 1) {
			int deep;
			json_error_t e;
			char *text = repeat(form[i][0], form[i][1], form[i][2], count);
			size_t n = strlen(text);
			uint64_t cost = leat_json_cost(text, n, &deep);
			struct mallinfo2 before = mallinfo2();
			json_t *v = json_loadb(text, n, 0, &e);
			struct mallinfo2 after = mallinfo2();
			assert_non_null(v);
			uint64_t used = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
			if (before.uordblks) /* a sanitizer's allocator counts nothing */
				if (used > cost || cost > 5 * used / 2 + 8192)
					fail_msg("%s x %d: %llu bytes, estimate %llu", form[i][1], count,
						 (unsigned long long)used, (unsigned long long)cost);
			json_decref(v);
			free(text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals), cmocka_unit_test(acceptances), cmocka_unit_test(depth),
		cmocka_unit_test(small_stack), cmocka_unit_test(limits), cmocka_unit_test(estimate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
