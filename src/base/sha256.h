/* sha256.h - SHA-256 (FIPS 180-4), for naming and proving content. */
#ifndef LEAT_BASE_SHA256_H
#define LEAT_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct leat_sha256 {
	uint32_t h[8];
	uint64_t bytes;
	unsigned char block[64];
};

void leat_sha256_init(struct leat_sha256 *s);
/* data[n]; NULL allowed for n = 0. */
void leat_sha256_add(struct leat_sha256 *s, const void *data, size_t n);
/* The hash; s is used up. */
void leat_sha256_end(struct leat_sha256 *s, unsigned char out[32]);
/* The same as 64 hexadecimal digits and a NUL. */
void leat_sha256_hex(struct leat_sha256 *s, char out[65]);

#endif
