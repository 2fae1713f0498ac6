/* prompts.c - leat run --prompts: a stream of prompts in, answers out in its order, as many at a time as --parallel.
 *
 * The engine has a thread of its own here; this one reads lines, hands requests over, collects events and prints, and
 * sleeps until the engine, the input or a signal has something for it. What it holds is bounded: --parallel and
 * --max-queue requests, one line, and HELD_BYTES of answers that wait for an earlier one. */
#include "prompts.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELD_BYTES = 64 << 20 };

enum form { FORM_UNKNOWN, FORM_TEXT, FORM_JSON };

struct prompts {
	struct cli *c;
	const char *name;             /* of the file, for messages */
	enum form form;
	struct prompts_reader in;
	int fd, engine_fd, signal_fd;
	struct leat_model *model;
	struct leat_engine *engine;
	struct leat_state *state;     /* that every answer begins with; NULL: none */
	struct cli_sampling base;
	struct prompts_job *first, **last; /* in order of lines: what is not printed yet */
	struct prompts_ask ask;       /* of `held` */
	struct prompts_job *held;     /* was refused because the queue is full; tried again when one is over */
	int n_live, most_live, level; /* level: what signals asked for so far */
	size_t done_bytes;            /* of answers that wait to be printed */
	int eof, input_waits, rc;
	uint64_t n_results, n_failed, n_prompt, n_cached, n_generated;
	double start;
};

/* ---- ends ---- */

static void fail_job(struct prompts *p, struct prompts_job *j, const struct leat_error *e)
{
	j->over = 1;
	j->status = (enum leat_status)e->status;
	j->error = *e;
	if (!p->rc)
		p->rc = cli_exit_code(e->status, 0);
	p->n_failed++;
	cli_note(p->c, "leat: %s:%llu: %s\n", p->name, (unsigned long long)j->line, e->message);
}

static void end_job(struct prompts *p, struct prompts_job *j)
{
	j->stats.struct_size = sizeof(j->stats);
	leat_request_get_stats(j->request, &j->stats);
	if (prompts_job_keep_logprobs(j))
		cli_note(p->c, "leat: out of memory for the prompt of line %llu\n", (unsigned long long)j->line);
	leat_request_unref(j->request);
	j->request = NULL;
	j->over = 1;
	p->n_live--;
	p->done_bytes += prompts_job_bytes(j);
	p->n_prompt += j->stats.n_prompt;
	p->n_cached += j->stats.n_cached;
	p->n_generated += j->stats.n_generated;
}

static void print_job(struct prompts *p, struct prompts_job *j)
{
	if (j->stats.struct_size)
		p->done_bytes -= prompts_job_bytes(j);
	p->n_results++;
	prompts_print_result(j, p->model, cli_is_set(p->c, OPT_LOGPROBS));
	prompts_job_free(j);
}

/* What is over, in order; with --stream all that is. */
static void print_done(struct prompts *p)
{
	struct prompts_job **at = &p->first;

	while (*at && ((*at)->over || p->c->value[OPT_STREAM].i)) {
		struct prompts_job *j = *at;
		if (!j->over) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		if (!*at)
			p->last = at;
		print_job(p, j);
	}
	cli_flush();
	if (cli_out_failed() && p->level < 2) { /* nobody reads: nothing is worth computing */
		p->rc = cli_out_failed();
		p->level = 2;
	}
}

/* ---- begins ---- */

static struct prompts_job *new_job(struct prompts *p)
{
	struct prompts_job *j = calloc(1, sizeof(*j));

	if (!j) {
		p->rc = cli_error(p->c, LEAT_E_NOMEM, "out of memory");
		p->level = 2;
		return NULL;
	}
	j->line = p->in.line;
	*p->last = j;
	p->last = &j->next;
	return j;
}

