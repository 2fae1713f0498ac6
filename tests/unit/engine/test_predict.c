/* test_predict.c - the predictor of shapes: steady answers, bursts, workloads with a pattern; the table of depths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/predict.h"

static unsigned rnd_state = 1;

static unsigned rnd(unsigned n)
{
	rnd_state = rnd_state * 1664525u + 1013904223u;
	return (rnd_state >> 8) % n;
}

/* 1 if the first guess was right. */
static int turn(struct leat_predict *p, uint64_t expected, uint64_t shape)
{
	uint64_t g[LEAT_PREDICT_MOST] = { 0 };
	int n = leat_predict_next(p, expected, g, LEAT_PREDICT_MOST);
	assert_true(n <= LEAT_PREDICT_MOST);
	leat_predict_note(p, shape);
	return n && g[0] == shape;
}

static void test_steady_answers(void **state)
{
	struct leat_predict p;
	int right = 0;
	(void)state;
	memset(&p, 0, sizeof p);
	for (int i = 0; i < 1000; i++)
		right += turn(&p, 8, 8);
	assert_true(right >= 999);
	assert_int_equal(p.right, right);
	assert_int_equal(p.made, 1000);
	assert_int_equal(p.depth, 1);
}

/* What the scheduler expects is wrong in a way that repeats: every fourth step has another shape. */
static void test_learns_what_nobody_told_it(void **state)
{
	struct leat_predict p;
	int right = 0;
	(void)state;
	memset(&p, 0, sizeof p);
	for (int i = 0; i < 400; i++) {
		int ok = turn(&p, 4, i % 3 == 2 ? 16 : 4);
		right += i >= 40 && ok;
	}
	print_message("period of three, expectation blind to it: %d of 360 right\n", right);
	assert_true(right >= 350);
}

/* Steps of a simulated engine: answers of random lengths that begin at random moments with a prompt of 1 to 6 steps,
 * bursts now and then. Returns the right ones among `n` steps. The expectation is what a scheduler knows: it does not
 * see arrivals and ends. */
static int simulate(struct leat_predict *p, int n, int arrivals_per_1000, int *ret_steady, int *ret_steady_right)
{
	int left[16] = { 0 }, prompt = 0, right = 0;
	*ret_steady = *ret_steady_right = 0;
	for (int i = 0; i < n; i++) {
		int live = 0, was_prompt = prompt > 0;
		for (int j = 0; j < 16; j++)
			live += left[j] > 0;
		uint64_t expected = (uint64_t)(live ? live : 1) + (prompt ? 1000 : 0);
		int arrives = (int)rnd(1000) < arrivals_per_1000, ends = 0;
		for (int j = 0; j < 16 && arrives; j++)
			if (!left[j]) {
				left[j] = 100 + (int)rnd(400);
				prompt += 1 + (int)rnd(6);
				break;
			}
		live = 0;
		for (int j = 0; j < 16; j++) {
			ends += left[j] == 1;
			left[j] -= left[j] > 0;
			live += left[j] > 0;
		}
		int ok = turn(p, expected, (uint64_t)(live ? live : 1) + (prompt ? 1000 : 0));
		right += ok;
		if (!was_prompt && !prompt && !ends) {
			++*ret_steady;
			*ret_steady_right += ok;
		}
		prompt -= prompt > 0;
	}
	return right;
}

static void test_random_arrivals_and_recovery(void **state)
{
	struct leat_predict p;
	int steady, steady_right, a, b, c;
	(void)state;
	memset(&p, 0, sizeof p);
	a = simulate(&p, 2000, 10, &steady, &steady_right);
	print_message("random arrivals: %d of 2000 right; in steady answers %d of %d\n", a, steady_right, steady);
	assert_true(a >= 1700);
	assert_true(steady_right * 10 >= steady * 9);
	b = simulate(&p, 300, 700, &steady, &steady_right); /* a burst of prompts */
	double in_burst = p.rate;
	c = simulate(&p, 200, 0, &steady, &steady_right);
	print_message("burst: %d of 300 right, lately %.2f; then %d of 200, lately %.2f\n", b, in_burst, c, p.rate);
	assert_true(c >= 160);
	c = simulate(&p, 500, 0, &steady, &steady_right);
	assert_true(steady_right * 10 >= steady * 9);
	assert_true(p.rate > 0.9);
	assert_int_equal(p.depth, 1);
}

static void test_table_of_depths(void **state)
{
	static const struct {
		int before, want;
		double rate;
	} row[] = {
		{ 0, 1, 0.81 }, { 0, 2, 0.80 }, { 0, 2, 0.51 }, { 0, 3, 0.50 }, { 0, 3, 0.0 }, { 0, 1, 1.0 },
		/* a border has to be passed by the slack */
		{ 1, 1, 0.76 }, { 1, 2, 0.74 }, { 1, 3, 0.10 }, { 2, 2, 0.84 }, { 2, 1, 0.86 }, { 2, 2, 0.46 },
		{ 2, 3, 0.44 }, { 3, 3, 0.54 }, { 3, 2, 0.56 }, { 3, 1, 0.90 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		if (leat_predict_depth(row[i].before, row[i].rate) != row[i].want)
			fail_msg("from %d at %.2f: %d, wanted %d", row[i].before, row[i].rate,
				 leat_predict_depth(row[i].before, row[i].rate), row[i].want);
	for (int depth = 1, i = 0, changes = 0; i < 1000; i++) {
		/* a rate that trembles on the border changes nothing */
		int next = leat_predict_depth(depth, 0.8 + (i % 2 ? 0.02 : -0.02));
		changes += next != depth;
		depth = next;
		assert_true(changes == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady_answers),
		cmocka_unit_test(test_learns_what_nobody_told_it),
		cmocka_unit_test(test_random_arrivals_and_recovery),
		cmocka_unit_test(test_table_of_depths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
