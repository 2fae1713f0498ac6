/* shelf.c - see shelf.h. */
#include "state/shelf.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"

#define NAME_PREFIX "leat-"
#define NAME_SUFFIX ".state"
enum { ID_DIGITS = 64, NAME_BYTES = 5 + ID_DIGITS + 6 + 1, MOST_PENDING = 64 };

struct entry {
	char name[NAME_BYTES];
	struct leat_snapshot *head; /* NULL: damaged */
	uint64_t bytes, used;       /* used: larger is later */
};

struct leat_shelf {
	struct leat_disk disk;
	/* written, and waiting for their names */
	struct leat_disk_named pending[MOST_PENDING];
	struct entry pending_entry[MOST_PENDING];
	int n_pending;
	uint64_t pending_bytes;
	struct entry *entry;
	size_t n, cap;
	uint64_t clock;
	struct leat_shelf_counts counts;
};

static void name_of(const struct leat_snapshot *x, char name[NAME_BYTES])
{
	char id[ID_DIGITS + 1];
	leat_snapshot_id(x, id);
	snprintf(name, NAME_BYTES, NAME_PREFIX "%s" NAME_SUFFIX, id);
}

static int is_ours(const char *name)
{
	return strlen(name) == NAME_BYTES - 1 && !memcmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) &&
	       strspn(name + strlen(NAME_PREFIX), "0123456789abcdef") == ID_DIGITS &&
	       !strcmp(name + strlen(NAME_PREFIX) + ID_DIGITS, NAME_SUFFIX);
}

static struct entry *find_name(const struct leat_shelf *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->entry[i].name, name))
			return &f->entry[i];
	return NULL;
}

/* ---- looking through the folder ---- */

static enum leat_status add(struct leat_shelf *f, const struct entry *e, struct leat_error *err)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 16;
		struct entry *more = realloc(f->entry, cap * sizeof *more);
		if (!more)
			return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
		f->entry = more;
		f->cap = cap;
	}
	f->entry[f->n++] = *e;
	f->counts.bytes += e->bytes;
	return LEAT_OK;
}

/* Lists one file if it is ours; a name like ours without the magic is somebody else's. */
static enum leat_status look_at(struct leat_shelf *f, const char *name, struct leat_error *err)
{
	struct entry e = { .bytes = 0 };
	struct leat_map map;
	struct stat st;
	struct leat_error ignored = LEAT_ERROR_INIT;
	if (!is_ours(name) || leat_map_open_at(&map, f->disk.dir_fd, name, O_NOFOLLOW, NULL)) {
		f->counts.n_foreign += name[0] != '.';
		return LEAT_OK;
	}
	enum leat_status s = leat_snapshot_read_head(map.data, map.size, &e.head, &ignored);
	memcpy(e.name, name, NAME_BYTES);
	e.bytes = map.size;
	int magic = leat_snapshot_is(map.data, map.size);
	if (!fstat(map.fd, &st))
		e.used = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	leat_map_close(&map);
	if (s == LEAT_E_NOMEM)
		return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
	if (!magic) {
		f->counts.n_foreign++;
		return LEAT_OK;
	}
	if (e.head) {
		char wanted[NAME_BYTES];
		int no_tokens = !e.head->n_tokens; /* named by the cell, which has not been read */
		name_of(e.head, wanted);
		if (strcmp(wanted, name) && !no_tokens) {
			leat_snapshot_unref(e.head);
			e.head = NULL;
		}
	}
	f->counts.n_damaged += e.head == NULL;
	return add(f, &e, err);
}

static enum leat_status scan(struct leat_shelf *f, struct leat_error *err)
{
	int fd = fcntl(f->disk.dir_fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	enum leat_status st = LEAT_OK;
	struct dirent *d;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return leat_fail(err, LEAT_E_IO, "state", LEAT_NO_OFFSET, "%s cannot be listed", f->disk.path);
	}
	rewinddir(dir);
	while (st == LEAT_OK && (d = readdir(dir)))
		st = look_at(f, d->d_name, err);
	closedir(dir);
	for (size_t i = 0; i < f->n; i++)
		f->clock = f->entry[i].used > f->clock ? f->entry[i].used : f->clock;
	return st;
}

enum leat_status leat_shelf_open(const char *path, uint64_t budget_bytes, const struct leat_disk_calls *calls,
				 struct leat_shelf **ret, struct leat_error *err)
{
	struct leat_shelf *f = calloc(1, sizeof *f);
	if (!f)
		return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
	f->counts.budget_bytes = budget_bytes;
	enum leat_status st = leat_disk_open(&f->disk, path, calls, err);
	if (st == LEAT_OK)
		st = scan(f, err);
	if (st != LEAT_OK) {
		leat_shelf_close(f);
		return st;
	}
	f->counts.n_stale = (uint64_t)f->disk.n_stale;
	*ret = f;
	return LEAT_OK;
}

