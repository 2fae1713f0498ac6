/* points.h - the named points of a model's step, at which hooks may read and change activations and states. */
#ifndef LEAT_MODEL_POINTS_H
#define LEAT_MODEL_POINTS_H

#include "model/model.h"

struct leat_points {
	int n;
	struct leat_point at[LEAT_MAX_POINTS]; /* bit i of leat_plan_key.hooks is at[i] */
};

/* Found by recording a step at the first call, kept with the model. Any thread. E_NOMEM. */
enum leat_status leat_model_points(struct leat_model *m, const struct leat_points **ret, struct leat_error *err);
/* Index of the point called `name`; -1: there is none. */
int leat_points_find(const struct leat_points *p, const char *name);

#endif
