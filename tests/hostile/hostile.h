/* hostile.h - what every row of the matrix of bad files is held to.
 *
 * A variant is one file. It is parsed from a heap block of exactly its size (so that a sanitizer sees the first byte
 * read beyond it), opened from disk through the public API, and, when it loads, run for 16 tokens. Refusals must carry
 * the wanted status and one printable line that names the file and holds a given text, within a second; whatever loads
 * must end in tokens or in a typed error. */
#ifndef LEAT_TESTS_HOSTILE_HOSTILE_H
#define LEAT_TESTS_HOSTILE_HOSTILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hostile/mkbad.h"
#include "leat/leat.h"

/* Bytes stay the caller's. `text` NULL: any message. */
void hostile_refuse(const unsigned char *bytes, size_t n, int32_t status, const char *text);
/* Loads, and 16 tokens come or E_NONFINITE. */
void hostile_accept(const unsigned char *bytes, size_t n);
/* A typed error, or as accept when run is set. Returns the status of opening. */
int32_t hostile_any(const unsigned char *bytes, size_t n, int run);

/* The same with a model that is encoded first and destroyed afterwards. */
void hostile_refuse_model(struct mk *m, int32_t status, const char *text);
void hostile_accept_model(struct mk *m);
int32_t hostile_any_model(struct mk *m, int run);

/* Opens a path that is no file made here and wants this status. */
void hostile_refuse_path(const char *path, int32_t status);
void hostile_refuse_path_saying(const char *path, int32_t status, const char *text);
void hostile_accept_path(const char *path);
int32_t hostile_any_path(const char *path, int run);

/* What the files are called, "mk.gguf" if nobody says; borrowed. */
void hostile_name(const char *name);
/* Vocabulary for models that bring none; NULL if nobody says. */
void hostile_tokenizer(const char *path);
/* MiB that the process may grow by, 64 if nobody says: for files of many MiB. */
void hostile_memory(long mib);
void hostile_write(const char *path, const void *bytes, size_t n);

/* A file in the folder of this run; static buffer. */
const char *hostile_path(const char *name);

/* Runs the tests, removes the folder, prints rows, variants and the worst time; nonzero when a test failed,
 * descriptors leaked or memory grew beyond 64 MiB over where it began (not measured under sanitizers). `open_rows`:
 * rows that do not apply yet, with the reason. */
int hostile_main(const struct CMUnitTest *tests, size_t n, const char *open_rows);

#endif
