/* control_vector.c - steers a model with a direction that it finds itself: what one text leaves in the middle of the
 * model, less what another leaves, is added to every row there while it writes. Two hooks do it, one that looks and one
 * that changes.
 *
 *   cc control_vector.c $(pkg-config --cflags --libs leat) -o control_vector
 *   ./control_vector model.gguf "happy text" "sad text" "Once upon a time" 2.5 */
#include <leat/leat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a hook has seen: the mean of the rows of a text. */
struct mean {
	float *sum; /* [width] */
	double factor;
	int32_t n;
};

static void add_up(void *user, struct leat_hook_rows *rows)
{
	struct mean *mean = user;
	const float *row = rows->data;
	int32_t r, i;

	for (r = 0; r < rows->n_rows; r++, row += rows->stride)
		for (i = 0; i < rows->width; i++)
			mean->sum[i] += (float)mean->factor * row[i];
	mean->n += rows->n_rows;
}

static int ignore(void *user, size_t index, const float *row, int32_t n)
{
	(void)user, (void)index, (void)row, (void)n;
	return 0;
}

/* Adds factor times the mean row of `text` after `layer` to direction[width]. */
static int look(struct leat_engine *engine, const char *text, int32_t layer, double factor, float *direction,
		int32_t width, struct leat_error *err)
{
	struct leat_evaluate_params params = LEAT_EVALUATE_PARAMS_INIT;
	struct leat_segment segment = { LEAT_SEGMENT_TEXT, LEAT_TEXT_SPECIAL, text, strlen(text), 0, 0 };
	struct mean mean = { calloc((size_t)width, sizeof(float)), factor, 0 };
	struct leat_hook hook = { "layer.out", layer, 0, add_up, &mean };
	int32_t i, failed = 1;

	if (mean.sum) {
		params.segments = &segment;
		params.n_segments = 1;
		params.output = LEAT_OUTPUT_HIDDEN; /* nothing is asked of the head */
		params.first = -1;
		params.hooks = &hook;
		params.n_hooks = 1;
		failed = leat_engine_evaluate(engine, &params, ignore, NULL, err);
	}
	for (i = 0; !failed && i < width; i++)
		direction[i] += mean.sum[i] / (float)mean.n;
	free(mean.sum);
	return failed;
}

static int write_on(struct leat_engine *engine, const struct leat_model *model, const char *text,
		    struct leat_control_vector *vector, int32_t layer, struct leat_error *err)
{
	struct leat_request_params params;
	struct leat_segment prompt = { LEAT_SEGMENT_TEXT, LEAT_TEXT_SPECIAL, text, strlen(text), 0, 0 };
	struct leat_hook hook = { "layer.out", layer, 0, leat_control_vector_add, vector };
	struct leat_request *request;
	struct leat_token token = LEAT_TOKEN_INIT;
	int failed;

	leat_request_params_init(model, &params);
	params.segments = &prompt;
	params.n_segments = 1;
	params.max_tokens = 40;
	params.temperature = 0;
	params.hooks = &hook;
	params.n_hooks = 1;
	failed = leat_request_submit(engine, &params, &request, err);
	if (failed)
		return failed;
	printf("%+.1f: %s", vector->strength, text);
	while (!token.finish && !(failed = leat_request_next(request, &token, err)))
		fwrite(token.text, 1, token.text_bytes, stdout);
	puts("");
	leat_request_unref(request); /* from here on the hook is not called any more */
	return failed;
}

int main(int argc, char **argv)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model_info info = { .struct_size = sizeof(info) };
	struct leat_model *model = NULL;
	struct leat_engine *engine = NULL;
	struct leat_control_vector vector = { NULL, 0, 0, 0 };
	float *direction = NULL;
	int failed, layer = 0, i;

	if (argc < 6) {
		fprintf(stderr, "usage: control_vector MODEL TEXT MINUS PROMPT STRENGTH\n");
		return 2;
	}
	failed = leat_model_open(argv[1], NULL, &model, &err) || leat_engine_create(model, NULL, &engine, &err);
	if (!failed) {
		leat_model_get_info(model, &info);
		layer = info.n_layer / 2;
		direction = calloc((size_t)info.n_embd, sizeof(*direction));
		failed = !direction || look(engine, argv[2], layer, 1, direction, info.n_embd, &err) ||
			 look(engine, argv[3], layer, -1, direction, info.n_embd, &err);
	}
	vector.direction = direction;
	vector.width = info.n_embd;
	for (i = -1; i <= 1 && !failed; i++) { /* away from it, without it, towards it */
		vector.strength = (float)(i * strtod(argv[5], NULL));
		failed = write_on(engine, model, argv[4], &vector, layer, &err);
	}
	if (failed)
		fprintf(stderr, "control_vector: %s\n", err.message);
	free(direction);
	leat_engine_unref(engine);
	leat_model_unref(model);
	return failed != 0;
}
