/* exec.h - a plan lowered for the CPU: a list of functions over resolved addresses, and where threads must meet. */
#ifndef LEAT_CPU_EXEC_H
#define LEAT_CPU_EXEC_H

#include <stdatomic.h>

#include "base/pool.h"
#include "cpu/kernels.h"
#include "plan/backend.h"

struct leat_cpu_op;

/* Work units u0 <= u < u1 of an op, on worker `worker`. Each unit writes elements of its own, whole. */
typedef void leat_cpu_fn(struct leat_exec *x, const struct leat_cpu_op *o, int worker, int u0, int u1);
/* How many units the op has in this step. */
typedef int leat_cpu_units_fn(const struct leat_exec *x, const struct leat_cpu_op *o);

enum { LEAT_CPU_RANGES = 8 };

/* Bytes that an op reads or writes: hazards are overlaps. State has addresses of its own above all memory. Ops that go
 * by row and use one range in one layout touch each row of it on the same worker. */
struct leat_cpu_range {
	uintptr_t begin, end;
	uintptr_t layout; /* of its rows; 0: the op reads rows of others, or there are none */
};

/* One operand: f32 rows. */
struct leat_cpu_arg {
	float *p;
	size_t stride;
};

struct leat_cpu_op {
	leat_cpu_fn *run;
	leat_cpu_units_fn *units;
	const struct leat_op *op;
	struct leat_cpu_arg y, x[LEAT_OP_INS];
	int rows;         /* enum leat_rows: which count the op runs over */
	int cols;
	const unsigned char *w; /* the op's matrix, where this device reads it */
	int layer, part;  /* as of the op; of the op whose output is prepared */
	int single;       /* too little work to share: worker 0 runs it */
	int by_row;       /* units are rows, and each worker has the same ones in every such op */
	int barrier;      /* all workers meet before it */
	/* products and their preparation */
	int16_t *xq;      /* LEAT_X_I16: prepared activations */
	float *xd, *xs;
	uint16_t *xb;     /* bf16 */
	size_t xq_stride; /* elements of a prepared row */
	int unit_rows;    /* weight rows per unit */
	int looks_ahead;  /* workers claim the next unit before they begin one */
	int n_read, n_write;
	struct leat_cpu_range read[LEAT_CPU_RANGES], write[LEAT_CPU_RANGES];
};

/* One counter per op, a cache line apart from its neighbours so that claims do not disturb each other. */
struct leat_cpu_ticket {
	_Alignas(64) atomic_int next;
};

struct leat_cpu_scratch {
	void *panel;     /* LEAT_PANEL_ROWS * LEAT_PANEL_COLS f32 */
	float *attn;     /* LEAT_ATTN_SCRATCH */
	float *row;      /* reference products: one dequantised row, grown at compile time */
	size_t row_floats;
	int next_unit;   /* what this worker has claimed already, for after the unit that it works on; -1: none */
};

/* Weights copied into huge pages: chunks filled one after the other. */
struct leat_cpu_chunk {
	unsigned char *p;
	size_t bytes, used;
};
enum { LEAT_CPU_CHUNKS = 256 };

struct leat_cpu_weights {
	const unsigned char **at; /* by weight index: the copy, or NULL for the mapped file */
	int cap;
	int n_chunks;
	struct leat_cpu_chunk chunk[LEAT_CPU_CHUNKS];
	uint64_t budget_bytes;    /* that may still be copied */
	int asked;                /* the budget has been settled */
};

struct leat_cpu {
	struct leat_pool *pool;
	struct leat_kernels k;
	unsigned flags;
	int n_threads, mode;
	uint64_t opts;
	struct leat_cpu_scratch *scratch; /* per worker */
	struct leat_cpu_weights weights;
	struct leat_bufpool scratch_pool; /* arenas and prepared activations */
	struct leat_profile *profile;     /* NULL: no times are taken */
};

struct leat_exec {
	struct leat_cpu *cpu;
	const struct leat_plan *plan;
	int n_ops;
	struct leat_cpu_op *op;
	struct leat_cpu_ticket *ticket;
	float *arena;
	unsigned char *prep;   /* prepared activations */
	struct leat_pooled *arena_held, *prep_held;
	struct leat_exec_info info;
	/* of the step that runs */
	const struct leat_step *step;
	const struct leat_state_view *state;
};

/* Zeroed pages, huge where asked and possible. NULL when out of memory. */
void *leat_cpu_pages(size_t bytes, int huge);
void leat_cpu_pages_free(void *p, size_t bytes);

/* weights.c */
enum leat_status leat_cpu_bind(void *dev, const struct leat_weight *w, uint64_t *ret_bytes, struct leat_error *err);
void leat_cpu_unbind_all(struct leat_cpu *c);
/* Where row 0 of the weight is read. */
const unsigned char *leat_cpu_weight(const struct leat_cpu *c, const struct leat_weight *w);

enum leat_status leat_cpu_compile(void *dev, const struct leat_plan *plan, struct leat_exec **ret, size_t *ret_bytes,
				  struct leat_error *err);
void leat_cpu_release(void *dev, struct leat_exec *x);
enum { LEAT_SCRATCH_ARENA, LEAT_SCRATCH_PREP }; /* kinds of pooled buffers: a plan has one of each */

/* Sets run, units, rows of a lowered op by its kind; the table of kinds is in ops_*.c. */
struct leat_cpu_lowering {
	leat_cpu_fn *run;
	leat_cpu_units_fn *units;
	int splits; /* 1: one token's work is worth sharing among threads */
};
const struct leat_cpu_lowering *leat_cpu_lower(int op_kind);

leat_cpu_units_fn leat_cpu_units_rows; /* one unit per row */
leat_cpu_fn leat_cpu_run_product, leat_cpu_run_prep_x16, leat_cpu_run_prep_bf16;
leat_cpu_units_fn leat_cpu_units_product;
leat_cpu_fn leat_cpu_run_shift, leat_cpu_run_wkv7, leat_cpu_run_kv_store, leat_cpu_run_attention;
leat_cpu_units_fn leat_cpu_units_wkv7, leat_cpu_units_attention, leat_cpu_units_shift;

/* How a product with this weight is computed at this many rows. */
enum leat_cpu_rung { LEAT_RUNG_REFERENCE, LEAT_RUNG_MV, LEAT_RUNG_GEMM_F32, LEAT_RUNG_GEMM_BF16 };
enum leat_cpu_rung leat_cpu_rung(const struct leat_cpu *cpu, int quant, int bucket_rows);

#endif
