/* cmd_doctor.c - leat doctor: can this machine do it, and what stands in the way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"

enum level { OK, WARN, FAIL };

struct doctor {
	struct cli *c;
	int n_lines, n_warn, n_fail;
};

/* `fix` NULL: nothing to do. */
static void line(struct doctor *d, enum level level, const char *what, const char *found, const char *fix)
{
	static const char *const words[] = { "ok", "warn", "fail" };

	d->n_warn += level == WARN;
	d->n_fail += level == FAIL;
	if (!d->c->json) {
		cli_printf("%-5s %-11s %s%s%s\n", words[level], what, found, fix ? "; " : "", fix ? fix : "");
		return;
	}
	cli_printf("%s{\"level\":\"%s\",\"check\":\"%s\",\"found\":", d->n_lines++ ? "," : "", words[level], what);
	cli_json_string(found, strlen(found));
	cli_puts(",\"fix\":");
	if (fix)
		cli_json_string(fix, strlen(fix));
	else
		cli_puts("null");
	cli_puts("}");
}

/* First line of a file of /proc or /sys, "" if there is none. */
static const char *first_line(const char *path, char buf[256])
{
	FILE *f = fopen(path, "re");

	buf[0] = 0;
	if (f) {
		if (!fgets(buf, 256, f))
			buf[0] = 0;
		fclose(f);
	}
	buf[strcspn(buf, "\n")] = 0;
	return buf;
}

/* Does the processor's own list name a feature? */
static int cpu_lists(const char *feature)
{
	char text[8192];
	FILE *f = fopen("/proc/cpuinfo", "re");
	int found = 0;
	size_t n = strlen(feature);

	while (f && !found && fgets(text, sizeof(text), f)) {
		const char *p = text;
		if (strncmp(text, "flags", 5))
			continue;
		for (p = strstr(p, feature); p && !found; p = strstr(p + 1, feature))
			found = p[-1] == ' ' && (p[n] == ' ' || p[n] == '\n');
		break;
	}
	if (f)
		fclose(f);
	return found;
}

static void check_cpu(struct doctor *d, const struct leat_system_info *s)
{
	char text[256];
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	snprintf(text, sizeof(text), "%s (%s)", s->cpu[0] ? s->cpu : "unknown processor", s->cpu_sets);
	if (strstr(s->cpu_sets, "avx2"))
		line(d, OK, "cpu", text, NULL);
	else
		line(d, WARN, "cpu", text, "no AVX2: portable kernels only, much slower");
	if (strstr(s->cpu_sets, "amx"))
		line(d, OK, "amx", "granted by the kernel and in use", NULL);
	else if (cpu_lists("amx_tile"))
		line(d, WARN, "amx", "listed by the processor, refused by the kernel",
		     "ask for Linux 5.16 or newer, or a host that passes it on");
	else
		line(d, OK, "amx", "this processor has none", NULL);
	snprintf(text, sizeof(text), "%d usable of %ld online", (int)s->n_cpus, online);
	line(d, OK, "processors", text, NULL);
}

