/* model.h - model files: opening, describing, text to tokens and back. Part of <leat/leat.h>. */
#ifndef LEAT_MODEL_H
#define LEAT_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- models ------------------------------------------------------------------------------------------------ */

/* A model file: weights, vocabulary, shapes. Immutable, reference counted, usable from any thread. */
struct leat_model;

/* Called from the loading thread while a model loads: what is done, out of what, in bytes. `phase` is a static word
 * ("weights"). A nonzero return ends the loading with LEAT_E_CANCELLED. */
typedef int leat_progress_fn(void *user, const char *phase, uint64_t done, uint64_t total);

/* How to open a model. */
struct leat_model_params {
	uint32_t struct_size;
	uint32_t flags;             /* LEAT_MODEL_... joined by | */
	leat_progress_fn *progress; /* NULL: none */
	void *progress_user;        /* handed to progress */
	/* Vocabulary to use instead of the model's own: path of a tokenizer.json, of a folder that holds one, of a GGUF
	 * file or of an RWKV World text; "bytes": the 256 bytes, token i is byte i. NULL: none. */
	const char *tokenizer;
	int32_t load_mode;          /* enum leat_load_mode */
	int32_t reserved0;          /* 0 */
};
/* Flags of struct leat_model_params. */
enum {
	LEAT_MODEL_VOCAB_ONLY = 1, /* text functions only: the weights are not looked at, no engine takes the model */
};
/* How the weights come into memory. All but READ and DIRECT share them with other processes that map the file. */
enum leat_load_mode {
	LEAT_LOAD_AUTO = 0, /* mapped; the system is asked to read ahead what fits into free memory */
	LEAT_LOAD_MMAP,     /* mapped, and every page is there before the model opens */
	LEAT_LOAD_LAZY,     /* mapped; a page comes when it is first used */
	LEAT_LOAD_READ,     /* read into memory of the process's own, in huge pages where the system has them */
	LEAT_LOAD_DIRECT,   /* the same around the page cache; E_UNSUPPORTED where the file system cannot */
	LEAT_LOAD_MLOCK,    /* mapped and locked: never swapped or dropped; E_NOMEM beyond RLIMIT_MEMLOCK */
};
#define LEAT_MODEL_PARAMS_INIT { sizeof(struct leat_model_params), 0, NULL, NULL, NULL, 0, 0 }

/* Opens a model: maps its files, checks all of their structure, recognises the architecture and the tokenizer, and
 * proves the shape of every tensor, so that nothing that comes later can fail on what the file says. Weights are not
 * read where that can wait: a mapped file of 4 GB opens in milliseconds and is paged in as it is used.
 *
 * `path`: a file or a folder of a form that this build reads (README.md). `params` NULL: defaults.
 * LEAT_E_NOTFOUND no such file; LEAT_E_IO it cannot be read; LEAT_E_ARG path is no regular file, or a parameter is
 * wrong; LEAT_E_FORMAT the bytes are wrong (err->offset says where); LEAT_E_UNSUPPORTED they are right, but leat has
 * not this architecture, tokenizer or type; LEAT_E_LIMIT a count or size beyond what leat accepts; LEAT_E_CANCELLED
 * by progress. Any thread. */
LEAT_API enum leat_status leat_model_open(const char *path, const struct leat_model_params *params,
					  struct leat_model **ret, struct leat_error *err);

/* One more reference; returns `m`. Any thread. */
LEAT_API struct leat_model *leat_model_ref(struct leat_model *m);

/* One reference less; with the last the files are unmapped. Engines hold references of their own. Any thread. */
LEAT_API void leat_model_unref(struct leat_model *m);

/* What a model is. With LEAT_MODEL_VOCAB_ONLY only the fields of the vocabulary are filled. */
struct leat_model_info {
	uint32_t struct_size;
	uint32_t recurrent;         /* 1: a fixed state per sequence instead of a cache that grows with it */
	char arch[32];              /* "rwkv7", "qwen2" ...: leat_arch_name_at lists them */
	char name[96];              /* as the file calls it, "" if it does not */
	char type[16];              /* the weight type that most bytes are in: "Q8_0" */
	uint64_t n_params;          /* numbers in all weights */
	uint64_t file_bytes;        /* of all its files */
	uint64_t read_bytes_per_token; /* weights read to generate one token: with bandwidth, the bound of speed */
	uint64_t kv_bytes_per_token;   /* cache that each token takes, at the default cache type; 0 if recurrent */
	uint64_t state_bytes;          /* state of a sequence, whatever its length; 0 without recurrence */
	int32_t n_layer;            /* blocks */
	int32_t n_embd;             /* width of the residual stream */
	int32_t n_ff;               /* width inside the feed-forward part */
	int32_t n_head, n_kv_head, head_size; /* attention or recurrent heads, those that keys share, their width */
	int32_t n_vocab;            /* usable token ids are 0 .. n_vocab-1 */
	int32_t n_rows;             /* logits in a row, as the file's head has them; >= n_vocab */
	int32_t n_ctx_train;        /* tokens the model was made for; 0: no limit */
	int32_t bos, eos;           /* ids that begin and end a text; -1 if none */
	char tokenizer[16];         /* "bpe", "spm", "rwkv" */
	int32_t window;             /* keys that a token sees, its own included; 0: all before it */
	int32_t n_ctx_short;        /* longrope: longer requests take the long rotary factors; 0: one set for all */
	int32_t space_prefix;       /* 1: tokenizing puts a space before a text, which detokenizing takes away */
	char reserved[36];          /* zero */
};

/* Fills *info, as far as info->struct_size says that the caller knows it. Never fails when struct_size is set. */
LEAT_API enum leat_status leat_model_get_info(const struct leat_model *m, struct leat_model_info *info);

/* ---- text -------------------------------------------------------------------------------------------------- */

/* Flags of leat_model_tokenize and leat_model_detokenize. */
enum {
	LEAT_TEXT_SPECIAL = 1,       /* tokenize: add the tokens that begin and end a text, if the model asks for them;
				      * detokenize: show control tokens as they are written, instead of nothing */
	LEAT_TEXT_PARSE_SPECIAL = 2, /* tokenize: control tokens written out in the text become their ids. Not for text
				      * that comes from strangers */
};

/* The token ids of text[n], as a heap array of *ret_n ids (leat_free; NULL if there are none). Any bytes are accepted,
 * valid UTF-8 or not; time is linear in n. Without LEAT_TEXT_SPECIAL nothing is added and the ids spell the text.
 * LEAT_E_LIMIT: text too long; LEAT_E_ARG: unknown flags. Any thread. */
LEAT_API enum leat_status leat_model_tokenize(const struct leat_model *m, const char *text, size_t n, unsigned flags,
					      int32_t **ret_ids, size_t *ret_n, struct leat_error *err);

/* The text of ids[n]: heap (leat_free), *ret_bytes long and NUL-terminated behind that; always valid UTF-8, with U+FFFD
 * for bytes that make no character. LEAT_E_ARG: an id out of range, unknown flags. Any
 * thread. */
LEAT_API enum leat_status leat_model_detokenize(const struct leat_model *m, const int32_t *ids, size_t n,
						unsigned flags, char **ret_text, size_t *ret_bytes,
						struct leat_error *err);

/* The raw bytes of one token, which may be part of a character: borrowed from the model, *ret_n of them, not
 * NUL-terminated. NULL for an id out of range. Any thread. */
LEAT_API const unsigned char *leat_model_token_bytes(const struct leat_model *m, int32_t id, size_t *ret_n);

#ifdef __cplusplus
}
#endif
#endif
