/* mode_batched.c - B prompts and then B answers side by side, as llama-batched-bench counts them, so that rows compare
 * by eye: PP and TG tokens of each sequence, B sequences, S_PP and S_TG tokens per second of all.
 *
 * Steps of an engine without requests, sampling or text: what is measured is the model. Every answer step fetches its
 * rows of logits, as the other program's does; the next tokens are fixed. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bench/mode.h"
#include "engine/engine.h"

struct batched {
	struct leat_bench_job *j;
	struct leat_engine *e;
	struct leat_seq *seq;      /* [n_parallel] */
	struct leat_feed *feed;    /* [n_parallel] */
	int32_t *prompt;           /* [n_parallel][n_prompt] */
	int32_t *next;             /* [n_parallel] */
	double sum;                /* of logits that were fetched */
	struct leat_error *err;
};

static enum leat_status step(struct batched *b, int n_feeds)
{
	LEAT_TRY(leat_bench_go_on(b->j, b->err));
	LEAT_TRY(leat_engine_step(b->e, b->feed, n_feeds, b->err));
	for (int i = 0, row = 0; i < n_feeds; i++) {
		if (b->feed[i].want == LEAT_WANT_LAST)
			b->sum += (double)leat_engine_row(b->e, row++)[0];
	}
	return LEAT_OK;
}

/* Prompts one after the other into steps that are as full as they can be. */
static enum leat_status prompts(struct batched *b, int n_seqs)
{
	int n_prompt = b->j->size.n_prompt, left = b->j->ran.n_batch, n = 0;

	for (int i = 0, at = 0; i < n_seqs;) {
		int k = n_prompt - at < left ? n_prompt - at : left;
		b->feed[n++] = (struct leat_feed){ .seq = &b->seq[i], .n_tokens = k,
						   .tokens = b->prompt + (size_t)i * (size_t)n_prompt + at,
						   .want = at + k == n_prompt ? LEAT_WANT_LAST : LEAT_WANT_NONE };
		left -= k;
		at += k;
		if (at == n_prompt) {
			at = 0;
			i++;
		}
		if (left && i < n_seqs)
			continue;
		LEAT_TRY(step(b, n));
		n = 0;
		left = b->j->ran.n_batch;
	}
	return LEAT_OK;
}

static enum leat_status answers(struct batched *b, int n_seqs)
{
	for (int t = 0; t < b->j->size.n_gen; t++) {
		for (int i = 0; i < n_seqs; i++) {
			b->next[i] = b->prompt[(size_t)i * (size_t)b->j->size.n_prompt +
					       (size_t)(t % b->j->size.n_prompt)];
			b->feed[i] = (struct leat_feed){ .seq = &b->seq[i], .tokens = &b->next[i], .n_tokens = 1,
							 .want = LEAT_WANT_LAST };
		}
		LEAT_TRY(step(b, n_seqs));
	}
	return LEAT_OK;
}

static void note(struct batched *b, int n_seqs, const char *what, double v)
{
	char name[LEAT_FIGURE_NAME];

	snprintf(name, sizeof(name), "B=%d %s", n_seqs, what);
	leat_report_add(b->j->report, name, "tokens/s", LEAT_BETTER_MORE, v);
}

static void row(struct batched *b, int n_seqs, double pp_s, double tg_s)
{
	int pp = b->j->size.n_prompt, tg = b->j->size.n_gen, n_kv = n_seqs * (pp + tg);

	leat_report_table(b->j->report,
			  "| %5d | %6d | %4d | %6d | %8.3f | %8.2f | %8.3f | %8.2f | %8.3f | %8.2f |\n", pp, tg, n_seqs,
			  n_kv, pp_s, n_seqs * pp / pp_s, tg_s, n_seqs * tg / tg_s, pp_s + tg_s,
			  n_kv / (pp_s + tg_s));
}

