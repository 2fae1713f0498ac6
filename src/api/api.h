/* api.h - what the files of api/ share. */
#ifndef LEAT_API_API_H
#define LEAT_API_API_H

#include "engine/request.h"
#include "leat/leat.h"

/* Copies the caller's parameter struct over the library's default: at most what both know; an unknown tail must be
 * zero. E_ABI otherwise. NULL params leave the default. */
enum leat_status leat_params_take(void *dst, size_t known, const void *params, struct leat_error *err);
/* E_ARG names the bits of `flags` that are not in `known`: what a later library would do, none does silently. */
enum leat_status leat_flags_check(const char *field, uint32_t flags, uint32_t known, struct leat_error *err);
/* A field of parameters that means nothing yet. */
enum leat_status leat_reserved_check(const char *field, int32_t value, struct leat_error *err);

/* Copies a filled info struct out: at most ret->struct_size bytes, which it keeps. */
void leat_info_give(void *ret, const void *src, size_t known);

/* Chooses the model's chat template; the vocabulary is open, and the weights if there will be any. */
enum leat_status leat_model_choose_chat(struct leat_model *m, struct leat_error *err);
void leat_model_forget_chat(struct leat_model *m);

#endif
