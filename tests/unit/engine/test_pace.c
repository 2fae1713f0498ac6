/* test_pace.c - how many prompt tokens ride along with running answers: the bound holds, and a hitch of the machine
 * does not make prompts crawl. Times are those of a machine that the test makes up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/pace.h"

enum { MS = 1000000, STALL_MS = 200, DECODE_MS = 50, N_DECODE = 8 };

/* A machine: a prompt step costs fixed_ms more than answers alone, a token token_us, and twice that at `doubling`. */
struct machine {
	int token_us, fixed_ms, doubling;
};

static double token_ns(const struct machine *m, double position)
{
	return m->token_us * 1000.0 * (1 + (m->doubling ? position / m->doubling : 0));
}

/* A step: its answers, and n prompt tokens from `position` on. */
static void step(struct leat_pace *p, const struct machine *m, int n, double position, int hitch_ms)
{
	double middle = position + n / 2.0, ns = (DECODE_MS + hitch_ms) * (double)MS;
	if (n)
		ns += m->fixed_ms * (double)MS + n * token_ns(m, middle);
	leat_pace_note(p, (uint64_t)ns, N_DECODE, n, n * middle);
}

/* One prompt beside answers from `from` to `to`; the number of steps. */
static int prompt(struct leat_pace *p, const struct machine *m, int from, int to)
{
	int n_steps = 0;
	for (int n; from < to; from += n, n_steps++) {
		n = leat_pace_tokens(p, to - from < 512 ? to - from : 512, from);
		step(p, m, n, from, 0);
	}
	return n_steps;
}

static struct leat_pace fresh(void)
{
	struct leat_pace p = { .stall_ns = (uint64_t)STALL_MS * MS };
	static const struct machine any = { 0, 0, 0 };
	for (int i = 0; i < 10; i++)
		step(&p, &any, 0, 0, 0);
	return p;
}

static struct leat_pace warm(int token_us)
{
	const struct machine m = { token_us, 0, 0 };
	struct leat_pace p = fresh();
	for (int i = 0; i < 10; i++)
		step(&p, &m, leat_pace_tokens(&p, 512, 0), 0, 0);
	return p;
}

static uint64_t worst_ms(struct leat_pace *p)
{
	return atomic_load(&p->worst_ns) / MS;
}

static void test_bound_is_approached_from_below(void **state)
{
	(void)state;
	for (int token_us = 100; token_us <= 20000; token_us *= 3) {
		struct leat_pace p = warm(token_us);
		int n = leat_pace_tokens(&p, 512, 0);
		assert_true(worst_ms(&p) <= STALL_MS || token_us * 16 > STALL_MS * 1000);
		assert_true(n * token_us <= STALL_MS * 1000);
		assert_true(n == 512 || (n + 1) * token_us >= STALL_MS * 1000 * 4 / 10); /* and it is made use of */
	}
}

/* A prompt of 4,000 tokens beside 8 answers, on machines of all kinds: never longer than the bound, and not much more
 * steps than the bound needs. */
static void test_long_prompts_keep_the_bound(void **state)
{
	static const struct machine m[] = {
		{ 300, 0, 0 },	  { 300, 0, 500 },   { 1500, 0, 500 }, { 1500, 0, 4000 }, { 2500, 40, 700 },
		{ 800, 60, 300 }, { 4000, 0, 1000 }, { 200, 80, 250 }, { 1200, 20, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof m / sizeof *m; i++) {
		struct leat_pace p = fresh();
		int n = prompt(&p, &m[i], 0, 4000);
		double all_ms = 4000 * token_ns(&m[i], 2000) / MS, step_ms = STALL_MS * 0.6 - m[i].fixed_ms;
		if (worst_ms(&p) > STALL_MS || n > 12 + 1.5 * all_ms / step_ms)
			fail_msg("machine %d: worst stall %d ms, %d steps for %.0f ms", (int)i, (int)worst_ms(&p), n,
				 all_ms);
	}
}

/* Another prompt, most of which the prefix cache had: its first piece lies at a position that costs nine times what the
 * last prompt's tokens did. */
static void test_a_prompt_that_begins_late(void **state)
{
	static const struct machine m = { 1000, 0, 500 };
	(void)state;
	for (int learnt = 0; learnt <= 4000; learnt += 500) {
		struct leat_pace p = fresh();
		if (learnt)
			prompt(&p, &m, 0, learnt);
		prompt(&p, &m, 0, 300);
		prompt(&p, &m, 4000, 4200);
		if (worst_ms(&p) > STALL_MS)
			fail_msg("after a prompt of %d: worst stall %d ms", learnt, (int)worst_ms(&p));
	}
}

/* What eight answers take is not what one takes: each size is looked at once, and its own time is no stall. */
static void test_answers_are_known_by_their_number(void **state)
{
	struct leat_pace p = { .stall_ns = (uint64_t)STALL_MS * MS };
	(void)state;
	for (int n = 1; n <= 1024; n++) {
		uint64_t alone = (uint64_t)(20 + n) * MS;
		assert_false(leat_pace_has_to_look(&p, 0));
		if (leat_pace_has_to_look(&p, n)) {
			assert_true((n & (n - 1)) == 0);
			leat_pace_note(&p, alone, n, 0, 0);
			leat_pace_note(&p, alone + 10 * MS, n, 16, 16 * 8);
		}
		assert_false(leat_pace_has_to_look(&p, n));
	}
	assert_int_equal(worst_ms(&p), 10);
	p = (struct leat_pace){ 0 };
	assert_false(leat_pace_has_to_look(&p, 8)); /* nothing to keep to */
}

static void test_hitches_do_not_slow_prompts(void **state)
{
	static const struct machine m = { 2000, 0, 0 };
	(void)state;
	struct leat_pace p = warm(2000);
	int before = leat_pace_tokens(&p, 512, 0);
	for (int i = 0; i < 2; i++) {
		step(&p, &m, before, 0, 3000);
		int n = leat_pace_tokens(&p, 512, 0);
		assert_in_range(n, before * 9 / 10, before * 11 / 10);
	}
}

static void test_dearer_tokens_are_followed(void **state)
{
	static const struct machine dear = { 10000, 0, 0 };
	(void)state;
	struct leat_pace p = warm(1000);
	for (int i = 0; i < LEAT_PACE_SAMPLES; i++)
		step(&p, &dear, leat_pace_tokens(&p, 512, 0), 0, 0);
	assert_true(leat_pace_tokens(&p, 512, 0) * 10 <= STALL_MS);
}

static void test_no_bound(void **state)
{
	(void)state;
	struct leat_pace p = warm(20000);
	p.stall_ns = 0;
	assert_int_equal(leat_pace_tokens(&p, 512, 0), 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound_is_approached_from_below),
		cmocka_unit_test(test_long_prompts_keep_the_bound),
		cmocka_unit_test(test_a_prompt_that_begins_late),
		cmocka_unit_test(test_answers_are_known_by_their_number),
		cmocka_unit_test(test_hitches_do_not_slow_prompts),
		cmocka_unit_test(test_dearer_tokens_are_followed),
		cmocka_unit_test(test_no_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
