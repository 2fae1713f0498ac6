/* sample.h - from logits to a token id: the chain of NUMERICS.md section 4.
 *
 * logit bias and masks -> penalties -> top-k -> typical -> top-p -> min-p -> temperature -> draw; the order of all
 * but the bias and the draw can be changed. The arithmetic is plan/draw.h, so the same logits and seed give the same
 * id on every backend. A chain belongs to one request and one thread at a time; no call but create allocates, and a
 * draw's work does not grow with what was accepted beyond the tokens that differ. Memory: 16 bytes per id, 4 more
 * with bias or penalties, and 16 more (touched only where a token occurred) with penalties.
 *
 * Temperature 0 runs bias and penalties, then takes the largest logit: filters cannot change it (typical could, and is
 * left out). A stage that the order leaves out does not run; without "temperature" in it a draw is at temperature 1. */
#ifndef LEAT_SAMPLE_SAMPLE_H
#define LEAT_SAMPLE_SAMPLE_H

#include "base/err.h"
#include "leat/request.h"

enum { LEAT_MAX_LOGIT_BIAS = 1024, LEAT_MAX_TOP = 20 };

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
	int32_t repeat_last_n;   /* tokens the penalties look back at, without decay; 0: off, -1: all; <= 2^20 */
	float presence_penalty;  /* [-100, 100] subtracted once from what occurred */
	float frequency_penalty; /* [-100, 100] subtracted per (decayed) occurrence */
	/* [1e-6, 1]; 1: plain counts in the window. Below 1 (RWKV: 0.996) the window does not apply: each accepted
	 * token multiplies all counts by it, then adds 1 to its own; presence and repetition hold for all that ever
	 * occurred. */
	float penalty_decay;
	const struct leat_logit_bias *bias; /* borrowed during create */
	int32_t n_bias;
	/* NULL (the default order) or distinct names joined by ';', borrowed during create:
	 * "penalties;top_k;typical_p;top_p;min_p;temperature". "": none of them. */
	const char *order;
};
/* Everything off, temperature 1, seed 0, a window of 64. */
void leat_sample_params_init(struct leat_sample_params *p);

struct leat_sampler;

/* n_vocab: usable ids, 1 to 2^20 (padding rows of the head lie above it and are never read). E_ARG: err->where names
 * the parameter ("samplers" for the order), used or not; E_NOMEM. */
enum leat_status leat_sampler_create(const struct leat_sample_params *p, int n_vocab, struct leat_sampler **ret,
				     struct leat_error *err);
void leat_sampler_destroy(struct leat_sampler *s);

/* Tells the chain that `id` is now part of the sequence (prompt tokens too, in order). An id outside of n_vocab is
 * ignored. O(1) amortised. */
void leat_sampler_accept(struct leat_sampler *s, int32_t id);

struct leat_drawn {
	int32_t id;
	float logit;   /* as the model gave it */
	/* Of id under the model's own distribution (temperature 1, no filters), in (0, 1], cut at 1e-38; and its
	 * natural logarithm, not cut. Reports, good to 1e-6: no id depends on them, and backends may differ in the
	 * last bits. */
	float prob;
	float logprob;
};

/* Draws the token at `position` of its sequence from logits[n_vocab] (not changed). The random number depends on seed,
 * choice and position alone, so a draw can be repeated and calls may come in any order. -infinity forbids a token.
 * E_NONFINITE: a NaN or +infinity among them, or nothing is left to draw; the chain stays usable. */
enum leat_status leat_sampler_draw(struct leat_sampler *s, const float *logits, uint64_t position,
				   struct leat_drawn *ret, struct leat_error *err);

/* What a draw does first, and what takes most of its time: reads all logits. The next draw, which must be from these
 * same logits, goes on from there. Calls for different chains may run on different threads. */
void leat_sampler_look(struct leat_sampler *s, const float *logits);

/* The same, and the n_top <= LEAT_MAX_TOP likeliest tokens of the model's own distribution: best first, lower ids first
 * among equals; those that are forbidden (-infinity) are left out. *ret_n: how many there are. */
enum leat_status leat_sampler_draw_top(struct leat_sampler *s, const float *logits, uint64_t position, int n_top,
				       struct leat_drawn *ret, struct leat_token_prob *ret_top, int *ret_n,
				       struct leat_error *err);

#endif
