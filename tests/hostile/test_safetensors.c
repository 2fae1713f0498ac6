/* Rows S01 to S17 and S25 to S29 of the matrix of bad files: one safetensors file. */
#include "hostile/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "format/file.h"

#define BIT(n)      ((uint64_t)1 << (n))
#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

static const char good[] = "{\"__metadata__\":{\"format\":\"pt\"},"
			   "\"b\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[16,28]},"
			   "\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}";
enum { GOOD_DATA = 28 };

/* A file of `declared` bytes of header as it says, the header, data. */
static unsigned char *file(uint64_t declared, const char *header, size_t n_header, size_t n_data, size_t *ret_n)
{
	unsigned char *p = malloc(8 + n_header + n_data + 1);
	assert_non_null(p);
	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(declared >> 8 * i);
	memcpy(p + 8, header, n_header);
	for (size_t i = 0; i < n_data; i++)
		p[8 + n_header + i] = (unsigned char)(i * 31 + 1);
	*ret_n = 8 + n_header + n_data;
	return p;
}

static void refuse_bytes(const char *header, size_t n_header, size_t n_data, int32_t status, const char *text)
{
	size_t n;
	unsigned char *p = file(n_header, header, n_header, n_data, &n);
	hostile_refuse(p, n, status, text);
	free(p);
}

static void refuse(const char *header, size_t n_data, int32_t status, const char *text)
{
	refuse_bytes(header, strlen(header), n_data, status, text);
}

/* Reads; whether a model comes of it is not the question. */
static struct leat_file *accept(const char *header, size_t n_header, size_t n_data, unsigned char **ret_bytes)
{
	size_t n;
	struct leat_file *f = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	*ret_bytes = file(n_header, header, n_header, n_data, &n);
	if (leat_file_open_memory("a.safetensors", *ret_bytes, n, &f, &err) != LEAT_OK)
		fail_msg("%s", err.message);
	return f;
}

static void accepted(const char *header, size_t n_data)
{
	unsigned char *p;
	leat_file_close(accept(header, strlen(header), n_data, &p));
	free(p);
}

/* One tensor "t" with these texts as fields. */
static const char *one(const char *dtype, const char *shape, const char *offsets)
{
	static char text[2048];
	snprintf(text, sizeof text, "{\"t\":{\"dtype\":%s,\"shape\":%s,\"data_offsets\":%s}}", dtype, shape, offsets);
	return text;
}

static void valid(void **state)
{
	unsigned char *p;
	struct leat_str s;
	struct leat_file *f = accept(good, sizeof good - 1, GOOD_DATA, &p);
	(void)state;
	const struct leat_tensor *a = leat_file_tensor(f, "a"), *b = leat_file_tensor(f, "b");
	assert_true(f->n_tensors == 2 && a == &f->tensor[0] && b == &f->tensor[1]);
	assert_true(a->n_dims == 1 && a->dim[0] == 4 && a->dim[1] == 1 && a->bytes == 16 && a->type == 0);
	assert_true(b->n_dims == 2 && b->dim[0] == 3 && b->dim[1] == 2 && b->bytes == 12 && b->type == 1);
	assert_true((const unsigned char *)a->data == p + 8 + sizeof good - 1 && a->offset == 8 + sizeof good - 1);
	assert_int_equal(leat_meta_string(f, "metadata.format", &s, NULL), LEAT_OK);
	assert_true(leat_str_is(s, "pt"));
	leat_file_close(f);
	free(p);
	accepted("{}", 0);
	accepted("{\"__metadata__\":{}}      ", 0);
}

static void test_S01(void **state)
{
	(void)state;
	for (size_t n = 0; n < 8; n++)
		hostile_refuse((const unsigned char *)"\x10\0\0\0\0\0\0", n, LEAT_E_FORMAT,
			       n ? "header length" : "empty");
}

static void test_S02(void **state)
{
	(void)state;
	static const uint64_t lengths[] = {0, 1, 100000001, BIT(63), UINT64_MAX, UINT64_MAX - 4, UINT64_MAX - 7};
	size_t n;
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		unsigned char *p = file(lengths[i], good, sizeof good - 1, GOOD_DATA, &n);
		hostile_refuse(p, n, LEAT_E_FORMAT, "header");
		free(p);
	}
	for (uint64_t more = 1; more < 20; more++) {
		unsigned char *p = file(sizeof good - 1 + GOOD_DATA + more, good, sizeof good - 1, GOOD_DATA, &n);
		hostile_refuse(p, n, LEAT_E_FORMAT, "header length");
		free(p);
	}
	/* As long as it says, and too long. */
	char *big = malloc((16 << 20) + 1);
	assert_non_null(big);
	memset(big, ' ', (16 << 20) + 1);
	memcpy(big, "{}", 2);
	refuse_bytes(big, (16 << 20) + 1, 0, LEAT_E_LIMIT, "header length is 16777217");
	free(big);
}

