/* map_load.c - bringing a mapped file into memory before it is used: faulted in, locked, or read in its own place.
 *
 * Read in place: the pages behind `from` are replaced by anonymous memory at the same addresses, and the file is read
 * into them, so that what points into the mapping stays right. What lies before `from` - the header, which was checked
 * - stays the mapping that was checked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/meminfo.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

enum { CHUNK_BYTES = 32 << 20 };

typedef unsigned long long ull; /* what printf takes */

struct range {
	unsigned char *at;   /* page-aligned */
	uint64_t offset;     /* of at in the file */
	uint64_t bytes;      /* to the file's end */
};

struct job {
	const struct leat_map *m;
	struct range r;
	int fd;              /* to read from, -1: none */
	enum leat_map_how how;
	struct leat_error *err;
};

/* The pages from `from` on; a page that is shared with what lies before is in it only where nothing is replaced. */
static struct range pages(const struct leat_map *m, uint64_t from, int replace)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t offset = (replace ? from + page - 1 : from) / page * page;
	union {
		const unsigned char *r;
		unsigned char *w;
	} p = {m->data};
	if (offset >= m->size)
		return (struct range){p.w, 0, 0};
	return (struct range){p.w + offset, offset, m->size - offset};
}

static enum leat_status lock_failed(const struct job *j, int e)
{
	struct rlimit l = {0, 0};
	getrlimit(RLIMIT_MEMLOCK, &l);
	if (e == EPERM || e == ENOMEM || e == EAGAIN)
		return leat_fail(
			j->err, LEAT_E_NOMEM, "load_mode", LEAT_NO_OFFSET,
			"mlock: %llu bytes cannot be locked into memory: RLIMIT_MEMLOCK is %llu (ulimit -l, in "
			"KiB), or there is no room",
			(ull)j->r.bytes, (ull)l.rlim_cur);
	return leat_fail(j->err, LEAT_E_IO, "load_mode", LEAT_NO_OFFSET, "mlock: errno %d", e);
}

/* Fills bytes [at, at + n) of the range; a read that ends early is an error unless the file ends there. */
static enum leat_status read_chunk(const struct job *j, uint64_t at, uint64_t n)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	for (uint64_t got = 0; got < n;) {
		/* O_DIRECT wants whole blocks; the memory goes on to the end of the last page. */
		uint64_t want = (n - got + page - 1) / page * page;
		ssize_t k = pread(j->fd, j->r.at + at + got, (size_t)want, (off_t)(j->r.offset + at + got));
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EINVAL && j->how == LEAT_MAP_DIRECT)
			return leat_fail(j->err, LEAT_E_UNSUPPORTED, "load_mode", LEAT_NO_OFFSET,
					 "direct: this file system does not read around its cache; use 'read'");
		if (k <= 0)
			return leat_fail(j->err, LEAT_E_IO, "file", j->r.offset + at + got,
					 k ? "reading byte %llu failed: errno %d" : "the file ends at byte %llu%.0d",
					 (ull)(j->r.offset + at + got), k ? errno : 0);
		got += (uint64_t)k;
	}
	return LEAT_OK;
}

static enum leat_status load_chunk(const struct job *j, uint64_t at, uint64_t n)
{
	if (j->how == LEAT_MAP_LOCK)
		return mlock(j->r.at + at, (size_t)n) ? lock_failed(j, errno) : LEAT_OK;
	if (j->how != LEAT_MAP_POPULATE)
		return read_chunk(j, at, n);
	if (madvise(j->r.at + at, (size_t)n, MADV_POPULATE_READ)) {
		if (errno == EFAULT || errno == EHWPOISON)
			return leat_fail(j->err, LEAT_E_IO, "file", j->r.offset + at,
					 "the file cannot be read at byte %llu", (ull)(j->r.offset + at));
		(void)madvise(j->r.at + at, (size_t)n, MADV_WILLNEED); /* an older kernel: ask, and hope */
	}
	return LEAT_OK;
}

/* Anonymous memory in the place of the range. */
static enum leat_status replace(const struct job *j)
{
	uint64_t total, avail;
	leat_meminfo(&total, &avail);
	if (j->r.bytes > avail)
		return leat_fail(
			j->err, LEAT_E_NOMEM, "load_mode", LEAT_NO_OFFSET,
			"%llu bytes of weights do not fit into memory, of which %llu are free; 'lazy' maps them",
			(ull)j->r.bytes, (ull)avail);
	void *p = mmap(j->r.at, (size_t)j->r.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		       0);
	if (p == MAP_FAILED)
		return leat_fail(j->err, LEAT_E_NOMEM, "load_mode", LEAT_NO_OFFSET,
				 "no memory for %llu bytes of weights", (ull)j->r.bytes);
	(void)madvise(p, (size_t)j->r.bytes, MADV_HUGEPAGE);
	return LEAT_OK;
}

/* The file once more, around the page cache. By its descriptor: the name may be another file's by now. */
static enum leat_status open_direct(struct job *j)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", j->m->fd);
	j->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (j->fd >= 0)
		return LEAT_OK;
	return leat_fail(j->err, LEAT_E_UNSUPPORTED, "load_mode", LEAT_NO_OFFSET,
			 "direct: this file system does not read around its cache (errno %d); use 'read'", errno);
}

static enum leat_status load_all(struct job *j, leat_map_progress_fn *progress, void *user)
{
	for (uint64_t at = 0; at < j->r.bytes; at += CHUNK_BYTES) {
		uint64_t n = j->r.bytes - at < CHUNK_BYTES ? j->r.bytes - at : CHUNK_BYTES;
		LEAT_TRY(load_chunk(j, at, n));
		if (progress && progress(user, n))
			return leat_fail(j->err, LEAT_E_CANCELLED, "", LEAT_NO_OFFSET, "loading was cancelled");
	}
	return LEAT_OK;
}

enum leat_status leat_map_load(struct leat_map *m, uint64_t from, enum leat_map_how how,
			       leat_map_progress_fn *progress, void *user, struct leat_error *err)
{
	int reads = how == LEAT_MAP_READ || how == LEAT_MAP_DIRECT;
	struct job j = {m, pages(m, from, reads), m->fd, how, err};
	if (m->fd <= 0 || j.r.bytes == 0)
		return LEAT_OK;
	if (how == LEAT_MAP_DIRECT)
		LEAT_TRY(open_direct(&j));
	enum leat_status st = reads ? replace(&j) : LEAT_OK;
	if (st == LEAT_OK)
		st = load_all(&j, progress, user);
	if (st == LEAT_OK && reads)
		(void)mprotect(j.r.at, (size_t)j.r.bytes, PROT_READ); /* weights are read-only, mapped or not */
	if (how == LEAT_MAP_DIRECT)
		close(j.fd);
	return st;
}
