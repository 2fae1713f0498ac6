/* The chain as its users see it: greedy, distribution, streams, refusals, non-finite rows, memory, speed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "plan/draw.h"
#include "sample/sample.h"

enum { QWEN_VOCAB = 151936 };

/* ---- counting allocations: this program's own malloc in front of glibc's; sanitizers bring theirs ---------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define COUNTS_ALLOCATIONS 0
#endif
#endif
#if !defined(COUNTS_ALLOCATIONS) && defined(__GLIBC__)
#define COUNTS_ALLOCATIONS 1
#endif

static long n_allocations;
#if COUNTS_ALLOCATIONS
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t n);

void *malloc(size_t n)
{
	n_allocations++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	n_allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *old, size_t n)
{
	n_allocations++;
	return __libc_realloc(old, n);
}
#endif

/* ---- helpers ----------------------------------------------------------------------------------------------------- */

static struct leat_sampler *chain(const struct leat_sample_params *p, int n_vocab)
{
	struct leat_sampler *s = NULL;
	assert_int_equal(leat_sampler_create(p, n_vocab, &s, NULL), LEAT_OK);
	return s;
}

static struct leat_sample_params defaults(void)
{
	struct leat_sample_params p;
	leat_sample_params_init(&p);
	return p;
}

static struct leat_drawn draw(struct leat_sampler *s, const float *logits, uint64_t position)
{
	struct leat_drawn drawn;
	assert_int_equal(leat_sampler_draw(s, logits, position, &drawn, NULL), LEAT_OK);
	return drawn;
}

static float normal(uint64_t i)
{
	uint64_t r = leat_draw_random(99, 0, i);
	double u = ((double)(uint32_t)r + 1.0) * 0x1p-33;
	return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * (double)(r >> 32) * 0x1p-32));
}

/* ---- greedy
 * -------------------------------------------------------------------------------------------------------- */

static void test_E07_greedy_takes_the_lowest_of_equals(void **state)
{
	(void)state;
	float logits[300];
	struct leat_sample_params p = defaults();
	p.temperature = 0.0f;
	p.top_k = 3;
	p.typical_p = 0.1f;
	struct leat_sampler *s = chain(&p, 300);
	for (int first = 0; first < 300; first += 13) {
		for (int i = 0; i < 300; i++)
			logits[i] = i >= first && (i - first) % 29 == 0 ? 2.5f : normal((uint64_t)i) - 4.0f;
		assert_int_equal(draw(s, logits, 0).id, first);
	}
	memset(logits, 0, sizeof logits);
	logits[0] = -0.0f;
	assert_int_equal(draw(s, logits, 0).id, 0);
	leat_sampler_destroy(s);
}

static void greedy_heeds_bias_and_penalties(void **state)
{
	(void)state;
	float logits[100] = {0};
	struct leat_logit_bias bias[] = {{40, -INFINITY}, {70, 1.5f}};
	struct leat_sample_params p = defaults();
	p.temperature = 0.0f;
	p.bias = bias;
	p.n_bias = 2;
	p.presence_penalty = 1.0f;
	p.repeat_last_n = 2;
	logits[40] = 9.0f;
	logits[50] = 3.0f;
	logits[60] = 2.5f;
	logits[70] = 1.2f;
	struct leat_sampler *s = chain(&p, 100);
	bias[0].id = 50; /* the chain has its own copy */
	assert_int_equal(draw(s, logits, 0).id, 50);
	leat_sampler_accept(s, 50);
	assert_int_equal(draw(s, logits, 0).id, 70);
	leat_sampler_accept(s, 70);
	assert_int_equal(draw(s, logits, 0).id, 60);
	leat_sampler_accept(s, 60); /* 50 leaves the window */
	assert_int_equal(draw(s, logits, 0).id, 50);
	leat_sampler_accept(s, -1);
	leat_sampler_accept(s, 100);
	assert_int_equal(draw(s, logits, 0).id, 50);
	leat_sampler_destroy(s);
}

/* ---- the draw
 * ------------------------------------------------------------------------------------------------------ */

