/* drive.c - the baton, the bell, and waiting for an event. */
#include "engine/drive.h"

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/thread.h"
#include "engine/request.h"

int leat_drive_init(struct leat_engine *e)
{
	struct leat_driver *d = &e->driver;
	atomic_init(&d->fd, -1);
	if (pthread_mutex_init(&d->baton, NULL))
		return 1;
	if (pthread_mutex_init(&d->gate, NULL)) {
		pthread_mutex_destroy(&d->baton);
		return 1;
	}
	d->made = 1;
	return 0;
}

void leat_drive_deinit(struct leat_engine *e)
{
	struct leat_driver *d = &e->driver;
	if (!d->made)
		return;
	if (atomic_load(&d->fd) >= 0)
		close(atomic_load(&d->fd));
	pthread_mutex_destroy(&d->gate);
	pthread_mutex_destroy(&d->baton);
}

/* Lets go of the baton. What was rung for while it was held is looked at, since others could not. */
static void let_go(struct leat_engine *e)
{
	struct leat_driver *d = &e->driver;
	for (;;) {
		pthread_mutex_unlock(&d->baton);
		/* adding nothing is a read that no earlier write can be delayed behind */
		if (atomic_fetch_add(&d->bell, 0) == atomic_load(&d->seen) || pthread_mutex_trylock(&d->baton))
			return;
		leat_schedule_attend(e);
		leat_schedule_sweep(e);
	}
}

/* Gives back the reference that kept a request while it was woken; the last one of a session's wants the baton. */
static void forget(struct leat_engine *e, struct leat_request *r)
{
	if (!r->session) {
		leat_request_drop(r);
		return;
	}
	leat_drive_lock(e);
	leat_request_drop(r);
	let_go(e);
}

/* Wakes one reader that waits, who drives on, unless somebody drives already. Whoever lets go of the baton while there
 * is work comes by here; so does whoever makes work. The reader is woken after the baton is free: one that found it
 * taken would sleep again. */
static void pass_on(struct leat_engine *e)
{
	struct leat_driver *d = &e->driver;
	while (atomic_fetch_add(&d->n_waiters, 0) > 0 && !atomic_load(&d->runs) && !pthread_mutex_trylock(&d->baton)) {
		leat_schedule_attend(e);
		leat_schedule_sweep(e);
		struct leat_request *r = leat_schedule_sleeper(e);
		if (r)
			atomic_fetch_add(&r->refs, 1);
		let_go(e);
		if (r) {
			int again = r->session != NULL; /* forgetting it kept the baton from others once more */
			leat_stream_wake(&r->out);
			forget(e, r);
			if (!again)
				return;
		}
		sched_yield(); /* it is about to wake or to sleep */
	}
}

void leat_drive_lock(struct leat_engine *e)
{
	struct leat_driver *d = &e->driver;
	atomic_fetch_add(&d->wanting, 1);
	pthread_mutex_lock(&d->gate);
	pthread_mutex_lock(&d->baton);
	pthread_mutex_unlock(&d->gate);
	atomic_fetch_sub(&d->wanting, 1);
}

void leat_drive_unlock(struct leat_engine *e)
{
	let_go(e);
	leat_drive_ring(e); /* a sequence may have become free */
}

static void ring(struct leat_engine *e)
{
	struct leat_driver *d = &e->driver;
	atomic_fetch_add(&d->bell, 1);
	if (atomic_load(&d->asleep))
		leat_futex_wake(&d->bell);
}

void leat_drive_ring(struct leat_engine *e)
{
	ring(e);
	pass_on(e);
}

void leat_drive_poke(struct leat_request *r)
{
	ring(r->engine);
	leat_stream_wake(&r->out);
}

void leat_drive_attend(struct leat_engine *e)
{
	leat_drive_ring(e);
	if (pthread_mutex_trylock(&e->driver.baton))
		return;
	leat_schedule_attend(e);
	leat_schedule_sweep(e);
	let_go(e);
	pass_on(e); /* somebody may have found the baton taken meanwhile */
}

/* Those at the gate have the baton, or had it, when this returns. */
static void give_way(struct leat_engine *e)
{
	pthread_mutex_unlock(&e->driver.baton);
	pthread_mutex_lock(&e->driver.gate);
	pthread_mutex_unlock(&e->driver.gate);
}

/* ---- readers ---- */

enum outcome { RAN, IDLE, GAVE_WAY };

/* Runs steps until r has an event. *ret_bell: as it was before the last turn. */
static enum outcome drive(struct leat_engine *e, struct leat_request *r, uint64_t until, uint32_t *ret_bell)
{
	struct leat_driver *d = &e->driver;
	for (;;) {
		*ret_bell = atomic_load(&d->bell);
		int moved = leat_engine_turn(e);
		if (leat_stream_ready(&r->out))
			return RAN;
		if (!moved)
			return IDLE;
		if (atomic_load_explicit(&d->wanting, memory_order_relaxed)) {
			give_way(e);
			return GAVE_WAY;
		}
		if (atomic_load_explicit(&d->runs, memory_order_relaxed) ||
		    (until != UINT64_MAX && leat_now_ns() >= until))
			return RAN;
	}
}

static int64_t time_left(uint64_t until)
{
	uint64_t now = leat_now_ns();
	uint64_t left = until > now ? until - now : 0;
	return until == UINT64_MAX ? -1 : left < INT64_MAX ? (int64_t)left : INT64_MAX;
}

