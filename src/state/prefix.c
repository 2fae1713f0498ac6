/* prefix.c - the prefix index: finding and loading, keeping. */
#include "state/prefix_tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { FIRST_BUCKETS = 1024, LOOK_AT_SIBLINGS = 64 };

static uint64_t random_seed(void)
{
	uint64_t s;
	if (getrandom(&s, sizeof s, GRND_NONBLOCK) != (ssize_t)sizeof s)
		s = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)&s;
	return s;
}

static enum leat_status set_up(struct leat_prefix *ix, const struct leat_prefix_params *p, struct leat_error *err)
{
	const struct leat_state_view *v = &p->store->view;
	size_t cols = (size_t)v->page_table_cols;
	ix->store = p->store;
	ix->budget = p->budget_bytes;
	ix->protected_budget = p->budget_bytes / 5 * 4;
	ix->seed = p->seed ? p->seed : random_seed();
	ix->hash = p->hash ? p->hash : leat_hash128;
	ix->window = p->window;
	ix->has_pages = v->page_bytes != 0;
	ix->has_cells = v->cell_floats != 0;
	ix->block = ix->has_pages ? v->page_tokens : LEAT_PREFIX_GRID;
	ix->n_buckets = FIRST_BUCKETS;
	ix->bucket = calloc(ix->n_buckets, sizeof(*ix->bucket));
	ix->pages = malloc((cols ? cols : 1) * sizeof *ix->pages);
	ix->text = malloc(sizeof(struct leat_hash128) + (size_t)ix->block * sizeof(int32_t));
	return ix->bucket && ix->pages && ix->text
		       ? LEAT_OK
		       : leat_fail(err, LEAT_E_NOMEM, "prefix", LEAT_NO_OFFSET, "out of memory");
}

enum leat_status leat_prefix_create(const struct leat_prefix_params *p, struct leat_prefix **ret,
				    struct leat_error *err)
{
	struct leat_prefix *ix = calloc(1, sizeof *ix);
	if (!ix)
		return leat_fail(err, LEAT_E_NOMEM, "prefix", LEAT_NO_OFFSET, "out of memory");
	enum leat_status st = set_up(ix, p, err);
	if (st != LEAT_OK) {
		leat_prefix_destroy(ix);
		return st;
	}
	ix->store->reclaim = leat_lru_reclaim;
	ix->store->reclaim_user = ix;
	*ret = ix;
	return LEAT_OK;
}

void leat_prefix_clear(struct leat_prefix *ix)
{
	for (int s = LEAT_SEG_PROBATION; s < LEAT_SEG_COUNT; s++)
		while (ix->list[s].oldest)
			leat_lru_evict(ix, ix->list[s].oldest);
}

void leat_prefix_destroy(struct leat_prefix *ix)
{
	if (!ix)
		return;
	leat_prefix_clear(ix);
	if (ix->store && ix->store->reclaim_user == ix)
		ix->store->reclaim = NULL;
	free(ix->bucket);
	free(ix->pages);
	free(ix->text);
	free(ix);
}

void leat_prefix_shrink(struct leat_prefix *ix, uint64_t bytes)
{
	leat_lru_shrink(ix, bytes, NULL);
}

void leat_prefix_get_counts(const struct leat_prefix *ix, struct leat_prefix_counts *ret)
{
	*ret = ix->counts;
	ret->n_entries = ix->list[LEAT_SEG_PROBATION].n + ix->list[LEAT_SEG_PROTECTED].n;
	ret->n_protected = ix->list[LEAT_SEG_PROTECTED].n;
	ret->bytes = leat_prefix_bytes(ix);
	ret->budget_bytes = ix->budget;
}

/* ---- finding ---- */

/* A place that can be loaded: `rows` tokens of this node's block, the whole blocks before it. */
struct hit {
	struct leat_prefix_node *node; /* NULL: nothing */
	int rows;
};

static int64_t length(const struct hit *h)
{
	return h->node ? h->node->end - h->node->n + h->rows : 0;
}

/* The deepest node whose whole blocks are the beginning of tokens[n]; the root's at least. */
static struct leat_prefix_node *descend(struct leat_prefix *ix, struct leat_prefix_root *root, const int32_t *tokens,
					int64_t n)
{
	struct leat_prefix_node *x = root->node, *next;
	while (n - x->end >= ix->block && (next = leat_tree_find(ix, x, tokens + x->end, ix->block)))
		x = next;
	return x;
}

