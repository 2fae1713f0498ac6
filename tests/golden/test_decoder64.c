/* test_decoder64.c - attention models against a second implementation in double precision (support/decoder64.c): first
 * that one against transformers' logits, where the oracle is there, then leat against it on models made in memory, for
 * what the oracle has no model of: optional biases, rotary embeddings of a part of each head, linear, llama3 and yarn
 * scaling by settings, both sides of longrope, quantised fused tensors, windows with any of these. */
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

enum { N = 60, CTX = 256 };

static struct leat_file *opened(const char *path)
{
	struct leat_file *f = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	if (leat_file_open(path, &f, &err))
		fail_msg("%s", err.message);
	return f;
}

static double deviation(const double *x, size_t n)
{
	double sum = 0, square = 0;
	for (size_t i = 0; i < n; i++)
		sum += x[i];
	for (size_t i = 0; i < n; i++)
		square += (x[i] - sum / (double)n) * (x[i] - sum / (double)n);
	return sqrt(square / (double)n);
}

static double worst(const double *want, const float *got, size_t n)
{
	double e = 0;
	for (size_t i = 0; i < n; i++) {
		double d = fabs(want[i] - (double)got[i]);
		e = d <= e ? e : d; /* a NaN counts */
	}
	return e / deviation(want, n);
}

static void test_against_transformers(void **state)
{
	static const char *const names[] = { "qwen2-tied", "qwen2-untied", "qwen3", "llama", "llama3-rope",
					     "mistral-window", "phi3", "phi3-window", "phi3-longrope" };
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char archive[64], member[64], path[64];
		size_t n_tokens, n_logits, rows;
		snprintf(archive, sizeof archive, "hf/%s.tar.gz", names[i]);
		snprintf(path, sizeof path, "hf-gguf/%s.gguf", names[i]);
		if (!oracle_path(archive))
			skip();
		snprintf(member, sizeof member, "%s/expected.json", names[i]);
		int32_t *tokens = read_json_ints(oracle_untar(archive, member), NULL, "tokens", &n_tokens);
		snprintf(member, sizeof member, "%s/logits.npy", names[i]);
		float *logits = read_floats(oracle_untar(archive, member), &n_logits);
		struct leat_file *f = opened(oracle_path(path));
		assert_true(tokens && logits);
		double *want = decoder64_logits(f, tokens, n_tokens, &rows);
		assert_int_equal(n_logits, n_tokens * rows);
		double e = worst(want, logits, n_logits);
		printf("decoder64 and transformers, %-16s e = %.3g\n", names[i], e);
		if (!(e <= 1e-4))
			fail_msg("%s: the second implementation is off by %g", names[i], e);
		leat_file_close(f);
		free(tokens);
		free(logits);
		free(want);
	}
}

static int keep(void *user, size_t index, const float *logits, int32_t n_rows)
{
	memcpy((float *)user + index * (size_t)n_rows, logits, (size_t)n_rows * sizeof *logits);
	return 0;
}

static struct leat_model *weights_of(const unsigned char *bytes, size_t n)
{
	struct leat_model *m = calloc(1, sizeof *m);
	struct leat_file *f = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	assert_non_null(m);
	atomic_init(&m->refs, 1);
	if (leat_file_open_memory("made", bytes, n, &f, &err) || leat_weights_load(&m->w, f, &err))
		fail_msg("%s", err.message);
	return m;
}

static float *leat_logits(struct leat_model *m, const int32_t *tokens, size_t n, int chunk, int mode)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	float *y = malloc(n * (size_t)m->w.table->rows * sizeof *y);
	p.n_ctx = CTX;
	p.kv_type = "f32";
	p.mode = mode;
	p.n_threads = 2;
	if (leat_engine_create(m, &p, &e, &err) || leat_engine_logits(e, tokens, n, chunk, keep, y, &err))
		fail_msg("%s", err.message);
	leat_engine_unref(e);
	return y;
}

/* m is destroyed. Reference arithmetic must agree to rounding, --deterministic to what 16-bit activations leave. (The
 * default mode's bf16 tiles are held to their bound on the oracle's models; of one 32 wide they leave up to a tenth of
 * a deviation.) */
