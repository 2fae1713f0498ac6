/* snaps.h - snapshots and folders to test with. */
#ifndef LEAT_TESTS_UNIT_STATE_SNAPS_H
#define LEAT_TESTS_UNIT_STATE_SNAPS_H

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "heap.h"
#include "state/shelf.h"

/* A snapshot of n tokens that begin with `mark`; its cell and rows hold `value`. Built through a store of both kinds,
 * or of one. */
static inline struct leat_snapshot *snap_make(struct leat_store *s, int n, int mark, float value)
{
	struct leat_prefix_key key;
	struct leat_snapshot *x = NULL;
	int32_t *tokens = malloc((size_t)n * sizeof *tokens);
	int slot = leat_slot_take(s), cell = leat_cell_take(s);
	memset(&key, 0, sizeof key);
	key.model[0] = 1;
	if (!tokens || slot < 0 || leat_slot_prepare(s, slot, 0, n))
		abort();
	for (int i = 0; i < n; i++)
		tokens[i] = mark + i;
	for (size_t i = 0; cell >= 0 && i < s->view.cell_floats; i++)
		heap_cell(s, cell)[i] = value;
	for (int i = 0; s->view.page_bytes && i < n; i++)
		*heap_row(s, slot, i) = (int32_t)value;
	struct leat_snapshot_place at = { .tokens = tokens, .n_tokens = n, .n_fed = n, .slot = slot, .cell = cell };
	if (leat_snapshot_take(s, &key, &at, &x, NULL))
		x = NULL;
	free(tokens);
	leat_slot_give(s, slot);
	leat_cell_give(s, cell);
	return x;
}

/* Bytes of a snapshot, on the heap. */
struct snap_bytes {
	unsigned char *data;
	size_t n;
};

static inline enum leat_status snap_sink(void *user, const void *data, size_t n, struct leat_error *err)
{
	struct snap_bytes *b = user;
	(void)err;
	b->data = realloc(b->data, b->n + n);
	if (!b->data)
		abort();
	memcpy(b->data + b->n, data, n);
	b->n += n;
	return LEAT_OK;
}

static inline struct snap_bytes snap_write(const struct leat_snapshot *x)
{
	struct snap_bytes b = { 0 };
	if (leat_snapshot_write(x, &(struct leat_snapshot_sink){ snap_sink, &b }, NULL))
		abort();
	return b;
}

static inline void snap_folder(char path[64])
{
	snprintf(path, 64, "/tmp/leat-test-XXXXXX");
	if (!mkdtemp(path))
		abort();
}

/* Files in a folder, the lock left out; removes them all and the folder if `clean`. */
static inline int snap_files(const char *path, int clean)
{
	DIR *d = opendir(path);
	char name[512];
	int n = 0;
	for (struct dirent *e; d && (e = readdir(d));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		n += strcmp(e->d_name, ".leat-lock") != 0;
		snprintf(name, sizeof name, "%s/%s", path, e->d_name);
		if (clean && unlink(name))
			rmdir(name);
	}
	if (d)
		closedir(d);
	if (clean)
		rmdir(path);
	return n;
}

#endif
