/* test_hf_config.c - config.json as transformers 4 and 5 write it, and what it may ask for: the oracle's folders with
 * settings changed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/model.h"
#include "support/oracle.h"

static char folder[600];

static void write_file(const char *name, const void *bytes, size_t n)
{
	char path[700];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void copy_weights(const char *from)
{
	char path[1100];
	size_t n;
	snprintf(path, sizeof path, "%s/model.safetensors", from);
	unsigned char *bytes = read_file(path, &n);
	assert_non_null(bytes);
	write_file("model.safetensors", bytes, n);
	free(bytes);
}

/* Cuts "key": VALUE with its comma out of the top level of a JSON object that is indented by two. */
static void cut(char *text, const char *key)
{
	char quoted[96];
	snprintf(quoted, sizeof quoted, "\n  \"%s\":", key);
	char *at = strstr(text, quoted), *end;
	if (!at)
		return;
	int depth = 0;
	for (end = at + strlen(quoted); *end && (depth || (*end != ',' && *end != '}')); end++)
		depth += (*end == '{' || *end == '[') - (*end == '}' || *end == ']');
	memmove(at, end + (*end == ','), strlen(end + (*end == ',')) + 1);
}

/* The model of that name with settings: those named in `without` (separated by blanks) are taken out of config.json,
 * `with` is put in. Returns the status of loading; *w is to be freed when it is LEAT_OK. */
static enum leat_status load(const char *name, const char *without, const char *with, struct leat_weights *w,
			     struct leat_error *err)
{
	char archive[128], key[64], *text, config[8192];
	size_t n;
	snprintf(archive, sizeof archive, "hf/%s.tar.gz", name);
	if (!oracle_path(archive))
		skip();
	const char *from = oracle_untar(archive, name);
	assert_non_null(from);
	copy_weights(from);
	char path[1100];
	snprintf(path, sizeof path, "%s/config.json", from);
	text = (char *)read_file(path, &n);
	assert_non_null(text);
	for (int used = 0; sscanf(without, "%63s%n", key, &used) == 1; without += used)
		cut(text, key);
	int made = snprintf(config, sizeof config, "{%s%s%s", with, *with ? "," : "", strchr(text, '{') + 1);
	free(text);
	assert_true(made > 0 && (size_t)made < sizeof config);
	write_file("config.json", config, (size_t)made);
	struct leat_file *f = NULL;
	*err = (struct leat_error)LEAT_ERROR_INIT;
	if (leat_file_open(folder, &f, err))
		fail_msg("%s", err->message);
	enum leat_status st = leat_weights_load(w, f, err);
	if (st != LEAT_OK)
		leat_weights_deinit(w);
	return st;
}

static void refuse(const char *name, const char *without, const char *with, enum leat_status wanted, const char *text)
{
	struct leat_weights w;
	struct leat_error err;
	enum leat_status st = load(name, without, with, &w, &err);
	if (st == LEAT_OK)
		leat_weights_deinit(&w);
	if (st != wanted || !strstr(err.message, text))
		fail_msg("%s with %s: status %d, '%s', wanted %d about %s", name, with, st,
			 st ? err.message : "", wanted, text);
}

static struct leat_weights accept(const char *name, const char *without, const char *with)
{
	struct leat_weights w;
	struct leat_error err;
	if (load(name, without, with, &w, &err))
		fail_msg("%s with %s: %s", name, with, err.message);
	return w;
}

static int window_of(const char *name, const char *without, const char *with)
{
	struct leat_weights w = accept(name, without, with);
	int window = w.cfg.window;
	leat_weights_deinit(&w);
	return window;
}

