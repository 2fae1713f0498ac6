/* chat_talk.c - questions, answers, and the way back. Each turn feeds only what is new; /regen and /undo return to a
 * mark of the session and compute nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chat.h"
#include "state.h"

enum { MOST_MARKS = 32, LEAST_MARKS = 4 };

/* ---- opening ---- */

/* Marks are states: a handful always, more while they cost little of what is free. */
static int32_t choose_marks(const struct leat_model_info *info)
{
	struct leat_system_info sys;
	uint64_t n;

	if (!info->state_bytes)
		return 0;
	sys.struct_size = sizeof(sys);
	leat_get_system_info(&sys);
	n = sys.memory_free_bytes / 20 / info->state_bytes;
	return n > MOST_MARKS ? MOST_MARKS : n < LEAST_MARKS ? LEAST_MARKS : (int32_t)n;
}

int chat_refresh(struct chat *h)
{
	struct leat_chat_info chat = h->sampling.chat;

	cli_sampling_deinit(&h->sampling);
	memset(&h->sampling, 0, sizeof(h->sampling));
	h->sampling.chat = chat;
	return cli_sampling_init(h->c, h->model, &h->sampling);
}

int chat_open(struct chat *h)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_error e = LEAT_ERROR_INIT;
	double start = cli_now();
	int rc = cli_open_model(h->c, h->path, 0, &h->model);

	if (rc)
		return rc;
	h->info.struct_size = sizeof(h->info);
	leat_model_get_info(h->model, &h->info);
	rc = cli_state_open(h->c, h->model, &h->begin, &h->follows);
	if (!rc)
		rc = cli_pick_template(h->c, h->model, &h->sampling);
	if (!rc)
		rc = chat_refresh(h);
	if (rc)
		return rc;
	cli_engine_params(h->c, &p);
	p.n_marks = choose_marks(&h->info);
	rc = cli_create_engine(h->c, h->model, &p, &h->engine);
	if (!rc && (leat_session_create(h->engine, &h->session, &e) ||
		    (h->begin && leat_state_apply(h->begin, h->session, &e))))
		rc = cli_fail(h->c, &e, 0);
	if (!rc && h->c->value[OPT_SYSTEM].s) {
		h->system = strdup(h->c->value[OPT_SYSTEM].s);
		rc = h->system ? 0 : cli_error(h->c, LEAT_E_NOMEM, "out of memory");
	}
	h->load_s = cli_now() - start;
	return rc;
}

void chat_free_turns(struct chat_turn *turns, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(turns[i].user);
		free(turns[i].answer);
	}
	free(turns);
}

void chat_close(struct chat *h)
{
	size_t i;

	chat_free_turns(h->turn, h->n_turns);
	for (i = 0; i < h->n_kept; i++)
		free(h->kept[i]);
	free(h->kept);
	free(h->system);
	cli_sampling_deinit(&h->sampling);
	leat_session_unref(h->session);
	leat_state_unref(h->begin);
	leat_engine_unref(h->engine);
	leat_model_unref(h->model);
}

/* ---- requests ---- */

/* Runs a request of the session to its end, with Ctrl-C on it. `on_token` NULL: no token is expected. */
static int run_request(struct chat *h, const struct leat_request_params *p, struct cli_timing *t,
		       void (*on_token)(struct chat *, const struct leat_token *, void *), void *user)
{
	struct leat_token tok = LEAT_TOKEN_INIT;
	struct leat_error e = LEAT_ERROR_INIT;
	struct leat_request_stats s;
	struct leat_request *r;
	int rc = 0;

	if (leat_request_submit(h->engine, p, &r, &e)) {
		rc = cli_fail(h->c, &e, 1);
		if (e.status == LEAT_E_CONTEXT)
			chat_say("/undo takes the last turn back, /clear begins anew, -c N makes room for more\n");
		return rc;
	}
	cli_watch(r);
	while (!rc && !tok.finish) {
		if (leat_request_next(r, &tok, &e)) {
			rc = cli_fail(h->c, &e, 0);
			break;
		}
		if (on_token)
			on_token(h, &tok, user);
		rc = cli_out_failed();
	}
	cli_watch(NULL);
	memset(&s, 0, sizeof(s));
	s.struct_size = sizeof(s);
	if (!leat_request_get_stats(r, &s))
		cli_add_stats(t, &s);
	leat_request_unref(r);
	return rc;
}

