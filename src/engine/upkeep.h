/* upkeep.h - housekeeping between turns: what memory is kept, and how much of it when memory is short.
 *
 * Looked at after a turn has handed out its tokens, never inside a step: every so many steps, or (auto) every half
 * second. Upkeep gives idle scratch back to the system. When less memory is free than a thirty-second of all (at most a
 * GiB, at least 64 MiB), every look also halves what the plan and prefix caches hold and gives back what the store does
 * not use; that ends when half as much again is free. Auto does nothing at all while memory is plenty. */
#ifndef LEAT_ENGINE_UPKEEP_H
#define LEAT_ENGINE_UPKEEP_H

#include <stdatomic.h>
#include <stdint.h>

struct leat_engine;

enum { LEAT_MAINTAIN_AUTO = 0, LEAT_MAINTAIN_OFF = -1 }; /* > 0: every so many steps */

/* Where memory is read: all of it, and what is free. UINT64_MAX: not known. */
typedef void leat_memory_fn(void *user, uint64_t *ret_total_bytes, uint64_t *ret_free_bytes);

struct leat_upkeep {
	int maintain;
	leat_memory_fn *memory;    /* tests put their own here */
	void *user;
	uint64_t next_ns, next_step;
	int pressed;               /* memory is short */
	/* any thread */
	_Atomic uint64_t n_looks, n_runs, n_pressed, freed_bytes;
};

void leat_upkeep_init(struct leat_upkeep *u, int maintain);
/* The driver, after a turn; now: of the clock. */
void leat_upkeep_turn(struct leat_engine *e, uint64_t now);

#endif
