/* file.h - one frozen, range-checked description of a model file, whatever container it came in.
 *
 * Untrusted bytes are parsed once, by one reader per container, into this structure; nothing behind it looks at raw
 * metadata again. After leat_file_open every name is unique printable UTF-8, every tensor has a known type, a size that
 * equals its shape, and bytes that lie inside the file; arrays have one known element type. Immutable and shareable
 * between threads. */
#ifndef LEAT_FORMAT_FILE_H
#define LEAT_FORMAT_FILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"

enum { LEAT_MAX_DIMS = 4, LEAT_MAX_KEYS = 65536, LEAT_MAX_TENSORS = 65536, LEAT_MAX_NAME_BYTES = 65535,
	LEAT_MAX_TENSOR_NAME_BYTES = 256, LEAT_MAX_GGUF_NAME_BYTES = 64, LEAT_MAX_STRINGS = 1 << 24,
	LEAT_MAX_PARTS = 4096 };

/* Numbered as in GGUF (the GGUF specification, "gguf_metadata_value_type"). */
enum leat_meta_type {
	LEAT_META_U8, LEAT_META_I8, LEAT_META_U16, LEAT_META_I16, LEAT_META_U32, LEAT_META_I32, LEAT_META_F32,
	LEAT_META_BOOL, LEAT_META_STRING, LEAT_META_ARRAY, LEAT_META_U64, LEAT_META_I64, LEAT_META_F64,
	LEAT_META_COUNT
};

struct leat_str {
	const char *s; /* not NUL-terminated; borrowed from the file */
	uint64_t n;
};

/* A metadata value. Scalars sit in u/i/f by type; arrays of scalars are raw little-endian elements (possibly unaligned:
 * read them by leat_meta_array_*); arrays of strings have an index of strings. Arrays of arrays do not occur: readers
 * refuse them. */
struct leat_meta {
	struct leat_str key;
	int type;          /* enum leat_meta_type */
	int elem_type;     /* of an array */
	uint64_t count;    /* of an array */
	uint64_t offset;   /* of the value in the file, for messages */
	union {
		uint64_t u;
		int64_t i;
		double f;
		struct leat_str str;
		const unsigned char *raw;
		const struct leat_str *strs;
	} v;
};

struct leat_tensor {
	struct leat_str name;
	int type;                     /* GGUF tensor type or LEAT_TYPE_...: its layout is known, maybe no more */
	int n_dims;                   /* 1..4 */
	uint64_t dim[LEAT_MAX_DIMS];  /* dim[0] is contiguous (columns); unused ones are 1; all >= 1 */
	int part;                     /* which of the model's files, index into map[] */
	uint64_t offset;              /* of the first byte in that file */
	uint64_t bytes;
	const void *data;             /* borrowed from the mapping; of any alignment */
};

/* Whose names the tensors and settings carry. */
enum leat_source {
	LEAT_SOURCE_GGUF, /* blk.N.attn_q.weight; settings under ARCH.* */
	LEAT_SOURCE_HF,   /* Hugging Face: model.layers.N.self_attn.q_proj.weight; config.json flattened to config.* */
	LEAT_SOURCE_RWKV, /* RWKV-LM: blocks.N.att.receptance.weight; no settings, sizes follow from the tensors */
	LEAT_SOURCE_COUNT
};

struct leat_file {
	char *path;                   /* as the caller gave it: a file or a folder */
	enum leat_source source;
	int is_adapter;               /* 1: corrections to a model (LoRA), no model */
	const char *container;        /* "gguf", "safetensors" */
	uint32_t version;
	uint64_t alignment;
	struct leat_map *map;         /* the model's files, in their order */
	int n_maps;                   /* >= 1 */
	int dir_fd;                   /* the folder they are in, -1: none */
	int is_loaded;                /* 1: the tensors' bytes are memory, not pages of a file that come back */
	struct leat_arena arena;      /* everything below lives here */
	uint64_t n_meta, n_tensors, cap_meta, cap_tensors;
	struct leat_meta *meta;       /* in file order */
	struct leat_tensor *tensor;   /* in file order; of several files one after the other */
	uint32_t *meta_hash, *tensor_hash; /* open addressing, index + 1, 0 = empty; private to index.c */
	uint64_t meta_mask, tensor_mask;
	uint64_t hash_key[2];         /* random: nobody can write a file whose names collide */
	uint64_t gap_bytes;           /* between tensors, beyond what alignment asks for: harmless, but odd */
	uint64_t tail_bytes;          /* after the last tensor */
};

/* One container format: a file src/format/fmt_NAME.c exports `const struct leat_format leat_format_NAME`. */
struct leat_format {
	const char *name;
	/* 1 if the first bytes (up to 64, may be fewer) look like this container. */
	int (*probe)(const unsigned char *bytes, size_t n);
	/* Fills a zeroed *f whose path, folder and first map are set. On failure the caller closes f. */
	enum leat_status (*parse)(struct leat_file *f, struct leat_error *err);
};
extern const struct leat_format *const leat_format_list[]; /* generated, NULL at the end */

