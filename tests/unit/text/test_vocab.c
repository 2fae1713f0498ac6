/* test_vocab.c - vocabularies from hostile metadata and texts: the right status, a message that says what and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/small_vocab.h"

static struct small_vocab small;

/* A GGUF file with metadata only. */
struct gguf {
	unsigned char bytes[1 << 16];
	size_t n;
	uint64_t n_keys;
};
static struct gguf file;

static void put(const void *bytes, size_t n)
{
	assert_true(file.n + n <= sizeof(file.bytes));
	memcpy(file.bytes + file.n, bytes, n);
	file.n += n;
}

static void put_number(uint64_t value, size_t bytes)
{
	put(&value, bytes); /* little-endian, as the machines that leat runs on are */
}

static void put_string(const char *s, size_t n)
{
	put_number(n, 8);
	put(s, n);
}

static void put_key(const char *key, int type)
{
	put_string(key, strlen(key));
	put_number((uint64_t)type, 4);
	file.n_keys++;
}

static void put_key_string(const char *key, const char *value)
{
	put_key(key, LEAT_META_STRING);
	put_string(value, strlen(value));
}

static void put_strings(const char *key, const struct leat_str *s, size_t n)
{
	put_key(key, LEAT_META_ARRAY);
	put_number(LEAT_META_STRING, 4);
	put_number(n, 8);
	for (size_t i = 0; i < n; i++)
		put_string(s[i].s, (size_t)s[i].n);
}

/* What one test bends. */
enum bend {
	AS_IS, NO_MODEL, MODEL, NO_PRE, PRE, NO_TOKENS, TOKENS_EMPTY, TOKENS_INTS, KINDS_SHORT, KINDS_LONG, KINDS_SEVEN,
	KINDS_ZERO, KINDS_FLOATS, KINDS_U8, NO_MERGES, MERGES_INTS, EOS_RANGE, EOS_NEGATIVE, EOS_TEXT, ADD_BOS,
};

static void put_kinds(enum bend bend)
{
	static const char key[] = "tokenizer.ggml.token_type";
	size_t n = small.spec.n_tokens, count = bend == KINDS_SHORT ? n - 1 : bend == KINDS_LONG ? n + 1 : n;
	int type = bend == KINDS_FLOATS ? LEAT_META_F32 : bend == KINDS_U8 ? LEAT_META_U8 : LEAT_META_I32;
	put_key(key, LEAT_META_ARRAY);
	put_number((uint64_t)type, 4);
	put_number(count, 8);
	for (size_t i = 0; i < count; i++) {
		int kind = i < n ? small.kind[i] : 1;
		if (i == 5)
			kind = bend == KINDS_SEVEN ? 7 : bend == KINDS_ZERO ? 0 : kind;
		put_number((uint64_t)kind, type == LEAT_META_U8 ? 1 : 4);
	}
}

static void put_tokens(enum bend bend)
{
	static const char key[] = "tokenizer.ggml.tokens";
	if (bend == NO_TOKENS)
		return;
	if (bend != TOKENS_INTS) {
		put_strings(key, small.token, bend == TOKENS_EMPTY ? 0 : small.spec.n_tokens);
		return;
	}
	put_key(key, LEAT_META_ARRAY);
	put_number(LEAT_META_U32, 4);
	put_number(1, 8);
	put_number(1, 4);
}

static void put_special(enum bend bend)
{
	if (bend == EOS_TEXT) {
		put_key_string("tokenizer.ggml.eos_token_id", "2");
	} else {
		put_key("tokenizer.ggml.eos_token_id", bend == EOS_NEGATIVE ? LEAT_META_I32 : LEAT_META_U32);
		put_number(bend == EOS_NEGATIVE ? UINT32_MAX : bend == EOS_RANGE ? small.spec.n_tokens : 2, 4);
	}
	if (bend == ADD_BOS) {
		put_key("tokenizer.ggml.bos_token_id", LEAT_META_U32);
		put_number(3, 4);
		put_key("tokenizer.ggml.add_bos_token", LEAT_META_BOOL);
		put_number(1, 1);
	}
}

