/* test_tokenizer.c - rows S21, S22 and T of the matrix: what a tokenizer.json and a text may hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support/small_json.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLACK = 20 };
#else
enum { SLACK = 1 };
#endif

static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void refuse(json_t *root, enum leat_status want, const char *where, const char *word)
{
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	enum leat_status st = small_json_load(root, NULL, &v, &err);
	if (st != want)
		fail_msg("status %d, wanted %d: %s", st, want, err.message);
	if (!strstr(err.message, where) || !strstr(err.message, word))
		fail_msg("'%s' lacks '%s' or '%s'", err.message, where, word);
	assert_null(v);
}

static void refuse_with(const char *key, const char *json, enum leat_status want, const char *word)
{
	json_t *root = small_json(1);
	assert_true(small_json_set(root, key, json));
	refuse(root, want, key, word);
}

static json_t *model_of(json_t *root)
{
	return json_object_get(root, "model");
}

static struct leat_vocab *accept(json_t *root)
{
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	if (small_json_load(root, NULL, &v, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	return v;
}

static void check_ids(const struct leat_vocab *v, const char *text, unsigned flags, const int32_t *want, size_t n_want)
{
	int32_t *ids = NULL;
	size_t n = 0;
	assert_int_equal(leat_tokenize(v, text, strlen(text), flags, &ids, &n, NULL), LEAT_OK);
	assert_int_equal(n, n_want);
	assert_memory_equal(ids, want, n * sizeof(*ids));
	free(ids);
}

static void test_S21_ids(void **state)
{
	static const char *const bad[] = {"-1", "1048576", "2147483648", "9223372036854775807", "1.0", "\"1\"", "null"};
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	json_t *root;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		root = small_json(1);
		assert_true(small_json_set(json_object_get(model_of(root), "vocab"), "odd", bad[i]));
		refuse(root, LEAT_E_FORMAT, "model.vocab", bad[i]);
		root = small_json(1);
		small_json_added(root, 300, "<x>", "{}");
		assert_true(small_json_set(json_array_get(json_object_get(root, "added_tokens"), 0), "id", bad[i]));
		refuse(root, LEAT_E_FORMAT, "added_tokens", bad[i]);
	}
	root = small_json(1);
	small_json_set(json_object_get(model_of(root), "vocab"), "again", "65");
	refuse(root, LEAT_E_FORMAT, "model.vocab: id 65", "'again'");
	root = small_json(1);
	small_json_added(root, 65, "B", "{}");
	refuse(root, LEAT_E_FORMAT, "added_tokens: id 65", "'B'");
	root = small_json(1); /* sparse */
	small_json_added(root, LEAT_MAX_VOCAB - 1, "<last>", "{}");
	v = accept(root);
	assert_int_equal(leat_vocab_size(v), LEAT_MAX_VOCAB);
	assert_int_equal(leat_vocab_token_kind(v, 1000), LEAT_TOKEN_UNUSED);
	leat_vocab_destroy(v);
	/* Duplicate keys are refused by the JSON itself, as are texts beyond the limit. */
	v = NULL;
	static const char twice[] = "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}";
	assert_int_equal(leat_vocab_from_json(twice, sizeof(twice) - 1, NULL, &v, &err), LEAT_E_FORMAT);
	char *large = malloc((64 << 20) + 1);
	assert_non_null(large);
	memset(large, ' ', (64 << 20) + 1);
	assert_int_equal(leat_vocab_from_json(large, (64 << 20) + 1, NULL, &v, &err), LEAT_E_LIMIT);
	free(large);
	assert_null(v);
}

static void test_S21_merges(void **state)
{
	static const char *const bad[] = {
		"[\"a\"]", "[\"a b c\"]", "[\" b\"]", "[\"a \"]", "[[\"a\"]]", "[[\"a\",\"b\",\"c\"]]",
		"[[\"a\",1]]", "[1]",
		"[[\"a\",\"\"]]", "[null]", "{}", "\"a b\"", "null",
	};
	static const char *const spelled[] = {"[\"a b\",\"ab c\"]", "[[\"a\",\"b\"],[\"ab\",\"c\"]]"};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *root = small_json(1);
		assert_true(small_json_set(model_of(root), "merges", bad[i]));
		refuse(root, LEAT_E_FORMAT, "model.merges", "wanted");
	}
	for (size_t i = 0; i < 2; i++) {
		json_t *root = small_json(1);
		int ab = small_json_token(root, "ab", 2, 1), abc = small_json_token(root, "abc", 3, 1);
		assert_true(small_json_set(model_of(root), "merges", spelled[i]));
		struct leat_vocab *v = accept(root);
		check_ids(v, "abcab", 0, (const int32_t[]){abc, ab}, 2);
		leat_vocab_destroy(v);
	}
}

