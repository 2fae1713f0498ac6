/* cmd_run.c - leat run: a prompt in, the model's text out. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

struct run {
	struct cli *c;
	struct leat_model *model;
	struct leat_engine *engine;
	struct leat_request *request;
	struct leat_model_info info;
	char *prompt;
	size_t prompt_bytes;
	int32_t *ids;     /* the library's */
	size_t n_ids;
	int32_t begin;    /* what an empty prompt becomes */
	struct leat_logit_bias_entry *bias;
	double load_s;
	char last;      /* last byte written to standard output */
	int escape;     /* control bytes are shown, not sent */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the prompt ---- */

static int join_arguments(struct run *r)
{
	struct cli *c = r->c;
	size_t n = 1;
	int i;

	for (i = 0; i < c->n_args; i++)
		n += strlen(c->args[i]) + 1;
	r->prompt = calloc(1, n);
	if (!r->prompt)
		return cli_error(c, LEAT_E_NOMEM, "out of memory");
	for (i = 0, n = 0; i < c->n_args; i++) {
		size_t m = strlen(c->args[i]);
		if (i)
			r->prompt[n++] = ' ';
		memcpy(r->prompt + n, c->args[i], m);
		n += m;
	}
	r->prompt_bytes = n;
	return 0;
}

/* -p, then -f, then arguments, then standard input if it is no terminal. */
static int get_prompt(struct run *r)
{
	struct cli *c = r->c;
	const struct cli_value *p = &c->value[OPT_PROMPT], *f = &c->value[OPT_FILE];

	if ((p->s != NULL) + (f->s != NULL) + (c->n_args > 0) > 1)
		return cli_usage_error(c, "more than one prompt: give one of -p, -f and arguments");
	if (p->s) {
		r->prompt = strdup(p->s);
		r->prompt_bytes = strlen(p->s);
		return r->prompt ? 0 : cli_error(c, LEAT_E_NOMEM, "out of memory");
	}
	if (f->s)
		return cli_read_text(c, f->s, &r->prompt, &r->prompt_bytes);
	if (c->n_args == 1 && !strcmp(c->args[0], "-"))
		return cli_read_text(c, "-", &r->prompt, &r->prompt_bytes);
	if (c->n_args)
		return join_arguments(r);
	if (!isatty(0)) {
		int rc = cli_read_text(c, "-", &r->prompt, &r->prompt_bytes);
		if (rc || r->prompt_bytes)
			return rc;
	}
	return cli_usage_error(c, "no prompt: give one with -p, -f, as an argument or on standard input");
}

static int tokenize_prompt(struct run *r)
{
	struct leat_error e = LEAT_ERROR_INIT;

	if (leat_model_tokenize(r->model, r->prompt, r->prompt_bytes, cli_text_flags(r->c), &r->ids, &r->n_ids, &e))
		return cli_fail(r->c, &e, 0);
	if (r->n_ids)
		return 0;
	/* An empty prompt begins a text: most models have a token for that. */
	if (r->info.bos < 0 && r->info.eos < 0)
		return cli_usage_error(r->c, "the prompt is empty and the model has no token that begins a text");
	r->begin = r->info.bos >= 0 ? r->info.bos : r->info.eos;
	return 0;
}

/* ---- sampling flags ---- */

static void set_float(const struct cli *c, enum cli_option o, float *ret)
{
	if (cli_is_set(c, o))
		*ret = (float)c->value[o].f;
}

static void set_int(const struct cli *c, enum cli_option o, int32_t *ret)
{
	if (cli_is_set(c, o))
		*ret = (int32_t)c->value[o].i;
}

/* "15043+1.5", "2-inf" */
static int parse_bias(struct run *r, struct leat_request_params *p)
{
	const struct cli_value *v = &r->c->value[OPT_LOGIT_BIAS];
	int i;

	r->bias = calloc((size_t)v->n_list + 1, sizeof(*r->bias));
	if (!r->bias)
		return cli_error(r->c, LEAT_E_NOMEM, "out of memory");
	for (i = 0; i < v->n_list; i++) {
		const char *s = v->list[i];
		char *end, *end2;
		long id = strtol(s, &end, 10);
		double x = *end == '+' || *end == '-' ? strtod(end, &end2) : NAN;
		if (*s < '0' || *s > '9' || id > INT32_MAX || isnan(x) || end2 == end || *end2 || x == (double)INFINITY)
			return cli_usage_error(r->c, "--logit-bias: '%s' is not ID+X or ID-X", s);
		r->bias[i].id = (int32_t)id;
		r->bias[i].bias = (float)x;
	}
	p->logit_bias = r->bias;
	p->n_logit_bias = v->n_list;
	return 0;
}

