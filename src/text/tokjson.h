/* tokjson.h - reading tokenizer.json (the file format of Hugging Face's tokenizers). Private to tokjson*.c, and to
 * tests and fuzzing.
 *
 * Read: model BPE (also with byte_fallback), added tokens, normalizers, pre-tokenizers, the decoders of byte-level and
 * SentencePiece vocabularies, and of the post-processor the tokens that it puts before and after a single text.
 * Everything else is refused by the name of the component: a tokenizer that leaves a step out gives wrong ids without a
 * word. Two things are simpler than the original: an added token marked `normalized` is looked for in the text as it
 * was given, and padding and truncation are the caller's business. */
#ifndef LEAT_TEXT_TOKJSON_H
#define LEAT_TEXT_TOKJSON_H

#include "base/json.h"
#include "text/pipe.h"

/* What the files beside it say. */
struct leat_token_hints {
	struct leat_str bos, eos;  /* written forms, n = 0: not told */
	int64_t ends[LEAT_MAX_ENDS];
	int n_ends;                /* ids that end a text; the first is EOS if `eos` is not told */
	int add_bos, add_eos;      /* 1: add it, -1: do not, 0: as the post_processor says */
};

/* Builds from the bytes of a tokenizer.json; hints may be NULL. Errors as leat_vocab_from_file. */
enum leat_status leat_vocab_from_json(const void *bytes, size_t n, const struct leat_token_hints *hints,
				      struct leat_vocab **ret, struct leat_error *err);

/* E_UNSUPPORTED: where, and what is found there. */
enum leat_status leat_tokjson_unknown(const char *where, const char *what, json_t *found, struct leat_error *err);
/* E_FORMAT: where, found and wanted. `found` NULL: nothing. */
enum leat_status leat_tokjson_bad(const char *where, json_t *found, const char *wanted, struct leat_error *err);

/* Members of an object. Absent and null are the same. */
enum leat_status leat_tokjson_bool(json_t *o, const char *key, int dflt, int *ret, struct leat_error *err);
enum leat_status leat_tokjson_str(json_t *o, const char *key, struct leat_str *ret, struct leat_error *err);

/* tokjson_parts.c: normalizer, pre_tokenizer and decoder into spec and *pipe, which must be empty. */
enum leat_status leat_tokjson_parts(json_t *root, struct leat_vocab_spec *spec, struct leat_pipe *pipe,
				    struct leat_error *err);
/* Calls `each` for every component of root[key], sequences unrolled; `list` names the member of a Sequence. */
enum leat_status leat_tokjson_each(json_t *root, const char *key, const char *list,
				   enum leat_status (*each)(json_t *part, const char *type, void *arg,
							    struct leat_error *err), void *arg,
				   struct leat_error *err);

#endif
