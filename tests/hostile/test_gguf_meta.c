/* Rows G01 to G36 of the matrix of bad files: header, metadata, configuration, vocabulary. */
#include "hostile/hostile.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/file.h"

#define BIT(n)      ((uint64_t)1 << (n))
#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

static struct mk *qwen2(void)
{
	return mk_create(MK_QWEN2);
}

static void valid(void **state)
{
	(void)state;
	hostile_accept_model(mk_create(MK_QWEN2));
	hostile_accept_model(mk_create(MK_RWKV7));
}

static void test_G01(void **state)
{
	(void)state;
	hostile_refuse((const unsigned char *)"", 0, LEAT_E_FORMAT, "empty");
}

static void test_G02(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	size_t n;
	unsigned char *bytes = mk_encode(m, &n);
	for (size_t i = 1; i < 24; i++)
		hostile_refuse(bytes, i, LEAT_E_FORMAT, NULL);
	free(bytes);
	mk_destroy(m);
}

static void magic(const char *four, int32_t status, const char *text)
{
	struct mk *m = qwen2();
	memcpy(m->magic, four, 4);
	hostile_refuse_model(m, status, text);
}

static void test_G03(void **state)
{
	(void)state;
	magic("GGUE", LEAT_E_FORMAT, "GGUF");
	magic("\0\0\0\0", LEAT_E_FORMAT, "GGUF");
	magic("\x1b[2J", LEAT_E_FORMAT, "\\x1B");
	magic("FUGG", LEAT_E_UNSUPPORTED, "reversed");
	magic("lmgg", LEAT_E_UNSUPPORTED, "ggml");
	magic("ggml", LEAT_E_UNSUPPORTED, "ggml");
	magic("fmgg", LEAT_E_UNSUPPORTED, "ggmf");
	magic("tjgg", LEAT_E_UNSUPPORTED, "ggjt");
	magic("GGJT", LEAT_E_UNSUPPORTED, "ggjt");
	magic("algg", LEAT_E_UNSUPPORTED, "ggla");
	magic("PK\3\4", LEAT_E_UNSUPPORTED, "zip");
	magic("{\n  ", LEAT_E_UNSUPPORTED, "name the folder");
}

static void version(uint32_t v, int32_t status, const char *text)
{
	struct mk *m = qwen2();
	m->version = v;
	if (status == LEAT_OK)
		hostile_accept_model(m);
	else
		hostile_refuse_model(m, status, text);
}

static void test_G04(void **state)
{
	(void)state;
	version(0, LEAT_E_FORMAT, "version");
	version(1, LEAT_E_UNSUPPORTED, "version 1");
	version(2, LEAT_OK, NULL);
	version(3, LEAT_OK, NULL);
	version(4, LEAT_E_UNSUPPORTED, "found 4");
	version(0x02000000, LEAT_E_UNSUPPORTED, "big-endian");
	version(0x03000000, LEAT_E_UNSUPPORTED, "big-endian");
	version(UINT32_MAX, LEAT_E_FORMAT, "version");
}

static const uint64_t counts[] = {BIT(63), UINT64_MAX, UINT32_MAX, 65537};

static void test_G05(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		struct mk *m = qwen2();
		m->n_tensors = counts[i];
		hostile_refuse_model(m, LEAT_E_FORMAT, "n_tensors");
	}
	struct mk *m = qwen2(); /* as many as the file could hold, and more than leat takes */
	m->n_tensors = 65537;
	m->tail_bytes = 3 << 20;
	hostile_refuse_model(m, LEAT_E_LIMIT, "65536");
}

static void test_G06(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		struct mk *m = qwen2();
		m->n_pairs = counts[i];
		hostile_refuse_model(m, LEAT_E_FORMAT, "n_kv");
	}
	struct mk *m = qwen2();
	m->n_pairs = 65537;
	m->tail_bytes = 1 << 20;
	hostile_refuse_model(m, LEAT_E_LIMIT, "65536");
}

static void test_G07(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	m->n_pairs++;
	hostile_refuse_model(m, LEAT_E_FORMAT, NULL);
	m = qwen2();
	m->n_pairs--;
	hostile_refuse_model(m, LEAT_E_FORMAT, NULL);
}

