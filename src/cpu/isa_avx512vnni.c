/* isa_avx512vnni.c - what VNNI improves: nothing yet.
 *
 * A block of Q8_0 is one vector of 32 products under its own scale, so there is no second product that VPDPWSSD could
 * add to before the scale comes in; VPMADDWD does the same work without a zeroed accumulator. Formats whose blocks are
 * longer than a vector will gain here. */
#include "cpu/kernels.h"

void leat_kernels_avx512vnni(struct leat_kernels *k)
{
	(void)k;
}
