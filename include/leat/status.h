/* status.h - what every fallible call returns, and the error object that says why.
 *
 * One table gives the name, the pinned value and the text of each status. Values are part of the ABI: a released value
 * never changes its meaning. */
#ifndef LEAT_STATUS_H
#define LEAT_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Name, value and text of each status. E_FORMAT: the bytes are wrong. E_UNSUPPORTED: the bytes are right and leat
 * cannot. */
#define LEAT_STATUS_MAP(X)                                             \
	X(OK, 0, "success")                                            \
	X(E_NOMEM, -1, "out of memory")                                \
	X(E_IO, -2, "input/output error")                              \
	X(E_FORMAT, -3, "malformed file")                              \
	X(E_UNSUPPORTED, -4, "valid, but not supported by this build") \
	X(E_ARG, -5, "invalid argument")                               \
	X(E_BUSY, -6, "no capacity now; retry later")                  \
	X(E_CANCELLED, -7, "cancelled")                                \
	X(E_DEVICE, -8, "device failure; the backend is unusable")     \
	X(E_NOTFOUND, -9, "not found")                                 \
	X(E_MISMATCH, -10, "does not belong together")                 \
	X(E_LIMIT, -11, "a limit is exceeded")                         \
	X(E_CONTEXT, -12, "context length exceeded")                   \
	X(E_TIMEOUT, -13, "timed out")                                 \
	X(E_NONFINITE, -14, "the model produced a value that is not finite") \
	X(E_ABI, -15, "library and caller disagree about the interface") \
	X(E_INTERNAL, -16, "internal error")

/* The result of a call. */
enum leat_status {
#define X(name, value, text) LEAT_##name = (value),
	LEAT_STATUS_MAP(X)
#undef X
};

/* Why a call failed. Storage belongs to the caller, who initialises it with LEAT_ERROR_INIT (or zeroes); every function
 * that takes one accepts NULL. It is written on failure only. All strings are NUL-terminated, valid UTF-8, one line,
 * with control characters escaped. */
struct leat_error {
	uint32_t struct_size;  /* bytes the caller knows; 0 is read as sizeof(struct leat_error) */
	int32_t status;        /* enum leat_status */
	char code[48];         /* stable word for programs: "invalid_model_file" */
	char where[64];        /* field, tensor or flag at fault, "" if none */
	uint64_t offset;       /* byte offset in the file at fault, UINT64_MAX if none */
	char message[400];     /* for people: file, field, found, wanted */
};

#define LEAT_ERROR_INIT { sizeof(struct leat_error), 0, "", "", 0, "" }

/* Marks what libleat.so shows. */
#if defined(__GNUC__)
#define LEAT_API __attribute__((visibility("default")))
#else
#define LEAT_API
#endif

/* Static text of a status, never NULL, also for values that do not exist. */
LEAT_API const char *leat_status_text(int32_t status);

#ifdef __cplusplus
}
#endif
#endif
