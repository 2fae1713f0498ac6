/* test_embed.c - prompts of pieces, hidden vectors, embeddings of documents, probabilities, logprobs of prompts, on the
 * demo models. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "leat/leat.h"
#include "support/answers.h"
#include "support/oracle.h"

enum { N_MODELS = 2, N = 45 };
static struct leat_error err = LEAT_ERROR_INIT;

#define MUST(call)                                    \
	do {                                          \
		if ((call) != LEAT_OK)                \
			fail_msg("%s", err.message);  \
	} while (0)

struct setting {
	struct leat_model *m;
	struct leat_engine *e;
	struct leat_model_info info;
	int32_t id[N];
	float *rows;   /* of the token table, for id */
	float *logits; /* [N][n_rows] of id */
};

struct sink {
	float *to;
	size_t width, n, first;
};

static int keep(void *user, size_t index, const float *x, int32_t width)
{
	struct sink *s = user;
	if (!s->n++)
		s->first = index;
	s->width = (size_t)width;
	memcpy(s->to + (index - s->first) * s->width, x, s->width * sizeof *x);
	return 0;
}

static struct setting *set_up(int which, int mode)
{
	static const char *const files[N_MODELS] = { "models/demo-rwkv7.gguf", "models/demo-qwen2.gguf" };
	struct leat_engine_params p = LEAT_ENGINE_PARAMS_INIT;
	struct setting *s = calloc(1, sizeof *s);
	assert_non_null(s);
	if (access(source_path(files[which]), R_OK))
		skip();
	MUST(leat_model_open(source_path(files[which]), NULL, &s->m, &err));
	p.n_threads = 1;
	p.n_seqs = 4;
	p.n_ctx = 256;
	p.n_batch = 64;
	p.mode = mode;
	MUST(leat_engine_create(s->m, &p, &s->e, &err));
	s->info.struct_size = sizeof s->info;
	leat_model_get_info(s->m, &s->info);
	answer_prompt(s->id, N, 77);
	s->rows = malloc((size_t)N * (size_t)s->info.n_embd * sizeof *s->rows);
	s->logits = malloc((size_t)N * (size_t)s->info.n_rows * sizeof *s->logits);
	MUST(leat_model_embedding_rows(s->m, s->id, N, s->rows, &err));
	struct sink sink = { .to = s->logits };
	MUST(leat_engine_logits(s->e, s->id, N, 0, keep, &sink, &err));
	return s;
}

static void tear_down(struct setting *s)
{
	leat_engine_unref(s->e);
	leat_model_unref(s->m);
	free(s->rows);
	free(s->logits);
	free(s);
}

static struct leat_segment ids(const struct setting *s, int from, int n)
{
	return (struct leat_segment){ .kind = LEAT_SEGMENT_TOKENS, .data = s->id + from, .n = (uint64_t)n };
}

static struct leat_segment rows(const struct setting *s, int from, int n)
{
	return (struct leat_segment){ .kind = LEAT_SEGMENT_ROWS, .data = s->rows + from * s->info.n_embd,
				      .n = (uint64_t)n, .width = s->info.n_embd };
}

static size_t evaluate(struct setting *s, const struct leat_segment *seg, int n, int output, int64_t first, int chunk,
		       float *to)
{
	struct leat_evaluate_params p = LEAT_EVALUATE_PARAMS_INIT;
	struct sink sink = { .to = to };
	p.segments = seg;
	p.n_segments = n;
	p.output = output;
	p.first = first;
	p.chunk = chunk;
	MUST(leat_engine_evaluate(s->e, &p, keep, &sink, &err));
	return sink.n;
}

/* Rows of numbers that are rows of the table give the bits that the ids give, in any mixture and any pieces. */
static void test_rows_are_ids(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, LEAT_MODE_DETERMINISTIC);
		size_t bytes = (size_t)N * (size_t)s->info.n_rows * sizeof(float);
		float *got = malloc(bytes);
		struct leat_segment all[] = { rows(s, 0, N) };
		struct leat_segment mixed[] = { ids(s, 0, 7),  rows(s, 7, 1), rows(s, 8, 20),
						ids(s, 28, 2), ids(s, 0, 0),  rows(s, 30, N - 30) };
		assert_int_equal(evaluate(s, all, 1, LEAT_OUTPUT_LOGITS, 0, 0, got), N);
		assert_memory_equal(got, s->logits, bytes);
		for (int chunk = 0; chunk <= 9; chunk += 9) {
			evaluate(s, mixed, 6, LEAT_OUTPUT_LOGITS, 0, chunk, got);
			assert_memory_equal(got, s->logits, bytes);
		}
		free(got);
		tear_down(s);
	}
}

/* A request that begins with pieces answers as one that begins with ids, when it is put aside too, beside others, and
 * with a cache of prompts that must not take one for another. */
