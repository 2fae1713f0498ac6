/* file.c - opening: which container is this, and who reads it. */
#include "format/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/reader.h"

enum { PROBE_BYTES = 64 };

const char *leat_str_show(struct leat_str s, char buf[96])
{
	leat_escape(buf, 96, s.s, (size_t)s.n);
	return buf;
}

int leat_str_is(struct leat_str s, const char *word)
{
	return s.n == strlen(word) && !memcmp(s.s, word, (size_t)s.n);
}

/* Files that people point a model loader at by mistake, so that the refusal can say what they are. */
static const struct {
	const char *magic;
	int at, n;
	const char *name;
} strangers[] = {
	{"PK\003\004", 0, 4, "a zip archive (a PyTorch checkpoint? save it as safetensors)"},
	{"\x80\x02", 0, 2, "a Python pickle (an old PyTorch checkpoint? save it as safetensors)"},
	{"\x1f\x8b", 0, 2, "a gzip archive"},
	{"\x28\xb5\x2f\xfd", 0, 4, "a zstd archive"},
	{"\xfd"
	 "7zXZ",
	 0, 5, "an xz archive"},
	{"\177ELF", 0, 4, "a program"},
	{"<!DO", 0, 4, "a web page (a failed download?)"},
	{"<html", 0, 5, "a web page (a failed download?)"},
	{"{", 0, 1, "JSON text (name the folder that it is in)"},
	{"version https://git-lfs", 0, 23, "a Git LFS pointer, not the file itself"},
};

/* What it is instead of a model, NULL if nobody knows. */
static const char *stranger(const struct leat_map *m)
{
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		size_t end = (size_t)(strangers[i].at + strangers[i].n);
		if (m->size >= end && !memcmp(m->data + strangers[i].at, strangers[i].magic, (size_t)strangers[i].n))
			return strangers[i].name;
	}
	return NULL;
}

static enum leat_status not_recognised(const struct leat_map *m, struct leat_error *err)
{
	char first[40];
	const char *name = stranger(m);
	if (m->size == 0)
		return leat_fail(err, LEAT_E_FORMAT, "magic", 0,
				 "the file is empty, wanted a GGUF or safetensors model");
	if (name)
		return leat_fail(err, LEAT_E_UNSUPPORTED, "magic", 0, "this is %s, wanted a GGUF or safetensors model",
				 name);
	leat_escape(first, sizeof first, m->data, m->size < 4 ? (size_t)m->size : 4);
	return leat_fail(err, LEAT_E_FORMAT, "magic", 0,
			 "magic: the file begins with '%s', wanted 'GGUF' or a safetensors header", first);
}

static int ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && !strcmp(s + n - m, end);
}

static enum leat_status parse_as(struct leat_file *f, const struct leat_format *format, struct leat_error *err)
{
	f->container = format->name;
	LEAT_TRY(format->parse(f, err));
	for (int i = 0; i < f->n_maps; i++)
		LEAT_TRY(leat_map_check(&f->map[i], err));
	return LEAT_OK;
}

/* By its bytes; a file that is named as safetensors and looks like nothing else is told what is wrong with it as such.
 */
static enum leat_status parse(struct leat_file *f, struct leat_error *err)
{
	const struct leat_map *m = &f->map[0];
	size_t n = m->size < PROBE_BYTES ? (size_t)m->size : PROBE_BYTES;
	int named = ends_in(f->path, ".safetensors") || ends_in(f->path, ".st");
	for (int i = 0; leat_format_list[i]; i++)
		if (n && leat_format_list[i]->probe(m->data, n))
			return parse_as(f, leat_format_list[i], err);
	for (int i = 0; n && named && !stranger(m) && leat_format_list[i]; i++)
		if (!strcmp(leat_format_list[i]->name, "safetensors"))
			return parse_as(f, leat_format_list[i], err);
	return not_recognised(m, err);
}

static enum leat_status create(const char *path, struct leat_file **ret, struct leat_error *err)
{
	struct leat_file *f = calloc(1, sizeof *f);
	char *copy = f ? strdup(path) : NULL;
	if (!copy) {
		free(f);
		return leat_fail(err, LEAT_E_NOMEM, "file", LEAT_NO_OFFSET, "out of memory");
	}
	f->path = copy;
	f->dir_fd = -1;
	*ret = f;
	return LEAT_OK;
}

static enum leat_status finish(struct leat_file *f, enum leat_status status, struct leat_file **ret,
			       struct leat_error *err)
{
	if (status != LEAT_OK) {
		leat_err_prefix(err, f->path);
		leat_file_close(f);
		return status;
	}
	*ret = f;
	return LEAT_OK;
}

/* The folder that a file is in. */
static int open_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return leat_dir_open(".");
	char *dir = strndup(path, (size_t)(slash - path) + 1);
	int fd = dir ? leat_dir_open(dir) : -1;
	free(dir);
	return fd;
}

static enum leat_status open_file(struct leat_file *f, struct leat_error *err)
{
	struct leat_map m;
	LEAT_TRY(leat_map_open(&m, f->path, err));
	LEAT_TRY(leat_file_add_map(f, &m, err));
	return parse(f, err);
}

/* Which index in the folder a file belongs to: it is one, or a part that one lists; NULL: none. */
static const char *index_of(const struct leat_file *f)
{
	static const char whole[] = "model.safetensors.index.json";
	const char *name = leat_file_name(f), *of = strstr(name, "-of-");
	struct leat_map m;
	if (f->dir_fd < 0 || ends_in(name, ".safetensors.index.json"))
		return f->dir_fd < 0 ? NULL : name;
	if (!of || !ends_in(name, ".safetensors") || leat_file_sibling(f, whole, &m, NULL) != LEAT_OK)
		return NULL;
	leat_map_close(&m);
	return whole;
}

enum leat_status leat_file_open(const char *path, struct leat_file **ret, struct leat_error *err)
{
	struct leat_file *f;
	enum leat_status status;
	LEAT_TRY(create(path, &f, err));
	f->dir_fd = leat_dir_open(path);
	if (f->dir_fd >= 0) {
		status = leat_hf_read_folder(f, NULL, err);
	} else {
		f->dir_fd = open_parent(path);
		const char *index = index_of(f);
		status = index ? leat_hf_read_folder(f, index, err) : open_file(f, err);
	}
	return finish(f, status, ret, err);
}

enum leat_status leat_file_open_memory(const char *name, const void *bytes, size_t n, struct leat_file **ret,
				       struct leat_error *err)
{
	struct leat_file *f;
	struct leat_map m = {bytes, n, -1};
	LEAT_TRY(create(name, &f, err));
	enum leat_status status = leat_file_add_map(f, &m, err);
	if (status == LEAT_OK)
		status = parse(f, err);
	return finish(f, status, ret, err);
}

void leat_file_close(struct leat_file *f)
{
	if (!f)
		return;
	leat_arena_deinit(&f->arena);
	for (int i = 0; i < f->n_maps; i++)
		leat_map_close(&f->map[i]);
	free(f->map);
	if (f->dir_fd >= 0)
		close(f->dir_fd);
	free(f->path);
	free(f);
}
