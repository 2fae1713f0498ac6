/* Long pieces (a megabyte of one letter is one piece): every pair that may merge hangs in the list of its merge, and a
 * bit tree over the merges finds the lowest one that has any. Each merge touches two neighbours, so the whole costs
 * O(n) list operations.
 *
 * The leftmost pair of a list is always its first, although pairs are only ever appended. Nothing merges across the
 * borders of what ends up as one token, so what happens inside it depends on its bytes alone: two tokens with the same
 * bytes grow by the same merges in the same order. Of two equal next steps the left one is taken first, hence the left
 * token is never behind the right one, and of two equal pairs the left one is complete first.
 *
 * That holds where each rank is one pair. Where several pairs share a rank (SentencePiece: "a"+"bc" and "ab"+"c" make
 * the same token, and tokens may have equal scores) a pair may turn up left of its list's tail: it goes into a heap
 * instead, ordered by rank and place. An entry there counts for as long as its pair is what the place says. */
#include "text/bpe.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define IN_HEAP (UINT32_MAX - 1)

enum { LEVELS = 4 };

/* The token that starts at this byte of the piece, and the pair that it forms with the next one. */
struct symbol {
	uint32_t next, prev;   /* tokens */
	int32_t id;
	uint32_t rank;         /* of the pair, or LEAT_NO_MERGE */
	uint32_t after, before; /* in the list of that rank; before == IN_HEAP: in the heap */
};

struct list {
	uint32_t head, tail;   /* place + 1, from left to right; 0: empty */
};

struct leat_bpe_long {
	const struct leat_bpe *b;
	struct symbol *sym;
	size_t cap;
	struct list *list;      /* [n_ranks] */
	uint64_t *heap;         /* rank << 32 | place, a binary heap, the least first */
	size_t n_heap, cap_heap;
	int failed;             /* no memory for the heap */
	uint64_t *bits[LEVELS]; /* bit i of level l: something below it is not empty */
	uint64_t *all_bits;
};

void leat_bpe_long_destroy(struct leat_bpe_long *w)
{
	if (!w)
		return;
	free(w->sym);
	free(w->list);
	free(w->heap);
	free(w->all_bits);
	free(w);
}

static struct leat_bpe_long *create(const struct leat_bpe *b)
{
	struct leat_bpe_long *w = calloc(1, sizeof(*w));
	size_t words[LEVELS], total = 0, n = b->n_ranks;
	if (!w)
		return NULL;
	for (int l = 0; l < LEVELS; l++)
		total += words[l] = n = n / 64 + 1;
	w->b = b;
	w->list = calloc((size_t)b->n_ranks + 1, sizeof(*w->list));
	w->all_bits = calloc(total, sizeof(*w->all_bits));
	if (!w->list || !w->all_bits) {
		leat_bpe_long_destroy(w);
		return NULL;
	}
	w->bits[0] = w->all_bits;
	for (int l = 1; l < LEVELS; l++)
		w->bits[l] = w->bits[l - 1] + words[l - 1];
	return w;
}

static void set_bit(struct leat_bpe_long *w, uint32_t i)
{
	for (int l = 0; l < LEVELS; l++, i >>= 6)
		w->bits[l][i >> 6] |= (uint64_t)1 << (i & 63);
}

static void clear_bit(struct leat_bpe_long *w, uint32_t i)
{
	for (int l = 0; l < LEVELS; l++, i >>= 6) {
		w->bits[l][i >> 6] &= ~((uint64_t)1 << (i & 63));
		if (w->bits[l][i >> 6])
			return;
	}
}

/* The lowest merge with a pair, or NONE. LEAT_MAX_MERGES < 64^LEVELS, so the top level is one word. */
static uint32_t lowest(const struct leat_bpe_long *w)
{
	uint32_t i = 0;
	if (w->bits[LEVELS - 1][0] == 0)
		return NONE;
	for (int l = LEVELS - 1; l >= 0; l--)
		i = i << 6 | (uint32_t)__builtin_ctzll(w->bits[l][i]);
	return i;
}

