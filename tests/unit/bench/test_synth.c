/* The generator's arithmetic and the file that appears whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/bench_pp.h"
#include "bench/outfile.h"
#include "bench/synth_parts.h"
#include "quant/quant.h"

static void test_quantile(void **state)
{
	(void)state;
	/* Table values of the standard normal distribution. */
	assert_true(fabs(leat_synth_quantile(0.5, 0.3)) < 1e-9);
	assert_true(fabs(leat_synth_quantile(0.975, 0) - 1.959963985) < 1e-8);
	assert_true(fabs(leat_synth_quantile(0.001, 0) + 3.090232306) < 1e-8);
	assert_true(fabs(leat_synth_quantile(1e-6, -4.5) + 4.753424309) < 1e-8);
}

/* Mean and deviation of what stands in the file are the ones asked for. */
static void test_distribution(void **state)
{
	static const char *const types[] = { "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1",
					     "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "q4_k_m" };
	enum { N = 1 << 18 };
	unsigned char *out = malloc(N * 4);
	float *x = malloc(N * sizeof(*x));
	int i;

	(void)state;
	assert_true(out && x);
	for (i = 0; i < (int)(sizeof(types) / sizeof(*types)); i++) {
		struct synth_model m;
		struct synth_fill *f;
		double sum = 0, square = 0, mean, deviation, near;
		size_t k;
		assert_int_equal(leat_synth_layout(&m, "rwkv7-0.1b", types[i], 0.2, NULL), LEAT_OK);
		for (k = 0; strcmp(m.tensor[k].name, "blk.3.channel_mix_key.weight") != 0; k++)
			assert_true((int)k + 1 < m.n_tensors);
		f = leat_synth_fill_create(&m);
		assert_non_null(f);
		leat_synth_fill(f, (int)k, 1, 0, N, out);
		leat_quant_at(leat_quant_of_type(m.tensor[k].type))->dequant(x, out, N);
		for (size_t j = 0; j < N; j++)
			sum += (double)x[j];
		mean = sum / N;
		for (size_t j = 0; j < N; j++)
			square += ((double)x[j] - mean) * ((double)x[j] - mean);
		deviation = sqrt(square / N);
		/* two and three bits spread the values, by their own rounding */
		near = i < 4 ? 0.02 : strcmp(types[i], "q2_k") ? 0.05 : 0.2;
		assert_true(fabs(deviation / (double)m.tensor[k].b - 1) < near);
		assert_true(fabs(mean - (double)m.tensor[k].a) < near / 2 * (double)m.tensor[k].b);
		leat_synth_fill_destroy(f);
		free(m.tensor);
	}
	free(out);
	free(x);
}

static void test_layout_refuses(void **state)
{
	struct synth_model m;
	struct leat_error e = { 0 };

	(void)state;
	assert_int_equal(leat_synth_layout(&m, "nonsense", "f32", 0, &e), LEAT_E_ARG);
	assert_non_null(strstr(e.message, "nonsense"));
	assert_int_equal(leat_synth_layout(&m, "rwkv7-0.1b", "q4", 0, &e), LEAT_E_ARG);
	assert_int_equal(leat_synth_layout(&m, "qwen2.5-7b", "f32", 0.5, &e), LEAT_E_ARG);
}

static void test_outfile(void **state)
{
	char dir[] = "/tmp/leat-test-XXXXXX", path[64], text[16] = "";
	struct leat_outfile f;
	struct leat_error e = { 0 };
	FILE *in;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	/* given up: nothing remains */
	assert_int_equal(leat_outfile_open(&f, path, 0, &e), LEAT_OK);
	assert_int_equal(leat_outfile_write(&f, "abc", 3, &e), LEAT_OK);
	leat_outfile_abort(&f);
	assert_int_not_equal(access(path, F_OK), 0);
	/* complete */
	assert_int_equal(leat_outfile_open(&f, path, 0, &e), LEAT_OK);
	assert_int_equal(leat_outfile_write(&f, "abc", 3, &e), LEAT_OK);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(leat_outfile_commit(&f, 1, &e), LEAT_OK);
	/* there already */
	assert_int_equal(leat_outfile_open(&f, path, 0, &e), LEAT_E_ARG);
	assert_non_null(strstr(e.message, "exists"));
	assert_int_equal(leat_outfile_open(&f, path, 1, &e), LEAT_OK);
	assert_int_equal(leat_outfile_write(&f, "de", 2, &e), LEAT_OK);
	assert_int_equal(leat_outfile_commit(&f, 0, &e), LEAT_OK);
	in = fopen(path, "r");
	assert_non_null(in);
	assert_non_null(fgets(text, sizeof(text), in));
	fclose(in);
	assert_string_equal(text, "de");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0); /* no temporary file was left */
	assert_int_equal(leat_outfile_open(&f, "/nonexistent/folder/file", 0, &e), LEAT_E_IO);
}

static void test_stats(void **state)
{
	static const uint64_t ns[3] = { 1000000000, 2000000000, 4000000000 };
	struct leat_bench_stats s;

	(void)state;
	leat_bench_stats(ns, 3, 8, &s);
	/* 8, 4 and 2 tokens a second */
	assert_true(fabs(s.avg_ts - 14.0 / 3) < 1e-12);
	assert_true(fabs(s.stddev_ts - sqrt(28.0 / 3)) < 1e-12);
	assert_true(fabs(s.avg_ns - 7e9 / 3) < 1e-3);
	leat_bench_stats(ns, 1, 8, &s);
	assert_true(s.stddev_ts == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantile),       cmocka_unit_test(test_distribution),
		cmocka_unit_test(test_layout_refuses), cmocka_unit_test(test_outfile),
		cmocka_unit_test(test_stats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
