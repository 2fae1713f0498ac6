/* mode_memory.c - how memory grows with the tokens of a sequence, predicted and measured (R53, R107, R108).
 *
 * One sequence takes 1,000 tokens of prompt, then 1,000 one by one, as R107 wants it, and goes on in steps of a prompt;
 * the table is filled in on the way. Huge pages are off, so that the system hands out no more than was asked for.
 *
 * Then the file is opened once more, asked for a token and closed, watching the process: what loading takes at most,
 * and what is left of it afterwards (R46). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/meminfo.h"
#include "bench/bench_pp.h"
#include "bench/mode.h"
#include "engine/engine.h"

enum { PROMPT = 1000, GENERATED = 1000, MAX_STEP = 8192 };

static const int points[] = { 0, 1024, PROMPT + GENERATED, 4096, 10240, 32768 };

struct growth {
	struct leat_bench_job *j;
	struct leat_engine *e;
	struct leat_seq seq;
	int32_t tokens[MAX_STEP];
	struct leat_error *err;
};

/* Single tokens between PROMPT and PROMPT + GENERATED, and the first one: both states of a recurrent model are in use
 * from the second step on, however few tokens there are. */
static int step_size(const struct growth *g, int n_past, int to)
{
	int edge = n_past < PROMPT && to > PROMPT ? PROMPT : to;
	int most = g->e->n_batch < MAX_STEP ? g->e->n_batch : MAX_STEP;

	if (!n_past || (n_past >= PROMPT && n_past < PROMPT + GENERATED))
		return 1;
	return edge - n_past < most ? edge - n_past : most;
}

static enum leat_status grow_to(struct growth *g, int n_tokens)
{
	while (g->seq.n_past < n_tokens) {
		int n = step_size(g, (int)g->seq.n_past, n_tokens);
		struct leat_feed f = { .seq = &g->seq, .tokens = g->tokens, .n_tokens = n, .want = LEAT_WANT_LAST };

		LEAT_TRY(leat_bench_go_on(g->j, g->err));
		leat_bench_prompt(g->j, (uint64_t)g->seq.n_past, g->tokens, n);
		LEAT_TRY(leat_engine_step(g->e, &f, 1, g->err));
	}
	return LEAT_OK;
}

static void add(struct leat_report *p, const char *what, int n_tokens, uint64_t bytes)
{
	char name[LEAT_FIGURE_NAME];

	snprintf(name, sizeof(name), "%s @ %d", what, n_tokens);
	leat_report_add(p, name, "bytes", LEAT_BETTER_LESS, (double)bytes);
}

/* 2 % of a state, or a few pages of the system where a state is smaller than that. */
static int agree(uint64_t a, uint64_t b)
{
	uint64_t apart = a > b ? a - b : b - a;

	return apart * 50 <= a || apart <= 16384;
}

static void look(struct growth *g, int n_tokens)
{
	struct leat_report *p = g->j->report;
	struct leat_memory_info m = { .struct_size = sizeof(m) };
	uint64_t want = leat_engine_predict_bytes(g->e, (uint64_t)n_tokens, 1), total;
	int window = leat_engine_window(g->e), bound = window && n_tokens > window, ok;

	leat_engine_get_memory(g->e, &m);
	total = m.weights_bytes + m.copies_bytes + m.resident_bytes + m.scratch_bytes + m.books_bytes;
	/* with a window the pages of the largest steps are predicted, and steps may be smaller */
	ok = agree(want, m.resident_bytes) || (bound && m.resident_bytes <= want);
	add(p, "state predicted", n_tokens, want);
	add(p, "state measured", n_tokens, m.resident_bytes);
	add(p, "total", n_tokens, total);
	leat_report_add(p, "process", "bytes", LEAT_BETTER_NEITHER, (double)m.process_bytes);
	leat_report_remark(p,
			   "%6d tokens: state predicted %12" PRIu64 ", measured %12" PRIu64 ", total %14" PRIu64 "%s",
			   n_tokens, want, m.resident_bytes, total,
			   !ok ? "  WRONG by more than 2 %" : bound ? " (at most)" : "");
	p->wrong |= !ok;
}

static void parts(struct growth *g)
{
	struct leat_report *p = g->j->report;
	struct leat_memory_info m = { .struct_size = sizeof(m) };

	leat_engine_get_memory(g->e, &m);
	leat_report_add(p, "weights", "bytes", LEAT_BETTER_LESS, (double)m.weights_bytes);
	leat_report_add(p, "copies of weights", "bytes", LEAT_BETTER_LESS, (double)m.copies_bytes);
	leat_report_add(p, "scratch", "bytes", LEAT_BETTER_LESS, (double)m.scratch_bytes);
	leat_report_add(p, "books", "bytes", LEAT_BETTER_LESS, (double)m.books_bytes);
	leat_report_add(p, "growth per token", "bytes", LEAT_BETTER_LESS, (double)m.token_bytes);
	leat_report_add(p, "recurrent states per sequence", "bytes", LEAT_BETTER_LESS, (double)m.sequence_bytes);
}

