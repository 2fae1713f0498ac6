/* utf8.c - decoding one character, strictly. */
#include "base/utf8.h"

int leat_utf8_next(const unsigned char *s, size_t n, uint32_t *ret)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	if (n == 0)
		return 0;
	if (s[0] < 0x80) {
		*ret = s[0];
		return 1;
	}
	int len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || (size_t)len > n)
		return 0;
	uint32_t c = s[0] & (0x7fu >> len);
	for (int i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return len;
}

int leat_utf8_printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
		return 0;
	if (c == 0x2028 || c == 0x2029 || c == 0xfeff)
		return 0;
	return !((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069));
}

int leat_utf8_is_line(const void *s, size_t n)
{
	const unsigned char *p = s;
	while (n > 0) {
		uint32_t c;
		int len = leat_utf8_next(p, n, &c);
		if (len == 0 || !leat_utf8_printable(c))
			return 0;
		p += len;
		n -= (size_t)len;
	}
	return 1;
}
