/* matcher.h - the longest pattern that starts at each place of a text, for all places in one linear pass.
 *
 * Aho and Corasick's automaton (1975) over the reversed patterns, run over the text from its end: the state after
 * reading place i holds every pattern that starts at i, and each state knows the longest of them. Cost does not depend
 * on how the patterns overlap, so neither 100 000 special tokens nor a text made for them is slow. */
#ifndef LEAT_TEXT_MATCHER_H
#define LEAT_TEXT_MATCHER_H

#include "base/arena.h"
#include "base/err.h"

enum { LEAT_MAX_MATCH_BYTES = 1 << 24 };

struct leat_pattern {
	const unsigned char *s;
	uint32_t n;      /* >= 1 */
	int32_t id;      /* what the match reports */
	int always;      /* matched in both modes; else in mode 1 only */
};

struct leat_matcher_node {
	uint32_t first;  /* children first .. first + n - 1, ascending by byte */
	uint32_t fail;   /* the longest proper suffix that is a node */
	int32_t out[2];  /* by mode: id of the longest pattern that ends the state, or -1 */
	uint16_t n;
	uint8_t byte;    /* on the edge from the parent */
};

struct leat_matcher {
	struct leat_matcher_node *node; /* NULL: no patterns; node 0 is the root */
	uint32_t *root;                 /* [256] children of the root, 0: none */
	size_t n_nodes;
};

/* Builds from n patterns (their order does not matter; of equal ones the lowest id wins) into the arena. With n = 0 the
 * matcher is empty. E_LIMIT: more than LEAT_MAX_MATCH_BYTES in all; E_NOMEM. */
enum leat_status leat_matcher_build(struct leat_matcher *m, struct leat_arena *arena,
				    const struct leat_pattern *pattern, size_t n, struct leat_error *err);

/* The child of a node by that byte, or 0. */
static inline uint32_t leat_matcher_child(const struct leat_matcher *m, uint32_t state, uint8_t byte)
{
	const struct leat_matcher_node *node = &m->node[state];
	uint32_t lo = node->first, hi = lo + node->n;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (m->node[mid].byte < byte)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < node->first + node->n && m->node[lo].byte == byte ? lo : 0;
}

/* The state after reading `byte` in front of what `state` has read. */
static inline uint32_t leat_matcher_step(const struct leat_matcher *m, uint32_t state, uint8_t byte)
{
	for (; state; state = m->node[state].fail) {
		uint32_t next = leat_matcher_child(m, state, byte);
		if (next)
			return next;
	}
	return m->root[byte];
}

#endif
