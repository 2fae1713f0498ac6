/* sibling.c - files beside the model, and no others.
 *
 * A model folder is a download: its index names files, and its entries may be symbolic links. Neither may make leat
 * read what lies elsewhere. A name has no '/', so only its last component can be a link; a link is read here, never
 * followed by the kernel, and must lead to a name in the same folder or, as everything in Hugging Face's cache does, to
 * ../../blobs/NAME, a plain file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "format/reader.h"

enum { NAME_BYTES = 255, LINKS = 4 };

static const char blobs[] = "../../blobs";

static int is_plain(const char *name)
{
	size_t n = strlen(name);
	return n > 0 && n <= NAME_BYTES && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

const char *leat_file_name(const struct leat_file *f)
{
	const char *slash = strrchr(f->path, '/');
	return slash ? slash + 1 : f->path;
}

static enum leat_status leads_out(const char *name, const char *target, struct leat_error *err)
{
	char a[96], b[96];
	leat_escape(a, sizeof a, name, strlen(name));
	leat_escape(b, sizeof b, target, strlen(target));
	return leat_fail(err, LEAT_E_FORMAT, a, LEAT_NO_OFFSET,
			 "%s is a symbolic link to %s, outside the model's folder: it is not followed", a, b);
}

static enum leat_status open_blob(int dir_fd, const char *name, const char *blob, struct leat_map *ret,
				  struct leat_error *err)
{
	int fd = openat(dir_fd, blobs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return leat_fail(err, LEAT_E_NOTFOUND, name, LEAT_NO_OFFSET, "%s: no such file", name);
	enum leat_status st = leat_map_open_at(ret, fd, blob, O_NOFOLLOW, err);
	close(fd);
	return st;
}

static enum leat_status open_plain(int dir_fd, const char *name, struct leat_map *ret, struct leat_error *err)
{
	char at[NAME_BYTES + 1], target[NAME_BYTES + sizeof blobs + 2];
	memcpy(at, name, strlen(name) + 1);
	for (int i = 0; i < LINKS; i++) {
		ssize_t n = readlinkat(dir_fd, at, target, sizeof target - 1);
		if (n < 0)
			return leat_map_open_at(ret, dir_fd, at, O_NOFOLLOW, err);
		target[n] = '\0';
		const char *blob = target + sizeof blobs;
		if (!strncmp(target, blobs, sizeof blobs - 1) && target[sizeof blobs - 1] == '/' && is_plain(blob))
			return open_blob(dir_fd, name, blob, ret, err);
		if (!is_plain(target))
			return leads_out(name, target, err);
		memcpy(at, target, (size_t)n + 1);
	}
	return leads_out(name, at, err);
}

enum leat_status leat_file_sibling(const struct leat_file *f, const char *name, struct leat_map *ret,
				   struct leat_error *err)
{
	char shown[96];
	leat_escape(shown, sizeof shown, name, strlen(name));
	if (!is_plain(name))
		return leat_fail(err, LEAT_E_ARG, shown, LEAT_NO_OFFSET,
				 "'%s' is no name of a file in the model's folder", shown);
	if (f->dir_fd < 0)
		return leat_fail(err, LEAT_E_NOTFOUND, shown, LEAT_NO_OFFSET, "%s: no such file", shown);
	return open_plain(f->dir_fd, name, ret, err);
}

enum leat_status leat_file_add_part(struct leat_file *f, const char *name, struct leat_error *err)
{
	struct leat_map m;
	LEAT_TRY(leat_file_sibling(f, name, &m, err));
	return leat_file_add_map(f, &m, err);
}

enum leat_status leat_file_json(const struct leat_file *f, const char *name, uint64_t max_bytes, json_t **ret,
				struct leat_error *err)
{
	/* Tokenizer settings mean "no limit" by 10^30; the numbers of config.json are sizes. */
	const struct leat_json_limits limits = {.max_bytes = max_bytes, .huge_ints = strcmp(name, "config.json") != 0};
	struct leat_error why = LEAT_ERROR_INIT;
	struct leat_map m;
	json_t *v = NULL;
	enum leat_status st = leat_file_sibling(f, name, &m, &why);
	if (st == LEAT_E_NOTFOUND) {
		*ret = NULL;
		return LEAT_OK;
	}
	if (st == LEAT_OK) {
		st = leat_json_parse(m.data, (size_t)m.size, &limits, name, &v, &why);
		leat_map_close(&m);
	}
	if (st == LEAT_OK && !json_is_object(v)) {
		json_decref(v);
		st = leat_fail(&why, LEAT_E_FORMAT, name, 0, "%s: found an array, wanted an object", name);
	}
	if (st == LEAT_OK)
		*ret = v;
	else if (err)
		*err = why;
	return st;
}
