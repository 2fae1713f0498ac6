/* test_schedules_long.c - the schedules of test_schedules.c: 1,000 for the demo models bit for bit, 250 by ids, and 51
 * for each oracle model. */
#define LEAT_SCHEDULES 500
#include "test_schedules.c"
