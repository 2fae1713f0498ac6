/* small_json.h - tokenizer.json files of a few hundred tokens, for tests and fuzzing. */
#ifndef LEAT_TESTS_SUPPORT_SMALL_JSON_H
#define LEAT_TESTS_SUPPORT_SMALL_JSON_H

#include <stdlib.h>

#include "support/small_vocab.h"
#include "text/tokjson.h"

/* A vocabulary of the 256 bytes in the alphabet (byte-level) or of <unk> alone, no merges. */
static inline json_t *small_json(int bytes)
{
	json_t *vocab = json_object(), *model, *root;
	for (int i = 0; bytes && i < 256; i++) {
		char letter[2];
		size_t n = small_letter((unsigned char)i, letter);
		json_object_setn_new(vocab, letter, n, json_integer(i));
	}
	if (!bytes)
		json_object_set_new(vocab, "<unk>", json_integer(0));
	model = json_pack("{ss so s[]}", "type", "BPE", "vocab", vocab, "merges");
	root = json_pack("{so s[]}", "model", model, "added_tokens");
	if (bytes)
		json_object_set_new(root, "pre_tokenizer", json_pack("{ss sb sb}", "type", "ByteLevel",
								     "add_prefix_space", 0, "use_regex", 0));
	else
		json_object_set_new(model, "unk_token", json_string("<unk>"));
	return root;
}

/* Sets a member from JSON text; 0 if that is no JSON. */
static inline int small_json_set(json_t *root, const char *key, const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	return value && json_object_set_new(root, key, value) == 0;
}

/* Adds a token to the vocabulary; its id. */
static inline int small_json_token(json_t *root, const char *s, size_t n, int bytes)
{
	json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab"), *known;
	char text[512];
	size_t len = 0;
	for (size_t i = 0; i < n && len + 2 < sizeof(text); i++) {
		text[len] = s[i];
		len += bytes ? small_letter((unsigned char)s[i], text + len) : 1;
	}
	known = json_object_getn(vocab, text, len);
	if (known)
		return (int)json_integer_value(known);
	int id = (int)json_object_size(vocab);
	json_object_setn_new(vocab, text, len, json_integer(id));
	return id;
}

/* Adds an added token. */
static inline void small_json_added(json_t *root, int id, const char *content, const char *more)
{
	json_t *o = json_loads(more, 0, NULL);
	json_object_set_new(o, "id", json_integer(id));
	json_object_set_new(o, "content", json_string(content));
	json_array_append_new(json_object_get(root, "added_tokens"), o);
}

/* Loads it and drops the reference. */
static inline enum leat_status small_json_load(json_t *root, const struct leat_token_hints *h, struct leat_vocab **v,
					       struct leat_error *err)
{
	char *bytes = json_dumps(root, JSON_COMPACT);
	enum leat_status st = bytes ? leat_vocab_from_json(bytes, strlen(bytes), h, v, err) : LEAT_E_NOMEM;
	free(bytes);
	json_decref(root);
	return st;
}

#endif
