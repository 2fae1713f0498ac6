/* embed.c - leat_engine_embed: one vector for each document, many documents at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"

/* A document on its way. */
struct document {
	struct leat_prompt prompt;
	struct leat_seq seq;
	size_t index, fed;
	double *sum;           /* [n_embd] */
};

struct embedding {
	struct leat_engine *engine;
	struct leat_embed_params params;
	const struct leat_segment *given;
	size_t n, next;        /* documents; the first that has not been begun */
	float *ret;
	int n_embd, cap, n_live;
	struct document *live; /* [cap] */
	struct leat_feed *feed;
	double *sums;          /* [cap][n_embd] */
};

static enum leat_status take_memory(struct embedding *m, struct leat_error *err)
{
	m->n_embd = m->engine->model->w.table->cols;
	m->cap = m->n < (size_t)m->engine->n_seqs ? (int)m->n : m->engine->n_seqs;
	m->live = calloc((size_t)m->cap, sizeof *m->live);
	m->feed = calloc((size_t)m->cap, sizeof *m->feed);
	m->sums = calloc((size_t)m->cap * (size_t)m->n_embd, sizeof *m->sums);
	if (!m->live || !m->feed || !m->sums)
		return leat_fail(err, LEAT_E_NOMEM, "documents", LEAT_NO_OFFSET, "out of memory");
	return LEAT_OK;
}

/* An error of document `index`, which is named. */
static enum leat_status of_document(size_t index, enum leat_status st, const struct leat_error *why,
				    struct leat_error *err)
{
	return leat_fail(err, st, "documents", LEAT_NO_OFFSET, "document %zu: %s", index, why->message);
}

static enum leat_status begin(struct embedding *m, struct document *d, struct leat_error *err)
{
	struct leat_error why = LEAT_ERROR_INIT;
	*d = (struct document){ .index = m->next, .sum = m->sums + (size_t)m->n_live * (size_t)m->n_embd };
	enum leat_status st = leat_prompt_add(&d->prompt, m->engine->model, &m->given[m->next], 1, &why);
	if (st == LEAT_OK && !d->prompt.n)
		st = leat_fail(&why, LEAT_E_ARG, "documents", LEAT_NO_OFFSET, "it has no tokens");
	if (st == LEAT_OK && d->prompt.n > (uint64_t)m->engine->n_ctx)
		st = leat_fail(&why, LEAT_E_CONTEXT, "documents", LEAT_NO_OFFSET,
			       "it has %zu tokens and the context holds %lld", d->prompt.n,
			       (long long)m->engine->n_ctx);
	if (st == LEAT_OK)
		st = leat_seq_open(m->engine, &d->seq, &why);
	if (st != LEAT_OK) {
		leat_prompt_deinit(&d->prompt);
		return st == LEAT_E_BUSY && m->n_live ? st : of_document(m->next, st, &why, err);
	}
	leat_seq_expect(m->engine, &d->seq, (int64_t)d->prompt.n);
	memset(d->sum, 0, (size_t)m->n_embd * sizeof *d->sum);
	m->n_live++;
	m->next++;
	return LEAT_OK;
}

/* As many as there is room for. */
static enum leat_status begin_group(struct embedding *m, struct leat_error *err)
{
	while (m->next < m->n && m->n_live < m->cap) {
		enum leat_status st = begin(m, &m->live[m->n_live], err);
		if (st == LEAT_E_BUSY && m->n_live)
			return LEAT_OK;
		LEAT_TRY(st);
	}
	return LEAT_OK;
}

/* Equal shares of the step; who has little left leaves the rest to those after it. */
static int share_out(struct embedding *m)
{
	int tokens = m->engine->n_batch, outputs = leat_engine_max_outputs(m->engine), n = 0, open = 0;
	if (m->params.pooling == LEAT_POOL_MEAN && outputs < tokens)
		tokens = outputs;
	for (int i = 0; i < m->n_live; i++)
		open += m->live[i].fed < m->live[i].prompt.n;
	for (int i = 0; i < m->n_live && tokens > 0; i++) {
		struct document *d = &m->live[i];
		size_t left = d->prompt.n - d->fed, share = (size_t)((tokens + open - 1) / (open ? open : 1));
		if (!left)
			continue;
		size_t take = left < share ? left : share;
		m->feed[n++] = (struct leat_feed){
			.seq = &d->seq, .tokens = d->prompt.id + d->fed, .n_tokens = (int)take,
			.want = m->params.pooling == LEAT_POOL_MEAN ? LEAT_WANT_ALL
				: take == left			   ? LEAT_WANT_LAST
								   : LEAT_WANT_NONE,
			.variant = LEAT_VARIANT_EMBEDDING, .raw = d->prompt.raw, .n_raw = (int64_t)d->prompt.n_raw,
		};
		tokens -= (int)take;
		open--;
	}
	return n;
}

