/* life.h - all of a model's and an engine's life in one call: opened, asked in every way, saved, loaded, closed. Tests
 * of torture live it once for every call of the system that may fail. */
#ifndef LEAT_TORTURE_LIFE_H
#define LEAT_TORTURE_LIFE_H

#include "support/answers.h"

struct life {
	const char *file;
	int32_t load_mode, n_threads;
	/* May the call that is tormented end so? */
	int (*is_expected)(enum leat_status st);
	void (*begin)(void);       /* from now on calls are counted, and may fail */
	void (*pause)(int paused); /* 1: for a while they do not, since what comes must work whatever failed before */
	const char *(*what)(void); /* which failure it is about, for messages */

	/* made by the first life, which nothing disturbs */
	int is_known;
	struct answer whole, session, batch;
	int n_wrong_way; /* calls that ended with an error */
};

/* One life. Fails the test when a call ends in an unexpected way, when an answer that is said to be whole differs from
 * that of the first life, or when the engine does not work any more while faults pause. */
void life_live(struct life *l);

#endif
