/* stepper.h - a model that is fed step by step, greedily, with the time of each phase: for modes that look inside. */
#ifndef LEAT_BENCH_STEPPER_H
#define LEAT_BENCH_STEPPER_H

#include "bench/mode.h"
#include "engine/engine.h"

/* prepare: find the plan and fill the step block. submit: hand the step to the device; one without a queue computes
 * here. finish: wait for it and commit. draw: take the row of logits and choose the next token. */
enum leat_step_phase { LEAT_PHASE_PREPARE, LEAT_PHASE_SUBMIT, LEAT_PHASE_FINISH, LEAT_PHASE_DRAW, LEAT_PHASES };

struct leat_stepper {
	struct leat_bench_job *j;
	struct leat_engine *e;
	struct leat_seq seq;
	struct leat_sampler *sampler;
	int32_t *prompt, *ids;         /* [n_prompt], [n_gen] */
	uint64_t ns[LEAT_PHASES + 1];  /* when each phase of the last step began, and when the last one ended */
	struct leat_error *err;
};

/* An engine for one sequence, a sampler, and room for the job's prompt and answer. The prompt must fit one step.
 * Zeroed before; closed on failure too. */
enum leat_status leat_stepper_open(struct leat_stepper *t, struct leat_bench_job *j, struct leat_error *err);
void leat_stepper_close(struct leat_stepper *t);
/* Back to no tokens, and the prompt as the first step: ids[0]. */
enum leat_status leat_stepper_begin(struct leat_stepper *t);
/* One step of ids[i - 1], which gives ids[i]. */
enum leat_status leat_stepper_next(struct leat_stepper *t, int i);

#endif
