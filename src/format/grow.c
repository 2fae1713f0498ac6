/* grow.c - what readers append to a leat_file. Arrays double inside the arena: at most as much again is left behind. */
#include <stdlib.h>
#include <string.h>

#include "format/reader.h"

typedef unsigned long long ull; /* what printf takes */

/* A new array of at least `need` elements with the first n of the old one. */
static void *grown(struct leat_arena *a, const void *old, uint64_t n, uint64_t need, size_t size, uint64_t *cap)
{
	uint64_t more = *cap * 2 > need ? *cap * 2 : need;
	void *p = leat_arena_take_array(a, (size_t)more, size);
	if (!p)
		return NULL;
	if (n)
		memcpy(p, old, (size_t)n * size);
	*cap = more;
	return p;
}

enum leat_status leat_file_more_tensors(struct leat_file *f, uint64_t n, uint64_t limit, struct leat_error *err)
{
	if (n > limit || f->n_tensors > limit - n)
		return leat_fail(err, LEAT_E_LIMIT, "tensors", LEAT_NO_OFFSET, "tensors: found %llu, the limit is %llu",
				 (ull)f->n_tensors + n, (ull)limit);
	if (f->tensor && f->n_tensors + n <= f->cap_tensors) /* never NULL afterwards, not for none either */
		return LEAT_OK;
	struct leat_tensor *t = grown(&f->arena, f->tensor, f->n_tensors, f->n_tensors + n, sizeof *t, &f->cap_tensors);
	if (!t)
		return leat_fail(err, LEAT_E_NOMEM, "tensors", LEAT_NO_OFFSET, "out of memory for %llu tensors",
				 (ull)n);
	f->tensor = t;
	return LEAT_OK;
}

static enum leat_status no_memory(const char *key, struct leat_error *err)
{
	return leat_fail(err, LEAT_E_NOMEM, key, LEAT_NO_OFFSET, "out of memory for metadata");
}

enum leat_status leat_file_add_meta(struct leat_file *f, const char *prefix, const char *key, size_t n_key,
				    struct leat_meta **ret, struct leat_error *err)
{
	size_t n_prefix = strlen(prefix);
	if (f->n_meta >= LEAT_MAX_KEYS)
		return leat_fail(err, LEAT_E_LIMIT, prefix, LEAT_NO_OFFSET, "%s: more than %d settings", prefix,
				 LEAT_MAX_KEYS);
	if (f->n_meta == f->cap_meta) {
		struct leat_meta *m = grown(&f->arena, f->meta, f->n_meta, f->n_meta + 64, sizeof *m, &f->cap_meta);
		if (!m)
			return no_memory(prefix, err);
		f->meta = m;
	}
	char *name = leat_arena_take(&f->arena, n_prefix + 1 + n_key);
	if (!name)
		return no_memory(prefix, err);
	memcpy(name, prefix, n_prefix);
	name[n_prefix] = '.';
	memcpy(name + n_prefix + 1, key, n_key);
	struct leat_meta *m = &f->meta[f->n_meta++];
	*m = (struct leat_meta){.key = {name, n_prefix + 1 + n_key}, .offset = LEAT_NO_OFFSET};
	*ret = m;
	return LEAT_OK;
}

enum leat_status leat_file_add_string(struct leat_file *f, const char *prefix, const char *key, size_t n_key,
				      const char *s, size_t n, struct leat_error *err)
{
	struct leat_meta *m;
	char *copy = leat_arena_copy(&f->arena, s, n);
	if (!copy)
		return no_memory(prefix, err);
	LEAT_TRY(leat_file_add_meta(f, prefix, key, n_key, &m, err));
	m->type = LEAT_META_STRING;
	m->v.str = (struct leat_str){copy, n};
	return LEAT_OK;
}

enum leat_status leat_file_add_map(struct leat_file *f, struct leat_map *m, struct leat_error *err)
{
	struct leat_map *all = NULL;
	if (f->n_maps < LEAT_MAX_PARTS)
		all = realloc(f->map, ((size_t)f->n_maps + 1) * sizeof *all);
	if (!all) {
		leat_map_close(m);
		return f->n_maps < LEAT_MAX_PARTS
			       ? leat_fail(err, LEAT_E_NOMEM, "files", LEAT_NO_OFFSET, "out of memory")
			       : leat_fail(err, LEAT_E_LIMIT, "files", LEAT_NO_OFFSET,
					   "the model has more than %d files", LEAT_MAX_PARTS);
	}
	f->map = all;
	f->map[f->n_maps++] = *m;
	return LEAT_OK;
}

uint64_t leat_file_bytes(const struct leat_file *f)
{
	uint64_t n = 0;
	for (int i = 0; i < f->n_maps; i++)
		n += f->map[i].size; /* the sum of mapped ranges fits the address space */
	return n;
}

int leat_file_is_mapped(const struct leat_file *f)
{
	return f->n_maps > 0 && f->map[0].fd > 0 && !f->is_loaded;
}

/* Where the tensors of a part begin: its size if there are none. */
static uint64_t data_start(const struct leat_file *f, int part)
{
	uint64_t start = f->map[part].size;
	for (uint64_t i = 0; i < f->n_tensors; i++)
		if (f->tensor[i].part == part && f->tensor[i].offset < start)
			start = f->tensor[i].offset;
	return start;
}

enum leat_status leat_file_load(struct leat_file *f, enum leat_map_how how, leat_map_progress_fn *progress, void *user,
				struct leat_error *err)
{
	f->is_loaded = how != LEAT_MAP_POPULATE;
	for (int i = 0; i < f->n_maps; i++) {
		enum leat_status st = leat_map_load(&f->map[i], data_start(f, i), how, progress, user, err);
		if (st != LEAT_OK) {
			leat_err_prefix(err, f->path);
			return st;
		}
	}
	return LEAT_OK;
}

uint64_t leat_file_tensor_bytes(const struct leat_file *f)
{
	uint64_t n = 0;
	for (int i = 0; i < f->n_maps; i++)
		n += f->map[i].size - data_start(f, i);
	return n;
}

void leat_file_will_need(const struct leat_file *f)
{
	for (int i = 0; i < f->n_maps; i++)
		leat_map_will_need(&f->map[i], data_start(f, i), f->map[i].size);
}
