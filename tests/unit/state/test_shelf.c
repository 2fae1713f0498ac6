/* test_shelf.c - states in a folder: found again, written whole or not at all (HOSTILE P01-P15). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "snaps.h"

enum { MB = 1 << 20, N = 40 };

static struct leat_store *store;

static struct leat_shelf *open_shelf(const char *path, uint64_t budget, const struct leat_disk_calls *calls)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_shelf *f = NULL;
	if (leat_shelf_open(path, budget, calls, &f, &err))
		fail_msg("%s", err.message);
	return f;
}

static void put(struct leat_shelf *f, int mark, float value)
{
	struct leat_snapshot *x = snap_make(store, N, mark, value);
	assert_int_equal(leat_shelf_put(f, x, NULL), LEAT_OK);
	assert_true(leat_shelf_has(f, x));
	leat_snapshot_unref(x);
}

/* Loads what covers the tokens from `mark` on; the value in its cell, 0: none. */
static float get(struct leat_shelf *f, int mark)
{
	struct leat_snapshot *x = NULL;
	struct leat_prefix_key k;
	int32_t t[N + 5];
	size_t file;
	float value = 0;
	memset(&k, 0, sizeof k);
	k.model[0] = 1;
	for (int i = 0; i < N + 5; i++)
		t[i] = mark + i;
	if (!leat_shelf_find(f, &k, t, N + 5, 0, &file))
		return 0;
	assert_int_equal(leat_shelf_load(f, file, &x, NULL), LEAT_OK);
	memcpy(&value, x->cell, sizeof value);
	leat_snapshot_unref(x);
	return value;
}

static void test_restart(void **state)
{
	char path[64];
	struct leat_shelf_counts n;
	struct stat st;
	(void)state;
	snap_folder(path);
	struct leat_shelf *f = open_shelf(path, MB, NULL);
	for (int i = 1; i <= 5; i++)
		put(f, 1000 * i, (float)i);
	put(f, 1000, 1); /* it is there */
	leat_shelf_get_counts(f, &n);
	assert_int_equal(n.n_written, 5);
	leat_shelf_close(f);
	assert_int_equal(snap_files(path, 0), 5);
	f = open_shelf(path, MB, NULL);
	for (int i = 1; i <= 5; i++)
		assert_true(get(f, 1000 * i) == (float)i);
	assert_true(get(f, 77) == 0);
	leat_shelf_close(f);
	assert_int_equal(stat(path, &st), 0);
	snap_files(path, 1);
}

/* The longest unused go first, others' files never. */
static void test_budget_and_foreign_files(void **state)
{
	char path[64], name[128];
	struct leat_shelf_counts n;
	struct leat_snapshot *x = snap_make(store, N, 1, 1);
	uint64_t each = leat_snapshot_file_bytes(x);
	(void)state;
	leat_snapshot_unref(x);
	snap_folder(path);
	/* a model, a text, and a file with our kind of name that is not ours */
	static const char *const theirs[] = { "model.gguf", "notes.txt",
		"leat-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.state" };
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s/%s", path, theirs[i]);
		int fd = open(name, O_WRONLY | O_CREAT, 0600);
		assert_int_equal(write(fd, "precious things", 15), 15);
		close(fd);
	}
	struct leat_shelf *f = open_shelf(path, 4 * each + each / 2, NULL);
	for (int i = 1; i <= 20; i++) {
		put(f, 1000 * i, (float)i);
		assert_true(get(f, 1000) == 1); /* in use all the time */
	}
	leat_shelf_get_counts(f, &n);
	assert_int_equal(n.n_files, 4);
	assert_int_equal(n.n_foreign, 3);
	assert_int_equal(n.n_removed, 16);
	assert_true(get(f, 20000) == 20 && get(f, 5000) == 0);
	x = snap_make(store, 5000, 1, 1);
	assert_int_equal(leat_shelf_put(f, x, NULL), LEAT_E_LIMIT);
	leat_snapshot_unref(x);
	leat_shelf_close(f);
	f = open_shelf(path, each, NULL);
	put(f, 50000, 1);
	leat_shelf_close(f);
	assert_int_equal(snap_files(path, 0), 4);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s/%s", path, theirs[i]);
		assert_int_equal(access(name, R_OK), 0);
	}
	snap_files(path, 1);
}

