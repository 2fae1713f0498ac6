/* Errors, cursor, arena, maps, checked arithmetic, UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/cursor.h"
#include "base/map.h"
#include "base/utf8.h"

static void test_status_text(void **state)
{
	(void)state;
	assert_string_equal(leat_status_text(LEAT_OK), "success");
	assert_string_equal(leat_status_text(LEAT_E_LIMIT), "a limit is exceeded");
	assert_non_null(leat_status_text(12345));
	assert_non_null(leat_status_text(INT32_MIN));
}

static void test_fail_fills(void **state)
{
	(void)state;
	struct leat_error e = {0};
	assert_int_equal(leat_fail(&e, LEAT_E_FORMAT, "field\n", 7, "found %d, wanted %s", 3, "\x1b[31m\xff"),
			 LEAT_E_FORMAT);
	assert_int_equal(e.status, LEAT_E_FORMAT);
	assert_int_equal(e.offset, 7);
	assert_string_equal(e.code, "invalid_model_file");
	assert_string_equal(e.where, "field\\x0A");
	assert_string_equal(e.message, "found 3, wanted \\x1B[31m\\xFF");
	assert_int_equal(e.struct_size, 0);
	assert_int_equal(leat_fail(NULL, LEAT_E_IO, NULL, 0, "x"), LEAT_E_IO);
	leat_err_code(&e, "other");
	assert_string_equal(e.code, "other");
	leat_err_prefix(&e, "a\tb");
	assert_string_equal(e.message, "a\\x09b: found 3, wanted \\x1B[31m\\xFF");
	leat_err_prefix(&e, "a\tb");
	assert_string_equal(e.message, "a\\x09b: found 3, wanted \\x1B[31m\\xFF");
	leat_err_code(NULL, "x");
	leat_err_prefix(NULL, "x");
}

/* Cut on a character border, always terminated, whatever the length. */
static void test_fail_cuts(void **state)
{
	(void)state;
	char text[2000];
	for (size_t n = 380; n < 1990; n += n < 420 ? 1 : 97) {
		struct leat_error e = {0};
		for (size_t i = 0; i + 1 < n; i += 2)
			memcpy(text + i, "\xc3\xa9", 2);
		text[n / 2 * 2] = '\0';
		leat_fail(&e, LEAT_E_ARG, text, 0, "%s", text);
		assert_true(memchr(e.message, 0, sizeof e.message) != NULL);
		assert_true(leat_utf8_is_line(e.message, strlen(e.message)));
		assert_true(leat_utf8_is_line(e.where, strlen(e.where)));
		leat_err_prefix(&e, text);
		assert_true(leat_utf8_is_line(e.message, strlen(e.message)));
		assert_true(strstr(e.message, "...: ") != NULL);
	}
}

/* A caller that was compiled with a shorter object keeps what lies behind it. */
static void test_fail_short_object(void **state)
{
	(void)state;
	for (uint32_t size = 4; size <= sizeof(struct leat_error); size += 4) {
		struct leat_error e;
		memset(&e, 0x5a, sizeof e);
		e.struct_size = size;
		leat_fail(&e, LEAT_E_NOMEM, "w", 1, "message");
		leat_err_code(&e, "code");
		leat_err_prefix(&e, "prefix");
		assert_int_equal(e.struct_size, size);
		for (size_t i = size; i < sizeof e; i++)
			assert_int_equal(((unsigned char *)&e)[i], 0x5a);
	}
}

static void test_escape(void **state)
{
	(void)state;
	char buf[8];
	assert_int_equal(leat_escape(buf, 8, "abcdefg", 7), 7);
	assert_string_equal(buf, "abcdefg");
	assert_int_equal(leat_escape(buf, 8, "abcdefgh", 8), 7);
	assert_string_equal(buf, "abcd...");
	leat_escape(buf, 8, "\0\0", 2);
	assert_string_equal(buf, "\\x00...");
	leat_escape(buf, 1, "abc", 3);
	assert_string_equal(buf, "");
	leat_escape(buf, 3, "abc", 3);
	assert_string_equal(buf, "..");
	assert_int_equal(leat_escape(buf, 0, "abc", 3), 0);
	leat_escape(buf, 8, "", 0);
	assert_string_equal(buf, "");
}

