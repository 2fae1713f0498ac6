#include "text/vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "text/pipe.h"

static const char gguf_key[] = "tokenizer.ggml.tokens", json_key[] = "model.vocab";

__extension__ typedef unsigned __int128 wide;

/* A multiplicative hash under a seed that a file's author cannot know, so that no vocabulary can be made to collide. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	wide p = (wide)a * b;
	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t hash_bytes(uint64_t seed, const unsigned char *s, size_t n)
{
	uint64_t h = mix(seed ^ n, 0x9e3779b97f4a7c15u), w;
	for (; n >= 8; n -= 8, s += 8) {
		memcpy(&w, s, 8);
		h = mix(h ^ w, seed | 1);
	}
	w = 0;
	memcpy(&w, s, n);
	return mix(h ^ w, 0xd6e8feb86659fd93u ^ seed);
}

static uint64_t make_seed(void)
{
	uint64_t seed;
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = leat_now_ns();
	return seed;
}

int leat_vocab_find(const struct leat_vocab *v, const void *bytes, size_t n)
{
	if (n == 0 || n > LEAT_MAX_TOKEN_BYTES)
		return -1;
	for (uint64_t i = hash_bytes(v->seed, bytes, n) & v->slot_mask; v->slot[i]; i = (i + 1) & v->slot_mask) {
		size_t len;
		const unsigned char *s = leat_vocab_text(v, v->slot[i] - 1, &len);
		if (len == n && memcmp(s, bytes, n) == 0)
			return (int)(v->slot[i] - 1);
	}
	return -1;
}

/* Of tokens with equal bytes the one that is entered first is the one that is found. */
static void enter(struct leat_vocab *v, size_t id)
{
	size_t n;
	const unsigned char *s = leat_vocab_text(v, id, &n);
	if (n == 0 || leat_vocab_find(v, s, n) >= 0)
		return;
	uint64_t i = hash_bytes(v->seed, s, n) & v->slot_mask;
	while (v->slot[i])
		i = (i + 1) & v->slot_mask;
	v->slot[i] = (uint32_t)id + 1;
}

static int is_text(int kind)
{
	return kind == LEAT_TOKEN_NORMAL || kind == LEAT_TOKEN_BYTE;
}

/* Normal tokens first, then bytes, then the others. */
static int pass_of(int kind)
{
	return kind == LEAT_TOKEN_NORMAL ? 0 : kind == LEAT_TOKEN_BYTE ? 1 : 2;
}

static void enter_all(struct leat_vocab *v)
{
	for (int pass = 0; pass < 3; pass++)
		for (size_t id = 0; id < (size_t)v->n_tokens; id++)
			if (v->token_kind[id] != LEAT_TOKEN_UNUSED && pass_of(v->token_kind[id]) == pass &&
			    !(v->flags[id] & LEAT_TOKEN_NO_TEXT))
				enter(v, id);
}

static enum leat_status no_memory(struct leat_error *err)
{
	return leat_fail(err, LEAT_E_NOMEM, NULL, LEAT_NO_OFFSET, "no memory for the vocabulary");
}

