/* mkman.c - the manual pages of the program, in scdoc's form, from what --help prints too.
 *
 *   mkman leat OUT       leat.1: commands, environment, files, exit status
 *   mkman COMMAND OUT    leat-COMMAND.1
 *
 * A program of the build, never installed. scdoc: https://git.sr.ht/~sircmpwn/scdoc, scdoc(5). */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static FILE *page;

/* What has a meaning in scdoc is written with a backslash. */
static void text_n(const char *s, size_t n)
{
	/* A line that begins with a hyphen would be a list. */
	if (n && *s == '-')
		fputc('\\', page);
	for (; n; s++, n--) {
		if (strchr("\\*_`", *s))
			fputc('\\', page);
		fputc(*s, page);
	}
}

static void text(const char *s)
{
	text_n(s, strlen(s));
}

static void bold(const char *s)
{
	fputc('*', page);
	text(s);
	fputc('*', page);
}

/* Paragraphs part at empty lines; their lines are joined, because the reader's width is not known here. Lines that
 * begin with a space stand as they are. */
static void paragraphs(const char *s)
{
	int literal = 0, open = 0;

	for (; *s; s += strcspn(s, "\n"), s += *s == '\n') {
		size_t n = strcspn(s, "\n");
		if (literal != (*s == ' ')) {
			fputs(literal ? "```\n\n" : open ? "\n\n```\n" : "```\n", page);
			literal = !literal;
			open = 0;
		}
		if (literal) {
			fprintf(page, "%.*s\n", (int)n, s);
		} else if (n) {
			fputs(open ? " " : "", page);
			text_n(s, n);
			open = 1;
		} else if (open) {
			fputs("\n\n", page);
			open = 0;
		}
	}
	fputs(literal ? "```\n\n" : open ? "\n\n" : "", page);
}

static void option(enum cli_option o)
{
	const struct cli_option_row *r = cli_option_row(o);
	char env[64];

	if (r->short_name[0]) {
		fputs("*-", page);
		text(r->short_name);
		fputs("*, ", page);
	}
	fputs("*--", page);
	text(r->name);
	fputs("*", page);
	if (r->metavar[0]) {
		fputs(" ", page);
		text(r->metavar);
	}
	fputs("\n\t", page);
	text(r->help);
	fputs(".", page);
	if (r->type != CLI_BOOL && r->range[0]) {
		fputs(r->type == CLI_CHOICE ? " One of " : " Range ", page);
		text(r->range);
		fputs(".", page);
	}
	if (r->type != CLI_BOOL && r->dflt[0]) {
		fputs(" Default ", page);
		text(r->dflt);
		fputs(".", page);
	}
	cli_option_env(o, env, sizeof(env));
	if (env[0]) {
		fputs(" Environment: ", page);
		text(env);
		fputs(".", page);
	}
	fputs("\n\n", page);
}

static void exit_status(const char *verdict, int all)
{
	int i;

	fputs("# EXIT STATUS\n\n", page);
	for (i = 0; cli_exits[i].what; i++) {
		if (cli_exits[i].code == 1 && !all && !verdict)
			continue;
		fprintf(page, "*%d*\n\t", cli_exits[i].code);
		fputs(cli_exits[i].code == 1 && verdict ? "if " : "", page);
		text(cli_exits[i].code == 1 && verdict ? verdict : cli_exits[i].what);
		fputs(".\n\n", page);
	}
}

static void command_page(const struct leat_cmd *cmd)
{
	int o;

	fprintf(page, "leat-%s(1)\n\n# NAME\n\nleat-%s - ", cmd->name, cmd->name);
	text(cmd->summary);
	fputs("\n\n# SYNOPSIS\n\n*leat* ", page);
	text(cmd->usage);
	fputs("\n\n", page);
	if (cmd->alias[0])
		fprintf(page, "*leat* %s is the same.\n\n", cmd->alias);
	if (cmd->notes[0]) {
		fputs("# DESCRIPTION\n\n", page);
		paragraphs(cmd->notes);
	}
	fputs("# OPTIONS\n\n", page);
	for (o = OPT_VERBOSE + 1; o < N_OPTIONS; o++) {
		if (cli_option_applies((enum cli_option)o, cmd->bit))
			option((enum cli_option)o);
	}
	for (o = 0; o <= OPT_VERBOSE; o++) {
		if (cli_option_applies((enum cli_option)o, cmd->bit))
			option((enum cli_option)o);
	}
	exit_status(cmd->verdict, 0);
	if (cmd->examples[0].command)
		fputs("# EXAMPLES\n\n", page);
	for (o = 0; o < 4 && cmd->examples[o].command; o++) {
		text(cmd->examples[o].what);
		fprintf(page, ":\n\n```\n%s\n```\n\n", cmd->examples[o].command);
	}
	fputs("# SEE ALSO\n\n*leat*(1)\n", page);
}

static void main_page(void)
{
	int i;

	fputs("leat(1)\n\n# NAME\n\nleat - run language models on this machine\n\n"
	      "# SYNOPSIS\n\n*leat* COMMAND [ARGUMENTS]\n\n"
	      "*leat* COMMAND *--help*\n\n# DESCRIPTION\n\n"
	      "leat loads the weights of a language model from a file and computes with them: text, tokens, logits, "
	      "measurements. Nothing is configured; what a file is, how it is tokenized and how much memory it takes "
	      "is worked out and shown.\n\n"
	      "Data goes to standard output, everything else to standard error. With *--json* both are JSON, one "
	      "object a line, whose first key is \"schema\".\n\n# COMMANDS\n\n",
	      page);
	for (i = 0; leat_cmd_list[i]; i++) {
		fprintf(page, "*leat-%s*(1)\n\t", leat_cmd_list[i]->name);
		text(leat_cmd_list[i]->summary);
		fputs(".\n\n", page);
	}
	fputs("# ENVIRONMENT\n\nMost options have a variable: *LEAT\\_* and the long name in capitals, with \\_ for "
	      "each hyphen. A flag on the command line wins.\n\n",
	      page);
	bold("LEAT_MODEL");
	fputs("\n\tthe model of commands that are given none.\n\n", page);
	bold("LEAT_MODELS");
	fputs("\n\tfolder in which the demo model is looked for first.\n\n", page);
	exit_status(NULL, 1);
	fputs("# EXAMPLES\n\n```\nleat run model.gguf -p \"Once upon a time\"\nleat inspect model.gguf\n"
	      "leat bench model.gguf\nleat doctor\n```\n\n# SEE ALSO\n\n*libleat*(3)\n",
	      page);
}

int main(int argc, char **argv)
{
	int i, found = 0;

	page = argc == 3 ? fopen(argv[2], "w") : NULL;
	if (!page) {
		fputs("usage: mkman leat|COMMAND OUT\n", stderr);
		return 2;
	}
	if (!strcmp(argv[1], "leat")) {
		main_page();
		found = 1;
	}
	for (i = 0; leat_cmd_list[i]; i++) {
		if (!strcmp(leat_cmd_list[i]->name, argv[1])) {
			command_page(leat_cmd_list[i]);
			found = 1;
		}
	}
	if (!found)
		fprintf(stderr, "mkman: no command '%s'\n", argv[1]);
	return fclose(page) || !found;
}
