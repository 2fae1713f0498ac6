/* dump.c - see dump.h. */
#include "dump.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int dump_points(struct cli *c, struct leat_model *m)
{
	struct leat_hook_point p = { .struct_size = sizeof(p) };
	struct leat_error e = LEAT_ERROR_INIT;
	enum leat_status s;
	int i;

	for (i = 0; !(s = leat_model_hook_at(m, i, &p, &e)); i++) {
		if (c->json)
			cli_printf("{\"schema\":\"leat.point/1\",\"point\":\"%s\",\"width\":%d,\"first_layer\":%d,"
				   "\"last_layer\":%d,\"outputs_only\":%s,\"state_floats\":%llu}\n",
				   p.name, (int)p.width, (int)p.first_layer, (int)p.last_layer,
				   p.outputs_only ? "true" : "false", (unsigned long long)p.state_floats);
		else if (p.first_layer < 0)
			cli_printf("%-14s %7d\n", p.name, (int)p.width);
		else
			cli_printf("%-14s %7d  layers %d to %d%s\n", p.name, (int)p.width, (int)p.first_layer,
				   (int)p.last_layer, p.state_floats ? ", with state" : "");
	}
	return s == LEAT_E_ARG && i ? 0 : cli_fail(c, &e, 0);
}

static struct dump_row *add(struct dump_row **rows, size_t *n, size_t *cap)
{
	if (*n == *cap) {
		size_t more = *cap ? 2 * *cap : 256;
		struct dump_row *grown = realloc(*rows, more * sizeof(*grown));
		if (!grown)
			return NULL;
		*rows = grown;
		*cap = more;
	}
	memset(*rows + *n, 0, sizeof(**rows));
	return *rows + (*n)++;
}

static void see(void *user, struct leat_hook_rows *rows)
{
	struct dump *d = user;
	const float *x = rows->data + (uint64_t)(rows->n_rows - 1) * rows->stride;
	struct dump_row *r;
	double square = 0;
	int i;

	if (rows->first_position + rows->n_rows - 1 != d->last)
		return;
	r = add(&d->row, &d->n, &d->cap);
	if (!r) {
		d->out_of_memory = 1;
		return;
	}
	snprintf(r->point, sizeof(r->point), "%s", rows->point);
	r->layer = rows->layer;
	r->width = rows->width;
	for (i = 0; i < rows->width; i++) {
		square += (double)x[i] * (double)x[i];
		if (i < DUMP_VALUES)
			r->value[r->n++] = (double)x[i];
	}
	r->norm = sqrt(square);
}

/* ---- the file to compare with: what --layer-dump --json prints ---- */

static int read_row(struct dump *d, const char *line, size_t n)
{
	json_t *o = json_loadb(line, n, JSON_DECODE_INT_AS_REAL, NULL), *values = json_object_get(o, "values"), *v;
	const char *point = json_string_value(json_object_get(o, "point"));
	json_t *layer = json_object_get(o, "layer");
	struct dump_row *r = NULL;
	size_t i;

	if (point && json_is_real(layer) && fabs(json_real_value(layer)) < 1e6 && json_array_size(values))
		r = add(&d->want, &d->n_want, &d->cap_want);
	if (r) {
		snprintf(r->point, sizeof(r->point), "%s", point);
		r->layer = (int)json_real_value(layer);
		json_array_foreach (values, i, v)
			if (r->n < DUMP_VALUES)
				r->value[r->n++] = json_is_real(v) ? json_real_value(v) : (double)NAN;
	}
	json_decref(o);
	return r == NULL;
}

static int read_want(struct dump *d, const char *path)
{
	char *text = NULL;
	size_t n = 0, at = 0, line = 0;
	int rc = cli_read_text(d->c, path, &text, &n);

	while (!rc && at < n) {
		const char *end = memchr(text + at, '\n', n - at);
		size_t length = end ? (size_t)(end - text) - at : n - at;
		line++;
		if (length && (!cli_json_bounded(text + at, length, 8, 4096) || read_row(d, text + at, length)))
			rc = cli_error(d->c, LEAT_E_FORMAT, "%s: line %zu is none of --layer-dump --json", path, line);
		at += length + 1;
	}
	free(text);
	return rc || d->n_want ? rc : cli_error(d->c, LEAT_E_FORMAT, "%s: holds no points", path);
}

