/* Which pairs of tokens make a token: SentencePiece lists tokens with scores, no merges.
 *
 * A token is a pair for each of its prefixes that is a token and whose rest is a token too. In the sorted list of all
 * tokens those that are a prefix of an entry are its chain of ancestors; in the list sorted from the last byte on, the
 * same holds for what ends it. Both chains of one token are walked once, so the whole costs little more than the
 * sorting, however the tokens overlap. */
#include "text/bpe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/unicode.h"

static const char tokens_key[] = "tokenizer.ggml.tokens", scores_key[] = "tokenizer.ggml.scores";

struct entry {
	const unsigned char *s;
	uint32_t n;
	int32_t row;
	uint32_t prefix, suffix; /* the longest other entry that starts, that ends this one; NONE */
};
#define NONE UINT32_MAX

struct finder {
	struct entry *entry;
	uint32_t n;
	uint32_t *order, *stack;  /* [n] */
	uint32_t *rest;           /* [LEAT_MAX_TOKEN_BYTES + 1] entry + 1 of what starts at that byte of the token */
	struct leat_merge *merge;
	size_t n_merges, cap;
};

static int from_front(const void *x, const void *y, void *arg)
{
	const struct entry *e = arg, *a = &e[*(const uint32_t *)x], *b = &e[*(const uint32_t *)y];
	int c = memcmp(a->s, b->s, a->n < b->n ? a->n : b->n);
	return c ? c : (a->n > b->n) - (a->n < b->n);
}

static int from_back(const void *x, const void *y, void *arg)
{
	const struct entry *e = arg, *a = &e[*(const uint32_t *)x], *b = &e[*(const uint32_t *)y];
	const unsigned char *p = a->s + a->n, *q = b->s + b->n;
	for (uint32_t left = a->n < b->n ? a->n : b->n; left-- > 0;)
		if (*--p != *--q)
			return *p < *q ? -1 : 1;
	return (a->n > b->n) - (a->n < b->n);
}

static int starts(const struct entry *a, const struct entry *b)
{
	return a->n < b->n && memcmp(a->s, b->s, a->n) == 0;
}

static int ends(const struct entry *a, const struct entry *b)
{
	return a->n < b->n && memcmp(a->s, b->s + (b->n - a->n), a->n) == 0;
}

/* Each entry's nearest ancestor: in sorted order the open ones form a stack. */
static void link_entries(struct finder *f, int back)
{
	uint32_t depth = 0;
	for (uint32_t i = 0; i < f->n; i++)
		f->order[i] = i;
	qsort_r(f->order, f->n, sizeof(*f->order), back ? from_back : from_front, f->entry);
	for (uint32_t i = 0; i < f->n; i++) {
		struct entry *e = &f->entry[f->order[i]];
		while (depth && !(back ? ends : starts)(&f->entry[f->stack[depth - 1]], e))
			depth--;
		*(back ? &e->suffix : &e->prefix) = depth ? f->stack[depth - 1] : NONE;
		f->stack[depth++] = f->order[i];
	}
}

static enum leat_status add_merge(struct finder *f, const struct entry *e, uint32_t left, uint32_t right,
				  struct leat_error *err)
{
	if (f->n_merges == LEAT_MAX_MERGES)
		return leat_fail(err, LEAT_E_LIMIT, tokens_key, LEAT_NO_OFFSET,
				 "%s: found more than %d pairs of tokens that make a token", tokens_key,
				 LEAT_MAX_MERGES);
	if (f->n_merges == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 4096;
		struct leat_merge *grown = realloc(f->merge, cap * sizeof(*grown));
		if (!grown)
			return leat_fail(err, LEAT_E_NOMEM, tokens_key, LEAT_NO_OFFSET, "no memory for %zu merges",
					 cap);
		f->merge = grown;
		f->cap = cap;
	}
	f->merge[f->n_merges++] = (struct leat_merge){f->entry[left].row, f->entry[right].row, e->row, 0};
	return LEAT_OK;
}

static enum leat_status find_pairs(struct finder *f, const struct entry *e, struct leat_error *err)
{
	enum leat_status st = LEAT_OK;
	for (uint32_t k = e->suffix; k != NONE; k = f->entry[k].suffix)
		f->rest[e->n - f->entry[k].n] = k + 1;
	for (uint32_t k = e->prefix; k != NONE && st == LEAT_OK; k = f->entry[k].prefix)
		if (f->rest[f->entry[k].n])
			st = add_merge(f, e, k, f->rest[f->entry[k].n] - 1, err);
	for (uint32_t k = e->suffix; k != NONE; k = f->entry[k].suffix)
		f->rest[e->n - f->entry[k].n] = 0;
	return st;
}

