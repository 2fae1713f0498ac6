/* sample.h - from logits to a token id: the chain of NUMERICS.md section 4.
 *
 * logit bias and masks -> penalties -> top-k -> typical -> top-p -> min-p -> temperature -> draw; the order of the
 * filters can be changed. The arithmetic is plan/draw.h, so the same logits and seed give the same id on every backend.
 * A chain belongs to one request; no call but create allocates. */
#ifndef LEAT_SAMPLE_SAMPLE_H
#define LEAT_SAMPLE_SAMPLE_H

#include "base/err.h"

enum { LEAT_MAX_LOGIT_BIAS = 1024 };

struct leat_logit_bias {
	int32_t id;
	float bias; /* added; -INFINITY forbids the token */
};

/* 0-initialised is not the default: use leat_sample_params_init. Ranges are proved by leat_sampler_create. */
struct leat_sample_params {
	uint64_t seed;
	uint32_t choice;         /* which of several answers to one request */
	float temperature;       /* 0: the largest logit, lowest id on a tie. [0, 100] */
	int32_t top_k;           /* 0: off */
	float top_p;             /* (0, 1]; 1: off */
	float min_p;             /* [0, 1); 0: off */
	float typical_p;         /* (0, 1]; 1: off */
	float repeat_penalty;    /* divides positive, multiplies negative logits. [0.01, 100]; 1: off */
	int32_t repeat_last_n;   /* tokens looked back at by the three penalties without decay; 0: off, -1: all */
	float presence_penalty;  /* [-100, 100] subtracted once from what occurred */
	float frequency_penalty; /* [-100, 100] subtracted per (decayed) occurrence */
	float penalty_decay;     /* (0, 1]: counts shrink by it each token (RWKV: 0.996); 1: plain counts in the window */
	const struct leat_logit_bias *bias; /* borrowed during create */
	int32_t n_bias;
	const char *order;       /* NULL or names joined by ';' : "penalties;top_k;typical_p;top_p;min_p;temperature" */
};
void leat_sample_params_init(struct leat_sample_params *p);

struct leat_sampler;

/* n_vocab: usable ids (padding rows of the head lie above it and are never drawn). n_rows: logits per row. */
enum leat_status leat_sampler_create(const struct leat_sample_params *p, int n_vocab, struct leat_sampler **ret,
				     struct leat_error *err);
void leat_sampler_destroy(struct leat_sampler *s);

/* Tells the chain that `id` is now part of the sequence (prompt tokens too, in order). */
void leat_sampler_accept(struct leat_sampler *s, int32_t id);

struct leat_drawn {
	int32_t id;
	float logit;   /* as the model gave it */
	float prob;    /* of id under the model's own distribution (temperature 1, no filters), in (0, 1] */
	float logprob; /* natural logarithm of it */
};

/* Draws the token at `position` of its sequence from logits[n_vocab] (not changed). E_NONFINITE: a NaN or +infinity
 * among them, or nothing is left to draw. */
enum leat_status leat_sampler_draw(struct leat_sampler *s, const float *logits, uint64_t position,
				   struct leat_drawn *ret, struct leat_error *err);

#endif
