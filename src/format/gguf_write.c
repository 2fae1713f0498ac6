/* gguf_write.c - the description grows in two buffers (pairs, tensor entries) and is joined when it is complete. */
#include "format/gguf_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "quant/quant.h"

enum { ALIGNMENT = 32, VERSION = 3, BUFFER_BYTES = 1 << 18 };

struct bytes {
	unsigned char *p;
	size_t n, cap;
};

struct entry {
	uint64_t offset, bytes; /* offset: in the data, then in the file */
};

struct leat_gguf_out {
	struct bytes pairs, infos, header;
	struct entry *entry;
	size_t n_pairs, n_tensors, cap_tensors;
	uint64_t data_bytes;     /* of the tensors described so far, padded */
	enum leat_status failed; /* first failure of the description */
	char culprit[96];
	char *path, *temp;
	unsigned char *buffer;
	size_t used; /* of the buffer */
	int fd, overwrite;
	size_t current; /* tensor being written */
	uint64_t done;  /* its bytes so far */
};

static void fail(struct leat_gguf_out *o, enum leat_status status, const char *culprit)
{
	if (o->failed != LEAT_OK)
		return;
	o->failed = status;
	leat_escape(o->culprit, sizeof o->culprit, culprit, strlen(culprit));
}

static void put(struct leat_gguf_out *o, struct bytes *b, const void *p, size_t n)
{
	size_t need;
	if (o->failed != LEAT_OK || n == 0)
		return;
	if (leat_add_size(b->n, n, &need)) {
		fail(o, LEAT_E_NOMEM, "header");
		return;
	}
	if (need > b->cap) {
		size_t cap = need > b->cap * 2 ? need + 1024 : b->cap * 2;
		unsigned char *q = realloc(b->p, cap);
		if (!q) {
			fail(o, LEAT_E_NOMEM, "header");
			return;
		}
		b->p = q;
		b->cap = cap;
	}
	memcpy(b->p + b->n, p, n);
	b->n = need;
}

/* Little-endian, `size` bytes. */
static void put_int(struct leat_gguf_out *o, struct bytes *b, uint64_t v, size_t size)
{
	unsigned char p[8];
	for (size_t i = 0; i < size; i++)
		p[i] = (unsigned char)(v >> 8 * i);
	put(o, b, p, size);
}

static void put_string(struct leat_gguf_out *o, struct bytes *b, const char *s, size_t n)
{
	put_int(o, b, n, 8);
	put(o, b, s, n);
}

static int good_name(const char *s, size_t n, size_t max)
{
	return n >= 1 && n <= max && leat_utf8_is_line(s, n);
}

static void put_key(struct leat_gguf_out *o, const char *key, int type)
{
	size_t n = strlen(key);
	if (!good_name(key, n, LEAT_MAX_NAME_BYTES))
		fail(o, LEAT_E_ARG, key);
	put_string(o, &o->pairs, key, n);
	put_int(o, &o->pairs, (uint64_t)type, 4);
	o->n_pairs++;
}

void leat_gguf_out_u32(struct leat_gguf_out *o, const char *key, uint32_t v)
{
	put_key(o, key, LEAT_META_U32);
	put_int(o, &o->pairs, v, 4);
}

void leat_gguf_out_f32(struct leat_gguf_out *o, const char *key, float v)
{
	uint32_t u;
	memcpy(&u, &v, sizeof u);
	put_key(o, key, LEAT_META_F32);
	put_int(o, &o->pairs, u, 4);
}

void leat_gguf_out_bool(struct leat_gguf_out *o, const char *key, int v)
{
	put_key(o, key, LEAT_META_BOOL);
	put_int(o, &o->pairs, v != 0, 1);
}

void leat_gguf_out_string(struct leat_gguf_out *o, const char *key, const char *s, size_t n)
{
	put_key(o, key, LEAT_META_STRING);
	put_string(o, &o->pairs, s, n);
}

