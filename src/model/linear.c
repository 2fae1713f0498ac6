/* linear.c - the one place that will apply adapters. */
#include "model/linear.h"

void leat_linear_act(struct leat_rec *c, struct leat_buf *y, const struct leat_linear *l, const struct leat_buf *x,
		     enum leat_act act)
{
	leat_product(c, y, l->w, x, l->bias.data ? &l->bias : NULL, act);
}

void leat_linear(struct leat_rec *c, struct leat_buf *y, const struct leat_linear *l, const struct leat_buf *x)
{
	leat_linear_act(c, y, l, x, LEAT_ACT_NONE);
}
