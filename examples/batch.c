/* batch.c - many prompts, one call: leat_engine_generate_batch runs them together and gives the answers in their order.
 * What goes wrong with one of them is in its result and does not touch the others.
 *
 *   cc batch.c $(pkg-config --cflags --libs leat) -o batch
 *   ./batch model.gguf "Once upon a time" "The little dog" "One day" */
#include <leat/leat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ask(struct leat_engine *engine, const struct leat_model *model, char **text, size_t n, int32_t **prompt,
	       struct leat_request_params *params, struct leat_error *err)
{
	struct leat_result *result;
	size_t i, n_ids;

	for (i = 0; i < n; i++) {
		if (leat_model_tokenize(model, text[i], strlen(text[i]), LEAT_TEXT_SPECIAL, &prompt[i], &n_ids, err))
			return 1;
		leat_request_params_init(model, &params[i]);
		params[i].flags &= ~(uint32_t)LEAT_REQUEST_RANDOM_SEED;
		params[i].seed = 1;
		params[i].tokens = prompt[i];
		params[i].n_tokens = n_ids;
		params[i].max_tokens = 24;
	}
	if (leat_engine_generate_batch(engine, params, n, &result, err))
		return 1;
	for (i = 0; i < n; i++) {
		if (result[i].status)
			printf("%s -> (%s)\n", text[i], leat_status_text(result[i].status));
		else
			printf("%s ->%s\n", text[i], result[i].text);
	}
	leat_results_free(result, n);
	return 0;
}

int main(int argc, char **argv)
{
	struct leat_engine_params engine_params = LEAT_ENGINE_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *model = NULL;
	struct leat_engine *engine = NULL;
	size_t i, n = argc > 2 ? (size_t)argc - 2 : 0;
	struct leat_request_params *params = calloc(n + 1, sizeof(*params));
	int32_t **prompt = calloc(n + 1, sizeof(*prompt));
	int failed;

	if (!n || !params || !prompt) {
		fprintf(stderr, "usage: batch MODEL TEXT...\n");
		free(params);
		free(prompt);
		return 2;
	}
	engine_params.mode = LEAT_MODE_DETERMINISTIC; /* with a seed: the same answers whoever is in the batch */
	engine_params.n_seqs = n < 8 ? (int32_t)n : 8; /* so many run together, the others take their places */
	failed = leat_model_open(argv[1], NULL, &model, &err) ||
		 leat_engine_create(model, &engine_params, &engine, &err) ||
		 ask(engine, model, argv + 2, n, prompt, params, &err);
	if (failed)
		fprintf(stderr, "batch: %s\n", err.message);
	for (i = 0; i < n; i++)
		leat_free(prompt[i]);
	free(prompt);
	free(params);
	leat_engine_unref(engine);
	leat_model_unref(model);
	return failed;
}