static void test_G08(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	mk_rekey(mk_pair(m, "general.name"), "", 0);
	hostile_refuse_model(m, LEAT_E_FORMAT, "key is empty");
}

/* Lengths that lie; `left` is replaced by one more than the bytes that follow the length. */
static const uint64_t lengths[] = {BIT(31), BIT(63), UINT64_MAX, UINT64_MAX - 7, 0};

static void test_G09(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		struct mk *m = qwen2();
		size_t n;
		mk_pair(m, "general.architecture")->key_length = lengths[i] ? lengths[i] : 1;
		unsigned char *bytes = mk_encode(m, &n);
		uint64_t left = n - 24 - 8 + 1;
		if (!lengths[i])
			memcpy(bytes + 24, &left, 8);
		hostile_refuse(bytes, n, LEAT_E_FORMAT, "key");
		free(bytes);
		mk_destroy(m);
	}
}

static void long_key(size_t n, int32_t status)
{
	struct mk *m = qwen2();
	char *key = malloc(n);
	assert_non_null(key);
	memset(key, 'k', n);
	mk_rekey(mk_pair(m, "general.name"), key, n);
	free(key);
	if (status == LEAT_OK)
		hostile_accept_model(m);
	else
		hostile_refuse_model(m, status, "65536 bytes");
}

static void test_G10(void **state)
{
	(void)state;
	long_key(65535, LEAT_OK);
	long_key(65536, LEAT_E_FORMAT);
}

static const struct {
	const char *s;
	size_t n;
} bad_names[] = {
	{"a\0b", 3},
	{"\0", 1},
	{"\xff\xfe", 2},
	{"a\nb", 3},
	{"\x1b[31mred", 8},
	{"\xc0\x80", 2},
	{"\xed\xa0\x80", 3},
	{"\xf4\x90\x80\x80", 4},
	{"\xe2\x80", 2},
	{"\x7f", 1},
	{"\xe2\x80\xae"
	 "x",
	 4},
	{"\xc2\x9b", 2},
};

static void test_G11(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad_names); i++) {
		struct mk *m = qwen2();
		mk_rekey(mk_pair(m, "general.name"), bad_names[i].s, bad_names[i].n);
		hostile_refuse_model(m, LEAT_E_FORMAT, "printable");
	}
}

static void test_G12(void **state)
{
	(void)state;
	uint32_t same = 2, other = 3;
	struct mk *m = qwen2();
	mk_add_pair(m, "qwen2.block_count", MK_U32, &same, 4);
	hostile_refuse_model(m, LEAT_E_FORMAT, "qwen2.block_count");
	m = qwen2();
	mk_add_pair(m, "qwen2.block_count", MK_U32, &other, 4);
	hostile_refuse_model(m, LEAT_E_FORMAT, "twice");
	m = qwen2();
	mk_add_pair(m, "qwen2.block_count", MK_U8, &same, 1);
	hostile_refuse_model(m, LEAT_E_FORMAT, "twice");
}

static void test_G13(void **state)
{
	(void)state;
	static const uint32_t types[] = {13, 255, UINT32_MAX};
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct mk *m = qwen2();
		mk_pair(m, "qwen2.block_count")->type = types[i];
		hostile_refuse_model(m, LEAT_E_FORMAT, "qwen2.block_count");
	}
}

static void test_G14(void **state)
{
	(void)state;
	static const unsigned char values[] = {2, 0xff};
	for (size_t i = 0; i < 2; i++) {
		struct mk *m = qwen2();
		mk_set_int(m, "tokenizer.ggml.add_bos_token", MK_BOOL, values[i]);
		hostile_refuse_model(m, LEAT_E_FORMAT, "add_bos_token");
		m = qwen2();
		mk_set_array(m, "general.flags", MK_BOOL, 2, (unsigned char[]){1, values[i]}, 2);
		hostile_refuse_model(m, LEAT_E_FORMAT, "general.flags");
	}
}

