/* hostile.c - see hostile.h. */
#include "hostile/hostile.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "format/file.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { RUN_TOKENS = 16 };

static char folder[256];
static const char *file_name = "mk.gguf";
static const char *tokenizer;
static long limit_mib = 64;
static unsigned long variants, loaded, generated;
static uint64_t worst_ns;

const char *hostile_path(const char *name)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

void hostile_name(const char *name)
{
	file_name = name;
}

void hostile_tokenizer(const char *path)
{
	tokenizer = path;
}

void hostile_memory(long mib)
{
	limit_mib = mib;
}

void hostile_write(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* What every refusal owes. */
static void check_error(const struct leat_error *err, int32_t status, const char *name)
{
	assert_int_equal(err->status, status);
	assert_true(err->message[0] != '\0' && err->code[0] != '\0');
	assert_true(memchr(err->message, 0, sizeof err->message) != NULL);
	assert_true(memchr(err->where, 0, sizeof err->where) != NULL);
	if (!leat_utf8_is_line(err->message, strlen(err->message)))
		fail_msg("message is not one printable line: %s", err->message);
	if (!strstr(err->message, name))
		fail_msg("message does not name the file: %s", err->message);
}

/* Of the processor, not of the wall: other programs' work is not this one's. */
static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void note_time(uint64_t start)
{
	uint64_t ns = now_ns() - start;
	worst_ns = ns > worst_ns ? ns : worst_ns;
	if (!SANITIZED)
		assert_true(ns < 1000000000u);
}

static int32_t parse_memory(const unsigned char *bytes, size_t n)
{
	struct leat_file *f = NULL;
	struct leat_error err = {0};
	unsigned char *exact = malloc(n ? n : 1);
	assert_non_null(exact);
	if (n)
		memcpy(exact, bytes, n);
	uint64_t start = now_ns();
	int32_t status = leat_file_open_memory(file_name, exact, n, &f, &err);
	note_time(start);
	if (status != LEAT_OK) {
		assert_null(f);
		check_error(&err, status, file_name);
	}
	leat_file_close(f);
	free(exact);
	return status;
}

static int32_t generate(struct leat_engine *e, struct leat_model *m, int *ret_tokens, struct leat_error *err)
{
	static const int32_t prompt[] = {1, 2, 0};
	struct leat_request_params p;
	struct leat_request *r = NULL;
	memset(&p, 0, sizeof p);
	p.struct_size = sizeof p;
	leat_request_params_init(m, &p);
	p.tokens = prompt;
	p.n_tokens = 3;
	p.max_tokens = RUN_TOKENS;
	p.temperature = 0;
	p.flags |= LEAT_REQUEST_IGNORE_EOS;
	int32_t status = leat_request_submit(e, &p, &r, err);
	if (status != LEAT_OK)
		return status;
	struct leat_token t = LEAT_TOKEN_INIT;
	for (int i = 0; i <= RUN_TOKENS + 1 && status == LEAT_OK && !t.finish; i++) {
		status = leat_request_next(r, &t, err);
		*ret_tokens += status == LEAT_OK && t.id >= 0;
	}
	leat_request_unref(r);
	return status;
}

/* How much of a run is owed. */
enum want { OPEN, RUN_TYPED, RUN_WHOLE };

static void run(struct leat_model *m, const char *name, enum want want)
{
	int got = 0;
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine *e = NULL;
	struct leat_error err = {0};
	p.n_threads = 1;
	p.n_ctx = 32;
	p.n_batch = 8;
	int32_t status = leat_engine_create(m, &p, &e, &err);
	if (status == LEAT_OK)
		status = generate(e, m, &got, &err);
	leat_engine_unref(e);
	generated += (unsigned long)got;
	if (status == LEAT_E_NONFINITE || (status == LEAT_OK && got == RUN_TOKENS))
		return;
	/* A vocabulary of one or two tokens cannot take the prompt. */
	if (want == RUN_WHOLE || (status != LEAT_OK && status != LEAT_E_ARG))
		fail_msg("running %s: status %d, %d tokens: %s", name, status, got, err.message);
}

static int32_t open_file(const char *path, enum want want, struct leat_error *err)
{
	struct leat_model *m = NULL;
	struct leat_model_params p = LEAT_MODEL_PARAMS_INIT;
	p.tokenizer = tokenizer;
	uint64_t start = now_ns();
	int32_t status = leat_model_open(path, &p, &m, err);
	note_time(start);
	variants++;
	if (status != LEAT_OK) {
		assert_null(m);
		return status;
	}
	loaded++;
	if (want != OPEN)
		run(m, path, want);
	leat_model_unref(m);
	return LEAT_OK;
}

static int32_t try_bytes(const unsigned char *bytes, size_t n, enum want want, struct leat_error *err)
{
	const char *path = hostile_path(file_name);
	int32_t parsed = parse_memory(bytes, n);
	hostile_write(path, bytes, n);
	int32_t status = open_file(path, want, err);
	if (parsed != LEAT_OK)
		assert_int_equal(status, parsed);
	if (status != LEAT_OK)
		check_error(err, status, file_name);
	return status;
}

void hostile_refuse(const unsigned char *bytes, size_t n, int32_t status, const char *text)
{
	struct leat_error err = {0};
	int32_t got = try_bytes(bytes, n, OPEN, &err);
	if (got != status)
		fail_msg("status %d, wanted %d (%s): %s", got, status, text ? text : "", err.message);
	if (text && !strstr(err.message, text))
		fail_msg("message lacks '%s': %s", text, err.message);
}

void hostile_accept(const unsigned char *bytes, size_t n)
{
	struct leat_error err = {0};
	int32_t got = try_bytes(bytes, n, RUN_WHOLE, &err);
	if (got != LEAT_OK)
		fail_msg("status %d, wanted 0: %s", got, err.message);
}

int32_t hostile_any(const unsigned char *bytes, size_t n, int want_run)
{
	struct leat_error err = {0};
	return try_bytes(bytes, n, want_run ? RUN_TYPED : OPEN, &err);
}

void hostile_refuse_model(struct mk *m, int32_t status, const char *text)
{
	size_t n;
	unsigned char *bytes = mk_encode(m, &n);
	hostile_refuse(bytes, n, status, text);
	free(bytes);
	mk_destroy(m);
}

void hostile_accept_model(struct mk *m)
{
	size_t n;
	unsigned char *bytes = mk_encode(m, &n);
	hostile_accept(bytes, n);
	free(bytes);
	mk_destroy(m);
}

int32_t hostile_any_model(struct mk *m, int want_run)
{
	size_t n;
	unsigned char *bytes = mk_encode(m, &n);
	int32_t status = hostile_any(bytes, n, want_run);
	free(bytes);
	mk_destroy(m);
	return status;
}

void hostile_refuse_path(const char *path, int32_t status)
{
	struct leat_error err = {0};
	int32_t got = open_file(path, OPEN, &err);
	if (got != status)
		fail_msg("%s: status %d, wanted %d: %s", path, got, status, err.message);
	check_error(&err, status, path);
}

void hostile_refuse_path_saying(const char *path, int32_t status, const char *text)
{
	struct leat_error err = {0};
	int32_t got = open_file(path, OPEN, &err);
	if (got != status || !strstr(err.message, text))
		fail_msg("%s: status %d, wanted %d (%s): %s", path, got, status, text, err.message);
	check_error(&err, status, path);
}

void hostile_accept_path(const char *path)
{
	struct leat_error err = {0};
	if (open_file(path, RUN_WHOLE, &err) != LEAT_OK)
		fail_msg("%s: %s", path, err.message);
}

int32_t hostile_any_path(const char *path, int want_run)
{
	struct leat_error err = {0};
	int32_t status = open_file(path, want_run ? RUN_TYPED : OPEN, &err);
	if (status != LEAT_OK)
		check_error(&err, status, path);
	return status;
}

static int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;
	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static long peak_kib(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void remove_folder(void)
{
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			unlink(hostile_path(e->d_name));
	if (d)
		closedir(d);
	rmdir(folder);
}

int hostile_main(const struct CMUnitTest *tests, size_t n, const char *open_rows)
{
	const char *tmp = getenv("TMPDIR");
	if (!tmp || !*tmp)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(folder, sizeof folder, "%.200s/leat-hostile.XXXXXX", tmp);
	if (!mkdtemp(folder))
		return 1;
	int fds = open_descriptors();
	long before = peak_kib();
	int failed = _cmocka_run_group_tests("hostile", tests, n, NULL, NULL);
	long grown = peak_kib() - before;
	int leaked = open_descriptors() - fds;
	size_t rows = 0;
	remove_folder();
	for (size_t i = 0; i < n; i++)
		rows += !strncmp(tests[i].name, "test_", 5);
	printf("rows tested: %zu; files: %lu, of which %lu loaded (%lu tokens); worst open %.1f ms; memory +%.1f "
	       "MiB%s\n",
	       rows, variants, loaded, generated, (double)worst_ns / 1e6, (double)grown / 1024,
	       SANITIZED ? " (sanitizer)" : "");
	printf("rows that do not apply yet: %s\n", open_rows);
	if (leaked)
		printf("descriptors leaked: %d\n", leaked);
	if (!SANITIZED && grown > limit_mib * 1024) {
		printf("memory grew beyond %ld MiB\n", limit_mib);
		failed++;
	}
	return failed || leaked;
}
