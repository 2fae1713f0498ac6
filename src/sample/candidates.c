/* candidates.c - the set that a draw narrows down: block maxima, the list, weights, selection without sorting. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "plan/draw.h"
#include "sample/stage.h"

enum { BLOCK = LEAT_SAMPLE_BLOCK, LANES = 16 };

static int block_length(int n, int block)
{
	int left = n - block * BLOCK;
	return left < BLOCK ? left : BLOCK;
}

/* The largest of a whole block, and whether all are finite or -infinity. Separate lanes, because a compiler may not
 * reorder a maximum of floats by itself. */
static float scan_block(const float *x, int *bad)
{
	float max[LANES];
	int odd[LANES];
	for (int j = 0; j < LANES; j++) {
		max[j] = x[j];
		odd[j] = !(x[j] <= FLT_MAX);
	}
	for (int i = LANES; i < BLOCK; i += LANES)
		for (int j = 0; j < LANES; j++) {
			max[j] = x[i + j] > max[j] ? x[i + j] : max[j];
			odd[j] |= !(x[i + j] <= FLT_MAX);
		}
	float best = max[0];
	for (int j = 0; j < LANES; j++) {
		best = max[j] > best ? max[j] : best;
		*bad |= odd[j];
	}
	return best;
}

static float scan_short_block(const float *x, int n, int *bad)
{
	float padded[BLOCK];
	for (int i = 0; i < BLOCK; i++)
		padded[i] = i < n ? x[i] : -INFINITY;
	return scan_block(padded, bad);
}

static float scan_at(const struct leat_sampler *s, const float *row, int block, int *bad)
{
	int n = block_length(s->n_vocab, block);
	const float *x = row + (size_t)block * BLOCK;
	return n == BLOCK ? scan_block(x, bad) : scan_short_block(x, n, bad);
}

int leat_candidates_open(struct leat_sampler *s, const float *logits)
{
	int bad = 0;
	for (int b = 0; b < s->n_blocks; b++)
		s->block_max[b] = scan_at(s, logits, b, &bad);
	s->dense = logits;
	s->n = 0;
	s->weighed = 0;
	s->inv_temperature = 1.0f;
	leat_candidates_settle(s);
	return bad;
}

float *leat_candidates_edit(struct leat_sampler *s)
{
	if (s->dense != s->work) {
		memcpy(s->work, s->dense, (size_t)s->n_vocab * sizeof *s->work);
		s->dense = s->work;
	}
	return s->work;
}

void leat_candidates_edited(struct leat_sampler *s, int32_t id)
{
	int bad = 0;
	int block = id / BLOCK;
	s->block_max[block] = scan_at(s, s->dense, block, &bad);
}

void leat_candidates_settle(struct leat_sampler *s)
{
	float max = -INFINITY;
	if (s->dense)
		for (int b = 0; b < s->n_blocks; b++)
			max = s->block_max[b] > max ? s->block_max[b] : max;
	else
		for (int i = 0; i < s->n; i++)
			max = s->list[i].logit > max ? s->list[i].logit : max;
	s->max = max;
}

void leat_candidates_gather(struct leat_sampler *s, float floor)
{
	if (!s->dense)
		return;
	struct leat_candidate *list = s->list;
	float lowest = floor >= -FLT_MAX ? floor : -FLT_MAX;
	int n = 0;
	for (int b = 0; b < s->n_blocks; b++) {
		if (!(s->block_max[b] >= lowest))
			continue;
		int first = b * BLOCK;
		int end = first + block_length(s->n_vocab, b);
		/* Written always, counted if it stays: n never passes i, and there is no branch to guess. */
		for (int i = first; i < end; i++) {
			list[n].id = i;
			list[n].logit = s->dense[i];
			n += s->dense[i] >= lowest;
		}
	}
	s->n = n;
	s->dense = NULL;
	s->weighed = 0;
}

void leat_candidates_weigh(struct leat_sampler *s)
{
	/* What lies further away weighs nothing; the margin covers the roundings. */
	leat_candidates_gather(s, s->max - 1.0001f * LEAT_DRAW_REACH / s->inv_temperature);
	if (s->weighed)
		return;
	uint64_t total = 0;
	for (int i = 0; i < s->n; i++) {
		s->weight[i] = leat_draw_weight(leat_draw_scale(s->list[i].logit, s->max, s->inv_temperature));
		total += s->weight[i];
	}
	s->total = total;
	s->weighed = 1;
}

