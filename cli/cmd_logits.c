/* cmd_logits.c - leat logits: the rows a model computes for given tokens, written, ranked or compared. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/outfile.h"
#include "cli.h"
#include "compare.h"
#include "dump.h"

enum rows_form { ROWS_NONE, ROWS_RAW, ROWS_NPY, ROWS_JSONL };

struct logits {
	struct cli *c;
	struct leat_model *model;
	struct leat_engine *engine;
	struct leat_model_info info;
	int32_t *ids;
	int ids_mine;              /* from the command line, not from the library */
	size_t n_ids, n_rows;      /* rows that leave: all, or the last */
	enum rows_form form;
	int to_stdout, out_open, comparing;
	struct leat_outfile out;
	struct compare compare;
	struct dump dump;
	size_t n_nonfinite, first_nonfinite; /* rows that leave with a NaN or an infinity */
	int32_t *top;              /* ids of the best, top_k of them */
	int top_k, rc;
};

/* ---- tokens ---- */

static int get_tokens(struct logits *x)
{
	struct cli *c = x->c;
	const struct cli_value *v = c->value;
	char *text = NULL;
	size_t n = 0;
	struct leat_error e = LEAT_ERROR_INIT;
	int rc = 0;

	if ((v[OPT_TOKENS].s != NULL) + (v[OPT_PROMPT].s != NULL) + (v[OPT_FILE].s != NULL) + (c->n_args > 0) > 1)
		return cli_usage_error(c, "more than one text: give one of --tokens, -p, -f");
	if (v[OPT_TOKENS].s) {
		x->ids_mine = 1;
		rc = cli_parse_ids(c, v[OPT_TOKENS].s, strlen(v[OPT_TOKENS].s), &x->ids, &x->n_ids);
		return rc || x->n_ids ? rc : cli_usage_error(c, "--tokens: no ids");
	}
	if (v[OPT_PROMPT].s || c->n_args)
		rc = leat_model_tokenize(x->model, v[OPT_PROMPT].s ? v[OPT_PROMPT].s : c->args[0],
					 strlen(v[OPT_PROMPT].s ? v[OPT_PROMPT].s : c->args[0]), cli_text_flags(c),
					 &x->ids, &x->n_ids, &e);
	else if (v[OPT_FILE].s || !isatty(0))
		rc = cli_read_text(c, v[OPT_FILE].s ? v[OPT_FILE].s : "-", &text, &n);
	else
		return cli_usage_error(c, "no tokens: give --tokens, -p or -f");
	if (text)
		rc = leat_model_tokenize(x->model, text, n, cli_text_flags(c), &x->ids, &x->n_ids, &e);
	free(text);
	if (rc < 0)
		return cli_fail(c, &e, 0);
	return rc || x->n_ids ? rc : cli_usage_error(c, "the text has no tokens");
}

/* ---- rows out ---- */

static int write_out(struct logits *x, const void *data, size_t n)
{
	struct leat_error e = LEAT_ERROR_INIT;

	if (x->to_stdout) {
		cli_out(data, n);
		return cli_out_failed();
	}
	if (leat_outfile_write(&x->out, data, n, &e))
		return cli_fail(x->c, &e, 0);
	return 0;
}

/* NumPy's format 1.0: magic, version, length, dictionary padded so that the data begins at a multiple of 64. */
static int write_npy_head(struct logits *x)
{
	char dict[128], head[256];
	int n = snprintf(dict, sizeof(dict), "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %d), }",
			 x->n_rows, (int)x->info.n_rows);
	int pad = (64 - (10 + n + 1) % 64) % 64, len = n + pad + 1;

	memcpy(head, "\x93NUMPY\x01\x00", 8);
	head[8] = (char)(len & 255);
	head[9] = (char)(len >> 8);
	snprintf(head + 10, sizeof(head) - 10, "%s%*s\n", dict, pad, "");
	return write_out(x, head, (size_t)(10 + len));
}

static int write_jsonl(struct logits *x, size_t index, const float *row)
{
	char text[96];
	int i, n, rc;

	n = snprintf(text, sizeof(text), "{\"schema\":\"leat.logits/1\",\"index\":%zu,\"token\":%d,\"logits\":[", index,
		     (int)x->ids[index]);
	rc = write_out(x, text, (size_t)n);
	for (i = 0; i < x->info.n_rows && !rc; i++) {
		if (isfinite(row[i]))
			n = snprintf(text, sizeof(text), "%s%.9g", i ? "," : "", (double)row[i]);
		else
			n = snprintf(text, sizeof(text), "%snull", i ? "," : "");
		rc = write_out(x, text, (size_t)n);
	}
	return rc ? rc : write_out(x, "]}\n", 3);
}

