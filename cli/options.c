/* options.c - the parser of options.def. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const struct cli_option_row options[N_OPTIONS] = {
#define X(id, name, short_name, type, range, dflt, env, commands, metavar, help) \
	[OPT_##id] = { name, short_name, CLI_##type, range, dflt, env, commands, metavar, help },
#include "options.def"
#undef X
};

const struct cli_option_row *cli_option_row(enum cli_option o)
{
	return &options[o];
}

const char *cli_option_name(enum cli_option o)
{
	return options[o].name;
}

const char *cli_option_range(enum cli_option o)
{
	return options[o].range;
}

int cli_option_applies(enum cli_option o, unsigned commands)
{
	return (options[o].commands & commands) != 0;
}

int cli_is_set(const struct cli *c, enum cli_option o)
{
	return c->value[o].source != CLI_DEFAULT;
}

void cli_option_env(enum cli_option o, char *buf, size_t cap)
{
	size_t i;

	buf[0] = 0;
	if (!options[o].env)
		return;
	snprintf(buf, cap, "LEAT_%s", options[o].name);
	for (i = 5; buf[i]; i++) {
		if (buf[i] == '-')
			buf[i] = '_';
		else if (buf[i] >= 'a' && buf[i] <= 'z')
			buf[i] = (char)(buf[i] - 'a' + 'A');
	}
}

/* ---- values ---- */

/* "lo..hi"; '<' leaves an end out. The library keeps these numbers as float, so it is the float that must be inside. */
static int outside(double v, const char *range)
{
	const char *dots = strstr(range, "..");
	double lo, hi;
	int above, below;

	if (!dots)
		return 0;
	above = dots[-1] == '<';
	below = dots[2] == '<';
	lo = strtod(range, NULL);
	hi = strtod(dots + 2 + below, NULL);
	return v < lo || v > hi || (above && (double)(float)v <= lo) || (below && (double)(float)v >= hi);
}

int cli_number(enum cli_option o, const char *text, double *ret)
{
	char *end;
	double v;

	if (*text == 0 || *text == ' ' || *text == '\t')
		return 1;
	v = strtod(text, &end);
	if (*end || !isfinite(v) || outside(v, options[o].range))
		return 1;
	*ret = v;
	return 0;
}

static int parse_bool(const char *s, int64_t *ret)
{
	static const char *const on[] = {"1", "on", "true", "yes", NULL}, *const off[] = {"0", "off", "false", "no",
											  NULL};
	int i;

	for (i = 0; on[i]; i++) {
		if (!strcmp(s, on[i])) {
			*ret = 1;
			return 0;
		}
		if (!strcmp(s, off[i])) {
			*ret = 0;
			return 0;
		}
	}
	return 1;
}

static int parse_int(const char *s, const char *range, int64_t *ret)
{
	char *end;
	const char *dots = strstr(range, "..");
	long long v;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (end == s || *end || errno || *s == ' ' || *s == '\t' || *s == '\n')
		return 1;
	if (dots && (v < strtoll(range, NULL, 10) || v > strtoll(dots + 2, NULL, 10)))
		return 1;
	*ret = v;
	return 0;
}

static int parse_seed(const char *s, int64_t *ret)
{
	char *end;
	unsigned long long v;

	if (!strcmp(s, "-1")) {
		*ret = -1;
		return 0;
	}
	errno = 0;
	v = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end || errno)
		return 1;
	*ret = (int64_t)v;
	return 0;
}

static int parse_choice(const char *s, const char *range, int64_t *ret)
{
	size_t n = strlen(s), m;
	int64_t i = 0;

	for (;; i++) {
		m = strcspn(range, "|");
		if (m == n && !memcmp(range, s, n)) {
			*ret = i;
			return 0;
		}
		if (!range[m])
			return 1;
		range += m + 1;
	}
}

static int append(struct cli_value *v, const char *s, int source)
{
	const char **list;

	/* A flag replaces what the environment said; further flags add. */
	if (v->source != source)
		v->n_list = 0;
	list = realloc(v->list, sizeof(*list) * (size_t)(v->n_list + 1));
	if (!list)
		return 1;
	list[v->n_list++] = s;
	v->list = list;
	return 0;
}