static void check_memory(struct doctor *d, const struct leat_system_info *s)
{
	char text[256], a[32], b[32];
	const char *open_mark, *close_mark;

	snprintf(text, sizeof(text), "%s free of %s", cli_bytes(s->memory_free_bytes, a),
		 cli_bytes(s->memory_bytes, b));
	if (s->memory_free_bytes < (uint64_t)256 << 20)
		line(d, WARN, "memory", text, "only tiny models will fit");
	else
		line(d, OK, "memory", text, NULL);
	first_line("/sys/kernel/mm/transparent_hugepage/enabled", text);
	open_mark = strchr(text, '[');
	close_mark = open_mark ? strchr(open_mark, ']') : NULL;
	if (!close_mark) {
		line(d, WARN, "huge pages", "not known to this kernel", "weights are read through 4 KiB pages, slower");
		return;
	}
	snprintf(text, sizeof(text), "%.*s", (int)(close_mark - open_mark - 1), open_mark + 1);
	if (!strcmp(text, "never"))
		line(d, WARN, "huge pages", text, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
	else
		line(d, OK, "huge pages", text, NULL);
}

static void check_limits(struct doctor *d)
{
	struct rlimit r;
	char text[96];

	if (!getrlimit(RLIMIT_NOFILE, &r)) {
		snprintf(text, sizeof(text), "%llu open files", (unsigned long long)r.rlim_cur);
		if (r.rlim_cur < 64)
			line(d, WARN, "files", text, "ulimit -n 1024");
		else
			line(d, OK, "files", text, NULL);
	}
	if (!getrlimit(RLIMIT_AS, &r)) {
		char a[32];
		if (r.rlim_cur == RLIM_INFINITY)
			line(d, OK, "addresses", "no limit on address space", NULL);
		else
			line(d, WARN, "addresses", cli_bytes(r.rlim_cur, a), "models are mapped: ulimit -v unlimited");
	}
}

static void check_model(struct doctor *d, const char *path, const struct leat_system_info *s)
{
	struct leat_model *m = NULL;
	struct leat_model_info i;
	struct leat_error e = LEAT_ERROR_INIT;
	char text[512], label[96], a[32], b[32];
	uint64_t least;

	memset(&i, 0, sizeof(i));
	i.struct_size = sizeof(i);
	if (leat_model_open(path, NULL, &m, &e)) {
		snprintf(text, sizeof(text), "leat inspect --verify %s", path);
		line(d, FAIL, "model", e.message, text);
		return;
	}
	leat_model_get_info(m, &i);
	cli_arch_label(&i, label);
	/* A short talk must fit: the state, or a cache of 512 tokens. */
	least = i.file_bytes + (i.recurrent ? i.state_bytes : 512 * i.kv_bytes_per_token);
	snprintf(text, sizeof(text), "%s, needs at least %s, free %s", label, cli_bytes(least, a),
		 cli_bytes(s->memory_free_bytes, b));
	if (least > s->memory_free_bytes)
		line(d, FAIL, "model", text, "free memory, or use a smaller file");
	else
		line(d, OK, "model", text, NULL);
	leat_model_unref(m);
}

static void list_opts(const struct doctor *d)
{
	const struct leat_opt_info *o;
	int i;

	if (d->c->json)
		cli_puts("],\"opts\":[");
	for (i = 0; (o = leat_opt_at(i)); i++) {
		if (d->c->json) {
			cli_printf("%s{\"name\":\"%s\",\"on\":%s,\"help\":", i ? "," : "", o->name,
				   o->on_by_default ? "true" : "false");
			cli_json_string(o->help, strlen(o->help));
			cli_puts("}");
		} else {
			cli_printf("opt   %-20s %-4s %s\n", o->name, o->on_by_default ? "on" : "off", o->help);
		}
	}
	if (!d->c->json && !i)
		cli_puts("opt   this build has no switches\n");
}

/* What a command would take for each option, and where that comes from. The environment is read as the commands read
 * it. */
static void list_effective(const struct doctor *d)
{
	static const struct leat_cmd any = { .name = "", .usage = "", .bit = C_ALL & ~(unsigned)C_DOCTOR };
	static const char *const source[] = { "default", "environment", "flag" };
	char none[1] = "", *empty[1] = { none };
	struct cli all;
	int o, n = 0;

	memset(&all, 0, sizeof(all));
	all.cmd = &any;
	if (cli_parse(&all, 0, empty)) {
		cli_free(&all);
		return;
	}
	if (d->c->json)
		cli_puts("],\"effective\":[");
	for (o = 0; o < N_OPTIONS; o++) {
		const struct cli_value *v = &all.value[o];
		char env[64];
		cli_option_env((enum cli_option)o, env, sizeof(env));
		if (!env[0])
			continue;
		if (d->c->json) {
			cli_printf("%s{\"name\":\"%s\",\"source\":\"%s\",\"value\":", n++ ? "," : "",
				   cli_option_name((enum cli_option)o), source[v->source]);
			if (v->s)
				cli_json_string(v->s, strlen(v->s));
			else
				cli_puts("null");
			cli_puts("}");
			continue;
		}
		cli_printf("set   %-20s %-12s %s%s%s\n", cli_option_name((enum cli_option)o), v->s ? v->s : "-",
			   v->s ? source[v->source] : "worked out", v->source == CLI_ENV ? ": " : "",
			   v->source == CLI_ENV ? env : "");
	}
	cli_free(&all);
}

static int run(struct cli *c)
{
	struct doctor d = { c, 0, 0, 0 };
	struct leat_system_info s;
	const char *path = NULL;
	int rc = 0;

	memset(&s, 0, sizeof(s));
	s.struct_size = sizeof(s);
	leat_get_system_info(&s);
	if (c->n_args || cli_is_set(c, OPT_MODEL))
		path = cli_model_path(c, 0, &rc);
	if (rc)
		return rc;
	if (c->json)
		cli_puts("{\"schema\":\"leat.doctor/1\",\"checks\":[");
	check_cpu(&d, &s);
	check_memory(&d, &s);
	check_limits(&d);
	if (path)
		check_model(&d, path, &s);
	if (c->value[OPT_OPTS].i)
		list_opts(&d);
	if (c->value[OPT_EFFECTIVE].i)
		list_effective(&d);
	if (c->json)
		cli_printf("],\"n_warn\":%d,\"n_fail\":%d}\n", d.n_warn, d.n_fail);
	return d.n_fail ? EXIT_VERDICT : 0;
}

const struct leat_cmd leat_cmd_doctor = {
	.name = "doctor",
	.alias = "",
	.summary = "check this machine, and a model file if given",
	.usage = "doctor [FILE] [--opts] [--effective]",
	.notes = "\nEach line is ok, warn or fail, with what to do.\n",
	.examples = {
		{ "leat doctor model.gguf", "this machine, and whether the model fits" },
		{ "leat doctor --effective", "what each option is, and who set it" },
	},
	.verdict = "a line says fail",
	.bit = C_DOCTOR,
	.max_args = 1,
	.run = run,
};
