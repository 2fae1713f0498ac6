/* worlds.c - see worlds.h. */
#include "support/worlds.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/model.h"
#include "text/tokenizer.h"
#include "support/oracle.h"

static const char *const files[WORLD_FILES] = {
	"models/demo-rwkv7.gguf",     "models/demo-qwen2.gguf",    "hf-gguf/llama.gguf",
	"hf-gguf/llama3-rope.gguf",   "hf-gguf/mistral-window.gguf", "hf-gguf/phi3-longrope.gguf",
	"hf-gguf/phi3-window.gguf",   "hf-gguf/phi3.gguf",         "hf-gguf/qwen2-tied.gguf",
	"hf-gguf/qwen2-untied.gguf",  "hf-gguf/qwen3.gguf",        "rwkv7-4h/model.gguf",
};

const char *world_name(int i)
{
	return files[i];
}

const char *world_file(int i)
{
	if (i >= WORLD_DEMOS)
		return oracle_path(files[i]);
	const char *path = source_path(files[i]);
	return access(path, R_OK) ? NULL : path;
}

unsigned world_mix(unsigned seed)
{
	seed = (seed ^ seed >> 16) * 0x7feb352du;
	seed = (seed ^ seed >> 15) * 0x846ca68bu;
	return seed ^ seed >> 16;
}

unsigned world_draw(unsigned *seed, unsigned n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 12) % n;
}

unsigned world_number(const char *name, unsigned otherwise)
{
	const char *v = getenv(name);
	return v ? (unsigned)strtoul(v, NULL, 10) : otherwise;
}

const char *world_folder(void)
{
	static char path[512];
	const char *build = getenv("LEAT_BUILD_DIR");
	snprintf(path, sizeof path, "%s/world.XXXXXX", build ? build : "/tmp");
	assert_non_null(mkdtemp(path));
	return path;
}

void world_remove(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *f;
	char path[1024];
	while (d && (f = readdir(d)))
		if (f->d_name[0] != '.') {
			snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
			unlink(path);
		}
	if (d)
		closedir(d);
	snprintf(path, sizeof path, "%s/.lock", folder);
	unlink(path);
	rmdir(folder);
}

struct leat_engine *world_engine(const struct world *w, const struct leat_engine_params *p)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_engine_params with = *p;
	struct leat_engine *e;
	with.kv_type = w->kv_type ? w->kv_type : with.kv_type;
	if (leat_engine_create(w->m, &with, &e, &err))
		fail_msg("%s", err.message);
	return e;
}

/* Prompts begin alike in groups of four; answers are short and long. */
static void make_kind(struct world *w, struct leat_engine *e, int i)
{
	static const int n_prompt[WORLD_KINDS] = { 1, 2, 31, 32, 33, 64, 65, 97, 128, 150, 40, 5 };
	int most_id = leat_vocab_size(w->m->vocab);
	answer_prompt(w->prompt[i], WORLD_MOST_PROMPT, (unsigned)(i % 3) + 1);
	for (int j = 0; j < WORLD_MOST_PROMPT; j++)
		w->prompt[i][j] %= most_id;
	w->prompt[i][n_prompt[i] - 1] = (i * 37 + 11) % most_id;
	w->p[i] = answer_params(w->m, w->prompt[i], n_prompt[i], i % 4 ? 1 + i * 3 : 25, (uint64_t)i);
	if (w->mode != LEAT_MODE_DETERMINISTIC) {
		w->p[i].temperature = 0;
		w->p[i].repeat_penalty = 1;
	}
	answer_alone(e, &w->p[i], &w->want[i]);
}

struct world *world_open(const char *path, int mode)
{
	return world_open_cache(path, mode, NULL);
}

struct world *world_open_cache(const char *path, int mode, const char *kv_type)
{
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	struct world *w = calloc(1, sizeof *w);
	assert_non_null(w);
	if (leat_model_open(path, NULL, &w->m, &err))
		fail_msg("%s", err.message);
	w->mode = mode;
	w->kv_type = kv_type;
	ep.n_threads = 1;
	ep.n_ctx = WORLD_N_CTX;
	ep.mode = mode;
	struct leat_engine *e = world_engine(w, &ep);
	for (int i = 0; i < WORLD_KINDS; i++)
		make_kind(w, e, i);
	leat_engine_unref(e);
	return w;
}

void world_close(struct world *w)
{
	leat_model_unref(w->m);
	free(w);
}

struct ids {
	size_t row; /* whose logits are wanted */
	int within;
};

/* The reference's two best at the first place where ids differ: near enough for either to be right? */
static int look(void *user, size_t index, const float *logits, int32_t n_rows)
{
	struct ids *d = user;
	if (index != d->row)
		return 0;
	float best = -INFINITY, second = -INFINITY;
	for (int i = 0; i < n_rows; i++) {
		if (logits[i] > best) {
			second = best;
			best = logits[i];
		} else if (logits[i] > second) {
			second = logits[i];
		}
	}
	d->within = (double)(best - second) <= 2 * 5e-2 * standard_deviation(logits, (size_t)n_rows);
	return 0;
}

static int ids_agree(const struct world *w, int kind, const struct answer *got)
{
	const struct answer *want = &w->want[kind];
	size_t n_prompt = (size_t)w->p[kind].n_tokens;
	int at = 0;
	while (at < want->n && at < got->n && want->id[at] == got->id[at])
		at++;
	if (at == want->n && want->n == got->n)
		return 1;
	if (at == want->n || at == got->n)
		return 0;
	struct leat_engine_params ep = LEAT_ENGINE_PARAMS_INIT;
	struct leat_error err = LEAT_ERROR_INIT;
	struct ids d = { .row = n_prompt + (size_t)at - 1 };
	int32_t ids[WORLD_MOST_PROMPT + ANSWER_MOST];
	ep.mode = LEAT_MODE_REFERENCE;
	ep.n_ctx = (int32_t)((int64_t)n_prompt + w->p[kind].max_tokens); /* which chooses the rotary factors */
	struct leat_engine *e = world_engine(w, &ep);
	memcpy(ids, w->prompt[kind], n_prompt * sizeof *ids);
	memcpy(ids + n_prompt, want->id, (size_t)at * sizeof *ids);
	if (leat_engine_logits(e, ids, n_prompt + (size_t)at, 0, look, &d, &err))
		fail_msg("%s", err.message);
	leat_engine_unref(e);
	return d.within;
}

const char *world_judge(const struct world *w, int kind, const struct answer *got)
{
	if (w->mode == LEAT_MODE_DETERMINISTIC)
		return answer_difference(&w->want[kind], got);
	return ids_agree(w, kind, got) ? NULL : "ids, beyond the rule for them,";
}
