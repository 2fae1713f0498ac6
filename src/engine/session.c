/* session.c - tokens, marks, and going back behind a stop string. */
#include "engine/session.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"

static enum leat_status no_memory(struct leat_error *err)
{
	return leat_fail(err, LEAT_E_NOMEM, "session", LEAT_NO_OFFSET, "out of memory");
}

/* Room for `n` elements of `size` bytes at *p. 1 when out of memory. */
static int grow(void *p, size_t *cap, size_t n, size_t size)
{
	void *old;
	size_t want = *cap ? *cap : 64;
	if (n <= *cap)
		return 0;
	while (want < n)
		want *= 2;
	memcpy(&old, p, sizeof old);
	void *grown = want < SIZE_MAX / 2 / size ? realloc(old, want * size) : NULL;
	if (!grown)
		return 1;
	memcpy(p, &grown, sizeof grown);
	*cap = want;
	return 0;
}

enum leat_status leat_session_open(struct leat_engine *e, struct leat_session **ret, struct leat_error *err)
{
	struct leat_session *s = calloc(1, sizeof *s);
	if (!s)
		return no_memory(err);
	s->refs = 1;
	enum leat_status st = leat_seq_open(e, &s->seq, err);
	if (st == LEAT_OK) {
		st = leat_mark_take(e, &s->hold, err);
		if (st != LEAT_OK)
			leat_seq_close(e, &s->seq);
	}
	if (st != LEAT_OK) {
		free(s);
		return st;
	}
	s->engine = e;
	atomic_fetch_add(&e->sched.n_session_seqs, 1);
	*ret = s;
	return LEAT_OK;
}

struct leat_session *leat_session_hold(struct leat_session *s)
{
	s->refs++;
	return s;
}

static void free_marks_from(struct leat_session *s, int first)
{
	for (int i = first; i < s->n_marks; i++) {
		leat_mark_give(s->engine, &s->mark[i].at);
		free(s->mark[i].row);
	}
	s->n_marks = first;
}

void leat_session_drop(struct leat_session *s)
{
	if (!s || --s->refs)
		return;
	free_marks_from(s, 0);
	leat_mark_give(s->engine, &s->hold);
	leat_seq_close(s->engine, &s->seq);
	atomic_fetch_sub(&s->engine->sched.n_session_seqs, 1);
	free(s->id);
	free(s->row);
	free(s->mark);
	free(s->held_text);
	free(s->held);
	free(s);
}

enum leat_status leat_session_append(struct leat_session *s, const int32_t *ids, size_t n, struct leat_error *err)
{
	if (n > SIZE_MAX / 2 - s->n_ids || grow(&s->id, &s->cap_ids, s->n_ids + n, sizeof *s->id))
		return no_memory(err);
	if (n)
		memcpy(s->id + s->n_ids, ids, n * sizeof *ids);
	s->n_ids += n;
	return LEAT_OK;
}

static size_t row_bytes(const struct leat_session *s)
{
	return (size_t)s->engine->model->w.table->rows * sizeof(float);
}

enum leat_status leat_session_keep_row(struct leat_session *s, const float *row, struct leat_error *err)
{
	if (!s->row)
		s->row = malloc(row_bytes(s));
	if (!s->row)
		return no_memory(err);
	memcpy(s->row, row, row_bytes(s));
	s->has_row = 1;
	return LEAT_OK;
}

/* The earliest place that may be returned to: rows that it needs are not given back. */
static void mind_marks(struct leat_session *s)
{
	int64_t from = s->holding ? s->hold.n_past : INT64_MAX;
	for (int i = 0; i < s->n_marks; i++)
		from = s->mark[i].at.n_past < from ? s->mark[i].at.n_past : from;
	s->seq.keep_from = from;
}

/* ---- stop strings ---- */

/* A stop string may begin several tokens before it is complete, and those are fed by then. So the state before the
 * first token of which something is held back is kept for as long as something is. */
enum leat_status leat_session_drew(struct leat_session *s, const char *text, size_t n, int whole, int held,
				   struct leat_error *err)
{
	if (!s->holding && !held)
		return LEAT_OK;
	if (!s->holding) {
		leat_seq_save(s->engine, &s->seq, &s->hold);
		s->holding = 1;
		mind_marks(s);
		s->n_held = s->n_held_text = 0;
	}
	if (!held) {
		s->holding = 0;
		mind_marks(s);
		return LEAT_OK;
	}
	if (grow(&s->held_text, &s->cap_held_text, s->n_held_text + n, 1) ||
	    grow(&s->held, &s->cap_held, s->n_held + 1, sizeof *s->held))
		return no_memory(err);
	if (n)
		memcpy(s->held_text + s->n_held_text, text, n);
	s->n_held_text += n;
	s->held[s->n_held++] = (struct leat_held){ s->n_held_text, whole };
	return LEAT_OK;
}