/* 1 if every page is kept that a query behind row `end` of this node's path can see. */
static int pages_there(const struct leat_prefix *ix, const struct leat_prefix_node *x, int64_t end)
{
	int64_t first = ix->window && end >= ix->window ? end - ix->window + 1 : 0;
	for (; ix->has_pages && x->parent && x->end > first; x = x->parent)
		if (x->page < 0)
			return 0;
	return 1;
}

/* Recurrent: the longest snapshot on the path, between the whole blocks too. */
static struct hit find_cell(struct leat_prefix *ix, struct leat_prefix_node *x, const int32_t *tokens, int64_t n)
{
	for (; x; x = x->parent) {
		int64_t left = n - x->end;
		for (int len = left < ix->block ? (int)left : ix->block - 1; x->n_tails && len > 0; len--) {
			struct leat_prefix_node *t = leat_tree_find(ix, x, tokens + x->end, len);
			if (t && t->cell >= 0 && pages_there(ix, t, t->end))
				return (struct hit){ t, t->n };
		}
		if (x->cell >= 0 && pages_there(ix, x, x->end))
			return (struct hit){ x, x->n };
	}
	return (struct hit){ 0 };
}

/* Attention: the longest kept run of pages, and what fits of one more. */
static struct hit find_pages(struct leat_prefix *ix, struct leat_prefix_node *x, const int32_t *tokens, int64_t n)
{
	struct hit h;
	int most = 0, left = LOOK_AT_SIBLINGS;
	while (x->parent && !pages_there(ix, x, x->end))
		x = x->parent;
	h = (struct hit){ x->parent ? x : NULL, x->n };
	for (struct leat_prefix_node *c = x->child; c && left > 0; c = c->next, left--) {
		int same = 0;
		while (c->page >= 0 && same < c->n && x->end + same < n && c->token[same] == tokens[x->end + same])
			same++;
		if (same > most) {
			most = same;
			h = (struct hit){ c, same };
		}
	}
	return h;
}

static struct hit find(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n)
{
	struct leat_prefix_root *root = n > 0 ? leat_tree_root(ix, key) : NULL;
	struct leat_prefix_node *x;
	if (!root)
		return (struct hit){ 0 };
	x = descend(ix, root, tokens, n);
	return ix->has_cells ? find_cell(ix, x, tokens, n) : find_pages(ix, x, tokens, n);
}

int64_t leat_prefix_peek(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n)
{
	struct hit h = find(ix, key, tokens, n);
	int64_t got = length(&h), filed = ix->shelf && n > got ? leat_tree_on_shelf(ix, key, tokens, n) : 0;
	return filed >= (got ? got + LEAT_PREFIX_GRID : 1) ? filed : got;
}

/* The path's pages, whole blocks, as a page table; those that no window sees any more stay out. Returns how many. */
static int list_pages(struct leat_prefix *ix, const struct leat_prefix_node *x, int64_t end)
{
	int64_t first = ix->window && end >= ix->window ? end - ix->window + 1 : 0;
	int n = x->n == ix->block ? (int)(x->end / ix->block) : (int)(x->end / ix->block) + (x->n > 0);
	int i = n, open = 1;
	for (; x->parent; x = x->parent) {
		open = open && x->end > first && x->page >= 0;
		ix->pages[--i] = open ? x->page : LEAT_NO_PAGE;
	}
	return n;
}

/* Shares the whole blocks' pages, copies the last one if it is used in part. 1: no page is left for that. */
static int load_pages(struct leat_prefix *ix, const struct hit *h, int slot)
{
	int n = list_pages(ix, h->node, length(h));
	leat_slot_truncate(ix->store, slot, 0);
	leat_slot_share(ix->store, slot, ix->pages, n);
	/* slot_prepare gives the slot its own copy of a last page that it shares and will write into */
	if (h->rows == ix->block || !leat_slot_prepare(ix->store, slot, length(h), length(h) + 1))
		return 0;
	leat_slot_truncate(ix->store, slot, 0);
	return 1;
}

