/* Writing a GGUF file, reading it back, typed access, messages; a writer that fails leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include "format/file.h"
#include "format/gguf_write.h"

static char folder[64];

static const char *at(const char *name)
{
	static char path[400];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/leat-file.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int entries(void)
{
	DIR *d = opendir(folder);
	int n = 0;
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int remove_folder(void **state)
{
	(void)state;
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			unlink(at(e->d_name));
	closedir(d);
	return rmdir(folder);
}

static const uint64_t dim_a[3] = {3, 5, 2}, dim_b[2] = {64, 3};

static struct leat_gguf_out *described(void)
{
	static const int32_t ints[] = {7, -8, INT32_MIN};
	static const struct leat_str strs[] = {{"one", 3}, {"", 0}, {"a\0\n", 3}};
	struct leat_gguf_out *o = NULL;
	assert_int_equal(leat_gguf_out_create(&o, NULL), LEAT_OK);
	leat_gguf_out_u32(o, "k.u32", 4000000000u);
	leat_gguf_out_f32(o, "k.f32", 0.25f);
	leat_gguf_out_f32(o, "k.nan", NAN);
	leat_gguf_out_bool(o, "k.bool", 5);
	leat_gguf_out_string(o, "k.string", "x\x1b\xff", 3);
	leat_gguf_out_strings(o, "k.strings", strs, 3);
	leat_gguf_out_i32s(o, "k.ints", ints, 3);
	leat_gguf_out_i32s(o, "k.none", ints, 0);
	leat_gguf_out_tensor(o, "a", 0, 3, dim_a);
	leat_gguf_out_tensor(o, "b", 8, 2, dim_b);
	return o;
}

enum { BYTES_A = 3 * 5 * 2 * 4, BYTES_B = 64 / 32 * 34 * 3 };

/* In pieces of `step`, across the border of the tensors. */
static enum leat_status write_data(struct leat_gguf_out *o, size_t step)
{
	unsigned char data[BYTES_A + BYTES_B];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 + 1);
	for (size_t i = 0; i < sizeof data; i += step) {
		size_t n = sizeof data - i < step ? sizeof data - i : step;
		enum leat_status status = leat_gguf_out_write(o, data + i, n, NULL);
		if (status != LEAT_OK)
			return status;
	}
	return LEAT_OK;
}

static void write_whole(const char *path, int overwrite, size_t step)
{
	struct leat_gguf_out *o = described();
	struct leat_error err = {0};
	assert_int_equal(leat_gguf_out_begin(o, path, overwrite, &err), LEAT_OK);
	assert_int_equal(write_data(o, step), LEAT_OK);
	assert_int_equal(leat_gguf_out_finish(o, &err), LEAT_OK);
	leat_gguf_out_destroy(o);
}

static void check_tensors(const struct leat_file *f)
{
	const struct leat_tensor *a = leat_file_tensor(f, "a"), *b = leat_file_tensor(f, "b");
	assert_true(a && b && !leat_file_tensor(f, "c") && !leat_file_tensor(f, "k.u32"));
	assert_true(a->bytes == BYTES_A && b->bytes == BYTES_B && a->n_dims == 3 && b->type == 8);
	assert_true(a->dim[0] == 3 && a->dim[1] == 5 && a->dim[2] == 2 && a->dim[3] == 1);
	const unsigned char *p = a->data, *q = b->data;
	for (size_t i = 0; i < BYTES_A; i++)
		assert_int_equal(p[i], (unsigned char)(i * 7 + 1));
	for (size_t i = 0; i < BYTES_B; i++)
		assert_int_equal(q[i], (unsigned char)((i + BYTES_A) * 7 + 1));
	assert_true(f->gap_bytes == 0 && f->tail_bytes == 0 && f->version == 3 && f->alignment == 32);
}

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t step = 1; step < 400; step += 57) {
		struct leat_file *f = NULL;
		write_whole(at("m.gguf"), 1, step);
		assert_int_equal(leat_file_open(at("m.gguf"), &f, NULL), LEAT_OK);
		assert_true(f->n_meta == 8 && f->n_tensors == 2);
		check_tensors(f);
		leat_file_close(f);
		assert_int_equal(entries(), 1);
	}
}

static void test_copy(void **state)
{
	(void)state;
	struct leat_file *f = NULL, *g = NULL;
	struct leat_gguf_out *o = NULL;
	const unsigned char *header;
	size_t n;
	char x[128], y[128];
	write_whole(at("m.gguf"), 1, 100);
	assert_int_equal(leat_file_open(at("m.gguf"), &f, NULL), LEAT_OK);
	assert_int_equal(leat_gguf_out_create(&o, NULL), LEAT_OK);
	for (uint64_t i = 0; i < f->n_meta; i++)
		leat_gguf_out_copy(o, &f->meta[i]);
	assert_int_equal(leat_gguf_out_header(o, &header, &n, NULL), LEAT_OK);
	assert_int_equal(leat_file_open_memory("copy", header, n, &g, NULL), LEAT_OK);
	assert_int_equal(g->n_meta, f->n_meta);
	for (uint64_t i = 0; i < f->n_meta; i++) {
		leat_meta_print(&f->meta[i], x, sizeof x);
		leat_meta_print(&g->meta[i], y, sizeof y);
		assert_string_equal(x, y);
		assert_int_equal(f->meta[i].type, g->meta[i].type);
	}
	leat_file_close(g);
	leat_gguf_out_destroy(o);
	leat_file_close(f);
}