/* T16, T24: cycles, duplicates and sides that are no tokens. */
static void test_T16_T24(void **state)
{
	json_t *root = small_json(1);
	(void)state;
	int aa = small_json_token(root, "aa", 2, 1), aaaa = small_json_token(root, "aaaa", 4, 1);
	assert_true(small_json_set(model_of(root), "merges", "[\"aa aa\",\"a a\"]"));
	struct leat_vocab *v = accept(root);
	check_ids(v, "aaaaaaa", 0, (const int32_t[]){aaaa, aa, 'a'}, 3);
	leat_vocab_destroy(v);
	root = small_json(1);
	small_json_token(root, "aa", 2, 1);
	assert_true(small_json_set(model_of(root), "merges", "[\"a a\",[\"a\",\"a\"]]"));
	refuse(root, LEAT_E_FORMAT, "model.merges: merge 1", "merge 0");
	root = small_json(1);
	assert_true(small_json_set(model_of(root), "merges", "[\"a zz\"]"));
	refuse(root, LEAT_E_FORMAT, "model.merges: merge 0", "two tokens");
	root = small_json(1);
	assert_true(small_json_set(model_of(root), "merges", "[\"a b\"]"));
	refuse(root, LEAT_E_FORMAT, "model.merges: merge 0", "joined");
}