static int open_out(struct logits *x)
{
	const char *path = x->c->value[OPT_OUT].s;
	size_t n = path ? strlen(path) : 0;
	struct leat_error e = LEAT_ERROR_INIT;

	if (!path && (x->top_k || x->comparing || x->dump.n_hooks))
		return 0;
	x->form = ROWS_RAW;
	if (n > 4 && !strcmp(path + n - 4, ".npy"))
		x->form = ROWS_NPY;
	if (n > 6 && !strcmp(path + n - 6, ".jsonl"))
		x->form = ROWS_JSONL;
	x->to_stdout = !path || !strcmp(path, "-");
	if (!path && x->c->json)
		x->form = ROWS_JSONL;
	if (!path && isatty(1) && !x->c->json)
		return cli_usage_error(x->c,
				       "not writing float32 to a terminal; give -o FILE, --top K or --compare REF");
	if (x->to_stdout && (x->top_k || x->comparing))
		return cli_usage_error(x->c, "-o - does not go together with --top and --compare");
	if (!x->to_stdout && leat_outfile_open(&x->out, path, (int)x->c->value[OPT_FORCE].i, &e))
		return cli_fail(x->c, &e, 1);
	x->out_open = !x->to_stdout;
	return x->form == ROWS_NPY ? write_npy_head(x) : 0;
}

/* ---- the best of a row ---- */

/* The k largest in falling order, lowest id first among equals, what is not a number last. */
static void rank(struct logits *x, const float *row)
{
	int i, k, n = 0;

	for (i = 0; i < x->info.n_vocab; i++) {
		if (n == x->top_k && !compare_ranks_before(row[i], row[x->top[n - 1]]))
			continue;
		if (n < x->top_k)
			n++;
		for (k = n - 1; k > 0 && compare_ranks_before(row[i], row[x->top[k - 1]]); k--)
			x->top[k] = x->top[k - 1];
		x->top[k] = i;
	}
	x->top_k = n;
}

static void write_top(struct logits *x, size_t index, const float *row)
{
	double sum = 0, max;
	int i, json = x->c->json;
	size_t n;

	rank(x, row);
	max = (double)row[x->top[0]];
	for (i = 0; i < x->info.n_vocab; i++)
		sum += isnan(row[i]) ? 0 : exp((double)row[i] - max);
	if (json)
		cli_printf("{\"schema\":\"leat.logits/1\",\"index\":%zu,\"token\":%d,\"top\":[", index,
			   (int)x->ids[index]);
	for (i = 0; i < x->top_k; i++) {
		int32_t id = x->top[i];
		const unsigned char *piece = leat_model_token_bytes(x->model, id, &n);
		if (json) {
			cli_printf("%s{\"id\":%d,\"logit\":", i ? "," : "", (int)id);
			cli_json_number((double)row[id]);
			cli_puts(",\"prob\":");
			cli_json_number(exp((double)row[id] - max) / sum);
			cli_puts("}");
			continue;
		}
		cli_printf("%6zu %7d %12.5f %9.5f  ", index, (int)id, (double)row[id],
			   exp((double)row[id] - max) / sum);
		cli_json_string((const char *)piece, piece ? n : 0);
		cli_puts("\n");
	}
	if (json)
		cli_puts("]}\n");
}

static void count_nonfinite(struct logits *x, size_t index, const float *row)
{
	int i = 0;

	while (i < x->info.n_rows && isfinite(row[i]))
		i++;
	if (i < x->info.n_rows && !x->n_nonfinite++)
		x->first_nonfinite = index;
}

static int on_row(void *user, size_t index, const float *row, int32_t n_rows)
{
	struct logits *x = user;
	int last = (int)x->c->value[OPT_LAST].i;

	if (cli_signal())
		return 1;
	if (last && index + 1 != x->n_ids)
		return 0;
	count_nonfinite(x, index, row);
	if (x->form == ROWS_JSONL)
		x->rc = write_jsonl(x, index, row);
	else if (x->form != ROWS_NONE)
		x->rc = write_out(x, row, (size_t)n_rows * sizeof(*row));
	if (x->top_k)
		write_top(x, index, row);
	if (x->comparing)
		compare_row(&x->compare, last ? 0 : index, row);
	return x->rc || cli_out_failed();
}

/* ---- verdict ---- */

/* NUMERICS section 2, default mode; the reference mode keeps caches in float32. */
static double house_bound(const struct logits *x)
{
	const char *type = x->info.type;
	int f32_cache = x->info.recurrent || x->c->value[OPT_CACHE_TYPE].i == 1 || x->c->value[OPT_REFERENCE].i;

	if (!strcmp(type, "F32"))
		return f32_cache ? 1e-3 : 5e-3;
	if (!strcmp(type, "F16"))
		return 5e-3;
	return !strcmp(type, "BF16") ? 3e-2 : 5e-2;
}

