/* vocab.h - the inside of a tokenizer: the token table and what its kinds share. Private to src/text. */
#ifndef LEAT_TEXT_VOCAB_H
#define LEAT_TEXT_VOCAB_H

#include "base/arena.h"
#include "text/matcher.h"
#include "text/pretok.h"
#include "text/tokenizer.h"

struct leat_bpe;
struct leat_bpe_long;
struct leat_pipe;

/* BPE: merges over bytes. SPM: merges over characters, by the score of what they make (SentencePiece) or as listed.
 * RWKV: the longest token that fits. */
enum leat_vocab_kind_id { LEAT_VOCAB_BPE, LEAT_VOCAB_RWKV, LEAT_VOCAB_SPM };

enum { LEAT_MAX_ENDS = 64 };

/* How a special or user token is found in a text (the flags of `added_tokens` in tokenizer.json). */
enum {
	LEAT_ADDED_LSTRIP = 1,      /* takes the white space before it along */
	LEAT_ADDED_RSTRIP = 2,      /* and after it */
	LEAT_ADDED_SINGLE_WORD = 4, /* not inside a word */
	LEAT_ADDED_MATCH = 8,       /* a normal token that is looked for in texts like a user token */
	LEAT_TOKEN_NO_TEXT = 128,   /* set by the build: no text leads to this token */
};

/* Is a space put before a text (and before what follows a special token)? */
enum leat_space_prefix {
	LEAT_PREFIX_NEVER,
	LEAT_PREFIX_ALWAYS,
	LEAT_PREFIX_MISSING,        /* unless it starts with one */
	LEAT_PREFIX_FIRST,          /* the same, only at the very start of the text */
};

/* What a vocabulary is built from. Tokens are as written in a GGUF file (GPT-2 byte alphabet, RWKV escapes, U+2581 for
 * a space) unless `raw` says that they are bytes. */
struct leat_vocab_spec {
	enum leat_vocab_kind_id kind;
	int raw;
	const struct leat_str *tokens;
	size_t n_tokens;
	const unsigned char *kinds;  /* [n_tokens] enum leat_token_kind, NULL: all normal */
	const unsigned char *flags;  /* [n_tokens] LEAT_ADDED_*, NULL: none */
	const float *scores;         /* SPM: [n_tokens], finite; NULL: by merges */
	const struct leat_str *merges; /* "LEFT RIGHT" */
	const struct leat_str *pairs;  /* [2 * n_merges] instead: LEFT, RIGHT */
	size_t n_merges;
	const struct leat_pretok *pretok; /* BPE; NULL: a pipe cuts */
	int json;                    /* from a tokenizer.json: names its keys in messages */
	int bos, eos;                /* -1: none */
	int add_bos, add_eos;
	int unk;                     /* SPM: for characters that have neither token nor byte tokens; 0 if there is none,
					else id + 1 */
	int fuse_unk;                /* neighbouring unknown characters make one token */
	int metaspace;               /* SPM: U+2581 in tokens stands for a space */
	int whole_words;             /* a piece that is a token stays one, whatever the merges say */
	enum leat_space_prefix prefix;
	int drop_space;              /* the first token of a text loses the space it starts with */
	int ends[LEAT_MAX_ENDS];                 /* further ids that end a text */
	int n_ends;
};

struct leat_vocab {
	struct leat_arena arena;     /* holds all that follows, and the vocabulary's own parts */
	enum leat_vocab_kind_id kind;
	int n_tokens;                /* rows of the token table */
	int size;                    /* usable ids */
	int bos, eos, add_bos, add_eos;
	int unk, fuse_unk;           /* unk -1: none */
	int metaspace, whole_words;
	enum leat_space_prefix prefix;
	int drop_space;
	struct leat_pipe *pipe;      /* what tokenizer.json does to a text first, NULL: nothing */
	const char *tokens_key;      /* where the tokens come from, for messages */
	unsigned char *blob;         /* bytes of all tokens, one after the other */
	uint32_t *offset;            /* [n_tokens + 1] into blob */
	unsigned char *token_kind;   /* [n_tokens] */
	unsigned char *is_end;       /* [n_tokens] */
	unsigned char *flags;        /* [n_tokens] LEAT_ADDED_*, LEAT_TOKEN_NO_TEXT */
	uint32_t *slot;              /* hash of bytes -> id + 1, open addressing */
	uint64_t slot_mask, seed;
	const struct leat_pretok *pretok;
	struct leat_bpe *bpe;
	struct leat_matcher special; /* out[0]: user tokens, out[1]: control tokens too */
	struct leat_matcher words;   /* rwkv: every normal token */
};