static void put_array(struct leat_gguf_out *o, const char *key, int elem_type, uint64_t n)
{
	put_key(o, key, LEAT_META_ARRAY);
	put_int(o, &o->pairs, (uint64_t)elem_type, 4);
	put_int(o, &o->pairs, n, 8);
}

void leat_gguf_out_strings(struct leat_gguf_out *o, const char *key, const struct leat_str *s, size_t n)
{
	put_array(o, key, LEAT_META_STRING, n);
	for (size_t i = 0; i < n; i++)
		put_string(o, &o->pairs, s[i].s, (size_t)s[i].n);
}

void leat_gguf_out_i32s(struct leat_gguf_out *o, const char *key, const int32_t *v, size_t n)
{
	put_array(o, key, LEAT_META_I32, n);
	for (size_t i = 0; i < n; i++)
		put_int(o, &o->pairs, (uint32_t)v[i], 4);
}

static void put_scalar(struct leat_gguf_out *o, const struct leat_meta *m)
{
	uint64_t u = m->v.u;
	if (m->type == LEAT_META_F32) {
		float f = (float)m->v.f;
		uint32_t bits;
		memcpy(&bits, &f, sizeof bits);
		u = bits;
	} else if (m->type == LEAT_META_F64) {
		memcpy(&u, &m->v.f, sizeof u);
	}
	put_int(o, &o->pairs, u, leat_meta_type_bytes(m->type));
}

void leat_gguf_out_copy(struct leat_gguf_out *o, const struct leat_meta *m)
{
	char key[LEAT_MAX_NAME_BYTES + 1];
	size_t n = m->key.n <= LEAT_MAX_NAME_BYTES ? (size_t)m->key.n : LEAT_MAX_NAME_BYTES;
	memcpy(key, m->key.s, n);
	key[n] = '\0';
	if (m->type == LEAT_META_STRING) {
		leat_gguf_out_string(o, key, m->v.str.s, (size_t)m->v.str.n);
	} else if (m->type != LEAT_META_ARRAY) {
		put_key(o, key, m->type);
		put_scalar(o, m);
	} else if (m->elem_type == LEAT_META_STRING) {
		leat_gguf_out_strings(o, key, m->v.strs, (size_t)m->count);
	} else {
		put_array(o, key, m->elem_type, m->count);
		put(o, &o->pairs, m->v.raw, (size_t)m->count * leat_meta_type_bytes(m->elem_type));
	}
}

/* Bytes of a tensor, 1 if the shape is no good. */
static int tensor_bytes(int type, int n_dims, const uint64_t *dim, uint64_t *ret)
{
	int q = leat_quant_of_type(type);
	uint64_t n = 1, bytes, padded;
	if (q < 0 || n_dims < 1 || n_dims > LEAT_MAX_DIMS)
		return 1;
	const struct leat_quant *format = leat_quant_at(q);
	for (int i = 0; i < n_dims; i++)
		if (dim[i] == 0 || leat_mul_u64(n, dim[i], &n))
			return 1;
	if (dim[0] % (uint64_t)format->block_elems)
		return 1;
	if (leat_mul_u64(n / (uint64_t)format->block_elems, (uint64_t)format->block_bytes, &bytes) ||
	    leat_align_u64(bytes, ALIGNMENT, &padded))
		return 1;
	*ret = bytes;
	return 0;
}

static int grow_entries(struct leat_gguf_out *o)
{
	if (o->n_tensors < o->cap_tensors)
		return 0;
	size_t cap = o->cap_tensors ? o->cap_tensors * 2 : 64;
	struct entry *p = realloc(o->entry, cap * sizeof *p);
	if (!p)
		return 1;
	o->entry = p;
	o->cap_tensors = cap;
	return 0;
}

