/* test_api.c - the public interface as a stranger uses it: sizes, errors, reference counts, text, seeds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "leat/leat.h"
#include "support/oracle.h"

static struct leat_model *model;
static struct leat_engine *engine;

static int open_all(void **state)
{
	const char *path = source_path("models/demo-qwen2.gguf");
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	(void)state;
	if (access(path, R_OK))
		return 0; /* every test skips */
	p.n_ctx = 512;
	return leat_model_open(path, NULL, &model, &err) || leat_engine_create(model, &p, &engine, &err);
}

static int close_all(void **state)
{
	(void)state;
	leat_engine_unref(engine);
	leat_model_unref(model);
	return 0;
}

static void need_model(void)
{
	if (!engine)
		skip();
}

static void test_status_texts(void **state)
{
	(void)state;
	assert_string_equal(leat_status_text(LEAT_OK), "success");
	assert_non_null(leat_status_text(12345));
	assert_non_null(leat_status_text(-12345));
	assert_string_equal(leat_version(), "0.1.0");
}

static void test_errors_leave_outputs_alone(void **state)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *m = (struct leat_model *)&err;
	(void)state;
	assert_int_equal(leat_model_open("/nowhere/at/all.gguf", NULL, &m, &err), LEAT_E_NOTFOUND);
	assert_ptr_equal(m, &err);
	assert_int_equal(err.status, LEAT_E_NOTFOUND);
	assert_non_null(strstr(err.message, "/nowhere/at/all.gguf"));
	assert_int_equal(leat_model_open("/nowhere", NULL, &m, NULL), LEAT_E_NOTFOUND);
	assert_int_equal(leat_model_open("", NULL, &m, &err), LEAT_E_ARG);
}

static void test_sizes_are_versions(void **state)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine *e = NULL;
	struct {
		struct leat_engine_params p;
		uint64_t newer; /* a field that a later library would know */
	} q;
	(void)state;
	need_model();
	memset(&q, 0, sizeof q);
	q.p.struct_size = sizeof q;
	q.p.n_ctx = 64;
	assert_int_equal(leat_engine_create(model, &q.p, &e, &err), LEAT_OK); /* zero: not asked for */
	leat_engine_unref(e);
	e = NULL;
	q.newer = 1;
	assert_int_equal(leat_engine_create(model, &q.p, &e, &err), LEAT_E_ABI);
	q.newer = 0;
	q.p.struct_size = 0;
	assert_int_equal(leat_engine_create(model, &q.p, &e, &err), LEAT_E_ABI);
	q.p.struct_size = offsetof(struct leat_engine_params, n_ctx); /* an older caller */
	assert_int_equal(leat_engine_create(model, &q.p, &e, &err), LEAT_OK);
	leat_engine_unref(e);

	unsigned char small[8] = { 8, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa };
	struct leat_model_info *info = (struct leat_model_info *)(void *)small;
	assert_int_equal(leat_model_get_info(model, info), LEAT_OK);
	assert_int_equal(small[0], 8);
	assert_int_equal(small[4], 0); /* .recurrent of an attention model */
}

static void test_wrong_engine_params_are_named(void **state)
{
	static const struct {
		const char *field;
		struct leat_engine_params p;
	} bad[] = {
		{ "n_threads", { .n_threads = -1 } },    { "n_threads", { .n_threads = 1 << 20 } },
		{ "n_seqs", { .n_seqs = -5 } },          { "n_batch", { .n_batch = 1 << 30 } },
		{ "n_ctx", { .n_ctx = -1 } },            { "mode", { .mode = 3 } },
		{ "kv_type", { .kv_type = "q3" } },      { "opt", { .opts = "warp=on" } },
	};
	(void)state;
	need_model();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct leat_error err = LEAT_ERROR_INIT;
		struct leat_engine_params p = bad[i].p;
		struct leat_engine *e = NULL;
		p.struct_size = sizeof p;
		assert_int_equal(leat_engine_create(model, &p, &e, &err), LEAT_E_ARG);
		assert_string_equal(err.where, bad[i].field);
		assert_null(e);
	}
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e = NULL;
	p.n_ctx = INT32_MAX;
	p.n_seqs = 1024;
	assert_int_equal(leat_engine_create(model, &p, &e, &err), LEAT_E_CONTEXT);
	assert_non_null(strstr(err.message, "tokens fit"));
}