/* Chi-square over 20 tokens: 19 degrees of freedom, 43.8 is exceeded once in a thousand draws of a true chain. */
static void draws_follow_the_distribution(void **state)
{
	(void)state;
	enum { N = 20, DRAWS = 40000 };
	static const float temperatures[] = {0.5f, 0.8f, 1.0f, 1.7f, 5.0f};
	float logits[N];
	for (int i = 0; i < N; i++)
		logits[i] = normal((uint64_t)i) * 0.8f;
	for (size_t t = 0; t < sizeof temperatures / sizeof *temperatures; t++) {
		struct leat_sample_params p = defaults();
		int seen[N] = {0};
		double total = 0.0;
		double chi = 0.0;
		p.seed = 42 + t;
		p.temperature = temperatures[t];
		struct leat_sampler *s = chain(&p, N);
		for (uint64_t i = 0; i < DRAWS; i++)
			seen[draw(s, logits, i).id]++;
		leat_sampler_destroy(s);
		for (int i = 0; i < N; i++)
			total += exp((double)logits[i] / (double)p.temperature);
		for (int i = 0; i < N; i++) {
			double wanted = DRAWS * exp((double)logits[i] / (double)p.temperature) / total;
			chi += (seen[i] - wanted) * (seen[i] - wanted) / wanted;
		}
		print_message("temperature %.1f: chi-square %.1f of 19 degrees\n", (double)p.temperature, chi);
		assert_true(chi < 43.8);
		assert_true(chi > 4.0); /* nor too good to be random */
	}
}

static void streams_differ_and_repeat(void **state)
{
	(void)state;
	enum { N = 1000, LENGTH = 64 };
	float logits[N] = {0};
	int32_t ids[4][LENGTH];
	for (uint32_t i = 0; i < 4; i++) {
		struct leat_sample_params p = defaults();
		p.seed = i == 1 ? 8 : 7;
		p.choice = i == 2;
		struct leat_sampler *s = chain(&p, N);
		/* the last chain draws backwards: only the position counts */
		for (int k = 0; k < LENGTH; k++) {
			int at = i == 3 ? LENGTH - 1 - k : k;
			ids[i][at] = draw(s, logits, (uint64_t)at).id;
		}
		leat_sampler_destroy(s);
	}
	assert_memory_equal(ids[0], ids[3], sizeof ids[0]);
	for (int i = 1; i < 3; i++) {
		int same = 0;
		for (int k = 0; k < LENGTH; k++)
			same += ids[0][k] == ids[i][k];
		assert_true(same <= 3); /* 64 chances of one in a thousand */
	}
}

/* The law of draw.h by another route: weights of blocks computed last to first, their sums added in a scattered
 * order, the id found by a bisection over block sums, as a device would. */
static int32_t draw_in_other_order(const float *logits, int n, float temperature, uint64_t u)
{
	enum { BLOCK = 128, BLOCKS = 64 };
	uint64_t sums[BLOCKS] = {0};
	uint64_t total = 0;
	float max = -INFINITY;
	float inv = leat_draw_inv_temperature(temperature);
	for (int i = n - 1; i >= 0; i--)
		max = logits[i] > max ? logits[i] : max;
	for (int i = n - 1; i >= 0; i--)
		sums[i / BLOCK] += leat_draw_weight(leat_draw_scale(logits[i], max, inv));
	for (int b = 0; b < BLOCKS; b++)
		total += sums[b * 37 % BLOCKS];
	uint64_t t = leat_draw_point(u, total);
	int b = 0;
	while (t >= sums[b])
		t -= sums[b++];
	uint64_t tail = sums[b];
	int i = b * BLOCK + BLOCK - 1 < n ? b * BLOCK + BLOCK - 1 : n - 1;
	for (;; i--) {
		tail -= leat_draw_weight(leat_draw_scale(logits[i], max, inv));
		if (tail <= t)
			return i;
	}
}

