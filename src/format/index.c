/* index.c - names to entries: a hash table with open addressing, keyed by random numbers.
 *
 * Whoever writes a model file chooses the names; a hash without a secret would let him choose names that all fall into
 * one chain and make loading quadratic. */
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "format/reader.h"

static inline uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein: SipHash, a fast short-input PRF, 2012). */
static uint64_t hash(const uint64_t key[2], const char *s, uint64_t n)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
			 key[1] ^ 0x7465646279746573u};
	uint64_t left = n, m;
	for (; left >= 8; left -= 8, s += 8) {
		memcpy(&m, s, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	m = 0;
	memcpy(&m, s, (size_t)left);
	m |= n << 56;
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void draw_key(struct leat_file *f)
{
	if (getrandom(f->hash_key, sizeof f->hash_key, GRND_NONBLOCK) == (ssize_t)sizeof f->hash_key)
		return;
	/* No randomness yet (early boot): the clock and an address are hard enough to guess. */
	f->hash_key[0] = leat_now_ns();
	f->hash_key[1] = (uint64_t)(uintptr_t)f;
}

static int same(struct leat_str a, const char *s, uint64_t n)
{
	return a.n == n && !memcmp(a.s, s, (size_t)n);
}

/* Power of two at least twice the count, so that chains stay short; the counts are capped far below 2^32. */
static uint64_t slots_for(uint64_t n)
{
	uint64_t slots = 16;
	while (slots < 2 * n)
		slots *= 2;
	return slots;
}

/* The name of entry i: metadata keys and tensor names share this file's tables. */
struct names {
	const struct leat_meta *meta;
	const struct leat_tensor *tensor;
};

static struct leat_str name_at(const struct names *t, uint64_t i)
{
	return t->meta ? t->meta[i].key : t->tensor[i].name;
}

/* Slot of the name, or the empty slot where it belongs. */
static uint64_t find_slot(const struct leat_file *f, const struct names *t, const uint32_t *table, uint64_t mask,
			  const char *s, uint64_t n)
{
	uint64_t at = hash(f->hash_key, s, n) & mask;
	while (table[at] && !same(name_at(t, table[at] - 1), s, n))
		at = (at + 1) & mask;
	return at;
}

/* Where a name stands in the first file, if it is borrowed from there. */
static uint64_t offset_of(const struct leat_file *f, const char *s)
{
	uintptr_t at = (uintptr_t)s, start = f->n_maps ? (uintptr_t)f->map[0].data : 0;
	return f->n_maps && at >= start && at - start < f->map[0].size ? at - start : LEAT_NO_OFFSET;
}

static enum leat_status build(struct leat_file *f, const struct names *t, uint64_t n, uint32_t **ret_table,
			      uint64_t *ret_mask, struct leat_error *err)
{
	uint64_t slots = slots_for(n);
	const char *kind = t->meta ? "key" : "tensor";
	uint32_t *table = leat_arena_take_array(&f->arena, (size_t)slots, sizeof *table);
	if (!table)
		return leat_fail(err, LEAT_E_NOMEM, kind, LEAT_NO_OFFSET, "out of memory for %llu names",
				 (unsigned long long)n);
	for (uint64_t i = 0; i < n; i++) {
		struct leat_str name = name_at(t, i);
		uint64_t at = find_slot(f, t, table, slots - 1, name.s, name.n);
		if (table[at]) {
			char shown[96];
			leat_str_show(name, shown);
			return leat_fail(err, LEAT_E_FORMAT, shown, offset_of(f, name.s),
					 "%s '%s' occurs twice: entries %u and %llu, wanted unique names", kind, shown,
					 table[at], (unsigned long long)(i + 1));
		}
		table[at] = (uint32_t)(i + 1);
	}
	*ret_table = table;
	*ret_mask = slots - 1;
	return LEAT_OK;
}

enum leat_status leat_file_index(struct leat_file *f, struct leat_error *err)
{
	struct names meta = {f->meta, NULL}, tensor = {NULL, f->tensor};
	draw_key(f);
	if (f->n_meta)
		LEAT_TRY(build(f, &meta, f->n_meta, &f->meta_hash, &f->meta_mask, err));
	if (f->n_tensors)
		LEAT_TRY(build(f, &tensor, f->n_tensors, &f->tensor_hash, &f->tensor_mask, err));
	return LEAT_OK;
}

const struct leat_meta *leat_file_meta(const struct leat_file *f, const char *key)
{
	struct names t = {f->meta, NULL};
	if (!f->meta_hash)
		return NULL;
	uint32_t i = f->meta_hash[find_slot(f, &t, f->meta_hash, f->meta_mask, key, strlen(key))];
	return i ? &f->meta[i - 1] : NULL;
}

const struct leat_tensor *leat_file_tensor(const struct leat_file *f, const char *name)
{
	struct names t = {NULL, f->tensor};
	if (!f->tensor_hash)
		return NULL;
	uint32_t i = f->tensor_hash[find_slot(f, &t, f->tensor_hash, f->tensor_mask, name, strlen(name))];
	return i ? &f->tensor[i - 1] : NULL;
}