static int request_params(struct run *r, struct leat_request_params *p)
{
	const struct cli *c = r->c;
	const struct cli_value *v = c->value;
	int i;

	leat_request_params_init(r->model, p);
	p->tokens = r->n_ids ? r->ids : &r->begin;
	p->n_tokens = r->n_ids ? r->n_ids : 1;
	p->max_tokens = v[OPT_N_PREDICT].i;
	set_float(c, OPT_TEMP, &p->temperature);
	set_float(c, OPT_TOP_P, &p->top_p);
	set_float(c, OPT_MIN_P, &p->min_p);
	set_float(c, OPT_TYPICAL, &p->typical_p);
	set_int(c, OPT_TOP_K, &p->top_k);
	set_float(c, OPT_REPEAT_PENALTY, &p->repeat_penalty);
	set_float(c, OPT_PRESENCE_PENALTY, &p->presence_penalty);
	set_float(c, OPT_FREQUENCY_PENALTY, &p->frequency_penalty);
	set_float(c, OPT_PENALTY_DECAY, &p->penalty_decay);
	set_int(c, OPT_REPEAT_LAST_N, &p->repeat_last_n);
	p->samplers = v[OPT_SAMPLERS].s;
	p->stop = v[OPT_STOP].list;
	p->n_stop = v[OPT_STOP].n_list;
	for (i = 0; i < p->n_stop; i++) {
		if (!p->stop[i][0])
			return cli_usage_error(c, "--stop: an empty text would stop at once");
	}
	p->flags &= ~(uint32_t)LEAT_REQUEST_RANDOM_SEED;
	/* By the text: the bits of -1 are those of the largest seed too. */
	if (!strcmp(v[OPT_SEED].s, "-1"))
		p->flags |= LEAT_REQUEST_RANDOM_SEED;
	p->seed = (uint64_t)v[OPT_SEED].i;
	if (v[OPT_IGNORE_EOS].i)
		p->flags |= LEAT_REQUEST_IGNORE_EOS;
	if (v[OPT_SHOW_SPECIAL].i)
		p->flags |= LEAT_REQUEST_SHOW_SPECIAL;
	return v[OPT_LOGIT_BIAS].n_list ? parse_bias(r, p) : 0;
}

/* ---- the answer ---- */

/* A model must not be able to drive the terminal. */
static void write_escaped(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char b = (unsigned char)text[i];
		if ((b < 0x20 && b != '\n' && b != '\t') || b == 0x7f)
			cli_printf("\\x%02x", b);
		else if (b == 0xc2 && i + 1 < n && (unsigned char)text[i + 1] < 0xa0) /* U+0080..U+009F */
			cli_printf("\\u%04x", (unsigned char)text[++i]);
		else
			cli_out(text + i, 1);
	}
}

static void json_token(const struct leat_token *t)
{
	cli_printf("{\"schema\":\"leat.run/1\",\"event\":\"token\",\"index\":%llu,\"id\":%d,\"text\":",
		   (unsigned long long)t->index, (int)t->id);
	cli_json_string(t->text, t->text_bytes);
	cli_puts(",\"logprob\":");
	cli_json_number((double)t->logprob);
	cli_puts("}\n");
}

static void write_token(struct run *r, const struct leat_token *t)
{
	if (r->c->json && (t->id >= 0 || t->text_bytes))
		json_token(t);
	else if (!r->c->json && r->escape)
		write_escaped(t->text, t->text_bytes);
	else if (!r->c->json)
		cli_out(t->text, t->text_bytes);
	if (t->text_bytes)
		r->last = t->text[t->text_bytes - 1];
	cli_flush();
}

static const char *finish_word(int finish)
{
	static const char *const words[] = { "none", "eos", "stop", "length", "cancelled", "error" };

	return finish >= 0 && finish < 6 ? words[finish] : "?";
}

static double rate(uint64_t tokens, uint64_t ns)
{
	return ns ? (double)tokens * 1e9 / (double)ns : 0;
}