void leat_shelf_close(struct leat_shelf *f)
{
	if (!f)
		return;
	leat_shelf_settle(f, NULL);
	for (size_t i = 0; i < f->n; i++)
		leat_snapshot_unref(f->entry[i].head);
	free(f->entry);
	leat_disk_close(&f->disk);
	free(f);
}

void leat_shelf_get_counts(const struct leat_shelf *f, struct leat_shelf_counts *ret)
{
	*ret = f->counts;
	ret->n_files = f->n;
}

/* ---- finding ---- */

static int64_t covers(const struct leat_snapshot *x, const int32_t *tokens, int64_t n, int window)
{
	int64_t same = 0, most = x->n_fed < n ? x->n_fed : n;
	while (same < most && x->tokens[same] == tokens[same])
		same++;
	if (x->cell_bytes)
		return same == x->n_fed ? same : 0;
	return x->first && (!window || same - window + 1 < x->first) ? 0 : same;
}

int64_t leat_shelf_find(struct leat_shelf *f, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n,
			int window, size_t *ret_file)
{
	int64_t best = 0;
	for (size_t i = 0; i < f->n; i++) {
		const struct leat_snapshot *x = f->entry[i].head;
		int64_t got = x && !memcmp(&x->key, key, sizeof *key) ? covers(x, tokens, n, window) : 0;
		if (got > best) {
			best = got;
			*ret_file = i;
		}
	}
	return best;
}

static void damaged(struct leat_shelf *f, struct entry *e)
{
	leat_snapshot_unref(e->head);
	e->head = NULL;
	f->counts.n_damaged++;
}

enum leat_status leat_shelf_load(struct leat_shelf *f, size_t file, struct leat_snapshot **ret, struct leat_error *err)
{
	struct entry *e = &f->entry[file];
	struct leat_map map;
	enum leat_status st = leat_map_open_at(&map, f->disk.dir_fd, e->name, O_NOFOLLOW, err);
	if (st == LEAT_OK) {
		st = leat_snapshot_read(map.data, map.size, ret, err);
		leat_map_close(&map);
	}
	if (st != LEAT_OK) {
		if (st != LEAT_E_NOMEM)
			damaged(f, e);
		leat_err_prefix(err, e->name);
		return st;
	}
	e->used = ++f->clock;
	utimensat(f->disk.dir_fd, e->name, NULL, AT_SYMLINK_NOFOLLOW);
	f->counts.n_loaded++;
	return LEAT_OK;
}

int leat_shelf_has(const struct leat_shelf *f, const struct leat_snapshot *x)
{
	char name[NAME_BYTES];
	name_of(x, name);
	const struct entry *e = find_name(f, name);
	return e && e->head;
}

/* ---- keeping ---- */

static void forget(struct leat_shelf *f, size_t i)
{
	struct entry *e = &f->entry[i];
	f->counts.bytes -= e->bytes;
	f->counts.n_damaged -= e->head == NULL;
	leat_snapshot_unref(e->head);
	*e = f->entry[--f->n];
}

/* Removes files until `bytes` more fit: damaged ones first, then the longest unused. */
static void make_room(struct leat_shelf *f, uint64_t bytes)
{
	while (f->n && f->counts.bytes + f->pending_bytes + bytes > f->counts.budget_bytes) {
		size_t out = 0;
		for (size_t i = 1; i < f->n; i++) {
			const struct entry *a = &f->entry[i], *b = &f->entry[out];
			if (!a->head != !b->head ? !a->head : a->used < b->used)
				out = i;
		}
		unlinkat(f->disk.dir_fd, f->entry[out].name, 0);
		f->counts.n_removed++;
		forget(f, out);
	}
}

static enum leat_status to_file(void *user, const void *data, size_t n, struct leat_error *err)
{
	return leat_disk_write(user, data, n, err);
}

/* All but the sync and the name. */
static enum leat_status write_temp(struct leat_disk *d, const char *name, const struct leat_snapshot *x,
				   struct leat_disk_file *ret, struct leat_error *err)
{
	LEAT_TRY(leat_disk_begin(d, name, ret, err));
	struct leat_snapshot_sink sink = { .write = to_file, .user = ret };
	enum leat_status st = leat_snapshot_write(x, &sink, err);
	if (st != LEAT_OK)
		leat_disk_abort(ret);
	return st;
}

static enum leat_status write_named(struct leat_disk *d, const char *name, const struct leat_snapshot *x,
				    struct leat_error *err)
{
	struct leat_disk_file file;
	LEAT_TRY(write_temp(d, name, x, &file, err));
	return leat_disk_commit(&file, name, err);
}