static void test_wrong_request_params_are_named(void **state)
{
	static const int32_t prompt[] = { 400, 401, 402 };
	static const int32_t outside[] = { 400, 1 << 24 };
	struct leat_request_params p;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_request *r = NULL;
	(void)state;
	need_model();
	leat_request_params_init(model, &p);
	p.tokens = prompt;
	assert_int_equal(leat_request_submit(engine, &p, &r, &err), LEAT_E_ARG); /* no tokens */
	p.tokens = outside;
	p.n_tokens = 2;
	assert_int_equal(leat_request_submit(engine, &p, &r, &err), LEAT_E_ARG);
	p.tokens = prompt;
	p.temperature = NAN;
	assert_int_equal(leat_request_submit(engine, &p, &r, &err), LEAT_E_ARG);
	p.temperature = 1;
	p.max_tokens = 0;
	assert_int_equal(leat_request_submit(engine, &p, &r, &err), LEAT_E_ARG);
	p.max_tokens = 5;
	p.n_logit_bias = 1 << 20;
	assert_int_equal(leat_request_submit(engine, &p, &r, &err), LEAT_E_LIMIT);
	p.n_logit_bias = 0;
	p.n_tokens = (uint64_t)1 << 60;
	assert_int_equal(leat_request_submit(engine, &p, &r, &err), LEAT_E_CONTEXT);
	p.n_tokens = 3;
	assert_int_equal(leat_request_submit(engine, &p, &r, &err), LEAT_OK); /* nothing was leaked: the slot is free */
	leat_request_unref(r);
}

/* What a later library may do for a bit, this one does not pretend to do. */
static void test_unknown_flags_are_refused(void **state)
{
	static const struct leat_message message = { "user", "a", 1 };
	struct leat_model_params mp = LEAT_MODEL_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *m = NULL;
	int32_t *ids = NULL, one = 1;
	size_t n = 0;
	char *text = NULL;
	(void)state;
	need_model();
	mp.flags = LEAT_MODEL_VOCAB_ONLY | 1u << 30;
	assert_int_equal(leat_model_open("/nowhere", &mp, &m, &err), LEAT_E_ARG);
	assert_string_equal(err.where, "flags");
	assert_non_null(strstr(err.message, "0x40000000"));
	mp.flags = 0;
	mp.reserved0 = 1;
	assert_int_equal(leat_model_open("/nowhere", &mp, &m, &err), LEAT_E_ARG);
	assert_string_equal(err.where, "reserved0");
	mp.reserved0 = 0;
	mp.load_mode = LEAT_LOAD_MLOCK + 1;
	assert_int_equal(leat_model_open("/nowhere", &mp, &m, &err), LEAT_E_ARG);
	assert_string_equal(err.where, "load_mode");
	assert_int_equal(leat_model_tokenize(model, "a", 1, 8, &ids, &n, &err), LEAT_E_ARG);
	assert_int_equal(leat_model_detokenize(model, &one, 1, LEAT_TEXT_PARSE_SPECIAL, &text, &n, &err), LEAT_E_ARG);
	assert_int_equal(leat_model_chat_tokens(model, "chatml", &message, 1, 64, &ids, &n, &err), LEAT_E_ARG);
	assert_int_equal(leat_model_chat_text(model, "chatml", &message, 1, 64, &text, &n, &err), LEAT_E_ARG);
	assert_null(ids);
	assert_null(text);
}

static void test_request_flags_and_arrays(void **state)
{
	static const int32_t prompt[] = { 1 };
	static const char *const stops[] = { "a", NULL };
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_request_params p;
	struct leat_request *r = NULL;
	static const struct {
		const char *where;
		uint32_t flags;
		int32_t reserved, n_bias, n_stop, n_stop_ids;
	} bad[] = { { "flags", 1u << 20, 0, 0, 0, 0 }, { "reserved0", 0, 7, 0, 0, 0 }, { "logit_bias", 0, 0, 1, 0, 0 },
		    { "stop", 0, 0, 0, 2, 0 },         { "stop_ids", 0, 0, 0, 0, 3 } };
	(void)state;
	need_model();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		leat_request_params_init(model, &p);
		p.tokens = prompt;
		p.n_tokens = 1;
		p.flags |= bad[i].flags;
		p.reserved0 = bad[i].reserved;
		p.n_logit_bias = bad[i].n_bias; /* of none */
		p.stop = stops;
		p.n_stop = bad[i].n_stop;
		p.n_stop_ids = bad[i].n_stop_ids;
		assert_int_equal(leat_request_submit(engine, &p, &r, &err), LEAT_E_ARG);
		assert_string_equal(err.where, bad[i].where);
		assert_null(r);
	}
}

