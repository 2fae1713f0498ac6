/* rope.h - rotary embeddings as a model fixes them (Su et al. 2021, arXiv:2104.09864). */
#ifndef LEAT_PLAN_ROPE_H
#define LEAT_PLAN_ROPE_H

/* Which two elements of a head turn together. The same model may come either way: its rows of q and k are then stored
 * in the matching order, so the order is data and no weight is moved. */
enum leat_rope_pairs {
	LEAT_ROPE_HALVES,     /* i and i + n_rot / 2 */
	LEAT_ROPE_NEIGHBOURS, /* 2 i and 2 i + 1 */
	LEAT_ROPE_PAIRS
};

/* Constants of rotary embeddings, owned by the model. */
struct leat_rope {
	int n_rot;              /* rotated elements of each head, even */
	const float *inv_freq;  /* [n_rot / 2] */
	float scale;            /* multiplies cos and sin (attention factor of long-context variants), usually 1 */
	int pairs;              /* enum leat_rope_pairs */
	const float *long_freq; /* [n_rot / 2] for sequences that were admitted as long ones; NULL: as all others */
};

#endif
