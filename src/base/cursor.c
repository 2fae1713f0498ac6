/* cursor.c - bounds are checked here and nowhere else. */
#include "base/cursor.h"

enum leat_status leat_read_bytes(struct leat_cursor *c, uint64_t n, const char *what, const unsigned char **ret,
				 struct leat_error *err)
{
	uint64_t left = leat_cursor_left(c);
	if (n > left)
		return leat_fail(err, LEAT_E_FORMAT, what, c->pos,
				 "the file ends inside %s at byte %llu: wanted %llu bytes, found %llu", what,
				 (unsigned long long)c->pos, (unsigned long long)n, (unsigned long long)left);
	*ret = c->data + c->pos;
	c->pos += n;
	return LEAT_OK;
}

/* Little-endian whatever the machine. */
static enum leat_status read_le(struct leat_cursor *c, int n, const char *what, uint64_t *ret, struct leat_error *err)
{
	const unsigned char *p = NULL;
	LEAT_TRY(leat_read_bytes(c, (uint64_t)n, what, &p, err));
	uint64_t v = 0;
	for (int i = n - 1; i >= 0; i--)
		v = v << 8 | p[i];
	*ret = v;
	return LEAT_OK;
}

enum leat_status leat_read_u8(struct leat_cursor *c, const char *what, uint8_t *ret, struct leat_error *err)
{
	uint64_t v;
	LEAT_TRY(read_le(c, 1, what, &v, err));
	*ret = (uint8_t)v;
	return LEAT_OK;
}

enum leat_status leat_read_u16(struct leat_cursor *c, const char *what, uint16_t *ret, struct leat_error *err)
{
	uint64_t v;
	LEAT_TRY(read_le(c, 2, what, &v, err));
	*ret = (uint16_t)v;
	return LEAT_OK;
}

enum leat_status leat_read_u32(struct leat_cursor *c, const char *what, uint32_t *ret, struct leat_error *err)
{
	uint64_t v;
	LEAT_TRY(read_le(c, 4, what, &v, err));
	*ret = (uint32_t)v;
	return LEAT_OK;
}

enum leat_status leat_read_u64(struct leat_cursor *c, const char *what, uint64_t *ret, struct leat_error *err)
{
	uint64_t v;
	LEAT_TRY(read_le(c, 8, what, &v, err));
	*ret = v;
	return LEAT_OK;
}