/* 0, or 1 when the text is no value of this option. */
static int assign(struct cli_value *v, enum cli_option id, const char *s, int source)
{
	const struct cli_option_row *o = &options[id];
	int bad = 0;

	switch (o->type) {
	case CLI_BOOL:
		bad = parse_bool(s, &v->i);
		break;
	case CLI_INT:
		bad = parse_int(s, o->range, &v->i);
		break;
	case CLI_FLOAT:
		bad = cli_number(id, s, &v->f);
		break;
	case CLI_SEED:
		bad = parse_seed(s, &v->i);
		break;
	case CLI_CHOICE:
		bad = parse_choice(s, o->range, &v->i);
		break;
	case CLI_STRING:
		break;
	case CLI_LIST:
		bad = append(v, s, source);
		break;
	}
	if (bad)
		return 1;
	v->s = s;
	v->source = source;
	return 0;
}

static const char *wanted(const struct cli_option_row *o, char buf[96])
{
	switch (o->type) {
	case CLI_BOOL:
		return "on or off";
	case CLI_INT:
	case CLI_FLOAT:
		snprintf(buf, 96, "%s %s", o->type == CLI_INT ? "an integer in" : "a number in", o->range);
		return buf;
	case CLI_SEED:
		return "a number in 0..18446744073709551615, or -1";
	case CLI_CHOICE:
		snprintf(buf, 96, "one of %s", o->range);
		return buf;
	default:
		return "text";
	}
}

int cli_assign(struct cli_value *v, enum cli_option o, const char *text, char why[96])
{
	char buf[96];

	if (!assign(v, o, text, CLI_FLAG))
		return 0;
	snprintf(why, 96, "%s", wanted(&options[o], buf));
	return 1;
}

static int set_flag(struct cli *c, enum cli_option id, const char *shown, const char *s)
{
	char buf[96];

	if (!assign(&c->value[id], id, s, CLI_FLAG))
		return 0;
	return cli_usage_error(c, "%s: '%s' is not %s", shown, s, wanted(&options[id], buf));
}

/* ---- command line ---- */

static int find_long(const struct cli *c, const char *name, size_t n)
{
	int o;

	for (o = 0; o < N_OPTIONS; o++) {
		if ((options[o].commands & c->cmd->bit) && strlen(options[o].name) == n &&
		    !memcmp(options[o].name, name, n))
			return o;
	}
	return -1;
}

static int find_short(const struct cli *c, const char *name, size_t n)
{
	int o;

	for (o = 0; o < N_OPTIONS; o++) {
		if ((options[o].commands & c->cmd->bit) && n && strlen(options[o].short_name) == n &&
		    !memcmp(options[o].short_name, name, n))
			return o;
	}
	return -1;
}

static int unknown_flag(const struct cli *c, const char *flag)
{
	const char *names[N_OPTIONS + 1], *near;
	char word[64];
	int o, n = 0;
	size_t dashes = flag[1] == '-' ? 2 : 1;

	for (o = 0; o < N_OPTIONS; o++) {
		if (options[o].commands & c->cmd->bit)
			names[n++] = options[o].name;
	}
	names[n] = NULL;
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(flag + dashes, "="), flag + dashes);
	near = cli_nearest(word, names);
	for (o = 0; o < N_OPTIONS && !near; o++) {
		if (!strcmp(options[o].name, word))
			return cli_usage_error(c, "'%s' is no option of leat %s", flag, c->cmd->name);
	}
	if (near)
		return cli_usage_error(c, "unknown option '%s'; did you mean '--%s'?", flag, near);
	return cli_usage_error(c, "unknown option '%s'", flag);
}

static int is_flag(struct cli *c, const char *word)
{
	return word[0] == '-' && word[1] == '-' && word[2] && find_long(c, word + 2, strcspn(word + 2, "=")) >= 0;
}