static int verdict(struct logits *x)
{
	const struct compare *k = &x->compare;
	double bound = k->max_e >= 0 ? k->max_e : house_bound(x), e = compare_e(k);
	uint64_t beyond = compare_ids_beyond(k, bound);
	int by_e = k->max_e >= 0 || k->rtol < 0, ok = 1;

	if (by_e && !(e <= bound))
		ok = 0;
	if (k->outside)
		ok = 0;
	if (x->c->json) {
		cli_printf("{\"schema\":\"leat.logits/1\",\"event\":\"compare\",\"rows\":%llu,\"width\":%llu,\"e\":",
			   (unsigned long long)k->rows, (unsigned long long)k->width);
		cli_json_number(e);
		cli_puts(",\"max_difference\":");
		cli_json_number(k->max_diff);
		cli_puts(",\"deviation\":");
		cli_json_number(compare_deviation(k));
		cli_printf(",\"bound\":%.9g,\"ids_equal\":%llu,\"ids_beyond\":%llu,\"outside\":%llu,\"within\":%s}\n",
			   bound, (unsigned long long)k->ids_equal, (unsigned long long)beyond,
			   (unsigned long long)k->outside, ok ? "true" : "false");
		return ok ? 0 : EXIT_VERDICT;
	}
	cli_printf("rows     %llu of width %llu\n", (unsigned long long)k->rows, (unsigned long long)k->width);
	cli_printf(
		"e        %.3e  (largest difference %.3e at row %llu column %llu, deviation of the reference %.4g)\n",
		e, k->max_diff, (unsigned long long)k->max_row, (unsigned long long)k->max_column,
		compare_deviation(k));
	cli_printf("ids      %llu of %llu equal outright, %llu more within 2 x bound x deviation, %llu beyond\n",
		   (unsigned long long)k->ids_equal, (unsigned long long)k->rows,
		   (unsigned long long)(k->n_gaps - beyond), (unsigned long long)beyond);
	if (k->rtol >= 0)
		cli_printf("outside  %llu of %llu values over %g + %g |reference|\n", (unsigned long long)k->outside,
			   (unsigned long long)k->n, k->atol, k->rtol);
	cli_printf("bound    e <= %g%s\n", bound,
		   k->max_e >= 0 ? ""
		   : by_e        ? " (house bound of the weight type)"
				 : " (not asked for)");
	cli_printf("verdict  %s\n", ok ? "within" : "outside");
	return ok ? 0 : EXIT_VERDICT;
}

/* ---- all of it ---- */

static int open_compare(struct logits *x)
{
	const struct cli_value *v = x->c->value;
	int32_t wide[2] = { x->info.n_rows, x->info.n_vocab };
	struct compare *k = &x->compare;

	if (!v[OPT_COMPARE].s && (cli_is_set(x->c, OPT_RTOL) || cli_is_set(x->c, OPT_ATOL) ||
				  (cli_is_set(x->c, OPT_MAX_E) && !v[OPT_LAYER_COMPARE].s)))
		return cli_usage_error(x->c, "--rtol, --atol and --max-e belong to --compare");
	if (!v[OPT_COMPARE].s)
		return 0;
	k->rtol = cli_is_set(x->c, OPT_RTOL) ? v[OPT_RTOL].f : cli_is_set(x->c, OPT_ATOL) ? 0 : -1;
	k->atol = v[OPT_ATOL].f;
	k->max_e = cli_is_set(x->c, OPT_MAX_E) ? v[OPT_MAX_E].f : -1;
	x->comparing = 1;
	return compare_open(k, x->c, v[OPT_COMPARE].s, x->n_rows, wide);
}

static int open_engine(struct logits *x)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	const struct cli_value *v = x->c->value;

	if (v[OPT_REFERENCE].i && v[OPT_DETERMINISTIC].i)
		return cli_usage_error(x->c, "--reference and --deterministic are two modes; give one");
	cli_engine_params(x->c, &p);
	/* No room is needed beyond these tokens. */
	if (!x->info.recurrent)
		p.n_ctx = (int32_t)(x->n_ids < INT32_MAX ? x->n_ids : INT32_MAX);
	if (v[OPT_CHUNK].i > p.n_batch)
		p.n_batch = (int32_t)v[OPT_CHUNK].i;
	if (v[OPT_REFERENCE].i) {
		p.mode = LEAT_MODE_REFERENCE;
		p.kv_type = "f32";
	}
	return cli_create_engine(x->c, x->model, &p, &x->engine);
}

/* All rows are there. A file that stands under its name afterwards says that everything was written, so standard output
 * comes first. */
