/* tokenizer.h - text to token ids and back.
 *
 * A tokenizer is immutable once built and may be used from any thread; each call brings its own scratch. Text is bytes:
 * any byte sequence encodes, and decoding the ids gives the same bytes back; but SentencePiece vocabularies ("spm")
 * take U+2581 for a space, put a space before the text, and may have a token for what is unknown. */
#ifndef LEAT_TEXT_TOKENIZER_H
#define LEAT_TEXT_TOKENIZER_H

#include "base/err.h"
#include "format/file.h"

struct leat_vocab;

enum {
	LEAT_TOK_SPECIAL = 1,       /* add the model's BOS/EOS where it asks for them */
	LEAT_TOK_PARSE_SPECIAL = 2, /* control tokens written out in the text become their ids; else plain text */
};

enum leat_token_kind {
	LEAT_TOKEN_NORMAL = 1, LEAT_TOKEN_UNKNOWN, LEAT_TOKEN_CONTROL, LEAT_TOKEN_USER, LEAT_TOKEN_UNUSED,
	LEAT_TOKEN_BYTE
};

enum { LEAT_MAX_VOCAB = 1 << 20, LEAT_MAX_TOKEN_BYTES = 65536 };

/* Builds the tokenizer that belongs to a model file. GGUF: what its metadata describes (tokenizer.ggml.*: model "gpt2"
 * with a known pre, model "llama", model "rwkv"); no normalizer runs, which GGUF does not name (Qwen2's NFC changes no
 * text that is NFC already). Hugging Face: the tokenizer.json beside it, with the normalizers it names, and the ends of
 * texts that the configuration tells. E_FORMAT: broken vocabulary (message names key, index, found, wanted).
 * E_UNSUPPORTED: a kind or component that leat does not know, by name, or a file without a vocabulary. The file may be
 * closed afterwards. */
enum leat_status leat_vocab_from_file(const struct leat_file *f, struct leat_vocab **ret, struct leat_error *err);

/* From what `path` is: a tokenizer.json (files beside it tell what ends a text), a folder that holds one, a GGUF file
 * of which only the vocabulary is read, or an RWKV World text. The word "bytes" stands for the 256 bytes, token i being
 * byte i, and 0 ending a text, as byte-level RWKV models have it. */
enum leat_status leat_vocab_from_path(const char *path, struct leat_vocab **ret, struct leat_error *err);

/* From an RWKV World vocabulary text (one line each: id, Python literal of str or bytes, byte length). */
enum leat_status leat_vocab_from_rwkv_text(const char *path, struct leat_vocab **ret, struct leat_error *err);
void leat_vocab_destroy(struct leat_vocab *v);

const char *leat_vocab_kind(const struct leat_vocab *v); /* "bpe" | "spm" | "rwkv", static */
int leat_vocab_size(const struct leat_vocab *v);         /* usable ids are 0 .. size-1 */
int leat_vocab_bos(const struct leat_vocab *v);          /* -1 if none */
int leat_vocab_eos(const struct leat_vocab *v);          /* -1 if none */
int leat_vocab_space_prefix(const struct leat_vocab *v); /* 1: a space is put before every text (SentencePiece) */
int leat_vocab_is_end(const struct leat_vocab *v, int id); /* end of text, end of turn: generation stops there */

/* Raw bytes of a token (borrowed), n = 0 for ids without text. Control tokens give their written form only if
 * `special`. */
const unsigned char *leat_vocab_bytes(const struct leat_vocab *v, int id, int special, size_t *ret_n);
int leat_vocab_token_kind(const struct leat_vocab *v, int id);
int leat_vocab_find(const struct leat_vocab *v, const void *bytes, size_t n); /* id of that exact token, or -1 */

/* Encodes n bytes. *ret_ids is heap memory (free()), NULL when there are no ids. Time and memory linear in n; E_LIMIT
 * for n over 2^30, E_NOMEM. */
enum leat_status leat_tokenize(const struct leat_vocab *v, const void *text, size_t n, unsigned flags,
			       int32_t **ret_ids, size_t *ret_n, struct leat_error *err);

/* Incremental decoding that never emits half a character: bytes of an incomplete UTF-8 sequence are held back until it
 * is complete or proves invalid; an invalid one becomes U+FFFD by the maximal-subpart rule (Unicode, table 3-8). */
struct leat_detok {
	const struct leat_vocab *vocab;
	unsigned char held[4];
	int n_held;
	int special;    /* show control tokens */
	int drop_space; /* the next text starts with a space that the tokenizer has put there */
};
void leat_detok_init(struct leat_detok *d, const struct leat_vocab *v, int special);
/* For ids of a whole text instead of its continuation: leaves out the space that leat_tokenize has put before it. */
void leat_detok_init_text(struct leat_detok *d, const struct leat_vocab *v, int special);

/* Appends the complete characters that token id brings to out[cap]; returns bytes written. Needs
 * cap >= leat_detok_bound(d, id); with less it writes nothing and the token is lost. No allocation. */
size_t leat_detok_next(struct leat_detok *d, int id, char *out, size_t cap);
size_t leat_detok_bound(const struct leat_detok *d, int id);
/* End of the stream: what is still held becomes U+FFFD. cap >= 4. */
size_t leat_detok_flush(struct leat_detok *d, char *out, size_t cap);

/* Stop strings across token borders. Text goes in as it is produced; what could still become a stop string is held. */
struct leat_stops;
enum { LEAT_MAX_STOPS = 16, LEAT_MAX_STOP_BYTES = 256 };
/* n strings, none empty, copied. E_ARG, E_LIMIT, E_NOMEM. */
enum leat_status leat_stops_create(const char *const *stops, const size_t *lens, int n, struct leat_stops **ret,
				   struct leat_error *err);
void leat_stops_destroy(struct leat_stops *s);
void leat_stops_reset(struct leat_stops *s);
/* Feeds n bytes; writes what is safe to show to out (cap >= n + LEAT_MAX_STOP_BYTES) and its length to *ret_n. Returns
 * the index of the stop string found, or -1: the one that ends first, the longest of those that end at the same byte.
 * What precedes it has been written; nothing else ever is until a reset, later calls return the same index. No
 * allocation. */
int leat_stops_feed(struct leat_stops *s, const char *text, size_t n, char *out, size_t *ret_n);
/* Bytes that are held. */
size_t leat_stops_held(const struct leat_stops *s);
/* End of the stream without a stop: the held text. cap >= LEAT_MAX_STOP_BYTES. */
size_t leat_stops_flush(struct leat_stops *s, char *out);

#endif
