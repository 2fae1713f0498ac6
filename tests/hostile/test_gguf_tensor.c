/* Rows G37 to G70 of the matrix of bad files: tensor table, data, truncation, special files. */
#include "hostile/hostile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/map.h"
#include "format/file.h"

#define BIT(n)      ((uint64_t)1 << (n))
#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

static struct mk *qwen2(void)
{
	return mk_create(MK_QWEN2);
}

static void test_G37(void **state)
{
	(void)state;
	static const uint64_t one[1] = {32};
	static const uint64_t lengths[] = {BIT(31), BIT(63), UINT64_MAX};
	char name[65];
	memset(name, 'n', sizeof name);
	struct mk *m = qwen2();
	mk_rename(mk_tensor(m, "output_norm.weight"), "", 0);
	hostile_refuse_model(m, LEAT_E_FORMAT, "is empty");
	m = qwen2();
	mk_rename(mk_add_tensor(m, "x", 0, 1, one), name, 64); /* read; only the architecture does not know it */
	hostile_refuse_model(m, LEAT_E_UNSUPPORTED, "is not one that qwen2 knows");
	m = qwen2();
	mk_rename(mk_add_tensor(m, "x", 0, 1, one), name, 65);
	hostile_refuse_model(m, LEAT_E_FORMAT, "65 bytes");
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		m = qwen2();
		mk_tensor(m, "output_norm.weight")->name_length = lengths[i];
		hostile_refuse_model(m, LEAT_E_FORMAT, "tensor name");
	}
}

/* n one-element F32 tensors "t00000"...; the last one is called as the first when `twice`. */
static unsigned char *many_tensors(uint64_t n, int twice, size_t *ret_n)
{
	size_t each = 8 + 6 + 4 + 8 + 4 + 8, table = 24 + (size_t)n * each, data = (table + 31) / 32 * 32;
	unsigned char *bytes = calloc(1, data + (size_t)n * 32), *p = bytes + 24;
	assert_non_null(bytes);
	memcpy(bytes, "GGUF\3", 5);
	memcpy(bytes + 8, &n, 8);
	for (uint64_t i = 0; i < n; i++, p += each) {
		char name[24];
		uint64_t six = 6, one = 1, offset = 32 * i;
		snprintf(name, sizeof name, "t%05llu", twice && i == n - 1 ? 0ull : (unsigned long long)i);
		memcpy(p, &six, 8);
		memcpy(p + 8, name, 6);
		p[14] = 1;
		memcpy(p + 18, &one, 8);
		memcpy(p + 30, &offset, 8);
	}
	*ret_n = data + (size_t)n * 32;
	return bytes;
}

static void test_G38(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	mk_rename(mk_tensor(m, "blk.0.attn_k.weight"), "blk.0.attn_q.bias", 17);
	hostile_refuse_model(m, LEAT_E_FORMAT, "blk.0.attn_q.bias");
	size_t n;
	unsigned char *bytes = many_tensors(50000, 1, &n);
	hostile_refuse(bytes, n, LEAT_E_FORMAT, "t00000");
	free(bytes);
	bytes = many_tensors(50000, 0, &n); /* a good table of no model */
	hostile_refuse(bytes, n, LEAT_E_FORMAT, "is missing");
	free(bytes);
}

static void test_G39(void **state)
{
	(void)state;
	static const char *const names[] = {"\xff", "a\nb", "\x1b[2J", "\xed\xa0\x80", "\x7f"};
	static const uint64_t one[1] = {32};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct mk *m = qwen2();
		mk_rename(mk_tensor(m, "output_norm.weight"), names[i], strlen(names[i]));
		hostile_refuse_model(m, LEAT_E_FORMAT, "printable");
	}
	struct mk *m = qwen2();
	mk_rename(mk_tensor(m, "output_norm.weight"), "a\0b", 3);
	hostile_refuse_model(m, LEAT_E_FORMAT, "a\\x00b");
	m = qwen2(); /* a name is never a path: an unknown tensor like any other */
	mk_add_tensor(m, "../../etc/passwd", 0, 1, one);
	hostile_refuse_model(m, LEAT_E_UNSUPPORTED, "is not one that qwen2 knows");
}

