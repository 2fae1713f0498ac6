/* test_spm.c - SentencePiece's BPE: against its definition, special tokens, hostile vocabularies. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/oracle.h"
#include "support/small_vocab.h"

static struct small_vocab small;
static float scores[SMALL_MAX];

static int add(const char *text, int kind, float score)
{
	int id = small_token(&small, text, strlen(text), kind);
	assert_true(id >= 0);
	scores[id] = score;
	return id;
}

/* <unk>, <s>, </s>, the 256 bytes. */
static void start(void)
{
	char text[8];
	memset(&small, 0, sizeof(small));
	small.spec = (struct leat_vocab_spec){.kind = LEAT_VOCAB_SPM, .tokens = small.token, .kinds = small.kind,
					      .scores = scores, .bos = 1, .eos = 2, .add_bos = 1, .unk = 1,
					      .metaspace = 1, .prefix = LEAT_PREFIX_ALWAYS,
					      .drop_space = 1};
	add("<unk>", LEAT_TOKEN_UNKNOWN, 0);
	add("<s>", LEAT_TOKEN_CONTROL, 0);
	add("</s>", LEAT_TOKEN_CONTROL, 0);
	for (unsigned i = 0; i < 256; i++) {
		snprintf(text, sizeof(text), "<0x%02X>", i);
		add(text, LEAT_TOKEN_BYTE, 0);
	}
}

static void raw_token(const char *text, float score)
{
	struct leat_str s = small_store(&small, text, strlen(text), 1);
	int id = add("", LEAT_TOKEN_NORMAL, score);
	small.token[id] = s;
}