static void test_G15(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		struct mk *m = qwen2();
		uint64_t n = lengths[i] ? lengths[i] : 1 << 20;
		memcpy(mk_pair(m, "general.name")->value, &n, 8);
		hostile_refuse_model(m, LEAT_E_FORMAT, "general.name");
	}
}

static void test_G16(void **state)
{
	(void)state;
	static const size_t depths[] = {1, 2, 10000};
	for (size_t i = 0; i < COUNT_OF(depths); i++) {
		/* Each level: element type ARRAY, count 1; at the bottom one u8. */
		size_t n = depths[i] * 12 + 13;
		unsigned char *v = calloc(1, n);
		assert_non_null(v);
		for (size_t k = 0; k <= depths[i]; k++) {
			v[12 * k] = k < depths[i] ? MK_ARRAY : MK_U8;
			v[12 * k + 4] = 1;
		}
		struct mk *m = qwen2();
		mk_set_raw(m, "general.nested", MK_ARRAY, v, n);
		free(v);
		hostile_refuse_model(m, LEAT_E_FORMAT, "array of arrays");
	}
}

static void test_G17(void **state)
{
	(void)state;
	static const uint32_t types[] = {13, MK_ARRAY, 99, UINT32_MAX};
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct mk *m = qwen2();
		mk_set_array(m, "general.list", types[i], 1, "12345678", 8);
		hostile_refuse_model(m, LEAT_E_FORMAT, "general.list");
	}
}

static void test_G18(void **state)
{
	(void)state;
	static const struct {
		uint32_t type;
		uint64_t count;
	} bad[] = {
		{MK_U8, UINT64_MAX},     {MK_U64, BIT(61)},    {MK_U32, BIT(62)}, {MK_U64, BIT(61) + 1},
		{MK_STRING, UINT64_MAX}, {MK_STRING, BIT(61)}, {MK_U8, 1 << 20},  {MK_F32, 1 << 20},
	};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct mk *m = qwen2();
		mk_set_array(m, "general.list", bad[i].type, bad[i].count, "12345678", 8);
		hostile_refuse_model(m, LEAT_E_FORMAT, "general.list");
	}
	/* Exactly one element more than the rest of the file holds. */
	struct mk *m = qwen2();
	size_t n;
	mk_set_array(m, "zz.last", MK_U16, 0, "", 0);
	unsigned char *bytes = mk_encode(m, &n);
	for (size_t i = 24; i + 27 < n; i++)
		if (!memcmp(bytes + i, "zz.last", 7)) {
			size_t at = i + 7 + 4 + 4;
			uint64_t count = (n - at - 8) / 2 + 1;
			memcpy(bytes + at, &count, 8);
			break;
		}
	hostile_refuse(bytes, n, LEAT_E_FORMAT, "zz.last");
	free(bytes);
	mk_destroy(m);
}

/* A file of holes reads as empty strings: the count is true, and still too many. */
static void test_G19(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	mk_set_array(m, "general.list", MK_STRING, BIT(28), "", 0);
	hostile_refuse_model(m, LEAT_E_FORMAT, "general.list");

	static const unsigned char head[] = "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"
					    "\1\0\0\0\0\0\0\0k\x9\0\0\0\x8\0\0\0\0\0\0\x10\0\0\0";
	const char *path = hostile_path("holes.gguf");
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, head, sizeof head), sizeof head);
	assert_int_equal(ftruncate(fd, (off_t)BIT(31) + 4096), 0);
	close(fd);
	hostile_refuse_path(path, LEAT_E_LIMIT);
	unlink(path);
}

/* n keys "k00000001" of one byte each. */
static unsigned char *many_keys(uint64_t n, size_t *ret_n)
{
	size_t each = 8 + 9 + 4 + 1, size = 24 + (size_t)n * each;
	unsigned char *bytes = calloc(1, size), *p = bytes + 24;
	uint64_t nine = 9;
	assert_non_null(bytes);
	memcpy(bytes, "GGUF\3", 5);
	memcpy(bytes + 16, &n, 8);
	for (uint64_t i = 0; i < n; i++, p += each) {
		char key[24];
		snprintf(key, sizeof key, "k%08llu", (unsigned long long)i);
		memcpy(p, &nine, 8);
		memcpy(p + 8, key, 9);
	}
	*ret_n = size;
	return bytes;
}

