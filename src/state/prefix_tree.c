/* prefix_tree.c - nodes of token blocks: found by hash, proved by parent and tokens. */
#include "state/prefix_tree.h"

#include <stdlib.h>
#include <string.h>

static struct leat_hash128 hash_of(const struct leat_prefix *ix, const struct leat_prefix_node *parent,
				   const int32_t *tokens, int n)
{
	size_t bytes = (size_t)n * sizeof *tokens;
	memcpy(ix->text, &parent->hash, sizeof parent->hash);
	memcpy(ix->text + sizeof parent->hash, tokens, bytes);
	return ix->hash(ix->seed, ix->text, sizeof parent->hash + bytes);
}

static struct leat_prefix_node **bucket_of(const struct leat_prefix *ix, const struct leat_hash128 *h)
{
	return &ix->bucket[h->low & (ix->n_buckets - 1)];
}

static int same_hash(const struct leat_hash128 *a, const struct leat_hash128 *b)
{
	return a->low == b->low && a->high == b->high;
}

struct leat_prefix_node *leat_tree_find(struct leat_prefix *ix, struct leat_prefix_node *parent, const int32_t *tokens,
					int n)
{
	struct leat_hash128 h = hash_of(ix, parent, tokens, n);
	for (struct leat_prefix_node *x = *bucket_of(ix, &h); x; x = x->chain) {
		if (!same_hash(&x->hash, &h))
			continue;
		if (x->parent == parent && x->n == n && !memcmp(x->token, tokens, (size_t)n * sizeof *tokens))
			return x;
		ix->counts.n_collisions++;
	}
	return NULL;
}

static void unchain(struct leat_prefix *ix, struct leat_prefix_node *node)
{
	struct leat_prefix_node **p = bucket_of(ix, &node->hash);
	while (*p != node)
		p = &(*p)->chain;
	*p = node->chain;
}

static void grow(struct leat_prefix *ix)
{
	size_t n = ix->n_buckets * 2, old = ix->n_buckets;
	struct leat_prefix_node **to = calloc(n, sizeof(*to)), **from = ix->bucket;
	if (!to)
		return; /* longer chains, nothing worse */
	ix->bucket = to;
	ix->n_buckets = n;
	for (size_t i = 0; i < old; i++)
		for (struct leat_prefix_node *x = from[i], *next; x; x = next) {
			struct leat_prefix_node **at = bucket_of(ix, &x->hash);
			next = x->chain;
			x->chain = *at;
			*at = x;
		}
	ix->node_bytes += (n - old) * sizeof *to;
	free(from);
}

static size_t node_bytes(int n)
{
	return sizeof(struct leat_prefix_node) + (size_t)n * sizeof(int32_t);
}

static struct leat_prefix_node *new_node(struct leat_prefix *ix, const int32_t *tokens, int n)
{
	struct leat_prefix_node *x = calloc(1, node_bytes(n));
	if (!x)
		return NULL;
	x->page = x->cell = -1;
	x->n = n;
	if (n)
		memcpy(x->token, tokens, (size_t)n * sizeof *tokens);
	ix->node_bytes += node_bytes(n);
	return x;
}

static void free_node(struct leat_prefix *ix, struct leat_prefix_node *x)
{
	ix->node_bytes -= node_bytes(x->n);
	free(x);
}

struct leat_prefix_node *leat_tree_make(struct leat_prefix *ix, struct leat_prefix_node *parent, const int32_t *tokens,
					int n)
{
	struct leat_prefix_node *x = new_node(ix, tokens, n), **at;
	if (!x)
		return NULL;
	if (ix->n_nodes >= ix->n_buckets)
		grow(ix);
	x->hash = hash_of(ix, parent, tokens, n);
	x->parent = parent;
	x->root = parent->root;
	x->end = parent->end + n;
	x->next = parent->child;
	if (x->next)
		x->next->prev = x;
	parent->child = x;
	parent->n_tails += n < ix->block;
	at = bucket_of(ix, &x->hash);
	x->chain = *at;
	*at = x;
	ix->n_nodes++;
	return x;
}

static void remove_root(struct leat_prefix *ix, struct leat_prefix_root *r)
{
	struct leat_prefix_root **p = &ix->roots;
	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	free_node(ix, r->node);
	ix->node_bytes -= sizeof *r;
	free(r);
}

void leat_tree_prune(struct leat_prefix *ix, struct leat_prefix_node *node)
{
	while (node && !node->child && node->page < 0 && node->cell < 0 && !node->pinned) {
		struct leat_prefix_node *parent = node->parent;
		if (!parent) {
			remove_root(ix, node->root);
			return;
		}
		if (node->prev)
			node->prev->next = node->next;
		else
			parent->child = node->next;
		if (node->next)
			node->next->prev = node->prev;
		parent->n_tails -= node->n < ix->block;
		unchain(ix, node);
		ix->n_nodes--;
		free_node(ix, node);
		node = parent;
	}
}

struct leat_prefix_root *leat_tree_root(struct leat_prefix *ix, const struct leat_prefix_key *key)
{
	struct leat_prefix_root *r = ix->roots;
	while (r && memcmp(&r->key, key, sizeof *key))
		r = r->next;
	return r;
}

struct leat_prefix_root *leat_tree_make_root(struct leat_prefix *ix, const struct leat_prefix_key *key)
{
	struct leat_prefix_root *r = leat_tree_root(ix, key);
	if (r)
		return r;
	r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->node = new_node(ix, NULL, 0);
	if (!r->node) {
		free(r);
		return NULL;
	}
	r->key = *key;
	r->node->root = r;
	r->node->hash = ix->hash(ix->seed, key, sizeof *key);
	r->next = ix->roots;
	ix->roots = r;
	ix->node_bytes += sizeof *r;
	return r;
}
