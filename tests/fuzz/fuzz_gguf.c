/* fuzz_gguf.c - model files: parse, load, eight tokens.
 *
 * An input is either a file (first byte 0, the file behind it) or a recipe: one of mkbad's valid models and up to 24
 * edits of 12 bytes. Plain mutation of a whole file dies on the magic and the counts; a recipe changes one field at a
 * time and reaches the loader and the engine. The mutator writes edits that mean something; libFuzzer's own does the
 * rest. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdio.h>

#include "format/file.h"
#include "hostile/mkbad.h"
#include "leat/leat.h"

enum { EDIT_BYTES = 12, MAX_EDITS = 24, RUN_TOKENS = 8 };
enum target { HEADER, PAIR, TENSOR, DATA, BYTE, CUT, TARGETS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max);

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			__builtin_trap();                                                                              \
	} while (0)

struct edit {
	uint8_t target, index, field, how;
	uint64_t v;
};

static const uint64_t odd_values[] = {
	0,
	1,
	2,
	3,
	4,
	5,
	7,
	8,
	9,
	13,
	16,
	31,
	32,
	33,
	63,
	64,
	65,
	127,
	255,
	256,
	257,
	263,
	511,
	512,
	513,
	0x7fff,
	0xffff,
	65536,
	65537,
	1 << 20,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0x100000000,
	0x7fffffffffffffff,
	0x8000000000000000,
	0xffffffffffffffe0,
	0xffffffffffffffff,
	0x3f800000,
	0x7f800000,
	0x7fc00000,
	0xff800000,
	0x00000001,
	0xbf800000,
};

/* The value that a field gets: as given, a little more or less than it was, or one of the odd ones. */
static uint64_t altered(uint64_t was, const struct edit *e)
{
	switch (e->how % 4) {
	case 0:
		return e->v;
	case 1:
		return was + (e->v % 65) - 32;
	case 2:
		return was ^ (uint64_t)1 << e->v % 64;
	default:
		return odd_values[e->v % (sizeof odd_values / sizeof *odd_values)];
	}
}

static void edit_header(struct mk *m, const struct edit *e)
{
	if (e->field % 4 == 0)
		m->version = (uint32_t)altered(m->version, e);
	else if (e->field % 4 == 1)
		m->n_tensors = altered(m->n_tensors, e);
	else if (e->field % 4 == 2)
		m->n_pairs = altered(m->n_pairs, e);
	else
		m->magic[e->index % 4] = (uint8_t)altered(m->magic[e->index % 4], e);
}

/* One scalar somewhere in the value: the value itself, a length inside it, an element. */
static void edit_value(struct mk_pair *p, const struct edit *e)
{
	size_t size = (size_t)1 << e->field / 8 % 4, at = 0;
	uint64_t u = 0;
	if (p->value_bytes < size)
		return;
	if (p->type == MK_ARRAY)
		at = (size_t)(e->v >> 32) % (p->value_bytes - size + 1);
	memcpy(&u, p->value + at, size);
	u = altered(u, e);
	memcpy(p->value + at, &u, size);
}

static void edit_pair(struct mk *m, const struct edit *e)
{
	if (m->pairs == 0)
		return;
	struct mk_pair *p = &m->pair[e->index % m->pairs];
	switch (e->field % 8) {
	case 0:
		p->key_length = altered(p->key_length, e);
		break;
	case 1:
		p->type = (uint32_t)altered(p->type, e);
		break;
	case 2:
		mk_remove_pair(m, p->key);
		break;
	case 3:
		if (m->pairs < MK_MAX_PAIRS)
			mk_add_pair(m, p->key, p->type, p->value, p->value_bytes);
		break;
	case 4:
		if (p->key_bytes)
			p->key[e->v % p->key_bytes] ^= (char)(1 << e->how % 8);
		break;
	default:
		edit_value(p, e);
	}
}

