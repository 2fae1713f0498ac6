/* arch.h - what an architecture file exports: one const struct leat_arch, and nothing else.
 *
 * It names its weights once, with symbolic shapes; the loader finds them in whatever source the model came from, proves
 * each shape and names the culprit. forward() then reads like the paper. docs/HOWTO-arch.md walks through a new one. */
#ifndef LEAT_MODEL_ARCH_H
#define LEAT_MODEL_ARCH_H

#include <stddef.h>

#include "format/file.h"
#include "plan/record.h"

/* Symbols that weight and state shapes are written in. config() fills those that it uses; 0 means "not known yet":
 * taken from the first tensor that shows it, then held against every other. */
enum leat_dim {
	LEAT_D_ONE,   /* 1 */
	LEAT_D_VOCAB, /* rows of the embedding */
	LEAT_D_EMBD,
	LEAT_D_FF,
	LEAT_D_Q,     /* heads * head size */
	LEAT_D_KV,    /* key/value heads * head size */
	LEAT_D_HEADS,
	LEAT_D_KV_HEADS,
	LEAT_D_HEAD,  /* elements of a head */
	LEAT_D_WKV,   /* heads * head size^2 */
	LEAT_D_RANK_W, LEAT_D_RANK_A, LEAT_D_RANK_V, LEAT_D_RANK_G, /* RWKV low-rank matrices */
	LEAT_D_SIX,   /* 6: RWKV-7's fused token-shift weights */
	LEAT_D_COUNT
};

/* Axis that a tensor is cut along when ranks share a model. */
enum leat_split { LEAT_SPLIT_NONE, LEAT_SPLIT_ROWS, LEAT_SPLIT_COLS, LEAT_SPLIT_HEADS, LEAT_SPLIT_VOCAB };

enum leat_weight_kind {
	LEAT_W_LINEAR, /* struct leat_linear: [out][in] matrix */
	LEAT_W_BIAS,   /* vector [out], the bias of the struct leat_linear at `offset` */
	LEAT_W_TABLE,  /* struct leat_weight *: looked up by row */
	LEAT_W_VECTOR, /* struct leat_vec: `out` vectors of `in` elements */
};

enum {
	LEAT_W_OPTIONAL = 1,       /* may be absent */
	LEAT_W_NOT_FIRST = 2,      /* layer 0 has none or does not use it */
	LEAT_W_TIED_TO_TABLE = 4,  /* absent: the model's token table is used */
};

struct leat_weight_decl {
	const char *name[LEAT_SOURCE_COUNT]; /* layers: without the "blk.N." prefix */
	size_t offset;                       /* in the arch's top or layer struct */
	enum leat_weight_kind kind;
	enum leat_dim in, out;
	enum leat_split split;
	unsigned flags;
};

/* One line of a table: the fields of `type`, with the prefixes of the enums left out. */
#define LEAT_WEIGHT(type, name, field, kind, in, out, split, flags)                                        \
	{                                                                                                  \
		{ name }, offsetof(type, field), LEAT_W_##kind, LEAT_D_##in, LEAT_D_##out, LEAT_SPLIT_##split, flags \
	}

/* A tensor that a sequence carries from token to token, for each layer. */
struct leat_state_decl {
	const char *name;
	int per_token;              /* 1: a row for each token, in heads; 0: one f32 block for the sequence */
	enum leat_dim heads, cols;  /* blocks: heads is LEAT_D_ONE */
	enum leat_split split;
};

struct leat_config {
	int dim[LEAT_D_COUNT];
	int n_layer;
	int n_ctx;           /* that the model was made for, 0: no limit */
	float eps;           /* of the norms */
	struct leat_rope rope; /* n_rot 0: none */
	double rope_base;
	int rope_short_ctx;  /* longest sequence that rope.inv_freq serves where rope.long_freq exists; 0: any */
};

struct leat_model; /* model/model.h */

/* Defaults for sampling, by family (INTERFACES.md 1.3). */
enum leat_family { LEAT_FAMILY_ATTENTION, LEAT_FAMILY_RWKV };

struct leat_arch {
	const char *name;    /* value of general.architecture */
	enum leat_family family;
	size_t top_size, layer_size; /* of its structs of weights */
	const struct leat_weight_decl *top, *layer;
	int n_top, n_layer;
	const struct leat_state_decl *state;
	int n_state;
	/* Reads the metadata of a file into a zeroed *p; proves ranges. E_FORMAT, E_UNSUPPORTED. */
	enum leat_status (*config)(struct leat_config *p, const struct leat_file *f, struct leat_error *err);
	/* Records one step and returns the logits [O][vocabulary rows]. */
	struct leat_buf *(*forward)(struct leat_rec *c, const struct leat_model *m);
};
/* The members of a descriptor that follow from `struct top`, `struct layer` and the tables top, layer and state. */
#define LEAT_ARCH_TABLES                                                                            \
	.top_size = sizeof(struct top), .layer_size = sizeof(struct layer), .top = top, .layer = layer,   \
	.n_top = sizeof top / sizeof *top, .n_layer = sizeof layer / sizeof *layer, .state = state,       \
	.n_state = sizeof state / sizeof *state
extern const struct leat_arch *const leat_arch_list[]; /* generated, NULL at the end */

/* The key of an architecture's metadata, "ARCH.suffix", into buf; returned. */
const char *leat_arch_key(const struct leat_file *f, const char *suffix, char buf[128]);

#endif
