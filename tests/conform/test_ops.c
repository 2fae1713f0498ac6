/* test_ops.c - every backend, every op, every format, odd shapes: each result is compared with the portable kernels in
 * reference mode. A new backend is held to this the moment the build collects it.
 *
 * A plan here is: inputs looked up from random F32 tables (so that any backend can be fed through its own contract),
 * the op under test, and the rows of its output. Bounds are on the largest error relative to the largest value. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "leat/leat.h"
#include "plan/backend.h"
#include "plan/opts.h"
#include "plan/record.h"
#include "quant/quant.h"
#include "state/store.h"

enum { MAX_TOKENS = 40, TABLE_ROWS = 64, HEADS = 3, HEAD = 16, WIDTH = HEADS * HEAD, N_LAYER = 2 };

static unsigned rng = 1;

static float uniform(void)
{
	rng = rng * 1664525u + 1013904223u;
	return (float)((int)(rng >> 8) - (1 << 23)) / (float)(1 << 23);
}

static float *random_floats(size_t n, float lo, float hi)
{
	float *x = malloc(n * sizeof *x);
	assert_non_null(x);
	for (size_t i = 0; i < n; i++)
		x[i] = lo + (hi - lo) * 0.5f * (1.0f + uniform());
	return x;
}

/* Up to six input tables, one matrix, vectors; how to record the op under test. */
struct bench {
	struct leat_weight table[6], w;
	struct leat_vec v[2];
	struct leat_rope rope;
	int n_tables, cols, out_cols, n_tokens;
	void (*record)(struct leat_rec *c, struct bench *b, struct leat_buf *y, struct leat_buf **x);
};

static void make_table(struct leat_weight *t, int cols, float lo, float hi)
{
	*t = (struct leat_weight){ .name = "input", .quant = LEAT_QUANT_f32, .rows = TABLE_ROWS, .cols = cols,
				   .row_bytes = (size_t)cols * sizeof(float),
				   .data = random_floats((size_t)TABLE_ROWS * (size_t)cols, lo, hi) };
}

static struct leat_vec make_vec(int n, int rows)
{
	return (struct leat_vec){ "vector", random_floats((size_t)n, -1.5f, 1.5f), n, rows };
}

static void free_bench(struct bench *b)
{
	for (int i = 0; i < b->n_tables; i++)
		free((void *)(uintptr_t)b->table[i].data);
	for (int i = 0; i < 2; i++)
		free((void *)(uintptr_t)b->v[i].data);
	free((void *)(uintptr_t)b->w.data);
}

static const struct leat_state_spec spec[] = {{1, HEADS, HEAD}, {1, HEADS, HEAD}, {0, 1, WIDTH}, {0, 1, WIDTH *HEAD}};
enum { STATE_K, STATE_V, STATE_SHIFT, STATE_WKV, N_SPEC };

struct device {
	const struct leat_backend *b;
	void *dev;
	struct leat_store *store;
};

static struct device open_device(const struct leat_backend *b, int mode, int n_threads)
{
	struct device d = { .b = b };
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_device_params p = { .n_threads = n_threads, .spin_us = -1, .mode = mode };
	assert_int_equal(leat_opts_parse(NULL, &p.opts, NULL), LEAT_OK);
	if (b->open(&p, &d.dev, &err))
		fail_msg("%s", err.message);
	struct leat_store_params sp = { .backend = b, .dev = d.dev, .spec = spec, .n_spec = N_SPEC, .n_layer = N_LAYER,
					.n_slots = 2, .n_cells = 6, .n_ctx = 200, .kv_type = LEAT_STORE_F32 };
	assert_int_equal(leat_store_create(&sp, &d.store, &err), LEAT_OK);
	leat_slot_reserve(d.store, leat_slot_take(d.store), 150);
	leat_slot_reserve(d.store, leat_slot_take(d.store), 150);
	return d;
}

static void close_device(struct device *d)
{
	leat_store_destroy(d->store);
	d->b->close(d->dev);
}

static struct leat_plan *record(struct bench *b)
{
	struct leat_plan_key key;
	struct leat_buf *x[6] = { 0 }, *y, *out;
	struct leat_plan *p = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	memset(&key, 0, sizeof key);
	key.tokens = key.outputs = leat_bucket_tokens(b->n_tokens, 512);
	key.seqs = 2;
	struct leat_rec *c = leat_record_begin(&key);
	leat_layer(c, 1);
	for (int i = 0; i < b->n_tables; i++) {
		x[i] = leat_tmp(c, b->table[i].cols);
		leat_embed(c, x[i], &b->table[i]);
	}
	y = leat_tmp(c, b->out_cols);
	out = leat_tmp_out(c, b->out_cols);
	b->record(c, b, y, x);
	leat_gather(c, out, y);
	if (leat_record_end(c, out, &p, &err))
		fail_msg("%s", err.message);
	return p;
}