/* Feeds messages without drawing an answer. */
static int feed(struct chat *h, const struct leat_message *m, size_t n, unsigned flags, struct cli_timing *t)
{
	struct leat_request_params p = h->sampling.p;
	struct leat_error e = LEAT_ERROR_INIT;
	int32_t *ids = NULL;
	size_t n_ids = 0;
	int rc;

	if (leat_model_chat_tokens(h->model, cli_template_name(h->c), m, n, flags, &ids, &n_ids, &e))
		return cli_fail(h->c, &e, 0);
	p.tokens = ids;
	p.n_tokens = n_ids;
	p.max_tokens = 0;
	p.session = h->session;
	rc = run_request(h, &p, t, NULL, NULL);
	leat_free(ids);
	return rc;
}

/* ---- marks ---- */

static void drop_marks(struct chat *h, struct chat_turn *t)
{
	leat_session_unmark(h->session, t->start);
	leat_session_unmark(h->session, t->asked);
	t->start = t->asked = 0;
}

/* A mark here; the oldest turns give theirs up for it. 0 if there can be none. */
static int64_t mark(struct chat *h)
{
	int64_t m;
	size_t i;

	if (!leat_session_mark(h->session, &m, NULL))
		return m;
	for (i = 0; i + 1 < h->n_turns; i++) {
		if (!h->turn[i].start && !h->turn[i].asked)
			continue;
		drop_marks(h, &h->turn[i]);
		if (!leat_session_mark(h->session, &m, NULL))
			return m;
	}
	return 0;
}

/* The messages of the first n turns, the system message before them; heap, *ret_n of them. */
static struct leat_message *messages_of(const char *system, const struct chat_turn *turn, size_t n, size_t *ret_n)
{
	struct leat_message *m = calloc(2 * n + 2, sizeof(*m));
	size_t i, k = 0;

	if (!m)
		return NULL;
	if (system)
		m[k++] = (struct leat_message){ "system", system, strlen(system) };
	for (i = 0; i < n; i++) {
		m[k++] = (struct leat_message){ "user", turn[i].user, turn[i].n_user };
		m[k++] = (struct leat_message){ "assistant", turn[i].answer, turn[i].n_answer };
	}
	*ret_n = k;
	return m;
}

/* The session as it began. */
static int begin_again(struct chat *h)
{
	struct leat_error e = LEAT_ERROR_INIT;

	leat_session_reset(h->session, NULL);
	return h->begin && leat_state_apply(h->begin, h->session, &e) ? cli_fail(h->c, &e, 0) : 0;
}

/* The session from its begin: the first n turns, the last answer open. */
static int feed_again(struct chat *h, size_t n)
{
	struct cli_timing t = { 0 };
	struct leat_message *m;
	size_t n_m, i;
	int rc = begin_again(h);

	for (i = 0; i < h->n_turns; i++)
		h->turn[i].start = h->turn[i].asked = 0;
	if (!n || rc)
		return rc;
	m = messages_of(h->system, h->turn, n, &n_m);
	if (!m)
		return cli_error(h->c, LEAT_E_NOMEM, "out of memory");
	rc = feed(h, m, n_m, LEAT_CHAT_OPEN_LAST | (h->follows ? (unsigned)LEAT_CHAT_CONTINUE : 0), &t);
	free(m);
	return rc;
}

/* The session as it was before turn n. */
static int go_back(struct chat *h, size_t n)
{
	struct chat_turn *t = &h->turn[n];

	if (n && t->start && !leat_session_rewind(h->session, t->start, NULL))
		return 0;
	return feed_again(h, n);
}

static void forget_turns(struct chat *h, size_t keep)
{
	while (h->n_turns > keep) {
		struct chat_turn *t = &h->turn[--h->n_turns];
		drop_marks(h, t);
		free(t->user);
		free(t->answer);
	}
}

/* ---- the answer ---- */

struct text {
	char *s;
	size_t n, cap;
	int lead;    /* nothing but blanks so far */
	int failed;
};