void leat_gguf_out_tensor(struct leat_gguf_out *o, const char *name, int type, int n_dims, const uint64_t *dim)
{
	uint64_t bytes, end;
	size_t n = strlen(name);
	if (o->failed != LEAT_OK)
		return;
	if (!good_name(name, n, LEAT_MAX_GGUF_NAME_BYTES) || tensor_bytes(type, n_dims, dim, &bytes) ||
	    leat_add_u64(o->data_bytes, bytes, &end) || leat_align_u64(end, ALIGNMENT, &end)) {
		fail(o, LEAT_E_ARG, name);
		return;
	}
	if (grow_entries(o)) {
		fail(o, LEAT_E_NOMEM, name);
		return;
	}
	put_string(o, &o->infos, name, n);
	put_int(o, &o->infos, (uint64_t)n_dims, 4);
	for (int i = 0; i < n_dims; i++)
		put_int(o, &o->infos, dim[i], 8);
	put_int(o, &o->infos, (uint64_t)type, 4);
	put_int(o, &o->infos, o->data_bytes, 8);
	o->entry[o->n_tensors++] = (struct entry){o->data_bytes, bytes};
	o->data_bytes = end;
}

static void join(struct leat_gguf_out *o)
{
	static const unsigned char zeros[ALIGNMENT];
	struct bytes *h = &o->header;
	put(o, h, "GGUF", 4);
	put_int(o, h, VERSION, 4);
	put_int(o, h, o->n_tensors, 8);
	put_int(o, h, o->n_pairs, 8);
	put(o, h, o->pairs.p, o->pairs.n);
	put(o, h, o->infos.p, o->infos.n);
	put(o, h, zeros, (ALIGNMENT - h->n % ALIGNMENT) % ALIGNMENT);
	for (size_t i = 0; i < o->n_tensors; i++)
		o->entry[i].offset += h->n;
}

enum leat_status leat_gguf_out_header(struct leat_gguf_out *o, const unsigned char **ret, size_t *ret_n,
				      struct leat_error *err)
{
	if (o->header.n == 0)
		join(o);
	if (o->failed == LEAT_E_NOMEM)
		return leat_fail(err, LEAT_E_NOMEM, o->culprit, LEAT_NO_OFFSET,
				 "out of memory for the header of a file");
	if (o->failed != LEAT_OK)
		return leat_fail(err, o->failed, o->culprit, LEAT_NO_OFFSET,
				 "'%s': the name, the type or the shape is not one that GGUF can hold", o->culprit);
	*ret = o->header.p;
	*ret_n = o->header.n;
	return LEAT_OK;
}

uint64_t leat_gguf_out_offset(const struct leat_gguf_out *o, size_t i)
{
	return o->entry[i].offset;
}

uint64_t leat_gguf_out_tensor_bytes(const struct leat_gguf_out *o, size_t i)
{
	return o->entry[i].bytes;
}

uint64_t leat_gguf_out_file_bytes(const struct leat_gguf_out *o)
{
	return o->header.n + o->data_bytes;
}

static enum leat_status io_failed(const struct leat_gguf_out *o, const char *doing, struct leat_error *err)
{
	return leat_fail(err, LEAT_E_IO, "output", LEAT_NO_OFFSET, "%s: %s failed (errno %d)", o->path, doing, errno);
}

