/* backend.c - the CPU backend: threads, kernels for this machine, and the loop that replays a lowered plan. */
#include "plan/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "cpu/exec.h"
#include "leat/leat.h"
#include "plan/opts.h"

enum { DEFAULT_SPIN_US = 50 };

void *leat_cpu_pages(size_t bytes, int huge)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (huge)
		madvise(p, bytes, MADV_HUGEPAGE); /* a hint: without huge pages everything works, 10 % slower */
	return p;
}

void leat_cpu_pages_free(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}

static void cpu_close(void *dev)
{
	struct leat_cpu *c = dev;
	if (!c)
		return;
	leat_pool_destroy(c->pool);
	leat_cpu_unbind_all(c);
	leat_bufpool_deinit(&c->scratch_pool);
	for (int i = 0; c->scratch && i < c->n_threads; i++) {
		free(c->scratch[i].panel);
		free(c->scratch[i].attn);
		free(c->scratch[i].row);
	}
	free(c->scratch);
	free(c);
}

static enum leat_status make_scratch(struct leat_cpu *c, struct leat_error *err)
{
	c->scratch = calloc((size_t)c->n_threads, sizeof *c->scratch);
	int bad = !c->scratch;
	for (int i = 0; !bad && i < c->n_threads; i++) {
		c->scratch[i].panel = leat_alloc_aligned((size_t)LEAT_PANEL_ROWS * LEAT_PANEL_COLS * sizeof(float));
		c->scratch[i].attn = leat_alloc_aligned(LEAT_ATTN_SCRATCH * sizeof(float));
		bad = !c->scratch[i].panel || !c->scratch[i].attn;
	}
	return bad ? leat_fail(err, LEAT_E_NOMEM, "threads", LEAT_NO_OFFSET, "out of memory") : LEAT_OK;
}

static void *map_scratch(void *user, size_t bytes)
{
	const struct leat_cpu *c = user;
	return leat_cpu_pages(bytes, leat_opt_on(c->opts, LEAT_OPT_hugepages));
}

static void unmap_scratch(void *user, void *p, size_t bytes)
{
	(void)user;
	leat_cpu_pages_free(p, bytes);
}

/* One step runs at a time, and its result is read before the next one: so all plans may use the same scratch. */
static void open_pool(struct leat_cpu *c, size_t max_idle_bytes)
{
	struct leat_buf_source source = { map_scratch, unmap_scratch, c };
	leat_bufpool_init(&c->scratch_pool, &source, leat_opt_on(c->opts, LEAT_OPT_share_scratch),
			  leat_opt_on(c->opts, LEAT_OPT_scratch_pool) ? max_idle_bytes : 0);
}

/* Products of few rows go by panels where packing is fast; and without bf16 it is not. */
static void choose_products(struct leat_cpu *c)
{
	int fast = leat_opt_on(c->opts, LEAT_OPT_pack_bytes) && leat_opt_on(c->opts, LEAT_OPT_bf16_gemm);
	if (!leat_opt_on(c->opts, LEAT_OPT_pack_bytes))
		c->k.pack_bf16[LEAT_QUANT_q8_0] = c->k.pack_q8_0_floats;
	if (!fast || !leat_opt_on(c->opts, LEAT_OPT_few_gemm))
		for (int q = 0; q < LEAT_QUANT_COUNT; q++)
			c->k.gemm_from[q] = LEAT_GEMM_FROM;
}

static enum leat_status cpu_open(const struct leat_device_params *p, void **ret, struct leat_error *err)
{
	struct leat_cpu *c = calloc(1, sizeof *c);
	if (!c)
		return leat_fail(err, LEAT_E_NOMEM, "device", LEAT_NO_OFFSET, "out of memory");
	int allowed = leat_cpu_count();
	c->n_threads = p->n_threads > 0 ? p->n_threads : allowed;
	c->mode = p->mode;
	c->opts = p->opts;
	c->flags = p->mode == LEAT_MODE_REFERENCE ? 0 : leat_cpu_flags() & ~p->cpu_mask_off;
	leat_kernels_init(&c->k, c->flags);
	choose_products(c);
	open_pool(c, p->max_idle_bytes);
	int spin = p->spin_us >= 0 ? p->spin_us : c->n_threads > allowed ? 0 : DEFAULT_SPIN_US;
	enum leat_status st = leat_pool_create(c->n_threads, spin, &c->pool, err);
	if (st == LEAT_OK)
		st = make_scratch(c, err);
	if (st != LEAT_OK) {
		cpu_close(c);
		return st;
	}
	*ret = c;
	return LEAT_OK;
}