/* Sleeps until something happens to r. With the baton in hand (idle): unless the bell was rung since `bell`. */
static void sleep_for(struct leat_engine *e, struct leat_request *r, uint64_t until, int idle, uint32_t bell)
{
	struct leat_driver *d = &e->driver;
	uint32_t word = atomic_load(&r->out.wake);
	int sleep = 1;
	atomic_store(&r->out.waiting, 1);
	atomic_fetch_add(&d->n_waiters, 1);
	if (idle) {
		until = e->sched.next_deadline < until ? e->sched.next_deadline : until;
		let_go(e);
		sleep = atomic_fetch_add(&d->bell, 0) == bell;
	} else if (!atomic_load(&d->runs) && !pthread_mutex_trylock(&d->baton)) {
		let_go(e); /* it became free meanwhile */
		sleep = 0;
	}
	if (sleep && !leat_stream_ready(&r->out))
		leat_futex_wait(&r->out.wake, word, time_left(until));
	atomic_fetch_sub(&d->n_waiters, 1);
	atomic_store(&r->out.waiting, 0);
}

/* Moves things on for r. 1 if this thread slept, so that the baton may have been passed to it. */
static int run_or_sleep(struct leat_engine *e, struct leat_request *r, uint64_t until)
{
	struct leat_driver *d = &e->driver;
	uint32_t bell = 0;
	if (atomic_load(&d->runs) || pthread_mutex_trylock(&d->baton)) {
		sleep_for(e, r, until, 0, 0);
		return 1;
	}
	switch (drive(e, r, until, &bell)) {
	case IDLE:
		sleep_for(e, r, until, 1, bell);
		return 1;
	case RAN:
		let_go(e);
		pass_on(e);
		return 0;
	case GAVE_WAY:
		break;
	}
	return 1;
}

enum leat_status leat_drive_wait(struct leat_request *r, int64_t timeout_ns, const struct leat_event **ret,
				 struct leat_error *err)
{
	struct leat_engine *e = r->engine;
	uint64_t until = timeout_ns > 0 ? leat_now_ns() + (uint64_t)timeout_ns : UINT64_MAX;
	int slept = 0, tried = 0, starved;
	for (;;) {
		const struct leat_event *ev = leat_stream_take(&r->out, &starved);
		if (starved)
			leat_drive_ring(e);
		int late = !ev && timeout_ns >= 0 && (!timeout_ns || (tried && leat_now_ns() >= until));
		if ((ev || late) && slept)
			pass_on(e);
		if (late)
			return leat_fail(err, LEAT_E_TIMEOUT, "timeout_ns", LEAT_NO_OFFSET, "no event within %lld ns",
					 (long long)timeout_ns);
		if (ev) {
			*ret = ev;
			return LEAT_OK;
		}
		slept |= run_or_sleep(e, r, until);
		tried = 1;
	}
}

/* ---- the engine's own thread ---- */

static void *run_thread(void *arg)
{
	struct leat_engine *e = arg;
	struct leat_driver *d = &e->driver;
	leat_drive_lock(e);
	while (!atomic_load(&d->stop)) {
		uint32_t bell = atomic_load(&d->bell);
		if (leat_engine_turn(e)) {
			if (atomic_load_explicit(&d->wanting, memory_order_relaxed)) {
				give_way(e);
				leat_drive_lock(e);
			}
			continue;
		}
		uint64_t until = e->sched.next_deadline;
		pthread_mutex_unlock(&d->baton);
		atomic_store(&d->asleep, 1);
		if (atomic_fetch_add(&d->bell, 0) == bell && !atomic_load(&d->stop))
			leat_futex_wait(&d->bell, bell, time_left(until));
		atomic_store(&d->asleep, 0);
		leat_drive_lock(e);
	}
	let_go(e);
	return NULL;
}

enum leat_status leat_drive_start(struct leat_engine *e, struct leat_error *err)
{
	struct leat_driver *d = &e->driver;
	if (atomic_exchange(&d->runs, 1))
		return leat_fail(err, LEAT_E_BUSY, "engine", LEAT_NO_OFFSET, "the engine's thread runs already");
	atomic_store(&d->stop, 0);
	int rc = leat_thread_start(&d->thread, run_thread, e);
	if (!rc)
		return LEAT_OK;
	atomic_store(&d->runs, 0);
	pass_on(e);
	return leat_fail(err, LEAT_E_LIMIT, "engine", LEAT_NO_OFFSET, "no thread for the engine (error %d)", rc);
}

void leat_drive_stop(struct leat_engine *e)
{
	struct leat_driver *d = &e->driver;
	if (!atomic_load(&d->runs) || atomic_exchange(&d->stop, 1))
		return;
	ring(e);
	pthread_join(d->thread, NULL);
	atomic_store(&d->runs, 0);
	pass_on(e);
}

enum leat_status leat_drive_fd(struct leat_engine *e, int *ret, struct leat_error *err)
{
	struct leat_driver *d = &e->driver;
	int none = -1;
	if (atomic_load(&d->fd) < 0) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fd < 0)
			return leat_fail(err, LEAT_E_LIMIT, "eventfd", LEAT_NO_OFFSET, "no eventfd (error %d)", errno);
		if (!atomic_compare_exchange_strong(&d->fd, &none, fd))
			close(fd); /* another thread was faster */
	}
	*ret = atomic_load(&d->fd);
	return LEAT_OK;
}
