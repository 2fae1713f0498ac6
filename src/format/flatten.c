/* flatten.c - a JSON object as metadata: "rope_scaling": {"factor": 8} becomes prefix.rope_scaling.factor.
 *
 * Walks with a stack of its own. Keys are cut off at 256 bytes in all, so that deep nesting cannot multiply long keys;
 * what is longer, not printable, or a mixture that metadata has no type for is left out: only settings that somebody
 * asks for matter, and those are short. */
#include <string.h>

#include "base/utf8.h"
#include "format/reader.h"

enum { KEY_BYTES = 256 };

struct level {
	json_t *v;       /* object or array */
	void *iter;      /* of an object: the next pair, NULL at the end */
	size_t index;    /* of an array: the next element */
	size_t n_key;    /* bytes of the path to v */
};

struct walk {
	struct leat_file *f;
	const char *prefix;
	struct leat_error *err;
	char key[KEY_BYTES];
	struct level level[LEAT_JSON_MAX_DEPTH];
	int depth;
};

/* The next member of the innermost container with its name, NULL at its end. */
static json_t *next_member(struct level *l, char name[24], const char **ret_name, size_t *ret_n)
{
	json_t *v = NULL;
	if (json_is_object(l->v) && l->iter) {
		v = json_object_iter_value(l->iter);
		*ret_name = json_object_iter_key(l->iter);
		*ret_n = strlen(*ret_name);
		l->iter = json_object_iter_next(l->v, l->iter);
	} else if (json_is_array(l->v) && l->index < json_array_size(l->v)) {
		size_t i = l->index++, n = 0;
		v = json_array_get(l->v, i);
		for (size_t k = i; n == 0 || k > 0; k /= 10)
			n++;
		for (size_t k = n; k-- > 0; i /= 10)
			name[k] = (char)('0' + i % 10);
		*ret_name = name;
		*ret_n = n;
	}
	return v;
}

/* Lengthens the path by a name; 0 if it does not fit or shows badly. */
static size_t extend(struct walk *w, size_t n_key, const char *name, size_t n)
{
	size_t dot = n_key > 0;
	if (n == 0 || n_key + dot + n > KEY_BYTES || !leat_utf8_is_line(name, n))
		return 0;
	w->key[n_key] = '.';
	memcpy(w->key + n_key + dot, name, n);
	return n_key + dot + n;
}

static void set_number(struct leat_meta *m, const json_t *v)
{
	if (json_is_integer(v)) {
		m->type = LEAT_META_I64;
		m->v.i = json_integer_value(v);
	} else {
		m->type = LEAT_META_F64;
		m->v.f = json_real_value(v);
	}
}

static enum leat_status add_scalar(struct walk *w, size_t n_key, const json_t *v)
{
	struct leat_meta *m;
	if (json_is_null(v))
		return LEAT_OK;
	if (json_is_string(v))
		return leat_file_add_string(w->f, w->prefix, w->key, n_key, json_string_value(v), json_string_length(v),
					    w->err);
	LEAT_TRY(leat_file_add_meta(w->f, w->prefix, w->key, n_key, &m, w->err));
	if (json_is_boolean(v)) {
		m->type = LEAT_META_BOOL;
		m->v.u = json_is_true(v) ? 1 : 0;
	} else {
		set_number(m, v);
	}
	return LEAT_OK;
}

/* The one type that all elements fit into, -1 if there is none. */
static int common_type(const json_t *a)
{
	int type = -1;
	for (size_t i = 0; i < json_array_size(a); i++) {
		const json_t *v = json_array_get(a, i);
		int t = json_is_integer(v)   ? LEAT_META_I64
			: json_is_real(v)    ? LEAT_META_F64
			: json_is_string(v)  ? LEAT_META_STRING
			: json_is_boolean(v) ? LEAT_META_BOOL
					     : -1;
		int numbers =
			(t == LEAT_META_I64 && type == LEAT_META_F64) || (t == LEAT_META_F64 && type == LEAT_META_I64);
		if (t < 0 || (type >= 0 && t != type && !numbers))
			return -1;
		type = numbers ? LEAT_META_F64 : t;
	}
	return type;
}

static void put_le(unsigned char *p, uint64_t u, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(u >> 8 * i);
}

static void put_element(unsigned char *p, int type, const json_t *v)
{
	double d = json_number_value(v);
	uint64_t u;
	if (type == LEAT_META_BOOL) {
		p[0] = json_is_true(v) ? 1 : 0;
		return;
	}
	if (type == LEAT_META_F64)
		memcpy(&u, &d, sizeof u);
	else
		u = (uint64_t)json_integer_value(v);
	put_le(p, u, 8);
}

static enum leat_status no_memory(struct walk *w)
{
	return leat_fail(w->err, LEAT_E_NOMEM, w->prefix, LEAT_NO_OFFSET, "out of memory for metadata");
}

static enum leat_status add_array(struct walk *w, size_t n_key, const json_t *a, int type)
{
	struct leat_meta *m;
	size_t count = json_array_size(a), size = type == LEAT_META_STRING ? sizeof(struct leat_str) : 8;
	void *p = leat_arena_take_array(&w->f->arena, count, size);
	if (!p)
		return no_memory(w);
	for (size_t i = 0; i < count; i++) {
		const json_t *v = json_array_get(a, i);
		if (type != LEAT_META_STRING) {
			put_element((unsigned char *)p + i * (type == LEAT_META_BOOL ? 1 : 8), type, v);
			continue;
		}
		size_t n = json_string_length(v);
		char *s = leat_arena_copy(&w->f->arena, json_string_value(v), n);
		if (!s)
			return no_memory(w);
		((struct leat_str *)p)[i] = (struct leat_str){s, n};
	}
	LEAT_TRY(leat_file_add_meta(w->f, w->prefix, w->key, n_key, &m, w->err));
	m->type = LEAT_META_ARRAY;
	m->elem_type = type;
	m->count = count;
	m->v.raw = p;
	return LEAT_OK;
}

static void enter(struct walk *w, json_t *v, size_t n_key)
{
	if (w->depth < LEAT_JSON_MAX_DEPTH)
		w->level[w->depth++] =
			(struct level){v, json_is_object(v) ? json_object_iter(v) : NULL, 0, n_key};
}

static enum leat_status add_member(struct walk *w, json_t *v, size_t n_key)
{
	int type;
	if (json_is_object(v)) {
		enter(w, v, n_key);
		return LEAT_OK;
	}
	if (!json_is_array(v))
		return add_scalar(w, n_key, v);
	if (json_array_size(v) == 0)
		return LEAT_OK;
	type = common_type(v);
	if (type >= 0)
		return add_array(w, n_key, v, type);
	if (json_is_object(json_array_get(v, 0)))
		enter(w, v, n_key);
	return LEAT_OK;
}

enum leat_status leat_file_add_json(struct leat_file *f, const char *prefix, json_t *object, struct leat_error *err)
{
	struct walk w = {.f = f, .prefix = prefix, .err = err};
	enter(&w, object, 0);
	while (w.depth > 0) {
		struct level *l = &w.level[w.depth - 1];
		char number[24];
		const char *name = NULL;
		size_t n = 0;
		json_t *v = next_member(l, number, &name, &n);
		if (!v) {
			w.depth--;
			continue;
		}
		size_t n_key = extend(&w, l->n_key, name, n);
		if (n_key)
			LEAT_TRY(add_member(&w, v, n_key));
	}
	return LEAT_OK;
}
