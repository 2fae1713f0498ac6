/* test_tokjson.c - real vocabularies written as tokenizer.json: the ids must be those of the GGUF file, whichever way
 * the components are spelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/oracle.h"
#include "support/vectors.h"
#include "text/tokjson.h"

/* What a file would say, from the metadata of a GGUF vocabulary. */
struct made {
	json_t *root, *model, *vocab, *merges, *added;
	const struct leat_meta *tokens, *kinds, *scores;
};

static json_t *text(const struct leat_str *s)
{
	json_t *j = json_stringn(s->s, (size_t)s->n);
	assert_non_null(j);
	return j;
}

static void add_tokens(struct made *m)
{
	for (uint64_t i = 0; i < m->tokens->count; i++) {
		const struct leat_str *s = &m->tokens->v.strs[i];
		int64_t kind = m->kinds ? leat_meta_int_at(m->kinds, i) : 1;
		if (kind == LEAT_TOKEN_NORMAL || kind == LEAT_TOKEN_BYTE) {
			assert_int_equal(json_object_setn_new(m->vocab, s->s, (size_t)s->n, json_integer((long)i)), 0);
			continue;
		}
		if (s->n > 4 && memcmp(s->s, "[PAD", 4) == 0)
			continue;
		assert_int_equal(json_array_append_new(m->added, json_pack("{sI so sb}", "id", (json_int_t)i, "content",
									    text(s), "special",
									    kind != LEAT_TOKEN_USER)), 0);
	}
}

struct split {
	float score;
	uint64_t id;
	uint32_t left;
};

static int by_score(const void *x, const void *y)
{
	const struct split *a = x, *b = y;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return a->id != b->id ? (a->id < b->id ? -1 : 1) : a->left < b->left ? -1 : a->left > b->left;
}

/* As converters do it: every way to cut a token into two, by score. */
static void merges_from_scores(struct made *m)
{
	size_t n = 0, cap = 1 << 20;
	struct split *s = calloc(cap, sizeof(*s));
	assert_non_null(s);
	for (uint64_t i = 0; i < m->tokens->count; i++) {
		const struct leat_str *t = &m->tokens->v.strs[i];
		for (uint32_t k = 1; k < t->n && leat_meta_int_at(m->kinds, i) == LEAT_TOKEN_NORMAL; k++)
			if (json_object_getn(m->vocab, t->s, k) &&
			    json_object_getn(m->vocab, t->s + k, (size_t)t->n - k)) {
				assert_true(n < cap);
				s[n++] = (struct split){leat_meta_float_at(m->scores, i), i, k};
			}
	}
	qsort(s, n, sizeof(*s), by_score);
	for (size_t i = 0; i < n; i++) {
		const struct leat_str *t = &m->tokens->v.strs[s[i].id];
		json_array_append_new(m->merges, json_pack("[s#s#]", t->s, (int)s[i].left, t->s + s[i].left,
							   (int)(t->n - s[i].left)));
	}
	free(s);
}

static struct made make(const struct leat_file *f)
{
	struct made m = {json_object(), json_object(), json_object(), json_array(), json_array(), NULL, NULL, NULL};
	const struct leat_meta *merges = NULL;
	assert_int_equal(leat_meta_strings_opt(f, "tokenizer.ggml.tokens", &m.tokens, NULL), LEAT_OK);
	assert_int_equal(leat_meta_ints_opt(f, "tokenizer.ggml.token_type", &m.kinds, NULL), LEAT_OK);
	assert_int_equal(leat_meta_floats_opt(f, "tokenizer.ggml.scores", &m.scores, NULL), LEAT_OK);
	assert_int_equal(leat_meta_strings_opt(f, "tokenizer.ggml.merges", &merges, NULL), LEAT_OK);
	json_object_set_new(m.root, "model", m.model);
	json_object_set_new(m.root, "added_tokens", m.added);
	json_object_set_new(m.model, "type", json_string("BPE"));
	json_object_set_new(m.model, "vocab", m.vocab);
	json_object_set_new(m.model, "merges", m.merges);
	add_tokens(&m);
	for (uint64_t i = 0; merges && i < merges->count; i++)
		json_array_append_new(m.merges, text(&merges->v.strs[i]));
	if (!merges)
		merges_from_scores(&m);
	return m;
}

