#include "text/pipe.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "text/unicode.h"

static const unsigned char meta[3] = {0xe2, 0x96, 0x81};

void leat_pipe_destroy(struct leat_pipe *p)
{
	if (!p)
		return;
	for (int i = 0; i < p->n_normal; i++)
		leat_pattern_destroy(p->normal[i].pattern);
	for (int i = 0; i < p->n_cut; i++)
		leat_pattern_destroy(p->cut[i].pattern);
	leat_arena_deinit(&p->arena);
	free(p);
}

struct span {
	size_t start, end;
	int match;
};

struct spans {
	struct span *s;
	size_t n, cap;
};

static enum leat_status put_span(struct spans *v, size_t start, size_t end, int match, struct leat_error *err)
{
	if (v->n == v->cap) {
		size_t cap = v->cap ? 2 * v->cap : 64;
		struct span *grown = realloc(v->s, cap * sizeof(*grown));
		if (!grown)
			return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for %zu pieces", cap);
		v->s = grown;
		v->cap = cap;
	}
	v->s[v->n++] = (struct span){start, end, match};
	return LEAT_OK;
}

/* One text on its way through the steps. */
struct run {
	const struct leat_vocab *v;
	struct leat_text text, next;    /* and what a step makes of it */
	struct spans pieces, cut;       /* of text; what a step cuts them into */
	struct spans parts;             /* of one piece: matches and what lies between */
	struct leat_search search;
	int first;
};

static void swap_texts(struct run *r)
{
	struct leat_text t = r->text;
	r->text = r->next;
	r->next = t;
	r->next.n = 0;
}

static void swap_pieces(struct run *r)
{
	struct spans t = r->pieces;
	r->pieces = r->cut;
	r->cut = t;
	r->cut.n = 0;
}

static int is_punctuation(uint32_t cp)
{
	if (cp < 0x80)
		return cp > ' ' && cp < 0x7f && leat_char_class(cp) == LEAT_CHAR_OTHER;
	int c = (int)utf8proc_category((utf8proc_int32_t)cp);
	return c >= UTF8PROC_CATEGORY_PC && c <= UTF8PROC_CATEGORY_PO;
}

static int in_class(enum leat_cut_op op, uint32_t cp)
{
	if (op == LEAT_CUT_PUNCTUATION)
		return is_punctuation(cp);
	return leat_char_class(cp) == (op == LEAT_CUT_DIGITS ? LEAT_CHAR_NUMBER : LEAT_CHAR_SPACE);
}

/* The piece [start, end) as matches and what lies between them; every character in one part. */
static enum leat_status part_by_class(struct run *r, const struct leat_cut *c, size_t start, size_t end,
				      struct leat_error *err)
{
	size_t from = start, len;
	for (size_t i = start; i < end; i += len) {
		if (!in_class(c->op, leat_utf8_cp(r->text.s + i, &len)))
			continue;
		if (from < i)
			LEAT_TRY(put_span(&r->parts, from, i, 0, err));
		LEAT_TRY(put_span(&r->parts, i, i + len, 1, err));
		from = i + len;
	}
	return from < end ? put_span(&r->parts, from, end, 0, err) : LEAT_OK;
}

static enum leat_status part_by_text(struct run *r, const unsigned char *s, size_t n, size_t start, size_t end,
				     struct leat_error *err)
{
	while (start < end) {
		const unsigned char *hit = memmem(r->text.s + start, end - start, s, n);
		size_t at = hit ? (size_t)(hit - r->text.s) : end;
		if (start < at)
			LEAT_TRY(put_span(&r->parts, start, at, 0, err));
		if (hit)
			LEAT_TRY(put_span(&r->parts, at, at + n, 1, err));
		start = hit ? at + n : end;
	}
	return LEAT_OK;
}

static enum leat_status part_by_pattern(struct run *r, const struct leat_cut *c, size_t start, size_t end,
					struct leat_error *err)
{
	size_t at = 0, from, to;
	int found;
	if (!r->search.code)
		LEAT_TRY(leat_search_init(&r->search, c->pattern, r->text.s, r->text.n, err));
	leat_search_restart(&r->search, r->text.s + start, end - start);
	for (;;) {
		LEAT_TRY(leat_search_next(&r->search, &found, &from, &to, err));
		if (!found)
			break;
		if (at < from)
			LEAT_TRY(put_span(&r->parts, start + at, start + from, 0, err));
		LEAT_TRY(put_span(&r->parts, start + from, start + to, 1, err));
		at = to;
	}
	return start + at < end ? put_span(&r->parts, start + at, end, 0, err) : LEAT_OK;
}

