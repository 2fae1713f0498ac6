#include "cpu/kernels.h"

void leat_kernels_avx512vnni(struct leat_kernels *k)
{
	(void)k;
}
