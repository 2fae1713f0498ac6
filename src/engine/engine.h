/* engine.h - a model on a device with its caches: steps, sequences, requests.
 *
 * Whoever has the baton owns an engine (drive.h); steps and sequences are its business alone. A step feeds tokens of
 * one or more sequences; the sequences' new states become theirs only when the step has been accepted, so a step that
 * is thrown away leaves no trace. */
#ifndef LEAT_ENGINE_ENGINE_H
#define LEAT_ENGINE_ENGINE_H

#include <stdatomic.h>

#include "base/trace.h"
#include "engine/ahead.h"
#include "engine/caches.h"
#include "engine/drive.h"
#include "engine/schedule.h"
#include "engine/upkeep.h"
#include "leat/leat.h"
#include "model/model.h"
#include "plan/cache.h"
#include "state/prefix.h"

struct leat_engine {
	atomic_int refs;          /* the creator's, and one for each request and session that a user holds */
	struct leat_model *model; /* referenced */
	const struct leat_backend *backend;
	void *dev;
	struct leat_plan_cache plans;
	struct leat_store *store;
	struct leat_prefix *prefix; /* NULL: nothing is kept */
	struct leat_shelf *shelf;   /* NULL: nothing outlives the engine */
	unsigned char model_hash[32]; /* with a shelf; zeros without: one index serves one model */
	struct leat_trace *trace;   /* NULL: none */
	struct leat_profile *profile; /* of the last step; NULL: no times are taken */
	struct leat_step step;
	struct leat_exec *exec;   /* of the last step: its results are readable */
	struct leat_exec *running; /* submitted and not finished */
	const struct leat_feed *feeds; /* of the step that is prepared or runs */
	struct leat_plan_entry *plan; /* of the step that runs, or ran last; gone when others are made or dropped */
	struct leat_driver driver;
	struct leat_schedule sched;
	uint64_t bound_bytes;     /* copies of weights that the device made */
	uint64_t prefix_budget_bytes;
	size_t max_idle_bytes;    /* scratch that no plan uses and that is kept */
	struct leat_ahead ahead;
	struct leat_upkeep upkeep;
	struct leat_work work;
	int row_align;            /* floats */
	int warm_up;              /* as in the parameters; < 0: it was done, or is not wanted */
	int window;               /* asked for; 0: as the model says */
	int mode, kv_type, n_threads, n_seqs, n_batch, n_marks, n_live, n_marks_used;
	int64_t n_ctx;            /* INT64_MAX: no limit */
	uint64_t opts;
	uint64_t n_steps, n_prepared;
	/* for leat_engine_get_info, from any thread */
	_Atomic uint64_t told_steps, told_tokens, told_scratch_bytes, told_compile_ns, told_rows;
	struct leat_told_cache told[LEAT_CACHE_COUNT];
	_Atomic uint64_t told_work[LEAT_TOLD_WORK];
	_Atomic uint64_t told_asked, told_found, told_prefix_bytes;
	char device[96];
};

/* A sequence: where its state is, and how many tokens it holds. */
struct leat_seq {
	int slot;
	int cell[2], now;   /* recurrent: committed state in cell[now], the other receives the next */
	int64_t n_past;
	uint64_t in_step;   /* number of the last step that it was put into */
	int rope_long;      /* the long frequencies of the model turn its keys: part of every cache key */
	int64_t keep_from;  /* a mark may go back to this place; INT64_MAX: none */
	int primed;         /* n_past 0: it begins with the state in cell[now], not with zeros */
	unsigned char initial[32]; /* hash of the state that it began with; zeros: none. What hooks had a hand in is
				    * like nothing else: a random number */
	int shaped;         /* hooks had */
};

/* A place in a sequence: its rows stay where they are, a recurrent state is copied into the mark's own cell. */
struct leat_mark {
	int64_t n_past;
	int cell;           /* -1: the model has no recurrent state */
	int primed;         /* as the sequence's */
};

