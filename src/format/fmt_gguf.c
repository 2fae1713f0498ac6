/* fmt_gguf.c - GGUF versions 2 and 3, little-endian (docs/gguf.md of the ggml project).
 *
 * Layout: magic, version, counts; key/value pairs; one entry per tensor (name, dimensions, type, offset); then, from
 * the next multiple of the alignment on, the data that the offsets point into. Every byte comes through the cursor;
 * every count is held against the bytes that are left before anything is allocated for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/utf8.h"
#include "format/reader.h"
#include "quant/quant.h"

enum {
	MIN_KEY_BYTES = 8 + 1 + 4 + 1,            /* length, one character, type, one byte of value */
	MIN_TENSOR_BYTES = 8 + 1 + 4 + 8 + 4 + 8, /* length, one character, n_dims, one dimension, type, offset */
	DEFAULT_ALIGNMENT = 32,
	MIN_ALIGNMENT = 8,
	MAX_ALIGNMENT = 65536,
};

typedef unsigned long long ull; /* what printf takes */

/* One file: the whole model, or one part of a split one. Arrays are in the arena of f. */
struct reader {
	struct leat_file *f;
	const struct leat_map *map;
	int part;
	struct leat_cursor c;
	uint64_t n_meta, n_tensors;
	struct leat_meta *meta;
	struct leat_tensor *tensor;
	struct leat_error *err;
};

/* Containers that came before GGUF, by their magic as it is spelled; files hold it in either byte order. */
static const char *const legacy[] = {"ggml", "ggmf", "ggjt", "ggla"};

static const char *legacy_name(const unsigned char *p)
{
	for (size_t i = 0; i < sizeof legacy / sizeof *legacy; i++) {
		int same = 1, reversed = 1;
		for (int k = 0; k < 4; k++) {
			same &= (p[k] | 0x20) == legacy[i][k];
			reversed &= (p[3 - k] | 0x20) == legacy[i][k];
		}
		if (same || reversed)
			return legacy[i];
	}
	return NULL;
}

static int probe(const unsigned char *bytes, size_t n)
{
	return n >= 4 && (!memcmp(bytes, "GGUF", 4) || !memcmp(bytes, "FUGG", 4) || legacy_name(bytes));
}

static enum leat_status read_magic(struct reader *r)
{
	const unsigned char *magic;
	LEAT_TRY(leat_read_bytes(&r->c, 4, "magic", &magic, r->err));
	if (!memcmp(magic, "GGUF", 4))
		return LEAT_OK;
	if (!memcmp(magic, "FUGG", 4))
		return leat_fail(r->err, LEAT_E_UNSUPPORTED, "magic", 0,
				 "magic: found 'FUGG' (GGUF with its bytes reversed), wanted 'GGUF'");
	return leat_fail(r->err, LEAT_E_UNSUPPORTED, "magic", 0,
			 "magic: found the legacy format '%s', wanted 'GGUF'; convert the model again from its source",
			 legacy_name(magic));
}

static enum leat_status read_version(struct reader *r)
{
	uint32_t v;
	LEAT_TRY(leat_read_u32(&r->c, "version", &v, r->err));
	r->f->version = v;
	if (v == 2 || v == 3)
		return LEAT_OK;
	if (v == 1)
		return leat_fail(
			r->err, LEAT_E_UNSUPPORTED, "version", 4,
			"version: found GGUF version 1, wanted 2 or 3; convert the model again from its source");
	if (v != 0 && (v & 0xffff) == 0)
		return leat_fail(r->err, LEAT_E_UNSUPPORTED, "version", 4,
				 "version: found 0x%08X: the file is big-endian, wanted a little-endian one", v);
	return leat_fail(r->err, v > 3 && v < 0x10000 ? LEAT_E_UNSUPPORTED : LEAT_E_FORMAT, "version", 4,
			 "version: found %u, wanted 2 or 3", v);
}

/* A count of things of at least min_bytes each. Kept apart from limits: a lie is malformed, a true large one is a
 * limit. */
