/* test_stress.c - sixteen threads do to one engine what users do, in any order: submit, read, poll, cancel, pause,
 * resume, change priority, walk away, use a session, save and load states, start and stop the engine's thread. Whoever
 * reads to the end of an undisturbed request must get what the request gives alone; nothing may hang, leak a sequence,
 * or race.
 *
 * Seconds: LEAT_STRESS_SECONDS, else 3. The seed is printed; LEAT_STRESS_SEED repeats its choices, not their timing. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/request.h"
#include "support/answers.h"
#include "support/oracle.h"
#include "support/worlds.h"

enum { N_THREADS = 16, N_KINDS = 6, N_SEQS = 4 };

struct shared {
	struct leat_model *m;
	struct leat_engine *e;
	int32_t prompt[N_KINDS][64];
	struct leat_request_params p[N_KINDS];
	struct answer want[N_KINDS];
	uint64_t until;
	atomic_int n_wrong, n_whole, n_cancelled, n_left, n_busy, n_sessions, n_states;
	const char *folder;
	char wrong[500];
};

struct user {
	struct shared *s;
	unsigned seed;
	pthread_t thread;
};

static unsigned draw(struct user *u, unsigned n)
{
	u->seed = u->seed * 1664525u + 1013904223u;
	return (u->seed >> 8) % n;
}

static void wrong(struct shared *s, const char *what, const struct leat_error *err)
{
	if (!atomic_fetch_add(&s->n_wrong, 1))
		snprintf(s->wrong, sizeof s->wrong, "%s: %s", what, err ? err->message : "");
}

/* Takes one event in one of the ways there are. 1: the last one; -1: it failed. */
static int read_one(struct user *u, struct leat_request *r, struct answer *a)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_token t = LEAT_TOKEN_INIT;
	enum leat_status st;
	switch (draw(u, 3)) {
	case 0:
		st = leat_request_poll(r, draw(u, 2000000), &t, &err);
		break;
	case 1:
		st = leat_request_poll(r, 0, &t, &err);
		if (st != LEAT_E_TIMEOUT)
			break;
		/* fall through */
	default:
		st = leat_request_next(r, &t, &err);
	}
	if (st == LEAT_E_TIMEOUT)
		return 0;
	if (st != LEAT_OK) {
		wrong(u->s, "read", &err);
		return -1;
	}
	return answer_add(a, &t);
}

static void disturb(struct user *u, struct leat_request *r, int *ret_cancelled)
{
	switch (draw(u, 12)) {
	case 0:
		leat_request_cancel(r);
		*ret_cancelled = 1;
		break;
	case 1:
		leat_request_pause(r);
		if (draw(u, 2))
			usleep(draw(u, 1000));
		leat_request_resume(r);
		break;
	case 2:
		leat_request_set_priority(r, (int32_t)draw(u, 11) - 5);
		break;
	case 3:
		usleep(draw(u, 3000)); /* a reader that is busy with something else */
		break;
	default:
		break;
	}
}

static void one_request(struct user *u)
{
	struct shared *s = u->s;
	struct leat_error err = LEAT_ERROR_INIT;
	unsigned kind = draw(u, N_KINDS), calm = draw(u, 3), leave = draw(u, 40);
	struct leat_request *r;
	struct answer a = { .n = 0 };
	int end = 0, cancelled = 0;
	enum leat_status st = leat_request_submit(s->e, &s->p[kind], &r, &err);
	if (st == LEAT_E_BUSY) {
		atomic_fetch_add(&s->n_busy, 1);
		usleep(1000);
		return;
	}
	if (st != LEAT_OK) {
		wrong(s, "submit", &err);
		return;
	}
	while (!end && leave-- != 0) {
		end = read_one(u, r, &a);
		if (calm)
			disturb(u, r, &cancelled);
	}
	if (!end)
		atomic_fetch_add(&s->n_left, 1);
	else if (a.finish == LEAT_FINISH_CANCELLED && cancelled)
		atomic_fetch_add(&s->n_cancelled, 1);
	else if (end > 0 && answer_difference(&s->want[kind], &a))
		wrong(s, answer_difference(&s->want[kind], &a), NULL);
	else
		atomic_fetch_add(&s->n_whole, 1);
	leat_request_unref(r);
}