static void expect(enum leat_status got, enum leat_status want, const struct leat_error *err, const char *text)
{
	assert_int_equal(got, want);
	if (!strstr(err->message, text) || !strstr(err->message, "m.gguf: "))
		fail_msg("'%s' not in: %s", text, err->message);
}

static void test_access(void **state)
{
	(void)state;
	struct leat_file *f = NULL;
	struct leat_error e = {0};
	int64_t i = -5;
	double d = -5;
	int b = -5;
	struct leat_str s = {NULL, 0};
	const struct leat_meta *m = NULL;
	write_whole(at("m.gguf"), 1, 100);
	assert_int_equal(leat_file_open(at("m.gguf"), &f, NULL), LEAT_OK);
	expect(leat_meta_int(f, "k.u32", 0, 100, &i, &e), LEAT_E_FORMAT, &e, "'k.u32' is 4000000000, wanted 0 to 100");
	expect(leat_meta_int(f, "k.f32", 0, 100, &i, &e), LEAT_E_FORMAT, &e, "of type f32, wanted an integer");
	expect(leat_meta_int(f, "k.ints", 0, 100, &i, &e), LEAT_E_FORMAT, &e, "an array of i32, wanted an integer");
	expect(leat_meta_int(f, "gone", 0, 100, &i, &e), LEAT_E_FORMAT, &e, "'gone' is missing");
	expect(leat_meta_int_opt(f, "k.bool", 0, 1, 0, &i, &e), LEAT_E_FORMAT, &e, "of type bool");
	assert_int_equal(i, -5);
	assert_int_equal(leat_meta_int(f, "k.u32", 0, INT64_MAX, &i, &e), LEAT_OK);
	assert_true(i == 4000000000);
	assert_int_equal(leat_meta_int_opt(f, "gone", 0, 1, 77, &i, &e), LEAT_OK);
	assert_int_equal(i, 77);
	expect(leat_meta_float(f, "k.nan", -1e9, 1e9, &d, &e), LEAT_E_FORMAT, &e, "nan");
	expect(leat_meta_float(f, "k.f32", 1, 2, &d, &e), LEAT_E_FORMAT, &e, "'k.f32' is 0.25, wanted 1 to 2");
	expect(leat_meta_float(f, "gone", 1, 2, &d, &e), LEAT_E_FORMAT, &e, "missing");
	assert_int_equal(leat_meta_float_opt(f, "k.f32", 0, 2, 9, &d, &e), LEAT_OK);
	assert_true(d == 0.25);
	assert_int_equal(leat_meta_bool_opt(f, "k.bool", 0, &b, &e), LEAT_OK);
	assert_int_equal(b, 1);
	expect(leat_meta_bool_opt(f, "k.u32", 0, &b, &e), LEAT_E_FORMAT, &e, "wanted a bool");
	assert_int_equal(leat_meta_string(f, "k.string", &s, &e), LEAT_OK);
	assert_true(s.n == 3 && !memcmp(s.s, "x\x1b\xff", 3));
	expect(leat_meta_string(f, "k.u32", &s, &e), LEAT_E_FORMAT, &e, "wanted a string");
	assert_int_equal(leat_meta_strings_opt(f, "k.strings", &m, &e), LEAT_OK);
	assert_true(m->count == 3 && m->v.strs[2].n == 3);
	expect(leat_meta_strings_opt(f, "k.ints", &m, &e), LEAT_E_FORMAT, &e,
	       "array of i32, wanted an array of strings");
	assert_int_equal(leat_meta_ints_opt(f, "k.ints", &m, &e), LEAT_OK);
	assert_true(leat_meta_int_at(m, 0) == 7 && leat_meta_int_at(m, 1) == -8 && leat_meta_int_at(m, 2) == INT32_MIN);
	expect(leat_meta_floats_opt(f, "k.ints", &m, &e), LEAT_E_FORMAT, &e, "wanted an array of f32");
	assert_int_equal(leat_meta_floats_opt(f, "gone", &m, &e), LEAT_OK);
	assert_null(m);
	leat_file_close(f);
	leat_file_close(NULL);
}

static void test_print(void **state)
{
	(void)state;
	struct leat_file *f = NULL;
	char line[64];
	write_whole(at("m.gguf"), 1, 100);
	assert_int_equal(leat_file_open(at("m.gguf"), &f, NULL), LEAT_OK);
	static const char *const want[][2] = {
		{"k.u32", "4000000000"},
		{"k.f32", "0.25"},
		{"k.bool", "true"},
		{"k.string", "x\\x1B\\xFF"},
		{"k.none", "[0]"},
		{"k.ints", "[3] 7, -8, -2147483648"},
		{"k.strings", "[3] \"one\", \"\", \"a\\x00\\x0A\""},
	};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		leat_meta_print(leat_file_meta(f, want[i][0]), line, sizeof line);
		assert_string_equal(line, want[i][1]);
	}
	for (uint64_t i = 0; i < f->n_meta; i++)
		for (size_t cap = 0; cap < sizeof line; cap++) {
			memset(line, 'Z', sizeof line);
			leat_meta_print(&f->meta[i], line, cap);
			assert_true(cap == 0 || memchr(line, 0, cap) != NULL);
			for (size_t k = cap; k < sizeof line; k++)
				assert_int_equal(line[k], 'Z');
		}
	leat_file_close(f);
}

