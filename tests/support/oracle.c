/* oracle.c - reading references. */
#include "support/oracle.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *env_or(const char *name, const char *other)
{
	const char *v = getenv(name);
	return v && *v ? v : other;
}

const char *source_path(const char *relative)
{
	static char path[2][1024];
	static int which;
	which = !which;
	snprintf(path[which], sizeof path[which], "%s/%s", env_or("LEAT_SOURCE_DIR", "."), relative);
	return path[which];
}

const char *oracle_path(const char *relative)
{
	static char path[2][1024];
	static int which;
	which = !which;
	snprintf(path[which], sizeof path[which], "%s/%s", env_or("LEAT_ORACLE", source_path("../shared/oracle")),
		 relative);
	if (access(path[which], R_OK)) {
		printf("skipped: no %s\n", relative);
		return NULL;
	}
	return path[which];
}

const char *oracle_untar(const char *archive, const char *member)
{
	static char path[1024];
	char dir[512];
	const char *file = oracle_path(archive);
	/* a folder for each test program: several of them may run at a time */
	snprintf(dir, sizeof dir, "%s/untar", env_or("LEAT_BUILD_DIR", "/tmp"));
	mkdir(dir, 0700);
	snprintf(dir, sizeof dir, "%s/untar/%s", env_or("LEAT_BUILD_DIR", "/tmp"), program_invocation_short_name);
	mkdir(dir, 0700);
	char *argv[] = { (char *)"tar", (char *)"-xzf", (char *)file, (char *)"-C", dir, (char *)member, NULL };
	char *env[] = { (char *)"PATH=/usr/bin:/bin", NULL };
	pid_t pid;
	int status;
	if (!file || posix_spawnp(&pid, "tar", NULL, NULL, argv, env) || waitpid(pid, &status, 0) != pid || status)
		return NULL;
	snprintf(path, sizeof path, "%s/%s", dir, member);
	return path;
}

unsigned char *read_file(const char *path, size_t *ret_n)
{
	FILE *f = path ? fopen(path, "rb") : NULL;
	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	long n = ftell(f);
	rewind(f);
	unsigned char *p = malloc((size_t)n + 1);
	if (p && fread(p, 1, (size_t)n, f) == (size_t)n) {
		p[n] = 0;
		*ret_n = (size_t)n;
	} else {
		free(p);
		p = NULL;
	}
	fclose(f);
	return p;
}

float *read_floats(const char *path, size_t *ret_n)
{
	size_t n, skip = 0;
	unsigned char *p = read_file(path, &n);
	if (!p)
		return NULL;
	if (n > 10 && !memcmp(p, "\x93NUMPY\x01", 7))
		skip = 10 + (size_t)(p[8] | p[9] << 8);
	float *x = malloc(n - skip + 1);
	if (x)
		memcpy(x, p + skip, n - skip);
	free(p);
	*ret_n = (n - skip) / sizeof *x;
	return x;
}

/* What follows the quoted word, or NULL. */
static char *after_word(char *text, const char *word)
{
	char quoted[64];
	snprintf(quoted, sizeof quoted, "\"%s\"", word);
	char *p = strstr(text, quoted);
	return p ? p + strlen(quoted) : NULL;
}

int32_t *read_json_ints(const char *path, const char *section, const char *key, size_t *ret_n)
{
	size_t n, count = 0;
	unsigned char *text = read_file(path, &n);
	if (!text)
		return NULL;
	char *p = section ? after_word((char *)text, section) : (char *)text;
	p = p ? after_word(p, key) : NULL;
	p = p ? strchr(p, '[') : NULL;
	int32_t *ids = malloc((n + 1) * sizeof *ids);
	while (ids && p && *p != ']' && *p) {
		char *end;
		long v = strtol(p + 1, &end, 10);
		if (end == p + 1)
			break;
		ids[count++] = (int32_t)v;
		for (p = end; isspace((unsigned char)*p); p++)
			;
	}
	free(text);
	*ret_n = count;
	return ids;
}

double standard_deviation(const float *x, size_t n)
{
	double sum = 0, sq = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)x[i];
	for (size_t i = 0; i < n; i++)
		sq += ((double)x[i] - sum / (double)n) * ((double)x[i] - sum / (double)n);
	return sqrt(sq / (double)n);
}
