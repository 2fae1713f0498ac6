/* state.c - a text is read once, and any number of answers follow on it: the state of a session is saved to a file,
 * read back as another process would, and two branches go on from it.
 *
 *   cc state.c $(pkg-config --cflags --libs leat) -o state
 *   ./state model.gguf story.state "Once upon a time there was a" " dog" " girl" */
#include <leat/leat.h>
#include <stdio.h>
#include <string.h>

/* Runs the request and prints what it writes. */
static int finish(struct leat_request *request, const char *label, struct leat_error *err)
{
	struct leat_token t = LEAT_TOKEN_INIT;
	struct leat_request_stats s = { .struct_size = sizeof(s) };
	int failed = 0;

	printf("%s", label);
	while (!t.finish && !(failed = leat_request_next(request, &t, err)))
		fwrite(t.text, 1, t.text_bytes, stdout);
	leat_request_get_stats(request, &s);
	printf("\n[%llu tokens read, %llu known already]\n", (unsigned long long)s.n_prompt,
	       (unsigned long long)s.n_cached);
	leat_request_unref(request);
	return failed;
}

static int ask(struct leat_engine *engine, struct leat_model *model, struct leat_session *session,
	       const struct leat_state *state, const char *text, int64_t max_tokens, struct leat_error *err)
{
	struct leat_request_params params;
	struct leat_request *request;
	int32_t *ids;
	size_t n;
	int failed;

	/* What begins a text is in front of its first part only. */
	if (leat_model_tokenize(model, text, strlen(text), state ? 0 : LEAT_TEXT_SPECIAL, &ids, &n, err))
		return 1;
	leat_request_params_init(model, &params);
	params.tokens = ids;
	params.n_tokens = n;
	params.max_tokens = max_tokens;
	params.temperature = 0;
	params.session = session;
	params.initial_state = state;
	failed = leat_request_submit(engine, &params, &request, err);
	leat_free(ids);
	return failed || finish(request, text, err);
}

/* Reads a text without answering it, and saves what the model made of it. */
static int save(struct leat_engine *engine, struct leat_model *model, const char *text, const char *path,
		struct leat_error *err)
{
	struct leat_session *session = NULL;
	struct leat_state *state = NULL;
	int failed = leat_session_create(engine, &session, err) ||
		     ask(engine, model, session, NULL, text, 0, err) || leat_state_capture(session, &state, err) ||
		     leat_state_save(state, path, err);

	leat_state_unref(state);
	leat_session_unref(session);
	return failed;
}

int main(int argc, char **argv)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *model = NULL;
	struct leat_engine *engine = NULL;
	struct leat_state *state = NULL;
	int i, failed;

	if (argc < 5) {
		fprintf(stderr, "usage: state MODEL FILE TEXT BRANCH...\n");
		return 2;
	}
	failed = leat_model_open(argv[1], NULL, &model, &err) || leat_engine_create(model, NULL, &engine, &err) ||
		 save(engine, model, argv[3], argv[2], &err) || leat_state_load(model, argv[2], &state, &err);
	for (i = 4; i < argc && !failed; i++)
		failed = ask(engine, model, NULL, state, argv[i], 12, &err);
	if (failed)
		fprintf(stderr, "state: %s\n", err.message);
	leat_state_unref(state);
	leat_engine_unref(engine);
	leat_model_unref(model);
	return failed;
}