void leat_candidates_key_logits(struct leat_sampler *s)
{
	for (int i = 0; i < s->n; i++)
		s->key[i] = leat_draw_key(s->list[i].logit);
}

/* One digit of the radix search: narrows the prefix (the upper bits of the border key) by `bits` more and takes off
 * *target what lies before it. 0 if the candidates do not reach the target. */
static int narrow(const struct leat_sampler *s, const uint32_t *mass, int shift, int bits, uint32_t *prefix,
		  uint64_t *target)
{
	uint64_t sum[1 << 11] = {0};
	uint32_t digits = (1u << bits) - 1;
	for (int i = 0; i < s->n; i++)
		if ((uint64_t)s->key[i] >> (shift + bits) == *prefix)
			sum[s->key[i] >> shift & digits] += mass ? mass[i] : 1;
	for (uint32_t d = 0; d <= digits; d++) {
		if (sum[d] >= *target) {
			*prefix = *prefix << bits | d;
			return 1;
		}
		*target -= sum[d];
	}
	return 0;
}

/* Keeps keys before the border, and the lowest ids at the border until their mass reaches `left`. */
static void cut(struct leat_sampler *s, const uint32_t *mass, uint32_t border, uint64_t left)
{
	uint64_t taken = 0;
	uint64_t total = 0;
	int n = 0;
	for (int i = 0; i < s->n; i++) {
		int keep = s->key[i] < border;
		if (s->key[i] == border && taken < left) {
			taken += mass ? mass[i] : 1;
			keep = 1;
		}
		uint32_t weight = s->weighed ? s->weight[i] : 0;
		s->list[n] = s->list[i];
		if (s->weighed)
			s->weight[n] = weight;
		total += keep ? weight : 0;
		n += keep;
	}
	s->n = n;
	s->total = total;
	float max = s->max;
	leat_candidates_settle(s);
	if (s->max < max)
		s->weighed = 0; /* weights are relative to the largest */
}

void leat_candidates_drop_light(struct leat_sampler *s, uint64_t floor)
{
	uint64_t total = 0;
	int n = 0;
	for (int i = 0; i < s->n; i++) {
		uint32_t weight = s->weight[i];
		int keep = weight >= floor;
		s->list[n] = s->list[i];
		s->weight[n] = weight;
		total += keep ? weight : 0;
		n += keep;
	}
	s->n = n;
	s->total = total;
}

void leat_candidates_select(struct leat_sampler *s, const uint32_t *mass, uint64_t target)
{
	uint32_t border = 0;
	if (!narrow(s, mass, 21, 11, &border, &target) || !narrow(s, mass, 10, 11, &border, &target) ||
	    !narrow(s, mass, 0, 10, &border, &target))
		return;
	cut(s, mass, border, target);
}

int32_t leat_candidates_best(const struct leat_sampler *s)
{
	if (!s->dense) {
		int i = 0;
		while (i < s->n - 1 && s->list[i].logit < s->max)
			i++;
		return s->list[i].id;
	}
	int b = 0;
	while (b < s->n_blocks - 1 && s->block_max[b] < s->max)
		b++;
	int32_t id = b * BLOCK;
	while (id < s->n_vocab - 1 && s->dense[id] < s->max)
		id++;
	return id;
}

int32_t leat_candidates_at(const struct leat_sampler *s, uint64_t t)
{
	int i = 0;
	for (uint64_t sum = s->weight[0]; sum <= t && i < s->n - 1; sum += s->weight[i])
		i++;
	return s->list[i].id;
}

int leat_candidates_top(const struct leat_sampler *s, const float *logits, int n, struct leat_token_prob *ret)
{
	int have = 0;
	float least = -INFINITY; /* what a logit has to be above; ascending ids make ties go to the lower one */
	for (int b = 0; b < s->n_blocks; b++) {
		if (!(s->block_max[b] > least))
			continue;
		int first = b * BLOCK, end = first + block_length(s->n_vocab, b);
		for (int i = first; i < end; i++) {
			if (!(logits[i] > least))
				continue;
			int at = have < n ? have++ : n - 1;
			for (; at > 0 && ret[at - 1].logprob < logits[i]; at--)
				ret[at] = ret[at - 1];
			ret[at] = (struct leat_token_prob){ i, logits[i] };
			least = have == n ? ret[n - 1].logprob : -INFINITY;
		}
	}
	return have;
}