static void on_token(struct chat *h, const struct leat_token *t, void *user)
{
	struct text *a = user;
	const char *s = t->text;
	size_t n = t->text_bytes;

	if (h->c->json) {
		while (a->lead && n && strchr(" \t\r\n", *s)) {
			s++;
			n--;
		}
		a->lead &= !n;
	} else {
		cli_write_answer(&s, &n, &a->lead, h->escape);
		cli_flush();
	}
	if (n > a->cap - a->n) {
		size_t cap = 2 * a->cap + n + 256;
		char *grown = realloc(a->s, cap);
		if (!grown) {
			a->failed = 1;
			return;
		}
		a->s = grown;
		a->cap = cap;
	}
	if (n)
		memcpy(a->s + a->n, s, n);
	a->n += n;
}

static void json_answer(const struct text *a, const struct cli_timing *t)
{
	cli_puts("{\"schema\":\"leat.chat/1\",\"event\":\"answer\",\"text\":");
	cli_json_string(a->n ? a->s : "", a->n);
	cli_printf(",\"finish\":\"%s\",\"seed\":%llu,\"n_prompt\":%llu,\"n_cached\":%llu,\"n_generated\":%llu,"
		   "\"prompt_s\":%.6f,\"generate_s\":%.6f}\n",
		   cli_finish_word(t->finish), (unsigned long long)t->seed, (unsigned long long)t->n_in,
		   (unsigned long long)t->n_cached, (unsigned long long)t->n_out, (double)t->in_ns * 1e-9,
		   (double)t->out_ns * 1e-9);
}

static void report(struct chat *h, const struct text *a, const struct cli_timing *t)
{
	const struct cli *c = h->c;

	if (c->json)
		json_answer(a, t);
	else if (a->n && a->s[a->n - 1] != '\n')
		cli_puts("\n");
	cli_flush();
	if (!c->json && (c->value[OPT_TIMINGS].i == 1 || (c->value[OPT_TIMINGS].i == 0 && !c->quiet)))
		cli_print_timing(t);
	if (t->finish == LEAT_FINISH_LENGTH && t->n_out != (uint64_t)h->sampling.p.max_tokens)
		chat_say("the context is full: /undo takes the last turn back, /clear begins anew\n");
	h->total.n_in += t->n_in;
	h->total.n_out += t->n_out;
	h->total.in_ns += t->in_ns;
	h->total.out_ns += t->out_ns;
}

/* Draws the answer to the last turn's question, which has been fed. An answer that failed or was interrupted keeps what
 * was shown. */
static int answer(struct chat *h, struct cli_timing *t)
{
	struct chat_turn *turn = &h->turn[h->n_turns - 1];
	struct leat_request_params p = h->sampling.p;
	struct text a = { .lead = h->sampling.chat.trim };
	int rc;

	p.session = h->session;
	p.choice = turn->tries;
	rc = run_request(h, &p, t, on_token, &a);
	free(turn->answer);
	turn->answer = a.s;
	turn->n_answer = a.n;
	if (!a.failed && (!rc || a.n))
		report(h, &a, t);
	if (a.failed)
		rc = cli_error(h->c, LEAT_E_NOMEM, "out of memory for the answer");
	return rc;
}

/* ---- what the user does ---- */

static struct chat_turn *add_turn(struct chat *h, const char *text, size_t n)
{
	struct chat_turn *t;

	if (h->n_turns == h->cap_turns) {
		size_t cap = 2 * h->cap_turns + 16;
		t = realloc(h->turn, cap * sizeof(*t));
		if (!t)
			return NULL;
		h->turn = t;
		h->cap_turns = cap;
	}
	t = &h->turn[h->n_turns];
	memset(t, 0, sizeof(*t));
	t->user = malloc(n + 1);
	if (!t->user)
		return NULL;
	memcpy(t->user, text, n);
	t->user[n] = 0;
	t->n_user = n;
	h->n_turns++;
	return t;
}

static void count_cached(const struct chat *h, struct cli_timing *t)
{
	struct leat_session_info s = { .struct_size = sizeof(s) };

	leat_session_get_info(h->session, &s);
	t->n_cached = s.n_fed;
	t->cached = 1;
}

