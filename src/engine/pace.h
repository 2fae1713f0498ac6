/* pace.h - how long steps take, and how much of a prompt may ride along with running answers.
 *
 * What a step with pieces of prompts takes beyond one with answers alone is the stall that those who answer suffer for
 * others. It is kept under stall_ns by choosing how many prompt tokens a step takes.
 *
 * The price of a token rises with its position, for attention looks back on all before it: n tokens at positions that
 * add up to S are n + S / doubling units of work, where a token at position `doubling` costs twice what the first one
 * does. `doubling` is fitted to what steps took (least squares, older steps count less, and a guess holds until there
 * is something to fit); the time of a unit is the median of the last few steps. Medians, because a hitch of the machine
 * is no price of a token, and with an average one of them made prompts crawl for many steps. */
#ifndef LEAT_ENGINE_PACE_H
#define LEAT_ENGINE_PACE_H

#include <stdatomic.h>
#include <stdint.h>

enum { LEAT_STALL_BUCKETS = 12, LEAT_PACE_SAMPLES = 5, LEAT_PACE_SIZES = 11 };

struct leat_pace_times {
	double ns[LEAT_PACE_SAMPLES]; /* the last ones, in no order */
	double n_tokens[LEAT_PACE_SAMPLES], positions[LEAT_PACE_SAMPLES]; /* of prompts; the latter their sum */
	uint64_t n;                   /* ever */
};

/* Sums of least squares for ns = a n + b S. */
struct leat_pace_fit {
	double nn, ns, ss, nt, st;
};

struct leat_pace {
	uint64_t stall_ns;       /* 0: no bound */
	struct leat_pace_times decode[LEAT_PACE_SIZES]; /* of steps with answers alone: 1, 2 to 3, 4 to 7 ... of them */
	struct leat_pace_times prompt; /* what prompts took beside answers */
	struct leat_pace_fit fit;
	double last_work;        /* units of work that the last such step took */
	_Atomic uint64_t stalls[LEAT_STALL_BUCKETS]; /* rows of answers by stall, see leat_stall_bound_ms */
	_Atomic uint64_t worst_ns;
};

/* Bucket i counts stalls below this many milliseconds (and not below the one before); the last bucket has no end. */
uint64_t leat_stall_bound_ms(int bucket);

/* Most prompt tokens of the next step beside running answers, 1 to most; they begin at `position`, on average. */
int leat_pace_tokens(const struct leat_pace *p, int most, double position);
/* Is it not known what a step of so many answers takes by itself? Then one has to go without prompts, or all that it
 * takes would pass for a stall, and the prompts that ride along for dear. */
int leat_pace_has_to_look(const struct leat_pace *p, int n_decode);
/* A step took ns: n_decode rows of answers, n_prompt tokens of prompts whose positions add up to `positions`. */
void leat_pace_note(struct leat_pace *p, uint64_t ns, int n_decode, int n_prompt, double positions);

#endif
