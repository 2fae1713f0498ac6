/* test_pipe.c - normalizers and pre-tokenizers of tokenizer.json, one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utf8proc.h>

#include "support/oracle.h"
#include "support/small_json.h"
#include "text/unicode.h"

static struct leat_vocab *load(json_t *root)
{
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	if (small_json_load(root, NULL, &v, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	return v;
}

/* Every piece is made a token, and a piece that is a token stays one: any other cut falls apart. */
static void check_cut(json_t *root, int bytes, const char *text, const char *pieces)
{
	int32_t want[64], *ids = NULL;
	size_t n_want = 0, n = 0;
	json_object_set_new(json_object_get(root, "model"), "ignore_merges", json_true());
	for (const char *at = pieces, *end; *pieces; at = end + 1) {
		end = strchr(at, '|');
		size_t len = end ? (size_t)(end - at) : strlen(at);
		want[n_want++] = small_json_token(root, at, len, bytes);
		if (!end)
			break;
	}
	struct leat_vocab *v = load(root);
	assert_int_equal(leat_tokenize(v, text, strlen(text), 0, &ids, &n, NULL), LEAT_OK);
	for (size_t i = 0; i < n && i < n_want; i++)
		if (ids[i] != want[i])
			fail_msg("'%s' as '%s': piece %zu: found %d, wanted %d", text, pieces, i, ids[i], want[i]);
	assert_int_equal(n, n_want);
	free(ids);
	leat_vocab_destroy(v);
}

#define BYTES ",{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}"
#define SEQUENCE(parts) "{\"type\":\"Sequence\",\"pretokenizers\":[" parts
#define SPLIT(how, more) "{\"type\":\"Split\",\"pattern\":{\"String\":\"-\"},\"behavior\":\"" how "\"" more "}"
#define REGEX(pattern) "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"},\"behavior\":\"Isolated\"}"

