/* test_process.c - an engine among others on its machine: memory that is limited, processors that go away, instruction
 * sets that are not to be used, children, a second process on the same file. Rows E of HOSTILE.md by their ids. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "engine/request.h"
#include "support/oracle.h"
#include "support/worlds.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static struct leat_error err = LEAT_ERROR_INIT;
static struct world *worlds[WORLD_DEMOS];
static const char *own_folder;

static int open_all(void **state)
{
	(void)state;
	for (int m = 0; m < WORLD_DEMOS; m++)
		worlds[m] = world_open(world_file(m), LEAT_MODE_DETERMINISTIC);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	for (int m = 0; m < WORLD_DEMOS; m++)
		world_close(worlds[m]);
	return 0;
}

static struct leat_engine_params engine_params(int n_threads)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	p.n_threads = n_threads;
	p.n_seqs = 2;
	p.n_ctx = WORLD_N_CTX;
	p.mode = LEAT_MODE_DETERMINISTIC;
	return p;
}

/* Without cmocka, for a child. 1: the answer is the one of the request alone. */
static int answers(const struct world *w, struct leat_engine *e, int kind)
{
	static struct answer a;
	struct leat_token t = LEAT_TOKEN_INIT;
	struct leat_request *r;
	memset(&a, 0, sizeof a);
	if (leat_request_submit(e, &w->p[kind], &r, &err))
		return 0;
	do {
		if (leat_request_next(r, &t, &err))
			return 0;
	} while (!answer_add(&a, &t));
	leat_request_unref(r);
	return !answer_difference(&w->want[kind], &a);
}

/* Runs it in a child; fails the test unless it returns 0. */
static void in_child(int (*fn)(const struct world *w), const struct world *w)
{
	int status = -1;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(fn(w));
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("the child ended with status %#x", (unsigned)status);
}

/* ---- E11 ---- */

static int with_little_memory(const struct world *w)
{
	struct leat_engine_params p = engine_params(1);
	struct leat_engine *e = NULL;
	struct rlimit l;
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (!f || fscanf(f, "%lu", &pages) != 1 || fclose(f))
		return 1;
	l.rlim_cur = l.rlim_max = (rlim_t)pages * 4096 + (64u << 20);
	if (setrlimit(RLIMIT_AS, &l))
		return 2;
	p.n_seqs = 1000;
	p.n_ctx = 30000;
	p.prefix_cache_bytes = (int64_t)1 << 33;
	enum leat_status st = leat_engine_create(w->m, &p, &e, &err);
	if ((st != LEAT_E_NOMEM && st != LEAT_E_CONTEXT) || e || !err.message[0])
		return 3;
	p = engine_params(1);
	if (leat_engine_create(w->m, &p, &e, &err))
		return 4;
	for (int i = 0; i < WORLD_KINDS; i++)
		if (!answers(w, e, i))
			return 5;
	leat_engine_unref(e);
	return 0;
}

static void test_E11_little_address_space(void **state)
{
	(void)state;
	if (SANITIZED)
		skip(); /* a sanitizer maps terabytes */
	for (int m = 0; m < WORLD_DEMOS; m++)
		in_child(with_little_memory, worlds[m]);
}

/* ---- E12 ---- */

/* Tokens of an answer in a second. */
static double speed(const struct world *w, struct leat_engine *e)
{
	uint64_t began = leat_now_ns();
	int n = 0;
	for (int i = 0; i < 2; i++, n += w->want[8].n + w->want[10].n)
		if (!answers(w, e, 8) || !answers(w, e, 10))
			return 0;
	return n * 1e9 / (double)(leat_now_ns() - began);
}

