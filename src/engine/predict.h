/* predict.h - which shape the next step will have, learned from the steps that were run.
 *
 * A shape is a number (the buckets of a step); 0 means that nothing ran. Besides the last two shapes the predictor is
 * told what the scheduler expects if nobody comes and nobody ends. It counts what followed that, in two tables: one by
 * (last two shapes, expectation), one by (last shape, expectation). What was seen most and lately wins; where nothing
 * was seen yet, the expectation stands. So steady answers are predicted from the first step on, and what the scheduler
 * does not know (answers that end after so many tokens, prompts that come in bursts) is picked up from the workload.
 *
 * How many shapes are worth preparing follows from how often the first guess was right lately: above 0.8 one, above 0.5
 * two, else three; a border has to be passed by LEAT_DEPTH_SLACK before the number changes back. */
#ifndef LEAT_ENGINE_PREDICT_H
#define LEAT_ENGINE_PREDICT_H

#include <stdint.h>

enum { LEAT_PREDICT_ROWS = 256, LEAT_PREDICT_WAYS = 4, LEAT_PREDICT_MOST = 3 };
#define LEAT_DEPTH_SLACK 0.05

struct leat_predict_row {
	uint64_t context;                       /* 0: free */
	uint64_t shape[LEAT_PREDICT_WAYS];
	uint16_t weight[LEAT_PREDICT_WAYS];
};

struct leat_predict {
	struct leat_predict_row row[2][LEAT_PREDICT_ROWS];
	uint64_t last[2];                       /* shapes of the last step and the one before */
	uint64_t context[2];                    /* of the prediction that stands; 0: none does */
	uint64_t guess[LEAT_PREDICT_MOST];
	int n_guesses;
	uint64_t made, right;                   /* predictions that were judged; those that guessed right first */
	double rate;                            /* of right ones, lately */
	int depth;                              /* 1 to 3; 0: nothing was judged yet */
};

/* The shapes that the next step may have, likeliest first: up to `n` into ret[], how many is returned. `expected` is
 * the scheduler's, 0: none. The prediction stands until it is judged or another is made. */
int leat_predict_next(struct leat_predict *p, uint64_t expected, uint64_t *ret, int n);

/* A step of this shape ran: judges the prediction, if one stands, and learns. */
void leat_predict_note(struct leat_predict *p, uint64_t shape);

/* How many to prepare at this rate, when it was `depth` before (0: nothing was). */
int leat_predict_depth(int depth, double rate);

#endif