static enum leat_status write_all(struct leat_gguf_out *o, const unsigned char *p, size_t n, struct leat_error *err)
{
	while (n > 0) {
		ssize_t k = write(o->fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return io_failed(o, "writing", err);
		p += k;
		n -= (size_t)k;
	}
	return LEAT_OK;
}

static enum leat_status flush(struct leat_gguf_out *o, struct leat_error *err)
{
	size_t n = o->used;
	o->used = 0;
	return write_all(o, o->buffer, n, err);
}

static enum leat_status emit(struct leat_gguf_out *o, const void *p, size_t n, struct leat_error *err)
{
	if (n > BUFFER_BYTES - o->used)
		LEAT_TRY(flush(o, err));
	if (n >= BUFFER_BYTES)
		return write_all(o, p, n, err);
	memcpy(o->buffer + o->used, p, n);
	o->used += n;
	return LEAT_OK;
}

enum leat_status leat_gguf_out_begin(struct leat_gguf_out *o, const char *path, int overwrite, struct leat_error *err)
{
	const unsigned char *header;
	size_t n, room = strlen(path) + 64;
	LEAT_TRY(leat_gguf_out_header(o, &header, &n, err));
	o->path = strdup(path);
	o->temp = malloc(room);
	o->buffer = malloc(BUFFER_BYTES);
	if (!o->path || !o->temp || !o->buffer)
		return leat_fail(err, LEAT_E_NOMEM, "output", LEAT_NO_OFFSET, "out of memory for writing");
	o->overwrite = overwrite;
	if (!overwrite && access(path, F_OK) == 0)
		return leat_fail(err, LEAT_E_ARG, "output", LEAT_NO_OFFSET, "%s exists", path);
	/* Not mkstemp: it would make the file unreadable for everybody else, and umask() is no business of a library.
	 */
	snprintf(o->temp, room, "%s.%ld-%llx.tmp", path, (long)getpid(), (unsigned long long)leat_now_ns());
	o->fd = open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (o->fd < 0)
		return io_failed(o, "creating a temporary file beside it", err);
	return emit(o, header, n, err);
}

enum leat_status leat_gguf_out_write(struct leat_gguf_out *o, const void *data, size_t n, struct leat_error *err)
{
	static const unsigned char zeros[ALIGNMENT];
	const unsigned char *p = data;
	while (n > 0) {
		if (o->fd < 0 || o->current == o->n_tensors)
			return leat_fail(err, LEAT_E_ARG, "output", LEAT_NO_OFFSET,
					 "%llu bytes more than the tensors have", (unsigned long long)n);
		uint64_t left = o->entry[o->current].bytes - o->done;
		size_t piece = n < left ? n : (size_t)left;
		LEAT_TRY(emit(o, p, piece, err));
		o->done += piece;
		p += piece;
		n -= piece;
		if (piece == left) {
			LEAT_TRY(emit(o, zeros, (size_t)((ALIGNMENT - o->done % ALIGNMENT) % ALIGNMENT), err));
			o->current++;
			o->done = 0;
		}
	}
	return LEAT_OK;
}

/* A rename lasts only when the folder is on the disk too; a file system that cannot do that is no reason to fail. */
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(folder);
}

static int give_name(const struct leat_gguf_out *o)
{
	if (!o->overwrite) {
		if (renameat2(AT_FDCWD, o->temp, AT_FDCWD, o->path, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EINVAL && errno != ENOSYS) /* those: the file system cannot; begin() has looked already */
			return -1;
	}
	return rename(o->temp, o->path);
}

enum leat_status leat_gguf_out_finish(struct leat_gguf_out *o, struct leat_error *err)
{
	if (o->fd < 0 || o->current != o->n_tensors)
		return leat_fail(err, LEAT_E_ARG, "output", LEAT_NO_OFFSET,
				 "found the data of %zu tensors, wanted that of %zu", o->current, o->n_tensors);
	LEAT_TRY(flush(o, err));
	if (fsync(o->fd) != 0)
		return io_failed(o, "fsync", err);
	int fd = o->fd;
	o->fd = -1;
	if (close(fd) != 0 || give_name(o) != 0) {
		enum leat_status status = io_failed(o, "closing or renaming", err);
		unlink(o->temp);
		return status;
	}
	sync_folder(o->path);
	return LEAT_OK;
}

enum leat_status leat_gguf_out_create(struct leat_gguf_out **ret, struct leat_error *err)
{
	struct leat_gguf_out *o = calloc(1, sizeof *o);
	if (!o)
		return leat_fail(err, LEAT_E_NOMEM, "output", LEAT_NO_OFFSET, "out of memory for writing");
	o->fd = -1;
	*ret = o;
	return LEAT_OK;
}

void leat_gguf_out_destroy(struct leat_gguf_out *o)
{
	if (!o)
		return;
	if (o->fd >= 0) {
		close(o->fd);
		unlink(o->temp);
	}
	free(o->pairs.p);
	free(o->infos.p);
	free(o->header.p);
	free(o->entry);
	free(o->path);
	free(o->temp);
	free(o->buffer);
	free(o);
}
