/* stage.h - inside the sampling chain: the candidates, and what one stage is.
 *
 * A stage is a file s_NAME.c with one descriptor leat_sampler_NAME; the build collects them (tools/gen_list.sh), and
 * the chain knows them by name only. Candidates exist in one of two forms:
 *   dense: every id, its logit read from a row of floats, with the largest logit of each block of 64 at hand;
 *   list:  pairs (id, logit), ids always ascending, which is what makes "ties by id" free and the draw well defined.
 * A draw starts dense; the first stage that removes candidates makes the list, as short as it may be. */
#ifndef LEAT_SAMPLE_STAGE_H
#define LEAT_SAMPLE_STAGE_H

#include "sample/sample.h"

enum {
	LEAT_SAMPLE_BLOCK = 64,
	LEAT_SAMPLE_STAGES = 16, /* in one chain */
};

struct leat_candidate {
	int32_t id;
	float logit;
};

/* Tokens that occurred, for the penalties: arrays by id, and the list of the ids in use. Only allocated if needed. */
struct leat_occurrence {
	double *count;    /* [n_vocab], in units of `unit`; 0 where not in use */
	int32_t *place;   /* [n_vocab], index into ids + 1; 0 where not in use */
	int32_t *ids;     /* [n_vocab], n_ids in use */
	int32_t n_ids;
	double unit;      /* counts decay together by shrinking their unit */
	int32_t *window;  /* [n_window] ring of the last tokens; NULL without a window */
	int32_t n_window; /* capacity */
	int32_t n_filled;
	int32_t at;       /* where the next token goes */
};

struct leat_sampler {
	struct leat_sample_params p; /* without the borrowed pointers */
	int n_vocab;
	int n_blocks;
	const struct leat_sampler_stage *stages[LEAT_SAMPLE_STAGES]; /* the active ones, in order */
	int n_stages;
	struct leat_logit_bias *bias;
	int32_t n_bias;
	struct leat_occurrence seen;

	/* one draw */
	const float *dense; /* NULL once there is a list */
	float max;          /* the largest logit among the candidates; -INFINITY: none is left */
	float inv_temperature; /* logits stay as they are; their distances from max are multiplied by this */
	int n;              /* candidates in the list */
	int weighed;        /* weight[] and total hold for the list */
	const float *looked; /* the row that was looked at for the next draw, or NULL */
	int bad;            /* of that row: a logit is NaN or +infinity */
	double log_sum;     /* of that row: leat_model_log_sum */
	uint64_t total;

	/* room made by create */
	float *work;                 /* [n_vocab] the row when a stage changes it; NULL if none does */
	float *block_max;            /* [n_blocks] */
	struct leat_candidate *list; /* [n_vocab] */
	uint32_t *weight;            /* [n_vocab] */
	uint32_t *key;               /* [n_vocab] ascending: better first */
};

struct leat_sampler_stage {
	const char *name;
	int always_first; /* runs before the others, whatever the order says */
	int for_greedy;   /* changes logits, so that it matters at temperature 0 too */
	int edits_row;    /* may change logits while the candidates are dense */
	/* E_ARG naming the parameter. Every stage's parameters are proved, used or not. */
	enum leat_status (*check)(const struct leat_sample_params *p, int n_vocab, struct leat_error *err);
	int (*active)(const struct leat_sample_params *p);
	enum leat_status (*create)(struct leat_sampler *s, const struct leat_sample_params *p,
				   struct leat_error *err); /* may be NULL; runs if active */
	void (*apply)(struct leat_sampler *s);
};
extern const struct leat_sampler_stage *const leat_sampler_list[]; /* generated, NULL-terminated */

/* ---- params.c -------------------------------------------------------------------------------------------------- */

/* E_ARG unless low <= value <= high (a NaN is not). */
enum leat_status leat_sample_check_range(const char *name, float value, float low, float high, struct leat_error *err);
/* Proves all parameters and fills s->stages from the order. */
enum leat_status leat_sample_plan(struct leat_sampler *s, const struct leat_sample_params *p, struct leat_error *err);

/* ---- candidates.c ---------------------------------------------------------------------------------------------- */

/* Starts a draw: dense, block maxima and max found. 1 if a logit is NaN or +infinity. */
int leat_candidates_open(struct leat_sampler *s, const float *logits);
/* The row as something that may be written; only while dense, by a stage with edits_row. After writing row[id], tell
 * leat_candidates_edited(s, id); after the last, leat_candidates_settle finds the new max. */
float *leat_candidates_edit(struct leat_sampler *s);
void leat_candidates_edited(struct leat_sampler *s, int32_t id);
void leat_candidates_settle(struct leat_sampler *s);
/* Makes the list of all candidates with logit >= floor (and above -infinity). Nothing to do if there is a list. */
void leat_candidates_gather(struct leat_sampler *s, float floor);
/* Sees that weight[] and total hold for the list, which it makes of all that can weigh anything. */
void leat_candidates_weigh(struct leat_sampler *s);
/* Keeps the candidates of the list that come first by key[], as many as it takes for their `mass` (NULL: 1 each) to
 * reach target; equal keys lowest id first. All of them if they do not reach it. */
void leat_candidates_select(struct leat_sampler *s, const uint32_t *mass, uint64_t target);
/* Keeps what weighs at least `floor`; weighed before. The likeliest must be among it. */
void leat_candidates_drop_light(struct leat_sampler *s, uint64_t floor);
/* Fills key[] so that larger logits come first. */
void leat_candidates_key_logits(struct leat_sampler *s);
/* The lowest id with the largest logit. */
int32_t leat_candidates_best(const struct leat_sampler *s);
/* The candidate at point t of the total, in ascending order of ids; weighed before. t < total. */
int32_t leat_candidates_at(const struct leat_sampler *s, uint64_t t);

/* The n best of a row whose block maxima are known, their logits in `logprob`: best first, lower ids first among
 * equals, none of -infinity. Returns how many. */
int leat_candidates_top(const struct leat_sampler *s, const float *logits, int n, struct leat_token_prob *ret);

/* ---- occurrence.c ---------------------------------------------------------------------------------------------- */

enum leat_status leat_occurrence_init(struct leat_occurrence *o, int n_vocab, int32_t n_window, struct leat_error *err);
void leat_occurrence_deinit(struct leat_occurrence *o);
/* Shrinks all counts by `decay`, then counts id; what leaves the window is taken off. O(1) amortised. */
void leat_occurrence_add(struct leat_occurrence *o, int32_t id, double decay);
static inline float leat_occurrence_count(const struct leat_occurrence *o, int32_t id)
{
	return (float)(o->count[id] * o->unit);
}

/* ---- model_prob.c ---------------------------------------------------------------------------------------------- */

/* Natural logarithm of the sum of exp(logit - max) over a row of n logits. block_max as the draw found it. */
double leat_model_log_sum(const float *logits, int n, float max, const float *block_max);

#endif
