/* disk.h - a folder of files that appear whole or not at all, with one owner at a time.
 *
 * A file is written under a temporary name in its folder, synced, renamed, and the folder is synced: who reads finds
 * the old file or the new one, whatever happens in between. The folder is locked while it is open; a second opener is
 * told who holds it. Temporary files that a killed process left are removed by the next owner; nothing else is. */
#ifndef LEAT_STATE_DISK_H
#define LEAT_STATE_DISK_H

#include <sys/types.h>

#include "base/err.h"

/* The calls that can fail half-way, so that tests can let them. */
struct leat_disk_calls {
	ssize_t (*write)(int fd, const void *data, size_t n);
	int (*fsync)(int fd);
	int (*renameat)(int from_dir, const char *from, int to_dir, const char *to);
};

struct leat_disk {
	int dir_fd, lock_fd; /* lock_fd -1: not locked (a caller's own path) */
	char *path;
	struct leat_disk_calls calls;
	unsigned n_temps;
	int n_stale;         /* temporary files that were removed at opening */
};

/* Opens `path`, made if absent (0700; its parent must exist), and locks it. calls NULL: the system's. E_BUSY names the
 * holder; E_NOTFOUND, E_ARG (not a folder), E_IO (permission, read-only file system). */
enum leat_status leat_disk_open(struct leat_disk *d, const char *path, const struct leat_disk_calls *calls,
				struct leat_error *err);
/* The folder of a caller's file path, not locked and not cleaned; *ret_name is the part of `path` behind it. */
enum leat_status leat_disk_open_parent(struct leat_disk *d, const char *path, const char **ret_name,
				       struct leat_error *err);
void leat_disk_close(struct leat_disk *d); /* zeroed or failed ones are fine */

/* A name is one component: not empty, ".", "..", no slash, at most 255 bytes. E_ARG. */
enum leat_status leat_disk_check_name(const char *name, struct leat_error *err);

/* A file on its way. Nothing of it is visible before commit. */
struct leat_disk_file {
	struct leat_disk *disk;
	int fd;
	char temp[64];
	uint64_t bytes;
};
/* `name` must be free or a regular file (E_ARG: a folder, link, FIFO ...). */
enum leat_status leat_disk_begin(struct leat_disk *d, const char *name, struct leat_disk_file *ret,
				 struct leat_error *err);
/* Short writes and interruptions are carried on. E_IO: full, over quota, broken. */
enum leat_status leat_disk_write(struct leat_disk_file *f, const void *data, size_t n, struct leat_error *err);
/* A file that only waits for its sync and its name. */
struct leat_disk_named {
	struct leat_disk_file file;
	char name[96];
};
/* Syncs n files, then gives those that were synced their names, then syncs the folder once: as n commits, but that the
 * system writes its journal a few times instead of 2 n times. ret_ok[i]: 1 if file i is there now. All files are over.
 * Returns the first failure; a folder that cannot be synced fails all. */
enum leat_status leat_disk_commit_all(struct leat_disk_named *files, int n, int *ret_ok, struct leat_error *err);

/* Syncs, renames, syncs the folder. A failed sync counts as lost: it is not tried again. On failure the old file is
 * still there and the temporary one is gone; f is over in any case. */
enum leat_status leat_disk_commit(struct leat_disk_file *f, const char *name, struct leat_error *err);
void leat_disk_abort(struct leat_disk_file *f);

#endif
