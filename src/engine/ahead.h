/* ahead.h - plans of steps to come, found or made before they are needed.
 *
 * A job is a plan that is held ready for a shape that was predicted (predict.h). Four of them are kept, the one used
 * longest ago goes; a step of another shape, or a request that arrives, throws none away. A step looks among the jobs
 * first, and a job is made from a plan that is there before one is built.
 *
 * What is not there is built while the device runs a step, if its steps run on their own (backend->steps_in_flight);
 * on the CPU, where a step takes all processors, when the engine has nothing else to do. So building ahead never stands
 * between two tokens. */
#ifndef LEAT_ENGINE_AHEAD_H
#define LEAT_ENGINE_AHEAD_H

#include "engine/predict.h"
#include "plan/cache.h"

struct leat_engine;

enum { LEAT_JOBS = 4, LEAT_WANTED = 8 };

struct leat_job {
	struct leat_plan_entry *entry; /* held; NULL: free */
	uint64_t used;
};

struct leat_ahead {
	struct leat_predict predict;
	struct leat_job job[LEAT_JOBS];
	struct leat_plan_key wanted[LEAT_WANTED]; /* predicted or met, and not there: to be built when there is time */
	int n_wanted;
	uint64_t clock;
	uint64_t looked, ready;   /* steps that looked for a job, and found one */
	uint64_t prepared, reused; /* jobs that were made ready; of those, from plans that were there */
	uint64_t built, unused;   /* plans built ahead; of those, gone before they were used */
};

/* The job of this key for the step that is about to run; NULL: none. */
struct leat_plan_entry *leat_ahead_take(struct leat_engine *e, const struct leat_plan_key *key);
/* A step of this key was found neither among jobs nor among plans. */
void leat_ahead_missed(struct leat_engine *e, const struct leat_plan_key *key);
/* A step ran (NULL: the engine had nothing to do). */
void leat_ahead_note(struct leat_engine *e, const struct leat_plan_key *key);
/* Predicts the next step and makes jobs ready. */
void leat_ahead_prepare(struct leat_engine *e);
/* There is time: builds what is wanted, one plan a call. 1 if there was one. */
int leat_ahead_build(struct leat_engine *e);
/* Lets go of all jobs. */
void leat_ahead_clear(struct leat_engine *e);

#endif