int64_t leat_prefix_load(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n,
			 int slot, int cell)
{
	struct hit h = find(ix, key, tokens, n);
	int64_t got = length(&h);
	ix->counts.lookups++;
	ix->counts.tokens_asked += n > 0 ? (uint64_t)n : 0;
	if (ix->has_cells && cell < 0)
		return 0;
	/* a file costs more than a few tokens: it has to bring a step of the grid at least, or all there is */
	int64_t least = got ? got + LEAT_PREFIX_GRID - 1 : 0;
	int64_t more = ix->shelf && n > least ? leat_tree_from_shelf(ix, key, tokens, n, least, slot, cell) : 0;
	if (more)
		return more;
	if (ix->shelf) { /* making room for what the shelf had may have cost what was found here */
		h = find(ix, key, tokens, n);
		got = length(&h);
	}
	if (!h.node)
		return 0;
	/* the beginning is the hottest: what stands on it is useless without it */
	for (struct leat_prefix_node *x = h.node; x; x = ix->has_pages ? x->parent : NULL)
		leat_lru_hit(ix, x);
	if (ix->has_cells)
		leat_cell_copy(ix->store, cell, h.node->cell);
	if (ix->has_pages && load_pages(ix, &h, slot))
		return 0;
	ix->counts.hits++;
	ix->counts.tokens_saved += (uint64_t)got;
	return got;
}

/* ---- keeping ---- */

/* Makes room for `bytes` more without touching what leads to `keep`. 1 if the budget does not allow it. */
static int no_room(struct leat_prefix *ix, uint64_t bytes, const struct leat_prefix_node *keep)
{
	if (bytes > ix->budget)
		return 1;
	leat_lru_shrink(ix, ix->budget - bytes, keep);
	return leat_prefix_bytes(ix) > ix->budget - bytes;
}

/* The node for the first `n` tokens; blocks that are missing on the way are made, empty. NULL: no memory. */
static struct leat_prefix_node *make_path(struct leat_prefix *ix, const struct leat_prefix_key *key,
					  const int32_t *tokens, int64_t n)
{
	struct leat_prefix_root *root = leat_tree_make_root(ix, key);
	struct leat_prefix_node *x = root ? root->node : NULL;
	while (x && x->end < n) {
		int64_t left = n - x->end;
		int len = left < ix->block ? (int)left : ix->block;
		struct leat_prefix_node *next = leat_tree_find(ix, x, tokens + x->end, len);
		if (!next)
			next = leat_tree_make(ix, x, tokens + x->end, len);
		if (!next)
			leat_tree_prune(ix, x);
		x = next;
	}
	return x;
}

static void hold(struct leat_prefix *ix, struct leat_prefix_node *x, int page, int cell)
{
	enum leat_segment was = x->segment;
	leat_lru_leave(ix, x);
	if (page >= 0)
		x->page = page;
	if (cell >= 0)
		x->cell = cell;
	leat_lru_enter(ix, x);
	if (was == LEAT_SEG_PROTECTED)
		leat_lru_hit(ix, x);
	ix->counts.n_put++;
}

/* Whole blocks first, so that what does not fit is the end; then newest at the front, as a hit would leave them. */
static void put_pages(struct leat_prefix *ix, struct leat_prefix_node *last, int slot)
{
	const struct leat_store *s = ix->store;
	const int32_t *row = s->table + (size_t)slot * (size_t)s->view.page_table_cols;
	int n = list_pages(ix, last, last->end), first = s->slot_first[slot], fits = 1;
	for (int i = first; i < n && fits; i++) {
		struct leat_prefix_node *x = last;
		while (x->end - x->n > (int64_t)i * ix->block)
			x = x->parent;
		if (x->page >= 0)
			continue;
		fits = i < s->slot_pages[slot] && !no_room(ix, s->view.page_bytes, last);
		if (fits) {
			leat_page_ref(ix->store, row[i]);
			hold(ix, x, row[i], -1);
		}
	}
	for (struct leat_prefix_node *x = last; x; x = x->parent)
		if (x->segment == LEAT_SEG_PROBATION) {
			leat_lru_leave(ix, x);
			leat_lru_enter(ix, x);
		}
}

/* A cell of the store for the index: a free one while the budget lasts, else an evicted one. */
static int take_cell(struct leat_prefix *ix, const struct leat_prefix_node *keep)
{
	return no_room(ix, ix->store->cell_bytes, keep) ? -1 : leat_cell_take(ix->store);
}

