/* err.h - how functions inside leat report failure.
 *
 * Failure is reported where bytes or arguments enter (parsing, binding, admission); the forward pass has no status. */
#ifndef LEAT_BASE_ERR_H
#define LEAT_BASE_ERR_H

#include <stdarg.h>

#include "leat/status.h"

#define LEAT_NO_OFFSET UINT64_MAX

/* The only two control-flow macros of the tree. */
#define LEAT_TRY(call)                                    \
	do {                                              \
		enum leat_status leat_try_ = (call);      \
		if (leat_try_ != LEAT_OK)                 \
			return leat_try_;                 \
	} while (0)
#define LEAT_TRY_GOTO(status, label, call)                \
	do {                                              \
		(status) = (call);                        \
		if ((status) != LEAT_OK)                  \
			goto label;                       \
	} while (0)

/* Fills *err (NULL allowed) and returns `status`. The message is formatted, cut at the object's size on a character
 * border, and sanitised: bytes that are not printable UTF-8 appear as \xNN. `where` may be NULL. The code word is the
 * default one of the status (INTERFACES: "invalid_model_file" for E_FORMAT, ...). Never allocates. */
enum leat_status leat_fail(struct leat_error *err, enum leat_status status, const char *where, uint64_t offset,
			   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

enum leat_status leat_vfail(struct leat_error *err, enum leat_status status, const char *where, uint64_t offset,
			    const char *fmt, va_list args) __attribute__((format(printf, 5, 0)));

/* Replaces the default code word of an error that was just filled. */
void leat_err_code(struct leat_error *err, const char *code);

/* Puts "PREFIX: " before the message of a failed call (for example the file's name), sanitised likewise, cut to
 * half of the message; a message that begins with it already stays as it is. */
void leat_err_prefix(struct leat_error *err, const char *prefix);

/* Writes `n` input bytes into dst (cap bytes, NUL-terminated) as one printable line: valid UTF-8 stays, everything else
 * becomes \xNN, longer input ends in "...". Returns the characters written. */
size_t leat_escape(char *dst, size_t cap, const void *src, size_t n);

#endif
