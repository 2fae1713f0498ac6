/* cmd_completions.c - leat completions: what a shell needs to finish a command line, from the option table.
 *
 * Each script knows the flags of one subcommand at a time, the values of those that have a choice, and where a file
 * is wanted. It asks no model and runs no leat. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum value_kind { VALUE_NONE, VALUE_WORDS, VALUE_FILE, VALUE_FREE };

static enum value_kind kind_of(const struct cli_option_row *r)
{
	if (r->type == CLI_BOOL)
		return VALUE_NONE;
	if (r->type == CLI_CHOICE || !strcmp(r->name, "opt") || !strcmp(r->name, "chat-template"))
		return VALUE_WORDS;
	if (!strcmp(r->metavar, "FILE") || !strcmp(r->metavar, "REF") || !strcmp(r->metavar, "DIR"))
		return VALUE_FILE;
	return VALUE_FREE;
}

/* "a|b" as "a b". */
static void put_words(const char *words)
{
	for (; *words; words++)
		cli_out(*words == '|' ? " " : words, 1);
}

/* What may follow a flag of VALUE_WORDS: the table's choices, or what the library lists. */
static void put_values(const struct cli_option_row *r)
{
	const struct leat_opt_info *o;
	int i;

	if (!strcmp(r->name, "opt")) {
		for (i = 0; (o = leat_opt_at(i)); i++)
			cli_printf("%s%s=on %s=off", i ? " " : "", o->name, o->name);
	} else if (!strcmp(r->name, "chat-template")) {
		cli_puts("auto");
		for (i = 0; leat_chat_template_at(i); i++)
			cli_printf(" %s", leat_chat_template_at(i));
	} else {
		put_words(r->range);
	}
}

static void put_command_names(const char *alternatives)
{
	int i;

	for (i = 0; leat_cmd_list[i]; i++) {
		const struct leat_cmd *cmd = leat_cmd_list[i];
		cli_printf("%s%s%s%s", i ? " " : "", cmd->name, cmd->alias[0] ? alternatives : "", cmd->alias);
	}
}

/* ---- bash ---- */

static void bash_flags(const struct leat_cmd *cmd)
{
	int o;

	for (o = 0; o < N_OPTIONS; o++) {
		const struct cli_option_row *r = cli_option_row((enum cli_option)o);
		if (!cli_option_applies((enum cli_option)o, cmd->bit))
			continue;
		cli_printf(" --%s", r->name);
		if (r->short_name[0])
			cli_printf(" -%s", r->short_name);
	}
}

/* A case for each flag that takes a value. */
static void bash_values(const struct leat_cmd *cmd)
{
	int o;

	for (o = 0; o < N_OPTIONS; o++) {
		const struct cli_option_row *r = cli_option_row((enum cli_option)o);
		enum value_kind kind = kind_of(r);
		if (!cli_option_applies((enum cli_option)o, cmd->bit) || kind == VALUE_NONE)
			continue;
		cli_printf("\t\t--%s", r->name);
		if (r->short_name[0])
			cli_printf(" | -%s", r->short_name);
		cli_puts(")");
		if (kind == VALUE_FILE) {
			cli_puts(" kind=file ;;\n");
			continue;
		}
		cli_puts(" kind=words words='");
		if (kind == VALUE_WORDS)
			put_values(r);
		cli_puts("' ;;\n");
	}
}

static void bash_command(const struct leat_cmd *cmd)
{
	cli_printf("\t%s%s%s)\n\t\tflags='", cmd->name, cmd->alias[0] ? " | " : "", cmd->alias);
	bash_flags(cmd);
	cli_puts("'\n");
	if (cmd->arguments) {
		cli_puts("\t\tkind=words words='");
		put_words(cmd->arguments);
		cli_puts("'\n");
	}
	cli_puts("\t\tcase $prev in\n");
	bash_values(cmd);
	cli_puts("\t\tesac\n\t\t;;\n");
}