/* Feeds the last turn's question, marks the place before it and the one after it. */
static int ask_again(struct chat *h, struct cli_timing *t)
{
	struct chat_turn *turn = &h->turn[h->n_turns - 1];
	struct leat_message m[2] = { { "system", h->system, h->system ? strlen(h->system) : 0 },
				     { "user", turn->user, turn->n_user } };
	int first = h->n_turns == 1 && !h->follows, rc;

	turn->start = h->n_turns == 1 ? 0 : mark(h);
	count_cached(h, t);
	rc = feed(h, first && h->system ? m : m + 1, first && h->system ? 2 : 1,
		  LEAT_CHAT_GENERATE | (first ? 0u : (unsigned)LEAT_CHAT_CONTINUE), t);
	if (!rc && t->finish != LEAT_FINISH_CANCELLED)
		turn->asked = mark(h);
	return rc;
}

/* The last question got no answer. */
static int withdraw(struct chat *h, int rc)
{
	if (!rc)
		chat_say("interrupted before the answer; the message is withdrawn\n");
	go_back(h, h->n_turns - 1);
	forget_turns(h, h->n_turns - 1);
	return rc;
}

int chat_ask(struct chat *h, const char *text, size_t n)
{
	struct cli_timing t = { 0 };
	int rc;

	/* what is not text would not come back from a file as it was */
	if (memchr(text, 0, n) || !cli_is_utf8(text, n))
		return cli_error(h->c, LEAT_E_ARG, "this is not UTF-8 text; it was not sent");
	if (!add_turn(h, text, n))
		return cli_error(h->c, LEAT_E_NOMEM, "out of memory");
	rc = ask_again(h, &t);
	return rc || t.finish == LEAT_FINISH_CANCELLED ? withdraw(h, rc) : answer(h, &t);
}

int chat_regen(struct chat *h)
{
	struct cli_timing t = { 0 };
	struct chat_turn *turn = h->n_turns ? &h->turn[h->n_turns - 1] : NULL;
	int rc = 0;

	if (!turn) {
		chat_say("there is no answer yet\n");
		return 0;
	}
	turn->tries++;
	if (turn->asked && !leat_session_rewind(h->session, turn->asked, NULL)) {
		count_cached(h, &t);
		return answer(h, &t);
	}
	rc = go_back(h, h->n_turns - 1);
	if (!rc)
		rc = ask_again(h, &t);
	return rc || t.finish == LEAT_FINISH_CANCELLED ? withdraw(h, rc) : answer(h, &t);
}

int chat_undo(struct chat *h)
{
	int rc;

	if (!h->n_turns) {
		chat_say("there is nothing to undo\n");
		return 0;
	}
	rc = go_back(h, h->n_turns - 1);
	forget_turns(h, h->n_turns - 1);
	chat_say("the last turn is gone; %zu left\n", h->n_turns);
	return rc;
}

void chat_forget_begin(struct chat *h)
{
	if (!h->follows)
		return;
	leat_state_unref(h->begin);
	h->begin = NULL;
	h->follows = 0;
}

int chat_clear(struct chat *h)
{
	forget_turns(h, 0);
	return begin_again(h);
}

int chat_replace(struct chat *h, char *system, struct chat_turn *turns, size_t n)
{
	struct leat_error e = LEAT_ERROR_INIT;
	struct leat_engine_info info;
	struct leat_message *m;
	int32_t *ids = NULL;
	size_t n_m, n_ids = 0;

	m = messages_of(system, turns, n, &n_m);
	if (!m)
		return cli_error(h->c, LEAT_E_NOMEM, "out of memory");
	if (leat_model_chat_tokens(h->model, cli_template_name(h->c), m, n_m, LEAT_CHAT_OPEN_LAST, &ids, &n_ids, &e)) {
		free(m);
		return cli_fail(h->c, &e, 0);
	}
	leat_free(ids);
	free(m);
	memset(&info, 0, sizeof(info));
	info.struct_size = sizeof(info);
	leat_engine_get_info(h->engine, &info);
	if (info.n_ctx && n_ids > (size_t)info.n_ctx)
		return cli_error(h->c, LEAT_E_CONTEXT, "the conversation has %zu tokens and the context holds %d",
				 n_ids, (int)info.n_ctx);
	chat_forget_begin(h);
	chat_clear(h);
	free(h->system);
	h->system = system;
	free(h->turn);
	h->turn = turns;
	h->n_turns = h->cap_turns = n;
	return feed_again(h, n);
}