/* Two steps over two sequences, the second continuing the first; all rows of both into ret. */
static void run(struct device *d, struct bench *b, float *ret)
{
	struct leat_plan *p = record(b);
	struct leat_exec *x;
	struct leat_step s;
	struct leat_error err = LEAT_ERROR_INIT;
	size_t bytes;
	int n = b->n_tokens, first = n / 2 > 0 && n > 1 ? n / 2 : n;
	assert_int_equal(leat_step_init(&s, n, 2, n, 2), 0);
	if (d->b->compile(d->dev, p, &x, &bytes, &err))
		fail_msg("%s", err.message);
	for (int step = 0; step < 2; step++) {
		s.n_tokens = s.n_outputs = n;
		s.n_seqs = first < n ? 2 : 1;
		s.seq[0] = (struct leat_step_seq){ 0, first, 0, step ? 0 : -1, step ? 1 : 0, -1, 0, NULL };
		s.seq[1] = (struct leat_step_seq){ first, n - first, 1, step ? 2 : -1, step ? 3 : 2, -1, 1, NULL };
		s.n_checkpoints = step;
		s.checkpoint[0] = (struct leat_checkpoint){ first - 1, 4 };
		for (int i = 0; i < n; i++) {
			s.seq_of[i] = i >= first;
			s.pos[i] = (i >= first ? i - first : i) + step * (i >= first ? n - first : first);
			s.id[i] = (i * 7 + step * 11) % TABLE_ROWS;
			s.out_row[i] = i;
		}
		d->b->submit(d->dev, x, &s, &d->store->view);
		assert_int_equal(d->b->wait(d->dev, x, &err), LEAT_OK);
		for (int i = 0; i < n; i++, ret += b->out_cols)
			memcpy(ret, d->b->result(d->dev, x, i), (size_t)b->out_cols * sizeof *ret);
	}
	d->b->release(d->dev, x);
	leat_plan_destroy(p);
	leat_step_deinit(&s);
}

static double compare(const float *a, const float *b, size_t n)
{
	double scale = 1e-20, worst = 0;
	for (size_t i = 0; i < n; i++)
		scale = fmax(scale, fabs((double)a[i]));
	for (size_t i = 0; i < n; i++) {
		double d = fabs((double)a[i] - (double)b[i]) / scale;
		worst = d <= worst ? worst : d;
	}
	return worst;
}

/* The portable kernels live in the CPU backend: reference mode takes no instruction set. */
static const struct leat_backend *portable(void)
{
	for (int i = 0; leat_backend_list[i]; i++)
		if (!strcmp(leat_backend_list[i]->name, "cpu"))
			return leat_backend_list[i];
	fail_msg("no portable kernels in this build");
	return NULL;
}

static void check(const char *what, struct bench *b, double bound)
{
	size_t n = 2 * (size_t)b->n_tokens * (size_t)b->out_cols;
	float *want = malloc(n * sizeof *want), *got = malloc(n * sizeof *got);
	struct device ref = open_device(portable(), LEAT_MODE_REFERENCE, 1);
	run(&ref, b, want);
	for (int i = 0; leat_backend_list[i]; i++)
		for (int mode = LEAT_MODE_DEFAULT; mode <= LEAT_MODE_DETERMINISTIC; mode++) {
			struct device d = open_device(leat_backend_list[i], mode, 2);
			memset(got, 0xff, n * sizeof *got);
			run(&d, b, got);
			double e = compare(want, got, n);
			if (!(e <= bound))
				fail_msg("%s on %s, mode %d, %d tokens: error %g, bound %g", what,
					 leat_backend_list[i]->name, mode, b->n_tokens, e, bound);
			for (int cell = 0; cell < 5 && b->n_tokens > 1; cell++) {
				double c = compare(ref.store->view.cells + (size_t)cell * ref.store->view.cell_floats,
						   d.store->view.cells + (size_t)cell * d.store->view.cell_floats,
						   d.store->view.cell_floats);
				if (!(c <= bound))
					fail_msg("%s on %s: state cell %d differs by %g", what,
						 leat_backend_list[i]->name, cell, c);
			}
			close_device(&d);
		}
	close_device(&ref);
	free(want);
	free(got);
}