/* Sixteen threads, and then one processor for all of them. */
static int on_one_processor(const struct world *w)
{
	struct leat_engine_params p = engine_params(16), p1 = engine_params(1);
	struct leat_engine *e, *e1;
	cpu_set_t all, one;
	if (leat_engine_create(w->m, &p, &e, &err) || leat_engine_create(w->m, &p1, &e1, &err) || !answers(w, e, 0))
		return 1;
	if (sched_getaffinity(0, sizeof all, &all))
		return 2;
	CPU_ZERO(&one);
	for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *t; tasks && (t = readdir(tasks));)
		if (t->d_name[0] != '.' && sched_setaffinity((pid_t)strtol(t->d_name, NULL, 10), sizeof one, &one))
			return 3;
	closedir(tasks);
	double alone = speed(w, e1), crowd = speed(w, e);
	dprintf(STDOUT_FILENO, "one processor: 1 thread %.0f tokens/s, 16 threads %.0f\n", alone, crowd);
	leat_engine_unref(e);
	leat_engine_unref(e1);
	return crowd > alone / 80 && crowd > 2 ? 0 : 4;
}

static void test_E12_processors_go_away(void **state)
{
	(void)state;
	if (SANITIZED)
		skip();
	for (int m = 0; m < WORLD_DEMOS; m++)
		in_child(on_one_processor, worlds[m]);
}

/* ---- E13 ---- */

/* Without one instruction set or all: it runs, and ids are those of the reference, by the rule for them. */
static void test_E13_instruction_sets(void **state)
{
	static const uint32_t off[] = { LEAT_CPU_AVX2, LEAT_CPU_AVX512, LEAT_CPU_AVX512VNNI, LEAT_CPU_AVX512BF16,
					LEAT_CPU_AMX, LEAT_CPU_AMX | LEAT_CPU_AVX512BF16, ~0u };
	(void)state;
	if (SANITIZED)
		skip(); /* arithmetic: kerncheck does each set there */
	for (int m = 0; m < WORLD_DEMOS; m++) {
		struct world *w = world_open(world_file(m), LEAT_MODE_REFERENCE);
		for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
			struct leat_engine_params p = engine_params(1);
			struct answer a;
			p.mode = LEAT_MODE_DEFAULT;
			p.cpu_mask_off = off[i];
			struct leat_engine *e = world_engine(w, &p);
			answer_alone(e, &w->p[3], &a);
			if (world_judge(w, 3, &a))
				fail_msg("without %#x: %s differ", off[i], world_judge(w, 3, &a));
			leat_engine_unref(e);
		}
		world_close(w);
	}
}

/* ---- E15 ---- */

static unsigned char inherited[4096]; /* descriptors that were there before */

static int check_descriptors(void *user, const char *phase, uint64_t done, uint64_t total)
{
	DIR *d = opendir("/proc/self/fd");
	int *n = user;
	(void)phase, (void)done, (void)total;
	assert_non_null(d);
	for (struct dirent *f; (f = readdir(d));) {
		int fd = (int)strtol(f->d_name, NULL, 10), flags = fcntl(fd, F_GETFD);
		if (f->d_name[0] == '.' || fd < 3 || fd == dirfd(d))
			continue;
		if (!n)
			inherited[fd % 4096] = 1;
		else if (flags >= 0 && !(flags & FD_CLOEXEC) && !inherited[fd % 4096])
			fail_msg("descriptor %d would be a child's too", fd);
		else
			++*n;
	}
	closedir(d);
	return 0;
}

static void test_E15_children_get_no_descriptors(void **state)
{
	struct leat_model_params mp = LEAT_MODEL_PARAMS_INIT;
	struct leat_engine_params p = engine_params(2);
	struct leat_model *m;
	struct leat_engine *e;
	int32_t fd;
	int n = 0;
	(void)state;
	check_descriptors(NULL, "", 0, 0);
	mp.progress = check_descriptors;
	mp.progress_user = &n;
	for (int mode = LEAT_LOAD_AUTO; mode <= LEAT_LOAD_READ; mode++) {
		mp.load_mode = mode;
		assert_int_equal(leat_model_open(world_file(0), &mp, &m, &err), LEAT_OK);
		p.prefix_cache_bytes = 1 << 24;
		p.state_dir = world_folder();
		assert_int_equal(leat_engine_create(m, &p, &e, &err), LEAT_OK);
		assert_int_equal(leat_engine_fd(e, &fd, &err), LEAT_OK);
		assert_int_equal(leat_engine_start(e, &err), LEAT_OK);
		assert_true(answers(worlds[0], e, 4));
		assert_int_equal(leat_engine_keep_states(e, &err), LEAT_OK);
		check_descriptors(&n, "", 0, 0);
		leat_engine_unref(e);
		leat_model_unref(m);
		world_remove(p.state_dir);
	}
	assert_true(n > 20);
}