static void order_of_evaluation_changes_nothing(void **state)
{
	(void)state;
	enum { N = 8000 };
	static float logits[N];
	struct leat_sample_params p = defaults();
	p.seed = 5;
	p.temperature = 1.3f;
	struct leat_sampler *s = chain(&p, N);
	for (uint64_t k = 0; k < 300; k++) {
		for (uint64_t i = 0; i < N; i++)
			logits[i] = 3.0f * normal(k * 1000 + i);
		int32_t id = draw_in_other_order(logits, N, p.temperature, leat_draw_random(5, 0, k));
		assert_int_equal(draw(s, logits, k).id, id);
	}
	leat_sampler_destroy(s);
}

static void prob_is_the_models_own(void **state)
{
	(void)state;
	enum { N = 777 };
	float logits[N];
	struct leat_logit_bias bias = {3, 30.0f};
	struct leat_sample_params p = defaults();
	p.temperature = 2.0f;
	p.top_k = 5;
	p.bias = &bias;
	p.n_bias = 1;
	struct leat_sampler *s = chain(&p, N);
	for (uint64_t k = 0; k < 100; k++) {
		double total = 0.0;
		for (uint64_t i = 0; i < N; i++)
			logits[i] = (float)k * 0.3f * normal(k * 50 + i);
		for (int i = 0; i < N; i++)
			total += exp((double)logits[i]);
		struct leat_drawn d = draw(s, logits, k);
		double wanted = (double)logits[d.id] - log(total);
		assert_true(fabs((double)d.logprob - wanted) <= 1e-6 * (1.0 - wanted));
		assert_true(d.prob > 0.0f && d.prob <= 1.0f);
		assert_true(wanted < -80.0 || fabs((double)d.prob / exp(wanted) - 1.0) < 1e-4);
	}
	leat_sampler_destroy(s);
}

/* ---- edges
 * --------------------------------------------------------------------------------------------------------- */

static void padding_rows_are_never_read(void **state)
{
	(void)state;
	enum { N = 70, ROWS = 128 };
	float logits[ROWS];
	for (int t = 0; t < 2; t++) {
		struct leat_sample_params p = defaults();
		p.temperature = t ? 100.0f : 0.0f;
		struct leat_sampler *s = chain(&p, N);
		for (int i = 0; i < ROWS; i++)
			logits[i] = i < N ? (float)(i % 7) : i % 2 ? 1000.0f : NAN;
		for (uint64_t k = 0; k < 500; k++)
			assert_in_range(draw(s, logits, k).id, 0, N - 1);
		leat_sampler_destroy(s);
	}
}

static void test_E07_E08_one_token_and_equal_tokens(void **state)
{
	(void)state;
	static float logits[QWEN_VOCAB];
	struct leat_sample_params p = defaults();
	p.top_p = 0.5f;
	p.typical_p = 0.999f;
	p.min_p = 0.1f;
	struct leat_sampler *s = chain(&p, 1);
	logits[0] = -50.0f;
	struct leat_drawn d = draw(s, logits, 3);
	assert_int_equal(d.id, 0);
	assert_true(d.prob > 0.999999f && d.logprob > -1e-6f && d.logprob <= 0.0f);
	leat_sampler_destroy(s);
	logits[0] = 0.0f;
	s = chain(&p, QWEN_VOCAB);
	int low = 0;
	for (uint64_t k = 0; k < 20; k++) {
		d = draw(s, logits, k);
		assert_in_range(d.id, 0, QWEN_VOCAB / 2);
		low += d.id < QWEN_VOCAB / 4;
	}
	assert_in_range(low, 4, 16);
	leat_sampler_destroy(s);
	p = defaults();
	p.top_k = 100;
	s = chain(&p, QWEN_VOCAB);
	for (uint64_t k = 0; k < 20; k++)
		assert_in_range(draw(s, logits, k).id, 0, 99);
	leat_sampler_destroy(s);
}