/* Hands over what p->ask says. */
static void submit(struct prompts *p, struct prompts_job *j)
{
	struct leat_error e = LEAT_ERROR_INIT;
	struct leat_request_params *ask = &p->ask.sampling.p;
	enum leat_status s;

	ask->initial_state = p->state;
	s = leat_request_submit(p->engine, ask, &j->request, &e);

	if (s == LEAT_E_BUSY && p->n_live) {
		p->held = j;
		return;
	}
	p->held = NULL;
	j->lead = p->ask.lead;
	if (!s && (ask->flags & LEAT_REQUEST_PROMPT_LOGPROBS) && prompts_job_keep_prompt(j, ask->tokens, ask->n_tokens))
		cli_note(p->c, "leat: out of memory for the prompt of line %llu\n", (unsigned long long)j->line);
	prompts_ask_deinit(&p->ask);
	if (s)
		fail_job(p, j, &e);
	else
		p->n_live++;
}

/* The first line that is not blank tells what the file is. */
static enum form form_of_line(const char *line, size_t n)
{
	size_t at = 0;

	while (at < n && (line[at] == ' ' || line[at] == '\t'))
		at++;
	return at < n && line[at] == '{' ? FORM_JSON : FORM_TEXT;
}

static void take_line(struct prompts *p, const char *line, size_t n)
{
	struct leat_error e = LEAT_ERROR_INIT;
	struct prompts_job *j = new_job(p);

	if (!j)
		return;
	if (p->form == FORM_UNKNOWN)
		p->form = form_of_line(line, n);
	if (prompts_parse(p->c, p->model, &p->base, p->form == FORM_JSON, line, n, &p->ask, &j->id, &e)) {
		prompts_ask_deinit(&p->ask);
		fail_job(p, j, &e);
		return;
	}
	submit(p, j);
}

static void too_long(struct prompts *p)
{
	struct leat_error e = LEAT_ERROR_INIT;
	struct prompts_job *j = new_job(p);

	if (!j)
		return;
	e.status = LEAT_E_LIMIT;
	snprintf(e.code, sizeof(e.code), "limit_exceeded");
	snprintf(e.message, sizeof(e.message), "the line is longer than %d MiB", PROMPTS_LINE_BYTES >> 20);
	fail_job(p, j, &e);
}

/* As many lines as there is room for, without waiting for any while there are answers to see to. */
static void take_in(struct prompts *p)
{
	const char *line;
	size_t n;

	p->input_waits = 0;
	if (p->held && p->n_live < p->most_live && !p->level)
		submit(p, p->held);
	while (!p->eof && !p->level && !p->held && p->n_live < p->most_live && p->done_bytes < HELD_BYTES) {
		switch (prompts_read(&p->in, &line, &n)) {
		case PROMPTS_LINE:
			take_line(p, line, n);
			break;
		case PROMPTS_TOO_LONG:
			too_long(p);
			break;
		case PROMPTS_LATER:
			p->input_waits = 1;
			return;
		case PROMPTS_END:
			p->eof = 1;
			if (p->in.error && !p->rc)
				p->rc = cli_error(p->c, LEAT_E_IO, "%s: %s", p->name, strerror(p->in.error));
		}
		if (p->first && p->first->over)
			return; /* a bad line is told at once */
	}
}

/* ---- answers ---- */

static int collect(struct prompts *p, struct prompts_job *j)
{
	struct leat_token t = LEAT_TOKEN_INIT;
	struct leat_error e = LEAT_ERROR_INIT;
	int logprobs = cli_is_set(p->c, OPT_LOGPROBS);
	enum leat_status s;
	int n;

	for (n = 0; !(s = leat_request_poll(j->request, 0, &t, &e)); n++) {
		if (p->c->value[OPT_STREAM].i && (t.id >= 0 || t.text_bytes))
			prompts_print_token(j, p->model, &t, logprobs);
		if (prompts_job_add(j, &t, logprobs)) {
			e.status = s = LEAT_E_NOMEM;
			snprintf(e.message, sizeof(e.message), "out of memory for the answer");
			break;
		}
		if (t.finish) {
			end_job(p, j);
			return 1;
		}
	}
	if (s == LEAT_E_TIMEOUT)
		return n;
	end_job(p, j);
	fail_job(p, j, &e);
	return 1;
}

static int collect_all(struct prompts *p)
{
	struct prompts_job *j;
	int n = 0;

	for (j = p->first; j; j = j->next) {
		if (j->request)
			n += collect(p, j);
	}
	return n;
}

