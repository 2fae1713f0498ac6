/* worlds.h - a model, a dozen requests on it, and what each of them gives alone: what tests of company compare with. */
#ifndef LEAT_SUPPORT_WORLDS_H
#define LEAT_SUPPORT_WORLDS_H

#include "support/answers.h"

enum { WORLD_KINDS = 12, WORLD_MOST_PROMPT = 150, WORLD_N_CTX = 256 };

struct world {
	struct leat_model *m;
	int32_t prompt[WORLD_KINDS][WORLD_MOST_PROMPT];
	struct leat_request_params p[WORLD_KINDS];
	struct answer want[WORLD_KINDS];
	int mode;
	const char *kv_type; /* of the cache; NULL: the usual one */
};

/* Small models of every architecture: the i-th file's path (lent until the call after next), NULL where it is not
 * there. The first WORLD_DEMOS belong to this repository, the others to the oracle. */
enum { WORLD_DEMOS = 2, WORLD_FILES = 12 };
const char *world_file(int i);
const char *world_name(int i);

/* Opens the model and runs each request alone, on one thread; fails the test on any error. In default mode requests
 * are greedy, so that ids can be judged by the rule of NUMERICS section 2. */
struct world *world_open(const char *path, int mode);
struct world *world_open_cache(const char *path, int mode, const char *kv_type);
void world_close(struct world *w);

struct leat_engine *world_engine(const struct world *w, const struct leat_engine_params *p);

/* Is this an answer to the request of that kind? NULL, or what is wrong (static): bit for bit in deterministic mode, by
 * the rule for ids otherwise. */
const char *world_judge(const struct world *w, int kind, const struct answer *got);

/* A generator of numbers below n, and where to begin for the number that a user gives: neighbours begin unalike. */
unsigned world_mix(unsigned seed);
unsigned world_draw(unsigned *seed, unsigned n);

/* A new empty folder: its path (static), and its end with all files in it. */
const char *world_folder(void);
void world_remove(const char *folder);

/* The number in an environment variable. */
unsigned world_number(const char *name, unsigned otherwise);

#endif
