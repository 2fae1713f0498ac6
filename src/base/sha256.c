/* sha256.c - FIPS 180-4, sections 5 and 6.2. */
#include "base/sha256.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/sha256_blocks.h"

const uint32_t leat_sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

void leat_sha256_init(struct leat_sha256 *s)
{
	/* 5.3.3: square roots of the first eight primes */
	static const uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
				      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	memset(s, 0, sizeof(*s));
	memcpy(s->h, h, sizeof(h));
}

static inline uint32_t turn(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static inline uint32_t word(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* One round of 6.2.2 step 3, with the names moved instead of the values. */
#define ROUND(a, b, c, d, e, f, g, h, t)                                                              \
	do {                                                                                          \
		uint32_t t1 = (h) + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + (((e) & (f)) ^ (~(e) & (g))) + \
			      leat_sha256_k[t] + w[t];                                                           \
		(d) += t1;                                                                            \
		(h) = t1 + (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + (((a) & (b)) ^ ((a) & (c)) ^ ((b) & (c))); \
	} while (0)

static void compress(uint32_t *state, const unsigned char *block)
{
	uint32_t w[64], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5],
			g = state[6], h = state[7];

	for (int i = 0; i < 16; i++)
		w[i] = word(block + 4 * i);
	for (int i = 16; i < 64; i++)
		w[i] = (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10) + w[i - 7] +
		       (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 16];
	for (int i = 0; i < 64; i += 8) {
		ROUND(a, b, c, d, e, f, g, h, i);
		ROUND(h, a, b, c, d, e, f, g, i + 1);
		ROUND(g, h, a, b, c, d, e, f, i + 2);
		ROUND(f, g, h, a, b, c, d, e, i + 3);
		ROUND(e, f, g, h, a, b, c, d, i + 4);
		ROUND(d, e, f, g, h, a, b, c, i + 5);
		ROUND(c, d, e, f, g, h, a, b, i + 6);
		ROUND(b, c, d, e, f, g, h, a, i + 7);
	}
	uint32_t v[8] = { a, b, c, d, e, f, g, h };
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

void leat_sha256_portable(uint32_t h[8], const unsigned char *data, size_t n)
{
	for (; n; n--, data += 64)
		compress(h, data);
}

/* Chosen when first used; whoever comes at the same time chooses the same. */
static void blocks(uint32_t h[8], const unsigned char *data, size_t n)
{
	static _Atomic(leat_sha256_blocks_fn *) chosen;
	leat_sha256_blocks_fn *fn = atomic_load_explicit(&chosen, memory_order_relaxed);
	if (!fn) {
		fn = leat_sha256_native();
		fn = fn ? fn : leat_sha256_portable;
		atomic_store_explicit(&chosen, fn, memory_order_relaxed);
	}
	fn(h, data, n);
}

void leat_sha256_add(struct leat_sha256 *s, const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t held = s->bytes % sizeof s->block;

	s->bytes += n;
	if (held) {
		size_t room = sizeof s->block - held, take = n < room ? n : room;
		memcpy(s->block + held, p, take);
		p += take;
		n -= take;
		if (take < room)
			return;
		blocks(s->h, s->block, 1);
	}
	size_t whole = n / sizeof s->block;
	if (whole) {
		blocks(s->h, p, whole);
		p += whole * sizeof s->block;
		n %= sizeof s->block;
	}
	if (n)
		memcpy(s->block, p, n);
}

void leat_sha256_end(struct leat_sha256 *s, unsigned char out[32])
{
	static const unsigned char padding[64] = { 0x80 };
	uint64_t bits = s->bytes * 8;
	unsigned char length[8];

	leat_sha256_add(s, padding, 1 + (119 - s->bytes % 64) % 64);
	for (int i = 0; i < 8; i++)
		length[i] = (unsigned char)(bits >> (56 - 8 * i));
	leat_sha256_add(s, length, 8);
	for (int i = 0; i < 32; i++)
		out[i] = (unsigned char)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void leat_sha256_hex(struct leat_sha256 *s, char out[65])
{
	unsigned char hash[32];

	leat_sha256_end(s, hash);
	for (int i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
}