/* ---- faults ---- */

static int fail_at, calls_made, fail_errno, short_writes;

static ssize_t bad_write(int fd, const void *data, size_t n)
{
	if (++calls_made == fail_at) {
		errno = fail_errno;
		return fail_errno ? -1 : 0;
	}
	if (short_writes && n > 1)
		n = 1 + n / 3;
	return write(fd, data, n);
}

static int bad_fsync(int fd)
{
	if (++calls_made == fail_at) {
		errno = EIO;
		return -1;
	}
	return fsync(fd);
}

static int bad_rename(int a, const char *from, int b, const char *to)
{
	if (++calls_made == fail_at) {
		errno = fail_errno;
		return -1;
	}
	return renameat(a, from, b, to);
}

/* Saves over an old file with call number `at` failing: the old one stays whole, or the new one is there. */
static int save_with(const struct leat_disk_calls *calls, const char *path, int at, int error)
{
	struct leat_snapshot *old = snap_make(store, N, 1, 1), *new = snap_make(store, N, 1, 2), *x = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	char name[96];
	float value;
	snprintf(name, sizeof name, "%s/state", path);
	assert_int_equal(leat_snapshot_save(old, name, NULL, NULL), LEAT_OK);
	fail_at = at;
	fail_errno = error;
	calls_made = 0;
	enum leat_status st = leat_snapshot_save(new, name, calls, &err);
	assert_int_equal(leat_snapshot_load(name, &x, NULL), LEAT_OK);
	memcpy(&value, x->cell, sizeof value);
	assert_int_equal(snap_files(path, 0), 1); /* no temporary file remains */
	assert_true(st ? err.message[0] && (st == LEAT_E_IO || st == LEAT_E_NOTFOUND) : value == 2);
	leat_snapshot_unref(old);
	leat_snapshot_unref(new);
	leat_snapshot_unref(x);
	return st ? value == 1 : -1;
}

static void test_P03_P04_write_fails_at_call_k(void **state)
{
	static const int errors[] = { ENOSPC, EDQUOT, EIO, 0 };
	struct leat_disk_calls calls = { bad_write, fsync, renameat };
	char path[64];
	(void)state;
	snap_folder(path);
	for (short_writes = 0; short_writes < 2; short_writes++)
		for (int e = 0; e < 4; e++) {
			int k = 1;
			while (save_with(&calls, path, k, errors[e]) == 1)
				k++;
			assert_true(k > (short_writes ? 15 : 5)); /* each write was hit once */
			assert_true(save_with(&calls, path, k, errors[e]) == -1);
		}
	for (int k = 1; k < 10; k++) /* an interrupted call is carried on */
		assert_int_equal(save_with(&calls, path, k, EINTR), -1);
	short_writes = 0;
	snap_files(path, 1);
}

static void test_P05_fsync_fails(void **state)
{
	struct leat_disk_calls calls = { write, bad_fsync, renameat };
	char path[64];
	(void)state;
	snap_folder(path);
	assert_int_equal(save_with(&calls, path, 1, EIO), 1); /* the file: lost, the old one stays */
	assert_int_equal(calls_made, 1);                      /* and not tried again */
	assert_int_equal(save_with(&calls, path, 2, EIO), 0); /* the folder: said, though the new one is seen */
	snap_files(path, 1);
}

static void test_P06_rename_fails(void **state)
{
	static const int errors[] = { EXDEV, EACCES, EROFS, ENOSPC };
	struct leat_disk_calls calls = { write, fsync, bad_rename };
	char path[64];
	(void)state;
	snap_folder(path);
	for (int i = 0; i < 4; i++)
		assert_int_equal(save_with(&calls, path, 1, errors[i]), 1);
	snap_files(path, 1);
}

/* Several at once with call number k failing, for every k: what failed is said, nothing half-written stays, and the
 * rest is there, now and after a restart. */
