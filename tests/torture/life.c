/* life.c - see life.h. */
#include "life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/request.h"
#include "support/worlds.h"

enum { PROMPT = 70 };
static int32_t prompt[PROMPT];

/* 1: it worked. */
static int came(struct life *l, enum leat_status st, const struct leat_error *err)
{
	if (st == LEAT_OK)
		return 1;
	if (!l->is_expected(st))
		fail_msg("%s: status %d: %s", l->what(), st, err->message);
	if (!err->message[0])
		fail_msg("%s: status %d without a message", l->what(), st);
	l->n_wrong_way++;
	return 0;
}

static void same(struct life *l, struct answer *known, const struct answer *got, const char *whose)
{
	if (!l->is_known)
		*known = *got;
	else if (answer_difference(known, got))
		fail_msg("%s: the %s's %s differ", l->what(), whose, answer_difference(known, got));
}

/* Reads at most n events, or to the end; with a timeout or without. 1: it ended as it should. */
static int read_some(struct life *l, struct leat_request *r, int n, int64_t timeout_ns, struct answer *a)
{
	struct leat_token t = LEAT_TOKEN_INIT;
	while (n--) {
		struct leat_error err = LEAT_ERROR_INIT;
		enum leat_status st = leat_request_poll(r, timeout_ns, &t, &err);
		if (st == LEAT_E_TIMEOUT)
			continue;
		if (!came(l, st, &err))
			return 0;
		if (answer_add(a, &t))
			return 1;
	}
	return 0;
}

static int count(void *user, const struct leat_token *t)
{
	(void)t;
	return ++*(int *)user == 3;
}

static struct leat_request *submit(struct life *l, struct leat_engine *e, const struct leat_request_params *p)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_request *r = NULL;
	return came(l, leat_request_submit(e, p, &r, &err), &err) ? r : NULL;
}

/* Four at once: read a little, cancelled, streamed until the callback stops, read to the end. */
static void several(struct life *l, struct leat_engine *e, struct leat_model *m)
{
	static const int length[] = { 70, 40, 64, 10 };
	static const char *const stops[] = { "zzz" };
	struct leat_request *r[4];
	struct leat_error err = LEAT_ERROR_INIT;
	struct answer a = { .n = 0 };
	int n = 0;
	for (int i = 0; i < 4; i++) {
		struct leat_request_params p = answer_params(m, prompt, length[i], 4, 1);
		p.n_top = 3;
		p.stop = stops;
		p.n_stop = 1;
		r[i] = submit(l, e, &p);
	}
	if (r[0])
		read_some(l, r[0], 2, -1, &a);
	if (r[1])
		leat_request_cancel(r[1]);
	if (r[2])
		came(l, leat_request_stream(r[2], count, &n, &err), &err);
	a = (struct answer){ .n = 0 };
	if (r[3] && read_some(l, r[3], 1000, -1, &a))
		same(l, &l->whole, &a, "request");
	for (int i = 0; i < 4; i++)
		leat_request_unref(r[i]);
}

/* A state goes to bytes and to a file and comes back. */
static void keep(struct life *l, struct leat_model *m, struct leat_session *s, const char *folder)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_state *x, *y;
	uint8_t *data;
	size_t n;
	char path[600];
	snprintf(path, sizeof path, "%s/a.state", folder);
	if (!came(l, leat_state_capture(s, &x, &err), &err))
		return;
	if (came(l, leat_state_to_bytes(x, &data, &n, &err), &err)) {
		if (came(l, leat_state_from_bytes(m, data, n, &y, &err), &err)) {
			came(l, leat_state_apply(y, s, &err), &err);
			leat_state_unref(y);
		}
		leat_free(data);
	}
	if (came(l, leat_state_save(x, path, &err), &err) && came(l, leat_state_load(m, path, &y, &err), &err))
		leat_state_unref(y);
	leat_state_unref(x);
}

