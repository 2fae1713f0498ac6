/* cmd_perplexity.c - leat perplexity: how well a model foretells a text, and how far it is from another model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/klbase.h"
#include "cli.h"
#include "score.h"

struct perplexity {
	struct cli *c;
	struct leat_model *model;
	struct leat_engine *engine;
	struct leat_model_info info;
	struct leat_windows windows;
	int32_t *text;             /* all tokens of the text, the library's */
	int32_t *tokens;           /* of the window that is computed */
	uint64_t n_windows_now;    /* to be computed; fewer than a base holds with --chunks */
	struct leat_klbase base;
	struct leat_outfile out;
	int comparing, writing, rc;
	uint64_t window;           /* the one that is computed */
	float *row;                /* of the base */
	struct score score;
};

/* ---- the text ---- */

/* FNV-1a over lengths and bytes: two models share a base when their ids spell the same. */
static uint64_t hash_vocabulary(const struct leat_model *m, int32_t n_vocab)
{
	uint64_t h = 0xcbf29ce484222325u;
	int32_t id;
	size_t n, i;

	for (id = 0; id < n_vocab; id++) {
		const unsigned char *s = leat_model_token_bytes(m, id, &n);
		n = s ? n : 0;
		h = (h ^ (n & 255)) * 0x100000001b3u;
		for (i = 0; i < n; i++)
			h = (h ^ s[i]) * 0x100000001b3u;
	}
	return h;
}

/* The model's habit is seen in a short text: what stands before and after it was added. */
static int added_tokens(struct perplexity *x, int *ret_begin, int *ret_end)
{
	struct leat_error e = LEAT_ERROR_INIT;
	int32_t *bare = NULL, *dressed = NULL;
	size_t n = 0, m = 0;

	*ret_begin = *ret_end = 0;
	if (x->c->value[OPT_NO_SPECIAL].i)
		return 0;
	if (leat_model_tokenize(x->model, "a", 1, 0, &bare, &n, &e) ||
	    leat_model_tokenize(x->model, "a", 1, LEAT_TEXT_SPECIAL, &dressed, &m, &e)) {
		leat_free(bare);
		return cli_fail(x->c, &e, 0);
	}
	*ret_begin = m > n && dressed[0] == x->info.bos && dressed[0] != bare[0];
	*ret_end = m > n + (size_t)*ret_begin;
	leat_free(bare);
	leat_free(dressed);
	return 0;
}

static int get_text(struct perplexity *x, size_t *ret_n)
{
	struct leat_error e = LEAT_ERROR_INIT;
	const char *path = x->c->value[OPT_FILE].s;
	char *text = NULL;
	size_t n = 0;
	int begin, end, rc;

	if (!path && isatty(0))
		return cli_usage_error(x->c, "no text: give one with -f");
	rc = added_tokens(x, &begin, &end);
	if (!rc)
		rc = cli_read_text(x->c, path ? path : "-", &text, &n);
	if (rc)
		return rc;
	if (leat_model_tokenize(x->model, text, n, cli_text_flags(x->c), &x->text, ret_n, &e))
		rc = cli_fail(x->c, &e, 0);
	free(text);
	/* What ends a text says nothing about the model. */
	*ret_n -= end && *ret_n ? 1 : 0;
	x->windows.begin = begin ? x->info.bos : -1;
	return rc;
}

/* ---- windows ---- */

static int cut_text(struct perplexity *x)
{
	const struct cli_value *v = x->c->value;
	struct leat_windows *w = &x->windows;
	uint64_t n_windows;
	size_t n = 0;
	int rc;

	w->window = (uint32_t)v[OPT_WINDOW].i;
	w->stride = (uint32_t)v[OPT_STRIDE].i;
	w->n_vocab = (uint32_t)x->info.n_vocab;
	w->vocab_hash = hash_vocabulary(x->model, x->info.n_vocab);
	if (w->stride >= w->window)
		return cli_usage_error(x->c, "--stride %u: wanted less than the window of %u tokens (-c)", w->stride,
				       w->window);
	rc = get_text(x, &n);
	if (rc)
		return rc;
	if (n < w->window)
		return cli_error(x->c, LEAT_E_ARG, "the text has %zu tokens, a window %u: give a longer text or "
				 "a smaller -c", n, w->window);
	n_windows = (n - w->window) / leat_windows_step(w) + 1;
	if (v[OPT_CHUNKS].i > 0 && (uint64_t)v[OPT_CHUNKS].i < n_windows)
		n_windows = (uint64_t)v[OPT_CHUNKS].i;
	w->n_windows = n_windows < UINT32_MAX ? (uint32_t)n_windows : UINT32_MAX;
	w->n_tokens = (uint64_t)(w->n_windows - 1) * leat_windows_step(w) + w->window;
	x->n_windows_now = w->n_windows;
	return 0;
}

