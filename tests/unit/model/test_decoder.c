/* test_decoder.c - what windows and longrope mean for a row: which keys it sees, and which frequencies turn it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "hostile/mkbad.h"

enum { N_LAYER = 2, SHORT_CTX = 24, N_ROWS = 272 };

/* The model as a file, opened; m is destroyed. */
static struct leat_model *open_made(struct mk *m)
{
	char path[512];
	const char *dir = getenv("LEAT_BUILD_DIR");
	struct leat_model *model = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	size_t n;
	unsigned char *bytes = mk_encode(m, &n);
	mk_destroy(m);
	snprintf(path, sizeof path, "%s/decoder-%ld.gguf", dir ? dir : "/tmp", (long)getpid());
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	free(bytes);
	if (leat_model_open(path, NULL, &model, &err))
		fail_msg("%s", err.message);
	unlink(path);
	return model;
}

static struct leat_engine *open_engine(struct leat_model *m, int n_seqs, int n_ctx, int mode)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	p.n_threads = 2;
	p.n_seqs = n_seqs;
	p.n_ctx = n_ctx;
	p.mode = mode;
	if (leat_engine_create(m, &p, &e, &err))
		fail_msg("%s", err.message);
	return e;
}

static int keep(void *user, size_t index, const float *logits, int32_t n_rows)
{
	assert_int_equal(n_rows, N_ROWS);
	memcpy((float *)user + index * N_ROWS, logits, N_ROWS * sizeof *logits);
	return 0;
}

/* Logits of n tokens, fed in chunks (free). */
static float *logits(struct leat_model *m, const int32_t *tokens, size_t n, int chunk, int mode)
{
	float *y = calloc(n * N_ROWS, sizeof *y);
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine *e = open_engine(m, 1, 512, mode);
	assert_non_null(y);
	if (leat_engine_logits(e, tokens, n, chunk, keep, y, &err))
		fail_msg("%s", err.message);
	leat_engine_unref(e);
	return y;
}

static void fill_tokens(int32_t *t, int n, unsigned seed)
{
	for (int i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		t[i] = (int32_t)(seed >> 16) % 256;
		t[i] = t[i] < 0 ? -t[i] : t[i];
	}
}

static int same_row(const float *a, const float *b, int row)
{
	return !memcmp(a + row * N_ROWS, b + row * N_ROWS, N_ROWS * sizeof *a);
}

/* By how much the second frequency is lowered. */
static double stretched(const char *type, const char *key, float value)
{
	struct mk *m = mk_create(MK_LLAMA);
	if (type)
		mk_set_string(m, "llama.rope.scaling.type", type, strlen(type));
	mk_set_f32(m, key, value);
	struct leat_model *plain = open_made(mk_create(MK_LLAMA)), *model = open_made(m);
	double y = (double)plain->w.cfg.rope.inv_freq[1] / (double)model->w.cfg.rope.inv_freq[1];
	leat_model_unref(plain);
	leat_model_unref(model);
	return y;
}

/* Files older than rope.scaling.type say only by how much, and readers of that time took it for "linear". */
static void test_linear(void **state)
{
	(void)state;
	assert_true(stretched("linear", "llama.rope.scaling.factor", 4) == 4);
	assert_true(stretched(NULL, "llama.rope.scaling.factor", 4) == 4);
	assert_true(stretched(NULL, "llama.rope.scale_linear", 4) == 4);
	assert_true(stretched(NULL, "llama.rope.scaling.factor", 1) == 1);
	assert_true(stretched("none", "llama.rope.scaling.factor", 4) == 1);
}

static struct leat_model *windowed(unsigned window)
{
	struct mk *m = mk_create(MK_LLAMA);
	mk_set_int(m, "llama.attention.sliding_window", MK_U32, window);
	mk_set_int(m, "llama.context_length", MK_U32, 512);
	return open_made(m);
}

/* Through N layers a token reaches N * (window - 1) rows on, and not one further: windows smaller than a page, equal to
 * it, one more, and across two borders. */
