/* score.h - perplexity of scored tokens, and how far a model's distributions are from a base's. */
#ifndef LEAT_CLI_SCORE_H
#define LEAT_CLI_SCORE_H

#include "cli.h"

/* Sums of one series: mean and what it is uncertain by. */
struct series {
	uint64_t n;
	double mean, m2;  /* Welford */
};

struct score {
	struct series nll;         /* of the model, nats a token */
	/* beside a base */
	struct series base_nll, more; /* more: nll - base nll, token by token */
	struct series kl, dp, dp2; /* sum p log(p/q); q - p of the token that came; its square */
	uint64_t top_same;
	double *kls;               /* each of them, kl.n */
};

struct score_kl {
	double mean, mean_error, median, p99, max;
	double dp_rms, dp_rms_error; /* as a share, not percent */
	double top_same;
	double ppl_base, ppl_delta, ppl_delta_error;
};

/* Room for `n` tokens beside a base. 1: out of memory. */
int score_init(struct score *s, uint64_t n);
void score_deinit(struct score *s);
/* One scored token: logits of the model, and of the base (NULL: none), over n_vocab ids; `next` is the token that came.
 * 1: the model's logits are no finite numbers. */
int score_add(struct score *s, const float *logits, const float *base, int32_t n_vocab, int32_t next);
double score_ppl(const struct score *s);
/* One standard error, by the deviation of the tokens' nll. */
double score_ppl_error(const struct score *s);
/* Sorts s->kls. */
void score_kl(struct score *s, struct score_kl *ret);

#endif