/* Rows of the step that ran, added in the order of their tokens. */
static void add_rows(struct embedding *m, int n_feeds)
{
	int row = 0, at = 0;
	for (int i = 0; i < n_feeds; i++) {
		const struct leat_feed *f = &m->feed[i];
		while (&m->live[at].seq != f->seq)
			at++;
		int n = f->want == LEAT_WANT_ALL ? f->n_tokens : f->want == LEAT_WANT_LAST;
		m->live[at].fed += (size_t)f->n_tokens;
		for (; n > 0; n--, row++) {
			const float *x = leat_engine_row(m->engine, row);
			for (int c = 0; c < m->n_embd; c++)
				m->live[at].sum[c] += (double)x[c];
		}
	}
}

static enum leat_status give(const struct embedding *m, const struct document *d, struct leat_error *err)
{
	float *y = m->ret + d->index * (size_t)m->n_embd;
	double n = m->params.pooling == LEAT_POOL_MEAN ? (double)d->prompt.n : 1.0, squares = 0;
	for (int c = 0; c < m->n_embd; c++)
		squares += d->sum[c] / n * (d->sum[c] / n);
	if (!isfinite(squares))
		return leat_fail(err, LEAT_E_NONFINITE, "documents", LEAT_NO_OFFSET,
				 "document %zu: the model computed a NaN or an infinity", d->index);
	double by = m->params.normalize && squares > 0 ? n * sqrt(squares) : n;
	for (int c = 0; c < m->n_embd; c++)
		y[c] = (float)(d->sum[c] / by);
	return LEAT_OK;
}

static enum leat_status run_group(struct embedding *m, struct leat_error *err)
{
	enum leat_status st = begin_group(m, err);
	for (int n; st == LEAT_OK && (n = share_out(m)) > 0;) {
		st = leat_engine_step(m->engine, m->feed, n, err);
		if (st == LEAT_OK)
			add_rows(m, n);
	}
	for (int i = 0; i < m->n_live; i++) {
		if (st == LEAT_OK)
			st = give(m, &m->live[i], err);
		leat_seq_close(m->engine, &m->live[i].seq);
		leat_prompt_deinit(&m->live[i].prompt);
	}
	m->n_live = 0;
	return st;
}

static enum leat_status check(const struct leat_embed_params *p, size_t n, struct leat_error *err)
{
	if (p->pooling < LEAT_POOL_MEAN || p->pooling > LEAT_POOL_LAST)
		return leat_fail(err, LEAT_E_ARG, "pooling", LEAT_NO_OFFSET, "pooling is %d, wanted 0 to %d",
				 p->pooling, LEAT_POOL_LAST);
	return n ? LEAT_OK : leat_fail(err, LEAT_E_ARG, "n", LEAT_NO_OFFSET, "no documents");
}

enum leat_status leat_engine_embed(struct leat_engine *e, const struct leat_embed_params *params,
				   const struct leat_segment *documents, size_t n, float *ret, struct leat_error *err)
{
	struct embedding m = { .engine = e, .params = LEAT_EMBED_PARAMS_INIT, .given = documents, .n = n, .ret = ret };
	LEAT_TRY(leat_params_take(&m.params, sizeof m.params, params, err));
	LEAT_TRY(leat_reserved_check("reserved0", m.params.reserved0, err));
	LEAT_TRY(check(&m.params, n, err));
	enum leat_status st = take_memory(&m, err);
	while (st == LEAT_OK && m.next < n) {
		leat_drive_lock(e);
		st = run_group(&m, err);
		leat_drive_unlock(e);
	}
	free(m.live);
	free(m.feed);
	free(m.sums);
	return st;
}
