/* The table of merges: pairs of rows, sorted so that a pair is found by a binary search in a short row. */
#include "text/bpe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char merges_key[] = "tokenizer.ggml.merges";

static enum leat_status no_memory(size_t n, struct leat_error *err)
{
	return leat_fail(err, LEAT_E_NOMEM, merges_key, LEAT_NO_OFFSET, "no memory for %zu merges", n);
}

static enum leat_status allocate(struct leat_bpe *b, struct leat_arena *arena, size_t n, size_t n_ranks,
				 struct leat_error *err)
{
	b->n_merges = (uint32_t)n;
	b->n_ranks = (uint32_t)n_ranks;
	b->row = leat_arena_take_array(arena, (size_t)b->n_rows + 1, sizeof(*b->row));
	b->right = leat_arena_take_array(arena, n + 1, sizeof(*b->right));
	b->rank = leat_arena_take_array(arena, n + 1, sizeof(*b->rank));
	b->joined = leat_arena_take_array(arena, n + 1, sizeof(*b->joined));
	b->result = leat_arena_take_array(arena, n_ranks + 1, sizeof(*b->result));
	if (!b->row || !b->right || !b->rank || !b->joined || !b->result)
		return no_memory(n, err);
	return LEAT_OK;
}

/* Orders the merges by left, then right row: two counting sorts, the first into `order`. */
static void sort_merges(struct leat_bpe *b, const struct leat_merge *merge, uint32_t *order, uint32_t *count)
{
	for (uint32_t i = 0; i < b->n_merges; i++) {
		count[merge[i].right + 1]++;
		b->row[merge[i].left + 1]++;
	}
	for (size_t t = 0; t < b->n_rows; t++) {
		count[t + 1] += count[t];
		b->row[t + 1] += b->row[t];
	}
	for (uint32_t i = 0; i < b->n_merges; i++)
		order[count[merge[i].right]++] = i;
	memcpy(count, b->row, b->n_rows * sizeof(*count));
	for (uint32_t k = 0; k < b->n_merges; k++) {
		const struct leat_merge *m = &merge[order[k]];
		uint32_t at = count[m->left]++;
		b->right[at] = (uint32_t)m->right;
		b->rank[at] = m->rank;
		b->joined[at] = m->result;
	}
}

static void fill_results(struct leat_bpe *b, const struct leat_merge *merge)
{
	enum { NOTHING = -2 };
	for (uint32_t i = 0; i < b->n_ranks; i++)
		b->result[i] = NOTHING;
	for (uint32_t i = 0; i < b->n_merges; i++) {
		int32_t *r = &b->result[merge[i].rank];
		*r = *r == NOTHING || *r == merge[i].result ? merge[i].result : -1;
	}
}

enum leat_status leat_bpe_fill_table(struct leat_bpe *b, struct leat_arena *arena, const struct leat_merge *merge,
				     size_t n, size_t n_ranks, struct leat_error *err)
{
	LEAT_TRY(allocate(b, arena, n, n_ranks, err));
	uint32_t *order = calloc(n + 1, sizeof(*order)), *count = calloc((size_t)b->n_rows + 1, sizeof(*count));
	enum leat_status st = LEAT_OK;
	if (order && count) {
		sort_merges(b, merge, order, count);
		fill_results(b, merge);
	} else {
		st = no_memory(n, err);
	}
	free(count);
	free(order);
	return st;
}

static enum leat_status bad_merge(const struct leat_vocab_spec *spec, size_t i, const char *wanted,
				  struct leat_error *err)
{
	char left[96], right[96];
	const struct leat_str *s = spec->pairs ? &spec->pairs[2 * i] : &spec->merges[i];
	leat_escape(left, sizeof(left), s->s, s->n);
	if (!spec->pairs)
		return leat_fail(err, LEAT_E_FORMAT, merges_key, LEAT_NO_OFFSET, "%s: merge %zu: found '%s', wanted %s",
				 merges_key, i, left, wanted);
	leat_escape(right, sizeof(right), s[1].s, s[1].n);
	return leat_fail(err, LEAT_E_FORMAT, "model.merges", LEAT_NO_OFFSET,
			 "model.merges: merge %zu: found '%s' and '%s', wanted %s", i, left, right, wanted);
}