static void test_window_reach(void **state)
{
	enum { N = 300, CHANGED = 40 };
	static const unsigned windows[] = { 1, 2, 12, 63, 64, 65, 100 };
	int32_t a[N], b[N];
	(void)state;
	fill_tokens(a, N, 1);
	memcpy(b, a, sizeof b);
	for (int i = 0; i < CHANGED; i++)
		b[i] = (b[i] + 1) % 256;
	for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
		struct leat_model *m = windowed(windows[w]);
		float *x = logits(m, a, N, 0, LEAT_MODE_DEFAULT), *y = logits(m, b, N, 0, LEAT_MODE_DEFAULT);
		int last = CHANGED - 1 + N_LAYER * (int)(windows[w] - 1);
		assert_false(same_row(x, y, last));
		for (int i = last + 1; i < N; i++)
			if (!same_row(x, y, i))
				fail_msg("window %u: row %d sees beyond it", windows[w], i);
		free(x);
		free(y);
		leat_model_unref(m);
	}
}

/* Rows before the window fills are those of the model without one; the one at which it fills is not. */
static void test_window_start(void **state)
{
	enum { N = 200 };
	int32_t t[N];
	(void)state;
	fill_tokens(t, N, 2);
	struct leat_model *all = windowed(512), *some = windowed(70);
	float *x = logits(all, t, N, 0, LEAT_MODE_DEFAULT), *y = logits(some, t, N, 0, LEAT_MODE_DEFAULT);
	for (int i = 0; i < 70; i++)
		assert_true(same_row(x, y, i));
	assert_false(same_row(x, y, 70));
	free(x);
	free(y);
	leat_model_unref(all);
	leat_model_unref(some);
}

static void test_window_chunks(void **state)
{
	enum { N = 200 };
	static const int chunks[] = { 1, 7, 32, 63, 64, 65 };
	int32_t t[N];
	(void)state;
	fill_tokens(t, N, 3);
	for (unsigned window = 12; window <= 70; window += 58) {
		struct leat_model *m = windowed(window);
		float *x = logits(m, t, N, 0, LEAT_MODE_DETERMINISTIC);
		for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
			float *y = logits(m, t, N, chunks[c], LEAT_MODE_DETERMINISTIC);
			for (int i = 0; i < N; i++)
				if (!same_row(x, y, i))
					fail_msg("window %u, chunks of %d: row %d differs", window, chunks[c], i);
			free(y);
		}
		free(x);
		leat_model_unref(m);
	}
}

/* Phi-3 with both sets of factors, or with one of them in both places. */
static struct leat_model *longrope(const char *in_both)
{
	struct mk *m = mk_create(MK_PHI3);
	const struct mk_tensor *from = in_both ? mk_tensor(m, in_both) : NULL;
	if (from) {
		memcpy(mk_data(m, mk_tensor(m, "rope_factors_short.weight")), mk_data(m, from), from->data_bytes);
		memcpy(mk_data(m, mk_tensor(m, "rope_factors_long.weight")), mk_data(m, from), from->data_bytes);
	}
	return open_made(m);
}

/* The number of tokens given decides, for all of them alike. */
static void test_longrope_choice(void **state)
{
	enum { N = 40 };
	int32_t t[N];
	(void)state;
	fill_tokens(t, N, 4);
	struct leat_model *both = longrope(NULL), *near = longrope("rope_factors_short.weight"),
			  *far = longrope("rope_factors_long.weight");
	for (int n = SHORT_CTX - 1; n <= SHORT_CTX + 2; n++)
		for (int chunk = 0; chunk <= 7; chunk += 7) {
			float *x = logits(both, t, (size_t)n, chunk, LEAT_MODE_DEFAULT);
			float *s = logits(near, t, (size_t)n, chunk, LEAT_MODE_DEFAULT);
			float *l = logits(far, t, (size_t)n, chunk, LEAT_MODE_DEFAULT);
			for (int i = 0; i < n; i++)
				assert_true(same_row(x, n > SHORT_CTX ? l : s, i));
			assert_false(same_row(s, l, n - 1));
			free(x);
			free(s);
			free(l);
		}
	leat_model_unref(both);
	leat_model_unref(near);
	leat_model_unref(far);
}

