/* gguf_write.h - writing GGUF version 3: describe metadata and tensors, then stream the data in order.
 *
 *   leat_gguf_out_create(&o, err);
 *   leat_gguf_out_string(o, "general.architecture", "qwen2", 5); ...
 *   leat_gguf_out_tensor(o, "output.weight", 8, 2, dim); ...
 *   leat_gguf_out_begin(o, path, 0, err);
 *   leat_gguf_out_write(o, bytes, n, err); ...            // all tensors, in the order they were described, any cuts
 *   leat_gguf_out_finish(o, err);  leat_gguf_out_destroy(o);
 *
 * The describing calls return nothing: the first failure sticks and comes out of begin or header. Whoever writes the
 * file himself (several threads, each at its place) asks for the header and the offsets instead of begin. */
#ifndef LEAT_FORMAT_GGUF_WRITE_H
#define LEAT_FORMAT_GGUF_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "format/file.h"

struct leat_gguf_out;

enum leat_status leat_gguf_out_create(struct leat_gguf_out **ret, struct leat_error *err);
/* NULL allowed. A file that was begun and not finished leaves nothing behind. */
void leat_gguf_out_destroy(struct leat_gguf_out *o);

/* Keys are NUL-terminated printable UTF-8; what they point to is copied. Duplicates are the caller's fault. */
void leat_gguf_out_u32(struct leat_gguf_out *o, const char *key, uint32_t v);
void leat_gguf_out_f32(struct leat_gguf_out *o, const char *key, float v);
void leat_gguf_out_bool(struct leat_gguf_out *o, const char *key, int v);
void leat_gguf_out_string(struct leat_gguf_out *o, const char *key, const char *s, size_t n);
void leat_gguf_out_strings(struct leat_gguf_out *o, const char *key, const struct leat_str *s, size_t n);
void leat_gguf_out_i32s(struct leat_gguf_out *o, const char *key, const int32_t *v, size_t n);
/* A scalar or array of scalars exactly as read from another file (copying metadata). */
void leat_gguf_out_copy(struct leat_gguf_out *o, const struct leat_meta *m);

/* type: GGUF number, known to quant/; dim[0] contiguous, a multiple of the block; 1..4 dimensions. */
void leat_gguf_out_tensor(struct leat_gguf_out *o, const char *name, int type, int n_dims, const uint64_t *dim);

/* Ends the description. Everything before the data, padded to the alignment of 32; borrowed until destroy.
 * E_ARG: a bad name, type or shape was given, by name. E_NOMEM. */
enum leat_status leat_gguf_out_header(struct leat_gguf_out *o, const unsigned char **ret, size_t *ret_n,
				      struct leat_error *err);
/* After header or begin: where tensor i (in order of description) begins in the file, its bytes, the file's bytes. */
uint64_t leat_gguf_out_offset(const struct leat_gguf_out *o, size_t i);
uint64_t leat_gguf_out_tensor_bytes(const struct leat_gguf_out *o, size_t i);
uint64_t leat_gguf_out_file_bytes(const struct leat_gguf_out *o);

/* Opens a temporary file in the folder of `path` and writes the header. E_ARG: `path` exists and `overwrite` is 0; as
 * header; E_IO. */
enum leat_status leat_gguf_out_begin(struct leat_gguf_out *o, const char *path, int overwrite, struct leat_error *err);
/* The next n bytes of tensor data; padding between tensors is added. E_ARG: more than was described; E_IO. */
enum leat_status leat_gguf_out_write(struct leat_gguf_out *o, const void *data, size_t n, struct leat_error *err);
/* Data complete (E_ARG if not), on the disk, under its name: all or nothing. */
enum leat_status leat_gguf_out_finish(struct leat_gguf_out *o, struct leat_error *err);

#endif
