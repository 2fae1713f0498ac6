/* hash.h - what a model is, as 32 bytes: the same for the same weights and settings, wherever the file lies. */
#ifndef LEAT_MODEL_HASH_H
#define LEAT_MODEL_HASH_H

#include "model/model.h"

/* SHA-256 over the settings and, of each tensor, name, type, shape and the XXH3-128 of its bytes. Reads the whole file
 * the first time; later calls return what was found then. Any thread. */
void leat_model_hash(struct leat_model *m, unsigned char ret[32]);

#endif