static enum leat_status check_count(struct reader *r, const char *what, uint64_t count, uint64_t min_bytes,
				    uint64_t limit)
{
	uint64_t left = leat_cursor_left(&r->c);
	if (count > left / min_bytes)
		return leat_fail(r->err, LEAT_E_FORMAT, what, r->c.pos,
				 "%s: found %llu, but the %llu bytes left in the file hold at most %llu", what,
				 (ull)count, (ull)left, (ull)(left / min_bytes));
	if (count > limit)
		return leat_fail(r->err, LEAT_E_LIMIT, what, r->c.pos, "%s: found %llu, the limit is %llu", what,
				 (ull)count, (ull)limit);
	return LEAT_OK;
}

static enum leat_status read_string(struct reader *r, const char *what, struct leat_str *ret)
{
	uint64_t n;
	const unsigned char *p = NULL;
	LEAT_TRY(leat_read_u64(&r->c, what, &n, r->err));
	LEAT_TRY(leat_read_bytes(&r->c, n, what, &p, r->err));
	*ret = (struct leat_str){(const char *)p, n};
	return LEAT_OK;
}

/* Names end up in messages, logs and lookups: never empty, one printable line. */
static enum leat_status read_name(struct reader *r, const char *what, uint64_t max, struct leat_str *ret)
{
	struct leat_str s;
	char shown[96];
	uint64_t at = r->c.pos;
	LEAT_TRY(read_string(r, what, &s));
	if (s.n == 0)
		return leat_fail(r->err, LEAT_E_FORMAT, what, at, "%s is empty, wanted 1 to %llu bytes", what,
				 (ull)max);
	if (s.n > max)
		return leat_fail(r->err, LEAT_E_FORMAT, what, at, "%s has %llu bytes, wanted 1 to %llu", what, (ull)s.n,
				 (ull)max);
	if (!leat_utf8_is_line(s.s, (size_t)s.n))
		return leat_fail(r->err, LEAT_E_FORMAT, what, at, "%s '%s' is not printable UTF-8", what,
				 leat_str_show(s, shown));
	*ret = s;
	return LEAT_OK;
}

static enum leat_status check_bool(struct reader *r, const char *key, uint64_t at, unsigned v)
{
	if (v <= 1)
		return LEAT_OK;
	return leat_fail(r->err, LEAT_E_FORMAT, key, at, "key '%s': a bool is %u, wanted 0 or 1", key, v);
}

static enum leat_status read_scalar(struct reader *r, struct leat_meta *m, const char *key)
{
	const unsigned char *p = NULL;
	size_t n = leat_meta_type_bytes(m->type);
	uint64_t u = 0;
	LEAT_TRY(leat_read_bytes(&r->c, n, key, &p, r->err));
	for (size_t i = n; i-- > 0;)
		u = u << 8 | p[i];
	m->v.u = u;
	switch (m->type) {
	case LEAT_META_BOOL:
		return check_bool(r, key, m->offset, (unsigned)u);
	case LEAT_META_I8:
		m->v.i = (int8_t)u;
		break;
	case LEAT_META_I16:
		m->v.i = (int16_t)u;
		break;
	case LEAT_META_I32:
		m->v.i = (int32_t)u;
		break;
	case LEAT_META_F32: {
		uint32_t u32 = (uint32_t)u;
		float v;
		memcpy(&v, &u32, sizeof v);
		m->v.f = (double)v;
		break;
	}
	case LEAT_META_F64:
		memcpy(&m->v.f, &u, sizeof u);
		break;
	default:
		break;
	}
	return LEAT_OK;
}

/* 16 bytes of index per string, each of which took at least 8 in the file. */
static enum leat_status read_strings(struct reader *r, struct leat_meta *m, const char *key)
{
	LEAT_TRY(check_count(r, key, m->count, 8, LEAT_MAX_STRINGS));
	struct leat_str *s = leat_arena_take_array(&r->f->arena, (size_t)m->count, sizeof *s);
	if (!s)
		return leat_fail(r->err, LEAT_E_NOMEM, key, m->offset, "out of memory for %llu strings", (ull)m->count);
	for (uint64_t i = 0; i < m->count; i++)
		LEAT_TRY(read_string(r, key, &s[i]));
	m->v.strs = s;
	return LEAT_OK;
}

