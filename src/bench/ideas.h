/* ideas.h - what leat bench ideas tries: rows of ideas.def and what their settings mean. */
#ifndef LEAT_BENCH_IDEAS_H
#define LEAT_BENCH_IDEAS_H

#include "bench/mode.h"

enum leat_idea_measure {
	LEAT_IDEA_NONE, LEAT_IDEA_DECODE, LEAT_IDEA_PROMPT, LEAT_IDEA_BATCH, LEAT_IDEA_PAIR, LEAT_IDEA_MIX,
	LEAT_IDEA_FIRST, LEAT_IDEA_LOAD, LEAT_IDEA_PREFIX, LEAT_IDEA_COUNT
};

struct leat_idea {
	const char *id;
	enum leat_idea_measure measure;
	const char *what, *authors, *on, *off, *note;
};
extern const struct leat_idea leat_ideas[];
extern const int leat_n_ideas;

/* One side of a comparison. */
struct leat_idea_side {
	struct leat_engine_params engine;
	struct leat_model_params open;
	int n_parallel;
	char opts[2048];  /* engine.opts points here, or at the job's */
};

/* The job's own setting, and `settings` over it. 0; 1: a word of it names nothing in this build, and is in why. */
int leat_idea_side(const struct leat_bench_job *j, const char *settings, struct leat_idea_side *ret, char why[64]);

/* 1: `settings` sets the switch of that name by name. */
int leat_idea_names(const char *settings, const char *opt);

#endif
