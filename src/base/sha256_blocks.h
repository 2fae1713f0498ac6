/* sha256_blocks.h - the inner loop of SHA-256, portable and with the processor's own instructions. */
#ifndef LEAT_BASE_SHA256_BLOCKS_H
#define LEAT_BASE_SHA256_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

/* FIPS 180-4, 4.2.2: fractional parts of the cube roots of the first 64 primes. */
extern const uint32_t leat_sha256_k[64];

/* FIPS 180-4, 6.2.2, over n blocks of 64 bytes: h[8] in and out. */
typedef void leat_sha256_blocks_fn(uint32_t h[8], const unsigned char *data, size_t n);
leat_sha256_blocks_fn leat_sha256_portable;
/* What this processor has instructions for; NULL: nothing. */
leat_sha256_blocks_fn *leat_sha256_native(void);

#endif
