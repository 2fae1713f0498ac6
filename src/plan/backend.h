/* backend.h - the contract that every backend implements: one const struct leat_backend.
 *
 * Core code never names a backend: the build collects descriptors from the folders that hold a backend.c. A backend
 * lowers a plan once and replays it. After compile nothing fails but the device itself, whose fault is sticky and read
 * by wait(). */
#ifndef LEAT_PLAN_BACKEND_H
#define LEAT_PLAN_BACKEND_H

#include "base/bufpool.h"
#include "plan/plan.h"
#include "plan/profile.h"
#include "plan/step.h"

struct leat_device_params {
	int n_threads;       /* CPU: workers; 0: all */
	int spin_us;         /* CPU: see base/pool.h; -1: default */
	int mode;            /* enum leat_mode */
	unsigned cpu_mask_off;
	uint64_t opts;       /* switches that are on, bits by plan/opts.h */
	size_t max_idle_bytes; /* scratch that nobody uses and that is kept */
};

struct leat_exec; /* a compiled plan; each backend has its own idea of it */

/* What replaying a compiled plan once costs. */
struct leat_exec_info {
	int n_launches;      /* ops that are dispatched: kernels on a device, loops over rows on the CPU */
	int n_barriers;      /* points where all workers wait for each other; what lies between runs together */
	size_t table_bytes;  /* host memory of the compiled form, without scratch */
	size_t scratch_bytes; /* arena and prepared activations, as if they were not shared */
	size_t padded_bytes; /* of the arena: columns beyond the real ones */
};

struct leat_backend {
	const char *name; /* "cpu" */
	/* Steps that may have been submitted and not waited for. 1: submit runs the step before it returns, so there is
	 * nothing to overlap with it; what is prepared ahead is prepared when the engine is idle. */
	int steps_in_flight;
	int seqs_are_data;   /* 1: the number of sequences changes nothing that is compiled, so keys leave it out */

	/* Opens the device. E_UNSUPPORTED: none here. */
	enum leat_status (*open)(const struct leat_device_params *p, void **ret_dev, struct leat_error *err);
	void (*close)(void *dev); /* NULL allowed */
	/* One line for people: "CPU: model (instruction sets), 2 threads". */
	void (*describe)(void *dev, char *dst, size_t cap);

	/* 1 if the backend can run ops of this kind over weights of this format (-1: no weight). Asked before anything
	 * is loaded, so that a refusal names the op. */
	int (*supports)(void *dev, int op_kind, int quant);

	/* Makes a weight ready (repacks, uploads) and keeps what it made under w->index until close; adds the bytes it
	 * took to *ret_bytes. All weights of a model are bound before the first compile. */
	enum leat_status (*bind)(void *dev, const struct leat_weight *w, uint64_t *ret_bytes, struct leat_error *err);

	/* Device memory for state: zeroed. */
	enum leat_status (*alloc)(void *dev, size_t bytes, void **ret, struct leat_error *err);
	void (*dealloc)(void *dev, void *p, size_t bytes);
	/* Ordered with submitted steps: later steps see the copy, earlier ones do not. */
	void (*copy)(void *dev, void *dst, const void *src, size_t bytes);

	/* Bytes that rows should begin at multiples of, so that no two threads write into one line; a multiple of 64.
	 * NULL: 64. */
	int (*row_align)(void *dev);

	/* Lowers a plan (borrowed until release). *ret_bytes: its tables; scratch is counted by the pool that it is
	 * from. */
	enum leat_status (*compile)(void *dev, const struct leat_plan *plan, struct leat_exec **ret, size_t *ret_bytes,
				    struct leat_error *err);
	void (*release)(void *dev, struct leat_exec *x); /* NULL allowed */
	void (*inspect)(void *dev, const struct leat_exec *x, struct leat_exec_info *ret);

	/* Scratch memory of compiled plans: pooled by size class. */
	void (*scratch)(void *dev, struct leat_bufpool_counts *ret);
	/* Idle scratch beyond so many bytes goes back to the system. */
	void (*trim)(void *dev, size_t keep_bytes);
	/* The content of this memory (of alloc) is not needed any more; it may be taken away until it is written. */
	void (*discard)(void *dev, void *p, size_t bytes);

	/* Starts one step; may return before it has run. The step block must stay untouched until wait() returns. */
	void (*submit)(void *dev, struct leat_exec *x, const struct leat_step *step,
		       const struct leat_state_view *state);
	/* Returns when the last submitted step of x has run: E_DEVICE if the device failed since it was opened. */
	enum leat_status (*wait)(void *dev, struct leat_exec *x, struct leat_error *err);
	/* From the next submit on each step fills *p in, complete after wait; NULL ends that. The function is NULL
	 * where no times are to be had. */
	void (*profile)(void *dev, struct leat_profile *p);
	/* Calls fn(arg, i) once for each i < n, on whatever threads the device has, while no step runs; returns when
	 * all have returned. NULL: it has none to lend. */
	void (*run_tasks)(void *dev, void (*fn)(void *arg, int i), void *arg, int n);
	/* After wait: result row o as host memory, valid until the next submit. */
	const float *(*result)(void *dev, struct leat_exec *x, int row);
};

extern const struct leat_backend *const leat_backend_list[]; /* generated, NULL at the end */

#endif
