/* bench_baseline.c - see bench_baseline.h. Every form that leat bench writes JSON in is read: an array, or lines. */
#include "bench_baseline.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* jansson takes up to eighty times the bytes of a text, and results are a few KiB. */
enum { KEY = 320, MAX_FIGURES = 100000, MAX_SAMPLES = 1 << 20, MAX_FILE_BYTES = 4 << 20 };

struct entry {
	char key[KEY], name[LEAT_FIGURE_NAME], unit[16];
	enum leat_better better;
	double *v;
	int n, was;      /* was: index of the older one, -1: none */
};

struct entries {
	struct entry *at;
	int n, cap;
};

struct bench_baseline {
	const char *path;
	struct entries old, new, *into; /* into: where what is read goes */
	int out_of_memory;
};

static const char *const better_words[] = { "neither", "less", "more" };

/* A new entry with room for n samples; NULL when there is no memory for it. */
static struct entry *push(struct entries *l, int n)
{
	struct entry *e = l->at;

	if (l->n == l->cap) {
		int cap = l->cap ? 2 * l->cap : 64;
		e = cap <= 2 * MAX_FIGURES ? realloc(l->at, (size_t)cap * sizeof(*e)) : NULL;
		if (!e)
			return NULL;
		l->at = e;
		l->cap = cap;
	}
	e = &l->at[l->n];
	memset(e, 0, sizeof(*e));
	e->was = -1;
	e->v = malloc((size_t)n * sizeof(*e->v));
	if (!e->v)
		return NULL;
	e->n = n;
	l->n++;
	return e;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void make_key(char key[KEY], const struct bench_setting *s)
{
	snprintf(key, KEY, "%.40s|%.160s|%.16s|%d|%d|%d|%d|%d|%d", s->mode, last_part(s->path), s->kv_type,
		 s->n_threads, s->n_batch, s->n_prompt, s->n_gen, s->n_requests, s->n_parallel);
}

/* ---- reading ---- */

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static int int_of(const json_t *o, const char *name)
{
	double v = json_number_value(json_object_get(o, name));

	return v >= 0 && v <= 1e9 ? (int)v : 0;
}

/* Figures without samples, or with some that are no numbers, are left out. */
static int take_figure(struct bench_baseline *b, const char *key, const char *name, const char *unit,
		       const char *better, const json_t *samples)
{
	size_t n = json_array_size(samples);
	struct entry *e;

	for (size_t i = 0; i < n; i++) {
		if (!json_is_number(json_array_get(samples, i)))
			return 0;
	}
	if (!n || n > MAX_SAMPLES)
		return 0;
	e = push(b->into, (int)n);
	if (!e)
		return 1;
	snprintf(e->key, sizeof(e->key), "%s", key);
	snprintf(e->name, sizeof(e->name), "%s", name);
	snprintf(e->unit, sizeof(e->unit), "%s", unit);
	for (int k = 0; k < 3; k++)
		e->better = !strcmp(better, better_words[k]) ? (enum leat_better)k : e->better;
	for (size_t i = 0; i < n; i++)
		e->v[i] = json_number_value(json_array_get(samples, i));
	return 0;
}

static int take_result(struct bench_baseline *b, const json_t *o)
{
	struct bench_setting s = { text_of(o, "mode"), text_of(o, "model_filename"), text_of(o, "type_k"),
				   int_of(o, "n_threads"), int_of(o, "n_batch"), 0, 0, 0, 0 };
	const json_t *figures = json_object_get(o, "figures"), *f;
	struct leat_bench_test t = { int_of(o, "n_prompt"), int_of(o, "n_gen"), int_of(o, "n_depth") };
	char key[KEY], name[48];
	size_t i;
	int rc = 0;

	if (!json_is_array(figures)) {
		make_key(key, &s);
		bench_test_name(&t, name);
		return take_figure(b, key, name, "tokens/s", "more", json_object_get(o, "samples_ts"));
	}
	s.n_prompt = t.n_prompt;
	s.n_gen = t.n_gen;
	s.n_requests = int_of(o, "n_requests");
	s.n_parallel = int_of(o, "n_parallel");
	make_key(key, &s);
	json_array_foreach(figures, i, f)
		rc |= take_figure(b, key, text_of(f, "name"), text_of(f, "unit"), text_of(f, "better"),
				  json_object_get(f, "samples"));
	return rc;
}

static int take_value(struct bench_baseline *b, const json_t *v)
{
	const json_t *o;
	size_t i;
	int rc = 0;

	if (!json_is_array(v))
		return take_result(b, v);
	json_array_foreach(v, i, o)
		rc |= take_result(b, o);
	return rc;
}

static int read_values(struct cli *c, struct bench_baseline *b, const char *text, size_t n)
{
	json_error_t e;
	int rc;

	for (size_t at = 0;; at += (size_t)e.position) {
		while (at < n && isspace((unsigned char)text[at]))
			at++;
		if (at == n)
			return 0;
		json_t *v = json_loadb(text + at, n - at, JSON_DISABLE_EOF_CHECK, &e); /* position: where it ended */
		if (!v)
			return cli_error(c, LEAT_E_FORMAT, "%s: no result of leat bench: %s", b->path, e.text);
		rc = take_value(b, v);
		json_decref(v);
		if (rc)
			return cli_error(c, LEAT_E_NOMEM, "out of memory");
	}
}

static int read_file(struct cli *c, struct bench_baseline *b, FILE *f)
{
	char *text = malloc(MAX_FILE_BYTES + 1);
	int rc;

	if (!text)
		return cli_error(c, LEAT_E_NOMEM, "out of memory");
	size_t n = fread(text, 1, MAX_FILE_BYTES + 1, f);
	if (ferror(f))
		rc = cli_error(c, LEAT_E_IO, "%s: %s", b->path, strerror(errno));
	else if (n > MAX_FILE_BYTES)
		rc = cli_error(c, LEAT_E_LIMIT, "%s: larger than 4 MiB, which no result of leat bench is", b->path);
	else
		rc = read_values(c, b, text, n);
	free(text);
	return rc;
}

/* The figures of a file into l. */
static int read_path(struct cli *c, struct bench_baseline *b, const char *path, struct entries *l)
{
	FILE *f = fopen(path, "re");
	int rc;

	if (!f)
		return cli_error(c, errno == ENOENT ? LEAT_E_NOTFOUND : LEAT_E_IO, "%s: %s", path, strerror(errno));
	b->path = path;
	b->into = l;
	rc = read_file(c, b, f);
	fclose(f);
	return rc || l->n ? rc : cli_error(c, LEAT_E_FORMAT, "%s: no figures in it", path);
}

int bench_baseline_open(struct cli *c, struct bench_baseline **ret)
{
	const char *path = c->value[OPT_BASELINE].s;
	struct bench_baseline *b;
	int rc;

	*ret = NULL;
	if (!path || !*path)
		return 0;
	b = calloc(1, sizeof(*b));
	if (!b)
		return cli_error(c, LEAT_E_NOMEM, "out of memory");
	rc = read_path(c, b, path, &b->old);
	if (rc)
		bench_baseline_close(b);
	else
		*ret = b;
	return rc;
}

static void free_entries(struct entries *l)
{
	for (int i = 0; i < l->n; i++)
		free(l->at[i].v);
	free(l->at);
}

void bench_baseline_close(struct bench_baseline *b)
{
	if (!b)
		return;
	free_entries(&b->old);
	free_entries(&b->new);
	free(b);
}

/* ---- comparing ---- */

/* The last one wins, should a file hold several. */
static void find_old(const struct bench_baseline *b, struct entry *e)
{
	for (int i = b->old.n - 1; i >= 0 && e->was < 0; i--) {
		if (!strcmp(b->old.at[i].key, e->key) && !strcmp(b->old.at[i].name, e->name))
			e->was = i;
	}
}

void bench_baseline_add(struct bench_baseline *b, const struct bench_setting *s, const struct leat_figure *f)
{
	struct entry *e = b ? push(&b->new, f->n) : NULL;

	if (!e) {
		if (b)
			b->out_of_memory = 1;
		return;
	}
	make_key(e->key, s);
	snprintf(e->name, sizeof(e->name), "%s", f->name);
	snprintf(e->unit, sizeof(e->unit), "%s", f->unit);
	e->better = f->better;
	memcpy(e->v, f->sample, (size_t)f->n * sizeof(*e->v));
	find_old(b, e);
}

struct change {
	double old, new, percent;
	struct leat_welch welch;
	const char *word;
	int worse;
};

static double mean(const struct entry *e)
{
	double sum = 0;

	for (int i = 0; i < e->n; i++)
		sum += e->v[i];
	return sum / e->n;
}

static void compare(const struct entry *old, const struct entry *new, double most, struct change *ret)
{
	double loss;

	ret->old = mean(old);
	ret->new = mean(new);
	ret->percent = ret->old != 0 ? 100 * (ret->new - ret->old) / fabs(ret->old) : ret->new != 0 ? INFINITY : 0;
	leat_welch(old->v, old->n, new->v, new->n, &ret->welch);
	loss = new->better == LEAT_BETTER_MORE ? -ret->percent : ret->percent;
	ret->worse = ret->welch.beyond_noise && new->better != LEAT_BETTER_NEITHER && loss > most;
	ret->word = !ret->welch.beyond_noise			? "within noise"
		    : new->better == LEAT_BETTER_NEITHER ? "changed"
		    : loss > most			? "WORSE"
		    : loss > 0				? "worse, allowed"
							: "better";
}

static void print_change(const struct entry *e, const struct change *ch, int json, int first)
{
	if (!json) {
		cli_printf("| %-40s | %-10s | %16.6g | %16.6g | %+8.2f %% | %8.2f | %-14s |\n", e->name, e->unit,
			   ch->old, ch->new, ch->percent, ch->welch.t, ch->word);
		return;
	}
	cli_puts(first ? "{\"name\": " : ", {\"name\": ");
	cli_json_string(e->name, strlen(e->name));
	cli_printf(", \"unit\": \"%s\", \"old\": %.15g, \"new\": %.15g, \"change_percent\": ", e->unit, ch->old,
		   ch->new);
	cli_json_number(ch->percent);
	cli_printf(", \"t\": %.6g, \"beyond_noise\": %s, \"worse\": %s}", ch->welch.t,
		   ch->welch.beyond_noise ? "true" : "false", ch->worse ? "true" : "false");
}

static void print_head(const struct bench_baseline *b, enum bench_form form, double most)
{
	if (form == BENCH_MD) {
		cli_printf("\ncompared with %s, at most %g %% worse allowed; noise: Welch's t, 1 %%\n\n", b->path,
			   most);
		cli_puts("| figure                                   | unit       |              old |"
			 "              new |     change |        t | verdict        |\n"
			 "| ---------------------------------------- | ---------- | ---------------: |"
			 " ---------------: | ---------: | -------: | -------------- |\n");
		return;
	}
	cli_puts(form == BENCH_JSON ? ",\n" : "");
	cli_puts("{\"schema\": \"leat.bench.baseline/1\", \"baseline\": ");
	cli_json_string(b->path, strlen(b->path));
	cli_printf(", \"max_regress_percent\": %g, \"changes\": [", most);
}

int bench_baseline_end(struct cli *c, struct bench_baseline *b, enum bench_form form)
{
	double most = c->value[OPT_MAX_REGRESS].f;
	struct change ch;
	int n = 0, n_worse = 0;

	if (!b)
		return 0;
	print_head(b, form, most);
	for (int i = 0; i < b->new.n; i++) {
		const struct entry *e = &b->new.at[i];
		if (e->was < 0)
			continue;
		compare(&b->old.at[e->was], e, most, &ch);
		print_change(e, &ch, form != BENCH_MD, !n);
		n++;
		n_worse += ch.worse;
	}
	if (form == BENCH_MD)
		cli_printf("\n%d of %d figures compared, %d worse\n", n, b->new.n, n_worse);
	else
		cli_printf("], \"n_figures\": %d, \"n_compared\": %d, \"n_worse\": %d}\n", b->new.n, n, n_worse);
	if (b->out_of_memory)
		n = cli_error(c, LEAT_E_NOMEM, "out of memory");
	else if (!n)
		n = cli_error(c, LEAT_E_MISMATCH,
			      "%s: nothing in it was measured like this (model, mode, threads, sizes)", b->path);
	else
		n = n_worse ? EXIT_VERDICT : 0;
	bench_baseline_close(b);
	return n;
}

/* Figures that were there before and are not any more; a file may hold a figure twice. */
static int count_gone(const struct bench_baseline *b)
{
	int n = 0;

	for (int i = 0; i < b->old.n; i++) {
		int there = 0;
		for (int k = 0; k < b->new.n && !there; k++)
			there = !strcmp(b->old.at[i].key, b->new.at[k].key) &&
				!strcmp(b->old.at[i].name, b->new.at[k].name);
		n += !there;
	}
	return n;
}

int bench_compare(struct cli *c)
{
	enum bench_form form = c->json ? BENCH_JSONL : (enum bench_form)c->value[OPT_OUTPUT].i;
	struct bench_baseline *b;
	int rc, n_gone;

	if (c->n_args != 2 || form == BENCH_CSV)
		return cli_usage_error(c, c->n_args != 2 ? "compare takes two result files: OLD NEW"
							  : "--output: modes print md, json or jsonl");
	b = calloc(1, sizeof(*b));
	if (!b)
		return cli_error(c, LEAT_E_NOMEM, "out of memory");
	rc = read_path(c, b, c->args[1], &b->new);
	if (!rc)
		rc = read_path(c, b, c->args[0], &b->old);
	if (rc) {
		bench_baseline_close(b);
		return rc;
	}
	for (int i = 0; i < b->new.n; i++)
		find_old(b, &b->new.at[i]);
	n_gone = count_gone(b);
	if (n_gone)
		cli_note(c, "leat: %d figures of %s are not in %s\n", n_gone, c->args[0], c->args[1]);
	cli_puts(form == BENCH_JSON ? "[\n" : "");
	rc = bench_baseline_end(c, b, form == BENCH_MD ? form : BENCH_JSONL);
	cli_puts(form == BENCH_JSON ? "]\n" : "");
	return rc;
}
