/* bpe.h - the merge table of a byte-level BPE vocabulary. Private to bpe*.c. */
#ifndef LEAT_TEXT_BPE_H
#define LEAT_TEXT_BPE_H

#include "text/vocab.h"

enum { LEAT_MAX_MERGES = 1 << 22 };
#define LEAT_NO_MERGE UINT32_MAX

struct leat_bpe {
	int32_t byte_id[256];
	uint32_t n_merges;
	uint32_t *byte_pair;  /* [256 * 256] rank of the merge of two bytes, or LEAT_NO_MERGE */
	uint32_t *row;        /* [n_tokens + 1] where the merges of each left token start in right[] and rank[] */
	uint32_t *right;      /* [n_merges] ascending within a row */
	uint32_t *rank;       /* [n_merges] */
	int32_t *result;      /* [n_merges] by rank */
};

/* Rank of the merge of two tokens, or LEAT_NO_MERGE. */
static inline uint32_t leat_bpe_rank(const struct leat_bpe *b, int32_t left, int32_t right)
{
	uint32_t lo = b->row[left], end = b->row[left + 1], hi = end;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (b->right[mid] < (uint32_t)right)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < end && b->right[lo] == (uint32_t)right ? b->rank[lo] : LEAT_NO_MERGE;
}

/* Merging of long pieces in near-linear time; scratch is kept from piece to piece. */
struct leat_bpe_long;
enum leat_status leat_bpe_long_encode(const struct leat_bpe *b, struct leat_bpe_long **work, const unsigned char *text,
				      size_t n, struct leat_ids *out, struct leat_error *err);
void leat_bpe_long_destroy(struct leat_bpe_long *w);

#endif
