/* test_memory.c - every allocation of a life (life.h) fails, once, or it and all after it: loading, submitting,
 * running, cancelling, streaming, keeping prefixes and states, closing. Each time it is an error or it is not; nothing
 * leaks, nothing hangs, no answer is wrong, and the next request is served (E09).
 *
 * Here a sample of them, test_memory_long.c: every one. LEAT_TORTURE_K fails that one only. */
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "life.h"
#include "support/oracle.h"
#include "support/own_malloc.h"
#include "support/worlds.h"

#ifndef LEAT_TORTURE_SAMPLE
#define LEAT_TORTURE_SAMPLE 60 /* lives of each kind */
#endif

static void begin(void)
{
	own_malloc.n_calls = own_malloc.n_failed = 0;
	own_malloc.paused = 0;
}

static void pause_faults(int paused)
{
	own_malloc.paused = paused;
}

static const char *what(void)
{
	static char text[100];
	snprintf(text, sizeof text, "allocation %ld%s", own_malloc.fail_at,
		 own_malloc.for_ever ? " and all after" : "");
	return text;
}

/* No memory, or what needs memory inside the C library: a thread, a folder's entries. */
static int is_expected(enum leat_status st)
{
	return st == LEAT_E_NOMEM || st == LEAT_E_LIMIT || st == LEAT_E_IO;
}

static void hang(int signal)
{
	(void)signal;
	dprintf(STDERR_FILENO, "hangs: %s\n", what());
	abort();
}

static void fail_all(struct life *l, long n_all, int for_ever)
{
	unsigned only = world_number("LEAT_TORTURE_K", 0);
	long before = own_malloc.n_live, n = 0, n_failed = 0, step = n_all / LEAT_TORTURE_SAMPLE;
	own_malloc.for_ever = for_ever;
	for (long k = only ? (long)only : 1; k <= n_all; k += step > 1 && k > 20 ? step : 1) {
		own_malloc.fail_at = k;
		alarm(120);
		life_live(l);
		n++;
		n_failed += own_malloc.n_failed > 0;
		if (own_malloc.n_live != before)
			fail_msg("%s: %ld blocks leaked", what(), own_malloc.n_live - before);
		if (only)
			break;
	}
	alarm(0);
	own_malloc.fail_at = 0;
	print_message("%s, %s: %ld of %ld allocations failed, %ld lives, %d calls ended with an error\n", l->file,
		      for_ever ? "for ever" : "once", n_failed, n_all, n, l->n_wrong_way);
	assert_true(n_failed > (only ? 0 : 20));
}

static void torture(const char *file, int load_mode)
{
	struct life l = { .file = file, .load_mode = load_mode, .n_threads = 1, .is_expected = is_expected,
			  .begin = begin, .pause = pause_faults, .what = what };
	if (!OWN_MALLOC || !file)
		skip(); /* the sanitizer owns malloc; the plain build does this */
	signal(SIGALRM, hang);
	life_live(&l); /* what is made once is made */
	long before = own_malloc.n_live;
	own_malloc.fail_at = LONG_MAX;
	life_live(&l);
	long n_all = own_malloc.n_calls;
	assert_int_equal(l.n_wrong_way, 0);
	assert_int_equal(own_malloc.n_live, before);
	assert_true(n_all > 100);
	fail_all(&l, n_all, 0);
	fail_all(&l, n_all, 1);
}

static void test_E09_recurrent(void **state)
{
	(void)state;
	torture(world_file(0), LEAT_LOAD_AUTO);
}

static void test_E09_attention(void **state)
{
	(void)state;
	torture(world_file(1), LEAT_LOAD_READ);
}

/* A folder with JSON and safetensors. */
static void test_E09_folder(void **state)
{
	const char *folder = oracle_untar("hf/qwen3.tar.gz", "qwen3");
	(void)state;
	torture(folder, LEAT_LOAD_AUTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_E09_recurrent),
		cmocka_unit_test(test_E09_attention),
		cmocka_unit_test(test_E09_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
