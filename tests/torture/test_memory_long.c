/* test_memory_long.c - test_memory.c with every allocation. */
#define LEAT_TORTURE_SAMPLE 1000000
#include "test_memory.c"