static const int token_counts[] = { 1, 2, 5, 16, 17, MAX_TOKENS };

static void check_counts(const char *what, struct bench *b, double bound)
{
	for (size_t i = 0; i < sizeof token_counts / sizeof *token_counts; i++) {
		b->n_tokens = token_counts[i];
		check(what, b, bound);
	}
	free_bench(b);
}

static struct bench inputs(int n, float lo, float hi)
{
	struct bench b = { .n_tables = n, .cols = WIDTH, .out_cols = WIDTH };
	for (int i = 0; i < n; i++)
		make_table(&b.table[i], WIDTH, lo, hi);
	b.v[0] = make_vec(WIDTH, 1);
	b.v[1] = make_vec(WIDTH, 1);
	return b;
}

static void record_product(struct leat_rec *c, struct bench *b, struct leat_buf *y, struct leat_buf **x)
{
	leat_product(c, y, &b->w, x[0], &b->v[0], LEAT_ACT_TANH);
}

/* Bounds per format: rungs may use bf16 tiles for all but F32 (NUMERICS.md section 2). */
static void test_products(void **state)
{
	static const int shapes[][2] = { { 1, 32 }, { 7, 64 }, { 33, 96 }, { 130, 608 }, { 64, 1056 } };
	(void)state;
	for (int q = 0; q < LEAT_QUANT_COUNT; q++)
		for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
			int rows = shapes[i][0], cols = shapes[i][1];
			const struct leat_quant *f = leat_quant_at(q);
			if (cols % f->block_elems)
				continue;
			struct bench b = { .n_tables = 1, .cols = cols, .out_cols = rows, .record = record_product };
			make_table(&b.table[0], cols, -1, 1);
			b.v[0] = make_vec(rows, 1);
			float *w = random_floats((size_t)rows * (size_t)cols, -0.1f, 0.1f);
			size_t row_bytes = leat_quant_bytes(f, (size_t)cols);
			void *blocks = malloc((size_t)rows * row_bytes);
			f->quant(blocks, w, (size_t)rows * (size_t)cols);
			free(w);
			b.w = (struct leat_weight){.name = "w",
						   .quant = q,
						   .rows = rows,
						   .cols = cols,
						   .row_bytes = row_bytes,
						   .data = blocks};
			check_counts(f->name, &b, q == LEAT_QUANT_f32 ? 1e-5 : 1e-2);
		}
}

#define RECORD(name, call)                                                                                           \
	static void record_##name(struct leat_rec *c, struct bench *b, struct leat_buf *y, struct leat_buf **x)      \
	{                                                                                                            \
		(void)b;                                                                                             \
		call;                                                                                                \
	}
RECORD(rmsnorm, leat_rmsnorm(c, y, x[0], &b->v[0], 1e-5f))
RECORD(headnorm, (b->v[1].n = HEAD, leat_headnorm(c, y, x[0], &b->v[1], HEADS, 1e-5f)))
RECORD(layernorm, leat_layernorm(c, y, x[0], &b->v[0], &b->v[1], 1e-5f))
RECORD(groupnorm, leat_groupnorm(c, y, x[0], &b->v[0], &b->v[1], HEADS, 64e-5f))
RECORD(l2norm, leat_l2norm(c, y, x[0], HEADS))
RECORD(swiglu, leat_swiglu(c, y, x[0], x[1]))
RECORD(add, (leat_add(c, x[0], x[1]), leat_swiglu(c, y, x[0], x[1])))
RECORD(mul, (leat_mul(c, x[0], x[1]), leat_mul_vec(c, y, x[0], &b->v[0])))
RECORD(mix, (leat_mix(c, x[0], x[1], x[2]), leat_swiglu(c, y, x[0], x[1])))
RECORD(shift, (leat_shift(c, x[1], x[0], STATE_SHIFT), leat_lerp(c, y, x[0], x[1], &b->v[0], 0)))
RECORD(key_scale, (leat_key_scale(c, x[0], x[1], &b->v[0]), leat_swiglu(c, y, x[0], x[1])))
RECORD(wkv7, leat_wkv7(c, y, x[0], x[1], x[2], x[3], x[4], x[5], HEADS, STATE_WKV))
RECORD(bonus, (leat_l2norm(c, y, x[0], 1), leat_bonus(c, y, x[0], x[1], x[2], &b->v[0], HEADS)))
RECORD(softmax, (leat_swiglu(c, y, x[0], x[1]), leat_softmax_op(c, y)))
RECORD(attention, leat_attention(c, y, x[0], x[1], x[2], HEADS, HEADS, HEAD, 0, STATE_K))
RECORD(window, leat_attention(c, y, x[0], x[1], x[2], HEADS, HEADS, HEAD, 5, STATE_K))