static void bash(void)
{
	int i;

	cli_puts("# bash completion of leat; made by: leat completions bash\n"
		 "_leat() {\n"
		 "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} kind=file words= flags=\n"
		 "\t# --flag=value comes as three words\n"
		 "\tif [[ $cur == '=' ]]; then\n\t\tcur=\n"
		 "\telif [[ $prev == '=' && COMP_CWORD -gt 2 ]]; then\n\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n\tfi\n"
		 "\tCOMPREPLY=()\n"
		 "\tif ((COMP_CWORD == 1)); then\n\t\tmapfile -t COMPREPLY < <(compgen -W '");
	put_command_names(" ");
	cli_puts(" help --help --version' -- \"$cur\")\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n"
		 "\thelp)\n\t\tkind=words words='");
	put_command_names(" ");
	cli_puts("'\n\t\t;;\n");
	for (i = 0; leat_cmd_list[i]; i++)
		bash_command(leat_cmd_list[i]);
	cli_puts("\tesac\n"
		 "\tif [[ $cur == -* && -n $flags ]]; then\n"
		 "\t\tmapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$cur\")\n"
		 "\telif [[ $kind == words ]]; then\n"
		 "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
		 "\telse\n"
		 "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
		 "\t\tcompopt -o filenames 2>/dev/null\n"
		 "\tfi\n}\ncomplete -F _leat leat\n");
}

/* ---- zsh ---- */

/* Inside single quotes; `special` are the characters that mean something to _arguments there. */
static void quoted(const char *s, const char *special)
{
	for (; *s; s++) {
		if (*s == '\'')
			cli_puts("'\\''");
		else if (strchr(special, *s))
			cli_printf("\\%c", *s);
		else
			cli_out(s, 1);
	}
}

static void zsh_option(const struct cli_option_row *r)
{
	enum value_kind kind = kind_of(r);
	const char *many = r->type == CLI_LIST ? "*" : "";

	cli_puts("\t\t'");
	if (r->short_name[0] && !many[0])
		cli_printf("(-%s --%s)", r->short_name, r->name);
	cli_printf("%s'", many);
	if (r->short_name[0])
		cli_printf("{-%s,--%s}", r->short_name, r->name);
	else
		cli_printf("--%s", r->name);
	cli_puts("'[");
	quoted(r->help, "[]\\");
	cli_puts("]");
	if (kind != VALUE_NONE) {
		cli_puts(":");
		quoted(r->metavar, ":\\");
		cli_puts(":");
	}
	if (kind == VALUE_FILE)
		cli_puts("_files");
	if (kind == VALUE_WORDS) {
		cli_puts("(");
		put_values(r);
		cli_puts(")");
	}
	cli_puts("' \\\n");
}

static void zsh_command(const struct leat_cmd *cmd)
{
	int o;

	cli_printf("\t%s%s%s)\n\t\t_arguments \\\n", cmd->name, cmd->alias[0] ? "|" : "", cmd->alias);
	for (o = 0; o < N_OPTIONS; o++) {
		if (cli_option_applies((enum cli_option)o, cmd->bit))
			zsh_option(cli_option_row((enum cli_option)o));
	}
	if (!cmd->arguments) {
		cli_puts("\t\t'*:file:_files'\n\t\t;;\n");
	} else {
		cli_puts("\t\t'*:argument:(");
		put_words(cmd->arguments);
		cli_puts(")'\n\t\t;;\n");
	}
}

static void zsh(void)
{
	int i;

	cli_puts("#compdef leat\n# zsh completion of leat; made by: leat completions zsh\n"
		 "_leat() {\n\tlocal -a commands\n\tcommands=(\n");
	for (i = 0; leat_cmd_list[i]; i++) {
		cli_printf("\t\t'%s:", leat_cmd_list[i]->name);
		quoted(leat_cmd_list[i]->summary, ":\\");
		cli_puts("'\n");
	}
	cli_puts("\t\t'help:show the options of a command'\n\t)\n"
		 "\tif ((CURRENT == 2)); then\n"
		 "\t\t_describe -t commands command commands\n"
		 "\t\t[[ $PREFIX == -* ]] && compadd -- --help --version\n"
		 "\t\treturn\n\tfi\n"
		 "\tlocal command=$words[2]\n"
		 "\tshift words\n\t((CURRENT--))\n"
		 "\tcase $command in\n"
		 "\thelp)\n\t\t_describe -t commands command commands\n\t\t;;\n");
	for (i = 0; leat_cmd_list[i]; i++)
		zsh_command(leat_cmd_list[i]);
	/* Read by the completion system as a function's body, or sourced. */
	cli_puts("\tesac\n}\nif [[ $funcstack[1] == _leat ]]; then\n\t_leat \"$@\"\nelse\n\tcompdef _leat leat\nfi\n");
}

