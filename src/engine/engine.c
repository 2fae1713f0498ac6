/* engine.c - opening and closing: device, weights, state, step block. */
#include "engine/hooks.h"
#include "engine/keep.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/meminfo.h"
#include "base/pool.h"
#include "engine/warm.h"
#include "plan/opts.h"
#include "text/tokenizer.h"

enum {
	DEFAULT_BATCH = 512,
	MAX_BATCH = 8192,
	MAX_SEQS = 1024,
	MAX_THREADS = 1024,
	SPARE_CELLS = 2,           /* checkpoints */
	CELLS_PER_SEQ = 3,         /* the committed state, the next one, and one that a session may go back to */
	DEFAULT_MARKS = 4,
	MAX_MARKS = 65536,
	DEFAULT_QUEUE = 256,
	MAX_QUEUE = 1 << 20,
	DEFAULT_STALL_MS = 200,
	MAX_STALL_MS = 3600000,
	MAX_KEPT = 1 << 20,        /* pages or cells of the prefix cache */
};
static const size_t logits_bytes = (size_t)256 << 20; /* most that one step may return */

static enum leat_status arg_error(struct leat_error *err, const char *field, long long found, long long lo,
				  long long hi)
{
	return leat_fail(err, LEAT_E_ARG, field, LEAT_NO_OFFSET, "%s is %lld, wanted %lld to %lld", field, found, lo,
			 hi);
}

static enum leat_status choose_kv_type(const struct leat_engine_params *p, struct leat_engine *e,
				       struct leat_error *err)
{
	static const char *const name[LEAT_KV_TYPES] = { [LEAT_KV_F16] = "f16", [LEAT_KV_F32] = "f32",
							 [LEAT_KV_Q8_0] = "q8_0" };
	int type = 0;
	while (p->kv_type && type < LEAT_KV_TYPES && strcmp(p->kv_type, name[type]))
		type++;
	if (type == LEAT_KV_TYPES)
		return leat_fail(err, LEAT_E_ARG, "kv_type", LEAT_NO_OFFSET,
				 "cache type '%.20s': wanted f16, f32 or q8_0", p->kv_type);
	e->kv_type = p->mode == LEAT_MODE_REFERENCE ? LEAT_KV_F32 : type;
	return LEAT_OK;
}

static enum leat_status check_params(const struct leat_engine_params *p, struct leat_engine *e, struct leat_error *err)
{
	if (p->n_threads < 0 || p->n_threads > MAX_THREADS)
		return arg_error(err, "n_threads", p->n_threads, 0, MAX_THREADS);
	if (p->n_seqs < 0 || p->n_seqs > MAX_SEQS)
		return arg_error(err, "n_seqs", p->n_seqs, 0, MAX_SEQS);
	if (p->n_batch < 0 || p->n_batch > MAX_BATCH)
		return arg_error(err, "n_batch", p->n_batch, 0, MAX_BATCH);
	if (p->n_marks < 0 || p->n_marks > MAX_MARKS)
		return arg_error(err, "n_marks", p->n_marks, 0, MAX_MARKS);
	if (p->max_queue < -1 || p->max_queue > MAX_QUEUE)
		return arg_error(err, "max_queue", p->max_queue, -1, MAX_QUEUE);
	if (p->max_prefill_stall_ms < -1 || p->max_prefill_stall_ms > MAX_STALL_MS)
		return arg_error(err, "max_prefill_stall_ms", p->max_prefill_stall_ms, -1, MAX_STALL_MS);
	if (p->cache_tokens < 0)
		return arg_error(err, "cache_tokens", p->cache_tokens, 0, INT64_MAX);
	if (p->prefix_cache_bytes < 0)
		return arg_error(err, "prefix_cache_bytes", p->prefix_cache_bytes, 0, INT64_MAX);
	if (p->state_dir_bytes < 0)
		return arg_error(err, "state_dir_bytes", p->state_dir_bytes, 0, INT64_MAX);
	if (p->n_ctx < 0)
		return arg_error(err, "n_ctx", p->n_ctx, 0, INT32_MAX);
	if (p->mode < LEAT_MODE_DEFAULT || p->mode > LEAT_MODE_REFERENCE)
		return arg_error(err, "mode", p->mode, LEAT_MODE_DEFAULT, LEAT_MODE_REFERENCE);
	LEAT_TRY(choose_kv_type(p, e, err));
	if (p->warm_up < -1 || p->warm_up > 1)
		return arg_error(err, "warm_up", p->warm_up, -1, 1);
	if (p->maintain < LEAT_MAINTAIN_OFF)
		return arg_error(err, "maintain", p->maintain, LEAT_MAINTAIN_OFF, INT32_MAX);
	e->warm_up = p->warm_up;
	leat_upkeep_init(&e->upkeep, p->maintain);
	if (p->window < 0)
		return arg_error(err, "window", p->window, 0, INT32_MAX);
	e->window = p->window;
	e->n_seqs = p->n_seqs ? p->n_seqs : 1;
	e->n_batch = p->n_batch ? p->n_batch : DEFAULT_BATCH;
	e->n_marks = p->n_marks ? p->n_marks : DEFAULT_MARKS;
	e->mode = p->mode;
	return leat_opts_parse(p->opts, &e->opts, err);
}

