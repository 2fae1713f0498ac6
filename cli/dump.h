/* dump.h - leat logits --layer-dump and --layer-compare: what a model computes at its named points for the last token,
 * shown, or held against what another program or build computed there. */
#ifndef LEAT_CLI_DUMP_H
#define LEAT_CLI_DUMP_H

#include "cli.h"

enum { DUMP_VALUES = 16, DUMP_MAX_HOOKS = 64 };

/* The last token's row at a point of a layer. */
struct dump_row {
	char point[32];
	int layer, width, n;       /* -1: outside of the layers; n values are kept, the first of the row */
	double value[DUMP_VALUES];
	double norm;               /* Euclidean, of all of the row */
};

struct dump {
	struct cli *c;
	char *names;               /* the list, cut up */
	struct leat_hook hook[DUMP_MAX_HOOKS];
	int n_hooks;
	int64_t last;              /* position of the last token */
	struct dump_row *row, *want; /* in the order of the step; of --layer-compare */
	size_t n, cap, n_want, cap_want;
	int out_of_memory;
};

/* Lists the points of a model. */
int dump_points(struct cli *c, struct leat_model *m);
/* Takes the list of points and the file to compare with, as far as they were given. 0, or the exit code. */
int dump_open(struct dump *d, struct cli *c, int64_t n_tokens);
void dump_close(struct dump *d);
/* Prints what was seen, or how it compares: EXIT_VERDICT when a point is beyond max_e. */
int dump_finish(struct dump *d, double max_e);

#endif
