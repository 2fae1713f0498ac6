/* meminfo.h - how much memory this process may still take. */
#ifndef LEAT_BASE_MEMINFO_H
#define LEAT_BASE_MEMINFO_H

#include <stdint.h>

/* Bytes of memory in all and free for use without swapping (page cache counts as free), both cut by the cgroup's limit.
 * UINT64_MAX where the system does not tell. */
void leat_meminfo(uint64_t *ret_total_bytes, uint64_t *ret_free_bytes);

/* Resident memory of this process, mapped files included; 0: unknown. */
uint64_t leat_process_bytes(void);

/* The most that it ever was, or since leat_process_forget_peak; 0: unknown. */
uint64_t leat_process_peak_bytes(void);
/* 0, or 1: the system does not allow it, and the peak stays that of the whole life. */
int leat_process_forget_peak(void);

#endif
