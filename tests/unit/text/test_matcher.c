/* test_matcher.c - special tokens: leftmost, longest, many, and only when asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/small_vocab.h"

static struct small_vocab small;

static void check(const struct leat_vocab *v, const char *text, unsigned flags, const int *want, size_t n_want)
{
	int32_t *ids;
	size_t n;
	assert_int_equal(leat_tokenize(v, text, strlen(text), flags, &ids, &n, NULL), LEAT_OK);
	assert_int_equal(n, n_want);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ids[i], want[i]);
	free(ids);
}

#define CHECK(v, text, flags, ...)                                                \
	do {                                                                      \
		const int want_[] = {__VA_ARGS__};                                \
		check(v, text, flags, want_, sizeof(want_) / sizeof(want_[0]));   \
	} while (0)

static void kinds_and_flags(void **state)
{
	struct leat_vocab *v;
	(void)state;
	small_init(&small, LEAT_VOCAB_BPE);
	int c = small_token(&small, "<|c|>", 5, LEAT_TOKEN_CONTROL), u = small_token(&small, "<u>", 3, LEAT_TOKEN_USER);
	int uu = small_token(&small, "<u><u>", 6, LEAT_TOKEN_USER);
	int x = small_token(&small, "u><|c|>", 7, LEAT_TOKEN_CONTROL);
	int unused = small_token(&small, "<no>", 4, LEAT_TOKEN_UNUSED);
	small.spec.bos = c;
	small.spec.eos = u;
	small.spec.add_bos = small.spec.add_eos = 1;
	assert_int_equal(leat_vocab_build(&small.spec, &v, NULL), LEAT_OK);
	CHECK(v, "a<|c|>", 0, 'a', '<', '|', 'c', '|', '>');
	CHECK(v, "a<|c|>", LEAT_TOK_PARSE_SPECIAL, 'a', c);
	CHECK(v, "a<u>", 0, 'a', u);
	CHECK(v, "<u><u><u>", 0, uu, u);
	/* The leftmost wins over the longer one that starts later. */
	CHECK(v, "<u><|c|>", LEAT_TOK_PARSE_SPECIAL, u, c);
	CHECK(v, "u><|c|>", LEAT_TOK_PARSE_SPECIAL, x);
	CHECK(v, "<no>", LEAT_TOK_PARSE_SPECIAL, '<', 'n', 'o', '>');
	CHECK(v, "", LEAT_TOK_SPECIAL, c, u);
	CHECK(v, "b", LEAT_TOK_SPECIAL, c, 'b', u);
	assert_int_equal(leat_vocab_size(v), x + 1);
	assert_int_equal(leat_vocab_token_kind(v, unused), LEAT_TOKEN_UNUSED);
	int32_t *ids = (int32_t *)&small;
	size_t n = 5;
	assert_int_equal(leat_tokenize(v, NULL, 0, 0, &ids, &n, NULL), LEAT_OK);
	assert_null(ids);
	assert_int_equal(n, 0);
	assert_int_equal(leat_tokenize(v, "", 0, 4, &ids, &n, NULL), LEAT_E_ARG);
	assert_int_equal(leat_tokenize(v, "", ((size_t)1 << 30) + 1, 0, &ids, &n, NULL), LEAT_E_LIMIT);
	leat_vocab_destroy(v);
}

/* Random overlapping tokens over two letters against trying each of them at each place. */
static void against_definition(void **state)
{
	uint64_t seed = 21;
	(void)state;
	for (int round = 0; round < 3000; round++) {
		int first = 256, n_tokens = 1 + (int)(small_random(&seed) % 8);
		char text[64], word[8];
		size_t n = small_random(&seed) % sizeof(text), n_ids, k = 0, len, best_len;
		struct leat_vocab *v;
		int32_t *ids;
		small_init(&small, LEAT_VOCAB_BPE);
		for (int i = 0; i < n_tokens; i++) {
			len = 1 + small_random(&seed) % sizeof(word);
			for (size_t j = 0; j < len; j++)
				word[j] = (char)('a' + small_random(&seed) % 2);
			small_token(&small, word, len, LEAT_TOKEN_USER);
		}
		for (size_t i = 0; i < n; i++)
			text[i] = (char)('a' + small_random(&seed) % 2);
		assert_int_equal(leat_vocab_build(&small.spec, &v, NULL), LEAT_OK);
		assert_int_equal(leat_tokenize(v, text, n, 0, &ids, &n_ids, NULL), LEAT_OK);
		for (size_t at = 0; at < n; at += best_len, k++) {
			int best = (unsigned char)text[at];
			best_len = 1;
			for (int id = first + n_tokens - 1; id >= first; id--) {
				const unsigned char *s = leat_vocab_bytes(v, id, 1, &len);
				if (len <= n - at && !memcmp(s, text + at, len) && len >= best_len) {
					best_len = len;
					best = id;
				}
			}
			assert_true(k < n_ids);
			assert_int_equal(ids[k], best);
		}
		assert_int_equal(k, n_ids);
		free(ids);
		leat_vocab_destroy(v);
	}
}

/* HOSTILE T08: 100 000 tokens that are beginnings of each other, and a text that nearly matches all of them. */
static void many(void **state)
{
	enum { N = 100000, LONG = 3000 };
	struct leat_str *token = calloc(N, sizeof(*token));
	unsigned char *kind = malloc(N), *text = malloc(1 << 20);
	char *store = malloc(N * 16 + LONG);
	uint64_t t = leat_now_ns();
	struct leat_vocab *v;
	int32_t *ids;
	size_t n_ids;
	(void)state;
	assert_true(token && kind && store && text);
	small_init(&small, LEAT_VOCAB_BPE);
	memcpy(token, small.token, 256 * sizeof(*token));
	memset(kind, LEAT_TOKEN_NORMAL, 256);
	memset(kind + 256, LEAT_TOKEN_CONTROL, N - 256);
	memset(store + N * 16, 'a', LONG);
	for (int i = 256; i < N; i++) {
		char *s = store + i * 16;
		int len = snprintf(s, 16, "<|%d|>", i);
		token[i] = (struct leat_str){s, (uint64_t)len};
		if (i % 64 == 0) /* aaaa...b of many lengths */
			token[i] = (struct leat_str){store + N * 16, 2 + (uint64_t)(i % LONG)};
	}
	small.spec.tokens = token;
	small.spec.kinds = kind;
	small.spec.n_tokens = N;
	assert_int_equal(leat_vocab_build(&small.spec, &v, NULL), LEAT_OK);
	for (size_t i = 0; i < 1 << 20; i++)
		text[i] = i % LONG == LONG - 1 ? 'b' : 'a';
	assert_int_equal(leat_tokenize(v, text, 1 << 20, LEAT_TOK_PARSE_SPECIAL, &ids, &n_ids, NULL), LEAT_OK);
	free(ids);
	assert_int_equal(leat_tokenize(v, "<|99999|><|300", 14, LEAT_TOK_PARSE_SPECIAL, &ids, &n_ids, NULL), LEAT_OK);
	assert_int_equal(n_ids, 6);
	assert_int_equal(ids[0], 99999);
	free(ids);
	t = leat_now_ns() - t;
	print_message("100 000 special tokens: %.1f ms\n", (double)t / 1e6);
	assert_true(t < (uint64_t)20000000000);
	leat_vocab_destroy(v);
	free(store);
	free(text);
	free(kind);
	free(token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(kinds_and_flags), cmocka_unit_test(against_definition),
					   cmocka_unit_test(many)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
