/* bench_log.h - a log of measurements, a JSON object per line (U59): what was measured, the medians, and the hash of
 * what was written, which must not change unless that is announced. */
#ifndef LEAT_CLI_BENCH_LOG_H
#define LEAT_CLI_BENCH_LOG_H

#include "bench_baseline.h"

/* Appends an entry to --log FILE. hash "": nothing was written that could be compared. The last entry of the same
 * setting that was accepted holds the hash to compare with; --title says what the run is about, --new-hash that the
 * hash may change. EXIT_VERDICT when it changed all the same. Without --log: 0. */
int bench_log_add(struct cli *c, const struct bench_setting *s, const char *time, const char *hash,
		  const struct leat_figure *figure, int n);

#endif
