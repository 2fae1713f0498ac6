/* test_logits.c - logits of tiny models against independent references: bounds of NUMERICS.md section 2, for chunks of
 * 1, 7, 32 and all tokens, one and two threads; with --deterministic the bits are equal among all of those. The models
 * of Hugging Face as GGUF and as the folders that they came in, with their greedy ids. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "leat/leat.h"
#include "model/model.h"
#include "support/oracle.h"

struct sink {
	float *logits;
	size_t n_rows;
};

static int keep(void *user, size_t index, const float *logits, int32_t n_rows)
{
	struct sink *s = user;
	memcpy(s->logits + index * (size_t)n_rows, logits, (size_t)n_rows * sizeof *logits);
	return 0;
}

struct reference {
	struct leat_model *model;
	int32_t *tokens;
	float *want;
	size_t n_tokens, n_vocab;
	double std;
};

/* The weights of a file that has no vocabulary. */
static struct leat_model *open_weights(const char *path)
{
	struct leat_model *m = calloc(1, sizeof *m);
	struct leat_file *f = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	assert_non_null(m);
	atomic_init(&m->refs, 1);
	if (leat_file_open(path, &f, &err) || leat_weights_load(&m->w, f, &err))
		fail_msg("%s", err.message);
	return m;
}

static struct reference open_reference(const char *model, const char *json, const char *logits)
{
	struct reference r = { 0 };
	struct leat_error err = LEAT_ERROR_INIT;
	size_t n;
	r.tokens = read_json_ints(json, NULL, "tokens", &r.n_tokens);
	assert_non_null(r.tokens);
	r.want = read_floats(logits, &n);
	assert_non_null(r.want);
	size_t length = strlen(model);
	if (length > 3 && !strcmp(model + length - 3, ".st")) /* a lone checkpoint */
		r.model = open_weights(model);
	else if (leat_model_open(model, NULL, &r.model, &err))
		fail_msg("%s", err.message);
	r.n_vocab = (size_t)r.model->w.table->rows;
	if (n < r.n_tokens * r.n_vocab)
		r.n_tokens = n / r.n_vocab; /* references may stop before the text does */
	assert_true(r.n_tokens >= 16);
	r.std = standard_deviation(r.want, r.n_tokens * r.n_vocab);
	return r;
}

static void close_reference(struct reference *r)
{
	leat_model_unref(r->model);
	free(r->tokens);
	free(r->want);
}

static void run(const struct reference *r, const struct leat_engine_params *p, int chunk, float *got)
{
	struct leat_engine *e;
	struct leat_error err = LEAT_ERROR_INIT;
	struct sink s = { got, r->n_vocab };
	if (leat_engine_create(r->model, p, &e, &err))
		fail_msg("%s", err.message);
	if (leat_engine_logits(e, r->tokens, r->n_tokens, chunk, keep, &s, &err))
		fail_msg("%s", err.message);
	leat_engine_unref(e);
}

static double worst(const struct reference *r, const float *got)
{
	double e = 0;
	for (size_t i = 0; i < r->n_tokens * r->n_vocab; i++) {
		double d = fabs((double)got[i] - (double)r->want[i]);
		if (!(d <= e)) /* a NaN counts */
			e = d;
	}
	return e;
}

static const int chunks[] = { 1, 7, 32, 0 };
enum { N_CHUNKS = sizeof chunks / sizeof *chunks };