static void test_S03(void **state)
{
	(void)state;
	refuse(" {}", 0, LEAT_E_FORMAT, "does not begin");
	refuse("[]", 0, LEAT_E_FORMAT, "does not begin");
	refuse("\"t\"", 0, LEAT_E_FORMAT, "does not begin");
	refuse("null", 0, LEAT_E_FORMAT, "does not begin");
}

static void test_S04(void **state)
{
	(void)state;
	refuse("\xef\xbb\xbf{}", 0, LEAT_E_FORMAT, "does not begin");
	refuse("{\"\xff\":{}}", 0, LEAT_E_FORMAT, "header");
	refuse("{\"a\\u0000\":{}}", 0, LEAT_E_FORMAT, "header");
	refuse("{\"\\ud800\":{}}", 0, LEAT_E_FORMAT, "header");
	refuse_bytes("{\"\0\":{}}", 8, 0, LEAT_E_FORMAT, "header");
	refuse_bytes("{}\0\0", 4, 0, LEAT_E_FORMAT, "header");
	/* Well-formed, and no name: it would go into messages and logs. */
	refuse("{\"a\\n\\u001b[2J\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, LEAT_E_FORMAT,
	       "a\\x0A\\x1B");
	refuse("{\"\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, LEAT_E_FORMAT, "tensor name");
}

static void test_S05(void **state)
{
	(void)state;
	enum { DEPTH = 100000 };
	static const char *const parts[][3] = {{"{\"t\":", "[", "]"}, {"{\"__metadata__\":", "{\"a\":", "}"}};
	for (size_t k = 0; k < COUNT_OF(parts); k++)
		for (int closed = 0; closed < 2; closed++) {
			size_t each = strlen(parts[k][1]), n = strlen(parts[k][0]);
			char *text = malloc(n + DEPTH * (each + 1) + 2);
			assert_non_null(text);
			memcpy(text, parts[k][0], n);
			for (int i = 0; i < DEPTH; i++, n += each)
				memcpy(text + n, parts[k][1], each);
			for (int i = 0; closed && i < DEPTH; i++)
				text[n++] = parts[k][2][0];
			refuse_bytes(text, n, 0, LEAT_E_LIMIT, "128 levels");
			free(text);
		}
}

static void test_S06(void **state)
{
	(void)state;
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
	       "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
	       8, LEAT_E_FORMAT, "duplicate");
	refuse("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, LEAT_E_FORMAT,
	       "duplicate");
	refuse("{\"__metadata__\":{},\"__metadata__\":{}}", 0, LEAT_E_FORMAT, "duplicate");
	refuse("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, LEAT_E_FORMAT, "duplicate");
	refuse("{\"__metadata__\":{\"a\":1}}", 0, LEAT_E_FORMAT, "__metadata__ 'a' is no string");
	refuse("{\"__metadata__\":{\"a\":{}}}", 0, LEAT_E_FORMAT, "no string");
	refuse("{\"__metadata__\":[]}", 0, LEAT_E_FORMAT, "__metadata__");
	refuse("{\"__metadata__\":\"x\"}", 0, LEAT_E_FORMAT, "__metadata__");
	/* Fields absent, of another kind, too many. */
	refuse("{\"a\":7}", 0, LEAT_E_FORMAT, "tensor 'a' is no object");
	refuse("{\"a\":{}}", 0, LEAT_E_FORMAT, "lacks a dtype");
	refuse("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, LEAT_E_FORMAT, "lacks a shape");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, LEAT_E_FORMAT, "lacks data_offsets");
	refuse("{\"a\":{\"dtype\":0,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, LEAT_E_FORMAT, "lacks a dtype");
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"strides\":[1]}}", 4, LEAT_E_FORMAT,
	       "strides");
}

static void test_S07(void **state)
{
	(void)state;
	char text[256];
	static const char *const junk[] = {"x", "{}", ",", "]", "}", "\x01", "//"};
	for (size_t i = 0; i < COUNT_OF(junk); i++) {
		snprintf(text, sizeof text, "%s  %s", good, junk[i]);
		refuse(text, GOOD_DATA, LEAT_E_FORMAT, "header");
	}
	snprintf(text, sizeof text, "%s       ", good);
	accepted(text, GOOD_DATA);
}

static void test_S08(void **state)
{
	(void)state;
	static const char *const bad[] = {"[-1]",
					  "[4.0]",
					  "[1e3]",
					  "[\"4\"]",
					  "[null]",
					  "[true]",
					  "[18446744073709551616]",
					  "[[4]]",
					  "[{}]",
					  "[9223372036854775808]"};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		refuse(one("\"F32\"", bad[i], "[0,16]"), 16, LEAT_E_FORMAT, NULL);
	refuse(one("\"F32\"", "{}", "[0,16]"), 16, LEAT_E_FORMAT, "shape");
	accepted(one("\"F32\"", "[]", "[0,4]"), 4);
	accepted(one("\"F32\"", "[1,1,1,4]", "[0,16]"), 16);
	refuse(one("\"F32\"", "[1,1,1,1,4]", "[0,16]"), 16, LEAT_E_UNSUPPORTED, "'t' has 5 dimensions");
	refuse(one("\"F32\"", "[1,1,1,1,1,1,1,4]", "[0,16]"), 16, LEAT_E_UNSUPPORTED, "'t' has 8 dimensions");
}

static void test_S09(void **state)
{
	(void)state;
	static const char *const shapes[] = {"[4294967296,4294967296]",   "[4611686018427387904,4]",
					     "[2147483648,2147483648,4]", "[9223372036854775807,2]",
					     "[4294967296,4294967296,0]", "[65536,65536,65536,65536]",
					     "[2305843009213693952]"};
	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		refuse(one("\"F32\"", shapes[i], "[0,0]"), 0, LEAT_E_FORMAT, "63 bits");
		refuse(one("\"F32\"", shapes[i], "[0,16]"), 16, LEAT_E_FORMAT, "63 bits");
	}
}

static void test_S10(void **state)
{
	(void)state;
	static const char *const bad[] = {"\"F4\"",      "\"f32\"",  "\"\"",    "\"F32 \"",
					  "\"float32\"", "\"Q4_0\"", "\"F128\""};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		refuse(one(bad[i], "[4]", "[0,16]"), 16, LEAT_E_UNSUPPORTED, "'t' is of dtype");
	/* Known and no weights: read, for inspect; the loader refuses them by name. */
	static const char *const known[] = {"\"F64\"", "\"I64\"", "\"U64\""};
	for (size_t i = 0; i < COUNT_OF(known); i++)
		accepted(one(known[i], "[2]", "[0,16]"), 16);
	accepted(one("\"BOOL\"", "[16]", "[0,16]"), 16);
	accepted(one("\"F8_E4M3\"", "[16]", "[0,16]"), 16);
}

static void test_S11(void **state)
{
	(void)state;
	static const char *const bad[] = {"[]",	      "[0]",	  "[0,16,16]",	 "[16,0]",  "[-16,0]",
					  "[0,16.0]", "[0,1.6e1]", "[\"0\",16]", "[0,null]", "[0,18446744073709551616]",
					  "[18446744073709551600,0]"};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		refuse(one("\"F32\"", "[4]", bad[i]), 16, LEAT_E_FORMAT, NULL);
}

static void two(const char *a, const char *b, size_t n_data, const char *text)
{
	char header[512];
	snprintf(header, sizeof header,
		 "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":%s},"
		 "\"b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":%s}}",
		 a, b);
	if (text)
		refuse(header, n_data, LEAT_E_FORMAT, text);
	else
		accepted(header, n_data);
}

