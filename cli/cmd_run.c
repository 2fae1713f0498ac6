/* cmd_run.c - leat run: a prompt in, the model's text out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer.h"
#include "chat.h"
#include "prompts.h"
#include "state.h"

struct run {
	struct cli *c;
	struct leat_model *model;
	struct leat_engine *engine;
	struct leat_request *request;
	struct leat_session *session; /* with --save-state */
	struct leat_state *state;     /* that it begins with; NULL: none */
	int follows;                  /* which holds tokens */
	struct leat_model_info info;
	char *prompt;
	size_t prompt_bytes;
	int32_t *ids;     /* the library's */
	size_t n_ids;
	int32_t begin;    /* what an empty prompt becomes */
	uint64_t border[LEAT_MAX_BORDERS]; /* ends of messages among the ids */
	size_t n_borders;
	struct cli_sampling sampling;
	double load_s;
	char last;      /* last byte written to standard output */
	int escape;     /* control bytes are shown, not sent */
	struct cli_phases phases; /* with --verbose */
	int lead;       /* blanks before the first word of an answer are not part of it */
};

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
	if (!isatty(0) && !c->value[OPT_INTERACTIVE].i) {
		int rc = cli_read_text(c, "-", &r->prompt, &r->prompt_bytes);
		if (rc || r->prompt_bytes)
			return rc;
	}
	return cli_usage_error(c, "no prompt: give one with -p, -f, as an argument or on standard input");
}

/* The prompt as one message of the user. */
static int tokenize_message(struct run *r)
{
	const char *system = r->c->value[OPT_SYSTEM].s;
	struct leat_message m[2] = { { "system", system, system ? strlen(system) : 0 },
				     { "user", r->prompt, r->prompt_bytes } };
	struct leat_error e = LEAT_ERROR_INIT;
	unsigned flags = LEAT_CHAT_GENERATE | (r->follows ? (unsigned)LEAT_CHAT_CONTINUE : 0);
	const struct leat_message *first = system ? m : m + 1;
	const char *name = cli_template_name(r->c);

	r->lead = r->sampling.chat.trim;
	if (leat_model_chat_tokens(r->model, name, first, system ? 2 : 1, flags, &r->ids, &r->n_ids, &e) ||
	    leat_model_chat_borders(r->model, name, first, system ? 2 : 1, flags, r->ids, r->n_ids, r->border,
				    LEAT_MAX_BORDERS, &r->n_borders, &e))
		return cli_fail(r->c, &e, 0);
	return 0;
}

static int tokenize_prompt(struct run *r)
{
	struct cli *c = r->c;
	struct leat_error e = LEAT_ERROR_INIT;
	int rc = cli_wants_raw(c) ? 0 : cli_pick_template(c, r->model, &r->sampling);
	unsigned flags = cli_text_flags(c);

	if (rc)
		return rc;
	if (cli_wants_raw(c) && (cli_is_set(c, OPT_SYSTEM) || cli_template_name(c)))
		return cli_usage_error(c, "--raw, --no-special and --parse-special leave the chat template out, so "
				       "--system and --chat-template mean nothing beside them");
	if (!cli_wants_raw(c) && (strcmp(r->sampling.chat.name, "none") || cli_is_set(c, OPT_SYSTEM)))
		return tokenize_message(r);
	if (r->follows) /* it has begun already */
		flags &= ~(unsigned)LEAT_TEXT_SPECIAL;
	if (leat_model_tokenize(r->model, r->prompt, r->prompt_bytes, flags, &r->ids, &r->n_ids, &e))
		return cli_fail(c, &e, 0);
	if (r->n_ids)
		return 0;
	/* An empty prompt begins a text: most models have a token for that. */
	if (r->info.bos < 0 && r->info.eos < 0)
		return cli_usage_error(c, "the prompt is empty and the model has no token that begins a text");
	r->begin = r->info.bos >= 0 ? r->info.bos : r->info.eos;
	return 0;
}

/* ---- the answer ---- */

static void json_token(const struct run *r, const struct leat_token *t)
{
	cli_puts("{\"schema\":\"leat.run/1\",\"event\":\"token\",");
	cli_json_token(r->model, t, cli_is_set(r->c, OPT_LOGPROBS));
	cli_puts("}\n");
}

static void json_prompt(const struct run *r)
{
	uint64_t n;
	const float *logprob = leat_request_prompt_logprobs(r->request, &n);

	cli_puts("{\"schema\":\"leat.run/1\",\"event\":\"prompt\",");
	cli_json_prompt(r->model, r->sampling.p.tokens, r->sampling.p.n_tokens, logprob, n);
	cli_puts("}\n");
}

