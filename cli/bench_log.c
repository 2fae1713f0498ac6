/* bench_log.c - see bench_log.h. */
#include "bench_log.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_LOG_BYTES = 16 << 20, MAX_LINE = 1 << 16 };

/* What has to be equal for two hashes to be of the same work. */
static void make_key(char *key, size_t cap, const struct cli *c, const struct bench_setting *s)
{
	snprintf(key, cap, "%s|%s|%s|%d|%d|%d|%d|%d|%d", s->mode, s->path, s->kv_type, s->n_batch, s->n_prompt,
		 s->n_gen, s->n_requests, s->n_parallel, (int)c->value[OPT_DETERMINISTIC].i);
}

/* The hash of the last accepted entry with this key into hash[65]; lines that are no entries are passed over. */
static int last_hash(struct cli *c, const char *path, const char *key, char hash[65])
{
	char *line = malloc(MAX_LINE);
	FILE *f = fopen(path, "re");
	size_t total = 0;
	struct stat st;

	hash[0] = 0;
	if (f && (fstat(fileno(f), &st) || !S_ISREG(st.st_mode))) {
		free(line);
		fclose(f);
		return cli_error(c, LEAT_E_ARG, "%s: not a file", path);
	}
	if (!line || (!f && errno != ENOENT)) {
		int why = errno;
		free(line);
		if (f)
			fclose(f);
		return line ? cli_error(c, LEAT_E_IO, "%s: %s", path, strerror(why))
			    : cli_error(c, LEAT_E_NOMEM, "out of memory");
	}
	while (f && total <= MAX_LOG_BYTES && fgets(line, MAX_LINE, f)) {
		total += strlen(line);
		json_t *o = json_loads(line, 0, NULL);
		const char *k = json_string_value(json_object_get(o, "key")),
			   *h = json_string_value(json_object_get(o, "tokens_sha256"));
		if (k && h && !strcmp(k, key) && json_is_true(json_object_get(o, "accepted")) && strlen(h) == 64)
			memcpy(hash, h, 65);
		json_decref(o);
	}
	free(line);
	if (f)
		fclose(f);
	return total > MAX_LOG_BYTES ? cli_error(c, LEAT_E_LIMIT, "%s: larger than 16 MiB; begin a new log", path) : 0;
}

static json_t *figures_of(const struct leat_figure *figure, int n)
{
	json_t *all = json_object();

	for (int i = 0; i < n; i++) {
		struct leat_summary s;
		if (!leat_summarise(figure[i].sample, figure[i].n, &s))
			json_object_set_new(all, figure[i].name, json_real(s.median));
	}
	return all;
}

static int append(struct cli *c, const char *path, json_t *entry)
{
	char *text = entry ? json_dumps(entry, JSON_COMPACT) : NULL;
	FILE *f = text ? fopen(path, "ae") : NULL;
	int bad = !f;

	if (f) {
		bad = fprintf(f, "%s\n", text) < 0;
		bad |= fclose(f) != 0;
	}
	bad = bad && text ? cli_error(c, LEAT_E_IO, "%s: %s", path, strerror(errno))
	      : bad	  ? cli_error(c, LEAT_E_NOMEM, "out of memory")
			  : 0;
	free(text);
	json_decref(entry);
	return bad;
}

int bench_log_add(struct cli *c, const struct bench_setting *s, const char *time, const char *hash,
		  const struct leat_figure *figure, int n)
{
	const char *path = c->value[OPT_LOG].s, *title = c->value[OPT_TITLE].s;
	char key[512], before[65];
	int rc, changed, announced = (int)c->value[OPT_NEW_HASH].i;

	if (!path || !*path)
		return 0;
	make_key(key, sizeof(key), c, s);
	rc = last_hash(c, path, key, before);
	if (rc)
		return rc;
	changed = before[0] && hash[0] && strcmp(before, hash) != 0;
	rc = append(c, path,
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:b, s:b, s:o}", "schema",
			      "leat.bench.log/1", "time", time, "title", title ? title : "", "mode", s->mode, "key",
			      key, "build_commit", cli_commit, "opts", c->opts ? c->opts : "", "n_threads",
			      s->n_threads, "tokens_sha256", hash, "hash_changed", changed, "accepted",
			      !changed || announced, "medians", figures_of(figure, n)));
	if (rc || !changed || announced)
		return rc;
	fprintf(stderr,
		"leat: %s: what is written has changed: tokens_sha256 was %s, is %s (--new-hash announces it)\n", path,
		before, hash);
	return EXIT_VERDICT;
}
