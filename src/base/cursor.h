/* cursor.h - the one way in which untrusted bytes are read: little-endian, bounds-checked, never past the end. */
#ifndef LEAT_BASE_CURSOR_H
#define LEAT_BASE_CURSOR_H

#include "base/err.h"

/* A window on bytes that somebody else owns. pos <= size always. */
struct leat_cursor {
	const unsigned char *data;
	uint64_t size, pos;
};

static inline uint64_t leat_cursor_left(const struct leat_cursor *c)
{
	return c->size - c->pos;
}

/* Each reader advances past what it returns; on failure (E_FORMAT: the file ends inside `what`) neither the cursor nor
 * *ret changes and the error names `what`, the offset, the bytes wanted and the bytes left. */
enum leat_status leat_read_u8(struct leat_cursor *c, const char *what, uint8_t *ret, struct leat_error *err);
enum leat_status leat_read_u16(struct leat_cursor *c, const char *what, uint16_t *ret, struct leat_error *err);
enum leat_status leat_read_u32(struct leat_cursor *c, const char *what, uint32_t *ret, struct leat_error *err);
enum leat_status leat_read_u64(struct leat_cursor *c, const char *what, uint64_t *ret, struct leat_error *err);

/* Borrows n bytes of the underlying data. */
enum leat_status leat_read_bytes(struct leat_cursor *c, uint64_t n, const char *what, const unsigned char **ret,
				 struct leat_error *err);

#endif