static void write_token(struct run *r, const struct leat_token *t)
{
	const char *text = t->text;
	size_t n = t->text_bytes;

	if (!t->index && t->id >= 0 && r->c->json && r->c->value[OPT_PROMPT_LOGPROBS].i)
		json_prompt(r);

	if (r->c->json && (t->id >= 0 || n))
		json_token(r, t);
	else if (!r->c->json)
		cli_write_answer(&text, &n, &r->lead, r->escape);
	if (n)
		r->last = text[n - 1];
	cli_flush();
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
	struct cli_timing t = { 0 };
	int wanted = r->c->value[OPT_TIMINGS].i == 1 || (r->c->value[OPT_TIMINGS].i == 0 && !r->c->quiet);

	memset(&s, 0, sizeof(s));
	s.struct_size = sizeof(s);
	if (leat_request_get_stats(r->request, &s))
		return;
	if (r->c->json) {
		cli_printf("{\"schema\":\"leat.run/1\",\"event\":\"end\",\"finish\":\"%s\",\"seed\":%llu,"
			   "\"n_prompt\":%llu,\"n_cached\":%llu,\"n_generated\":%llu,\"prompt_s\":%.6f,"
			   "\"generate_s\":%.6f,\"load_s\":%.6f,\"rope_long\":%d}\n",
			   cli_finish_word(s.finish), (unsigned long long)s.seed, (unsigned long long)s.n_prompt,
			   (unsigned long long)s.n_cached, (unsigned long long)s.n_generated,
			   (double)s.prompt_ns * 1e-9, (double)s.generate_ns * 1e-9, r->load_s, (int)s.rope_long);
		return;
	}
	if (!wanted)
		return;
	if (same_file() && r->last && r->last != '\n' && !isatty(1))
		fputs("\n", stderr);
	cli_add_stats(&t, &s);
	cli_print_timing(&t);
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
		cli_phases_read(r->c, &r->phases);
		rc = cli_out_failed();
	}
	cli_watch(NULL);
	if (!r->c->json && isatty(1) && r->last && r->last != '\n')
		cli_puts("\n");
	cli_flush();
	if (cli_out_failed() == EXIT_SIGPIPE)
		return EXIT_SIGPIPE;
	report(r);
	cli_phases_print(&r->phases);
	if (!rc && t.finish == LEAT_FINISH_CANCELLED)
		rc = cli_exit_code(LEAT_E_CANCELLED, 0);
	if (!rc && t.finish == LEAT_FINISH_TIMEOUT)
		rc = cli_exit_code(LEAT_E_TIMEOUT, 0);
	return rc;
}

/* ---- all of it ---- */

static int open_all(struct run *r, const char *path)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	double start = cli_now();
	int rc = cli_open_model(r->c, path, 0, &r->model);

	if (rc)
		return rc;
	r->info.struct_size = sizeof(r->info);
	leat_model_get_info(r->model, &r->info);
	rc = cli_state_open(r->c, r->model, &r->state, &r->follows);
	if (!rc)
		rc = tokenize_prompt(r);
	if (rc)
		return rc;
	cli_engine_params(r->c, &p);
	rc = cli_create_engine(r->c, r->model, &p, &r->engine);
	r->load_s = cli_now() - start;
	return rc;
}

static int run_prompt(struct run *r)
{
	struct leat_request_params *p = &r->sampling.p;
	struct leat_error e = LEAT_ERROR_INIT;
	int rc = cli_sampling_init(r->c, r->model, &r->sampling);

	if (rc)
		return rc;
	p->tokens = r->n_ids ? r->ids : &r->begin;
	p->n_tokens = r->n_ids ? r->n_ids : 1;
	p->borders = r->border;
	p->n_borders = (int32_t)r->n_borders;
	p->n_top = (int32_t)r->c->value[OPT_LOGPROBS].i;
	p->timeout_ns = (uint64_t)(r->c->value[OPT_TIMEOUT].f * 1e9);
	if (cli_signal())
		return 128 + cli_signal();
	if (r->c->value[OPT_SAVE_STATE].s) {
		if (leat_session_create(r->engine, &r->session, &e) ||
		    (r->state && leat_state_apply(r->state, r->session, &e)))
			return cli_fail(r->c, &e, 0);
		p->session = r->session;
	} else {
		p->initial_state = r->state;
	}
	if (leat_request_submit(r->engine, p, &r->request, &e))
		return cli_fail(r->c, &e, 1);
	cli_watch(r->request);
	cli_banner(r->c, &r->info, r->engine, NULL, r->load_s);
	return generate(r);
}

