/* meta.c - typed access to metadata: type, range and value are checked together, and a refusal says all three. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format/file.h"

static const char *const type_names[LEAT_META_COUNT] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
							"bool", "string", "array", "u64", "i64", "f64"};

const char *leat_meta_type_name(int type)
{
	return type >= 0 && type < LEAT_META_COUNT ? type_names[type] : "unknown";
}

static int is_signed(int type)
{
	return type == LEAT_META_I8 || type == LEAT_META_I16 || type == LEAT_META_I32 || type == LEAT_META_I64;
}

static int is_int(int type)
{
	return is_signed(type) || type == LEAT_META_U8 || type == LEAT_META_U16 || type == LEAT_META_U32 ||
	       type == LEAT_META_U64;
}

static enum leat_status refuse(const struct leat_file *f, const struct leat_meta *m, const char *key,
			       struct leat_error *err, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static enum leat_status refuse(const struct leat_file *f, const struct leat_meta *m, const char *key,
			       struct leat_error *err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	leat_vfail(err, LEAT_E_FORMAT, key, m ? m->offset : LEAT_NO_OFFSET, fmt, args);
	va_end(args);
	leat_err_prefix(err, f->path);
	return LEAT_E_FORMAT;
}

static enum leat_status wrong_type(const struct leat_file *f, const struct leat_meta *m, const char *key,
				   const char *wanted, struct leat_error *err)
{
	if (m->type == LEAT_META_ARRAY)
		return refuse(f, m, key, err, "key '%s' is an array of %s, wanted %s", key,
			      leat_meta_type_name(m->elem_type), wanted);
	return refuse(f, m, key, err, "key '%s' is of type %s, wanted %s", key, leat_meta_type_name(m->type), wanted);
}

static enum leat_status absent(const struct leat_file *f, const char *key, const char *wanted, struct leat_error *err)
{
	return refuse(f, NULL, key, err, "key '%s' is missing, wanted %s", key, wanted);
}

static enum leat_status int_in_range(const struct leat_file *f, const struct leat_meta *m, const char *key, int64_t lo,
				     int64_t hi, int64_t *ret, struct leat_error *err)
{
	if (!is_int(m->type))
		return wrong_type(f, m, key, "an integer", err);
	if (!is_signed(m->type) && m->v.u > INT64_MAX)
		return refuse(f, m, key, err, "key '%s' is %llu, wanted %lld to %lld", key, (unsigned long long)m->v.u,
			      (long long)lo, (long long)hi);
	if (m->v.i < lo || m->v.i > hi)
		return refuse(f, m, key, err, "key '%s' is %lld, wanted %lld to %lld", key, (long long)m->v.i,
			      (long long)lo, (long long)hi);
	*ret = m->v.i;
	return LEAT_OK;
}

enum leat_status leat_meta_int(const struct leat_file *f, const char *key, int64_t lo, int64_t hi, int64_t *ret,
			       struct leat_error *err)
{
	const struct leat_meta *m = leat_file_meta(f, key);
	return m ? int_in_range(f, m, key, lo, hi, ret, err) : absent(f, key, "an integer", err);
}

enum leat_status leat_meta_int_opt(const struct leat_file *f, const char *key, int64_t lo, int64_t hi, int64_t dflt,
				   int64_t *ret, struct leat_error *err)
{
	const struct leat_meta *m = leat_file_meta(f, key);
	if (m)
		return int_in_range(f, m, key, lo, hi, ret, err);
	*ret = dflt;
	return LEAT_OK;
}

static enum leat_status float_in_range(const struct leat_file *f, const struct leat_meta *m, const char *key, double lo,
				       double hi, double *ret, struct leat_error *err)
{
	/* JSON writes 10000.0 as 10000 */
	double v = is_int(m->type) && is_signed(m->type) ? (double)m->v.i : is_int(m->type) ? (double)m->v.u : m->v.f;
	int counts = m->type == LEAT_META_F32 || m->type == LEAT_META_F64;
	if (!counts && !(f->source == LEAT_SOURCE_HF && is_int(m->type)))
		return wrong_type(f, m, key, "a float", err);
	if (!isfinite(v) || v < lo || v > hi)
		return refuse(f, m, key, err, "key '%s' is %g, wanted %g to %g", key, v, lo, hi);
	*ret = v;
	return LEAT_OK;
}

enum leat_status leat_meta_float(const struct leat_file *f, const char *key, double lo, double hi, double *ret,
				 struct leat_error *err)
{
	const struct leat_meta *m = leat_file_meta(f, key);
	return m ? float_in_range(f, m, key, lo, hi, ret, err) : absent(f, key, "a float", err);
}

enum leat_status leat_meta_float_opt(const struct leat_file *f, const char *key, double lo, double hi, double dflt,
				     double *ret, struct leat_error *err)
{
	const struct leat_meta *m = leat_file_meta(f, key);
	if (m)
		return float_in_range(f, m, key, lo, hi, ret, err);
	*ret = dflt;
	return LEAT_OK;
}

enum leat_status leat_meta_bool_opt(const struct leat_file *f, const char *key, int dflt, int *ret,
				    struct leat_error *err)
{
	const struct leat_meta *m = leat_file_meta(f, key);
	if (m && m->type != LEAT_META_BOOL)
		return wrong_type(f, m, key, "a bool", err);
	*ret = m ? (int)m->v.u : dflt;
	return LEAT_OK;
}