/* S21, T17, T20: each component that leat does not know is named. */
static void test_S21_components(void **state)
{
	static const struct {
		const char *key, *json;
		enum leat_status status;
		const char *word;
	} rows[] = {
		{"model", "{\"type\":\"WordPiece\",\"vocab\":{}}", LEAT_E_UNSUPPORTED, "\"WordPiece\""},
		{"model", "{\"type\":\"Unigram\",\"vocab\":[[\"a\",\"NaN\"]]}", LEAT_E_UNSUPPORTED, "\"Unigram\""},
		{"model", "{\"type\":\"WordLevel\",\"vocab\":{}}", LEAT_E_UNSUPPORTED, "\"WordLevel\""},
		{"model", "{\"vocab\":{}}", LEAT_E_UNSUPPORTED, "type nothing"},
		{"model", "[]", LEAT_E_FORMAT, "[]"},
		{"model", "{\"type\":\"BPE\",\"vocab\":[],\"merges\":[]}", LEAT_E_FORMAT, "vocab"},
		{"model", "{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}", LEAT_E_FORMAT, "at least one"},
		{"model", "{\"type\":\"BPE\",\"vocab\":{},\"merges\":[],\"end_of_word_suffix\":\"</w>\"}",
		 LEAT_E_UNSUPPORTED, "end_of_word_suffix"},
		{"model", "{\"type\":\"BPE\",\"vocab\":{},\"merges\":[],\"continuing_subword_prefix\":\"##\"}",
		 LEAT_E_UNSUPPORTED, "##"},
		{"model", "{\"type\":\"BPE\",\"vocab\":{},\"merges\":[],\"dropout\":0.5}", LEAT_E_UNSUPPORTED,
		 "dropout"},
		{"normalizer", "{\"type\":\"BertNormalizer\"}", LEAT_E_UNSUPPORTED, "BertNormalizer"},
		{"normalizer", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA==\"}", LEAT_E_UNSUPPORTED,
		 "Precompiled"},
		{"normalizer", "{\"type\":\"Nm\\nt\"}", LEAT_E_UNSUPPORTED, "Nm\\nt"},
		{"normalizer", "{\"type\":\"Sequence\"}", LEAT_E_FORMAT, "Sequence"},
		{"normalizer", "{\"type\":\"Sequence\",\"normalizers\":[3]}", LEAT_E_FORMAT, "found 3"},
		{"normalizer", "[]", LEAT_E_FORMAT, "type"},
		{"normalizer", "{\"type\":\"Replace\",\"content\":\"\"}", LEAT_E_FORMAT, "pattern"},
		{"normalizer", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"a\"}", LEAT_E_FORMAT,
		 "pattern"},
		{"pre_tokenizer", "{\"type\":\"BertPreTokenizer\"}", LEAT_E_UNSUPPORTED, "BertPreTokenizer"},
		{"pre_tokenizer", "{\"type\":\"UnicodeScripts\"}", LEAT_E_UNSUPPORTED, "UnicodeScripts"},
		{"pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"_\"}", LEAT_E_UNSUPPORTED, "\"_\""},
		{"pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Odd\"}",
		 LEAT_E_UNSUPPORTED, "Odd"},
		{"pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},"
				  "{\"type\":\"Digits\"}]}", LEAT_E_UNSUPPORTED, "after ByteLevel"},
		{"decoder", "{\"type\":\"WordPiece\"}", LEAT_E_UNSUPPORTED, "WordPiece"},
		{"decoder", "{\"type\":\"CTC\"}", LEAT_E_UNSUPPORTED, "CTC"},
		{"decoder", "{\"type\":\"Fuse\"}", LEAT_E_UNSUPPORTED, "no ByteLevel"},
		{"post_processor", "{\"type\":\"Odd\"}", LEAT_E_UNSUPPORTED, "Odd"},
		{"post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}]}",
		 LEAT_E_FORMAT, "special_tokens"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refuse_with(rows[i].key, rows[i].json, rows[i].status, rows[i].word);
	/* T21: content must be a text. */
	json_t *root = small_json(1);
	json_array_append_new(json_object_get(root, "added_tokens"),
			      json_pack("{si s{ss}}", "id", 300, "content", "Regex", "a+"));
	refuse(root, LEAT_E_FORMAT, "content", "a string");
}

/* Sequences in sequences, as deep as JSON allows, and more steps than leat takes. */
static void test_S21_depth(void **state)
{
	static char text[20000];
	size_t n = 0;
	(void)state;
	for (int i = 0; i < 60; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "{\"type\":\"Sequence\",\"normalizers\":[");
	n += (size_t)snprintf(text + n, sizeof(text) - n, "{\"type\":\"NFC\"}");
	for (int i = 0; i < 60; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "]}");
	json_t *root = small_json(1);
	assert_true(small_json_set(root, "normalizer", text));
	leat_vocab_destroy(accept(root));
	n = (size_t)snprintf(text, sizeof(text), "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}");
	for (int i = 0; i < 200; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",{\"type\":\"NFC\"}");
	snprintf(text + n, sizeof(text) - n, "]}");
	refuse_with("normalizer", text, LEAT_E_LIMIT, "more than");
}

static json_t *with_pattern(const char *pattern)
{
	json_t *root = small_json(1);
	json_object_set_new(root, "pre_tokenizer",
			    json_pack("{ss s[{ss s{ss} ss}{ss sb sb}]}", "type", "Sequence", "pretokenizers", "type",
				      "Split", "pattern", "Regex", pattern, "behavior", "Isolated", "type", "ByteLevel",
				      "add_prefix_space", 0, "use_regex", 0));
	return root;
}

/* Patterns that take for ever or mean something else; the first text that they see must not. */
static void test_S22(void **state)
{
	static const char *const refused[] = {
		"[\\p{L}&&[^a]]", "[a&&b]", "a)", "(", "[a", "\\h+", "(?<n", "\\p{Nonsense}", "a{2,1}", "\\C", "[a[b]]",
		"(?<=a*)b",
	};
	static const char *const slow[] = {"(a+)+$", "(a|aa)+$", "(a*)*b", "(.*)\\1x", "((a+)+)+\\z", "a*a*a*a*a*b",
					   "(?=(a+))a*b\\1", "(a?){64}a{64}b", "(?:a*b)*d", "a*[bd]e|x",
					   "(?<=a{200})b|a*(?=b)"};
	static const char *const fine[] = {"(a)\\1", "(?<=a)b", "(?!a)b", "", "[]a]", "[^]a]", "[[:alpha:]&]", "\\\\h"};
	size_t n = 1 << 20, n_ids;
	char *text = malloc(n);
	(void)state;
	assert_non_null(text);
	memset(text, 'a', n);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		refuse(with_pattern(refused[i]), LEAT_E_UNSUPPORTED, "pre_tokenizer", "pattern");
	for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
		struct leat_vocab *v = accept(with_pattern(slow[i]));
		struct leat_error err = {0};
		int32_t *ids = NULL;
		text[n - 1] = 'c';
		uint64_t t = cpu_ns();
		enum leat_status st = leat_tokenize(v, text, n, 0, &ids, &n_ids, &err);
		t = cpu_ns() - t;
		print_message("%-16s status %d, %.1f ms: %s\n", slow[i], st, (double)t / 1e6, err.message);
		assert_true(st == LEAT_OK || (st == LEAT_E_LIMIT && strstr(err.message, "pre_tokenizer")));
		assert_true(t < (uint64_t)2000000000u * SLACK);
		free(ids);
		leat_vocab_destroy(v);
	}
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		if (!fine[i][0])
			continue;
		struct leat_vocab *v = accept(with_pattern(fine[i]));
		int32_t *ids = NULL;
		assert_int_equal(leat_tokenize(v, "aabba", 5, 0, &ids, &n_ids, NULL), LEAT_OK);
		assert_int_equal(n_ids, 5);
		free(ids);
		leat_vocab_destroy(v);
	}
	memset(text, 'a', LEAT_MAX_PATTERN_BYTES + 1);
	text[LEAT_MAX_PATTERN_BYTES + 1] = 0;
	refuse(with_pattern(text), LEAT_E_LIMIT, "pre_tokenizer", "16384");
	free(text);
}