static void set(struct made *m, const char *key, const char *json)
{
	json_error_t e;
	json_t *value = json_loads(json, JSON_DECODE_ANY, &e);
	if (!value)
		fail_msg("%s: %s", json, e.text);
	json_object_set_new(m->root, key, value);
}

static struct leat_vocab *load(const struct made *m, const struct leat_token_hints *h)
{
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	char *bytes = json_dumps(m->root, JSON_COMPACT);
	assert_non_null(bytes);
	if (leat_vocab_from_json(bytes, strlen(bytes), h, &v, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	free(bytes);
	return v;
}

static struct leat_file *open_file(const char *name)
{
	struct leat_file *f = NULL;
	struct leat_error err = {0};
	const char *path = oracle_path(name);
	if (!path)
		skip();
	if (leat_file_open(path, &f, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	return f;
}

#define BYTES "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"
#define SPLIT(pattern, how) "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"},\"behavior\":\"" how "\"}"
#define SEQUENCE(parts) "{\"type\":\"Sequence\",\"pretokenizers\":[" parts "]}"
#define REST "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|"
#define TAIL "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define QWEN2 "(?i:'s|'t|'re|'ve|'m|'ll|'d)|" REST "\\\\p{N}" TAIL
#define LLAMA3 "(?i:'s|'t|'re|'ve|'m|'ll|'d)|" REST "\\\\p{N}{1,3}" TAIL
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+"

/* Each row is a way to write the same pre-tokenizer; `scanner`: it is recognised. */
static void byte_level(const char *name, const char *const *pre, size_t n, int ignore_merges)
{
	struct leat_file *f = open_file(name);
	struct made m = make(f);
	if (ignore_merges)
		json_object_set_new(m.model, "ignore_merges", json_true());
	for (size_t i = 0; i < n; i++) {
		set(&m, "pre_tokenizer", pre[i]);
		set(&m, "decoder", i % 2 ? "{\"type\":\"ByteLevel\"}" : "null");
		struct leat_vocab *v = load(&m, NULL);
		assert_true((v->pretok != NULL) == (i == 0));
		vectors_check(v, name);
		leat_vocab_destroy(v);
	}
	json_decref(m.root);
	leat_file_close(f);
}

static void qwen2(void **state)
{
	static const char *const pre[] = {
		SEQUENCE(SPLIT(QWEN2, "Isolated") "," BYTES),
		SEQUENCE(SPLIT("(?:" QWEN2 ")", "Isolated") "," BYTES),
		SEQUENCE(SEQUENCE(SPLIT("(?:" QWEN2 ")", "Contiguous") "," SPLIT(QWEN2, "Isolated")) "," BYTES),
	};
	(void)state;
	byte_level("tokenizers/ggml-vocab-qwen2.gguf", pre, sizeof(pre) / sizeof(pre[0]), 0);
}

static void llama3(void **state)
{
	static const char *const pre[] = {SEQUENCE(SPLIT(LLAMA3, "Isolated") "," BYTES),
					  SEQUENCE(SPLIT("(?:" LLAMA3 ")", "Isolated") "," BYTES)};
	(void)state;
	byte_level("tokenizers/ggml-vocab-llama-bpe.gguf", pre, 2, 1);
}

static void gpt2(void **state)
{
	static const char *const pre[] = {
		"{\"type\":\"ByteLevel\",\"add_prefix_space\":false}",
		SEQUENCE(SPLIT("(?:" GPT2 ")", "Isolated") "," BYTES),
		SEQUENCE("{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?:" GPT2 ")\"},\"behavior\":\"Removed\","
			 "\"invert\":true}," BYTES),
	};
	(void)state;
	byte_level("tokenizers/ggml-vocab-gpt-2.gguf", pre, 3, 0);
}

#define SPM_DECODER "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"\u2581\"}," \
		    "\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\"," \
		    "\"content\":\" \",\"start\":1,\"stop\":0}]}"
#define PREPEND "{\"type\":\"Prepend\",\"prepend\":\"\u2581\"}"
#define REPLACE "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\u2581\"}"
#define NORMALIZERS(parts) "{\"type\":\"Sequence\",\"normalizers\":[" parts "]}"

/* SentencePiece as converters write it, in full and with a step that changes nothing, which keeps the pipe busy. */
static void sentencepiece(const char *name)
{
	static const char *const normal[] = {
		NORMALIZERS(PREPEND "," REPLACE), NORMALIZERS(PREPEND ",{\"type\":\"Replace\",\"pattern\":{\"Regex\":"
							      "\" \"},\"content\":\"\u2581\"}"),
		NORMALIZERS("{\"type\":\"Replace\",\"pattern\":{\"String\":\"\\u0001\\u0002\"},\"content\":\"x\"},"
			    PREPEND "," REPLACE),
	};
	struct leat_file *f = open_file(name);
	struct made m = make(f);
	json_object_set_new(m.model, "byte_fallback", json_true());
	json_object_set_new(m.model, "fuse_unk", json_true());
	json_object_set_new(m.model, "unk_token", json_string("<unk>"));
	set(&m, "decoder", SPM_DECODER);
	for (int i = 0; i < 3; i++) {
		set(&m, "normalizer", normal[i]);
		struct leat_vocab *v = load(&m, NULL);
		assert_true((v->pipe == NULL) == (i == 0));
		assert_true(leat_vocab_space_prefix(v));
		assert_string_equal(leat_vocab_kind(v), "spm");
		vectors_check(v, name);
		leat_vocab_destroy(v);
	}
	json_decref(m.root);
	leat_file_close(f);
}

static void llama2(void **state)
{
	(void)state;
	sentencepiece("tokenizers/ggml-vocab-llama-spm.gguf");
}

static void phi3(void **state)
{
	(void)state;
	sentencepiece("tokenizers/ggml-vocab-phi-3.gguf");
}

/* A folder as published: ids of its text, ends from its settings; by its model and by --tokenizer. */
static void folders(void **state)
{
	static const char *const names[] = {"llama", "phi3", "phi3-window", "qwen2-tied", "qwen2-untied", "qwen3"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char archive[64], member[64], gguf[64];
		size_t n_want = 0, n = 0, n_text;
		struct leat_vocab *v = NULL, *from_gguf = NULL;
		struct leat_error err = {0};
		int32_t *ids = NULL, *others = NULL;
		snprintf(archive, sizeof(archive), "hf/%s.tar.gz", names[i]);
		snprintf(member, sizeof(member), "%s/expected.json", names[i]);
		snprintf(gguf, sizeof(gguf), "hf-gguf/%s.gguf", names[i]);
		const char *path = oracle_untar(archive, member);
		if (!path)
			skip();
		int32_t *want = read_json_ints(path, NULL, "tokens", &n_want);
		json_t *expected = json_load_file(path, 0, NULL);
		const char *sentence = json_string_value(json_object_get(expected, "text"));
		assert_true(want && sentence);
		snprintf(member, sizeof(member), "%s/tokenizer.json", names[i]);
		path = oracle_untar(archive, member);
		if (leat_vocab_from_path(path, &v, &err) != LEAT_OK ||
		    leat_vocab_from_path(oracle_path(gguf), &from_gguf, &err) != LEAT_OK)
			fail_msg("%s", err.message);
		n_text = strlen(sentence);
		assert_int_equal(leat_tokenize(v, sentence, n_text, 0, &ids, &n, NULL), LEAT_OK);
		/* The reference keeps the first 64. */
		assert_true(n >= n_want);
		assert_memory_equal(ids, want, n_want * sizeof(*want));
		assert_int_equal(leat_tokenize(from_gguf, sentence, n_text, 0, &others, &n_want, NULL), LEAT_OK);
		assert_int_equal(n, n_want);
		assert_memory_equal(ids, others, n * sizeof(*ids));
		assert_int_equal(leat_vocab_size(v), leat_vocab_size(from_gguf));
		free(want);
		free(ids);
		free(others);
		json_decref(expected);
		leat_vocab_destroy(v);
		leat_vocab_destroy(from_gguf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(qwen2), cmocka_unit_test(llama3), cmocka_unit_test(gpt2),
					   cmocka_unit_test(llama2), cmocka_unit_test(phi3),
					   cmocka_unit_test(folders)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
