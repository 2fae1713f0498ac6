/* test_abi.c - programs and libraries of different ages: sizes of structures, versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "leat/leat.h"
#include "support/oracle.h"

static void versions(void **state)
{
	char wanted[32];
	(void)state;
	snprintf(wanted, sizeof wanted, "%d.%d.%d", LEAT_VERSION_MAJOR, LEAT_VERSION_MINOR, LEAT_VERSION_PATCH);
	assert_string_equal(leat_version(), wanted);
	assert_int_equal(leat_abi_version(), LEAT_ABI_VERSION);
}

/* The caller's structure may be smaller or larger than the library's: no byte beyond it is written. */
static void request_params(void **state)
{
	const char *path = source_path("models/demo-qwen2.gguf");
	struct leat_model_params vocab = LEAT_MODEL_PARAMS_INIT;
	struct leat_model *m;
	struct leat_request_params full;
	_Alignas(16) unsigned char room[sizeof(full) + 64];
	const uint32_t old = offsetof(struct leat_request_params, temperature);
	(void)state;
	vocab.flags = LEAT_MODEL_VOCAB_ONLY;
	if (access(path, R_OK))
		skip();
	assert_int_equal(leat_model_open(path, &vocab, &m, NULL), LEAT_OK);
	leat_request_params_init(m, &full);
	assert_int_equal(full.struct_size, sizeof(full));
	assert_int_equal(full.max_tokens, -1);
	memset(room, 0xa5, sizeof room);
	leat_request_params_fill(m, (void *)room, old);
	assert_memory_equal((unsigned char *)&full + sizeof(uint32_t), room + sizeof(uint32_t), old - sizeof(uint32_t));
	assert_int_equal(((struct leat_request_params *)(void *)room)->struct_size, old);
	for (size_t i = old; i < sizeof room; i++)
		assert_int_equal(room[i], 0xa5);
	leat_request_params_fill(m, (void *)room, sizeof full + 32);
	for (size_t i = sizeof full; i < sizeof full + 32; i++)
		assert_int_equal(room[i], 0);
	assert_int_equal(room[sizeof full + 32], 0xa5);
	memset(room, 0xa5, sizeof room);
	leat_request_params_fill(m, (void *)room, 3);
	assert_int_equal(room[0], 0xa5);
	leat_model_unref(m);
}

/* An array of params is stepped through by the size that its owner knows. */
static void batch_of_older_params(void **state)
{
	enum { N = 3 };
	const char *path = source_path("models/demo-qwen2.gguf");
	const size_t old = offsetof(struct leat_request_params, session); /* a multiple of 8, as older ones are */
	static const int32_t prompt[N] = { 400, 401, 402 };
	_Alignas(16) unsigned char room[N * sizeof(struct leat_request_params)];
	struct leat_request_params *p = (void *)room;
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *m;
	struct leat_engine *e;
	struct leat_result *r = NULL;
	(void)state;
	if (access(path, R_OK))
		skip();
	ep.n_ctx = 64;
	assert_int_equal(leat_model_open(path, NULL, &m, NULL), LEAT_OK);
	assert_int_equal(leat_engine_create(m, &ep, &e, NULL), LEAT_OK);
	memset(room, 0xa5, sizeof room);
	for (uint32_t i = 0; i < N; i++) {
		struct leat_request_params *q = (void *)(room + i * old);
		leat_request_params_fill(m, q, (uint32_t)old);
		q->tokens = prompt;
		q->n_tokens = i + 1;
		q->max_tokens = i + 2;
		q->flags |= LEAT_REQUEST_IGNORE_EOS;
	}
	assert_int_equal(leat_engine_generate_batch(e, p, N, &r, &err), LEAT_OK);
	for (uint64_t i = 0; i < N; i++)
		assert_int_equal(r[i].n_ids, i + 2);
	leat_results_free(r, N);
	((struct leat_request_params *)(void *)(room + old))->struct_size = 16;
	assert_int_equal(leat_engine_generate_batch(e, p, N, &r, &err), LEAT_E_ABI);
	p->struct_size = 0;
	assert_int_equal(leat_engine_generate_batch(e, p, 1, &r, &err), LEAT_E_ABI);
	assert_int_equal(leat_engine_generate_batch(e, NULL, 1, &r, &err), LEAT_E_ARG);
	leat_engine_unref(e);
	leat_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions),
		cmocka_unit_test(request_params),
		cmocka_unit_test(batch_of_older_params),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