static int open_base(struct perplexity *x)
{
	const struct cli_value *v = x->c->value;
	const char *path = v[OPT_KL_BASE].s;
	struct leat_error e = LEAT_ERROR_INIT;
	struct leat_windows *w = &x->windows;

	if (v[OPT_FILE].s)
		return cli_usage_error(x->c, "--kl takes its text from the base; leave -f out");
	if (leat_klbase_open(&x->base, path, &e))
		return cli_fail(x->c, &e, 0);
	*w = x->base.windows;
	if (w->n_vocab != (uint32_t)x->info.n_vocab || w->vocab_hash != hash_vocabulary(x->model, x->info.n_vocab))
		return cli_error(x->c, LEAT_E_MISMATCH,
				 "%s was made with another vocabulary (%u tokens, the model has %d)", path, w->n_vocab,
				 (int)x->info.n_vocab);
	if ((v[OPT_WINDOW].source == CLI_FLAG && (uint64_t)v[OPT_WINDOW].i != w->window) ||
	    (v[OPT_STRIDE].source == CLI_FLAG && (uint64_t)v[OPT_STRIDE].i != w->stride))
		return cli_usage_error(x->c, "%s was made with -c %u --stride %u", path, w->window, w->stride);
	x->n_windows_now = w->n_windows;
	if (v[OPT_CHUNKS].i > 0 && (uint64_t)v[OPT_CHUNKS].i < x->n_windows_now)
		x->n_windows_now = (uint64_t)v[OPT_CHUNKS].i;
	x->row = malloc(sizeof(*x->row) * w->n_vocab);
	if (!x->row || score_init(&x->score, x->n_windows_now * leat_windows_scored(w)))
		return cli_error(x->c, LEAT_E_NOMEM, "out of memory");
	return 0;
}

static int create_base(struct perplexity *x)
{
	struct leat_error e = LEAT_ERROR_INIT;

	if (leat_outfile_open(&x->out, x->c->value[OPT_KL_BASE].s, (int)x->c->value[OPT_FORCE].i, &e))
		return cli_fail(x->c, &e, 1);
	x->writing = 1;
	return leat_klbase_begin(&x->out, &x->windows, x->text, &e) ? cli_fail(x->c, &e, 0) : 0;
}

/* ---- computing ---- */

static int on_row(void *user, size_t index, const float *logits, int32_t n_rows)
{
	struct perplexity *x = user;
	const struct leat_windows *w = &x->windows;
	struct leat_error e = LEAT_ERROR_INIT;
	uint32_t first = leat_windows_first(w);

	(void)n_rows;
	if (cli_signal())
		return 1;
	if (index < first || index + 1 >= w->window)
		return 0;
	if (x->comparing &&
	    leat_klbase_row(&x->base, x->window * leat_windows_scored(w) + index - first, x->row, &e)) {
		x->rc = cli_error(x->c, LEAT_E_FORMAT, "%s: %s", x->c->value[OPT_KL_BASE].s, e.message);
	} else if (x->writing && leat_outfile_write(&x->out, logits, sizeof(*logits) * w->n_vocab, &e)) {
		x->rc = cli_fail(x->c, &e, 0);
	} else if (score_add(&x->score, logits, x->comparing ? x->row : NULL, (int32_t)w->n_vocab,
			     x->tokens[index + 1])) {
		x->rc = cli_error(x->c, LEAT_E_NONFINITE, "window %llu, token %zu: the model computed a NaN or an "
				  "infinity", (unsigned long long)x->window, index);
	}
	return x->rc;
}

