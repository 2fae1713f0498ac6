/* cpu.c - CPUID, and what the system lets a process use of it. Intel 64 SDM vol. 2A "CPUID", vol. 1 chapters 13 and 18.
 */
#include "base/cpu.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* XCR0: which register files the kernel saves on a context switch. A set whose registers are not saved must not be
 * used. */
enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6, XCR0_AMX = 0x60000 };

static uint64_t read_xcr0(void)
{
	uint32_t lo, hi;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static int has(uint64_t value, uint64_t bits)
{
	return (value & bits) == bits;
}

/* Linux hands out the 8 KiB of tile data on request only (Documentation/arch/x86/xstate.rst). Threads inherit the
 * grant. */
static int amx_granted(void)
{
	enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
	return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static unsigned detect(void)
{
	enum { C1_FMA = 1 << 12, C1_OSXSAVE = 1 << 27, C1_AVX = 1 << 28, C1_F16C = 1 << 29 };
	enum { B7_AVX2 = 1 << 5, B7_BMI2 = 1 << 8, B7_AVX512F = 1 << 16, B7_DQ = 1 << 17, B7_BW = 1 << 30 };
	enum {
		C7_VNNI = 1 << 11,
		D7_AMX_BF16 = 1 << 22,
		D7_AMX_TILE = 1 << 24,
		D7_AMX_INT8 = 1 << 25,
		A71_BF16 = 1 << 5
	};
	const unsigned b7_vl = 1u << 31;
	unsigned a, b, c, d, c1, b7, c7, d7, a71 = 0, flags = 0;

	if (!__get_cpuid(1, &a, &b, &c1, &d) || !has(c1, C1_OSXSAVE) || !__get_cpuid_count(7, 0, &a, &b7, &c7, &d7))
		return 0;
	if (a >= 1)
		__get_cpuid_count(7, 1, &a71, &b, &c, &d);
	uint64_t xcr0 = read_xcr0();
	if (!has(xcr0, XCR0_AVX) || !has(c1, C1_FMA | C1_AVX | C1_F16C) || !has(b7, B7_AVX2 | B7_BMI2))
		return 0;
	flags |= LEAT_CPU_AVX2;
	if (!has(xcr0, XCR0_AVX512) || !has(b7, B7_AVX512F | B7_DQ | B7_BW | b7_vl))
		return flags;
	flags |= LEAT_CPU_AVX512;
	if (!has(c7, C7_VNNI))
		return flags;
	flags |= LEAT_CPU_AVX512VNNI;
	if (!has(a71, A71_BF16))
		return flags;
	flags |= LEAT_CPU_AVX512BF16;
	if (has(xcr0, XCR0_AMX) && has(d7, D7_AMX_BF16 | D7_AMX_TILE | D7_AMX_INT8) && amx_granted())
		flags |= LEAT_CPU_AMX;
	return flags;
}
#else
static unsigned detect(void)
{
	return 0;
}
#endif

static _Atomic unsigned mask = ~0u;
static _Atomic unsigned detected; /* bit 31: valid. Two threads that detect at once store the same value. */

unsigned leat_cpu_flags(void)
{
	const unsigned valid = 1u << 31;
	unsigned f = atomic_load(&detected);
	if (!(f & valid)) {
		f = detect() | valid;
		atomic_store(&detected, f);
	}
	return f & ~valid & atomic_load(&mask);
}

void leat_cpu_set_mask(unsigned m)
{
	atomic_store(&mask, m);
}

const char *leat_cpu_names(unsigned flags, char buf[96])
{
	static const char *const name[] = {"avx2", "avx512", "avx512vnni", "avx512bf16", "amx"};
	size_t n = 0;

	for (unsigned i = 0; i < sizeof name / sizeof *name; i++)
		if (flags & 1u << i)
			n += (size_t)snprintf(buf + n, 96 - n, "%s%s", n ? " " : "", name[i]);
	if (!n)
		snprintf(buf, 96, "scalar");
	return buf;
}

/* 48 bytes of brand string, without the spaces that some makers put around it. */
static void read_model(char model[49])
{
	memset(model, 0, 49);
#if defined(__x86_64__)
	for (unsigned i = 0; i < 3; i++) {
		uint32_t r[4];
		if (!__get_cpuid(0x80000002u + i, &r[0], &r[1], &r[2], &r[3])) {
			model[0] = 0;
			return;
		}
		memcpy(model + 16 * i, r, 16);
	}
	size_t skip = strspn(model, " "), n = strlen(model + skip);
	memmove(model, model + skip, n + 1);
	while (n && model[n - 1] == ' ')
		model[--n] = 0;
#endif
}

const char *leat_cpu_model(void)
{
	static char model[49];
	static _Atomic int state; /* 0 nobody wrote it, 1 being written, 2 done */
	int empty = 0;

	if (atomic_compare_exchange_strong(&state, &empty, 1)) {
		read_model(model);
		atomic_store(&state, 2);
	}
	while (atomic_load(&state) != 2)
		;
	return model;
}
