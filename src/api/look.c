/* look.c - leat_inspect_*, system and build facts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/cpu.h"
#include "base/meminfo.h"
#include "base/pool.h"
#include "quant/quant.h"

struct leat_inspect {
	struct leat_file *file;
};

enum leat_status leat_inspect_open(const char *path, struct leat_inspect **ret, struct leat_error *err)
{
	struct leat_inspect *i = calloc(1, sizeof *i);
	if (!i)
		return leat_fail(err, LEAT_E_NOMEM, "file", LEAT_NO_OFFSET, "out of memory");
	enum leat_status st = leat_file_open(path, &i->file, err);
	if (st != LEAT_OK) {
		free(i);
		return st;
	}
	*ret = i;
	return LEAT_OK;
}

void leat_inspect_close(struct leat_inspect *i)
{
	if (i)
		leat_file_close(i->file);
	free(i);
}

void leat_inspect_get_info(const struct leat_inspect *i, struct leat_inspect_info *ret)
{
	const struct leat_file *f = i->file;
	struct leat_inspect_info r = { .struct_size = sizeof r, .version = f->version, .file_bytes = leat_file_bytes(f),
				       .n_meta = f->n_meta, .n_tensors = f->n_tensors, .alignment = f->alignment };
	snprintf(r.container, sizeof r.container, "%s", f->container);
	leat_info_give(ret, &r, sizeof r);
}

static const char *const meta_types[LEAT_META_COUNT] = { "u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
							 "bool", "string", "array", "u64", "i64", "f64" };

enum leat_status leat_inspect_meta(const struct leat_inspect *i, uint64_t index, char *key, size_t key_cap, char *type,
				   size_t type_cap, char *value, size_t value_cap)
{
	if (index >= i->file->n_meta)
		return LEAT_E_ARG;
	const struct leat_meta *m = &i->file->meta[index];
	leat_escape(key, key_cap, m->key.s, (size_t)m->key.n);
	if (m->type == LEAT_META_ARRAY)
		snprintf(type, type_cap, "%s[%llu]", meta_types[m->elem_type], (unsigned long long)m->count);
	else
		snprintf(type, type_cap, "%s", meta_types[m->type]);
	leat_meta_print(m, value, value_cap);
	return LEAT_OK;
}

enum leat_status leat_inspect_tensor(const struct leat_inspect *i, uint64_t index, struct leat_tensor_info *ret)
{
	if (index >= i->file->n_tensors)
		return LEAT_E_ARG;
	const struct leat_tensor *t = &i->file->tensor[index];
	struct leat_tensor_info r = {
		.struct_size = sizeof r, .n_dims = t->n_dims, .offset = t->offset, .bytes = t->bytes};
	for (int d = 0; d < LEAT_MAX_DIMS; d++)
		r.dim[d] = t->dim[d];
	leat_escape(r.name, sizeof r.name, t->name.s, (size_t)t->name.n);
	leat_quant_type_name(t->type, r.type);
	leat_info_give(ret, &r, sizeof r);
	return LEAT_OK;
}

void leat_get_system_info(struct leat_system_info *ret)
{
	struct leat_system_info r = {
		.struct_size = sizeof r, .cpu_flags = leat_cpu_flags(), .n_cpus = leat_cpu_count()};
	snprintf(r.cpu, sizeof r.cpu, "%s", leat_cpu_model());
	leat_cpu_names(r.cpu_flags, r.cpu_sets);
	leat_meminfo(&r.memory_bytes, &r.memory_free_bytes);
	leat_info_give(ret, &r, sizeof r);
}

const char *leat_arch_name_at(int32_t index)
{
	for (int32_t i = 0; i <= index && index >= 0; i++)
		if (!leat_arch_list[i])
			return NULL;
	return index < 0 ? NULL : leat_arch_list[index]->name;
}

const char *leat_type_name_at(int32_t index)
{
	return index >= 0 && index < LEAT_QUANT_COUNT ? leat_quant_at(index)->name : NULL;
}
