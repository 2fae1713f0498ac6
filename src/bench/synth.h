/* synth.h - model files with random weights in the exact shapes of published models, for timing.
 *
 * The files load in leat and in llama.cpp: real names, metadata and a vocabulary of the right size made of single bytes
 * and numbered words. What they say means nothing. */
#ifndef LEAT_BENCH_SYNTH_H
#define LEAT_BENCH_SYNTH_H

#include "base/err.h"

struct leat_synth_params {
	const char *shape;   /* "qwen2.5-0.5b"; leat_synth_shape_at lists them */
	const char *type;    /* "f32" "q8_0" "q4_k" ...; leat_synth_type_at lists them */
	const char *path;
	uint64_t seed;       /* same seed, same bytes */
	double ffn_density;  /* 0: as it comes. RWKV: part of relu(key)^2 that is not zero, (0, 1) */
	int force;           /* replace an existing file */
	int (*stop)(void);   /* nonzero gives up with E_CANCELLED; NULL: never */
};

struct leat_synth_result {
	uint64_t file_bytes, n_tensors, n_params;
	uint64_t read_bytes_per_token; /* as PERFORMANCE 2.1 counts: blocks and head */
	double seconds;
	double ffn_density;            /* estimated from the weights as written; 0 without that choice */
};

/* E_ARG (shape, type, density, file exists), E_IO, E_NOMEM. Nothing remains of a file that failed. */
enum leat_status leat_synth_write(const struct leat_synth_params *p, struct leat_synth_result *ret,
				  struct leat_error *err);

/* Sizes only. */
enum leat_status leat_synth_plan(const char *shape, const char *type, struct leat_synth_result *ret,
				 struct leat_error *err);

/* Index 0.. until NULL. */
const char *leat_synth_shape_at(int index);
const char *leat_synth_type_at(int index);

#endif