enum leat_status leat_session_cut(struct leat_session *s, size_t shown, struct leat_error *err)
{
	size_t keep = 0, at = 0, n = 0;
	int32_t *ids = NULL;
	for (size_t i = 0; i < s->n_held && s->held[i].end <= shown; i++)
		if (s->held[i].whole) {
			keep = i + 1;
			at = s->held[i].end;
		}
	/* the token in which the stop string begins may bring text that was shown */
	if (shown > at)
		LEAT_TRY(leat_tokenize(s->engine->model->vocab, s->held_text + at, shown - at, 0, &ids, &n, err));
	leat_seq_rewind(s->engine, &s->seq, &s->hold);
	s->has_row = 0;
	s->n_ids = (size_t)s->hold.n_past + keep;
	enum leat_status st = leat_session_append(s, ids, n, err);
	free(ids);
	return st;
}

void leat_session_rest(struct leat_session *s)
{
	s->live = NULL;
	s->holding = 0;
	mind_marks(s);
}

/* ---- marks ---- */

static enum leat_status idle(const struct leat_session *s, struct leat_error *err)
{
	return s->live ? leat_fail(err, LEAT_E_BUSY, "session", LEAT_NO_OFFSET, "a request of the session is running")
		       : LEAT_OK;
}

enum leat_status leat_session_add_mark(struct leat_session *s, int64_t *ret, struct leat_error *err)
{
	struct leat_session_mark m = { .number = s->n_marks_ever + 1, .n_ids = s->n_ids };
	size_t cap = (size_t)s->cap_marks;
	LEAT_TRY(idle(s, err));
	if (grow(&s->mark, &cap, (size_t)s->n_marks + 1, sizeof *s->mark))
		return no_memory(err);
	s->cap_marks = (int)cap;
	if (s->has_row) {
		m.row = malloc(row_bytes(s));
		if (!m.row)
			return no_memory(err);
		memcpy(m.row, s->row, row_bytes(s));
	}
	enum leat_status st = leat_mark_take(s->engine, &m.at, err);
	if (st != LEAT_OK) {
		free(m.row);
		return st;
	}
	leat_seq_save(s->engine, &s->seq, &m.at);
	s->mark[s->n_marks++] = m;
	mind_marks(s);
	*ret = s->n_marks_ever = m.number;
	return LEAT_OK;
}

static int find_mark(const struct leat_session *s, int64_t number)
{
	int i = s->n_marks - 1;
	while (i >= 0 && s->mark[i].number != number)
		i--;
	return i;
}

enum leat_status leat_session_go_to(struct leat_session *s, int64_t mark, struct leat_error *err)
{
	int i = find_mark(s, mark);
	LEAT_TRY(idle(s, err));
	if (i < 0)
		return leat_fail(err, LEAT_E_NOTFOUND, "mark", LEAT_NO_OFFSET, "the session has no mark %lld",
				 (long long)mark);
	const struct leat_session_mark *m = &s->mark[i];
	if (m->row)
		LEAT_TRY(leat_session_keep_row(s, m->row, err));
	s->has_row = m->row != NULL;
	leat_seq_rewind(s->engine, &s->seq, &m->at);
	s->n_ids = m->n_ids;
	free_marks_from(s, i + 1);
	mind_marks(s);
	return LEAT_OK;
}

void leat_session_remove_mark(struct leat_session *s, int64_t mark)
{
	int i = find_mark(s, mark);
	if (i < 0)
		return;
	leat_mark_give(s->engine, &s->mark[i].at);
	free(s->mark[i].row);
	memmove(s->mark + i, s->mark + i + 1, (size_t)(s->n_marks - i - 1) * sizeof *s->mark);
	s->n_marks--;
	mind_marks(s);
}

enum leat_status leat_session_clear(struct leat_session *s, struct leat_error *err)
{
	LEAT_TRY(idle(s, err));
	free_marks_from(s, 0);
	mind_marks(s);
	leat_seq_reset(s->engine, &s->seq);
	s->n_ids = 0;
	s->has_row = 0;
	return LEAT_OK;
}
