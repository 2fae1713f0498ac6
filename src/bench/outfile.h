/* outfile.h - a file that appears whole or not at all. */
#ifndef LEAT_BENCH_OUTFILE_H
#define LEAT_BENCH_OUTFILE_H

#include "base/err.h"

enum { LEAT_OUTFILE_BUFFER = 1 << 16 };

/* Written under a temporary name in the same folder and renamed when complete. What is no regular file (a pipe,
 * /dev/full) is written directly. */
struct leat_outfile {
	int fd;
	char *path, *temp;       /* heap; temp NULL when written directly */
	unsigned char *buffer;
	size_t used;
	uint64_t bytes;          /* written so far, buffer included */
};

/* E_ARG: the file exists and `force` is 0. E_IO, E_NOMEM. */
enum leat_status leat_outfile_open(struct leat_outfile *f, const char *path, int force, struct leat_error *err);
enum leat_status leat_outfile_write(struct leat_outfile *f, const void *data, size_t n, struct leat_error *err);
/* Flushes; `sync`: waits until the bytes are on the disk; renames. Closes f in any case; on failure nothing remains. */
enum leat_status leat_outfile_commit(struct leat_outfile *f, int sync, struct leat_error *err);
/* Gives up: the temporary file is removed. Fine after commit and on a zeroed structure. */
void leat_outfile_abort(struct leat_outfile *f);

#endif
