/* test_pretok.c - the scanner against the regular expressions that define it, run by PCRE2. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pcre2.h>

#include "support/small_vocab.h"
#include "text/pretok.h"
#include "text/unicode.h"

struct regex {
	pcre2_code *code;
	pcre2_match_data *match;
};

static struct regex compile(const char *pattern)
{
	int error;
	PCRE2_SIZE offset;
	struct regex r = {NULL, NULL};
	r.code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &error, &offset,
			       NULL);
	assert_non_null(r.code);
	(void)pcre2_jit_compile(r.code, PCRE2_JIT_COMPLETE);
	r.match = pcre2_match_data_create_from_pattern(r.code, NULL);
	assert_non_null(r.match);
	return r;
}

static void release(struct regex *r)
{
	pcre2_match_data_free(r->match);
	pcre2_code_free(r->code);
}

/* End of the match that starts at `at`; fails the test if there is none. */
static size_t regex_next(const struct regex *r, const unsigned char *text, size_t at, size_t n)
{
	int got = pcre2_match(r->code, text, n, at, PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK, r->match, NULL);
	if (got <= 0)
		fail_msg("the expression does not match at %zu: %d", at, got);
	return pcre2_get_ovector_pointer(r->match)[1];
}

static void compare(const struct leat_pretok *p, const struct regex *r, const unsigned char *text, size_t n)
{
	for (size_t at = 0; at < n;) {
		size_t got = leat_pretok_next(p, text, at, n), want = regex_next(r, text, at, n);
		if (got != want) {
			char shown[400];
			leat_escape(shown, sizeof(shown), text, n);
			fail_msg("%s: '%s': piece at %zu ends at %zu, wanted %zu", p->name, shown, at, got, want);
		}
		at = got;
	}
}

/* Characters at which the expressions decide something, and some that only look so. U+180E is left out: PCRE2 counts it
 * as white space, which it has not been since Unicode 6.3. */
static const uint32_t interesting[] = {
	'\'', '\'', 's', 'S', 't', 'r', 'e', 'E', 'v', 'm', 'l', 'L', 'd', 'D', 0x17f, 0x212a, ' ', ' ', ' ',
	'\n', '\n', '\r', '\t', 0x0b, 0x0c, 0x1c, 0x85, 0xa0, 0x2003, 0x2028, 0x3000, 0x200b, '1', '9', 0x664,
	0xbd, 0x2167, '.', '!', '_', 0x301, 0x200d, 0x1f9d1, 0x1f680, 0x4e2d, 0xe9, 0x1c5, 0x2b0, 0x10ffff, 0,
	0xe000, 0xfdfa, 0x378, 'a',
};

static void random_texts(void **state)
{
	static const char *const names[] = {"qwen2", "llama-bpe", "gpt-2"};
	uint64_t seed = 0x1234567;
	(void)state;
	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		const struct leat_pretok *p = leat_pretok_find(names[k], strlen(names[k]));
		assert_non_null(p);
		struct regex r = compile(p->pattern);
		for (int round = 0; round < 40000; round++) {
			unsigned char text[4 * 24];
			size_t n = 0;
			/* Few kinds of characters at a time make long runs and repeats likely. */
			uint32_t kinds = 1 + small_random(&seed) % 6, first = small_random(&seed);
			for (uint32_t i = small_random(&seed) % 24; i > 0; i--) {
				size_t at = (first + small_random(&seed) % kinds * 7919) %
					    (sizeof(interesting) / sizeof(interesting[0]));
				n += leat_utf8_put(interesting[at], text + n);
			}
			compare(p, &r, text, n);
		}
		release(&r);
	}
}

static void contractions(void **state)
{
	const struct leat_pretok *qwen2 = leat_pretok_find("qwen2", 5), *gpt2 = leat_pretok_find("gpt-2", 5);
	(void)state;
	assert_int_equal(leat_pretok_next(qwen2, (const unsigned char *)"'LLama", 0, 6), 3);
	assert_int_equal(leat_pretok_next(gpt2, (const unsigned char *)"'LLama", 0, 6), 1);
	assert_int_equal(leat_pretok_next(gpt2, (const unsigned char *)"'llama", 0, 6), 3);
	assert_int_equal(leat_pretok_next(qwen2, (const unsigned char *)"'x", 0, 2), 2);
	assert_int_equal(leat_pretok_next(qwen2, (const unsigned char *)"'", 0, 1), 1);
	assert_null(leat_pretok_find("qwen", 4));
	assert_null(leat_pretok_find("default", 7));
}

/* Every code point, if PCRE2 knows the same version of Unicode as the table. */
static void all_classes(void **state)
{
	char version[32];
	size_t wrong = 0;
	(void)state;
	assert_true(pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, version) > 0);
	if (strcmp(version, "14.0.0") != 0) {
		print_message("skipped: PCRE2 has Unicode %s\n", version);
		skip();
	}
	struct regex letter = compile("\\p{L}"), number = compile("\\p{N}"), space = compile("\\s");
	for (uint32_t cp = 0; cp < 0x110000; cp++) {
		unsigned char text[4];
		if ((cp >= 0xd800 && cp < 0xe000) || cp == 0x180e)
			continue;
		size_t n = leat_utf8_put(cp, text), len;
		assert_int_equal(leat_utf8_len(text, n), n);
		assert_int_equal(leat_utf8_cp(text, &len), cp);
		int is = leat_char_class(cp);
		wrong += (pcre2_match(letter.code, text, n, 0, PCRE2_NO_UTF_CHECK, letter.match, NULL) > 0) !=
			 (is == LEAT_CHAR_LETTER);
		wrong += (pcre2_match(number.code, text, n, 0, PCRE2_NO_UTF_CHECK, number.match, NULL) > 0) !=
			 (is == LEAT_CHAR_NUMBER);
		wrong += (pcre2_match(space.code, text, n, 0, PCRE2_NO_UTF_CHECK, space.match, NULL) > 0) !=
			 (is == LEAT_CHAR_SPACE);
	}
	assert_int_equal(wrong, 0);
	release(&letter);
	release(&number);
	release(&space);
}

/* No UTF-8: lone continuations, overlong forms, surrogates, past U+10FFFF, cut short; and all pairs of bytes. */
static void ill_formed(void **state)
{
	static const char *const bad[] = {
		"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98", "\xff",
	};
	int pairs = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(leat_utf8_len((const unsigned char *)bad[i], strlen(bad[i])), 0);
	for (int i = 0; i < 65536; i++) {
		unsigned char text[2] = {(unsigned char)(i >> 8), (unsigned char)i};
		pairs += leat_utf8_len(text, 2) == 2;
	}
	assert_int_equal(pairs, 30 * 64); /* leads C2 to DF */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_texts), cmocka_unit_test(contractions),
					   cmocka_unit_test(all_classes), cmocka_unit_test(ill_formed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