static enum leat_status part(struct run *r, const struct leat_cut *c, size_t start, size_t end, struct leat_error *err)
{
	r->parts.n = 0;
	if (c->op == LEAT_CUT_METASPACE)
		return part_by_text(r, meta, sizeof(meta), start, end, err);
	if (c->op != LEAT_CUT_PATTERN)
		return part_by_class(r, c, start, end, err);
	if (c->text)
		return part_by_text(r, c->text, c->n_text, start, end, err);
	if (c->pattern)
		return part_by_pattern(r, c, start, end, err);
	/* The scanner leaves nothing between its matches. */
	for (size_t at = start, to; at < end; at = to) {
		to = leat_pretok_next(c->scanner, r->text.s, at, end);
		LEAT_TRY(put_span(&r->parts, at, to, 1, err));
	}
	return LEAT_OK;
}

/* Does this part join the piece that the part before it, in reading direction, has made? */
static int joins(enum leat_cut_keep keep, int match, int last_match)
{
	if (keep == LEAT_KEEP_CONTIGUOUS)
		return match == last_match;
	return keep != LEAT_KEEP_ISOLATED && match && !last_match;
}

static enum leat_status keep_parts(struct run *r, const struct leat_cut *c, struct leat_error *err)
{
	struct span *p = r->parts.s;
	size_t n = r->parts.n, from = r->cut.n;
	int last = 0, back = c->keep == LEAT_KEEP_NEXT;
	for (size_t k = 0; k < n; k++) {
		const struct span *s = &p[back ? n - 1 - k : k];
		int match = s->match != c->invert;
		if (c->keep == LEAT_KEEP_REMOVED) {
			if (!match)
				LEAT_TRY(put_span(&r->cut, s->start, s->end, 0, err));
			continue;
		}
		struct span *piece = r->cut.n > from ? &r->cut.s[r->cut.n - 1] : NULL;
		if (piece && joins(c->keep, match, last))
			*piece = back ? (struct span){s->start, piece->end, 0} : (struct span){piece->start, s->end, 0};
		else
			LEAT_TRY(put_span(&r->cut, s->start, s->end, 0, err));
		last = match;
	}
	for (size_t i = from, j = r->cut.n; back && i + 1 < j; i++) {
		struct span t = r->cut.s[i];
		r->cut.s[i] = r->cut.s[--j];
		r->cut.s[j] = t;
	}
	return LEAT_OK;
}

static enum leat_status cut_pieces(struct run *r, const struct leat_cut *c, struct leat_error *err)
{
	enum leat_status st = LEAT_OK;
	for (size_t i = 0; i < r->pieces.n && st == LEAT_OK; i++) {
		struct span s = r->pieces.s[i];
		if (s.start == s.end)
			continue;
		st = part(r, c, s.start, s.end, err);
		if (st == LEAT_OK)
			st = keep_parts(r, c, err);
	}
	if (r->search.code)
		leat_search_deinit(&r->search);
	swap_pieces(r);
	return st;
}

/* Does a piece get a space of its own? */
static int wants_space(const struct leat_cut *c, const unsigned char *s, size_t n, int first)
{
	if (c->prefix == LEAT_PREFIX_NEVER || (c->prefix == LEAT_PREFIX_FIRST && !first))
		return 0;
	return s[0] != ' ' && !(c->op == LEAT_CUT_METASPACE && n >= 3 && memcmp(s, meta, 3) == 0);
}

/* Writes the pieces anew: spaces before them, U+2581 for those inside. */
static enum leat_status rewrite(struct run *r, const struct leat_cut *c, struct leat_error *err)
{
	const void *space = c->op == LEAT_CUT_METASPACE ? (const void *)meta : " ";
	size_t n_space = c->op == LEAT_CUT_METASPACE ? 3 : 1;
	for (size_t i = 0; i < r->pieces.n; i++) {
		struct span s = r->pieces.s[i];
		size_t from = r->next.n;
		if (s.start == s.end)
			continue;
		if (wants_space(c, r->text.s + s.start, s.end - s.start, r->first && s.start == 0))
			LEAT_TRY(leat_text_put(&r->next, space, n_space, err));
		for (size_t at = s.start; at < s.end;) {
			const unsigned char *hit = c->op == LEAT_CUT_METASPACE ?
				memchr(r->text.s + at, ' ', s.end - at) : NULL;
			size_t to = hit ? (size_t)(hit - r->text.s) : s.end;
			LEAT_TRY(leat_text_put(&r->next, r->text.s + at, to - at, err));
			if (hit)
				LEAT_TRY(leat_text_put(&r->next, meta, 3, err));
			at = to + (hit != NULL);
		}
		LEAT_TRY(put_span(&r->cut, from, r->next.n, 0, err));
	}
	swap_texts(r);
	swap_pieces(r);
	return LEAT_OK;
}

