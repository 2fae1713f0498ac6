/* shelf.h - snapshots in a folder, found again after a restart.
 *
 * One file per state, named by what it is the state of ("leat-" 64 digits ".state"), written as disk.h does. The list
 * is made by looking at the files; there is no index that could be wrong. Files beyond the budget are removed, the
 * longest unused first: only files with leat's name and magic, never another. Owned by one thread. */
#ifndef LEAT_STATE_SHELF_H
#define LEAT_STATE_SHELF_H

#include "state/disk.h"
#include "state/snapshot.h"

struct leat_shelf;

struct leat_shelf_counts {
	uint64_t n_files, bytes, budget_bytes;
	uint64_t n_damaged;           /* found, with leat's magic, and not whole: first to be removed, never loaded */
	uint64_t n_foreign;           /* other files in the folder: left alone */
	uint64_t n_stale;             /* temporary files of a killed process, removed */
	uint64_t n_written, n_removed, n_loaded;
};

/* Opens, locks and looks through the folder. Errors of leat_disk_open; E_NOMEM. calls NULL: the system's. */
enum leat_status leat_shelf_open(const char *path, uint64_t budget_bytes, const struct leat_disk_calls *calls,
				 struct leat_shelf **ret, struct leat_error *err);
void leat_shelf_close(struct leat_shelf *f); /* NULL allowed */

/* How many of tokens[n] the best file covers, 0: none; *ret_file names it for leat_shelf_load. States with a cell serve
 * whole beginnings only, rows alone serve any part that `window` (0: none) allows. */
int64_t leat_shelf_find(struct leat_shelf *f, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n,
			int window, size_t *ret_file);
/* Reads and checks all of the file. A damaged one is not listed any more. */
enum leat_status leat_shelf_load(struct leat_shelf *f, size_t file, struct leat_snapshot **ret,
				 struct leat_error *err);
/* Writes the state, unless it is there. Removes what the budget does not hold. E_LIMIT: larger than the budget. */
enum leat_status leat_shelf_put(struct leat_shelf *f, const struct leat_snapshot *x, struct leat_error *err);
/* The same for many: what was written is there, and found, after leat_shelf_settle at the latest (by itself each time
 * that some have come together). A failure may be that of an earlier one. */
enum leat_status leat_shelf_put_later(struct leat_shelf *f, const struct leat_snapshot *x, struct leat_error *err);
enum leat_status leat_shelf_settle(struct leat_shelf *f, struct leat_error *err);
/* 1 if the state is there: a put would write nothing. */
int leat_shelf_has(const struct leat_shelf *f, const struct leat_snapshot *x);
void leat_shelf_get_counts(const struct leat_shelf *f, struct leat_shelf_counts *ret);

/* ---- single files, where the caller says ---- */

/* Writes a state to the caller's path, atomically. */
enum leat_status leat_snapshot_save(const struct leat_snapshot *x, const char *path,
				    const struct leat_disk_calls *calls, struct leat_error *err);
enum leat_status leat_snapshot_load(const char *path, struct leat_snapshot **ret, struct leat_error *err);

#endif