static void edit_tensor(struct mk *m, const struct edit *e)
{
	if (m->tensors == 0)
		return;
	struct mk_tensor *t = &m->tensor[e->index % m->tensors], *o = &m->tensor[e->v % (uint64_t)m->tensors];
	uint64_t *dim = &t->dim[e->how / 4 % 4];
	struct mk_tensor keep = *t;
	switch (e->field % 8) {
	case 0:
		t->name_length = altered(t->name_length, e);
		break;
	case 1:
		t->n_dims = (uint32_t)altered(t->n_dims, e);
		t->written_dims = t->n_dims < MK_MAX_DIMS ? t->n_dims : t->written_dims;
		break;
	case 2:
		t->type = (uint32_t)altered(t->type, e);
		break;
	case 3:
		t->offset = altered(t->offset, e);
		break;
	case 4:
		mk_remove_tensor(m, t->name);
		break;
	case 5: /* two entries change places; their names stay */
		*t = *o;
		*o = keep;
		break;
	default:
		*dim = altered(*dim, e);
	}
}

static void edit_data(struct mk *m, const struct edit *e)
{
	uint16_t h = (uint16_t)altered(0, e);
	uint64_t step = (uint64_t)e->field % 4 * 17 + 2, at = (e->v >> 16) % m->data_bytes;
	for (unsigned i = 0; i <= e->index && at + 2 <= m->data_bytes; i++, at += step)
		memcpy(m->data + at, &h, 2);
}

static unsigned char *cook(const uint8_t *data, size_t n, size_t *ret_n)
{
	struct mk *m = mk_create((enum mk_kind)(data[0] % MK_KINDS));
	struct edit e[MAX_EDITS];
	size_t edits = 0;
	for (size_t at = 1; at + EDIT_BYTES <= n && edits < MAX_EDITS; at += EDIT_BYTES, edits++) {
		memcpy(&e[edits], data + at, 4);
		memcpy(&e[edits].v, data + at + 4, 8);
		if (e[edits].target % TARGETS == HEADER)
			edit_header(m, &e[edits]);
		else if (e[edits].target % TARGETS == PAIR)
			edit_pair(m, &e[edits]);
		else if (e[edits].target % TARGETS == TENSOR)
			edit_tensor(m, &e[edits]);
		else if (e[edits].target % TARGETS == DATA)
			edit_data(m, &e[edits]);
	}
	unsigned char *bytes = mk_encode(m, ret_n);
	for (size_t i = 0; i < edits && *ret_n; i++)
		if (e[i].target % TARGETS == BYTE)
			bytes[e[i].v % (e[i].how & 1 ? *ret_n : m->data_at)] ^= (uint8_t)(e[i].index | 1);
		else if (e[i].target % TARGETS == CUT && *ret_n > e[i].v % *ret_n)
			*ret_n = (size_t)(e[i].v % *ret_n);
	mk_destroy(m);
	return bytes;
}

static void generate(struct leat_model *m)
{
	static const int32_t prompt[] = {1, 2, 0};
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_request_params p = {.struct_size = sizeof p};
	struct leat_token t = LEAT_TOKEN_INIT;
	struct leat_engine *e = NULL;
	struct leat_request *r = NULL;
	struct leat_error err = {0};
	ep.n_threads = 1;
	ep.n_ctx = 16;
	ep.n_batch = 4;
	if (leat_engine_create(m, &ep, &e, &err) != LEAT_OK)
		return;
	leat_request_params_init(m, &p);
	p.tokens = prompt;
	p.n_tokens = 3;
	p.max_tokens = RUN_TOKENS;
	p.flags |= LEAT_REQUEST_IGNORE_EOS;
	p.seed = 1;
	if (leat_request_submit(e, &p, &r, &err) == LEAT_OK) {
		for (int i = 0; i <= RUN_TOKENS && !t.finish; i++)
			if (leat_request_next(r, &t, &err) != LEAT_OK)
				break;
	}
	leat_request_unref(r);
	leat_engine_unref(e);
}

