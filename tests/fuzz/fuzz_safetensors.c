/* fuzz_safetensors.c - safetensors in memory: the description that comes of it, or a refusal with a message.
 *
 * An input is a file (first byte 0, the file behind it) or a header: two bytes of data size, then JSON. The second form
 * keeps length and data right, so that mutation reaches the entries. */
#include <stdlib.h>
#include <string.h>

#include "format/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

/* What file.h promises of every tensor. */
static void look(const struct leat_file *f, const unsigned char *bytes, size_t n)
{
	unsigned sum = 0;
	for (uint64_t i = 0; i < f->n_tensors; i++) {
		const struct leat_tensor *t = &f->tensor[i];
		const unsigned char *p = t->data;
		char name[300];
		REQUIRE(t->bytes >= 1 && t->offset <= n && t->bytes <= n - t->offset && p == bytes + t->offset);
		REQUIRE(t->n_dims >= 1 && t->n_dims <= LEAT_MAX_DIMS && t->part == 0);
		for (int d = 0; d < LEAT_MAX_DIMS; d++)
			REQUIRE(t->dim[d] >= 1 && (d < t->n_dims || t->dim[d] == 1));
		sum += p[0] + p[t->bytes - 1];
		memcpy(name, t->name.s, (size_t)t->name.n);
		name[t->name.n] = 0;
		REQUIRE(leat_file_tensor(f, name) == t);
	}
	for (uint64_t i = 0; i < f->n_meta; i++) {
		char line[80];
		leat_meta_print(&f->meta[i], line, 1 + (i + sum) % sizeof line);
		REQUIRE(memchr(line, 0, sizeof line) != NULL);
	}
}

static void try_file(const unsigned char *bytes, size_t n)
{
	struct leat_file *f = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	enum leat_status status = leat_file_open_memory("fuzz.safetensors", bytes, n, &f, &err);
	REQUIRE((status == LEAT_OK) == (f != NULL));
	if (f)
		look(f, bytes, n);
	else
		REQUIRE(err.message[0] && err.status == (int32_t)status);
	leat_file_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < 4)
		return 0;
	int whole = data[0] == 0;
	size_t header = whole ? 0 : n - 3, extra = whole ? 0 : (size_t)(data[1] | data[2] << 8);
	size_t total = whole ? n - 1 : 8 + header + extra;
	unsigned char *p = calloc(1, total); /* exactly: the sanitizer sees the first byte too many */
	if (!p)
		return 0;
	if (whole) {
		memcpy(p, data + 1, n - 1);
	} else {
		for (int i = 0; i < 8; i++)
			p[i] = (unsigned char)((uint64_t)header >> 8 * i);
		memcpy(p + 8, data + 3, header);
	}
	try_file(p, total);
	free(p);
	return 0;
}