/* The context: what was asked for if memory holds it, else the model's own cut to what memory holds. */
static enum leat_status choose_context(struct leat_engine *e, int64_t asked, struct leat_error *err)
{
	const struct leat_weights *w = &e->model->w;
	uint64_t per_token = leat_store_token_bytes(w->spec, w->arch->n_state, w->cfg.n_layer, e->kv_type), total,
		 avail;
	if (!per_token) {
		e->n_ctx = asked ? asked : INT64_MAX;
		return LEAT_OK;
	}
	leat_meminfo(&total, &avail);
	uint64_t fits =
		avail / 10 * 9 / per_token / (uint64_t)e->n_seqs / LEAT_STORE_PAGE_TOKENS * LEAT_STORE_PAGE_TOKENS;
	if (asked && (uint64_t)asked > fits)
		return leat_fail(err, LEAT_E_CONTEXT, "n_ctx", LEAT_NO_OFFSET,
				 "a context of %lld tokens needs %llu bytes of cache for %d sequences and %llu are "
				 "free; %llu tokens fit",
				 (long long)asked,
				 (unsigned long long)((uint64_t)asked * per_token * (uint64_t)e->n_seqs), e->n_seqs,
				 (unsigned long long)avail, (unsigned long long)fits);
	if (!asked && fits < LEAT_STORE_PAGE_TOKENS)
		return leat_fail(err, LEAT_E_NOMEM, "n_ctx", LEAT_NO_OFFSET,
				 "no memory for a cache: %llu bytes per token, %llu bytes free",
				 (unsigned long long)per_token, (unsigned long long)avail);
	e->n_ctx = asked ? asked : (uint64_t)w->cfg.n_ctx < fits ? w->cfg.n_ctx : (int64_t)fits;
	return LEAT_OK;
}

/* Every op that forward() records must be one that the backend runs, over the weights' types: asked before binding. */
static enum leat_status check_ops(struct leat_engine *e, struct leat_error *err)
{
	struct leat_plan_key key = { .tokens = 1, .seqs = 1, .outputs = 1 };
	struct leat_rec *c = leat_record_begin(&key);
	struct leat_plan *p;
	if (!c)
		return leat_fail(err, LEAT_E_NOMEM, "plan", LEAT_NO_OFFSET, "out of memory");
	LEAT_TRY(leat_record_end(c, e->model->w.arch->forward(c, e->model), &p, err));
	enum leat_status st = LEAT_OK;
	for (int i = 0; i < p->n_ops && st == LEAT_OK; i++) {
		const struct leat_weight *w = p->op[i].w;
		if (!e->backend->supports(e->dev, p->op[i].kind, w ? w->quant : -1))
			st = leat_fail(err, LEAT_E_UNSUPPORTED, w ? w->name : "", LEAT_NO_OFFSET,
				       "device %s cannot run op %s%s%s", e->backend->name, leat_op_name(p->op[i].kind),
				       w ? " on " : "", w ? w->name : "");
	}
	leat_plan_destroy(p);
	return st;
}

