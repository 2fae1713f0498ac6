/* load.c - finding and opening the model, the engine's shared flags, texts and ids from the command line. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "state.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- which file ---- */

static const char demo_name[] = "demo-rwkv7.gguf";

static int readable(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, R_OK);
}

/* $LEAT_MODELS, beside the program, ./models. */
static const char *find_demo(void)
{
	static char path[PATH_MAX + 64];
	static const char *const beside[] = { "../models", "models", "../share/leat/models" };
	char exe[PATH_MAX];
	const char *dir = getenv("LEAT_MODELS");
	ssize_t n;
	size_t i;

	if (dir && *dir && snprintf(path, sizeof(path), "%s/%s", dir, demo_name) < (int)sizeof(path) && readable(path))
		return path;
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	while (n > 0 && exe[n - 1] != '/')
		n--;
	for (i = 0; n > 0 && i < sizeof(beside) / sizeof(beside[0]); i++) {
		if (snprintf(path, sizeof(path), "%.*s%s/%s", (int)n, exe, beside[i], demo_name) < (int)sizeof(path) &&
		    readable(path))
			return path;
	}
	snprintf(path, sizeof(path), "models/%s", demo_name);
	return readable(path) ? path : NULL;
}

const char *cli_model_path(struct cli *c, int use_demo, int *ret_exit)
{
	const char *path = NULL;

	if (c->value[OPT_MODEL].source == CLI_FLAG)
		return c->value[OPT_MODEL].s;
	if (c->n_args > 0) {
		c->n_args--;
		return *c->args++;
	}
	if (c->value[OPT_MODEL].source == CLI_ENV)
		path = c->value[OPT_MODEL].s;
	else if (use_demo)
		path = find_demo();
	if (path) {
		cli_note(c, "leat: no model given, using %s\n", path);
		return path;
	}
	*ret_exit = use_demo ? cli_usage_error(c,
					       "no model given, and the demo model %s was not found (set LEAT_MODEL or "
					       "LEAT_MODELS)",
					       demo_name)
			     : cli_usage_error(c, "no model given");
	return NULL;
}

/* ---- progress ---- */

struct progress {
	double start, shown;
	int visible, silent;
};

static int on_progress(void *user, const char *phase, uint64_t done, uint64_t total)
{
	struct progress *p = user;
	double t = now();
	int filled = total ? (int)(30.0 * (double)done / (double)total) : 0;

	if (cli_signal())
		return 1;
	/* Only what takes longer than a second is worth a bar. */
	if (t - p->start < 1.0 || t - p->shown < 0.1 || p->silent || !cli_tty(2))
		return 0;
	p->shown = t;
	p->visible = 1;
	fprintf(stderr, "\r%-12s [%.*s%*s] %3d %%", phase, filled, "##############################", 30 - filled, "",
		total ? (int)(100.0 * (double)done / (double)total) : 0);
	return 0;
}

int cli_open_model(struct cli *c, const char *path, uint32_t flags, struct leat_model **ret)
{
	struct leat_model_params p = LEAT_MODEL_PARAMS_INIT;
	struct leat_error e = LEAT_ERROR_INIT;
	struct progress bar = { 0, 0, 0, c->quiet };
	enum leat_status s;

	p.flags = flags;
	if (cli_option_applies(OPT_TOKENIZER, c->cmd->bit))
		p.tokenizer = c->value[OPT_TOKENIZER].s;
	if (cli_option_applies(OPT_LOAD_MODE, c->cmd->bit))
		p.load_mode = (int32_t)c->value[OPT_LOAD_MODE].i;
	bar.start = now();
	p.progress = on_progress;
	p.progress_user = &bar;
	s = leat_model_open(path, &p, ret, &e);
	if (bar.visible)
		fputs("\r\033[K", stderr);
	return s ? cli_fail(c, &e, 0) : 0;
}

/* ---- engine ---- */

