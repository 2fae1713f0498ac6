/* prompt.c - see prompt.h. */
#include "engine/prompt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"

enum leat_status leat_grow_ids(int32_t **ids, size_t *cap, size_t n, struct leat_error *err)
{
	size_t want = *cap ? *cap : 64;
	if (n <= *cap)
		return LEAT_OK;
	while (want < n)
		want *= 2;
	int32_t *grown = want <= SIZE_MAX / 2 / sizeof **ids ? realloc(*ids, want * sizeof **ids) : NULL;
	if (!grown)
		return leat_fail(err, LEAT_E_NOMEM, "tokens", LEAT_NO_OFFSET, "out of memory for %zu tokens", n);
	*ids = grown;
	*cap = want;
	return LEAT_OK;
}

static enum leat_status add_ids(struct leat_prompt *p, const int32_t *ids, size_t n, struct leat_error *err)
{
	if (n > SIZE_MAX / 8 - p->n)
		return leat_fail(err, LEAT_E_LIMIT, "segments", LEAT_NO_OFFSET, "the prompt is too long");
	LEAT_TRY(leat_grow_ids(&p->id, &p->cap_ids, p->n + n, err));
	if (n)
		memcpy(p->id + p->n, ids, n * sizeof *ids);
	p->n += n;
	return LEAT_OK;
}

static enum leat_status add_tokens(struct leat_prompt *p, const struct leat_model *m, const struct leat_segment *s,
				   int64_t piece, struct leat_error *err)
{
	const int32_t *id = s->data;
	int n_vocab = m->vocab ? leat_vocab_size(m->vocab) : m->w.table->rows;
	for (uint64_t i = 0; i < s->n; i++)
		if (id[i] < 0 || id[i] >= n_vocab)
			return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET,
					 "piece %lld of the prompt: token %llu is %d, wanted 0 to %d", (long long)piece,
					 (unsigned long long)i, id[i], n_vocab - 1);
	return add_ids(p, id, (size_t)s->n, err);
}

static enum leat_status add_text(struct leat_prompt *p, const struct leat_model *m, const struct leat_segment *s,
				 struct leat_error *err)
{
	unsigned flags = (s->text_flags & LEAT_TEXT_SPECIAL ? LEAT_TOK_SPECIAL : 0u) |
			 (s->text_flags & LEAT_TEXT_PARSE_SPECIAL ? LEAT_TOK_PARSE_SPECIAL : 0u);
	int32_t *ids = NULL;
	size_t n = 0;
	if (!m->vocab)
		return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET, "the model has no vocabulary");
	LEAT_TRY(leat_tokenize(m->vocab, s->data, (size_t)s->n, flags, &ids, &n, err));
	enum leat_status st = add_ids(p, ids, n, err);
	free(ids);
	return st;
}

static enum leat_status add_rows(struct leat_prompt *p, const struct leat_segment *s, int64_t piece,
				 struct leat_error *err)
{
	const float *row = s->data;
	size_t width = (size_t)p->width, n = (size_t)s->n;
	if (s->width != p->width)
		return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET,
				 "piece %lld of the prompt: the width of its rows is %d, wanted %d", (long long)piece,
				 s->width, p->width);
	if (s->n > SIZE_MAX / 8 / sizeof *row / width || p->n_raw + n > INT32_MAX / 2)
		return leat_fail(err, LEAT_E_LIMIT, "segments", LEAT_NO_OFFSET, "piece %lld of the prompt is too long",
				 (long long)piece);
	for (size_t i = 0; i < n * width; i++)
		if (!isfinite(row[i]))
			return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET,
					 "piece %lld of the prompt: number %zu of row %zu is not finite",
					 (long long)piece, i % width, i / width);
	if (p->n_raw + n > p->cap_raw) {
		float *grown = realloc(p->raw, (p->n_raw + n) * width * sizeof *row);
		if (!grown)
			return leat_fail(err, LEAT_E_NOMEM, "segments", LEAT_NO_OFFSET, "out of memory for %zu rows",
					 p->n_raw + n);
		p->raw = grown;
		p->cap_raw = p->n_raw + n;
	}
	LEAT_TRY(leat_grow_ids(&p->id, &p->cap_ids, p->n + n, err));
	memcpy(p->raw + p->n_raw * width, row, n * width * sizeof *row);
	for (size_t i = 0; i < n; i++)
		p->id[p->n++] = -1 - (int32_t)p->n_raw++;
	return LEAT_OK;
}

static enum leat_status add_piece(struct leat_prompt *p, const struct leat_model *m, const struct leat_segment *s,
				  int64_t piece, struct leat_error *err)
{
	const unsigned known = LEAT_TEXT_SPECIAL | LEAT_TEXT_PARSE_SPECIAL;
	if (s->reserved || (s->text_flags & ~known))
		return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET,
				 "piece %lld of the prompt: text_flags 0x%x or a reserved field mean nothing",
				 (long long)piece, s->text_flags);
	if (!s->n)
		return LEAT_OK;
	if (!s->data)
		return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET, "piece %lld of the prompt has no data",
				 (long long)piece);
	switch (s->kind) {
	case LEAT_SEGMENT_TOKENS:
		return add_tokens(p, m, s, piece, err);
	case LEAT_SEGMENT_TEXT:
		return add_text(p, m, s, err);
	case LEAT_SEGMENT_ROWS:
		return add_rows(p, s, piece, err);
	default:
		return leat_fail(err, LEAT_E_ARG, "segments", LEAT_NO_OFFSET,
				 "piece %lld of the prompt: kind is %d, wanted 0 to %d", (long long)piece, s->kind,
				 LEAT_SEGMENT_ROWS);
	}
}

enum leat_status leat_prompt_add(struct leat_prompt *p, const struct leat_model *m, const struct leat_segment *s,
				 int64_t n, struct leat_error *err)
{
	p->width = m->w.table->cols;
	for (int64_t i = 0; i < n; i++)
		LEAT_TRY(add_piece(p, m, &s[i], i, err));
	return LEAT_OK;
}

void leat_prompt_deinit(struct leat_prompt *p)
{
	free(p->id);
	free(p->raw);
	*p = (struct leat_prompt){ 0 };
}
