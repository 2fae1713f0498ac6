/* bench_baseline.h - results beside those of an earlier run, kept as JSON (R99, R114). */
#ifndef LEAT_CLI_BENCH_BASELINE_H
#define LEAT_CLI_BENCH_BASELINE_H

#include "bench/report.h"
#include "bench_print.h"
#include "cli.h"

struct bench_baseline;

/* What has to be equal for figures to be comparable: what was measured, of which model, how. */
struct bench_setting {
	const char *mode, *path, *kv_type; /* mode "": the table of tokens per second; of a path the last part counts */
	int n_threads, n_batch, n_prompt, n_gen, n_requests, n_parallel;
};

/* Reads --baseline, whole. *ret NULL when there is none. 0, or the exit code after the error was printed. */
int bench_baseline_open(struct cli *c, struct bench_baseline **ret);
/* Notes one figure of this run. NULL b: nothing. */
void bench_baseline_add(struct bench_baseline *b, const struct bench_setting *s, const struct leat_figure *f);
/* Prints what has changed. EXIT_VERDICT when something is worse than before by more than noise and --max-regress,
 * EXIT_DATA when nothing could be compared. NULL b: 0. Closes b. */
int bench_baseline_end(struct cli *c, struct bench_baseline *b, enum bench_form form);
/* leat bench compare OLD NEW: the same between two files. The exit code. */
int bench_compare(struct cli *c);
void bench_baseline_close(struct bench_baseline *b); /* NULL allowed */

#endif