static int finish(struct logits *x)
{
	struct leat_error e = LEAT_ERROR_INIT;
	double max_e = cli_is_set(x->c, OPT_MAX_E) ? x->c->value[OPT_MAX_E].f : 5e-2;
	int rc = x->comparing ? verdict(x) : 0, dumped = x->dump.n_hooks ? dump_finish(&x->dump, max_e) : 0;

	rc = dumped ? dumped : rc;
	cli_flush();
	if (cli_out_failed())
		return cli_out_failed();
	if (x->out_open) {
		x->out_open = 0;
		if (leat_outfile_commit(&x->out, 1, &e))
			return cli_fail(x->c, &e, 0);
	}
	if (!x->n_nonfinite)
		return rc;
	return cli_error(x->c, LEAT_E_NONFINITE,
			 "%zu of %zu rows hold a NaN or an infinity; the first is row %zu, token %d", x->n_nonfinite,
			 x->n_rows, x->first_nonfinite, (int)x->ids[x->first_nonfinite]);
}

static int compute(struct logits *x)
{
	struct leat_evaluate_params p = LEAT_EVALUATE_PARAMS_INIT;
	struct leat_segment tokens = { .kind = LEAT_SEGMENT_TOKENS, .data = x->ids, .n = x->n_ids };
	struct leat_error e = LEAT_ERROR_INIT;
	enum leat_status s;

	p.segments = &tokens;
	p.n_segments = 1;
	p.chunk = (int32_t)x->c->value[OPT_CHUNK].i;
	if (x->n_rows == 1 || (x->form == ROWS_NONE && !x->top_k && !x->comparing))
		p.first = -1; /* no head for the others */
	p.hooks = x->dump.hook;
	p.n_hooks = x->dump.n_hooks;
	s = leat_engine_evaluate(x->engine, &p, on_row, x, &e);
	if (x->rc)
		return x->rc;
	if (s == LEAT_E_CANCELLED && !cli_signal())
		return cli_out_failed();
	if (s)
		return cli_fail(x->c, &e, 0);
	return finish(x);
}

static int prepare(struct logits *x)
{
	const struct cli_value *v = x->c->value;
	const char *path;
	int rc = 0;

	path = cli_model_path(x->c, 1, &rc);
	if (path && x->c->n_args > 1)
		rc = cli_usage_error(x->c, "too many arguments: '%s'", x->c->args[1]);
	if (path && !rc)
		rc = cli_open_model(x->c, path, 0, &x->model);
	if (rc)
		return rc;
	x->info.struct_size = sizeof(x->info);
	leat_model_get_info(x->model, &x->info);
	if (v[OPT_POINTS].i)
		return 0;
	x->top_k = (int)v[OPT_TOP].i < x->info.n_vocab ? (int)v[OPT_TOP].i : x->info.n_vocab;
	x->top = malloc(sizeof(*x->top) * ((size_t)x->top_k + 1));
	if (!x->top)
		return cli_error(x->c, LEAT_E_NOMEM, "out of memory");
	rc = get_tokens(x);
	if (!rc)
		rc = dump_open(&x->dump, x->c, (int64_t)x->n_ids);
	if (rc)
		return rc;
	x->n_rows = v[OPT_LAST].i ? 1 : x->n_ids;
	rc = open_compare(x);
	if (!rc)
		rc = open_engine(x);
	return rc ? rc : open_out(x);
}

static int run(struct cli *c)
{
	struct logits x;
	int rc;

	memset(&x, 0, sizeof(x));
	x.c = c;
	rc = prepare(&x);
	if (!rc)
		rc = c->value[OPT_POINTS].i ? dump_points(c, x.model) : compute(&x);
	if (x.out_open)
		leat_outfile_abort(&x.out);
	compare_close(&x.compare);
	dump_close(&x.dump);
	leat_engine_unref(x.engine);
	leat_model_unref(x.model);
	if (x.ids_mine)
		free(x.ids);
	else
		leat_free(x.ids);
	free(x.top);
	return rc;
}

const struct leat_cmd leat_cmd_logits = {
	.name = "logits",
	.alias = "",
	.summary = "compute the logits of given tokens, write or compare them",
	.usage = "logits [FILE] [-p TEXT | -f FILE | --tokens IDS] [options]",
	.notes = "\nRows are float32, one of as many numbers as the model's head has, for each token, from an empty\n"
		 "state. --compare prints e = largest difference / standard deviation of the reference, and counts\n"
		 "the rows whose best ids are equal.\n",
	.examples = {
		{ "leat logits model.gguf -p \"some text\" --last --top 5", "the five likeliest next tokens" },
		{ "leat logits model.gguf -f text -o rows.npy", "all rows, for NumPy" },
		{ "leat logits model.gguf -f text --compare rows.npy", "how far this build is from those rows" },
		{ "leat logits model.gguf -p \"some text\" --layer-dump att.out,layer.out", "look into every layer" },
	},
	.verdict = "--compare, and the rows are outside the tolerance",
	.bit = C_LOGITS,
	.max_args = -1,
	.run = run,
};
