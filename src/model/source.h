/* source.h - what differs between the places that models come from: how tensors and settings are called. */
#ifndef LEAT_MODEL_SOURCE_H
#define LEAT_MODEL_SOURCE_H

#include "model/arch.h"

/* The architecture that the file says it is. E_FORMAT: it does not say; E_UNSUPPORTED: not one of this build, by name.
 */
enum leat_status leat_source_arch(const struct leat_file *f, const struct leat_arch **ret, struct leat_error *err);

/* A declared name (may be NULL) as the file spells it, into buf; layer -1: top of the model. */
void leat_source_name(enum leat_source source, int layer, const char *declared, char *buf, size_t cap);

/* 1 if the declared name says that the matrix is stored [in][out]. */
int leat_source_is_turned(const char *declared);

/* Number of the layer that a tensor's name belongs to, -1 if none; huge ones end at a million. */
int leat_source_layer_of(enum leat_source source, struct leat_str name);

/* 1 if the settings say that the head is the token table, whatever else the file holds. */
int leat_source_ties_head(const struct leat_file *f);

#endif
