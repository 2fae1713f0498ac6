/* The names that GGUF files give to pre-tokenizers. Models that cut texts alike share a row. */
#include <stdio.h>
#include <string.h>

#include "text/pipe.h"

/* GPT-4o's (o200k) and, without contractions, Mistral's Tekken: words break where a small letter meets a capital. */
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define LEAD "[^\\r\\n\\p{L}\\p{N}]?"
#define WORDS(after) LEAD UPPER "*" LOWER "+" after "|" LEAD UPPER "+" LOWER "*" after
#define REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define O200K WORDS("(?i:'s|'t|'re|'ve|'m|'ll|'d)?") "|\\p{N}{1,3}" REST
#define TEKKEN WORDS("") "|\\p{N}" REST

enum { MAX_PATTERNS = 4, MAX_NAMES = 8 };

static const struct pre {
	const char *scanner;               /* alone if nothing follows */
	int digits;                        /* first, each number is a piece */
	const char *pattern[MAX_PATTERNS]; /* one after the other; "" is the scanner */
	int whole_words, add_bos;
	const char *name[MAX_NAMES];
} table[] = {
	{"qwen2", 0, {NULL}, 0, 0, {"qwen2", "deepseek-r1-qwen", "stablelm2", "megrez"}},
	{"llama-bpe", 0, {NULL}, 1, 1, {"llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"}},
	{"llama-bpe", 0, {NULL}, 0, 0, {"smaug-bpe", "dbrx"}},
	{"gpt-2", 0, {NULL}, 0, 0, {"gpt-2", "phi-2", "mpt", "olmo", "jais"}},
	{"gpt-2", 1, {"", NULL}, 0, 0, {"starcoder", "refact", "command-r", "smollm", "codeshell"}},
	{NULL, 0, {O200K, NULL}, 0, 0, {"gpt-4o", "llama4"}},
	{NULL, 0, {TEKKEN, NULL}, 1, 1, {"tekken"}},
	/* What llama.cpp does to files that name nothing better. */
	{"gpt-2", 0, {"[\\p{P}\\$\\+<=>\\^~\\|]+", "", "\\p{N}+", "[0-9][0-9][0-9]"}, 0, 0, {"default"}},
};

void leat_pre_names(char *dst, size_t cap)
{
	size_t n = 0;
	dst[0] = 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		for (int k = 0; k < MAX_NAMES && table[i].name[k] && n < cap; k++)
			n += (size_t)snprintf(dst + n, cap - n, "%s%s", n ? ", " : "", table[i].name[k]);
}

static enum leat_status set(const struct pre *p, struct leat_vocab_spec *spec, struct leat_pipe *pipe,
			    struct leat_error *err)
{
	const struct leat_pretok *scanner = p->scanner ? leat_pretok_find(p->scanner, strlen(p->scanner)) : NULL;
	spec->whole_words = p->whole_words;
	spec->add_bos = p->add_bos;
	if (!p->digits && !p->pattern[0]) {
		spec->pretok = scanner;
		return LEAT_OK;
	}
	if (p->digits)
		pipe->cut[pipe->n_cut++] = (struct leat_cut){.op = LEAT_CUT_DIGITS};
	for (int i = 0; i < MAX_PATTERNS && p->pattern[i]; i++) {
		struct leat_cut *c = &pipe->cut[pipe->n_cut++];
		*c = (struct leat_cut){.op = LEAT_CUT_PATTERN};
		if (p->pattern[i][0])
			LEAT_TRY(leat_pattern_compile(p->pattern[i], strlen(p->pattern[i]), "tokenizer.ggml.pre",
						      &c->pattern, err));
		else
			c->scanner = scanner;
	}
	return LEAT_OK;
}

enum leat_status leat_pre_set(struct leat_str name, struct leat_vocab_spec *spec, struct leat_pipe *pipe,
			      struct leat_error *err)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		for (int k = 0; k < MAX_NAMES && table[i].name[k]; k++)
			if (leat_str_is(name, table[i].name[k]))
				return set(&table[i], spec, pipe, err);
	return LEAT_E_UNSUPPORTED;
}
