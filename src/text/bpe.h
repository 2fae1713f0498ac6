/* bpe.h - the table of merges and what may start one: bytes (GPT-2's kind) or characters (SentencePiece's kind).
 * Private to bpe*.c and spm*.c. */
#ifndef LEAT_TEXT_BPE_H
#define LEAT_TEXT_BPE_H

#include "text/vocab.h"

enum { LEAT_MAX_MERGES = 1 << 22 };
#define LEAT_NO_MERGE UINT32_MAX

/* A pair of rows that may become one. */
struct leat_merge {
	int32_t left, right, result;
	uint32_t rank;        /* lower ones go first; of equal ones the leftmost in the text */
};

struct leat_bpe {
	int32_t byte_id[256]; /* the token of each byte; by_char: -1 where there is none */
	uint32_t n_merges;
	uint32_t n_ranks;     /* all ranks are below this */
	uint32_t n_rows;      /* ids that merges speak of: the tokens; by_char: also what follows below */
	uint32_t *byte_pair;  /* [256 * 256] rank of the merge of two bytes, or LEAT_NO_MERGE; by_char: NULL */
	uint32_t *row;        /* [n_rows + 1] where the merges of each left side start in the three below */
	uint32_t *right;      /* [n_merges] ascending within a row */
	uint32_t *rank;       /* [n_merges] */
	int32_t *joined;      /* [n_merges] */
	int32_t *result;      /* [n_ranks] what a merge of that rank makes; -1: several things, joined[] tells */
	struct leat_chars *chars; /* by_char, else NULL */
};

/* The characters that texts are cut into. Rows from n_tokens on are characters without a token of their own that occur
 * in longer ones; the last row stands for all that occur nowhere. */
struct leat_chars {
	int32_t ascii[128];   /* row of each character */
	uint32_t *cp;         /* [n] ascending */
	int32_t *id;          /* [n] row */
	uint32_t n;
	int32_t unknown;      /* the last row */
	uint64_t joins[1024]; /* bit a * 256 + b: byte b follows byte a inside some token */
};

/* Index of the merge of two rows in right[], rank[] and joined[], or LEAT_NO_MERGE. */
static inline uint32_t leat_bpe_pair(const struct leat_bpe *b, int32_t left, int32_t right)
{
	uint32_t lo = b->row[left], end = b->row[left + 1], hi = end;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (b->right[mid] < (uint32_t)right)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < end && b->right[lo] == (uint32_t)right ? lo : LEAT_NO_MERGE;
}

/* Rank of the merge of two rows, or LEAT_NO_MERGE. */
static inline uint32_t leat_bpe_rank(const struct leat_bpe *b, int32_t left, int32_t right)
{
	uint32_t pair = leat_bpe_pair(b, left, right);
	return pair == LEAT_NO_MERGE ? pair : b->rank[pair];
}

/* What two rows become that merge by `rank`. */
static inline int32_t leat_bpe_join(const struct leat_bpe *b, uint32_t rank, int32_t left, int32_t right)
{
	int32_t id = b->result[rank];
	return id >= 0 ? id : b->joined[leat_bpe_pair(b, left, right)];
}

/* bpe_table.c */
/* Fills row, right, rank, joined and result from n merges; every pair once, ranks below n_ranks. b->n_rows is set. */
enum leat_status leat_bpe_fill_table(struct leat_bpe *b, struct leat_arena *arena, const struct leat_merge *merge,
				     size_t n, size_t n_ranks, struct leat_error *err);
/* Pairs as spec->merges tell them, for bytes and for characters. */
enum leat_status leat_bpe_read_merges(struct leat_bpe *b, struct leat_vocab *v, const struct leat_vocab_spec *spec,
				      struct leat_error *err);

/* spm_merges.c: the pairs that a vocabulary with scores implies. E_LIMIT: more than LEAT_MAX_MERGES of them. */
enum leat_status leat_spm_find_merges(struct leat_vocab *v, const float *scores, struct leat_error *err);

/* bpe_long.c: merging of long pieces in near-linear time; scratch is kept from piece to piece. */
struct leat_bpe_long;
/* Merges id[0..*n) in place. `text`: the bytes that the ids stand for, if they are bytes; else NULL. */
enum leat_status leat_bpe_long_merge(const struct leat_bpe *b, struct leat_bpe_long **work, const unsigned char *text,
				     int32_t *id, size_t *n, struct leat_error *err);
void leat_bpe_long_destroy(struct leat_bpe_long *w);

/* A piece so short that looking at all pairs again after each merge costs less than any queue. */
enum { LEAT_BPE_SHORT = 48 };

/* Merges id[0..n), n <= LEAT_BPE_SHORT, whose pairs have the ranks given; the number of ids that are left. */
size_t leat_bpe_merge_short(const struct leat_bpe *b, int32_t *id, uint32_t *rank, size_t n);

#endif
