/* drive.h - whose thread runs the engine.
 *
 * An engine has no thread of its own unless it is asked for one. Whoever waits for an event takes the baton if it is
 * free and runs steps until its own event is there, then passes the baton on to another one that waits. So one thread
 * that reads one request pays for no hand-over at all. leat_drive_start makes a thread that keeps the baton.
 *
 * The baton is a mutex; on the path of a token it is only tried, never waited for. What is not a step (sessions,
 * logits) waits for it at a gate, which makes those who run steps give way between two of them.
 *
 * Every change that a driver has to look at rings the bell, a counter. A driver that finds nothing to do sleeps only if
 * the bell has not been rung since it looked. */
#ifndef LEAT_ENGINE_DRIVE_H
#define LEAT_ENGINE_DRIVE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"

struct leat_engine;
struct leat_request;
struct leat_event;

struct leat_driver {
	pthread_mutex_t baton, gate;
	int made;                  /* the mutexes are */
	atomic_int wanting;        /* threads at the gate */
	atomic_int n_waiters;      /* readers that sleep or are about to */
	_Atomic uint32_t bell;
	_Atomic uint32_t seen;     /* value of the bell that was attended to */
	atomic_int runs;           /* the engine has a thread of its own */
	atomic_int asleep, stop;   /* of that thread */
	pthread_t thread;
	atomic_int fd;             /* eventfd, -1: none */
	int told;                  /* baton: events were published in this turn */
};

int leat_drive_init(struct leat_engine *e); /* 1: out of memory */
void leat_drive_deinit(struct leat_engine *e);

/* The baton, for other work than steps; not reentrant. */
void leat_drive_lock(struct leat_engine *e);
void leat_drive_unlock(struct leat_engine *e);

/* Something changed that a driver has to look at; if nobody drives, one of those who wait will. */
void leat_drive_ring(struct leat_engine *e);
/* The same about one request, from a signal handler too. */
void leat_drive_poke(struct leat_request *r);
/* Has it looked at now, or by the driver between two steps. */
void leat_drive_attend(struct leat_engine *e);

/* The next event of r, lent until the next call. Waits at most timeout_ns (< 0: without end; 0: runs nothing):
 * E_TIMEOUT. */
enum leat_status leat_drive_wait(struct leat_request *r, int64_t timeout_ns, const struct leat_event **ret,
				 struct leat_error *err);

/* E_BUSY: runs already. E_LIMIT: no thread to be had. */
enum leat_status leat_drive_start(struct leat_engine *e, struct leat_error *err);
void leat_drive_stop(struct leat_engine *e); /* not running: fine */
/* An eventfd that counts up with every turn that published events; made at the first call. E_LIMIT. */
enum leat_status leat_drive_fd(struct leat_engine *e, int *ret, struct leat_error *err);

/* ---- turn.c: with the baton in hand ---- */

/* One round: look at what was asked for, admit, run one step, publish. 0: there is nothing to do. */
int leat_engine_turn(struct leat_engine *e);

#endif