static enum leat_status load(enum bend bend, struct leat_vocab **v, struct leat_error *err)
{
	struct leat_file *f = NULL;
	file.n = 0;
	file.n_keys = 0;
	put("GGUF", 4);
	put_number(3, 4);
	put_number(0, 8);
	put_number(0, 8);
	if (bend != NO_MODEL)
		put_key_string("tokenizer.ggml.model", bend == MODEL ? "bert\n" : "gpt2");
	if (bend != NO_PRE)
		put_key_string("tokenizer.ggml.pre", bend == PRE ? "tekkno" : "qwen2");
	put_tokens(bend);
	put_kinds(bend);
	if (bend == MERGES_INTS) {
		put_key("tokenizer.ggml.merges", LEAT_META_U32);
		put_number(1, 4);
	} else if (bend != NO_MERGES) {
		put_strings("tokenizer.ggml.merges", small.merge, small.spec.n_merges);
	}
	put_special(bend);
	memcpy(file.bytes + 16, &file.n_keys, 8);
	enum leat_status st = leat_file_open_memory("made.gguf", file.bytes, file.n, &f, err);
	if (st == LEAT_OK)
		st = leat_vocab_from_file(f, v, err);
	leat_file_close(f);
	return st;
}

static void start(void)
{
	small_init(&small, LEAT_VOCAB_BPE);
	small_merge(&small, "a", "b");
	small_token(&small, "<|im_end|>", 10, LEAT_TOKEN_USER);
}

static void expect(enum leat_status got, const struct leat_error *err, enum leat_status want, const char *where,
		   const char *word)
{
	if (got != want)
		fail_msg("status %d, wanted %d: %s", got, want, err->message);
	if (!strstr(err->message, where) || !strstr(err->message, word))
		fail_msg("'%s' lacks '%s' or '%s'", err->message, where, word);
}

static void metadata(void **state)
{
	static const struct {
		enum bend bend;
		enum leat_status status;
		const char *where, *word;
	} rows[] = {
		{NO_MODEL, LEAT_E_FORMAT, "tokenizer.ggml.model", ""},
		{MODEL, LEAT_E_UNSUPPORTED, "tokenizer.ggml.model", "bert\\x0A"},
		{NO_PRE, LEAT_E_UNSUPPORTED, "tokenizer.ggml.pre", "missing"},
		{PRE, LEAT_E_UNSUPPORTED, "tokenizer.ggml.pre", "tekkno"},
		{NO_TOKENS, LEAT_E_FORMAT, "tokenizer.ggml.tokens", "found nothing"},
		{TOKENS_EMPTY, LEAT_E_FORMAT, "tokenizer.ggml.tokens", "found 0 tokens"},
		{TOKENS_INTS, LEAT_E_FORMAT, "tokenizer.ggml.tokens", ""},
		{KINDS_SHORT, LEAT_E_FORMAT, "tokenizer.ggml.token_type", "257"},
		{KINDS_LONG, LEAT_E_FORMAT, "tokenizer.ggml.token_type", "259"},
		{KINDS_SEVEN, LEAT_E_FORMAT, "tokenizer.ggml.token_type", "token 5: found 7"},
		{KINDS_ZERO, LEAT_E_FORMAT, "tokenizer.ggml.token_type", "token 5: found 0"},
		{KINDS_FLOATS, LEAT_E_FORMAT, "tokenizer.ggml.token_type", ""},
		{NO_MERGES, LEAT_E_FORMAT, "tokenizer.ggml.merges", "found nothing"},
		{MERGES_INTS, LEAT_E_FORMAT, "tokenizer.ggml.merges", ""},
		{EOS_RANGE, LEAT_E_FORMAT, "tokenizer.ggml.eos_token_id", "258"},
		{EOS_NEGATIVE, LEAT_E_FORMAT, "tokenizer.ggml.eos_token_id", "-1"},
		{EOS_TEXT, LEAT_E_FORMAT, "tokenizer.ggml.eos_token_id", ""},
	};
	(void)state;
	start();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct leat_vocab *v = NULL;
		struct leat_error err = {0};
		enum leat_status st = load(rows[i].bend, &v, &err);
		assert_null(v);
		expect(st, &err, rows[i].status, rows[i].where, rows[i].word);
		/* The file is named, once. */
		assert_ptr_equal(strstr(err.message, "made.gguf"), err.message);
		assert_null(strstr(err.message + 1, "made.gguf"));
		assert_string_equal(err.where, rows[i].where);
	}
}

