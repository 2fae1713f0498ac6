/* tuned.h - initial states that were trained: blocks.N.att.time_state of RWKV's state tuning. */
#ifndef LEAT_MODEL_TUNED_H
#define LEAT_MODEL_TUNED_H

#include "model/model.h"
#include "state/snapshot.h"

/* Reads a safetensors or GGUF file with a tensor "blocks.N.att.time_state" [heads][head size][head size] (f32, f16 or
 * bf16) for each layer of `m`, into a state of no tokens: RWKV-7 takes them as they lie, values by keys; what the token
 * shifts see before the first token stays zero. E_UNSUPPORTED: the model has no such state. E_MISMATCH: other layers or
 * shapes than the model's. E_FORMAT: values that are not finite. */
enum leat_status leat_tuned_load(struct leat_model *m, const char *path, struct leat_snapshot **ret,
				 struct leat_error *err);

#endif
