/* api.h - what the files of api/ share. */
#ifndef LEAT_API_API_H
#define LEAT_API_API_H

#include "engine/request.h"
#include "leat/leat.h"

/* Copies the caller's parameter struct over the library's default: at most what both know; an unknown tail must be
 * zero. E_ABI otherwise. NULL params leave the default. */
enum leat_status leat_params_take(void *dst, size_t known, const void *params, struct leat_error *err);

/* Copies a filled info struct out: at most ret->struct_size bytes, which it keeps. */
void leat_info_give(void *ret, const void *src, size_t known);

#endif