/* The prompt of that kind, answered from a state: all of it but the last token is there already. */
static void go_on_from(struct user *u, const struct leat_state *x, unsigned kind)
{
	struct shared *s = u->s;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_request_params p = s->p[kind];
	struct leat_request *r;
	struct answer a = { .n = 0 };
	int end = 0;
	p.tokens += p.n_tokens - 1;
	p.n_tokens = 1;
	p.initial_state = x;
	if (leat_request_submit(s->e, &p, &r, &err) != LEAT_OK)
		return; /* the queue is full */
	while (!end)
		end = read_one(u, r, &a);
	if (end > 0 && answer_difference(&s->want[kind], &a))
		wrong(s, "from a state", NULL);
	leat_request_unref(r);
	atomic_fetch_add(&s->n_states, 1);
}

/* A state goes into bytes or a file, comes back, and is gone on from: by its session, or by another request. */
static void keep_and_go_on(struct user *u, struct leat_session *session, unsigned kind)
{
	struct shared *s = u->s;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_state *x = NULL, *back = NULL;
	uint8_t *data = NULL;
	size_t n;
	char path[600];
	enum leat_status st = leat_state_capture(session, &x, &err);
	snprintf(path, sizeof path, "%s/%p", s->folder, (void *)u);
	if (st == LEAT_OK && draw(u, 2)) {
		st = leat_state_to_bytes(x, &data, &n, &err);
		st = st == LEAT_OK ? leat_state_from_bytes(s->m, data, n, &back, &err) : st;
	} else if (st == LEAT_OK) {
		st = leat_state_save(x, path, &err);
		st = st == LEAT_OK ? leat_state_load(s->m, path, &back, &err) : st;
	}
	if (st == LEAT_OK && draw(u, 2))
		st = leat_state_apply(back, session, &err);
	if (st != LEAT_OK)
		wrong(s, "state", &err);
	else if (s->p[kind].n_tokens > 1)
		go_on_from(u, back, kind);
	leat_free(data);
	leat_state_unref(x);
	leat_state_unref(back);
}

/* A session that holds all of the prompt but its last token. */
static void one_kept_state(struct user *u)
{
	struct shared *s = u->s;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_session *session;
	struct leat_request *r;
	unsigned kind = draw(u, N_KINDS);
	struct leat_request_params p = s->p[kind];
	struct answer a = { .n = 0 };
	if (p.n_tokens < 2 || leat_session_create(s->e, &session, &err))
		return;
	p.session = session;
	p.n_tokens--;
	p.max_tokens = 0;
	if (leat_request_submit(s->e, &p, &r, &err) == LEAT_OK) {
		int end = 0;
		while (!end)
			end = read_one(u, r, &a);
		leat_request_unref(r);
		if (end > 0)
			keep_and_go_on(u, session, kind);
	}
	leat_session_unref(session);
}

static void one_session(struct user *u)
{
	struct shared *s = u->s;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_session *session;
	struct leat_request *r;
	struct answer a = { .n = 0 };
	unsigned kind = draw(u, N_KINDS);
	int64_t mark;
	if (leat_session_create(s->e, &session, &err)) {
		atomic_fetch_add(&s->n_busy, 1);
		return;
	}
	struct leat_request_params p = s->p[kind];
	p.session = session;
	if (leat_request_submit(s->e, &p, &r, &err) == LEAT_OK) {
		int end = 0;
		while (!end)
			end = read_one(u, r, &a);
		if (end > 0 && answer_difference(&s->want[kind], &a))
			wrong(s, "session", NULL);
		leat_request_unref(r);
		leat_session_mark(session, &mark, &err);
		atomic_fetch_add(&s->n_sessions, 1);
	}
	leat_session_unref(session);
}

static void *use(void *arg)
{
	struct user *u = arg;
	while (leat_now_ns() < u->s->until && !atomic_load(&u->s->n_wrong))
		switch (draw(u, 20)) {
		case 0:
			one_session(u);
			break;
		case 1:
			one_kept_state(u);
			break;
		default:
			one_request(u);
		}
	return NULL;
}

