/* embed.h - other inputs than tokens, other outputs than text. Part of <leat/leat.h>.
 *
 * A prompt may be put together of pieces: ids, text, and rows of numbers that take the place of embeddings. A model may
 * be asked for all its logits, or for the vectors behind them, or for one vector that stands for a document. */
#ifndef LEAT_EMBED_H
#define LEAT_EMBED_H

#include <stddef.h>
#include <stdint.h>

#include "leat/engine.h"
#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_engine;
struct leat_hook;
struct leat_model;

/* ---- inputs ------------------------------------------------------------------------------------------------ */

/* What a piece of a prompt is given as. */
enum leat_segment_kind {
	LEAT_SEGMENT_TOKENS = 0, /* int32_t ids */
	LEAT_SEGMENT_TEXT = 1,   /* bytes of text, tokenized by itself */
	LEAT_SEGMENT_ROWS = 2,   /* float rows instead of rows of the token table, one after the other */
};

/* A piece of a prompt. */
struct leat_segment {
	int32_t kind;        /* enum leat_segment_kind */
	uint32_t text_flags; /* of text: LEAT_TEXT_..., as for leat_model_tokenize */
	const void *data;    /* ids, bytes or floats; copied */
	uint64_t n;          /* how many ids, bytes or rows */
	int32_t width;       /* of rows: floats of each, which must be the model's n_embd; else 0 */
	int32_t reserved;    /* zero */
};

/* The rows of the token table for ids[n], dequantised: ret[n][n_embd]. Fed back as LEAT_SEGMENT_ROWS they give the same
 * logits as the ids. LEAT_E_ARG: an id out of range, or a model without weights. Any thread. */
LEAT_API enum leat_status leat_model_embedding_rows(const struct leat_model *m, const int32_t *ids, size_t n,
						    float *ret, struct leat_error *err);

/* ---- outputs ----------------------------------------------------------------------------------------------- */

/* What leat_engine_evaluate gives for a token. */
enum leat_output {
	LEAT_OUTPUT_LOGITS = 0, /* [n_rows] logits of what follows it */
	LEAT_OUTPUT_HIDDEN = 1, /* [n_embd] after the last norm: what the head would read. The head is not computed */
	LEAT_OUTPUT_PROBS = 2,  /* [n_vocab] probabilities of what follows it: the softmax of the logits */
};

/* What to compute. */
struct leat_evaluate_params {
	uint32_t struct_size;
	int32_t output;         /* enum leat_output */
	const struct leat_segment *segments; /* [n_segments] the tokens, from an empty state */
	int32_t n_segments;     /* at least 1 */
	int32_t chunk;          /* tokens a step at most; 0: as many as fit */
	int64_t first;          /* the first token whose row is wanted; below 0: from the end, -1: the last only */
	const struct leat_hook *hooks; /* [n_hooks] hook.h; NULL: none */
	int32_t n_hooks;        /* entries of hooks */
	int32_t reserved0;      /* zero */
};
#define LEAT_EVALUATE_PARAMS_INIT \
	{ sizeof(struct leat_evaluate_params), 0, NULL, 0, 0, 0, NULL, 0, 0 }

/* Computes all tokens together from an empty state and gives the wanted rows in order to `row`, on the calling thread;
 * `index` counts tokens, wanted or not. For rows that nobody wants no head is computed. Waits for the step that runs.
 * LEAT_E_ARG names what is wrong; LEAT_E_CONTEXT: more tokens than n_ctx; LEAT_E_BUSY: all n_seqs are in use;
 * LEAT_E_NOTFOUND: a hook's point; LEAT_E_CANCELLED: by row. A NaN in a row is no error here. */
LEAT_API enum leat_status leat_engine_evaluate(struct leat_engine *e, const struct leat_evaluate_params *params,
					       leat_logits_fn *row, void *user, struct leat_error *err);

/* How the vectors of a document's tokens become one. */
enum leat_pooling {
	LEAT_POOL_MEAN = 0, /* their mean */
	LEAT_POOL_LAST = 1, /* that of the last token, which has seen all */
};

/* How leat_engine_embed works. */
struct leat_embed_params {
	uint32_t struct_size;
	int32_t pooling;   /* enum leat_pooling */
	int32_t normalize; /* 1: divided by its Euclidean length, unless that is 0 */
	int32_t reserved0; /* zero */
};
#define LEAT_EMBED_PARAMS_INIT { sizeof(struct leat_embed_params), 0, 0, 0 }

/* One vector for each of n documents, each a piece of at least one token: ret[n][n_embd], from the vectors of
 * LEAT_OUTPUT_HIDDEN. As many documents run together as the engine has sequences free; each gets the vector that it
 * would get alone (bit for bit with LEAT_MODE_DETERMINISTIC). Requests of others run between groups of documents.
 * `params` NULL: defaults. LEAT_E_ARG, LEAT_E_CONTEXT: names the document; LEAT_E_BUSY: no sequence is free;
 * LEAT_E_NONFINITE: the model computed a NaN. */
LEAT_API enum leat_status leat_engine_embed(struct leat_engine *e, const struct leat_embed_params *params,
					    const struct leat_segment *documents, size_t n, float *ret,
					    struct leat_error *err);

/* Softmax of n rows in place: rows[r * stride + i], i < width, become exp(x - max) / sum. Sums in double; each result
 * is within 1e-6 of the exact one, relatively, down to 1e-30. -infinity gives 0. A row with a NaN or +infinity, or of
 * -infinity only, becomes all NaN. Any thread. */
LEAT_API void leat_softmax(float *rows, size_t n, size_t width, size_t stride);

#ifdef __cplusplus
}
#endif
#endif
