/* engine.h - what computes with a model: threads, caches, scratch memory. Part of <leat/leat.h>.
 *
 * How it works. Requests (request.h) wait in a queue, and up to n_seqs of them run together, in steps. A step takes one
 * token of each that is answering, and fills up with pieces of the prompts of others, n_batch tokens in all. Who joins
 * or leaves does so between two steps. The pieces are cut so that a running answer waits for them no longer than
 * max_prefill_stall_ms.
 *
 *   Who runs the steps. Whoever waits: a thread in leat_request_next, leat_request_stream and the like runs them, for
 *     all requests, until its own event is there, and then hands over to another one that waits. So one thread that
 *     reads one request pays for no hand-over. With leat_engine_start a thread of the engine's own runs them, and
 *     readers only read. With neither, nothing moves.
 *   Threads. n_threads compute each step, the one that runs it among them; the others sleep between.
 *   Order. By priority, then arrival (leat_request_params.priority). Prompts share a step's room equally.
 *   Memory. Everything is reserved by leat_engine_create, and touched when it is used. Where cache_tokens is less than
 *     all could need, the request that is served last is put aside for a while and goes on later where it was.
 *   Lives. A request and a session hold their engine, an engine its model: they may be released in any order. */
#ifndef LEAT_ENGINE_H
#define LEAT_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_model;
struct leat_trace;

/* ---- engines ----------------------------------------------------------------------------------------------- */

/* May be used from any thread. It has no thread that generates unless leat_engine_start makes one: whoever waits for
 * a token runs the engine meanwhile, for all requests. Its worker threads are its own affair. */
struct leat_engine;

/* What matters more: speed, the same bits, or being right beyond doubt. */
enum leat_mode {
	LEAT_MODE_DEFAULT = 0,       /* fast; last bits may differ with the number of tokens in a step */
	LEAT_MODE_DETERMINISTIC = 1, /* a row's bits depend on its own tokens only: not on chunks, batch or threads */
	LEAT_MODE_REFERENCE = 2,     /* slow: exact dequantisation, float32 caches, portable kernels */
};

/* How an engine is made. */
struct leat_engine_params {
	uint32_t struct_size;
	int32_t n_threads;    /* at most 1024; 0: processors this process may use, fewer for small models */
	int32_t n_ctx;        /* tokens per sequence; 0: the model's own, cut to memory; recurrent: no limit */
	int32_t n_seqs;       /* sequences (requests and sessions) at a time, at most 1024; 0: 1 */
	int32_t n_batch;      /* most tokens of one step, at most 8192; 0: 512 */
	int32_t mode;         /* enum leat_mode */
	const char *kv_type;  /* key and value cache: "f16", "f32", "q8_0" (heads of a multiple of 32); NULL: "f16" */
	const char *opts;     /* "name=on,other=off"; NULL: as leat_opt_at says. For measuring one optimisation */
	uint32_t cpu_mask_off; /* instruction sets not to use, bits as in leat_system_info.cpu_flags; any bits */
	int32_t threads_poll_us; /* idle threads spin this long, then sleep; 0: 50 (none if oversubscribed); -1: none */
	int32_t n_marks;      /* recurrent models: marks that all sessions together may have; 0: 4 */
	int32_t max_queue;    /* requests that may wait for a sequence, at most 1048576; 0: 256; -1: none */
	int32_t max_prefill_stall_ms; /* longest that an answer waits for prompts of others; 0: 200; -1: no bound */
	int32_t window;       /* attention looks back on the last so many tokens only, and no more memory is used; 0: as
			       * the model says */
	/* Tokens of key and value cache for all sequences together; 0: n_ctx for each. n_ctx is cut to it. Requests are
	 * put aside for a while when it runs out. */
	int64_t cache_tokens;
	int64_t prefix_cache_bytes; /* for beginnings of prompts, kept for others that begin alike; 0: none */
	/* Folder that kept beginnings are written to when the engine is closed (leat_engine_keep_states: at once), and
	 * looked for in; made if absent, for one engine at a time. NULL: none. With prefix_cache_bytes only. The model
	 * is hashed, which reads all of it. */
	const char *state_dir;
	int64_t state_dir_bytes; /* most that its files may take; those not used for longest go; 0: 1 GiB */
	struct leat_trace *trace; /* takes what happens when (trace.h), which costs a little; NULL: none */
	int32_t warm_up;      /* leat_engine_warm_up: 1: when the engine is made; 0: by leat_engine_start; -1: never */
	int32_t maintain;     /* housekeeping of caches: 0: when memory is short; N: every N steps; -1: never */
};
#define LEAT_ENGINE_PARAMS_INIT \
	{ sizeof(struct leat_engine_params), 0, 0, 0, 0, 0, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, 0, 0 }

/* Makes an engine over `m`, on which it takes a reference, and starts its threads. Memory for n_seqs sequences is
 * reserved here, so that generating cannot run out of it. `params` NULL: defaults.
 * LEAT_E_ARG names the field; LEAT_E_NOMEM says how many bytes are missing; LEAT_E_CONTEXT: n_ctx is more than memory
 * holds, with the most that fits; LEAT_E_UNSUPPORTED: an op that this machine lacks, by name; LEAT_E_BUSY: state_dir is
 * in use, by whom; LEAT_E_IO, LEAT_E_NOTFOUND: it cannot be written or made. */
