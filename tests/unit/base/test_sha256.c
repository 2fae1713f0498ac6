/* SHA-256 against the examples of FIPS 180-4 (NIST, "Cryptographic Standards and Guidelines: Examples with intermediate
 * values" and the one-million-a message). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "base/sha256_blocks.h"

static void check(const char *text, size_t n, size_t times, const char *want)
{
	struct leat_sha256 s;
	char hex[65];
	size_t i;

	leat_sha256_init(&s);
	for (i = 0; i < times; i++)
		leat_sha256_add(&s, text, n);
	leat_sha256_hex(&s, hex);
	assert_string_equal(hex, want);
}

static void test_vectors(void **state)
{
	static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

	(void)state;
	check("abc", 3, 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check(two, strlen(two), 1, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	check("aaaaaaaaaa", 10, 100000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* The padding is different at each length around a block's end: cut in two, the hash is the same. */
static void test_cuts(void **state)
{
	unsigned char data[130];
	size_t n, cut;

	(void)state;
	for (n = 0; n < sizeof(data); n++)
		data[n] = (unsigned char)(n * 7 + 1);
	for (n = 50; n <= sizeof(data); n++) {
		struct leat_sha256 s;
		char whole[65], parts[65];
		leat_sha256_init(&s);
		leat_sha256_add(&s, data, n);
		leat_sha256_hex(&s, whole);
		for (cut = 0; cut <= n; cut += 13) {
			leat_sha256_init(&s);
			leat_sha256_add(&s, data, cut);
			leat_sha256_add(&s, data + cut, n - cut);
			leat_sha256_hex(&s, parts);
			assert_string_equal(whole, parts);
		}
	}
}

/* The processor's own instructions, where it has them: every count of blocks, from any state, anywhere in memory. */
static void test_native(void **state)
{
	leat_sha256_blocks_fn *native = leat_sha256_native();
	unsigned char data[64 * 9 + 7];
	uint32_t a[8], b[8], seed = 1;

	(void)state;
	if (!native)
		skip();
	for (int round = 0; round < 500; round++) {
		for (size_t i = 0; i < sizeof(data); i++) {
			seed = seed * 1664525u + 1013904223u;
			data[i] = (unsigned char)(seed >> 24);
		}
		memcpy(a, data, sizeof(a));
		memcpy(b, data, sizeof(b));
		leat_sha256_portable(a, data + round % 7, (size_t)(round % 10));
		native(b, data + round % 7, (size_t)(round % 10));
		assert_memory_equal(a, b, sizeof(a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_native),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
