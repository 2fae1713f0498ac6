/* bench_print.h - results of leat bench as a table, JSON, JSON lines or CSV, with llama-bench's names. */
#ifndef LEAT_CLI_BENCH_PRINT_H
#define LEAT_CLI_BENCH_PRINT_H

#include "bench/bench_pp.h"
#include "leat/leat.h"

enum bench_form { BENCH_MD, BENCH_JSON, BENCH_JSONL, BENCH_CSV }; /* as in options.def */

struct bench_printer {
	enum bench_form form;
	int deterministic, poll_us, show_batch, show_type, n_rows, begun;
	const char *opts;  /* NULL: all defaults */
	struct {
		char label[120], sha[65];
	} hash[16];        /* distinct ones, printed under the table */
	int n_hashes;
};

struct bench_row {
	const char *path, *kv_type;
	struct leat_model_info info;
	struct leat_engine_info engine;
	struct leat_bench_test test;
	char test_time[32], tokens_sha256[65];
	const uint64_t *ns;
	int n_ns;
};

/* "pp512", "tg128 @ d4096" */
void bench_test_name(const struct leat_bench_test *t, char buf[48]);
void bench_print_begin(struct bench_printer *p);
void bench_print_row(struct bench_printer *p, const struct bench_row *r);
void bench_print_end(struct bench_printer *p);

#endif
