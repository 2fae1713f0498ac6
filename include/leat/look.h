/* look.h - looking around: files, this machine, this build. Part of <leat/leat.h>. */
#ifndef LEAT_LOOK_H
#define LEAT_LOOK_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- files ------------------------------------------------------------------------------------------------- */

/* A model file's contents without understanding the model: works for architectures that leat cannot run. May be used
 * by any threads at once. */
struct leat_inspect;

/* Opens a file as leat_model_open does, as far as its container goes. The same errors. */
LEAT_API enum leat_status leat_inspect_open(const char *path, struct leat_inspect **ret, struct leat_error *err);

/* NULL is fine. */
LEAT_API void leat_inspect_close(struct leat_inspect *i);

/* What a file is. */
struct leat_inspect_info {
	uint32_t struct_size;
	uint32_t version;      /* of the container's form */
	char container[16];    /* "GGUF" */
	uint64_t file_bytes;   /* of all its files */
	uint64_t n_meta, n_tensors; /* entries of leat_inspect_meta and leat_inspect_tensor */
	uint64_t alignment;    /* of tensors in the file, bytes */
};

/* Fills *ret, as far as ret->struct_size says that the caller knows it. */
LEAT_API void leat_inspect_get_info(const struct leat_inspect *i, struct leat_inspect_info *ret);

/* Key, type name and printable value (shortened to fit) of entry `index` < n_meta, each NUL-terminated and cut at its
 * _cap bytes (at least 1). LEAT_E_ARG: there is no such entry. */
LEAT_API enum leat_status leat_inspect_meta(const struct leat_inspect *i, uint64_t index, char *key, size_t key_cap,
					    char *type, size_t type_cap, char *value, size_t value_cap);

/* One tensor of a file. */
struct leat_tensor_info {
	uint32_t struct_size;
	int32_t n_dims;          /* of dim that count */
	uint64_t dim[4];         /* dim[0] is contiguous; 1 beyond n_dims */
	uint64_t offset, bytes;  /* in its file */
	char name[128];          /* printable, shortened to fit */
	char type[24];           /* "Q8_0", "F32" ... */
};

/* Tensor `index` < n_tensors, as far as ret->struct_size says that the caller knows it. LEAT_E_ARG: no such tensor. */
LEAT_API enum leat_status leat_inspect_tensor(const struct leat_inspect *i, uint64_t index,
					      struct leat_tensor_info *ret);

/* ---- this machine and this build --------------------------------------------------------------------------- */

/* What there is to compute with. */
struct leat_system_info {
	uint32_t struct_size;
	uint32_t cpu_flags;  /* usable instruction sets, a bit each in the order of cpu_sets: 1 avx2, 2 avx512,
			      * 4 avx512vnni, 8 avx512bf16, 16 amx */
	int32_t n_cpus;      /* allowed by affinity and cgroup quota */
	int32_t reserved0;   /* zero */
	char cpu[96];        /* as the processor names itself */
	char cpu_sets[96];   /* names of cpu_flags, a space between; "scalar" if there are none */
	uint64_t memory_bytes, memory_free_bytes; /* what this process may have, cgroup limits counted */
};

/* Fills *ret, as far as ret->struct_size says that the caller knows it. Any thread. */
LEAT_API void leat_get_system_info(struct leat_system_info *ret);

/* A switch of leat_engine_params.opts. */
struct leat_opt_info {
	const char *name;       /* static */
	const char *help;       /* what it does, one line; static */
	int32_t on_by_default;  /* 1 or 0 */
};

/* Switch `index`, from 0 until NULL; static. */
LEAT_API const struct leat_opt_info *leat_opt_at(int32_t index);

/* Name of the architecture `index` that this build runs, from 0 until NULL; static. */
LEAT_API const char *leat_arch_name_at(int32_t index);

/* Name of the weight type `index` that this build reads, from 0 until NULL; static. */
LEAT_API const char *leat_type_name_at(int32_t index);

#ifdef __cplusplus
}
#endif
#endif
