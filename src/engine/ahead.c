/* ahead.c - see ahead.h. */
#include "engine/ahead.h"

#include <string.h>

#include "engine/request.h"
#include "plan/opts.h"

/* Buckets of a step in one number; never 0. */
static uint64_t shape_of(const struct leat_plan_key *k)
{
	uint64_t tokens = (uint32_t)k->tokens, seqs = (uint32_t)k->seqs, outputs = (uint32_t)k->outputs;
	return tokens | seqs << 20 | outputs << 40 | (uint64_t)1 << 63;
}

static void key_of_shape(const struct leat_engine *e, uint64_t shape, struct leat_plan_key *ret)
{
	const uint64_t part = ((uint64_t)1 << 20) - 1;
	leat_plan_key_of(e, (int)(shape & part), (int)(shape >> 20 & part), (int)(shape >> 40 & part), ret);
}

/* ---- what the scheduler knows: the next step if nobody comes, ends, or is slow ---- */

static size_t pending(const struct leat_request *r)
{
	size_t n;
	leat_request_ids(r, &n);
	return n - (size_t)r->seq->n_past;
}

static uint64_t expected(const struct leat_engine *e)
{
	const struct leat_schedule *s = &e->sched;
	struct leat_plan_key key;
	int answers = 0, prompts = 0, outputs = 0, room;
	size_t left = 0;
	double position = 0;
	for (int i = 0; i < s->n_live; i++) {
		const struct leat_request *r = s->live[i];
		size_t n = r->ended || r->why ? 0 : pending(r);
		if (atomic_load_explicit(&r->paused, memory_order_relaxed))
			continue;
		answers += n == 1;
		prompts += n > 1;
		left += n > 1 ? n : 0;
		position += n > 1 ? (double)r->seq->n_past : 0;
	}
	if (!answers && !prompts)
		return 0;
	room = e->n_batch - answers;
	if (answers && prompts)
		room = leat_pace_tokens(&s->pace, room, position / prompts);
	outputs = answers + (left <= (size_t)room ? prompts : 0);
	room = left < (size_t)room ? (int)left : room;
	leat_plan_key_of(e, answers + room, answers + prompts, outputs, &key);
	return shape_of(&key);
}

/* ---- jobs ---- */

static struct leat_job *find_job(struct leat_ahead *a, const struct leat_plan_key *key)
{
	for (int i = 0; i < LEAT_JOBS; i++)
		if (a->job[i].entry && !memcmp(&a->job[i].entry->plan->key, key, sizeof *key))
			return &a->job[i];
	return NULL;
}

static void let_go(struct leat_job *j)
{
	if (j->entry)
		j->entry->held--;
	j->entry = NULL;
}

/* In a free place, else in that of the job used longest ago: its plan stays in the cache. */
static void add_job(struct leat_ahead *a, struct leat_plan_entry *entry)
{
	struct leat_job *j = &a->job[0];
	for (int i = 1; i < LEAT_JOBS && j->entry; i++)
		if (!a->job[i].entry || a->job[i].used < j->used)
			j = &a->job[i];
	let_go(j);
	*j = (struct leat_job){ .entry = entry, .used = ++a->clock };
	entry->held++;
	a->prepared++;
}

struct leat_plan_entry *leat_ahead_take(struct leat_engine *e, const struct leat_plan_key *key)
{
	struct leat_ahead *a = &e->ahead;
	if (!leat_opt_on(e->opts, LEAT_OPT_ahead) || !leat_opt_on(e->opts, LEAT_OPT_plan_cache))
		return NULL;
	struct leat_job *j = find_job(a, key);
	a->looked++;
	if (!j)
		return NULL;
	a->ready++;
	j->used = ++a->clock;
	leat_plan_cache_use(&e->plans, j->entry);
	return j->entry;
}

static void want(struct leat_ahead *a, const struct leat_plan_key *key)
{
	for (int i = 0; i < a->n_wanted; i++)
		if (!memcmp(&a->wanted[i], key, sizeof *key))
			return;
	if (a->n_wanted == LEAT_WANTED) /* the oldest wish goes */
		memmove(a->wanted, a->wanted + 1, (size_t)--a->n_wanted * sizeof *a->wanted);
	a->wanted[a->n_wanted++] = *key;
}

/* Where one shape was missing its neighbours may be next: the same rows with one bucket of tokens more, and one output
 * row more. */
void leat_ahead_missed(struct leat_engine *e, const struct leat_plan_key *key)
{
	struct leat_plan_key k;
	if (!leat_opt_on(e->opts, LEAT_OPT_ahead) || key->hooks || key->variant)
		return;
	leat_plan_key_of(e, key->tokens + 1 < e->n_batch ? key->tokens + 1 : e->n_batch, key->seqs, key->outputs, &k);
	want(&e->ahead, &k);
	if (key->outputs < key->tokens && key->outputs < e->n_seqs) {
		leat_plan_key_of(e, key->tokens, key->seqs, key->outputs + 1, &k);
		want(&e->ahead, &k);
	}
}

void leat_ahead_note(struct leat_engine *e, const struct leat_plan_key *key)
{
	if (leat_opt_on(e->opts, LEAT_OPT_ahead))
		leat_predict_note(&e->ahead.predict, key ? shape_of(key) : 0);
}

void leat_ahead_prepare(struct leat_engine *e)
{
	struct leat_ahead *a = &e->ahead;
	uint64_t guess[LEAT_PREDICT_MOST];
	struct leat_plan_key key;
	if (!leat_opt_on(e->opts, LEAT_OPT_ahead) || !leat_opt_on(e->opts, LEAT_OPT_plan_cache))
		return;
	int n = leat_predict_next(&a->predict, expected(e), guess, a->predict.depth ? a->predict.depth : 1);
	for (int i = 0; i < n; i++) {
		if (!guess[i]) /* nothing will run */
			continue;
		key_of_shape(e, guess[i], &key);
		if (find_job(a, &key))
			continue;
		struct leat_plan_entry *x = leat_plan_cache_peek(&e->plans, &key);
		if (x) {
			add_job(a, x);
			a->reused++;
		} else {
			want(a, &key);
		}
	}
}

int leat_ahead_build(struct leat_engine *e)
{
	struct leat_ahead *a = &e->ahead;
	struct leat_plan_entry *x;
	while (a->n_wanted) {
		struct leat_plan_key key = a->wanted[--a->n_wanted];
		if (leat_plan_cache_peek(&e->plans, &key))
			continue;
		if (leat_plan_make(e, &key, LEAT_PLAN_AHEAD, &x, NULL) != LEAT_OK) {
			a->n_wanted = 0; /* memory is short: not the time for wishes */
			return 0;
		}
		a->built++;
		add_job(a, x);
		return 1;
	}
	return 0;
}

void leat_ahead_clear(struct leat_engine *e)
{
	for (int i = 0; i < LEAT_JOBS; i++)
		let_go(&e->ahead.job[i]);
	e->ahead.n_wanted = 0;
}
