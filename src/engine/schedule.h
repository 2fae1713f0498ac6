/* schedule.h - which requests run, and what each step takes of them.
 *
 * Requests come in through a queue, wait in a list, and are admitted when a sequence and memory for their prompt and
 * one page are there. A step takes one row of everybody who is answering, then pieces of prompts, as much as the step
 * holds and the pace allows; every prompt gets an equal share, and what the short ones leave goes to the long ones, so
 * nobody starves. Who finishes makes room at once.
 *
 * Order of service: arrival, where one level of priority counts as LEAT_PRIORITY_NS of arriving earlier. So a request
 * waits for those that came up to LEAT_PRIORITY_NS later for each level that they stand above it, and for no others:
 * nobody starves here either.
 *
 * Everything here is called by the driver (drive.h), but for leat_schedule_offer. */
#ifndef LEAT_ENGINE_SCHEDULE_H
#define LEAT_ENGINE_SCHEDULE_H

#include <stdatomic.h>

#include "base/err.h"
#include "base/queue.h"
#include "engine/pace.h"

struct leat_engine;
struct leat_request;
struct leat_feed;

#define LEAT_PRIORITY_NS 10000000000ll
enum { LEAT_MAX_PRIORITY = 100 }; /* -100 to 100 */

struct leat_schedule {
	struct leat_queue offered;     /* not seen by the driver yet */
	atomic_int n_open;             /* offered, waiting or live */
	int max_open;
	_Atomic uint64_t n_arrived;
	atomic_int n_session_seqs;     /* sequences that sessions hold */
	struct leat_request *waiting;  /* list by order of service */
	int n_waiting;
	struct leat_request **live;    /* [n_seqs], in order of admission */
	int n_live;
	struct leat_request **row;     /* [n_seqs] of the step's feeds */
	struct leat_request **order;   /* [n_seqs] prompts by what is left of them */
	struct leat_feed *feed;        /* [n_seqs] */
	int n_rows, n_decode;          /* feeds of the step; of those, the first n_decode are answers */
	struct leat_checkpoint *checkpoint; /* [cap_checkpoints of the step] that the prefix cache asks for */
	int n_checkpoints;
	int next_decode;               /* live request that is served first if a step cannot hold all */
	uint64_t stuck_since;          /* 0: not stuck */
	uint64_t next_deadline;        /* of anybody; UINT64_MAX: none */
	struct leat_pace pace;
	_Atomic uint64_t compute_ns, draw_ns; /* spent in steps and in samplers; all else is what serving costs */
	int overlap;                   /* 1: texts are made while the next step runs */
	int preempt_every;             /* tests: put a request aside every so many turns; 0: never */
	uint64_t turns;
	_Atomic uint64_t n_preempted, n_admitted, n_refused;
};

/* max_queue: requests beyond n_seqs that may wait. 1 when out of memory. */
int leat_schedule_init(struct leat_engine *e, int max_queue, uint64_t stall_ns);
void leat_schedule_deinit(struct leat_engine *e); /* ends what is left; zeroed is fine */

/* Any thread: hands a request over. E_BUSY "queue_full". */
enum leat_status leat_schedule_offer(struct leat_engine *e, struct leat_request *r, struct leat_error *err);

/* Takes in what was offered, and looks at what users asked for: cancelled, abandoned, another priority. */
void leat_schedule_attend(struct leat_engine *e);
/* Ends what is over its deadline; now: of the clock. */
void leat_schedule_expire(struct leat_engine *e, uint64_t now);
/* Waiting requests become live as far as there is room. 1 if there was one. */
int leat_schedule_admit(struct leat_engine *e);
/* Fills feed[] and row[]; returns their number. May put requests aside when memory is short. */
int leat_schedule_choose(struct leat_engine *e);
/* Takes those that ended off their lists and gives back what they held. */
void leat_schedule_sweep(struct leat_engine *e);
/* Nobody can run, and those that wait could if sessions did not hold what they need. A session may be closed any
 * moment, but whoever waits may be the one who would close it: after a while they are refused. 1 if there were any. */
int leat_schedule_refuse_stuck(struct leat_engine *e, uint64_t now);
/* Live or waiting, one whose reader sleeps; NULL: none. */
struct leat_request *leat_schedule_sleeper(struct leat_engine *e);
/* Takes the sequence away from a live request, which waits again. 1 if that cannot be done. */
int leat_schedule_put_aside(struct leat_engine *e, struct leat_request *r);

/* Gives what the sequence of r holds to the prefix cache. */
void leat_schedule_keep(struct leat_engine *e, struct leat_request *r);

#endif
