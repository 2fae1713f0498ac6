/* test_folder.c - the oracles' folders and lone safetensors as files: what they hold, and the siblings' jail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/file.h"
#include "support/oracle.h"

static void lone_rwkv(void **state)
{
	struct leat_file *f = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	const char *path = oracle_path("rwkv7-4h/model.st");
	(void)state;
	if (!path)
		skip();
	assert_int_equal(leat_file_open(path, &f, &err), LEAT_OK);
	assert_int_equal(f->source, LEAT_SOURCE_RWKV);
	assert_string_equal(f->container, "safetensors");
	const struct leat_tensor *t = leat_file_tensor(f, "blocks.1.ffn.key.weight");
	assert_non_null(t);
	assert_int_equal(t->type, 0);
	assert_int_equal(t->n_dims, 2);
	assert_int_equal(t->dim[0], 256); /* contiguous: the inputs */
	assert_int_equal(t->dim[1], 512);
	assert_int_equal(t->bytes, 4 * 256 * 512);
	leat_file_close(f);
}

static void check_folder(const struct leat_file *f)
{
	int64_t n = 0;
	double eps = 0, base = 0;
	struct leat_str type;
	struct leat_error err = LEAT_ERROR_INIT;
	assert_int_equal(f->source, LEAT_SOURCE_HF);
	assert_int_equal(leat_meta_string(f, "config.model_type", &type, &err), LEAT_OK);
	assert_true(type.n == 5 && !memcmp(type.s, "llama", 5));
	assert_int_equal(leat_meta_int(f, "config.hidden_size", 1, 4096, &n, &err), LEAT_OK);
	assert_int_equal(n, 128);
	assert_int_equal(leat_meta_float(f, "config.rms_norm_eps", 0, 1, &eps, &err), LEAT_OK);
	assert_true(eps == 1e-6);
	assert_int_equal(leat_meta_float(f, "config.rope_parameters.rope_theta", 1, 1e9, &base, &err), LEAT_OK);
	assert_true(base == 10000);
	assert_int_equal(leat_meta_float(f, "config.max_position_embeddings", 1, 1e9, &base, &err), LEAT_OK);
	assert_true(base == 512);
	assert_int_equal(leat_meta_int(f, "generation.eos_token_id", 0, 1024, &n, &err), LEAT_OK);
	assert_int_equal(n, 2);
	assert_int_equal(leat_meta_int(f, "config.rms_norm_eps", 0, 1, &n, &err), LEAT_E_FORMAT);
	assert_non_null(leat_file_tensor(f, "model.layers.2.self_attn.q_proj.weight"));
}

static void folder_and_file(void **state)
{
	static const char *const members[] = {"llama/config.json", "llama/generation_config.json",
					      "llama/tokenizer.json", "llama/model.safetensors"};
	char file[1100], folder[1100];
	struct leat_file *f = NULL;
	struct leat_map m;
	struct leat_error err = LEAT_ERROR_INIT;
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		const char *path = oracle_untar("hf/llama.tar.gz", members[i]);
		if (!path)
			skip();
		snprintf(file, sizeof file, "%s", path);
	}
	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(file, '/') - file), file);
	assert_int_equal(leat_file_open(folder, &f, &err), LEAT_OK);
	check_folder(f);
	assert_int_equal(leat_file_sibling(f, "tokenizer.json", &m, &err), LEAT_OK);
	assert_true(m.size > 1000 && m.data[0] == '{');
	leat_map_close(&m);
	assert_int_equal(leat_file_sibling(f, "tokenizer.model", &m, &err), LEAT_E_NOTFOUND);
	leat_file_close(f);
	assert_int_equal(leat_file_open(file, &f, &err), LEAT_OK);
	check_folder(f);
	leat_file_close(f);
}

static void write_text(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Hugging Face's cache: everything in a snapshot is a link into the blobs. */
static void cache_links(void **state)
{
	static const char weights[] = "\x35\0\0\0\0\0\0\0"
				      "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}"
				      "xy";
	char root[] = "leat-hub.XXXXXX";
	struct leat_file *f = NULL;
	struct leat_map m;
	struct leat_str s;
	struct leat_error err = LEAT_ERROR_INIT;
	(void)state;
	assert_non_null(mkdtemp(root));
	assert_int_equal(chdir(root), 0);
	assert_true(!mkdir("blobs", 0700) && !mkdir("snapshots", 0700) && !mkdir("snapshots/r", 0700));
	write_text("blobs/1", "{\"model_type\":\"none\"}", 21);
	write_text("blobs/2", weights, sizeof weights - 1);
	write_text("secret", "{}", 2);
	assert_int_equal(symlink("../../blobs/1", "snapshots/r/config.json"), 0);
	assert_int_equal(symlink("../../blobs/2", "snapshots/r/model.safetensors"), 0);
	assert_int_equal(symlink("../../secret", "snapshots/r/generation_config.json"), 0);
	assert_int_equal(symlink("../../../secret", "blobs/3"), 0);
	assert_int_equal(symlink("../../blobs/3", "snapshots/r/tokenizer.json"), 0);
	assert_int_equal(leat_file_open("snapshots/r", &f, &err), LEAT_E_FORMAT);
	assert_non_null(strstr(err.message, "generation_config.json is a symbolic link"));
	assert_int_equal(unlink("snapshots/r/generation_config.json"), 0);
	assert_int_equal(leat_file_open("snapshots/r", &f, &err), LEAT_OK);
	assert_int_equal(leat_meta_string(f, "config.model_type", &s, &err), LEAT_OK);
	assert_true(leat_str_is(s, "none") && leat_file_tensor(f, "a")->bytes == 2);
	assert_int_equal(leat_file_sibling(f, "tokenizer.json", &m, &err), LEAT_E_IO); /* the blob is a link itself */
	assert_int_equal(leat_file_sibling(f, "../r/config.json", &m, &err), LEAT_E_ARG);
	leat_file_close(f);
	static const char *const made[] = {"snapshots/r/config.json", "snapshots/r/model.safetensors",
					   "snapshots/r/tokenizer.json", "blobs/1", "blobs/2", "blobs/3", "secret"};
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		unlink(made[i]);
	assert_true(!rmdir("snapshots/r") && !rmdir("snapshots") && !rmdir("blobs") && !chdir("..") && !rmdir(root));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lone_rwkv),
					   cmocka_unit_test(folder_and_file),
					   cmocka_unit_test(cache_links)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
