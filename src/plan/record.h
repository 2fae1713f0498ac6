/* record.h - the language that forward() functions speak. Nothing is computed here: each call appends one op.
 *
 * Shapes in brackets are [rows][cols]; T is tokens of the step, O output rows. Shapes were proved when the model was
 * loaded; a mismatch is a bug of the architecture file, makes the recording fail as a whole and is reported by
 * leat_record_end. Unless said otherwise the output is a buffer of its own. Arithmetic, accuracy and sources stand in
 * cpu/kernels.h. */
#ifndef LEAT_PLAN_RECORD_H
#define LEAT_PLAN_RECORD_H

#include "plan/act.h"
#include "plan/plan.h"

struct leat_rec;

/* Recording starts with a key and ends with a plan or with the first error. */
struct leat_rec *leat_record_begin(const struct leat_plan_key *key);
/* Takes `result` ([O][n_rows]) as the plan's result (LEAT_VARIANT_PROBS: its softmax), settles the layout, frees c.
 * E_NOMEM, E_INTERNAL (shape mismatch). */
enum leat_status leat_record_end(struct leat_rec *c, const struct leat_buf *result, struct leat_plan **ret,
				 struct leat_error *err);

/* Ops recorded from now on belong to this layer (-1: none). */
void leat_layer(struct leat_rec *c, int layer);
/* ... and to this part of the model. */
void leat_part(struct leat_rec *c, enum leat_part part);

/* A point with a name, at which hooks may read and change x: ops recorded before have written it, ops recorded after
 * see what hooks leave. Nothing is recorded unless the plan's key asks for this point, so it costs nothing; where it
 * does, nothing that fuses ops may reach across. `name`: static, the same for the same place of every layer. */
void leat_point(struct leat_rec *c, const char *name, struct leat_buf *x);
/* The same where per-sequence state tensor `state` of the current layer has just been written too. */
void leat_point_state(struct leat_rec *c, const char *name, struct leat_buf *x, int state);

/* 1: the step ends with what the head would read (LEAT_VARIANT_EMBEDDING). */
int leat_wants_hidden(const struct leat_rec *c);

/* A new buffer of T rows. Valid until leat_record_end; its memory is shared with others whose lives do not overlap. */
struct leat_buf *leat_tmp(struct leat_rec *c, int cols);
/* A new buffer of O rows. */
struct leat_buf *leat_tmp_out(struct leat_rec *c, int cols);

/* y[t] = row id[t] of the table */
void leat_embed(struct leat_rec *c, struct leat_buf *y, const struct leat_weight *table);
/* y may be x in the norms */
void leat_rmsnorm(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_vec *gain,
		  float eps);
/* RMS norm of each of n_heads equal parts of a row, by itself; gain is as wide as one part and shared by all. */
void leat_headnorm(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_vec *gain,
		   int n_heads, float eps);
void leat_layernorm(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_vec *gain,
		    const struct leat_vec *bias, float eps);
/* Layer norm of each of n_heads equal parts of a row; gain and bias are as wide as the row. */
void leat_groupnorm(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_vec *gain,
		    const struct leat_vec *bias, int n_heads, float eps);
/* Each of n_heads parts divided by its Euclidean norm. y may be x. */
void leat_l2norm(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, int n_heads);

/* y = act(W x + bias), bias NULL: none. Rows of y as rows of x. Architectures call leat_linear
 * (model/linear.h), which is where adapters are applied. */
void leat_product(struct leat_rec *c, struct leat_buf *y, const struct leat_weight *w, const struct leat_buf *x,
		  const struct leat_vec *bias, enum leat_act act);

/* cs[t] = cos(pos[t] * inv_freq) | sin(...): [T][n_rot], by long_freq for rows of long sequences (step.h); then q and k
 * are rotated by it, in place, in the pairs that `rope` names. */
void leat_rope_table(struct leat_rec *c, struct leat_buf *cs, const struct leat_rope *rope);
void leat_rope_apply(struct leat_rec *c, struct leat_buf *x, const struct leat_buf *cs, int head_size,
		     const struct leat_rope *rope);

/* Attention over the paged cache: appends k and v [T][n_kv * head_size] to state tensors `state_k` and state_k + 1 of
 * the current layer, then y[T][n_head * head_size]. window 0: all earlier keys; else keys p - window + 1 .. p;
 * a smaller one in the plan's key goes before it. */
void leat_attention(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *q, const struct leat_buf *k,
		    const struct leat_buf *v, int n_head, int n_kv, int head_size, int window, int state_k);

void leat_swiglu(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *gate, const struct leat_buf *up);
void leat_add(struct leat_rec *c, struct leat_buf *x, const struct leat_buf *y);  /* x += y */
void leat_mul(struct leat_rec *c, struct leat_buf *x, const struct leat_buf *y);  /* x *= y */
/* y = x * v, v one vector for all rows */
void leat_mul_vec(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_vec *v);
/* x += (to - x) * s */
void leat_mix(struct leat_rec *c, struct leat_buf *x, const struct leat_buf *to, const struct leat_buf *s);

/* Token shift: d[t] = x[t - 1] - x[t] within a sequence, x[-1] from state tensor `state` of the current layer ([D]),
 * which then holds the last x. Honours checkpoints. */
void leat_shift(struct leat_rec *c, struct leat_buf *d, const struct leat_buf *x, int state);
/* y = x + d * mu, mu is part `part` of the vector */
void leat_lerp(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x, const struct leat_buf *d,
	       const struct leat_vec *mu, int part);
/* k *= 1 + (a - 1) * ka */
void leat_key_scale(struct leat_rec *c, struct leat_buf *k, const struct leat_buf *a, const struct leat_vec *ka);
/* RWKV-7 time mix, one [K][K] f32 state per head in state tensor `state`. Honours checkpoints. */
void leat_wkv7(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *r, const struct leat_buf *w,
	       const struct leat_buf *k, const struct leat_buf *v, const struct leat_buf *kk, const struct leat_buf *a,
	       int n_heads, int state);
/* y += (r . (k * rk)) v per head */
void leat_bonus(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *r, const struct leat_buf *k,
		const struct leat_buf *v, const struct leat_vec *rk, int n_heads);

/* x = softmax(x) over the usable ids (leat_step.n_vocab), 0 beyond them; plan/softmax.h */
void leat_softmax_op(struct leat_rec *c, struct leat_buf *x);

/* y[o] = x[out_row[o]]: from T rows to O rows */
void leat_gather(struct leat_rec *c, struct leat_buf *y, const struct leat_buf *x);

#endif