/* ---- fish ---- */

/* In fish's single quotes only these two are escaped. */
static void fish_quoted(const char *s)
{
	cli_puts("'");
	for (; *s; s++)
		cli_printf("%s%c", *s == '\'' || *s == '\\' ? "\\" : "", *s);
	cli_puts("'\n");
}

static void fish_option(const struct cli_option_row *r)
{
	enum value_kind kind = kind_of(r);
	int i;

	cli_puts("complete -c leat -n '__fish_seen_subcommand_from");
	for (i = 0; leat_cmd_list[i]; i++) {
		const struct leat_cmd *cmd = leat_cmd_list[i];
		if (r->commands & cmd->bit)
			cli_printf(" %s%s%s", cmd->name, cmd->alias[0] ? " " : "", cmd->alias);
	}
	cli_puts("'");
	if (r->short_name[0])
		cli_printf(" -%c %s", r->short_name[1] ? 'o' : 's', r->short_name);
	cli_printf(" -l %s", r->name);
	if (kind == VALUE_FILE)
		cli_puts(" -r -F");
	else if (kind != VALUE_NONE)
		cli_puts(" -x");
	if (kind == VALUE_WORDS) {
		cli_puts(" -a '");
		put_values(r);
		cli_puts("'");
	}
	cli_puts(" -d ");
	fish_quoted(r->help);
}

static void fish(void)
{
	int i;

	cli_puts("# fish completion of leat; made by: leat completions fish\ncomplete -c leat -f\n");
	for (i = 0; leat_cmd_list[i]; i++) {
		cli_printf("complete -c leat -n __fish_use_subcommand -a %s -d ", leat_cmd_list[i]->name);
		fish_quoted(leat_cmd_list[i]->summary);
	}
	cli_puts("complete -c leat -n __fish_use_subcommand -a help -d 'show the options of a command'\n"
		 "complete -c leat -n __fish_use_subcommand -s V -l version -d 'show version and build'\n"
		 "complete -c leat -n __fish_use_subcommand -s h -l help -d 'show help'\n"
		 "complete -c leat -n '__fish_seen_subcommand_from help' -a '");
	put_command_names(" ");
	cli_puts("'\n");
	for (i = 0; i < N_OPTIONS; i++)
		fish_option(cli_option_row((enum cli_option)i));
	for (i = 0; leat_cmd_list[i]; i++) {
		const struct leat_cmd *cmd = leat_cmd_list[i];
		cli_printf("complete -c leat -n '__fish_seen_subcommand_from %s%s%s'", cmd->name,
			   cmd->alias[0] ? " " : "", cmd->alias);
		if (!cmd->arguments) {
			cli_puts(" -F\n");
			continue;
		}
		cli_puts(" -a '");
		put_words(cmd->arguments);
		cli_puts("'\n");
	}
}

static int run(struct cli *c)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };
	const char *wanted = c->n_args ? c->args[0] : NULL;
	size_t i;

	if (!wanted)
		return cli_usage_error(c, "which shell: bash, zsh or fish?");
	for (i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(wanted, shells[i].name))
			continue;
		shells[i].print();
		return 0;
	}
	return cli_usage_error(c, "'%s' is none of bash, zsh, fish", wanted);
}

const struct leat_cmd leat_cmd_completions = {
	.name = "completions",
	.alias = "",
	.summary = "print what a shell needs to complete leat's commands",
	.usage = "completions bash|zsh|fish",
	.notes = "\nThe script offers the flags of each command, the values of those that have a choice, and files.\n"
		 "`cmake --install` puts all three where the shells look for them.\n",
	.examples = {
		{ "leat completions bash >> ~/.bash_completion", "for every new bash" },
		{ "leat completions zsh > \"${fpath[1]}/_leat\"", "for zsh" },
		{ "leat completions fish > ~/.config/fish/completions/leat.fish", "for fish" },
	},
	.bit = C_COMPLETIONS,
	.max_args = 1,
	.run = run,
	.arguments = "bash|zsh|fish",
};