/* Short form of an input string for messages, into buf; returned. Names that are too long end in "...". */
const char *leat_str_show(struct leat_str s, char buf[96]);
int leat_str_is(struct leat_str s, const char *word); /* 1 if equal */

/* Opens, recognises and parses `path`: a GGUF file (any part of a split one), a safetensors file, its index, or a
 * folder of Hugging Face's layout. The configuration files beside safetensors become metadata: config.json as
 * "config.hidden_size", "config.rope_scaling.factor", generation_config.json as "generation.", tokenizer_config.json as
 * "tokenizer_config.", __metadata__ as "metadata."; null is left out, lists of objects are numbered ("a.0.b"). Errors:
 * E_NOTFOUND, E_ARG (neither regular file nor model folder), E_IO, E_FORMAT, E_UNSUPPORTED (right file, unknown type or
 * version; legacy containers are named), E_LIMIT, E_NOMEM. */
enum leat_status leat_file_open(const char *path, struct leat_file **ret, struct leat_error *err);

/* The same over bytes in memory (borrowed until close): for tests and fuzzing. `name` appears in messages. */
enum leat_status leat_file_open_memory(const char *name, const void *bytes, size_t n, struct leat_file **ret,
				       struct leat_error *err);
void leat_file_close(struct leat_file *f); /* NULL allowed */

/* Opens a file beside the model, by its plain name. Other folders are out of reach: a name with '/' is refused (E_ARG),
 * so is a symbolic link (E_FORMAT) unless it leads to a name in the same folder or, as in Hugging Face's cache, to
 * ../../blobs/NAME. E_NOTFOUND: there is none. *ret is the caller's, for leat_map_close. */
enum leat_status leat_file_sibling(const struct leat_file *f, const char *name, struct leat_map *ret,
				   struct leat_error *err);

/* Bytes of all the model's files. */
uint64_t leat_file_bytes(const struct leat_file *f);
/* Brings the tensors' bytes in (base/map.h: leat_map_load); the metadata stays as it was checked. */
enum leat_status leat_file_load(struct leat_file *f, enum leat_map_how how, leat_map_progress_fn *progress, void *user,
				struct leat_error *err);
/* Bytes that leat_file_load brings in, but for what a page holds. */
uint64_t leat_file_tensor_bytes(const struct leat_file *f);
/* Asks the system to read the tensors ahead; a hint. */
void leat_file_will_need(const struct leat_file *f);

/* 1: the tensors' bytes are mapped files whose pages can be let go, 0: memory. */
int leat_file_is_mapped(const struct leat_file *f);

/* NULL if absent. */
const struct leat_meta *leat_file_meta(const struct leat_file *f, const char *key);
const struct leat_tensor *leat_file_tensor(const struct leat_file *f, const char *name);

/* Typed access. E_FORMAT if the key is absent (naming it), of another type, or outside [lo, hi]; any integer type is
 * accepted for an integer, and for a float where the numbers came from JSON. The _opt forms return `dflt` when the key
 * is absent. Floats must be finite and in range. */
enum leat_status leat_meta_int(const struct leat_file *f, const char *key, int64_t lo, int64_t hi, int64_t *ret,
			       struct leat_error *err);
enum leat_status leat_meta_int_opt(const struct leat_file *f, const char *key, int64_t lo, int64_t hi, int64_t dflt,
				   int64_t *ret, struct leat_error *err);
enum leat_status leat_meta_float(const struct leat_file *f, const char *key, double lo, double hi, double *ret,
				 struct leat_error *err);
enum leat_status leat_meta_float_opt(const struct leat_file *f, const char *key, double lo, double hi, double dflt,
				     double *ret, struct leat_error *err);
enum leat_status leat_meta_bool_opt(const struct leat_file *f, const char *key, int dflt, int *ret,
				    struct leat_error *err);
enum leat_status leat_meta_string(const struct leat_file *f, const char *key, struct leat_str *ret,
				  struct leat_error *err);

/* An array of strings / of integers / of floats (f32, f64; integers count as floats where the numbers came from JSON).
 * *ret is NULL when the key is absent (and that is LEAT_OK). */
enum leat_status leat_meta_strings_opt(const struct leat_file *f, const char *key, const struct leat_meta **ret,
				       struct leat_error *err);
enum leat_status leat_meta_ints_opt(const struct leat_file *f, const char *key, const struct leat_meta **ret,
				    struct leat_error *err);
enum leat_status leat_meta_floats_opt(const struct leat_file *f, const char *key, const struct leat_meta **ret,
				      struct leat_error *err);
/* Element i < m->count of an array of integers or of floats. */
int64_t leat_meta_int_at(const struct leat_meta *m, uint64_t i);
float leat_meta_float_at(const struct leat_meta *m, uint64_t i);

/* "u32", "[string]" ...: the type of a value, for messages and listings. */
const char *leat_meta_type_name(int type);

/* Bytes of a scalar in a file; 0 for strings, arrays and what is no type. */
size_t leat_meta_type_bytes(int type);

/* A metadata value as one printable line (arrays shortened) into dst. */
void leat_meta_print(const struct leat_meta *m, char *dst, size_t cap);

#endif
