/* hf.c - a model folder as Hugging Face lays it out: configuration in JSON, weights in one safetensors file or in
 * several that an index lists. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/reader.h"

enum { CONFIG_BYTES = 4 << 20, TOKENIZER_CONFIG_BYTES = 32 << 20, INDEX_BYTES = 32 << 20, TEMPLATE_BYTES = 32 << 20 };

static const char one_file[] = "model.safetensors", index_file[] = "model.safetensors.index.json";

static const struct config {
	const char *file, *prefix;
	uint64_t max_bytes;
} configs[] = {
	{"config.json", "config", CONFIG_BYTES},
	{"generation_config.json", "generation", CONFIG_BYTES},
	{"tokenizer_config.json", "tokenizer_config", TOKENIZER_CONFIG_BYTES},
	{"adapter_config.json", "adapter_config", CONFIG_BYTES},
};

static int exists(const struct leat_file *f, const char *name)
{
	struct leat_map m;
	if (leat_file_sibling(f, name, &m, NULL) != LEAT_OK)
		return 0;
	leat_map_close(&m);
	return 1;
}

/* Newer folders keep the chat template in a file of its own, which goes before the one in tokenizer_config.json. */
static enum leat_status read_template(struct leat_file *f, struct leat_error *err)
{
	static const char key[] = "chat_template";
	struct leat_map m;
	enum leat_status st = leat_file_sibling(f, "chat_template.jinja", &m, err);
	if (st != LEAT_OK)
		return st == LEAT_E_NOTFOUND ? LEAT_OK : st;
	for (uint64_t i = f->n_meta; i-- > 0;)
		if (leat_str_is(f->meta[i].key, "tokenizer_config.chat_template"))
			f->meta[i] = f->meta[--f->n_meta];
	if (m.size <= TEMPLATE_BYTES)
		st = leat_file_add_string(f, "tokenizer_config", key, sizeof key - 1,
					  m.data ? (const char *)m.data : "", (size_t)m.size, err);
	leat_map_close(&m);
	return st;
}

enum leat_status leat_hf_read_configs(struct leat_file *f, struct leat_error *err)
{
	if (f->dir_fd < 0)
		return LEAT_OK;
	for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
		json_t *v = NULL;
		LEAT_TRY(leat_file_json(f, configs[i].file, configs[i].max_bytes, &v, err));
		if (!v)
			continue;
		/* A copy of what tokenizer.json holds, and by far the longest part. */
		json_object_del(v, "added_tokens_decoder");
		enum leat_status st = leat_file_add_json(f, configs[i].prefix, v, err);
		json_decref(v);
		LEAT_TRY(st);
	}
	return read_template(f, err);
}

static int has_part(const struct leat_str *name, const char *part, int at_start)
{
	size_t n = strlen(part);
	if (at_start)
		return name->n >= n && !memcmp(name->s, part, n);
	return name->n >= n && memmem(name->s, (size_t)name->n, part, n) != NULL;
}

void leat_hf_settle_source(struct leat_file *f)
{
	int embedding = 0, blocks = 0;
	for (uint64_t i = 0; i < f->n_tensors; i++) {
		const struct leat_str *n = &f->tensor[i].name;
		embedding |= leat_str_is(*n, "emb.weight");
		blocks |= has_part(n, "blocks.0.", 1);
		f->is_adapter |= has_part(n, ".lora_A.", 0) || has_part(n, ".lora_B.", 0);
	}
	f->source = embedding && blocks ? LEAT_SOURCE_RWKV : LEAT_SOURCE_HF;
}

/* ---- several files ---- */

struct shards {
	struct leat_file *f;
	json_t *map;       /* weight_map: tensor -> file */
	const char **name; /* of the files, in order */
	size_t n;
	struct leat_error *err;
};

static int by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

