/* test_memory.c - what is predicted is what the system gives, token by token (R53); a window's memory stays flat (R54).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "leat/leat.h"
#include "support/oracle.h"

static struct leat_error err = LEAT_ERROR_INIT;

#define MUST(call)                                    \
	do {                                          \
		if ((call) != LEAT_OK)                \
			fail_msg("%s", err.message);  \
	} while (0)

struct bench {
	struct leat_model *m;
	struct leat_engine *e;
	int n_vocab;
};

static struct bench begin(const char *file, const char *kv_type, int n_ctx, int window, int n_batch)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_model_info info = { .struct_size = sizeof info };
	struct bench b = { 0 };
	if (access(source_path(file), R_OK))
		skip();
	MUST(leat_model_open(source_path(file), NULL, &b.m, &err));
	leat_model_get_info(b.m, &info);
	b.n_vocab = info.n_vocab;
	p.n_threads = 1;
	p.n_ctx = n_ctx;
	p.n_batch = n_batch;
	p.window = window;
	p.kv_type = kv_type;
	p.opts = "hugepages=off"; /* so that memory comes in small pages */
	p.mode = LEAT_MODE_DETERMINISTIC;
	MUST(leat_engine_create(b.m, &p, &b.e, &err));
	return b;
}

static void end(struct bench *b)
{
	leat_engine_unref(b->e);
	leat_model_unref(b->m);
}

static struct leat_memory_info memory(struct bench *b)
{
	struct leat_memory_info r = { .struct_size = sizeof r };
	leat_engine_get_memory(b->e, &r);
	return r;
}

/* Feeds the session until it holds n tokens. */
static void feed(struct bench *b, struct leat_session *s, int n)
{
	struct leat_session_info info = { .struct_size = sizeof info };
	struct leat_request_params p;
	struct leat_request *r;
	struct leat_token t = LEAT_TOKEN_INIT;
	int32_t *ids = malloc((size_t)n * sizeof *ids);
	leat_session_get_info(s, &info);
	for (int i = 0; i < n; i++)
		ids[i] = (i * 13 + 5) % b->n_vocab;
	leat_request_params_init(b->m, &p);
	p.tokens = ids + info.n_tokens;
	p.n_tokens = (uint64_t)n - info.n_tokens;
	p.max_tokens = 0;
	p.session = s;
	MUST(leat_request_submit(b->e, &p, &r, &err));
	MUST(leat_request_next(r, &t, &err));
	leat_request_unref(r);
	free(ids);
}

static int within_2_percent(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) * 50 <= (a > b ? a : b);
}

static void test_prediction(void **state)
{
	static const char *const files[] = { "models/demo-qwen2.gguf", "models/demo-rwkv7.gguf",
					     "models/demo-qwen2.gguf" };
	static const char *const caches[] = { NULL, NULL, "q8_0" };
	static const int tokens[] = { 100, 1000, 4000 };
	(void)state;
	for (int f = 0; f < 3; f++) {
		struct bench b = begin(files[f], caches[f], 4096, 0, 64);
		struct leat_session *s;
		MUST(leat_session_create(b.e, &s, &err));
		assert_int_equal(memory(&b).resident_bytes, 0);
		assert_int_equal(leat_engine_predict_bytes(b.e, 0, 1), 0);
		for (int i = 0; i < 3; i++) {
			feed(&b, s, tokens[i]);
			uint64_t want = leat_engine_predict_bytes(b.e, (uint64_t)tokens[i], 1);
			struct leat_memory_info m = memory(&b);
			print_message("%s: %d tokens: predicted %llu, resident %llu\n", files[f], tokens[i],
				      (unsigned long long)want, (unsigned long long)m.resident_bytes);
			assert_true(within_2_percent(want, m.resident_bytes));
			assert_true(m.resident_bytes <= m.reserved_bytes && m.copies_bytes <= m.weights_bytes);
			if (m.page_tokens)
				assert_int_equal(m.used_bytes, want);
			if (f == 2) /* 5 layers, keys and values of 2 heads of 64: two blocks of 34 bytes a head */
				assert_int_equal(m.token_bytes, 5 * 2 * 2 * 2 * 34);
		}
		assert_true(leat_engine_predict_bytes(b.e, 1, 2) == UINT64_MAX);
		leat_session_unref(s);
		end(&b);
	}
}

struct logits {
	float *row[3000];
	size_t n;
};

static int keep(void *user, size_t index, const float *logits, int32_t n_rows)
{
	struct logits *x = user;
	x->row[index] = malloc((size_t)n_rows * sizeof *logits);
	memcpy(x->row[index], logits, (size_t)n_rows * sizeof *logits);
	x->n = index + 1;
	return 0;
}

/* Ten windows long: memory is flat, each row is the one that a single step gives, whose mask has the same window and
 * whose rows are all there, and the first rows are those without a window. */
static void test_window(void **state)
{
	enum { WINDOW = 128, LONG = 1280 };
	struct bench b = begin("models/demo-qwen2.gguf", NULL, 2048, WINDOW, 64);
	struct bench c = begin("models/demo-qwen2.gguf", NULL, 2048, 0, 64);
	/* all in one step: nothing has gone */
	struct bench d = begin("models/demo-qwen2.gguf", NULL, 2048, WINDOW, LONG);
	struct leat_session *s;
	static struct logits with, without, at_once;
	int32_t ids[LONG];
	uint64_t flat = 0;
	(void)state;
	MUST(leat_session_create(b.e, &s, &err));
	for (int n = 128; n <= LONG; n += 128) {
		feed(&b, s, n);
		uint64_t now = memory(&b).resident_bytes;
		if (n == 384)
			flat = now;
		if (n > 384)
			assert_int_equal(now, flat);
		assert_true(now <= leat_engine_predict_bytes(b.e, (uint64_t)n, 1) + 8192);
	}
	for (int i = 0; i < LONG; i++)
		ids[i] = (i * 13 + 5) % b.n_vocab;
	leat_session_unref(s);
	MUST(leat_engine_logits(b.e, ids, LONG, 50, keep, &with, &err));
	MUST(leat_engine_logits(c.e, ids, LONG, 0, keep, &without, &err));
	MUST(leat_engine_logits(d.e, ids, LONG, 0, keep, &at_once, &err));
	struct leat_model_info info = { .struct_size = sizeof info };
	leat_model_get_info(b.m, &info);
	size_t bytes = (size_t)info.n_rows * sizeof(float);
	for (int i = 0; i < WINDOW; i++)
		assert_memory_equal(with.row[i], without.row[i], bytes);
	assert_true(memcmp(with.row[LONG - 1], without.row[LONG - 1], bytes) != 0);
	for (int i = 0; i < LONG; i++) {
		assert_memory_equal(with.row[i], at_once.row[i], bytes);
		free(with.row[i]);
		free(without.row[i]);
		free(at_once.row[i]);
	}
	end(&b);
	end(&c);
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prediction),
		cmocka_unit_test(test_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
