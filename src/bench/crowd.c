/* crowd.c - see crowd.h. */
#include "bench/crowd.h"

#include "base/clock.h"

static int open_yet(const struct leat_crowd_one *o)
{
	return o->r && !o->finish && !o->failed;
}

int leat_crowd_take(struct leat_crowd_one *o, int64_t timeout_ns, leat_crowd_fn *token, void *user)
{
	struct leat_token t = LEAT_TOKEN_INIT;
	int any = 0;

	while (open_yet(o)) {
		enum leat_status s = leat_request_poll(o->r, any ? 0 : timeout_ns, &t, NULL);
		if (s == LEAT_E_TIMEOUT)
			return any;
		any = 1;
		o->failed = s;
		o->finish = s ? 0 : t.finish;
		if (s || t.id < 0)
			continue;
		o->last_ns = leat_now_ns();
		if (!o->n)
			o->first_ns = o->last_ns;
		if (o->ids && o->n < o->cap)
			o->ids[o->n] = t.id;
		o->n++;
		if (token)
			token(user, o, o->last_ns);
	}
	return any;
}

enum leat_status leat_crowd_read(struct leat_bench_job *j, struct leat_crowd_one *one, int n, struct leat_error *err)
{
	int i, any, waits_for;

	do {
		LEAT_TRY(leat_bench_go_on(j, err));
		any = 0;
		waits_for = -1;
		for (i = 0; i < n; i++) {
			any |= leat_crowd_take(&one[i], 0, NULL, NULL);
			if (one[i].failed)
				return leat_fail(err, one[i].failed, "", LEAT_NO_OFFSET, "request %d failed: %s", i,
						 leat_status_text(one[i].failed));
			if (waits_for < 0 && open_yet(&one[i]))
				waits_for = i;
		}
		if (!any && waits_for >= 0)
			leat_crowd_take(&one[waits_for], 1, NULL, NULL); /* runs one step */
	} while (waits_for >= 0);
	return LEAT_OK;
}

void leat_crowd_drop(struct leat_crowd_one *one, int n)
{
	for (int i = 0; i < n; i++) {
		leat_request_unref(one[i].r);
		one[i].r = NULL;
	}
}
