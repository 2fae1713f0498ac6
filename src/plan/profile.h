/* profile.h - when each op of a step ran. A backend fills one in for every step while it is asked to (backend.h); while
 * it is not, steps take no times at all. */
#ifndef LEAT_PLAN_PROFILE_H
#define LEAT_PLAN_PROFILE_H

#include <stdint.h>

#include "plan/weight.h"

/* Times of one thread, the one that submitted: an op that others share takes as long for it as for them. From ended_ns
 * to the began_ns of the next it waited for others. */
struct leat_op_time {
	int kind;                    /* enum leat_op_kind; -1: the backend's own work, to prepare what ops read */
	int layer, part;             /* as in struct leat_op */
	const struct leat_weight *w; /* NULL: none */
	uint64_t began_ns, ended_ns; /* clock of base/clock.h */
};

struct leat_profile {
	struct leat_op_time *at;     /* [cap], the owner's */
	int cap;
	int n;                       /* of the last step, in the order that they ran */
	int n_lost;                  /* ops that did not fit */
	uint64_t began_ns, ended_ns; /* of the whole step on the device */
};

#endif
