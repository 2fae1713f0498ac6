/* answer.c - sampling flags, the chat template, text on a terminal, timings. */
#include "answer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double cli_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- the template ---- */

const char *cli_template_name(const struct cli *c)
{
	const char *name = c->value[OPT_CHAT_TEMPLATE].s;

	return name && strcmp(name, "auto") ? name : NULL;
}

int cli_wants_raw(const struct cli *c)
{
	return c->value[OPT_RAW].i || c->value[OPT_NO_SPECIAL].i || c->value[OPT_PARSE_SPECIAL].i;
}

int cli_pick_template(struct cli *c, const struct leat_model *m, struct cli_sampling *s)
{
	struct leat_error e = LEAT_ERROR_INIT;

	s->chat.struct_size = sizeof(s->chat);
	if (leat_model_get_chat_info(m, cli_template_name(c), &s->chat, &e))
		return cli_fail(c, &e, 1);
	if (s->chat.source == LEAT_CHAT_GUESSED)
		cli_note(c, "leat: the model's own chat template is not one that leat knows; by its vocabulary '%s' "
			 "is used (--chat-template chooses)\n", s->chat.name);
	else if (s->chat.source == LEAT_CHAT_UNKNOWN)
		cli_note(c, "leat: the model's own chat template is not one that leat knows; text goes to the model as "
			 "it is (--chat-template chooses)\n");
	return 0;
}

/* ---- sampling flags ---- */

static void set_float(const struct cli *c, enum cli_option o, float *ret)
{
	if (cli_is_set(c, o))
		*ret = (float)c->value[o].f;
}

static void set_int(const struct cli *c, enum cli_option o, int32_t *ret)
{
	if (cli_is_set(c, o))
		*ret = (int32_t)c->value[o].i;
}

/* "15043+1.5", "2-inf" */
static int parse_bias(struct cli *c, struct cli_sampling *r)
{
	const struct cli_value *v = &c->value[OPT_LOGIT_BIAS];
	int i;

	r->bias = calloc((size_t)v->n_list + 1, sizeof(*r->bias));
	if (!r->bias)
		return cli_error(c, LEAT_E_NOMEM, "out of memory");
	for (i = 0; i < v->n_list; i++) {
		const char *s = v->list[i];
		char *end, *end2;
		long id = strtol(s, &end, 10);
		double x = *end == '+' || *end == '-' ? strtod(end, &end2) : NAN;
		if (*s < '0' || *s > '9' || id > INT32_MAX || isnan(x) || end2 == end || *end2 || x == (double)INFINITY)
			return cli_usage_error(c, "--logit-bias: '%s' is not ID+X or ID-X", s);
		r->bias[i].id = (int32_t)id;
		r->bias[i].bias = (float)x;
	}
	r->p.logit_bias = r->bias;
	r->p.n_logit_bias = v->n_list;
	return 0;
}

/* The user's texts, and what ends an answer of this template. */
static int collect_stops(struct cli *c, struct cli_sampling *s)
{
	const struct cli_value *v = &c->value[OPT_STOP];
	const int most = (int)(sizeof(s->stop) / sizeof(*s->stop));
	int i, n = 0;

	for (i = 0; i < v->n_list && n < most; i++) {
		if (!v->list[i][0])
			return cli_usage_error(c, "--stop: an empty text would stop at once");
		s->stop[n++] = v->list[i];
	}
	for (i = 0; i < s->chat.n_stop && n < most; i++)
		s->stop[n++] = s->chat.stop[i];
	s->p.stop = s->stop;
	s->p.n_stop = n;
	s->p.stop_ids = s->chat.stop_ids;
	s->p.n_stop_ids = s->chat.n_stop_ids;
	return 0;
}

int cli_sampling_init(struct cli *c, const struct leat_model *m, struct cli_sampling *s)
{
	struct leat_request_params *p = &s->p;
	const struct cli_value *v = c->value;
	int rc;

	leat_request_params_init(m, p);
	p->max_tokens = v[OPT_N_PREDICT].i;
	set_float(c, OPT_TEMP, &p->temperature);
	set_float(c, OPT_TOP_P, &p->top_p);
	set_float(c, OPT_MIN_P, &p->min_p);
	set_float(c, OPT_TYPICAL, &p->typical_p);
	set_int(c, OPT_TOP_K, &p->top_k);
	set_float(c, OPT_REPEAT_PENALTY, &p->repeat_penalty);
	set_float(c, OPT_PRESENCE_PENALTY, &p->presence_penalty);
	set_float(c, OPT_FREQUENCY_PENALTY, &p->frequency_penalty);
	set_float(c, OPT_PENALTY_DECAY, &p->penalty_decay);
	set_int(c, OPT_REPEAT_LAST_N, &p->repeat_last_n);
	p->samplers = v[OPT_SAMPLERS].s;
	p->flags &= ~(uint32_t)LEAT_REQUEST_RANDOM_SEED;
	/* By the text: the bits of -1 are those of the largest seed too. */
	if (!strcmp(v[OPT_SEED].s, "-1"))
		p->flags |= LEAT_REQUEST_RANDOM_SEED;
	p->seed = (uint64_t)v[OPT_SEED].i;
	if (v[OPT_IGNORE_EOS].i)
		p->flags |= LEAT_REQUEST_IGNORE_EOS;
	if (v[OPT_PROMPT_LOGPROBS].i)
		p->flags |= LEAT_REQUEST_PROMPT_LOGPROBS;
	if (v[OPT_SHOW_SPECIAL].i)
		p->flags |= LEAT_REQUEST_SHOW_SPECIAL;
	rc = collect_stops(c, s);
	return rc || !v[OPT_LOGIT_BIAS].n_list ? rc : parse_bias(c, s);
}

