/* The RWKV World tokenizer: at each place the longest token that fits (the vocabulary's published description). */
#include <stdlib.h>

#include "text/vocab.h"

static enum leat_status check_bytes(const struct leat_vocab *v, struct leat_error *err)
{
	for (int byte = 0; byte < 256; byte++)
		if (v->words.node == NULL || v->words.root[byte] == 0 ||
		    v->words.node[v->words.root[byte]].out[1] < 0)
			return leat_fail(err, LEAT_E_FORMAT, "tokenizer.ggml.tokens", LEAT_NO_OFFSET,
					 "tokenizer.ggml.tokens: found no token for the byte 0x%02x, wanted all 256: "
					 "without it some texts cannot be written", (unsigned)byte);
	return LEAT_OK;
}

enum leat_status leat_rwkv_build(struct leat_vocab *v, struct leat_error *err)
{
	size_t n = 0, len;
	struct leat_pattern *pattern = calloc((size_t)v->n_tokens, sizeof(*pattern));
	if (!pattern)
		return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for the vocabulary");
	for (size_t id = 0; id < (size_t)v->n_tokens; id++) {
		const unsigned char *s = leat_vocab_text(v, id, &len);
		int kind = v->token_kind[id];
		if (len && (kind == LEAT_TOKEN_NORMAL || kind == LEAT_TOKEN_BYTE))
			pattern[n++] = (struct leat_pattern){s, (uint32_t)len, (int32_t)id, 0};
	}
	enum leat_status st = leat_matcher_build(&v->words, &v->arena, pattern, n, err);
	free(pattern);
	if (st != LEAT_OK)
		return st;
	return check_bytes(v, err);
}

enum leat_status leat_rwkv_encode(const struct leat_vocab *v, const unsigned char *text, size_t n, struct leat_ids *out,
				  struct leat_error *err)
{
	LEAT_TRY(leat_ids_reserve(out, n, err));
	/* First the longest token at every place, from the end, into the room of the result; then the walk over them,
	 * which writes behind itself. */
	int32_t *best = out->id + out->n, *to = best;
	uint32_t state = 0;
	for (size_t i = n; i-- > 0;) {
		state = leat_matcher_step(&v->words, state, text[i]);
		best[i] = v->words.node[state].out[1];
	}
	for (size_t i = 0; i < n;) {
		int32_t id = best[i];
		*to++ = id;
		i += v->offset[id + 1] - v->offset[id];
	}
	out->n = (size_t)(to - out->id);
	return LEAT_OK;
}