static void cpu_describe(void *dev, char *dst, size_t cap)
{
	const struct leat_cpu *c = dev;
	char sets[96];
	snprintf(dst, cap, "CPU: %.40s (%s), %d thread%s", leat_cpu_model(), leat_cpu_names(c->flags, sets),
		 c->n_threads, c->n_threads == 1 ? "" : "s");
}

static int cpu_supports(void *dev, int op_kind, int quant)
{
	const struct leat_cpu *c = dev;
	return leat_cpu_lower(op_kind)->run && (quant < 0 || (quant < LEAT_QUANT_COUNT && c->k.mv[quant]));
}

static enum leat_status cpu_alloc(void *dev, size_t bytes, void **ret, struct leat_error *err)
{
	const struct leat_cpu *c = dev;
	void *p = leat_cpu_pages(bytes, leat_opt_on(c->opts, LEAT_OPT_hugepages));
	if (!p)
		return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory: %zu bytes wanted", bytes);
	*ret = p;
	return LEAT_OK;
}

static void cpu_dealloc(void *dev, void *p, size_t bytes)
{
	(void)dev;
	leat_cpu_pages_free(p, bytes);
}

static void cpu_copy(void *dev, void *dst, const void *src, size_t bytes)
{
	(void)dev;
	memmove(dst, src, bytes);
}

/* A cache line, which is at least as wide as every vector here. */
static int cpu_row_align(void *dev)
{
	long line = sysconf(_SC_LEVEL1_DCACHE_LINESIZE);
	(void)dev;
	return line > 64 && line <= 1024 && line % 64 == 0 ? (int)line : 64;
}

static void cpu_inspect(void *dev, const struct leat_exec *x, struct leat_exec_info *ret)
{
	(void)dev;
	*ret = x->info;
}

static void cpu_scratch(void *dev, struct leat_bufpool_counts *ret)
{
	const struct leat_cpu *c = dev;
	leat_bufpool_get_counts(&c->scratch_pool, ret);
}

static void cpu_trim(void *dev, size_t keep_bytes)
{
	struct leat_cpu *c = dev;
	leat_bufpool_trim(&c->scratch_pool, keep_bytes);
}

/* Whole pages of the system within it: they read as zeros afterwards. */
static void cpu_discard(void *dev, void *p, size_t bytes)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t before = (page - (uintptr_t)p % page) % page;
	(void)dev;
	if (bytes > before && bytes - before >= page)
		madvise((char *)p + before, (bytes - before) / page * page, MADV_DONTNEED);
}

static int claim(atomic_int *next, int n)
{
	int u = atomic_fetch_add_explicit(next, 1, memory_order_relaxed);
	return u < n ? u : -1;
}

/* One op's units of this worker: claimed one by one, or a fixed share. */
static void share(struct leat_exec *x, int i, const struct leat_worker *w, int steal)
{
	struct leat_cpu_op *o = &x->op[i];
	int n = o->units(x, o);
	x->cpu->scratch[w->index].next_unit = -1;
	if (o->single) {
		if (w->index == 0 && n)
			o->run(x, o, 0, 0, n);
	} else if (!steal || o->by_row) {
		int u0 = (int)((int64_t)n * w->index / w->n_workers),
		    u1 = (int)((int64_t)n * (w->index + 1) / w->n_workers);
		if (u0 < u1)
			o->run(x, o, w->index, u0, u1);
	} else if (o->looks_ahead) {
		atomic_int *next = &x->ticket[i].next;
		for (int u = claim(next, n), after; u >= 0; u = after) {
			after = x->cpu->scratch[w->index].next_unit = claim(next, n);
			o->run(x, o, w->index, u, u + 1);
		}
	} else {
		for (int u; (u = atomic_fetch_add_explicit(&x->ticket[i].next, 1, memory_order_relaxed)) < n;)
			o->run(x, o, w->index, u, u + 1);
	}
}