void cli_sampling_deinit(struct cli_sampling *s)
{
	free(s->bias);
	s->bias = NULL;
}

/* ---- the answer ---- */

void cli_write_escaped(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char b = (unsigned char)text[i];
		if ((b < 0x20 && b != '\n' && b != '\t') || b == 0x7f)
			cli_printf("\\x%02x", b);
		else if (b == 0xc2 && i + 1 < n && (unsigned char)text[i + 1] < 0xa0) /* U+0080..U+009F */
			cli_printf("\\u%04x", (unsigned char)text[++i]);
		else
			cli_out(text + i, 1);
	}
}

const char *cli_finish_word(int finish)
{
	static const char *const words[] = { "none", "eos", "stop", "length", "cancelled", "error",
					     "timeout" };

	return finish >= 0 && finish < 7 ? words[finish] : "?";
}

static void json_alternatives(const struct leat_model *m, const struct leat_token *t)
{
	int i;

	cli_puts(",\"top\":[");
	for (i = 0; i < t->n_top; i++) {
		size_t n = 0;
		const unsigned char *bytes = leat_model_token_bytes(m, t->top[i].id, &n);
		cli_printf("%s{\"id\":%d,\"text\":", i ? "," : "", (int)t->top[i].id);
		cli_json_string((const char *)bytes, bytes ? n : 0);
		cli_puts(",\"logprob\":");
		cli_json_number((double)t->top[i].logprob);
		cli_puts("}");
	}
	cli_puts("]");
}

void cli_json_token(const struct leat_model *m, const struct leat_token *t, int likely)
{
	cli_printf("\"index\":%llu,\"id\":%d,\"text\":", (unsigned long long)t->index, (int)t->id);
	cli_json_string(t->text, t->text_bytes);
	cli_puts(",\"logprob\":");
	cli_json_number((double)t->logprob);
	if (!likely)
		return;
	cli_puts(",\"prob\":");
	cli_json_number((double)t->prob);
	cli_puts(",\"logit\":");
	cli_json_number((double)t->logit);
	cli_printf(",\"is_eos\":%s", t->is_eos ? "true" : "false");
	json_alternatives(m, t);
}

void cli_json_prompt(const struct leat_model *m, const int32_t *ids, uint64_t n_ids, const float *logprob, uint64_t n)
{
	if (n > n_ids) /* what a state held was not given here */
		logprob += n - n_ids;
	else
		ids += n_ids - n;
	n = n < n_ids ? n : n_ids;
	cli_puts("\"prompt\":[");
	for (uint64_t i = 0; i < n; i++) {
		size_t bytes = 0;
		const unsigned char *text = leat_model_token_bytes(m, ids[i], &bytes);
		cli_printf("%s{\"id\":%d,\"text\":", i ? "," : "", (int)ids[i]);
		cli_json_string((const char *)text, text ? bytes : 0);
		cli_puts(",\"logprob\":");
		cli_json_number((double)logprob[i]); /* null: nothing precedes it */
		cli_puts("}");
	}
	cli_puts("]");
}

static double rate(uint64_t tokens, uint64_t ns)
{
	return ns ? (double)tokens * 1e9 / (double)ns : 0;
}

void cli_add_stats(struct cli_timing *t, const struct leat_request_stats *s)
{
	t->n_in += s->n_prompt;
	t->n_out += s->n_generated;
	t->in_ns += s->prompt_ns;
	t->out_ns += s->generate_ns;
	t->seed = s->seed;
	t->finish = s->finish;
}

void cli_print_timing(const struct cli_timing *t)
{
	char cached[48] = "", speed[32] = "";

	if (t->cached)
		snprintf(cached, sizeof(cached), "%llu cached %s", (unsigned long long)t->n_cached,
			 t->n_in ? "· " : "");
	if (t->n_in)
		snprintf(speed, sizeof(speed), "%.1f t/s ", rate(t->n_in, t->in_ns));
	/* The first token comes out of the prompt's last step, so n - 1 steps made the others. */
	fprintf(stderr, "[%llu in %.2f s · %s%s| %llu out %.2f s · %.1f t/s | %s | seed %llu]\n",
		(unsigned long long)t->n_in, (double)t->in_ns * 1e-9, cached, speed,
		(unsigned long long)t->n_out, (double)t->out_ns * 1e-9,
		rate(t->n_out ? t->n_out - 1 : 0, t->out_ns), cli_finish_word(t->finish), (unsigned long long)t->seed);
}

void cli_write_answer(const char **text, size_t *n, int *lead, int escape)
{
	while (*lead && *n && strchr(" \t\r\n", **text)) {
		(*text)++;
		(*n)--;
	}
	if (*n)
		*lead = 0;
	if (escape)
		cli_write_escaped(*text, *n);
	else
		cli_out(*text, *n);
}

void cli_banner(const struct cli *c, const struct leat_model_info *info, const struct leat_engine *engine,
		const char *template, double load_s)
{
	struct leat_engine_info e;
	char label[96], state[32], ctx[48];

	e.struct_size = sizeof(e);
	if (c->quiet || c->json || leat_engine_get_info(engine, &e))
		return;
	cli_arch_label(info, label);
	snprintf(ctx, sizeof(ctx), "context %d", (int)e.n_ctx);
	fprintf(stderr, "leat %s | %s | %s | %s %s, %s | %s%s%sloaded %.2f s\n", leat_version(), label, e.device,
		info->recurrent ? "state" : "cache",
		cli_bytes(info->recurrent ? info->state_bytes : e.state_bytes, state),
		info->recurrent && !c->value[OPT_CTX_SIZE].i ? "context unlimited" : ctx,
		template ? "template " : "", template ? template : "", template ? " | " : "", load_s);
}
