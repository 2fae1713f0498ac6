/* prefix_lru.c - what is kept and what goes: two segments, each in order of use.
 *
 * Source of the idea: segmented LRU (Karedla, Love, Wherry: Caching strategies to improve disk system performance,
 * 1994). An entry enters on probation; the first hit moves it to the protected segment, whose overflow goes back on
 * probation as its newest. Eviction takes the oldest on probation first. */
#include "state/prefix_tree.h"

enum { LOOK_FOR_LEAF = 64 };

static uint64_t held_bytes(const struct leat_prefix *ix, const struct leat_prefix_node *x)
{
	return (x->page >= 0 ? ix->store->view.page_bytes : 0) + (x->cell >= 0 ? ix->store->cell_bytes : 0);
}

uint64_t leat_prefix_bytes(const struct leat_prefix *ix)
{
	return ix->list[LEAT_SEG_PROBATION].bytes + ix->list[LEAT_SEG_PROTECTED].bytes + ix->node_bytes;
}

void leat_lru_leave(struct leat_prefix *ix, struct leat_prefix_node *x)
{
	struct leat_prefix_list *l = &ix->list[x->segment];
	if (!x->segment)
		return;
	if (x->newer)
		x->newer->older = x->older;
	else
		l->newest = x->older;
	if (x->older)
		x->older->newer = x->newer;
	else
		l->oldest = x->newer;
	l->bytes -= held_bytes(ix, x);
	l->n--;
	x->newer = x->older = NULL;
	x->segment = LEAT_SEG_NONE;
}

static void enter(struct leat_prefix *ix, struct leat_prefix_node *x, enum leat_segment segment)
{
	struct leat_prefix_list *l = &ix->list[segment];
	x->segment = segment;
	x->older = l->newest;
	if (x->older)
		x->older->newer = x;
	else
		l->oldest = x;
	l->newest = x;
	l->bytes += held_bytes(ix, x);
	l->n++;
}

void leat_lru_enter(struct leat_prefix *ix, struct leat_prefix_node *x)
{
	enter(ix, x, LEAT_SEG_PROBATION);
}

void leat_lru_hit(struct leat_prefix *ix, struct leat_prefix_node *x)
{
	struct leat_prefix_list *l = &ix->list[LEAT_SEG_PROTECTED];
	if (!x->segment)
		return;
	leat_lru_leave(ix, x);
	enter(ix, x, LEAT_SEG_PROTECTED);
	while (l->bytes > ix->protected_budget && l->oldest != x) {
		struct leat_prefix_node *out = l->oldest;
		leat_lru_leave(ix, out);
		enter(ix, out, LEAT_SEG_PROBATION);
	}
}

void leat_lru_evict(struct leat_prefix *ix, struct leat_prefix_node *x)
{
	leat_lru_leave(ix, x);
	ix->counts.n_evicted += (uint64_t)(x->page >= 0) + (uint64_t)(x->cell >= 0);
	leat_page_unref(ix->store, x->page);
	leat_cell_give(ix->store, x->cell);
	x->page = x->cell = -1;
	leat_tree_prune(ix, x);
}

static int leads_to(const struct leat_prefix_node *x, const struct leat_prefix_node *keep)
{
	while (keep && keep->end > x->end)
		keep = keep->parent;
	return keep == x;
}

/* The coldest entry that may go; one that others stand on only if none else is near. */
static struct leat_prefix_node *coldest(const struct leat_prefix *ix, const struct leat_prefix_node *keep)
{
	struct leat_prefix_node *second = NULL;
	int left = LOOK_FOR_LEAF;
	for (int s = LEAT_SEG_PROBATION; s < LEAT_SEG_COUNT; s++)
		for (struct leat_prefix_node *x = ix->list[s].oldest; x && (left-- > 0 || !second); x = x->newer) {
			if (keep && leads_to(x, keep))
				continue;
			if (!x->child || x->page < 0)
				return x;
			if (!second)
				second = x;
		}
	return second;
}

void leat_lru_shrink(struct leat_prefix *ix, uint64_t bytes, const struct leat_prefix_node *keep)
{
	while (leat_prefix_bytes(ix) > bytes) {
		struct leat_prefix_node *x = coldest(ix, keep);
		if (!x)
			return;
		leat_lru_evict(ix, x);
	}
}

/* 1 if evicting this would bring what is wanted: a page that a slot shares stays where it is. */
static int brings(const struct leat_prefix *ix, const struct leat_prefix_node *x, int pages, int cells)
{
	return (pages && x->page >= 0 && ix->store->page_refs[x->page] == 1) || (cells && x->cell >= 0);
}

void leat_lru_reclaim(void *user, int n_pages, int n_cells)
{
	struct leat_prefix *ix = user;
	const struct leat_store *s = ix->store;
	int pages = s->n_free_page + n_pages, cells = s->n_free_cell + n_cells;
	for (int leaves = 1; leaves >= 0; leaves--)
		for (int seg = LEAT_SEG_PROBATION; seg < LEAT_SEG_COUNT; seg++)
			for (struct leat_prefix_node *x = ix->list[seg].oldest, *next; x; x = next) {
				int want_pages = s->n_free_page < pages, want_cells = s->n_free_cell < cells;
				if (!want_pages && !want_cells)
					return;
				next = x->newer;
				if ((!leaves || !x->child) && brings(ix, x, want_pages, want_cells))
					leat_lru_evict(ix, x);
			}
}