static void replay(struct leat_worker *w, void *arg)
{
	struct leat_exec *x = arg;
	int steal = leat_opt_on(x->cpu->opts, LEAT_OPT_steal) && w->n_workers > 1;
	for (int i = 0; i < x->n_ops; i++) {
		if (x->op[i].barrier)
			leat_pool_barrier(w);
		share(x, i, w, steal);
	}
}

/* The same with the times of worker 0: from one op's end to the next one's begin it waits for others. */
static void replay_timed(struct leat_worker *w, void *arg)
{
	struct leat_exec *x = arg;
	struct leat_profile *p = x->cpu->profile;
	struct leat_op_time dropped, *t;
	int steal = leat_opt_on(x->cpu->opts, LEAT_OPT_steal) && w->n_workers > 1;
	for (int i = 0; i < x->n_ops; i++) {
		const struct leat_cpu_op *o = &x->op[i];
		if (o->barrier)
			leat_pool_barrier(w);
		if (w->index) {
			share(x, i, w, steal);
			continue;
		}
		t = p->n < p->cap ? &p->at[p->n++] : &dropped;
		p->n_lost += t == &dropped;
		*t = (struct leat_op_time){ .kind = o->op ? o->op->kind : -1, .layer = o->layer, .part = o->part,
					    .w = o->op ? o->op->w : NULL, .began_ns = leat_now_ns() };
		share(x, i, w, steal);
		t->ended_ns = leat_now_ns();
	}
}

static void run_timed(struct leat_cpu *c, struct leat_exec *x)
{
	struct leat_profile *p = c->profile;
	p->n = p->n_lost = 0;
	p->began_ns = leat_now_ns();
	leat_pool_run(c->pool, replay_timed, x);
	p->ended_ns = leat_now_ns();
}

static void cpu_submit(void *dev, struct leat_exec *x, const struct leat_step *step,
		       const struct leat_state_view *state)
{
	struct leat_cpu *c = dev;
	x->step = step;
	x->state = state;
	for (int i = 0; i < x->n_ops; i++)
		atomic_store_explicit(&x->ticket[i].next, 0, memory_order_relaxed);
	if (c->profile)
		run_timed(c, x);
	else
		leat_pool_run(c->pool, replay, x);
}

static void cpu_profile(void *dev, struct leat_profile *p)
{
	struct leat_cpu *c = dev;
	c->profile = p;
}

static enum leat_status cpu_wait(void *dev, struct leat_exec *x, struct leat_error *err)
{
	(void)dev, (void)x, (void)err; /* submit returns when the step has run, and memory does not fail */
	return LEAT_OK;
}

struct tasks {
	void (*fn)(void *arg, int i);
	void *arg;
	int n;
	atomic_int next;
};

static void work_off(struct leat_worker *w, void *arg)
{
	struct tasks *t = arg;
	(void)w;
	for (int i = claim(&t->next, t->n); i >= 0; i = claim(&t->next, t->n))
		t->fn(t->arg, i);
}

static void cpu_run_tasks(void *dev, void (*fn)(void *arg, int i), void *arg, int n)
{
	struct leat_cpu *c = dev;
	struct tasks t = { .fn = fn, .arg = arg, .n = n };
	leat_pool_run(c->pool, work_off, &t);
}

static const float *cpu_result(void *dev, struct leat_exec *x, int row)
{
	const struct leat_buf *b = &x->plan->buf[x->plan->result];
	(void)dev;
	return x->arena + b->offset + (size_t)row * (size_t)b->stride;
}

extern const struct leat_backend leat_backend_cpu;
const struct leat_backend leat_backend_cpu = {
	.name = "cpu",
	.steps_in_flight = 1,
	.seqs_are_data = 1,
	.open = cpu_open,
	.close = cpu_close,
	.describe = cpu_describe,
	.supports = cpu_supports,
	.bind = leat_cpu_bind,
	.alloc = cpu_alloc,
	.dealloc = cpu_dealloc,
	.copy = cpu_copy,
	.row_align = cpu_row_align,
	.compile = leat_cpu_compile,
	.release = leat_cpu_release,
	.inspect = cpu_inspect,
	.scratch = cpu_scratch,
	.trim = cpu_trim,
	.discard = cpu_discard,
	.submit = cpu_submit,
	.wait = cpu_wait,
	.profile = cpu_profile,
	.run_tasks = cpu_run_tasks,
	.result = cpu_result,
};