static void good_metadata(void **state)
{
	static const enum bend bends[] = {AS_IS, KINDS_U8, ADD_BOS};
	(void)state;
	start();
	for (size_t i = 0; i < sizeof(bends) / sizeof(bends[0]); i++) {
		struct leat_vocab *v = NULL;
		struct leat_error err = {0};
		size_t n;
		int32_t *ids;
		if (load(bends[i], &v, &err) != LEAT_OK)
			fail_msg("%s", err.message);
		assert_int_equal(leat_vocab_size(v), 258);
		assert_int_equal(leat_vocab_eos(v), 2);
		assert_int_equal(leat_vocab_bos(v), bends[i] == ADD_BOS ? 3 : -1);
		/* An end by its name, and no longer something that a user can write. */
		assert_true(leat_vocab_is_end(v, 257) && leat_vocab_is_end(v, 2) && !leat_vocab_is_end(v, 3));
		assert_false(leat_vocab_is_end(v, -1) || leat_vocab_is_end(v, 258));
		assert_int_equal(leat_vocab_token_kind(v, 257), LEAT_TOKEN_CONTROL);
		assert_int_equal(leat_tokenize(v, "ab", 2, LEAT_TOK_SPECIAL, &ids, &n, NULL), LEAT_OK);
		assert_int_equal(n, bends[i] == ADD_BOS ? 2 : 1);
		assert_int_equal(ids[n - 1], 256);
		free(ids);
		leat_vocab_destroy(v);
	}
}

static void bad_merges(void **state)
{
	static const struct {
		const char *merge, *word;
	} rows[] = {
		{"", "by one space"}, {"ab", "by one space"}, {" ab", "by one space"}, {"ab ", "by one space"},
		{"a b c", "by one space"}, {"a  b", "by one space"},
		{"a zz", "two tokens of the vocabulary"}, {"b a", "joined form"}, {"a b", "this is merge 0"},
		{"\x01 q", "'\\x01 q'"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct leat_vocab *v = NULL;
		struct leat_error err = {0};
		start();
		small.merge[1] = (struct leat_str){rows[i].merge, strlen(rows[i].merge)};
		small.spec.n_merges = 2;
		expect(leat_vocab_build(&small.spec, &v, &err), &err, LEAT_E_FORMAT, "tokenizer.ggml.merges: merge 1",
		       rows[i].word);
		assert_null(v);
	}
}

/* HOSTILE T16: merges of a token with itself, and chains that grow. */
static void self_merges(void **state)
{
	struct leat_vocab *v;
	int32_t *ids;
	size_t n;
	(void)state;
	small_init(&small, LEAT_VOCAB_BPE);
	small_merge(&small, "aa", "aa");
	small_merge(&small, "a", "a");
	assert_int_equal(leat_vocab_build(&small.spec, &v, NULL), LEAT_OK);
	assert_int_equal(leat_tokenize(v, "aaaaaaa", 7, 0, &ids, &n, NULL), LEAT_OK);
	assert_int_equal(n, 3);
	assert_int_equal(ids[0], 256);
	assert_int_equal(ids[1], 257);
	assert_int_equal(ids[2], 'a');
	free(ids);
	leat_vocab_destroy(v);
}

static void token_table(void **state)
{
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	size_t n;
	(void)state;
	start();
	small.token[7].n = 0; /* no text: the byte 7 is gone */
	expect(leat_vocab_build(&small.spec, &v, &err), &err, LEAT_E_FORMAT, "tokenizer.ggml.tokens", "0x07");
	start();
	small.token[300 - 50].n = (uint64_t)1 << 31;
	expect(leat_vocab_build(&small.spec, &v, &err), &err, LEAT_E_LIMIT, "token 250", "2147483648");
	start();
	small.spec.n_tokens = 0;
	expect(leat_vocab_build(&small.spec, &v, &err), &err, LEAT_E_FORMAT, "tokenizer.ggml.tokens", "0 tokens");
	small.spec.n_tokens = LEAT_MAX_VOCAB + 1;
	expect(leat_vocab_build(&small.spec, &v, &err), &err, LEAT_E_LIMIT, "tokenizer.ggml.tokens", "1048577");
	small.spec.n_tokens = 1;
	expect(leat_vocab_build(&small.spec, &v, &err), &err, LEAT_E_FORMAT, "tokenizer.ggml.tokens", "wanted all 256");
	start();
	memset(small.kind, LEAT_TOKEN_UNUSED, sizeof(small.kind));
	expect(leat_vocab_build(&small.spec, &v, &err), &err, LEAT_E_FORMAT, "tokenizer.ggml.token_type", "unused");
	assert_null(v);
	/* Twice the same, empty, outside the alphabet, and padding: all fine. */
	start();
	small_token(&small, "ab", 2, LEAT_TOKEN_NORMAL);
	small_token(&small, "", 0, LEAT_TOKEN_NORMAL);
	int odd = small_token(&small, "x", 1, LEAT_TOKEN_NORMAL);
	small.token[odd] = (struct leat_str){"\xe4\xb8\xad", 3};
	small_token(&small, "[PAD261]", 8, LEAT_TOKEN_USER);
	assert_int_equal(leat_vocab_build(&small.spec, &v, &err), LEAT_OK);
	assert_int_equal(leat_vocab_find(v, "ab", 2), 256);
	assert_int_equal(leat_vocab_find(v, "", 0), -1);
	assert_int_equal(leat_vocab_find(v, "\xe4\xb8\xad", 3), odd);
	assert_int_equal(leat_vocab_size(v), odd + 1);
	leat_vocab_bytes(v, odd + 1, 1, &n);
	assert_int_equal(n, 0);
	leat_vocab_bytes(v, -5, 1, &n);
	assert_int_equal(n, 0);
	leat_vocab_destroy(v);
	/* The plain token is found before a user token of the same bytes. */
	start();
	small.kind['q'] = LEAT_TOKEN_USER;
	int plain = small_token(&small, "q", 1, LEAT_TOKEN_NORMAL);
	assert_int_equal(leat_vocab_build(&small.spec, &v, &err), LEAT_OK);
	assert_int_equal(leat_vocab_find(v, "q", 1), plain);
	leat_vocab_destroy(v);
	leat_vocab_destroy(NULL);
}

/* HOSTILE T06. */
static void byte_tokens(void **state)
{
	static const char *const bad[] = {"<0x-1>", "<0x+1>", "<0xZZ>", "<0x1>", "<0x001>", "0x01", "", "<0X01>"};
	struct leat_vocab *v = NULL;
	size_t n;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct leat_error err = {0};
		start();
		small_token(&small, bad[i], strlen(bad[i]), LEAT_TOKEN_BYTE);
		expect(leat_vocab_build(&small.spec, &v, &err), &err, LEAT_E_FORMAT, "token 258", "<0xNN>");
	}
	start();
	small.token[0xab] = (struct leat_str){"<0xaB>", 6};
	small.kind[0xab] = LEAT_TOKEN_BYTE;
	assert_int_equal(leat_vocab_build(&small.spec, &v, NULL), LEAT_OK);
	assert_int_equal(leat_vocab_find(v, "\xab", 1), 0xab);
	assert_int_equal(*leat_vocab_bytes(v, 0xab, 0, &n), 0xab);
	leat_vocab_destroy(v);
}

