/* hooks.h - the hooks of a request, and calling them with its rows of a step. */
#ifndef LEAT_ENGINE_HOOKS_H
#define LEAT_ENGINE_HOOKS_H

#include "leat/leat.h"
#include "plan/step.h"

struct leat_engine;

enum { LEAT_MAX_HOOKS = 64 };

/* What a request hooks. Its mask is what the plan depends on; who is called with what is not. */
struct leat_hook_set {
	uint64_t mask; /* points, as in leat_plan_key.hooks */
	int n;
	struct leat_hook_use {
		uint64_t mask;
		int layer; /* -1: all */
		leat_hook_fn *fn;
		void *user;
	} use[];
};

/* NULL for n 0; free(). E_NOTFOUND: no such point; E_ARG: no function, or no such layer; E_LIMIT; E_UNSUPPORTED: by the
 * device; E_NOMEM. */
enum leat_status leat_hooks_create(struct leat_engine *e, const struct leat_hook *hooks, int32_t n,
				   struct leat_hook_set **ret, struct leat_error *err);

/* leat_step_hook_fn; arg: the engine. */
void leat_hooks_call(void *arg, const struct leat_step_call *call);

#endif