static void test_S12(void **state)
{
	(void)state;
	two("[0,16]", "[16,32]", 32, NULL);
	two("[16,32]", "[0,16]", 32, NULL);
	two("[0,16]", "[0,16]", 16, "begins at");	/* the same bytes twice */
	two("[0,16]", "[8,24]", 24, "begins at");	/* overlap */
	two("[0,16]", "[17,33]", 33, "begins at");	/* gap */
	two("[4,20]", "[20,36]", 36, "begins at");	/* hole at the start */
	two("[0,16]", "[16,32]", 33, "1 bytes follow"); /* not covering */
	two("[0,16]", "[16,32]", 31, "truncated");	/* beyond */
	two("[0,16]", "[9223372036854775791,9223372036854775807]", 32, "truncated");
}

static void test_S13(void **state)
{
	(void)state;
	/* An empty tensor shares its place with another: nothing can be computed from it, so it is called by its name.
	 */
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
	       "\"e\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]}}",
	       16, LEAT_E_UNSUPPORTED, "'e' is empty");
	refuse("{\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, LEAT_E_UNSUPPORTED,
	       "'e' is empty");
}

static void test_S14(void **state)
{
	(void)state;
	refuse(one("\"F32\"", "[4]", "[0,12]"), 12, LEAT_E_FORMAT, "takes 16 bytes");
	refuse(one("\"F32\"", "[4]", "[0,20]"), 20, LEAT_E_FORMAT, "takes 16 bytes");
	refuse(one("\"F16\"", "[4]", "[0,16]"), 16, LEAT_E_FORMAT, "takes 8 bytes");
	refuse(one("\"F32\"", "[4]", "[0,0]"), 0, LEAT_E_FORMAT, "takes 16 bytes");
}

