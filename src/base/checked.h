/* checked.h - size arithmetic that cannot wrap. Every function returns 1 on overflow and leaves *ret untouched. */
#ifndef LEAT_BASE_CHECKED_H
#define LEAT_BASE_CHECKED_H

#include <stddef.h>
#include <stdint.h>

static inline int leat_add_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t r;
	if (__builtin_add_overflow(a, b, &r))
		return 1;
	*ret = r;
	return 0;
}

static inline int leat_mul_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t r;
	if (__builtin_mul_overflow(a, b, &r))
		return 1;
	*ret = r;
	return 0;
}

/* Rounds up to a multiple of `align`, a power of two. */
static inline int leat_align_u64(uint64_t a, uint64_t align, uint64_t *ret)
{
	uint64_t r;
	if (__builtin_add_overflow(a, align - 1, &r))
		return 1;
	*ret = r & ~(align - 1);
	return 0;
}

static inline int leat_mul_size(size_t a, size_t b, size_t *ret)
{
	size_t r;
	if (__builtin_mul_overflow(a, b, &r))
		return 1;
	*ret = r;
	return 0;
}

static inline int leat_add_size(size_t a, size_t b, size_t *ret)
{
	size_t r;
	if (__builtin_add_overflow(a, b, &r))
		return 1;
	*ret = r;
	return 0;
}

#endif