static enum leat_status read_array(struct reader *r, struct leat_meta *m, const char *key)
{
	uint32_t type;
	LEAT_TRY(leat_read_u32(&r->c, key, &type, r->err));
	LEAT_TRY(leat_read_u64(&r->c, key, &m->count, r->err));
	if (type >= LEAT_META_COUNT)
		return leat_fail(r->err, LEAT_E_FORMAT, key, m->offset,
				 "key '%s': array elements are of type %u, wanted 0 to %d", key, type,
				 LEAT_META_COUNT - 1);
	if (type == LEAT_META_ARRAY)
		return leat_fail(r->err, LEAT_E_FORMAT, key, m->offset,
				 "key '%s': found an array of arrays, wanted an array of scalars or strings", key);
	m->elem_type = (int)type;
	if (type == LEAT_META_STRING)
		return read_strings(r, m, key);
	uint64_t size = leat_meta_type_bytes((int)type);
	LEAT_TRY(check_count(r, key, m->count, size, UINT64_MAX));
	LEAT_TRY(leat_read_bytes(&r->c, m->count * size, key, &m->v.raw, r->err));
	for (uint64_t i = 0; type == LEAT_META_BOOL && i < m->count; i++)
		LEAT_TRY(check_bool(r, key, m->offset + 12 + i, m->v.raw[i]));
	return LEAT_OK;
}

/* The one key that this reader itself obeys. */
static enum leat_status set_alignment(struct reader *r, const struct leat_meta *m)
{
	if (m->type != LEAT_META_U32)
		return leat_fail(r->err, LEAT_E_FORMAT, "general.alignment", m->offset,
				 "key 'general.alignment' is of type %s, wanted u32", leat_meta_type_name(m->type));
	if (m->v.u < MIN_ALIGNMENT || m->v.u > MAX_ALIGNMENT || (m->v.u & (m->v.u - 1)))
		return leat_fail(r->err, LEAT_E_FORMAT, "general.alignment", m->offset,
				 "key 'general.alignment' is %llu, wanted a power of two from %d to %d", (ull)m->v.u,
				 MIN_ALIGNMENT, MAX_ALIGNMENT);
	r->f->alignment = m->v.u;
	return LEAT_OK;
}

static enum leat_status read_pair(struct reader *r, struct leat_meta *m)
{
	uint32_t type;
	char key[96];
	LEAT_TRY(read_name(r, "key", LEAT_MAX_NAME_BYTES, &m->key));
	leat_str_show(m->key, key);
	LEAT_TRY(leat_read_u32(&r->c, key, &type, r->err));
	m->offset = r->c.pos;
	if (type >= LEAT_META_COUNT)
		return leat_fail(r->err, LEAT_E_FORMAT, key, m->offset - 4, "key '%s' is of type %u, wanted 0 to %d",
				 key, type, LEAT_META_COUNT - 1);
	m->type = (int)type;
	if (type == LEAT_META_ARRAY)
		LEAT_TRY(read_array(r, m, key));
	else if (type == LEAT_META_STRING)
		LEAT_TRY(read_string(r, key, &m->v.str));
	else
		LEAT_TRY(read_scalar(r, m, key));
	if (m->key.n == 17 && !memcmp(m->key.s, "general.alignment", 17))
		return set_alignment(r, m);
	return LEAT_OK;
}

/* Says which entry of how many a failure was in. */
static enum leat_status in_entry(struct reader *r, enum leat_status status, const char *kind, uint64_t i, uint64_t n)
{
	char text[64];
	snprintf(text, sizeof text, "%s %llu of %llu", kind, (ull)(i + 1), (ull)n);
	leat_err_prefix(r->err, text);
	return status;
}

static enum leat_status read_pairs(struct reader *r)
{
	r->meta = leat_arena_take_array(&r->f->arena, (size_t)r->n_meta, sizeof *r->meta);
	if (!r->meta)
		return leat_fail(r->err, LEAT_E_NOMEM, "n_kv", 16, "out of memory for %llu keys", (ull)r->n_meta);
	for (uint64_t i = 0; i < r->n_meta; i++) {
		enum leat_status status = read_pair(r, &r->meta[i]);
		if (status != LEAT_OK)
			return in_entry(r, status, "key", i, r->n_meta);
	}
	return LEAT_OK;
}

