/* test_pace.c - how many prompt tokens ride along with running answers: the bound holds, and a hitch of the machine
 * does not make prompts crawl. Times are those of a machine that the test makes up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/pace.h"

enum { MS = 1000000, STALL_MS = 200, DECODE_MS = 50, N_DECODE = 8 };

/* A step: its answers, and token_us for each of n prompt tokens. */
static void step(struct leat_pace *p, int n, int token_us, int hitch_ms)
{
	uint64_t ns = (uint64_t)DECODE_MS * MS + (uint64_t)n * (uint64_t)token_us * 1000 + (uint64_t)hitch_ms * MS;
	leat_pace_note(p, ns, N_DECODE, n);
}

static struct leat_pace warm(int token_us)
{
	struct leat_pace p = { .stall_ns = (uint64_t)STALL_MS * MS };
	for (int i = 0; i < 10; i++)
		step(&p, 0, 0, 0);
	for (int i = 0; i < 10; i++)
		step(&p, leat_pace_tokens(&p, 512), token_us, 0);
	return p;
}

static void test_bound_is_approached_from_below(void **state)
{
	(void)state;
	for (int token_us = 100; token_us <= 20000; token_us *= 3) {
		struct leat_pace p = warm(token_us);
		int n = leat_pace_tokens(&p, 512);
		assert_true(atomic_load(&p.worst_ns) <= (uint64_t)STALL_MS * MS || token_us * 16 > STALL_MS * 1000);
		assert_true(n * token_us <= STALL_MS * 1000);
		assert_true(n == 512 || (n + 1) * token_us >= STALL_MS * 1000 / 2); /* and it is made use of */
	}
}

static void test_hitches_do_not_slow_prompts(void **state)
{
	(void)state;
	struct leat_pace p = warm(2000);
	int before = leat_pace_tokens(&p, 512);
	step(&p, before, 2000, 3000);
	assert_int_equal(leat_pace_tokens(&p, 512), before);
	step(&p, before, 2000, 3000);
	assert_int_equal(leat_pace_tokens(&p, 512), before);
}

static void test_dearer_tokens_are_followed(void **state)
{
	(void)state;
	struct leat_pace p = warm(1000);
	for (int i = 0; i < LEAT_PACE_SAMPLES; i++)
		step(&p, leat_pace_tokens(&p, 512), 10000, 0);
	assert_true(leat_pace_tokens(&p, 512) * 10 <= STALL_MS);
}

static void test_no_bound(void **state)
{
	(void)state;
	struct leat_pace p = warm(20000);
	p.stall_ns = 0;
	assert_int_equal(leat_pace_tokens(&p, 512), 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound_is_approached_from_below),
		cmocka_unit_test(test_hitches_do_not_slow_prompts),
		cmocka_unit_test(test_dearer_tokens_are_followed),
		cmocka_unit_test(test_no_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