static void test_S15(void **state)
{
	(void)state;
	/* One byte before: the floats begin at an odd address, and the reader hands them out as they are. */
	static const char text[] = "{\"a\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]},"
				   "\"b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[1,17]}}";
	unsigned char *p;
	struct leat_file *f = accept(text, sizeof text - 1, 17, &p);
	(void)state;
	assert_true((const unsigned char *)leat_file_tensor(f, "b")->data == p + 8 + sizeof text - 1 + 1);
	leat_file_close(f);
	free(p);
}

/* n tensors of one element each. */
static char *many(size_t n, size_t name_bytes, size_t *ret_n)
{
	size_t cap = n * (90 + name_bytes) + 2, at = 1;
	char *text = malloc(cap);
	assert_non_null(text);
	text[0] = '{';
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, cap - at,
				       "%s\"%0*zu\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
				       i ? "," : "", (int)name_bytes, i, i, i + 1);
	text[at++] = '}';
	*ret_n = at;
	return text;
}

static void test_S16(void **state)
{
	(void)state;
	size_t n;
	unsigned char *p;
	char *text = many(100000, 8, &n);
	struct leat_file *f = accept(text, n, 100000, &p);
	assert_int_equal(f->n_tensors, 100000);
	assert_true(leat_file_tensor(f, "00099999") == &f->tensor[99999]);
	leat_file_close(f);
	free(p);
	free(text);
	text = many(131073, 8, &n);
	p = file(n, text, n, 131073, &n);
	struct leat_error err = LEAT_ERROR_INIT;
	assert_int_equal(leat_file_open_memory("a.safetensors", p, n, &f, &err), LEAT_E_LIMIT);
	assert_non_null(strstr(err.message, "131072"));
	free(p);
	free(text);
	text = many(20000, 850, &n); /* 19 MB: refused by its length, as one of 90 MB is */
	refuse_bytes(text, n, 0, LEAT_E_LIMIT, "header length");
	free(text);
	text = many(1, 257, &n);
	refuse_bytes(text, n, 1, LEAT_E_FORMAT, "257 bytes");
	free(text);
}

static void test_S17(void **state)
{
	(void)state;
	/* A zip archive or a program behind the data, and in front of it. */
	size_t n;
	unsigned char *p = file(sizeof good - 1, good, sizeof good - 1, GOOD_DATA + 22, &n);
	memcpy(p + n - 22, "PK\5\6", 4);
	hostile_refuse(p, n, LEAT_E_FORMAT, "22 bytes follow");
	free(p);
	p = file(0, good, sizeof good - 1, GOOD_DATA, &n);
	memcpy(p, "PK\3\4\0\0\0\0", 8);
	hostile_refuse(p, n, LEAT_E_FORMAT, "header length");
	memcpy(p, "PK\3\4\x14\0\0\0", 8);
	hostile_refuse(p, n, LEAT_E_UNSUPPORTED, "zip archive");
	memcpy(p, "\177ELF\2\1\1\0", 8);
	hostile_refuse(p, n, LEAT_E_UNSUPPORTED, "a program");
	free(p);
}

