/* fuzz_text.c - tokenizers, incremental decoding, stop strings, and vocabularies built from arbitrary bytes. */
#include <stdlib.h>
#include <string.h>

#include "support/small_vocab.h"
#include "text/unicode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define REQUIRE(condition)              \
	do {                            \
		if (!(condition))       \
			__builtin_trap(); \
	} while (0)

static struct small_vocab small;

static struct leat_vocab *make(enum leat_vocab_kind_id kind)
{
	static const char *const words[][2] = {
		{"a", "a"}, {"aa", "a"}, {"aa", "aa"}, {"b", "a"}, {"a", "b"}, {" ", "a"}, {" ", " "}, {"\n", "\n"},
		{"\xc3", "\xa9"}, {"ab", "ab"}, {"'", "s"},
	};
	struct leat_vocab *v = NULL;
	small_init(&small, kind);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		small_merge(&small, words[i][0], words[i][1]);
	if (kind == LEAT_VOCAB_RWKV)
		small.spec.n_merges = 0;
	small_token(&small, "<|a|>", 5, LEAT_TOKEN_CONTROL);
	small_token(&small, "<|a|><|a", 8, LEAT_TOKEN_CONTROL);
	small_token(&small, "|>|", 3, LEAT_TOKEN_USER);
	small_token(&small, "\xf0\x9f", 2, LEAT_TOKEN_USER);
	REQUIRE(leat_vocab_build(&small.spec, &v, NULL) == LEAT_OK);
	return v;
}

static int well_formed(const unsigned char *s, size_t n)
{
	for (size_t at = 0, len; at < n; at += len) {
		len = leat_utf8_len(s + at, n - at);
		if (len == 0)
			return 0;
	}
	return 1;
}

/* Ids spell the text; decoded step by step they give well-formed UTF-8, the text itself if it was well-formed. */
static void round_trip(const struct leat_vocab *v, const uint8_t *text, size_t n, unsigned flags)
{
	int32_t *ids = NULL;
	size_t n_ids = 0, at = 0, len, n_out = 0;
	unsigned char *out = malloc(3 * n + 4);
	struct leat_detok d;
	REQUIRE(out && leat_tokenize(v, text, n, flags, &ids, &n_ids, NULL) == LEAT_OK);
	leat_detok_init(&d, v, 1);
	for (size_t i = 0; i < n_ids; i++) {
		const unsigned char *s = leat_vocab_bytes(v, ids[i], 1, &len);
		size_t bound = leat_detok_bound(&d, ids[i]);
		char *part = malloc(bound);
		REQUIRE(ids[i] >= 0 && ids[i] < leat_vocab_size(v));
		REQUIRE(len > 0 && len <= n - at && memcmp(s, text + at, len) == 0);
		at += len;
		REQUIRE(part);
		size_t got = leat_detok_next(&d, ids[i], part, bound);
		REQUIRE(got <= bound && n_out + got <= 3 * n);
		memcpy(out + n_out, part, got);
		n_out += got;
		free(part);
	}
	n_out += leat_detok_flush(&d, (char *)out + n_out, 4);
	REQUIRE(at == n && well_formed(out, n_out));
	REQUIRE(!well_formed(text, n) || (n_out == n && memcmp(out, text, n) == 0));
	free(out);
	free(ids);
}

/* Data: the number of stop strings, each with a length byte, then the text, fed in parts of changing length. */
static void stop_strings(const uint8_t *data, size_t n)
{
	const char *stop[LEAT_MAX_STOPS];
	size_t len[LEAT_MAX_STOPS], at = 1, shown = 0, got, part = 1;
	int n_stops = n ? data[0] % 5 : 0, found = -1, expected = -1;
	struct leat_stops *s;
	for (int i = 0; i < n_stops; i++) {
		len[i] = at < n ? data[at] % 8 + 1u : 1;
		if (at + 1 + len[i] > n)
			return;
		stop[i] = (const char *)data + at + 1;
		at += 1 + len[i];
	}
	if (at > n || leat_stops_create(stop, len, n_stops, &s, NULL) != LEAT_OK)
		return;
	const char *text = (const char *)data + at;
	size_t size = n - at, want = size;
	for (size_t end = 1; end <= size && expected < 0; end++)
		for (int i = 0; i < n_stops; i++)
			if (len[i] <= end && !memcmp(text + end - len[i], stop[i], len[i]) &&
			    (expected < 0 || len[i] > len[expected])) {
				expected = i;
				want = end - len[i];
			}
	for (size_t pos = 0; pos < size && found < 0; pos += part) {
		char out[64 + LEAT_MAX_STOP_BYTES];
		part = part % 5 + 1 < size - pos ? part % 5 + 1 : size - pos;
		found = leat_stops_feed(s, text + pos, part, out, &got);
		REQUIRE(shown + got <= size && memcmp(out, text + shown, got) == 0);
		shown += got;
	}
	char out[LEAT_MAX_STOP_BYTES];
	shown += found < 0 ? leat_stops_flush(s, out) : 0;
	REQUIRE((found < 0) == (expected < 0) && shown == want);
	leat_stops_destroy(s);
}

/* Data: entries of a kind byte, a length byte and text; tokens or merges of a vocabulary. */
static void build(const uint8_t *data, size_t n)
{
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	small_init(&small, n && data[0] & 1 ? LEAT_VOCAB_RWKV : LEAT_VOCAB_BPE);
	small.spec.raw = n && data[0] & 2 ? small.spec.raw : 0;
	for (size_t at = 1; at + 2 <= n;) {
		size_t len = data[at + 1] % 24;
		if (at + 2 + len > n || small.spec.n_tokens == SMALL_MAX || small.spec.n_merges == SMALL_MAX)
			break;
		struct leat_str str = {(const char *)data + at + 2, len};
		unsigned kind = data[at] % 8;
		if (kind == 0) {
			small.merge[small.spec.n_merges++] = str;
		} else {
			small.token[small.spec.n_tokens] = str;
			small.kind[small.spec.n_tokens++] = (unsigned char)(kind > 6 ? 1 : kind);
		}
		at += 2 + len;
	}
	enum leat_status st = leat_vocab_build(&small.spec, &v, &err);
	REQUIRE(st == LEAT_OK || (v == NULL && err.message[0]));
	if (st == LEAT_OK)
		round_trip(v, data, n < 512 ? n : 512, LEAT_TOK_PARSE_SPECIAL);
	leat_vocab_destroy(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct leat_vocab *bpe, *rwkv;
	if (!bpe) {
		bpe = make(LEAT_VOCAB_BPE);
		rwkv = make(LEAT_VOCAB_RWKV);
	}
	if (n == 0)
		return 0;
	unsigned flags = data[0] & 4 ? LEAT_TOK_PARSE_SPECIAL : 0;
	switch (data[0] & 3) {
	case 0:
		round_trip(bpe, data + 1, n - 1, flags);
		break;
	case 1:
		round_trip(rwkv, data + 1, n - 1, flags);
		break;
	case 2:
		stop_strings(data + 1, n - 1);
		break;
	default:
		build(data + 1, n - 1);
	}
	return 0;
}
