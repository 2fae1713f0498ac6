/* word.h - how the bodies in op/ are compiled: inlined into each slot, over constants, with their tiles unrolled. */
#ifndef LEAT_CPU_ISA_WORD_H
#define LEAT_CPU_ISA_WORD_H

#define LEAT_INLINE static inline __attribute__((always_inline))
#define LEAT_UNROLL _Pragma("GCC unroll 16")
/* The compiler must find x in memory from here on. Scales are stored as vectors and read one by one: a broadcast out of
 * memory is part of its instruction, but compilers see through the store and shuffle registers instead. */
#define LEAT_IN_MEMORY(x) __asm__("" : "+m"(x))
/* Stays a loop, though its end is known. */
#define LEAT_ROLLED _Pragma("GCC unroll 1")

#endif
