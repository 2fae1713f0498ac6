/* bench_pp.c - see bench_pp.h. */
#include "bench/bench_pp.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/sha256.h"
#include "engine/engine.h"

enum { GREEDY_PROMPT = 32, GREEDY_TOKENS = 32, MAX_STEP = 8192 };

struct run {
	struct leat_engine *e;
	struct leat_seq seq;
	int n_vocab;
	uint64_t rng;
	leat_bench_stop_fn *stop;
	void *user;
	struct leat_error *err;
	int32_t tokens[MAX_STEP];
};

/* Ids from a linear congruential generator: any spread will do, as long as it is always the same. */
static int32_t random_id(struct run *r)
{
	r->rng = r->rng * 6364136223846793005u + 1442695040888963407u;
	return (int32_t)((r->rng >> 33) % (uint64_t)r->n_vocab);
}

static enum leat_status step(struct run *r, int n)
{
	struct leat_feed f;

	memset(&f, 0, sizeof(f));
	f.seq = &r->seq;
	f.tokens = r->tokens;
	f.n_tokens = n;
	f.want = LEAT_WANT_LAST;
	if (r->stop && r->stop(r->user))
		return leat_fail(r->err, LEAT_E_CANCELLED, "", LEAT_NO_OFFSET, "stopped");
	return leat_engine_step(r->e, &f, 1, r->err);
}

static enum leat_status feed(struct run *r, int n_tokens, int per_step)
{
	int i, n;

	if (per_step > MAX_STEP)
		per_step = MAX_STEP;
	for (; n_tokens > 0; n_tokens -= n) {
		n = n_tokens < per_step ? n_tokens : per_step;
		for (i = 0; i < n; i++)
			r->tokens[i] = random_id(r);
		LEAT_TRY(step(r, n));
	}
	return LEAT_OK;
}

/* The sequence holds n_depth tokens afterwards. A cache is only cut back; a recurrent state has to be made again. */
static enum leat_status to_depth(struct run *r, int n_depth)
{
	if (!r->e->store->n_cells && r->seq.n_past >= n_depth) {
		r->seq.n_past = n_depth;
		return LEAT_OK;
	}
	leat_seq_reset(r->e, &r->seq);
	r->rng = 1;
	return feed(r, n_depth, r->e->n_batch);
}

static enum leat_status once(struct run *r, const struct leat_bench_test *t, uint64_t *ret_ns)
{
	uint64_t start;

	LEAT_TRY(to_depth(r, t->n_depth));
	r->rng = 2;
	start = leat_now_ns();
	LEAT_TRY(feed(r, t->n_prompt, r->e->n_batch));
	LEAT_TRY(feed(r, t->n_gen, 1));
	*ret_ns = leat_now_ns() - start;
	return LEAT_OK;
}

enum leat_status leat_bench_run(struct leat_engine *e, int n_vocab, const struct leat_bench_test *t, int n, int warmup,
				leat_bench_stop_fn *stop, void *user, uint64_t *ret_ns, struct leat_error *err)
{
	struct run r = { .e = e, .n_vocab = n_vocab, .stop = stop, .user = user, .err = err };
	/* Two generated tokens touch everything that a hundred do; a prompt is run whole because its buckets differ. */
	struct leat_bench_test first = { t->n_prompt, t->n_gen < 2 ? t->n_gen : 2, t->n_depth };
	enum leat_status s = LEAT_OK;
	uint64_t ignored;
	int i;

	LEAT_TRY(leat_seq_open(e, &r.seq, err));
	if (warmup)
		s = once(&r, &first, &ignored);
	for (i = 0; i < n && !s; i++)
		s = once(&r, t, &ret_ns[i]);
	leat_seq_close(e, &r.seq);
	return s;
}

static int32_t best(const float *row, int n)
{
	int i, b = 0;

	for (i = 1; i < n; i++) {
		if (row[i] > row[b])
			b = i;
	}
	return b;
}

static enum leat_status greedy(struct run *r, struct leat_sha256 *sha)
{
	int i;

	r->rng = 3;
	LEAT_TRY(feed(r, GREEDY_PROMPT, r->e->n_batch));
	for (i = 0; i < GREEDY_TOKENS; i++) {
		unsigned char bytes[4];
		int32_t id = best(leat_engine_row(r->e, 0), r->n_vocab);
		int k;
		for (k = 0; k < 4; k++)
			bytes[k] = (unsigned char)((uint32_t)id >> (8 * k));
		leat_sha256_add(sha, bytes, 4);
		r->tokens[0] = id;
		LEAT_TRY(step(r, 1));
	}
	return LEAT_OK;
}

enum leat_status leat_bench_tokens_sha256(struct leat_engine *e, int n_vocab, char ret[65], struct leat_error *err)
{
	struct run r = { .e = e, .n_vocab = n_vocab, .err = err };
	struct leat_sha256 sha;
	enum leat_status s;

	leat_sha256_init(&sha);
	LEAT_TRY(leat_seq_open(e, &r.seq, err));
	s = greedy(&r, &sha);
	leat_seq_close(e, &r.seq);
	if (!s)
		leat_sha256_hex(&sha, ret);
	return s;
}

uint64_t leat_bench_peak_rss_bytes(void)
{
	struct rusage u;

	return getrusage(RUSAGE_SELF, &u) ? 0 : (uint64_t)u.ru_maxrss * 1024;
}

static void mean(const double *v, int n, double *ret_avg, double *ret_stddev)
{
	double sum = 0, square = 0;
	int i;

	for (i = 0; i < n; i++)
		sum += v[i];
	for (i = 0; i < n; i++)
		square += (v[i] - sum / n) * (v[i] - sum / n);
	*ret_avg = sum / n;
	*ret_stddev = n > 1 ? sqrt(square / (n - 1)) : 0;
}

void leat_bench_stats(const uint64_t *ns, int n, int n_tokens, struct leat_bench_stats *ret)
{
	double t[1000], ts[1000];
	int i;

	if (n > 1000)
		n = 1000;
	for (i = 0; i < n; i++) {
		t[i] = (double)ns[i];
		ts[i] = ns[i] ? (double)n_tokens * 1e9 / (double)ns[i] : 0;
	}
	mean(t, n, &ret->avg_ns, &ret->stddev_ns);
	mean(ts, n, &ret->avg_ts, &ret->stddev_ts);
}