/* What a step takes of one sequence. */
enum leat_want { LEAT_WANT_NONE, LEAT_WANT_LAST, LEAT_WANT_ALL };
struct leat_feed {
	struct leat_seq *seq;
	const int32_t *tokens; /* usable ids; -1 - i: row i of raw */
	int n_tokens;          /* >= 1 */
	enum leat_want want;
	int n_skip;            /* LEAT_WANT_ALL: of these first rows none is wanted after all */
	unsigned variant;      /* LEAT_VARIANT_EMBEDDING, LEAT_VARIANT_PROBS: what a wanted row is; the same for all of
				* a step */
	const float *raw;      /* [n_raw][n_embd], until the step has run; NULL: none */
	int64_t n_raw;
	const struct leat_hook_set *hooks; /* NULL: none */
	/* Recurrent models: the state after token `row` of this feed is copied into `cell`; rows ascending. */
	const struct leat_checkpoint *checkpoint;
	int n_checkpoints;
};

enum leat_status leat_engine_open(struct leat_model *m, const struct leat_engine_params *p, struct leat_engine **ret,
				  struct leat_error *err);
struct leat_engine *leat_engine_hold(struct leat_engine *e);
void leat_engine_drop(struct leat_engine *e); /* closes with the last reference; NULL allowed */

/* E_BUSY when as many sequences as n_seqs live. */
enum leat_status leat_seq_open(struct leat_engine *e, struct leat_seq *ret, struct leat_error *err);
void leat_seq_close(struct leat_engine *e, struct leat_seq *s);
/* Says how many tokens the sequence will hold at most, before its first step: models with two sets of rotary
 * frequencies choose here, once (NUMERICS.md section 5). Without it a sequence may fill the engine's context. One that
 * was chosen to be short refuses a step beyond its model's short context with E_CONTEXT. */
void leat_seq_expect(const struct leat_engine *e, struct leat_seq *s, int64_t n_tokens);
/* From now on its state is nobody else's: not what its tokens and beginning would give. */
void leat_seq_shape(struct leat_seq *s);
/* Back to zero tokens. */
void leat_seq_reset(struct leat_engine *e, struct leat_seq *s);

/* How many of the last keys attention sees; 0: all. */
int leat_engine_window(const struct leat_engine *e);

/* A mark without a place. E_LIMIT when no cell is left. */
enum leat_status leat_mark_take(struct leat_engine *e, struct leat_mark *ret, struct leat_error *err);
void leat_mark_give(struct leat_engine *e, struct leat_mark *m);
/* One copy for all layers, none without recurrent state. The sequence may go back as long as it still holds the tokens
 * before the mark. */
void leat_seq_save(struct leat_engine *e, const struct leat_seq *s, struct leat_mark *m);
void leat_seq_rewind(struct leat_engine *e, struct leat_seq *s, const struct leat_mark *m);

/* Runs one step and commits it. Sum of tokens <= n_batch, wanted rows <= leat_engine_max_outputs. E_CONTEXT: a sequence
 * would exceed n_ctx. On failure no sequence has changed. Result rows stay valid until the next step. */
enum leat_status leat_engine_step(struct leat_engine *e, const struct leat_feed *feeds, int n_feeds,
				  struct leat_error *err);
/* The same in three phases. Prepare fills the step block and finds the plan; submit starts the step and may return
 * before it has run; finish waits and commits. A prepared step that is not submitted leaves no trace. */
enum leat_status leat_engine_prepare(struct leat_engine *e, const struct leat_feed *feeds, int n_feeds,
				     struct leat_error *err);
void leat_engine_submit(struct leat_engine *e);
enum leat_status leat_engine_finish(struct leat_engine *e, const struct leat_feed *feeds, int n_feeds,
				    struct leat_error *err);
const float *leat_engine_row(const struct leat_engine *e, int row);
int leat_engine_max_outputs(const struct leat_engine *e);

/* ---- timeline.c ---- */

/* From the next step on the engine takes the times of ops, at e->profile. E_UNSUPPORTED: the backend has none. */
enum leat_status leat_engine_profile(struct leat_engine *e, struct leat_error *err);
enum leat_status leat_timeline_open(struct leat_engine *e, struct leat_trace *t, struct leat_error *err);
void leat_timeline_close(struct leat_engine *e);
/* The last step's ops and layers, with a trace. */
void leat_timeline_ops(struct leat_engine *e);
/* A turn that ran a step, from began_ns to now. */
void leat_timeline_step(struct leat_engine *e, uint64_t began_ns);

#endif
