/* Row G67 in full: every byte of the first 64 KiB of both models, one bit of it and all of it turned over; what still
 * loads has to run. */
#include "hostile/hostile.h"

#include <stdlib.h>

/* The sanitizers are ten times as slow: there every byte of the header and the first keys, then one in sixteen. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { ALL_UNTIL = 2048, STEP = 16 };
#else
enum { ALL_UNTIL = 65536, STEP = 1 };
#endif

static void flips(enum mk_kind kind)
{
	struct mk *m = mk_create(kind);
	size_t n;
	unsigned char *bytes = mk_encode(m, &n);
	for (size_t i = 0; i < n && i < 65536; i += i < ALL_UNTIL ? 1 : STEP) {
		const unsigned char masks[] = { (unsigned char)(1u << i % 8), 0xff };
		for (int k = 0; k < 2; k++) {
			bytes[i] ^= masks[k];
			hostile_any(bytes, n, 1);
			bytes[i] ^= masks[k];
		}
	}
	free(bytes);
	mk_destroy(m);
}

static void test_G67_qwen2(void **state)
{
	(void)state;
	flips(MK_QWEN2);
}

static void test_G67_rwkv7(void **state)
{
	(void)state;
	flips(MK_RWKV7);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_G67_qwen2), cmocka_unit_test(test_G67_rwkv7) };
	return hostile_main(tests, 2, "none here");
}