static void test_P03_P06_many_at_once(void **state)
{
	enum { MANY = 5 };
	struct leat_disk_calls calls = { bad_write, bad_fsync, bad_rename };
	int k = 1, failed = 1;
	(void)state;
	for (; failed; k++) {
		char path[64];
		struct leat_error err = LEAT_ERROR_INIT;
		enum leat_status st = LEAT_OK;
		int there = 0, files;
		snap_folder(path);
		struct leat_shelf *f = open_shelf(path, MB, &calls);
		fail_at = k;
		fail_errno = EIO;
		calls_made = 0;
		for (int i = 1; i <= MANY && st == LEAT_OK; i++) {
			struct leat_snapshot *x = snap_make(store, N, 1000 * i, (float)i);
			st = leat_shelf_put_later(f, x, &err);
			leat_snapshot_unref(x);
		}
		enum leat_status settled = leat_shelf_settle(f, st == LEAT_OK ? &err : NULL);
		failed = calls_made >= k;
		assert_true(failed ? (st || settled) && err.message[0] : !st && !settled);
		for (int i = 1; i <= MANY; i++) {
			float value = get(f, 1000 * i);
			assert_true(value == 0 || value == (float)i);
			there += value != 0;
		}
		assert_true(failed ? there < MANY : there == MANY);
		fail_at = 0;
		leat_shelf_close(f);
		files = snap_files(path, 0);
		f = open_shelf(path, MB, NULL);
		struct leat_shelf_counts n;
		leat_shelf_get_counts(f, &n);
		assert_true(n.n_stale == 0 && n.n_damaged == 0 && (int)n.n_files == files && files >= there);
		for (int i = 1; i <= MANY; i++)
			assert_true(get(f, 1000 * i) == 0 || get(f, 1000 * i) == (float)i);
		leat_shelf_close(f);
		snap_files(path, 1);
	}
	assert_true(k > MANY * 6); /* each write, sync and rename was hit once */
}

static ssize_t full_write(int fd, const void *data, size_t n)
{
	static int full = -1;
	(void)fd;
	if (full < 0)
		full = open("/dev/full", O_WRONLY);
	return write(full, data, n);
}

static void test_P03_dev_full_and_file_size_limit(void **state)
{
	struct leat_disk_calls calls = { full_write, fsync, renameat };
	char path[64];
	(void)state;
	snap_folder(path);
	assert_int_equal(save_with(&calls, path, 0, 0), 1);
	snap_files(path, 1);
	snap_folder(path);
	pid_t pid = fork();
	if (!pid) {
		struct leat_snapshot *x = snap_make(store, N, 1, 1);
		char name[96];
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 600, 600 });
		snprintf(name, sizeof name, "%s/state", path);
		_exit(leat_snapshot_save(x, name, NULL, NULL) == LEAT_E_IO && snap_files(path, 0) == 0 ? 0 : 1);
	}
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	snap_files(path, 1);
}

/* ---- a power cut, replayed ---- */

/* What was asked of the disk, in order. */
static struct {
	char what; /* W write, F sync, R rename */
	size_t bytes;
} disk_log[256];
static int n_logged;

static ssize_t log_write(int fd, const void *data, size_t n)
{
	n = n > 700 ? 700 : n;
	disk_log[n_logged].what = 'W';
	disk_log[n_logged++].bytes = n;
	return write(fd, data, n);
}

static int log_fsync(int fd)
{
	disk_log[n_logged++].what = 'F';
	return fsync(fd);
}

static int log_rename(int a, const char *from, int b, const char *to)
{
	disk_log[n_logged++].what = 'R';
	return renameat(a, from, b, to);
}

/* The name shows a file with these bytes after the cut: old or new, whole? */
static void found_after_cut(const char *path, const unsigned char *bytes, size_t n)
{
	struct leat_snapshot *x = NULL;
	struct leat_error err = LEAT_ERROR_INIT;
	float value;
	FILE *f = fopen(path, "wb");
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
	if (leat_snapshot_load(path, &x, &err))
		fail_msg("%s", err.message);
	memcpy(&value, x->cell, sizeof value);
	assert_true(value == 1 || value == 2);
	leat_snapshot_unref(x);
}

