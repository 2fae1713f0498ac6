/* Byte-level BPE: bytes become tokens, then of all neighbours that may merge the pair with the lowest rank does, the
 * leftmost first, until none may (Sennrich et al. 2016; bytes as in the GPT-2 release of 2019). */
#include "text/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "text/unicode.h"

static const char tokens_key[] = "tokenizer.ggml.tokens", merges_key[] = "tokenizer.ggml.merges";

/* The GPT-2 byte alphabet writes printable bytes as themselves and the 68 others (0..32, 127..160, 173) as U+0100 and
 * up, in order. */
static int alphabet_byte(uint32_t cp)
{
	if (cp < 256)
		return (cp >= 33 && cp <= 126) || (cp >= 161 && cp != 173) ? (int)cp : -1;
	if (cp < 256 + 33)
		return (int)cp - 256;
	if (cp < 256 + 67)
		return (int)cp - 256 - 33 + 127;
	return cp == 256 + 67 ? 173 : -1;
}

size_t leat_bpe_decode_alphabet(const unsigned char *src, size_t n, unsigned char *dst)
{
	size_t out = 0;
	for (size_t i = 0, len; i < n; i += len) {
		int byte = leat_utf8_len(src + i, n - i) ? alphabet_byte(leat_utf8_cp(src + i, &len)) : -1;
		if (byte < 0) {
			memcpy(dst, src, n);
			return n;
		}
		dst[out++] = (unsigned char)byte;
	}
	return out;
}

static enum leat_status fill_bytes(struct leat_bpe *b, const struct leat_vocab *v, struct leat_error *err)
{
	for (int i = 0; i < 256; i++) {
		unsigned char byte = (unsigned char)i;
		b->byte_id[i] = leat_vocab_find(v, &byte, 1);
		if (b->byte_id[i] < 0)
			return leat_fail(err, LEAT_E_FORMAT, tokens_key, LEAT_NO_OFFSET,
					 "%s: found no token for the byte 0x%02x, wanted all 256: without it some "
					 "texts cannot be written", tokens_key, (unsigned)i);
	}
	return LEAT_OK;
}

/* The two sides of a merge. */
struct merge {
	int32_t left, right;
};

static enum leat_status bad_merge(size_t i, const struct leat_str *s, const char *wanted, struct leat_error *err)
{
	char shown[96];
	leat_escape(shown, sizeof(shown), s->s, s->n);
	return leat_fail(err, LEAT_E_FORMAT, merges_key, LEAT_NO_OFFSET, "%s: merge %zu: found '%s', wanted %s",
			 merges_key, i, shown, wanted);
}

/* "LEFT RIGHT" in the byte alphabet, which has no space. `buf` has room for the bytes of both. */
static enum leat_status read_merge(const struct leat_vocab *v, size_t i, const struct leat_str *s, unsigned char *buf,
				   struct merge *m, int32_t *ret_result, struct leat_error *err)
{
	const char *space = s->n ? memchr(s->s, ' ', (size_t)s->n) : NULL;
	size_t left = space ? (size_t)(space - s->s) : 0, right = space ? (size_t)s->n - left - 1 : 0;
	if (!space || left == 0 || right == 0 || memchr(space + 1, ' ', right))
		return bad_merge(i, s, "two tokens separated by one space", err);
	if (left > LEAT_MAX_TOKEN_BYTES || right > LEAT_MAX_TOKEN_BYTES)
		return bad_merge(i, s, "two tokens of the vocabulary", err);
	size_t n = leat_bpe_decode_alphabet((const unsigned char *)s->s, left, buf);
	size_t more = leat_bpe_decode_alphabet((const unsigned char *)space + 1, right, buf + n);
	m->left = leat_vocab_find(v, buf, n);
	m->right = leat_vocab_find(v, buf + n, more);
	if (m->left < 0 || m->right < 0)
		return bad_merge(i, s, "two tokens of the vocabulary", err);
	*ret_result = leat_vocab_find(v, buf, n + more);
	if (*ret_result < 0)
		return bad_merge(i, s, "a pair whose joined form is in the vocabulary", err);
	return LEAT_OK;
}