/* Threads pay from some work on: a token of a small model is over before a second thread has been told of it, and every
 * meeting of threads is a chance to wait for one that the system has put aside. */
static int choose_threads(const struct leat_engine *e, int asked)
{
	static const uint64_t bytes_per_thread = (uint64_t)8 << 20;
	uint64_t most = 1 + e->model->w.read_bytes_per_token / bytes_per_thread;
	int allowed = leat_cpu_count();
	return asked ? asked : most < (uint64_t)allowed ? (int)most : allowed;
}

static enum leat_status open_device(struct leat_engine *e, const struct leat_engine_params *p, struct leat_error *err)
{
	struct leat_plan_limits limits;
	LEAT_TRY(leat_caches_choose(e, &limits, err));
	e->max_idle_bytes = limits.max_bytes / 4;
	struct leat_device_params dp = {
		.n_threads = e->n_threads,
		.spin_us = p->threads_poll_us < 0 ? 0 : p->threads_poll_us ? p->threads_poll_us : -1,
		.mode = e->mode,
		.cpu_mask_off = p->cpu_mask_off,
		.opts = e->opts,
		.max_idle_bytes = e->max_idle_bytes,
	};
	LEAT_TRY(e->backend->open(&dp, &e->dev, err));
	e->backend->describe(e->dev, e->device, sizeof e->device);
	LEAT_TRY(check_ops(e, err));
	struct leat_weights *w = &e->model->w;
	for (int i = 0; i < w->n_all; i++)
		LEAT_TRY(e->backend->bind(e->dev, &w->all[i], &e->bound_bytes, err));
	e->row_align = (e->backend->row_align ? e->backend->row_align(e->dev) : 64) / (int)sizeof(float);
	return leat_plan_cache_init(&e->plans, e->backend, e->dev, &limits, leat_opt_on(e->opts, LEAT_OPT_scan_guard),
				    err);
}

int leat_engine_window(const struct leat_engine *e)
{
	int own = e->model->w.cfg.window;
	return e->window && (!own || e->window < own) ? e->window : own;
}

int leat_engine_max_outputs(const struct leat_engine *e)
{
	size_t n = logits_bytes / ((size_t)e->model->w.table->rows * sizeof(float));
	return n < 1 ? 1 : n > (size_t)e->n_batch ? e->n_batch : (int)n;
}

static int pages_of(int64_t n_tokens)
{
	int64_t n = (n_tokens + LEAT_STORE_PAGE_TOKENS - 1) / LEAT_STORE_PAGE_TOKENS;
	return n < INT32_MAX / 2 ? (int)n : INT32_MAX / 2;
}

