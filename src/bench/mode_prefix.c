/* mode_prefix.c - what kept beginnings of prompts save: branches, a restart, a long prefix in common (U55).
 *
 * One prompt is answered, then prompts that leave it at earlier and earlier tokens, so that none finds what another one
 * left; the engine is closed and opened anew over the same folder, and answers the prompt again. Then two prompts with
 * a long beginning in common: the second one's first token against the same without a cache. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/mode.h"

enum { BRANCHES = 16, MOST_GEN = 64, OWN = 16, AIM_AGAIN = 32, AIM_RESTART = 1, AIM_SOONER = 5 };
static const int64_t kept_bytes = (int64_t)1 << 30;
static const int long_prefix[] = { 4096 };

struct prefix {
	struct leat_bench_job *j;
	struct leat_error *err;
	char dir[96];
	int32_t *t;   /* the prompt */
};

/* What one request did. */
struct seen {
	int32_t id[MOST_GEN];
	int n;
	double first_ms;
	uint64_t computed, cached;
};

static enum leat_status ask(struct prefix *x, struct leat_engine *e, int n_prompt, int n_gen, uint32_t flags,
			    struct seen *ret)
{
	struct leat_request_stats stats = { .struct_size = sizeof(stats) };
	struct leat_token tok = LEAT_TOKEN_INIT;
	struct leat_request_params p;
	struct leat_request *r;
	enum leat_status s = leat_bench_go_on(x->j, x->err);
	uint64_t start = leat_now_ns();

	leat_request_params_init(x->j->model, &p);
	p.flags = LEAT_REQUEST_IGNORE_EOS | flags;
	p.tokens = x->t;
	p.n_tokens = (uint64_t)n_prompt;
	p.max_tokens = n_gen;
	p.temperature = 0;
	p.presence_penalty = p.frequency_penalty = 0;
	if (!s)
		s = leat_request_submit(e, &p, &r, x->err);
	if (s)
		return s;
	ret->n = 0;
	while (!s && !tok.finish) {
		s = leat_request_next(r, &tok, x->err);
		if (!s && tok.id >= 0 && ret->n < MOST_GEN) {
			if (!ret->n)
				ret->first_ms = (double)(leat_now_ns() - start) * 1e-6;
			ret->id[ret->n++] = tok.id;
		}
	}
	leat_request_get_stats(r, &stats);
	ret->computed = stats.n_prompt;
	ret->cached = stats.n_cached;
	leat_request_unref(r);
	return s;
}

static int same(const struct seen *a, const struct seen *b)
{
	return a->n == b->n && !memcmp(a->id, b->id, (size_t)a->n * sizeof(*a->id));
}

static enum leat_status open_engine(struct prefix *x, int n_ctx, const char *dir, struct leat_engine **ret)
{
	struct leat_bench_job *j = x->j;

	j->engine.prefix_cache_bytes = kept_bytes;
	j->engine.state_dir = dir;
	enum leat_status s = leat_bench_engine(j, 1, n_ctx, ret, x->err);
	j->engine.state_dir = NULL;
	j->engine.prefix_cache_bytes = 0;
	return s;
}

static int32_t other(const struct prefix *x, int32_t id)
{
	return (id + 1) % x->j->info.n_vocab;
}

static enum leat_status branches(struct prefix *x, struct leat_engine *e)
{
	struct leat_report *p = x->j->report;
	int n = x->j->size.n_prompt, step = n / BRANCHES > 0 ? n / BRANCHES : 1;
	uint64_t worst = 0;

	for (int at = n - 1; at > 0; at -= step) {
		struct seen b;
		int32_t was = x->t[at];
		x->t[at] = other(x, was);
		enum leat_status s = ask(x, e, at + 1, 1, 0, &b);
		x->t[at] = was;
		LEAT_TRY(s);
		uint64_t again = (uint64_t)at - b.cached;
		worst = again > worst ? again : worst;
		leat_report_add(p, "first token of a branch", "ms", LEAT_BETTER_LESS, b.first_ms);
		leat_report_add(p, "computed again before a branch", "tokens", LEAT_BETTER_LESS, (double)again);
		leat_report_remark(p, "branch at token %5d: %5" PRIu64 " tokens reused, %3" PRIu64
				   " computed again, first token after %8.2f ms", at, b.cached, again, b.first_ms);
	}
	leat_report_remark(p, "worst branch: %" PRIu64 " tokens computed again, aim %d%s", worst, AIM_AGAIN,
			   worst > AIM_AGAIN ? "  MISSED" : "");
	p->wrong |= worst > AIM_AGAIN;
	return LEAT_OK;
}

static void remove_folder(const char *path)
{
	char name[384];
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d));) {
		if (snprintf(name, sizeof(name), "%s/%s", path, e->d_name) < (int)sizeof(name))
			unlink(name); /* not "." and "..", which are folders */
	}
	if (d)
		closedir(d);
	rmdir(path);
}

static enum leat_status restart(struct prefix *x, const struct seen *first, int n_ctx)
{
	struct leat_report *p = x->j->report;
	struct leat_engine *e;
	struct seen again;
	uint64_t start = leat_now_ns();

