/* stream.c - tokens by callback, and a callback that ends the answer: a model writes a few sentences.
 *
 *   cc stream.c $(pkg-config --cflags --libs leat) -o stream
 *   ./stream model.gguf "Once upon a time" 2 */
#include <leat/leat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct writer {
	long sentences_left;
	double surprise; /* sum of -log of each token's probability */
};

/* Called for each event, the last one too, on the thread that called leat_request_stream. The text is borrowed: it is
 * ours until we return. Nonzero ends the answer; the token that we saw still counts. */
static int on_token(void *user, const struct leat_token *t)
{
	struct writer *w = user;
	uint64_t i;

	fwrite(t->text, 1, t->text_bytes, stdout);
	fflush(stdout);
	if (t->id >= 0)
		w->surprise -= (double)t->logprob;
	for (i = 0; i < t->text_bytes; i++)
		w->sentences_left -= strchr(".!?", t->text[i]) != NULL;
	return w->sentences_left <= 0;
}

static int write_on(struct leat_engine *engine, const struct leat_model *model, const int32_t *prompt, size_t n_prompt,
		    struct writer *w, struct leat_error *err)
{
	struct leat_request_params params;
	struct leat_request_stats stats = { .struct_size = sizeof(stats) };
	struct leat_request *request;
	int failed;

	leat_request_params_init(model, &params);
	params.tokens = prompt;
	params.n_tokens = n_prompt;
	params.max_tokens = 400;
	if (leat_request_submit(engine, &params, &request, err))
		return 1;
	failed = leat_request_stream(request, on_token, w, err);
	leat_request_get_stats(request, &stats);
	leat_request_unref(request);
	if (!failed && stats.n_generated)
		fprintf(stderr, "\n%llu tokens, %.1f a second, %.2f nats each, seed %llu\n",
			(unsigned long long)stats.n_generated,
			(double)stats.n_generated * 1e9 / (double)(stats.prompt_ns + stats.generate_ns + 1),
			w->surprise / (double)stats.n_generated, (unsigned long long)stats.seed);
	return failed;
}

int main(int argc, char **argv)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *model = NULL;
	struct leat_engine *engine = NULL;
	struct writer w = { 1, 0 };
	int32_t *prompt = NULL;
	size_t n_prompt = 0;
	int failed;

	if (argc < 3) {
		fprintf(stderr, "usage: stream MODEL TEXT [SENTENCES]\n");
		return 2;
	}
	if (argc > 3)
		w.sentences_left = strtol(argv[3], NULL, 10);
	failed = leat_model_open(argv[1], NULL, &model, &err) || leat_engine_create(model, NULL, &engine, &err) ||
		 leat_model_tokenize(model, argv[2], strlen(argv[2]), LEAT_TEXT_SPECIAL, &prompt, &n_prompt, &err) ||
		 write_on(engine, model, prompt, n_prompt, &w, &err);
	if (failed)
		fprintf(stderr, "stream: %s\n", err.message);
	leat_free(prompt);
	leat_engine_unref(engine);
	leat_model_unref(model);
	return failed;
}