static void test_G40(void **state)
{
	(void)state;
	static const uint32_t bad[] = {0, 5, 255, UINT32_MAX};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct mk *m = qwen2();
		mk_tensor(m, "output_norm.weight")->n_dims = bad[i];
		hostile_refuse_model(m, LEAT_E_FORMAT, "output_norm.weight");
		m = qwen2(); /* and as many really there, as far as an entry goes */
		struct mk_tensor *t = mk_tensor(m, "output_norm.weight");
		t->n_dims = bad[i];
		t->written_dims = bad[i] < MK_MAX_DIMS ? bad[i] : MK_MAX_DIMS;
		for (int k = 0; k < MK_MAX_DIMS; k++)
			t->dim[k] = k ? 1 : 64;
		hostile_refuse_model(m, LEAT_E_FORMAT, "output_norm.weight");
	}
}

static void test_G41(void **state)
{
	(void)state;
	static const uint64_t bad[] = {0, UINT64_MAX, BIT(63) - 1, BIT(63), BIT(42) + 1};
	static const char *const names[] = {"output_norm.weight", "token_embd.weight", "blk.1.attn_v.weight"};
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		for (size_t k = 0; k < COUNT_OF(names); k++)
			for (uint32_t d = 0; d < (k ? 2u : 1u); d++) {
				struct mk *m = qwen2();
				mk_tensor(m, names[k])->dim[d] = bad[i];
				hostile_refuse_model(m, LEAT_E_FORMAT, names[k]);
			}
	/* The smallest file with such a tensor: 24 bytes of header, 38 of one entry. */
	size_t n;
	unsigned char *bytes = many_tensors(1, 0, &n);
	memset(bytes + 24 + 18, 0, 8);
	hostile_refuse(bytes, 62, LEAT_E_FORMAT, "dimension 0 is 0");
	free(bytes);
}

static void shape(const char *name, uint64_t a, uint64_t b)
{
	struct mk *m = qwen2();
	struct mk_tensor *t = mk_tensor(m, name);
	t->n_dims = t->written_dims = b ? 2 : 1;
	t->dim[0] = a;
	t->dim[1] = b;
	hostile_refuse_model(m, LEAT_E_FORMAT, name);
}

static void test_G42(void **state)
{
	(void)state;
	shape("token_embd.weight", BIT(32), BIT(32));     /* 0 */
	shape("token_embd.weight", BIT(32), BIT(32) + 1); /* 2^32 */
	shape("token_embd.weight", BIT(63) + 32, 2);      /* 64 */
	shape("blk.0.attn_v.weight", BIT(62) + 16, 4);    /* 64 */
	/* 64 * 272 = 2^10 * 17 modulo 2^64: 3 * inverse(3) = 1. */
	uint64_t inverse = 0xaaaaaaaaaaaaaaabu;
	assert_true(3 * BIT(10) * (17 * inverse) == 64 * 272);
	shape("token_embd.weight", 3 * BIT(10), 17 * inverse);
}

static void test_G43(void **state)
{
	(void)state;
	shape("output_norm.weight", BIT(62) - 1, 0); /* 2^64 - 4 bytes of F32 */
	shape("blk.0.attn_v.weight", BIT(63) - 2, 1);
	shape("token_embd.weight", BIT(63) - 32, 1);
}

static void test_G44(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	mk_tensor(m, "output_norm.weight")->dim[0] = BIT(61);
	mk_tensor(m, "blk.0.attn_norm.weight")->dim[0] = BIT(61);
	hostile_refuse_model(m, LEAT_E_FORMAT, "attn_norm");
}

static void type(const char *name, uint32_t v, int32_t status, const char *text)
{
	struct mk *m = qwen2();
	mk_tensor(m, name)->type = v;
	hostile_refuse_model(m, status, text);
}

