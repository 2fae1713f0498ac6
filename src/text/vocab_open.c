/* Which vocabulary belongs to a file, a folder or a name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/map.h"
#include "text/tokjson.h"

static const char json_name[] = "tokenizer.json";

static enum leat_status add_end(struct leat_token_hints *h, int64_t id, const char *key, struct leat_error *err)
{
	for (int i = 0; i < h->n_ends; i++)
		if (h->ends[i] == id)
			return LEAT_OK;
	if (h->n_ends == LEAT_MAX_ENDS)
		return leat_fail(err, LEAT_E_LIMIT, key, LEAT_NO_OFFSET, "%s: found more than %d ids", key,
				 LEAT_MAX_ENDS);
	h->ends[h->n_ends++] = id;
	return LEAT_OK;
}

/* One id or a list of them, in the metadata of a file. */
static enum leat_status ends_of_file(const struct leat_file *f, const char *key, struct leat_token_hints *h,
				     struct leat_error *err)
{
	const struct leat_meta *m = leat_file_meta(f, key);
	int64_t id;
	if (!m)
		return LEAT_OK;
	if (m->type != LEAT_META_ARRAY) {
		LEAT_TRY(leat_meta_int(f, key, 0, LEAT_MAX_VOCAB - 1, &id, err));
		return add_end(h, id, key, err);
	}
	LEAT_TRY(leat_meta_ints_opt(f, key, &m, err));
	for (uint64_t i = 0; m && i < m->count; i++)
		LEAT_TRY(add_end(h, leat_meta_int_at(m, i), key, err));
	return LEAT_OK;
}

/* "eos_token": a string, or an object with its content. */
static enum leat_status token_of_file(const struct leat_file *f, const char *name, struct leat_str *ret,
				      struct leat_error *err)
{
	char key[64];
	for (int inner = 0; inner < 2; inner++) {
		snprintf(key, sizeof(key), "tokenizer_config.%s%s", name, inner ? ".content" : "");
		if (leat_file_meta(f, key))
			return leat_meta_string(f, key, ret, err);
	}
	return LEAT_OK;
}

/* Of the tokenizers with settings add_bos_token and add_eos_token, transformers lets those of Llama's kind write their
 * post_processor anew by them; the others ignore the settings. */
static int rewrites_post(const char *class, size_t n)
{
	static const char *const names[] = {"LlamaTokenizer", "LlamaTokenizerFast", "CodeLlamaTokenizer",
					    "CodeLlamaTokenizerFast"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == n && !memcmp(names[i], class, n))
			return 1;
	return 0;
}

static enum leat_status additions_of_file(const struct leat_file *f, struct leat_token_hints *h, struct leat_error *err)
{
	static const char class_key[] = "tokenizer_config.tokenizer_class";
	static const char *const keys[] = {"tokenizer_config.add_bos_token", "tokenizer_config.add_eos_token"};
	struct leat_str class;
	int on;
	if (!leat_file_meta(f, class_key))
		return LEAT_OK;
	LEAT_TRY(leat_meta_string(f, class_key, &class, err));
	for (int i = 0; i < 2 && rewrites_post(class.s, (size_t)class.n); i++) {
		if (!leat_file_meta(f, keys[i]))
			continue;
		LEAT_TRY(leat_meta_bool_opt(f, keys[i], 0, &on, err));
		*(i ? &h->add_eos : &h->add_bos) = on ? 1 : -1;
	}
	return LEAT_OK;
}

