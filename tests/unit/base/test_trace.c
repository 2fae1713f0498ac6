/* test_trace.c - the ring of a trace: the newest stay, any thread may write, a reader misses nothing that is left, and
 * what is saved is JSON whatever a name holds. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/trace.h"

static struct leat_trace *make(uint32_t n)
{
	struct leat_trace *t = NULL;
	assert_int_equal(leat_trace_create(n, 0, &t, NULL), LEAT_OK);
	return t;
}

struct seen {
	int64_t value[16];
	int n, stop_after;
};

static int see(void *user, const struct leat_trace_event *ev)
{
	struct seen *s = user;
	if (s->n == s->stop_after)
		return 1;
	s->value[s->n++] = ev->value[0];
	return 0;
}

static void test_newest_stay(void **state)
{
	struct leat_trace *t = make(5);
	struct seen all = { .stop_after = 16 }, some = { .stop_after = 2 };
	(void)state;
	assert_int_equal(leat_trace_each(t, 0, see, &all), 0);
	for (int i = 0; i < 8; i++)
		leat_trace_mark(t, "m", "i", i);
	assert_int_equal(leat_trace_each(t, 0, see, &all), 8);
	assert_int_equal(all.n, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(all.value[i], 3 + i);
	/* who stops goes on where it stopped */
	uint64_t next = leat_trace_each(t, 6, see, &some);
	assert_int_equal(next, 8);
	some = (struct seen){ .stop_after = 2 };
	next = leat_trace_each(t, 0, see, &some);
	assert_int_equal(next, 5);
	some.stop_after = 16;
	assert_int_equal(leat_trace_each(t, next, see, &some), 8);
	assert_int_equal(some.n, 5);
	assert_int_equal(some.value[4], 7);
	leat_trace_unref(t);
}

static void *write_many(void *arg)
{
	struct leat_trace *t = arg;
	for (int i = 0; i < 500; i++)
		leat_trace_span(t, "span", leat_trace_now(t));
	return NULL;
}

static void test_any_thread(void **state)
{
	struct leat_trace *t = make(100);
	pthread_t p[4];
	struct seen s = { .stop_after = 0 };
	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&p[i], NULL, write_many, leat_trace_ref(t)), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(p[i], NULL);
		leat_trace_unref(t);
	}
	assert_int_equal(leat_trace_each(t, 0, see, &s), 1900);
	leat_trace_unref(t);
}

static void test_saved_is_json(void **state)
{
	static const char odd[] = "a\"b\\c\n\xff";
	char path[] = "/tmp/leat-trace-XXXXXX";
	int fd = mkstemp(path);
	struct leat_trace *t = make(10);
	struct leat_error err = LEAT_ERROR_INIT;
	(void)state;
	assert_true(fd >= 0);
	close(fd);
	leat_trace_mark(t, odd, odd, -5);
	leat_trace_put(t, &(struct leat_trace_event){ .kind = LEAT_TRACE_SPAN, .name = "s", .number = 7,
						      .began_ns = leat_now_ns(), .lasted_ns = 1234567 });
	assert_int_equal(leat_trace_save(t, path, &err), LEAT_OK);
	json_t *file = json_load_file(path, 0, NULL), *events = json_object_get(file, "traceEvents");
	assert_int_equal(json_array_size(events), 2);
	const char *name = json_string_value(json_object_get(json_array_get(events, 0), "name"));
	assert_string_equal(name, "a\"b\\c\n\xc3\xbf");
	json_t *span = json_array_get(events, 1);
	double dur = json_number_value(json_object_get(span, "dur"));
	assert_true(dur > 1234.566 && dur < 1234.568);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(span, "args"), "number")), 7);
	json_decref(file);
	unlink(path);
	assert_int_equal(leat_trace_save(t, "/nowhere/at/all", &err), LEAT_E_IO);
	leat_trace_unref(t);
}

static void test_wrong_arguments(void **state)
{
	struct leat_trace *t = NULL;
	(void)state;
	assert_int_equal(leat_trace_create(0, 0, &t, NULL), LEAT_E_ARG);
	assert_int_equal(leat_trace_create(1u << 25, 0, &t, NULL), LEAT_E_ARG);
	assert_int_equal(leat_trace_create(10, 8, &t, NULL), LEAT_E_ARG);
	assert_null(t);
	leat_trace_unref(NULL);
	leat_trace_span(NULL, "x", 0); /* without a trace nothing happens */
	leat_trace_mark(NULL, "x", NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newest_stay),
		cmocka_unit_test(test_any_thread),
		cmocka_unit_test(test_saved_is_json),
		cmocka_unit_test(test_wrong_arguments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