/* The files that the index names, each once. */
static enum leat_status list_shards(struct shards *s)
{
	json_t *seen = json_object(), *v;
	const char *tensor;
	enum leat_status st = seen ? LEAT_OK : LEAT_E_NOMEM;
	json_object_foreach(s->map, tensor, v) {
		char shown[96];
		leat_escape(shown, sizeof shown, tensor, strlen(tensor));
		if (!json_is_string(v))
			st = leat_fail(s->err, LEAT_E_FORMAT, shown, LEAT_NO_OFFSET,
				       "weight_map names no file for tensor '%s'", shown);
		else if (json_object_set(seen, json_string_value(v), v))
			st = LEAT_E_NOMEM;
		if (st == LEAT_OK && json_object_size(seen) > LEAT_MAX_PARTS)
			st = leat_fail(s->err, LEAT_E_LIMIT, "weight_map", LEAT_NO_OFFSET,
				       "weight_map names more than %d files", LEAT_MAX_PARTS);
		if (st != LEAT_OK)
			break;
	}
	s->name =
		st == LEAT_OK ? leat_arena_take_array(&s->f->arena, json_object_size(seen) + 1, sizeof *s->name) : NULL;
	if (s->name)
		json_object_foreach(seen, tensor, v) s->name[s->n++] = json_string_value(v); /* s->map holds it too */
	json_decref(seen);
	if (st == LEAT_E_NOMEM || (st == LEAT_OK && !s->name))
		return leat_fail(s->err, LEAT_E_NOMEM, "weight_map", LEAT_NO_OFFSET, "out of memory");
	if (s->n)
		qsort(s->name, s->n, sizeof *s->name, by_name);
	return st;
}

/* Every tensor of the index is in the file that the index says. More tensors than it lists are taken as they are;
 * total_size is not looked at: published ones are often wrong, and the files say their sizes themselves. */
static enum leat_status check_map(struct shards *s)
{
	const char *tensor;
	json_t *v;
	json_object_foreach(s->map, tensor, v) {
		const struct leat_tensor *t = leat_file_tensor(s->f, tensor);
		char shown[96], file[96];
		if (t && !strcmp(s->name[t->part], json_string_value(v)))
			continue;
		leat_escape(shown, sizeof shown, tensor, strlen(tensor));
		leat_escape(file, sizeof file, json_string_value(v), json_string_length(v));
		return leat_fail(s->err, LEAT_E_FORMAT, shown, LEAT_NO_OFFSET,
				 "weight_map puts tensor '%s' into %s, where it is not", shown, file);
	}
	return LEAT_OK;
}

static enum leat_status read_part(struct leat_file *f, const char *name, struct leat_error *err)
{
	char shown[96];
	enum leat_status st = leat_file_add_part(f, name, err);
	if (st == LEAT_OK) {
		st = leat_safetensors_read(f, f->n_maps - 1, err);
		leat_escape(shown, sizeof shown, name, strlen(name));
		if (st != LEAT_OK)
			leat_err_prefix(err, shown);
	}
	return st;
}

static enum leat_status read_shards(struct shards *s)
{
	LEAT_TRY(list_shards(s));
	if (s->n == 0)
		return leat_fail(s->err, LEAT_E_FORMAT, "weight_map", LEAT_NO_OFFSET, "weight_map is empty");
	for (size_t i = 0; i < s->n; i++) {
		char shown[96];
		enum leat_status st = read_part(s->f, s->name[i], s->err);
		leat_escape(shown, sizeof shown, s->name[i], strlen(s->name[i]));
		if (st == LEAT_E_NOTFOUND)
			return leat_fail(s->err, st, shown, LEAT_NO_OFFSET,
					 "%s is missing: the index names it (part of a download?)", shown);
		LEAT_TRY(st);
	}
	leat_hf_settle_source(s->f);
	LEAT_TRY(leat_hf_read_configs(s->f, s->err));
	LEAT_TRY(leat_file_index(s->f, s->err));
	return check_map(s);
}