/* The two sides as written: a pair, or "LEFT RIGHT", where neither side has a space. 0 if it is neither. */
static int split_merge(const struct leat_vocab_spec *spec, size_t i, struct leat_str *left, struct leat_str *right)
{
	if (spec->pairs) {
		*left = spec->pairs[2 * i];
		*right = spec->pairs[2 * i + 1];
		return left->n && right->n;
	}
	const struct leat_str *s = &spec->merges[i];
	const char *space = s->n ? memchr(s->s, ' ', (size_t)s->n) : NULL;
	if (!space)
		return 0;
	*left = (struct leat_str){s->s, (uint64_t)(space - s->s)};
	*right = (struct leat_str){space + 1, s->n - left->n - 1};
	return left->n && right->n && !memchr(right->s, ' ', (size_t)right->n);
}

/* `buf` has room for the bytes of both sides. */
static enum leat_status read_merge(const struct leat_vocab *v, const struct leat_vocab_spec *spec, size_t i,
				   unsigned char *buf, struct leat_merge *m, struct leat_error *err)
{
	struct leat_str left, right;
	if (!split_merge(spec, i, &left, &right))
		return bad_merge(spec, i, "two tokens separated by one space", err);
	if (left.n > LEAT_MAX_TOKEN_BYTES || right.n > LEAT_MAX_TOKEN_BYTES)
		return bad_merge(spec, i, "two tokens of the vocabulary", err);
	size_t n = leat_vocab_decode(v, (const unsigned char *)left.s, (size_t)left.n, buf);
	size_t more = leat_vocab_decode(v, (const unsigned char *)right.s, (size_t)right.n, buf + n);
	m->left = leat_vocab_find(v, buf, n);
	m->right = leat_vocab_find(v, buf + n, more);
	if (m->left < 0 || m->right < 0)
		return bad_merge(spec, i, "two tokens of the vocabulary", err);
	m->result = leat_vocab_find(v, buf, n + more);
	if (m->result < 0)
		return bad_merge(spec, i, "a pair whose joined form is in the vocabulary", err);
	m->rank = (uint32_t)i;
	return LEAT_OK;
}

static enum leat_status check_duplicates(const struct leat_bpe *b, const struct leat_vocab_spec *spec,
					 struct leat_error *err)
{
	for (uint32_t row = 0; row < b->n_rows; row++)
		for (uint32_t k = b->row[row] + 1; k < b->row[row + 1]; k++)
			if (b->right[k - 1] == b->right[k]) {
				char text[64];
				snprintf(text, sizeof(text), "each pair once: this is merge %u", b->rank[k - 1]);
				return bad_merge(spec, b->rank[k], text, err);
			}
	return LEAT_OK;
}

enum leat_status leat_bpe_read_merges(struct leat_bpe *b, struct leat_vocab *v, const struct leat_vocab_spec *spec,
				      struct leat_error *err)
{
	size_t n = spec->n_merges;
	if (n > LEAT_MAX_MERGES)
		return leat_fail(err, LEAT_E_LIMIT, merges_key, LEAT_NO_OFFSET,
				 "%s: found %zu merges, at most %d are allowed", merges_key, n, LEAT_MAX_MERGES);
	struct leat_merge *merge = calloc(n + 1, sizeof(*merge));
	unsigned char *buf = malloc(2 * (size_t)LEAT_MAX_TOKEN_BYTES);
	enum leat_status st = merge && buf ? LEAT_OK : no_memory(n, err);
	for (size_t i = 0; st == LEAT_OK && i < n; i++)
		st = read_merge(v, spec, i, buf, &merge[i], err);
	if (st == LEAT_OK)
		st = leat_bpe_fill_table(b, &v->arena, merge, n, n, err);
	if (st == LEAT_OK)
		st = check_duplicates(b, spec, err);
	free(buf);
	free(merge);
	return st;
}