static int one_window(struct perplexity *x)
{
	const struct leat_windows *w = &x->windows;
	struct leat_evaluate_params p = LEAT_EVALUATE_PARAMS_INIT;
	struct leat_segment tokens = { .kind = LEAT_SEGMENT_TOKENS, .data = x->tokens, .n = w->window - 1 };
	struct leat_error e = LEAT_ERROR_INIT;
	uint64_t from = x->window * leat_windows_step(w);
	uint32_t i;
	enum leat_status s;

	for (i = 0; i < w->window; i++)
		x->tokens[i] = x->comparing ? leat_klbase_token(&x->base, from + i) : x->text[from + i];
	if (w->begin >= 0)
		x->tokens[0] = w->begin;
	/* The last token is foretold, nothing is asked of it. */
	p.segments = &tokens;
	p.n_segments = 1;
	p.first = leat_windows_first(w); /* no head for those that are not scored */
	s = leat_engine_evaluate(x->engine, &p, on_row, x, &e);
	if (x->rc)
		return x->rc;
	if (s)
		return cli_fail(x->c, &e, 0);
	return 0;
}

static int compute(struct perplexity *x)
{
	int show = cli_tty(2) && !x->c->quiet && !x->c->json, rc = 0;

	for (; x->window < x->n_windows_now && !rc; x->window++) {
		rc = one_window(x);
		if (rc)
			break;
		if (x->c->verbose)
			fprintf(stderr, "leat: window %llu: PPL %.4f\n", (unsigned long long)x->window + 1,
				score_ppl(&x->score));
		else if (show)
			fprintf(stderr, "\r%llu of %llu, PPL %.4f ", (unsigned long long)x->window + 1,
				(unsigned long long)x->n_windows_now, score_ppl(&x->score));
	}
	if (show && !x->c->verbose)
		fputs("\r\033[K", stderr);
	return rc;
}

/* ---- the result ---- */

static void show_text(const struct perplexity *x, const struct score_kl *k)
{
	const struct leat_windows *w = &x->windows;

	cli_printf("PPL = %.4f ± %.4f\n", score_ppl(&x->score), score_ppl_error(&x->score));
	cli_printf("%llu tokens scored: %llu windows of %u, ", (unsigned long long)x->score.nll.n,
		   (unsigned long long)x->n_windows_now, w->window);
	if (w->stride)
		cli_printf("%u apart, the last %u of each", w->stride, w->stride);
	else
		cli_printf("the last %u of each", leat_windows_scored(w));
	cli_puts(w->begin >= 0 ? "; each begins with BOS\n" : "\n");
	if (!x->comparing)
		return;
	cli_printf("base PPL    %.4f\n", k->ppl_base);
	cli_printf("ΔPPL        %.6f ± %.6f\n", k->ppl_delta, k->ppl_delta_error);
	cli_printf("mean KLD    %.6f ± %.6f\n", k->mean, k->mean_error);
	cli_printf("median KLD  %.6f\np99 KLD     %.6f\nmax KLD     %.6f\n", k->median, k->p99, k->max);
	cli_printf("RMS Δp      %.4f ± %.4f %%\n", 100 * k->dp_rms, 100 * k->dp_rms_error);
	cli_printf("same top-1  %.3f %%\n", 100 * k->top_same);
}

static void json_field(const char *name, double v)
{
	cli_printf(",\"%s\":", name);
	cli_json_number(v);
}

static void show_json(const struct perplexity *x, const struct score_kl *k)
{
	const struct leat_windows *w = &x->windows;

	cli_puts("{\"schema\":\"leat.perplexity/1\"");
	json_field("ppl", score_ppl(&x->score));
	json_field("ppl_error", score_ppl_error(&x->score));
	json_field("nll", x->score.nll.mean);
	cli_printf(",\"n_scored\":%llu,\"n_chunks\":%llu,\"n_ctx\":%u,\"stride\":%u,\"bos\":%s",
		   (unsigned long long)x->score.nll.n, (unsigned long long)x->n_windows_now, w->window, w->stride,
		   w->begin >= 0 ? "true" : "false");
	if (x->comparing) {
		json_field("ppl_base", k->ppl_base);
		json_field("ppl_delta", k->ppl_delta);
		json_field("ppl_delta_error", k->ppl_delta_error);
		json_field("kld_mean", k->mean);
		json_field("kld_mean_error", k->mean_error);
		json_field("kld_median", k->median);
		json_field("kld_p99", k->p99);
		json_field("kld_max", k->max);
		json_field("dp_rms", k->dp_rms);
		json_field("dp_rms_error", k->dp_rms_error);
		json_field("top_same", k->top_same);
	}
	cli_puts("}\n");
}