void cli_engine_params(const struct cli *c, struct leat_engine_params *p)
{
	static const char *const cache[] = { "f16", "f32", "q8_0" };

	p->n_threads = (int32_t)c->value[OPT_THREADS].i;
	p->n_ctx = (int32_t)c->value[OPT_CTX_SIZE].i;
	p->n_batch = (int32_t)c->value[OPT_BATCH_SIZE].i;
	if (c->value[OPT_UBATCH_SIZE].i && c->value[OPT_UBATCH_SIZE].i < p->n_batch)
		p->n_batch = (int32_t)c->value[OPT_UBATCH_SIZE].i;
	p->mode = c->value[OPT_DETERMINISTIC].i ? LEAT_MODE_DETERMINISTIC : LEAT_MODE_DEFAULT;
	p->kv_type = cache[c->value[OPT_CACHE_TYPE].i];
	p->window = (int32_t)c->value[OPT_WINDOW_KEYS].i;
	p->opts = c->opts;
	p->trace = c->trace;
	p->threads_poll_us = (int32_t)c->value[OPT_THREADS_POLL].i;
	p->cpu_mask_off = cli_isa_off(c);
	if (cli_option_applies(OPT_WARM_UP, c->cmd->bit))
		p->warm_up = c->value[OPT_WARM_UP].i == 1 ? 1 : c->value[OPT_WARM_UP].i ? -1 : 0;
}

/* off, a number of steps, auto. */
static int take_maintain(struct cli *c, int32_t *ret)
{
	const char *s = cli_option_applies(OPT_MAINTAIN, c->cmd->bit) ? c->value[OPT_MAINTAIN].s : "auto";
	char *end;
	long n;

	*ret = 0;
	if (!s || !strcmp(s, "auto"))
		return 0;
	if (!strcmp(s, "off")) {
		*ret = -1;
		return 0;
	}
	errno = 0;
	n = strtol(s, &end, 10);
	if (errno || *end || n < 1 || n > INT32_MAX)
		return cli_usage_error(c, "--maintain: '%s' is not off, auto or a number of steps from 1 on", s);
	*ret = (int32_t)n;
	return 0;
}

/* The choices of --isa stand in the order of the bits of leat_system_info.cpu_flags, after "scalar". */
uint32_t cli_isa_off(const struct cli *c)
{
	return cli_option_applies(OPT_ISA, c->cmd->bit) ? ~((UINT32_C(1) << c->value[OPT_ISA].i) - 1) : 0;
}

int cli_create_engine(struct cli *c, struct leat_model *m, const struct leat_engine_params *p, struct leat_engine **ret)
{
	struct leat_error e = LEAT_ERROR_INIT;
	struct leat_engine_params with = *p;
	int rc = take_maintain(c, &with.maintain);

	if (!rc && cli_option_applies(OPT_STATE_DIR, c->cmd->bit))
		rc = cli_state_params(c, &with);

	if (rc)
		return rc;
	if (leat_engine_create(m, &with, ret, &e))
		return cli_fail(c, &e, 1);
	if (c->verbose) {
		struct leat_engine_info i;
		memset(&i, 0, sizeof(i));
		i.struct_size = sizeof(i);
		leat_engine_get_info(*ret, &i);
		fprintf(stderr,
			"leat: engine: %s, mode %d, context %d, %d tokens a step, %llu bytes of state or cache\n",
			i.device, (int)i.mode, (int)i.n_ctx, (int)i.n_batch, (unsigned long long)i.state_bytes);
		struct leat_cache_info plans = { .struct_size = sizeof(plans) };
		leat_engine_get_cache(*ret, LEAT_CACHE_PLANS, &plans);
		fprintf(stderr, "leat: plans: at most %s; %d made in %.1f ms\n", plans.limit, (int)plans.n_entries,
			(double)i.compile_ns / 1e6);
	}
	return 0;
}

