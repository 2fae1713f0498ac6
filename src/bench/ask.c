/* ask.c - requests without text, as the modes of leat bench make them. */
#include <stdlib.h>
#include <string.h>

#include "bench/mode.h"

enum leat_status leat_bench_go_on(const struct leat_bench_job *j, struct leat_error *err)
{
	if (j->stop && j->stop(j->user))
		return leat_fail(err, LEAT_E_CANCELLED, "", LEAT_NO_OFFSET, "stopped");
	return j->report->out_of_memory ? leat_fail(err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for samples")
					: LEAT_OK;
}

int leat_bench_prompt_of(const struct leat_bench_job *j, int i)
{
	return j->workload ? j->workload->at[i].n_prompt : j->size.n_prompt;
}

int leat_bench_gen_of(const struct leat_bench_job *j, int i)
{
	return j->workload ? j->workload->at[i].n_gen : j->size.n_gen;
}

enum leat_status leat_bench_engine(struct leat_bench_job *j, int n_seqs, int n_ctx, struct leat_engine **ret,
				   struct leat_error *err)
{
	struct leat_engine_params p = j->engine;

	p.n_seqs = n_seqs;
	p.n_ctx = j->info.recurrent ? 0 : n_ctx;
	LEAT_TRY(leat_engine_create(j->model, &p, ret, err));
	memset(&j->ran, 0, sizeof(j->ran));
	j->ran.struct_size = sizeof(j->ran);
	leat_engine_get_info(*ret, &j->ran);
	return LEAT_OK;
}

void leat_bench_prompt(const struct leat_bench_job *j, uint64_t which, int32_t *ids, int n)
{
	uint64_t x = which + 1;

	for (int i = 0; i < n; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		ids[i] = (int32_t)((x >> 33) % (uint64_t)j->info.n_vocab);
	}
}

enum leat_status leat_bench_submit(struct leat_bench_job *j, struct leat_engine *e, uint64_t which, int n_prompt,
				   int n_gen, struct leat_request **ret, struct leat_error *err)
{
	struct leat_request_params p;
	int32_t *ids = malloc((size_t)n_prompt * sizeof(*ids));
	enum leat_status s;

	if (!ids)
		return leat_fail(err, LEAT_E_NOMEM, "", LEAT_NO_OFFSET, "no memory for %d tokens", n_prompt);
	leat_bench_prompt(j, which, ids, n_prompt);
	leat_request_params_init(j->model, &p);
	p.flags = LEAT_REQUEST_IGNORE_EOS | (j->keep_prompts ? 0 : LEAT_REQUEST_NO_CACHE);
	p.tokens = ids;
	p.n_tokens = (uint64_t)n_prompt;
	p.max_tokens = n_gen;
	p.seed = 1;
	p.temperature = 0;
	p.repeat_penalty = 1;
	p.presence_penalty = p.frequency_penalty = 0;
	s = leat_request_submit(e, &p, ret, err);
	free(ids);
	return s;
}

enum leat_status leat_bench_drain(const struct leat_bench_job *j, struct leat_request *r, int32_t *ids, int cap,
				  int *ret_n, struct leat_error *err)
{
	struct leat_token t = LEAT_TOKEN_INIT;
	int n = 0;

	do {
		LEAT_TRY(leat_bench_go_on(j, err));
		LEAT_TRY(leat_request_next(r, &t, err));
		if (t.id >= 0 && n < cap)
			ids[n++] = t.id;
	} while (!t.finish);
	*ret_n = n;
	return LEAT_OK;
}

enum leat_status leat_bench_ask(struct leat_bench_job *j, struct leat_engine *e, uint64_t which, int n_prompt,
				int n_gen, int32_t *ids, int *ret_n, struct leat_error *err)
{
	struct leat_request *r;
	enum leat_status s;

	LEAT_TRY(leat_bench_go_on(j, err));
	LEAT_TRY(leat_bench_submit(j, e, which, n_prompt, n_gen, &r, err));
	s = leat_bench_drain(j, r, ids, n_gen, ret_n, err);
	leat_request_unref(r);
	return s;
}