/* 0: two threads, chunks of 7 and all only; the sanitizers make every run dear. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { USUALLY_THOROUGH = 0 };
#else
enum { USUALLY_THOROUGH = 1 };
#endif
static int thorough = USUALLY_THOROUGH;

/* bound is on e, or absolute if `absolute`. */
static void check(const char *name, struct reference *r, int mode, const char *kv, double bound, int absolute)
{
	size_t bytes = r->n_tokens * r->n_vocab * sizeof(float);
	float *got = malloc(bytes), *first = malloc(bytes);
	double e = 0;
	assert_true(got && first);
	for (int threads = thorough ? 1 : 2; threads <= 2; threads++)
		for (int c = !thorough; c < N_CHUNKS; c += thorough ? 1 : 2) {
			struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
			p.n_threads = threads;
			p.mode = mode;
			p.kv_type = kv;
			memset(got, 0xff, bytes);
			run(r, &p, chunks[c], got);
			double w = worst(r, got) / (absolute ? 1.0 : r->std);
			e = w <= e ? e : w;
			if (c == !thorough && threads == (thorough ? 1 : 2))
				memcpy(first, got, bytes);
			else if (mode == LEAT_MODE_DETERMINISTIC && memcmp(first, got, bytes))
				fail_msg("%s: --deterministic differs at chunk %d with %d threads", name, chunks[c],
					 threads);
		}
	printf("%-28s mode %d, cache %s: worst %.3g%s, bound %.3g\n", name, mode, kv ? kv : "f16", e,
	       absolute ? " absolute" : " std", bound);
	free(got);
	free(first);
	if (!(e <= bound))
		fail_msg("%s: error %g exceeds %g", name, e, bound);
}

static void check_modes(const char *name, struct reference *r, double bound, int absolute)
{
	check(name, r, LEAT_MODE_DEFAULT, NULL, bound, absolute);
	check(name, r, LEAT_MODE_DETERMINISTIC, NULL, bound, absolute);
	close_reference(r);
}

/* From GGUF, and from the checkpoint as RWKV-LM names it. */
static void rwkv(const char *folder, double bound, int absolute)
{
	static const char *const file[] = { "model.gguf", "model.st" };
	char model[256], json[256], logits[256];
	snprintf(json, sizeof json, "%s/expected.json", folder);
	snprintf(logits, sizeof logits, "%s/logits.f32", folder);
	for (int i = 0; i < 2; i++) {
		snprintf(model, sizeof model, "%s/%s", folder, file[i]);
		if (!oracle_path(model))
			skip();
		char *m = strdup(oracle_path(model)), *j = strdup(oracle_path(json));
		struct reference r = open_reference(m, j, oracle_path(logits));
		free(m);
		free(j);
		check_modes(model, &r, bound, absolute); /* closes r */
	}
}

static void test_rwkv7_4h(void **state)
{
	(void)state;
	rwkv("rwkv7-4h", 1e-3, 0);
}

static void test_rwkv7_trained(void **state)
{
	(void)state;
	rwkv("rwkv/rwkv-7v0-834K", 1e-4, 1);
}

enum { N_GREEDY = 24 };

/* How far the two best ids after n tokens are apart, in reference arithmetic. */
static double reference_gap(const struct reference *r, const int32_t *tokens, size_t n)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct reference one = *r;
	float *got = malloc(n * r->n_vocab * sizeof *got), best = -INFINITY, second = -INFINITY;
	assert_non_null(got);
	one.tokens = (int32_t *)(uintptr_t)tokens;
	one.n_tokens = n;
	p.n_threads = 2;
	p.mode = LEAT_MODE_REFERENCE;
	run(&one, &p, 0, got);
	for (size_t i = 0; i < r->n_vocab; i++) {
		float x = got[(n - 1) * r->n_vocab + i];
		second = fmaxf(second, fminf(x, best));
		best = fmaxf(best, x);
	}
	free(got);
	return (double)best - (double)second;
}

/* Greedy ids by the rule of NUMERICS.md section 2: equal, or different first where the reference's best two are within
 * twice the bound. Token by token along the reference's ids, which are leat's own up to the first difference. */