void cli_arch_label(const struct leat_model_info *info, char buf[96])
{
	double n = (double)info->n_params;

	if (n >= 1e9)
		snprintf(buf, 96, "%s %.1fB %s", info->arch, n / 1e9, info->type);
	else
		snprintf(buf, 96, "%s %.*fM %s", info->arch, n < 1e7 ? 1 : 0, n / 1e6, info->type);
}

/* ---- texts ---- */

int cli_json_bounded(const char *s, size_t n, int max_depth, size_t max_values)
{
	int depth = 0, in_string = 0;
	size_t i, values = 0;

	for (i = 0; i < n; i++) {
		if (in_string) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				in_string = 0;
			continue;
		}
		in_string = s[i] == '"';
		values += s[i] == ',' || s[i] == '[' || s[i] == '{';
		depth += (s[i] == '[' || s[i] == '{') - (s[i] == ']' || s[i] == '}');
		if (depth > max_depth || values > max_values)
			return 0;
	}
	return 1;
}

static int read_all(struct cli *c, int fd, const char *name, char **ret, size_t *ret_n)
{
	size_t cap = 1 << 16, n = 0;
	char *text = malloc(cap), *more;
	ssize_t got;

	while (text) {
		if (cli_signal()) { /* a file may have no end */
			free(text);
			return 128 + cli_signal();
		}
		got = read(fd, text + n, cap - n - 1);
		if (got < 0 && errno == EINTR && !cli_signal())
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
		if (n + 1 < cap)
			continue;
		cap *= 2;
		more = cap <= ((size_t)1 << 31) ? realloc(text, cap) : NULL;
		if (!more) {
			free(text);
			return cli_error(c, LEAT_E_LIMIT, "%s: too long: leat takes texts of at most 1 GiB", name);
		}
		text = more;
	}
	if (!text)
		return cli_error(c, LEAT_E_NOMEM, "out of memory");
	if (got < 0) {
		int why = errno;
		free(text);
		return cli_signal() ? 128 + cli_signal() : cli_error(c, LEAT_E_IO, "%s: %s", name, strerror(why));
	}
	text[n] = 0;
	*ret = text;
	*ret_n = n;
	return 0;
}

int cli_read_text(struct cli *c, const char *path, char **ret, size_t *ret_n)
{
	int fd, rc;

	if (!strcmp(path, "-"))
		return read_all(c, 0, "standard input", ret, ret_n);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_error(c, errno == ENOENT ? LEAT_E_NOTFOUND : LEAT_E_IO, "%s: %s", path, strerror(errno));
	rc = read_all(c, fd, path, ret, ret_n);
	close(fd);
	return rc;
}

unsigned cli_text_flags(const struct cli *c)
{
	unsigned flags = c->value[OPT_NO_SPECIAL].i ? 0 : LEAT_TEXT_SPECIAL;

	return c->value[OPT_PARSE_SPECIAL].i ? flags | LEAT_TEXT_PARSE_SPECIAL : flags;
}

int cli_parse_ids(struct cli *c, const char *text, size_t n, int32_t **ret, size_t *ret_n)
{
	static const char between[] = ", \t\r\n[]";
	/* An id takes a digit and what separates it from the next. */
	int32_t *ids = malloc(sizeof(*ids) * (n / 2 + 1));
	const char *p = text, *end = text + n;
	size_t count = 0;

	if (!ids)
		return cli_error(c, LEAT_E_NOMEM, "out of memory");
	while (p < end) {
		int64_t id = 0;
		const char *first = p;
		if (*p && strchr(between, *p)) {
			p++;
			continue;
		}
		while (p < end && *p >= '0' && *p <= '9' && id <= INT32_MAX)
			id = id * 10 + (*p++ - '0');
		if (p == first || id > INT32_MAX || (p < end && (!*p || !strchr(between, *p)))) {
			free(ids);
			return cli_usage_error(c, "ids: '%.*s' is no token id",
					       (int)(end - first < 20 ? end - first : 20), first);
		}
		ids[count++] = (int32_t)id;
	}
	*ret = ids;
	*ret_n = count;
	return 0;
}
