/* test_state.c - states of demo models: what follows on one is what would have followed without it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "leat/leat.h"
#include "model/model.h"
#include "support/oracle.h"
#include "unit/state/snaps.h"

enum { N_MODELS = 3, PROMPT = 90, ANSWER = 24 };
static const char *const files[N_MODELS] = { "models/demo-rwkv7.gguf", "models/demo-qwen2.gguf",
					     "models/demo-qwen2.gguf" };
static const char *const caches[N_MODELS] = { NULL, NULL, "q8_0" };
static struct leat_error err = LEAT_ERROR_INIT;

#define MUST(call)                                    \
	do {                                          \
		if ((call) != LEAT_OK)                \
			fail_msg("%s", err.message);  \
	} while (0)

struct bench {
	struct leat_model *m;
	struct leat_engine *e;
	int32_t prompt[PROMPT];
};

static struct bench begin(int which, int mode)
{
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct leat_model_info info = { .struct_size = sizeof info };
	struct bench b = { 0 };
	if (access(source_path(files[which]), R_OK))
		skip();
	MUST(leat_model_open(source_path(files[which]), NULL, &b.m, &err));
	leat_model_get_info(b.m, &info);
	p.n_threads = 1;
	p.n_seqs = 3;
	p.n_ctx = 256;
	p.mode = mode;
	p.kv_type = caches[which];
	MUST(leat_engine_create(b.m, &p, &b.e, &err));
	for (int i = 0; i < PROMPT; i++)
		b.prompt[i] = (i * 7 + 3) % info.n_vocab;
	return b;
}

static void end(struct bench *b)
{
	leat_engine_unref(b->e);
	leat_model_unref(b->m);
}

/* Greedy ids after a prompt, on a session or a state or neither. */
static void run(struct bench *b, struct leat_session *s, const struct leat_state *x, const int32_t *t, int n, int most,
		int32_t *ret)
{
	struct leat_request_params p;
	struct leat_request *r;
	struct leat_token tok = LEAT_TOKEN_INIT;
	leat_request_params_init(b->m, &p);
	p.tokens = t;
	p.n_tokens = (uint64_t)n;
	p.max_tokens = most;
	p.temperature = 0;
	p.presence_penalty = p.frequency_penalty = 0;
	p.flags = LEAT_REQUEST_IGNORE_EOS;
	p.session = s;
	p.initial_state = x;
	MUST(leat_request_submit(b->e, &p, &r, &err));
	for (int i = 0; i < most; i++) {
		MUST(leat_request_next(r, &tok, &err));
		ret[i] = tok.id;
	}
	leat_request_unref(r);
}

