/* batch.c - leat_engine_generate_batch: many requests in, all answers out, in the order of the requests. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"

struct batch {
	struct leat_engine *engine;
	const char *params;            /* n of the caller's size each */
	size_t stride;
	struct leat_result *result;
	struct leat_request **request; /* NULL: not submitted yet, or over */
	size_t n, n_submitted, n_over;
	size_t *cap_ids, *cap_text;
};

static int grow(void *p, size_t *cap, size_t n, size_t size)
{
	void *old;
	size_t want = *cap ? *cap : 32;
	memcpy(&old, p, sizeof old);
	while (want < n)
		want *= 2;
	void *grown = want == *cap ? old : realloc(old, want * size);
	if (!grown)
		return 1;
	memcpy(p, &grown, sizeof grown);
	*cap = want;
	return 0;
}

static enum leat_status add(struct batch *b, size_t i, const struct leat_token *t, struct leat_error *err)
{
	struct leat_result *r = &b->result[i];
	if (grow(&r->text, &b->cap_text[i], r->text_bytes + t->text_bytes + 1, 1) ||
	    grow(&r->ids, &b->cap_ids[i], r->n_ids + 1, sizeof *r->ids))
		return leat_fail(err, LEAT_E_NOMEM, "batch", LEAT_NO_OFFSET, "out of memory for answer %zu", i);
	memcpy(r->text + r->text_bytes, t->text, t->text_bytes);
	r->text_bytes += t->text_bytes;
	r->text[r->text_bytes] = '\0';
	if (t->id >= 0)
		r->ids[r->n_ids++] = t->id;
	r->finish = t->finish;
	return LEAT_OK;
}

static void over(struct batch *b, size_t i)
{
	struct leat_request_stats s = { .struct_size = sizeof s };
	leat_request_get_stats(b->request[i], &s);
	b->result[i].seed = s.seed;
	b->result[i].n_cached = s.n_cached;
	leat_request_unref(b->request[i]);
	b->request[i] = NULL;
	b->n_over++;
}

/* What is there of answer i. An answer that failed is a result; only what fails here ends the batch. */
static enum leat_status collect(struct batch *b, size_t i, int64_t timeout_ns, struct leat_error *err)
{
	struct leat_error e = LEAT_ERROR_INIT;
	for (;;) {
		struct leat_token t = LEAT_TOKEN_INIT;
		enum leat_status st = leat_request_poll(b->request[i], timeout_ns, &t, &e);
		if (st == LEAT_E_TIMEOUT)
			return LEAT_OK;
		if (st != LEAT_OK) {
			b->result[i].finish = LEAT_FINISH_ERROR;
			b->result[i].status = st;
			over(b, i);
			return LEAT_OK;
		}
		LEAT_TRY(add(b, i, &t, err));
		if (t.finish) {
			over(b, i);
			return LEAT_OK;
		}
		timeout_ns = 0;
	}
}

/* A program that was compiled for a library with fewer fields has shorter elements. */
static const struct leat_request_params *params_of(const struct batch *b, size_t i)
{
	return (const struct leat_request_params *)(const void *)(b->params + i * b->stride);
}

/* As many as the queue takes. One that is refused for good is a result too. */
static void submit(struct batch *b)
{
	struct leat_error e = LEAT_ERROR_INIT;
	while (b->n_submitted < b->n) {
		size_t i = b->n_submitted;
		enum leat_status st = leat_request_submit(b->engine, params_of(b, i), &b->request[i], &e);
		if (st == LEAT_E_BUSY && b->n_over < b->n_submitted)
			return; /* one of ours ends first */
		b->n_submitted++;
		if (st != LEAT_OK) {
			b->result[i].finish = LEAT_FINISH_ERROR;
			b->result[i].status = st;
			b->n_over++;
		}
	}
}

static enum leat_status run(struct batch *b, struct leat_error *err)
{
	while (b->n_over < b->n) {
		int64_t timeout_ns = -1; /* the first that runs is waited for, which moves all of them on */
		submit(b);
		for (size_t i = 0; i < b->n_submitted; i++) {
			if (!b->request[i])
				continue;
			LEAT_TRY(collect(b, i, timeout_ns, err));
			timeout_ns = 0;
		}
	}
	return LEAT_OK;
}

enum leat_status leat_engine_generate_batch(struct leat_engine *e, const struct leat_request_params *params, size_t n,
					    struct leat_result **ret, struct leat_error *err)
{
	enum leat_status st = LEAT_OK;
	struct batch b = { .engine = e, .params = (const char *)params, .n = n };
	if (!n || !params)
		return leat_fail(err, LEAT_E_ARG, "n", LEAT_NO_OFFSET, "no requests");
	b.stride = params->struct_size;
	for (size_t i = 0; i < n; i++)
		if (params_of(&b, i)->struct_size != b.stride || b.stride < sizeof params->struct_size)
			return leat_fail(err, LEAT_E_ABI, "struct_size", LEAT_NO_OFFSET,
					 "struct_size of request %zu is not that of the first: initialise each with "
					 "leat_request_params_init", i);
	b.result = calloc(n, sizeof *b.result);
	b.request = calloc(n, sizeof *b.request);
	b.cap_ids = calloc(n, sizeof *b.cap_ids);
	b.cap_text = calloc(n, sizeof *b.cap_text);
	if (!b.result || !b.request || !b.cap_ids || !b.cap_text)
		st = leat_fail(err, LEAT_E_NOMEM, "batch", LEAT_NO_OFFSET, "out of memory for %zu requests", n);
	else
		st = run(&b, err);
	for (size_t i = 0; b.request && i < n; i++)
		leat_request_unref(b.request[i]);
	free(b.request);
	free(b.cap_ids);
	free(b.cap_text);
	if (st == LEAT_OK)
		*ret = b.result;
	else
		leat_results_free(b.result, b.result ? n : 0);
	return st;
}

void leat_results_free(struct leat_result *results, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(results[i].ids);
		free(results[i].text);
	}
	free(results);
}
