/* utf8.h - well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#ifndef LEAT_BASE_UTF8_H
#define LEAT_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes (1..4) of the well-formed character at s[0..n), with its code point in *ret; 0 if there is none. */
int leat_utf8_next(const unsigned char *s, size_t n, uint32_t *ret);

/* 1 if a code point may appear in a one-line message: no control characters, no line or paragraph separators, no marks
 * that turn the direction of text around. */
int leat_utf8_printable(uint32_t c);

/* 1 if all n bytes are well-formed and every character printable. */
int leat_utf8_is_line(const void *s, size_t n);

#endif