static int chosen(struct leat_engine *e, int64_t max_tokens)
{
	static const int32_t prompt[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
	struct leat_request_params p = { .struct_size = sizeof p };
	struct leat_request_stats s = { .struct_size = sizeof s };
	struct leat_request *r = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	leat_request_params_init(e->model, &p);
	p.tokens = prompt;
	p.n_tokens = 10;
	p.max_tokens = max_tokens;
	if (leat_request_submit(e, &p, &r, &err))
		fail_msg("%s", err.message);
	leat_request_get_stats(r, &s);
	leat_request_unref(r);
	return s.rope_long;
}

static void test_longrope_admission(void **state)
{
	(void)state;
	struct leat_model *m = longrope(NULL);
	struct leat_engine *e = open_engine(m, 1, 100, LEAT_MODE_DEFAULT);
	assert_int_equal(chosen(e, SHORT_CTX - 10), 0);
	assert_int_equal(chosen(e, SHORT_CTX - 9), 1);
	assert_int_equal(chosen(e, -1), 1); /* until the context is full */
	assert_int_equal(chosen(e, INT64_MAX), 1);
	leat_engine_unref(e);
	e = open_engine(m, 1, SHORT_CTX, LEAT_MODE_DEFAULT);
	assert_int_equal(chosen(e, -1), 0); /* this engine's context is a short one */
	leat_engine_unref(e);
	leat_model_unref(m);
}

/* A sequence that was admitted as short refuses to grow, and is unharmed. */
static void test_longrope_growth(void **state)
{
	int32_t t[SHORT_CTX + 1];
	(void)state;
	fill_tokens(t, SHORT_CTX + 1, 5);
	struct leat_model *m = longrope(NULL);
	struct leat_engine *e = open_engine(m, 1, 100, LEAT_MODE_DEFAULT);
	struct leat_seq q;
	struct leat_error err = LEAT_ERROR_INIT;
	assert_int_equal(leat_seq_open(e, &q, &err), LEAT_OK);
	assert_int_equal(q.rope_long, 1); /* nobody said less than the context */
	leat_seq_expect(e, &q, SHORT_CTX);
	assert_int_equal(q.rope_long, 0);
	struct leat_feed f = { .seq = &q, .tokens = t, .n_tokens = SHORT_CTX, .want = LEAT_WANT_LAST };
	assert_int_equal(leat_engine_step(e, &f, 1, &err), LEAT_OK);
	f.n_tokens = 1;
	assert_int_equal(leat_engine_step(e, &f, 1, &err), LEAT_E_CONTEXT);
	assert_int_equal(q.n_past, SHORT_CTX);
	leat_seq_reset(e, &q);
	assert_int_equal(q.rope_long, 1);
	f.n_tokens = SHORT_CTX + 1;
	assert_int_equal(leat_engine_step(e, &f, 1, &err), LEAT_OK);
	leat_seq_close(e, &q);
	leat_engine_unref(e);
	leat_model_unref(m);
}

/* A short and a long sequence in one step get what each gets alone. */
static void test_longrope_company(void **state)
{
	enum { N = 20 };
	int32_t t[N];
	float alone[2][N_ROWS];
	(void)state;
	fill_tokens(t, N, 6);
	struct leat_model *m = longrope(NULL);
	struct leat_engine *e = open_engine(m, 2, 100, LEAT_MODE_DETERMINISTIC);
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_seq q[2];
	struct leat_feed f[2];
	for (int i = 0; i < 2; i++) {
		assert_int_equal(leat_seq_open(e, &q[i], &err), LEAT_OK);
		leat_seq_expect(e, &q[i], i ? 100 : N);
		f[i] = (struct leat_feed){ .seq = &q[i], .tokens = t, .n_tokens = N, .want = LEAT_WANT_LAST };
		assert_int_equal(leat_engine_step(e, &f[i], 1, &err), LEAT_OK);
		memcpy(alone[i], leat_engine_row(e, 0), sizeof alone[i]);
		leat_seq_reset(e, &q[i]);
		leat_seq_expect(e, &q[i], i ? 100 : N);
	}
	assert_int_equal(leat_engine_step(e, f, 2, &err), LEAT_OK);
	assert_memory_not_equal(alone[0], alone[1], sizeof alone[0]);
	for (int i = 0; i < 2; i++) {
		assert_memory_equal(leat_engine_row(e, i), alone[i], sizeof alone[i]);
		leat_seq_close(e, &q[i]);
	}
	leat_engine_unref(e);
	leat_model_unref(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear),             cmocka_unit_test(test_window_reach),
		cmocka_unit_test(test_window_start),
		cmocka_unit_test(test_window_chunks),   cmocka_unit_test(test_longrope_choice),
		cmocka_unit_test(test_longrope_admission), cmocka_unit_test(test_longrope_growth),
		cmocka_unit_test(test_longrope_company),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