static void test_G45(void **state)
{
	(void)state;
	static const uint32_t removed[] = {4, 5, 31, 32, 33, 36, 37, 38}, absent[] = {1000, BIT(31), UINT32_MAX};
	for (size_t i = 0; i < COUNT_OF(removed); i++)
		type("blk.0.ffn_gate.weight", removed[i], LEAT_E_UNSUPPORTED, "blk.0.ffn_gate.weight");
	for (size_t i = 0; i < COUNT_OF(absent); i++)
		type("blk.0.ffn_gate.weight", absent[i], LEAT_E_FORMAT, "no tensor type");
	type("blk.0.ffn_gate.weight", 20, LEAT_E_UNSUPPORTED, "IQ4_NL"); /* read, not multiplied */
}

static void test_G46(void **state)
{
	(void)state;
	static const uint64_t bad[] = {1, 31, 33, 63};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct mk *m = qwen2();
		mk_tensor(m, "token_embd.weight")->dim[0] = bad[i];
		hostile_refuse_model(m, LEAT_E_FORMAT, "multiple of 32");
	}
}

static void test_G47(void **state)
{
	(void)state;
	type("output_norm.weight", 8, LEAT_E_FORMAT, "Q8_0");
	type("blk.1.attn_q.bias", 8, LEAT_E_FORMAT, "Q8_0");
}

static void test_G48(void **state)
{
	(void)state;
	static const uint32_t types[] = {28, 27};
	static const char *const names[] = {"F64", "I64"};
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		struct mk *m = qwen2();
		struct mk_tensor *last = mk_tensor(m, "output.weight");
		m->tail_bytes = last->data_bytes * 8;
		last->type = types[i];
		hostile_refuse_model(m, LEAT_E_UNSUPPORTED, names[i]);
	}
	type("blk.0.attn_v.weight", 24, LEAT_E_UNSUPPORTED, "I8");
	type("output_norm.weight", 24, LEAT_E_UNSUPPORTED, "output_norm.weight");
}

static void offset(uint64_t v, const char *text)
{
	struct mk *m = qwen2();
	mk_tensor(m, "blk.1.ffn_norm.weight")->offset = v;
	hostile_refuse_model(m, LEAT_E_FORMAT, text);
}

static void test_G49(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	uint64_t right = mk_tensor(m, "blk.1.ffn_norm.weight")->offset;
	mk_destroy(m);
	offset(right + 1, "alignment");
	offset(right + 16, "alignment");
	offset(right - 31, "alignment");
	offset(UINT64_MAX, "alignment");
}

static void test_G50(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	uint64_t right = mk_tensor(m, "blk.1.ffn_norm.weight")->offset;
	uint64_t large = mk_tensor(m, "token_embd.weight")->offset, other = mk_tensor(m, "output_norm.weight")->offset;
	mk_destroy(m);
	offset(right - 32, "inside tensor"); /* partial, before and after */
	offset(right + 32, "inside tensor");
	offset(other, "inside tensor"); /* identical */
	offset(large, "inside tensor");
	offset(large + 64, "inside tensor"); /* nested */
}

static void test_G51(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	struct leat_file *f;
	size_t n;
	struct mk_tensor *last = mk_tensor(m, "output.weight");
	last->offset += 4096;
	m->tail_bytes = 4096;
	unsigned char *bytes = mk_encode(m, &n);
	hostile_accept(bytes, n);
	assert_int_equal(leat_file_open_memory("gap", bytes, n, &f, NULL), LEAT_OK);
	assert_int_equal(f->gap_bytes, 4096);
	assert_int_equal(f->tail_bytes, 0);
	leat_file_close(f);
	free(bytes);
	mk_destroy(m);
}

static void swap_entries(struct mk *m, int i, int k)
{
	struct mk_tensor t = m->tensor[i];
	m->tensor[i] = m->tensor[k];
	m->tensor[k] = t;
}