/* The first signal ends what has not begun, the second all. */
static void heed_signals(struct prompts *p)
{
	struct leat_request_stats s = { .struct_size = sizeof(s) };
	struct prompts_job *j;
	int level = cli_drain_level();

	if (level <= p->level && p->level < 2)
		return;
	if (level > p->level)
		p->level = level;
	if (p->held) {
		struct leat_error e = { .status = LEAT_E_CANCELLED, .code = "cancelled", .offset = UINT64_MAX,
					.message = "not begun: leat was told to stop" };
		prompts_ask_deinit(&p->ask);
		fail_job(p, p->held, &e);
		p->held = NULL;
	}
	for (j = p->first; j; j = j->next) {
		if (j->request && (p->level >= 2 || leat_request_get_stats(j->request, &s) || !s.queued_ns))
			leat_request_cancel(j->request);
	}
	if (p->level == 1)
		cli_note(p->c, "leat: %d answers are brought to their end; Ctrl-C again stops them\n", p->n_live);
}

static void wait_for_something(struct prompts *p)
{
	struct pollfd fd[3] = {
		{ .fd = p->engine_fd, .events = POLLIN },
		{ .fd = p->signal_fd, .events = POLLIN },
		{ .fd = p->fd, .events = POLLIN },
	};
	uint64_t count;
	ssize_t got = 0;

	poll(fd, p->input_waits ? 3 : 2, -1);
	if (fd[0].revents)
		got = read(p->engine_fd, &count, sizeof(count));
	if (fd[1].revents)
		got = read(p->signal_fd, &count, sizeof(count));
	(void)got; /* the counts are nobody's business: everything is looked at */
}

static void answer_all(struct prompts *p)
{
	for (;;) {
		int n;
		heed_signals(p);
		take_in(p);
		n = collect_all(p);
		print_done(p);
		if (!p->n_live && !p->first && (p->eof || p->level))
			return;
		if (!n && (p->n_live || p->input_waits))
			wait_for_something(p);
	}
}

/* ---- all of it ---- */

static enum form form_of_name(const char *path)
{
	const char *dot = strrchr(path, '.');

	if (dot && !strcmp(dot, ".txt"))
		return FORM_TEXT;
	return dot && (!strcmp(dot, ".jsonl") || !strcmp(dot, ".ndjson") || !strcmp(dot, ".json")) ? FORM_JSON
												  : FORM_UNKNOWN;
}

static int open_input(struct prompts *p)
{
	const char *path = p->c->value[OPT_PROMPTS].s;

	p->name = strcmp(path, "-") ? path : "standard input";
	p->form = form_of_name(path);
	p->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : 0;
	if (p->fd < 0)
		return cli_error(p->c, errno == ENOENT ? LEAT_E_NOTFOUND : LEAT_E_IO, "%s: %s", path, strerror(errno));
	prompts_reader_init(&p->in, p->fd);
	return 0;
}

/* A wrong flag is one error, not one for every line: the library looks at a request that never runs. */
static int try_flags(struct prompts *p)
{
	static const int32_t any = 0;
	struct leat_request_params rp;
	struct leat_request *r;
	struct leat_error e = LEAT_ERROR_INIT;
	int rc = cli_sampling_init(p->c, p->model, &p->base);

	if (rc)
		return rc;
	rp = p->base.p;
	rp.tokens = &any;
	rp.n_tokens = 1;
	if (leat_request_submit(p->engine, &rp, &r, &e))
		return cli_fail(p->c, &e, 1);
	leat_request_unref(r);
	return 0;
}

/* A state of no tokens begins any text; one that holds some is gone on from as it is. */
static int open_state(struct prompts *p)
{
	int follows, rc = cli_state_open(p->c, p->model, &p->state, &follows);

	if (!rc && p->c->value[OPT_SAVE_STATE].s)
		rc = cli_usage_error(p->c, "--save-state: --prompts has more than one answer");
	if (!rc && follows && !cli_wants_raw(p->c))
		rc = cli_usage_error(p->c, "the state holds tokens: with --prompts it needs --raw --no-special");
	return rc;
}