/* The public API opens paths: a file that lives in memory only. */
static void load(const uint8_t *bytes, size_t n)
{
	static int fd = -1;
	static char path[64];
	struct leat_model *m = NULL;
	struct leat_error err = {0};
	if (fd < 0) {
		fd = memfd_create("fuzz.gguf", MFD_CLOEXEC);
		REQUIRE(fd >= 0);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	}
	REQUIRE(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, n, 0) == (ssize_t)n);
	enum leat_status status = leat_model_open(path, NULL, &m, &err);
	REQUIRE((status == LEAT_OK) == (m != NULL) && (status == LEAT_OK || err.message[0]));
	if (m)
		generate(m);
	leat_model_unref(m);
}

static void look(const struct leat_file *f)
{
	char line[80];
	for (uint64_t i = 0; i < f->n_meta; i++) {
		leat_meta_print(&f->meta[i], line, 1 + i % sizeof line);
		REQUIRE(memchr(line, 0, sizeof line) != NULL);
	}
	for (uint64_t i = 0; i < f->n_tensors; i++) {
		const struct leat_tensor *t = &f->tensor[i];
		REQUIRE(t->bytes >= 1 && t->offset <= f->map[0].size && t->bytes <= f->map[0].size - t->offset);
	}
}

static void try_file(const uint8_t *bytes, size_t n)
{
	struct leat_file *f = NULL;
	struct leat_error err = {0};
	enum leat_status status = leat_file_open_memory("fuzz", bytes, n, &f, &err);
	REQUIRE((status == LEAT_OK) == (f != NULL));
	if (status != LEAT_OK) {
		REQUIRE(err.message[0] && err.status == (int32_t)status);
		return;
	}
	look(f);
	leat_file_close(f);
	load(bytes, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0)
		return 0;
	if (data[0] == 0) {
		try_file(data + 1, n - 1);
		return 0;
	}
	size_t cooked;
	unsigned char *bytes = cook(data, n, &cooked), *exact = malloc(cooked ? cooked : 1);
	if (exact) {
		memcpy(exact, bytes, cooked); /* no byte more than the file has */
		try_file(exact, cooked);
	}
	free(exact);
	free(bytes);
	return 0;
}

static void write_edit(uint8_t *at, uint64_t *s)
{
	for (int i = 0; i < EDIT_BYTES; i++) {
		*s = *s * 6364136223846793005u + 1442695040888963407u;
		at[i] = (uint8_t)(*s >> 56);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
	uint64_t s = seed;
	if (max < 1 + EDIT_BYTES)
		return LLVMFuzzerMutate(data, n, max);
	if (n < 1 || (seed % 16 == 0 && data[0] != 0)) { /* begin anew: a model, or a file with a right start */
		static const uint8_t head[] = "\0GGUF\3\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0";
		int raw = seed / 16 % 4 == 0 && max >= 64;
		data[0] = raw ? 0 : (uint8_t)(1 + seed / 64 % 2);
		if (raw)
			memcpy(data, head, sizeof head);
		n = raw ? sizeof head : 1;
	}
	if (data[0] == 0) {
		n = 1 + LLVMFuzzerMutate(data + 1, n - 1, max - 1);
		if (n >= 9 && seed % 8) /* mostly past the first two checks */
			memcpy(data + 1, "GGUF\3\0\0\0", 8);
		return n;
	}
	size_t edits = (n - 1) / EDIT_BYTES, room = (max - 1) / EDIT_BYTES;
	if (seed % 3 == 0 && edits)
		return LLVMFuzzerMutate(data, n, max);
	size_t i =
		edits < room && edits < MAX_EDITS && (seed % 3 == 1 || !edits) ? edits++ : seed % (edits ? edits : 1);
	write_edit(data + 1 + i * EDIT_BYTES, &s);
	return 1 + edits * EDIT_BYTES;
}
