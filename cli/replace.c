/* replace.c - which files a flag may write over: --trace and --save-state come before names of models on many a command
 * line, and a model in their place would be gone. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

int cli_may_replace(struct cli *c, const char *flag, const char *path, const char *magic)
{
	char begin[16];
	struct stat st;
	size_t n = strlen(magic), got;
	FILE *f;

	if (stat(path, &st) || !S_ISREG(st.st_mode) || st.st_size == 0)
		return 0; /* what cannot be written says so when it is */
	f = fopen(path, "re");
	if (!f)
		return cli_error(c, LEAT_E_IO, "%s %s: %s", flag, path, strerror(errno));
	got = fread(begin, 1, n, f);
	fclose(f);
	if (got == n && !memcmp(begin, magic, n))
		return 0;
	return cli_error(c, LEAT_E_ARG, "%s: %s exists and is no such file; it is not written over", flag, path);
}
