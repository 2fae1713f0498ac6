/* arch.h - what an architecture file exports: one const struct leat_arch, and nothing else.
 *
 * It names its weights once, with symbolic shapes; the loader finds them in whatever source the model came from, proves
 * each shape and names the culprit. forward() then reads like the paper. docs/HOWTO-arch.md walks through a new one. */
#ifndef LEAT_MODEL_ARCH_H
#define LEAT_MODEL_ARCH_H

#include <stddef.h>

#include "format/file.h"
#include "model/rope.h"
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
	LEAT_D_COUNT
};

/* Axis that a tensor is cut along when ranks share a model. */
enum leat_split { LEAT_SPLIT_NONE, LEAT_SPLIT_ROWS, LEAT_SPLIT_COLS, LEAT_SPLIT_HEADS, LEAT_SPLIT_VOCAB };

enum leat_weight_kind {
	LEAT_W_LINEAR, /* struct leat_linear: [out][in] matrix */
	LEAT_W_BIAS,   /* vector [in], the bias of the struct leat_linear at `offset` */
	LEAT_W_TABLE,  /* struct leat_weight *: looked up by row */
	LEAT_W_VECTOR, /* struct leat_vec: `out` vectors of `in` elements */
	LEAT_W_UNUSED, /* known, of any shape, and not needed */
};

enum {
	LEAT_W_OPTIONAL = 1,       /* may be absent */
	LEAT_W_NOT_FIRST = 2,      /* layer 0 has none or does not use it */
	LEAT_W_TIED_TO_TABLE = 4,  /* absent: the model's token table is used */
};

/* Names are one per source, in the order of enum leat_source; NULL: that source has no such tensor. Names of a layer
 * leave out the source's prefix ("blk.N.", "model.layers.N.", "blocks.N."). Two things a name can say more:
 * - Lines of one table that name the same tensor share it: each takes the next rows (of a vector: elements), in order,
 *   as a view, and together they must take all. So a fused q|k|v needs no copy and no word in forward().
 * - "att.w1^T" is stored [in][out]. A file that has it turned already is taken as it is. */
struct leat_weight_decl {
	const char *name[LEAT_SOURCE_COUNT];
	size_t offset;                       /* in the arch's top or layer struct */
	enum leat_weight_kind kind;
	enum leat_dim in, out;
	enum leat_split split;
	unsigned flags;
};

/* One line of a table: the fields of `type`, with the prefixes of the enums left out, then the names. */
#define LEAT_WEIGHT(type, field, kind, in, out, split, flags, ...)                                            \
	{                                                                                                     \
		{ __VA_ARGS__ }, offsetof(type, field), LEAT_W_##kind, LEAT_D_##in, LEAT_D_##out, LEAT_SPLIT_##split, \
			flags                                                                                 \
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
	struct leat_rope_rule rope_rule;
	int rope_longrope;   /* two sets of frequencies, each with its own divisors */
	int rope_short_ctx;  /* longest sequence that rope.inv_freq serves where rope.long_freq exists; 0: any */
	int window;          /* a query at position p sees keys p - window + 1 .. p; 0: all before it */
};

struct leat_model; /* model/model.h */

/* Defaults for sampling, by family (INTERFACES.md 1.3). */
enum leat_family { LEAT_FAMILY_ATTENTION, LEAT_FAMILY_RWKV };

struct leat_arch {
	const char *name;       /* value of general.architecture in GGUF */
	const char *hf_type[3]; /* values of model_type in config.json; unused ones NULL */
	const char *rwkv_mark;  /* a tensor that only this version of RWKV has, or NULL */
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

/* The key under which a file's source keeps the setting that GGUF calls "ARCH.suffix", into buf; returned. Hugging Face
 * spells some settings in several ways: the one that this file has, else the usual one. */
const char *leat_arch_key(const struct leat_file *f, const char *suffix, char buf[128]);

#endif