static enum leat_status read_merges(struct leat_bpe *b, const struct leat_vocab *v, const struct leat_vocab_spec *spec,
				    struct merge *merge, struct leat_error *err)
{
	unsigned char *buf = malloc(2 * (size_t)LEAT_MAX_TOKEN_BYTES);
	enum leat_status st = LEAT_OK;
	if (!buf)
		return leat_fail(err, LEAT_E_NOMEM, merges_key, LEAT_NO_OFFSET, "no memory for the merges");
	for (size_t i = 0; st == LEAT_OK && i < spec->n_merges; i++)
		st = read_merge(v, i, &spec->merges[i], buf, &merge[i], &b->result[i], err);
	free(buf);
	return st;
}

/* Orders the merges by left, then right token: two counting sorts, the first into `order`. */
static void sort_merges(struct leat_bpe *b, const struct merge *merge, uint32_t *order, uint32_t *count,
			size_t n_tokens)
{
	for (uint32_t i = 0; i < b->n_merges; i++) {
		count[merge[i].right + 1]++;
		b->row[merge[i].left + 1]++;
	}
	for (size_t t = 0; t < n_tokens; t++) {
		count[t + 1] += count[t];
		b->row[t + 1] += b->row[t];
	}
	for (uint32_t i = 0; i < b->n_merges; i++)
		order[count[merge[i].right]++] = i;
	memcpy(count, b->row, n_tokens * sizeof(*count));
	for (uint32_t k = 0; k < b->n_merges; k++) {
		uint32_t i = order[k], at = count[merge[i].left]++;
		b->right[at] = (uint32_t)merge[i].right;
		b->rank[at] = i;
	}
}

static enum leat_status check_duplicates(const struct leat_bpe *b, const struct leat_vocab_spec *spec,
					 const struct merge *merge, struct leat_error *err)
{
	for (uint32_t k = 1; k < b->n_merges; k++) {
		uint32_t i = b->rank[k - 1], j = b->rank[k];
		if (b->right[k - 1] == b->right[k] && merge[i].left == merge[j].left) {
			char shown[96];
			leat_escape(shown, sizeof(shown), spec->merges[j].s, spec->merges[j].n);
			return leat_fail(err, LEAT_E_FORMAT, merges_key, LEAT_NO_OFFSET,
					 "%s: merge %u: found '%s' again, which is merge %u, wanted each pair once",
					 merges_key, j, shown, i);
		}
	}
	return LEAT_OK;
}

static enum leat_status build_table(struct leat_bpe *b, struct leat_vocab *v, const struct leat_vocab_spec *spec,
				    struct leat_error *err)
{
	size_t n_tokens = spec->n_tokens, n = spec->n_merges;
	struct merge *merge = calloc(n + 1, sizeof(*merge));
	uint32_t *order = calloc(n + 1, sizeof(*order)), *count = calloc(n_tokens + 1, sizeof(*count));
	enum leat_status st;
	if (!merge || !order || !count) {
		st = leat_fail(err, LEAT_E_NOMEM, merges_key, LEAT_NO_OFFSET, "no memory for %zu merges", n);
	} else {
		st = read_merges(b, v, spec, merge, err);
		if (st == LEAT_OK) {
			sort_merges(b, merge, order, count, n_tokens);
			st = check_duplicates(b, spec, merge, err);
		}
	}
	free(count);
	free(order);
	free(merge);
	return st;
}

enum leat_status leat_bpe_build(struct leat_vocab *v, const struct leat_vocab_spec *spec, struct leat_error *err)
{
	size_t n = spec->n_merges;
	if (n > LEAT_MAX_MERGES)
		return leat_fail(err, LEAT_E_LIMIT, merges_key, LEAT_NO_OFFSET,
				 "%s: found %zu merges, at most %d are allowed", merges_key, n, LEAT_MAX_MERGES);
	struct leat_bpe *b = v->bpe = leat_arena_take(&v->arena, sizeof(*b));
	if (b) {
		b->n_merges = (uint32_t)n;
		b->byte_pair = leat_arena_take_array(&v->arena, 65536, sizeof(*b->byte_pair));
		b->row = leat_arena_take_array(&v->arena, spec->n_tokens + 1, sizeof(*b->row));
		b->right = leat_arena_take_array(&v->arena, n + 1, sizeof(*b->right));
		b->rank = leat_arena_take_array(&v->arena, n + 1, sizeof(*b->rank));
		b->result = leat_arena_take_array(&v->arena, n + 1, sizeof(*b->result));
	}
	if (!b || !b->byte_pair || !b->row || !b->right || !b->rank || !b->result)
		return leat_fail(err, LEAT_E_NOMEM, merges_key, LEAT_NO_OFFSET, "no memory for %zu merges", n);
	LEAT_TRY(fill_bytes(b, v, err));
	LEAT_TRY(build_table(b, v, spec, err));
	for (size_t i = 0; i < 65536; i++)
		b->byte_pair[i] = leat_bpe_rank(b, b->byte_id[i >> 8], b->byte_id[i & 255]);
	return LEAT_OK;
}

