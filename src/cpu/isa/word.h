/* word.h - how the bodies in op/ are compiled: inlined into each slot, over constants, with their tiles unrolled. */
#ifndef LEAT_CPU_ISA_WORD_H
#define LEAT_CPU_ISA_WORD_H

#ifdef __has_feature /* Clang */
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LEAT_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(LEAT_SANITIZED)
#define LEAT_UNCHECKED __attribute__((no_sanitize("address", "undefined", "thread")))
#else
#define LEAT_UNCHECKED
#endif
/* A body, and a slot made of bodies. Without LEAT_UNCHECKED the unrolled bodies of block formats, with a check at every
 * access, take minutes and a gigabyte to compile; the guard pages of kerncheck watch over what they touch. */
#define LEAT_INLINE static inline __attribute__((always_inline)) LEAT_UNCHECKED
#define LEAT_SLOT   static LEAT_UNCHECKED
#define LEAT_UNROLL _Pragma("GCC unroll 16")
/* The compiler must find x in memory from here on. Scales are stored as vectors and read one by one: a broadcast out of
 * memory is part of its instruction, but compilers see through the store and shuffle registers instead. */
#define LEAT_IN_MEMORY(x) __asm__("" : "+m"(x))
/* Stays a loop, though its end is known. */
#define LEAT_ROLLED _Pragma("GCC unroll 1")

#endif
