/* mkbad.h - small model files made in memory, right in every field until a test overrides one.
 *
 *   struct mk *m = mk_create(MK_QWEN2);
 *   mk_tensor(m, "output_norm.weight")->dim[0] = 0;         // any field, as it will stand in the file
 *   unsigned char *bytes = mk_encode(m, &n);                // exactly what the structure says, nothing corrected
 *
 * All models have random weights (the same every time) and a tokenizer, so what loads can also be run. */
#ifndef LEAT_TESTS_HOSTILE_MKBAD_H
#define LEAT_TESTS_HOSTILE_MKBAD_H

#include <stddef.h>
#include <stdint.h>

/* MK_LLAMA: biases, divisors of the frequencies, a window of 12. MK_PHI3: fused tensors, longrope from 24 tokens on.
 * MK_QWEN3: norms of heads, heads wider than the model. */
enum mk_kind { MK_QWEN2, MK_RWKV7, MK_LLAMA, MK_PHI3, MK_QWEN3, MK_KINDS };
enum { MK_MAX_PAIRS = 64, MK_MAX_TENSORS = 128, MK_MAX_BORDERS = 2048, MK_MAX_DIMS = 8 };

/* Numbered as in GGUF. */
enum { MK_U8, MK_I8, MK_U16, MK_I16, MK_U32, MK_I32, MK_F32, MK_BOOL, MK_STRING, MK_ARRAY, MK_U64, MK_I64, MK_F64 };

struct mk_pair {
	char *key;
	uint64_t key_bytes;      /* held in `key` */
	uint64_t key_length;     /* as declared */
	uint32_t type;
	unsigned char *value;    /* encoded */
	size_t value_bytes;
};

struct mk_tensor {
	char *name;
	uint64_t name_bytes, name_length;
	uint32_t n_dims;         /* as declared */
	uint32_t written_dims;   /* how many of dim[] are written */
	uint64_t dim[MK_MAX_DIMS];
	uint32_t type;
	uint64_t offset;
	uint64_t data_bytes;     /* that the true shape takes */
};

struct mk {
	unsigned char magic[4];
	uint32_t version;
	uint64_t n_tensors, n_pairs; /* as declared */
	int pairs, tensors;          /* as written */
	struct mk_pair pair[MK_MAX_PAIRS];
	struct mk_tensor tensor[MK_MAX_TENSORS];
	uint64_t alignment;
	unsigned char *data;         /* of all tensors, in their order */
	uint64_t data_bytes;
	uint64_t tail_bytes;         /* of 0xA5 after the data */
	size_t border[MK_MAX_BORDERS]; /* after encode: where fields begin */
	int n_borders;
	size_t data_at;              /* after encode: where the data begins */
};

/* The valid model. Every count, length and offset is set; edit, then encode. Aborts the test when memory is short. */
struct mk *mk_create(enum mk_kind kind);
void mk_destroy(struct mk *m);

/* NULL if there is none. */
struct mk_pair *mk_pair(struct mk *m, const char *key);
struct mk_tensor *mk_tensor(struct mk *m, const char *name);

/* Replaces the value of a key, or appends it and counts it. */
void mk_set_raw(struct mk *m, const char *key, uint32_t type, const void *value, size_t n);
void mk_set_int(struct mk *m, const char *key, uint32_t type, uint64_t v);
void mk_set_f32(struct mk *m, const char *key, float v);
void mk_set_string(struct mk *m, const char *key, const char *s, size_t n);
/* An array: `bytes` are its encoded elements, `count` what it declares. */
void mk_set_array(struct mk *m, const char *key, uint32_t elem_type, uint64_t count, const void *bytes, size_t n);
/* An array of n strings, each NUL-terminated. */
void mk_set_strings(struct mk *m, const char *key, const char *const *s, size_t n);
void mk_remove_pair(struct mk *m, const char *key);
/* Appends, whether or not the key is there already. */
struct mk_pair *mk_add_pair(struct mk *m, const char *key, uint32_t type, const void *value, size_t n);

void mk_rename(struct mk_tensor *t, const char *name, size_t n);
void mk_rekey(struct mk_pair *p, const char *key, size_t n);
/* Appends a tensor of shape dim[n_dims] and type 0 (F32), 1 (F16), 8 (Q8_0) or 30 (BF16), with random data. */
struct mk_tensor *mk_add_tensor(struct mk *m, const char *name, uint32_t type, uint32_t n_dims, const uint64_t *dim);
/* Takes a tensor's entry out; its data stays as a gap. */
void mk_remove_tensor(struct mk *m, const char *name);
/* The data of a tensor as it is in m->data. */
unsigned char *mk_data(struct mk *m, const struct mk_tensor *t);

/* The file (free). */
unsigned char *mk_encode(struct mk *m, size_t *ret_n);

#endif
