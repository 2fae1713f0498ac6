/* test_points64.c - every named point of every architecture, in every layer: what a hook is shown there against a
 * second implementation in double precision, the recurrent state after the last token too. Then each point changed, one
 * at a time: the logits must notice. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "hostile/mkbad.h"
#include "support/decoder64.h"
#include "support/oracle.h"
#include "support/rwkv64.h"

enum { N = 20, MAX_SEEN = 4096 };

/* What either side has shown: [n][cols] at a point of a layer. */
struct seen {
	char point[24];
	int layer;
	size_t cols, floats;
	double *x;
};
struct record {
	size_t n_tokens;
	int n;
	struct seen at[MAX_SEEN];
};

static struct seen *find(struct record *r, const char *point, int layer)
{
	for (int i = 0; i < r->n; i++)
		if (!strcmp(r->at[i].point, point) && r->at[i].layer == layer)
			return &r->at[i];
	return NULL;
}

static struct seen *make(struct record *r, const char *point, int layer, size_t cols, size_t floats)
{
	struct seen *s = &r->at[r->n++];
	assert_true(r->n <= MAX_SEEN);
	snprintf(s->point, sizeof s->point, "%s", point);
	s->layer = layer;
	s->cols = cols;
	s->floats = floats;
	s->x = calloc(floats, sizeof *s->x);
	assert_non_null(s->x);
	return s;
}

static void keep_reference(void *user, const char *point, int layer, const double *x, size_t cols)
{
	struct record *r = user;
	/* a state has as many rows as the width that stands beside it */
	size_t rows = strncmp(point, "state:", 6) ? r->n_tokens : find(r, "att.norm", layer)->cols;
	memcpy(make(r, point, layer, cols, rows * cols)->x, x, rows * cols * sizeof *x);
}

static void keep_state(struct record *r, const struct leat_hook_rows *rows)
{
	struct seen *s = find(r, "state:wkv", rows->layer);
	if (strcmp(rows->point, "att.wkv"))
		return;
	if (!s)
		s = make(r, "state:wkv", rows->layer, 1, rows->state_floats);
	for (size_t i = 0; i < s->floats; i++)
		s->x[i] = (double)rows->state[i];
}

static void keep_rows(void *user, struct leat_hook_rows *rows)
{
	struct record *r = user;
	size_t width = (size_t)rows->width;
	struct seen *s = find(r, rows->point, rows->layer);
	if (!s)
		s = make(r, rows->point, rows->layer, width, r->n_tokens * width);
	assert_int_equal(rows->struct_size, sizeof *rows);
	assert_true(rows->first_position + rows->n_rows <= (int64_t)r->n_tokens);
	for (size_t i = 0; i < (size_t)rows->n_rows * width; i++)
		s->x[(size_t)rows->first_position * width + i] =
			(double)rows->data[i / width * rows->stride + i % width];
	if (rows->state)
		keep_state(r, rows);
}

static void forget(struct record *r)
{
	for (int i = 0; i < r->n; i++)
		free(r->at[i].x);
	free(r);
}

/* Largest difference by the standard deviation of what is wanted. */
static double worst(const struct seen *want, const struct seen *got)
{
	double e = 0, square = 0;
	for (size_t i = 0; i < want->floats; i++) {
		double d = fabs(want->x[i] - got->x[i]);
		e = d <= e ? e : d; /* a NaN counts */
		square += want->x[i] * want->x[i];
	}
	return e / sqrt(square / (double)want->floats + 1e-30);
}

static int keep_logits(void *user, size_t index, const float *logits, int32_t n_rows)
{
	memcpy((float *)user + index * (size_t)n_rows, logits, (size_t)n_rows * sizeof *logits);
	return 0;
}

static void run(struct leat_engine *e, const int32_t *tokens, const struct leat_hook *hook, int chunk, float *logits)
{
	struct leat_evaluate_params p = LEAT_EVALUATE_PARAMS_INIT;
	struct leat_segment s = { .kind = LEAT_SEGMENT_TOKENS, .data = tokens, .n = N };
	struct leat_error err = LEAT_ERROR_INIT;
	p.segments = &s;
	p.n_segments = 1;
	p.chunk = chunk;
	p.hooks = hook;
	p.n_hooks = hook ? 1 : 0;
	if (leat_engine_evaluate(e, &p, keep_logits, logits, &err))
		fail_msg("%s", err.message);
}

/* Another last row. (The first one has nobody to attend to but itself.) */
static void disturb(void *user, struct leat_hook_rows *rows)
{
	float *x = rows->data + (uint64_t)(rows->n_rows - 1) * rows->stride;
	(*(int *)user)++;
	for (int i = 0; i < rows->width; i++)
		x[i] = 2 * x[i] + 0.5f * (float)(i % 3);
}

/* Each point by its name; the last layer that has it. */
static void check_each(const char *what, struct leat_engine *e, const int32_t *tokens, const float *plain, size_t rows)
{
	struct leat_hook_point p = { .struct_size = sizeof p };
	float *got = malloc(N * rows * sizeof *got);
	int i = 0;
	for (; !leat_model_hook_at(e->model, i, &p, NULL); i++) {
		int calls = 0;
		struct leat_hook h = { .point = p.name, .layer = p.last_layer, .fn = disturb, .user = &calls };
		run(e, tokens, &h, 0, got);
		if (calls != 1 || !memcmp(got, plain, N * rows * sizeof *got))
			fail_msg("%s: %s was called %d times, and the logits %s", what, p.name, calls,
				 memcmp(got, plain, N * rows * sizeof *got) ? "noticed" : "did not notice");
	}
	run(e, tokens, NULL, 0, got);
	assert_memory_equal(got, plain, N * rows * sizeof *got); /* and no trace is left */
	printf("%-12s %d points\n", what, i);
	free(got);
}

