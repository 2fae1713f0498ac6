/* cpu.h - which instruction sets this process may use. */
#ifndef LEAT_BASE_CPU_H
#define LEAT_BASE_CPU_H

/* A set is a level: each bit is set only if everything that the name needs is present and granted by the kernel
 * (XCR0; for AMX the per-process permission, asked for once). */
enum leat_cpu_flag {
	LEAT_CPU_AVX2 = 1 << 0,       /* AVX2 + FMA + F16C + BMI2 */
	LEAT_CPU_AVX512 = 1 << 1,     /* F, BW, VL, DQ */
	LEAT_CPU_AVX512VNNI = 1 << 2, /* the above + VNNI */
	LEAT_CPU_AVX512BF16 = 1 << 3, /* the above + BF16 */
	LEAT_CPU_AMX = 1 << 4,        /* TILE, INT8, BF16 */
};

/* Flags of this machine, and-ed with the mask. First call detects; any thread. */
unsigned leat_cpu_flags(void);

/* Tests and --opt hide instruction sets: flags & mask from now on. Call before kernels are chosen. */
void leat_cpu_set_mask(unsigned mask);

/* "avx2 avx512 ..." of a flag set into buf (at least 96 bytes); "scalar" when empty. Returns buf. */
const char *leat_cpu_names(unsigned flags, char buf[96]);

/* Model name from the system, "" if unknown. Borrowed, static. */
const char *leat_cpu_model(void);

#endif
