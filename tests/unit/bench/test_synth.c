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

#include "base/f16.h"
#include "bench/bench_pp.h"
#include "bench/outfile.h"
#include "bench/synth_parts.h"

static void test_quantile(void **state)
{
	(void)state;
	/* Table values of the standard normal distribution. */
	assert_true(fabs(leat_synth_quantile(0.5, 0.3)) < 1e-9);
	assert_true(fabs(leat_synth_quantile(0.975, 0) - 1.959963985) < 1e-8);
	assert_true(fabs(leat_synth_quantile(0.001, 0) + 3.090232306) < 1e-8);
	assert_true(fabs(leat_synth_quantile(1e-6, -4.5) + 4.753424309) < 1e-8);
}

static double value(int type, const unsigned char *p, size_t i)
{
	uint16_t h;
	float f;

	if (type == SYNTH_F32) {
		memcpy(&f, p + 4 * i, 4);
		return (double)f;
	}
	if (type == SYNTH_Q8_0) {
		memcpy(&h, p + i / 32 * 34, 2);
		return (double)leat_f16_to_f32(h) * (double)(int8_t)p[i / 32 * 34 + 2 + i % 32];
	}
	memcpy(&h, p + 2 * i, 2);
	return (double)(type == SYNTH_F16 ? leat_f16_to_f32(h) : leat_bf16_to_f32(h));
}

/* Mean and deviation of what stands in the file are the ones asked for. */
static void test_distribution(void **state)
{
	static const char *const types[] = { "f32", "f16", "bf16", "q8_0" };
	enum { N = 1 << 18 };
	unsigned char *out = malloc(N * 4);
	int i;

	(void)state;
	assert_non_null(out);
	for (i = 0; i < 4; i++) {
		struct synth_model m;
		struct synth_fill *f;
		double sum = 0, square = 0, mean, deviation;
		size_t k;
		assert_int_equal(leat_synth_layout(&m, "rwkv7-0.1b", types[i], 0.2, NULL), LEAT_OK);
		for (k = 0; strcmp(m.tensor[k].name, "blk.3.channel_mix_key.weight") != 0; k++)
			assert_true((int)k + 1 < m.n_tensors);
		f = leat_synth_fill_create(&m);
		assert_non_null(f);
		leat_synth_fill(f, (int)k, 1, 0, N, out);
		for (size_t j = 0; j < N; j++)
			sum += value(m.type, out, j);
		mean = sum / N;
		for (size_t j = 0; j < N; j++)
			square += (value(m.type, out, j) - mean) * (value(m.type, out, j) - mean);
		deviation = sqrt(square / N);
		assert_true(fabs(deviation / (double)m.tensor[k].b - 1) < 0.02);
		assert_true(fabs(mean - (double)m.tensor[k].a) < 0.01 * (double)m.tensor[k].b);
		leat_synth_fill_destroy(f);
		free(m.tensor);
	}
	free(out);
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