static void test_request_of_pieces(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, LEAT_MODE_DETERMINISTIC);
		struct leat_segment mixed[] = { rows(s, 0, 20), ids(s, 20, 5), rows(s, 25, N - 25) };
		struct leat_request_params p = answer_params(s->m, s->id, N, 20, 3);
		struct answer want, got;
		answer_alone(s->e, &p, &want);
		p.repeat_penalty = 1; /* rows have no ids that could be punished */
		answer_alone(s->e, &p, &want);
		p.tokens = NULL;
		p.n_tokens = 0;
		p.segments = mixed;
		p.n_segments = 3;
		answer_alone(s->e, &p, &got);
		assert_null(answer_difference(&want, &got));
		struct leat_request_params many[6];
		struct leat_result *r;
		for (int i = 0; i < 6; i++)
			many[i] = p;
		MUST(leat_engine_generate_batch(s->e, many, 6, &r, &err)); /* two of them wait */
		for (int i = 0; i < 6; i++) {
			assert_int_equal(r[i].n_ids, want.n);
			assert_memory_equal(r[i].ids, want.id, (size_t)want.n * sizeof *want.id);
		}
		leat_results_free(r, 6);
		tear_down(s);
	}
}

/* Memory runs out: requests are put aside, and their rows are fed again. */
static void test_put_aside(void **state)
{
	enum { MANY = 4 };
	struct setting *s = set_up(1, LEAT_MODE_DETERMINISTIC);
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_engine_load load = { .struct_size = sizeof load };
	struct leat_segment mixed[] = { rows(s, 0, 20), ids(s, 20, 5), rows(s, 25, N - 25) };
	struct leat_request_params p = answer_params(s->m, NULL, 0, 120, 3), many[MANY];
	struct leat_result *r;
	struct leat_engine *e;
	struct answer want;
	(void)state;
	p.segments = mixed;
	p.n_segments = 3;
	answer_alone(s->e, &p, &want);
	ep.n_threads = 1;
	ep.n_seqs = MANY;
	ep.n_ctx = 256;
	ep.mode = LEAT_MODE_DETERMINISTIC;
	ep.cache_tokens = 5 * 64;
	MUST(leat_engine_create(s->m, &ep, &e, &err));
	for (int i = 0; i < MANY; i++)
		many[i] = p;
	MUST(leat_engine_generate_batch(e, many, MANY, &r, &err));
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(r[i].n_ids, want.n);
		assert_memory_equal(r[i].ids, want.id, (size_t)want.n * sizeof *want.id);
	}
	leat_engine_get_load(e, &load);
	assert_true(load.n_preempted > 0);
	leat_results_free(r, MANY);
	leat_engine_unref(e);
	tear_down(s);
}

/* Text among the pieces is tokenized by itself. */
static void test_text(void **state)
{
	struct setting *s = set_up(1, LEAT_MODE_DETERMINISTIC);
	static const char text[] = "the miller looked at the water";
	int32_t *id;
	size_t n;
	(void)state;
	MUST(leat_model_tokenize(s->m, text, sizeof text - 1, 0, &id, &n, &err));
	struct leat_segment as_text[] = { ids(s, 0, 3),
					  { .kind = LEAT_SEGMENT_TEXT, .data = text, .n = sizeof text - 1 } };
	struct leat_segment as_ids[] = { ids(s, 0, 3), { .kind = LEAT_SEGMENT_TOKENS, .data = id, .n = n } };
	size_t bytes = (n + 3) * (size_t)s->info.n_rows * sizeof(float);
	float *a = malloc(bytes), *b = malloc(bytes);
	assert_int_equal(evaluate(s, as_text, 2, LEAT_OUTPUT_LOGITS, 0, 0, a), n + 3);
	evaluate(s, as_ids, 2, LEAT_OUTPUT_LOGITS, 0, 0, b);
	assert_memory_equal(a, b, bytes);
	free(a);
	free(b);
	leat_free(id);
	tear_down(s);
}

/* Only what is wanted comes, and it is what comes with all the others. */
static void test_wanted_rows(void **state)
{
	static const int64_t firsts[] = { 0, 1, 20, 31, 32, N - 1, -1, -N, -5 };
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, LEAT_MODE_DETERMINISTIC);
		size_t n_rows = (size_t)s->info.n_rows;
		float *got = malloc((size_t)N * n_rows * sizeof *got);
		struct leat_segment all[] = { ids(s, 0, N) };
		for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++)
			for (int chunk = 0; chunk <= 16; chunk += 8) {
				size_t from = (size_t)(firsts[i] < 0 ? N + firsts[i] : firsts[i]);
				size_t n = evaluate(s, all, 1, LEAT_OUTPUT_LOGITS, firsts[i], chunk, got);
				assert_int_equal(n, N - from);
				assert_memory_equal(got, s->logits + from * n_rows, n * n_rows * sizeof *got);
			}
		free(got);
		tear_down(s);
	}
}

