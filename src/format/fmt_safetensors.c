/* fmt_safetensors.c - safetensors (the format's specification: README of the safetensors project, "Format").
 *
 * Layout: eight bytes of header length, little-endian; a JSON object that gives each tensor's dtype, shape and range of
 * bytes in what follows; the data. The ranges must tile the data from its first byte to its last: what nobody names
 * cannot be there, so that no second file hides in a first. Shapes are written with the contiguous dimension last; here
 * it comes first. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/utf8.h"
#include "format/reader.h"
#include "quant/quant.h"

enum { LENGTH_BYTES = 8, MAX_HEADER_BYTES = 16 << 20, MAX_TENSORS = 131072 };

typedef unsigned long long ull; /* what printf takes */

static const struct {
	const char *name;
	int type, bytes;
} dtypes[] = {
	{"F32", 0, 4},
	{"F16", 1, 2},
	{"BF16", 30, 2},
	{"F64", 28, 8},
	{"I8", 24, 1},
	{"I16", 25, 2},
	{"I32", 26, 4},
	{"I64", 27, 8},
	{"U8", LEAT_TYPE_U8, 1},
	{"U16", LEAT_TYPE_U16, 2},
	{"U32", LEAT_TYPE_U32, 4},
	{"U64", LEAT_TYPE_U64, 8},
	{"BOOL", LEAT_TYPE_BOOL, 1},
	{"F8_E4M3", LEAT_TYPE_F8_E4M3, 1},
	{"F8_E5M2", LEAT_TYPE_F8_E5M2, 1},
};

struct reader {
	struct leat_file *f;
	const struct leat_map *map;
	int part;
	uint64_t data_at, data_bytes; /* of the data in the file */
	struct leat_error *err;
	char name[96];                /* of the tensor at hand, for messages */
};

static uint64_t header_length(const unsigned char *p)
{
	uint64_t n = 0;
	for (int i = LENGTH_BYTES; i-- > 0;)
		n = n << 8 | p[i];
	return n;
}

static int probe(const unsigned char *bytes, size_t n)
{
	return n > LENGTH_BYTES && bytes[LENGTH_BYTES] == '{' && header_length(bytes) <= (uint64_t)1 << 32;
}

static enum leat_status read_header(struct reader *r, json_t **ret)
{
	const struct leat_json_limits limits = {.max_bytes = MAX_HEADER_BYTES};
	struct leat_cursor c = {r->map->data, r->map->size, 0};
	const unsigned char *text = NULL;
	uint64_t n;
	LEAT_TRY(leat_read_u64(&c, "header length", &n, r->err));
	if (n > leat_cursor_left(&c))
		return leat_fail(r->err, LEAT_E_FORMAT, "header length", 0,
				 "header length is %llu, but %llu bytes follow it (truncated download?)", (ull)n,
				 (ull)leat_cursor_left(&c));
	if (n > MAX_HEADER_BYTES)
		return leat_fail(r->err, LEAT_E_LIMIT, "header length", 0, "header length is %llu, the limit is %d",
				 (ull)n, MAX_HEADER_BYTES);
	LEAT_TRY(leat_read_bytes(&c, n, "header", &text, r->err));
	if (n < 2 || text[0] != '{')
		return leat_fail(r->err, LEAT_E_FORMAT, "header", LENGTH_BYTES,
				 "the header of %llu bytes does not begin with '{'", (ull)n);
	r->data_at = c.pos;
	r->data_bytes = leat_cursor_left(&c);
	return leat_json_parse(text, (size_t)n, &limits, "header", ret, r->err);
}

static enum leat_status read_metadata(struct reader *r, json_t *object)
{
	const char *key;
	json_t *v;
	if (!json_is_object(object))
		return leat_fail(r->err, LEAT_E_FORMAT, "__metadata__", LEAT_NO_OFFSET,
				 "__metadata__ is no object of strings");
	json_object_foreach(object, key, v) {
		char shown[96];
		leat_escape(shown, sizeof shown, key, strlen(key));
		if (!json_is_string(v))
			return leat_fail(r->err, LEAT_E_FORMAT, shown, LEAT_NO_OFFSET, "__metadata__ '%s' is no string",
					 shown);
		if (r->part == 0 && leat_utf8_is_line(key, strlen(key)))
			LEAT_TRY(leat_file_add_string(r->f, "metadata", key, strlen(key), json_string_value(v),
						      json_string_length(v), r->err));
	}
	return LEAT_OK;
}