static enum leat_status once(struct batched *b, int n_seqs, int measured, double *ret_pp_s, double *ret_tg_s)
{
	int pp = b->j->size.n_prompt, tg = b->j->size.n_gen;
	uint64_t began, between;

	for (int i = 0; i < n_seqs; i++)
		leat_seq_reset(b->e, &b->seq[i]);
	began = leat_now_ns();
	LEAT_TRY(prompts(b, n_seqs));
	between = leat_now_ns();
	LEAT_TRY(answers(b, n_seqs));
	*ret_pp_s = (double)(between - began) / 1e9;
	*ret_tg_s = (double)(leat_now_ns() - between) / 1e9;
	if (measured) {
		note(b, n_seqs, "S_PP", n_seqs * pp / *ret_pp_s);
		note(b, n_seqs, "S_TG", n_seqs * tg / *ret_tg_s);
		note(b, n_seqs, "S", n_seqs * (pp + tg) / (*ret_pp_s + *ret_tg_s));
	}
	return LEAT_OK;
}

static enum leat_status measure(struct batched *b)
{
	const struct leat_bench_sizes *z = &b->j->size;
	double pp_s, tg_s, sum_pp, sum_tg;

	leat_report_table(b->j->report, "|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |"
					"      T s |    S t/s |\n"
					"| ----: | -----: | ---: | -----: | -------: | -------: | -------: | -------: |"
					" -------: | -------: |\n");
	for (int n = 1; n <= z->n_parallel; n *= 2) {
		sum_pp = sum_tg = 0;
		for (int i = 0; i < z->n_warmup + z->n_repeat; i++) {
			LEAT_TRY(once(b, n, i >= z->n_warmup, &pp_s, &tg_s));
			sum_pp += i < z->n_warmup ? 0 : pp_s;
			sum_tg += i < z->n_warmup ? 0 : tg_s;
		}
		row(b, n, sum_pp / z->n_repeat, sum_tg / z->n_repeat);
	}
	return LEAT_OK;
}

static enum leat_status with_seqs(struct batched *b)
{
	enum leat_status s = LEAT_OK;
	int n = b->j->size.n_parallel, n_open = 0;

	for (int i = 0; i < n; i++)
		leat_bench_prompt(b->j, (uint64_t)i, b->prompt + (size_t)i * (size_t)b->j->size.n_prompt,
				  b->j->size.n_prompt);
	while (!s && n_open < n) {
		s = leat_seq_open(b->e, &b->seq[n_open], b->err);
		n_open += !s;
	}
	if (!s)
		s = measure(b);
	while (n_open)
		leat_seq_close(b->e, &b->seq[--n_open]);
	return s;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	struct batched b = { .j = j, .err = err };
	size_t n = (size_t)j->size.n_parallel;
	enum leat_status s = LEAT_E_NOMEM;

	b.seq = calloc(n, sizeof(*b.seq));
	b.feed = calloc(n, sizeof(*b.feed));
	b.next = calloc(n, sizeof(*b.next));
	b.prompt = calloc(n * (size_t)j->size.n_prompt, sizeof(*b.prompt));
	if (!b.seq || !b.feed || !b.next || !b.prompt)
		leat_fail(err, s, "", LEAT_NO_OFFSET, "no memory for %zu sequences", n);
	else
		s = leat_bench_engine(j, (int)n, j->size.n_prompt + j->size.n_gen, &b.e, err);
	if (!s) {
		s = with_seqs(&b);
		leat_engine_unref(b.e);
	}
	free(b.seq);
	free(b.feed);
	free(b.next);
	free(b.prompt);
	return s;
}

const struct leat_bench leat_bench_batched = {
	.name = "batched",
	.summary = "1, 2, 4 ... sequences side by side, as llama-batched-bench prints them",
	.size = { .n_parallel = 32, .n_prompt = 128, .n_gen = 64, .n_repeat = 1, .n_warmup = 1 },
	.run = run,
};
