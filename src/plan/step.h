/* step.h - what changes from step to step: one contiguous block of fixed layout, filled by the engine, read by
 * backends.
 *
 * A plan is recorded for buckets; the block says how much of the bucket is real. It is a set of arrays at fixed offsets
 * in one allocation, so that a device copies it in one piece and a captured graph reads it at a fixed address. Later
 * kinds of per-step data (adapters per row, sampler parameters per output) are further arrays: nothing moves. */
#ifndef LEAT_PLAN_STEP_H
#define LEAT_PLAN_STEP_H

#include <stddef.h>
#include <stdint.h>

/* One sequence's tokens in this step: rows first .. first + n - 1 of the token arrays, in order. */
struct leat_step_seq {
	int32_t first, n;
	int32_t slot;       /* row of the page tables */
	int32_t state_in;   /* recurrent cell that is read; -1: a zero state */
	int32_t state_out;  /* cell that is written, != state_in: committed only when the engine accepts the step */
	int32_t adapter;    /* -1: none */
	int32_t rope_long;  /* 1: its rotary angles come from leat_rope.long_freq, where the model has them */
	/* Inputs that are rows of numbers instead of ids, [n][width], host memory: id -1 - i stands for row i. NULL:
	 * none. */
	const float *raw;
};

/* Copy the recurrent state as it is after row `row` into `cell`. */
struct leat_checkpoint {
	int32_t row, cell;
};

/* What a plan with hooks calls out with, at an op of kind hook: all real rows of its buffer, row r at data +
 * r * stride, which may be changed. On the thread that submitted, or one that stands for it: never two calls at once.
 */
struct leat_step_call {
	int point, layer, rows; /* index, block, enum leat_rows */
	int cols, state;        /* floats of a row; per-sequence state tensor that was written just before, -1: none */
	float *data;
	size_t stride;          /* floats */
};
typedef void leat_step_hook_fn(void *arg, const struct leat_step_call *call);

struct leat_step {
	int32_t n_tokens, n_seqs, n_outputs, n_checkpoints;
	int32_t cap_tokens, cap_seqs, cap_outputs, cap_checkpoints;
	int32_t n_vocab;    /* ids that a softmax runs over; 0: all columns */
	int32_t *id;        /* [n_tokens] token ids, or below 0: leat_step_seq.raw */
	int32_t *pos;       /* [n_tokens] absolute positions */
	int32_t *seq_of;    /* [n_tokens] index into seq */
	int32_t *out_row;   /* [n_outputs] the token row that each output row shows, ascending */
	struct leat_step_seq *seq;               /* [n_seqs] */
	struct leat_checkpoint *checkpoint;      /* [n_checkpoints], rows ascending */
	leat_step_hook_fn *hook;                 /* with a plan that has hooks */
	void *hook_arg;
	void *block;        /* the allocation that the arrays live in */
	size_t block_bytes;
};

/* Zeroed arrays of the given capacities. Returns 1 when out of memory. */
int leat_step_init(struct leat_step *s, int cap_tokens, int cap_seqs, int cap_outputs, int cap_checkpoints);
void leat_step_deinit(struct leat_step *s);

/* How rows of per-token tensors are kept. Q8_0: blocks of 32 elements as in quant/q8_0.h, so their number must be a
 * multiple of that. */
enum leat_kv_type { LEAT_KV_F16, LEAT_KV_F32, LEAT_KV_Q8_0, LEAT_KV_TYPES };
enum { LEAT_KV_BLOCK = 32, LEAT_KV_BLOCK_BYTES = 34 };
/* Bytes of one row of `cols` elements. */
static inline size_t leat_kv_row_bytes(int kv_type, size_t cols)
{
	return kv_type == LEAT_KV_Q8_0 ? cols / LEAT_KV_BLOCK * LEAT_KV_BLOCK_BYTES
	       : kv_type == LEAT_KV_F16 ? cols * 2 : cols * 4;
}

/* Where a backend finds state: filled by state/, which owns the memory. */
enum { LEAT_MAX_STATE_TENSORS = 8 };
struct leat_state_view {
	/* Per-sequence tensors: element block of (cell, tensor, layer) at
	 * cells + cell * cell_floats + cell_offset[tensor] + layer * cell_layer[tensor], f32. */
	float *cells;
	size_t cell_floats;
	size_t cell_offset[LEAT_MAX_STATE_TENSORS], cell_layer[LEAT_MAX_STATE_TENSORS];
	/* Per-token tensors, in pages of page_tokens rows: head h of (page, tensor, layer) at
	 * pages + page * page_bytes + page_offset[tensor] + layer * page_layer[tensor] + h * page_head[tensor]. */
	unsigned char *pages;
	size_t page_bytes;
	size_t page_offset[LEAT_MAX_STATE_TENSORS], page_layer[LEAT_MAX_STATE_TENSORS];
	size_t page_head[LEAT_MAX_STATE_TENSORS];
	int page_tokens, kv_type;
	const int32_t *page_table; /* [slot][page_table_cols] */
	int page_table_cols;
};

static inline float *leat_state_cell(const struct leat_state_view *v, int tensor, int layer, int cell)
{
	return v->cells + (size_t)cell * v->cell_floats + v->cell_offset[tensor] +
	       (size_t)layer * v->cell_layer[tensor];
}

#endif