/* A type whose layout is known can be shown; whether it can be multiplied is the model loader's question. */
static enum leat_status check_type(struct reader *r, const char *name, uint32_t type, uint64_t at, int *ret_elems,
				   int *ret_bytes)
{
	char found[24];
	if (type < LEAT_TYPE_U8 && leat_quant_layout((int64_t)type, ret_elems, ret_bytes))
		return LEAT_OK;
	snprintf(found, sizeof found, "type %u", type);
	if (type < LEAT_TYPE_U8)
		leat_quant_type_name((int64_t)type, found);
	if (!strncmp(found, "type ", 5))
		return leat_fail(r->err, LEAT_E_FORMAT, name, at,
				 "tensor '%s' is of %s, which is no tensor type of GGUF", name, found);
	return leat_fail(r->err, LEAT_E_UNSUPPORTED, name, at,
			 "tensor '%s' is of type %s (%u), which was withdrawn and which this build cannot read", name,
			 found, type);
}

/* dims, product, bytes: computed once, checked, kept. */
static enum leat_status check_shape(struct reader *r, struct leat_tensor *t, const char *name, uint64_t at,
				    int block_elems, int block_bytes)
{
	uint64_t n = 1, block = (uint64_t)block_elems;
	char type[24];
	for (int i = 0; i < t->n_dims; i++) {
		if (t->dim[i] == 0)
			return leat_fail(r->err, LEAT_E_FORMAT, name, at + 8 * (uint64_t)i,
					 "tensor '%s': dimension %d is 0, wanted at least 1", name, i);
		if (leat_mul_u64(n, t->dim[i], &n) || n > INT64_MAX)
			return leat_fail(r->err, LEAT_E_FORMAT, name, at + 8 * (uint64_t)i,
					 "tensor '%s': dimension %d is %llu: more elements than fit into 63 bits", name,
					 i, (ull)t->dim[i]);
	}
	if (t->dim[0] % block)
		return leat_fail(r->err, LEAT_E_FORMAT, name, at,
				 "tensor '%s': dimension 0 is %llu, wanted a multiple of %d, the block of %s", name,
				 (ull)t->dim[0], block_elems, leat_quant_type_name(t->type, type));
	if (leat_mul_u64(n / block, (uint64_t)block_bytes, &t->bytes))
		return leat_fail(r->err, LEAT_E_FORMAT, name, at, "tensor '%s': more bytes than fit into 64 bits",
				 name);
	return LEAT_OK;
}

static enum leat_status read_tensor(struct reader *r, struct leat_tensor *t)
{
	uint32_t n_dims, type;
	char name[96];
	int elems = 1, bytes = 0;
	LEAT_TRY(read_name(r, "tensor name", LEAT_MAX_GGUF_NAME_BYTES, &t->name));
	leat_str_show(t->name, name);
	LEAT_TRY(leat_read_u32(&r->c, name, &n_dims, r->err));
	if (n_dims < 1 || n_dims > LEAT_MAX_DIMS)
		return leat_fail(r->err, LEAT_E_FORMAT, name, r->c.pos - 4,
				 "tensor '%s' has %u dimensions, wanted 1 to %d", name, n_dims, LEAT_MAX_DIMS);
	t->n_dims = (int)n_dims;
	for (int i = 0; i < LEAT_MAX_DIMS; i++)
		t->dim[i] = 1;
	uint64_t dims_at = r->c.pos;
	for (uint32_t i = 0; i < n_dims; i++)
		LEAT_TRY(leat_read_u64(&r->c, name, &t->dim[i], r->err));
	LEAT_TRY(leat_read_u32(&r->c, name, &type, r->err));
	LEAT_TRY(check_type(r, name, type, r->c.pos - 4, &elems, &bytes));
	t->type = (int)type;
	t->part = r->part;
	LEAT_TRY(check_shape(r, t, name, dims_at, elems, bytes));
	LEAT_TRY(leat_read_u64(&r->c, name, &t->offset, r->err));
	if (t->offset % r->f->alignment)
		return leat_fail(r->err, LEAT_E_FORMAT, name, r->c.pos - 8,
				 "tensor '%s': offset is %llu, wanted a multiple of the alignment %llu", name,
				 (ull)t->offset, (ull)r->f->alignment);
	return LEAT_OK;
}