static void greedy(const char *name, const struct reference *r, const char *json)
{
	size_t n_want, n = r->n_tokens, equal = 0;
	int32_t *want = read_json_ints(json, NULL, "greedy", &n_want), *all = malloc((n + N_GREEDY) * sizeof *all);
	float *got = malloc((n + N_GREEDY) * r->n_vocab * sizeof *got);
	assert_true(want && all && got && n_want == N_GREEDY);
	memcpy(all, r->tokens, n * sizeof *all);
	memcpy(all + n, want, N_GREEDY * sizeof *all);
	struct reference longer = *r;
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	longer.tokens = all;
	longer.n_tokens = n + N_GREEDY - 1;
	run(&longer, &p, 1, got);
	for (; equal < N_GREEDY; equal++) {
		const float *row = got + (n - 1 + equal) * r->n_vocab;
		size_t best = 0;
		for (size_t i = 1; i < r->n_vocab; i++)
			best = row[i] > row[best] ? i : best;
		if ((int32_t)best != want[equal])
			break;
	}
	printf("%-28s greedy: %zu of %d ids equal\n", name, equal, N_GREEDY);
	if (equal < N_GREEDY && reference_gap(r, all, n + equal) > 2 * 5e-3 * r->std)
		fail_msg("%s: greedy id %zu differs where the best two are far apart", name, equal);
	free(got);
	free(want);
	free(all);
}

/* e of a cache in blocks of 32: half a step of 1/127 of a block's largest value, in every key and value. What heads
 * that are no multiple of 32 are told. */
static void q8_0_cache(const char *name, struct reference *r)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine *e = NULL;
	if (r->model->w.spec[0].cols % 32 == 0) {
		check(name, r, LEAT_MODE_DEFAULT, "q8_0", 0.125, 0);
		check(name, r, LEAT_MODE_DETERMINISTIC, "q8_0", 0.125, 0);
		return;
	}
	p.kv_type = "q8_0";
	assert_int_equal(leat_engine_create(r->model, &p, &e, &err), LEAT_E_ARG);
	assert_string_equal(err.where, "kv_type");
	assert_non_null(strstr(err.message, "48"));
	printf("%-28s refuses cache q8_0: %s\n", name, err.message);
}

/* A model of the oracle, as GGUF or as the folder that it came in. */
static void hf_source(const char *name, const char *model, const char *json, const char *logits)
{
	struct reference r = open_reference(model, json, logits);
	check(name, &r, LEAT_MODE_DEFAULT, "f32", 1e-3, 0);
	check(name, &r, LEAT_MODE_REFERENCE, "f32", 1e-3, 0);
	greedy(name, &r, json);
	q8_0_cache(name, &r);
	check_modes(name, &r, 5e-3, 0);
}

static void hf(const char *name)
{
	char archive[256], path[256], shown[64];
	snprintf(archive, sizeof archive, "hf/%s.tar.gz", name);
	if (!oracle_path(archive))
		skip();
	const char *found = oracle_untar(archive, name);
	assert_non_null(found);
	char *folder = strdup(found), *json = malloc(1100), *logits = malloc(1100);
	assert_true(folder && json && logits);
	snprintf(json, 1100, "%s/expected.json", folder);
	snprintf(logits, 1100, "%s/logits.npy", folder);
	snprintf(path, sizeof path, "hf-gguf/%s.gguf", name);
	hf_source(name, oracle_path(path), json, logits);
	snprintf(shown, sizeof shown, "%s/", name);
	hf_source(shown, folder, json, logits);
	free(folder);
	free(json);
	free(logits);
}

#define HF(id, name)                       \
	static void test_##id(void **state) \
	{                                   \
		(void)state;                \
		hf(name);                   \
	}
HF(qwen2_tied, "qwen2-tied")
HF(qwen2_untied, "qwen2-untied")
HF(qwen3, "qwen3")
HF(llama, "llama")
HF(llama3_rope, "llama3-rope")
HF(mistral_window, "mistral-window")
HF(phi3, "phi3")
HF(phi3_window, "phi3-window")
HF(phi3_longrope, "phi3-longrope")

static void quant(const char *type, double bound)
{
	char model[64], logits[64];
	snprintf(model, sizeof model, "quant/%s.gguf", type);
	snprintf(logits, sizeof logits, "quant/%s.f32", type);
	if (!oracle_path(model))
		skip();
	char *m = strdup(oracle_path(model)), *j = strdup(oracle_path("quant/expected.json"));
	struct reference r = open_reference(m, j, oracle_path(logits));
	free(m);
	free(j);
	check(model, &r, LEAT_MODE_REFERENCE, NULL, 1e-2, 0);
	check_modes(model, &r, bound, 0);
}

