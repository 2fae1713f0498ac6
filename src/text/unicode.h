/* unicode.h - UTF-8 and the few classes of characters that pre-tokenizers distinguish. */
#ifndef LEAT_TEXT_UNICODE_H
#define LEAT_TEXT_UNICODE_H

#include <stddef.h>
#include <stdint.h>

/* L: general category L*. N: N*. SPACE: the property White_Space. OTHER: the rest, also code points that are newer than
 * the table. The four are disjoint. */
enum leat_char_class { LEAT_CHAR_OTHER, LEAT_CHAR_LETTER, LEAT_CHAR_NUMBER, LEAT_CHAR_SPACE };

/* Code points at which the class changes, ascending, as (code point << 2 | class from there on); the first is 0. */
extern const uint32_t leat_unicode_border[];
extern const int leat_unicode_n_border;
extern const uint8_t leat_unicode_ascii[128];

static inline int leat_char_class(uint32_t cp)
{
	if (cp < 128)
		return leat_unicode_ascii[cp];
	/* The last border <= cp; the low bits are full so that equal code points compare as "not after". */
	uint32_t key = cp << 2 | 3;
	const uint32_t *base = leat_unicode_border;
	for (size_t n = (size_t)leat_unicode_n_border; n > 1;) {
		size_t half = n / 2;
		base += base[half] <= key ? half : 0;
		n -= half;
	}
	return (int)(*base & 3);
}

/* Bytes that a sequence starting with `lead` has, 0 if no well-formed sequence starts so (Unicode, table 3-7). */
static inline int leat_utf8_want(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* May `c` be the second byte after `lead`? Overlong forms, surrogates and code points past U+10FFFF end here. */
static inline int leat_utf8_second(unsigned char lead, unsigned char c)
{
	unsigned char lo = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	unsigned char hi = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	return c >= lo && c <= hi;
}

/* Length of the well-formed sequence at p (n >= 1 bytes left), 0 if there is none. */
static inline size_t leat_utf8_len(const unsigned char *p, size_t n)
{
	size_t want = (size_t)leat_utf8_want(p[0]);
	if (want < 2)
		return want;
	if (n < want || !leat_utf8_second(p[0], p[1]))
		return 0;
	for (size_t i = 2; i < want; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return want;
}

/* The code point at p, which must start a well-formed sequence; *len gets its bytes. */
static inline uint32_t leat_utf8_cp(const unsigned char *p, size_t *len)
{
	uint32_t c = p[0];
	if (c < 0x80) {
		*len = 1;
		return c;
	}
	if (c < 0xe0) {
		*len = 2;
		return (c & 0x1f) << 6 | (p[1] & 0x3fu);
	}
	if (c < 0xf0) {
		*len = 3;
		return (c & 0x0f) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	}
	*len = 4;
	return (c & 0x07) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
}

/* Writes code point cp (<= U+10FFFF, no surrogate) to out[4]; returns the bytes. */
static inline size_t leat_utf8_put(uint32_t cp, unsigned char *out)
{
	if (cp < 0x80) {
		out[0] = (unsigned char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (unsigned char)(0xc0 | cp >> 6);
		out[1] = (unsigned char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (unsigned char)(0xe0 | cp >> 12);
		out[1] = (unsigned char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (unsigned char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (unsigned char)(0xf0 | cp >> 18);
	out[1] = (unsigned char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (unsigned char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (unsigned char)(0x80 | (cp & 0x3f));
	return 4;
}

#endif
