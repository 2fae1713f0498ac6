/* test_branch_long.c - test_branch.c at every token of the prompt. */
#define LEAT_BRANCH_STEP 1
#include "test_branch.c"