/* Text of a sampled request (free). */
static char *sample(uint64_t seed, unsigned flags, uint64_t *ret_seed)
{
	static const int32_t prompt[] = { 400, 401, 402 };
	struct leat_request_params p;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_request *r = NULL;
	struct leat_token t = LEAT_TOKEN_INIT;
	struct leat_request_stats s = { .struct_size = sizeof s };
	char *text = calloc(1, 1 << 16);
	leat_request_params_init(model, &p);
	p.tokens = prompt;
	p.n_tokens = 3;
	p.max_tokens = 40;
	p.temperature = 1.5f;
	p.min_p = 0;
	p.top_k = 0;
	p.top_p = 1;
	p.seed = seed;
	p.flags = flags | LEAT_REQUEST_IGNORE_EOS;
	assert_int_equal(leat_request_submit(engine, &p, &r, &err), LEAT_OK);
	do {
		assert_int_equal(leat_request_next(r, &t, &err), LEAT_OK);
		assert_true(t.prob > 0 && t.prob <= 1 && fabsf(logf(t.prob) - t.logprob) < 1e-3f);
		strncat(text, t.text, t.text_bytes);
	} while (!t.finish);
	leat_request_get_stats(r, &s);
	assert_int_equal(s.n_prompt + s.n_cached, 3);
	assert_int_equal(s.n_generated, 40);
	assert_true(s.generate_ns > 0 && s.prompt_ns > 0);
	*ret_seed = s.seed;
	leat_request_unref(r);
	return text;
}

static void test_seed_is_reported_and_replays(void **state)
{
	uint64_t drawn, again, other;
	(void)state;
	need_model();
	char *a = sample(0, LEAT_REQUEST_RANDOM_SEED, &drawn);
	char *b = sample(drawn, 0, &again);
	char *c = sample(drawn + 1, 0, &other);
	assert_int_equal(drawn, again);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	free(a);
	free(b);
	free(c);
}

static void test_text_round_trip(void **state)
{
	static const char text[] =
		"Once upon a time, 3 na\xc3\xafve \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x99\x82 <|im_end|>\n\n\ttab";
	struct leat_error err = LEAT_ERROR_INIT;
	int32_t *ids = NULL, wrong = -1;
	char *back = NULL;
	size_t n = 0, bytes = 0;
	(void)state;
	need_model();
	assert_int_equal(leat_model_tokenize(model, text, sizeof text - 1, 0, &ids, &n, &err), LEAT_OK);
	assert_int_equal(leat_model_detokenize(model, ids, n, LEAT_TEXT_SPECIAL, &back, &bytes, &err), LEAT_OK);
	assert_int_equal(bytes, sizeof text - 1);
	assert_memory_equal(back, text, bytes + 1);
	leat_free(ids);
	leat_free(back);
	assert_int_equal(leat_model_detokenize(model, &wrong, 1, 0, &back, &bytes, &err), LEAT_E_ARG);
	assert_null(leat_model_token_bytes(model, 1 << 24, &n));
	assert_int_equal(leat_model_tokenize(model, text, 0, 0, &ids, &n, &err), LEAT_OK);
	assert_int_equal(n, 0);
}

static void test_engine_keeps_its_model(void **state)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *m = NULL;
	struct leat_engine *e = NULL;
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine_info info = { .struct_size = sizeof info };
	(void)state;
	need_model();
	p.n_ctx = 64;
	assert_int_equal(leat_model_open(source_path("models/demo-rwkv7.gguf"), NULL, &m, &err), LEAT_OK);
	assert_int_equal(leat_engine_create(m, &p, &e, &err), LEAT_OK);
	leat_model_unref(m);
	assert_int_equal(leat_engine_get_info(e, &info), LEAT_OK);
	assert_non_null(strstr(info.device, "CPU"));
	leat_engine_unref(e);
}

