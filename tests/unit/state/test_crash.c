/* test_crash.c - 20 kills; test_crash_long.c has more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crash.h"

static void test_P07_kill(void **state)
{
	(void)state;
	crash_many(20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_P07_kill) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