static void test_row_ops(void **state)
{
	static const struct {
		const char *name;
		void (*record)(struct leat_rec *c, struct bench *b, struct leat_buf *y, struct leat_buf **x);
		int n;
		float lo, hi;
	} ops[] = {
		{ "headnorm", record_headnorm, 1, -3, 3 },
		{ "rmsnorm", record_rmsnorm, 1, -3, 3 },     { "layernorm", record_layernorm, 1, -3, 3 },
		{ "groupnorm", record_groupnorm, 1, -3, 3 }, { "l2norm", record_l2norm, 1, -3, 3 },
		{ "swiglu", record_swiglu, 2, -9, 9 },       { "add", record_add, 2, -3, 3 },
		{ "mul", record_mul, 2, -3, 3 },             { "mix", record_mix, 3, -3, 3 },
		{ "shift", record_shift, 2, -3, 3 },         { "key_scale", record_key_scale, 2, -3, 3 },
		{ "bonus", record_bonus, 3, -3, 3 },         { "wkv7", record_wkv7, 6, 0.1f, 0.3f },
		{ "softmax", record_softmax, 2, -9, 9 },
		{ "attention", record_attention, 3, -3, 3 }, { "window", record_window, 3, -3, 3 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		struct bench b = inputs(ops[i].n, ops[i].lo, ops[i].hi);
		b.record = ops[i].record;
		check_counts(ops[i].name, &b, 2e-5);
	}
}

static void record_rope(struct leat_rec *c, struct bench *b, struct leat_buf *y, struct leat_buf **x)
{
	struct leat_buf *cs = leat_tmp(c, b->rope.n_rot);
	leat_rope_table(c, cs, &b->rope);
	leat_rope_apply(c, x[0], cs, HEAD, &b->rope);
	leat_swiglu(c, y, x[0], x[0]);
}

static void test_rope(void **state)
{
	/* the second sequence of each step is a long one */
	static const float far[HEAD / 2] = { 0.9f, 0.4f, 0.2f, 0.07f, 0.02f, 0.004f, 0.001f, 0.0003f };
	static const float inv[HEAD / 2] = { 1, 0.5f, 0.25f, 0.1f, 0.03f, 0.01f, 0.003f, 0.001f };
	(void)state;
	for (int n_rot = 2; n_rot <= HEAD; n_rot += 2)
		for (int pairs = 0; pairs < LEAT_ROPE_PAIRS; pairs++) {
			struct bench b = inputs(1, -2, 2);
			b.record = record_rope;
			b.rope = (struct leat_rope){ n_rot, inv, 1.25f, pairs, pairs == n_rot / 2 % 2 ? far : NULL };
			check_counts("rope", &b, 2e-5);
		}
}

/* A table of every format is looked up exactly. */
static void record_embed(struct leat_rec *c, struct bench *b, struct leat_buf *y, struct leat_buf **x)
{
	(void)x;
	leat_embed(c, y, &b->w);
}

static void test_embed(void **state)
{
	(void)state;
	for (int q = 0; q < LEAT_QUANT_COUNT; q++) {
		const struct leat_quant *f = leat_quant_at(q);
		int cols = f->block_elems > 96 ? f->block_elems : 96; /* a row is whole blocks */
		size_t n = (size_t)TABLE_ROWS * (size_t)cols;
		struct bench b = { .out_cols = cols, .record = record_embed };
		float *w = random_floats(n, -1, 1);
		void *blocks = malloc(leat_quant_bytes(f, n));
		f->quant(blocks, w, n);
		free(w);
		b.w = (struct leat_weight){ .name = "w", .quant = q, .rows = TABLE_ROWS, .cols = cols,
					    .row_bytes = leat_quant_bytes(f, (size_t)cols), .data = blocks };
		check_counts(f->name, &b, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_products),
		cmocka_unit_test(test_row_ops),
		cmocka_unit_test(test_rope),
		cmocka_unit_test(test_embed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