static void test_G20(void **state)
{
	(void)state;
	size_t n;
	unsigned char *bytes = many_keys(200000, &n);
	hostile_refuse(bytes, n, LEAT_E_LIMIT, "200000");
	free(bytes);
	bytes = many_keys(65536, &n); /* parses; there is no model in it */
	hostile_refuse(bytes, n, LEAT_E_FORMAT, "is missing");
	free(bytes);
}

static void alignment(uint32_t type, uint64_t v, const char *text)
{
	struct mk *m = qwen2();
	mk_set_int(m, "general.alignment", type, v);
	hostile_refuse_model(m, LEAT_E_FORMAT, text);
}

static void test_G21(void **state)
{
	(void)state;
	static const uint64_t bad[] = {0, 1, 3, 4, 24, 131072, BIT(31), UINT32_MAX};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		alignment(MK_U32, bad[i], "power of two");
	alignment(MK_I32, 32, "wanted u32");
	alignment(MK_F32, 0x42000000, "wanted u32");
	alignment(MK_U64, 32, "wanted u32");
	struct mk *m = qwen2();
	mk_set_string(m, "general.alignment", "32", 2);
	hostile_refuse_model(m, LEAT_E_FORMAT, "wanted u32");
	m = qwen2();
	mk_add_pair(m, "general.alignment", MK_U32, (unsigned char[]){32, 0, 0, 0}, 4);
	hostile_refuse_model(m, LEAT_E_FORMAT, "twice");
	m = qwen2(); /* absent: 32 */
	mk_remove_pair(m, "general.alignment");
	hostile_accept_model(m);
	m = qwen2();
	m->alignment = 8;
	mk_set_int(m, "general.alignment", MK_U32, 8);
	hostile_accept_model(m);
}

static void architecture(const char *s, size_t n, int32_t status)
{
	struct mk *m = qwen2();
	mk_set_string(m, "general.architecture", s, n);
	mk_set_string(m, "tokenizer.ggml.pre", "nosuch", 6); /* said second */
	hostile_refuse_model(m, status, "architecture");
}

static void test_G22(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	mk_remove_pair(m, "general.architecture");
	hostile_refuse_model(m, LEAT_E_FORMAT, "general.architecture");
	m = qwen2();
	mk_set_int(m, "general.architecture", MK_U32, 1);
	hostile_refuse_model(m, LEAT_E_FORMAT, "general.architecture");
	architecture("nosuch", 6, LEAT_E_UNSUPPORTED);
	architecture("", 0, LEAT_E_UNSUPPORTED);
	architecture("../../x", 7, LEAT_E_UNSUPPORTED);
	architecture("qwen2\0", 6, LEAT_E_UNSUPPORTED);
	architecture("\x1b]0;x\a\xff", 7, LEAT_E_UNSUPPORTED);
	char *big = malloc(1 << 20);
	assert_non_null(big);
	memset(big, 'A', 1 << 20);
	architecture(big, 1 << 20, LEAT_E_UNSUPPORTED);
	free(big);
}

/* One key of the configuration, over every value and type that it must not have. */
static void bad_int(const char *key, uint32_t type, uint64_t v)
{
	struct mk *m = mk_create(strncmp(key, "rwkv7", 5) ? MK_QWEN2 : MK_RWKV7);
	mk_set_int(m, key, type, v);
	hostile_refuse_model(m, LEAT_E_FORMAT, NULL);
}

static void bad_float(const char *key, float v)
{
	struct mk *m = mk_create(strncmp(key, "rwkv7", 5) ? MK_QWEN2 : MK_RWKV7);
	mk_set_f32(m, key, v);
	hostile_refuse_model(m, LEAT_E_FORMAT, NULL);
}

