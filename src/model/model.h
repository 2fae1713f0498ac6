/* model.h - a model file understood: architecture, configuration, every weight found and its shape proved.
 *
 * Immutable and shareable. Reads no weight but the small vectors that have to become aligned f32. */
#ifndef LEAT_MODEL_MODEL_H
#define LEAT_MODEL_MODEL_H

#include <stdatomic.h>

#include "model/arch.h"
#include "model/linear.h"
#include "state/store.h"

enum { LEAT_MAX_LAYERS = 512, LEAT_MAX_EMBD = 1 << 20, LEAT_MAX_FF = 1 << 22, LEAT_MAX_HEADS = 65536 };

struct leat_weights {
	struct leat_file *file; /* owned */
	const struct leat_arch *arch;
	struct leat_config cfg;
	void *top;              /* arch->top_size */
	unsigned char *layers;  /* cfg.n_layer * arch->layer_size */
	const struct leat_weight *table;  /* the token embedding */
	struct leat_weight *all;          /* every matrix once, for binding: a tied head shares its table's entry */
	int n_all, cap_all;
	uint64_t n_params, read_bytes_per_token;
	struct leat_state_spec spec[LEAT_MAX_STATE_TENSORS];
	struct leat_arena arena;
};

struct leat_vocab; /* text/tokenizer.h */
struct leat_points;
struct leat_chat;

struct leat_model {
	struct leat_weights w;
	struct leat_vocab *vocab;   /* owned */
	struct leat_chat *chat;     /* owned; text/template.h */
	size_t max_token_bytes;     /* longest text that one token can bring */
	struct leat_points *_Atomic points; /* owned; model/points.h, NULL until somebody asks */
	atomic_int refs;
	int vocab_only;             /* w holds the file only */
	int hashed;                 /* model/hash.h */
	unsigned char hash[32];
};

/* Top struct and the struct of layer i, as the architecture knows them. */
static inline const void *leat_model_top(const struct leat_model *m)
{
	return m->w.top;
}
static inline const void *leat_model_layer(const struct leat_model *m, int i)
{
	return m->w.layers + (size_t)i * m->w.arch->layer_size;
}

/* Takes ownership of the file, on failure too. E_FORMAT (what, found, wanted), E_UNSUPPORTED (architecture, weight type
 * by name), E_NOMEM. */
enum leat_status leat_weights_load(struct leat_weights *w, struct leat_file *f, struct leat_error *err);
void leat_weights_deinit(struct leat_weights *w); /* zeroed or failed ones are fine */

#endif