static enum leat_status open_state(struct leat_engine *e, const struct leat_engine_params *p, struct leat_error *err)
{
	const struct leat_weights *w = &e->model->w;
	LEAT_TRY(choose_context(e, p->n_ctx, err));
	if (p->cache_tokens && e->n_ctx > p->cache_tokens)
		e->n_ctx = p->cache_tokens;
	uint64_t prefix_bytes = (uint64_t)p->prefix_cache_bytes;
	int n_kept = 0; /* pages or cells of the prefix cache */
	uint64_t page = LEAT_STORE_PAGE_TOKENS *
			leat_store_token_bytes(w->spec, w->arch->n_state, w->cfg.n_layer, e->kv_type);
	uint64_t unit = page ? page : leat_store_cell_bytes(w->spec, w->arch->n_state, w->cfg.n_layer);
	if (unit)
		n_kept = prefix_bytes / unit < MAX_KEPT ? (int)(prefix_bytes / unit) : MAX_KEPT;
	struct leat_store_params sp = {
		.backend = e->backend,
		.dev = e->dev,
		.spec = w->spec,
		.n_spec = w->arch->n_state,
		.n_layer = w->cfg.n_layer,
		.n_slots = e->n_seqs,
		.n_cells = e->n_seqs * CELLS_PER_SEQ + SPARE_CELLS + e->n_marks + (page ? 0 : n_kept),
		.n_pages = p->cache_tokens ? pages_of(p->cache_tokens) : -(page ? n_kept : 0),
		.n_ctx = e->n_ctx,
		.kv_type = e->kv_type,
	};
	LEAT_TRY(leat_store_create(&sp, &e->store, err));
	struct leat_prefix_params pp = { .store = e->store, .budget_bytes = (uint64_t)n_kept * unit,
					 .window = leat_engine_window(e) };
	e->prefix_budget_bytes = pp.budget_bytes;
	if (n_kept)
		LEAT_TRY(leat_prefix_create(&pp, &e->prefix, err));
	LEAT_TRY(leat_keep_open(e, p->state_dir, p->state_dir_bytes, err));
	int n_checkpoints = e->n_batch / LEAT_PREFIX_GRID + (2 + LEAT_MAX_BORDERS) * e->n_seqs + SPARE_CELLS;
	if (leat_step_init(&e->step, e->n_batch, e->n_seqs, leat_engine_max_outputs(e), n_checkpoints))
		return leat_fail(err, LEAT_E_NOMEM, "n_batch", LEAT_NO_OFFSET, "out of memory for a step of %d tokens",
				 e->n_batch);
	e->step.hook = leat_hooks_call;
	e->step.hook_arg = e;
	e->step.n_vocab = e->model->vocab ? leat_vocab_size(e->model->vocab) : 0;
	return LEAT_OK;
}

static enum leat_status open_schedule(struct leat_engine *e, const struct leat_engine_params *p, struct leat_error *err)
{
	int queue = p->max_queue < 0 ? 0 : p->max_queue ? p->max_queue : DEFAULT_QUEUE;
	int stall_ms = p->max_prefill_stall_ms < 0 ? 0
		       : p->max_prefill_stall_ms   ? p->max_prefill_stall_ms
						   : DEFAULT_STALL_MS;
	e->sched.overlap = leat_opt_on(e->opts, LEAT_OPT_overlap) || e->backend->steps_in_flight > 1;
	if (leat_drive_init(e) || leat_schedule_init(e, queue, (uint64_t)stall_ms * 1000000))
		return leat_fail(err, LEAT_E_NOMEM, "max_queue", LEAT_NO_OFFSET, "out of memory for %d requests",
				 queue + e->n_seqs);
	return LEAT_OK;
}

enum leat_status leat_engine_open(struct leat_model *m, const struct leat_engine_params *p, struct leat_engine **ret,
				  struct leat_error *err)
{
	struct leat_engine *e = calloc(1, sizeof *e);
	if (!e)
		return leat_fail(err, LEAT_E_NOMEM, "engine", LEAT_NO_OFFSET, "out of memory");
	atomic_init(&e->refs, 1);
	e->model = leat_model_ref(m);
	e->backend = leat_backend_list[0];
	e->n_threads = choose_threads(e, p->n_threads);
	enum leat_status st = check_params(p, e, err);
	if (st == LEAT_OK)
		st = open_device(e, p, err);
	if (st == LEAT_OK)
		st = open_state(e, p, err);
	if (st == LEAT_OK)
		st = open_schedule(e, p, err);
	if (st == LEAT_OK)
		st = leat_timeline_open(e, p->trace, err);
	if (st == LEAT_OK && e->warm_up > 0)
		st = leat_warm_up(e, err);
	if (st != LEAT_OK) {
		leat_engine_drop(e);
		return st;
	}
	*ret = e;
	return LEAT_OK;
}

struct leat_engine *leat_engine_hold(struct leat_engine *e)
{
	atomic_fetch_add(&e->refs, 1);
	return e;
}

