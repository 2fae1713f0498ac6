/* state.c - the flags of states: what a sequence begins with, what is kept of prompts and where. */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- sizes ---- */

/* "4G", "256M", "64k", "1000"; also with "iB" or "B" behind. 1: it is none. */
static int parse_size(const char *text, int64_t *ret)
{
	static const char units[] = "KMGT";
	char *end;
	unsigned long long n;
	int shift = 0;

	if (*text < '0' || *text > '9')
		return 1;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return 1;
	if (*end) {
		const char *u = strchr(units, *end >= 'a' && *end <= 'z' ? *end - 'a' + 'A' : *end);
		if (u && *u) {
			shift = 10 * (int)(u - units + 1);
			end++;
		}
		if (!strcmp(end, "iB") || !strcmp(end, "B"))
			end = "";
	}
	if (*end || n > (unsigned long long)INT64_MAX >> shift)
		return 1;
	*ret = (int64_t)(n << shift);
	return 0;
}

static int take_size(struct cli *c, enum cli_option o, int64_t *ret)
{
	const char *text = c->value[o].s;

	if (!text || !parse_size(text, ret))
		return 0;
	return cli_usage_error(c, "--%s: '%.40s' is no size: wanted bytes, or a number with K, M, G or T",
			       cli_option_name(o), text);
}

/* A gigabyte, or a quarter of what is free. */
static int64_t usual_bytes(void)
{
	static const uint64_t most = (uint64_t)1 << 30;
	struct leat_system_info sys = { .struct_size = sizeof(sys) };

	leat_get_system_info(&sys);
	return (int64_t)(sys.memory_free_bytes / 4 < most ? sys.memory_free_bytes / 4 : most);
}

int cli_state_params(struct cli *c, struct leat_engine_params *p)
{
	const char *dir = c->value[OPT_STATE_DIR].s;
	int rc = take_size(c, OPT_PREFIX_CACHE_RAM, &p->prefix_cache_bytes);

	if (!rc)
		rc = take_size(c, OPT_PREFIX_CACHE_DISK, &p->state_dir_bytes);
	if (rc)
		return rc;
	if (cli_is_set(c, OPT_PREFIX_CACHE_DISK) && !dir)
		return cli_usage_error(c, "--prefix-cache-disk needs --state-dir");
	if (dir && !cli_is_set(c, OPT_PREFIX_CACHE_RAM))
		p->prefix_cache_bytes = usual_bytes();
	p->state_dir = dir;
	return 0;
}

/* ---- what a sequence begins with ---- */

/* The name and the path in [NAME=]PATH. Without a name: the file's, up to its last dot. */
static const char *split(const char *text, const char **ret_name, size_t *ret_n)
{
	const char *is = strchr(text, '='), *slash = strrchr(text, '/'), *dot;

	if (is && is > text && (!slash || slash > is)) {
		*ret_name = text;
		*ret_n = (size_t)(is - text);
		return is + 1;
	}
	*ret_name = slash ? slash + 1 : text;
	dot = strrchr(*ret_name, '.');
	*ret_n = dot && dot > *ret_name ? (size_t)(dot - *ret_name) : strlen(*ret_name);
	return text;
}

/* The path that --use-state chooses among those of --state; NULL: none is wanted, or *ret_exit. */
static const char *chosen(struct cli *c, int *ret_exit)
{
	const struct cli_value *v = &c->value[OPT_STATE];
	const char *wanted = c->value[OPT_USE_STATE].s, *name, *path = NULL;
	size_t n;
	int i, n_found = 0;

	for (i = 0; i < v->n_list; i++) {
		const char *at = split(v->list[i], &name, &n);
		if (wanted && (strlen(wanted) != n || memcmp(wanted, name, n)))
			continue;
		path = at;
		n_found++;
	}
	if (n_found == 1 || (!v->n_list && !wanted))
		return path;
	*ret_exit = n_found ? cli_usage_error(c, "more than one --state%s; --use-state NAME chooses",
					      wanted ? " of that name" : "")
			    : cli_usage_error(c, "--use-state: there is no --state '%.60s'", wanted ? wanted : "");
	return NULL;
}

int cli_state_open(struct cli *c, struct leat_model *m, struct leat_state **ret, int *ret_follows)
{
	struct leat_state_info info = { .struct_size = sizeof(info) };
	struct leat_error e = LEAT_ERROR_INIT;
	int rc = 0;
	const char *path = chosen(c, &rc), *load = c->value[OPT_LOAD_STATE].s, *save = c->value[OPT_SAVE_STATE].s;

	*ret = NULL;
	*ret_follows = 0;
	if (!rc && save)
		rc = cli_may_replace(c, "--save-state", save, "leatstat");
	if (rc)
		return rc;
	if (path && load)
		return cli_usage_error(c, "--state and --load-state: a sequence begins with one state");
	path = load ? load : path;
	if (!path)
		return 0;
	if (leat_state_load(m, path, ret, &e))
		return cli_fail(c, &e, 0);
	leat_state_get_info(*ret, &info);
	*ret_follows = info.n_tokens > 0;
	if (*ret_follows && cli_is_set(c, OPT_SYSTEM)) {
		leat_state_unref(*ret);
		*ret = NULL;
		return cli_usage_error(c, "--system: the state has a conversation that has begun already");
	}
	return 0;
}

int cli_state_save(struct cli *c, struct leat_session *s)
{
	const char *path = c->value[OPT_SAVE_STATE].s;
	struct leat_error e = LEAT_ERROR_INIT;
	struct leat_state *x = NULL;
	int rc = 0;

	if (!path || !s)
		return 0;
	if (leat_state_capture(s, &x, &e) || leat_state_save(x, path, &e))
		rc = cli_fail(c, &e, 0);
	leat_state_unref(x);
	return rc;
}
