/* synth_parts.h - what the files of the generator share. */
#ifndef LEAT_BENCH_SYNTH_PARTS_H
#define LEAT_BENCH_SYNTH_PARTS_H

#include "bench/synth.h"
#include "format/gguf_write.h"

/* GGUF tensor types; every other type is one of quant/ as well. */
enum { SYNTH_F32 = 0, SYNTH_F16 = 1, SYNTH_Q8_0 = 8, SYNTH_BF16 = 30 };

enum synth_arch { SYNTH_QWEN2, SYNTH_RWKV7, SYNTH_LLAMA, SYNTH_QWEN3, SYNTH_PHI3 };

struct synth_shape {
	const char *name;
	enum synth_arch arch;
	int n_layer, n_embd, n_ff, n_vocab;
	int n_head, n_kv_head, tied, head_size;   /* all but rwkv7 */
	int rank_w, rank_a, rank_v, rank_g;       /* rwkv7 */
};

enum synth_law { SYNTH_NORMAL, SYNTH_UNIFORM };

struct synth_tensor {
	char name[64];
	int type, n_dims, law;
	int read;                   /* 1: read for every token */
	uint64_t dim[4], n;         /* n: elements */
	float a, b;                 /* normal: mean, deviation; uniform: from, to (equal: constant) */
	uint64_t bytes;
};

struct synth_model {
	const struct synth_shape *shape;
	int type;                    /* of matrices */
	int mix;                     /* 1: some of them finer, as Q4_K_M files are */
	uint32_t ftype;              /* general.file_type */
	struct synth_tensor *tensor; /* heap */
	int n_tensors, cap;
	uint64_t n_params, read_bytes;
	double density;
};

/* shape.c: the list of tensors; the caller frees m->tensor, on failure too. E_ARG for unknown names. */
enum leat_status leat_synth_layout(struct synth_model *m, const char *shape, const char *type, double density,
				   struct leat_error *err);

/* head.c: metadata, vocabulary and tensors, described to a writer; what fails comes out of the writer. */
enum leat_status leat_synth_head(const struct synth_model *m, struct leat_gguf_out *out, struct leat_error *err);

/* fill.c */
struct synth_fill; /* tables, one per kind of tensor */
struct synth_fill *leat_synth_fill_create(const struct synth_model *m);
void leat_synth_fill_destroy(struct synth_fill *f);
/* Elements first .. first+n of a tensor (multiples of 32), as they stand in the file, into out. Depends on seed, tensor
 * index and `first` only. */
void leat_synth_fill(const struct synth_fill *f, int tensor, uint64_t seed, uint64_t first, size_t n,
		     unsigned char *out);
double leat_synth_density(const struct synth_fill *f, const struct synth_model *m, uint64_t seed);
double leat_synth_quantile(double p, double start); /* of the normal distribution, Newton steps from `start` */
size_t leat_synth_bytes(int type, uint64_t n);

#endif
