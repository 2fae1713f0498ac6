/* load.c - opening a model: progress that can be broken off, an error that says what is wrong and where, and what a
 * model is once it is open. With a number of tokens it says too what an engine for so many would take.
 *
 *   cc load.c $(pkg-config --cflags --libs leat) -o load
 *   ./load model.gguf 4096 */
#include <leat/leat.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* Called from the thread that opens the model. Nonzero: leat_model_open returns LEAT_E_CANCELLED. */
static int on_progress(void *user, const char *phase, uint64_t done, uint64_t total)
{
	int *last = user, percent = total ? (int)(100.0 * (double)done / (double)total) : 100;

	if (percent != *last)
		fprintf(stderr, "\r%-10s %3d %%", phase, percent);
	*last = percent;
	return interrupted;
}

static void describe(const struct leat_model *model)
{
	struct leat_model_info i = { .struct_size = sizeof(i) };

	leat_model_get_info(model, &i);
	printf("%s: %s, %.1f million weights, mostly %s, %llu bytes\n", i.name[0] ? i.name : "a model", i.arch,
	       (double)i.n_params * 1e-6, i.type, (unsigned long long)i.file_bytes);
	printf("%d layers of width %d, %d heads of %d\n", (int)i.n_layer, (int)i.n_embd, (int)i.n_head,
	       (int)i.head_size);
	printf("vocabulary: %s, %d tokens\n", i.tokenizer, (int)i.n_vocab);
	if (i.recurrent)
		printf("a state of %llu bytes, however long the text\n", (unsigned long long)i.state_bytes);
	else
		printf("%llu bytes of cache for each token, made for %d of them\n",
		       (unsigned long long)i.kv_bytes_per_token, (int)i.n_ctx_train);
	printf("each token reads %llu bytes of weights\n", (unsigned long long)i.read_bytes_per_token);
}

static int estimate(struct leat_model *model, long n_tokens, struct leat_error *err)
{
	struct leat_engine_params params = LEAT_ENGINE_PARAMS_INIT;
	struct leat_memory_info m = { .struct_size = sizeof(m) };
	struct leat_engine *engine;

	params.n_ctx = (int32_t)n_tokens;
	if (leat_engine_create(model, &params, &engine, err))
		return 1;
	leat_engine_get_memory(engine, &m);
	printf("an engine for %ld tokens: %llu bytes of copied weights, %llu of state\n", n_tokens,
	       (unsigned long long)m.copies_bytes,
	       (unsigned long long)leat_engine_predict_bytes(engine, (uint64_t)n_tokens, 1));
	leat_engine_unref(engine);
	return 0;
}

int main(int argc, char **argv)
{
	struct leat_model_params params = LEAT_MODEL_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_model *model = NULL;
	int last = -1, failed;

	if (argc < 2) {
		fprintf(stderr, "usage: load MODEL [TOKENS]\n");
		return 2;
	}
	signal(SIGINT, on_interrupt);
	params.load_mode = LEAT_LOAD_MMAP; /* all of it in memory before the call returns */
	params.progress = on_progress;
	params.progress_user = &last;
	failed = leat_model_open(argv[1], &params, &model, &err) != LEAT_OK;
	fprintf(stderr, "\n");
	if (!failed)
		describe(model);
	if (!failed && argc > 2)
		failed = estimate(model, strtol(argv[2], NULL, 10), &err);
	if (failed) {
		fprintf(stderr, "load: %s [%s]\n", err.message, err.code);
		if (err.offset != UINT64_MAX)
			fprintf(stderr, "load: at byte %llu\n", (unsigned long long)err.offset);
	}
	leat_model_unref(model);
	return failed;
}
