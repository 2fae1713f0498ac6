/* ideas.c - the table of ideas, and its settings. */
#include "bench/ideas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct leat_idea leat_ideas[] = {
#define X(id, measure, what, authors, on, off, note) { #id, LEAT_IDEA_##measure, what, authors, on, off, note },
#include "bench/ideas.def"
#undef X
};
const int leat_n_ideas = (int)(sizeof(leat_ideas) / sizeof(leat_ideas[0]));

static int find_opt(const char *name, size_t n)
{
	for (int i = 0; leat_opt_at(i); i++) {
		if (strlen(leat_opt_at(i)->name) == n && !memcmp(leat_opt_at(i)->name, name, n))
			return 1;
	}
	return 0;
}

static void add_opt(struct leat_idea_side *s, const char *text, size_t n)
{
	size_t at = strlen(s->opts);

	if (s->engine.opts != s->opts) /* the user's come first */
		at = (size_t)snprintf(s->opts, sizeof(s->opts), "%s", s->engine.opts ? s->engine.opts : "");
	if (at < sizeof(s->opts))
		snprintf(s->opts + at, sizeof(s->opts) - at, "%s%.*s", at ? "," : "", (int)n, text);
	s->engine.opts = s->opts;
}

static int all_off(struct leat_idea_side *s)
{
	char one[96];

	for (int i = 0; leat_opt_at(i); i++)
		add_opt(s, one, (size_t)snprintf(one, sizeof(one), "%s=off", leat_opt_at(i)->name));
	return 0;
}

/* Names in the order of the bits of leat_system_info.cpu_flags, after "scalar": no set beyond the one named. */
static int set_isa(struct leat_idea_side *s, const char *v)
{
	static const char *const names[] = { "scalar", "avx2", "avx512", "avx512vnni", "avx512bf16", "amx" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(v, names[i])) {
			s->engine.cpu_mask_off |= ~((UINT32_C(1) << i) - 1);
			return 0;
		}
	}
	return 1;
}

static int set_load(struct leat_idea_side *s, const char *v)
{
	static const char *const names[] = { "auto", "mmap", "lazy", "read", "direct", "mlock" };

	for (int i = 0; i < (int)(sizeof(names) / sizeof(*names)); i++) {
		if (!strcmp(v, names[i])) {
			s->open.load_mode = i;
			return 0;
		}
	}
	return 1;
}

/* "f16" lives as long as the program. */
static int set_kv(struct leat_idea_side *s, const char *v)
{
	s->engine.kv_type = !strcmp(v, "f16") ? "f16" : !strcmp(v, "q8_0") ? "q8_0" : "f32";
	return strcmp(v, s->engine.kv_type) != 0;
}

static int set_number(struct leat_idea_side *s, const char *name, const char *v)
{
	const struct {
		const char *name;
		int32_t *to;
	} numbers[] = {
		{ "threads", &s->engine.n_threads },	       { "chunk", &s->engine.n_batch },
		{ "poll", &s->engine.threads_poll_us },	       { "stall", &s->engine.max_prefill_stall_ms },
		{ "seqs", &s->n_parallel },
		{ "warm", &s->engine.warm_up },		       { "maintain", &s->engine.maintain },
	};
	char *end;
	long n = strtol(v, &end, 10);

	if (!strcmp(name, "seqs") && !strcmp(v, "N")) /* as many as the job says */
		return 0;
	if (end == v || *end || n < -1 || n > 1 << 20)
		return 1;
	if (!strcmp(name, "prefix")) {
		s->engine.prefix_cache_bytes = (int64_t)n << 20;
		return 0;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		if (!strcmp(numbers[i].name, name)) {
			*numbers[i].to = (int32_t)n;
			return 0;
		}
	}
	return 1;
}

static int set(struct leat_idea_side *s, const char *name, const char *v)
{
	const char *eq;

	if (!strcmp(name, "opts")) {
		eq = strchr(v, '=');
		if (!eq || !find_opt(v, (size_t)(eq - v)))
			return 1;
		add_opt(s, v, strlen(v));
		return 0;
	}
	return !strcmp(name, "all")	 ? all_off(s)
	       : !strcmp(name, "isa")	 ? set_isa(s, v)
	       : !strcmp(name, "load")	 ? set_load(s, v)
	       : !strcmp(name, "kv")	 ? set_kv(s, v)
					 : set_number(s, name, v);
}

int leat_idea_side(const struct leat_bench_job *j, const char *settings, struct leat_idea_side *ret, char why[64])
{
	char one[128];

	memset(ret, 0, sizeof(*ret));
	ret->engine = j->engine;
	if (!ret->engine.max_prefill_stall_ms) /* else the clock chooses who goes with whom, and ids may differ */
		ret->engine.max_prefill_stall_ms = -1;
	ret->open = *j->open;
	ret->n_parallel = j->size.n_parallel;
	while (*settings) {
		size_t n = strcspn(settings, ";");
		snprintf(one, sizeof(one), "%.*s", (int)n, settings);
		char *eq = strchr(one, '=');
		if (eq)
			*eq++ = 0;
		if (!eq || set(ret, one, eq)) {
			int is_opt = eq && !strcmp(one, "opts"); /* its value is NAME=on */
			snprintf(why, 64, "no %s `%.*s` in this build", is_opt ? "switch" : "setting",
				 is_opt ? (int)strcspn(eq, "=") : (int)strlen(one), is_opt ? eq : one);
			return 1;
		}
		settings += n + (settings[n] == ';');
	}
	return 0;
}

int leat_idea_names(const char *settings, const char *opt)
{
	char text[96];

	snprintf(text, sizeof(text), "opts=%s=", opt);
	return strstr(settings, text) != NULL;
}