static void cuts(void **state)
{
	static const struct {
		const char *pre, *text, *pieces;
	} rows[] = {
		{SEQUENCE(SPLIT("Isolated", "")) BYTES, "-a--b-", "-|a|-|-|b|-"},
		{SEQUENCE(SPLIT("Removed", "")) BYTES, "-a--b-", "a|b"},
		{SEQUENCE(SPLIT("MergedWithPrevious", "")) BYTES, "-a--b-c", "-|a-|-|b-|c"},
		{SEQUENCE(SPLIT("MergedWithNext", "")) BYTES, "-a--b-", "-a|-|-b|-"},
		{SEQUENCE(SPLIT("Contiguous", "")) BYTES, "-a--b-", "-|a|--|b|-"},
		{SEQUENCE(SPLIT("Removed", ",\"invert\":true")) BYTES, "-a--b", "-|-|-"},
		{SEQUENCE(SPLIT("MergedWithPrevious", ",\"invert\":true")) BYTES, "-ab-c", "-ab|-c"},
		{SEQUENCE("{\"type\":\"Digits\",\"individual_digits\":true}") BYTES, "a12 \u0663b", "a|1|2| |\u0663|b"},
		{SEQUENCE("{\"type\":\"Digits\",\"individual_digits\":false}") BYTES, "a12 3b", "a|12| |3|b"},
		{SEQUENCE("{\"type\":\"Punctuation\"}") BYTES, "a,b\u3002\u3002 $", "a|,|b|\u3002|\u3002| |$"},
		{SEQUENCE("{\"type\":\"Punctuation\",\"behavior\":\"Contiguous\"}") BYTES, "a,.b", "a|,.|b"},
		{SEQUENCE("{\"type\":\"WhitespaceSplit\"}") BYTES, " a\u3000\tb,c ", "a|b,c"},
		{SEQUENCE("{\"type\":\"Whitespace\"}") BYTES, "it's a_b\u0301 !?", "it|'|s|a_b\u0301|!?"},
		{SEQUENCE("{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"\u00e9\"}") BYTES, "a\u00e9\u00e9""b",
		 "a|b"},
		{SEQUENCE(REGEX("\\\\d+|(?<=x)y")) BYTES, "12xyz3", "12|x|y|z|3"},
		/* Empty matches cut, and are no pieces. */
		{SEQUENCE(REGEX("(?=[A-Z])")) BYTES, "aBcDE", "a|Bc|D|E"},
		{SEQUENCE(REGEX("(?=(\\\\d{3})+(?!\\\\d))")) BYTES, "1234567", "1|234|567"},
		{SEQUENCE(REGEX("\\\\p{Han}+")) BYTES, "\u4e2d\u56fd\u3001\u4eba", "\u4e2d\u56fd|\u3001|\u4eba"},
		{SEQUENCE(SPLIT("Isolated", "") "," REGEX("b+")) BYTES, "abba-b", "a|bb|a|-|b"},
		{"{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":true}", "it's 5", " it|'s| 5"},
		{"{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":true}", " it", " it"},
		{"{\"type\":\"ByteLevel\"}", "a b", " a| b"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *root = small_json(1);
		assert_true(small_json_set(root, "pre_tokenizer", rows[i].pre));
		check_cut(root, 1, rows[i].text, rows[i].pieces);
	}
}

#define META(more) "{\"type\":\"Metaspace\",\"replacement\":\"\u2581\"" more "}"

/* SentencePiece's spaces: where they are put, and that a real one among them is no token. */
static void metaspace(void **state)
{
	static const struct {
		const char *pre, *text, *pieces;
	} rows[] = {
		{META(",\"prepend_scheme\":\"always\""), "a b  c", "\u2581""a|\u2581""b|\u2581|\u2581""c"},
		{META(",\"prepend_scheme\":\"always\""), " a", "\u2581""a"},
		{META(",\"prepend_scheme\":\"never\""), "a b", "a|\u2581""b"},
		{META(",\"prepend_scheme\":\"first\""), "a<|>a", "\u2581""a|<>|a"},
		{META(",\"prepend_scheme\":\"always\""), "a<|>a", "\u2581""a|<>|\u2581""a"},
		{META(",\"add_prefix_space\":false"), "a b", "a|\u2581""b"},
		{META(",\"prepend_scheme\":\"never\",\"split\":false"), "a b", "a\u2581""b"},
		{SEQUENCE("{\"type\":\"WhitespaceSplit\"}," META("") "]}"), "a b", "\u2581""a|\u2581""b"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *root = small_json(0);
		char pieces[64];
		assert_true(small_json_set(root, "pre_tokenizer", rows[i].pre));
		assert_true(small_json_set(root, "decoder", META("")));
		snprintf(pieces, sizeof(pieces), "%s", rows[i].pieces);
		char *mark = strstr(pieces, "<>");
		if (mark) {
			/* '|' parts the pieces, so the row writes the added token without it. */
			int id = small_json_token(root, "<|>", 3, 0);
			small_json_added(root, id, "<|>", "{\"special\":false}");
			int32_t *ids;
			size_t n, len;
			json_object_set_new(json_object_get(root, "model"), "ignore_merges", json_true());
			int with = small_json_token(root, "\u2581""a", 4, 0), bare = small_json_token(root, "a", 1, 0);
			struct leat_vocab *v = load(root);
			assert_int_equal(leat_tokenize(v, rows[i].text, strlen(rows[i].text), 0, &ids, &n, NULL),
					 LEAT_OK);
			assert_int_equal(n, 3);
			assert_int_equal(ids[0], with);
			assert_int_equal(ids[1], id);
			assert_int_equal(ids[2], strstr(rows[i].pre, "first") ? bare : with);
			assert_memory_equal(leat_vocab_bytes(v, with, 0, &len), " a", 2);
			free(ids);
			leat_vocab_destroy(v);
		} else {
			check_cut(root, 0, rows[i].text, pieces);
		}
	}
}

/* The text that the ids spell, after the normalizers. */
static void check_normal(const char *normalizer, const char *text, size_t n, const char *want)
{
	json_t *root = small_json(1);
	int32_t *ids = NULL;
	size_t n_ids = 0, len, at = 0;
	char got[512];
	assert_true(small_json_set(root, "normalizer", normalizer));
	struct leat_vocab *v = load(root);
	assert_int_equal(leat_tokenize(v, text, n, 0, &ids, &n_ids, NULL), LEAT_OK);
	for (size_t i = 0; i < n_ids; i++) {
		const unsigned char *s = leat_vocab_bytes(v, ids[i], 0, &len);
		assert_true(at + len < sizeof(got));
		memcpy(got + at, s, len);
		at += len;
	}
	got[at] = 0;
	if (strcmp(got, want) != 0)
		fail_msg("%s of '%s': found '%s', wanted '%s'", normalizer, text, got, want);
	free(ids);
	leat_vocab_destroy(v);
}

static void normalizers(void **state)
{
	static const struct {
		const char *normalizer, *text, *want;
	} rows[] = {
		{"{\"type\":\"NFC\"}", "e\u0301 a\u030a\u0301x \u00e9", "\u00e9 \u01fbx \u00e9"},
		{"{\"type\":\"NFC\"}", "a\u0316\u0301 a\u0301\u0316", "\u00e1\u0316 \u00e1\u0316"},
		{"{\"type\":\"NFC\"}", "\u1100\u1161\u11a8 \uac00\u11a8 \u304b\u3099", "\uac01 \uac01 \u304c"},
		{"{\"type\":\"NFC\"}", "\u212b\u2126\u2000", "\u00c5\u03a9\u2002"},
		{"{\"type\":\"NFC\"}", "\u0438\u0306 \u09c7\u09be", "\u0439 \u09cb"},
		{"{\"type\":\"NFD\"}", "\u00e9\uac01\u304c", "e\u0301\u1100\u1161\u11a8\u304b\u3099"},
		{"{\"type\":\"NFKC\"}", "\uff21\ufb01\u00b2\u2460", "Afi21"},
		{"{\"type\":\"NFKD\"}", "\u1e9b\u0323", "s\u0323\u0307"},
		{"{\"type\":\"Lowercase\"}", "\u00c4B\u0130\u0416", "\u00e4bi\u0307\u0436"},
		{"{\"type\":\"StripAccents\"}", "e\u0301\u00e9\u0323x", "e\u00e9x"},
		{"{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}", " \u3000 a b\t", "a b"},
		{"{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true}", " a ", " a"},
		{"{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}", " \n", ""},
		{"{\"type\":\"Prepend\",\"prepend\":\"__\"}", "a", "__a"},
		{"{\"type\":\"Prepend\",\"prepend\":\"__\"}", "", ""},
		{"{\"type\":\"Replace\",\"pattern\":{\"String\":\"aa\"},\"content\":\"b\"}", "aaaaa", "bba"},
		{"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}|x*$\"},\"content\":\"_\"}", "a  b   xx",
		 "a_b__"},
		{"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"},{\"type\":\"StripAccents\"},"
		 "{\"type\":\"Lowercase\"}]}", "\u00c9t\u00c9", "ete"},
		{"{\"type\":\"NFC\"}", "a\xff""e\u0301\xcc", "a\xff\u00e9\xcc"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_normal(rows[i].normalizer, rows[i].text, strlen(rows[i].text), rows[i].want);
}

static unsigned char *whole_form(enum leat_normal_op op, const unsigned char *text, size_t n)
{
	static const utf8proc_option_t options[] = {
		[LEAT_NORMAL_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
		[LEAT_NORMAL_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
		[LEAT_NORMAL_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
		[LEAT_NORMAL_NFKD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
	};
	utf8proc_uint8_t *out = NULL;
	assert_true(utf8proc_map(text, (utf8proc_ssize_t)n, &out, options[op]) >= 0);
	return out;
}

/* Parts of a text are normalised on their own: the result must be that of the whole. */
static void forms_in_parts(void **state)
{
	static const uint32_t interesting[] = {
		'a', 'e', ' ', 0xe9, 0x301, 0x316, 0x323, 0x30a, 0x345, 0x1100, 0x1161, 0x11a8, 0xac00, 0x304b, 0x3099,
		0x4e2d,
		0x439, 0x438, 0x306, 0x9c7, 0x9be, 0xfb01, 0x212b, 0xfdfa, 0x1f600, 0x958, 0x93c, 0xf73, 0xb47,
		0xb3e,
		0xff76, 0xff9e, 0x10ffff, 0x378,
	};
	static const enum leat_normal_op ops[] = {LEAT_NORMAL_NFC, LEAT_NORMAL_NFD, LEAT_NORMAL_NFKC, LEAT_NORMAL_NFKD};
	uint64_t seed = 31;
	(void)state;
	for (int round = 0; round < 40000; round++) {
		unsigned char text[160];
		size_t n = 0;
		struct leat_normalizer z = {.op = ops[round % 4]};
		struct leat_text out = {.limit = 1 << 20};
		for (uint32_t i = 1 + small_random(&seed) % 30; i > 0; i--)
			n += leat_utf8_put(interesting[small_random(&seed) % (sizeof(interesting) /
									      sizeof(interesting[0]))], text + n);
		assert_int_equal(leat_normalize(&z, text, n, &out, NULL), LEAT_OK);
		char *want = (char *)whole_form(z.op, text, n);
		assert_non_null(want);
		if (out.n != strlen(want) || memcmp(out.s, want, out.n) != 0)
			fail_msg("form %d of round %d", (int)z.op, round);
		if (leat_normal_is_plain(z.op, text, n))
			assert_true(out.n == n && memcmp(out.s, text, n) == 0);
		free(want);
		leat_text_deinit(&out);
	}
}

/* Flags of added tokens, what a template adds, and which ids end a text. */
static void added_and_ends(void **state)
{
	static const char post[] =
		"{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},{\"type\":\"TemplateProcessing\","
		"\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\"}},"
		"{\"SpecialToken\":{\"id\":\"</s>\"}}],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[300]},"
		"\"</s>\":{\"ids\":[301]}}}]}";
	struct leat_token_hints h = {.eos = {"<turn>", 6}, .ends = {302, 5}, .n_ends = 2};
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	json_t *root = small_json(1);
	int32_t *ids;
	size_t n;
	(void)state;
	small_json_added(root, 300, "<s>", "{\"special\":true}");
	small_json_added(root, 301, "</s>", "{\"special\":true,\"rstrip\":true}");
	small_json_added(root, 302, "<turn>", "{\"special\":true,\"lstrip\":true}");
	small_json_added(root, 303, "wow", "{\"special\":false,\"single_word\":true}");
	assert_true(small_json_set(root, "post_processor", post));
	if (small_json_load(root, &h, &v, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	assert_int_equal(leat_vocab_size(v), 304);
	assert_int_equal(leat_vocab_bos(v), 300);
	assert_int_equal(leat_vocab_eos(v), 301);
	assert_true(leat_vocab_is_end(v, 301) && leat_vocab_is_end(v, 302) && leat_vocab_is_end(v, 5));
	assert_false(leat_vocab_is_end(v, 300) || leat_vocab_is_end(v, 303));
	assert_int_equal(leat_vocab_token_kind(v, 299), LEAT_TOKEN_UNUSED);
	assert_int_equal(leat_tokenize(v, "wow <turn>wowo</s> \n", 20, LEAT_TOK_SPECIAL | LEAT_TOK_PARSE_SPECIAL, &ids,
				       &n, NULL), LEAT_OK);
	const int32_t want[] = {300, 303, 302, 'w', 'o', 'w', 'o', 301, 301};
	assert_int_equal(n, sizeof(want) / sizeof(want[0]));
	assert_memory_equal(ids, want, sizeof(want));
	free(ids);
	/* T09: what is special stays text, what is not special is found all the same. */
	assert_int_equal(leat_tokenize(v, "<s>wow", 6, 0, &ids, &n, NULL), LEAT_OK);
	assert_int_equal(n, 3 + 1);
	free(ids);
	assert_int_equal(leat_tokenize(v, "<s> wow", 7, 0, &ids, &n, NULL), LEAT_OK);
	assert_int_equal(n, 4 + 1);
	assert_int_equal(ids[4], 303);
	free(ids);
	leat_vocab_destroy(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(cuts), cmocka_unit_test(metaspace),
					   cmocka_unit_test(normalizers), cmocka_unit_test(forms_in_parts),
					   cmocka_unit_test(added_and_ends)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
