/* prefix_disk.c - the prefix index and its shelf. */
#include "state/prefix_tree.h"
#include "state/shelf.h"

void leat_prefix_set_shelf(struct leat_prefix *ix, struct leat_shelf *shelf)
{
	ix->shelf = shelf;
}

/* Checked whole, then put where it is wanted; 1 if it does not fit. */
static int put_in_place(struct leat_prefix *ix, const struct leat_prefix_key *key, const struct leat_snapshot *x,
			int slot, int cell)
{
	return leat_snapshot_check(x, ix->store, key, INT32_MAX, ix->window, NULL) != LEAT_OK ||
	       leat_snapshot_restore(x, ix->store, slot, cell, NULL) != LEAT_OK;
}

int64_t leat_tree_on_shelf(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n)
{
	struct leat_prefix_key full = *key;
	size_t file;
	full.kv_type = ix->store->view.kv_type;
	return leat_shelf_find(ix->shelf, &full, tokens, n, ix->window, &file);
}

int64_t leat_tree_from_shelf(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens,
			     int64_t n, int64_t held, int slot, int cell)
{
	struct leat_snapshot *x;
	struct leat_prefix_key full = *key;
	int64_t got;
	size_t file;
	full.kv_type = ix->store->view.kv_type;
	while ((got = leat_shelf_find(ix->shelf, &full, tokens, n, ix->window, &file)) > held) {
		enum leat_status st = leat_shelf_load(ix->shelf, file, &x, NULL);
		if (st == LEAT_E_NOMEM)
			return 0;
		if (st != LEAT_OK)
			continue; /* damaged, and not listed any more */
		int failed = put_in_place(ix, &full, x, slot, cell);
		leat_snapshot_unref(x);
		if (failed)
			return 0;
		leat_slot_truncate(ix->store, slot, got);
		leat_prefix_put(ix, key, tokens, got, slot, cell);
		ix->counts.hits++;
		ix->counts.disk_hits++;
		ix->counts.tokens_saved += (uint64_t)got;
		return got;
	}
	return 0;
}

struct flush {
	struct leat_prefix *ix;
	uint64_t bytes, limit;
	enum leat_status st;
	struct leat_error *err;
};

static int flush_one(void *user, const struct leat_prefix_entry *e)
{
	struct flush *f = user;
	struct leat_snapshot_place at = { .tokens = e->tokens, .n_tokens = e->n_tokens, .n_fed = e->n_tokens,
					  .pages = e->pages, .cell = e->cell };
	struct leat_store *s = f->ix->store;
	struct leat_shelf_counts n;
	struct leat_snapshot head, *x;
	f->st = leat_snapshot_describe(s, e->key, &at, &head, f->err);
	if (f->st != LEAT_OK || leat_shelf_has(f->ix->shelf, &head))
		return f->st != LEAT_OK;
	uint64_t bytes = leat_snapshot_file_bytes(&head);
	leat_shelf_get_counts(f->ix->shelf, &n);
	if (f->bytes + bytes > f->limit || f->bytes + bytes > n.budget_bytes)
		return 1; /* what comes now is colder than what was written */
	f->st = leat_snapshot_take(s, e->key, &at, &x, f->err);
	if (f->st == LEAT_OK) {
		f->st = leat_shelf_put_later(f->ix->shelf, x, f->err);
		leat_snapshot_unref(x);
	}
	f->bytes += bytes;
	return f->st != LEAT_OK;
}

enum leat_status leat_prefix_flush(struct leat_prefix *ix, uint64_t bytes, struct leat_error *err)
{
	struct flush f = { .ix = ix, .limit = bytes ? bytes : UINT64_MAX, .st = LEAT_OK, .err = err };
	if (!ix->shelf)
		return LEAT_OK;
	enum leat_status st = leat_prefix_each(ix, flush_one, &f, err);
	st = st == LEAT_OK ? f.st : st;
	/* what was written so far is there in any case */
	enum leat_status settled = leat_shelf_settle(ix->shelf, st == LEAT_OK ? err : NULL);
	return st == LEAT_OK ? settled : st;
}