static struct leat_vocab *build(void)
{
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	if (leat_vocab_build(&small.spec, &v, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	return v;
}

static void check_ids(const struct leat_vocab *v, const char *text, unsigned flags, const int32_t *want, size_t n_want)
{
	int32_t *ids = NULL;
	size_t n = 0;
	assert_int_equal(leat_tokenize(v, text, strlen(text), flags, &ids, &n, NULL), LEAT_OK);
	for (size_t i = 0; i < n && i < n_want; i++)
		if (ids[i] != want[i])
			fail_msg("'%s': token %zu: found %d, wanted %d", text, i, ids[i], want[i]);
	assert_int_equal(n, n_want);
	free(ids);
}

#define CHECK_IDS(v, text, flags, ...) \
	check_ids(v, text, flags, (const int32_t[]){__VA_ARGS__}, \
		  sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

/* The alphabet of the random texts: one, two and three bytes; the last has no token and is in none, the one before it
 * is part of tokens only. */
static const char *const letter[] = {"a", "b", "\xe2\x96\x81", "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80"};
enum { N_LETTERS = 6 };

/* The definition: of all neighbours whose joined text is a token, the best score, the leftmost. Ends of the pieces. */
static size_t naive(const char *text, size_t n, size_t *len)
{
	size_t n_sym = 0;
	for (size_t at = 0; at < n; at += len[n_sym++])
		len[n_sym] = !(text[at] & 0x80) ? 1 : !(text[at] & 0x20) ? 2 : !(text[at] & 0x10) ? 3 : 4;
	for (;;) {
		size_t best = n_sym;
		float score = 0;
		for (size_t i = 0, at = 0; i + 1 < n_sym; at += len[i++])
			for (size_t t = 259; t < small.spec.n_tokens; t++)
				if (small.token[t].n == len[i] + len[i + 1] &&
				    !memcmp(small.token[t].s, text + at, (size_t)small.token[t].n) &&
				    (best == n_sym || scores[t] > score)) {
					best = i;
					score = scores[t];
				}
		if (best == n_sym)
			return n_sym;
		len[best] += len[best + 1];
		n_sym--;
		memmove(len + best + 1, len + best + 2, (n_sym - best - 1) * sizeof(*len));
	}
}

/* Compares token by token; a piece that is no token must be its bytes. */
static void check_naive(const struct leat_vocab *v, const char *text, size_t n)
{
	size_t len[700], n_ids, i = 0, at = 0, got;
	int32_t *ids;
	assert_int_equal(leat_tokenize(v, text, n, 0, &ids, &n_ids, NULL), LEAT_OK);
	size_t n_sym = naive(text, n, len);
	for (size_t k = 0; k < n_sym; at += len[k++]) {
		size_t t = 259;
		while (t < small.spec.n_tokens &&
		       (small.token[t].n != len[k] || memcmp(small.token[t].s, text + at, len[k])))
			t++;
		if (t < small.spec.n_tokens) {
			assert_true(i < n_ids);
			assert_int_equal(ids[i++], t);
			continue;
		}
		for (size_t b = 0; b < len[k]; b++) {
			assert_true(i < n_ids);
			assert_int_equal(*leat_vocab_bytes(v, ids[i], 0, &got), (unsigned char)text[at + b]);
			assert_int_equal(leat_vocab_token_kind(v, ids[i++]), LEAT_TOKEN_BYTE);
		}
	}
	assert_int_equal(i, n_ids);
	free(ids);
}

/* Few different scores, so that ties are the rule: also pairs that come up left of others of their rank. */
static void against_definition(void **state)
{
	uint64_t seed = 4242;
	(void)state;
	for (int round = 0; round < 400; round++) {
		start();
		small.spec.prefix = LEAT_PREFIX_NEVER;
		for (int i = 0; i < 4; i++)
			raw_token(letter[i], 0);
		uint32_t n_scores = 1 + small_random(&seed) % 9;
		for (int i = 0; i < 30; i++) {
			char text[40] = "";
			uint32_t parts = 2 + small_random(&seed) % 4, t = 263;
			for (uint32_t k = 0; k < parts; k++)
				strncat(text, letter[small_random(&seed) % (N_LETTERS - 1)], 8);
			while (t < small.spec.n_tokens &&
			       (small.token[t].n != strlen(text) || memcmp(small.token[t].s, text, strlen(text))))
				t++;
			if (t == small.spec.n_tokens)
				raw_token(text, (float)(small_random(&seed) % n_scores));
		}
		struct leat_vocab *v = build();
		for (int k = 0; k < 6; k++) {
			char text[700] = "";
			size_t n = 0, letters = 1 + small_random(&seed) % (k < 3 ? 40 : 160);
			uint32_t kinds = 1 + small_random(&seed) % N_LETTERS;
			for (size_t i = 0; i < letters; i++) {
				const char *s = letter[small_random(&seed) % kinds];
				memcpy(text + n, s, strlen(s));
				n += strlen(s);
			}
			check_naive(v, text, n);
		}
		leat_vocab_destroy(v);
	}
}

/* HOSTILE T06 (missing, doubled), T19, T22: what cannot be written is found at the load, not in a text. */
static void test_T19(void **state)
{
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	(void)state;
	start();
	small.kind[3 + 0x41] = LEAT_TOKEN_UNUSED;
	small.spec.unk = 0;
	assert_int_equal(leat_vocab_build(&small.spec, &v, &err), LEAT_E_FORMAT);
	assert_non_null(strstr(err.message, "<0x41>"));
	small.spec.unk = 1;
	v = build();
	CHECK_IDS(v, "\x42""AA", 0, 3 + ' ', 3 + 0x42, 0, 0);
	leat_vocab_destroy(v);
	small.spec.fuse_unk = 1;
	v = build();
	CHECK_IDS(v, "AAB", 0, 3 + ' ', 0, 3 + 0x42);
	leat_vocab_destroy(v);
	start();
	add("<0x41>", LEAT_TOKEN_BYTE, 0);
	v = build();
	CHECK_IDS(v, "A", 0, 3 + ' ', 3 + 0x41);
	leat_vocab_destroy(v);
	start();
	small.spec.n_tokens = 1;
	small.spec.bos = small.spec.eos = -1;
	v = build();
	CHECK_IDS(v, "ab", 0, 0, 0, 0);
	leat_vocab_destroy(v);
}

static void test_T17(void **state)
{
	static const float bad[] = {NAN, INFINITY, -INFINITY};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct leat_vocab *v = NULL;
		struct leat_error err = {0};
		start();
		scores[7] = bad[i];
		assert_int_equal(leat_vocab_build(&small.spec, &v, &err), LEAT_E_FORMAT);
		assert_non_null(strstr(err.message, "tokenizer.ggml.scores: token 7"));
		assert_null(v);
	}
}

/* All scores equal: the leftmost pair always goes first. 2^11 tokens of one letter are a pair for each way to cut them;
 * many more are refused. */
static void test_T18(void **state)
{
	enum { FITS = 2000, LETTERS = 4000 };
	struct leat_str *token = calloc(LETTERS, sizeof(*token));
	char *text = malloc(1 << 20);
	float *same = calloc(LETTERS, sizeof(*same));
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	int32_t *ids;
	size_t n;
	(void)state;
	assert_true(token && text && same);
	memset(text, 'x', 1 << 20);
	for (size_t i = 0; i < LETTERS; i++)
		token[i] = (struct leat_str){text, i + 1};
	struct leat_vocab_spec spec = {.kind = LEAT_VOCAB_SPM, .tokens = token, .scores = same, .bos = -1, .eos = -1,
				       .unk = 1, .n_tokens = LETTERS};
	assert_int_equal(leat_vocab_build(&spec, &v, &err), LEAT_E_LIMIT);
	assert_non_null(strstr(err.message, "pairs"));
	spec.n_tokens = FITS;
	assert_int_equal(leat_vocab_build(&spec, &v, NULL), LEAT_OK);
	assert_int_equal(leat_tokenize(v, text, 1 << 20, 0, &ids, &n, NULL), LEAT_OK);
	assert_int_equal(n, (1 << 20) / FITS + 1);
	for (size_t i = 0; i + 1 < n; i++)
		assert_int_equal(ids[i], FITS - 1);
	free(ids);
	leat_vocab_destroy(v);
	free(same);
	free(text);
	free(token);
}

/* What a control token is called is plain text unless the caller asks; also where merges could spell it. */
static void test_T09(void **state)
{
	(void)state;
	start();
	raw_token("<", 0);
	raw_token("s", 0);
	raw_token(">", 0);
	raw_token("<s", 1);
	raw_token("\xe2\x96\x81", 0);
	struct leat_vocab *v = build();
	CHECK_IDS(v, "<s>", 0, 263, 262, 261);
	CHECK_IDS(v, "<s>", LEAT_TOK_SPECIAL, 1, 263, 262, 261);
	CHECK_IDS(v, "<s>", LEAT_TOK_PARSE_SPECIAL, 1);
	CHECK_IDS(v, "s<s>s", LEAT_TOK_PARSE_SPECIAL, 263, 260, 1, 263, 260);
	CHECK_IDS(v, "<0x41><unk>", LEAT_TOK_PARSE_SPECIAL, 263, 259, 3 + '0', 3 + 'x', 3 + '4', 3 + '1', 261, 0);
	leat_vocab_destroy(v);
}

/* White space beside a special token, and words around it. */
static void added_flags(void **state)
{
	static unsigned char flags[SMALL_MAX];
	(void)state;
	start();
	int left = add("<l>", LEAT_TOKEN_CONTROL, 0), right = add("<r>", LEAT_TOKEN_CONTROL, 0);
	int word = add("wo", LEAT_TOKEN_USER, 0);
	memset(flags, 0, sizeof(flags));
	flags[left] = LEAT_ADDED_LSTRIP;
	flags[right] = LEAT_ADDED_RSTRIP;
	flags[word] = LEAT_ADDED_SINGLE_WORD;
	small.spec.flags = flags;
	small.spec.prefix = LEAT_PREFIX_NEVER;
	struct leat_vocab *v = build();
	const unsigned parse = LEAT_TOK_PARSE_SPECIAL;
	CHECK_IDS(v, "A \n\xe3\x80\x80<l> <r>\t \xc2\xa0""B", parse, 3 + 'A', left, 3 + ' ', right, 3 + 'B');
	CHECK_IDS(v, "<r> <l><r>  ", parse, right, left, right);
	CHECK_IDS(v, "wo,wo", 0, word, 3 + ',', word);
	CHECK_IDS(v, "two", 0, 3 + 't', 3 + 'w', 3 + 'o');
	CHECK_IDS(v, "wo\xc3\xa9", 0, 3 + 'w', 3 + 'o', 3 + 0xc3, 3 + 0xa9);
	CHECK_IDS(v, "wo_", 0, 3 + 'w', 3 + 'o', 3 + '_');
	CHECK_IDS(v, "wo\xff", 0, word, 3 + 0xff);
	leat_vocab_destroy(v);
}

static void decoding(void **state)
{
	struct leat_detok d;
	char out[32];
	(void)state;
	start();
	raw_token("\xe2\x96\x81", 0);
	raw_token("a", 0);
	raw_token("\xe2\x96\x81""a", 1);
	raw_token("a b", 2); /* has a real space: no text leads to it, but it can be shown */
	struct leat_vocab *v = build();
	assert_true(leat_vocab_space_prefix(v));
	CHECK_IDS(v, "a", 0, 261);
	CHECK_IDS(v, " a", 0, 259, 261);
	CHECK_IDS(v, "\xe2\x96\x81""a", 0, 259, 261);
	CHECK_IDS(v, "a b", 0, 261, 259, 3 + 'b');
	leat_detok_init_text(&d, v, 0);
	assert_int_equal(leat_detok_next(&d, 1, out, sizeof(out)), 0); /* <s> is not shown */
	assert_int_equal(leat_detok_next(&d, 261, out, sizeof(out)), 1);
	assert_int_equal(leat_detok_next(&d, 261, out, sizeof(out)), 2);
	assert_memory_equal(out, " a", 2);
	assert_int_equal(leat_detok_next(&d, 3 + 0xc3, out, sizeof(out)), 0); /* T10: half a character is held */
	assert_int_equal(leat_detok_next(&d, 3 + 0xa9, out, sizeof(out)), 2);
	assert_int_equal(leat_detok_next(&d, 262, out, sizeof(out)), 3);
	leat_detok_init(&d, v, 0); /* what a model adds to a text keeps its space */
	assert_int_equal(leat_detok_next(&d, 261, out, sizeof(out)), 2);
	leat_vocab_destroy(v);
}

/* Phi-3's turns: white space after their tokens goes; metadata without the keys that have defaults. */
static void phi3_turns(void **state)
{
	struct leat_file *f = NULL;
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	const char *path = oracle_path("tokenizers/ggml-vocab-phi-3.gguf");
	(void)state;
	if (!path)
		skip();
	if (leat_file_open(path, &f, &err) != LEAT_OK || leat_vocab_from_file(f, &v, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	leat_file_close(f);
	assert_int_equal(leat_vocab_size(v), 32011);
	assert_true(leat_vocab_is_end(v, 32000) && leat_vocab_is_end(v, 32007));
	CHECK_IDS(v, "<|user|>\nHello<|end|>\n<|assistant|>\n", LEAT_TOK_SPECIAL | LEAT_TOK_PARSE_SPECIAL, 1, 32010,
		  15043, 32007, 32001);
	CHECK_IDS(v, "<|endoftext|> Hello", LEAT_TOK_PARSE_SPECIAL, 32000, 29871, 15043);
	leat_vocab_destroy(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_definition), cmocka_unit_test(test_T19), cmocka_unit_test(test_T17),
		cmocka_unit_test(test_T18), cmocka_unit_test(test_T09), cmocka_unit_test(added_flags),
		cmocka_unit_test(decoding), cmocka_unit_test(phi3_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
