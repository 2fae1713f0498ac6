/* disk.c - see disk.h. */
#include "state/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_PREFIX ".leat-tmp-"
#define LOCK_NAME ".leat-lock"

static const struct leat_disk_calls system_calls = { .write = write, .fsync = fsync, .renameat = renameat };

static enum leat_status io_error(const struct leat_disk *d, const char *name, const char *what, struct leat_error *err)
{
	int e = errno;
	return leat_fail(err, e == ENOENT ? LEAT_E_NOTFOUND : LEAT_E_IO, "state", LEAT_NO_OFFSET, "%s%s%s: %s: %s",
			 d->path, *name ? "/" : "", name, what, strerror(e));
}

enum leat_status leat_disk_check_name(const char *name, struct leat_error *err)
{
	size_t n = strlen(name);
	if (!n || n > NAME_MAX || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return leat_fail(err, LEAT_E_ARG, "name", LEAT_NO_OFFSET, "'%.80s' cannot name a file in a folder",
				 name);
	return LEAT_OK;
}

static enum leat_status open_folder(struct leat_disk *d, const char *path, size_t n, struct leat_error *err)
{
	*d = (struct leat_disk){ .dir_fd = -1, .lock_fd = -1, .calls = system_calls };
	d->path = strndup(path, n);
	if (!d->path)
		return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
	d->dir_fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir_fd >= 0)
		return LEAT_OK;
	enum leat_status st = errno == ENOTDIR ? leat_fail(err, LEAT_E_ARG, "state", LEAT_NO_OFFSET,
							   "%s is not a folder", d->path)
					       : io_error(d, "", "cannot be opened", err);
	leat_disk_close(d);
	return st;
}

/* The lock file says who holds the folder; the lock itself goes with the process. */
static enum leat_status lock(struct leat_disk *d, struct leat_error *err)
{
	char holder[96] = "";
	d->lock_fd = openat(d->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (d->lock_fd < 0)
		return io_error(d, LOCK_NAME, "cannot be opened", err);
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB)) {
		ssize_t n;
		if (errno != EWOULDBLOCK)
			return io_error(d, LOCK_NAME, "cannot be locked", err);
		n = pread(d->lock_fd, holder, sizeof holder - 1, 0);
		holder[n > 0 ? n : 0] = 0;
		holder[strcspn(holder, "\n")] = 0;
		return leat_fail(err, LEAT_E_BUSY, "state", LEAT_NO_OFFSET, "%s is in use by %s", d->path,
				 *holder ? holder : "another process");
	}
	int n = snprintf(holder, sizeof holder, "process %ld\n", (long)getpid());
	if (ftruncate(d->lock_fd, 0) || pwrite(d->lock_fd, holder, (size_t)n, 0) != n)
		return io_error(d, LOCK_NAME, "cannot be written", err);
	return LEAT_OK;
}

/* Whoever holds the lock knows that nobody is writing: temporary files are leftovers. */
static void remove_stale(struct leat_disk *d)
{
	int fd = dup(d->dir_fd);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	rewinddir(dir);
	while ((e = readdir(dir)))
		if (!strncmp(e->d_name, TEMP_PREFIX, strlen(TEMP_PREFIX)) && !unlinkat(d->dir_fd, e->d_name, 0))
			d->n_stale++;
	closedir(dir);
}

enum leat_status leat_disk_open(struct leat_disk *d, const char *path, const struct leat_disk_calls *calls,
				struct leat_error *err)
{
	mkdir(path, 0700); /* a failure shows in what follows */
	LEAT_TRY(open_folder(d, path, strlen(path), err));
	if (calls)
		d->calls = *calls;
	enum leat_status st = lock(d, err);
	if (st != LEAT_OK) {
		leat_disk_close(d);
		return st;
	}
	remove_stale(d);
	return LEAT_OK;
}

enum leat_status leat_disk_open_parent(struct leat_disk *d, const char *path, const char **ret_name,
				       struct leat_error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	LEAT_TRY(leat_disk_check_name(name, err));
	if (!slash)
		LEAT_TRY(open_folder(d, ".", 1, err));
	else
		LEAT_TRY(open_folder(d, path, slash == path ? 1 : (size_t)(slash - path), err));
	*ret_name = name;
	return LEAT_OK;
}

void leat_disk_close(struct leat_disk *d)
{
	if (d->path && d->dir_fd >= 0)
		close(d->dir_fd);
	if (d->path && d->lock_fd >= 0)
		close(d->lock_fd);
	free(d->path);
	*d = (struct leat_disk){ .dir_fd = -1, .lock_fd = -1 };
}

