/* small_vocab.h - vocabularies made in memory, for tests and fuzzing: all 256 bytes, and what the caller adds. */
#ifndef LEAT_TESTS_SUPPORT_SMALL_VOCAB_H
#define LEAT_TESTS_SUPPORT_SMALL_VOCAB_H

#include <stdint.h>
#include <string.h>

#include "text/vocab.h"

enum { SMALL_MAX = 1024, SMALL_TEXT = 1 << 16 };

struct small_vocab {
	struct leat_vocab_spec spec;
	struct leat_str token[SMALL_MAX], merge[SMALL_MAX];
	unsigned char kind[SMALL_MAX];
	char text[SMALL_TEXT];
	size_t used;
};

/* A byte as the GPT-2 alphabet writes it; returns the bytes written to out[2]. */
static inline size_t small_letter(unsigned char byte, char *out)
{
	unsigned cp = byte, before = 0;
	for (unsigned b = 0; b < byte; b++)
		before += !((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174);
	if (!((cp >= 33 && cp <= 126) || (cp >= 161 && cp <= 172) || cp >= 174))
		cp = 256 + before;
	if (cp < 128) {
		out[0] = (char)cp;
		return 1;
	}
	out[0] = (char)(0xc0 | cp >> 6);
	out[1] = (char)(0x80 | (cp & 63));
	return 2;
}

/* Stores bytes as they are (raw) or in the alphabet. */
static inline struct leat_str small_store(struct small_vocab *s, const void *bytes, size_t n, int raw)
{
	const unsigned char *p = bytes;
	struct leat_str str = {s->text + s->used, 0};
	for (size_t i = 0; i < n && s->used + 2 < SMALL_TEXT; i++) {
		if (raw)
			s->text[s->used++] = (char)p[i];
		else
			s->used += small_letter(p[i], s->text + s->used);
	}
	str.n = (uint64_t)(s->text + s->used - str.s);
	return str;
}

/* Appends a token; its id, or -1 when full. Normal tokens are written in the alphabet unless the vocabulary is raw. */
static inline int small_token(struct small_vocab *s, const void *bytes, size_t n, int kind)
{
	size_t id = s->spec.n_tokens;
	if (id == SMALL_MAX)
		return -1;
	s->token[id] = small_store(s, bytes, n, kind != LEAT_TOKEN_NORMAL || s->spec.raw);
	s->kind[id] = (unsigned char)kind;
	s->spec.n_tokens++;
	return (int)id;
}

/* An id of the token that is already there, or a new one. */
static inline int small_find(struct small_vocab *s, const void *bytes, size_t n)
{
	size_t used = s->used, id = 0;
	struct leat_str want = small_store(s, bytes, n, s->spec.raw);
	for (; id < s->spec.n_tokens; id++)
		if (s->token[id].n == want.n && memcmp(s->token[id].s, want.s, (size_t)want.n) == 0)
			break;
	s->used = used;
	return id < s->spec.n_tokens ? (int)id : small_token(s, bytes, n, LEAT_TOKEN_NORMAL);
}

/* Appends the merge of two strings and, where missing, the token that it makes. */
static inline void small_merge(struct small_vocab *s, const char *left, const char *right)
{
	char both[256];
	size_t l = strlen(left), r = strlen(right);
	if (s->spec.n_merges == SMALL_MAX || l + r > sizeof(both))
		return;
	memcpy(both, left, l);
	memcpy(both + l, right, r);
	small_find(s, both, l + r);
	struct leat_str str = small_store(s, left, l, 0);
	s->text[s->used++] = ' ';
	str.n += 1 + small_store(s, right, r, 0).n;
	s->merge[s->spec.n_merges++] = str;
}

/* Starts a vocabulary of the 256 bytes: a BPE one with the Qwen2 pre-tokenizer, or a raw RWKV one. */
static inline void small_init(struct small_vocab *s, enum leat_vocab_kind_id kind)
{
	memset(s, 0, sizeof(*s));
	s->spec = (struct leat_vocab_spec){.kind = kind, .raw = kind == LEAT_VOCAB_RWKV, .tokens = s->token,
					   .kinds = s->kind, .merges = s->merge, .bos = -1, .eos = -1,
					   .pretok = leat_pretok_find("qwen2", 5)};
	for (int i = 0; i < 256; i++) {
		unsigned char byte = (unsigned char)i;
		small_token(s, &byte, 1, LEAT_TOKEN_NORMAL);
	}
}

/* A repeatable stream of numbers (Marsaglia's xorshift). */
static inline uint32_t small_random(uint64_t *state)
{
	uint64_t x = *state;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return (uint32_t)(x >> 32);
}

#endif