/* T01, T02, T13, T14 and T03's time, through the whole of a pipe: normalizers, a pattern, bytes. */
static void test_T03(void **state)
{
	static const char *const units[] = {"a", " ", "\n", "7", "\xcc\x81", "\xcc\x81\xcc\x96",
					    "\xf0\x9f\xa7\x91\xe2\x80\x8d", "\xef\xb7\xba", "\x80", "\xed\xa0\x80",
					    "\xf4\x90\x80\x80", "\xc0\x80", "e\xcc\x81", "\xe1\x84\x80\xe1\x85\xa1",
					    "\xf3\xbf\xbf\xbd", "The quick brown fox. "};
	json_t *root = with_pattern("(?:(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
				    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)");
	(void)state;
	assert_true(small_json_set(root, "normalizer", "{\"type\":\"NFC\"}"));
	struct leat_vocab *v = accept(root);
	char *text = malloc((1 << 20) + 64);
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t n = 0, n_ids = 0, len = strlen(units[i]);
		int32_t *ids = NULL;
		uint64_t best = UINT64_MAX;
		for (; n < 1 << 20; n += len)
			memcpy(text + n, units[i], len);
		for (int round = 0; round < 3; round++) {
			uint64_t t = cpu_ns();
			free(ids);
			ids = NULL;
			assert_int_equal(leat_tokenize(v, text, n, 0, &ids, &n_ids, NULL), LEAT_OK);
			t = cpu_ns() - t;
			best = t < best ? t : best;
		}
		print_message("%-24s %8zu tokens %7.2f ms\n", units[i][0] == '\n' ? "line end" : units[i], n_ids,
			      (double)best / 1e6);
		free(ids);
		/* The bound of the scanner is 50 ms (unit.text.bpe); utf8proc and a pattern may take some more. */
		assert_true(best < (uint64_t)250000000 * SLACK);
	}
	free(text);
	leat_vocab_destroy(v);
}