static void bad_kinds(const char *key)
{
	struct mk *m = mk_create(strncmp(key, "rwkv7", 5) ? MK_QWEN2 : MK_RWKV7);
	mk_set_array(m, key, MK_U32, 1, "\2\0\0\0", 4);
	hostile_refuse_model(m, LEAT_E_FORMAT, key);
	m = mk_create(strncmp(key, "rwkv7", 5) ? MK_QWEN2 : MK_RWKV7);
	mk_set_string(m, key, "2", 1);
	hostile_refuse_model(m, LEAT_E_FORMAT, key);
	bad_float(key, 2.0f);
	bad_int(key, MK_I32, UINT32_MAX);
	bad_int(key, MK_U64, BIT(63));
	bad_int(key, MK_U32, 0);
	m = mk_create(strncmp(key, "rwkv7", 5) ? MK_QWEN2 : MK_RWKV7);
	mk_remove_pair(m, key);
	hostile_refuse_model(m, LEAT_E_FORMAT, key);
}

static void test_G23(void **state)
{
	(void)state;
	static const uint64_t bad[] = {1, 3, 513, UINT32_MAX};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		bad_int("qwen2.block_count", MK_U32, bad[i]);
		bad_int("rwkv7.block_count", MK_U32, bad[i]);
	}
	bad_kinds("qwen2.block_count");
	bad_kinds("rwkv7.block_count");
}

static void test_G24(void **state)
{
	(void)state;
	static const uint64_t bad[] = {1, 32, 67, 96, BIT(31), UINT32_MAX};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		bad_int("qwen2.embedding_length", MK_U32, bad[i]);
		bad_int("rwkv7.embedding_length", MK_U32, bad[i]);
		bad_int("qwen2.feed_forward_length", MK_U32, bad[i] + 1);
		bad_int("rwkv7.feed_forward_length", MK_U32, bad[i]);
	}
	bad_kinds("qwen2.embedding_length");
	bad_kinds("rwkv7.embedding_length");
	bad_kinds("qwen2.feed_forward_length");
	bad_kinds("rwkv7.feed_forward_length");
}

static void test_G25(void **state)
{
	(void)state;
	static const uint64_t heads[] = {0, 3, 65, 128, BIT(31), UINT32_MAX};
	static const uint64_t kv[] = {0, 1, 3, 4, 8, BIT(31)};
	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		bad_int("qwen2.attention.head_count", MK_U32, heads[i]);
		bad_int("qwen2.attention.head_count_kv", MK_U32, kv[i]);
	}
	bad_int("rwkv7.wkv.head_size", MK_U32, 0);
	bad_int("rwkv7.wkv.head_size", MK_U32, 12);
	bad_int("rwkv7.wkv.head_size", MK_U32, 24);
	bad_int("rwkv7.wkv.head_size", MK_U32, 128);
	bad_int("rwkv7.wkv.head_size", MK_U32, BIT(31));
	for (uint64_t n = 1; n <= 3; n++) { /* a list per layer: shorter, exact, longer */
		struct mk *m = qwen2();
		int32_t list[3] = {2, 2, 2};
		mk_set_array(m, "qwen2.attention.head_count_kv", MK_I32, n, list, 4 * (size_t)n);
		hostile_refuse_model(m, LEAT_E_FORMAT, "head_count_kv");
	}
	bad_kinds("qwen2.attention.head_count");
	bad_kinds("rwkv7.wkv.head_size");
}

static void test_G26(void **state)
{
	(void)state;
	bad_int("qwen2.context_length", MK_U32, 0);
	bad_int("qwen2.context_length", MK_U32, BIT(31));
	bad_int("qwen2.context_length", MK_U64, BIT(63));
	bad_int("rwkv7.context_length", MK_U64, BIT(63));
	struct mk *m = qwen2(); /* large and still plausible: the engine is asked for 32 tokens */
	mk_set_int(m, "qwen2.context_length", MK_U32, 1 << 20);
	hostile_accept_model(m);
}

static void test_G27(void **state)
{
	(void)state;
	static const uint64_t dims[] = {0, 1, 15, 18, 64, BIT(31)};
	static const float bases[] = {0, -1, -INFINITY, INFINITY, NAN};
	for (size_t i = 0; i < COUNT_OF(dims); i++)
		bad_int("qwen2.rope.dimension_count", MK_U32, dims[i]);
	for (size_t i = 0; i < COUNT_OF(bases); i++)
		bad_float("qwen2.rope.freq_base", bases[i]);
}

