/* meminfo.c - /proc/meminfo and the cgroup's memory limit. */
#include "base/meminfo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t read_number(const char *path)
{
	uint64_t n = UINT64_MAX;
	FILE *f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%" SCNu64, &n) != 1) /* "max" is no limit */
			n = UINT64_MAX;
		fclose(f);
	}
	return n;
}

void leat_meminfo(uint64_t *ret_total_bytes, uint64_t *ret_free_bytes)
{
	uint64_t total = UINT64_MAX, avail = UINT64_MAX;
	char line[256];
	FILE *f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof line, f)) {
		uint64_t kib;
		if (sscanf(line, "MemTotal: %" SCNu64 " kB", &kib) == 1)
			total = kib * 1024;
		else if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			avail = kib * 1024;
	}
	if (f)
		fclose(f);
	uint64_t limit = read_number("/sys/fs/cgroup/memory.max"), used = read_number("/sys/fs/cgroup/memory.current");
	if (limit < total) {
		total = limit;
		if (used < limit && limit - used < avail)
			avail = limit - used;
	}
	*ret_total_bytes = total;
	*ret_free_bytes = avail;
}

/* Second field of /proc/self/statm: resident pages. */
uint64_t leat_process_bytes(void)
{
	unsigned long long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f) {
		if (fscanf(f, "%llu %llu", &size, &resident) != 2)
			resident = 0;
		fclose(f);
	}
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t leat_process_peak_bytes(void)
{
	uint64_t kib = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	while (f && !kib && fgets(line, sizeof line, f))
		sscanf(line, "VmHWM: %" SCNu64 " kB", &kib);
	if (f)
		fclose(f);
	return kib * 1024;
}

int leat_process_forget_peak(void)
{
	FILE *f = fopen("/proc/self/clear_refs", "we");
	if (!f)
		return 1;
	int failed = fputs("5", f) < 0; /* proc(5): resets the peak */
	return fclose(f) || failed;
}
