/* isa_avx2.c - every body in op/ compiled for one instruction set. Nothing else belongs here. */
#include "cpu/isa/avx2.h"

#define LEAT_GEMM_WIDE 0
#include "cpu/op/table.h"

void leat_kernels_avx2(struct leat_kernels *k)
{
	fill(k);
}