static void check(const char *what, struct mk *m, size_t n)
{
	size_t n_bytes, rows;
	int32_t tokens[N];
	for (size_t i = 0; i < n; i++)
		tokens[i] = (int32_t)((i * i * 7 + i * 13 + 5) % 256);
	unsigned char *bytes = mk_encode(m, &n_bytes);
	mk_destroy(m);
	struct leat_model *model = weights_of(bytes, n_bytes);
	double *want = decoder64_logits(model->w.file, tokens, n, &rows), e[2] = { 0, 0 };
	for (int chunk = 0; chunk <= 7; chunk += 7)
		for (int mode = 0; mode < 2; mode++) {
			float *got = leat_logits(model, tokens, n, chunk,
						 mode ? LEAT_MODE_REFERENCE : LEAT_MODE_DETERMINISTIC);
			e[mode] = fmax(e[mode], worst(want, got, n * rows));
			free(got);
		}
	printf("%-44s reference e = %.3g, deterministic e = %.3g\n", what, e[1], e[0]);
	if (!(e[1] <= 1e-4) || !(e[0] <= 1e-3))
		fail_msg("%s: reference e = %g (bound 1e-4), deterministic e = %g (bound 1e-3)", what, e[1], e[0]);
	leat_model_unref(model);
	free(bytes);
	free(want);
}

static const struct {
	enum mk_kind kind;
	const char *arch;
} kinds[] = { { MK_QWEN2, "qwen2" }, { MK_LLAMA, "llama" }, { MK_PHI3, "phi3" }, { MK_QWEN3, "qwen3" } };
enum { KINDS = sizeof kinds / sizeof *kinds };

static const char *key(int k, const char *suffix)
{
	static char text[96];
	snprintf(text, sizeof text, "%s.%s", kinds[k].arch, suffix);
	return text;
}

static void test_plain(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		check(kinds[k].arch, mk_create(kinds[k].kind), N);
		struct mk *m = mk_create(kinds[k].kind);
		mk_remove_tensor(m, "output.weight"); /* tied */
		mk_set_int(m, key(k, "attention.sliding_window"), MK_U32, 9);
		check("  tied, window 9", m, N);
	}
}

static void test_part_of_head(void **state)
{
	(void)state;
	for (int k = 0; k < KINDS; k++) {
		if (kinds[k].kind == MK_PHI3 || kinds[k].kind == MK_LLAMA) /* their divisors are for four pairs */
			continue;
		struct mk *m = mk_create(kinds[k].kind);
		mk_set_int(m, key(k, "rope.dimension_count"), MK_U32, 6);
		check(kinds[k].arch, m, N);
	}
	struct mk *m = mk_create(MK_LLAMA);
	mk_remove_tensor(m, "rope_freqs.weight");
	mk_set_int(m, "llama.rope.dimension_count", MK_U32, 6);
	check("llama, neighbours", m, N);
}

static void test_biases(void **state)
{
	static const uint64_t width = 32, ff = 64;
	struct mk *m = mk_create(MK_LLAMA);
	(void)state;
	for (int i = 0; i < 2; i++) {
		char name[64];
		snprintf(name, sizeof name, "blk.%d.attn_output.bias", i);
		mk_add_tensor(m, name, 0, 1, &width);
		snprintf(name, sizeof name, "blk.%d.ffn_gate.bias", i);
		mk_add_tensor(m, name, 0, 1, &ff);
		snprintf(name, sizeof name, "blk.%d.ffn_up.bias", i);
		mk_add_tensor(m, name, 0, 1, &ff);
		snprintf(name, sizeof name, "blk.%d.ffn_down.bias", i);
		mk_add_tensor(m, name, 0, 1, &width);
	}
	check("llama, a bias everywhere", m, N);
}

static void test_scaling(void **state)
{
	static const char *const types[] = { "linear", "llama3", "yarn" };
	(void)state;
	for (int k = 0; k < KINDS; k++)
		for (int t = 0; t < 3; t++) {
			char what[64];
			if (kinds[k].kind == MK_PHI3)
				continue;
			struct mk *m = mk_create(kinds[k].kind);
			mk_remove_tensor(m, "rope_freqs.weight");
			mk_set_string(m, key(k, "rope.scaling.type"), types[t], strlen(types[t]));
			mk_set_f32(m, key(k, "rope.scaling.factor"), 2.5f);
			mk_set_int(m, key(k, "rope.scaling.original_context_length"), MK_U32, t == 2 ? 2048 : 40);
			snprintf(what, sizeof what, "%s, %s", kinds[k].arch, types[t]);
			check(what, m, N);
		}
}

static void test_longrope(void **state)
{
	(void)state;
	check("phi3, 24 tokens: short factors", mk_create(MK_PHI3), 24);
	check("phi3, 25 tokens: long factors", mk_create(MK_PHI3), 25);
	struct mk *m = mk_create(MK_PHI3);
	mk_set_f32(m, "phi3.rope.scaling.attn_factor", 1.3f);
	check("phi3, stated attention factor", m, N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_transformers), cmocka_unit_test(test_plain),
		cmocka_unit_test(test_part_of_head),         cmocka_unit_test(test_biases),
		cmocka_unit_test(test_scaling),              cmocka_unit_test(test_longrope),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
