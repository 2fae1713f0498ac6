/* evaluate.c - leat_engine_evaluate and leat_engine_logits: rows of all tokens of one text. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "plan/softmax.h"

struct job {
	struct leat_engine *engine;
	struct leat_seq seq;
	struct leat_feed feed; /* what all chunks share */
	const int32_t *id;
	size_t n, first;       /* tokens; the first whose row is wanted */
	leat_logits_fn *row;
	void *user;
};

static int width(const struct job *j)
{
	const struct leat_weight *table = j->engine->model->w.table;
	if (j->feed.variant == LEAT_VARIANT_EMBEDDING)
		return table->cols;
	return j->feed.variant == LEAT_VARIANT_PROBS && j->engine->step.n_vocab ? j->engine->step.n_vocab : table->rows;
}

/* Tokens at .. at + n - 1. */
static enum leat_status one_chunk(struct job *j, size_t at, int n, struct leat_error *err)
{
	struct leat_feed f = j->feed;
	int skip = j->first <= at ? 0 : j->first - at < (size_t)n ? (int)(j->first - at) : n;
	f.seq = &j->seq;
	f.tokens = j->id + at;
	f.n_tokens = n;
	f.n_skip = skip;
	f.want = skip < n ? LEAT_WANT_ALL : LEAT_WANT_NONE;
	LEAT_TRY(leat_engine_step(j->engine, &f, 1, err));
	for (int i = skip; i < n; i++)
		if (j->row(j->user, at + (size_t)i, leat_engine_row(j->engine, i - skip), width(j)))
			return leat_fail(err, LEAT_E_CANCELLED, "", LEAT_NO_OFFSET, "stopped by the caller");
	return LEAT_OK;
}

/* As many tokens as a step holds, and as many rows. */
static size_t chunk_at(const struct job *j, size_t at, int chunk)
{
	size_t most = (size_t)j->engine->n_batch, outputs = (size_t)leat_engine_max_outputs(j->engine), n = j->n - at;
	if (chunk && (size_t)chunk < most)
		most = (size_t)chunk;
	n = n < most ? n : most;
	if (at >= j->first)
		return n < outputs ? n : outputs;
	return n <= j->first - at || n - (j->first - at) <= outputs ? n : j->first - at;
}

static enum leat_status run(struct job *j, int chunk, struct leat_error *err)
{
	struct leat_engine *e = j->engine;
	if (chunk < 0)
		return leat_fail(err, LEAT_E_ARG, "chunk", LEAT_NO_OFFSET, "chunk is %d, wanted 0 or more", chunk);
	leat_drive_lock(e);
	enum leat_status st = leat_seq_open(e, &j->seq, err);
	if (st == LEAT_OK) {
		leat_seq_expect(e, &j->seq, j->n < INT64_MAX ? (int64_t)j->n : INT64_MAX);
		for (size_t i = 0; i < j->n && st == LEAT_OK;) {
			size_t n = chunk_at(j, i, chunk);
			st = one_chunk(j, i, (int)n, err);
			i += n;
		}
		leat_seq_close(e, &j->seq);
	}
	leat_drive_unlock(e);
	return st;
}

enum leat_status leat_engine_logits(struct leat_engine *e, const int32_t *tokens, size_t n_tokens, int32_t chunk,
				    leat_logits_fn *row, void *user, struct leat_error *err)
{
	struct job j = { .engine = e, .id = tokens, .n = n_tokens, .row = row, .user = user };
	return run(&j, chunk, err);
}

static enum leat_status set_up(struct job *j, const struct leat_evaluate_params *p, struct leat_prompt *pieces,
			       struct leat_hook_set **hooks, struct leat_error *err)
{
	static const unsigned variants[] = { 0, LEAT_VARIANT_EMBEDDING, LEAT_VARIANT_PROBS };
	if (p->output < LEAT_OUTPUT_LOGITS || p->output > LEAT_OUTPUT_PROBS)
		return leat_fail(err, LEAT_E_ARG, "output", LEAT_NO_OFFSET, "output is %d, wanted 0 to %d", p->output,
				 LEAT_OUTPUT_PROBS);
	if (p->n_segments < 0 || (p->n_segments && !p->segments))
		return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET, "n_segments is %d, wanted 1 or more",
				 p->n_segments);
	LEAT_TRY(leat_prompt_add(pieces, j->engine->model, p->segments, p->n_segments, err));
	if (!pieces->n)
		return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET, "there are no tokens");
	if (p->first >= (int64_t)pieces->n || p->first < -(int64_t)pieces->n)
		return leat_fail(err, LEAT_E_ARG, "first", LEAT_NO_OFFSET, "first is %lld of %zu tokens",
				 (long long)p->first, pieces->n);
	LEAT_TRY(leat_hooks_create(j->engine, p->hooks, p->n_hooks, hooks, err));
	j->id = pieces->id;
	j->n = pieces->n;
	j->first = (size_t)(p->first < 0 ? (int64_t)pieces->n + p->first : p->first);
	j->feed = (struct leat_feed){ .variant = variants[p->output], .raw = pieces->raw,
				      .n_raw = (int64_t)pieces->n_raw, .hooks = *hooks };
	return LEAT_OK;
}

enum leat_status leat_engine_evaluate(struct leat_engine *e, const struct leat_evaluate_params *params,
				      leat_logits_fn *row, void *user, struct leat_error *err)
{
	struct leat_evaluate_params p = LEAT_EVALUATE_PARAMS_INIT;
	struct job j = { .engine = e, .row = row, .user = user };
	struct leat_prompt pieces = { 0 };
	struct leat_hook_set *hooks = NULL;
	LEAT_TRY(leat_params_take(&p, sizeof p, params, err));
	LEAT_TRY(leat_reserved_check("reserved0", p.reserved0, err));
	enum leat_status st = set_up(&j, &p, &pieces, &hooks, err);
	if (st == LEAT_OK)
		st = run(&j, p.chunk, err);
	leat_prompt_deinit(&pieces);
	free(hooks);
	return st;
}

void leat_softmax(float *rows, size_t n, size_t width, size_t stride)
{
	for (size_t r = 0; r < n; r++)
		leat_softmax_row(rows + r * stride, width);
}