/* After every prefix of what was asked, with what was not synced lost in every length: a rename may be there before the
 * folder is synced, or not. */
static void test_P08_power_cut(void **state)
{
	struct leat_disk_calls calls = { log_write, log_fsync, log_rename };
	struct leat_snapshot *old = snap_make(store, N, 1, 1), *new = snap_make(store, N, 1, 2);
	struct snap_bytes was = snap_write(old), is = snap_write(new);
	char path[64], name[96];
	int seen_new = 0;
	(void)state;
	snap_folder(path);
	snprintf(name, sizeof name, "%s/state", path);
	assert_int_equal(leat_snapshot_save(old, name, NULL, NULL), LEAT_OK);
	assert_int_equal(leat_snapshot_save(new, name, &calls, NULL), LEAT_OK);
	for (int cut = 0; cut <= n_logged; cut++) {
		size_t written = 0, durable = 0;
		int renamed = 0, settled = 0;
		for (int i = 0; i < cut; i++) {
			written += disk_log[i].what == 'W' ? disk_log[i].bytes : 0;
			durable = disk_log[i].what == 'F' && !renamed ? written : durable;
			settled |= disk_log[i].what == 'F' && renamed;
			renamed |= disk_log[i].what == 'R';
		}
		if (!settled)
			found_after_cut(name, was.data, was.n);
		for (size_t n = durable; renamed && n <= written; n++, seen_new++)
			found_after_cut(name, is.data, n);
	}
	assert_true(seen_new >= 2 && n_logged > 5);
	free(was.data);
	free(is.data);
	leat_snapshot_unref(old);
	leat_snapshot_unref(new);
	snap_files(path, 1);
}

/* Several at once: no file has its name before its bytes are synced, and the folder is synced after the last name. */
static void test_P08_order_of_many(void **state)
{
	enum { MANY = 4 };
	struct leat_disk_calls calls = { log_write, log_fsync, log_rename };
	char path[64];
	int n_synced = 0, n_named = 0;
	(void)state;
	snap_folder(path);
	struct leat_shelf *f = open_shelf(path, MB, &calls);
	n_logged = 0;
	for (int i = 1; i <= MANY; i++) {
		struct leat_snapshot *x = snap_make(store, N, 1000 * i, (float)i);
		assert_int_equal(leat_shelf_put_later(f, x, NULL), LEAT_OK);
		leat_snapshot_unref(x);
	}
	assert_true(get(f, 1000) == 0); /* not there before it is settled */
	assert_int_equal(leat_shelf_settle(f, NULL), LEAT_OK);
	for (int i = 0; i < n_logged; i++) {
		assert_false(disk_log[i].what == 'W' && n_synced);
		if (disk_log[i].what == 'R')
			assert_true(n_synced == MANY && ++n_named <= MANY);
		n_synced += disk_log[i].what == 'F';
	}
	assert_true(n_named == MANY && n_synced == MANY + 1 && disk_log[n_logged - 1].what == 'F');
	for (int i = 1; i <= MANY; i++)
		assert_true(get(f, 1000 * i) == (float)i);
	leat_shelf_close(f);
	snap_files(path, 1);
}

/* P16: a file of a later version, or of an earlier one, is told apart from a broken one when it is asked for, is never
 * taken for a state, and gives way to one of this version. */