static void test_windows(void **state)
{
	(void)state;
	assert_int_equal(window_of("mistral-window", "", ""), 20);
	assert_int_equal(window_of("mistral-window", "sliding_window", ""), 0);
	assert_int_equal(window_of("mistral-window", "sliding_window", "\"sliding_window\":null"), 0);
	/* one as long as the context counts too: an engine can be asked for a longer context */
	assert_int_equal(window_of("mistral-window", "sliding_window", "\"sliding_window\":512"), 512);
	assert_int_equal(window_of("phi3-window", "", ""), 16);
	/* Qwen states a window that is not used, unless it says so; newer files name the type of each layer */
	const char *all = "sliding_window layer_types use_sliding_window max_window_layers";
	assert_int_equal(window_of("qwen3", all, "\"sliding_window\":16"), 0);
	assert_int_equal(window_of("qwen3", all, "\"sliding_window\":16,\"use_sliding_window\":false"), 0);
	assert_int_equal(window_of("qwen3", all, "\"sliding_window\":16,\"use_sliding_window\":true"), 0);
	assert_int_equal(window_of("qwen3", all,
				   "\"sliding_window\":16,\"use_sliding_window\":true,\"max_window_layers\":0"), 16);
	refuse("qwen3", all, "\"sliding_window\":16,\"use_sliding_window\":true,\"max_window_layers\":1",
	       LEAT_E_UNSUPPORTED, "layer 1");
#define TYPES(a, b) "\"sliding_window\":16,\"layer_types\":[\"" a "_attention\",\"" b "_attention\"]"
	assert_int_equal(window_of("qwen3", all, TYPES("sliding", "sliding")), 16);
	assert_int_equal(window_of("qwen3", all, TYPES("full", "full")), 0);
	refuse("qwen3", all, TYPES("full", "sliding"), LEAT_E_UNSUPPORTED, "1 of 2 layers");
	refuse("qwen3", all, TYPES("full", "chunked"), LEAT_E_UNSUPPORTED, "chunked_attention");
}

/* Frequency i of the llama model (head 32, base 10000) with these settings. */
static double frequency(const char *settings, int i, double *ret_scale)
{
	struct leat_weights w = accept("llama", "rope_parameters", settings);
	double f = (double)w.cfg.rope.inv_freq[i];
	*ret_scale = (double)w.cfg.rope.scale;
	leat_weights_deinit(&w);
	return f;
}

static void about(double found, double wanted)
{
	if (!(fabs(found - wanted) <= 1e-6 * fabs(wanted)))
		fail_msg("%.9g, wanted %.9g", found, wanted);
}

static void test_scaling(void **state)
{
	double scale, plain = pow(10000, -8 / 16.0);
	(void)state;
	about(frequency("\"rope_theta\":10000", 8, &scale), plain);
	about(scale, 1);
	about(frequency("\"rope_theta\":10000.0,\"rope_scaling\":null", 8, &scale), plain);
	about(frequency("\"rope_scaling\":{\"type\":\"linear\",\"factor\":4}", 8, &scale), plain / 4);
	about(frequency("\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":2.5,\"rope_theta\":10000}", 8,
			&scale), plain / 2.5);
	about(scale, 1);
	about(frequency("\"rope_parameters\":{\"type\":\"linear\",\"factor\":2.5,\"rope_theta\":10000,"
			"\"attention_factor\":2}", 8, &scale), plain / 2.5);
	about(scale, 1); /* only yarn and longrope have one */
	about(frequency("\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4,"
			"\"original_max_position_embeddings\":128}", 15, &scale), pow(10000, -15 / 16.0) / 4);
	about(scale, 1 + 0.1 * log(4));
	about(frequency("\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"attention_factor\":1.5}", 0, &scale), 1);
	about(scale, 1.5);
	about(frequency("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
			"\"high_freq_factor\":4,\"original_max_position_embeddings\":64}", 15, &scale),
	      pow(10000, -15 / 16.0) / 8);
}

static void test_scaling_refused(void **state)
{
	const char *rope = "rope_parameters";
	(void)state;
	refuse("llama", rope, "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0}", LEAT_E_UNSUPPORTED,
	       "'dynamic'");
	refuse("llama", rope, "\"rope_scaling\":{\"type\":\"linear\"}", LEAT_E_FORMAT, "factor");
	refuse("llama", rope, "\"rope_scaling\":{\"type\":\"linear\",\"factor\":\"2\"}", LEAT_E_FORMAT, "factor");
	refuse("llama", rope, "\"rope_scaling\":{\"type\":7,\"factor\":2}", LEAT_E_FORMAT, "type");
	refuse("llama", rope, "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2,\"mscale\":0.7}", LEAT_E_UNSUPPORTED,
	       "mscale");
	refuse("llama", rope, "\"rope_scaling\":{\"type\":\"longrope\",\"factor\":2}", LEAT_E_FORMAT, "short_factor");
	refuse("llama", rope, "\"rope_theta\":-1", LEAT_E_FORMAT, "rope_theta");
	/* what would be no rule at all, if it were passed over */
	refuse("llama", rope, "\"rope_scaling\":{\"factor\":8.0}", LEAT_E_FORMAT, "without rope_type");
	refuse("llama", rope, "\"rope_scaling\":\"linear\"", LEAT_E_FORMAT, "no object");
	refuse("llama", rope, "\"rope_scaling\":[{\"type\":\"linear\",\"factor\":8}]", LEAT_E_UNSUPPORTED,
	       "rope_scaling.0");
	refuse("llama", rope,
	       "\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"linear\",\"factor\":8,\"rope_theta\":10000}}",
	       LEAT_E_UNSUPPORTED, "full_attention");
}