static void push_heap(struct leat_bpe_long *w, uint64_t key)
{
	if (w->n_heap == w->cap_heap) {
		size_t cap = w->cap_heap ? 2 * w->cap_heap : 256;
		uint64_t *grown = realloc(w->heap, cap * sizeof(*grown));
		if (!grown) {
			w->failed = 1;
			return;
		}
		w->heap = grown;
		w->cap_heap = cap;
	}
	size_t i = w->n_heap++;
	for (; i && w->heap[(i - 1) / 2] > key; i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = key;
}

static void pop_heap(struct leat_bpe_long *w)
{
	uint64_t key = w->heap[--w->n_heap];
	size_t i = 0, child;
	for (; (child = 2 * i + 1) < w->n_heap; i = child) {
		child += child + 1 < w->n_heap && w->heap[child + 1] < w->heap[child];
		if (w->heap[child] >= key)
			break;
		w->heap[i] = w->heap[child];
	}
	w->heap[i] = key;
}

static void link_pair(struct leat_bpe_long *w, uint32_t p, uint32_t rank)
{
	struct symbol *s = &w->sym[p];
	s->rank = rank;
	if (rank == LEAT_NO_MERGE)
		return;
	struct list *list = &w->list[rank];
	if (list->tail && list->tail - 1 > p) {
		s->before = IN_HEAP;
		push_heap(w, (uint64_t)rank << 32 | p);
		return;
	}
	s->after = NONE;
	s->before = list->tail ? list->tail - 1 : NONE;
	if (list->tail) {
		w->sym[list->tail - 1].after = p;
	} else {
		list->head = p + 1;
		set_bit(w, rank);
	}
	list->tail = p + 1;
}

static void unlink_pair(struct leat_bpe_long *w, uint32_t p)
{
	struct symbol *s = &w->sym[p];
	if (s->rank == LEAT_NO_MERGE)
		return;
	if (s->before == IN_HEAP) {
		s->rank = LEAT_NO_MERGE;
		return;
	}
	struct list *list = &w->list[s->rank];
	if (s->before == NONE)
		list->head = s->after + 1; /* NONE + 1 is 0: empty */
	else
		w->sym[s->before].after = s->after;
	if (s->after == NONE)
		list->tail = s->before + 1;
	else
		w->sym[s->after].before = s->before;
	if (list->head == 0)
		clear_bit(w, s->rank);
	s->rank = LEAT_NO_MERGE;
}

/* The pair that merges next: the lowest rank, the leftmost of it; NONE if there is none. */
static uint32_t next_pair(struct leat_bpe_long *w)
{
	uint32_t rank = lowest(w);
	uint64_t key = rank == NONE ? UINT64_MAX : (uint64_t)rank << 32 | (w->list[rank].head - 1);
	while (w->n_heap) {
		const struct symbol *s = &w->sym[(uint32_t)w->heap[0]];
		if (s->before == IN_HEAP && s->rank == w->heap[0] >> 32)
			break;
		pop_heap(w);
	}
	if (w->n_heap && w->heap[0] < key) {
		key = w->heap[0];
		pop_heap(w);
	}
	return (uint32_t)key;
}

/* The pair at p becomes one token. */
static void merge_at(struct leat_bpe_long *w, uint32_t p)
{
	struct symbol *sym = w->sym, *s = &sym[p];
	uint32_t q = s->next, rank = s->rank, before = s->prev;
	unlink_pair(w, p);
	unlink_pair(w, q);
	s->id = leat_bpe_join(w->b, rank, s->id, sym[q].id);
	s->next = sym[q].next;
	if (s->next != NONE) {
		sym[s->next].prev = p;
		link_pair(w, p, leat_bpe_rank(w->b, s->id, sym[s->next].id));
	}
	if (before != NONE) {
		unlink_pair(w, before);
		link_pair(w, before, leat_bpe_rank(w->b, sym[before].id, s->id));
	}
}

static void fill(struct leat_bpe_long *w, const unsigned char *text, const int32_t *id, uint32_t n)
{
	uint32_t rank = LEAT_NO_MERGE;
	for (uint32_t i = 0; i < n; i++)
		w->sym[i] = (struct symbol){i + 1 < n ? i + 1 : NONE, i ? i - 1 : NONE, id[i], LEAT_NO_MERGE, NONE,
					    NONE};
	for (uint32_t i = 0; i + 1 < n; i++) {
		if (text)
			rank = w->b->byte_pair[text[i] << 8 | text[i + 1]];
		else if (i == 0 || id[i - 1] != id[i] || id[i] != id[i + 1])
			rank = leat_bpe_rank(w->b, id[i], id[i + 1]);
		link_pair(w, i, rank);
	}
}

enum leat_status leat_bpe_long_merge(const struct leat_bpe *b, struct leat_bpe_long **work, const unsigned char *text,
				     int32_t *id, size_t *n, struct leat_error *err)
{
	struct leat_bpe_long *w = *work ? *work : create(b);
	size_t left = 0;
	*work = w;
	if (w && *n > w->cap) {
		free(w->sym);
		w->sym = malloc(*n * sizeof(*w->sym));
		w->cap = w->sym ? *n : 0;
	}
	if (w && w->sym) {
		fill(w, text, id, (uint32_t)*n);
		for (uint32_t p; !w->failed && (p = next_pair(w)) != NONE;)
			merge_at(w, p);
	}
	if (!w || !w->sym || w->failed)
		return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for a word of %zu characters", *n);
	for (uint32_t p = 0; p != NONE; p = w->sym[p].next)
		id[left++] = w->sym[p].id;
	*n = left;
	return LEAT_OK;
}
