/* cmd_embed.c - leat embed: one vector for each text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

struct embed {
	struct cli *c;
	struct leat_model *model;
	struct leat_engine *engine;
	struct leat_model_info info;
	char *text;                 /* of -f, cut into lines */
	struct leat_segment *doc;   /* token ids, the library's */
	size_t n, cap, n_tokens;
	float *vector;              /* [n][n_embd] */
};

static int add(struct embed *x, const char *text, size_t n)
{
	struct leat_error e = LEAT_ERROR_INIT;
	int32_t *ids = NULL;
	size_t n_ids = 0;

	if (x->n == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 64;
		struct leat_segment *grown = realloc(x->doc, cap * sizeof(*grown));
		if (!grown)
			return cli_error(x->c, LEAT_E_NOMEM, "out of memory");
		x->doc = grown;
		x->cap = cap;
	}
	if (leat_model_tokenize(x->model, text, n, cli_text_flags(x->c), &ids, &n_ids, &e))
		return cli_fail(x->c, &e, 0);
	if (!n_ids)
		return cli_error(x->c, LEAT_E_ARG, "text %zu has no tokens", x->n);
	x->doc[x->n++] = (struct leat_segment){ .kind = LEAT_SEGMENT_TOKENS, .data = ids, .n = n_ids };
	x->n_tokens += n_ids;
	return 0;
}

/* The arguments, or the lines of a file that are not empty. */
static int get_texts(struct embed *x)
{
	const char *file = x->c->value[OPT_FILE].s;
	size_t n = 0, at = 0;
	int rc = 0;

	if (file && x->c->n_args)
		return cli_usage_error(x->c, "texts as arguments and from -f: give one");
	for (int i = 0; i < x->c->n_args && !rc; i++)
		rc = add(x, x->c->args[i], strlen(x->c->args[i]));
	if (x->n || rc)
		return rc;
	rc = cli_read_text(x->c, file ? file : "-", &x->text, &n);
	while (!rc && at < n) {
		const char *end = memchr(x->text + at, '\n', n - at);
		size_t length = end ? (size_t)(end - x->text) - at : n - at, own = length;
		if (own && x->text[at + own - 1] == '\r')
			own--;
		if (own)
			rc = add(x, x->text + at, own);
		at += length + 1;
	}
	return rc || x->n ? rc : cli_usage_error(x->c, "no texts: give arguments or -f");
}

static void print(const struct embed *x)
{
	size_t width = (size_t)x->info.n_embd;

	for (size_t i = 0; i < x->n; i++) {
		if (x->c->json)
			cli_printf("{\"schema\":\"leat.embed/1\",\"index\":%zu,\"tokens\":%llu,\"embedding\":[", i,
				   (unsigned long long)x->doc[i].n);
		for (size_t k = 0; k < width; k++)
			cli_printf("%s%.9g", k ? x->c->json ? "," : " " : "", (double)x->vector[i * width + k]);
		cli_puts(x->c->json ? "]}\n" : "\n");
	}
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compute(struct embed *x)
{
	struct leat_embed_params p = LEAT_EMBED_PARAMS_INIT;
	struct leat_error e = LEAT_ERROR_INIT;
	double began = seconds(), took;

	p.pooling = (int32_t)x->c->value[OPT_POOLING].i;
	p.normalize = (int32_t)x->c->value[OPT_NORMALIZE].i;
	x->vector = malloc(x->n * (size_t)x->info.n_embd * sizeof(*x->vector));
	if (!x->vector)
		return cli_error(x->c, LEAT_E_NOMEM, "out of memory for %zu vectors", x->n);
	if (leat_engine_embed(x->engine, &p, x->doc, x->n, x->vector, &e))
		return cli_fail(x->c, &e, 0);
	took = seconds() - began;
	print(x);
	if (x->c->verbose)
		cli_note(x->c, "%zu texts, %zu tokens in %.3f s: %.1f texts a second\n", x->n, x->n_tokens, took,
			 (double)x->n / took);
	return 0;
}

static int prepare(struct embed *x)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	int rc = 0;
	const char *path = cli_model_path(x->c, 1, &rc);
	uint64_t longest = 0;

	if (path && !rc)
		rc = cli_open_model(x->c, path, 0, &x->model);
	if (!rc)
		rc = get_texts(x);
	if (rc)
		return rc;
	x->info.struct_size = sizeof(x->info);
	leat_model_get_info(x->model, &x->info);
	for (size_t i = 0; i < x->n; i++)
		longest = x->doc[i].n > longest ? x->doc[i].n : longest;
	cli_engine_params(x->c, &p);
	p.n_seqs = (int32_t)x->c->value[OPT_EMBED_PARALLEL].i;
	/* No room is needed beyond the longest text. */
	if (!x->info.recurrent)
		p.n_ctx = (int32_t)(longest < INT32_MAX ? longest : INT32_MAX);
	return cli_create_engine(x->c, x->model, &p, &x->engine);
}

static int run(struct cli *c)
{
	struct embed x = { .c = c };
	int rc = prepare(&x);

	if (!rc)
		rc = compute(&x);
	for (size_t i = 0; i < x.n; i++)
		leat_free((void *)(uintptr_t)x.doc[i].data);
	leat_engine_unref(x.engine);
	leat_model_unref(x.model);
	free(x.doc);
	free(x.text);
	free(x.vector);
	return rc;
}

const struct leat_cmd leat_cmd_embed = {
	.name = "embed",
	.alias = "",
	.summary = "turn each text into a vector",
	.usage = "embed [FILE] [TEXT...] [options]",
	.notes = "\nTexts are the arguments, or the lines of -f or of standard input that are not empty. A line of\n"
		 "numbers for each, in their order: the vectors of its tokens after the last norm, pooled.\n",
	.examples = {
		{ "leat embed model.gguf \"a mill\" \"a dog\"", "two vectors" },
		{ "leat embed model.gguf -f lines.txt --json -np 16", "a JSON object a line, 16 texts together" },
		{ "leat embed model.gguf --pooling last --normalize=off \"some text\"",
		  "the last token's vector as it is" },
	},
	.bit = C_EMBED,
	.max_args = -1,
	.run = run,
};