/* Every sequence of up to 2 bytes and every code point, against the definition of the encoding. */
static void test_utf8(void **state)
{
	(void)state;
	uint32_t c = 0;
	for (uint32_t cp = 0; cp < 0x120000; cp++) {
		unsigned char s[4];
		int n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
		static const unsigned char lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
		for (int i = 0; i < n; i++)
			s[i] = (unsigned char)((i ? 0x80 : lead[n]) | ((cp >> 6 * (n - 1 - i)) & (i ? 0x3fu : 0xffu)));
		int good = cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff);
		assert_int_equal(leat_utf8_next(s, (size_t)n, &c), good ? n : 0);
		if (good)
			assert_int_equal(c, cp);
		if (n > 1)
			assert_int_equal(leat_utf8_next(s, (size_t)n - 1, &c), 0);
	}
	for (unsigned v = 0; v < 65536; v++) {
		unsigned char s[2] = {(unsigned char)(v >> 8), (unsigned char)v};
		int want = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] <= 0xdf && (s[1] & 0xc0) == 0x80 ? 2 : 0;
		assert_int_equal(leat_utf8_next(s, 2, &c), want);
	}
	static const char *const bad[] = {"\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80",
					  "\x80"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(leat_utf8_next((const unsigned char *)bad[i], strlen(bad[i]), &c), 0);
	assert_int_equal(leat_utf8_next((const unsigned char *)"", 0, &c), 0);
	assert_true(leat_utf8_is_line("na\xc3\xafve \xe6\x97\xa5", 10));
	assert_false(leat_utf8_is_line("a\xe2\x80\xa8", 4));
	assert_false(leat_utf8_is_line("a\xc2\x85", 3));
}

static void test_cursor(void **state)
{
	(void)state;
	const unsigned char data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct leat_cursor c = {data, sizeof data, 0};
	struct leat_error e = {0};
	uint8_t a = 0;
	uint16_t b = 0;
	uint32_t d = 0;
	uint64_t q = 99;
	const unsigned char *p = NULL;
	assert_int_equal(leat_read_u8(&c, "a", &a, &e), LEAT_OK);
	assert_int_equal(leat_read_u16(&c, "b", &b, &e), LEAT_OK);
	assert_int_equal(leat_read_u32(&c, "d", &d, &e), LEAT_OK);
	assert_true(a == 1 && b == 0x0302 && d == 0x07060504 && leat_cursor_left(&c) == 8);
	assert_int_equal(leat_read_bytes(&c, UINT64_MAX, "p", &p, &e), LEAT_E_FORMAT);
	assert_int_equal(leat_read_bytes(&c, 9, "p", &p, &e), LEAT_E_FORMAT);
	assert_true(p == NULL && c.pos == 7);
	assert_int_equal(leat_read_bytes(&c, 1, "p", &p, &e), LEAT_OK);
	assert_ptr_equal(p, data + 7);
	assert_int_equal(leat_read_u64(&c, "the last word", &q, &e), LEAT_E_FORMAT);
	assert_true(q == 99 && c.pos == 8 && e.offset == 8);
	assert_string_equal(e.where, "the last word");
	assert_non_null(strstr(e.message, "wanted 8 bytes, found 7"));
	assert_int_equal(leat_read_bytes(&c, 7, "p", &p, &e), LEAT_OK);
	assert_int_equal(leat_read_bytes(&c, 0, "p", &p, &e), LEAT_OK);
	assert_int_equal(leat_read_u8(&c, "a", &a, &e), LEAT_E_FORMAT);
	c.pos = 0;
	assert_int_equal(leat_read_u64(&c, "q", &q, &e), LEAT_OK);
	assert_true(q == 0x0807060504030201u);
}

static void test_checked(void **state)
{
	(void)state;
	uint64_t r = 5;
	size_t s = 5;
	assert_int_equal(leat_add_u64(UINT64_MAX, 1, &r), 1);
	assert_int_equal(leat_mul_u64((uint64_t)1 << 32, (uint64_t)1 << 32, &r), 1);
	assert_int_equal(leat_align_u64(UINT64_MAX - 30, 32, &r), 1);
	assert_int_equal(leat_mul_size(SIZE_MAX, 2, &s), 1);
	assert_int_equal(leat_add_size(SIZE_MAX, 1, &s), 1);
	assert_true(r == 5 && s == 5);
	assert_int_equal(leat_align_u64(UINT64_MAX - 31, 32, &r), 0);
	assert_true(r == UINT64_MAX - 31);
	assert_int_equal(leat_align_u64(33, 32, &r), 0);
	assert_true(r == 64);
}

