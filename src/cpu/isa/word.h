/* word.h - how the bodies in op/ are compiled: inlined into each slot, over constants, with their tiles unrolled. */
#ifndef LEAT_CPU_ISA_WORD_H
#define LEAT_CPU_ISA_WORD_H

#define LEAT_INLINE static inline __attribute__((always_inline))
#define LEAT_UNROLL _Pragma("GCC unroll 16")

#endif