/* U21: save, other work, load, and go on: equal ids, through memory, bytes and a file, in this engine and another. */
static void test_going_on(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct bench b = begin(which, LEAT_MODE_DETERMINISTIC);
		struct leat_session *s, *other;
		struct leat_state *x[3];
		struct leat_state_info info = { .struct_size = sizeof info };
		int32_t first[ANSWER], want[ANSWER], got[ANSWER], next[2] = { 5, 6 };
		unsigned char *data;
		char path[64] = "/tmp/leat-state-XXXXXX";
		size_t n;
		MUST(leat_session_create(b.e, &s, &err));
		run(&b, s, NULL, b.prompt, PROMPT, ANSWER, first);
		MUST(leat_state_capture(s, &x[0], &err));
		run(&b, s, NULL, NULL, 0, ANSWER, want); /* what follows without a state */
		MUST(leat_state_to_bytes(x[0], &data, &n, &err));
		MUST(leat_state_from_bytes(b.m, data, n, &x[1], &err));
		leat_free(data);
		assert_true(close(mkstemp(path)) == 0);
		MUST(leat_state_save(x[0], path, &err));
		leat_state_get_info(x[0], &info);
		assert_int_equal(info.n_tokens, PROMPT + ANSWER);
		assert_int_equal(info.n_fed, PROMPT + ANSWER - 1);
		assert_int_equal(info.file_bytes, n);
		leat_session_unref(s);
		end(&b);

		b = begin(which, LEAT_MODE_DETERMINISTIC); /* another day */
		MUST(leat_state_load(b.m, path, &x[2], &err));
		unlink(path);
		for (int i = 0; i < 3; i++) {
			run(&b, NULL, NULL, b.prompt + 7, 30, ANSWER, got); /* other work */
			run(&b, NULL, x[i], NULL, 0, ANSWER, got);
			assert_memory_equal(got, want, sizeof got);
			MUST(leat_session_create(b.e, &s, &err));
			MUST(leat_state_apply(x[i], s, &err));
			MUST(leat_session_create(b.e, &other, &err));
			run(&b, other, NULL, b.prompt, 40, ANSWER, got);
			run(&b, s, NULL, NULL, 0, ANSWER, got);
			assert_memory_equal(got, want, sizeof got);
			leat_session_unref(other);
			leat_session_unref(s);
		}
		/* several requests on one state: each is a fresh request over all its tokens */
		int32_t all[PROMPT + ANSWER + 2];
		memcpy(all, b.prompt, sizeof b.prompt);
		memcpy(all + PROMPT, first, sizeof first);
		memcpy(all + PROMPT + ANSWER, next, sizeof next);
		run(&b, NULL, NULL, all, PROMPT + ANSWER + 2, ANSWER, want);
		for (int i = 0; i < 3; i++) {
			run(&b, NULL, x[i], next, 2, ANSWER, got);
			assert_memory_equal(got, want, sizeof got);
			leat_state_unref(x[i]);
		}
		end(&b);
	}
}

static void refused(struct bench *b, const struct leat_state *x, enum leat_status want)
{
	struct leat_session *s;
	int32_t before[4], after[4];
	uint64_t n;
	MUST(leat_session_create(b->e, &s, &err));
	run(b, s, NULL, b->prompt, 10, 4, before);
	assert_int_equal(leat_state_apply(x, s, &err), want);
	leat_session_tokens(s, &n);
	assert_int_equal(n, 14); /* nothing has changed */
	run(b, s, NULL, NULL, 0, 4, after);
	leat_session_unref(s);
}

/* A request is copied while it runs: the copy goes on as it does. */
static void test_running_request(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct bench b = begin(which, LEAT_MODE_DETERMINISTIC);
		struct leat_request_params p;
		struct leat_request *r;
		struct leat_token tok = LEAT_TOKEN_INIT;
		struct leat_state *x = NULL, *none = NULL;
		struct leat_state_info info = { .struct_size = sizeof info };
		int32_t all[ANSWER], rest[ANSWER];
		leat_request_params_init(b.m, &p);
		p.tokens = b.prompt;
		p.n_tokens = PROMPT;
		p.max_tokens = ANSWER;
		p.temperature = 0;
		p.presence_penalty = p.frequency_penalty = 0;
		p.flags = LEAT_REQUEST_IGNORE_EOS;
		MUST(leat_request_submit(b.e, &p, &r, &err));
		for (int i = 0; i < ANSWER; i++) {
			MUST(leat_request_next(r, &tok, &err));
			all[i] = tok.id;
			if (i == 6)
				MUST(leat_state_capture_request(r, &x, &err));
		}
		assert_int_equal(leat_state_capture_request(r, &none, &err), LEAT_E_NOTFOUND);
		assert_null(none);
		leat_request_unref(r);
		leat_state_get_info(x, &info);
		int at = (int)info.n_tokens - PROMPT;
		assert_true(at >= 7 && at < ANSWER);
		run(&b, NULL, x, NULL, 0, ANSWER - at, rest);
		assert_memory_equal(rest, all + at, (size_t)(ANSWER - at) * sizeof *rest);
		leat_state_unref(x);
		end(&b);
	}
}