static enum leat_status from_sibling(const struct leat_file *f, struct leat_vocab **ret, struct leat_error *err)
{
	struct leat_token_hints h = {0};
	struct leat_map m;
	LEAT_TRY(ends_of_file(f, "generation.eos_token_id", &h, err));
	LEAT_TRY(ends_of_file(f, "config.eos_token_id", &h, err));
	LEAT_TRY(token_of_file(f, "bos_token", &h.bos, err));
	LEAT_TRY(token_of_file(f, "eos_token", &h.eos, err));
	LEAT_TRY(additions_of_file(f, &h, err));
	enum leat_status st = leat_file_sibling(f, json_name, &m, err);
	if (st == LEAT_E_NOTFOUND)
		return leat_fail(err, LEAT_E_NOTFOUND, json_name, LEAT_NO_OFFSET,
				 "there is no tokenizer.json beside the model; name a tokenizer (--tokenizer PATH)");
	LEAT_TRY(st);
	st = leat_vocab_from_json(m.data, (size_t)m.size, &h, ret, err);
	leat_map_close(&m);
	return st;
}

enum leat_status leat_vocab_from_file(const struct leat_file *f, struct leat_vocab **ret, struct leat_error *err)
{
	enum leat_status st;
	if (f->source == LEAT_SOURCE_GGUF || leat_file_meta(f, "tokenizer.ggml.model"))
		st = leat_vocab_from_gguf(f, ret, err);
	else if (f->source == LEAT_SOURCE_HF)
		st = from_sibling(f, ret, err);
	else
		st = leat_fail(err, LEAT_E_UNSUPPORTED, "tokenizer", LEAT_NO_OFFSET,
			       "this file has no vocabulary: name one (--tokenizer PATH, or --tokenizer bytes for a "
			       "model of 256 tokens)");
	if (st != LEAT_OK && f->path)
		leat_err_prefix(err, f->path);
	return st;
}

/* The 256 bytes. */
static enum leat_status from_bytes(struct leat_vocab **ret, struct leat_error *err)
{
	unsigned char byte[256], kind[256];
	struct leat_str token[256];
	for (int i = 0; i < 256; i++) {
		byte[i] = (unsigned char)i;
		kind[i] = LEAT_TOKEN_NORMAL;
		token[i] = (struct leat_str){(const char *)&byte[i], 1};
	}
	struct leat_vocab_spec spec = {.kind = LEAT_VOCAB_RWKV, .raw = 1, .tokens = token, .kinds = kind,
				       .n_tokens = 256, .bos = -1, .eos = 0, .ends = {0}, .n_ends = 1};
	return leat_vocab_build(&spec, ret, err);
}

/* A small JSON file in the folder of `path`; *ret NULL if there is none. */
static enum leat_status open_beside(const char *path, const char *name, json_t **ret, struct leat_error *err)
{
	const char *slash = strrchr(path, '/');
	size_t dir = slash ? (size_t)(slash - path) + 1 : 0;
	char *full = malloc(dir + strlen(name) + 1);
	struct leat_json_limits limits = {.max_bytes = 16 << 20};
	struct leat_map m;
	*ret = NULL;
	if (!full)
		return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for a path");
	memcpy(full, path, dir);
	memcpy(full + dir, name, strlen(name) + 1);
	enum leat_status st = leat_map_open(&m, full, NULL);
	if (st == LEAT_OK) {
		st = leat_json_parse(m.data, (size_t)m.size, &limits, name, ret, err);
		leat_map_close(&m);
	} else {
		st = LEAT_OK;
	}
	free(full);
	return st;
}

static enum leat_status ends_of_json(json_t *root, struct leat_token_hints *h, struct leat_error *err)
{
	static const char key[] = "eos_token_id";
	json_t *v = json_object_get(root, key), *one;
	size_t i;
	if (!v || json_is_null(v))
		return LEAT_OK;
	if (json_is_integer(v))
		return add_end(h, json_integer_value(v), key, err);
	if (!json_is_array(v))
		return leat_tokjson_bad(key, v, "an id or a list of ids", err);
	json_array_foreach(v, i, one) {
		if (!json_is_integer(one))
			return leat_tokjson_bad(key, one, "an id", err);
		LEAT_TRY(add_end(h, json_integer_value(one), key, err));
	}
	return LEAT_OK;
}

