/* main.c - picks the command. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const struct leat_cmd *find_command(const char *name)
{
	int i;

	for (i = 0; leat_cmd_list[i]; i++) {
		const struct leat_cmd *cmd = leat_cmd_list[i];
		if (!strcmp(cmd->name, name) || (cmd->alias[0] && !strcmp(cmd->alias, name)))
			return cmd;
	}
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *names[64], *near;
	int n = 0;

	while (leat_cmd_list[n] && n < 63) {
		names[n] = leat_cmd_list[n]->name;
		n++;
	}
	names[n] = NULL;
	near = cli_nearest(name, names);
	if (near)
		return cli_usage_error(NULL, "unknown command '%s'; did you mean '%s'?", name, near);
	return cli_usage_error(NULL, "unknown command '%s'", name);
}

static int run_command(const struct leat_cmd *cmd, int argc, char **argv)
{
	struct cli c;
	int rc;

	memset(&c, 0, sizeof(c));
	c.cmd = cmd;
	rc = cli_parse(&c, argc, argv);
	if (!rc && c.value[OPT_HELP].i)
		cli_help_command(cmd);
	else if (!rc && c.value[OPT_VERSION].i)
		cli_version();
	else if (!rc)
		rc = cli_run_traced(&c);
	cli_free(&c);
	return rc;
}

/* `leat help run` and `leat run --help` are the same. */
static int help(int argc, char **argv)
{
	const struct leat_cmd *cmd = argc > 0 ? find_command(argv[0]) : NULL;

	if (argc > 0 && !cmd)
		return unknown_command(argv[0]);
	if (cmd)
		cli_help_command(cmd);
	else
		cli_help_main();
	return 0;
}

/* A caller may have closed a standard stream; the next file that is opened would then become it, and text meant for
 * people would end up inside. A stream opened the wrong way round fails on use, as a closed one does. */
static void fill_streams(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
			return;
	}
}

int main(int argc, char **argv)
{
	const struct leat_cmd *cmd;
	int rc = 0;

	fill_streams();
	cli_signals_init();
	if (argc < 2)
		return cli_close_out(cli_usage_error(NULL, "a command is missing"));
	cmd = find_command(argv[1]);
	if (cmd)
		rc = run_command(cmd, argc - 2, argv + 2);
	else if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		rc = help(argc - 2, argv + 2);
	else if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		cli_version();
	else if (argv[1][0] == '-')
		rc = cli_usage_error(NULL, "unknown option '%s'", argv[1]);
	else
		rc = unknown_command(argv[1]);
	return cli_close_out(rc);
}