static void test_P16_versions(void **state)
{
	char path[64], name[160], id[65];
	struct leat_snapshot *x = snap_make(store, N, 1000, 7), *y = NULL;
	(void)state;
	leat_snapshot_id(x, id);
	for (uint32_t version = 0; version < 3; version++) {
		struct leat_error err = LEAT_ERROR_INIT;
		struct leat_shelf_counts n;
		struct leat_snapshot *loaded = NULL;
		if (version == LEAT_SNAPSHOT_VERSION)
			continue;
		snap_folder(path);
		snprintf(name, sizeof name, "%s/leat-%s.state", path, id);
		assert_int_equal(leat_snapshot_save(x, name, NULL, NULL), LEAT_OK);
		int fd = open(name, O_RDWR);
		assert_int_equal(pwrite(fd, &version, 4, 8), 4);
		close(fd);
		assert_int_equal(leat_snapshot_load(name, &y, &err), LEAT_E_UNSUPPORTED);
		assert_non_null(strstr(err.message, "version"));
		assert_null(y);
		struct leat_shelf *f = open_shelf(path, MB, NULL);
		assert_true(get(f, 1000) == 0 && !leat_shelf_has(f, x));
		assert_int_equal(leat_shelf_put(f, x, NULL), LEAT_OK);
		assert_true(get(f, 1000) == 7);
		leat_shelf_get_counts(f, &n);
		assert_true(n.n_files == 1 && n.n_damaged == 0);
		leat_shelf_close(f);
		assert_int_equal(leat_snapshot_load(name, &loaded, NULL), LEAT_OK);
		leat_snapshot_unref(loaded);
		snap_files(path, 1);
	}
	leat_snapshot_unref(x);
}

static void test_P09_P10_stale_files_and_lock(void **state)
{
	char path[64], name[128];
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_shelf *f, *g = NULL;
	struct leat_shelf_counts n;
	(void)state;
	snap_folder(path);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s/.leat-tmp-1-%d", path, i);
		close(open(name, O_WRONLY | O_CREAT, 0600));
	}
	f = open_shelf(path, MB, NULL);
	leat_shelf_get_counts(f, &n);
	assert_int_equal(n.n_stale, 3);
	assert_int_equal(snap_files(path, 0), 0);
	assert_int_equal(leat_shelf_open(path, MB, NULL, &g, &err), LEAT_E_BUSY);
	snprintf(name, sizeof name, "process %ld", (long)getpid());
	assert_non_null(strstr(err.message, name));
	leat_shelf_close(f);
	f = open_shelf(path, MB, NULL);
	leat_shelf_close(f);
	snap_files(path, 1);
}

/* What is damaged on the disk is not listed or not loaded, and makes room first; the rest goes on. */
static void test_P11_P15_damaged_files(void **state)
{
	char path[64], name[512];
	struct leat_shelf_counts n;
	(void)state;
	snap_folder(path);
	struct leat_shelf *f = open_shelf(path, MB, NULL);
	for (int i = 1; i <= 4; i++)
		put(f, 1000 * i, (float)i);
	leat_shelf_close(f);
	DIR *d = opendir(path);
	int k = 0;
	for (struct dirent *e; (e = readdir(d));) {
		if (strncmp(e->d_name, "leat-", 5))
			continue;
		snprintf(name, sizeof name, "%s/%s", path, e->d_name);
		int fd = open(name, O_RDWR);
		char c = 0;
		if (k == 0)
			assert_int_equal(ftruncate(fd, 700), 0);            /* seen when the folder is opened */
		else if (k == 1)
			assert_int_equal(pwrite(fd, &c, 1, 288 + 128 + 160 + 7), 1); /* cell: when it is loaded */
		close(fd);
		k++;
	}
	closedir(d);
	assert_int_equal(k, 4);
	f = open_shelf(path, MB, NULL);
	leat_shelf_get_counts(f, &n);
	assert_int_equal(n.n_damaged, 1);
	assert_int_equal(n.n_files, 4);
	int good = 0, bad = 0;
	for (int i = 1; i <= 4; i++) {
		struct leat_prefix_key key;
		struct leat_snapshot *x = NULL;
		struct leat_error err = LEAT_ERROR_INIT;
		int32_t t[N];
		size_t file;
		memset(&key, 0, sizeof key);
		key.model[0] = 1;
		for (int j = 0; j < N; j++)
			t[j] = 1000 * i + j;
		if (!leat_shelf_find(f, &key, t, N, 0, &file))
			continue;
		enum leat_status st = leat_shelf_load(f, file, &x, &err);
		good += st == LEAT_OK;
		bad += st == LEAT_E_FORMAT && !x && !leat_shelf_find(f, &key, t, N, 0, &file);
		leat_snapshot_unref(x);
	}
	assert_int_equal(good, 2);
	assert_int_equal(bad, 1);
	for (int i = 1; i <= 4; i++) /* what was damaged is written again */
		put(f, 1000 * i, (float)i);
	leat_shelf_get_counts(f, &n);
	assert_int_equal(n.n_damaged, 0);
	leat_shelf_close(f);
	snap_files(path, 1);
}

