/* kernels.c - chooses the kernels: weakest set first, each stronger one on top. */
#include "cpu/kernels.h"

#include "base/cpu.h"

void leat_kernels_init(struct leat_kernels *k, unsigned cpu_flags)
{
	leat_kernels_scalar(k);
#if defined(__x86_64__) && !defined(LEAT_NO_VECTORS)
	static const struct {
		unsigned flag;
		void (*overlay)(struct leat_kernels *k);
	} set[] = {
		{LEAT_CPU_AVX2, leat_kernels_avx2},
		{LEAT_CPU_AVX512, leat_kernels_avx512},
		{LEAT_CPU_AVX512VNNI, leat_kernels_avx512vnni},
		{LEAT_CPU_AVX512BF16, leat_kernels_avx512bf16},
		{LEAT_CPU_AMX, leat_kernels_amx},
	};
	for (unsigned i = 0; i < sizeof set / sizeof *set; i++)
		if (cpu_flags & set[i].flag)
			set[i].overlay(k);
#else
	(void)cpu_flags;
#endif
}