void leat_prefix_put(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n,
		     int slot, int cell)
{
	struct leat_prefix_node *x;
	if (n <= 0 || !ix->budget || !(x = make_path(ix, key, tokens, n)))
		return;
	x->pinned = 1;
	if (ix->has_pages)
		put_pages(ix, x, slot);
	if (ix->has_cells && cell >= 0 && x->cell < 0) {
		int own = take_cell(ix, x);
		if (own >= 0) {
			leat_cell_copy(ix->store, own, cell);
			hold(ix, x, -1, own);
		}
	}
	x->pinned = 0;
	leat_tree_prune(ix, x);
}

/* 1 if the state after exactly n tokens is kept. */
static int has_cell(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n)
{
	struct leat_prefix_root *root = leat_tree_root(ix, key);
	struct leat_prefix_node *x = root ? descend(ix, root, tokens, n) : NULL;
	int64_t left = x ? n - x->end : 0;
	if (x && left > 0)
		x = left < ix->block ? leat_tree_find(ix, x, tokens + x->end, (int)left) : NULL;
	return x && x->cell >= 0;
}

static int asked_for(const int64_t *asked, int n_asked, int64_t n)
{
	for (int i = 0; i < n_asked; i++)
		if (asked[i] == n)
			return 1;
	return 0;
}

int leat_prefix_plan(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n_past,
		     int n, const int64_t *asked, int n_asked, struct leat_checkpoint *ret, int cap)
{
	int made = 0;
	if (!ix->has_cells || !ix->budget)
		return 0;
	for (int row = 0; row < n && made < cap; row++) {
		int64_t end = n_past + row + 1;
		if (end % LEAT_PREFIX_GRID && !asked_for(asked, n_asked, end))
			continue;
		if (has_cell(ix, key, tokens, end))
			continue;
		if ((uint64_t)(made + 1) * ix->store->cell_bytes > ix->budget)
			break;
		int cell = take_cell(ix, NULL);
		if (cell < 0)
			break;
		ret[made++] = (struct leat_checkpoint){ row, cell };
	}
	return made;
}

void leat_prefix_commit(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens,
			int64_t n_past, const struct leat_checkpoint *made, int n_made)
{
	for (int i = 0; i < n_made; i++) {
		struct leat_prefix_node *x = make_path(ix, key, tokens, n_past + made[i].row + 1);
		if (x)
			x->pinned = 1;
		int keep = x && x->cell < 0 && !no_room(ix, ix->store->cell_bytes, x);
		if (keep)
			hold(ix, x, -1, made[i].cell);
		else
			leat_cell_give(ix->store, made[i].cell);
		if (x)
			x->pinned = 0;
		leat_tree_prune(ix, x);
	}
}

void leat_prefix_abort(struct leat_prefix *ix, const struct leat_checkpoint *made, int n_made)
{
	for (int i = 0; i < n_made; i++)
		leat_cell_give(ix->store, made[i].cell);
}

/* ---- looking through ---- */

static size_t write_tokens(const struct leat_prefix_node *x, int32_t *to)
{
	size_t n = (size_t)x->end;
	for (; x->parent; x = x->parent)
		for (int i = 0; i < x->n; i++)
			to[x->end - x->n + i] = x->token[i];
	return n;
}

enum leat_status leat_prefix_each(struct leat_prefix *ix, leat_prefix_visit_fn *visit, void *user,
				  struct leat_error *err)
{
	int32_t *tokens = NULL;
	size_t cap = 0;
	int stop = 0;
	for (int s = LEAT_SEG_COUNT - 1; s > LEAT_SEG_NONE && !stop; s--)
		for (const struct leat_prefix_node *x = ix->list[s].newest; x && !stop; x = x->older) {
			if (!(x->cell >= 0 || (!ix->has_cells && !x->child && pages_there(ix, x, x->end))))
				continue;
			if ((size_t)x->end > cap) {
				int32_t *more = realloc(tokens, (size_t)x->end * 2 * sizeof *tokens);
				if (!more) {
					free(tokens);
					return leat_fail(err, LEAT_E_NOMEM, "prefix", LEAT_NO_OFFSET, "out of memory");
				}
				tokens = more;
				cap = (size_t)x->end * 2;
			}
			int n_pages = ix->has_pages ? list_pages(ix, x, x->end) : 0;
			struct leat_prefix_entry e = { &x->root->key, tokens, (int64_t)write_tokens(x, tokens),
						       ix->pages, n_pages, x->cell };
			stop = visit(user, &e);
		}
	free(tokens);
	return LEAT_OK;
}