	LEAT_TRY(open_engine(x, n_ctx, x->dir, &e));
	leat_report_add(p, "open again", "ms", LEAT_BETTER_LESS, (double)(leat_now_ns() - start) * 1e-6);
	enum leat_status s = ask(x, e, x->j->size.n_prompt, x->j->size.n_gen, 0, &again);
	leat_engine_unref(e);
	LEAT_TRY(s);
	int ok = again.computed <= AIM_RESTART, equal = same(first, &again);
	leat_report_add(p, "first token after a restart", "ms", LEAT_BETTER_LESS, again.first_ms);
	leat_report_add(p, "computed after a restart", "tokens", LEAT_BETTER_LESS, (double)again.computed);
	leat_report_remark(p, "opened again: %" PRIu64 " of %d tokens computed, aim %d%s; first token %.2f ms, was "
			   "%.2f; ids %s", again.computed, x->j->size.n_prompt, AIM_RESTART, ok ? "" : "  MISSED",
			   again.first_ms, first->first_ms, equal ? "equal" : "DIFFER");
	p->wrong |= !ok || (!equal && x->j->engine.mode == LEAT_MODE_DETERMINISTIC);
	return LEAT_OK;
}

static enum leat_status branch_and_restart(struct prefix *x)
{
	struct leat_report *p = x->j->report;
	struct leat_engine *e;
	struct seen first;
	int n = x->j->size.n_prompt, n_ctx = n + x->j->size.n_gen + 1;

	leat_bench_prompt(x->j, 7, x->t, n);
	LEAT_TRY(open_engine(x, n_ctx, x->dir, &e));
	enum leat_status s = ask(x, e, n, x->j->size.n_gen, 0, &first);
	if (!s) {
		leat_report_add(p, "first token of the prompt", "ms", LEAT_BETTER_LESS, first.first_ms);
		leat_report_hash(p, "tokens_sha256", first.id, first.n);
		s = branches(x, e);
	}
	uint64_t start = leat_now_ns();
	leat_engine_unref(e);
	leat_report_add(p, "close, states written", "ms", LEAT_BETTER_LESS, (double)(leat_now_ns() - start) * 1e-6);
	return s ? s : restart(x, &first, n_ctx);
}

/* Two prompts of `n` tokens in common and some of their own. */
static enum leat_status in_common(struct prefix *x, int n)
{
	struct leat_report *p = x->j->report;
	struct leat_engine *e;
	struct seen a, b, cold;
	char name[LEAT_FIGURE_NAME];
	enum leat_status s;

	leat_bench_prompt(x->j, 8, x->t, n + OWN);
	LEAT_TRY(open_engine(x, n + OWN + x->j->size.n_gen + 1, NULL, &e));
	s = ask(x, e, n + OWN, 1, 0, &a);
	leat_bench_prompt(x->j, 9, x->t + n, OWN);
	if (!s)
		s = ask(x, e, n + OWN, x->j->size.n_gen, LEAT_REQUEST_NO_CACHE, &cold);
	if (!s)
		s = ask(x, e, n + OWN, x->j->size.n_gen, 0, &b);
	leat_engine_unref(e);
	LEAT_TRY(s);
	int equal = same(&b, &cold), ok = cold.first_ms >= AIM_SOONER * b.first_ms;
	snprintf(name, sizeof(name), "sooner behind %d tokens", n);
	leat_report_add(p, name, "times", LEAT_BETTER_MORE, cold.first_ms / b.first_ms);
	leat_report_remark(p, "second prompt behind %d tokens: first token %.2f ms without, %.2f with: %.1f times "
			   "sooner, aim %d%s", n, cold.first_ms, b.first_ms, cold.first_ms / b.first_ms, AIM_SOONER,
			   ok ? "" : "  MISSED");
	leat_report_remark(p, "of its %d tokens %" PRIu64 " computed; ids %s", n + OWN, b.computed,
			   equal ? "equal" : "DIFFER");
	p->wrong |= !equal && x->j->engine.mode == LEAT_MODE_DETERMINISTIC;
	return LEAT_OK;
}

static enum leat_status run(struct leat_bench_job *j, struct leat_error *err)
{
	struct prefix x = { .j = j, .err = err };
	const char *tmp = j->scratch ? j->scratch : "/tmp";
	enum leat_status s;

	if (!j->n_points) {
		j->n_points = (int)(sizeof(long_prefix) / sizeof(long_prefix[0]));
		memcpy(j->point, long_prefix, sizeof(long_prefix));
	}
	int most = j->point[j->n_points - 1];
	most = most > j->size.n_prompt ? most : j->size.n_prompt;
	if (j->size.n_gen > MOST_GEN || j->size.n_prompt < 2)
		return leat_fail(err, LEAT_E_ARG, "n_gen", LEAT_NO_OFFSET,
				 "this mode takes answers of up to %d tokens and prompts from 2 on", MOST_GEN);
	if (snprintf(x.dir, sizeof(x.dir), "%s/leat-bench-XXXXXX", tmp) >= (int)sizeof(x.dir))
		return leat_fail(err, LEAT_E_ARG, "TMPDIR", LEAT_NO_OFFSET, "the path is too long");
	x.t = malloc(((size_t)most + OWN) * sizeof(*x.t));
	if (!x.t || !mkdtemp(x.dir)) {
		s = leat_fail(err, x.t ? LEAT_E_IO : LEAT_E_NOMEM, "TMPDIR", LEAT_NO_OFFSET, "no folder or memory");
		free(x.t);
		return s;
	}
	s = branch_and_restart(&x);
	remove_folder(x.dir);
	for (int i = 0; !s && i < j->n_points; i++)
		if (j->point[i] > 0)
			s = in_common(&x, j->point[i]);
	free(x.t);
	return s;
}

const struct leat_bench leat_bench_prefix = {
	.name = "prefix",
	.summary = "what kept beginnings of prompts save: branches, a restart, a prefix of 4096 tokens (-d) in common",
	.size = { .n_prompt = 600, .n_gen = 8 },
	.run = run,
};
