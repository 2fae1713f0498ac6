/* mode_bandwidth.c - bytes that a decoded token moves, and how near that comes to what memory can give (R109).
 *
 * Bytes are counted from shapes, not measured: weights once, the cache's rows or the recurrent state. The peak is
 * measured: all threads add up a buffer larger than most caches, five times; the best run counts. A model that fits
 * into the caches can be above it. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/pool.h"
#include "bench/bench_pp.h"
#include "bench/mode.h"

enum { BUFFER_BYTES = 1 << 28, PEAK_RUNS = 5 };

struct sweep {
	const uint64_t *data;
	size_t n;              /* multiple of 8 per worker is read */
	_Atomic uint64_t sum;  /* keeps the reads from being left out */
};

static void sweep_part(struct leat_worker *w, void *arg)
{
	struct sweep *s = arg;
	size_t part = s->n / (size_t)w->n_workers / 8 * 8;
	const uint64_t *p = s->data + part * (size_t)w->index;
	uint64_t a[8] = { 0 };

	for (size_t i = 0; i < part; i += 8) {
		for (int k = 0; k < 8; k++)
			a[k] += p[i + (size_t)k];
	}
	for (int k = 1; k < 8; k++)
		a[0] += a[k];
	atomic_fetch_add_explicit(&s->sum, a[0], memory_order_relaxed);
}

static enum leat_status measure_peak(struct leat_bench_job *j, int n_threads, double *ret, struct leat_error *err)
{
	struct sweep s = { .n = BUFFER_BYTES / sizeof(uint64_t) };
	struct leat_pool *pool;
	uint64_t *data = malloc(BUFFER_BYTES);
	enum leat_status st;

	if (!data)
		return leat_fail(err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for %d bytes", BUFFER_BYTES);
	for (size_t i = 0; i < s.n; i++)
		data[i] = i;
	s.data = data;
	st = leat_pool_create(n_threads, 50, &pool, err);
	for (int i = 0; i < PEAK_RUNS && !st; i++) {
		uint64_t start = leat_now_ns();
		leat_pool_run(pool, sweep_part, &s);
		double rate = BUFFER_BYTES / (double)(leat_now_ns() - start);
		*ret = rate > *ret ? rate : *ret;
		leat_report_add(j->report, "memory alone", "GB/s", LEAT_BETTER_NEITHER, rate);
	}
	if (!st)
		leat_pool_destroy(pool);
	free(data);
	return st;
}

/* Averages over the answer: a token reads the rows of all before it and writes its own. */
static enum leat_status decode(struct leat_bench_job *j, struct leat_engine *e, double peak, struct leat_error *err)
{
	struct leat_bench_test t = { 0, j->size.n_gen, j->size.n_prompt };
	struct leat_memory_info m = { .struct_size = sizeof(m) };
	double rows = j->size.n_prompt + j->size.n_gen / 2.0, window = j->info.window, read, written;
	uint64_t ns;

	leat_engine_get_memory(e, &m);
	rows = window > 0 && rows > window ? window : rows;
	read = (double)j->info.read_bytes_per_token + rows * (double)m.token_bytes + (double)m.sequence_bytes / 2;
	written = (double)m.token_bytes + (double)m.sequence_bytes / 2;
	leat_report_add(j->report, "read per token", "bytes", LEAT_BETTER_LESS, read);
	leat_report_add(j->report, "written per token", "bytes", LEAT_BETTER_LESS, written);
	for (int i = 0; i < j->size.n_repeat; i++) {
		double rate;
		LEAT_TRY(leat_bench_run(e, j->info.n_vocab, &t, 1, !i && j->size.n_warmup, j->stop, j->user, &ns, err));
		rate = (read + written) * j->size.n_gen / (double)ns;
		leat_report_add(j->report, "decode", "tokens/s", LEAT_BETTER_MORE, j->size.n_gen * 1e9 / (double)ns);
		leat_report_add(j->report, "achieved", "GB/s", LEAT_BETTER_MORE, rate);
		leat_report_add(j->report, "share of peak", "%", LEAT_BETTER_MORE, 100 * rate / peak);
	}
	return LEAT_OK;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	struct leat_engine *e;
	enum leat_status s;
	double peak = 0;
	char hex[65];

	s = leat_bench_engine(j, 1, j->size.n_prompt + j->size.n_gen + 64, &e, err);
	LEAT_TRY(s);
	s = measure_peak(j, j->ran.n_threads, &peak, err);
	if (!s)
		s = decode(j, e, peak, err);
	if (!s)
		s = leat_bench_tokens_sha256(e, j->info.n_vocab, hex, err);
	leat_engine_unref(e);
	if (!s)
		leat_report_hex(j->report, "tokens_sha256", hex);
	return s;
}

const struct leat_bench leat_bench_bandwidth = {
	.name = "bandwidth",
	.summary = "bytes that a decoded token moves, against what memory can give",
	.size = { .n_prompt = 64, .n_gen = 128, .n_repeat = 5, .n_warmup = 1 },
	.run = run,
};