/* Sizes come from bytes that really are there, so a declared count cannot make this large. */
static enum leat_status allocate(struct leat_vocab *v, const struct leat_vocab_spec *spec, struct leat_error *err)
{
	size_t n = spec->n_tokens, slots = 16;
	uint64_t total = 0;
	if (n == 0 || n > LEAT_MAX_VOCAB)
		return leat_fail(err, n ? LEAT_E_LIMIT : LEAT_E_FORMAT, v->tokens_key, LEAT_NO_OFFSET,
				 "%s: found %zu tokens, wanted 1 to %d", v->tokens_key, n, LEAT_MAX_VOCAB);
	for (size_t i = 0; i < n; i++) {
		if (spec->tokens[i].n > LEAT_MAX_TOKEN_BYTES)
			return leat_fail(err, LEAT_E_LIMIT, v->tokens_key, LEAT_NO_OFFSET,
					 "%s: token %zu: found %llu bytes, at most %d are allowed", v->tokens_key, i,
					 (unsigned long long)spec->tokens[i].n, LEAT_MAX_TOKEN_BYTES);
		total += spec->tokens[i].n;
	}
	if (total >= UINT32_MAX)
		return leat_fail(err, LEAT_E_LIMIT, v->tokens_key, LEAT_NO_OFFSET,
				 "%s: found %llu bytes in all, wanted fewer than 2^32", v->tokens_key,
				 (unsigned long long)total);
	while (slots < 2 * n)
		slots *= 2;
	v->n_tokens = (int)n;
	v->slot_mask = slots - 1;
	v->blob = leat_arena_take(&v->arena, (size_t)total + 1);
	v->offset = leat_arena_take_array(&v->arena, n + 1, sizeof(*v->offset));
	v->token_kind = leat_arena_take(&v->arena, n);
	v->is_end = leat_arena_take(&v->arena, n);
	v->flags = leat_arena_take(&v->arena, n);
	v->slot = leat_arena_take_array(&v->arena, slots, sizeof(*v->slot));
	if (!v->blob || !v->offset || !v->token_kind || !v->is_end || !v->flags || !v->slot)
		return no_memory(err);
	return LEAT_OK;
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "<0xNN>": exactly two hexadecimal digits. */
static int byte_token(const struct leat_str *s)
{
	const unsigned char *p = (const unsigned char *)s->s;
	if (s->n != 6 || memcmp(p, "<0x", 3) != 0 || p[5] != '>')
		return -1;
	int hi = hex_digit(p[3]), lo = hex_digit(p[4]);
	return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

/* "[PADn]" with the token's own number n: rows that converters add to fill the table up. Older ones call them user
 * tokens, which would let a text name a row that the model never learned. */
static int is_padding(const struct leat_str *s, size_t id)
{
	char name[32];
	int n = snprintf(name, sizeof(name), "[PAD%zu]", id);
	return s->n == (uint64_t)n && memcmp(s->s, name, (size_t)n) == 0;
}

static enum leat_status bad_token(const struct leat_vocab *v, size_t id, const struct leat_str *s,
				  const char *wanted, struct leat_error *err)
{
	char shown[64];
	leat_escape(shown, sizeof(shown), s->s, s->n);
	return leat_fail(err, LEAT_E_FORMAT, v->tokens_key, LEAT_NO_OFFSET, "%s: token %zu: found '%s', wanted %s",
			 v->tokens_key, id, shown, wanted);
}

size_t leat_vocab_decode(const struct leat_vocab *v, const unsigned char *src, size_t n, unsigned char *dst)
{
	if (v->kind == LEAT_VOCAB_BPE)
		return leat_bpe_decode_alphabet(src, n, dst);
	if (v->metaspace)
		return leat_spm_spaces(src, n, dst);
	memcpy(dst, src, n);
	return n;
}

/* Writes the bytes of one token; dst has room for s->n. */
static enum leat_status decode_token(const struct leat_vocab *v, const struct leat_vocab_spec *spec, size_t id,
				     unsigned char *dst, size_t *ret_n, struct leat_error *err)
{
	const struct leat_str *s = &spec->tokens[id];
	int kind = v->token_kind[id];
	*ret_n = (size_t)s->n;
	if (kind == LEAT_TOKEN_BYTE && !spec->raw) {
		int byte = byte_token(s);
		if (byte < 0)
			return bad_token(v, id, s, "a byte token <0xNN>", err);
		dst[0] = (unsigned char)byte;
		*ret_n = 1;
	} else if (kind != LEAT_TOKEN_NORMAL || spec->raw) {
		if (s->n)
			memcpy(dst, s->s, (size_t)s->n);
	} else if (v->kind != LEAT_VOCAB_RWKV) {
		*ret_n = s->n ? leat_vocab_decode(v, (const unsigned char *)s->s, (size_t)s->n, dst) : 0;
	} else {
		const char *why = leat_literal_decode(LEAT_LITERAL_BYTES, (const unsigned char *)s->s, (size_t)s->n,
						      dst, ret_n);
		if (why)
			return bad_token(v, id, s, why, err);
	}
	return LEAT_OK;
}

static enum leat_status fill_tokens(struct leat_vocab *v, const struct leat_vocab_spec *spec, struct leat_error *err)
{
	uint32_t at = 0;
	for (size_t id = 0; id < spec->n_tokens; id++) {
		int kind = spec->kinds ? spec->kinds[id] : LEAT_TOKEN_NORMAL;
		size_t n;
		if (kind != LEAT_TOKEN_NORMAL && is_padding(&spec->tokens[id], id))
			kind = LEAT_TOKEN_UNUSED;
		v->token_kind[id] = (unsigned char)kind;
		v->flags[id] = spec->flags ? spec->flags[id] : 0;
		/* Texts reach the merges with U+2581 for each space, so a token with a real one is never made. */
		if (v->metaspace && kind == LEAT_TOKEN_NORMAL && !spec->raw && spec->tokens[id].n &&
		    memchr(spec->tokens[id].s, ' ', (size_t)spec->tokens[id].n))
			v->flags[id] |= LEAT_TOKEN_NO_TEXT;
		LEAT_TRY(decode_token(v, spec, id, v->blob + at, &n, err));
		/* Looked for as it is written, or not at all. */
		if (n != spec->tokens[id].n || (n && memcmp(spec->tokens[id].s, v->blob + at, n) != 0))
			v->flags[id] &= (unsigned char)~LEAT_ADDED_MATCH;
		at += (uint32_t)n;
		v->offset[id + 1] = at;
	}
	return LEAT_OK;
}

/* Ends of a text: what the metadata say, and well-known names where the vocabulary does not call them plain text. Those
 * become control tokens, or anybody could write them into a prompt. */
static void mark_ends(struct leat_vocab *v, const struct leat_vocab_spec *spec)
{
	static const char *const names[] = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "<|end_of_text|>"};
	for (size_t i = 0; v->kind != LEAT_VOCAB_RWKV && i < sizeof(names) / sizeof(names[0]); i++) {
		int id = leat_vocab_find(v, names[i], strlen(names[i]));
		int plain = id >= 0 && spec->kinds && v->token_kind[id] == LEAT_TOKEN_NORMAL;
		if (id < 0 || (plain && !(v->flags[id] & LEAT_ADDED_MATCH)))
			continue;
		v->token_kind[id] = LEAT_TOKEN_CONTROL;
		v->is_end[id] = 1;
	}
	if (v->eos >= 0)
		v->is_end[v->eos] = 1;
	for (int i = 0; i < spec->n_ends; i++)
		v->is_end[spec->ends[i]] = 1;
	for (int id = 0; id < v->n_tokens; id++) {
		if (v->is_end[id] && v->token_kind[id] == LEAT_TOKEN_UNUSED)
			v->token_kind[id] = LEAT_TOKEN_CONTROL;
		if (v->token_kind[id] != LEAT_TOKEN_UNUSED)
			v->size = id + 1;
	}
}

static enum leat_status build_special(struct leat_vocab *v, struct leat_error *err)
{
	size_t n = 0, len;
	struct leat_pattern *pattern = calloc((size_t)v->n_tokens, sizeof(*pattern));
	if (!pattern)
		return no_memory(err);
	for (size_t id = 0; id < (size_t)v->n_tokens; id++) {
		int kind = v->token_kind[id];
		const unsigned char *s = leat_vocab_text(v, id, &len);
		int match = kind == LEAT_TOKEN_NORMAL && v->flags[id] & LEAT_ADDED_MATCH;
		if (len && (match || (!is_text(kind) && kind != LEAT_TOKEN_UNUSED)))
			pattern[n++] = (struct leat_pattern){s, (uint32_t)len, (int32_t)id,
							     match || kind == LEAT_TOKEN_USER};
	}
	enum leat_status st = leat_matcher_build(&v->special, &v->arena, pattern, n, err);
	free(pattern);
	return st;
}

static enum leat_status build(struct leat_vocab *v, const struct leat_vocab_spec *spec, struct leat_error *err)
{
	v->kind = spec->kind;
	v->tokens_key = spec->json ? json_key : gguf_key;
	v->pretok = spec->pretok;
	v->bos = spec->bos;
	v->eos = spec->eos;
	v->add_bos = spec->add_bos && v->bos >= 0;
	v->add_eos = spec->add_eos && v->eos >= 0;
	v->unk = spec->unk - 1;
	v->fuse_unk = spec->fuse_unk;
	v->metaspace = spec->metaspace;
	v->whole_words = spec->whole_words;
	v->prefix = spec->prefix;
	v->drop_space = spec->drop_space;
	v->seed = make_seed();
	LEAT_TRY(allocate(v, spec, err));
	LEAT_TRY(fill_tokens(v, spec, err));
	enter_all(v);
	mark_ends(v, spec);
	if (v->size == 0)
		return leat_fail(err, LEAT_E_FORMAT, "tokenizer.ggml.token_type", LEAT_NO_OFFSET,
				 "tokenizer.ggml.token_type: found %d unused tokens, wanted one that is used",
				 v->n_tokens);
	LEAT_TRY(build_special(v, err));
	if (v->kind == LEAT_VOCAB_SPM)
		return leat_spm_build(v, spec, err);
	return v->kind == LEAT_VOCAB_BPE ? leat_bpe_build(v, spec, err) : leat_rwkv_build(v, err);
}

enum leat_status leat_vocab_build(const struct leat_vocab_spec *spec, struct leat_vocab **ret, struct leat_error *err)
{
	struct leat_vocab *v = calloc(1, sizeof(*v));
	if (!v)
		return no_memory(err);
	enum leat_status st = build(v, spec, err);
	if (st == LEAT_OK)
		*ret = v;
	else
		leat_vocab_destroy(v);
	return st;
}

void leat_vocab_destroy(struct leat_vocab *v)
{
	if (!v)
		return;
	leat_pipe_destroy(v->pipe);
	leat_arena_deinit(&v->arena);
	free(v);
}

const char *leat_vocab_kind(const struct leat_vocab *v)
{
	static const char *const names[] = {[LEAT_VOCAB_BPE] = "bpe", [LEAT_VOCAB_RWKV] = "rwkv",
					    [LEAT_VOCAB_SPM] = "spm"};
	return names[v->kind];
}

int leat_vocab_size(const struct leat_vocab *v)
{
	return v->size;
}

int leat_vocab_bos(const struct leat_vocab *v)
{
	return v->bos;
}

int leat_vocab_eos(const struct leat_vocab *v)
{
	return v->eos;
}

int leat_vocab_space_prefix(const struct leat_vocab *v)
{
	return v->drop_space;
}

int leat_vocab_is_end(const struct leat_vocab *v, int id)
{
	return id >= 0 && id < v->n_tokens && v->is_end[id];
}

int leat_vocab_token_kind(const struct leat_vocab *v, int id)
{
	return id >= 0 && id < v->n_tokens ? v->token_kind[id] : LEAT_TOKEN_UNUSED;
}

const unsigned char *leat_vocab_bytes(const struct leat_vocab *v, int id, int special, size_t *ret_n)
{
	int kind = leat_vocab_token_kind(v, id);
	if (kind == LEAT_TOKEN_UNUSED || (!special && (kind == LEAT_TOKEN_CONTROL || kind == LEAT_TOKEN_UNKNOWN))) {
		*ret_n = 0;
		return v->blob;
	}
	return leat_vocab_text(v, (size_t)id, ret_n);
}