static enum leat_status step(struct run *r, const struct leat_cut *c, struct leat_error *err)
{
	if (c->op == LEAT_CUT_METASPACE || (c->op == LEAT_CUT_BYTES && c->prefix != LEAT_PREFIX_NEVER))
		LEAT_TRY(rewrite(r, c, err));
	if (c->op == LEAT_CUT_BYTES || (c->op == LEAT_CUT_METASPACE && !c->split))
		return LEAT_OK;
	return cut_pieces(r, c, err);
}

/* To SentencePiece's merges U+2581 is a space, and a real space is nothing they know. */
static size_t mark_spaces(const struct leat_vocab *v, unsigned char *s, size_t n)
{
	if (v->kind != LEAT_VOCAB_SPM || !v->metaspace)
		return n;
	for (size_t i = 0; i < n; i++)
		s[i] = s[i] == ' ' ? LEAT_SPM_REAL_SPACE : s[i];
	return leat_spm_spaces(s, n, s);
}

static enum leat_status encode_pieces(struct run *r, struct leat_ids *out, struct leat_error *err)
{
	struct leat_bpe_long *work = NULL;
	enum leat_status st = LEAT_OK;
	for (size_t i = 0; i < r->pieces.n && st == LEAT_OK; i++) {
		unsigned char *s = r->text.s + r->pieces.s[i].start;
		size_t n = r->pieces.s[i].end - r->pieces.s[i].start;
		if (n == 0)
			continue;
		st = r->v->kind == LEAT_VOCAB_SPM ? leat_spm_encode_plain(r->v, s, mark_spaces(r->v, s, n), out, err)
						  : leat_bpe_encode_piece(r->v, &work, s, n, out, err);
	}
	leat_bpe_work_destroy(work);
	return st;
}

/* A run of well-formed UTF-8. */
static enum leat_status encode_run(struct run *r, const unsigned char *text, size_t n, struct leat_ids *out,
				   struct leat_error *err)
{
	const struct leat_pipe *p = r->v->pipe;
	r->text.n = r->next.n = r->pieces.n = r->cut.n = 0;
	LEAT_TRY(leat_text_put(&r->text, text, n, err));
	for (int i = 0; i < p->n_normal; i++) {
		if (p->normal[i].op <= LEAT_NORMAL_NFKD &&
		    leat_normal_is_plain(p->normal[i].op, r->text.s, r->text.n))
			continue;
		LEAT_TRY(leat_normalize(&p->normal[i], r->text.s, r->text.n, &r->next, err));
		swap_texts(r);
	}
	if (r->text.n == 0)
		return LEAT_OK;
	if (r->v->pretok)
		return leat_bpe_encode(r->v, r->text.s, r->text.n, out, err);
	LEAT_TRY(put_span(&r->pieces, 0, r->text.n, 0, err));
	for (int i = 0; i < p->n_cut; i++)
		LEAT_TRY(step(r, &p->cut[i], err));
	return encode_pieces(r, out, err);
}

static enum leat_status encode_bad(const struct leat_vocab *v, const unsigned char *text, size_t n,
				   struct leat_ids *out, struct leat_error *err)
{
	struct leat_bpe_long *work = NULL;
	if (v->kind == LEAT_VOCAB_SPM)
		return leat_spm_encode_bytes(v, text, n, out, err);
	enum leat_status st = LEAT_OK;
	for (size_t i = 0; i < n && st == LEAT_OK; i++)
		st = leat_bpe_encode_piece(v, &work, text + i, 1, out, err);
	leat_bpe_work_destroy(work);
	return st;
}

/* Bytes up to the next that is (is not) part of a character. */
static size_t run_end(const unsigned char *text, size_t at, size_t n, int good)
{
	while (at < n) {
		size_t len = leat_utf8_len(text + at, n - at);
		if ((len != 0) != good)
			break;
		at += len ? len : 1;
	}
	return at;
}

enum leat_status leat_pipe_encode(const struct leat_vocab *v, const unsigned char *text, size_t n, int first,
				  struct leat_ids *out, struct leat_error *err)
{
	struct run r = {.v = v, .first = first};
	enum leat_status st = LEAT_OK;
	r.text.limit = r.next.limit = LEAT_TEXT_GROWTH * n + 65536;
	for (size_t at = 0, end; at < n && st == LEAT_OK; at = end) {
		end = run_end(text, at, n, 1);
		if (end > at) {
			st = encode_run(&r, text + at, end - at, out, err);
			r.first = 0;
		} else {
			end = run_end(text, at, n, 0);
			st = encode_bad(v, text + at, end - at, out, err);
		}
	}
	leat_search_deinit(&r.search);
	free(r.pieces.s);
	free(r.cut.s);
	free(r.parts.s);
	leat_text_deinit(&r.text);
	leat_text_deinit(&r.next);
	return st;
}
