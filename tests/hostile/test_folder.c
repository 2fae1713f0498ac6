/* Rows S15, S18, S19, S20, S23, S24 of the matrix of bad files: folders of Hugging Face's layout. */
#include "hostile/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/file.h"

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

enum { D = 32, F = 64, V = 272, KV = 16, LAYERS = 2, HEADER_BYTES = 8192, MAX_SETTINGS = 24 };

/* ---- a small qwen2 ---- */

struct shape {
	char name[80];
	int rows, cols; /* rows 0: a vector */
};

static const struct shape top[] = {
	{"model.embed_tokens.weight", V, D},
	{"model.norm.weight", 0, D},
	{"lm_head.weight", V, D},
};
static const struct shape layer[] = {
	{"input_layernorm.weight", 0, D},
	{"self_attn.q_proj.weight", D, D},
	{"self_attn.q_proj.bias", 0, D},
	{"self_attn.k_proj.weight", KV, D},
	{"self_attn.k_proj.bias", 0, KV},
	{"self_attn.v_proj.weight", KV, D},
	{"self_attn.v_proj.bias", 0, KV},
	{"self_attn.o_proj.weight", D, D},
	{"post_attention_layernorm.weight", 0, D},
	{"mlp.gate_proj.weight", F, D},
	{"mlp.up_proj.weight", F, D},
	{"mlp.down_proj.weight", D, F},
};
enum { N_LAYER = sizeof layer / sizeof *layer, N_TENSORS = sizeof top / sizeof *top + LAYERS * N_LAYER };

static struct shape tensor(int i)
{
	int k = i - (int)COUNT_OF(top);
	if (k < 0)
		return top[i];
	struct shape s = layer[k % N_LAYER];
	snprintf(s.name, sizeof s.name, "model.layers.%d.%s", k / N_LAYER, layer[k % N_LAYER].name);
	return s;
}