/* Looking at a row first changes nothing, whatever is drawn from next. */
static void a_look_changes_no_draw(void **state)
{
	(void)state;
	enum { N = 1000 };
	static float a[N], b[N];
	struct leat_sample_params p = defaults();
	struct leat_drawn drawn;
	for (int i = 0; i < N; i++) {
		a[i] = 3.0f * normal((uint64_t)i);
		b[i] = 3.0f * normal((uint64_t)(N + i));
	}
	for (int greedy = 0; greedy < 2; greedy++) {
		p.temperature = greedy ? 0.0f : 0.8f;
		struct leat_sampler *plain = chain(&p, N), *s = chain(&p, N);
		for (uint64_t at = 0; at < 50; at++) {
			struct leat_drawn want_a = draw(plain, a, at), want_b = draw(plain, b, at);
			leat_sampler_look(s, a);
			struct leat_drawn got = draw(s, at % 2 ? a : b, at);
			assert_memory_equal(&got, at % 2 ? &want_a : &want_b, sizeof got);
			got = draw(s, a, at);
			assert_memory_equal(&got, &want_a, sizeof got);
		}
		a[7] = NAN;
		leat_sampler_look(s, a);
		assert_int_equal(leat_sampler_draw(s, a, 0, &drawn, NULL), LEAT_E_NONFINITE);
		a[7] = 0.0f;
		assert_int_equal(draw(s, a, 0).id, draw(plain, a, 0).id);
		leat_sampler_destroy(plain);
		leat_sampler_destroy(s);
	}
}

static void test_E07_rows_that_are_not_finite(void **state)
{
	(void)state;
	float logits[150];
	struct leat_logit_bias forbid[150];
	for (int greedy = 0; greedy < 2; greedy++) {
		struct leat_sample_params p = defaults();
		struct leat_drawn drawn = {.id = -77};
		struct leat_error err = {0};
		p.temperature = greedy ? 0.0f : 0.7f;
		struct leat_sampler *s = chain(&p, 150);
		for (int i = 0; i < 150; i++) {
			forbid[i] = (struct leat_logit_bias){i, -INFINITY};
			for (int k = 0; k < 150; k++)
				logits[k] = -INFINITY;
			logits[(i + 1) % 150] = -1000.0f;
			assert_int_equal(draw(s, logits, 1).id, (i + 1) % 150);
			logits[i] = i % 2 ? NAN : INFINITY;
			assert_int_equal(leat_sampler_draw(s, logits, 1, &drawn, &err), LEAT_E_NONFINITE);
			logits[i] = logits[(i + 1) % 150] = -INFINITY;
			assert_int_equal(leat_sampler_draw(s, logits, 1, &drawn, &err), LEAT_E_NONFINITE);
		}
		leat_sampler_destroy(s);
		p.bias = forbid;
		p.n_bias = 150;
		s = chain(&p, 150);
		memset(logits, 0, sizeof logits);
		assert_int_equal(leat_sampler_draw(s, logits, 1, &drawn, &err), LEAT_E_NONFINITE);
		assert_int_equal(drawn.id, -77);
		leat_sampler_destroy(s);
	}
}

/* Numbers so small that some processors round them to zero, and rows of nothing else: a distribution all the same. */
static void test_E07_denormals(void **state)
{
	(void)state;
	float logits[64];
	for (int greedy = 0; greedy < 2; greedy++) {
		struct leat_sample_params p = defaults();
		p.temperature = greedy ? 0.0f : 1e-3f;
		struct leat_sampler *s = chain(&p, 64);
		for (int i = 0; i < 64; i++)
			logits[i] = (float)(64 - i) * -1e-42f;
		struct leat_drawn d = draw(s, logits, 5);
		assert_in_range(d.id, 0, 63);
		assert_true(d.prob > 0.9f / 64 && d.prob < 1.1f / 64);
		logits[17] = 1e-41f;
		assert_true(!greedy || draw(s, logits, 5).id == 17);
		leat_sampler_destroy(s);
	}
}

/* ---- refusals
 * ------------------------------------------------------------------------------------------------------ */

static void refused(const struct leat_sample_params *p, int n_vocab, const char *where)
{
	struct leat_sampler *s = (struct leat_sampler *)(uintptr_t)1;
	struct leat_error err = {0};
	assert_int_equal(leat_sampler_create(p, n_vocab, &s, &err), LEAT_E_ARG);
	assert_true(s == (struct leat_sampler *)(uintptr_t)1);
	assert_string_equal(err.where, where);
	assert_non_null(strstr(err.message, where));
}