/* What a rename would replace must be a regular file: not a link, a folder, a device. */
static enum leat_status check_target(const struct leat_disk *d, const char *name, struct leat_error *err)
{
	struct stat st;
	LEAT_TRY(leat_disk_check_name(name, err));
	if (fstatat(d->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? LEAT_OK : io_error(d, name, "cannot be looked at", err);
	return S_ISREG(st.st_mode) ? LEAT_OK
				   : leat_fail(err, LEAT_E_ARG, "state", LEAT_NO_OFFSET,
					       "%s/%s is no regular file and is not replaced", d->path, name);
}

enum leat_status leat_disk_begin(struct leat_disk *d, const char *name, struct leat_disk_file *ret,
				 struct leat_error *err)
{
	struct leat_disk_file f = { .disk = d, .fd = -1 };
	LEAT_TRY(check_target(d, name, err));
	for (int i = 0; f.fd < 0 && i < 100; i++) {
		snprintf(f.temp, sizeof f.temp, TEMP_PREFIX "%ld-%u", (long)getpid(), d->n_temps++);
		f.fd = openat(d->dir_fd, f.temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (f.fd < 0 && errno != EEXIST)
			break;
	}
	if (f.fd < 0)
		return io_error(d, name, "cannot be created", err);
	*ret = f;
	return LEAT_OK;
}

enum leat_status leat_disk_write(struct leat_disk_file *f, const void *data, size_t n, struct leat_error *err)
{
	const unsigned char *p = data;
	while (n) {
		ssize_t done = f->disk->calls.write(f->fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done == 0)
			errno = ENOSPC;
		if (done <= 0)
			return io_error(f->disk, "", "cannot be written to", err);
		p += done;
		n -= (size_t)done;
		f->bytes += (uint64_t)done;
	}
	return LEAT_OK;
}

void leat_disk_abort(struct leat_disk_file *f)
{
	if (f->fd < 0)
		return;
	close(f->fd);
	unlinkat(f->disk->dir_fd, f->temp, 0);
	f->fd = -1;
}

static enum leat_status sync_data(struct leat_disk_file *f, const char *name, struct leat_error *err)
{
	LEAT_TRY(check_target(f->disk, name, err));
	return f->disk->calls.fsync(f->fd) ? io_error(f->disk, name, "cannot be synced", err) : LEAT_OK;
}

static enum leat_status give_name(struct leat_disk_file *f, const char *name, struct leat_error *err)
{
	struct leat_disk *d = f->disk;
	if (d->calls.renameat(d->dir_fd, f->temp, d->dir_fd, name)) {
		enum leat_status st = io_error(d, name, "cannot be renamed to", err);
		leat_disk_abort(f);
		return st;
	}
	int failed = close(f->fd);
	f->fd = -1;
	return failed ? io_error(d, name, "cannot be synced", err) : LEAT_OK;
}

enum leat_status leat_disk_commit_all(struct leat_disk_named *files, int n, int *ret_ok, struct leat_error *err)
{
	enum leat_status first = LEAT_OK;
	int renamed = 0;
	for (int i = 0; i < n; i++) {
		struct leat_error *e = first == LEAT_OK ? err : NULL; /* the first failure is told */
		enum leat_status st = sync_data(&files[i].file, files[i].name, e);
		ret_ok[i] = st == LEAT_OK;
		if (st != LEAT_OK)
			leat_disk_abort(&files[i].file);
		first = first == LEAT_OK ? st : first;
	}
	for (int i = 0; i < n; i++) {
		struct leat_error *e = first == LEAT_OK ? err : NULL;
		if (!ret_ok[i])
			continue;
		enum leat_status st = give_name(&files[i].file, files[i].name, e);
		ret_ok[i] = st == LEAT_OK;
		renamed = 1;
		first = first == LEAT_OK ? st : first;
	}
	if (renamed && files[0].file.disk->calls.fsync(files[0].file.disk->dir_fd)) {
		if (first == LEAT_OK)
			first = io_error(files[0].file.disk, "", "cannot be synced", err);
		memset(ret_ok, 0, (size_t)n * sizeof *ret_ok);
	}
	return first;
}

enum leat_status leat_disk_commit(struct leat_disk_file *f, const char *name, struct leat_error *err)
{
	struct leat_disk *d = f->disk;
	enum leat_status st = sync_data(f, name, err);
	if (st != LEAT_OK) {
		leat_disk_abort(f);
		return st;
	}
	LEAT_TRY(give_name(f, name, err));
	return d->calls.fsync(d->dir_fd) ? io_error(d, name, "cannot be synced", err) : LEAT_OK;
}
