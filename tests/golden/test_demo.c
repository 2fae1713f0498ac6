/* test_demo.c - the demo models against what their trainer computed from the same dequantised weights in PyTorch:
 * logits of the last rows of a text within the bound for quantised files, greedy ids by the rule of NUMERICS.md
 * section 2. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "leat/leat.h"
#include "support/oracle.h"

static const double bound = 5e-2;

struct rows {
	const float *want;
	size_t first, n, n_vocab;
	double worst;
};

static int compare(void *user, size_t index, const float *logits, int32_t n_rows)
{
	struct rows *r = user;
	if (index < r->first || index >= r->first + r->n)
		return 0;
	assert_int_equal(n_rows, r->n_vocab);
	for (size_t i = 0; i < r->n_vocab; i++) {
		double d = fabs((double)logits[i] - (double)r->want[(index - r->first) * r->n_vocab + i]);
		r->worst = d <= r->worst ? r->worst : d;
	}
	return 0;
}

static void check_logits(struct leat_model *m, const char *name, int mode, const int32_t *tokens, size_t n_tokens,
			 const float *want, size_t n_want)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e = NULL;
	struct leat_model_info info = { .struct_size = sizeof info };
	leat_model_get_info(m, &info);
	struct rows r = { want, 0, n_want / (size_t)info.n_rows, (size_t)info.n_rows, 0 };
	double std = standard_deviation(want, n_want);
	r.first = n_tokens - r.n; /* the trainer keeps the last rows */
	p.mode = mode;
	if (leat_engine_create(m, &p, &e, &err) || leat_engine_logits(e, tokens, n_tokens, 0, compare, &r, &err))
		fail_msg("%s", err.message);
	printf("demo-%s mode %d: e = %.3g over %zu rows, bound %.3g\n", name, mode, r.worst / std, r.n, bound);
	assert_true(r.worst / std <= bound);
	leat_engine_unref(e);
}

/* Greedy ids equal the trainer's, or the first that differs was a near tie there. */
static void check_greedy(struct leat_model *m, const char *name, const int32_t *tokens, size_t n_tokens,
			 const int32_t *want, const float *margin, size_t n_want, double std)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine *e = NULL;
	struct leat_request_params p;
	struct leat_request *r = NULL;
	struct leat_token t = LEAT_TOKEN_INIT;
	size_t equal = 0;
	leat_request_params_init(m, &p);
	p.tokens = tokens;
	p.n_tokens = n_tokens;
	p.temperature = 0;
	p.presence_penalty = p.frequency_penalty = 0;
	p.max_tokens = (int64_t)n_want;
	p.flags = LEAT_REQUEST_IGNORE_EOS;
	if (leat_engine_create(m, NULL, &e, &err) || leat_request_submit(e, &p, &r, &err))
		fail_msg("%s", err.message);
	for (; equal < n_want; equal++) {
		if (leat_request_next(r, &t, &err))
			fail_msg("%s", err.message);
		if (t.id != want[equal])
			break;
	}
	printf("demo-%s: %zu of %zu greedy ids equal\n", name, equal, n_want);
	if (equal < n_want)
		assert_true((double)margin[equal] <= 2 * bound * std);
	leat_request_unref(r);
	leat_engine_unref(e);
}

/* Numbers after "key": [ as floats (free). */
static float *read_margins(const char *path, const char *section, size_t *ret_n)
{
	size_t bytes;
	unsigned char *text = read_file(path, &bytes);
	float *x = malloc((bytes + 1) * sizeof *x);
	char *p = text && x ? strstr((char *)text, section) : NULL;
	p = p ? strstr(p, "\"greedy_margin\"") : NULL;
	p = p ? strchr(p, '[') : NULL;
	for (*ret_n = 0; p && *p && *p != ']'; p += strspn(p, " \n\t\r")) {
		char *end;
		x[*ret_n] = strtof(p + 1, &end);
		if (end == p + 1)
			break;
		++*ret_n;
		p = end;
	}
	free(text);
	return x;
}

static void check(const char *name)
{
	char path[128];
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *m = NULL;
	size_t n_tokens, n_want, n_greedy, n_margin;
	const char *json = "models/golden/golden.json";
	snprintf(path, sizeof path, "models/golden/golden-%s.f32", name);
	int32_t *tokens = read_json_ints(source_path(json), name, "tokens", &n_tokens);
	int32_t *greedy = read_json_ints(source_path(json), name, "greedy", &n_greedy);
	float *margin = read_margins(source_path(json), name, &n_margin);
	float *want = read_floats(source_path(path), &n_want);
	assert_true(tokens && greedy && margin && want && n_tokens > 16 && n_greedy > 16 && n_margin == n_greedy);
	snprintf(path, sizeof path, "models/demo-%s.gguf", name);
	if (leat_model_open(source_path(path), NULL, &m, &err))
		fail_msg("%s", err.message);
	check_logits(m, name, LEAT_MODE_REFERENCE, tokens, n_tokens, want, n_want);
	check_logits(m, name, LEAT_MODE_DEFAULT, tokens, n_tokens, want, n_want);
	check_logits(m, name, LEAT_MODE_DETERMINISTIC, tokens, n_tokens, want, n_want);
	check_greedy(m, name, tokens, n_tokens, greedy, margin, n_greedy, standard_deviation(want, n_want));
	leat_model_unref(m);
	free(tokens);
	free(greedy);
	free(margin);
	free(want);
}

static void test_rwkv7(void **state)
{
	(void)state;
	check("rwkv7");
}

static void test_qwen2(void **state)
{
	(void)state;
	check("qwen2");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rwkv7), cmocka_unit_test(test_qwen2) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