/* The tokens that texts can lead to, and the characters without a token. `text` takes the bytes of those. */
static void fill_entries(struct finder *f, const struct leat_vocab *v, unsigned char *text)
{
	const struct leat_chars *c = v->bpe->chars;
	for (size_t id = 0; id < (size_t)v->n_tokens; id++) {
		size_t n;
		const unsigned char *s = leat_vocab_text(v, id, &n);
		if (v->token_kind[id] == LEAT_TOKEN_NORMAL && n && leat_vocab_find(v, s, n) == (int)id)
			f->entry[f->n++] = (struct entry){s, (uint32_t)n, (int32_t)id, NONE, NONE};
	}
	for (uint32_t k = 0; k < c->n; k++)
		if (c->id[k] >= v->n_tokens) {
			size_t n = leat_utf8_put(c->cp[k], text);
			f->entry[f->n++] = (struct entry){text, (uint32_t)n, c->id[k], NONE, NONE};
			text += n;
		}
}

struct scored {
	float score;
	int32_t id;
};

static int higher_first(const void *x, const void *y)
{
	const struct scored *a = x, *b = y;
	return a->score > b->score ? -1 : a->score < b->score;
}

/* Equal scores are equal ranks. */
static enum leat_status rank_tokens(const struct leat_vocab *v, const float *scores, uint32_t *rank, uint32_t *ret_n,
				    struct leat_error *err)
{
	size_t n = (size_t)v->n_tokens;
	uint32_t last = 0;
	struct scored *s = calloc(n, sizeof(*s));
	if (!s)
		return leat_fail(err, LEAT_E_NOMEM, scores_key, LEAT_NO_OFFSET, "no memory for %zu scores", n);
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(scores[i])) {
			free(s);
			return leat_fail(err, LEAT_E_FORMAT, scores_key, LEAT_NO_OFFSET,
					 "%s: token %zu: found %f, wanted a finite number", scores_key, i,
					 (double)scores[i]);
		}
		s[i] = (struct scored){scores[i], (int32_t)i};
	}
	qsort(s, n, sizeof(*s), higher_first);
	for (size_t i = 0; i < n; i++) {
		last += i && s[i].score < s[i - 1].score;
		rank[s[i].id] = last;
	}
	*ret_n = last + 1;
	free(s);
	return LEAT_OK;
}

static enum leat_status find_merges(struct finder *f, struct leat_vocab *v, const float *scores, uint32_t *rank,
				    struct leat_error *err)
{
	uint32_t n_ranks = 0;
	LEAT_TRY(rank_tokens(v, scores, rank, &n_ranks, err));
	link_entries(f, 0);
	link_entries(f, 1);
	for (uint32_t i = 0; i < f->n; i++)
		LEAT_TRY(find_pairs(f, &f->entry[i], err));
	for (size_t i = 0; i < f->n_merges; i++)
		f->merge[i].rank = rank[f->merge[i].result];
	return leat_bpe_fill_table(v->bpe, &v->arena, f->merge, f->n_merges, n_ranks, err);
}

enum leat_status leat_spm_find_merges(struct leat_vocab *v, const float *scores, struct leat_error *err)
{
	struct finder f = {0};
	size_t cap = (size_t)v->n_tokens + v->bpe->chars->n;
	unsigned char *text = malloc(4 * (size_t)v->bpe->chars->n + 1);
	uint32_t *rank = calloc((size_t)v->n_tokens, sizeof(*rank));
	enum leat_status st;
	f.entry = calloc(cap, sizeof(*f.entry));
	f.order = calloc(cap, sizeof(*f.order));
	f.stack = calloc(cap, sizeof(*f.stack));
	f.rest = calloc((size_t)LEAT_MAX_TOKEN_BYTES + 1, sizeof(*f.rest));
	if (!text || !rank || !f.entry || !f.order || !f.stack || !f.rest) {
		st = leat_fail(err, LEAT_E_NOMEM, tokens_key, LEAT_NO_OFFSET, "no memory for the merges");
	} else {
		fill_entries(&f, v, text);
		st = find_merges(&f, v, scores, rank, err);
	}
	free(f.merge);
	free(f.rest);
	free(f.stack);
	free(f.order);
	free(f.entry);
	free(rank);
	free(text);
	return st;
}