/* The three fields of an entry, none missing, none more. */
static enum leat_status read_fields(struct reader *r, json_t *entry, json_t **dtype, json_t **shape, json_t **offsets)
{
	const char *key;
	json_t *v;
	if (!json_is_object(entry))
		return leat_fail(r->err, LEAT_E_FORMAT, r->name, LEAT_NO_OFFSET, "tensor '%s' is no object", r->name);
	json_object_foreach(entry, key, v) {
		json_t **to = !strcmp(key, "dtype")	     ? dtype
			      : !strcmp(key, "shape")	     ? shape
			      : !strcmp(key, "data_offsets") ? offsets
							     : NULL;
		char shown[96];
		leat_escape(shown, sizeof shown, key, strlen(key));
		if (!to)
			return leat_fail(r->err, LEAT_E_FORMAT, r->name, LEAT_NO_OFFSET,
					 "tensor '%s' has a field '%s', wanted dtype, shape and data_offsets only",
					 r->name, shown);
		*to = v;
	}
	if (!json_is_string(*dtype) || !json_is_array(*shape) || !json_is_array(*offsets))
		return leat_fail(r->err, LEAT_E_FORMAT, r->name, LEAT_NO_OFFSET,
				 "tensor '%s' lacks %s", r->name,
				 !json_is_string(*dtype)  ? "a dtype that is a string"
				 : !json_is_array(*shape) ? "a shape that is an array"
							  : "data_offsets that are an array");
	return LEAT_OK;
}

static enum leat_status set_type(struct reader *r, struct leat_tensor *t, const json_t *dtype, uint64_t *ret_bytes)
{
	char shown[96];
	for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
		if (!strcmp(json_string_value(dtype), dtypes[i].name)) {
			t->type = dtypes[i].type;
			*ret_bytes = (uint64_t)dtypes[i].bytes;
			return LEAT_OK;
		}
	leat_escape(shown, sizeof shown, json_string_value(dtype), json_string_length(dtype));
	return leat_fail(r->err, LEAT_E_UNSUPPORTED, r->name, LEAT_NO_OFFSET,
			 "tensor '%s' is of dtype '%s', which this build does not know", r->name, shown);
}

/* A count of bytes or elements: a JSON integer, never 3.0 or "3". */
static enum leat_status whole(struct reader *r, const json_t *v, const char *what, uint64_t *ret)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return leat_fail(r->err, LEAT_E_FORMAT, r->name, LEAT_NO_OFFSET,
				 "tensor '%s': %s holds what is no whole number from 0 on", r->name, what);
	*ret = (uint64_t)json_integer_value(v);
	return LEAT_OK;
}

static enum leat_status set_shape(struct reader *r, struct leat_tensor *t, const json_t *shape, uint64_t elem_bytes)
{
	size_t n = json_array_size(shape);
	uint64_t d, bytes = elem_bytes;
	int empty = 0;
	for (size_t i = 0; i < n; i++) {
		LEAT_TRY(whole(r, json_array_get(shape, i), "shape", &d));
		empty |= d == 0;
		if (d && (leat_mul_u64(bytes, d, &bytes) || bytes > INT64_MAX))
			return leat_fail(r->err, LEAT_E_FORMAT, r->name, LEAT_NO_OFFSET,
					 "tensor '%s': more bytes than fit into 63 bits", r->name);
		if (i < LEAT_MAX_DIMS && n <= LEAT_MAX_DIMS)
			t->dim[n - 1 - i] = d;
	}
	if (n > LEAT_MAX_DIMS || empty)
		return leat_fail(r->err, LEAT_E_UNSUPPORTED, r->name, LEAT_NO_OFFSET,
				 empty ? "tensor '%s' is empty: one of its %zu dimensions is 0"
				       : "tensor '%s' has %zu dimensions, this build knows 4",
				 r->name, n);
	for (size_t i = n; i < LEAT_MAX_DIMS; i++)
		t->dim[i] = 1;
	t->n_dims = n ? (int)n : 1; /* a lone number has no dimension: one element */
	t->bytes = bytes;
	return LEAT_OK;
}

static enum leat_status set_place(struct reader *r, struct leat_tensor *t, const json_t *offsets)
{
	uint64_t begin, end;
	if (json_array_size(offsets) != 2)
		return leat_fail(r->err, LEAT_E_FORMAT, r->name, LEAT_NO_OFFSET,
				 "tensor '%s': data_offsets has %zu numbers, wanted 2", r->name,
				 json_array_size(offsets));
	LEAT_TRY(whole(r, json_array_get(offsets, 0), "data_offsets", &begin));
	LEAT_TRY(whole(r, json_array_get(offsets, 1), "data_offsets", &end));
	if (end < begin || end - begin != t->bytes)
		return leat_fail(r->err, LEAT_E_FORMAT, r->name, LEAT_NO_OFFSET,
				 "tensor '%s': data_offsets %llu to %llu, but its shape takes %llu bytes", r->name,
				 (ull)begin, (ull)end, (ull)t->bytes);
	if (end > r->data_bytes)
		return leat_fail(r->err, LEAT_E_FORMAT, r->name, r->data_at,
				 "tensor '%s' ends at %llu of the data, which has %llu bytes (truncated download?)",
				 r->name, (ull)end, (ull)r->data_bytes);
	t->offset = r->data_at + begin;
	t->data = r->map->data + t->offset;
	return LEAT_OK;
}