static void test_G28(void **state)
{
	(void)state;
	static const float bad[] = {0, -1e-6f, 1, INFINITY, -INFINITY, NAN};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		bad_float("qwen2.attention.layer_norm_rms_epsilon", bad[i]);
		bad_float("rwkv7.attention.layer_norm_epsilon", bad[i]);
	}
}

static void tokens(size_t n, int32_t status, const char *text)
{
	struct mk *m = qwen2();
	char(*names)[24] = calloc(n + 1, sizeof *names);
	const char **list = calloc(n + 1, sizeof *list);
	assert_true(names && list);
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof names[i], "t%zu", i);
		list[i] = names[i];
	}
	mk_set_strings(m, "tokenizer.ggml.tokens", list, n);
	mk_remove_pair(m, "tokenizer.ggml.token_type");
	mk_remove_pair(m, "tokenizer.ggml.bos_token_id");
	mk_remove_pair(m, "tokenizer.ggml.eos_token_id");
	mk_set_strings(m, "tokenizer.ggml.merges", list, 0);
	free(names);
	free(list);
	if (status == LEAT_OK)
		hostile_any_model(m, 1);
	else
		hostile_refuse_model(m, status, text);
}

static void test_G30(void **state)
{
	(void)state;
	tokens(273, LEAT_E_FORMAT, NULL); /* one more than the embedding has rows */
	tokens(100000, LEAT_E_FORMAT, NULL);
	tokens(272, LEAT_OK, NULL);
	struct mk *m = mk_create(MK_RWKV7);
	uint64_t dim[2] = {64, 257};
	memcpy(mk_tensor(m, "token_embd.weight")->dim, dim, sizeof dim);
	memcpy(mk_tensor(m, "output.weight")->dim, dim, sizeof dim);
	hostile_refuse_model(m, LEAT_E_FORMAT, "258");
}

static void test_G31(void **state)
{
	(void)state;
	for (int kind = 0; kind < MK_KINDS; kind++) {
		struct mk *m = mk_create((enum mk_kind)kind);
		mk_remove_pair(m, "tokenizer.ggml.tokens");
		hostile_refuse_model(m, LEAT_E_FORMAT, "tokenizer.ggml.tokens");
		m = mk_create((enum mk_kind)kind);
		mk_set_array(m, "tokenizer.ggml.tokens", MK_STRING, 0, "", 0);
		hostile_refuse_model(m, LEAT_E_FORMAT, "tokenizer.ggml.tokens");
		m = mk_create((enum mk_kind)kind);
		mk_set_array(m, "tokenizer.ggml.tokens", MK_U32, 1, "\0\0\0\0", 4);
		hostile_refuse_model(m, LEAT_E_FORMAT, "tokenizer.ggml.tokens");
		m = mk_create((enum mk_kind)kind);
		mk_set_string(m, "tokenizer.ggml.tokens", "abc", 3);
		hostile_refuse_model(m, LEAT_E_FORMAT, "tokenizer.ggml.tokens");
		m = mk_create((enum mk_kind)kind);
		mk_set_string(m, "tokenizer.ggml.model", "no\nsuch", 7);
		hostile_refuse_model(m, LEAT_E_UNSUPPORTED, "tokenizer.ggml.model");
		m = mk_create((enum mk_kind)kind);
		mk_remove_pair(m, "tokenizer.ggml.model");
		hostile_refuse_model(m, LEAT_E_FORMAT, "tokenizer.ggml.model");
	}
	tokens(1, LEAT_OK, NULL);
}

static void token_types(uint32_t type, uint64_t n, int value, int32_t status)
{
	unsigned char raw[300 * 4] = {0};
	size_t size = type == MK_U8 ? 1 : 4;
	struct mk *m = qwen2();
	for (uint64_t i = 0; i < n; i++)
		raw[size * i] = (unsigned char)value;
	mk_set_array(m, "tokenizer.ggml.token_type", type, n, raw, size * (size_t)n);
	if (status == LEAT_OK)
		hostile_accept_model(m);
	else
		hostile_refuse_model(m, status, "token_type");
}

