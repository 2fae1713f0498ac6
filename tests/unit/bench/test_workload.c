/* test_workload.c - the file that says which requests come when: what it holds, and what is refused with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/workload.h"

static enum leat_status parse(const char *text, struct leat_workload *w, struct leat_error *err)
{
	return leat_workload_parse(text, strlen(text), w, err);
}

static void test_what_it_holds(void **state)
{
	struct leat_workload w;
	(void)state;
	assert_int_equal(parse("leat-workload 1 # yes\r\n\n# all\nparallel 7\nqueue 3\n 0 5 9 \n0\t1 1#x\n250 8 2", &w,
			       NULL), LEAT_OK);
	assert_int_equal(w.n, 3);
	assert_int_equal(w.n_parallel, 7);
	assert_int_equal(w.max_queue, 3);
	assert_int_equal(w.at[2].at_ms, 250);
	assert_int_equal(w.at[2].n_prompt, 8);
	assert_int_equal(w.at[2].n_gen, 2);
	assert_int_equal(w.most_prompt, 8);
	assert_int_equal(w.most_gen, 9);
	assert_int_equal(w.most_tokens, 14);
	leat_workload_deinit(&w);
}

static void test_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "first line" },
		{ "leat-workload 2\n0 1 1\n", "first line" },
		{ "leat-workload 1\n", "no requests" },
		{ "leat-workload 1\n\n0 1\n", "line 3: '0 1'" },
		{ "leat-workload 1\n0 1 1 1\n", "line 2" },
		{ "leat-workload 1\n0 0 1\n", "line 2" },
		{ "leat-workload 1\n0 1 0\n", "line 2" },
		{ "leat-workload 1\n0 1 -1\n", "line 2" },
		{ "leat-workload 1\n0 1 1.5\n", "line 2" },
		{ "leat-workload 1\n0 99999999999999999999 1\n", "line 2" },
		{ "leat-workload 1\n86400001 1 1\n", "line 2" },
		{ "leat-workload 1\n5 1 1\n4 1 1\n", "line 3" },
		{ "leat-workload 1\nparallel 0\n0 1 1\n", "line 2" },
		{ "leat-workload 1\nparallel 2000\n0 1 1\n", "line 2" },
		{ "leat-workload 1\nqueue\n0 1 1\n", "line 2" },
		{ "leat-workload 1\nparalel 4\n0 1 1\n", "line 2: 'paralel 4'" },
		{ "leat-workload 1\n0 1 1\x01\n", "\\x01" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct leat_error err = LEAT_ERROR_INIT;
		struct leat_workload w = { .n = -5 };
		assert_int_equal(parse(bad[i].text, &w, &err), LEAT_E_FORMAT);
		assert_non_null(strstr(err.message, bad[i].says));
		assert_int_equal(w.n, -5);
	}
}

static void test_limits(void **state)
{
	enum { LINE = 10 };
	size_t head = strlen("leat-workload 1\n"), n = head + (LEAT_WORKLOAD_MAX_REQUESTS + 1) * (size_t)LINE;
	char *text = malloc(n + 1);
	struct leat_workload w;
	(void)state;
	assert_non_null(text);
	memcpy(text, "leat-workload 1\n", head);
	for (size_t i = head; i < n; i += LINE)
		memcpy(text + i, "00000 1 1\n", LINE);
	assert_int_equal(leat_workload_parse(text, n, &w, NULL), LEAT_E_LIMIT);
	assert_int_equal(leat_workload_parse(text, n - LINE, &w, NULL), LEAT_OK);
	assert_int_equal(w.n, LEAT_WORKLOAD_MAX_REQUESTS);
	leat_workload_deinit(&w);
	assert_int_equal(leat_workload_parse(text, LEAT_WORKLOAD_MAX_BYTES + 1, &w, NULL), LEAT_E_LIMIT);
	free(text);
}

static void test_even(void **state)
{
	struct leat_workload w;
	(void)state;
	assert_int_equal(leat_workload_even(100, 3, 4, 50, &w, NULL), LEAT_OK);
	assert_int_equal(w.n, 100);
	assert_int_equal(w.at[99].at_ms, 99 * 50);
	assert_int_equal(w.most_tokens, 7);
	leat_workload_deinit(&w);
}

/* Those that come with the sources. */
static void test_ours(void **state)
{
	static const struct {
		const char *name;
		int n;
	} files[] = { { "chat32", 32 }, { "stall", 9 }, { "mixed", 40 } };
	const char *root = getenv("LEAT_SOURCE_DIR");
	char path[4096], text[8192];
	(void)state;
	if (!root)
		skip();
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct leat_workload w;
		snprintf(path, sizeof path, "%s/bench/traces/%s.txt", root, files[i].name);
		FILE *f = fopen(path, "re");
		assert_non_null(f);
		size_t n = fread(text, 1, sizeof text, f);
		fclose(f);
		assert_int_equal(leat_workload_parse(text, n, &w, NULL), LEAT_OK);
		assert_int_equal(w.n, files[i].n);
		leat_workload_deinit(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_holds),
		cmocka_unit_test(test_refused_with_its_line),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_even),
		cmocka_unit_test(test_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