/* A piece so short that looking at all pairs again after each merge costs less than any queue. */
enum { SHORT_BYTES = 48 };

static size_t merge_short(const struct leat_bpe *b, const unsigned char *text, size_t n, int32_t *id)
{
	uint32_t rank[SHORT_BYTES];
	for (size_t i = 0; i < n; i++)
		id[i] = b->byte_id[text[i]];
	for (size_t i = 0; i + 1 < n; i++)
		rank[i] = b->byte_pair[text[i] << 8 | text[i + 1]];
	while (n > 1) {
		size_t at = 0;
		for (size_t i = 1; i + 1 < n; i++)
			at = rank[i] < rank[at] ? i : at;
		if (rank[at] == LEAT_NO_MERGE)
			break;
		id[at] = b->result[rank[at]];
		n--;
		memmove(id + at + 1, id + at + 2, (n - at - 1) * sizeof(*id));
		memmove(rank + at, rank + at + 1, (n - 1 - at) * sizeof(*rank));
		if (at + 1 < n)
			rank[at] = leat_bpe_rank(b, id[at], id[at + 1]);
		if (at > 0)
			rank[at - 1] = leat_bpe_rank(b, id[at - 1], id[at]);
	}
	return n;
}

static enum leat_status encode_piece(const struct leat_vocab *v, struct leat_bpe_long **work, const unsigned char *text,
				     size_t n, struct leat_ids *out, struct leat_error *err)
{
	const struct leat_bpe *b = v->bpe;
	if (n > SHORT_BYTES)
		return leat_bpe_long_encode(b, work, text, n, out, err);
	LEAT_TRY(leat_ids_reserve(out, n, err));
	if (n == 1)
		out->id[out->n++] = b->byte_id[text[0]];
	else
		out->n += merge_short(b, text, n, out->id + out->n);
	return LEAT_OK;
}

/* A piece that is a token as a whole, where the pre-tokenizer says that this settles it. */
static int whole_word(const struct leat_vocab *v, const unsigned char *text, size_t n)
{
	int id = v->pretok->whole_words ? leat_vocab_find(v, text, n) : -1;
	return id >= 0 && v->token_kind[id] == LEAT_TOKEN_NORMAL ? id : -1;
}

/* A run of well-formed UTF-8. */
static enum leat_status encode_run(const struct leat_vocab *v, struct leat_bpe_long **work, const unsigned char *text,
				   size_t n, struct leat_ids *out, struct leat_error *err)
{
	for (size_t at = 0, end; at < n; at = end) {
		end = leat_pretok_next(v->pretok, text, at, n);
		int id = whole_word(v, text + at, end - at);
		if (id < 0) {
			LEAT_TRY(encode_piece(v, work, text + at, end - at, out, err));
			continue;
		}
		LEAT_TRY(leat_ids_reserve(out, 1, err));
		out->id[out->n++] = id;
	}
	return LEAT_OK;
}

/* End of the well-formed UTF-8 that starts at `at`. */
static size_t valid_end(const unsigned char *text, size_t at, size_t n)
{
	while (at < n) {
		size_t len = leat_utf8_len(text + at, n - at);
		if (len == 0)
			break;
		at += len;
	}
	return at;
}

enum leat_status leat_bpe_encode(const struct leat_vocab *v, const unsigned char *text, size_t n, struct leat_ids *out,
				 struct leat_error *err)
{
	struct leat_bpe_long *work = NULL;
	enum leat_status st = LEAT_OK;
	for (size_t at = 0; at < n && st == LEAT_OK;) {
		size_t end = valid_end(text, at, n);
		st = encode_run(v, &work, text + at, end - at, out, err);
		at = end;
		/* A byte that belongs to no character is a piece of its own. */
		if (st == LEAT_OK && at < n)
			st = encode_piece(v, &work, text + at++, 1, out, err);
	}
	leat_bpe_long_destroy(work);
	return st;
}
