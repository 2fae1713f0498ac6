/* step.c - the step block. */
#include "plan/step.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* Takes n bytes from the block, 64-byte aligned; with a NULL base it only measures. */
static void *carve(unsigned char *base, size_t *used, size_t n)
{
	void *p = base ? base + *used : NULL;
	*used += (n + 63) / 64 * 64;
	return p;
}

static size_t lay_out(struct leat_step *s, unsigned char *base)
{
	size_t used = 0, t = (size_t)s->cap_tokens * sizeof(int32_t);
	s->id = carve(base, &used, t);
	s->pos = carve(base, &used, t);
	s->seq_of = carve(base, &used, t);
	s->out_row = carve(base, &used, (size_t)s->cap_outputs * sizeof(int32_t));
	s->seq = carve(base, &used, (size_t)s->cap_seqs * sizeof *s->seq);
	s->checkpoint = carve(base, &used, (size_t)s->cap_checkpoints * sizeof *s->checkpoint);
	return used;
}

int leat_step_init(struct leat_step *s, int cap_tokens, int cap_seqs, int cap_outputs, int cap_checkpoints)
{
	*s = (struct leat_step){ .cap_tokens = cap_tokens, .cap_seqs = cap_seqs, .cap_outputs = cap_outputs,
				 .cap_checkpoints = cap_checkpoints };
	s->block_bytes = lay_out(s, NULL);
	s->block = leat_alloc_aligned(s->block_bytes);
	if (!s->block)
		return 1;
	memset(s->block, 0, s->block_bytes);
	lay_out(s, s->block);
	return 0;
}

void leat_step_deinit(struct leat_step *s)
{
	free(s->block);
	*s = (struct leat_step){ 0 };
}
