/* hook.h - looking into a model at work, and changing what goes on in it. Part of <leat/leat.h>.
 *
 * A model's step has named points: "embed", "att.q", "layer.out", "logits" ... A hook is a function that is called
 * there with the rows of one request, in time to change them. So activations can be watched, compared or steered, and
 * recurrent states read and written; examples/control_vector.c adds a direction to the residual stream.
 *
 * Points cost nothing where nobody looks: requests with hooks run by plans of their own, kept beside the plain ones,
 * and requests beside them in the same step are not touched. */
#ifndef LEAT_HOOK_H
#define LEAT_HOOK_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_model;

/* ---- hooks ------------------------------------------------------------------------------------------------- */

/* What a hook sees: the rows of its request that a step has at one point. */
struct leat_hook_rows {
	uint32_t struct_size;
	int32_t layer;          /* 0 is the first; -1 outside of the layers */
	const char *point;      /* its name; static */
	float *data;            /* row r begins at data + r * stride. May be changed until the hook returns */
	uint64_t stride;        /* floats from row to row */
	int32_t n_rows, width;  /* at least 1 row; floats of each */
	int64_t first_position; /* of row 0 in its sequence; the rows are neighbours */
	const int32_t *tokens;  /* [n_rows] what stands at those positions; below 0: a row of numbers (embed.h) */
	/* At points that have one: this layer's part of the recurrent state after the last of these rows. What is
	 * written there is what the next step goes on from. NULL elsewhere. */
	float *state;
	uint64_t state_floats;  /* of state */
};

/* Called on a thread that runs the engine, which waits meanwhile: it must not use the engine or its requests. Never two
 * at once for one engine. After the last event of the request was read, or its leat_request_unref, no more calls. */
typedef void leat_hook_fn(void *user, struct leat_hook_rows *rows);

/* A hook of a request: leat_request_params.hooks. */
struct leat_hook {
	const char *point; /* name of a point of this model; "*": all of them */
	int32_t layer;     /* -1: all layers */
	int32_t reserved;  /* zero */
	leat_hook_fn *fn;  /* at the same point hooks are called in the order of the array */
	void *user;        /* handed to fn */
};

/* A point of a model. */
struct leat_hook_point {
	uint32_t struct_size;
	int32_t width;                   /* floats of a row */
	int32_t first_layer, last_layer; /* that have it; -1: it lies outside of the layers */
	const char *name;                /* static */
	int32_t outputs_only;            /* 1: has rows of the tokens whose logits are wanted, not of all */
	int32_t reserved0;               /* zero */
	uint64_t state_floats;           /* of recurrent state that hooks see there, per layer; 0: none */
};

/* Point `index` of the model, in the order in which a step comes by, from 0 on; as far as ret->struct_size says that
 * the caller knows it. LEAT_E_ARG: there is no such point. Any thread. */
LEAT_API enum leat_status leat_model_hook_at(struct leat_model *m, int32_t index, struct leat_hook_point *ret,
					     struct leat_error *err);

/* A direction that is added to activations: a control vector. As the `user` of leat_control_vector_add. */
struct leat_control_vector {
	const float *direction; /* [width] borrowed while the request lives */
	int32_t width;          /* must be that of the point; other rows are left alone */
	float strength;         /* factor; 0 changes no bit */
	int64_t from_position;  /* rows before it are left alone */
};
/* A hook: row += strength * direction. `user`: a struct leat_control_vector. */
LEAT_API void leat_control_vector_add(void *user, struct leat_hook_rows *rows);

#ifdef __cplusplus
}
#endif
#endif
