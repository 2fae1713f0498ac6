/* test_additions.c - who decides whether BOS and EOS are added: the template of tokenizer.json, unless
 * tokenizer_config.json names a tokenizer of Llama's kind and says it itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/file.h"
#include "support/small_json.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

static char folder[600];

static const char *at(const char *name)
{
	static char path[700];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
	FILE *f = fopen(at(name), "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Token 256 is <s>, which the template puts before a text, or not. */
static void write_tokenizer(int with_template)
{
	static const char post[] = "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},"
				   "{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{\"ids\":[256]}}}";
	json_t *root = small_json(1);
	assert_true(small_json_set(root, "added_tokens", "[{\"id\":256,\"content\":\"<s>\",\"special\":true}]"));
	if (with_template)
		assert_true(small_json_set(root, "post_processor", post));
	char *text = json_dumps(root, JSON_COMPACT);
	assert_non_null(text);
	write_file("tokenizer.json", text, strlen(text));
	free(text);
	json_decref(root);
}

static int count(struct leat_vocab *v)
{
	int32_t *ids = NULL;
	size_t n = 0;
	assert_int_equal(leat_tokenize(v, "a", 1, LEAT_TOK_SPECIAL, &ids, &n, NULL), LEAT_OK);
	free(ids);
	leat_vocab_destroy(v);
	return (int)n;
}

/* Tokens of "a", by the tokenizer's file and by the model's folder, which must agree. */
static int tokens(const char *config)
{
	struct leat_vocab *v = NULL;
	struct leat_file *f = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	write_file("tokenizer_config.json", config, strlen(config));
	if (leat_vocab_from_path(at("tokenizer.json"), &v, &err))
		fail_msg("%s", err.message);
	int n = count(v);
	if (leat_file_open(folder, &f, &err) || leat_vocab_from_file(f, &v, &err))
		fail_msg("%s", err.message);
	assert_int_equal(count(v), n);
	leat_file_close(f);
	return n;
}

#define CONFIG(class, more) "{\"bos_token\":\"<s>\",\"tokenizer_class\":\"" class "\"" more "}"

static void test_settings(void **state)
{
	(void)state;
	write_tokenizer(0);
	assert_int_equal(tokens("{}"), 1);
	assert_int_equal(tokens(CONFIG("LlamaTokenizerFast", "")), 1);
	assert_int_equal(tokens(CONFIG("LlamaTokenizerFast", ",\"add_bos_token\":true")), 2);
	assert_int_equal(tokens(CONFIG("LlamaTokenizer", ",\"add_bos_token\":true,\"add_eos_token\":false")), 2);
	assert_int_equal(tokens(CONFIG("LlamaTokenizer", ",\"add_bos_token\":null")), 1);
	assert_int_equal(tokens(CONFIG("Qwen2Tokenizer", ",\"add_bos_token\":true")), 1);
	assert_int_equal(tokens("{\"tokenizer_class\":\"LlamaTokenizer\",\"add_bos_token\":true}"), 1); /* which? */
	write_tokenizer(1);
	assert_int_equal(tokens("{}"), 2);
	assert_int_equal(tokens(CONFIG("LlamaTokenizerFast", ",\"add_bos_token\":true")), 2);
	assert_int_equal(tokens(CONFIG("LlamaTokenizerFast", ",\"add_bos_token\":false")), 1);
	assert_int_equal(tokens(CONFIG("PreTrainedTokenizerFast", ",\"add_bos_token\":false")), 2);
}

static int make_folder(void **state)
{
	static const char weights[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
	unsigned char file[8 + sizeof(weights) - 1 + 4] = {sizeof(weights) - 1};
	const char *dir = getenv("LEAT_BUILD_DIR");
	(void)state;
	snprintf(folder, sizeof(folder), "%s/additions-%ld", dir ? dir : "/tmp", (long)getpid());
	if (mkdir(folder, 0700))
		return -1;
	memcpy(file + 8, weights, sizeof(weights) - 1);
	write_file("model.safetensors", file, sizeof(file));
	write_file("config.json", "{}", 2);
	return 0;
}

static int remove_folder(void **state)
{
	static const char *const names[] = {"config.json", "model.safetensors", "tokenizer.json",
					    "tokenizer_config.json"};
	(void)state;
	for (int i = 0; i < 4; i++)
		unlink(at(names[i]));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings)};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