static enum leat_status read_tensor(struct reader *r, struct leat_tensor *t, const char *name, json_t *entry)
{
	json_t *dtype = NULL, *shape = NULL, *offsets = NULL;
	size_t n = strlen(name);
	uint64_t elem_bytes = 0;
	leat_escape(r->name, sizeof r->name, name, n);
	if (n == 0 || n > LEAT_MAX_TENSOR_NAME_BYTES || !leat_utf8_is_line(name, n))
		return leat_fail(r->err, LEAT_E_FORMAT, r->name, LEAT_NO_OFFSET,
				 "tensor name '%s' has %zu bytes, wanted 1 to %d that are printable UTF-8", r->name, n,
				 LEAT_MAX_TENSOR_NAME_BYTES);
	t->name = (struct leat_str){leat_arena_copy(&r->f->arena, name, n), n};
	if (!t->name.s)
		return leat_fail(r->err, LEAT_E_NOMEM, r->name, LEAT_NO_OFFSET, "out of memory");
	t->part = r->part;
	LEAT_TRY(read_fields(r, entry, &dtype, &shape, &offsets));
	LEAT_TRY(set_type(r, t, dtype, &elem_bytes));
	LEAT_TRY(set_shape(r, t, shape, elem_bytes));
	return set_place(r, t, offsets);
}

static int by_offset(const void *a, const void *b)
{
	const struct leat_tensor *x = a, *y = b;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* No byte without an owner, none with two. */
static enum leat_status check_tiles(struct reader *r, const struct leat_tensor *t, uint64_t n)
{
	uint64_t end = r->data_at;
	for (uint64_t i = 0; i < n; i++) {
		if (t[i].offset != end) {
			leat_str_show(t[i].name, r->name);
			return leat_fail(
				r->err, LEAT_E_FORMAT, r->name, t[i].offset,
				"tensor '%s' begins at %llu of the data, wanted %llu, where the one before ends",
				r->name, (ull)(t[i].offset - r->data_at), (ull)(end - r->data_at));
		}
		end += t[i].bytes;
	}
	if (end != r->map->size)
		return leat_fail(r->err, LEAT_E_FORMAT, "data", end, "%llu bytes follow the last tensor, wanted none",
				 (ull)(r->map->size - end));
	return LEAT_OK;
}

static enum leat_status read_entries(struct reader *r, json_t *header)
{
	struct leat_file *f = r->f;
	const char *name;
	json_t *entry;
	uint64_t first = f->n_tensors;
	LEAT_TRY(leat_file_more_tensors(f, json_object_size(header), MAX_TENSORS, r->err));
	json_object_foreach(header, name, entry) {
		if (!strcmp(name, "__metadata__")) {
			LEAT_TRY(read_metadata(r, entry));
			continue;
		}
		LEAT_TRY(read_tensor(r, &f->tensor[f->n_tensors], name, entry));
		f->n_tensors++;
	}
	if (f->n_tensors > first)
		qsort(f->tensor + first, (size_t)(f->n_tensors - first), sizeof *f->tensor, by_offset);
	return check_tiles(r, f->tensor + first, f->n_tensors - first);
}

enum leat_status leat_safetensors_read(struct leat_file *f, int part, struct leat_error *err)
{
	struct reader r = {.f = f, .map = &f->map[part], .part = part, .err = err};
	json_t *header = NULL;
	LEAT_TRY(read_header(&r, &header));
	enum leat_status st = read_entries(&r, header);
	json_decref(header);
	return st;
}

static enum leat_status parse(struct leat_file *f, struct leat_error *err)
{
	LEAT_TRY(leat_safetensors_read(f, 0, err));
	leat_hf_settle_source(f);
	if (f->source == LEAT_SOURCE_HF)
		LEAT_TRY(leat_hf_read_configs(f, err));
	return leat_file_index(f, err);
}

extern const struct leat_format leat_format_safetensors; /* the generated list names it */
const struct leat_format leat_format_safetensors = {"safetensors", probe, parse};
