/* meminfo.c - /proc/meminfo and the cgroup's memory limit, read without the heap (an engine asks while it runs), and
 * what the process itself takes. */
#include "base/meminfo.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The first bytes of a file as a string; empty if there is none. */
static void read_text(const char *path, char *dst, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, dst, cap - 1);
	dst[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
}

/* The number at s, after blanks; UINT64_MAX: none ("max" is no limit), or too large. */
static uint64_t number_at(const char *s)
{
	uint64_t n = 0;
	while (*s == ' ')
		s++;
	if (*s < '0' || *s > '9')
		return UINT64_MAX;
	for (; *s >= '0' && *s <= '9'; s++) {
		uint64_t digit = (uint64_t)(*s - '0');
		if (n > (UINT64_MAX - digit) / 10)
			return UINT64_MAX;
		n = n * 10 + digit;
	}
	return n;
}

/* Bytes of a line "name:   123 kB". */
static uint64_t line_bytes(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	uint64_t kib = at ? number_at(at + strlen(name)) : UINT64_MAX;
	return kib < UINT64_MAX / 1024 ? kib * 1024 : UINT64_MAX;
}

static uint64_t file_number(const char *path)
{
	char text[32];
	read_text(path, text, sizeof text);
	return number_at(text);
}

void leat_meminfo(uint64_t *ret_total_bytes, uint64_t *ret_free_bytes)
{
	char text[1024]; /* the lines that are wanted come first */
	read_text("/proc/meminfo", text, sizeof text);
	uint64_t total = line_bytes(text, "MemTotal:"), avail = line_bytes(text, "MemAvailable:");
	uint64_t limit = file_number("/sys/fs/cgroup/memory.max"), used = file_number("/sys/fs/cgroup/memory.current");
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
