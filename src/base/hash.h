/* hash.h - XXH3-128 of bytes: finds things, proves nothing. */
#ifndef LEAT_BASE_HASH_H
#define LEAT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct leat_hash128 {
	uint64_t low, high;
};

struct leat_hash128 leat_hash128(uint64_t seed, const void *data, size_t n);

#endif
