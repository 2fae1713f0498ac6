/* test_crash_long.c - 200 kills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crash.h"

static void test_P07_kill(void **state)
{
	(void)state;
	crash_many(200);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_P07_kill) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
