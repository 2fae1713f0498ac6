/* test_bpe.c - merging against the definition done naively, round trips, and the time that hostile texts take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "support/oracle.h"
#include "support/small_vocab.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOW_BUILD 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW_BUILD 1
#endif
#ifdef SLOW_BUILD
enum { SLACK = 20 };
#else
enum { SLACK = 4 };
#endif

static struct small_vocab small;

/* Time of this process, so that other work on the machine counts little. */
static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A merge as strings; its index is its rank. */
struct pair {
	char left[32], right[32];
};
static struct pair pairs[64];

static struct leat_vocab *build(const struct leat_vocab_spec *spec)
{
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	if (leat_vocab_build(spec, &v, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	return v;
}

/* Merges over the letters a, b, c in an order that no training would give. */
static int random_merges(uint64_t *seed)
{
	static char known[128][32];
	int n_known = 3, n = 0, wanted = 1 + (int)(small_random(seed) % 24);
	for (int i = 0; i < 3; i++)
		snprintf(known[i], sizeof(known[i]), "%c", 'a' + i);
	for (int tries = 0; tries < 200 && n < wanted; tries++) {
		struct pair p;
		int again = 0;
		memcpy(p.left, known[small_random(seed) % (uint32_t)n_known], sizeof(p.left));
		memcpy(p.right, known[small_random(seed) % (uint32_t)n_known], sizeof(p.right));
		if (strlen(p.left) + strlen(p.right) > 16)
			continue;
		for (int i = 0; i < n; i++)
			again |= !strcmp(pairs[i].left, p.left) && !strcmp(pairs[i].right, p.right);
		if (again)
			continue;
		pairs[n++] = p;
		snprintf(known[n_known++], sizeof(known[0]), "%.15s%.16s", p.left, p.right);
	}
	for (int i = n - 1; i > 0; i--) {
		uint32_t j = small_random(seed) % (uint32_t)(i + 1);
		struct pair p = pairs[i];
		pairs[i] = pairs[j];
		pairs[j] = p;
	}
	return n;
}

/* The definition: of all neighbours the pair of lowest rank, leftmost; lengths of the tokens into len[]. */
static size_t naive(const char *text, size_t n, int n_pairs, size_t *len)
{
	for (size_t i = 0; i < n; i++)
		len[i] = 1;
	for (;;) {
		size_t best = 0, at = 0;
		int rank = n_pairs;
		for (size_t i = 0, pos = 0; i + 1 < n; pos += len[i++])
			for (int k = 0; k < rank; k++)
				if (strlen(pairs[k].left) == len[i] && strlen(pairs[k].right) == len[i + 1] &&
				    !memcmp(text + pos, pairs[k].left, len[i]) &&
				    !memcmp(text + pos + len[i], pairs[k].right, len[i + 1])) {
					rank = k;
					best = i;
				}
		if (rank == n_pairs)
			return n;
		at = best;
		len[at] += len[at + 1];
		n--;
		memmove(len + at + 1, len + at + 2, (n - at - 1) * sizeof(*len));
	}
}

static void against_definition(void **state)
{
	uint64_t seed = 99;
	(void)state;
	for (int round = 0; round < 600; round++) {
		small_init(&small, LEAT_VOCAB_BPE);
		int n_pairs = random_merges(&seed);
		for (int i = 0; i < n_pairs; i++)
			small_merge(&small, pairs[i].left, pairs[i].right);
		struct leat_vocab *v = build(&small.spec);
		for (int k = 0; k < 6; k++) {
			char text[240];
			size_t len[240], n = 1 + small_random(&seed) % (k < 3 ? 60 : 239), n_ids, got;
			uint32_t letters = 1 + small_random(&seed) % 3;
			int32_t *ids;
			for (size_t i = 0; i < n; i++)
				text[i] = (char)('a' + small_random(&seed) % letters);
			assert_int_equal(leat_tokenize(v, text, n, 0, &ids, &n_ids, NULL), LEAT_OK);
			size_t want = naive(text, n, n_pairs, len);
			assert_int_equal(n_ids, want);
			for (size_t i = 0, pos = 0; i < want; pos += len[i++]) {
				const unsigned char *s = leat_vocab_bytes(v, ids[i], 0, &got);
				assert_int_equal(got, len[i]);
				assert_memory_equal(s, text + pos, got);
			}
			free(ids);
		}
		leat_vocab_destroy(v);
	}
}

static void round_trip(const struct leat_vocab *v, const unsigned char *text, size_t n, unsigned flags)
{
	int32_t *ids;
	size_t n_ids, at = 0, len;
	assert_int_equal(leat_tokenize(v, text, n, flags, &ids, &n_ids, NULL), LEAT_OK);
	/* To SentencePiece U+2581 is a space. */
	if (leat_vocab_space_prefix(v) && memmem(text, n, "\xe2\x96\x81", 3)) {
		free(ids);
		return;
	}
	size_t drop = n && leat_vocab_space_prefix(v);
	for (size_t i = 0; i < n_ids; i++, drop = 0) {
		assert_in_range(ids[i], 0, leat_vocab_size(v) - 1);
		const unsigned char *s = leat_vocab_bytes(v, ids[i], 1, &len);
		s += drop;
		len -= drop;
		assert_true(len <= n - at && memcmp(text + at, s, len) == 0);
		at += len;
	}
	assert_int_equal(at, n);
	free(ids);
}

static struct leat_vocab *open_gguf(const char *relative)
{
	struct leat_error err = {0};
	struct leat_file *f = NULL;
	struct leat_vocab *v = NULL;
	const char *path = oracle_path(relative);
	if (!path)
		return NULL;
	if (leat_file_open(path, &f, &err) != LEAT_OK || leat_vocab_from_file(f, &v, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	leat_file_close(f);
	return v;
}

static struct leat_vocab *open_qwen2(void)
{
	return open_gguf("tokenizers/ggml-vocab-qwen2.gguf");
}

static struct leat_vocab *open_spm(void)
{
	return open_gguf("tokenizers/ggml-vocab-llama-spm.gguf");
}

static struct leat_vocab *open_rwkv(void)
{
	struct leat_vocab *v = NULL;
	const char *path = oracle_path("tokenizers/rwkv_vocab_v20230424.txt");
	if (path)
		assert_int_equal(leat_vocab_from_rwkv_text(path, &v, NULL), LEAT_OK);
	return v;
}

static size_t random_text(uint64_t *seed, unsigned char *text, size_t cap)
{
	size_t n = 0, want = small_random(seed) % (cap - 8);
	uint32_t kind = small_random(seed) % 3, range = small_random(seed) % 4;
	static const uint32_t below[] = {0x80, 0x800, 0x10000, 0x110000};
	while (n < want) {
		uint32_t cp = small_random(seed) % below[range];
		if (kind == 0 || (cp >= 0xd800 && cp < 0xe000) || (kind == 1 && small_random(seed) % 8 == 0)) {
			text[n++] = (unsigned char)small_random(seed);
		} else if (cp < 0x80) {
			text[n++] = (unsigned char)cp;
		} else {
			/* By hand: the test must not lean on the code it tests. */
			int more = cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
			text[n++] = (unsigned char)((0xf00 >> more & 0xff) | cp >> 6 * more);
			while (more-- > 0)
				text[n++] = (unsigned char)(0x80 | (cp >> 6 * more & 63));
		}
	}
	return n;
}

static void round_trips(void **state)
{
	uint64_t seed = 7;
	unsigned char text[400];
	struct leat_vocab *v[4] = {NULL, open_qwen2(), open_rwkv(), open_spm()};
	(void)state;
	small_init(&small, LEAT_VOCAB_BPE);
	small_merge(&small, "a", "a");
	small_merge(&small, " ", "a");
	small_merge(&small, " ", " ");
	small_token(&small, "<|x|>", 5, LEAT_TOKEN_CONTROL);
	small_token(&small, "\xc3", 1, LEAT_TOKEN_USER);
	v[0] = build(&small.spec);
	for (int k = 0; k < 4; k++) {
		for (int round = 0; v[k] && round < 4000; round++) {
			size_t n = random_text(&seed, text, sizeof(text));
			round_trip(v[k], text, n, round % 2 ? LEAT_TOK_PARSE_SPECIAL : 0);
		}
		leat_vocab_destroy(v[k]);
	}
}

/* HOSTILE T03: one MiB of one thing, 50 ms each, the best of three. */
static void check_time(const struct leat_vocab *v, const char *what, const char *unit, const char *last)
{
	size_t n = 0, step = strlen(unit), n_ids = 0;
	unsigned char *text = malloc((1 << 20) + 64);
	uint64_t best = UINT64_MAX;
	assert_non_null(text);
	for (; n < 1 << 20; n += step)
		memcpy(text + n, unit, step);
	memcpy(text + n, last, strlen(last));
	n += strlen(last);
	for (int i = 0; i < 3; i++) {
		int32_t *ids;
		uint64_t t = cpu_ns();
		assert_int_equal(leat_tokenize(v, text, n, LEAT_TOK_PARSE_SPECIAL, &ids, &n_ids, NULL), LEAT_OK);
		t = cpu_ns() - t;
		best = t < best ? t : best;
		free(ids);
	}
	print_message("%-4s %-28s %8zu tokens %7.2f ms\n", leat_vocab_kind(v), what, n_ids, (double)best / 1e6);
	if (best > (uint64_t)50000000 * SLACK)
		fail_msg("%s takes %.1f ms for one MiB", what, (double)best / 1e6);
	round_trip(v, text, n, 0);
	free(text);
}

static void one_mebibyte(void **state)
{
	struct leat_vocab *all[3] = {open_qwen2(), open_rwkv(), open_spm()};
	(void)state;
	if (!all[0] || !all[1] || !all[2])
		skip();
	for (int k = 0; k < 3; k++) {
		check_time(all[k], "one letter", "a", "");
		check_time(all[k], "another letter", "z", "");
		check_time(all[k], "alternating letters", "eth", "");
		check_time(all[k], "spaces", " ", "");
		check_time(all[k], "spaces, then a letter", " ", "x");
		check_time(all[k], "spaces and line ends", " \n", "x");
		check_time(all[k], "line ends", "\n", "");
		check_time(all[k], "carriage returns", "\r\n", " ");
		check_time(all[k], "digits", "7", "");
		check_time(all[k], "combining marks", "\xcc\x81", "");
		check_time(all[k], "emoji joined", "\xf0\x9f\xa7\x91\xe2\x80\x8d\xf0\x9f\x9a\x80\xe2\x80\x8d", "");
		check_time(all[k], "Chinese without an end", "\xe4\xb8\xad\xe5\x9b\xbd\xe4\xba\xba\xe6\xb0\x91", "");
		check_time(all[k], "apostrophes", "'", "");
		check_time(all[k], "continuation bytes", "\x80", "");
		check_time(all[k], "the start of special tokens", "<|", "");
		check_time(all[k], "U+FDFA", "\xef\xb7\xba", "");
		check_time(all[k], "English", "The quick brown fox jumps over the lazy dog, as ever. ", "");
		leat_vocab_destroy(all[k]);
	}
}

/* Random letters in one piece: many lists at once. */
static void random_letters(void **state)
{
	struct leat_vocab *v = open_qwen2();
	uint64_t seed = 5, t;
	size_t n = 1 << 20, n_ids;
	char *text = malloc(n);
	int32_t *ids;
	(void)state;
	assert_non_null(text);
	if (!v) {
		free(text);
		skip();
	}
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + small_random(&seed) % 26);
	t = cpu_ns();
	assert_int_equal(leat_tokenize(v, text, n, 0, &ids, &n_ids, NULL), LEAT_OK);
	t = cpu_ns() - t;
	print_message("random letters: %zu tokens, %.1f ms\n", n_ids, (double)t / 1e6);
	assert_true(t < (uint64_t)400000000 * SLACK);
	free(ids);
	free(text);
	leat_vocab_destroy(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(against_definition), cmocka_unit_test(round_trips),
					   cmocka_unit_test(one_mebibyte), cmocka_unit_test(random_letters)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