/* `leat run ... >log 2>&1`: the timings begin a line of their own. */
static int same_file(void)
{
	struct stat a, b;

	return !fstat(1, &a) && !fstat(2, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void report(struct run *r)
{
	struct leat_request_stats s;
	int wanted = r->c->value[OPT_TIMINGS].i == 1 || (r->c->value[OPT_TIMINGS].i == 0 && !r->c->quiet);

	memset(&s, 0, sizeof(s));
	s.struct_size = sizeof(s);
	if (leat_request_get_stats(r->request, &s))
		return;
	if (r->c->json) {
		cli_printf("{\"schema\":\"leat.run/"
			   "1\",\"event\":\"end\",\"finish\":\"%s\",\"seed\":%llu,\"n_prompt\":%llu,"
			   "\"n_generated\":%llu,\"prompt_s\":%.6f,\"generate_s\":%.6f,\"load_s\":%.6f,"
			   "\"rope_long\":%d}\n",
			   finish_word(s.finish), (unsigned long long)s.seed, (unsigned long long)s.n_prompt,
			   (unsigned long long)s.n_generated, (double)s.prompt_ns * 1e-9, (double)s.generate_ns * 1e-9,
			   r->load_s, (int)s.rope_long);
		return;
	}
	if (!wanted)
		return;
	/* The first token comes out of the prompt's last step, so n - 1 steps made the others. */
	fprintf(stderr, "%s[%llu in %.2f s · %.1f t/s | %llu out %.2f s · %.1f t/s | %s | seed %llu]\n",
		same_file() && r->last && r->last != '\n' && !isatty(1) ? "\n" : "", (unsigned long long)s.n_prompt,
		(double)s.prompt_ns * 1e-9, rate(s.n_prompt, s.prompt_ns), (unsigned long long)s.n_generated,
		(double)s.generate_ns * 1e-9, rate(s.n_generated ? s.n_generated - 1 : 0, s.generate_ns),
		finish_word(s.finish), (unsigned long long)s.seed);
}

static int generate(struct run *r)
{
	struct leat_token t = LEAT_TOKEN_INIT;
	struct leat_error e = LEAT_ERROR_INIT;
	int rc = 0;

	while (!rc && !t.finish) {
		if (leat_request_next(r->request, &t, &e)) {
			rc = cli_fail(r->c, &e, 0);
			break;
		}
		write_token(r, &t);
		rc = cli_out_failed();
	}
	cli_watch(NULL);
	if (!r->c->json && isatty(1) && r->last && r->last != '\n')
		cli_puts("\n");
	cli_flush();
	if (cli_out_failed() == EXIT_SIGPIPE)
		return EXIT_SIGPIPE;
	report(r);
	if (!rc && t.finish == LEAT_FINISH_CANCELLED)
		rc = cli_exit_code(LEAT_E_CANCELLED, 0);
	return rc;
}

/* ---- all of it ---- */

static void banner(const struct run *r)
{
	struct leat_engine_info e;
	char label[96], state[32], ctx[48];

	e.struct_size = sizeof(e);
	if (r->c->quiet || r->c->json || leat_engine_get_info(r->engine, &e))
		return;
	cli_arch_label(&r->info, label);
	snprintf(ctx, sizeof(ctx), "context %d", (int)e.n_ctx);
	fprintf(stderr, "leat %s | %s | %s | %s %s, %s | loaded %.2f s\n", leat_version(), label, e.device,
		r->info.recurrent ? "state" : "cache", cli_bytes(e.state_bytes, state),
		r->info.recurrent && !r->c->value[OPT_CTX_SIZE].i ? "context unlimited" : ctx, r->load_s);
}

static int open_all(struct run *r, const char *path)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	double start = now();
	int rc = cli_open_model(r->c, path, 0, &r->model);

	if (rc)
		return rc;
	r->info.struct_size = sizeof(r->info);
	leat_model_get_info(r->model, &r->info);
	rc = tokenize_prompt(r);
	if (rc)
		return rc;
	cli_engine_params(r->c, &p);
	rc = cli_create_engine(r->c, r->model, &p, &r->engine);
	r->load_s = now() - start;
	return rc;
}

static int run_prompt(struct run *r)
{
	struct leat_request_params p;
	struct leat_error e = LEAT_ERROR_INIT;
	int rc;

	rc = request_params(r, &p);
	if (rc)
		return rc;
	if (cli_signal())
		return 128 + cli_signal();
	if (leat_request_submit(r->engine, &p, &r->request, &e))
		return cli_fail(r->c, &e, 1);
	cli_watch(r->request);
	banner(r);
	return generate(r);
}

static int run(struct cli *c)
{
	struct run r;
	const char *path;
	int rc = 0;

	memset(&r, 0, sizeof(r));
	r.c = c;
	r.escape = isatty(1) && !c->value[OPT_RAW_OUTPUT].i;
	path = cli_model_path(c, 1, &rc);
	if (path)
		rc = get_prompt(&r);
	if (!rc)
		rc = open_all(&r, path);
	if (!rc)
		rc = run_prompt(&r);
	leat_request_unref(r.request);
	leat_engine_unref(r.engine);
	leat_model_unref(r.model);
	leat_free(r.ids);
	free(r.prompt);
	free(r.bias);
	return rc;
}

const struct leat_cmd leat_cmd_run = {
	.name = "run",
	.alias = "",
	.summary = "write on from a prompt",
	.usage = "run [FILE] [PROMPT...] [-p TEXT | -f FILE] [options]",
	.notes = "\nThe prompt is -p, -f, the arguments after FILE, or standard input. Without FILE: LEAT_MODEL, else\n"
		 "the demo model (searched in LEAT_MODELS, beside the program, ./models). With -m all arguments are\n"
		 "the prompt. Only the text goes to standard output.\n",
	.examples = {
		{ "leat run model.gguf -p \"Once upon a time\"", "go on from a text" },
		{ "leat run model.gguf -n 200 < notes.txt", "the prompt from a pipe or a file" },
		{ "leat run model.gguf --temp 0 --json \"1, 2, 3,\"", "greedy, one JSON object a token" },
	},
	.bit = C_RUN,
	.max_args = -1,
	.run = run,
};
