/* prompt.h - a prompt put together of pieces: ids, text, rows of numbers. */
#ifndef LEAT_ENGINE_PROMPT_H
#define LEAT_ENGINE_PROMPT_H

#include "leat/leat.h"
#include "model/model.h"

/* Ids in order; id -1 - i stands for raw[i * width]. Zeroed is empty. */
struct leat_prompt {
	int32_t *id;
	size_t n, cap_ids;
	float *raw;
	size_t n_raw, cap_raw; /* rows */
	int width;
};

/* Appends n pieces, all of them checked. E_ARG names the piece: kind, width, an id out of range, a number that is not
 * finite; E_LIMIT: a text too long; E_NOMEM. On failure *p holds what it held, to be deinitialised. */
enum leat_status leat_prompt_add(struct leat_prompt *p, const struct leat_model *m, const struct leat_segment *s,
				 int64_t n, struct leat_error *err);
void leat_prompt_deinit(struct leat_prompt *p);

/* Room for n ids at *ids. E_NOMEM. */
enum leat_status leat_grow_ids(int32_t **ids, size_t *cap, size_t n, struct leat_error *err);

#endif
