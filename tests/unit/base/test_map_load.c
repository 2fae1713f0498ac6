/* test_map_load.c - bringing mapped files in: the same bytes at the same addresses, progress, cancelling, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/map.h"

static const enum leat_map_how all[] = {LEAT_MAP_POPULATE, LEAT_MAP_READ, LEAT_MAP_DIRECT, LEAT_MAP_LOCK};
static char path[256];

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 7 + i / 256 + i / 65536);
}

static void make(const char *folder, size_t n)
{
	unsigned char *p = malloc(n + 1);
	snprintf(path, sizeof path, "%s/leat-map.XXXXXX", folder);
	int fd = mkstemp(path);
	assert_true(fd >= 0 && p);
	for (size_t i = 0; i < n; i++)
		p[i] = byte_at(i);
	assert_int_equal(write(fd, p, n), n);
	close(fd);
	free(p);
}

struct seen {
	uint64_t bytes, stop_at;
};

static int on_bytes(void *user, uint64_t bytes)
{
	struct seen *s = user;
	s->bytes += bytes;
	return s->stop_at && s->bytes >= s->stop_at;
}

static void check(const struct leat_map *m)
{
	for (uint64_t i = 0; i < m->size; i++)
		if (m->data[i] != byte_at((size_t)i))
			fail_msg("byte %llu differs", (unsigned long long)i);
}

/* Sizes around pages and huge pages, beginnings inside and on pages: every byte stays where it was. */
static void contents(void **state)
{
	static const size_t sizes[] = {1, 4095, 4096, 4097, 100001, (6 << 20) + 123};
	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		make(".", sizes[i]);
		for (size_t k = 0; k < 4; k++)
			for (size_t from = 0; from <= sizes[i]; from += 1 + sizes[i] / 3) {
				struct leat_map m;
				struct seen s = {0, 0};
				struct leat_error err = LEAT_ERROR_INIT;
				assert_int_equal(leat_map_open(&m, path, &err), LEAT_OK);
				const unsigned char *at = m.data;
				enum leat_status st = leat_map_load(&m, from, all[k], on_bytes, &s, &err);
				if (st != LEAT_OK && !(all[k] == LEAT_MAP_DIRECT && st == LEAT_E_UNSUPPORTED) &&
				    !(all[k] == LEAT_MAP_LOCK && st == LEAT_E_NOMEM))
					fail_msg("%s", err.message);
				if (st == LEAT_OK) {
					assert_true(s.bytes <= sizes[i] && s.bytes + 4096 + from >= sizes[i]);
					assert_ptr_equal(m.data, at);
					check(&m);
				}
				leat_map_close(&m);
			}
		unlink(path);
	}
}

static void cancel(void **state)
{
	(void)state;
	make(".", 100 << 20);
	for (size_t k = 0; k < 2; k++) {
		struct leat_map m;
		struct seen s = {0, 1};
		struct leat_error err = LEAT_ERROR_INIT;
		assert_int_equal(leat_map_open(&m, path, &err), LEAT_OK);
		assert_int_equal(leat_map_load(&m, 0, all[k], on_bytes, &s, &err), LEAT_E_CANCELLED);
		assert_true(s.bytes < 100 << 20);
		leat_map_close(&m);
	}
	unlink(path);
}

/* The file ends earlier than it did when it was opened: said, not a fault. */
static void shortened(void **state)
{
	struct leat_map m;
	struct leat_error err = LEAT_ERROR_INIT;
	(void)state;
	make(".", 1 << 20);
	assert_int_equal(leat_map_open(&m, path, &err), LEAT_OK);
	assert_int_equal(truncate(path, 5000), 0);
	assert_int_equal(leat_map_load(&m, 0, LEAT_MAP_READ, NULL, NULL, &err), LEAT_E_IO);
	assert_non_null(strstr(err.message, "ends at byte 5000"));
	leat_map_close(&m);
	unlink(path);
}

/* In a child that is nobody: the limit does not bind root. */
static int locked_by_nobody(struct leat_map *m)
{
	struct leat_error err = LEAT_ERROR_INIT;
	const struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_MEMLOCK, &none) || (geteuid() == 0 && setuid(65534)))
		return 1;
	if (leat_map_load(m, 0, LEAT_MAP_LOCK, NULL, NULL, &err) != LEAT_E_NOMEM)
		return 2;
	return strstr(err.message, "RLIMIT_MEMLOCK is 0") ? 0 : 3;
}

static void lock_limit(void **state)
{
	struct leat_map m;
	int status = -1;
	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	print_message("skipped: sanitizers make mlock do nothing\n");
	skip();
#endif
	make(".", 1 << 20);
	assert_int_equal(leat_map_open(&m, path, NULL), LEAT_OK);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(locked_by_nobody(&m));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	leat_map_close(&m);
	unlink(path);
}

static void borrowed(void **state)
{
	struct leat_map m = {(const unsigned char *)"abc", 3, -1};
	(void)state;
	for (size_t k = 0; k < 4; k++)
		assert_int_equal(leat_map_load(&m, 0, all[k], NULL, NULL, NULL), LEAT_OK);
	assert_memory_equal(m.data, "abc", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents),   cmocka_unit_test(cancel),	  cmocka_unit_test(shortened),
		cmocka_unit_test(lock_limit), cmocka_unit_test(borrowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
