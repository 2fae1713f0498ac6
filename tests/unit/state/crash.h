/* crash.h - kill -9 at random moments while states are written (HOSTILE P07): each restart finds old or new. */
#ifndef LEAT_TESTS_UNIT_STATE_CRASH_H
#define LEAT_TESTS_UNIT_STATE_CRASH_H

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "snaps.h"

enum { CRASH_TOKENS = 2000 };

/* Writes for ever: one path again and again with the next value, and a new state into the folder each time. */
static inline void crash_write(struct leat_store *s, const char *folder, const char *path, int from)
{
	struct leat_shelf *f = NULL;
	if (leat_shelf_open(folder, (uint64_t)2 << 20, NULL, &f, NULL))
		_exit(2);
	for (int i = from;; i++) {
		struct leat_snapshot *x = snap_make(s, CRASH_TOKENS, i * 10000, (float)(i % 1000 + 1));
		/* by themselves, and several at once */
		if (leat_snapshot_save(x, path, NULL, NULL) ||
		    (i / 8 % 2 ? leat_shelf_put_later(f, x, NULL) : leat_shelf_put(f, x, NULL)))
			_exit(3);
		leat_snapshot_unref(x);
	}
}

/* All that is listed loads, whole, and holds what its tokens say. *ret_files: how many. */
static inline void crash_check(const char *folder, const char *path, uint64_t *ret_files, uint64_t *ret_stale)
{
	struct leat_shelf *f = NULL;
	struct leat_snapshot *x = NULL;
	struct leat_shelf_counts n;
	struct leat_prefix_key key;
	int32_t t[CRASH_TOKENS];
	memset(&key, 0, sizeof key);
	key.model[0] = 1;
	key.kv_type = LEAT_STORE_F16;
	assert_int_equal(leat_shelf_open(folder, (uint64_t)2 << 20, NULL, &f, NULL), LEAT_OK);
	leat_shelf_get_counts(f, &n);
	assert_int_equal(n.n_damaged, 0);
	uint64_t found = 0;
	for (int i = 0; i < 100000 && found < n.n_files; i++) {
		size_t file;
		t[0] = i * 10000;
		for (int j = 1; j < CRASH_TOKENS; j++)
			t[j] = t[0] + j;
		if (!leat_shelf_find(f, &key, t, CRASH_TOKENS, 0, &file))
			continue;
		assert_int_equal(leat_shelf_load(f, file, &x, NULL), LEAT_OK);
		float value;
		memcpy(&value, x->cell, sizeof value);
		assert_true(value == (float)(i % 1000 + 1));
		leat_snapshot_unref(x);
		found++;
	}
	assert_int_equal(found, n.n_files);
	leat_shelf_close(f);
	if (access(path, F_OK) == 0) {
		assert_int_equal(leat_snapshot_load(path, &x, NULL), LEAT_OK);
		leat_snapshot_unref(x);
	}
	*ret_files = n.n_files;
	*ret_stale = n.n_stale;
}

static inline void crash_many(int times)
{
	struct leat_store *s = heap_store(1, 1, 1, 2, 2048, 0);
	char folder[64], other[64], path[96];
	unsigned seed = (unsigned)time(NULL);
	uint64_t files = 0, all_files = 0, stale = 0, all_stale = 0;
	snap_folder(folder);
	snap_folder(other);
	snprintf(path, sizeof path, "%s/state", other);
	print_message("seed %u\n", seed);
	for (int i = 0; i < times; i++) {
		pid_t pid = fork();
		if (!pid)
			crash_write(s, folder, path, i * 400);
		seed = seed * 1664525u + 1013904223u;
		nanosleep(&(struct timespec){ .tv_nsec = (long)((seed >> 8) % 150000) * 1000 }, NULL);
		int status = 0;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status)); /* it had not failed on its own */
		crash_check(folder, path, &files, &stale);
		all_files += files;
		all_stale += stale;
	}
	print_message("%d kills: %llu states found whole, %llu unfinished files removed\n", times,
		      (unsigned long long)all_files, (unsigned long long)all_stale);
	assert_true(all_files > 0);
	snap_files(folder, 1);
	snap_files(other, 1);
	leat_store_destroy(s);
}

#endif
