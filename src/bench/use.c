/* use.c - see use.h. */
#include "bench/use.h"

#include <stdio.h>

static void look(struct leat_use *u, uint64_t *steps, uint64_t *tokens, uint64_t *rows)
{
	*steps = atomic_load(&u->e->told_steps);
	*tokens = atomic_load(&u->e->told_tokens);
	*rows = atomic_load(&u->e->told_rows);
}

void leat_use_begin(struct leat_use *u, struct leat_engine *e)
{
	u->e = e;
	look(u, &u->steps, &u->tokens, &u->rows);
}

void leat_use_end(struct leat_use *u, struct leat_report *p, const char *what)
{
	static const struct {
		const char *name, *unit;
		enum leat_better better;
	} figures[] = {
		{ "steps", "", LEAT_BETTER_NEITHER },
		{ "tokens of a step", "tokens", LEAT_BETTER_NEITHER },
		{ "token budget used", "%", LEAT_BETTER_NEITHER },
		{ "padding", "%", LEAT_BETTER_LESS },
	};
	uint64_t steps, tokens, rows;
	double v[4], n;
	char name[LEAT_FIGURE_NAME];

	look(u, &steps, &tokens, &rows);
	n = steps > u->steps ? (double)(steps - u->steps) : 1;
	v[0] = (double)(steps - u->steps);
	v[1] = (double)(tokens - u->tokens) / n;
	v[2] = 100 * v[1] / u->e->n_batch;
	v[3] = rows > u->rows ? 100 * (1 - (double)(tokens - u->tokens) / (double)(rows - u->rows)) : 0;
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s %s", what, figures[i].name);
		leat_report_add(p, name, figures[i].unit, figures[i].better, v[i]);
	}
}
