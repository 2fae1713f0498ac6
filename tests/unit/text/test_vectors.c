/* test_vectors.c - ids of real vocabularies as their own libraries compute them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/oracle.h"
#include "support/vectors.h"
#include "text/vocab.h"

static struct leat_vocab *open_vocab(const char *relative)
{
	struct leat_error err = {0};
	struct leat_file *f = NULL;
	struct leat_vocab *v = NULL;
	const char *path = oracle_path(relative);
	if (!path)
		skip();
	if (leat_file_open(path, &f, &err) != LEAT_OK || leat_vocab_from_file(f, &v, &err) != LEAT_OK)
		fail_msg("%s: %s", relative, err.message);
	leat_file_close(f);
	return v;
}

static void check_vectors(const char *name)
{
	struct leat_vocab *v = open_vocab(name);
	vectors_check(v, name);
	leat_vocab_destroy(v);
}

static void qwen2_vectors(void **state)
{
	(void)state;
	check_vectors("tokenizers/ggml-vocab-qwen2.gguf");
}

static void gpt2_vectors(void **state)
{
	(void)state;
	check_vectors("tokenizers/ggml-vocab-gpt-2.gguf");
}

static void llama3_vectors(void **state)
{
	(void)state;
	check_vectors("tokenizers/ggml-vocab-llama-bpe.gguf");
}

static void spm_vectors(void **state)
{
	(void)state;
	check_vectors("tokenizers/ggml-vocab-llama-spm.gguf");
}

static void phi3_vectors(void **state)
{
	(void)state;
	check_vectors("tokenizers/ggml-vocab-phi-3.gguf");
}

static void rwkv_vectors(void **state)
{
	static const char text_key[] = "\"text\": \"", ids_key[] = "\"ids\": [";
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	size_t n, n_texts = 0, len;
	const char *path = oracle_path("tokenizers/rwkv_vocab_v20230424.txt");
	(void)state;
	if (!path)
		skip();
	if (leat_vocab_from_rwkv_text(path, &v, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	assert_int_equal(leat_vocab_size(v), 65530);
	assert_string_equal(leat_vocab_kind(v), "rwkv");
	assert_true(leat_vocab_is_end(v, 0));
	assert_int_equal(leat_vocab_find(v, "\n\n", 2), 261);
	char *json = (char *)read_file(oracle_path("tokenizers/rwkv-world.json"), &n);
	assert_non_null(json);
	for (char *at = json; (at = strstr(at, text_key)) != NULL; n_texts++) {
		char *text = at + sizeof(text_key) - 1, *end = strstr(text, "\",\n"), *ids = strstr(end, ids_key);
		unsigned char plain[65536];
		assert_true(end - text < (long)sizeof(plain));
		assert_null(leat_literal_decode(LEAT_LITERAL_STR, (unsigned char *)text, (size_t)(end - text), plain,
						&len));
		ids += sizeof(ids_key) - 1;
		*strchr(ids, ']') = 0;
		vectors_check_text(v, (char *)plain, len, ids);
		at = ids + strlen(ids) + 1;
	}
	print_message("rwkv-world: %zu texts\n", n_texts);
	assert_int_equal(n_texts, 47);
	free(json);
	leat_vocab_destroy(v);
}

/* The byte-level RWKV models: token i is byte i, and 0 ends a text. */
static void rwkv_bytes(void **state)
{
	struct leat_vocab *v = open_vocab("rwkv/rwkv-7v0-834K/model.gguf");
	unsigned char text[256];
	size_t n;
	int32_t *ids;
	(void)state;
	for (int i = 0; i < 256; i++)
		text[i] = (unsigned char)i;
	assert_int_equal(leat_vocab_size(v), 256);
	assert_int_equal(leat_vocab_eos(v), 0);
	assert_int_equal(leat_vocab_bos(v), -1);
	assert_true(leat_vocab_is_end(v, 0));
	assert_int_equal(leat_tokenize(v, text, 256, 0, &ids, &n, NULL), LEAT_OK);
	assert_int_equal(n, 256);
	for (int i = 0; i < 256; i++)
		assert_int_equal(ids[i], i);
	free(ids);
	leat_vocab_destroy(v);
}

/* Sizes leave out the rows that only pad the table, and keep the end tokens. */
static void usable_sizes(void **state)
{
	struct leat_vocab *v = open_vocab("tokenizers/ggml-vocab-qwen2.gguf");
	(void)state;
	assert_int_equal(leat_vocab_size(v), 151646);
	assert_int_equal(leat_vocab_eos(v), 151643);
	assert_true(leat_vocab_is_end(v, 151643));
	assert_true(leat_vocab_is_end(v, 151645));
	assert_false(leat_vocab_is_end(v, 151644));
	assert_int_equal(leat_vocab_token_kind(v, 151646), LEAT_TOKEN_UNUSED);
	assert_int_equal(leat_vocab_find(v, "[PAD151646]", 11), -1);
	assert_int_equal(leat_vocab_find(v, "<|im_start|>", 12), 151644);
	leat_vocab_destroy(v);
	static const char *const names[] = {"qwen2-tied", "qwen2-untied", "qwen3", "llama", "phi3"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];
		snprintf(path, sizeof(path), "hf-gguf/%s.gguf", names[i]);
		v = open_vocab(path);
		assert_int_equal(leat_vocab_size(v), 1024);
		assert_true(leat_vocab_is_end(v, 0) && leat_vocab_is_end(v, 2) && !leat_vocab_is_end(v, 1));
		leat_vocab_destroy(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qwen2_vectors), cmocka_unit_test(gpt2_vectors), cmocka_unit_test(llama3_vectors),
		cmocka_unit_test(spm_vectors), cmocka_unit_test(phi3_vectors),
		cmocka_unit_test(rwkv_vectors), cmocka_unit_test(rwkv_bytes), cmocka_unit_test(usable_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