LEAT_API enum leat_status leat_engine_create(struct leat_model *m, const struct leat_engine_params *params,
					     struct leat_engine **ret, struct leat_error *err);

/* Lets go of the engine. Live requests and sessions keep it until they are gone. */
LEAT_API void leat_engine_unref(struct leat_engine *e);

/* What an engine is and has done so far. */
struct leat_engine_info {
	uint32_t struct_size;
	int32_t n_threads;      /* as chosen */
	int32_t n_ctx;          /* tokens per sequence; 0: no limit */
	int32_t n_seqs, n_batch, mode; /* as in the parameters, defaults filled in */
	uint64_t state_bytes;   /* cache pages or recurrent states, as allocated */
	uint64_t scratch_bytes; /* plans built so far, and the memory that they compute in */
	uint64_t plan_lookups, plan_hits; /* plans looked for, and found made already */
	uint64_t steps, tokens; /* run so far */
	char device[96];        /* "CPU: AMD EPYC ... (avx2 avx512 avx512vnni), 2 threads" */
	uint64_t compile_ns;    /* spent on making plans, ahead of requests or for them */
	char reserved[56];      /* zero */
};

/* Fills *info, as far as info->struct_size says that the caller knows it. Never fails when struct_size is set. */
LEAT_API enum leat_status leat_engine_get_info(const struct leat_engine *e, struct leat_engine_info *info);

/* Takes one row: the logits after token `index` of those given, `n_rows` floats that live until the return. Nonzero
 * ends leat_engine_logits with LEAT_E_CANCELLED. It must not use the engine. */
typedef int leat_logits_fn(void *user, size_t index, const float *logits, int32_t n_rows);

/* The logits that follow each of tokens[n_tokens], computed together from an empty state ("teacher-forced"), as many
 * as `chunk` tokens a step (0: as many as fit). `row` is called for each token in order, on the calling thread. Rows
 * have leat_model_info.n_rows numbers; ids from n_vocab on are padding.
 * LEAT_E_ARG: a token out of range, chunk below 0; LEAT_E_CONTEXT: more tokens than n_ctx; LEAT_E_BUSY: all n_seqs are
 * in use; LEAT_E_CANCELLED: by row. A NaN in a row is no error here. */
LEAT_API enum leat_status leat_engine_logits(struct leat_engine *e, const int32_t *tokens, size_t n_tokens,
					     int32_t chunk, leat_logits_fn *row, void *user, struct leat_error *err);

/* Gives the engine a thread of its own that generates for as long as there is something to do, so that tokens wait
 * for their readers. LEAT_E_BUSY: it has one; LEAT_E_LIMIT: no thread to be had. One thread at a time may call start
 * and stop. */
LEAT_API enum leat_status leat_engine_start(struct leat_engine *e, struct leat_error *err);

/* Ends that thread after the step that it runs. Requests go on when somebody waits for them. Without one: nothing. */
LEAT_API void leat_engine_stop(struct leat_engine *e);

/* A file descriptor for poll() and its like, which is readable after events came for any request: read its 8 bytes,
 * then take events with leat_request_poll(r, 0, ...) until it says LEAT_E_TIMEOUT. It belongs to the engine. Wants
 * leat_engine_start, for nobody waits here. LEAT_E_LIMIT: no descriptor to be had. */
LEAT_API enum leat_status leat_engine_fd(struct leat_engine *e, int32_t *ret, struct leat_error *err);

/* What goes on in an engine. */
struct leat_engine_load {
	uint32_t struct_size;
	int32_t n_open;         /* requests that wait or run */
	int32_t n_sessions;     /* sequences that sessions hold */
	int32_t reserved0;      /* zero */
	uint64_t n_arrived, n_admitted; /* requests; one that was put aside is admitted again */
	uint64_t n_preempted;   /* times that a request was put aside for others */
	uint64_t n_refused;     /* requests that found the queue full */
	uint64_t prefix_tokens_asked; /* tokens of prompts that were looked for among kept beginnings */
	uint64_t prefix_tokens_found; /* of those, tokens that were not computed again */
	uint64_t prefix_bytes;  /* that kept beginnings take now */
	uint64_t worst_stall_ns; /* longest that answers waited for prompts of others, beyond a step of their own */
	/* Tokens of answers by that time: stalls[i] of them below stall_below_ms[i] milliseconds and not below the one
	 * before; the last has no bound. */
	uint64_t stalls[12];
	uint64_t stall_below_ms[12]; /* the bounds, in milliseconds */
};

/* Fills *load, as far as load->struct_size says that the caller knows it. Any thread. Never fails when struct_size
 * is set. */
LEAT_API enum leat_status leat_engine_get_load(const struct leat_engine *e, struct leat_engine_load *load);

#ifdef __cplusplus
}
#endif
#endif