/* Another model's, another mode's: refused, and the session is what it was. */
static void test_other_partner(void **state)
{
	struct bench a = begin(0, LEAT_MODE_DETERMINISTIC), b = begin(1, LEAT_MODE_DETERMINISTIC), c = begin(0, 0);
	struct leat_session *s;
	struct leat_state *x, *y = NULL;
	int32_t ids[4];
	unsigned char *data;
	size_t n;
	(void)state;
	MUST(leat_session_create(a.e, &s, &err));
	run(&a, s, NULL, a.prompt, PROMPT, 4, ids);
	MUST(leat_state_capture(s, &x, &err));
	refused(&b, x, LEAT_E_MISMATCH);
	assert_string_equal(err.code, "state_incompatible");
	assert_string_equal(err.where, "model");
	refused(&c, x, LEAT_E_MISMATCH);
	assert_string_equal(err.where, "mode");
	MUST(leat_state_to_bytes(x, &data, &n, &err));
	assert_int_equal(leat_state_from_bytes(b.m, data, n, &y, &err), LEAT_E_MISMATCH);
	data[n / 2] ^= 1;
	assert_int_equal(leat_state_from_bytes(a.m, data, n, &y, &err), LEAT_E_FORMAT);
	assert_null(y);
	struct leat_request_params p;
	struct leat_request *r = NULL;
	leat_request_params_init(a.m, &p);
	p.tokens = a.prompt;
	p.n_tokens = 1;
	p.session = s;
	p.initial_state = x;
	assert_int_equal(leat_request_submit(a.e, &p, &r, &err), LEAT_E_ARG);
	leat_free(data);
	leat_state_unref(x);
	leat_session_unref(s);
	end(&a);
	end(&b);
	end(&c);
}

/* ---- trained initial states ---- */

/* A safetensors file of time_state tensors, f32: layers x heads x size x size from `data`. */
static void write_tuned(const char *path, const float *data, int layers, int heads, int size)
{
	char head[16384];
	size_t each = (size_t)(heads * size * size) * sizeof *data, n = 0;
	n += (size_t)snprintf(head + n, sizeof head - n, "{");
	for (int l = 0; l < layers; l++)
		n += (size_t)snprintf(head + n, sizeof head - n,
				      "%s\"blocks.%d.att.time_state\":{\"dtype\":\"F32\",\"shape\":[%d,%d,%d],"
				      "\"data_offsets\":[%zu,%zu]}",
				      l ? "," : "", l, heads, size, size, each * (size_t)l, each * (size_t)(l + 1));
	n += (size_t)snprintf(head + n, sizeof head - n, "}");
	while (n % 8)
		head[n++] = ' ';
	uint64_t n64 = n;
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(&n64, 8, 1, f), 1);
	assert_int_equal(fwrite(head, 1, n, f), n);
	assert_int_equal(fwrite(data, each, (size_t)layers, f), layers);
	assert_int_equal(fclose(f), 0);
}