static void session(struct life *l, struct leat_engine *e, struct leat_model *m, const char *folder)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_session *s;
	struct leat_request_params p = answer_params(m, prompt, 20, 3, 1);
	struct answer a = { .n = 0 };
	int64_t mark;
	if (!came(l, leat_session_create(e, &s, &err), &err))
		return;
	p.session = s;
	struct leat_request *r = submit(l, e, &p);
	if (r && read_some(l, r, 1000, -1, &a))
		same(l, &l->session, &a, "session");
	leat_request_unref(r);
	if (came(l, leat_session_mark(s, &mark, &err), &err)) {
		r = submit(l, e, &p);
		if (r)
			read_some(l, r, 1, -1, &a);
		leat_request_unref(r);
		came(l, leat_session_rewind(s, mark, &err), &err);
	}
	keep(l, m, s, folder);
	leat_session_unref(s);
}

static void batch(struct life *l, struct leat_engine *e, struct leat_model *m)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_request_params p[3];
	struct leat_result *res;
	for (int i = 0; i < 3; i++)
		p[i] = answer_params(m, prompt, 5 + i, 2, 1);
	if (!came(l, leat_engine_generate_batch(e, p, 3, &res, &err), &err))
		return;
	for (int i = 0; i < 3; i++)
		if (res[i].finish != LEAT_FINISH_LENGTH && !l->is_expected(res[i].status))
			fail_msg("%s: answer %d of a batch: status %d", l->what(), i, res[i].status);
	leat_results_free(res, 3);
}

/* Beside the engine's own thread, with a descriptor. */
static void beside(struct life *l, struct leat_engine *e, struct leat_model *m)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct answer a = { .n = 0 };
	int32_t fd;
	came(l, leat_engine_fd(e, &fd, &err), &err);
	came(l, leat_engine_start(e, &err), &err);
	struct leat_request_params p = answer_params(m, prompt, 12, 3, 1);
	struct leat_request *r = submit(l, e, &p);
	if (r)
		read_some(l, r, 100000, 5000000, &a);
	leat_request_unref(r);
	leat_engine_stop(e);
}

/* Whatever failed is over by now. */
static void works_again(struct life *l, struct leat_engine *e, struct leat_model *m)
{
	struct answer a;
	struct leat_request_params p = answer_params(m, prompt, 20, 3, 1);
	l->pause(1);
	answer_alone(e, &p, &a);
	same(l, &l->batch, &a, "last request");
	assert_int_equal(a.n, 3);
	assert_int_equal(a.finish, LEAT_FINISH_LENGTH);
	assert_int_equal(atomic_load(&e->sched.n_open), 0);
	assert_int_equal(e->n_live, 0);
	l->pause(0);
}

static void use(struct life *l, struct leat_model *m, const char *folder)
{
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine *e;
	ep.n_threads = l->n_threads;
	ep.threads_poll_us = -1;
	ep.mode = LEAT_MODE_DETERMINISTIC;
	ep.n_seqs = 3;
	ep.n_ctx = 256;
	ep.n_batch = 48;
	ep.prefix_cache_bytes = 1 << 20;
	ep.state_dir = folder;
	if (!came(l, leat_engine_create(m, &ep, &e, &err), &err))
		return;
	e->sched.preempt_every = 4;
	several(l, e, m);
	session(l, e, m, folder);
	batch(l, e, m);
	beside(l, e, m);
	came(l, leat_engine_keep_states(e, &err), &err);
	works_again(l, e, m);
	leat_engine_unref(e);
}

void life_live(struct life *l)
{
	struct leat_model_params mp = LEAT_MODEL_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *m;
	char folder[512];
	l->pause(1);
	snprintf(folder, sizeof folder, "%s", world_folder());
	answer_prompt(prompt, PROMPT, 2);
	mp.load_mode = l->load_mode;
	l->begin();
	if (came(l, leat_model_open(l->file, &mp, &m, &err), &err)) {
		use(l, m, folder);
		leat_model_unref(m);
	}
	l->pause(1);
	world_remove(folder);
	l->is_known = 1;
}