#define TIMES8(x) x "," x "," x "," x "," x "," x "," x "," x
#define TIMES24(x) TIMES8(x) "," TIMES8(x) "," TIMES8(x)

static void test_longrope(void **state)
{
	(void)state;
	struct leat_weights w = accept("phi3-longrope", "", "");
	about((double)w.cfg.rope.scale, sqrt(1 + log(512.0 / 64) / log(64)));
	assert_int_equal(w.cfg.rope_short_ctx, 64);
	about((double)w.cfg.rope.inv_freq[1], pow(10000, -1 / 24.0) / 1.05);
	about((double)w.cfg.rope.long_freq[1], pow(10000, -1 / 24.0) / 1.4);
	leat_weights_deinit(&w);
	/* as transformers 4 wrote it, whole numbers among the factors */
	w = accept("phi3-longrope", "rope_parameters",
		   "\"rope_scaling\":{\"type\":\"su\",\"short_factor\":[" TIMES24("1") "],"
		   "\"long_factor\":[2.5," TIMES8("2") "," TIMES8("3") ",4,4,4,4,4,4,4]}");
	about((double)w.cfg.rope.inv_freq[1], pow(10000, -1 / 24.0));
	about((double)w.cfg.rope.long_freq[0], 1 / 2.5);
	leat_weights_deinit(&w);
	refuse("phi3-longrope", "rope_parameters",
	       "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1],\"long_factor\":[" TIMES24("2") "]}",
	       LEAT_E_FORMAT, "wanted 24");
	refuse("phi3-longrope", "rope_parameters",
	       "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[" TIMES24("1") "]}", LEAT_E_FORMAT,
	       "long_factor");
	refuse("phi3-longrope", "rope_parameters",
	       "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[" TIMES24("1") "],"
	       "\"long_factor\":[" TIMES24("0") "]}", LEAT_E_FORMAT, "element 0");
	refuse("phi3-longrope", "", "\"partial_rotary_factor\":0.5", LEAT_E_FORMAT, "wanted 12");
}

static void test_refused(void **state)
{
	(void)state;
	refuse("llama", "hidden_act", "\"hidden_act\":\"gelu\"", LEAT_E_UNSUPPORTED, "'gelu'");
	refuse("llama", "", "\"num_local_experts\":8", LEAT_E_UNSUPPORTED, "num_local_experts");
	refuse("llama", "", "\"attn_logit_softcapping\":50.0", LEAT_E_UNSUPPORTED, "attn_logit_softcapping");
	refuse("llama", "", "\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}", LEAT_E_UNSUPPORTED,
	       "'gptq'");
	refuse("qwen2-tied", "tie_word_embeddings", "\"tie_word_embeddings\":false", LEAT_E_FORMAT, "lm_head.weight");
	refuse("llama", "model_type", "\"model_type\":\"gemma2\"", LEAT_E_UNSUPPORTED, "gemma2");
	refuse("llama", "num_key_value_heads", "\"num_key_value_heads\":3", LEAT_E_FORMAT, "key/value heads");
	refuse("llama", "num_key_value_heads", "", LEAT_E_FORMAT, "k_proj"); /* as many as heads */
}

static int make_folder(void **state)
{
	const char *dir = getenv("LEAT_BUILD_DIR");
	(void)state;
	snprintf(folder, sizeof folder, "%s/hf-config-%ld", dir ? dir : "/tmp", (long)getpid());
	return mkdir(folder, 0700);
}

static int remove_folder(void **state)
{
	static const char *const names[] = { "config.json", "model.safetensors" };
	char path[700];
	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),  cmocka_unit_test(test_scaling),
		cmocka_unit_test(test_scaling_refused), cmocka_unit_test(test_longrope),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
