/* plan.h - a step as data: a list of ops over buffers whose places in one arena are settled.
 *
 * Recorded once per key by running an architecture's forward(); lowered by a backend; replayed for every step that
 * rounds up to the key. Immutable after leat_plan_finish. */
#ifndef LEAT_PLAN_PLAN_H
#define LEAT_PLAN_PLAN_H

#include "base/arena.h"
#include "base/err.h"
#include "plan/rope.h"
#include "plan/weight.h"

enum leat_op_kind {
#define X(name) LEAT_OP_##name,
#include "plan/ops.def"
#undef X
	LEAT_OP_COUNT
};

const char *leat_op_name(int kind);

/* Everything that changes the ops or their shapes, and nothing else: positions, slots, pages, adapters and which rows
 * are wanted are data of the step block. Compared bytewise: no padding, zero what is unused. */
struct leat_plan_key {
	int32_t tokens, seqs, outputs, splits; /* buckets */
	uint32_t variant;                      /* LEAT_VARIANT_... */
	int32_t mode;                          /* enum leat_mode */
	int32_t kv_type;
	int32_t window;                        /* attention sees so many keys, if the model says more; 0: as it says */
	uint64_t hooks;                        /* points at which the step calls out, bits by their index; 0: none */
	int32_t align, reserved;               /* floats that rows of buffers are a multiple of, 0: 16; zero */
	uint64_t opts;                         /* switches that are on */
};
enum {
	LEAT_VARIANT_ADAPTERS = 1,
	LEAT_VARIANT_EMBEDDING = 2, /* the result is what the head would read, and no head is computed */
	LEAT_VARIANT_PROBS = 4,     /* the result is the softmax of the logits */
};

/* What a model does with an op, for those who ask where the time goes: norms, rope and the embedding are told by their
 * kind, the rest by this. */
enum leat_part {
	LEAT_PART_OTHER,
	LEAT_PART_ATTENTION,
	LEAT_PART_TIME_MIX,
	LEAT_PART_FEED_FORWARD,
	LEAT_PART_HEAD,
};

/* Rows of a buffer: one per token of the step, or one per output row. */
enum leat_rows { LEAT_ROWS_TOKENS, LEAT_ROWS_OUTPUTS };

/* f32 [rows][cols], row r at offset + r * stride (in floats, 64-byte aligned). */
struct leat_buf {
	int rows;             /* enum leat_rows */
	int cols;
	int stride;           /* floats */
	int first_op, last_op; /* live range; first_op -1 until written */
	int is_result;        /* lives on after the step */
	size_t offset;        /* floats from the arena's start */
};

enum { LEAT_OP_INS = 6, LEAT_OP_VECS = 2 };

struct leat_op {
	int kind;
	int layer;                        /* block that it belongs to, -1 outside; names spans and state */
	int part;                         /* enum leat_part */
	int n_in;
	int in[LEAT_OP_INS];              /* buffer indexes */
	int out;                          /* buffer index, -1: writes state only. May equal an input: in place */
	const struct leat_weight *w;
	const struct leat_vec *v[LEAT_OP_VECS];
	const struct leat_rope *rope;
	int i[5];                         /* by kind, named at the recorder functions */
	float f[2];
	int state;                        /* state tensor index, -1: none */
};

/* A place in the step that has a name. Its index is the order in which forward() first comes by, the same in every plan
 * of a model. */
struct leat_point {
	const char *name;            /* static */
	int cols, rows;              /* of the buffer; enum leat_rows */
	int first_layer, last_layer; /* -1: outside the layers */
	int state;                   /* per-sequence state tensor that has just been written there; -1: none */
};
enum { LEAT_MAX_POINTS = 64 };

struct leat_plan {
	struct leat_plan_key key;
	int n_ops, n_bufs;
	int n_points;
	struct leat_point *point; /* with hooks: all points of forward(), hooked or not; else NULL */
	struct leat_op *op;
	struct leat_buf *buf;
	int result;           /* buffer of the logits [outputs][n_rows] */
	size_t arena_floats;  /* for the key's buckets */
};

/* Rows of a buffer at the plan's buckets. */
int leat_buf_rows(const struct leat_plan *p, const struct leat_buf *b);

/* Settles live ranges and places; called by the recorder. */
void leat_plan_layout(struct leat_plan *p);

void leat_plan_destroy(struct leat_plan *p); /* NULL allowed */

/* Smallest bucket >= n: 1, 2, 4, 8, 16, 32, 64, 96, 128, ... in steps of 32 up to `most`. */
int leat_bucket_tokens(int n, int most);
/* Powers of two up to `most`. */
int leat_bucket_rows(int n, int most);

#endif