static enum leat_status read_tensors(struct reader *r)
{
	struct leat_file *f = r->f;
	LEAT_TRY(leat_file_more_tensors(f, r->n_tensors, LEAT_MAX_TENSORS, r->err));
	r->tensor = f->tensor + f->n_tensors;
	for (uint64_t i = 0; i < r->n_tensors; i++) {
		enum leat_status status = read_tensor(r, &r->tensor[i]);
		if (status != LEAT_OK)
			return in_entry(r, status, "tensor", i, r->n_tensors);
	}
	f->n_tensors += r->n_tensors;
	return LEAT_OK;
}

/* Offsets in the file instead of offsets in the data; each tensor whole inside the file. */
static enum leat_status place(struct reader *r, uint64_t data_start)
{
	for (uint64_t i = 0; i < r->n_tensors; i++) {
		struct leat_tensor *t = &r->tensor[i];
		uint64_t start, end;
		char name[96];
		leat_str_show(t->name, name);
		if (leat_add_u64(data_start, t->offset, &start) || leat_add_u64(start, t->bytes, &end))
			return leat_fail(
				r->err, LEAT_E_FORMAT, name, LEAT_NO_OFFSET,
				"tensor '%s': offset %llu and %llu bytes end beyond 64 bits, the file has %llu bytes",
				name, (ull)t->offset, (ull)t->bytes, (ull)r->map->size);
		if (end > r->map->size)
			return leat_fail(r->err, LEAT_E_FORMAT, name, start,
					 "tensor '%s' ends at %llu but the file has %llu bytes (truncated download?)",
					 name, (ull)end, (ull)r->map->size);
		t->offset = start;
		t->data = r->map->data + start;
	}
	return LEAT_OK;
}