static void test_P12_names_and_targets(void **state)
{
	struct leat_snapshot *x = snap_make(store, N, 1, 1), *y = NULL;
	char path[64], name[400], longest[300];
	struct leat_shelf *f = NULL;
	(void)state;
	snap_folder(path);
	memset(longest, 'n', sizeof longest);
	longest[256] = 0;
	static const char *const bad[] = { "", ".", "..", "a/b" };
	for (int i = 0; i < 4; i++)
		assert_int_equal(leat_disk_check_name(bad[i], NULL), LEAT_E_ARG);
	assert_int_equal(leat_disk_check_name(longest, NULL), LEAT_E_ARG);
	snprintf(name, sizeof name, "%s/%s", path, longest);
	assert_int_equal(leat_snapshot_save(x, name, NULL, NULL), LEAT_E_ARG);
	snprintf(name, sizeof name, "%s/..", path);
	assert_int_equal(leat_snapshot_save(x, name, NULL, NULL), LEAT_E_ARG);
	snprintf(name, sizeof name, "%s/none/state", path);
	assert_int_equal(leat_snapshot_save(x, name, NULL, NULL), LEAT_E_NOTFOUND);
	assert_int_equal(leat_snapshot_load(name, &y, NULL), LEAT_E_NOTFOUND);

	snprintf(name, sizeof name, "%s/target", path);
	assert_int_equal(symlink("/etc/hostname", name), 0);
	assert_int_equal(leat_snapshot_save(x, name, NULL, NULL), LEAT_E_ARG);
	unlink(name);
	assert_int_equal(mkfifo(name, 0600), 0);
	assert_int_equal(leat_snapshot_save(x, name, NULL, NULL), LEAT_E_ARG);
	assert_int_equal(leat_snapshot_load(name, &y, NULL), LEAT_E_ARG); /* and does not hang */
	unlink(name);
	assert_int_equal(mkdir(name, 0700), 0);
	assert_int_equal(leat_snapshot_save(x, name, NULL, NULL), LEAT_E_ARG);
	assert_int_equal(leat_snapshot_load(name, &y, NULL), LEAT_E_ARG);
	rmdir(name);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(leat_shelf_open(name, MB, NULL, &f, NULL), LEAT_E_ARG); /* a file is no folder */
	assert_int_equal(leat_snapshot_load(name, &y, NULL), LEAT_E_FORMAT);     /* and an empty one no state */
	/* a folder or a link in the place of one of our names is left alone */
	snprintf(name, sizeof name, "%s/leat-%064d.state", path, 0);
	assert_int_equal(mkdir(name, 0700), 0);
	f = open_shelf(path, MB, NULL);
	leat_shelf_close(f);
	leat_snapshot_unref(x);
	snap_files(path, 1);
}

/* P13: where nothing may be written the folder is refused with a reason, or each put is. */
static void test_P13_read_only(void **state)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_shelf *f = NULL;
	(void)state;
	assert_int_equal(leat_shelf_open("/proc/self", MB, NULL, &f, &err), LEAT_E_NOTFOUND);
	assert_int_equal(leat_shelf_open("/sys", MB, NULL, &f, &err), LEAT_E_IO);
	assert_non_null(strstr(err.message, "/sys"));
	assert_int_equal(leat_shelf_open("/no/such/folder", MB, NULL, &f, &err), LEAT_E_NOTFOUND);
	assert_null(f);
}

static void test_P02_rights(void **state)
{
	char path[64], name[96];
	struct stat st;
	(void)state;
	snap_folder(path);
	struct leat_snapshot *x = snap_make(store, N, 1, 1);
	mode_t old = umask(0);
	snprintf(name, sizeof name, "%s/state", path);
	assert_int_equal(leat_snapshot_save(x, name, NULL, NULL), LEAT_OK);
	umask(old);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	leat_snapshot_unref(x);
	snap_files(path, 1);
}

