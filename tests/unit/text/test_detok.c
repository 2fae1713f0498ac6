/* test_detok.c - whole characters only, U+FFFD for what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/small_vocab.h"
#include "text/unicode.h"

static struct small_vocab small;

static struct leat_vocab *bytes_vocab(void)
{
	struct leat_vocab *v = NULL;
	small_init(&small, LEAT_VOCAB_RWKV);
	small_token(&small, "\x9f\x98", 2, LEAT_TOKEN_NORMAL);      /* 256: the middle of an emoji */
	small_token(&small, "a\xf0", 2, LEAT_TOKEN_NORMAL);         /* 257 */
	small_token(&small, "\x80z", 2, LEAT_TOKEN_NORMAL);         /* 258 */
	small_token(&small, "<s>", 3, LEAT_TOKEN_CONTROL);          /* 259 */
	assert_int_equal(leat_vocab_build(&small.spec, &v, NULL), LEAT_OK);
	return v;
}

static size_t next(struct leat_detok *d, int id, char *out)
{
	size_t bound = leat_detok_bound(d, id);
	char *exact = malloc(bound);
	assert_non_null(exact);
	size_t n = leat_detok_next(d, id, exact, bound);
	assert_true(n <= bound);
	memcpy(out, exact, n);
	free(exact);
	return n;
}

/* Decodes single bytes, with the bytes that each of them releases joined by '|' at the end. */
static void check(const struct leat_vocab *v, const char *bytes, const char *want)
{
	struct leat_detok d;
	char got[64];
	size_t n = 0;
	leat_detok_init(&d, v, 0);
	for (size_t i = 0; i < strlen(bytes); i++)
		n += next(&d, (unsigned char)bytes[i], got + n);
	got[n++] = '|';
	n += leat_detok_flush(&d, got + n, 4);
	got[n] = 0;
	assert_string_equal(got, want);
	assert_int_equal(leat_detok_flush(&d, got, 4), 0);
}

#define R "\xef\xbf\xbd"

static void maximal_subparts(void **state)
{
	struct leat_vocab *v = bytes_vocab();
	(void)state;
	check(v, "abc", "abc|");
	check(v, "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80|");
	/* The examples of the Unicode standard, tables 3-8 to 3-11. */
	check(v, "\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", R R R R R R R R "A|");
	check(v, "\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", R R R R R R R R "A|");
	check(v, "\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", R R R R R "A" R R "B|");
	check(v, "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", R R R R "A|");
	/* Held at the end: one replacement for all of it. */
	check(v, "x\xf0\x9f\x98", "x|" R);
	check(v, "\xe2\x82", "|" R);
	check(v, "\xe2\xc3", R "|" R);
	leat_vocab_destroy(v);
}

static void across_tokens(void **state)
{
	struct leat_vocab *v = bytes_vocab();
	struct leat_detok d;
	char out[32];
	(void)state;
	leat_detok_init(&d, v, 0);
	assert_int_equal(next(&d, 257, out), 1);
	assert_int_equal(out[0], 'a');
	assert_int_equal(next(&d, 256, out), 0);
	assert_int_equal(next(&d, 259, out), 0); /* a control token shows nothing and breaks nothing */
	assert_int_equal(next(&d, 258, out), 5);
	assert_memory_equal(out, "\xf0\x9f\x98\x80z", 5);
	/* Ids that do not exist show nothing. */
	assert_int_equal(next(&d, -1, out), 0);
	assert_int_equal(next(&d, 1 << 30, out), 0);
	leat_detok_init(&d, v, 1);
	assert_int_equal(next(&d, 259, out), 3);
	assert_memory_equal(out, "<s>", 3);
	/* Too little room: nothing is written. */
	assert_int_equal(leat_detok_next(&d, 259, out, 3), 0);
	leat_vocab_destroy(v);
}

/* Any bytes, any cut into tokens: the output is valid, holds back at most three bytes, and equals the input if that was
 * valid. */
static void random_bytes(void **state)
{
	struct leat_vocab *v = bytes_vocab();
	uint64_t seed = 3;
	(void)state;
	for (int round = 0; round < 20000; round++) {
		static const unsigned char leads[] = {0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0x80,
						      0x9f, 0xa0, 0xbf, 0x8f, 0x90, 'a'};
		unsigned char out[256];
		struct leat_detok d;
		size_t n = 0, used = 0;
		leat_detok_init(&d, v, 0);
		for (uint32_t i = 1 + small_random(&seed) % 12; i > 0; i--, used++) {
			size_t before = n;
			n += next(&d, leads[small_random(&seed) % sizeof(leads)], (char *)out + n);
			assert_true(n - before <= 6 && d.n_held <= 3);
		}
		n += leat_detok_flush(&d, (char *)out + n, 4);
		for (size_t at = 0, len; at < n; at += len) {
			len = leat_utf8_len(out + at, n - at);
			assert_true(len > 0);
		}
		assert_true(n <= 3 * used && n > 0);
	}
	leat_vocab_destroy(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(maximal_subparts), cmocka_unit_test(across_tokens),
					   cmocka_unit_test(random_bytes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
