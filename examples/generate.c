/* generate.c - the whole way through <leat/leat.h>: a model goes on from a text, piece by piece.
 *
 *   cc generate.c $(pkg-config --cflags --libs leat) -o generate
 *   ./generate model.gguf "Once upon a time" 100 */
#include <leat/leat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int generate(struct leat_engine *engine, const int32_t *prompt, size_t n_prompt, int64_t max_tokens,
		    const struct leat_model *model, struct leat_error *err)
{
	struct leat_request *request;
	struct leat_request_params params;
	struct leat_token token = LEAT_TOKEN_INIT;
	int failed = 0;

	leat_request_params_init(model, &params); /* the sampling that suits this family of models */
	params.tokens = prompt;
	params.n_tokens = n_prompt;
	params.max_tokens = max_tokens;
	if (leat_request_submit(engine, &params, &request, err))
		return 1;
	while (!token.finish && !(failed = leat_request_next(request, &token, err))) {
		fwrite(token.text, 1, token.text_bytes, stdout);
		fflush(stdout);
	}
	leat_request_unref(request);
	return failed;
}

int main(int argc, char **argv)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *model = NULL;
	struct leat_engine *engine = NULL;
	int32_t *prompt = NULL;
	size_t n_prompt = 0;
	int failed;

	if (argc < 3) {
		fprintf(stderr, "usage: generate MODEL TEXT [TOKENS]\n");
		return 2;
	}
	failed = leat_model_open(argv[1], NULL, &model, &err) || leat_engine_create(model, NULL, &engine, &err) ||
		 leat_model_tokenize(model, argv[2], strlen(argv[2]), LEAT_TEXT_SPECIAL, &prompt, &n_prompt, &err) ||
		 generate(engine, prompt, n_prompt, argc > 3 ? strtol(argv[3], NULL, 10) : 100, model, &err);
	puts("");
	if (failed)
		fprintf(stderr, "generate: %s\n", err.message);
	leat_free(prompt);
	leat_engine_unref(engine);
	leat_model_unref(model);
	return failed;
}
