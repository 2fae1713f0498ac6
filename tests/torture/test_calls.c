/* test_calls.c - calls of the system fail, once or all from one on, all through a life (life.h): threads that are not
 * to be had, no eventfd, no mapping, reads that end with EIO, no descriptors, no locked memory, no huge pages.
 * Each time it is an error or it is not; no descriptor or mapping is left, nothing hangs, and no answer is wrong (E10,
 * E14, E18). Of many calls of one kind a sample is failed. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "life.h"
#include "support/worlds.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_CALLS 0
#elif defined(__has_feature)
#define OWN_CALLS (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define OWN_CALLS 1
#endif

enum call { THREAD, EVENTFD, MMAP, MADVISE, MLOCK, PREAD, OPEN, FSTAT, N_CALLS };
static const char *const names[N_CALLS] = { "pthread_create", "eventfd", "mmap", "madvise",
					    "mlock",	      "pread",   "open", "fstat" };
static const int errors[N_CALLS] = { EAGAIN, EMFILE, ENOMEM, EINVAL, ENOMEM, EIO, EMFILE, EIO };

static struct {
	enum call call; /* the one that fails */
	long n[N_CALLS], fail_at, n_failed;
	int for_ever, paused;
} own;

#if OWN_CALLS
static int fails(enum call c)
{
	if (own.paused)
		return 0;
	long k = __atomic_add_fetch(&own.n[c], 1, __ATOMIC_RELAXED);
	if (c != own.call || !own.fail_at || (k != own.fail_at && !(own.for_ever && k > own.fail_at)))
		return 0;
	own.n_failed++;
	errno = errors[c];
	return 1;
}

#define OWN __attribute__((visibility("default")))

OWN int pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	void *f = real ? NULL : dlsym(RTLD_NEXT, "pthread_create");
	if (f)
		memcpy(&real, &f, sizeof f);
	return fails(THREAD) ? errors[THREAD] : real(ret, attr, fn, arg);
}

OWN int eventfd(unsigned count, int flags)
{
	return fails(EVENTFD) ? -1 : (int)syscall(SYS_eventfd2, count, flags);
}

OWN void *mmap(void *at, size_t n, int rights, int flags, int fd, off_t offset)
{
	if (fails(MMAP))
		return MAP_FAILED;
	union {
		long n;
		void *p;
	} u = { syscall(SYS_mmap, at, n, rights, flags, fd, offset) };
	return u.p;
}

OWN int madvise(void *at, size_t n, int advice)
{
	return fails(MADVISE) ? -1 : (int)syscall(SYS_madvise, at, n, advice);
}

OWN int mlock(const void *at, size_t n)
{
	return fails(MLOCK) ? -1 : (int)syscall(SYS_mlock, at, n);
}

OWN ssize_t pread(int fd, void *to, size_t n, off_t offset)
{
	return fails(PREAD) ? -1 : syscall(SYS_pread64, fd, to, n, offset);
}

static int open_at(int dir, const char *path, int flags, va_list more)
{
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
	return fails(OPEN) ? -1 : (int)syscall(SYS_openat, dir, path, flags, mode);
}

OWN int open(const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	int fd = open_at(AT_FDCWD, path, flags, more);
	va_end(more);
	return fd;
}

OWN int openat(int dir, const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	int fd = open_at(dir, path, flags, more);
	va_end(more);
	return fd;
}

OWN int fstat(int fd, struct stat *ret)
{
	return fails(FSTAT) ? -1 : (int)syscall(SYS_fstat, fd, ret);
}
#endif

static void begin(void)
{
	memset(own.n, 0, sizeof own.n);
	own.n_failed = 0;
	own.paused = 0;
}

static void pause_faults(int paused)
{
	own.paused = paused;
}

static const char *what(void)
{
	static char text[100];
	snprintf(text, sizeof text, "%s %ld%s", names[own.call], own.fail_at, own.for_ever ? " and all after" : "");
	return text;
}

/* E_UNSUPPORTED: of reading around the page cache. */
static int is_expected(enum leat_status st)
{
	return st == LEAT_E_NOMEM || st == LEAT_E_LIMIT || st == LEAT_E_IO || st == LEAT_E_UNSUPPORTED;
}

static void hang(int sig)
{
	(void)sig;
	dprintf(STDERR_FILENO, "hangs: %s\n", what());
	abort();
}

static int lines_of(const char *file, const char *with)
{
	FILE *f = fopen(file, "r");
	char line[512];
	int n = 0;
	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		n += strstr(line, with) != NULL;
	fclose(f);
	return n;
}

static int entries_of(const char *folder)
{
	DIR *d = opendir(folder);
	int n = 0;
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void fail_all(struct life *l, const long *n_all)
{
	int fds = entries_of("/proc/self/fd"), maps = lines_of("/proc/self/maps", l->file), n_lives = 0;
	for (own.call = 0; own.call < N_CALLS; own.call++)
		for (own.fail_at = 1; own.fail_at <= n_all[own.call]; own.fail_at++) {
			for (own.for_ever = 0; own.for_ever < 2; own.for_ever++) {
				alarm(120);
				life_live(l);
				n_lives++;
				if (entries_of("/proc/self/fd") != fds || entries_of("/proc/self/task") != 3)
					fail_msg("%s: a descriptor or thread is left", what());
				if (lines_of("/proc/self/maps", l->file) != maps)
					fail_msg("%s: a mapping of the model is left", what());
			}
			if (own.fail_at > 40) /* many alike */
				own.fail_at += 9;
		}
	alarm(0);
	own.fail_at = 0;
	print_message("%s, load mode %d: %d lives, %d calls ended with an error\n", l->file, l->load_mode, n_lives,
		      l->n_wrong_way);
}

static void torture(const char *file, int load_mode)
{
	struct life l = { .file = file, .load_mode = load_mode, .n_threads = 2, .is_expected = is_expected,
			  .begin = begin, .pause = pause_faults, .what = what };
	long n_all[N_CALLS];
	if (!OWN_CALLS || !file)
		skip();
	signal(SIGALRM, hang);
	life_live(&l);
	memcpy(n_all, own.n, sizeof n_all);
	assert_int_equal(l.n_wrong_way, 0);
	for (int c = 0; c < N_CALLS; c++)
		print_message("%s: %ld calls\n", names[c], n_all[c]);
	assert_true(n_all[THREAD] >= 2 && n_all[EVENTFD] == 1 && n_all[MMAP] > 1 && n_all[OPEN] > 1);
	fail_all(&l, n_all);
}

static void test_E10_E18_recurrent_read(void **state)
{
	(void)state;
	torture(world_file(0), LEAT_LOAD_READ);
}

static void test_E10_E14_attention_locked(void **state)
{
	(void)state;
	torture(world_file(1), LEAT_LOAD_MLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_E10_E18_recurrent_read),
		cmocka_unit_test(test_E10_E14_attention_locked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