/* The list keeps what finding needs: all but the state itself. */
static enum leat_status head_of(const struct leat_snapshot *x, struct leat_snapshot **ret, struct leat_error *err)
{
	struct leat_snapshot *h = malloc(sizeof *h);
	size_t bytes = (size_t)x->n_tokens * sizeof *x->tokens;
	int32_t *tokens = malloc(bytes ? bytes : 1);
	if (!h || !tokens) {
		free(h);
		free(tokens);
		return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
	}
	*h = *x;
	atomic_init(&h->refs, 1);
	if (bytes)
		memcpy(tokens, x->tokens, bytes);
	h->tokens = tokens;
	h->cell = h->rows = NULL;
	*ret = h;
	return LEAT_OK;
}

/* A file that is there now, in place of a damaged one of its name. */
static enum leat_status list(struct leat_shelf *f, struct entry *e, struct leat_error *err)
{
	struct entry *old = find_name(f, e->name);
	if (old)
		forget(f, (size_t)(old - f->entry));
	enum leat_status st = add(f, e, err);
	f->counts.n_written += st == LEAT_OK;
	return st;
}

enum leat_status leat_shelf_settle(struct leat_shelf *f, struct leat_error *err)
{
	int ok[MOST_PENDING], n = f->n_pending;
	if (!n)
		return LEAT_OK;
	enum leat_status st = leat_disk_commit_all(f->pending, n, ok, err);
	f->n_pending = 0;
	f->pending_bytes = 0;
	for (int i = 0; i < n; i++) {
		enum leat_status listed = ok[i] ? list(f, &f->pending_entry[i], st == LEAT_OK ? err : NULL) : st;
		if (!ok[i] || listed != LEAT_OK)
			leat_snapshot_unref(f->pending_entry[i].head);
		st = st == LEAT_OK ? listed : st;
	}
	return st;
}

enum leat_status leat_shelf_put_later(struct leat_shelf *f, const struct leat_snapshot *x, struct leat_error *err)
{
	struct entry e = { .bytes = leat_snapshot_file_bytes(x), .used = ++f->clock };
	name_of(x, e.name);
	struct entry *old = find_name(f, e.name);
	if (old && old->head) {
		old->used = e.used;
		utimensat(f->disk.dir_fd, e.name, NULL, AT_SYMLINK_NOFOLLOW);
		return LEAT_OK;
	}
	if (e.bytes > f->counts.budget_bytes)
		return leat_fail(err, LEAT_E_LIMIT, "state", LEAT_NO_OFFSET,
				 "a state of %llu bytes does not fit %s, which may hold %llu",
				 (unsigned long long)e.bytes, f->disk.path,
				 (unsigned long long)f->counts.budget_bytes);
	/* what waits cannot be removed yet: it is settled when there would be no room beside it */
	if (f->n_pending == MOST_PENDING || f->pending_bytes + e.bytes > f->counts.budget_bytes)
		LEAT_TRY(leat_shelf_settle(f, err));
	make_room(f, e.bytes);
	LEAT_TRY(head_of(x, &e.head, err));
	struct leat_disk_named *p = &f->pending[f->n_pending];
	enum leat_status st = write_temp(&f->disk, e.name, x, &p->file, err);
	if (st != LEAT_OK) {
		leat_snapshot_unref(e.head);
		return st;
	}
	memcpy(p->name, e.name, NAME_BYTES);
	f->pending_entry[f->n_pending++] = e;
	f->pending_bytes += e.bytes;
	return LEAT_OK;
}

enum leat_status leat_shelf_put(struct leat_shelf *f, const struct leat_snapshot *x, struct leat_error *err)
{
	LEAT_TRY(leat_shelf_put_later(f, x, err));
	return leat_shelf_settle(f, err);
}

/* ---- single files ---- */

enum leat_status leat_snapshot_save(const struct leat_snapshot *x, const char *path,
				    const struct leat_disk_calls *calls, struct leat_error *err)
{
	struct leat_disk d;
	const char *name;
	LEAT_TRY(leat_disk_open_parent(&d, path, &name, err));
	if (calls)
		d.calls = *calls;
	enum leat_status st = write_named(&d, name, x, err);
	leat_disk_close(&d);
	return st;
}

enum leat_status leat_snapshot_load(const char *path, struct leat_snapshot **ret, struct leat_error *err)
{
	struct leat_map map;
	LEAT_TRY(leat_map_open(&map, path, err));
	enum leat_status st = leat_snapshot_read(map.data, map.size, ret, err);
	if (st == LEAT_OK)
		st = leat_map_check(&map, err);
	leat_map_close(&map);
	if (st != LEAT_OK)
		leat_err_prefix(err, path);
	return st;
}