static void test_overwrite(void **state)
{
	(void)state;
	struct leat_error e = {0};
	struct leat_gguf_out *o = described();
	write_whole(at("m.gguf"), 1, 100);
	assert_int_equal(leat_gguf_out_begin(o, at("m.gguf"), 0, &e), LEAT_E_ARG);
	assert_non_null(strstr(e.message, "exists"));
	leat_gguf_out_destroy(o);
	/* A file that appears between begin and finish is not lost either. */
	unlink(at("late.gguf"));
	o = described();
	assert_int_equal(leat_gguf_out_begin(o, at("late.gguf"), 0, &e), LEAT_OK);
	assert_int_equal(write_data(o, 50), LEAT_OK);
	write_whole(at("late.gguf"), 0, 100);
	assert_int_equal(leat_gguf_out_finish(o, &e), LEAT_E_IO);
	leat_gguf_out_destroy(o);
	assert_int_equal(entries(), 2);
	unlink(at("late.gguf"));
}

static void test_unfinished(void **state)
{
	(void)state;
	struct leat_error e = {0};
	int before = entries();
	struct leat_gguf_out *o = described();
	assert_int_equal(leat_gguf_out_begin(o, at("x.gguf"), 0, &e), LEAT_OK);
	assert_int_equal(leat_gguf_out_write(o, "1234", 4, &e), LEAT_OK);
	assert_int_equal(entries(), before + 1);
	assert_int_equal(leat_gguf_out_finish(o, &e), LEAT_E_ARG);
	leat_gguf_out_destroy(o);
	assert_int_equal(entries(), before);
	o = described();
	assert_int_equal(leat_gguf_out_begin(o, at("x.gguf"), 0, &e), LEAT_OK);
	assert_int_equal(write_data(o, 1000), LEAT_OK);
	assert_int_equal(leat_gguf_out_write(o, "1", 1, &e), LEAT_E_ARG);
	leat_gguf_out_destroy(o);
	assert_int_equal(entries(), before);
	o = described();
	assert_int_equal(leat_gguf_out_begin(o, at("nowhere/x.gguf"), 0, &e), LEAT_E_IO);
	leat_gguf_out_destroy(o);
	leat_gguf_out_destroy(NULL);
}

/* The disk is full at some byte: an error, the old file as it was, no temporary file. */
static void test_disk_full(void **state)
{
	(void)state;
	struct rlimit old, low;
	struct leat_error e = {0};
	struct leat_file *f = NULL;
	write_whole(at("m.gguf"), 1, 100);
	int before = entries();
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (rlim_t limit = 0; limit < 400; limit += 37) {
		struct leat_gguf_out *o = described();
		low = (struct rlimit){limit, old.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
		enum leat_status status = leat_gguf_out_begin(o, at("m.gguf"), 1, &e);
		if (status == LEAT_OK)
			status = write_data(o, 100);
		if (status == LEAT_OK)
			status = leat_gguf_out_finish(o, &e);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(status, LEAT_E_IO);
		leat_gguf_out_destroy(o);
		assert_int_equal(entries(), before);
	}
	assert_int_equal(leat_file_open(at("m.gguf"), &f, NULL), LEAT_OK);
	check_tensors(f);
	leat_file_close(f);
}

static void bad_tensor(const char *name, int type, int n_dims, const uint64_t *dim)
{
	struct leat_gguf_out *o = described();
	struct leat_error e = {0};
	const unsigned char *p;
	size_t n;
	leat_gguf_out_tensor(o, name, type, n_dims, dim);
	leat_gguf_out_tensor(o, "good", 0, 1, dim_a);
	assert_int_equal(leat_gguf_out_header(o, &p, &n, &e), LEAT_E_ARG);
	leat_gguf_out_destroy(o);
}

static void test_bad_description(void **state)
{
	(void)state;
	static const uint64_t zero[1] = {0}, odd[1] = {33}, huge[2] = {(uint64_t)1 << 40, (uint64_t)1 << 40};
	bad_tensor("", 0, 1, odd);
	bad_tensor("a\nb", 0, 1, odd);
	bad_tensor("x", 0, 1, zero);
	bad_tensor("x", 0, 0, odd);
	bad_tensor("x", 0, 5, huge);
	bad_tensor("x", 8, 1, odd);
	bad_tensor("x", 0, 2, huge);
	bad_tensor("x", 9999, 1, odd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_copy),
		cmocka_unit_test(test_access),     cmocka_unit_test(test_print),
		cmocka_unit_test(test_overwrite),  cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_disk_full),  cmocka_unit_test(test_bad_description),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