/* T12: characters that grow, and a normalizer that makes them. The sanitizers would take minutes for the million. */
#ifdef __SANITIZE_ADDRESS__
enum { N_GROWING = 100000 };
#else
enum { N_GROWING = 1000000 };
#endif
static void test_T12(void **state)
{
	json_t *root = small_json(1);
	size_t n = 3 * N_GROWING, n_ids;
	char *text = malloc(n);
	int32_t *ids = NULL;
	struct leat_error err = {0};
	(void)state;
	assert_non_null(text);
	assert_true(small_json_set(root, "normalizer", "{\"type\":\"NFKC\"}"));
	struct leat_vocab *v = accept(root);
	for (size_t i = 0; i < n; i += 3)
		memcpy(text + i, "\xef\xb7\xba", 3);
	assert_int_equal(leat_tokenize(v, text, n, 0, &ids, &n_ids, NULL), LEAT_OK);
	assert_int_equal(n_ids, 11 * n);
	free(ids);
	leat_vocab_destroy(v);
	static char grow[] = "{\"type\":\"Sequence\",\"normalizers\":["
			     "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aaaaaaaaaaaaaaaa\"},"
			     "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aaaaaaaaaaaaaaaa\"},"
			     "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aaaaaaaaaaaaaaaa\"}]}";
	root = small_json(1);
	assert_true(small_json_set(root, "normalizer", grow));
	v = accept(root);
	memset(text, 'a', n);
	ids = NULL;
	assert_int_equal(leat_tokenize(v, text, n, 0, &ids, &n_ids, &err), LEAT_E_LIMIT);
	assert_non_null(strstr(err.message, "normalizer"));
	assert_null(ids);
	leat_vocab_destroy(v);
	free(text);
}

/* T08: 100 000 added tokens that overlap. */
static void test_T08(void **state)
{
	enum { N = 100000 };
	json_t *root = small_json(1);
	char name[32], *text = malloc(1 << 20);
	int32_t *ids;
	size_t n_ids;
	(void)state;
	assert_non_null(text);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "<|%d", i);
		small_json_added(root, 256 + i, name, i % 2 ? "{\"special\":true}" : "{\"special\":false}");
	}
	uint64_t t = cpu_ns();
	struct leat_vocab *v = accept(root);
	for (size_t i = 0; i < 1 << 20; i += 8)
		memcpy(text + i, "<|98765x", 8);
	assert_int_equal(leat_tokenize(v, text, 1 << 20, LEAT_TOK_PARSE_SPECIAL, &ids, &n_ids, NULL), LEAT_OK);
	t = cpu_ns() - t;
	print_message("100,000 added tokens: load and 1 MiB in %.0f ms\n", (double)t / 1e6);
	assert_int_equal(n_ids, (1 << 20) / 4);
	assert_int_equal(ids[0], 256 + 98765);
	assert_int_equal(ids[1], 'x');
	free(ids);
	/* T09: without being asked only those that are not special count. */
	assert_int_equal(leat_tokenize(v, "<|98765x", 8, 0, &ids, &n_ids, NULL), LEAT_OK);
	assert_int_equal(ids[0], 256 + 9876);
	assert_int_equal(n_ids, 3);
	free(ids);
	leat_vocab_destroy(v);
	free(text);
}

/* T02, T14: NUL and half a surrogate pair in the JSON are refused; T22: one token; T19: none for what is unknown. */
static void test_T02_T14_T22(void **state)
{
	static const char *const bad[] = {
		"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\\u0000\":0},\"merges\":[]}}",
		"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\ud800\":0},\"merges\":[]}}",
		"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\xff\":0},\"merges\":[]}}",
	};
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(leat_vocab_from_json(bad[i], strlen(bad[i]), NULL, &v, &err), LEAT_E_FORMAT);
		assert_null(v);
	}
	v = accept(small_json(0));
	check_ids(v, "a\nb", 0, (const int32_t[]){0, 0, 0}, 3);
	leat_vocab_destroy(v);
	json_t *root = small_json(0);
	json_object_del(model_of(root), "unk_token");
	refuse(root, LEAT_E_FORMAT, "model.vocab", "<0x00>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_S21_ids), cmocka_unit_test(test_S21_merges), cmocka_unit_test(test_T16_T24),
		cmocka_unit_test(test_S21_components), cmocka_unit_test(test_S21_depth), cmocka_unit_test(test_S22),
		cmocka_unit_test(test_T03), cmocka_unit_test(test_T12), cmocka_unit_test(test_T08),
		cmocka_unit_test(test_T02_T14_T22),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
