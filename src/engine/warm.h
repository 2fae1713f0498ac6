/* warm.h - making an engine ready before its first request. */
#ifndef LEAT_ENGINE_WARM_H
#define LEAT_ENGINE_WARM_H

#include "base/err.h"

struct leat_engine;

/* With the baton. Makes the plans of common shapes: answers of 1 to n_seqs rows, prompts of every bucket alone and
 * beside answers, as many as half of the plan cache holds. */
enum leat_status leat_warm_plans(struct leat_engine *e, struct leat_error *err);
/* The same, and runs a step of one token and one of a small prompt, which leave no trace. */
enum leat_status leat_warm_up(struct leat_engine *e, struct leat_error *err);

#endif