static void test_arena(void **state)
{
	(void)state;
	struct leat_arena a = {0};
	unsigned char *piece[200];
	for (size_t i = 0; i < 200; i++) {
		size_t n = i % 7 == 0 ? 100000 + i : i * 13;
		piece[i] = leat_arena_take(&a, n);
		assert_non_null(piece[i]);
		assert_int_equal((uintptr_t)piece[i] % 64, 0);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(piece[i][k], 0);
		memset(piece[i], (int)i + 1, n);
	}
	for (size_t i = 0; i < 200; i++) {
		size_t n = i % 7 == 0 ? 100000 + i : i * 13;
		for (size_t k = 0; k < n; k++)
			assert_int_equal(piece[i][k], (unsigned char)(i + 1));
	}
	assert_null(leat_arena_take(&a, SIZE_MAX));
	assert_null(leat_arena_take(&a, SIZE_MAX - 64));
	assert_null(leat_arena_take_array(&a, SIZE_MAX / 2, 4));
	assert_null(leat_arena_copy(&a, "", SIZE_MAX));
	char *s = leat_arena_copy(&a, "hello", 5);
	assert_string_equal(s, "hello");
	leat_arena_deinit(&a);
	assert_int_equal(a.used_bytes, 0);
	a.limit_bytes = 256;
	assert_non_null(leat_arena_take(&a, 200));
	assert_null(leat_arena_take(&a, 1));
	leat_arena_deinit(&a);
	assert_non_null(leat_arena_take(&a, 256));
	assert_null(leat_arena_take(&a, 0));
	leat_arena_deinit(&a);
	leat_arena_deinit(&a);
	assert_null(leat_alloc_aligned(0));
	assert_null(leat_alloc_aligned(SIZE_MAX));
	void *p = leat_alloc_aligned(65);
	assert_int_equal((uintptr_t)p % 64, 0);
	free(p);
}

static void test_map(void **state)
{
	(void)state;
	char path[] = "/tmp/leat-map.XXXXXX";
	int fd = mkstemp(path);
	struct leat_map m = {0};
	struct leat_error e = {0};
	leat_map_close(&m); /* zeroed: must not close descriptor 0 */
	assert_true(fd > 0 && fcntl(0, F_GETFD) >= 0);
	assert_int_equal(leat_map_open(&m, path, &e), LEAT_OK);
	assert_true(m.size == 0 && m.data == NULL);
	leat_map_will_need(&m, 0, 100);
	leat_map_close(&m);
	assert_int_equal(write(fd, "hello", 5), 5);
	assert_int_equal(leat_map_open(&m, path, &e), LEAT_OK);
	assert_true(m.size == 5 && !memcmp(m.data, "hello", 5));
	assert_true(fcntl(m.fd, F_GETFD) & FD_CLOEXEC);
	leat_map_will_need(&m, 0, UINT64_MAX);
	leat_map_will_need(&m, 5, 1);
	assert_int_equal(leat_map_check(&m, &e), LEAT_OK);
	assert_int_equal(write(fd, "!", 1), 1);
	assert_int_equal(leat_map_check(&m, &e), LEAT_E_IO);
	leat_map_close(&m);
	leat_map_close(&m);
	close(fd);
	unlink(path);
	m.fd = 77;
	assert_int_equal(leat_map_open(&m, path, &e), LEAT_E_NOTFOUND);
	assert_int_equal(m.fd, 77);
	assert_non_null(strstr(e.message, path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_text), cmocka_unit_test(test_fail_fills),
		cmocka_unit_test(test_fail_cuts),   cmocka_unit_test(test_fail_short_object),
		cmocka_unit_test(test_escape),      cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_cursor),      cmocka_unit_test(test_checked),
		cmocka_unit_test(test_arena),       cmocka_unit_test(test_map),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