static int open_engine(struct prompts *p, const char *path)
{
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_model_info info = { .struct_size = sizeof(info) };
	struct leat_error e = LEAT_ERROR_INIT;
	const struct cli_value *v = p->c->value;
	int rc = cli_open_model(p->c, path, 0, &p->model);

	if (!rc && !cli_wants_raw(p->c))
		rc = cli_pick_template(p->c, p->model, &p->base);
	if (rc)
		return rc;
	rc = open_state(p);
	if (rc)
		return rc;
	cli_engine_params(p->c, &ep);
	ep.n_seqs = (int32_t)v[OPT_RUN_PARALLEL].i;
	ep.max_queue = v[OPT_MAX_QUEUE].i ? (int32_t)v[OPT_MAX_QUEUE].i : -1;
	ep.max_prefill_stall_ms = v[OPT_MAX_PREFILL_STALL_MS].i ? (int32_t)v[OPT_MAX_PREFILL_STALL_MS].i : -1;
	p->most_live = ep.n_seqs + (int)v[OPT_MAX_QUEUE].i;
	rc = cli_create_engine(p->c, p->model, &ep, &p->engine);
	if (!rc)
		rc = try_flags(p);
	if (rc)
		return rc;
	p->signal_fd = cli_drain_init();
	if (p->signal_fd < 0)
		return cli_error(p->c, LEAT_E_LIMIT, "no descriptor for signals: %s", strerror(errno));
	if (leat_engine_fd(p->engine, &p->engine_fd, &e) || leat_engine_start(p->engine, &e))
		return cli_fail(p->c, &e, 0);
	leat_model_get_info(p->model, &info);
	cli_banner(p->c, &info, p->engine, NULL, cli_now() - p->start);
	return 0;
}

static void summarise(struct prompts *p, double seconds)
{
	unsigned long long results = p->n_results, failed = p->n_failed, in = p->n_prompt, cached = p->n_cached,
			   out = p->n_generated;
	double speed = seconds > 0 ? (double)out / seconds : 0;

	if (p->c->json) {
		cli_printf("{\"schema\":\"leat.run/1\",\"event\":\"summary\",\"n_results\":%llu,\"n_errors\":%llu,"
			   "\"n_prompt\":%llu,\"n_cached\":%llu,\"n_generated\":%llu,\"seconds\":%.6f,"
			   "\"tokens_per_s\":%.3f}\n",
			   results, failed, in, cached, out, seconds, speed);
		cli_flush();
	} else if (p->c->value[OPT_TIMINGS].i == 1 || (p->c->value[OPT_TIMINGS].i == 0 && !p->c->quiet)) {
		fprintf(stderr, "[%llu prompts, %llu failed · %llu in, %llu cached · %llu out in %.2f s · %.1f t/s]\n",
			results, failed, in, cached, out, seconds, speed);
	}
}

static int check_flags(struct cli *c)
{
	if (c->value[OPT_PROMPT].s || c->value[OPT_FILE].s || c->n_args)
		return cli_usage_error(c, "--prompts brings the prompts: -p, -f and arguments mean nothing beside it");
	if (c->value[OPT_INTERACTIVE].i)
		return cli_usage_error(c, "--prompts and -i exclude each other");
	if (cli_wants_raw(c) && (cli_is_set(c, OPT_SYSTEM) || cli_template_name(c)))
		return cli_usage_error(c, "--raw, --no-special and --parse-special leave the chat template out, so "
				       "--system and --chat-template mean nothing beside them");
	return 0;
}

int cli_prompts(struct cli *c, const char *model_path)
{
	struct prompts p = { .c = c, .fd = -1, .engine_fd = -1, .signal_fd = -1, .start = cli_now() };
	int rc = check_flags(c);

	p.last = &p.first;
	if (!rc)
		rc = open_input(&p);
	if (!rc)
		rc = open_engine(&p, model_path);
	if (!rc) {
		double start = cli_now();
		answer_all(&p);
		if (p.rc != EXIT_SIGPIPE)
			summarise(&p, cli_now() - start);
		rc = cli_drain_level() ? 128 + cli_signal() : p.rc;
		leat_engine_stop(p.engine);
	}
	leat_state_unref(p.state);
	leat_engine_unref(p.engine);
	leat_model_unref(p.model);
	cli_sampling_deinit(&p.base);
	prompts_reader_deinit(&p.in);
	if (p.fd > 0)
		close(p.fd);
	return rc;
}
