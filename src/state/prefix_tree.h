/* prefix_tree.h - the tree of token blocks behind the prefix index; private to state/prefix*.c. */
#ifndef LEAT_STATE_PREFIX_TREE_H
#define LEAT_STATE_PREFIX_TREE_H

#include "state/prefix.h"

enum leat_segment { LEAT_SEG_NONE, LEAT_SEG_PROBATION, LEAT_SEG_PROTECTED, LEAT_SEG_COUNT };

struct leat_prefix_root;

struct leat_prefix_node {
	struct leat_hash128 hash;
	struct leat_prefix_node *chain;          /* same bucket */
	struct leat_prefix_node *parent, *child; /* child: the newest of them */
	struct leat_prefix_node *next, *prev;    /* siblings */
	struct leat_prefix_node *newer, *older;  /* of the same segment */
	struct leat_prefix_root *root;
	enum leat_segment segment;
	int64_t end;                             /* tokens up to the end of this block */
	int32_t page, cell;                      /* -1: none */
	int32_t n_tails;                         /* children that are shorter than a block */
	int32_t n;                               /* tokens of this block; 0: a key's root */
	int pinned;      /* being filled: it stays, though it may be empty and lose its children */
	int32_t token[];
};

struct leat_prefix_root {
	struct leat_prefix_key key;
	struct leat_prefix_root *next;
	struct leat_prefix_node *node;
};

struct leat_prefix_list {
	struct leat_prefix_node *newest, *oldest;
	uint64_t bytes, n;
};

struct leat_prefix {
	struct leat_store *store;
	uint64_t budget, protected_budget, seed;
	struct leat_hash128 (*hash)(uint64_t seed, const void *data, size_t n);
	int window, block;                       /* tokens of a whole block */
	int has_pages, has_cells;
	struct leat_prefix_root *roots;
	struct leat_prefix_node **bucket;
	size_t n_buckets, n_nodes;               /* a power of two */
	uint64_t node_bytes;                     /* the tree itself: counted against the budget */
	struct leat_prefix_list list[LEAT_SEG_COUNT];
	int32_t *pages;                          /* scratch: one row of a page table */
	unsigned char *text;                     /* scratch: hash of the parent, then tokens */
	struct leat_prefix_counts counts;
	struct leat_shelf *shelf;                /* NULL: none */
};

/* The tree. `root` functions return NULL when there is none; `make` functions NULL when out of memory. */
struct leat_prefix_root *leat_tree_root(struct leat_prefix *ix, const struct leat_prefix_key *key);
struct leat_prefix_root *leat_tree_make_root(struct leat_prefix *ix, const struct leat_prefix_key *key);
/* The child of `parent` for exactly these tokens. */
struct leat_prefix_node *leat_tree_find(struct leat_prefix *ix, struct leat_prefix_node *parent, const int32_t *tokens,
					int n);
struct leat_prefix_node *leat_tree_make(struct leat_prefix *ix, struct leat_prefix_node *parent, const int32_t *tokens,
					int n);
/* Removes nodes that hold nothing and lead nowhere, from this one upwards. NULL allowed. */
void leat_tree_prune(struct leat_prefix *ix, struct leat_prefix_node *node);

/* How many of tokens[n] the shelf's best file covers. */
int64_t leat_tree_on_shelf(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens, int64_t n);
/* Loads more than `held` tokens from the shelf if it has them: how many, 0 if not (the slot is empty then). */
int64_t leat_tree_from_shelf(struct leat_prefix *ix, const struct leat_prefix_key *key, const int32_t *tokens,
			     int64_t n, int64_t held, int slot, int cell);

/* Segments. */
uint64_t leat_prefix_bytes(const struct leat_prefix *ix);
/* A page or cell came to the node or left it: the lists and their bytes follow. */
void leat_lru_enter(struct leat_prefix *ix, struct leat_prefix_node *node);
void leat_lru_leave(struct leat_prefix *ix, struct leat_prefix_node *node);
void leat_lru_hit(struct leat_prefix *ix, struct leat_prefix_node *node);
/* Gives back what the node holds, and the node if nothing needs it. */
void leat_lru_evict(struct leat_prefix *ix, struct leat_prefix_node *node);
/* Evicts until at most `bytes` are kept; `keep` and what leads to it is spared. */
void leat_lru_shrink(struct leat_prefix *ix, uint64_t bytes, const struct leat_prefix_node *keep);
/* For leat_store.reclaim. */
void leat_lru_reclaim(void *ix, int n_pages, int n_cells);

#endif
