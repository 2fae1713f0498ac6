/* outfile.c - see outfile.h. */
#include "bench/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum leat_status io_error(const struct leat_outfile *f, struct leat_error *err)
{
	return leat_fail(err, LEAT_E_IO, "output", LEAT_NO_OFFSET, "%s: %s", f->path, strerror(errno));
}

/* The new file gets the rights that an ordinary open would give it. */
static int make_temp(struct leat_outfile *f)
{
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	fd = mkostemp(f->temp, O_CLOEXEC);
	if (fd >= 0)
		fchmod(fd, 0666 & ~mask);
	return fd;
}

enum leat_status leat_outfile_open(struct leat_outfile *f, const char *path, int force, struct leat_error *err)
{
	struct stat st;
	size_t n = strlen(path);
	int exists = !stat(path, &st);

	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->path = strdup(path);
	f->buffer = malloc(LEAT_OUTFILE_BUFFER);
	if (!f->path || !f->buffer) {
		leat_outfile_abort(f);
		return leat_fail(err, LEAT_E_NOMEM, "output", LEAT_NO_OFFSET, "%s: out of memory", path);
	}
	if (exists && S_ISREG(st.st_mode) && !force) {
		leat_outfile_abort(f);
		return leat_fail(err, LEAT_E_ARG, "output", LEAT_NO_OFFSET, "%s exists; --force replaces it", path);
	}
	if (exists && !S_ISREG(st.st_mode)) {
		f->fd = open(path, O_WRONLY | O_CLOEXEC);
	} else {
		f->temp = malloc(n + 8);
		if (f->temp) {
			snprintf(f->temp, n + 8, "%s.XXXXXX", path);
			f->fd = make_temp(f);
		}
	}
	if (f->fd < 0) {
		enum leat_status s = io_error(f, err);
		free(f->temp);
		f->temp = NULL;
		leat_outfile_abort(f);
		return s;
	}
	return LEAT_OK;
}

static enum leat_status write_all(struct leat_outfile *f, const unsigned char *p, size_t n, struct leat_error *err)
{
	while (n) {
		ssize_t done = write(f->fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return io_error(f, err);
		p += done;
		n -= (size_t)done;
	}
	return LEAT_OK;
}

static enum leat_status flush(struct leat_outfile *f, struct leat_error *err)
{
	size_t n = f->used;

	f->used = 0;
	return write_all(f, f->buffer, n, err);
}

enum leat_status leat_outfile_write(struct leat_outfile *f, const void *data, size_t n, struct leat_error *err)
{
	f->bytes += n;
	if (f->used + n > LEAT_OUTFILE_BUFFER)
		LEAT_TRY(flush(f, err));
	if (n >= LEAT_OUTFILE_BUFFER)
		return write_all(f, data, n, err);
	memcpy(f->buffer + f->used, data, n);
	f->used += n;
	return LEAT_OK;
}

/* A rename is lasting only when the folder is on the disk too. Failure means a file system that cannot: no error. */
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(dir);
}

enum leat_status leat_outfile_commit(struct leat_outfile *f, int sync, struct leat_error *err)
{
	enum leat_status s = flush(f, err);
	int fd = f->fd;

	if (!s && sync && f->temp && fsync(fd))
		s = io_error(f, err);
	f->fd = -1;
	if (close(fd) && !s)
		s = io_error(f, err);
	if (!s && f->temp && rename(f->temp, f->path))
		s = io_error(f, err);
	if (!s) {
		if (sync && f->temp)
			sync_folder(f->path);
		free(f->temp);
		f->temp = NULL;
	}
	leat_outfile_abort(f);
	return s;
}

void leat_outfile_abort(struct leat_outfile *f)
{
	if (f->path && f->fd >= 0)
		close(f->fd);
	if (f->temp)
		unlink(f->temp);
	free(f->path);
	free(f->temp);
	free(f->buffer);
	memset(f, 0, sizeof(*f));
	f->fd = -1;
}
