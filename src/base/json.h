/* json.h - untrusted JSON (RFC 8259) under limits: a scan without recursion first, then jansson.
 *
 * jansson recurses to a depth of 2,048 and takes up to 80 bytes of memory for a byte of input. The scan bounds the
 * depth and estimates the memory from above before jansson sees a byte; jansson's allocator is a setting of the whole
 * process and therefore the host program's business, not ours. */
#ifndef LEAT_BASE_JSON_H
#define LEAT_BASE_JSON_H

#include <jansson.h>

#include "base/err.h"

enum { LEAT_JSON_MAX_DEPTH = 128 };

/* Zero fields take the defaults. */
struct leat_json_limits {
	int max_depth;             /* of nested arrays and objects; LEAT_JSON_MAX_DEPTH */
	uint64_t max_bytes;        /* of the text; 64 MiB */
	uint64_t max_memory_bytes; /* of the parsed value, as leat_json_cost estimates it; 32 x bytes + 1 MiB */
	int huge_ints;             /* 1: where an integer is beyond 64 bits, the numbers of the text come as reals */
};

/* Parses n bytes, one object or array and white space around it. Refused: duplicate keys, a byte order mark, bytes that
 * are no UTF-8, NUL (also as \u0000), anything after the value (E_FORMAT, with its byte offset), text or depth or
 * memory beyond the limits (E_LIMIT), E_NOMEM. `what` names the text in messages: "config.json". NULL limits are the
 * defaults. *ret is the caller's, for json_decref. */
enum leat_status leat_json_parse(const void *bytes, size_t n, const struct leat_json_limits *limits, const char *what,
				 json_t **ret, struct leat_error *err);

/* At least the bytes that jansson takes to parse this text, and its deepest nesting. One pass, no recursion; what is no
 * JSON gives figures too. */
uint64_t leat_json_cost(const void *bytes, size_t n, int *ret_depth);

#endif
