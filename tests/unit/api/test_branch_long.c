/* test_branch_long.c - test_branch.c at every token of the prompt, with room for what so many branches leave. */
#define LEAT_BRANCH_STEP 1
#define LEAT_BRANCH_KEPT (1 << 29)
#include "test_branch.c"
