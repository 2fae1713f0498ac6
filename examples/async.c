/* async.c - several answers at once from an event loop: the engine generates on a thread of its own, and one descriptor
 * tells poll() that there are tokens. A loop that waits for sockets too adds one line for leat.
 *
 *   cc async.c $(pkg-config --cflags --libs leat) -o async
 *   ./async model.gguf "Once upon a time" "The little dog" "One day" */
#include <leat/leat.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 16 };

struct answer {
	struct leat_request *request; /* NULL: over */
	char text[4096];
	size_t n;
};

static int begin(struct leat_engine *engine, const struct leat_model *model, const char *text, struct answer *a,
		 struct leat_error *err)
{
	struct leat_request_params params;
	int32_t *prompt;
	size_t n_prompt;
	int failed;

	if (leat_model_tokenize(model, text, strlen(text), LEAT_TEXT_SPECIAL, &prompt, &n_prompt, err))
		return 1;
	leat_request_params_init(model, &params);
	params.tokens = prompt;
	params.n_tokens = n_prompt;
	params.max_tokens = 24;
	params.timeout_ns = UINT64_C(60000000000); /* whoever asks does not wait for ever */
	failed = leat_request_submit(engine, &params, &a->request, err);
	leat_free(prompt); /* the request has a copy */
	return failed;
}

/* What there is of one answer, without waiting. Returns 1 when it is over. */
static int take(struct answer *a, int number)
{
	struct leat_token t = LEAT_TOKEN_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	enum leat_status s;

	while ((s = leat_request_poll(a->request, 0, &t, &err)) == LEAT_OK) {
		if (t.text_bytes <= sizeof(a->text) - a->n) {
			memcpy(a->text + a->n, t.text, t.text_bytes);
			a->n += t.text_bytes;
		}
		if (t.finish)
			break;
	}
	if (s == LEAT_E_TIMEOUT)
		return 0; /* no more for now */
	if (s)
		fprintf(stderr, "async: answer %d: %s\n", number, err.message);
	else
		printf("%d: %.*s\n", number, (int)a->n, a->text);
	leat_request_unref(a->request);
	a->request = NULL;
	return 1;
}

static int loop(struct leat_engine *engine, struct answer *answer, int n, struct leat_error *err)
{
	struct pollfd fd = { .events = POLLIN };
	int i, left = n;

	if (leat_engine_fd(engine, &fd.fd, err) || leat_engine_start(engine, err))
		return 1;
	while (left) {
		uint64_t count;
		if (poll(&fd, 1, -1) < 0)
			continue; /* a signal */
		/* First the descriptor, then the events: what comes between the two makes it readable again. */
		if (read(fd.fd, &count, sizeof(count)) < 0)
			continue;
		for (i = 0; i < n; i++)
			left -= answer[i].request && take(&answer[i], i + 1);
	}
	leat_engine_stop(engine);
	return 0;
}

int main(int argc, char **argv)
{
	static struct answer answer[MOST];
	struct leat_engine_params params = LEAT_ENGINE_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *model = NULL;
	struct leat_engine *engine = NULL;
	int i, n = argc - 2, failed;

	if (n < 1 || n > MOST) {
		fprintf(stderr, "usage: async MODEL TEXT...\n");
		return 2;
	}
	params.n_seqs = n; /* fewer would do: the others wait for their turn */
	failed = leat_model_open(argv[1], NULL, &model, &err) || leat_engine_create(model, &params, &engine, &err);
	for (i = 0; i < n && !failed; i++)
		failed = begin(engine, model, argv[2 + i], &answer[i], &err);
	failed = failed || loop(engine, answer, n, &err);
	if (failed)
		fprintf(stderr, "async: %s\n", err.message);
	for (i = 0; i < n; i++)
		leat_request_unref(answer[i].request);
	leat_engine_unref(engine);
	leat_model_unref(model);
	return failed;
}
