/* leat.h - run language models on this machine: the public interface of libleat.
 *
 * Include this one; it brings the others, each about one thing. A text goes this way:
 *
 *   struct leat_error err = LEAT_ERROR_INIT;
 *   struct leat_request_params params;
 *   struct leat_token t = LEAT_TOKEN_INIT;
 *
 *   leat_model_open("model.gguf", NULL, &m, &err);         // a file: tokenizer and shapes, checked once
 *   leat_engine_create(m, NULL, &e, &err);                 // threads and caches
 *   leat_model_tokenize(m, text, n, LEAT_TEXT_SPECIAL, &ids, &n_ids, &err);
 *   leat_request_params_init(m, &params);                  // sampling as the model's family wants it
 *   params.tokens = ids; params.n_tokens = n_ids;
 *   leat_request_submit(e, &params, &r, &err);
 *   while (leat_request_next(r, &t, &err) == LEAT_OK && !t.finish)
 *           fwrite(t.text, 1, t.text_bytes, stdout);
 *   leat_free(ids); leat_request_unref(r); leat_engine_unref(e); leat_model_unref(m);
 *
 * examples/generate.c is this as a program. Four things to know:
 *
 *   model     what a file holds. Never changes once it is open; any number of engines and threads share it
 *   engine    threads, caches and scratch memory that compute with one model
 *   request   one text that an engine goes on from, token by token
 *   session   a text that goes on over several requests, without computing twice what it has (chat.h)
 *
 * Rules that hold for every function
 *
 * - Result. The return value is LEAT_OK (0) or a negative enum leat_status. What a function gives back comes last, is
 *   called ret_... and is written on success only. *err (NULL allowed) is written on failure only and says what is
 *   wrong, where, and what was wanted. Each function lists the statuses that it can return beside LEAT_E_NOMEM and
 *   LEAT_E_ABI, which all can.
 * - Structures. Those of parameters and results begin with struct_size: the _INIT macro of the same name sets it, and
 *   for results `memset` and `x.struct_size = sizeof(x)` do. A parameter that is zero means its default, but for
 *   requests, whose numbers mean what they say and are filled in by leat_request_params_init. So a program runs with a
 *   newer library than it was compiled for; an older library refuses what it does not know (LEAT_E_ABI). Fields called
 *   reserved are zero, and so are bits of flags that have no name (LEAT_E_ARG).
 * - Ownership. _create, _open, _submit give a handle with one reference; the _unref or _close of its kind takes it back
 *   and accepts NULL. Other functions do not accept NULL handles. Arrays and texts that a function allocates are
 *   released with leat_free. What is "borrowed" belongs to the handle that it came from and lives as long, or as said.
 *   What is passed in is copied when it is needed after the call.
 * - Threads. Models and engines may be used by any threads at once; two engines are independent. A request is read by
 *   one thread at a time, and a session belongs to one thread at a time. Functions that may be called from any thread
 *   at any moment, leat_request_cancel among them, say so.
 * - The process. The library never prints, exits, aborts, installs a signal handler, or reads the environment. Model
 *   files are mapped: one that is shortened while it is used raises SIGBUS, as every mapping does.
 * - Text is bytes with a length; what the library returns is valid UTF-8, and where it says so NUL-terminated too.
 *   Sizes are in bytes unless the name says tokens or ns (nanoseconds). */
#ifndef LEAT_LEAT_H
#define LEAT_LEAT_H

#include <stddef.h>
#include <stdint.h>

#include "leat/status.h"
#include "leat/model.h"
#include "leat/cache.h"
#include "leat/engine.h"
#include "leat/request.h"
#include "leat/chat.h"
#include "leat/state.h"
#include "leat/hook.h"
#include "leat/embed.h"
#include "leat/memory.h"
#include "leat/trace.h"
#include "leat/look.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- versions ---------------------------------------------------------------------------------------------- */

/* Of this header; leat_version() tells the library's. */
#define LEAT_VERSION_MAJOR 0 /* may break programs; so may the next, before 1.0 */
#define LEAT_VERSION_MINOR 1 /* adds */
#define LEAT_VERSION_PATCH 0 /* mends */

/* Of the interface: the number in libleat.so.0. A program and a library with different ones do not fit. */
#define LEAT_ABI_VERSION 0

/* "0.1.0"; static. */
LEAT_API const char *leat_version(void);
/* LEAT_ABI_VERSION of the library, for programs that load it by themselves. */
LEAT_API int32_t leat_abi_version(void);
/* Version and compiler of this build, one line; static. */
LEAT_API const char *leat_build_info(void);

/* Releases what the library allocated for the caller (ids, texts). NULL is fine. Any thread. */
LEAT_API void leat_free(void *p);

#ifdef __cplusplus
}
#endif
#endif