static int by_offset(const void *a, const void *b)
{
	const struct leat_tensor *x = *(const struct leat_tensor *const *)a, *y = *(const struct leat_tensor *const *)b;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Neighbours in the order of the file may touch, never overlap. Gaps harm nobody: they are counted, not refused. */
static enum leat_status check_neighbours(struct reader *r, const struct leat_tensor **order, uint64_t data_start)
{
	struct leat_file *f = r->f;
	uint64_t end = data_start, next;
	for (uint64_t i = 0; i < r->n_tensors; i++) {
		const struct leat_tensor *t = order[i];
		if (t->offset < end) {
			char name[96], other[96];
			leat_str_show(t->name, name);
			leat_str_show(order[i - 1]->name, other);
			return leat_fail(r->err, LEAT_E_FORMAT, name, t->offset,
					 "tensor '%s' begins at %llu, inside tensor '%s', wanted %llu or more", name,
					 (ull)t->offset, other, (ull)end);
		}
		if (!leat_align_u64(end, f->alignment, &next) && t->offset > next)
			f->gap_bytes += t->offset - next;
		end = t->offset + t->bytes; /* place() proved the sum */
	}
	if (!leat_align_u64(end, f->alignment, &next) && r->map->size > next)
		f->tail_bytes += r->map->size - next;
	return LEAT_OK;
}

static enum leat_status check_layout(struct reader *r)
{
	struct leat_file *f = r->f;
	uint64_t data_start;
	if (r->n_tensors == 0)
		return LEAT_OK;
	if (leat_align_u64(r->c.pos, f->alignment, &data_start) || data_start > r->map->size)
		return leat_fail(r->err, LEAT_E_FORMAT, "data", r->c.pos,
				 "the file ends at %llu, before the data of its %llu tensors (truncated download?)",
				 (ull)r->map->size, (ull)r->n_tensors);
	LEAT_TRY(place(r, data_start));
	const struct leat_tensor **order = malloc((size_t)r->n_tensors * sizeof *order);
	if (!order)
		return leat_fail(r->err, LEAT_E_NOMEM, "tensors", LEAT_NO_OFFSET, "out of memory");
	for (uint64_t i = 0; i < r->n_tensors; i++)
		order[i] = &r->tensor[i];
	qsort(order, (size_t)r->n_tensors, sizeof *order, by_offset);
	enum leat_status status = check_neighbours(r, order, data_start);
	free(order);
	return status;
}

static enum leat_status read_part(struct reader *r, int part)
{
	struct leat_file *f = r->f;
	r->part = part;
	r->map = &f->map[part];
	r->c = (struct leat_cursor){r->map->data, r->map->size, 0};
	f->alignment = DEFAULT_ALIGNMENT;
	LEAT_TRY(read_magic(r));
	LEAT_TRY(read_version(r));
	LEAT_TRY(leat_read_u64(&r->c, "n_tensors", &r->n_tensors, r->err));
	LEAT_TRY(leat_read_u64(&r->c, "n_kv", &r->n_meta, r->err));
	LEAT_TRY(check_count(r, "n_tensors", r->n_tensors, MIN_TENSOR_BYTES, LEAT_MAX_TENSORS));
	LEAT_TRY(check_count(r, "n_kv", r->n_meta, MIN_KEY_BYTES, LEAT_MAX_KEYS));
	LEAT_TRY(read_pairs(r));
	return read_tensors(r);
}

static void settle_adapter(struct leat_file *f)
{
	struct leat_str type;
	f->is_adapter = leat_meta_string(f, "general.type", &type, NULL) == LEAT_OK && leat_str_is(type, "adapter");
}

/* ---- models in several files: NAME-00001-of-00003.gguf, each saying which part it is ---- */

struct split {
	int64_t count, no, n_tensors; /* of the file that was opened; n_tensors -1: it does not say */
	char stem[256];               /* NAME */
};

static const struct leat_meta *find(const struct reader *r, const char *key)
{
	for (uint64_t i = 0; i < r->n_meta; i++)
		if (leat_str_is(r->meta[i].key, key))
			return &r->meta[i];
	return NULL;
}

/* Scalars and strings that both have must agree; what a part says about itself is checked elsewhere. */
static int agree(const struct leat_meta *a, const struct leat_meta *b)
{
	if (a->type != b->type)
		return 0;
	if (a->type == LEAT_META_STRING)
		return a->v.str.n == b->v.str.n && !memcmp(a->v.str.s, b->v.str.s, (size_t)a->v.str.n);
	return a->type == LEAT_META_ARRAY ? a->count == b->count : a->v.u == b->v.u;
}

static enum leat_status check_number(const struct reader *r, const char *key, int64_t want)
{
	const struct leat_meta *m = find(r, key);
	if (m && m->type != LEAT_META_STRING && m->type != LEAT_META_ARRAY && m->v.i == want)
		return LEAT_OK;
	if (!m)
		return leat_fail(r->err, LEAT_E_FORMAT, key, LEAT_NO_OFFSET, "key '%s' is missing, wanted %lld", key,
				 (long long)want);
	return leat_fail(r->err, LEAT_E_FORMAT, key, m->offset, "key '%s' is %lld, wanted %lld as in the other parts",
			 key, (long long)m->v.i, (long long)want);
}

/* The part belongs to the model of the first one. */
static enum leat_status check_part(const struct reader *r, const struct split *s)
{
	LEAT_TRY(check_number(r, "split.no", r->part));
	LEAT_TRY(check_number(r, "split.count", s->count));
	if (s->n_tensors >= 0)
		LEAT_TRY(check_number(r, "split.tensors.count", s->n_tensors));
	for (uint64_t i = 0; r->part > 0 && i < r->n_meta; i++) {
		const struct leat_meta *m = &r->meta[i], *first = NULL;
		char key[96];
		leat_str_show(m->key, key);
		if (m->key.n < sizeof key && strncmp(key, "split.", 6) != 0)
			first = leat_file_meta(r->f, key);
		if (first && !agree(first, m))
			return leat_fail(r->err, LEAT_E_FORMAT, key, m->offset,
					 "key '%s' is not what it is in the first part: a part of another model?", key);
	}
	return LEAT_OK;
}

static void part_name(const struct split *s, int64_t no, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s-%05lld-of-%05lld.gguf", s->stem, (long long)no + 1, (long long)s->count);
}

/* NAME, out of the name of the file that was opened. */
static enum leat_status settle_stem(struct leat_file *f, struct split *s, struct leat_error *err)
{
	const char *name = leat_file_name(f);
	char suffix[320];
	part_name(s, s->no, suffix, sizeof suffix); /* the stem is still empty */
	size_t n = strlen(name), m = strlen(suffix);
	if (f->dir_fd < 0 || n <= m || n >= sizeof s->stem || strcmp(name + n - m, suffix) != 0)
		return leat_fail(
			err, LEAT_E_FORMAT, "split.no", LEAT_NO_OFFSET,
			"split.no and split.count say part %lld of %lld: the name must end in '%s', with the others "
			"beside it",
			(long long)s->no + 1, (long long)s->count, suffix);
	memcpy(s->stem, name, n - m);
	s->stem[n - m] = '\0';
	return LEAT_OK;
}

static enum leat_status read_and_check(struct leat_file *f, const struct split *s, int part, struct leat_error *err)
{
	struct reader r = {.f = f, .err = err};
	LEAT_TRY(read_part(&r, part));
	if (part == 0) {
		f->meta = r.meta;
		f->n_meta = f->cap_meta = r.n_meta;
		LEAT_TRY(leat_file_index(f, err)); /* for check_part; again at the end, for all tensors */
	}
	LEAT_TRY(check_part(&r, s));
	return check_layout(&r);
}

/* All parts in order; the one that was opened is not opened again. */
static enum leat_status read_split(struct leat_file *f, struct split *s, struct leat_error *err)
{
	struct leat_map opened = f->map[0];
	uint64_t alignment = 0;
	enum leat_status st = LEAT_OK;
	int kept = 0;
	f->n_maps = 0;
	f->n_meta = f->n_tensors = 0;
	f->tensor_hash = NULL;
	for (int i = 0; i < (int)s->count && st == LEAT_OK; i++) {
		char name[320], shown[96];
		part_name(s, i, name, sizeof name);
		leat_escape(shown, sizeof shown, name, strlen(name));
		kept |= i == s->no;
		st = i == s->no ? leat_file_add_map(f, &opened, err) : leat_file_add_part(f, name, err);
		if (st == LEAT_OK)
			st = read_and_check(f, s, i, err);
		if (st == LEAT_E_NOTFOUND)
			leat_fail(err, st, shown, LEAT_NO_OFFSET,
				  "%s is missing: the model is in %lld files, all in one folder", shown,
				  (long long)s->count);
		else if (st != LEAT_OK)
			leat_err_prefix(err, shown);
		alignment = i ? alignment : f->alignment;
	}
	if (!kept)
		leat_map_close(&opened);
	f->alignment = alignment;
	if (st == LEAT_OK && s->n_tensors >= 0 && f->n_tensors != (uint64_t)s->n_tensors)
		st = leat_fail(err, LEAT_E_FORMAT, "split.tensors.count", LEAT_NO_OFFSET,
			       "the parts hold %llu tensors, wanted %lld", (ull)f->n_tensors, (long long)s->n_tensors);
	return st == LEAT_OK ? leat_file_index(f, err) : st;
}

static enum leat_status parse(struct leat_file *f, struct leat_error *err)
{
	struct reader r = {.f = f, .err = err};
	struct split s = {.count = 1, .n_tensors = -1};
	LEAT_TRY(read_part(&r, 0));
	f->meta = r.meta;
	f->n_meta = f->cap_meta = r.n_meta;
	LEAT_TRY(leat_file_index(f, err));
	LEAT_TRY(leat_meta_int_opt(f, "split.count", 1, LEAT_MAX_PARTS, 1, &s.count, err));
	LEAT_TRY(leat_meta_int_opt(f, "split.no", 0, s.count - 1, 0, &s.no, err));
	LEAT_TRY(leat_meta_int_opt(f, "split.tensors.count", 0, LEAT_MAX_TENSORS, -1, &s.n_tensors, err));
	if (s.count > 1) {
		LEAT_TRY(settle_stem(f, &s, err));
		LEAT_TRY(read_split(f, &s, err));
	} else {
		LEAT_TRY(check_layout(&r));
	}
	settle_adapter(f);
	return LEAT_OK;
}

extern const struct leat_format leat_format_gguf; /* the generated list names it */
const struct leat_format leat_format_gguf = {"gguf", probe, parse};
