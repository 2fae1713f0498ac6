/* plan.c - where buffers live: live ranges, and places in one arena by first fit, largest first. */
#include "plan/plan.h"

#include <stdlib.h>

int leat_buf_rows(const struct leat_plan *p, const struct leat_buf *b)
{
	return b->rows == LEAT_ROWS_TOKENS ? p->key.tokens : p->key.outputs;
}

static size_t buf_floats(const struct leat_plan *p, const struct leat_buf *b)
{
	return (size_t)leat_buf_rows(p, b) * (size_t)b->stride;
}

static void live_ranges(struct leat_plan *p)
{
	for (int i = 0; i < p->n_ops; i++) {
		const struct leat_op *o = &p->op[i];
		for (int j = 0; j < o->n_in; j++)
			p->buf[o->in[j]].last_op = i;
		if (o->out >= 0)
			p->buf[o->out].last_op = i;
	}
	p->buf[p->result].last_op = p->n_ops;
}

/* Lowest offset at which b overlaps no placed buffer that lives at the same time. */
static size_t first_fit(const struct leat_plan *p, int b, const int *placed, int n_placed)
{
	const struct leat_buf *x = &p->buf[b];
	size_t need = buf_floats(p, x), at = 0;
	for (int moved = 1; moved;) {
		moved = 0;
		for (int i = 0; i < n_placed; i++) {
			const struct leat_buf *y = &p->buf[placed[i]];
			if (y->last_op < x->first_op || x->last_op < y->first_op)
				continue;
			size_t end = y->offset + buf_floats(p, y);
			if (at < end && y->offset < at + need) {
				at = end;
				moved = 1;
			}
		}
	}
	return at;
}

void leat_plan_layout(struct leat_plan *p)
{
	live_ranges(p);
	/* Order of first use: an op's outputs settle next to its inputs, and what is dead is reused soonest. */
	int *placed = malloc((size_t)(p->n_bufs ? p->n_bufs : 1) * sizeof *placed);
	int n = 0;
	p->arena_floats = 0;
	for (int b = 0; b < p->n_bufs; b++) {
		struct leat_buf *x = &p->buf[b];
		if (x->first_op < 0)
			continue;
		/* Without the list nothing is shared: correct, only larger. */
		x->offset = placed ? first_fit(p, b, placed, n) : p->arena_floats;
		if (placed)
			placed[n++] = b;
		size_t end = x->offset + buf_floats(p, x);
		if (end > p->arena_floats)
			p->arena_floats = end;
	}
	free(placed);
}

void leat_plan_destroy(struct leat_plan *p)
{
	if (!p)
		return;
	free(p->op);
	free(p->buf);
	free(p->point);
	free(p);
}

int leat_bucket_tokens(int n, int most)
{
	int b = 1;
	while (b < n && b < 32)
		b *= 2;
	if (n > 32)
		b = (n + 31) / 32 * 32;
	return b < most ? b : most;
}

int leat_bucket_rows(int n, int most)
{
	int b = 1;
	while (b < n)
		b *= 2;
	return b < most ? b : most;
}