static void every_bad_float_is_named(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t offset;
		float bad[3];
		float good[2];
	} rows[] = {
#define ROW(field) #field, offsetof(struct leat_sample_params, field)
		{ROW(temperature), {-0.1f, 100.1f, -INFINITY}, {0.0f, 100.0f}},
		{ROW(top_p), {0.0f, 1.01f, -0.5f}, {1e-30f, 1.0f}},
		{ROW(min_p), {-0.01f, 1.0f, 2.0f}, {0.0f, 0.999f}},
		{ROW(typical_p), {0.0f, 1.01f, -0.5f}, {1e-30f, 1.0f}},
		{ROW(repeat_penalty), {0.0f, 100.5f, -1.0f}, {0.01f, 100.0f}},
		{ROW(presence_penalty), {-101.0f, 101.0f, INFINITY}, {-100.0f, 100.0f}},
		{ROW(frequency_penalty), {-101.0f, 101.0f, INFINITY}, {-100.0f, 100.0f}},
		{ROW(penalty_decay), {0.0f, 1.1f, -0.5f}, {0.5f, 1.0f}},
#undef ROW
	};
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
		struct leat_sample_params p = defaults();
		float *field = (float *)(void *)((char *)&p + rows[r].offset);
		*field = NAN;
		refused(&p, 10, rows[r].name);
		for (int i = 0; i < 3; i++) {
			*field = rows[r].bad[i];
			refused(&p, 10, rows[r].name);
		}
		for (int i = 0; i < 2; i++) {
			float logits[10] = {0};
			*field = rows[r].good[i];
			struct leat_sampler *s = chain(&p, 10);
			leat_sampler_accept(s, 4);
			assert_in_range(draw(s, logits, 0).id, 0, 9);
			leat_sampler_destroy(s);
		}
	}
}

static void every_bad_integer_is_named(void **state)
{
	(void)state;
	struct leat_logit_bias bias = {10, 0.0f};
	struct leat_sample_params p = defaults();
	refused(&p, 0, "n_vocab");
	refused(&p, (1 << 20) + 1, "n_vocab");
	p.top_k = -1;
	refused(&p, 10, "top_k");
	p = defaults();
	p.repeat_last_n = -2;
	refused(&p, 10, "repeat_last_n");
	p.repeat_last_n = INT32_MAX;
	refused(&p, 10, "repeat_last_n");
	p = defaults();
	p.bias = &bias;
	p.n_bias = 1;
	refused(&p, 10, "logit_bias");
	bias.id = -1;
	refused(&p, 10, "logit_bias");
	bias = (struct leat_logit_bias){1, NAN};
	refused(&p, 10, "logit_bias");
	bias.bias = INFINITY;
	refused(&p, 10, "logit_bias");
	p.n_bias = -1;
	refused(&p, 10, "logit_bias");
	p.n_bias = LEAT_MAX_LOGIT_BIAS + 1;
	refused(&p, 10, "logit_bias");
	p.n_bias = 1;
	p.bias = NULL;
	refused(&p, 10, "logit_bias");
}

