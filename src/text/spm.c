/* SentencePiece's BPE: characters become tokens, then of all neighbours whose joined text is a token the pair whose
 * token scores highest merges, the leftmost first, until no pair is a token; characters without a token are written as
 * their bytes (Kudo and Richardson 2018). Spaces are U+2581 in such a vocabulary, so in the text U+2581 is a space. */
#include "text/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "text/unicode.h"

static const unsigned char meta[3] = {0xe2, 0x96, 0x81};

size_t leat_spm_spaces(const unsigned char *src, size_t n, unsigned char *dst)
{
	size_t out = 0;
	for (size_t i = 0; i < n; out++) {
		int space = src[i] == meta[0] && n - i >= 3 && src[i + 1] == meta[1] && src[i + 2] == meta[2];
		dst[out] = space ? ' ' : src[i];
		i += space ? 3 : 1;
	}
	return out;
}

static int is_mergeable(const struct leat_vocab *v, size_t id)
{
	return v->token_kind[id] == LEAT_TOKEN_NORMAL && !(v->flags[id] & LEAT_TOKEN_NO_TEXT);
}

/* Which characters occur in tokens, and which byte follows which. */
static void note_text(struct leat_chars *c, uint64_t *seen, const unsigned char *s, size_t n)
{
	for (size_t i = 0, len; i < n; i += len ? len : 1) {
		len = leat_utf8_len(s + i, n - i);
		if (len) {
			size_t used;
			uint32_t cp = leat_utf8_cp(s + i, &used);
			seen[cp >> 6] |= (uint64_t)1 << (cp & 63);
		}
	}
	for (size_t i = 1; i < n; i++) {
		unsigned pair = (unsigned)s[i - 1] << 8 | s[i];
		c->joins[pair >> 6] |= (uint64_t)1 << (pair & 63);
	}
}

/* Gives each character that occurs its row. */
static enum leat_status fill_chars(struct leat_vocab *v, const uint64_t *seen, struct leat_error *err)
{
	struct leat_chars *c = v->bpe->chars;
	int32_t next = v->n_tokens;
	uint32_t n = 0, k = 0;
	for (uint32_t w = 0; w < 0x110000 / 64; w++)
		n += (uint32_t)__builtin_popcountll(seen[w]);
	c->cp = leat_arena_take_array(&v->arena, (size_t)n + 1, sizeof(*c->cp));
	c->id = leat_arena_take_array(&v->arena, (size_t)n + 1, sizeof(*c->id));
	if (!c->cp || !c->id)
		return leat_fail(err, LEAT_E_NOMEM, v->tokens_key, LEAT_NO_OFFSET, "no memory for %u characters", n);
	for (uint32_t w = 0; w < 0x110000 / 64; w++)
		for (uint64_t left = seen[w]; left; left &= left - 1) {
			unsigned char text[4];
			uint32_t cp = w << 6 | (uint32_t)__builtin_ctzll(left);
			int id = leat_vocab_find(v, text, leat_utf8_put(cp, text));
			c->cp[k] = cp;
			c->id[k++] = id >= 0 && is_mergeable(v, (size_t)id) ? id : next++;
		}
	c->n = n;
	c->unknown = next;
	v->bpe->n_rows = (uint32_t)next + 1;
	for (uint32_t i = 0; i < 128; i++)
		c->ascii[i] = c->unknown;
	for (k = 0; k < n && c->cp[k] < 128; k++)
		c->ascii[c->cp[k]] = c->id[k];
	return LEAT_OK;
}

static enum leat_status find_chars(struct leat_vocab *v, struct leat_error *err)
{
	uint64_t *seen = calloc(0x110000 / 64, sizeof(*seen));
	if (!seen)
		return leat_fail(err, LEAT_E_NOMEM, v->tokens_key, LEAT_NO_OFFSET, "no memory for the characters");
	for (size_t id = 0; id < (size_t)v->n_tokens; id++) {
		size_t n;
		const unsigned char *s = leat_vocab_text(v, id, &n);
		if (is_mergeable(v, id))
			note_text(v->bpe->chars, seen, s, n);
	}
	enum leat_status st = fill_chars(v, seen, err);
	free(seen);
	return st;
}

