/* hash.c - see hash.h. */
#include "model/hash.h"

#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "base/sha256.h"

static void add_u64(struct leat_sha256 *s, uint64_t x)
{
	unsigned char b[8];
	for (int i = 0; i < 8; i++)
		b[i] = (unsigned char)(x >> (8 * i));
	leat_sha256_add(s, b, sizeof b);
}

/* Lengths go in front, so that no two lists of strings look alike. */
static void add_bytes(struct leat_sha256 *s, const void *p, uint64_t n)
{
	add_u64(s, n);
	leat_sha256_add(s, p, (size_t)n);
}

static void add_meta(struct leat_sha256 *s, const struct leat_meta *m)
{
	add_bytes(s, m->key.s, m->key.n);
	add_u64(s, (uint64_t)m->type);
	if (m->type == LEAT_META_STRING) {
		add_bytes(s, m->v.str.s, m->v.str.n);
	} else if (m->type != LEAT_META_ARRAY) {
		add_bytes(s, &m->v.u, sizeof m->v.u);
	} else if (m->elem_type == LEAT_META_STRING) {
		add_u64(s, m->count);
		for (uint64_t i = 0; i < m->count; i++)
			add_bytes(s, m->v.strs[i].s, m->v.strs[i].n);
	} else {
		add_bytes(s, m->v.raw, m->count * leat_meta_type_bytes(m->elem_type));
	}
}

static void add_tensor(struct leat_sha256 *s, const struct leat_tensor *t)
{
	struct leat_hash128 h = leat_hash128(0, t->data, (size_t)t->bytes);
	add_bytes(s, t->name.s, t->name.n);
	add_u64(s, (uint64_t)t->type);
	for (int i = 0; i < LEAT_MAX_DIMS; i++)
		add_u64(s, t->dim[i]);
	add_u64(s, h.low);
	add_u64(s, h.high);
}

void leat_model_hash(struct leat_model *m, unsigned char ret[32])
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	const struct leat_file *f = m->w.file;
	pthread_mutex_lock(&one);
	if (!m->hashed) {
		struct leat_sha256 s;
		leat_sha256_init(&s);
		for (uint64_t i = 0; i < f->n_meta; i++)
			add_meta(&s, &f->meta[i]);
		for (uint64_t i = 0; i < f->n_tensors; i++)
			add_tensor(&s, &f->tensor[i]);
		leat_sha256_end(&s, m->hash);
		m->hashed = 1;
	}
	memcpy(ret, m->hash, sizeof m->hash);
	pthread_mutex_unlock(&one);
}