static enum leat_status measure(struct growth *g)
{
	struct leat_bench_job *j = g->j;
	char hex[65];

	for (int i = 0; i < j->n_points; i++) {
		LEAT_TRY(grow_to(g, j->point[i]));
		look(g, j->point[i]);
	}
	parts(g);
	leat_seq_reset(g->e, &g->seq);
	LEAT_TRY(leat_bench_tokens_sha256(g->e, j->info.n_vocab, hex, g->err));
	leat_report_hex(j->report, "tokens_sha256", hex);
	return LEAT_OK;
}

/* The aims of R46, and what a program takes however small its model is: threads, tables, the C library's reserves. */
static void judge_loading(struct leat_report *p, uint64_t file, uint64_t most, uint64_t left)
{
	static const uint64_t small = (uint64_t)16 << 20;
	int ok = most <= file + file / 10 + small && left <= file / 100 + small;

	leat_report_add(p, "file", "bytes", LEAT_BETTER_NEITHER, (double)file);
	leat_report_add(p, "peak while loading", "bytes", LEAT_BETTER_LESS, (double)most);
	leat_report_add(p, "left after closing", "bytes", LEAT_BETTER_LESS, (double)left);
	leat_report_remark(p, "loading and a token: %" PRIu64 " bytes at most for a file of %" PRIu64 " (%.1f %%), %"
			   PRIu64 " left%s", most, file, 100.0 * (double)most / (double)file, left,
			   ok ? "" : "  MORE than a tenth above the file");
	p->wrong |= !ok;
}

static enum leat_status loading(struct leat_bench_job *j, struct leat_error *err)
{
	struct leat_model *m;
	struct leat_engine *e = NULL;
	struct leat_engine_params p = j->engine;
	struct leat_model_info info = { .struct_size = sizeof(info) };
	uint64_t before = leat_process_bytes(), most, after;

	if (!before || leat_process_forget_peak()) {
		leat_report_remark(j->report, "loading: this system does not tell");
		return LEAT_OK;
	}
	LEAT_TRY(leat_model_open(j->path, j->open, &m, err));
	leat_model_get_info(m, &info);
	p.n_ctx = j->info.recurrent ? 0 : 128;
	enum leat_status s = leat_engine_create(m, &p, &e, err);
	int32_t id;
	int n;
	if (!s) /* mapped weights are not there before they are read */
		s = leat_bench_ask(j, e, 0, 2, 1, &id, &n, err);
	leat_engine_unref(e);
	leat_model_unref(m);
	most = leat_process_peak_bytes();
	after = leat_process_bytes();
	if (!s)
		judge_loading(j->report, info.file_bytes, most > before ? most - before : 0,
			      after > before ? after - before : 0);
	return s;
}

/* What states take beside a cache that sets the whole context aside for each sequence (R52). */
static void beside_naive(struct leat_bench_job *j)
{
	enum { SEQS = 8, TOKENS = 2000 };
	uint64_t weights = j->info.file_bytes, token = j->info.kv_bytes_per_token, naive, ours;

	if (!token || j->info.n_ctx_train < TOKENS)
		return;
	naive = weights + (uint64_t)SEQS * (uint64_t)j->info.n_ctx_train * token;
	ours = weights + (uint64_t)SEQS * TOKENS * token;
	leat_report_remark(j->report, "%d sequences of %d tokens: %" PRIu64 " bytes in f16 pages, %" PRIu64
			   " with whole contexts set aside: %.0f %% less", SEQS, TOKENS, ours, naive,
			   100.0 * (1 - (double)ours / (double)naive));
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	struct growth g = { .j = j, .err = err };
	char opts[1024];
	int most;
	enum leat_status s;

	if (!j->n_points) {
		j->n_points = (int)(sizeof(points) / sizeof(points[0]));
		memcpy(j->point, points, sizeof(points));
	}
	if (snprintf(opts, sizeof(opts), "%s%shugepages=off", j->engine.opts ? j->engine.opts : "",
		     j->engine.opts ? "," : "") >= (int)sizeof(opts))
		return leat_fail(err, LEAT_E_ARG, "opt", LEAT_NO_OFFSET, "too many switches");
	j->engine.opts = opts;
	most = j->point[j->n_points - 1] > 128 ? j->point[j->n_points - 1] : 128;
	s = leat_bench_engine(j, 2, most, &g.e, err); /* a second sequence, for the hash */
	j->engine.opts = NULL;
	LEAT_TRY(s);
	s = leat_seq_open(g.e, &g.seq, err);
	if (!s) {
		s = measure(&g);
		leat_seq_close(g.e, &g.seq);
	}
	leat_engine_unref(g.e);
	leat_report_add(j->report, "peak memory", "bytes", LEAT_BETTER_LESS, (double)leat_bench_peak_rss_bytes());
	if (!s)
		s = loading(j, err);
	beside_naive(j);
	return s;
}

const struct leat_bench leat_bench_memory = {
	.name = "memory",
	.summary = "memory at 0, 1K, 2000, 4K, 10K and 32K tokens, predicted and measured; and while loading",
	.run = run,
};
