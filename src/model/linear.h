/* linear.h - a linear layer as architectures see it: y = act(W x + b), with adapters applied where a request has one.
 */
#ifndef LEAT_MODEL_LINEAR_H
#define LEAT_MODEL_LINEAR_H

#include "plan/record.h"

struct leat_linear {
	const struct leat_weight *w; /* a tied head points at the token table */
	struct leat_vec bias;        /* data NULL: none */
};

/* y [rows of x][w->rows] = act(W x + b). The only code that knows that a linear layer can have adapters. */
void leat_linear(struct leat_rec *c, struct leat_buf *y, const struct leat_linear *l, const struct leat_buf *x);
void leat_linear_act(struct leat_rec *c, struct leat_buf *y, const struct leat_linear *l, const struct leat_buf *x,
		     enum leat_act act);

#endif
