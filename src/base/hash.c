/* hash.c - the library's header, compiled here only. */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct leat_hash128 leat_hash128(uint64_t seed, const void *data, size_t n)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(data, n, seed);
	return (struct leat_hash128){ h.low64, h.high64 };
}