int dump_open(struct dump *d, struct cli *c, int64_t n_tokens)
{
	const char *list = c->value[OPT_LAYER_DUMP].s, *file = c->value[OPT_LAYER_COMPARE].s;
	char *name, *rest;

	*d = (struct dump){ .c = c, .last = n_tokens - 1 };
	if (!list && !file)
		return 0;
	d->names = strdup(list ? list : "*");
	if (!d->names)
		return cli_error(c, LEAT_E_NOMEM, "out of memory");
	for (name = strtok_r(d->names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		if (d->n_hooks == DUMP_MAX_HOOKS)
			return cli_usage_error(c, "--layer-dump: more than %d points", DUMP_MAX_HOOKS);
		d->hook[d->n_hooks++] = (struct leat_hook){ .point = name, .layer = -1, .fn = see, .user = d };
	}
	if (!d->n_hooks)
		return cli_usage_error(c, "--layer-dump: no points");
	return file ? read_want(d, file) : 0;
}

void dump_close(struct dump *d)
{
	free(d->names);
	free(d->row);
	free(d->want);
}

static void print_row(const struct dump *d, const struct dump_row *r)
{
	if (d->c->json) {
		cli_printf("{\"schema\":\"leat.point/1\",\"point\":\"%s\",\"layer\":%d,\"width\":%d,\"norm\":",
			   r->point, r->layer, r->width);
		cli_json_number(r->norm);
		cli_puts(",\"values\":[");
	} else {
		cli_printf("%-14s ", r->point);
		if (r->layer >= 0)
			cli_printf("%4d", r->layer);
		else
			cli_puts("    ");
		cli_printf("  %10.4g ", r->norm);
	}
	for (int i = 0; i < r->n; i++) {
		if (!d->c->json) {
			cli_printf(" %9.4g", r->value[i]);
			continue;
		}
		cli_puts(i ? "," : "");
		cli_json_number(r->value[i]);
	}
	cli_puts(d->c->json ? "]}\n" : "\n");
}

/* Largest difference over the root of the mean square of what is wanted. */
static double difference(const struct dump_row *want, const struct dump_row *got)
{
	double worst = 0, square = 0;
	int n = want->n < got->n ? want->n : got->n;

	for (int i = 0; i < n; i++) {
		double diff = fabs(want->value[i] - got->value[i]);
		worst = diff <= worst ? worst : diff; /* a NaN counts */
		square += want->value[i] * want->value[i];
	}
	return worst / (sqrt(square / n) + 1e-30);
}

static int compare(const struct dump *d, double max_e)
{
	const struct dump_row *first = NULL;
	double worst = 0, first_e = 0;
	size_t found = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct dump_row *r = &d->row[i], *w = d->want, *end = d->want + d->n_want;
		while (w < end && (w->layer != r->layer || strcmp(w->point, r->point)))
			w++;
		if (w == end)
			continue;
		double e = difference(w, r);
		found++;
		worst = e <= worst ? worst : e;
		if (!(e <= max_e) && !first) {
			first = r;
			first_e = e;
		}
	}
	if (!found)
		return cli_error(d->c, LEAT_E_MISMATCH, "%s: none of its points was computed",
				 d->c->value[OPT_LAYER_COMPARE].s);
	if (d->c->json) {
		cli_printf("{\"schema\":\"leat.point/1\",\"event\":\"compare\",\"points\":%zu,\"worst\":", found);
		cli_json_number(worst);
		cli_printf(",\"bound\":%.9g", max_e);
		if (first)
			cli_printf(",\"first\":\"%s\",\"layer\":%d", first->point, first->layer);
		cli_printf(",\"within\":%s}\n", first ? "false" : "true");
	} else if (first) {
		cli_printf("points   %zu compared, worst e %.3e\n", found, worst);
		cli_printf("first    %s of layer %d: e %.3e, bound %g\n", first->point, first->layer, first_e, max_e);
	} else {
		cli_printf("points   %zu compared, worst e %.3e, all within %g\n", found, worst, max_e);
	}
	return first ? EXIT_VERDICT : 0;
}

int dump_finish(struct dump *d, double max_e)
{
	if (d->out_of_memory)
		return cli_error(d->c, LEAT_E_NOMEM, "out of memory");
	if (d->c->value[OPT_LAYER_COMPARE].s)
		return compare(d, max_e);
	for (size_t i = 0; i < d->n; i++)
		print_row(d, &d->row[i]);
	return 0;
}
