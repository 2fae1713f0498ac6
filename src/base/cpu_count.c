/* cpu_count.c - how many processors the affinity mask and the control groups leave to this process. */
#include "base/pool.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int affinity_count(void)
{
	/* The kernel refuses a set smaller than its own: grow until it fits. */
	for (unsigned cpus = 1024; cpus <= 1u << 20; cpus *= 4) {
		size_t bytes = CPU_ALLOC_SIZE(cpus);
		cpu_set_t *set = CPU_ALLOC(cpus);
		if (!set)
			return 1;
		int n = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
		CPU_FREE(set);
		if (n > 0)
			return n;
	}
	return 1;
}

/* First line of a small file into buf, without its newline. Returns 0 on success. */
static int read_line(const char *path, char *buf, int cap)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return 1;
	char *line = fgets(buf, cap, f);
	fclose(f);
	if (!line)
		return 1;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}

/* Whole processors of a quota, at least 1: with one worker more than that, all wait for the throttled one. */
static int quota_count(long long quota, long long period)
{
	if (quota <= 0 || period <= 0)
		return INT_MAX;
	long long n = quota / period;
	return n < 1 ? 1 : n > INT_MAX ? INT_MAX : (int)n;
}

/* cgroup v2: "QUOTA PERIOD" or "max PERIOD" (Documentation/admin-guide/cgroup-v2.rst). */
static int limit_v2(const char *dir)
{
	char path[4200], line[64];
	long long quota, period;

	snprintf(path, sizeof path, "%s/cpu.max", dir);
	if (read_line(path, line, sizeof line) || sscanf(line, "%lld %lld", &quota, &period) != 2)
		return INT_MAX;
	return quota_count(quota, period);
}

static int limit_v1(const char *dir)
{
	char path[4200], line[64];

	snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir);
	if (read_line(path, line, sizeof line))
		return INT_MAX;
	long long quota = strtoll(line, NULL, 10);
	snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
	if (read_line(path, line, sizeof line))
		return INT_MAX;
	return quota_count(quota, strtoll(line, NULL, 10));
}

/* The tightest limit of the group and of all groups around it. In a container the path may name a place outside of the
 * mount; then only the mount itself is found, which is the container's own group. */
static int group_limit(const char *mount, const char *group, int (*limit)(const char *dir))
{
	char dir[4096];
	int least = INT_MAX;
	int n = snprintf(dir, sizeof dir, "%s%s", mount, group);
	size_t root = strlen(mount);

	if (n < 0 || (size_t)n >= sizeof dir)
		return least;
	for (size_t len = (size_t)n;; dir[len] = 0) {
		int here = limit(dir);
		if (here < least)
			least = here;
		if (len <= root)
			return least;
		while (len > root && dir[len] != '/')
			len--;
	}
}

/* A line of /proc/self/cgroup: "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1). */
static int line_limit(char *line)
{
	char *controllers = strchr(line, ':');
	char *group = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!group)
		return INT_MAX;
	*group++ = 0;
	controllers++;
	group[strcspn(group, "\n")] = 0;
	if (!*controllers)
		return group_limit("/sys/fs/cgroup", group, limit_v2);
	if (!strcmp(controllers, "cpu") || strstr(controllers, "cpu,") == controllers || strstr(controllers, ",cpu"))
		return group_limit("/sys/fs/cgroup/cpu", group, limit_v1);
	return INT_MAX;
}

int leat_cpu_count(void)
{
	char line[4096];
	int n = affinity_count();
	FILE *f = fopen("/proc/self/cgroup", "re");

	if (!f)
		return n;
	while (fgets(line, sizeof line, f)) {
		int limit = line_limit(line);
		if (limit < n)
			n = limit;
	}
	fclose(f);
	return n;
}