/* Flags that mean something with --prompts only, or with JSON only: what would be ignored is refused. */
static int check_flags(struct cli *c)
{
	static const enum cli_option many[] = { OPT_RUN_PARALLEL, OPT_MAX_QUEUE, OPT_MAX_PREFILL_STALL_MS, OPT_PRIORITY,
						OPT_QUEUE_TIMEOUT, OPT_STREAM };
	size_t i;

	for (i = 0; i < sizeof(many) / sizeof(*many); i++) {
		if (c->value[many[i]].source == CLI_FLAG)
			return cli_usage_error(c, "--%s needs --prompts", cli_option_name(many[i]));
	}
	if ((c->value[OPT_LOGPROBS].source == CLI_FLAG || c->value[OPT_PROMPT_LOGPROBS].source == CLI_FLAG) && !c->json)
		return cli_usage_error(c, "--logprobs and --prompt-logprobs need --json or --prompts");
	return 0;
}

/* A prompt may come from anywhere; without one a person at a terminal is asked. */
static int wants_chat(const struct cli *c)
{
	const struct cli_value *v = c->value;

	if (v[OPT_PROMPT].s || v[OPT_FILE].s || c->n_args)
		return 0;
	return v[OPT_INTERACTIVE].i || (isatty(0) && isatty(1));
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
	if (path && c->value[OPT_PROMPTS].s)
		return cli_prompts(c, path);
	if (path)
		rc = check_flags(c);
	if (path && !rc && wants_chat(c))
		return cli_chat(c, path);
	if (path && !rc)
		rc = get_prompt(&r);
	if (!rc)
		rc = open_all(&r, path);
	if (!rc)
		rc = run_prompt(&r);
	leat_request_unref(r.request);
	if (!rc)
		rc = cli_state_save(c, r.session);
	leat_session_unref(r.session);
	leat_state_unref(r.state);
	leat_engine_unref(r.engine);
	leat_model_unref(r.model);
	leat_free(r.ids);
	free(r.prompt);
	cli_sampling_deinit(&r.sampling);
	return rc;
}

const struct leat_cmd leat_cmd_run = {
	.name = "run",
	.alias = "",
	.summary = "answer a prompt, or write on from it",
	.usage = "run [FILE] [PROMPT...] [-p TEXT | -f FILE | --prompts FILE] [options]",
	.notes = "\nThe prompt is -p, -f, the arguments after FILE, or standard input. Without FILE: LEAT_MODEL, else\n"
		 "the demo model (searched in LEAT_MODELS, beside the program, ./models). With -m all arguments are\n"
		 "the prompt. Only the text goes to standard output.\n\n"
		 "A chat model gets the prompt as a message, written with the model's chat template; --raw leaves it\n"
		 "out. Without a prompt, at a terminal or with -i, run is chat.\n\n"
		 "--save-state writes what the model made of the prompt and its answer; --load-state goes on from it,\n"
		 "another day, with the same model and flags: the prompt is then the next message. --state-dir keeps\n"
		 "beginnings of prompts, so that a long one is computed once.\n\n"
		 "--prompts answers many prompts in one process, --parallel at a time in one running batch; each gets\n"
		 "the answer that it would get alone. FILE.txt holds a prompt a line, FILE.jsonl an object or a\n"
		 "quoted text, another name either, by its first line. An object has one of prompt, messages (objects\n"
		 "with role and content) and tokens (ids), may have id, stop, logit_bias (id: number), and, over the\n"
		 "flags: max_tokens, seed (above 2^63-1 in quotes), temperature, top_k, top_p, min_p,\n"
		 "typical, repeat_penalty, repeat_last_n, presence_penalty, frequency_penalty, penalty_decay,\n"
		 "samplers, ignore_eos, show_special, system, raw, no_special, parse_special, priority, timeout,\n"
		 "queue_timeout, prompt_logprobs.\n\n"
		 "Output is a JSON object a line, in the order of the prompts: event result with line, id, text,\n"
		 "finish, counts, seconds and --logprobs, or event error with line and why; the others go on, and\n"
		 "leat exits with the status of the first error. With --stream each token comes at once, as an event\n"
		 "with line and request, and results come as they end. --json adds a summary. Lines are read as they\n"
		 "are needed, at most 16 MiB each. The first Ctrl-C begins nothing new and finishes what runs, the\n"
		 "second stops it.\n",
	.examples = {
		{ "leat run model.gguf -p \"Once upon a time\"", "go on from a text" },
		{ "leat run model.gguf -n 200 < notes.txt", "the prompt from a pipe or a file" },
		{ "leat run model.gguf --temp 0 --json \"1, 2, 3,\"", "greedy, one JSON object a token" },
		{ "leat run model.gguf --prompts questions.jsonl -np 16 > answers.jsonl", "many prompts, 16 together" },
	},
	.bit = C_RUN,
	.max_args = -1,
	.run = run,
};