void leat_engine_drop(struct leat_engine *e)
{
	if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	leat_drive_stop(e);
	leat_schedule_deinit(e);
	leat_drive_deinit(e);
	leat_keep_close(e);
	leat_prefix_destroy(e->prefix);
	leat_store_destroy(e->store);
	leat_step_deinit(&e->step);
	leat_plan_cache_deinit(&e->plans);
	leat_timeline_close(e);
	e->backend->close(e->dev);
	leat_model_unref(e->model);
	free(e);
}

enum leat_status leat_seq_open(struct leat_engine *e, struct leat_seq *ret, struct leat_error *err)
{
	struct leat_seq s = { .slot = leat_slot_take(e->store), .cell = { -1, -1 }, .keep_from = INT64_MAX };
	if (s.slot < 0)
		return leat_fail(err, LEAT_E_BUSY, "n_seqs", LEAT_NO_OFFSET,
				 "all %d sequences of this engine are in use", e->n_seqs);
	if (e->store->n_cells) {
		s.cell[0] = leat_cell_take(e->store);
		s.cell[1] = leat_cell_take(e->store);
	}
	e->n_live++;
	leat_seq_expect(e, &s, e->n_ctx);
	*ret = s;
	return LEAT_OK;
}

void leat_seq_close(struct leat_engine *e, struct leat_seq *s)
{
	leat_slot_give(e->store, s->slot);
	leat_cell_give(e->store, s->cell[0]);
	leat_cell_give(e->store, s->cell[1]);
	e->n_live--;
}

void leat_seq_expect(const struct leat_engine *e, struct leat_seq *s, int64_t n_tokens)
{
	int most = e->model->w.cfg.rope_short_ctx;
	s->rope_long = most && (n_tokens < e->n_ctx ? n_tokens : e->n_ctx) > most;
}

void leat_seq_shape(struct leat_seq *s)
{
	if (s->shaped)
		return;
	if (getrandom(s->initial, sizeof s->initial, GRND_NONBLOCK) != (ssize_t)sizeof s->initial)
		memset(s->initial, 0xff, sizeof s->initial);
	s->shaped = 1;
}

void leat_seq_reset(struct leat_engine *e, struct leat_seq *s)
{
	s->n_past = 0; /* a cell is read only after it was written */
	leat_slot_truncate(e->store, s->slot, 0);
	s->primed = 0;
	s->shaped = 0;
	memset(s->initial, 0, sizeof s->initial);
	leat_seq_expect(e, s, e->n_ctx);
}

enum leat_status leat_mark_take(struct leat_engine *e, struct leat_mark *ret, struct leat_error *err)
{
	struct leat_mark m = { .cell = -1 };
	if (e->store->n_cells) { /* those of the prefix cache are not for marks */
		m.cell = e->n_marks_used < e->n_marks + e->n_seqs ? leat_cell_take(e->store) : -1;
		if (m.cell < 0)
			return leat_fail(err, LEAT_E_LIMIT, "n_marks", LEAT_NO_OFFSET,
					 "no room for another mark: the engine was made for %d", e->n_marks);
	}
	e->n_marks_used += m.cell >= 0;
	*ret = m;
	return LEAT_OK;
}

void leat_mark_give(struct leat_engine *e, struct leat_mark *m)
{
	e->n_marks_used -= m->cell >= 0;
	leat_cell_give(e->store, m->cell);
	m->cell = -1;
}

void leat_seq_save(struct leat_engine *e, const struct leat_seq *s, struct leat_mark *m)
{
	m->n_past = s->n_past;
	m->primed = s->primed;
	if (m->cell >= 0 && (s->n_past || s->primed))
		leat_cell_copy(e->store, m->cell, s->cell[s->now]);
}

void leat_seq_rewind(struct leat_engine *e, struct leat_seq *s, const struct leat_mark *m)
{
	s->n_past = m->n_past;
	s->primed = m->primed;
	if (m->cell >= 0 && (m->n_past || m->primed))
		leat_cell_copy(e->store, s->cell[s->now], m->cell);
}