/* The probabilities of what follows, against a softmax in double precision of the logits. */
static void test_probabilities(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, LEAT_MODE_DEFAULT);
		size_t n = (size_t)s->info.n_vocab;
		float *got = malloc((size_t)N * n * sizeof *got);
		struct leat_segment all[] = { ids(s, 0, N) };
		assert_int_equal(evaluate(s, all, 1, LEAT_OUTPUT_PROBS, 0, 0, got), N);
		for (int t = 0; t < N; t++) {
			const float *x = s->logits + (size_t)t * (size_t)s->info.n_rows;
			double max = -INFINITY, sum = 0;
			for (size_t i = 0; i < n; i++)
				max = fmax(max, (double)x[i]);
			for (size_t i = 0; i < n; i++)
				sum += exp((double)x[i] - max);
			for (size_t i = 0; i < n; i++) {
				double want = exp((double)x[i] - max) / sum;
				assert_true(fabs((double)got[(size_t)t * n + i] - want) <= 1e-6 * want);
			}
		}
		free(got);
		tear_down(s);
	}
}

static void test_softmax(void **state)
{
	float x[4][8] = { { 1, 2, 3, -INFINITY }, { 1000, 1000, 999, -1000 }, { NAN, 1, 2, 3 }, { INFINITY, 1, 2, 3 } };
	float none[3] = { -INFINITY, -INFINITY, -INFINITY };
	(void)state;
	x[0][4] = 42; /* behind the row: not its business */
	leat_softmax(&x[0][0], 4, 4, 8);
	assert_true(fabs((double)x[0][2] - exp(0) / (1 + exp(-1) + exp(-2))) < 1e-7);
	assert_true(x[0][3] == 0.0f && x[0][4] == 42.0f);
	assert_true(fabs((double)x[1][0] - 1 / (2 + exp(-1))) < 1e-7 && x[1][0] == x[1][1] && x[1][3] == 0.0f);
	for (int i = 0; i < 4; i++)
		assert_true(isnan(x[2][i]) && isnan(x[3][i]));
	leat_softmax(none, 1, 3, 3);
	assert_true(isnan(none[0]));
}

static double length(const float *x, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * (double)x[i];
	return sqrt(sum);
}

/* Documents together give the bits that each gives alone, and those are what the hidden vectors say. */
static void test_embeddings(void **state)
{
	enum { DOCS = 9 };
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, LEAT_MODE_DETERMINISTIC);
		size_t width = (size_t)s->info.n_embd;
		float *all = malloc(DOCS * width * sizeof *all), *one = malloc(width * sizeof *one);
		float *hidden = malloc((size_t)N * width * sizeof *hidden);
		struct leat_segment docs[DOCS];
		for (int i = 0; i < DOCS; i++)
			docs[i] = i % 3 == 2 ? rows(s, i, 1 + 4 * i) : ids(s, i, 1 + (37 * i) % 33);
		for (int pooling = LEAT_POOL_MEAN; pooling <= LEAT_POOL_LAST; pooling++)
			for (int normalize = 0; normalize < 2; normalize++) {
				struct leat_embed_params p = LEAT_EMBED_PARAMS_INIT;
				p.pooling = pooling;
				p.normalize = normalize;
				MUST(leat_engine_embed(s->e, &p, docs, DOCS, all, &err));
				for (size_t i = 0; i < DOCS; i++) {
					MUST(leat_engine_embed(s->e, &p, &docs[i], 1, one, &err));
					assert_memory_equal(one, all + i * width, width * sizeof *one);
					size_t n = evaluate(s, &docs[i], 1, LEAT_OUTPUT_HIDDEN, 0, 0, hidden);
					double by = normalize ? length(one, width) : 1;
					assert_true(!normalize || fabs(by - 1) < 1e-6);
					if (pooling == LEAT_POOL_LAST && !normalize)
						assert_memory_equal(one, hidden + (n - 1) * width,
								    width * sizeof *one);
					for (size_t c = 0; c < width && pooling == LEAT_POOL_MEAN && !normalize; c++) {
						double sum = 0;
						for (size_t t = 0; t < n; t++)
							sum += (double)hidden[t * width + c];
						assert_true(fabs(sum / (double)n - (double)one[c]) <= 1e-6);
					}
				}
			}
		free(all);
		free(one);
		free(hidden);
		tear_down(s);
	}
}

