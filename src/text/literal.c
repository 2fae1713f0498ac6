#include <string.h>

#include "text/unicode.h"
#include "text/vocab.h"

/* Reads `digits` hexadecimal digits; -1 if one is missing. */
static int64_t hex_number(const unsigned char *s, size_t n, size_t digits)
{
	int64_t value = 0;
	if (n < digits)
		return -1;
	for (size_t i = 0; i < digits; i++) {
		unsigned char c = s[i];
		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value * 16 + ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return value;
}

/* One escape; s[0] is the character after the backslash, n >= 1. Sets the bytes read and the character meant. */
static const char *read_escape(enum leat_literal kind, const unsigned char *s, size_t n, size_t *ret_used,
			       uint32_t *ret_value)
{
	static const char simple[] = "nrt\\'\"", meaning[] = "\n\r\t\\'\"";
	const char *at = s[0] ? strchr(simple, s[0]) : NULL;
	*ret_used = 1;
	if (at) {
		*ret_value = (uint32_t)(unsigned char)meaning[at - simple];
		return NULL;
	}
	size_t digits = s[0] == 'x' ? 2 : 0;
	if (kind == LEAT_LITERAL_STR && (s[0] == 'u' || s[0] == 'U'))
		digits = s[0] == 'u' ? 4 : 8;
	if (digits == 0)
		return "one of the escapes \\n \\r \\t \\\\ \\' \\\" \\xNN";
	int64_t value = hex_number(s + 1, n - 1, digits);
	if (value < 0)
		return "hexadecimal digits after the escape";
	if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return "a Unicode character";
	*ret_used = 1 + digits;
	*ret_value = (uint32_t)value;
	return NULL;
}

const char *leat_literal_decode(enum leat_literal kind, const unsigned char *src, size_t n, unsigned char *dst,
				size_t *ret_n)
{
	size_t out = 0;
	for (size_t i = 0; i < n;) {
		if (src[i] != '\\') {
			dst[out++] = src[i++];
			continue;
		}
		size_t used;
		uint32_t value;
		if (++i == n)
			return "something after the last backslash";
		const char *why = read_escape(kind, src + i, n - i, &used, &value);
		if (why)
			return why;
		i += used;
		/* An escape is never shorter than what it means: \xNN are 4 bytes for at most 2, \uNNNN 6 for 3. */
		if (kind == LEAT_LITERAL_BYTES)
			dst[out++] = (unsigned char)value;
		else
			out += leat_utf8_put(value, dst + out);
	}
	*ret_n = out;
	return NULL;
}