/* Every text can be written if each byte has a token, or if there is one for what is unknown. */
static enum leat_status find_bytes(struct leat_vocab *v, struct leat_error *err)
{
	struct leat_bpe *b = v->bpe;
	for (int i = 0; i < 256; i++)
		b->byte_id[i] = -1;
	for (int id = v->n_tokens; id-- > 0;)
		if (v->token_kind[id] == LEAT_TOKEN_BYTE && v->offset[id + 1] - v->offset[id] == 1)
			b->byte_id[v->blob[v->offset[id]]] = id;
	for (int i = 0; i < 256 && v->unk < 0; i++)
		if (b->byte_id[i] < 0)
			return leat_fail(err, LEAT_E_FORMAT, v->tokens_key, LEAT_NO_OFFSET,
					 "%s: found neither a token <0x%02X> nor one for unknown characters: without "
					 "it some texts cannot be written", v->tokens_key, (unsigned)i);
	return LEAT_OK;
}

enum leat_status leat_spm_build(struct leat_vocab *v, const struct leat_vocab_spec *spec, struct leat_error *err)
{
	struct leat_bpe *b = v->bpe = leat_arena_take(&v->arena, sizeof(*b));
	if (b)
		b->chars = leat_arena_take(&v->arena, sizeof(*b->chars));
	if (!b || !b->chars)
		return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for the merges");
	LEAT_TRY(find_bytes(v, err));
	LEAT_TRY(find_chars(v, err));
	if (spec->scores)
		return leat_spm_find_merges(v, spec->scores, err);
	return leat_bpe_read_merges(b, v, spec, err);
}

/* Row of the character at s, its bytes in *len; what is no character is a row of its own byte. */
static int32_t char_row(const struct leat_chars *c, const unsigned char *s, size_t n, size_t *len)
{
	if (s[0] < 0x80) {
		*len = 1;
		return c->ascii[s[0]];
	}
	if (leat_utf8_len(s, n) == 0) {
		*len = 1;
		return c->unknown;
	}
	uint32_t cp = leat_utf8_cp(s, len), lo = 0, hi = c->n;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (c->cp[mid] < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->n && c->cp[lo] == cp ? c->id[lo] : c->unknown;
}

/* Scratch of one call. */
struct work {
	struct leat_bpe_long *merges;
	int32_t *id;
	size_t cap;
	int unknown;    /* the last token written stands for unknown characters */
	int real_space; /* LEAT_SPM_REAL_SPACE is one: the text is known to be well-formed */
};

/* A character that no merge took. */
static void write_unknown(const struct leat_vocab *v, struct work *w, const unsigned char *s, size_t n,
			  struct leat_ids *out)
{
	const int32_t *byte_id = v->bpe->byte_id;
	unsigned char space = ' ';
	int known = 1;
	if (w->real_space && s[0] == LEAT_SPM_REAL_SPACE)
		s = &space;
	for (size_t i = 0; i < n; i++)
		known &= byte_id[s[i]] >= 0;
	for (size_t i = 0; known && i < n; i++)
		out->id[out->n++] = byte_id[s[i]];
	if (!known && !(w->unknown && v->fuse_unk))
		out->id[out->n++] = v->unk;
	w->unknown = !known;
}

/* Writes the rows that are left, for the text they came from. */
static void write_rows(const struct leat_vocab *v, struct work *w, const int32_t *id, size_t n_ids,
		       const unsigned char *text, size_t n, struct leat_ids *out)
{
	size_t at = 0;
	for (size_t i = 0; i < n_ids; i++) {
		size_t len;
		if (id[i] < v->n_tokens) {
			out->id[out->n++] = id[i];
			at += v->offset[id[i] + 1] - v->offset[id[i]];
			w->unknown = 0;
			continue;
		}
		len = leat_utf8_len(text + at, n - at);
		len = len ? len : 1;
		write_unknown(v, w, text + at, len, out);
		at += len;
	}
}

/* A piece across whose ends nothing merges. */
static enum leat_status encode_piece(const struct leat_vocab *v, struct work *w, const unsigned char *text, size_t n,
				     struct leat_ids *out, struct leat_error *err)
{
	const struct leat_bpe *b = v->bpe;
	int32_t few[LEAT_BPE_SHORT], *id = few;
	uint32_t rank[LEAT_BPE_SHORT];
	size_t n_ids = 0;
	if (n > LEAT_BPE_SHORT && n > w->cap) {
		free(w->id);
		w->id = malloc(n * sizeof(*w->id));
		w->cap = w->id ? n : 0;
		if (!w->id)
			return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for a word of %zu bytes",
					 n);
	}
	if (n > LEAT_BPE_SHORT)
		id = w->id;
	for (size_t at = 0, len; at < n; at += len)
		id[n_ids++] = char_row(b->chars, text + at, n - at, &len);
	if (n_ids > LEAT_BPE_SHORT) {
		LEAT_TRY(leat_bpe_long_merge(b, &w->merges, NULL, id, &n_ids, err));
	} else if (n_ids > 1) {
		for (size_t i = 0; i + 1 < n_ids; i++)
			rank[i] = leat_bpe_rank(b, id[i], id[i + 1]);
		n_ids = leat_bpe_merge_short(b, id, rank, n_ids);
	}
	LEAT_TRY(leat_ids_reserve(out, n, err));
	write_rows(v, w, id, n_ids, text, n, out);
	return LEAT_OK;
}