static int finish(struct perplexity *x)
{
	const struct cli_value *max = &x->c->value[OPT_MAX_PPL];
	struct leat_error e = LEAT_ERROR_INIT;
	struct score_kl k;

	if (x->writing) {
		x->writing = 0;
		if (leat_outfile_commit(&x->out, 1, &e))
			return cli_fail(x->c, &e, 0);
	}
	score_kl(&x->score, &k);
	if (x->c->json)
		show_json(x, &k);
	else
		show_text(x, &k);
	return max->s && !(score_ppl(&x->score) <= max->f) ? EXIT_VERDICT : 0;
}

static int open_engine(struct perplexity *x)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	const struct cli_value *v = x->c->value;

	if (v[OPT_REFERENCE].i && v[OPT_DETERMINISTIC].i)
		return cli_usage_error(x->c, "--reference and --deterministic are two modes; give one");
	cli_engine_params(x->c, &p);
	p.n_ctx = x->info.recurrent ? 0 : (int32_t)x->windows.window;
	if (v[OPT_REFERENCE].i) {
		p.mode = LEAT_MODE_REFERENCE;
		p.kv_type = "f32";
	}
	return cli_create_engine(x->c, x->model, &p, &x->engine);
}

static int prepare(struct perplexity *x)
{
	const struct cli_value *v = x->c->value;
	const char *path;
	int rc = 0;

	if (v[OPT_KL].i && !v[OPT_KL_BASE].s)
		return cli_usage_error(x->c, "--kl compares with a base: give --kl-base FILE");
	path = cli_model_path(x->c, 0, &rc);
	if (path && x->c->n_args)
		rc = cli_usage_error(x->c, "too many arguments: '%s'; the text is -f FILE", x->c->args[0]);
	if (path && !rc)
		rc = cli_open_model(x->c, path, 0, &x->model);
	if (rc)
		return rc;
	x->info.struct_size = sizeof(x->info);
	leat_model_get_info(x->model, &x->info);
	x->comparing = (int)v[OPT_KL].i;
	rc = x->comparing ? open_base(x) : cut_text(x);
	if (rc)
		return rc;
	x->tokens = malloc(sizeof(*x->tokens) * x->windows.window);
	if (!x->tokens)
		return cli_error(x->c, LEAT_E_NOMEM, "out of memory");
	rc = open_engine(x);
	if (!rc && v[OPT_KL_BASE].s && !x->comparing)
		rc = create_base(x);
	return rc;
}

static int run(struct cli *c)
{
	struct perplexity x;
	int rc;

	memset(&x, 0, sizeof(x));
	x.c = c;
	rc = prepare(&x);
	if (!rc)
		rc = compute(&x);
	if (!rc)
		rc = finish(&x);
	if (x.writing)
		leat_outfile_abort(&x.out);
	leat_klbase_close(&x.base);
	score_deinit(&x.score);
	leat_engine_unref(x.engine);
	leat_model_unref(x.model);
	leat_free(x.text);
	free(x.tokens);
	free(x.row);
	return rc;
}

const struct leat_cmd leat_cmd_perplexity = {
	.name = "perplexity",
	.alias = "",
	.summary = "measure how well a model foretells a text, and how far it is from another",
	.usage = "perplexity FILE -f TEXT [-c N] [--stride N] [--chunks N] [--kl-base BASE [--kl]]",
	.notes = "\nThe text is cut into windows of -c tokens, each computed from nothing. The second half of each is\n"
		 "scored, so that every scored token has at least half a window before it; a model that begins its\n"
		 "texts with BOS has it in place of each window's first token. With --stride the windows begin that\n"
		 "many tokens apart and the last of each, as many, are scored. Perplexities compare only between\n"
		 "models of one vocabulary, with the same text and the same windows; ± is one standard error.\n"
		 "\n"
		 "--kl-base BASE writes the logits of the scored tokens to BASE (4 bytes for each token of the\n"
		 "vocabulary); --kl reads them and prints how far this model is from the one that wrote them: KLD is\n"
		 "the sum of p log(p / q) in nats, p the base's probabilities and q this model's; Δp is q - p of the\n"
		 "token that came; same top-1 is how often both hold the same token for the likeliest.\n",
	.examples = {
		{ "leat perplexity model.gguf -f wiki.test.raw", "perplexity, windows of 512" },
		{ "leat perplexity f16.gguf -f text --kl-base f16.base --chunks 20", "keep what a model computes ..." },
		{ "leat perplexity q4_k.gguf --kl-base f16.base --kl", "... and see what quantising it cost" },
	},
	.verdict = "--max-ppl, and the perplexity is higher",
	.bit = C_PERPLEXITY,
	.max_args = -1,
	.run = run,
};