static enum leat_status read_indexed(struct leat_file *f, const char *name, struct leat_error *err)
{
	json_t *v = NULL;
	LEAT_TRY(leat_file_json(f, name, INDEX_BYTES, &v, err));
	if (!v)
		return leat_fail(err, LEAT_E_NOTFOUND, name, LEAT_NO_OFFSET, "%s: no such file", name);
	struct shards s = {.f = f, .map = json_object_get(v, "weight_map"), .err = err};
	enum leat_status st;
	if (!json_is_object(s.map))
		st = leat_fail(err, LEAT_E_FORMAT, "weight_map", LEAT_NO_OFFSET, "%s has no object weight_map", name);
	else
		st = read_shards(&s);
	json_decref(v);
	return st;
}

/* ---- the folder ---- */

static enum leat_status read_one(struct leat_file *f, const char *name, struct leat_error *err)
{
	LEAT_TRY(read_part(f, name, err));
	leat_hf_settle_source(f);
	LEAT_TRY(leat_hf_read_configs(f, err));
	return leat_file_index(f, err);
}

static enum leat_status no_weights(const struct leat_file *f, struct leat_error *err)
{
	if (exists(f, "pytorch_model.bin") || exists(f, "pytorch_model.bin.index.json"))
		return leat_fail(
			err, LEAT_E_UNSUPPORTED, one_file, LEAT_NO_OFFSET,
			"the folder holds a PyTorch checkpoint (pytorch_model.bin), wanted model.safetensors: save "
			"it as safetensors, which needs no pickled code");
	return leat_fail(err, LEAT_E_NOTFOUND, one_file, LEAT_NO_OFFSET,
			 "the folder has a config.json but neither %s nor %s", one_file, index_file);
}

/* A file here that leat would take by its own name, by its ending; the first in order, so that a folder always gets
 * the same answer. Few entries are looked at: this only words a refusal. */
static int loose_model(const struct leat_file *f, char *buf, size_t cap)
{
	static const char *const ending[] = {".gguf", ".safetensors", ".st"};
	char best[256] = "";
	int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	for (int n = 0; n < 1000 && (e = readdir(dir)) != NULL; n++) {
		const char *dot = strrchr(e->d_name, '.');
		for (size_t i = 0; dot && i < sizeof ending / sizeof *ending; i++)
			if (!strcmp(dot, ending[i]) && (!*best || strcmp(e->d_name, best) < 0))
				memcpy(best, e->d_name, strnlen(e->d_name, sizeof best - 1) + 1);
	}
	closedir(dir);
	leat_escape(buf, cap, best, strlen(best));
	return *best != '\0';
}

static enum leat_status no_config(const struct leat_file *f, struct leat_error *err)
{
	char name[96];
	if (loose_model(f, name, sizeof name))
		return leat_fail(err, LEAT_E_ARG, "path", LEAT_NO_OFFSET,
				 "found a directory without config.json; it holds %s: name that file", name);
	return leat_fail(err, LEAT_E_ARG, "path", LEAT_NO_OFFSET,
			 "found a directory without config.json, wanted a model file or a model's folder");
}

enum leat_status leat_hf_read_folder(struct leat_file *f, const char *index, struct leat_error *err)
{
	struct leat_map m;
	struct leat_error why = LEAT_ERROR_INIT;
	f->container = "safetensors";
	if (index)
		return read_indexed(f, index, err);
	enum leat_status st = leat_file_sibling(f, "config.json", &m, &why);
	if (st == LEAT_OK)
		leat_map_close(&m);
	else if (exists(f, "adapter_model.safetensors")) {
		f->is_adapter = 1;
		return read_one(f, "adapter_model.safetensors", err);
	} else if (st != LEAT_E_NOTFOUND) {
		if (err)
			*err = why;
		return st;
	} else {
		return no_config(f, err);
	}
	/* A link that leads out of the folder is there, and what is wrong with it is worth saying. */
	st = leat_file_sibling(f, one_file, &m, &why);
	if (st == LEAT_OK) {
		leat_map_close(&m);
		return read_one(f, one_file, err);
	}
	if (st != LEAT_E_NOTFOUND) {
		if (err)
			*err = why;
		return st;
	}
	if (exists(f, index_file))
		return read_indexed(f, index_file, err);
	return no_weights(f, err);
}