/* Against the softmax of the logits; the answer is as without. */
static void test_prompt_logprobs(void **state)
{
	(void)state;
	for (int which = 0; which < N_MODELS; which++) {
		struct setting *s = set_up(which, LEAT_MODE_DETERMINISTIC);
		struct leat_request_params p = answer_params(s->m, s->id, N, 3, 3);
		struct leat_token t = LEAT_TOKEN_INIT;
		struct leat_request *r;
		uint64_t n;
		struct answer plain;
		answer_alone(s->e, &p, &plain);
		p.flags |= LEAT_REQUEST_PROMPT_LOGPROBS;
		MUST(leat_request_submit(s->e, &p, &r, &err));
		MUST(leat_request_next(r, &t, &err));
		assert_int_equal(t.id, plain.id[0]);
		assert_true(t.logprob == plain.logprob[0]);
		const float *logprob = leat_request_prompt_logprobs(r, &n);
		assert_non_null(logprob);
		assert_int_equal(n, N);
		assert_true(isnan(logprob[0]));
		for (int i = 1; i < N; i++) {
			float *x = s->logits + (size_t)(i - 1) * (size_t)s->info.n_rows;
			leat_softmax(x, 1, (size_t)s->info.n_vocab, 1);
			assert_true(fabs((double)logprob[i] - log((double)x[s->id[i]])) <= 1e-5);
		}
		leat_request_unref(r);
		p.flags &= ~(uint32_t)LEAT_REQUEST_PROMPT_LOGPROBS;
		MUST(leat_request_submit(s->e, &p, &r, &err));
		assert_null(leat_request_prompt_logprobs(r, &n));
		leat_request_unref(r);
		tear_down(s);
	}
}

static void refused(struct setting *s, const struct leat_segment *seg, int n, const char *word)
{
	struct leat_evaluate_params p = LEAT_EVALUATE_PARAMS_INIT;
	struct leat_request_params rp = answer_params(s->m, NULL, 0, 4, 1);
	struct leat_request *r;
	float *to = malloc((size_t)s->info.n_rows * N * sizeof *to);
	struct sink sink = { .to = to };
	p.segments = rp.segments = seg;
	p.n_segments = rp.n_segments = n;
	assert_int_equal(leat_engine_evaluate(s->e, &p, keep, &sink, &err), LEAT_E_ARG);
	if (!strstr(err.message, word))
		fail_msg("'%s' does not say '%s'", err.message, word);
	assert_int_equal(leat_request_submit(s->e, &rp, &r, &err), LEAT_E_ARG);
	free(to);
}

static void test_refusals(void **state)
{
	struct setting *s = set_up(1, LEAT_MODE_DEFAULT);
	struct leat_segment seg[2] = { ids(s, 0, 4), rows(s, 4, 4) };
	struct leat_embed_params p = LEAT_EMBED_PARAMS_INIT;
	struct leat_request_params rp = answer_params(s->m, s->id, 4, 4, 1);
	struct leat_request *r;
	float *x = calloc(2 * (size_t)s->info.n_embd, sizeof *x);
	int32_t bad = s->info.n_vocab + 100000;
	(void)state;
	seg[1].width--;
	refused(s, seg, 2, "piece 1 of the prompt: the width of its rows");
	seg[1].width++;
	s->rows[4 * s->info.n_embd + s->info.n_embd + 2] = NAN;
	refused(s, seg, 2, "piece 1 of the prompt: number 2 of row 1 is not finite");
	seg[1] = (struct leat_segment){ .kind = 9, .data = x, .n = 1 };
	refused(s, seg, 2, "kind is 9");
	seg[1] = (struct leat_segment){ .kind = LEAT_SEGMENT_TOKENS, .data = &bad, .n = 1 };
	refused(s, seg, 2, "token 0 is");
	bad = -1; /* what stands for a row inside is no id outside */
	refused(s, seg, 2, "token 0 is -1");
	seg[1] = (struct leat_segment){ .kind = LEAT_SEGMENT_TEXT, .n = 1 };
	refused(s, seg, 2, "no data");
	refused(s, seg, -1, "n_segments");
	rp.segments = seg;
	rp.n_segments = 1;
	assert_int_equal(leat_request_submit(s->e, &rp, &r, &err), LEAT_E_ARG); /* tokens and segments */
	seg[0].n = 0;
	assert_int_equal(leat_engine_embed(s->e, NULL, seg, 1, x, &err), LEAT_E_ARG);
	assert_non_null(strstr(err.message, "document 0"));
	p.pooling = 2;
	assert_int_equal(leat_engine_embed(s->e, &p, seg, 1, x, &err), LEAT_E_ARG);
	assert_int_equal(leat_model_embedding_rows(s->m, &bad, 1, x, &err), LEAT_E_ARG);
	free(x);
	tear_down(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_ids),
		cmocka_unit_test(test_request_of_pieces),
		cmocka_unit_test(test_put_aside),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_wanted_rows),
		cmocka_unit_test(test_probabilities),
		cmocka_unit_test(test_softmax),
		cmocka_unit_test(test_embeddings),
		cmocka_unit_test(test_prompt_logprobs),
		cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