/* Kept, flushed, opened anew: an identical prompt finds all but its last token, a branch all but 32. */
static void test_prefix_survives_restart(void **state)
{
	enum { PROMPT = 600 };
	for (int pages = 0; pages < 2; pages++) {
		struct leat_store *s = heap_store(pages, !pages, 2, 40, 640, -16);
		struct leat_prefix_params p = { .store = s, .budget_bytes = MB };
		struct leat_prefix *ix = NULL;
		struct leat_prefix_key k;
		struct leat_checkpoint made[32];
		struct leat_prefix_counts n;
		int64_t asked = PROMPT - 1;
		int32_t t[PROMPT];
		char path[64];
		int slot = leat_slot_take(s), cell = leat_cell_take(s);
		memset(&k, 0, sizeof k);
		for (int i = 0; i < PROMPT; i++)
			t[i] = i;
		snap_folder(path);
		struct leat_shelf *f = open_shelf(path, 4 * MB, NULL);
		assert_int_equal(leat_prefix_create(&p, &ix, NULL), LEAT_OK);
		leat_prefix_set_shelf(ix, f);
		assert_int_equal(leat_slot_prepare(s, slot, 0, PROMPT), 0);
		for (int i = 0; pages && i < PROMPT; i++)
			*heap_row(s, slot, i) = i;
		int m = leat_prefix_plan(ix, &k, t, 0, PROMPT, &asked, 1, made, 32);
		for (int i = 0; i < m; i++)
			*heap_cell(s, made[i].cell) = (float)made[i].row;
		leat_prefix_commit(ix, &k, t, 0, made, m);
		if (pages)
			leat_prefix_put(ix, &k, t, PROMPT, slot, -1);
		assert_int_equal(leat_prefix_flush(ix, 0, NULL), LEAT_OK);
		int written = snap_files(path, 0);
		assert_int_equal(written, pages ? 1 : PROMPT / 32 + 1);
		assert_int_equal(leat_prefix_flush(ix, 0, NULL), LEAT_OK); /* nothing new */
		leat_prefix_destroy(ix);
		leat_shelf_close(f);

		f = open_shelf(path, 4 * MB, NULL);
		assert_int_equal(leat_prefix_create(&p, &ix, NULL), LEAT_OK);
		leat_prefix_set_shelf(ix, f);
		assert_int_equal(leat_prefix_load(ix, &k, t, PROMPT - 1, slot, cell), PROMPT - 1);
		if (pages)
			for (int i = 0; i < PROMPT - 1; i++)
				assert_int_equal(*heap_row(s, slot, i), i);
		else
			assert_true(*heap_cell(s, cell) == (float)(PROMPT - 2));
		for (int at = PROMPT - 1; at > 0; at -= 23) {
			t[at] = -1;
			int64_t got = leat_prefix_load(ix, &k, t, PROMPT - 1, slot, cell);
			assert_true(got <= at && got > at - 32);
		}
		leat_prefix_get_counts(ix, &n);
		assert_true(n.disk_hits > 0);
		leat_prefix_destroy(ix);
		leat_shelf_close(f);
		snap_files(path, 1);
		leat_store_destroy(s);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_budget_and_foreign_files),
		cmocka_unit_test(test_P02_rights),
		cmocka_unit_test(test_P03_P04_write_fails_at_call_k),
		cmocka_unit_test(test_P03_dev_full_and_file_size_limit),
		cmocka_unit_test(test_P05_fsync_fails),
		cmocka_unit_test(test_P06_rename_fails),
		cmocka_unit_test(test_P03_P06_many_at_once),
		cmocka_unit_test(test_P08_power_cut),
		cmocka_unit_test(test_P08_order_of_many),
		cmocka_unit_test(test_P16_versions),
		cmocka_unit_test(test_P09_P10_stale_files_and_lock),
		cmocka_unit_test(test_P11_P15_damaged_files),
		cmocka_unit_test(test_P12_names_and_targets),
		cmocka_unit_test(test_P13_read_only),
		cmocka_unit_test(test_prefix_survives_restart),
	};
	store = heap_store(0, 1, 1, 2, 0, 0);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	leat_store_destroy(store);
	return failed;
}