enum leat_status leat_meta_string(const struct leat_file *f, const char *key, struct leat_str *ret,
				  struct leat_error *err)
{
	const struct leat_meta *m = leat_file_meta(f, key);
	if (!m)
		return absent(f, key, "a string", err);
	if (m->type != LEAT_META_STRING)
		return wrong_type(f, m, key, "a string", err);
	*ret = m->v.str;
	return LEAT_OK;
}

static enum leat_status array_opt(const struct leat_file *f, const char *key, int (*fits)(int), const char *wanted,
				  const struct leat_meta **ret, struct leat_error *err)
{
	const struct leat_meta *m = leat_file_meta(f, key);
	if (m && (m->type != LEAT_META_ARRAY || !fits(m->elem_type)))
		return wrong_type(f, m, key, wanted, err);
	*ret = m;
	return LEAT_OK;
}

static int is_string(int type)
{
	return type == LEAT_META_STRING;
}

static int is_float(int type)
{
	return type == LEAT_META_F32 || type == LEAT_META_F64;
}

static int is_json_number(int type)
{
	return type == LEAT_META_F64 || type == LEAT_META_I64;
}

enum leat_status leat_meta_strings_opt(const struct leat_file *f, const char *key, const struct leat_meta **ret,
				       struct leat_error *err)
{
	return array_opt(f, key, is_string, "an array of strings", ret, err);
}

enum leat_status leat_meta_ints_opt(const struct leat_file *f, const char *key, const struct leat_meta **ret,
				    struct leat_error *err)
{
	return array_opt(f, key, is_int, "an array of integers", ret, err);
}

enum leat_status leat_meta_floats_opt(const struct leat_file *f, const char *key, const struct leat_meta **ret,
				      struct leat_error *err)
{
	return array_opt(f, key, f->source == LEAT_SOURCE_HF ? is_json_number : is_float, "an array of f32", ret, err);
}

size_t leat_meta_type_bytes(int type)
{
	static const unsigned char bytes[LEAT_META_COUNT] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
	return type >= 0 && type < LEAT_META_COUNT ? bytes[type] : 0;
}

static uint64_t raw_at(const struct leat_meta *m, uint64_t i)
{
	size_t n = leat_meta_type_bytes(m->elem_type);
	const unsigned char *p = m->v.raw + (size_t)i * n;
	uint64_t v = 0;
	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

int64_t leat_meta_int_at(const struct leat_meta *m, uint64_t i)
{
	uint64_t v = raw_at(m, i);
	switch (m->elem_type) {
	case LEAT_META_I8:
		return (int8_t)v;
	case LEAT_META_I16:
		return (int16_t)v;
	case LEAT_META_I32:
		return (int32_t)v;
	default:
		return (int64_t)v;
	}
}

float leat_meta_float_at(const struct leat_meta *m, uint64_t i)
{
	uint64_t u = raw_at(m, i);
	uint32_t u32 = (uint32_t)u;
	double d;
	float f;
	if (m->elem_type == LEAT_META_I64)
		return (float)(int64_t)u;
	memcpy(&d, &u, sizeof d);
	memcpy(&f, &u32, sizeof f);
	return m->elem_type == LEAT_META_F64 ? (float)d : f;
}

/* One element of an array, or a scalar, into dst. */
static void print_scalar(char *dst, size_t cap, int type, uint64_t u, double f)
{
	if (type == LEAT_META_F32 || type == LEAT_META_F64)
		snprintf(dst, cap, "%g", f);
	else if (type == LEAT_META_BOOL)
		snprintf(dst, cap, "%s", u ? "true" : "false");
	else if (is_signed(type))
		snprintf(dst, cap, "%lld", (long long)u);
	else
		snprintf(dst, cap, "%llu", (unsigned long long)u);
}

static void print_elem(const struct leat_meta *m, uint64_t i, char *dst, size_t cap)
{
	if (m->elem_type == LEAT_META_STRING) {
		leat_escape(dst, cap, m->v.strs[i].s, (size_t)m->v.strs[i].n);
		return;
	}
	double f = 0;
	uint64_t u = raw_at(m, i);
	if (m->elem_type == LEAT_META_F32)
		f = (double)leat_meta_float_at(m, i);
	else if (m->elem_type == LEAT_META_F64)
		memcpy(&f, &u, sizeof f);
	else if (is_int(m->elem_type))
		u = (uint64_t)leat_meta_int_at(m, i);
	print_scalar(dst, cap, m->elem_type, u, f);
}

static void print_array(const struct leat_meta *m, char *dst, size_t cap)
{
	int quote = m->elem_type == LEAT_META_STRING;
	size_t used = (size_t)snprintf(dst, cap, "[%llu]", (unsigned long long)m->count);
	for (uint64_t i = 0; i < m->count && used < cap; i++) {
		char one[48], piece[64];
		print_elem(m, i, one, sizeof one);
		int n = snprintf(piece, sizeof piece, quote ? "%s\"%s\"" : "%s%s", i ? ", " : " ", one);
		if (n < 0 || used + (size_t)n + sizeof ", ..." > cap) {
			snprintf(dst + used, cap - used, "%s", i ? ", ..." : " ...");
			return;
		}
		memcpy(dst + used, piece, (size_t)n + 1);
		used += (size_t)n;
	}
}

void leat_meta_print(const struct leat_meta *m, char *dst, size_t cap)
{
	if (cap == 0)
		return;
	if (m->type == LEAT_META_STRING)
		leat_escape(dst, cap, m->v.str.s, (size_t)m->v.str.n);
	else if (m->type == LEAT_META_ARRAY)
		print_array(m, dst, cap);
	else
		print_scalar(dst, cap, m->type, m->v.u, m->v.f);
}
