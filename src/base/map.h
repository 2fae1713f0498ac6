/* map.h - a file as memory. */
#ifndef LEAT_BASE_MAP_H
#define LEAT_BASE_MAP_H

#include "base/err.h"

/* Read-only view of a regular file through one file descriptor (fd > 2), or of borrowed memory (fd -1). */
struct leat_map {
	const unsigned char *data; /* NULL for an empty file */
	uint64_t size;             /* bytes */
	int fd;
};

/* Opens and maps `path`. Refuses what is no regular file (E_ARG), what is absent (E_NOTFOUND), what cannot be read
 * (E_IO); the error names the path. O_CLOEXEC, O_NONBLOCK at open so that a FIFO cannot hang it. */
enum leat_status leat_map_open(struct leat_map *ret, const char *path, struct leat_error *err);

/* The same below an open folder; `flags` are more of open's: O_NOFOLLOW. */
enum leat_status leat_map_open_at(struct leat_map *ret, int dir_fd, const char *path, int flags,
				  struct leat_error *err);

/* The folder `path` as a descriptor for leat_map_open_at, close()d by the caller; -1 where there is none. */
int leat_dir_open(const char *path);

/* E_IO if the file behind the map no longer has the size it had when it was opened (truncated or replaced while it was
 * read); called once after parsing. */
enum leat_status leat_map_check(const struct leat_map *m, struct leat_error *err);

/* Hints only, failures ignored: read ahead [offset, offset+bytes). */
void leat_map_will_need(const struct leat_map *m, uint64_t offset, uint64_t bytes);

/* How the bytes of a map come into memory ahead of their use. */
enum leat_map_how {
	LEAT_MAP_POPULATE, /* faulted in */
	LEAT_MAP_READ,     /* read into memory of their own, in huge pages where there are any */
	LEAT_MAP_DIRECT,   /* the same around the page cache */
	LEAT_MAP_LOCK,     /* faulted in and locked */
};
/* After each piece of `bytes`; nonzero cancels. */
typedef int leat_map_progress_fn(void *user, uint64_t bytes);

/* Brings [from, size) in; addresses stay what they are, contents are those of the file. A failed map may hold anything
 * and is only good for closing. Borrowed memory and empty files: nothing to do. E_NOMEM (no room, RLIMIT_MEMLOCK),
 * E_IO, E_UNSUPPORTED (the file system knows no O_DIRECT), E_CANCELLED. */
enum leat_status leat_map_load(struct leat_map *m, uint64_t from, enum leat_map_how how,
			       leat_map_progress_fn *progress, void *user, struct leat_error *err);

/* Zero-initialised or failed maps are fine. */
void leat_map_close(struct leat_map *m);

#endif
