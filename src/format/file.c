/* file.c - opening: which container is this, and who reads it. */
#include "format/file.h"

#include <stdlib.h>
#include <string.h>

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
	{"PK\003\004", 0, 4, "a zip archive (a PyTorch checkpoint?)"},
	{"\x80\x02", 0, 2, "a Python pickle (an old PyTorch checkpoint?)"},
	{"\x1f\x8b", 0, 2, "a gzip archive"},
	{"\x28\xb5\x2f\xfd", 0, 4, "a zstd archive"},
	{"\xfd"
	 "7zXZ",
	 0, 5, "an xz archive"},
	{"{\"", 8, 2, "a safetensors file"},
	{"\177ELF", 0, 4, "a program"},
	{"<!DO", 0, 4, "a web page (a failed download?)"},
	{"<html", 0, 5, "a web page (a failed download?)"},
	{"version https://git-lfs", 0, 23, "a Git LFS pointer, not the file itself"},
};

static enum leat_status not_recognised(const struct leat_map *m, struct leat_error *err)
{
	char first[40];
	if (m->size == 0)
		return leat_fail(err, LEAT_E_FORMAT, "magic", 0, "the file is empty, wanted a GGUF model");
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		size_t end = (size_t)(strangers[i].at + strangers[i].n);
		if (m->size >= end && !memcmp(m->data + strangers[i].at, strangers[i].magic, (size_t)strangers[i].n))
			return leat_fail(err, LEAT_E_UNSUPPORTED, "magic", 0, "this is %s, wanted a GGUF model",
					 strangers[i].name);
	}
	leat_escape(first, sizeof first, m->data, m->size < 4 ? (size_t)m->size : 4);
	return leat_fail(err, LEAT_E_FORMAT, "magic", 0, "magic: found '%s', wanted 'GGUF'", first);
}

static enum leat_status parse(struct leat_file *f, struct leat_error *err)
{
	size_t n = f->map.size < PROBE_BYTES ? (size_t)f->map.size : PROBE_BYTES;
	for (int i = 0; leat_format_list[i]; i++) {
		const struct leat_format *format = leat_format_list[i];
		if (n == 0 || !format->probe(f->map.data, n))
			continue;
		f->container = format->name;
		LEAT_TRY(format->parse(f, err));
		return leat_map_check(&f->map, err);
	}
	return not_recognised(&f->map, err);
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
	f->map.fd = -1;
	*ret = f;
	return LEAT_OK;
}

static enum leat_status finish(struct leat_file *f, struct leat_file **ret, struct leat_error *err)
{
	enum leat_status status = parse(f, err);
	if (status != LEAT_OK) {
		leat_err_prefix(err, f->path);
		leat_file_close(f);
		return status;
	}
	*ret = f;
	return LEAT_OK;
}

enum leat_status leat_file_open(const char *path, struct leat_file **ret, struct leat_error *err)
{
	struct leat_file *f;
	LEAT_TRY(create(path, &f, err));
	enum leat_status status = leat_map_open(&f->map, path, err);
	if (status != LEAT_OK) {
		leat_file_close(f);
		return status;
	}
	return finish(f, ret, err);
}

enum leat_status leat_file_open_memory(const char *name, const void *bytes, size_t n, struct leat_file **ret,
				       struct leat_error *err)
{
	struct leat_file *f;
	LEAT_TRY(create(name, &f, err));
	f->map.data = bytes;
	f->map.size = n;
	return finish(f, ret, err);
}

void leat_file_close(struct leat_file *f)
{
	if (!f)
		return;
	leat_arena_deinit(&f->arena);
	leat_map_close(&f->map);
	free(f->path);
	free(f);
}