static void test_G32(void **state)
{
	(void)state;
	token_types(MK_I32, 262, 1, LEAT_E_FORMAT);
	token_types(MK_I32, 264, 1, LEAT_E_FORMAT);
	token_types(MK_I32, 0, 1, LEAT_E_FORMAT);
	token_types(MK_F32, 263, 1, LEAT_E_FORMAT);
	token_types(MK_U8, 262, 1, LEAT_E_FORMAT);
	token_types(MK_U8, 263, 1, LEAT_OK);
	token_types(MK_I32, 263, 0, LEAT_E_FORMAT);
	token_types(MK_I32, 263, 99, LEAT_E_FORMAT);
	struct mk *m = qwen2();
	mk_remove_pair(m, "tokenizer.ggml.token_type");
	hostile_accept_model(m);
}

static void merge(const char *one)
{
	const char *list[] = {"t h", one};
	struct mk *m = qwen2();
	mk_set_strings(m, "tokenizer.ggml.merges", list, 2);
	hostile_refuse_model(m, LEAT_E_FORMAT, "tokenizer.ggml.merges");
}

static void test_G33(void **state)
{
	(void)state;
	merge("th");
	merge("");
	merge(" ");
	merge("t ");
	merge(" h");
	merge("t h e");
	merge("z zz");
	merge("q x");
	const char *twice[] = {"t h", "t h"};
	struct mk *m = qwen2();
	mk_set_strings(m, "tokenizer.ggml.merges", twice, 2);
	hostile_any_model(m, 1);
	m = qwen2();
	mk_set_array(m, "tokenizer.ggml.merges", MK_U32, 1, "\0\0\0\0", 4);
	hostile_refuse_model(m, LEAT_E_FORMAT, "tokenizer.ggml.merges");
	m = qwen2();
	mk_remove_pair(m, "tokenizer.ggml.merges");
	hostile_refuse_model(m, LEAT_E_FORMAT, "tokenizer.ggml.merges");
	m = qwen2(); /* declares more than there are */
	mk_pair(m, "tokenizer.ggml.merges")->value[4] = 5;
	hostile_refuse_model(m, LEAT_E_FORMAT, NULL);
}

static void test_G34(void **state)
{
	(void)state;
	static const char *const keys[] = {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
					   "tokenizer.ggml.eot_token_id"};
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		bad_int(keys[i], MK_I32, UINT32_MAX);
		bad_int(keys[i], MK_U32, 263);
		bad_int(keys[i], MK_U32, UINT32_MAX);
		bad_int(keys[i], MK_I64, UINT64_MAX);
		bad_float(keys[i], 1.0f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid),    cmocka_unit_test(test_G01), cmocka_unit_test(test_G02),
		cmocka_unit_test(test_G03), cmocka_unit_test(test_G04), cmocka_unit_test(test_G05),
		cmocka_unit_test(test_G06), cmocka_unit_test(test_G07), cmocka_unit_test(test_G08),
		cmocka_unit_test(test_G09), cmocka_unit_test(test_G10), cmocka_unit_test(test_G11),
		cmocka_unit_test(test_G12), cmocka_unit_test(test_G13), cmocka_unit_test(test_G14),
		cmocka_unit_test(test_G15), cmocka_unit_test(test_G16), cmocka_unit_test(test_G17),
		cmocka_unit_test(test_G18), cmocka_unit_test(test_G19), cmocka_unit_test(test_G20),
		cmocka_unit_test(test_G21), cmocka_unit_test(test_G22), cmocka_unit_test(test_G23),
		cmocka_unit_test(test_G24), cmocka_unit_test(test_G25), cmocka_unit_test(test_G26),
		cmocka_unit_test(test_G27), cmocka_unit_test(test_G28), cmocka_unit_test(test_G30),
		cmocka_unit_test(test_G31), cmocka_unit_test(test_G32), cmocka_unit_test(test_G33),
		cmocka_unit_test(test_G34),
	};
	return hostile_main(tests, COUNT_OF(tests),
			    "G33 in part (ten million merges),\n"
			    "  G35 (SentencePiece character maps)");
}
