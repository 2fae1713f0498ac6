/* help.c - --help and --version, from the option table and the command list. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { HELP_INDENT = 30, HELP_WIDTH = 100 };

/* Words of `text` from column HELP_INDENT on. */
static void wrap(const char *text)
{
	size_t column = HELP_INDENT, n;

	while (*text) {
		n = strcspn(text, " ");
		if (column + n + 1 > HELP_WIDTH) {
			cli_printf("\n%*s", HELP_INDENT, "");
			column = HELP_INDENT;
		}
		cli_printf("%s%.*s", column > HELP_INDENT ? " " : "", (int)n, text);
		column += n + (column > HELP_INDENT);
		text += n;
		text += *text == ' ';
	}
	cli_puts("\n");
}

static void help_option(enum cli_option o)
{
	const struct cli_option_row *r = cli_option_row(o);
	char left[96], text[400], env[64];
	int plain_bool = !r->metavar[0];
	int n = snprintf(left, sizeof(left), "  %s%s%s--%s%s%s", r->short_name[0] ? "-" : "", r->short_name,
			 r->short_name[0] ? ", " : "", r->name, plain_bool ? "" : " ", r->metavar);
	size_t used;

	snprintf(text, sizeof(text), "%s", r->help);
	used = strlen(text);
	if (!plain_bool && (r->range[0] || r->dflt[0])) {
		snprintf(text + used, sizeof(text) - used, " [%s%s%s%s]", r->range,
			 r->range[0] && r->dflt[0] ? "; " : "", r->dflt[0] ? "default " : "", r->dflt);
		used = strlen(text);
	}
	cli_option_env(o, env, sizeof(env));
	if (env[0])
		snprintf(text + used, sizeof(text) - used, " (%s)", env);
	if (n >= HELP_INDENT - 1)
		cli_printf("%s\n%*s", left, HELP_INDENT, "");
	else
		cli_printf("%-*s", HELP_INDENT, left);
	wrap(text);
}

void cli_help_command(const struct leat_cmd *cmd)
{
	int o;

	cli_printf("usage: leat %s\n\n%s.\n", cmd->usage, cmd->summary);
	if (cmd->alias[0])
		cli_printf("Also: leat %s\n", cmd->alias);
	cli_puts("\nOptions [range; default] (environment variable):\n");
	for (o = 0; o < N_OPTIONS; o++) {
		if (o > OPT_VERBOSE && cli_option_applies((enum cli_option)o, cmd->bit))
			help_option((enum cli_option)o);
	}
	for (o = 0; o <= OPT_VERBOSE; o++) {
		if (cli_option_applies((enum cli_option)o, cmd->bit))
			help_option((enum cli_option)o);
	}
	cli_puts(cmd->notes);
	if (cmd->examples[0].command)
		cli_puts("\nExamples:\n");
	for (o = 0; o < 4 && cmd->examples[o].command; o++)
		cli_printf("  %s\n      %s\n", cmd->examples[o].command, cmd->examples[o].what);
	cli_puts("\nExit status: 0 done, ");
	if (cmd->verdict)
		cli_printf("1 if %s, ", cmd->verdict);
	cli_puts("others as in leat --help.\n");
}

const struct cli_exit cli_exits[] = {
	{ 0, "done" },
	{ 1, "done, and the verdict is negative" },
	{ 2, "wrong use: an unknown flag, a value out of range" },
	{ 65, "bad data: a file or a text that leat cannot take" },
	{ 66, "no such file, or no chat template of that name" },
	{ 69, "no resources: memory, or a limit" },
	{ 70, "a fault in leat or in the model, such as a NaN" },
	{ 74, "input/output error" },
	{ 75, "no capacity now; try again" },
	{ 130, "interrupted (128 and the number of the signal)" },
	{ 141, "nobody reads the output" },
	{ 0, NULL },
};

void cli_help_main(void)
{
	int i;

	cli_puts("usage: leat COMMAND [ARGUMENTS]\n\nleat runs RWKV-7, Qwen, Llama, Mistral and Phi-3 language models "
		 "from GGUF and safetensors files on this machine.\n\n");
	for (i = 0; leat_cmd_list[i]; i++)
		cli_printf("  %-12s %s\n", leat_cmd_list[i]->name, leat_cmd_list[i]->summary);
	cli_puts("\n  leat run MODEL -p \"Once upon a time\"    write on from a text\n"
		 "  leat COMMAND --help                     options of a command\n"
		 "  leat --version                          version and build\n"
		 "  man leat, man leat-COMMAND              the same as manual pages, if installed\n\n"
		 "Exit status:\n");
	for (i = 0; cli_exits[i].what; i++)
		cli_printf("  %3d  %s\n", cli_exits[i].code, cli_exits[i].what);
}

#ifndef LEAT_COMMIT
#define LEAT_COMMIT "unknown"
#endif
const char cli_commit[] = LEAT_COMMIT;

void cli_version(void)
{
	int i;

	cli_printf("leat %s\nbuild: %s, commit %s\narchitectures:", leat_version(), leat_build_info(), cli_commit);
	for (i = 0; leat_arch_name_at(i); i++)
		cli_printf(" %s", leat_arch_name_at(i));
	cli_puts("\nweight types:");
	for (i = 0; leat_type_name_at(i); i++)
		cli_printf(" %s", leat_type_name_at(i));
	cli_puts("\n");
}

/* ---- did you mean ---- */

enum { NEAR_WORD = 31 };

static int min_int(int a, int b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) between two words; long words count as far apart. */
static int distance(const char *a, const char *b)
{
	int d[NEAR_WORD + 1][NEAR_WORD + 1];
	int n = (int)strnlen(a, NEAR_WORD + 1), m = (int)strnlen(b, NEAR_WORD + 1), i, j;

	if (n > NEAR_WORD || m > NEAR_WORD)
		return NEAR_WORD;
	for (i = 0; i <= n; i++)
		d[i][0] = i;
	for (j = 0; j <= m; j++)
		d[0][j] = j;
	for (i = 1; i <= n; i++) {
		for (j = 1; j <= m; j++) {
			d[i][j] = min_int(min_int(d[i - 1][j], d[i][j - 1]) + 1,
					  d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = min_int(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[n][m];
}

const char *cli_nearest(const char *word, const char *const *candidates)
{
	const char *best = NULL;
	int best_d = (int)strlen(word) / 3 + 2;

	for (; *candidates; candidates++) {
		int d = distance(word, *candidates);
		/* A word that was only begun is near too. */
		if (strlen(word) >= 3 && !strncmp(word, *candidates, strlen(word)))
			d = 1;
		if (d < best_d) {
			best_d = d;
			best = *candidates;
		}
	}
	return best;
}