/* A request pins its engine, and that its model: any order of letting go is fine. */
static void test_request_keeps_its_engine(void **state)
{
	static const int32_t prompt[] = { 400, 401, 402 };
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *m = NULL;
	struct leat_engine *e = NULL;
	struct leat_request *r = NULL;
	struct leat_request_params p;
	struct leat_token t = LEAT_TOKEN_INIT;
	(void)state;
	need_model();
	assert_int_equal(leat_model_open(source_path("models/demo-rwkv7.gguf"), NULL, &m, &err), LEAT_OK);
	assert_int_equal(leat_engine_create(m, NULL, &e, &err), LEAT_OK);
	leat_request_params_init(m, &p);
	p.tokens = prompt;
	p.n_tokens = 3;
	assert_int_equal(leat_request_submit(e, &p, &r, &err), LEAT_OK);
	leat_model_unref(m);
	leat_engine_unref(e);
	assert_int_equal(leat_request_next(r, &t, &err), LEAT_OK);
	leat_request_unref(r);
}

static void test_vocabulary_only(void **state)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *m = NULL;
	struct leat_engine *e = NULL;
	struct leat_model_params p = LEAT_MODEL_PARAMS_INIT;
	(void)state;
	need_model();
	p.flags = LEAT_MODEL_VOCAB_ONLY;
	assert_int_equal(leat_model_open(source_path("models/demo-rwkv7.gguf"), &p, &m, &err), LEAT_OK);
	assert_int_equal(leat_engine_create(m, NULL, &e, &err), LEAT_E_ARG);
	leat_model_unref(m);
}

static int stop_at_once(void *user, const char *phase, uint64_t done, uint64_t total)
{
	(void)phase;
	assert_true(done <= total);
	return ++*(int *)user;
}

static void test_progress_can_cancel(void **state)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *m = NULL;
	struct leat_model_params p = LEAT_MODEL_PARAMS_INIT;
	int calls = 0;
	(void)state;
	need_model();
	p.progress = stop_at_once;
	p.progress_user = &calls;
	assert_int_equal(leat_model_open(source_path("models/demo-rwkv7.gguf"), &p, &m, &err), LEAT_E_CANCELLED);
	assert_int_equal(calls, 1);
	assert_null(m);
}

struct bytes_seen {
	uint64_t done, total;
	int calls, fell;
};

static int see_bytes(void *user, const char *phase, uint64_t done, uint64_t total)
{
	struct bytes_seen *s = user;
	if (strcmp(phase, "weights") != 0)
		return 0;
	s->fell |= done < s->done || done > total;
	s->done = done;
	s->total = total;
	s->calls++;
	return 0;
}

static void test_load_modes(void **state)
{
	(void)state;
	struct leat_error err = LEAT_ERROR_INIT;
	for (int32_t mode = -1; mode <= LEAT_LOAD_MLOCK + 1; mode++) {
		struct leat_model_params p = LEAT_MODEL_PARAMS_INIT;
		struct bytes_seen seen = {0, 0, 0, 0};
		struct leat_model *m = NULL;
		p.load_mode = mode;
		p.progress = see_bytes;
		p.progress_user = &seen;
		int32_t st = leat_model_open(source_path("models/demo-qwen2.gguf"), &p, &m, &err);
		if (mode < 0 || mode > LEAT_LOAD_MLOCK) {
			assert_int_equal(st, LEAT_E_ARG);
			assert_string_equal(err.where, "load_mode");
			continue;
		}
		if ((mode == LEAT_LOAD_DIRECT && st == LEAT_E_UNSUPPORTED) ||
		    (mode == LEAT_LOAD_MLOCK && st == LEAT_E_NOMEM))
			continue;
		assert_int_equal(st, LEAT_OK);
		assert_true(seen.calls >= 2 && !seen.fell && seen.total > 0 && seen.done == seen.total);
		leat_model_unref(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_texts),
		cmocka_unit_test(test_errors_leave_outputs_alone),
		cmocka_unit_test(test_sizes_are_versions),
		cmocka_unit_test(test_wrong_engine_params_are_named),
		cmocka_unit_test(test_wrong_request_params_are_named),
		cmocka_unit_test(test_seed_is_reported_and_replays),
		cmocka_unit_test(test_text_round_trip),
		cmocka_unit_test(test_engine_keeps_its_model),
		cmocka_unit_test(test_request_keeps_its_engine),
		cmocka_unit_test(test_vocabulary_only),
		cmocka_unit_test(test_progress_can_cancel),
		cmocka_unit_test(test_load_modes),
		cmocka_unit_test(test_unknown_flags_are_refused),
		cmocka_unit_test(test_request_flags_and_arrays),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