static void test_quant_f16(void **state)
{
	(void)state;
	quant("f16", 3e-2);
}

static void test_quant_bf16(void **state)
{
	(void)state;
	quant("bf16", 3e-2);
}

static void test_quant_q8_0(void **state)
{
	(void)state;
	quant("q8_0", 5e-2);
}

/* Every other block format, in one go: each within the bound for quantised files. */
static void test_quant_rest(void **state)
{
	static const char *const types[] = { "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k" };
	(void)state;
	thorough = 0;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		quant(types[i], 5e-2);
	thorough = USUALLY_THOROUGH;
}

/* e of one type with some instruction sets left out, token by token and in one prefill. */
static void quant_row(const char *type, const char *sets, uint32_t mask_off)
{
	char model[64], logits[64];
	double e[2];
	snprintf(model, sizeof model, "quant/%s.gguf", type);
	snprintf(logits, sizeof logits, "quant/%s.f32", type);
	char *m = strdup(oracle_path(model)), *j = strdup(oracle_path("quant/expected.json"));
	struct reference r = open_reference(m, j, oracle_path(logits));
	float *got = malloc(r.n_tokens * r.n_vocab * sizeof *got);
	assert_non_null(got);
	for (int prefill = 0; prefill < 2; prefill++) {
		struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
		p.n_threads = 2;
		p.cpu_mask_off = mask_off;
		run(&r, &p, !prefill, got);
		e[prefill] = worst(&r, got) / r.std;
	}
	printf("| %-5s | %-10s | %.4f | %.4f |\n", type, sets, e[0], e[1]);
	if (!(e[0] <= 5e-2 && e[1] <= 5e-2))
		fail_msg("%s with %s: e %g in decode, %g in prefill exceed 0.05", type, sets, e[0], e[1]);
	free(got);
	free(m);
	free(j);
	close_reference(&r);
}

/* The bound of quantised files holds in decode and prefill whichever instruction sets the machine has. */
static void test_quant_sets(void **state)
{
	static const char *const types[] = { "q8_0", "q4_0", "q4_1", "q5_0", "q5_1",
					     "q2_k", "q3_k", "q4_k", "q5_k", "q6_k" };
	static const struct {
		const char *name;
		uint32_t mask_off;
	} sets[] = {
		{ "all", 0 },
		{ "avx512", LEAT_CPU_AVX512VNNI | LEAT_CPU_AVX512BF16 | LEAT_CPU_AMX },
		{ "avx2", LEAT_CPU_AVX512 | LEAT_CPU_AVX512VNNI | LEAT_CPU_AVX512BF16 | LEAT_CPU_AMX },
	};
	(void)state;
	if (!oracle_path("quant/expected.json"))
		skip();
	printf("| type  | CPU uses   | e decode | e prefill |\n| --- | --- | ---: | ---: |\n");
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		for (size_t s = 0; s < sizeof sets / sizeof *sets; s++)
			quant_row(types[i], sets[s].name, sets[s].mask_off);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rwkv7_4h),      cmocka_unit_test(test_phi3_window),
		cmocka_unit_test(test_quant_q8_0),    cmocka_unit_test(test_rwkv7_trained),
		cmocka_unit_test(test_qwen2_tied),    cmocka_unit_test(test_qwen2_untied),
		cmocka_unit_test(test_qwen3),         cmocka_unit_test(test_llama),
		cmocka_unit_test(test_llama3_rope),   cmocka_unit_test(test_mistral_window),
		cmocka_unit_test(test_phi3),          cmocka_unit_test(test_phi3_longrope),
		cmocka_unit_test(test_quant_f16),     cmocka_unit_test(test_quant_bf16),
		cmocka_unit_test(test_quant_rest),    cmocka_unit_test(test_quant_sets),
	};
#ifdef __SANITIZE_THREAD__
	/* which thread writes what does not depend on the model, and the race finder would take minutes for them all */
	return _cmocka_run_group_tests("tests", tests, 3, NULL, NULL);
#else
	return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
