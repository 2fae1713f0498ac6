/* Byte-level BPE: bytes become tokens, then of all neighbours that may merge the pair with the lowest rank does, the
 * leftmost first, until none may (Sennrich et al. 2016; bytes as in the GPT-2 release of 2019). */
#include "text/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "text/unicode.h"

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
			return leat_fail(err, LEAT_E_FORMAT, v->tokens_key, LEAT_NO_OFFSET,
					 "%s: found no token for the byte 0x%02x, wanted all 256: without it some "
					 "texts cannot be written", v->tokens_key, (unsigned)i);
	}
	return LEAT_OK;
}

enum leat_status leat_bpe_build(struct leat_vocab *v, const struct leat_vocab_spec *spec, struct leat_error *err)
{
	struct leat_bpe *b = v->bpe = leat_arena_take(&v->arena, sizeof(*b));
	if (b)
		b->byte_pair = leat_arena_take_array(&v->arena, 65536, sizeof(*b->byte_pair));
	if (!b || !b->byte_pair)
		return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for the merges");
	b->n_rows = (uint32_t)v->n_tokens;
	LEAT_TRY(fill_bytes(b, v, err));
	LEAT_TRY(leat_bpe_read_merges(b, v, spec, err));
	for (size_t i = 0; i < 65536; i++)
		b->byte_pair[i] = leat_bpe_rank(b, b->byte_id[i >> 8], b->byte_id[i & 255]);
	return LEAT_OK;
}

size_t leat_bpe_merge_short(const struct leat_bpe *b, int32_t *id, uint32_t *rank, size_t n)
{
	while (n > 1) {
		size_t at = 0;
		for (size_t i = 1; i + 1 < n; i++)
			at = rank[i] < rank[at] ? i : at;
		if (rank[at] == LEAT_NO_MERGE)
			break;
		id[at] = leat_bpe_join(b, rank[at], id[at], id[at + 1]);
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

static enum leat_status merge_piece(const struct leat_vocab *v, struct leat_bpe_long **work, const unsigned char *text,
				     size_t n, struct leat_ids *out, struct leat_error *err)
{
	const struct leat_bpe *b = v->bpe;
	uint32_t rank[LEAT_BPE_SHORT];
	LEAT_TRY(leat_ids_reserve(out, n, err));
	int32_t *id = out->id + out->n;
	for (size_t i = 0; i < n; i++)
		id[i] = b->byte_id[text[i]];
	if (n > LEAT_BPE_SHORT) {
		LEAT_TRY(leat_bpe_long_merge(b, work, text, id, &n, err));
	} else if (n > 1) {
		for (size_t i = 0; i + 1 < n; i++)
			rank[i] = b->byte_pair[text[i] << 8 | text[i + 1]];
		n = leat_bpe_merge_short(b, id, rank, n);
	}
	out->n += n;
	return LEAT_OK;
}

/* A piece that is a token as a whole, where the vocabulary says that this settles it. */
static int whole_word(const struct leat_vocab *v, const unsigned char *text, size_t n)
{
	int id = v->whole_words ? leat_vocab_find(v, text, n) : -1;
	return id >= 0 && v->token_kind[id] == LEAT_TOKEN_NORMAL ? id : -1;
}

enum leat_status leat_bpe_encode_piece(const struct leat_vocab *v, struct leat_bpe_long **work,
				       const unsigned char *text, size_t n, struct leat_ids *out,
				       struct leat_error *err)
{
	int id = whole_word(v, text, n);
	if (id < 0)
		return merge_piece(v, work, text, n, out, err);
	LEAT_TRY(leat_ids_reserve(out, 1, err));
	out->id[out->n++] = id;
	return LEAT_OK;
}

void leat_bpe_work_destroy(struct leat_bpe_long *work)
{
	leat_bpe_long_destroy(work);
}

/* A run of well-formed UTF-8. */
static enum leat_status encode_run(const struct leat_vocab *v, struct leat_bpe_long **work, const unsigned char *text,
				   size_t n, struct leat_ids *out, struct leat_error *err)
{
	for (size_t at = 0, end; at < n; at = end) {
		end = leat_pretok_next(v->pretok, text, at, n);
		LEAT_TRY(leat_bpe_encode_piece(v, work, text + at, end - at, out, err));
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
			st = merge_piece(v, &work, text + at++, 1, out, err);
	}
	leat_bpe_long_destroy(work);
	return st;
}
