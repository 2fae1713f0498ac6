/* test_text_api.c - rows T11 and T15 of the matrix: ids that are none, and stop strings, over the public interface. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostile/hostile.h"
#include "support/oracle.h"

static struct leat_model *model;
static struct leat_engine *engine;
static int32_t *prompt;
static size_t n_prompt;

static int open_model(void **state)
{
	struct leat_error err = LEAT_ERROR_INIT;
	(void)state;
	if (leat_model_open(source_path("models/demo-qwen2.gguf"), NULL, &model, &err) ||
	    leat_engine_create(model, NULL, &engine, &err) ||
	    leat_model_tokenize(model, "Once upon a time", 16, 0, &prompt, &n_prompt, &err)) {
		print_error("%s\n", err.message);
		return 1;
	}
	return 0;
}

static int close_model(void **state)
{
	(void)state;
	leat_free(prompt);
	leat_engine_unref(engine);
	leat_model_unref(model);
	return 0;
}

static struct leat_request_params greedy(void)
{
	struct leat_request_params p;
	leat_request_params_init(model, &p);
	p.tokens = prompt;
	p.n_tokens = n_prompt;
	p.max_tokens = 40;
	p.temperature = 0;
	p.flags = LEAT_REQUEST_IGNORE_EOS;
	return p;
}

static void refused(const struct leat_request_params *p, enum leat_status want, const char *text)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_request *r = NULL;
	assert_int_equal(leat_request_submit(engine, p, &r, &err), want);
	assert_null(r);
	if (!strstr(err.message, text))
		fail_msg("message '%s' does not hold '%s'", err.message, text);
}

/* T11: ids out of range, wherever a caller can put one. */
static void test_T11(void **state)
{
	struct leat_model_info info = { .struct_size = sizeof info };
	(void)state;
	leat_model_get_info(model, &info);
	const int32_t bad[] = { -1, INT_MIN, INT_MAX, info.n_vocab };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct leat_request_params p = greedy();
		struct leat_error err = LEAT_ERROR_INIT;
		int32_t ids[2] = { prompt[0], bad[i] };
		char shown[16], *text = NULL;
		size_t n;
		snprintf(shown, sizeof shown, "%d", bad[i]);
		p.tokens = ids;
		p.n_tokens = 2;
		refused(&p, LEAT_E_ARG, shown);
		p = greedy();
		p.stop_ids = &bad[i];
		p.n_stop_ids = 1;
		refused(&p, LEAT_E_ARG, shown);
		assert_int_equal(leat_model_detokenize(model, ids, 2, 0, &text, &n, &err), LEAT_E_ARG);
		assert_null(text);
		assert_null(leat_model_token_bytes(model, bad[i], &n));
	}
}

/* The whole answer as text; how it ended into *finish. */
static size_t answer(struct leat_request_params *p, char *dst, size_t cap, int *finish)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_token t = LEAT_TOKEN_INIT;
	struct leat_request *r;
	size_t n = 0;
	if (leat_request_submit(engine, p, &r, &err))
		fail_msg("%s", err.message);
	while (!t.finish) {
		if (leat_request_next(r, &t, &err))
			fail_msg("%s", err.message);
		assert_true(n + t.text_bytes < cap);
		memcpy(dst + n, t.text, (size_t)t.text_bytes);
		n += (size_t)t.text_bytes;
	}
	*finish = t.finish;
	leat_request_unref(r);
	dst[n] = 0;
	return n;
}

/* T15: stop strings across tokens end the answer before them; no, long, many and malformed ones. */
static void test_T15(void **state)
{
	static char whole[4096], cut[4096], big[300];
	const char *many[10000], *stop = "";
	int finish;
	(void)state;
	struct leat_request_params p = greedy();
	size_t n = answer(&p, whole, sizeof whole, &finish);
	assert_int_equal(finish, LEAT_FINISH_LENGTH);
	assert_true(n > 20);
	for (size_t at = 0; at + 12 < n; at++) { /* every place: tokens end somewhere inside */
		char wanted[13];
		memcpy(wanted, whole + at, 12);
		wanted[12] = 0;
		stop = wanted;
		p.stop = &stop;
		p.n_stop = 1;
		size_t first = (size_t)(strstr(whole, wanted) - whole);
		assert_int_equal(answer(&p, cut, sizeof cut, &finish), first);
		assert_int_equal(finish, LEAT_FINISH_STOP);
		assert_memory_equal(cut, whole, first);
	}
	stop = "";
	refused(&p, LEAT_E_ARG, "stop");
	memset(big, 'x', sizeof big - 1);
	stop = big;
	refused(&p, LEAT_E_LIMIT, "stop");
	for (size_t i = 0; i < 10000; i++)
		many[i] = "x";
	p.stop = many;
	p.n_stop = 10000;
	refused(&p, LEAT_E_LIMIT, "10000");
	stop = "\xff\xc0\x80"; /* bytes that no text holds: never met */
	p.stop = &stop;
	p.n_stop = 1;
	assert_int_equal(answer(&p, cut, sizeof cut, &finish), n);
	assert_memory_equal(cut, whole, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_T11), cmocka_unit_test(test_T15) };
	return cmocka_run_group_tests(tests, open_model, close_model);
}