static void test_G52(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	swap_entries(m, 0, m->tensors - 1);
	hostile_accept_model(m);
	m = mk_create(MK_RWKV7);
	for (int i = 0; i < m->tensors / 2; i++)
		swap_entries(m, i, m->tensors - 1 - i);
	hostile_accept_model(m);
}

static void test_G53(void **state)
{
	(void)state;
	offset(BIT(63), "blk.1.ffn_norm.weight");
	offset(UINT64_MAX - 31, "blk.1.ffn_norm.weight");
	offset(UINT64_MAX - 255, "blk.1.ffn_norm.weight");
	offset(UINT64_MAX - 4095, "blk.1.ffn_norm.weight");
}

/* Where the last byte of tensor data ends, without padding. */
static size_t end_of_data(const struct mk *m)
{
	uint64_t end = 0;
	for (int i = 0; i < m->tensors; i++)
		if (m->tensor[i].offset + m->tensor[i].data_bytes > end)
			end = m->tensor[i].offset + m->tensor[i].data_bytes;
	return m->data_at + (size_t)end;
}

static void test_G54(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	size_t n;
	unsigned char *bytes = mk_encode(m, &n);
	hostile_accept(bytes, end_of_data(m));
	hostile_refuse(bytes, end_of_data(m) - 1, LEAT_E_FORMAT, "truncated");
	hostile_refuse(bytes, end_of_data(m) - 4096, LEAT_E_FORMAT, "output.weight");
	free(bytes);
	mk_destroy(m);
}

static void test_G55(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	size_t n;
	unsigned char *bytes = mk_encode(m, &n);
	hostile_refuse(bytes, (size_t)m->border[m->n_borders - 3], LEAT_E_FORMAT, "truncated");
	hostile_refuse(bytes, m->data_at, LEAT_E_FORMAT, "truncated");
	free(bytes);
	mk_destroy(m);
}

static void test_G56(void **state)
{
	(void)state;
	for (int kind = 0; kind < MK_KINDS; kind++) {
		struct mk *m = mk_create((enum mk_kind)kind);
		size_t n;
		unsigned char *bytes = mk_encode(m, &n);
		for (size_t at = 0; at < end_of_data(m); at += 4096)
			hostile_refuse(bytes, at, LEAT_E_FORMAT, NULL);
		for (int i = 0; i < m->n_borders - 2; i++)
			for (size_t d = 0; d < 3; d++) /* before, at and inside each field */
				if (m->border[i] + d >= 1)
					hostile_refuse(bytes, m->border[i] + d - 1, LEAT_E_FORMAT, NULL);
		free(bytes);
		mk_destroy(m);
	}
}

static void test_G57(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	m->tail_bytes = 1;
	hostile_accept_model(m);
	m = qwen2();
	m->tail_bytes = 100000;
	hostile_accept_model(m);
	m = qwen2();
	size_t n;
	unsigned char *bytes = mk_encode(m, &n), *twice = malloc(2 * n);
	assert_non_null(twice);
	memcpy(twice, bytes, n);
	memcpy(twice + n, bytes, n);
	hostile_accept(twice, 2 * n);
	free(twice);
	free(bytes);
	mk_destroy(m);
}

