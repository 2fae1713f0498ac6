/* isa_avx512.c - every body in op/ compiled for one instruction set. Nothing else belongs here. */
#include "cpu/isa/avx512.h"

#define LEAT_GEMM_WIDE 1
#include "cpu/op/table.h"

void leat_kernels_avx512(struct leat_kernels *k)
{
	fill(k);
}