/* ---- E16 ---- */

static int second_process(const struct world *w)
{
	struct leat_engine_params p = engine_params(2);
	struct world *own = calloc(1, sizeof *own);
	struct leat_engine *e;
	if (!own)
		return 1;
	*own = *w;
	if (leat_model_open(world_file(0), NULL, &own->m, &err) || leat_engine_create(own->m, &p, &e, &err))
		return 2;
	for (int k = 0; k < 3; k++)
		for (int i = 0; i < WORLD_KINDS; i++)
			if (!answers(own, e, i))
				return 3;
	leat_engine_unref(e);
	leat_model_unref(own->m);
	free(own);
	return 0;
}

/* Bytes of the model's mapping that are this process's own. */
static long private_bytes(const char *file)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	unsigned long at;
	long sum = 0, kb;
	int in = 0, found = 0;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "%*x-%*x %*[-rwxps] %lx", &at) == 1)
			found += in = strstr(line, file) != NULL;
		if (in && sscanf(line, "Private_Dirty: %ld", &kb) == 1)
			sum += kb * 1024;
	}
	fclose(f);
	assert_true(found > 0);
	return sum;
}

static void test_E16_two_processes_map_one_model(void **state)
{
	int status = -1;
	(void)state;
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(second_process(worlds[0]));
	struct leat_engine_params p = engine_params(1);
	struct leat_engine *e = world_engine(worlds[0], &p);
	for (int k = 0; k < 3; k++)
		for (int i = 0; i < WORLD_KINDS; i++)
			assert_true(answers(worlds[0], e, i));
	leat_engine_unref(e);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(private_bytes("demo-rwkv7.gguf"), 0);
}

/* ---- E17 ---- */

static void met(int sig)
{
	(void)sig;
	_exit(74);
}

/* A copy of the model loses its pages while the engine's own thread and its workers read them: the handler that the
 * program has installed is asked, whichever thread it was. Without one the process would die. */
static int loses_its_pages(const struct world *w)
{
	struct leat_model_params mp = LEAT_MODEL_PARAMS_INIT;
	struct leat_engine_params p = engine_params(2);
	struct leat_request_params rp = w->p[0];
	struct leat_token t = LEAT_TOKEN_INIT;
	struct leat_model *m;
	struct leat_engine *e;
	struct leat_request *r;
	char path[600];
	size_t n;
	snprintf(path, sizeof path, "%s/copy", own_folder);
	unsigned char *bytes = read_file(world_file(0), &n);
	FILE *f = fopen(path, "wb");
	if (!bytes || !f || fwrite(bytes, 1, n, f) != n || fclose(f))
		return 1;
	mp.load_mode = LEAT_LOAD_LAZY;
	rp.max_tokens = -1;
	p.n_ctx = 1 << 30;
	if (leat_model_open(path, &mp, &m, &err) || leat_engine_create(m, &p, &e, &err) ||
	    leat_engine_start(e, &err) || leat_request_submit(e, &rp, &r, &err) || leat_request_next(r, &t, &err))
		return 2;
	signal(SIGBUS, met);
	if (truncate(path, 0))
		return 3;
	while (leat_request_next(r, &t, &err) == LEAT_OK && !t.finish)
		;
	return 4;
}

static void test_E17_the_handler_is_asked(void **state)
{
	int status = -1;
	(void)state;
	if (SANITIZED)
		skip();
	own_folder = world_folder();
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(120);
		_exit(loses_its_pages(worlds[0]));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	world_remove(own_folder);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 74);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_E11_little_address_space),
		cmocka_unit_test(test_E12_processors_go_away),
		cmocka_unit_test(test_E13_instruction_sets),
		cmocka_unit_test(test_E15_children_get_no_descriptors),
		cmocka_unit_test(test_E16_two_processes_map_one_model),
		cmocka_unit_test(test_E17_the_handler_is_asked),
	};
	for (int m = 0; m < WORLD_DEMOS; m++)
		if (!world_file(m))
			return 77;
	return cmocka_run_group_tests(tests, open_all, close_all);
}
