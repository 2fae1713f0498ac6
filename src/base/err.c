/* err.c - filling the caller's error object: one line, printable, never longer than its field. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

const char *leat_status_text(int32_t status)
{
	switch (status) {
#define X(name, value, text)                                                                                           \
	case (value):                                                                                                  \
		return (text);
		LEAT_STATUS_MAP(X)
#undef X
	default:
		return "unknown status";
	}
}

static const char *default_code(enum leat_status status)
{
	switch (status) {
	case LEAT_OK:
		return "";
	case LEAT_E_NOMEM:
		return "out_of_memory";
	case LEAT_E_IO:
		return "model_io_error";
	case LEAT_E_FORMAT:
		return "invalid_model_file";
	case LEAT_E_UNSUPPORTED:
		return "unsupported_model";
	case LEAT_E_ARG:
		return "invalid_value";
	case LEAT_E_BUSY:
		return "queue_full";
	case LEAT_E_CANCELLED:
		return "cancelled";
	case LEAT_E_DEVICE:
		return "device_error";
	case LEAT_E_NOTFOUND:
		return "model_not_found";
	case LEAT_E_MISMATCH:
		return "state_incompatible";
	case LEAT_E_LIMIT:
		return "limit_exceeded";
	case LEAT_E_CONTEXT:
		return "context_length_exceeded";
	case LEAT_E_TIMEOUT:
		return "request_timeout";
	case LEAT_E_NONFINITE:
		return "model_nonfinite";
	case LEAT_E_ABI:
	case LEAT_E_INTERNAL:
		break;
	}
	return "internal_error";
}

/* Puts the printable form of one character, or \xNN of one bad byte, into piece; returns the bytes of input used. */
static size_t escape_one(char piece[8], size_t *ret_len, const unsigned char *p, size_t n)
{
	uint32_t c = 0;
	int len = leat_utf8_next(p, n, &c);
	if (len > 0 && leat_utf8_printable(c)) {
		memcpy(piece, p, (size_t)len);
		*ret_len = (size_t)len;
		return (size_t)len;
	}
	snprintf(piece, 8, "\\x%02X", (unsigned)p[0]);
	*ret_len = 4;
	return 1;
}

size_t leat_escape(char *dst, size_t cap, const void *src, size_t n)
{
	const unsigned char *p = src;
	size_t used = 0, safe = 0; /* safe: the longest prefix that leaves room for "..." */
	if (cap == 0)
		return 0;
	while (n > 0) {
		char piece[8];
		size_t len, eaten = escape_one(piece, &len, p, n);
		if (used + len + 1 > cap) {
			size_t dots = cap > 3 ? 3 : cap - 1;
			memcpy(dst + safe, "...", dots);
			used = safe + dots;
			break;
		}
		memcpy(dst + used, piece, len);
		used += len;
		if (used + 4 <= cap)
			safe = used;
		p += eaten;
		n -= eaten;
	}
	dst[used] = '\0';
	return used;
}

/* The caller may have been compiled with a shorter object than ours: only what it knows is read and written. */
static size_t known_bytes(const struct leat_error *err)
{
	if (err->struct_size == 0 || err->struct_size > sizeof *err)
		return sizeof *err;
	return err->struct_size;
}

static void load(struct leat_error *dst, const struct leat_error *err)
{
	memset(dst, 0, sizeof *dst);
	memcpy(dst, err, known_bytes(err));
}

static void store(struct leat_error *err, const struct leat_error *src)
{
	memcpy(err, src, known_bytes(err)); /* struct_size is as it was: load() copied it */
}

enum leat_status leat_vfail(struct leat_error *err, enum leat_status status, const char *where, uint64_t offset,
			    const char *fmt, va_list args)
{
	if (!err)
		return status;
	char text[2 * sizeof err->message];
	int n = vsnprintf(text, sizeof text, fmt, args);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;

	struct leat_error e;
	memset(&e, 0, sizeof e);
	e.struct_size = err->struct_size;
	e.status = (int32_t)status;
	e.offset = offset;
	snprintf(e.code, sizeof e.code, "%s", default_code(status));
	if (where)
		leat_escape(e.where, sizeof e.where, where, strlen(where));
	leat_escape(e.message, sizeof e.message, text, len);
	store(err, &e);
	return status;
}

enum leat_status leat_fail(struct leat_error *err, enum leat_status status, const char *where, uint64_t offset,
			   const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	leat_vfail(err, status, where, offset, fmt, args);
	va_end(args);
	return status;
}

void leat_err_code(struct leat_error *err, const char *code)
{
	if (!err)
		return;
	struct leat_error e;
	load(&e, err);
	snprintf(e.code, sizeof e.code, "%s", code);
	store(err, &e);
}

void leat_err_prefix(struct leat_error *err, const char *prefix)
{
	if (!err)
		return;
	struct leat_error e;
	load(&e, err);
	e.message[sizeof e.message - 1] = '\0';
	char text[2 * sizeof e.message];
	/* Half of the room at most: what was found matters more than a long name. */
	size_t n = leat_escape(text, sizeof e.message / 2, prefix, strlen(prefix));
	if (!strncmp(e.message, text, n) && e.message[n] == ':')
		return;
	n += (size_t)snprintf(text + n, sizeof text - n, ": %s", e.message);
	leat_escape(e.message, sizeof e.message, text, n);
	store(err, &e);
}