/* One argument that begins with a dash; *i moves past a value taken from the next argument. */
static int parse_flag(struct cli *c, char **argv, int argc, int *i)
{
	char *arg = argv[*i];
	char shown[64];
	const char *value = NULL;
	size_t n = strcspn(arg, "=");
	int o = arg[1] == '-' ? find_long(c, arg + 2, n - 2) : find_short(c, arg + 1, n - 1);

	if (o >= 0 && arg[n] == '=')
		value = arg + n + 1;
	if (o < 0 && arg[1] != '-' && arg[2] && (strchr("0123456789", arg[2]))) {
		/* -t4 */
		o = find_short(c, arg + 1, 1);
		value = arg + 2;
		n = 2;
		if (o >= 0 && options[o].type != CLI_INT && options[o].type != CLI_LIST)
			o = -1;
	}
	if (o < 0)
		return unknown_flag(c, arg);
	snprintf(shown, sizeof(shown), "%.*s", (int)n, arg);
	if (!value && options[o].type == CLI_BOOL)
		value = "on";
	if (!value) {
		if (*i + 1 >= argc)
			return cli_usage_error(c, "%s needs a value", shown);
		value = argv[++*i];
		if (is_flag(c, value)) /* forgotten: or files named --help would come into being */
			return cli_usage_error(c, "%s needs a value; %s=%s takes the next flag for it", shown, shown,
					       value);
	}
	return set_flag(c, (enum cli_option)o, shown, value);
}

static int read_environment(struct cli *c)
{
	char name[64], buf[96];
	int o;

	for (o = 0; o < N_OPTIONS; o++) {
		const char *s;
		if (!(options[o].commands & c->cmd->bit))
			continue;
		if (options[o].dflt[0] && assign(&c->value[o], (enum cli_option)o, options[o].dflt, CLI_DEFAULT))
			return cli_error(c, LEAT_E_INTERNAL, "default of --%s does not fit its range", options[o].name);
		cli_option_env((enum cli_option)o, name, sizeof(name));
		s = name[0] ? getenv(name) : NULL;
		if (s && *s && assign(&c->value[o], (enum cli_option)o, s, CLI_ENV))
			return cli_usage_error(c, "environment: %s: '%s' is not %s", name, s, wanted(&options[o], buf));
	}
	return 0;
}

/* Errors of the command line itself are JSON too, so this is looked for before the rest is understood. */
static int wants_json(int argc, char **argv)
{
	int i;
	int64_t on = 0;
	const char *env = getenv("LEAT_JSON");

	for (i = 0; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--json"))
			return 1;
	}
	return env && !parse_bool(env, &on) && on;
}

static int join_opts(struct cli *c)
{
	const struct cli_value *v = &c->value[OPT_OPT];
	size_t n = 0;
	char *p;
	int i;

	for (i = 0; i < v->n_list; i++)
		n += strlen(v->list[i]) + 1;
	if (!n)
		return 0;
	c->opts = p = malloc(n);
	if (!p)
		return cli_error(c, LEAT_E_NOMEM, "out of memory");
	for (i = 0; i < v->n_list; i++) {
		n = strlen(v->list[i]);
		memcpy(p, v->list[i], n);
		p += n;
		*p++ = i + 1 < v->n_list ? ',' : '\0';
	}
	return 0;
}

int cli_parse(struct cli *c, int argc, char **argv)
{
	int i, rc, flags = 1;

	c->json = wants_json(argc, argv);
	cli_signals_json(c->json);
	c->args = c->all_args = calloc((size_t)argc + 1, sizeof(*c->args));
	if (!c->args)
		return cli_error(c, LEAT_E_NOMEM, "out of memory");
	rc = read_environment(c);
	for (i = 0; i < argc && !rc; i++) {
		if (flags && !strcmp(argv[i], "--"))
			flags = 0;
		else if (flags && argv[i][0] == '-' && argv[i][1])
			rc = parse_flag(c, argv, argc, &i);
		else
			c->args[c->n_args++] = argv[i];
	}
	c->json = (int)c->value[OPT_JSON].i;
	cli_signals_json(c->json);
	c->quiet = (int)c->value[OPT_QUIET].i;
	c->verbose = (int)c->value[OPT_VERBOSE].i;
	if (!rc && c->cmd->max_args >= 0 && c->n_args > c->cmd->max_args && !c->value[OPT_HELP].i)
		return cli_usage_error(c, "too many arguments: '%s'", c->args[c->cmd->max_args]);
	return rc ? rc : join_opts(c);
}

void cli_free(struct cli *c)
{
	int o;

	for (o = 0; o < N_OPTIONS; o++)
		free(c->value[o].list);
	free(c->all_args);
	free(c->opts);
}
