/* use.h - how well steps are filled: tokens of a step against the budget and against the rows that its plan has. */
#ifndef LEAT_BENCH_USE_H
#define LEAT_BENCH_USE_H

#include "bench/report.h"
#include "engine/engine.h"

struct leat_use {
	struct leat_engine *e;
	uint64_t steps, tokens, rows;
};

void leat_use_begin(struct leat_use *u, struct leat_engine *e);
/* Steps since then, tokens of a step, share of the budget (n_batch) and share of rows without a token ("padding"; the
 * CPU computes none of them: plans only reserve room). Figures are called "WHAT steps" and so on. */
void leat_use_end(struct leat_use *u, struct leat_report *p, const char *what);

#endif
