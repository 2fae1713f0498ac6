/* test_stops.c - stop strings across borders, against looking at the whole text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/small_vocab.h"

/* The definition: the first end of any stop string, the longest there; what precedes it is shown. */
static int naive(const char *text, size_t n, char stop[][8], const size_t *len, int n_stops, size_t *ret_shown)
{
	for (size_t end = 1; end <= n; end++) {
		int found = -1;
		for (int i = 0; i < n_stops; i++)
			if (len[i] <= end && !memcmp(text + end - len[i], stop[i], len[i]) &&
			    (found < 0 || len[i] > len[found]))
				found = i;
		if (found >= 0) {
			*ret_shown = end - len[found];
			return found;
		}
	}
	*ret_shown = n;
	return -1;
}

/* How many bytes at the end of text[0..n) could still become a stop string: these and no others may be held. */
static size_t could_grow(const char *text, size_t n, char stop[][8], const size_t *len, int n_stops)
{
	size_t most = 0;
	for (int i = 0; i < n_stops; i++)
		for (size_t k = 1; k < len[i] && k <= n; k++)
			if (!memcmp(text + n - k, stop[i], k) && k > most)
				most = k;
	return most;
}

static void random_streams(void **state)
{
	uint64_t seed = 11;
	int n_found = 0;
	(void)state;
	for (int round = 0; round < 60000; round++) {
		char text[64], shown[64 + LEAT_MAX_STOP_BYTES], out[64 + LEAT_MAX_STOP_BYTES], stop[5][8];
		const char *stops[5];
		size_t len[5], n = small_random(&seed) % 64, n_shown = 0, got, want;
		int n_stops = (int)(small_random(&seed) % 6), found = -1;
		uint32_t letters = 1 + small_random(&seed) % 3;
		struct leat_stops *s;
		for (int i = 0; i < n_stops; i++) {
			stops[i] = stop[i];
			len[i] = 1 + small_random(&seed) % 8;
			for (size_t k = 0; k < len[i]; k++)
				stop[i][k] = (char)('a' + small_random(&seed) % letters);
		}
		for (size_t i = 0; i < n; i++)
			text[i] = (char)('a' + small_random(&seed) % letters);
		assert_int_equal(leat_stops_create(stops, len, n_stops, &s, NULL), LEAT_OK);
		int expected = naive(text, n, stop, len, n_stops, &want);
		for (size_t at = 0; at < n && found < 0;) {
			size_t part = small_random(&seed) % 7;
			part = part < n - at ? part : n - at;
			found = leat_stops_feed(s, text + at, part, out, &got);
			memcpy(shown + n_shown, out, got);
			n_shown += got;
			at += part;
			if (found < 0)
				assert_int_equal(n_shown, at - could_grow(text, at, stop, len, n_stops));
		}
		if (found < 0) {
			got = leat_stops_flush(s, out);
			memcpy(shown + n_shown, out, got);
			n_shown += got;
		}
		/* Equal strings: which of them is named is not said. */
		if (found != expected)
			assert_true(found >= 0 && expected >= 0 && len[found] == len[expected]);
		assert_int_equal(n_shown, want);
		assert_memory_equal(shown, text, want);
		n_found += found >= 0;
		leat_stops_destroy(s);
	}
	assert_in_range(n_found, 1000, 59000);
}

static void after_the_stop(void **state)
{
	const char *stops[] = {"END", "\xff\xfe"};
	size_t lens[] = {3, 2}, got;
	char out[LEAT_MAX_STOP_BYTES + 16];
	struct leat_stops *s;
	(void)state;
	assert_int_equal(leat_stops_create(stops, lens, 2, &s, NULL), LEAT_OK);
	assert_int_equal(leat_stops_feed(s, "aEN", 3, out, &got), -1);
	assert_int_equal(got, 1);
	assert_int_equal(leat_stops_feed(s, "Dtail", 5, out, &got), 0);
	assert_int_equal(got, 0);
	assert_int_equal(leat_stops_feed(s, "more", 4, out, &got), 0);
	assert_int_equal(got, 0);
	assert_int_equal(leat_stops_flush(s, out), 0);
	leat_stops_reset(s);
	assert_int_equal(leat_stops_feed(s, "x\xff", 2, out, &got), -1);
	assert_int_equal(got, 1);
	assert_int_equal(leat_stops_feed(s, "\xfe", 1, out, &got), 1);
	assert_int_equal(got, 0);
	leat_stops_destroy(s);
}

static void limits(void **state)
{
	static char big[LEAT_MAX_STOP_BYTES + 1];
	const char *stops[LEAT_MAX_STOPS + 1];
	size_t lens[LEAT_MAX_STOPS + 1], got;
	char out[2 * LEAT_MAX_STOP_BYTES + 1];
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_stops *s = NULL;
	(void)state;
	for (int i = 0; i <= LEAT_MAX_STOPS; i++) {
		stops[i] = big;
		lens[i] = 1;
	}
	assert_int_equal(leat_stops_create(stops, lens, LEAT_MAX_STOPS + 1, &s, &err), LEAT_E_LIMIT);
	assert_int_equal(leat_stops_create(stops, lens, -1, &s, &err), LEAT_E_ARG);
	lens[1] = 0;
	assert_int_equal(leat_stops_create(stops, lens, 2, &s, &err), LEAT_E_ARG);
	assert_non_null(strstr(err.message, "stop string 1"));
	lens[1] = LEAT_MAX_STOP_BYTES + 1;
	assert_int_equal(leat_stops_create(stops, lens, 2, &s, &err), LEAT_E_LIMIT);
	assert_null(s);
	/* The longest stop string, all but its last byte, then something else. */
	memset(big, 'a', sizeof(big));
	lens[0] = LEAT_MAX_STOP_BYTES;
	assert_int_equal(leat_stops_create(stops, lens, 1, &s, &err), LEAT_OK);
	assert_int_equal(leat_stops_feed(s, big, LEAT_MAX_STOP_BYTES - 1, out, &got), -1);
	assert_int_equal(got, 0);
	assert_int_equal(leat_stops_feed(s, "b", 1, out, &got), -1);
	assert_int_equal(got, LEAT_MAX_STOP_BYTES);
	assert_int_equal(leat_stops_feed(s, big, LEAT_MAX_STOP_BYTES, out, &got), 0);
	assert_int_equal(got, 0);
	leat_stops_destroy(s);
	assert_int_equal(leat_stops_create(NULL, NULL, 0, &s, &err), LEAT_OK);
	assert_int_equal(leat_stops_feed(s, "abc", 3, out, &got), -1);
	assert_int_equal(got, 3);
	leat_stops_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_streams), cmocka_unit_test(after_the_stop),
					   cmocka_unit_test(limits)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
