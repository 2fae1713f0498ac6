/* Row G36 of the matrix of bad files: models in several GGUF files. */
#include "hostile/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/file.h"

enum { PARTS = 3 };

/* Keeps the tensors of part `no` of a whole model; all metadata stays in the first part. */
static struct mk *part(int no)
{
	struct mk *m = mk_create(MK_QWEN2);
	int n = m->tensors;
	for (int i = n - 1; i >= 0; i--)
		if (i * PARTS / n != no)
			mk_remove_tensor(m, m->tensor[i].name);
	while (no > 0 && m->pairs > 0)
		mk_remove_pair(m, m->pair[0].key);
	mk_set_int(m, "split.no", MK_U16, (uint64_t)no);
	mk_set_int(m, "split.count", MK_U16, PARTS);
	mk_set_int(m, "split.tensors.count", MK_I32, (uint64_t)n);
	return m;
}

static const char *name_of(int no)
{
	static char name[64];
	snprintf(name, sizeof name, "mk-%05d-of-%05d.gguf", no + 1, PARTS);
	return hostile_path(name);
}

static void put(const char *path, struct mk *m)
{
	size_t n;
	unsigned char *bytes = mk_encode(m, &n);
	hostile_write(path, bytes, n);
	free(bytes);
	mk_destroy(m);
}

static void put_all(void)
{
	for (int i = 0; i < PARTS; i++)
		put(name_of(i), part(i));
}

/* From whatever part: the same refusal, or the whole model. */
static void each(int32_t status, const char *text)
{
	for (int i = 0; i < PARTS; i++) {
		struct leat_model *m = NULL;
		struct leat_error err = LEAT_ERROR_INIT;
		if (access(name_of(i), F_OK) != 0)
			continue;
		int32_t got = leat_model_open(name_of(i), NULL, &m, &err);
		leat_model_unref(m);
		if (got != status || (text && !strstr(err.message, text)))
			fail_msg("from part %d: status %d: %s", i, got, err.message);
	}
}

static void whole(void **state)
{
	(void)state;
	struct mk *m = mk_create(MK_QWEN2);
	uint64_t n = (uint64_t)m->tensors;
	mk_destroy(m);
	put_all();
	each(LEAT_OK, NULL);
	for (int i = 0; i < PARTS; i++) {
		struct leat_file *f = NULL;
		assert_int_equal(leat_file_open(name_of(i), &f, NULL), LEAT_OK);
		assert_true(f->n_tensors == n && f->n_maps == PARTS);
		for (uint64_t k = 0; k < n; k++) {
			const struct leat_tensor *t = &f->tensor[k];
			assert_true(t->data == f->map[t->part].data + t->offset);
		}
		assert_non_null(leat_file_meta(f, "general.architecture"));
		leat_file_close(f);
	}
	/* One file that says it is one of one. */
	m = mk_create(MK_QWEN2);
	mk_set_int(m, "split.count", MK_U16, 1);
	mk_set_int(m, "split.no", MK_U16, 0);
	hostile_accept_model(m);
}

static void alone(const char *key, uint32_t type, uint64_t v, const char *text)
{
	struct mk *m = mk_create(MK_QWEN2);
	mk_set_int(m, key, type, v);
	hostile_refuse_model(m, LEAT_E_FORMAT, text);
}

/* Part `no` with another value of a key. */
static void changed(int no, const char *key, uint32_t type, uint64_t v, const char *text)
{
	struct mk *m = part(no);
	put_all();
	mk_set_int(m, key, type, v);
	put(name_of(no), m);
	each(LEAT_E_FORMAT, text);
}

static void test_G36(void **state)
{
	(void)state;
	alone("split.count", MK_U16, 0, "split.count");
	alone("split.count", MK_U16, 65535, "split.count");
	alone("split.count", MK_F32, 0x3f800000, "split.count");
	alone("split.count", MK_U16, 2, "-00001-of-00002.gguf"); /* its name is another, nothing beside it */
	alone("split.no", MK_U16, 1, "split.no");
	changed(1, "split.count", MK_U16, 4, NULL);
	changed(2, "split.no", MK_U16, 1, "split.no"); /* twice the same part */
	changed(1, "split.tensors.count", MK_I32, 7, "split.tensors.count");
	changed(0, "split.tensors.count", MK_I32, 7, "split.tensors.count");
	changed(1, "split.tensors.count", MK_I32, UINT32_MAX, "split.tensors.count");
	/* A part of another model. */
	struct mk *m = part(1);
	put_all();
	mk_set_string(m, "general.architecture", "rwkv7", 5);
	put(name_of(1), m);
	each(LEAT_E_FORMAT, "another model");
	put_all();
	put(name_of(2), part(1)); /* a tensor twice */
	each(LEAT_E_FORMAT, NULL);
	put_all();
	unlink(name_of(1));
	each(LEAT_E_NOTFOUND, "mk-00002-of-00003.gguf is missing");
	assert_int_equal(symlink("/etc/passwd", name_of(1)), 0);
	for (int i = 0; i < PARTS; i += 2) {
		struct leat_model *x = NULL;
		struct leat_error err = LEAT_ERROR_INIT;
		assert_int_equal(leat_model_open(name_of(i), NULL, &x, &err), LEAT_E_FORMAT);
		assert_non_null(strstr(err.message, "outside the model's folder"));
	}
	unlink(name_of(1));
	/* Truncated parts, at many lengths. */
	put_all();
	size_t n;
	m = part(1);
	unsigned char *bytes = mk_encode(m, &n);
	const struct mk_tensor *last = &m->tensor[m->tensors - 1];
	n = m->data_at + (size_t)(last->offset + last->data_bytes); /* what follows is nobody's */
	mk_destroy(m);
	for (size_t cut = 0; cut < n; cut += 1 + n / 97) {
		hostile_write(name_of(1), bytes, cut);
		struct leat_model *x = NULL;
		struct leat_error err = LEAT_ERROR_INIT;
		assert_int_equal(leat_model_open(name_of(0), NULL, &x, &err), LEAT_E_FORMAT);
		assert_non_null(strstr(err.message, "mk-00002-of-00003.gguf"));
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(whole), cmocka_unit_test(test_G36)};
	return hostile_main(tests, sizeof tests / sizeof *tests, "none of split files");
}