/* Now and then the engine has a thread of its own. */
static void *start_and_stop(void *arg)
{
	struct user *u = arg;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine_load load = { .struct_size = sizeof load };
	int32_t fd;
	while (leat_now_ns() < u->s->until && !atomic_load(&u->s->n_wrong)) {
		usleep(draw(u, 30000));
		if (leat_engine_start(u->s->e, &err) || leat_engine_fd(u->s->e, &fd, &err))
			wrong(u->s, "start", &err);
		usleep(draw(u, 30000));
		leat_engine_get_load(u->s->e, &load);
		leat_engine_stop(u->s->e);
	}
	return NULL;
}

static void prepare(struct shared *s, const char *file)
{
	static const int n_prompt[N_KINDS] = { 1, 5, 20, 33, 40, 64 }, most[N_KINDS] = { 30, 2, 12, 20, 1, 5 };
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	if (access(source_path(file), R_OK))
		skip();
	if (leat_model_open(source_path(file), NULL, &s->m, &err))
		fail_msg("%s", err.message);
	p.n_threads = 1;
	p.n_seqs = N_SEQS;
	p.n_ctx = 256;
	p.n_batch = 24;
	p.mode = LEAT_MODE_DETERMINISTIC;
	p.max_queue = 8;
	p.prefix_cache_bytes = 1 << 20;
	p.cache_tokens = 512; /* short for four of the longest */
	if (leat_engine_create(s->m, &p, &s->e, &err))
		fail_msg("%s", err.message);
	for (int i = 0; i < N_KINDS; i++) {
		answer_prompt(s->prompt[i], n_prompt[i], (unsigned)i + 1);
		s->p[i] = answer_params(s->m, s->prompt[i], n_prompt[i], most[i], (uint64_t)i);
		answer_alone(s->e, &s->p[i], &s->want[i]);
	}
}

static void stress(const char *file, unsigned seed, int seconds)
{
	static struct shared s;
	struct user u[N_THREADS], starter = { .s = &s, .seed = seed };
	memset(&s, 0, sizeof s);
	prepare(&s, file);
	s.folder = world_folder();
	print_message("%s: seed %u, %d s\n", file, seed, seconds);
	s.until = leat_now_ns() + (uint64_t)seconds * 1000000000u;
	for (int i = 0; i < N_THREADS; i++) {
		u[i] = (struct user){ .s = &s, .seed = seed + (unsigned)i * 7919 };
		assert_int_equal(pthread_create(&u[i].thread, NULL, use, &u[i]), 0);
	}
	start_and_stop(&starter);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(u[i].thread, NULL);
	world_remove(s.folder);
	if (s.n_wrong)
		fail_msg("%d wrong, the first: %s", s.n_wrong, s.wrong);
	struct leat_engine_load load = { .struct_size = sizeof load };
	leat_engine_get_load(s.e, &load);
	print_message("%d whole, %d cancelled, %d left, %d refused, %d sessions, %d states, %llu put aside\n",
		      s.n_whole, s.n_cancelled, s.n_left, s.n_busy, s.n_sessions, s.n_states,
		      (unsigned long long)load.n_preempted);
	assert_int_equal(load.n_open, 0);
	assert_int_equal(load.n_sessions, 0);
	assert_int_equal(s.e->n_live, 0);
	assert_true(s.n_whole > 0);
	leat_engine_unref(s.e);
	leat_model_unref(s.m);
}

static void test_recurrent(void **state)
{
	(void)state;
	stress("models/demo-rwkv7.gguf", world_number("LEAT_STRESS_SEED", 1),
	       (int)world_number("LEAT_STRESS_SECONDS", 3));
}

static void test_attention(void **state)
{
	(void)state;
	stress("models/demo-qwen2.gguf", world_number("LEAT_STRESS_SEED", 2),
	       (int)world_number("LEAT_STRESS_SECONDS", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recurrent),
		cmocka_unit_test(test_attention),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