static int joins(const struct leat_chars *c, unsigned char a, unsigned char b)
{
	unsigned pair = (unsigned)a << 8 | b;
	return (int)(c->joins[pair >> 6] >> (pair & 63) & 1);
}

static enum leat_status encode_text(const struct leat_vocab *v, const unsigned char *text, size_t n, int real_space,
				    struct leat_ids *out, struct leat_error *err)
{
	struct work w = {.real_space = real_space};
	enum leat_status st = LEAT_OK;
	int whole = v->whole_words && n ? leat_vocab_find(v, text, n) : -1;
	if (whole >= 0 && is_mergeable(v, (size_t)whole)) {
		LEAT_TRY(leat_ids_reserve(out, 1, err));
		out->id[out->n++] = whole;
		return LEAT_OK;
	}
	for (size_t at = 0, end; at < n && st == LEAT_OK; at = end) {
		for (end = at + 1; end < n && joins(v->bpe->chars, text[end - 1], text[end]);)
			end++;
		/* Bytes of one character stay together even if no token has them. */
		while (end < n && (text[end] & 0xc0) == 0x80)
			end++;
		st = encode_piece(v, &w, text + at, end - at, out, err);
	}
	leat_bpe_long_destroy(w.merges);
	free(w.id);
	return st;
}

enum leat_status leat_spm_encode_plain(const struct leat_vocab *v, const unsigned char *text, size_t n,
				       struct leat_ids *out, struct leat_error *err)
{
	return encode_text(v, text, n, 1, out, err);
}

enum leat_status leat_spm_encode_bytes(const struct leat_vocab *v, const unsigned char *text, size_t n,
				       struct leat_ids *out, struct leat_error *err)
{
	return encode_text(v, text, n, 0, out, err);
}

enum leat_status leat_spm_encode(const struct leat_vocab *v, const unsigned char *text, size_t n, int first,
				 struct leat_ids *out, struct leat_error *err)
{
	unsigned char *copy;
	int prefix = v->prefix == LEAT_PREFIX_ALWAYS;
	if (n == 0)
		return LEAT_OK;
	if (v->prefix == LEAT_PREFIX_MISSING || (v->prefix == LEAT_PREFIX_FIRST && first))
		prefix = text[0] != ' ' && !(n >= 3 && memcmp(text, meta, 3) == 0);
	copy = malloc(n + 1);
	if (!copy)
		return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for a text of %zu bytes", n);
	copy[0] = ' ';
	if (v->metaspace)
		n = leat_spm_spaces(text, n, copy + prefix);
	else
		memcpy(copy + prefix, text, n);
	enum leat_status st = encode_text(v, copy, n + (size_t)prefix, 0, out, err);
	free(copy);
	return st;
}
