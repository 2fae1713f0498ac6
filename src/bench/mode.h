/* mode.h - a kind of measurement of leat bench: one file mode_NAME.c, one descriptor leat_bench_NAME each. */
#ifndef LEAT_BENCH_MODE_H
#define LEAT_BENCH_MODE_H

#include "base/err.h"
#include "bench/report.h"
#include "bench/workload.h"

/* How much is measured. 0 in a mode's own sizes: the mode does not use it. */
struct leat_bench_sizes {
	int n_requests, n_parallel; /* prompts of one run; sequences that go together */
	int n_prompt, n_gen;        /* tokens of each prompt and each answer */
	int n_repeat, n_warmup;     /* measured and unmeasured runs */
};

enum { LEAT_BENCH_MAX_POINTS = 64 };

struct leat_bench_job {
	const char *path;                      /* of the model, for modes that open it themselves */
	const struct leat_model_params *open;  /* how it was opened */
	struct leat_model *model;
	struct leat_model_info info;
	struct leat_engine_params engine;      /* modes set n_seqs and n_ctx */
	struct leat_bench_sizes size;          /* all >= 1 where the mode uses them, n_warmup >= 0 */
	int point[LEAT_BENCH_MAX_POINTS];      /* tokens, ascending; the mode's own where n_points is 0 */
	int n_points;
	/* Requests of different lengths, for modes that take them; NULL: all as size says. size then has their number
	 * and the longest. */
	const struct leat_workload *workload;
	const char *workload_name;             /* "" without one */
	const char *only;                      /* ideas: the one that is wanted; NULL: all */
	const char *scratch;                   /* folder for files of the run; NULL: "/tmp" */
	int keep_prompts;                      /* 1: leat_bench_submit lets the prefix cache have them */
	int (*stop)(void *user);               /* nonzero gives up with E_CANCELLED; NULL: never */
	void *user;
	struct leat_engine_info ran;           /* filled by leat_bench_engine */
	struct leat_report *report;
};

struct leat_bench {
	const char *name, *summary;
	struct leat_bench_sizes size;          /* the protocol's */
	int one_table;                         /* models are rows of one table: every model gives the same figures */
	enum leat_status (*run)(struct leat_bench_job *j, struct leat_error *err);
	int takes_workload;                    /* 1: job.workload may be there */
};
extern const struct leat_bench *const leat_bench_list[]; /* generated, NULL at the end */

/* ---- ask.c: what modes share ---- */

/* E_CANCELLED when the user wants to leave. */
enum leat_status leat_bench_go_on(const struct leat_bench_job *j, struct leat_error *err);

/* Tokens of request i of the job. */
int leat_bench_prompt_of(const struct leat_bench_job *j, int i);
int leat_bench_gen_of(const struct leat_bench_job *j, int i);

/* An engine for n_seqs sequences of n_ctx tokens. */
enum leat_status leat_bench_engine(struct leat_bench_job *j, int n_seqs, int n_ctx, struct leat_engine **ret,
				   struct leat_error *err);

/* Pseudo-random ids, the same for the same `which` on every run: no text is needed. */
void leat_bench_prompt(const struct leat_bench_job *j, uint64_t which, int32_t *ids, int n);

/* Submits prompt `which` of n_prompt tokens: greedy, exactly n_gen tokens, past the model's end if it comes. */
enum leat_status leat_bench_submit(struct leat_bench_job *j, struct leat_engine *e, uint64_t which, int n_prompt,
				   int n_gen, struct leat_request **ret, struct leat_error *err);

/* Reads a request to its end, or until the user wants to leave: at most `cap` ids into ids[], how many came into
 * *ret_n. */
enum leat_status leat_bench_drain(const struct leat_bench_job *j, struct leat_request *r, int32_t *ids, int cap,
				  int *ret_n, struct leat_error *err);

/* The first three together. */
enum leat_status leat_bench_ask(struct leat_bench_job *j, struct leat_engine *e, uint64_t which, int n_prompt,
				int n_gen, int32_t *ids, int *ret_n, struct leat_error *err);

#endif