static void token_of_json(json_t *root, const char *key, struct leat_str *ret)
{
	json_t *v = json_object_get(root, key);
	if (json_is_object(v))
		v = json_object_get(v, "content");
	if (json_is_string(v))
		*ret = (struct leat_str){json_string_value(v), json_string_length(v)};
}

static void additions_of_json(json_t *root, struct leat_token_hints *h)
{
	json_t *class = json_object_get(root, "tokenizer_class"), *bos = json_object_get(root, "add_bos_token"),
	       *eos = json_object_get(root, "add_eos_token");
	if (!json_is_string(class) || !rewrites_post(json_string_value(class), json_string_length(class)))
		return;
	h->add_bos = json_is_boolean(bos) ? json_is_true(bos) ? 1 : -1 : 0;
	h->add_eos = json_is_boolean(eos) ? json_is_true(eos) ? 1 : -1 : 0;
}

static enum leat_status from_json_file(const char *path, const struct leat_map *m, struct leat_vocab **ret,
				       struct leat_error *err)
{
	static const char *const names[] = {"generation_config.json", "config.json", "tokenizer_config.json"};
	struct leat_token_hints h = {0};
	json_t *root[3] = {NULL, NULL, NULL};
	enum leat_status st = LEAT_OK;
	for (int i = 0; i < 3 && st == LEAT_OK; i++) {
		st = open_beside(path, names[i], &root[i], err);
		if (st == LEAT_OK && i < 2)
			st = ends_of_json(root[i], &h, err);
	}
	token_of_json(root[2], "bos_token", &h.bos);
	token_of_json(root[2], "eos_token", &h.eos);
	additions_of_json(root[2], &h);
	if (st == LEAT_OK)
		st = leat_vocab_from_json(m->data, (size_t)m->size, &h, ret, err);
	for (int i = 0; i < 3; i++)
		json_decref(root[i]);
	return st;
}

static enum leat_status from_model(const char *path, struct leat_vocab **ret, struct leat_error *err)
{
	struct leat_file *f;
	LEAT_TRY(leat_file_open(path, &f, err));
	enum leat_status st = leat_vocab_from_file(f, ret, err);
	leat_file_close(f);
	return st;
}

/* JSON starts with a brace, an RWKV World text with a number; what is neither must be a model. */
static enum leat_status from_regular_file(const char *path, struct leat_vocab **ret, struct leat_error *err)
{
	struct leat_map m;
	size_t i = 0;
	LEAT_TRY(leat_map_open(&m, path, err));
	while (i < m.size && i < 4096 && m.data[i] && strchr(" \t\r\n", m.data[i]))
		i++;
	unsigned char first = i < m.size ? m.data[i] : 0;
	/* Neither has a NUL; the length that a safetensors file starts with does. */
	if (memchr(m.data ? (const void *)m.data : "", 0, m.size < 8 ? (size_t)m.size : 8))
		first = 'm';
	enum leat_status st = first == '{' ? from_json_file(path, &m, ret, err) : LEAT_OK;
	leat_map_close(&m);
	if (first == '{')
		return st;
	if ((first >= '0' && first <= '9') || first == 0)
		return leat_vocab_from_rwkv_text(path, ret, err);
	return from_model(path, ret, err);
}

enum leat_status leat_vocab_from_path(const char *path, struct leat_vocab **ret, struct leat_error *err)
{
	struct stat s;
	if (strcmp(path, "bytes") == 0)
		return from_bytes(ret, err);
	if (stat(path, &s) != 0 || !S_ISDIR(s.st_mode)) {
		enum leat_status st = from_regular_file(path, ret, err);
		if (st != LEAT_OK)
			leat_err_prefix(err, path);
		return st;
	}
	size_t n = strlen(path);
	char *full = malloc(n + sizeof(json_name) + 1);
	if (!full)
		return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for a path");
	snprintf(full, n + sizeof(json_name) + 1, "%s/%s", path, json_name);
	enum leat_status st = from_regular_file(full, ret, err);
	if (st != LEAT_OK)
		leat_err_prefix(err, full);
	free(full);
	return st;
}