static void bad_orders_are_named(void **state)
{
	(void)state;
	static const char *const bad[][2] = {
		{"top_k;topp", "'topp'"}, {"top_k;;top_p", "''"}, {"top_k;", "''"}, {";", "''"},
		{"top_k;top_k", "twice"},
		{"bias", "'bias'"}, {"Top_K", "'Top_K'"}, {"top_k ;top_p", "'top_k '"}, {"\x01\xff", "\\x01\\xFF"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct leat_sample_params p = defaults();
		struct leat_error err = {0};
		struct leat_sampler *s = NULL;
		p.order = bad[i][0];
		assert_int_equal(leat_sampler_create(&p, 10, &s, &err), LEAT_E_ARG);
		assert_string_equal(err.where, "samplers");
		assert_non_null(strstr(err.message, bad[i][1]));
		assert_non_null(strstr(err.message, "typical_p"));
		assert_non_null(strstr(err.message, "penalties"));
	}
	struct leat_sample_params p = defaults();
	p.order = "";
	leat_sampler_destroy(chain(&p, 10));
	leat_sampler_destroy(NULL);
}

/* ---- memory and time
 * ------------------------------------------------------------------------------------------------ */

static void wide_logits(float *logits)
{
	for (uint64_t i = 0; i < QWEN_VOCAB; i++)
		logits[i] = 3.5f * normal(i);
	logits[777] = 18.0f;
}

static void nothing_is_allocated_while_drawing(void **state)
{
	(void)state;
	static float logits[QWEN_VOCAB];
	struct leat_logit_bias bias = {9, 1.0f};
	if (!COUNTS_ALLOCATIONS) {
		print_message("skipped: a sanitizer owns malloc\n");
		skip();
	}
	wide_logits(logits);
	for (int decays = 0; decays < 2; decays++) {
		struct leat_sample_params p = defaults();
		p.top_k = 40;
		p.top_p = 0.95f;
		p.min_p = 0.01f;
		p.typical_p = 0.99f;
		p.presence_penalty = p.frequency_penalty = 0.3f;
		p.penalty_decay = decays ? 0.9f : 1.0f;
		p.bias = &bias;
		p.n_bias = 1;
		long before = n_allocations;
		struct leat_sampler *s = chain(&p, QWEN_VOCAB);
		assert_true(n_allocations > before); /* the counter counts */
		before = n_allocations;
		for (uint64_t i = 0; i < 50; i++)
			leat_sampler_accept(s, draw(s, logits, i).id);
		for (int32_t i = 0; i < 20000; i++)
			leat_sampler_accept(s, i);
		assert_int_equal(n_allocations, before);
		leat_sampler_destroy(s);
	}
}

static void time_one(const char *name, const struct leat_sample_params *p, const float *logits)
{
	struct leat_sampler *s = chain(p, QWEN_VOCAB);
	uint64_t best = UINT64_MAX;
	for (uint64_t i = 0; i < 12; i++) {
		uint64_t start = leat_now_ns();
		draw(s, logits, i);
		uint64_t ns = leat_now_ns() - start;
		best = ns < best ? ns : best;
	}
	print_message("  %-28s %8llu ns per draw\n", name, (unsigned long long)best);
	leat_sampler_destroy(s);
}

/* Prints; asserts nothing, since the machine is shared. */
static void time_of_a_draw(void **state)
{
	(void)state;
	static float logits[QWEN_VOCAB];
	struct leat_sample_params p = defaults();
	wide_logits(logits);
	print_message("vocabulary %d, best of 12:\n", QWEN_VOCAB);
	p.temperature = 0.0f;
	time_one("greedy", &p, logits);
	p.temperature = 0.8f;
	time_one("temperature 0.8", &p, logits);
	p.top_k = 40;
	p.top_p = 0.95f;
	p.min_p = 0.05f;
	time_one("top-k 40, top-p, min-p", &p, logits);
	p = defaults();
	p.top_p = 0.95f;
	time_one("top-p 0.95", &p, logits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_E07_greedy_takes_the_lowest_of_equals),
		cmocka_unit_test(greedy_heeds_bias_and_penalties),
		cmocka_unit_test(draws_follow_the_distribution),
		cmocka_unit_test(streams_differ_and_repeat),
		cmocka_unit_test(order_of_evaluation_changes_nothing),
		cmocka_unit_test(prob_is_the_models_own),
		cmocka_unit_test(padding_rows_are_never_read),
		cmocka_unit_test(test_E07_E08_one_token_and_equal_tokens),
		cmocka_unit_test(test_E07_rows_that_are_not_finite),
		cmocka_unit_test(test_E07_denormals),
		cmocka_unit_test(every_bad_float_is_named),
		cmocka_unit_test(every_bad_integer_is_named),
		cmocka_unit_test(bad_orders_are_named),
		cmocka_unit_test(a_look_changes_no_draw),
		cmocka_unit_test(nothing_is_allocated_while_drawing),
		cmocka_unit_test(time_of_a_draw),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