static void literals(void **state)
{
	static const struct {
		enum leat_literal kind;
		const char *in, *out;
	} rows[] = {
		{LEAT_LITERAL_BYTES, "a\\n\\r\\t\\\\\\'\\\"\\xff\\x7F", "a\n\r\t\\'\"\xff\x7f"},
		{LEAT_LITERAL_STR, "\\xe9\\u4e2d\\U0001f600\\x41", "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80""A"},
		{LEAT_LITERAL_BYTES, "\\", NULL}, {LEAT_LITERAL_BYTES, "\\x1", NULL},
		{LEAT_LITERAL_BYTES, "\\xg0", NULL}, {LEAT_LITERAL_BYTES, "\\u0041", NULL},
		{LEAT_LITERAL_STR, "\\u004", NULL}, {LEAT_LITERAL_STR, "\\ud800", NULL},
		{LEAT_LITERAL_STR, "\\U00110000", NULL}, {LEAT_LITERAL_STR, "\\Uffffffff", NULL},
		{LEAT_LITERAL_STR, "\\a", NULL}, {LEAT_LITERAL_STR, "\\x-1", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].in), got = 0;
		unsigned char *dst = malloc(n);
		assert_non_null(dst);
		const char *why = leat_literal_decode(rows[i].kind, (const unsigned char *)rows[i].in, n, dst, &got);
		assert_true((why == NULL) == (rows[i].out != NULL));
		if (!why) {
			assert_int_equal(got, strlen(rows[i].out));
			assert_memory_equal(dst, rows[i].out, got);
		}
		free(dst);
	}
}

