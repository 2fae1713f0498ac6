/* own_malloc.h - malloc and its kin of one test program, which count, and fail when told to. Include it in one file of
 * the program. Where a sanitizer owns malloc, OWN_MALLOC is 0 and nothing here counts or fails. */
#ifndef LEAT_SUPPORT_OWN_MALLOC_H
#define LEAT_SUPPORT_OWN_MALLOC_H

#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_MALLOC 0
#elif defined(__has_feature)
#define OWN_MALLOC (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define OWN_MALLOC 1
#endif

static struct {
	long n_calls;   /* allocations asked for */
	long n_live;    /* blocks that were not freed */
	long fail_at;   /* the call that fails, 1: the next after n_calls = 0; 0: none; LONG_MAX: none, but counted */
	int for_ever;   /* and all after it */
	int paused;     /* neither counted nor failing */
	long n_failed;
} own_malloc;

#if OWN_MALLOC
/* The C library's own functions under the names that it exports for this purpose. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void __libc_free(void *p);

/* Seen by the C library too, whose own allocations are counted then, since others may free them. */
#define OWN_MALLOC_API __attribute__((visibility("default")))

/* Code of jansson, which does not notice all that fails (base/json.c says more): it gets what it asks for. */
static int own_malloc_in_jansson(struct dl_phdr_info *info, size_t size, void *data)
{
	uintptr_t at;
	(void)size;
	memcpy(&at, data, sizeof at);
	if (!strstr(info->dlpi_name, "libjansson"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		if (info->dlpi_phdr[i].p_type == PT_LOAD && at >= from && at - from < info->dlpi_phdr[i].p_memsz)
			return 1;
	}
	return 0;
}

/* A place for a debugger's breakpoint. */
static __attribute__((noinline)) void own_malloc_hit(void)
{
	__atomic_add_fetch(&own_malloc.n_failed, 1, __ATOMIC_RELAXED);
}

static int own_malloc_fails(const void *caller)
{
	if (__atomic_load_n(&own_malloc.paused, __ATOMIC_RELAXED))
		return 0;
	if (own_malloc.fail_at && dl_iterate_phdr(own_malloc_in_jansson, &caller))
		return 0;
	long k = __atomic_add_fetch(&own_malloc.n_calls, 1, __ATOMIC_RELAXED);
	long at = __atomic_load_n(&own_malloc.fail_at, __ATOMIC_RELAXED);
	int fails = at && (k == at || (k > at && own_malloc.for_ever));
	if (fails) {
		own_malloc_hit();
		errno = ENOMEM;
	}
	return fails;
}

static void *own_malloc_count(void *p)
{
	if (p)
		__atomic_add_fetch(&own_malloc.n_live, 1, __ATOMIC_RELAXED);
	return p;
}

OWN_MALLOC_API void *malloc(size_t n)
{
	return own_malloc_fails(__builtin_return_address(0)) ? NULL : own_malloc_count(__libc_malloc(n));
}

OWN_MALLOC_API void *calloc(size_t n, size_t size)
{
	return own_malloc_fails(__builtin_return_address(0)) ? NULL : own_malloc_count(__libc_calloc(n, size));
}

OWN_MALLOC_API void *realloc(void *p, size_t n)
{
	if (own_malloc_fails(__builtin_return_address(0)))
		return NULL;
	return p ? __libc_realloc(p, n) : own_malloc_count(__libc_realloc(p, n));
}

OWN_MALLOC_API void *aligned_alloc(size_t align, size_t n)
{
	return own_malloc_fails(__builtin_return_address(0)) ? NULL : own_malloc_count(__libc_memalign(align, n));
}

OWN_MALLOC_API void *memalign(size_t align, size_t n);
OWN_MALLOC_API void *memalign(size_t align, size_t n)
{
	return aligned_alloc(align, n);
}

OWN_MALLOC_API int posix_memalign(void **ret, size_t align, size_t n)
{
	void *p = aligned_alloc(align, n);
	if (p)
		*ret = p;
	return p ? 0 : ENOMEM;
}

OWN_MALLOC_API void free(void *p)
{
	if (p)
		__atomic_sub_fetch(&own_malloc.n_live, 1, __ATOMIC_RELAXED);
	__libc_free(p);
}
#endif

#endif
