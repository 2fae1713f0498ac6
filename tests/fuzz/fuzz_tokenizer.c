/* fuzz_tokenizer.c - tokenizer.json from arbitrary bytes, and from components and texts put together: loads or says
 * why, and then tokenizes a text.
 *
 * Data: the first byte chooses. 0: the rest is a tokenizer.json as it is. Else lines: flags of the vocabulary,
 * normalizer, pre_tokenizer, decoder, then the text; what is no JSON is left out. */
#include <stdlib.h>
#include <string.h>

#include "support/small_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static void tokenize(const struct leat_vocab *v, const uint8_t *text, size_t n, int exact)
{
	for (unsigned flags = 0; flags < 4; flags++) {
		int32_t *ids = NULL;
		size_t n_ids = 0, len, at = 0;
		struct leat_error err = {0};
		enum leat_status st = leat_tokenize(v, text, n, flags, &ids, &n_ids, &err);
		REQUIRE(st == LEAT_OK || (ids == NULL && err.message[0]));
		for (size_t i = 0; i < n_ids; i++) {
			const unsigned char *s = leat_vocab_bytes(v, ids[i], 1, &len);
			REQUIRE(ids[i] >= 0 && ids[i] < leat_vocab_size(v));
			REQUIRE(!exact || (len <= n - at && memcmp(s, text + at, len) == 0));
			at += len;
		}
		REQUIRE(!exact || st != LEAT_OK || at == n);
		free(ids);
	}
}

static void as_it_is(const uint8_t *data, size_t n)
{
	static const char text[] = "Hello <|end|> \xe2\x96\x81 w\xc3\xb6rld\xff 123\n";
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	enum leat_status st = leat_vocab_from_json(data, n, NULL, &v, &err);
	REQUIRE((st == LEAT_OK) == (v != NULL) && (v || err.message[0]));
	if (v)
		tokenize(v, (const uint8_t *)text, sizeof(text) - 1, 0);
	leat_vocab_destroy(v);
}

static json_t *vocabulary(unsigned flags)
{
	static const char *const words[] = {"a", "b", "ab", "aab", " a", "  ", "\xe2\x96\x81", ("\xe2\x96\x81" "a"),
					    "\xe2\x96\x81\xe2\x96\x81", "12", "\xc3\xa9", "\n"};
	int bytes = flags & 1;
	json_t *root = small_json(bytes), *model = json_object_get(root, "model");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		small_json_token(root, words[i], strlen(words[i]), bytes);
	if (flags & 2)
		json_object_set_new(model, "ignore_merges", json_true());
	if (flags & 4)
		json_object_set_new(model, "fuse_unk", json_true());
	if (flags & 8)
		small_json_set(model, "merges", "[\"a b\",\"a ab\"]");
	small_json_added(root, 300, "<|end|>",
			 flags & 16 ? "{\"special\":true,\"lstrip\":true,\"rstrip\":true}" : "{}");
	small_json_added(root, 301, "<|", "{\"special\":false,\"single_word\":true}");
	return root;
}

static int keeps_text(const uint8_t *s, size_t n)
{
	static const char *const not[] = {"Removed", "Space", "space", "Delim", "Byte"};
	for (size_t i = 0; i < sizeof(not) / sizeof(not[0]); i++)
		if (memmem(s, n, not[i], strlen(not[i])))
			return 0;
	return 1;
}

static void put_together(const uint8_t *data, size_t n)
{
	static const char *const keys[] = {"normalizer", "pre_tokenizer", "decoder"};
	json_t *root = vocabulary(data[0]);
	struct leat_vocab *v = NULL;
	int changes = !(data[0] & 1) || data[0] & 16;
	for (int i = 0; i < 3; i++) {
		const uint8_t *end = n ? memchr(data, '\n', n) : NULL;
		size_t len = end ? (size_t)(end - data) : n, from = i == 0 && len > 0;
		json_t *part = json_loadb((const char *)data + from, len - from, JSON_REJECT_DUPLICATES, NULL);
		changes |= i == 0 && part;
		/* Other steps put spaces, or leave parts of the text out. */
		changes |= i == 1 && part && !keeps_text(data, len);
		if (part)
			json_object_set_new(root, keys[i], part);
		data += end ? len + 1 : len;
		n -= end ? len + 1 : len;
	}
	if (small_json_load(root, NULL, &v, NULL) == LEAT_OK)
		tokenize(v, data, n, !changes && !memchr(data ? (const void *)data : "", '|', n));
	leat_vocab_destroy(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < 2)
		return 0;
	if (data[0] == 0)
		as_it_is(data + 1, n - 1);
	else
		put_together(data + 1, n - 1);
	return 0;
}
