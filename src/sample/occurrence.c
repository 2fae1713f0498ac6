/* occurrence.c - which tokens occurred, and how often, with a window or with decay. */
#include <stdlib.h>

#include "sample/stage.h"

/* Counts are stored divided by a unit that shrinks with every token, so that all of them decay by one product.
 * Before the unit leaves the range of a double, the counts are brought back to unit 1: once in thousands of tokens. */
#define SMALLEST_UNIT 1e-200

enum leat_status leat_occurrence_init(struct leat_occurrence *o, int n_vocab, int32_t n_window, struct leat_error *err)
{
	size_t n = (size_t)n_vocab;
	/* calloc: the pages of tokens that never occur are never touched. */
	*o = (struct leat_occurrence){
		.count = calloc(n, sizeof *o->count),
		.place = calloc(n, sizeof *o->place),
		.ids = calloc(n, sizeof *o->ids),
		.window = n_window ? calloc((size_t)n_window, sizeof *o->window) : NULL,
		.n_window = n_window,
		.unit = 1.0,
	};
	if (o->count && o->place && o->ids && (o->window || !n_window))
		return LEAT_OK;
	leat_occurrence_deinit(o);
	return leat_fail(err, LEAT_E_NOMEM, "sampler", LEAT_NO_OFFSET,
			 "no memory for the penalties of %d tokens", n_vocab);
}

void leat_occurrence_deinit(struct leat_occurrence *o)
{
	free(o->count);
	free(o->place);
	free(o->ids);
	free(o->window);
	*o = (struct leat_occurrence){0};
}

static void take_off(struct leat_occurrence *o, int32_t id)
{
	o->count[id] -= 1.0;
	if (o->count[id] > 0.0)
		return;
	int32_t last = o->ids[--o->n_ids];
	o->ids[o->place[id] - 1] = last;
	o->place[last] = o->place[id];
	o->place[id] = 0;
}

static void slide(struct leat_occurrence *o, int32_t id)
{
	if (o->n_filled == o->n_window)
		take_off(o, o->window[o->at]);
	else
		o->n_filled++;
	o->window[o->at] = id;
	o->at = o->at + 1 < o->n_window ? o->at + 1 : 0;
}

void leat_occurrence_add(struct leat_occurrence *o, int32_t id, double decay)
{
	o->unit *= decay;
	if (o->unit < SMALLEST_UNIT) {
		for (int32_t i = 0; i < o->n_ids; i++)
			o->count[o->ids[i]] *= o->unit;
		o->unit = 1.0;
	}
	if (o->window)
		slide(o, id);
	if (!o->place[id]) {
		o->ids[o->n_ids++] = id;
		o->place[id] = o->n_ids;
	}
	o->count[id] += 1.0 / o->unit;
}
