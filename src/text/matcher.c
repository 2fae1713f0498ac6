#include "text/matcher.h"

#include <stdlib.h>
#include <string.h>

/* A pattern, reversed. */
struct entry {
	const unsigned char *s;
	uint32_t n;
	int32_t id;
	int always;
};

/* The entries whose strings start with the string of one node, and are thus neighbours once sorted. */
struct range {
	uint32_t lo, hi, depth;
};

static int compare_entries(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	int c = memcmp(a->s, b->s, a->n < b->n ? a->n : b->n);
	if (c)
		return c;
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* Sorted, reversed copies; `bytes` must hold all of them. */
static void fill_entries(struct entry *e, unsigned char *bytes, const struct leat_pattern *pattern, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t len = pattern[i].n;
		for (uint32_t k = 0; k < len; k++)
			bytes[k] = pattern[i].s[len - 1 - k];
		e[i] = (struct entry){bytes, len, pattern[i].id, pattern[i].always};
		bytes += len;
	}
	qsort(e, n, sizeof(*e), compare_entries);
}

/* Nodes of the trie: one for the root and one for each prefix that differs from the entry before. */
static size_t count_nodes(const struct entry *e, size_t n)
{
	size_t nodes = 1;
	for (size_t i = 0; i < n; i++) {
		uint32_t same = 0;
		while (i && same < e[i].n && same < e[i - 1].n && e[i].s[same] == e[i - 1].s[same])
			same++;
		nodes += e[i].n - same;
	}
	return nodes;
}

/* The entries that end at this node come first in its range: the node reports the first of each sort. */
static void take_outputs(struct leat_matcher_node *node, struct range *r, const struct entry *e)
{
	node->out[0] = node->out[1] = -1;
	for (; r->lo < r->hi && e[r->lo].n == r->depth; r->lo++) {
		if (node->out[1] < 0)
			node->out[1] = e[r->lo].id;
		if (e[r->lo].always && node->out[0] < 0)
			node->out[0] = e[r->lo].id;
	}
}

/* Lays the trie out in breadth-first order, so that children are neighbours and parents come before them. */
static void lay_out(struct leat_matcher *m, struct range *range, const struct entry *e, size_t n)
{
	uint32_t made = 1;
	range[0] = (struct range){0, (uint32_t)n, 0};
	for (uint32_t i = 0; i < made; i++) {
		struct range r = range[i];
		struct leat_matcher_node *node = &m->node[i];
		take_outputs(node, &r, e);
		node->first = made;
		while (r.lo < r.hi) {
			uint32_t end = r.lo + 1;
			uint8_t byte = e[r.lo].s[r.depth];
			while (end < r.hi && e[end].s[r.depth] == byte)
				end++;
			m->node[made].byte = byte;
			range[made++] = (struct range){r.lo, end, r.depth + 1};
			node->n++;
			r.lo = end;
		}
	}
}

/* Failure links need those of shallower nodes only, which the order of the nodes provides. */
static void link_failures(struct leat_matcher *m)
{
	for (uint32_t c = m->node[0].first; c < m->node[0].first + m->node[0].n; c++)
		m->root[m->node[c].byte] = c;
	for (uint32_t i = 0; i < m->n_nodes; i++) {
		const struct leat_matcher_node *parent = &m->node[i];
		for (uint32_t c = parent->first; c < parent->first + parent->n; c++) {
			struct leat_matcher_node *child = &m->node[c];
			child->fail = i ? leat_matcher_step(m, parent->fail, child->byte) : 0;
			for (int mode = 0; mode < 2; mode++)
				if (child->out[mode] < 0)
					child->out[mode] = m->node[child->fail].out[mode];
		}
	}
}

static enum leat_status no_memory(size_t n, struct leat_error *err)
{
	return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for an index of %zu tokens", n);
}

static enum leat_status build(struct leat_matcher *m, struct leat_arena *arena, struct entry *e, size_t n,
			      struct leat_error *err)
{
	size_t nodes = count_nodes(e, n);
	struct range *range = calloc(nodes, sizeof(*range));
	m->node = leat_arena_take_array(arena, nodes, sizeof(*m->node));
	m->root = leat_arena_take_array(arena, 256, sizeof(*m->root));
	if (!range || !m->node || !m->root) {
		free(range);
		m->node = NULL;
		return no_memory(n, err);
	}
	m->n_nodes = nodes;
	lay_out(m, range, e, n);
	link_failures(m);
	free(range);
	return LEAT_OK;
}

enum leat_status leat_matcher_build(struct leat_matcher *m, struct leat_arena *arena,
				    const struct leat_pattern *pattern, size_t n, struct leat_error *err)
{
	uint64_t total = 0;
	*m = (struct leat_matcher){0};
	for (size_t i = 0; i < n; i++)
		total += pattern[i].n;
	if (total > LEAT_MAX_MATCH_BYTES)
		return leat_fail(err, LEAT_E_LIMIT, NULL, LEAT_NO_OFFSET,
				 "the tokens to be matched have %llu bytes in all; at most %d are allowed",
				 (unsigned long long)total, LEAT_MAX_MATCH_BYTES);
	if (n == 0)
		return LEAT_OK;
	struct entry *e = calloc(n, sizeof(*e));
	unsigned char *bytes = malloc((size_t)total);
	enum leat_status st = LEAT_E_NOMEM;
	if (e && bytes) {
		fill_entries(e, bytes, pattern, n);
		st = build(m, arena, e, n, err);
	} else {
		no_memory(n, err);
	}
	free(bytes);
	free(e);
	return st;
}