/* U22: the time mix begins with what the file holds, layer by layer, head by head, values by keys. */
static void test_tuned(void **state)
{
	struct bench b = begin(0, LEAT_MODE_DETERMINISTIC);
	const int *dim = b.m->w.cfg.dim;
	int layers = b.m->w.cfg.n_layer, heads = dim[LEAT_D_HEADS], size = dim[LEAT_D_HEAD];
	size_t each = (size_t)(heads * size * size);
	float *wkv = calloc((size_t)layers, each * sizeof *wkv);
	char path[64] = "/tmp/leat-tuned-XXXXXX", named[80];
	struct leat_state *none, *x, *whole;
	struct leat_session *s;
	int32_t plain[ANSWER], got[ANSWER], want[ANSWER], other[ANSWER];
	(void)state;
	assert_true(close(mkstemp(path)) == 0);
	snprintf(named, sizeof named, "%s.safetensors", path);

	write_tuned(named, wkv, layers, heads, size); /* zeros are no state at all */
	MUST(leat_state_load(b.m, named, &none, &err));
	run(&b, NULL, NULL, b.prompt, PROMPT, ANSWER, plain);
	run(&b, NULL, none, b.prompt, PROMPT, ANSWER, got);
	assert_memory_equal(got, plain, sizeof got);

	/* the matrices of a captured state, through a file; with the shifts of that state they go on as it does */
	MUST(leat_session_create(b.e, &s, &err));
	run(&b, s, NULL, b.prompt, PROMPT, 1, got);
	MUST(leat_state_capture(s, &whole, &err));
	run(&b, s, NULL, b.prompt, 10, ANSWER, want);
	const struct leat_snapshot *from = (const struct leat_snapshot *)(const void *)whole;
	for (int l = 0; l < layers; l++)
		memcpy(wkv + (size_t)l * each, from->cell + leat_snapshot_cell_offset(from, 2, l),
		       each * sizeof *wkv);
	write_tuned(named, wkv, layers, heads, size);
	MUST(leat_state_load(b.m, named, &x, &err));
	run(&b, NULL, NULL, b.prompt, 2, ANSWER, other);
	run(&b, NULL, x, b.prompt, 2, ANSWER, got);
	assert_true(memcmp(got, other, sizeof got) != 0); /* it is heard */
	struct leat_snapshot *to = (struct leat_snapshot *)(void *)x;
	memcpy(to->cell, from->cell, (size_t)leat_snapshot_cell_offset(from, 2, 0)); /* both shifts */
	int32_t follow[11];
	uint64_t n;
	follow[0] = leat_state_tokens(whole, &n)[PROMPT]; /* drawn and not fed yet */
	memcpy(follow + 1, b.prompt, 10 * sizeof *follow);
	run(&b, NULL, x, follow, 11, ANSWER, got);
	assert_memory_equal(got, want, sizeof got);

	/* two at once, and a session that goes back to its begin */
	int64_t mark;
	leat_session_unref(s);
	MUST(leat_session_create(b.e, &s, &err));
	MUST(leat_state_apply(x, s, &err));
	MUST(leat_session_mark(s, &mark, &err));
	run(&b, s, NULL, follow, 11, ANSWER, got);
	run(&b, NULL, none, b.prompt, PROMPT, ANSWER, got);
	assert_memory_equal(got, plain, sizeof got);
	MUST(leat_session_rewind(s, mark, &err));
	run(&b, s, NULL, follow, 11, ANSWER, got);
	assert_memory_equal(got, want, sizeof got);
	leat_session_unref(s);

	/* what does not belong to the model */
	struct leat_state *y = NULL;
	write_tuned(named, wkv, layers - 1, heads, size);
	assert_int_equal(leat_state_load(b.m, named, &y, &err), LEAT_E_MISMATCH);
	write_tuned(named, wkv, 1, heads * layers, size);
	assert_int_equal(leat_state_load(b.m, named, &y, &err), LEAT_E_MISMATCH);
	wkv[5] = NAN;
	write_tuned(named, wkv, layers, heads, size);
	assert_int_equal(leat_state_load(b.m, named, &y, &err), LEAT_E_FORMAT);
	struct bench q = begin(1, LEAT_MODE_DETERMINISTIC);
	assert_int_equal(leat_state_load(q.m, named, &y, &err), LEAT_E_UNSUPPORTED);
	assert_int_equal(leat_state_load(b.m, "/no/such/file", &y, &err), LEAT_E_NOTFOUND);
	assert_null(y);
	end(&q);
	unlink(named);
	unlink(path);
	free(wkv);
	leat_state_unref(none);
	leat_state_unref(x);
	leat_state_unref(whole);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_going_on),
		cmocka_unit_test(test_running_request),
		cmocka_unit_test(test_other_partner),
		cmocka_unit_test(test_tuned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