/* Ids under construction; grows by doubling. */
struct leat_ids {
	int32_t *id;
	size_t n, cap;
};
enum leat_status leat_ids_reserve(struct leat_ids *v, size_t more, struct leat_error *err);

/* vocab_load.c: from the metadata of a GGUF file. */
enum leat_status leat_vocab_from_gguf(const struct leat_file *f, struct leat_vocab **ret, struct leat_error *err);

/* Builds a vocabulary; nothing of the spec is kept. Errors as leat_vocab_from_file. */
enum leat_status leat_vocab_build(const struct leat_vocab_spec *spec, struct leat_vocab **ret, struct leat_error *err);

/* The bytes of any token, whatever its kind. */
static inline const unsigned char *leat_vocab_text(const struct leat_vocab *v, size_t id, size_t *ret_n)
{
	*ret_n = v->offset[id + 1] - v->offset[id];
	return v->blob + v->offset[id];
}

/* The bytes that a normal token or a side of a merge, as written, stands for into dst[n]; returns their number. */
size_t leat_vocab_decode(const struct leat_vocab *v, const unsigned char *src, size_t n, unsigned char *dst);

/* bpe.c */
enum leat_status leat_bpe_build(struct leat_vocab *v, const struct leat_vocab_spec *spec, struct leat_error *err);
/* Appends the ids of a text without special tokens. */
enum leat_status leat_bpe_encode(const struct leat_vocab *v, const unsigned char *text, size_t n, struct leat_ids *out,
				 struct leat_error *err);
/* One piece, as bytes; *work starts as NULL and is kept from piece to piece. */
enum leat_status leat_bpe_encode_piece(const struct leat_vocab *v, struct leat_bpe_long **work,
				       const unsigned char *text, size_t n, struct leat_ids *out,
				       struct leat_error *err);
void leat_bpe_work_destroy(struct leat_bpe_long *work);
/* Bytes of a token written in the GPT-2 byte alphabet into dst[n]; a text outside that alphabet stays as it is. Returns
 * the length. */
size_t leat_bpe_decode_alphabet(const unsigned char *src, size_t n, unsigned char *dst);

/* spm.c */
enum leat_status leat_spm_build(struct leat_vocab *v, const struct leat_vocab_spec *spec, struct leat_error *err);
/* Appends the ids of a text without special tokens; `first`: it starts the whole text. */
enum leat_status leat_spm_encode(const struct leat_vocab *v, const unsigned char *text, size_t n, int first,
				 struct leat_ids *out, struct leat_error *err);
/* The same for a piece that stays as it is: no prefix, U+2581 is a space already. A byte LEAT_SPM_REAL_SPACE, which no
 * text has, is a space that no token has. */
enum { LEAT_SPM_REAL_SPACE = 0xff };
enum leat_status leat_spm_encode_plain(const struct leat_vocab *v, const unsigned char *text, size_t n,
				       struct leat_ids *out, struct leat_error *err);
/* Bytes that are no characters. */
enum leat_status leat_spm_encode_bytes(const struct leat_vocab *v, const unsigned char *text, size_t n,
				       struct leat_ids *out, struct leat_error *err);
/* U+2581 becomes a space; returns the length. dst may be src. */
size_t leat_spm_spaces(const unsigned char *src, size_t n, unsigned char *dst);

/* rwkv_trie.c */
enum leat_status leat_rwkv_build(struct leat_vocab *v, struct leat_error *err);
enum leat_status leat_rwkv_encode(const struct leat_vocab *v, const unsigned char *text, size_t n, struct leat_ids *out,
				  struct leat_error *err);

/* literal.c: the inside of a Python string literal. In a literal of bytes \xNN is a byte; in one of str it is a code
 * point, written as UTF-8. */
enum leat_literal { LEAT_LITERAL_STR, LEAT_LITERAL_BYTES };
/* Writes at most n bytes to dst. 0 on success; else what is wrong with it, for a message. */
const char *leat_literal_decode(enum leat_literal kind, const unsigned char *src, size_t n, unsigned char *dst,
				size_t *ret_n);

#endif
