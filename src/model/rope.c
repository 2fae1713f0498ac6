/* rope.c - frequencies of rotary embeddings. */
#include <math.h>

#include "model/model.h"

void leat_rope_frequencies(float *inv_freq, int n, double base)
{
	for (int i = 0; i < n; i++)
		inv_freq[i] = (float)pow(base, -(double)i / n);
}
