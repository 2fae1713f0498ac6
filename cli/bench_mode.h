/* bench_mode.h - the modes of leat bench (src/bench/mode.h) on the command line, and what they share with the table of
 * tokens per second. */
#ifndef LEAT_CLI_BENCH_MODE_H
#define LEAT_CLI_BENCH_MODE_H

#include "bench/mode.h"
#include "cli.h"

enum { BENCH_MAX_LIST = 64 };

struct bench_ints {
	int v[BENCH_MAX_LIST], n;
};

/* "512,128", and that several times. 0, or the exit code after the error was printed. */
int bench_get_ints(struct cli *c, enum cli_option o, struct bench_ints *ret);
/* The flags that say how an engine computes. */
void bench_engine_params(const struct cli *c, int n_threads, int n_batch, struct leat_engine_params *p);
/* UTC, ISO 8601. */
void bench_now_text(char buf[32]);
/* leat_bench_stop_fn: was there a signal? */
int bench_stop(void *user);

/* The mode of that name, or NULL. */
const struct leat_bench *bench_find_mode(const char *name);
/* Runs it on every model; the exit code. */
int bench_run_mode(struct cli *c, const struct leat_bench *mode);

/* ---- bench_report.c ---- */
struct bench_result {
	const char *mode, *path, *kv_type, *workload; /* workload "": none */
	struct leat_model_info info;
	struct leat_engine_info engine;
	struct leat_bench_sizes size;
	char test_time[32];
	const struct leat_report *report;
};
/* A table for people, or one JSON object. 0, or the exit code after the error was printed. */
int bench_print_result(struct cli *c, const struct bench_result *r, int json);
/* The same as a row of one table for all models; first: with its head. */
int bench_print_table_row(struct cli *c, const struct bench_result *r, int first);

#endif
