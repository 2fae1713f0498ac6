/* test_counts_long.c - test_counts.c with 10,000 requests. */
#define LEAT_COUNTS 10000
#include "test_counts.c"