static void sparse_file(const char *path, const unsigned char *bytes, size_t n, off_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static void test_G58(void **state)
{
	(void)state;
	const char *path = hostile_path("holes.gguf");
	sparse_file(path, (const unsigned char *)"", 0, (off_t)BIT(34));
	hostile_refuse_path(path, LEAT_E_FORMAT);
	unlink(path);
	/* A right header over holes: every weight is zero. */
	struct mk *m = qwen2();
	memset(m->data, 0, (size_t)m->data_bytes);
	hostile_accept_model(m);
}

/* Those that a model can do without. */
static int may_be_absent(enum mk_kind kind, const char *name)
{
	static const char *const first[] = {"blk.0.time_mix_v0.weight", "blk.0.time_mix_v1.weight",
					    "blk.0.time_mix_v2.weight"};
	for (size_t i = 0; kind == MK_RWKV7 && i < COUNT_OF(first); i++)
		if (!strcmp(name, first[i]))
			return 1;
	/* a head may be tied to the embedding; biases are what some models of an architecture have */
	return (kind != MK_RWKV7 && !strcmp(name, "output.weight")) ||
	       (kind == MK_LLAMA && (strstr(name, ".bias") || !strcmp(name, "rope_freqs.weight")));
}

static void test_G59(void **state)
{
	(void)state;
	for (int kind = 0; kind < MK_KINDS; kind++) {
		struct mk *all = mk_create((enum mk_kind)kind);
		for (int i = 0; i < all->tensors; i++) {
			struct mk *m = mk_create((enum mk_kind)kind);
			const char *name = all->tensor[i].name;
			mk_remove_tensor(m, name);
			if (may_be_absent((enum mk_kind)kind, name))
				hostile_accept_model(m);
			else
				hostile_refuse_model(m, LEAT_E_FORMAT, name);
		}
		mk_destroy(all);
	}
}

static void test_G60(void **state)
{
	(void)state;
	static const uint64_t dim[2] = {32, 3};
	struct mk *m = qwen2();
	mk_add_tensor(m, "mystery.weight", 8, 2, dim);
	hostile_refuse_model(m, LEAT_E_UNSUPPORTED, "mystery.weight");
	m = mk_create(MK_RWKV7);
	mk_add_tensor(m, "mystery.weight", 1, 2, dim);
	hostile_refuse_model(m, LEAT_E_UNSUPPORTED, "mystery.weight");
}

static void reshaped(enum mk_kind kind, int i, int d, int64_t by)
{
	struct mk *m = mk_create(kind);
	struct mk_tensor *t = &m->tensor[i];
	if (d < 0) {
		uint64_t a = t->dim[0];
		t->dim[0] = t->dim[1];
		t->dim[1] = a;
	} else {
		t->dim[d] += (uint64_t)by;
	}
	char name[64];
	snprintf(name, sizeof name, "%s", t->name);
	int32_t status = hostile_any_model(m, 1);
	/* Of two that no longer fit together either may be named; what layer 0 does not use is not looked at. */
	int unused = kind == MK_RWKV7 && !strncmp(name, "blk.0.time_mix_v", 16) && name[16] <= '2';
	if (status != LEAT_E_FORMAT && !(unused && status == LEAT_OK))
		fail_msg("%s: dimension %d by %+lld: status %d", name, d, (long long)by, status);
}

static void test_G61(void **state)
{
	(void)state;
	for (int kind = 0; kind < MK_KINDS; kind++) {
		struct mk *all = mk_create((enum mk_kind)kind);
		for (int i = 0; i < all->tensors; i++) {
			const struct mk_tensor *t = &all->tensor[i];
			if (t->n_dims == 2 && t->dim[0] != t->dim[1])
				reshaped((enum mk_kind)kind, i, -1, 0);
			for (int d = 0; d < (int)t->n_dims; d++) {
				int64_t step = t->type == 8 && d == 0 ? 32 : 1;
				reshaped((enum mk_kind)kind, i, d, step);
				reshaped((enum mk_kind)kind, i, d, -step);
			}
		}
		mk_destroy(all);
	}
}

static void test_G62(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	mk_remove_tensor(m, "output.weight");
	hostile_accept_model(m);
	m = qwen2();
	mk_remove_tensor(m, "output.weight");
	mk_remove_tensor(m, "token_embd.weight");
	hostile_refuse_model(m, LEAT_E_FORMAT, "token_embd.weight");
	m = mk_create(MK_RWKV7);
	mk_remove_tensor(m, "output.weight");
	hostile_refuse_model(m, LEAT_E_FORMAT, "output.weight");
}

static void test_G63(void **state)
{
	(void)state;
	static const uint64_t dim[1] = {64};
	static const char *const strays[] = {"blk.2.attn_norm.weight", "blk.512.x", "blk.99999999999999999999.x"};
	for (size_t i = 0; i < COUNT_OF(strays); i++) {
		struct mk *m = qwen2();
		mk_add_tensor(m, strays[i], 0, 1, dim);
		hostile_refuse_model(m, LEAT_E_FORMAT, "block_count");
	}
	struct mk *m = qwen2(); /* a gap: layer 1 is called 7 */
	for (int i = 0; i < m->tensors; i++)
		if (!strncmp(m->tensor[i].name, "blk.1.", 6))
			m->tensor[i].name[4] = '7';
	hostile_refuse_model(m, LEAT_E_FORMAT, "blk.1.");
}

/* Overwrites the data of one tensor, all of it or the scale of each Q8_0 block. */
static void weights(enum mk_kind kind, const char *name, int scale, uint16_t v)
{
	struct mk *m = mk_create(kind);
	struct mk_tensor *t = mk_tensor(m, name);
	for (uint64_t i = 0; i + 1 < t->data_bytes; i += scale ? 34 : 2)
		memcpy(mk_data(m, t) + i, &v, 2);
	hostile_accept_model(m);
}

static void test_G65(void **state)
{
	(void)state;
	static const uint16_t scales[] = {0x7e00, 0xfe00, 0x7c00, 0xfc00, 0x0001, 0x7bff};
	for (size_t i = 0; i < COUNT_OF(scales); i++) {
		weights(MK_QWEN2, "blk.0.ffn_gate.weight", 1, scales[i]);
		weights(MK_QWEN2, "token_embd.weight", 1, scales[i]);
		weights(MK_QWEN2, "output.weight", 1, scales[i]);
		weights(MK_RWKV7, "blk.1.time_mix_key.weight", 1, scales[i]);
		weights(MK_RWKV7, "blk.1.time_mix_w2.weight", 1, scales[i]);
	}
	weights(MK_QWEN2, "blk.0.attn_k.weight", 0, 0xffff);
	weights(MK_RWKV7, "blk.0.channel_mix_value.weight", 0, 0xffff);
}

static void test_G66(void **state)
{
	(void)state;
	static const uint16_t halves[] = {0x7e00, 0x7c00, 0xfc00, 0xffff}, bf[] = {0x7fc0, 0x7f80, 0xff80, 0xffff};
	for (size_t i = 0; i < COUNT_OF(halves); i++) {
		weights(MK_QWEN2, "blk.0.attn_v.weight", 0, halves[i]);
		weights(MK_RWKV7, "token_embd.weight", 0, halves[i]);
		weights(MK_QWEN2, "blk.1.ffn_up.weight", 0, bf[i]);
		weights(MK_RWKV7, "blk.0.time_mix_a2.weight", 0, bf[i]);
		weights(MK_RWKV7, "blk.0.time_mix_w0.weight", 0, bf[i]); /* F32 */
	}
}

/* A sample: the rest runs in test_gguf_flips_long. */
static void test_G67(void **state)
{
	(void)state;
	for (int kind = 0; kind < MK_KINDS; kind++) {
		struct mk *m = mk_create((enum mk_kind)kind);
		size_t n;
		unsigned char *bytes = mk_encode(m, &n);
		for (size_t i = 0; i < n && i < 65536; i += i < 512 ? 1 : 16) {
			bytes[i] ^= (unsigned char)(1u << i % 8);
			hostile_any(bytes, n, i % 64 == 0);
			bytes[i] ^= (unsigned char)(1u << i % 8);
		}
		free(bytes);
		mk_destroy(m);
	}
}

/* The names of two tensors change places: wrong shapes are refused, equal shapes load. */
static void test_G68(void **state)
{
	(void)state;
	struct mk *m = qwen2();
	int n = m->tensors;
	mk_destroy(m);
	for (int i = 0; i < n; i++)
		for (int k = i + 1; k < n; k++) {
			m = qwen2();
			swap_entries(m, i, k);
			uint64_t at = m->tensor[i].offset;
			m->tensor[i].offset = m->tensor[k].offset;
			m->tensor[k].offset = at;
			hostile_any_model(m, (i + k) % 16 == 0);
		}
}

static void bind_socket(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(fd >= 0 && strlen(path) < sizeof a.sun_path);
	memcpy(a.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	close(fd);
}

static void test_G69(void **state)
{
	(void)state;
	static const char *const devices[] = {"/dev/zero", "/dev/random", "/dev/full", "/dev/null"};
	for (size_t i = 0; i < COUNT_OF(devices); i++)
		hostile_refuse_path(devices[i], LEAT_E_ARG);
	hostile_refuse_path(hostile_path("."), LEAT_E_ARG);
	hostile_refuse_path(hostile_path("nowhere/x.gguf"), LEAT_E_NOTFOUND);
	const char *path = hostile_path("special");
	assert_int_equal(mkfifo(path, 0600), 0);
	hostile_refuse_path(path, LEAT_E_ARG);
	unlink(path);
	bind_socket(path);
	hostile_refuse_path(path, LEAT_E_ARG);
	unlink(path);
	assert_int_equal(symlink("special", path), 0);
	hostile_refuse_path(path, LEAT_E_IO);
	unlink(path);
	sparse_file(path, (const unsigned char *)"GGUF", 4, 0);
	assert_int_equal(chmod(path, 0), 0);
	if (geteuid() != 0)
		hostile_refuse_path(path, LEAT_E_IO);
	/* As large as the file system lets it be: mapped or refused, never read whole. */
	assert_int_equal(chmod(path, 0600), 0);
	for (int bits = 62; bits > 30; bits--)
		if (truncate(path, (off_t)BIT(bits)) == 0)
			break;
	struct leat_model *m;
	int32_t status = leat_model_open(path, NULL, &m, NULL);
	assert_true(status == LEAT_E_FORMAT || status == LEAT_E_IO);
	unlink(path);
}

static void changed(const char *path, off_t size, int32_t wanted)
{
	struct leat_map map;
	struct leat_error err = {0};
	sparse_file(path, (const unsigned char *)"GGUF", 4, 100000);
	assert_int_equal(leat_map_open(&map, path, &err), LEAT_OK);
	if (size >= 0)
		assert_int_equal(truncate(path, size), 0);
	else
		assert_int_equal(unlink(path), 0);
	assert_int_equal(leat_map_check(&map, &err), wanted);
	leat_map_close(&map);
}

static void test_G70(void **state)
{
	(void)state;
	const char *path = hostile_path("moving.gguf");
	changed(path, 100000, LEAT_OK);
	changed(path, 99999, LEAT_E_IO);
	changed(path, 0, LEAT_E_IO);
	changed(path, 100001, LEAT_E_IO);
	changed(path, -1, LEAT_OK); /* replaced by name: the descriptor still holds the whole old file */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_G37), cmocka_unit_test(test_G38), cmocka_unit_test(test_G39),
		cmocka_unit_test(test_G40), cmocka_unit_test(test_G41), cmocka_unit_test(test_G42),
		cmocka_unit_test(test_G43), cmocka_unit_test(test_G44), cmocka_unit_test(test_G45),
		cmocka_unit_test(test_G46), cmocka_unit_test(test_G47), cmocka_unit_test(test_G48),
		cmocka_unit_test(test_G49), cmocka_unit_test(test_G50), cmocka_unit_test(test_G51),
		cmocka_unit_test(test_G52), cmocka_unit_test(test_G53), cmocka_unit_test(test_G54),
		cmocka_unit_test(test_G55), cmocka_unit_test(test_G56), cmocka_unit_test(test_G57),
		cmocka_unit_test(test_G58), cmocka_unit_test(test_G59), cmocka_unit_test(test_G60),
		cmocka_unit_test(test_G61), cmocka_unit_test(test_G62), cmocka_unit_test(test_G63),
		cmocka_unit_test(test_G65), cmocka_unit_test(test_G66), cmocka_unit_test(test_G67),
		cmocka_unit_test(test_G68), cmocka_unit_test(test_G69), cmocka_unit_test(test_G70),
	};
	return hostile_main(tests, COUNT_OF(tests), "G64 (experts)");
}
