/* rope.h - frequencies of rotary embeddings, and how models that were stretched to longer contexts bend them. */
#ifndef LEAT_MODEL_ROPE_H
#define LEAT_MODEL_ROPE_H

/* inv_freq[i] = base^(-i/n), i < n = half the rotated elements (Su et al. 2021, arXiv:2104.09864), then: */
enum leat_rope_bend {
	LEAT_ROPE_PLAIN,
	LEAT_ROPE_LINEAR, /* divided by factor: positions are interpolated (Chen et al. 2023, arXiv:2306.15595) */
	/* Llama 3.1: waves longer than original / low are divided by factor, those shorter than original / high stay,
	 * and between the two a weight that is linear in original / wavelength blends both (Llama Team 2024,
	 * arXiv:2407.21783, section 3.4.2 and the released code). */
	LEAT_ROPE_LLAMA3,
	/* YaRN: pairs that turn more than beta_fast times within the original context stay, those that turn less than
	 * beta_slow times are divided by factor, a ramp over the pair's number between them; cos and sin are
	 * multiplied by 0.1 ln(factor) + 1 (Peng et al. 2023, arXiv:2309.00071, sections 3.2 and 3.4). */
	LEAT_ROPE_YARN,
	LEAT_ROPE_BENDS
};

struct leat_rope_rule {
	int bend;                    /* enum leat_rope_bend */
	double base;
	double factor;               /* >= 1 */
	double original;             /* context before stretching; llama3, yarn and longrope */
	double low, high;            /* llama3: 0 < low < high */
	double beta_fast, beta_slow; /* yarn: beta_fast > beta_slow > 0 */
};

/* divisor NULL, or [n]: every frequency is divided by its own number on top of the rule (longrope; and llama3 as GGUF
 * files store it). */
void leat_rope_frequencies(float *inv_freq, int n, const struct leat_rope_rule *r, const float *divisor);
/* What multiplies cos and sin: yarn's rule, else 1. */
double leat_rope_yarn_scale(const struct leat_rope_rule *r);
/* The same for longrope (Ding et al. 2024, arXiv:2402.13753): sqrt(1 + ln(stretch) / ln(original)), 1 if not
 * stretched. stretch is the context over the original one. */
double leat_rope_longrope_scale(double stretch, double original);

#endif
