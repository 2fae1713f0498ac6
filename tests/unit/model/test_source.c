/* test_source.c - a checkpoint of RWKV-LM whose low-rank matrices a converter has turned already loads as the same
 * model as the published one, which stores them [in][out]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"
#include "model/source.h"
#include "support/oracle.h"

/* "blocks.N.att.w1" ... "g2": the last part is one of w a v g and 1 or 2. */
static int is_low_rank(struct leat_str n)
{
	return n.n > 3 && n.s[n.n - 3] == '.' && strchr("wavg", n.s[n.n - 2]) && strchr("12", n.s[n.n - 1]);
}

/* The file again as safetensors, its low-rank matrices as [out][in]. */
static unsigned char *turned(const struct leat_file *f, size_t *ret_n)
{
	size_t cap = 4096, at = 8, data = 0;
	for (uint64_t i = 0; i < f->n_tensors; i++)
		cap += (size_t)f->tensor[i].bytes + 256;
	unsigned char *y = calloc(1, cap);
	at += (size_t)snprintf((char *)y + at, cap - at, "{");
	for (uint64_t i = 0; i < f->n_tensors; i++) {
		const struct leat_tensor *t = &f->tensor[i];
		int swap = is_low_rank(t->name);
		at += (size_t)snprintf((char *)y + at, cap - at, "%s\"%.*s\":{\"dtype\":\"F32\",\"shape\":[",
				       i ? "," : "", (int)t->name.n, t->name.s);
		for (int d = 0; d < t->n_dims; d++)
			at += (size_t)snprintf((char *)y + at, cap - at, "%s%llu", d ? "," : "",
					      (unsigned long long)t->dim[swap ? d : t->n_dims - 1 - d]);
		at += (size_t)snprintf((char *)y + at, cap - at, "],\"data_offsets\":[%zu,%zu]}", data,
				       data + (size_t)t->bytes);
		data += (size_t)t->bytes;
	}
	at += (size_t)snprintf((char *)y + at, cap - at, "}");
	while (at % 8)
		y[at++] = ' ';
	uint64_t header = at - 8;
	memcpy(y, &header, 8);
	for (uint64_t i = 0; i < f->n_tensors; at += (size_t)f->tensor[i++].bytes) {
		const struct leat_tensor *t = &f->tensor[i];
		const float *x = t->data;
		size_t cols = (size_t)t->dim[0], rows = (size_t)t->dim[1];
		if (!is_low_rank(t->name)) {
			memcpy(y + at, x, (size_t)t->bytes);
			continue;
		}
		for (size_t r = 0; r < rows; r++)
			for (size_t c = 0; c < cols; c++)
				memcpy(y + at + (c * rows + r) * sizeof *x, x + r * cols + c, sizeof *x);
	}
	*ret_n = at;
	return y;
}

static void test_turned_matrices(void **state)
{
	(void)state;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_file *a, *b;
	struct leat_weights wa, wb;
	size_t n;
	const char *path = oracle_path("rwkv/rwkv-7v0-834K/model.st");
	if (!path)
		skip();
	if (leat_file_open(path, &a, &err))
		fail_msg("%s", err.message);
	unsigned char *bytes = turned(a, &n);
	if (leat_file_open_memory("turned.st", bytes, n, &b, &err))
		fail_msg("%s", err.message);
	assert_int_equal(b->source, LEAT_SOURCE_RWKV);
	if (leat_weights_load(&wa, a, &err) || leat_weights_load(&wb, b, &err))
		fail_msg("%s", err.message);
	assert_int_equal(wa.n_all, wb.n_all);
	int low_rank = 0;
	for (int i = 0; i < wa.n_all; i++) {
		const struct leat_weight *p = &wa.all[i], *q = &wb.all[i];
		assert_string_equal(p->name, q->name);
		assert_int_equal(p->rows, q->rows);
		assert_int_equal(p->cols, q->cols);
		assert_memory_equal(p->data, q->data, (size_t)p->rows * p->row_bytes);
		low_rank += !p->mapped;
	}
	assert_true(low_rank >= 6 * wa.cfg.n_layer); /* the published ones were turned, into memory of their own */
	leat_weights_deinit(&wa);
	leat_weights_deinit(&wb);
	free(bytes);
}

static void name(enum leat_source source, int layer, const char *declared, const char *want)
{
	char buf[64];
	leat_source_name(source, layer, declared, buf, sizeof buf);
	assert_string_equal(buf, want);
}

static void test_names(void **state)
{
	(void)state;
	name(LEAT_SOURCE_GGUF, 3, "attn_q.weight", "blk.3.attn_q.weight");
	name(LEAT_SOURCE_HF, 0, "self_attn.q_proj.weight", "model.layers.0.self_attn.q_proj.weight");
	name(LEAT_SOURCE_RWKV, 11, "att.w1^T", "blocks.11.att.w1");
	name(LEAT_SOURCE_GGUF, -1, "output.weight", "output.weight");
	assert_int_equal(leat_source_layer_of(LEAT_SOURCE_GGUF, (struct leat_str){ "blk.12.x", 8 }), 12);
	assert_int_equal(leat_source_layer_of(LEAT_SOURCE_GGUF, (struct leat_str){ "blk.12x", 7 }), -1);
	assert_int_equal(leat_source_layer_of(LEAT_SOURCE_HF, (struct leat_str){"model.norm.weight", 17}), -1);
	assert_int_equal(leat_source_layer_of(LEAT_SOURCE_RWKV, (struct leat_str){"blocks.99999999999999999999.a", 29}),
			 9999999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turned_matrices),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