static void test_S25(void **state)
{
	(void)state;
	size_t n;
	unsigned char *p = file(sizeof good - 1, good, sizeof good - 1, GOOD_DATA, &n);
	for (size_t cut = 0; cut < n; cut++)
		hostile_refuse(p, cut, LEAT_E_FORMAT, NULL);
	free(p);
}

static void test_S26(void **state)
{
	(void)state;
	size_t n, loaded = 0;
	unsigned char *p = file(sizeof good - 1, good, sizeof good - 1, GOOD_DATA, &n);
	for (size_t i = 0; i < n - GOOD_DATA; i++)
		for (int k = 0; k < 8; k++) {
			struct leat_file *f = NULL;
			struct leat_error err = LEAT_ERROR_INIT;
			p[i] ^= (unsigned char)(1 << k);
			enum leat_status st = leat_file_open_memory("flip.safetensors", p, n, &f, &err);
			assert_true(st == LEAT_OK || (st == err.status && strstr(err.message, "flip.safetensors")));
			assert_true(st == LEAT_OK || st == LEAT_E_FORMAT || st == LEAT_E_UNSUPPORTED ||
				    st == LEAT_E_LIMIT);
			loaded += st == LEAT_OK; /* another letter of a name */
			leat_file_close(f);
			p[i] ^= (unsigned char)(1 << k);
		}
	assert_true(loaded > 0 && loaded < 200);
	free(p);
}

static void test_S27(void **state)
{
	(void)state;
	/* The order of the entries says nothing; names swapped are other tensors, and right ones. */
	accepted("{\"a\":{\"data_offsets\":[0,16],\"shape\":[4],\"dtype\":\"F32\"},"
		 "\"b\":{\"shape\":[2,3],\"data_offsets\":[16,28],\"dtype\":\"F16\"}}",
		 GOOD_DATA);
	refuse("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,28]},"
	       "\"b\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,16]}}",
	       GOOD_DATA, LEAT_E_FORMAT, "takes 16 bytes");
}

static void test_S28(void **state)
{
	(void)state;
	hostile_refuse_path(hostile_path("none.safetensors"), LEAT_E_NOTFOUND);
	const char *path = hostile_path("special.safetensors");
	assert_int_equal(mkfifo(path, 0600), 0);
	hostile_refuse_path(path, LEAT_E_ARG);
	unlink(path);
	assert_int_equal(symlink("special.safetensors", path), 0);
	hostile_refuse_path(path, LEAT_E_IO);
	unlink(path);
	assert_int_equal(symlink("/dev/zero", path), 0);
	hostile_refuse_path(path, LEAT_E_ARG);
	unlink(path);
}

static void test_S29(void **state)
{
	size_t n;
	struct leat_map m;
	unsigned char *p = file(sizeof good - 1, good, sizeof good - 1, GOOD_DATA, &n);
	const char *path = hostile_path("moving.safetensors");
	(void)state;
	hostile_write(path, p, n);
	assert_int_equal(leat_map_open(&m, path, NULL), LEAT_OK);
	assert_int_equal(truncate(path, (off_t)n - 1), 0);
	assert_int_equal(leat_map_check(&m, NULL), LEAT_E_IO);
	assert_int_equal(truncate(path, (off_t)n), 0);
	assert_int_equal(leat_map_check(&m, NULL), LEAT_OK);
	leat_map_close(&m);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid),    cmocka_unit_test(test_S01), cmocka_unit_test(test_S02),
		cmocka_unit_test(test_S03), cmocka_unit_test(test_S04), cmocka_unit_test(test_S05),
		cmocka_unit_test(test_S06), cmocka_unit_test(test_S07), cmocka_unit_test(test_S08),
		cmocka_unit_test(test_S09), cmocka_unit_test(test_S10), cmocka_unit_test(test_S11),
		cmocka_unit_test(test_S12), cmocka_unit_test(test_S13), cmocka_unit_test(test_S14),
		cmocka_unit_test(test_S15), cmocka_unit_test(test_S16), cmocka_unit_test(test_S17),
		cmocka_unit_test(test_S25), cmocka_unit_test(test_S26), cmocka_unit_test(test_S27),
		cmocka_unit_test(test_S28), cmocka_unit_test(test_S29),
	};
	hostile_name("mk.safetensors");
	hostile_memory(256); /* S16: a header of 9 MB; jansson takes 14 bytes a byte for it */
	return hostile_main(tests, COUNT_OF(tests), "none of one file; folders: test_folder.c");
}
