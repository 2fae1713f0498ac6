/* trace.c - --trace and the phases of --verbose. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* A run of an hour is not lost because its trace cannot be written at the end. */
static int can_write(struct cli *c, const char *path)
{
	int rc = cli_may_replace(c, "--trace", path, "{\"traceEvents\":"), fd;

	if (rc)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return cli_error(c, errno == ENOENT ? LEAT_E_NOTFOUND : LEAT_E_IO, "--trace %s: %s", path,
				 strerror(errno));
	close(fd);
	return 0;
}

int cli_run_traced(struct cli *c)
{
	const char *path = cli_option_applies(OPT_TRACE, c->cmd->bit) ? c->value[OPT_TRACE].s : NULL;
	int phases = c->verbose && c->cmd->bit == C_RUN, rc = 0, saved;
	struct leat_error e = LEAT_ERROR_INIT;

	if (!(path && *path) && !phases)
		return c->cmd->run(c);
	if (path && *path)
		rc = can_write(c, path);
	if (!rc && leat_trace_create(path && *path ? (uint32_t)c->value[OPT_TRACE_EVENTS].i : 4096,
				     path && *path ? 0 : LEAT_TRACE_NO_OPS, &c->trace, &e))
		rc = cli_fail(c, &e, 1);
	if (rc)
		return rc;
	rc = c->cmd->run(c);
	if (path && *path && leat_trace_save(c->trace, path, &e)) {
		saved = cli_fail(c, &e, 0);
		rc = rc ? rc : saved;
	}
	leat_trace_unref(c->trace);
	c->trace = NULL;
	return rc;
}

/* ---- phases ---- */

static const char *const names[CLI_N_PHASES] = { "launch", "submit", "wait", "sample", "step" };

static int note(void *user, const struct leat_trace_event *ev)
{
	struct cli_phases *p = user;
	int k = 0;

	if (ev->kind != LEAT_TRACE_SPAN)
		return 0;
	while (k < CLI_N_PHASES && strcmp(ev->name, names[k]))
		k++;
	if (k == CLI_N_PHASES)
		return 0;
	p->now_ns[k] += ev->lasted_ns;
	if (k == CLI_STEP) { /* a step's own span comes last */
		int one = ev->value[0] == 1;
		for (int i = 0; i < CLI_N_PHASES; i++)
			p->sum_ns[one][i] += p->now_ns[i];
		p->n[one]++;
		memset(p->now_ns, 0, sizeof(p->now_ns));
	}
	return 0;
}

void cli_phases_read(struct cli *c, struct cli_phases *p)
{
	if (c->verbose && c->trace)
		p->next = leat_trace_each(c->trace, p->next, note, p);
}

void cli_phases_print(const struct cli_phases *p)
{
	static const char *const of[2] = { "of many tokens", "of one token" };

	for (int one = 0; one < 2; one++) {
		if (!p->n[one])
			continue;
		fprintf(stderr, "leat: %d step%s %s, us each:", p->n[one], p->n[one] == 1 ? "" : "s", of[one]);
		for (int i = 0; i < CLI_N_PHASES; i++)
			fprintf(stderr, "%s %s %.1f", i ? "," : "", names[i],
				(double)p->sum_ns[one][i] / 1e3 / p->n[one]);
		fputs("\n", stderr);
	}
}