/* Tensors [from, to) as F32, behind a header padded so that the data begins `odd` bytes off a multiple of eight. */
static void put_weights(const char *file, int from, int to, size_t odd)
{
	static unsigned char bytes[1 << 20];
	size_t at = 1, data = 0, length = HEADER_BYTES + odd;
	char *header = (char *)bytes + 8;
	uint32_t seed = 7;
	memset(bytes, ' ', sizeof bytes);
	header[0] = '{';
	for (int i = from; i < to; i++) {
		struct shape s = tensor(i);
		size_t n = (size_t)s.cols * (size_t)(s.rows ? s.rows : 1);
		char shape[32];
		snprintf(shape, sizeof shape, s.rows ? "%d,%d" : "%.0d%d", s.rows, s.cols);
		at += (size_t)snprintf(header + at, length - at,
				       "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
				       i > from ? "," : "", s.name, shape, data, data + 4 * n);
		for (size_t k = 0; k < n; k++, data += 4) {
			float x =
				s.rows ? (float)((seed = seed * 1664525u + 1013904223u) >> 8) / 16777216.0f - 0.5f : 1;
			x = s.rows ? x / 4 : x;
			memcpy(bytes + 8 + length + data, &x, 4);
		}
	}
	header[at] = '}';
	header[at + 1] = ' ';
	for (size_t i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(length >> 8 * i);
	hostile_write(hostile_path(file), bytes, 8 + length + data);
}

static const char *const settings[][2] = {
	{"model_type", "\"qwen2\""}, {"architectures", "[\"Qwen2ForCausalLM\"]"}, {"num_hidden_layers", "2"},
	{"hidden_size", "32"}, {"intermediate_size", "64"}, {"max_position_embeddings", "128"},
	{"num_attention_heads", "4"}, {"num_key_value_heads", "2"}, {"rms_norm_eps", "1e-06"},
	{"rope_theta", "10000.0"}, {"vocab_size", "272"}, {"tie_word_embeddings", "false"},
};

static void put_text(const char *file, const char *text)
{
	hostile_write(hostile_path(file), text, strlen(text));
}

/* config.json with one setting changed (value NULL: left out), or one more. */
static void put_config(const char *key, const char *value)
{
	static char text[1 << 20];
	size_t at = 1;
	int known = key == NULL;
	text[0] = '{';
	for (size_t i = 0; i < COUNT_OF(settings); i++) {
		int changed = key && !strcmp(key, settings[i][0]);
		const char *v = changed ? value : settings[i][1];
		known |= changed;
		if (v)
			at += (size_t)snprintf(text + at, sizeof text - at, "%s\"%s\":%s", at > 1 ? "," : "",
					       settings[i][0], v);
	}
	if (!known)
		at += (size_t)snprintf(text + at, sizeof text - at, ",\"%s\":%s", key, value);
	snprintf(text + at, sizeof text - at, "}");
	put_text("config.json", text);
}

static void put_model(void)
{
	put_config(NULL, NULL);
	put_weights("model.safetensors", 0, N_TENSORS, 0);
}

static void remove_file(const char *file)
{
	unlink(hostile_path(file));
}

static const char *here(void)
{
	static char path[512];
	snprintf(path, sizeof path, "%s", hostile_path(""));
	return path;
}

static void refuse(int32_t status, const char *text)
{
	hostile_refuse_path_saying(here(), status, text);
}

/* ---- rows ---- */

static void valid(void **state)
{
	(void)state;
	hostile_refuse_path_saying(here(), LEAT_E_ARG, "config.json");
	put_config(NULL, NULL);
	refuse(LEAT_E_NOTFOUND, "model.safetensors");
	put_text("pytorch_model.bin", "PK");
	refuse(LEAT_E_UNSUPPORTED, "PyTorch");
	remove_file("pytorch_model.bin");
	put_model();
	hostile_accept_path(here());
	hostile_accept_path(hostile_path("model.safetensors"));
	remove_file("config.json");
	refuse(LEAT_E_ARG, "it holds model.safetensors: name that file");
	hostile_refuse_path_saying(hostile_path("model.safetensors"), LEAT_E_UNSUPPORTED, "no config.json beside it");
	put_weights("adapter_model.safetensors", 0, 1, 0);
	put_text("adapter_config.json", "{\"peft_type\":\"LORA\"}");
	refuse(LEAT_E_UNSUPPORTED, "this is a LoRA adapter");
	remove_file("adapter_config.json");
	remove_file("adapter_model.safetensors");
	put_model();
}

static void test_S15(void **state)
{
	(void)state;
	for (size_t odd = 1; odd < 8; odd++) {
		put_weights("model.safetensors", 0, N_TENSORS, odd);
		hostile_accept_path(here());
	}
	put_model();
}

static const char index_name[] = "model.safetensors.index.json";

/* Two shards, cut at tensor `cut`; entry `odd` of the map says `file`. */
static void put_index(int cut, int odd, const char *file)
{
	static char text[1 << 16];
	size_t at = (size_t)snprintf(text, sizeof text, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");
	for (int i = 0; i < N_TENSORS; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s\"%s\":\"%s\"", i ? "," : "", tensor(i).name,
				       i == odd ? file
				       : i < cut ? "model-00001-of-00002.safetensors"
						 : "model-00002-of-00002.safetensors");
	snprintf(text + at, sizeof text - at, "}}");
	put_text(index_name, text);
}

static void test_S18(void **state)
{
	(void)state;
	static const char *const out[] = {"../../etc/passwd", "/etc/passwd", "..", ".", "", "a/b.safetensors", "./x"};
	const char first[] = "model-00001-of-00002.safetensors", second[] = "model-00002-of-00002.safetensors";
	const int cut = 9;
	remove_file("model.safetensors");
	assert_int_equal(symlink("/etc/passwd", hostile_path("model.safetensors")), 0);
	refuse(LEAT_E_FORMAT, "outside the model's folder"); /* not: there is none */
	remove_file("model.safetensors");
	put_weights(first, 0, cut, 0);
	put_weights(second, cut, N_TENSORS, 3);
	put_index(cut, -1, NULL);
	hostile_accept_path(here());
	hostile_accept_path(hostile_path(index_name));
	hostile_accept_path(hostile_path(second)); /* a part stands for the whole */
	for (size_t i = 0; i < COUNT_OF(out); i++) {
		put_index(cut, 3, out[i]);
		refuse(LEAT_E_ARG, "no name of a file");
	}
	put_index(cut, 3, "model-00003.safetensors");
	refuse(LEAT_E_NOTFOUND, "model-00003.safetensors is missing: the index names it");
	put_index(cut, 3, second); /* it is in the other one */
	refuse(LEAT_E_FORMAT, "where it is not");
	put_index(cut, -1, NULL);
	put_weights(second, cut - 1, N_TENSORS, 0); /* one is in both */
	refuse(LEAT_E_FORMAT, "occurs twice");
	put_weights(second, cut + 1, N_TENSORS, 0); /* one is in none */
	refuse(LEAT_E_FORMAT, "where it is not");
	put_weights("elsewhere", cut, N_TENSORS, 0);
	remove_file(second);
	assert_int_equal(symlink("/etc/passwd", hostile_path(second)), 0);
	refuse(LEAT_E_FORMAT, "outside the model's folder");
	remove_file(second);
	assert_int_equal(symlink("../../../../etc/passwd", hostile_path(second)), 0);
	refuse(LEAT_E_FORMAT, "outside the model's folder");
	remove_file(second);
	assert_int_equal(symlink(second, hostile_path(second)), 0); /* itself */
	refuse(LEAT_E_FORMAT, "symbolic link");
	remove_file(second);
	assert_int_equal(symlink("../../blobs/nothing", hostile_path(second)), 0);
	refuse(LEAT_E_NOTFOUND, second);
	remove_file(second);
	assert_int_equal(symlink("elsewhere", hostile_path(second)), 0); /* within the folder */
	hostile_accept_path(here());
	remove_file(second);
	assert_int_equal(mkfifo(hostile_path(second), 0600), 0);
	refuse(LEAT_E_ARG, "pipe");
	remove_file(second);
	put_text(index_name, "{}");
	refuse(LEAT_E_FORMAT, "weight_map");
	put_text(index_name, "{\"weight_map\":{}}");
	refuse(LEAT_E_FORMAT, "weight_map is empty");
	put_text(index_name, "{\"weight_map\":{\"a\":7}}");
	refuse(LEAT_E_FORMAT, "names no file");
	put_text(index_name, "[]");
	refuse(LEAT_E_FORMAT, index_name);
	remove_file(index_name);
	remove_file(first);
	remove_file("elsewhere");
	put_model();
}

static void test_S19(void **state)
{
	(void)state;
	static const char *const bad[] = {"0",  "-1", "1e30", "99999999999999999999", "32.5", "\"32\"", "null", NULL,
					  "[]", "{}", "true", "9223372036854775807"};
	static const char *const needed[] = {"num_hidden_layers", "hidden_size", "num_attention_heads"};
	for (size_t i = 0; i < COUNT_OF(settings); i++)
		for (size_t k = 0; k < COUNT_OF(bad); k++) {
			put_config(settings[i][0], bad[k]);
			int32_t st = hostile_any_path(here(), 1);
			assert_true(st == LEAT_OK || st == LEAT_E_FORMAT || st == LEAT_E_UNSUPPORTED ||
				    st == LEAT_E_LIMIT || st == LEAT_E_NOMEM);
		}
	for (size_t i = 0; i < COUNT_OF(needed); i++)
		for (size_t k = 0; k < COUNT_OF(bad); k++) {
			put_config(needed[i], bad[k]);
			int beyond = bad[k] && strlen(bad[k]) == 20; /* 64 bits: no JSON that counts sizes */
			refuse(LEAT_E_FORMAT, beyond ? "config.json" : needed[i]);
		}
	put_config("model_type", "\"mamba\"");
	refuse(LEAT_E_UNSUPPORTED, "mamba");
	put_config("model_type", NULL);
	refuse(LEAT_E_FORMAT, "model_type");
	char *text = malloc(400000);
	assert_non_null(text);
	size_t n = 0;
	for (int i = 0; i < 10000; i++)
		n += (size_t)snprintf(text + n, 400000 - n, "%s\"Qwen2ForCausalLM%d\"", i ? "," : "[", i);
	snprintf(text + n, 400000 - n, "]");
	put_config("architectures", text);
	hostile_accept_path(here());
	memset(text, '[', 100000);
	text[100000] = '\0';
	put_config("more", text);
	refuse(LEAT_E_LIMIT, "config.json");
	put_text("config.json", "{\"hidden_size\":32,\"hidden_size\":64}");
	refuse(LEAT_E_FORMAT, "duplicate");
	put_text("config.json", "{\"model_type\":\"qwen2\"}{}");
	refuse(LEAT_E_FORMAT, "config.json");
	put_text("config.json", "");
	refuse(LEAT_E_FORMAT, "config.json");
	put_text("config.json", "[1]");
	refuse(LEAT_E_FORMAT, "config.json");
	free(text);
	put_model();
}

static void test_S20(void **state)
{
	(void)state;
	static const char *const wrong[][2] = {{"hidden_size", "64"},	    {"num_hidden_layers", "3"},
					       {"num_hidden_layers", "1"},  {"intermediate_size", "96"},
					       {"num_key_value_heads", "4"}, {"head_dim", "16"}};
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		put_config(wrong[i][0], wrong[i][1]);
		int32_t st = hostile_any_path(here(), 0);
		if (st != LEAT_E_FORMAT && st != LEAT_E_UNSUPPORTED)
			fail_msg("%s = %s: status %d", wrong[i][0], wrong[i][1], st);
	}
	put_model();
}

static void test_S23(void **state)
{
	(void)state;
	size_t n = 10 << 20;
	char *text = malloc(n + 64);
	struct leat_file *f = NULL;
	struct leat_str s;
	assert_non_null(text);
	put_text("tokenizer_config.json", "{\"bos_token\":null}");
	hostile_accept_path(here());
	size_t at = (size_t)snprintf(text, 64, "{\"chat_template\":\"");
	memset(text + at, 'x', n);
	memcpy(text + at + n, "\"}", 3);
	put_text("tokenizer_config.json", text);
	hostile_accept_path(here());
	put_text("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"default\",\"template\":\"A\"},"
					  "{\"name\":\"tool_use\",\"template\":\"B\"}]}");
	hostile_accept_path(here());
	assert_int_equal(leat_file_open(here(), &f, NULL), LEAT_OK);
	assert_int_equal(leat_meta_string(f, "tokenizer_config.chat_template.1.template", &s, NULL), LEAT_OK);
	assert_true(leat_str_is(s, "B"));
	leat_file_close(f);
	put_text("tokenizer_config.json", "{\"chat_template\":\"A\"}");
	put_text("chat_template.jinja", "C");
	assert_int_equal(leat_file_open(here(), &f, NULL), LEAT_OK);
	assert_int_equal(leat_meta_string(f, "tokenizer_config.chat_template", &s, NULL), LEAT_OK);
	assert_true(leat_str_is(s, "C"));
	leat_file_close(f);
	remove_file("chat_template.jinja");
	/* A whole number beyond 64 bits is what many published files have here. */
	put_text("tokenizer_config.json", "{\"model_max_length\":1000000000000000019884624838656}");
	hostile_accept_path(here());
	put_text("tokenizer_config.json", "{\"chat_template\":");
	refuse(LEAT_E_FORMAT, "tokenizer_config.json");
	remove_file("tokenizer_config.json");
	free(text);
}

static void test_S24(void **state)
{
	(void)state;
	static const char *const ids[] = {"-1",         "271",   "272",  "4294967296", "9223372036854775807",
					  "1.5",        "\"2\"", "null", "[]",         "[1,2]",
					  "[-5,99999]", "[1.5]", "{}",   "true"};
	char text[128];
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		snprintf(text, sizeof text, "{\"eos_token_id\":%s}", ids[i]);
		put_text("generation_config.json", text);
		int32_t st = hostile_any_path(here(), 1);
		assert_true(st == LEAT_OK || st == LEAT_E_FORMAT);
	}
	put_text("generation_config.json", "{]");
	refuse(LEAT_E_FORMAT, "generation_config.json");
	remove_file("generation_config.json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid),    cmocka_unit_test(test_S15), cmocka_unit_test(test_S18),
		cmocka_unit_test(test_S19), cmocka_unit_test(test_S20), cmocka_unit_test(test_S23),
		cmocka_unit_test(test_S24),
	};
	hostile_tokenizer("bytes");
	return hostile_main(tests, COUNT_OF(tests), "S21, S22: tokenizers");
}