/* A vocabulary text: all bytes, then the lines given. */
static enum leat_status load_text(const char *lines, size_t n, struct leat_vocab **v, struct leat_error *err)
{
	char path[] = "/tmp/leat-vocab-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *f = fdopen(fd, "wb");
	assert_non_null(f);
	for (int i = 0; i < 256; i++)
		fprintf(f, "%d b'\\x%02x' 1\n", i + 1, (unsigned)i);
	assert_int_equal(fwrite(lines, 1, n, f), n);
	fclose(f);
	enum leat_status st = leat_vocab_from_rwkv_text(path, v, err);
	unlink(path);
	return st;
}

static void rwkv_texts(void **state)
{
	static const char *const bad[] = {
		"x", "257 'a'", "257 a 1", "-1 'a' 1", "0 'a' 1", "1 'a' 1", "99999999 'a' 1", "1048576 'a' 1",
		"257 'ab' 1", "257 '' 0", "257 'a\" 1", "257 'a'b' 3", "257 'ab\\' 3", "257 b'\xc3\xa9' 2",
		"257 '\xff' 1", "257 ' 1", "257 b' 1", "257 '\\ud800' 3", "257  'a' 1", "257 'a' 1 ", "257 'a' x",
		"257 u'a' 1",
	};
	static const char good[] = "300 ' \\'q\\u4e2d' 6\r\n\n258 \"it's\" 4";
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	int32_t *ids;
	size_t n;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.message[0] = 0;
		expect(load_text(bad[i], strlen(bad[i]), &v, &err), &err, LEAT_E_FORMAT, "line 257", "wanted");
		assert_null(v);
	}
	assert_int_equal(leat_vocab_from_rwkv_text("/nonexistent/vocabulary", &v, &err), LEAT_E_NOTFOUND);
	if (load_text(good, sizeof(good) - 1, &v, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	assert_int_equal(leat_vocab_size(v), 301);
	assert_int_equal(leat_vocab_token_kind(v, 299), LEAT_TOKEN_UNUSED);
	assert_int_equal(leat_vocab_token_kind(v, 0), LEAT_TOKEN_CONTROL);
	assert_int_equal(leat_vocab_eos(v), 0);
	assert_int_equal(leat_tokenize(v, "it's 'q\xe4\xb8\xad", 10, 0, &ids, &n, NULL), LEAT_OK);
	assert_int_equal(n, 2);
	assert_int_equal(ids[0], 258);
	assert_int_equal(ids[1], 300);
	free(ids);
	leat_vocab_destroy(v);
	v = NULL;
	char path[] = "/tmp/leat-vocab-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(leat_vocab_from_rwkv_text(path, &v, &err), LEAT_E_FORMAT); /* empty */
	unlink(path);
	assert_null(v);
}

/* Escapes as converters write them into a GGUF file, and a byte that is missing. */
static void rwkv_tokens(void **state)
{
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	char text[256][5];
	(void)state;
	small_init(&small, LEAT_VOCAB_RWKV);
	small.spec.raw = 0;
	for (int i = 0; i < 256; i++) {
		snprintf(text[i], sizeof(text[i]), "\\x%02x", (unsigned)i);
		small.token[i] = (struct leat_str){text[i], 4};
	}
	small.token['\n'] = (struct leat_str){"\\n", 2};
	small.token['\''] = (struct leat_str){"'", 1};
	small.token['\\'] = (struct leat_str){"\\\\", 2};
	assert_int_equal(leat_vocab_build(&small.spec, &v, &err), LEAT_OK);
	for (int i = 0; i < 256; i++) {
		unsigned char byte = (unsigned char)i;
		assert_int_equal(leat_vocab_find(v, &byte, 1), i);
	}
	leat_vocab_destroy(v);
	v = NULL;
	small.token[65] = (struct leat_str){"\\q", 2};
	expect(leat_vocab_build(&small.spec, &v, &err), &err, LEAT_E_FORMAT, "token 65", "\\q");
	small.token[65] = (struct leat_str){"AA", 2};
	expect(leat_vocab_build(&small.spec, &v, &err), &err, LEAT_E_FORMAT, "tokenizer.ggml.tokens", "0x41");
	assert_null(v);
}

/* As converters write RWKV World: <s> for id 0, padding at the end, a plain token that ends a turn. */
static void rwkv_converted(void **state)
{
	struct leat_vocab *v = NULL;
	int32_t *ids;
	size_t n;
	(void)state;
	small_init(&small, LEAT_VOCAB_RWKV);
	int turn = small_token(&small, "\n\n", 2, LEAT_TOKEN_NORMAL);
	int end = small_token(&small, "<s>", 3, LEAT_TOKEN_CONTROL);
	small_token(&small, "[PAD258]", 8, LEAT_TOKEN_UNUSED);
	small.spec.bos = small.spec.eos = small.spec.ends[0] = end;
	small.spec.ends[1] = turn;
	small.spec.n_ends = 2;
	assert_int_equal(leat_vocab_build(&small.spec, &v, NULL), LEAT_OK);
	assert_int_equal(leat_vocab_size(v), 258);
	assert_true(leat_vocab_is_end(v, turn) && leat_vocab_is_end(v, end));
	assert_int_equal(leat_tokenize(v, "<s>\n\n[PAD258]", 13, 0, &ids, &n, NULL), LEAT_OK);
	assert_int_equal(n, 3 + 1 + 8);
	assert_int_equal(ids[3], turn);
	free(ids);
	assert_int_equal(leat_tokenize(v, "<s>", 3, LEAT_TOK_PARSE_SPECIAL, &ids, &n, NULL), LEAT_OK);
	assert_int_equal(n, 1);
	assert_int_equal(ids[0], end);
	free(ids);
	leat_vocab_bytes(v, end, 0, &n);
	assert_int_equal(n, 0);
	leat_vocab_bytes(v, turn, 0, &n);
	assert_int_equal(n, 2);
	leat_vocab_destroy(v);
}

/* HOSTILE T07, T23, G33: the largest table, the longest token, too many merges; and no kinds at all. */
static void large(void **state)
{
	struct leat_str *token = calloc(LEAT_MAX_VOCAB, sizeof(*token));
	char *text = malloc((size_t)LEAT_MAX_VOCAB * 8 + LEAT_MAX_TOKEN_BYTES);
	struct leat_vocab *v = NULL;
	struct leat_error err = {0};
	int32_t *ids;
	size_t n;
	(void)state;
	assert_true(token && text);
	start();
	memcpy(token, small.token, 258 * sizeof(*token));
	for (int i = 258; i < LEAT_MAX_VOCAB; i++) {
		char *at = text + (size_t)i * 8;
		token[i] = (struct leat_str){at, (uint64_t)snprintf(at, 8, "z%x", (unsigned)i)};
	}
	memset(text + (size_t)LEAT_MAX_VOCAB * 8, 'y', LEAT_MAX_TOKEN_BYTES);
	token[999] = (struct leat_str){text + (size_t)LEAT_MAX_VOCAB * 8, LEAT_MAX_TOKEN_BYTES};
	small.spec.tokens = token;
	small.spec.kinds = NULL;
	small.spec.n_tokens = LEAT_MAX_VOCAB;
	if (leat_vocab_build(&small.spec, &v, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	assert_int_equal(leat_vocab_size(v), LEAT_MAX_VOCAB);
	assert_int_equal(leat_vocab_find(v, "zfffff", 6), LEAT_MAX_VOCAB - 1);
	assert_int_equal(leat_vocab_find(v, token[999].s, LEAT_MAX_TOKEN_BYTES), 999);
	/* Without kinds the name alone makes an end. */
	assert_true(leat_vocab_is_end(v, 257));
	assert_int_equal(leat_tokenize(v, "<|im_end|>", 10, LEAT_TOK_PARSE_SPECIAL, &ids, &n, NULL), LEAT_OK);
	assert_int_equal(n, 1);
	free(ids);
	leat_vocab_destroy(v);
	v = NULL;
	small.spec.n_merges = (1 << 22) + 1;
	expect(leat_vocab_build(&small.spec, &v, &err), &err, LEAT_E_LIMIT, "tokenizer.ggml.merges", "4194305");
	assert_null(v);
	free(text);
	free(token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata), cmocka_unit_test(good_metadata), cmocka_unit_test(bad_merges),
		cmocka_unit_test(self_merges), cmocka_unit_test(token_table), cmocka_unit_test(byte_tokens),
		cmocka_unit_test(literals), cmocka_unit_test(rwkv_texts), cmocka_unit_test(rwkv_tokens),
		cmocka_unit_test(rwkv_converted), cmocka_unit_test(large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