/* Point by point; norms of heads are shown by the second implementation where there are none. */
static void compare(const char *what, struct record *want, struct record *got)
{
	double e = 0;
	for (int i = 0; i < got->n; i++) {
		struct seen *g = &got->at[i], *w = find(want, g->point, g->layer);
		if (!w)
			fail_msg("%s: nobody else knows the point %s of layer %d", what, g->point, g->layer);
		assert_int_equal(g->floats, w->floats);
		double d = worst(w, g);
		e = d <= e ? e : d;
		if (!(d <= 1e-4))
			fail_msg("%s: %s of layer %d is off by %g", what, g->point, g->layer, d);
	}
	for (int i = 0; i < want->n; i++) {
		struct seen *w = &want->at[i];
		if (!find(got, w->point, w->layer) && !strstr(w->point, "_norm"))
			fail_msg("%s: %s of layer %d was not shown", what, w->point, w->layer);
	}
	printf("%-12s %d places, e = %.3g\n", what, got->n, e);
}

static void check(const char *what, struct leat_model *m, int is_rwkv)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	struct record *want = calloc(1, sizeof *want), *got = calloc(1, sizeof *got);
	size_t rows;
	int32_t tokens[N];
	for (int i = 0; i < N; i++)
		tokens[i] = (i * i * 7 + i * 13 + 5) % 250;
	want->n_tokens = got->n_tokens = N;
	double *logits = (is_rwkv ? rwkv64_watched : decoder64_watched)(m->w.file, tokens, N, keep_reference, want,
									 &rows);
	float *plain = malloc(N * rows * sizeof *plain), *seen = malloc(N * rows * sizeof *seen);
	p.n_ctx = 64;
	p.mode = LEAT_MODE_REFERENCE;
	p.n_threads = 2;
	if (leat_engine_create(m, &p, &e, &err))
		fail_msg("%s", err.message);
	struct leat_hook all = { .point = "*", .layer = -1, .fn = keep_rows, .user = got };
	run(e, tokens, NULL, 0, plain);
	run(e, tokens, &all, 0, seen);
	assert_memory_equal(seen, plain, N * rows * sizeof *seen); /* looking changes no bit */
	compare(what, want, got);
	run(e, tokens, &all, 7, seen); /* the same in pieces */
	compare(what, want, got);
	check_each(what, e, tokens, plain, rows);
	leat_engine_unref(e);
	leat_model_unref(m);
	forget(want);
	forget(got);
	free(logits);
	free(plain);
	free(seen);
}

static struct leat_model *opened(struct leat_file *f)
{
	struct leat_model *m = calloc(1, sizeof *m);
	struct leat_error err = LEAT_ERROR_INIT;
	assert_non_null(m);
	atomic_init(&m->refs, 1);
	if (leat_weights_load(&m->w, f, &err))
		fail_msg("%s", err.message);
	return m;
}

static void test_made(void **state)
{
	static const char *const names[MK_KINDS] = { [MK_QWEN2] = "qwen2", [MK_RWKV7] = "rwkv7", [MK_LLAMA] = "llama",
						     [MK_PHI3] = "phi3", [MK_QWEN3] = "qwen3" };
	(void)state;
	for (int k = 0; k < MK_KINDS; k++) {
		struct mk *mk = mk_create((enum mk_kind)k);
		struct leat_file *f = NULL;
		size_t n;
		unsigned char *bytes = mk_encode(mk, &n);
		mk_destroy(mk);
		assert_int_equal(leat_file_open_memory("made", bytes, n, &f, NULL), LEAT_OK);
		check(names[k], opened(f), k == MK_RWKV7);
		free(bytes);
	}
}

/* The second implementation of RWKV-7 against the oracle's logits. */
static void test_rwkv_oracle(void **state)
{
	const char *path = oracle_path("rwkv7-4h/model.gguf");
	struct leat_file *f = NULL;
	size_t n_tokens, n_want, rows;
	(void)state;
	if (!path)
		skip();
	assert_int_equal(leat_file_open(path, &f, NULL), LEAT_OK);
	int32_t *tokens = read_json_ints(oracle_path("rwkv7-4h/expected.json"), NULL, "tokens", &n_tokens);
	float *want = read_floats(oracle_path("rwkv7-4h/logits.f32"), &n_want);
	assert_true(tokens && want);
	double *got = rwkv64_watched(f, tokens, n_tokens, NULL, NULL, &rows), e = 0;
	assert_int_equal(n_want, n_tokens * rows);
	for (size_t i = 0; i < n_want; i++)
		e = fmax(e, fabs(got[i] - (double)want[i]));
	e /= standard_deviation(want, n_want);
	printf("rwkv64 and the oracle: e = %.3g\n", e);
	assert_true(e <= 1e-5);
	leat_file_close(f);
	free(tokens);
	free(want);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rwkv_oracle),
		cmocka_unit_test(test_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
