/* prompts_line.c - a line of --prompts as a request: what it says goes over the command line, under the same names and
 * ranges. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prompts.h"

enum { MAX_DEPTH = 4, MAX_VALUES = 1 << 20, MAX_ID_BYTES = 256, MAX_MESSAGES = 65536 };

/* Keys that are options of `leat run`; an option's own name goes too, with '_' for '-'. */
static const struct setting {
	const char *key;
	enum cli_option o;
} settings[] = {
	{ "max_tokens", OPT_N_PREDICT },
	{ "n_predict", OPT_N_PREDICT },
	{ "seed", OPT_SEED },
	{ "temperature", OPT_TEMP },
	{ "temp", OPT_TEMP },
	{ "top_k", OPT_TOP_K },
	{ "top_p", OPT_TOP_P },
	{ "min_p", OPT_MIN_P },
	{ "typical", OPT_TYPICAL },
	{ "repeat_penalty", OPT_REPEAT_PENALTY },
	{ "repeat_last_n", OPT_REPEAT_LAST_N },
	{ "presence_penalty", OPT_PRESENCE_PENALTY },
	{ "frequency_penalty", OPT_FREQUENCY_PENALTY },
	{ "penalty_decay", OPT_PENALTY_DECAY },
	{ "samplers", OPT_SAMPLERS },
	{ "ignore_eos", OPT_IGNORE_EOS },
	{ "show_special", OPT_SHOW_SPECIAL },
	{ "system", OPT_SYSTEM },
	{ "raw", OPT_RAW },
	{ "no_special", OPT_NO_SPECIAL },
	{ "parse_special", OPT_PARSE_SPECIAL },
	{ "priority", OPT_PRIORITY },
	{ "timeout", OPT_TIMEOUT },
	{ "queue_timeout", OPT_QUEUE_TIMEOUT },
	{ "prompt_logprobs", OPT_PROMPT_LOGPROBS },
};
enum { N_SETTINGS = sizeof(settings) / sizeof(*settings) };
/* Keys that are not. */
static const char *const others[] = { "id", "prompt", "tokens", "messages", "stop", "logit_bias" };
enum { N_OTHERS = sizeof(others) / sizeof(*others) };

static enum leat_status wrong(struct leat_error *err, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static enum leat_status wrong(struct leat_error *err, const char *where, const char *fmt, ...)
{
	va_list ap;

	err->status = LEAT_E_ARG;
	err->offset = UINT64_MAX;
	snprintf(err->code, sizeof(err->code), "%s", "invalid_value");
	snprintf(err->where, sizeof(err->where), "%s", where);
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	return LEAT_E_ARG;
}

static enum leat_status no_memory(struct leat_error *err)
{
	wrong(err, "", "out of memory");
	snprintf(err->code, sizeof(err->code), "%s", "out_of_memory");
	err->status = LEAT_E_NOMEM;
	return LEAT_E_NOMEM;
}

/* ---- settings ---- */

static enum leat_status unknown_key(const char *key, struct leat_error *err)
{
	const char *names[N_SETTINGS + N_OTHERS + 1], *near;
	int i;

	for (i = 0; i < N_SETTINGS; i++)
		names[i] = settings[i].key;
	for (i = 0; i < N_OTHERS; i++)
		names[N_SETTINGS + i] = others[i];
	names[N_SETTINGS + N_OTHERS] = NULL;
	near = cli_nearest(key, names);
	return wrong(err, "", "unknown key '%.40s'%s%s%s", key, near ? "; did you mean '" : "", near ? near : "",
		     near ? "'?" : "");
}

/* The value as an argument would be written, in a form that its option takes; NULL if no option could mean it. */
static const char *as_argument(enum cli_option o, const json_t *v, char buf[64])
{
	enum cli_type type = cli_option_row(o)->type;

	if (type == CLI_STRING)
		return json_string_value(v);
	if (type == CLI_BOOL)
		return json_is_true(v) ? "on" : json_is_false(v) ? "off" : NULL;
	if (type == CLI_SEED && json_is_string(v)) /* beyond what JSON's integers hold for many */
		return json_string_value(v);
	if (json_is_integer(v))
		snprintf(buf, 64, "%lld", (long long)json_integer_value(v));
	else if (json_is_real(v))
		snprintf(buf, 64, "%.17g", json_real_value(v));
	else
		return NULL;
	return buf;
}

static enum leat_status set(struct cli *c, enum cli_option o, const char *key, const json_t *v, struct leat_error *err)
{
	char buf[64], why[96];
	const char *text = as_argument(o, v, buf);

	if (!text || strlen(text) != (json_is_string(v) ? json_string_length(v) : strlen(text)))
		return wrong(err, key, "'%s' has a value of a wrong kind", key);
	if (cli_assign(&c->value[o], o, text, why))
		return wrong(err, key, "'%s' is %.40s, wanted %s", key, text, why);
	if (text == buf) /* --seed -1 is known by its text */
		c->value[o].s = json_is_integer(v) && json_integer_value(v) == -1 ? "-1" : "";
	return LEAT_OK;
}

static enum leat_status set_stops(struct cli *c, const json_t *v, struct leat_error *err)
{
	size_t i, n = json_is_array(v) ? json_array_size(v) : 1;
	char why[96];

	if (n > 16)
		return wrong(err, "stop", "'stop' has %zu texts, at most 16", n);
	for (i = 0; i < n; i++) {
		const json_t *one = json_is_array(v) ? json_array_get(v, i) : v;
		const char *text = json_string_value(one);
		if (!text || !*text || strlen(text) != json_string_length(one))
			return wrong(err, "stop", "'stop' is not a text, or several, of at least a byte without NUL");
		if (cli_assign(&c->value[OPT_STOP], OPT_STOP, text, why))
			return no_memory(err);
	}
	return LEAT_OK;
}

/* {"15043": -100}: as OpenAI's, token ids as keys. */
static enum leat_status set_biases(struct prompts_ask *a, json_t *v, struct leat_error *err)
{
	const char *key;
	json_t *bias, *texts = json_array();
	char why[96], text[64];

	if (!texts || json_object_set_new(a->json, "\001biases", texts))
		return no_memory(err);
	if (!json_is_object(v))
		return wrong(err, "logit_bias", "'logit_bias' is not an object of token ids and numbers");
	json_object_foreach(v, key, bias) {
		char *end;
		long id = strtol(key, &end, 10);
		if (*key < '0' || *key > '9' || *end || id > INT32_MAX || !json_is_number(bias))
			return wrong(err, "logit_bias", "'logit_bias' is not an object of token ids and numbers");
		snprintf(text, sizeof(text), "%ld%+.9g", id, json_number_value(bias));
		if (json_array_append_new(texts, json_string(text)) ||
		    cli_assign(&a->c->value[OPT_LOGIT_BIAS], OPT_LOGIT_BIAS,
			       json_string_value(json_array_get(texts, json_array_size(texts) - 1)), why))
			return no_memory(err);
	}
	return LEAT_OK;
}

static enum leat_status set_key(struct prompts_ask *a, const char *key, json_t *v, struct leat_error *err)
{
	int i;

	if (!strcmp(key, "stop"))
		return set_stops(a->c, v, err);
	for (i = 0; i < N_SETTINGS; i++) {
		if (!strcmp(key, settings[i].key))
			return set(a->c, settings[i].o, key, v, err);
	}
	for (i = 0; i < N_OTHERS; i++) {
		if (!strcmp(key, others[i]))
			return LEAT_OK;
	}
	return unknown_key(key, err);
}

static enum leat_status take_id(const json_t *v, char **ret_id, struct leat_error *err)
{
	if (!v)
		return LEAT_OK;
	if (!json_is_integer(v) && (!json_is_string(v) || json_string_length(v) > MAX_ID_BYTES))
		return wrong(err, "id", "'id' is not an integer or a text of at most %d bytes", MAX_ID_BYTES);
	*ret_id = json_dumps(v, JSON_ENCODE_ANY);
	return *ret_id ? LEAT_OK : no_memory(err);
}

static enum leat_status take_settings(struct prompts_ask *a, char **ret_id, struct leat_error *err)
{
	const char *key;
	json_t *v;
	enum leat_status s = take_id(json_object_get(a->json, "id"), ret_id, err);

	if (s)
		return s;
	json_object_foreach(a->json, key, v) {
		s = set_key(a, key, v, err);
		if (s)
			return s;
	}
	v = json_object_get(a->json, "logit_bias");
	return v ? set_biases(a, v, err) : LEAT_OK;
}

/* ---- the prompt ---- */

static enum leat_status take_ids(struct prompts_ask *a, const json_t *v, struct leat_error *err)
{
	size_t i;

	a->n_ids = json_array_size(v);
	if (!a->n_ids)
		return wrong(err, "tokens", "'tokens' is not an array of token ids");
	a->ids = malloc(a->n_ids * sizeof(*a->ids));
	if (!a->ids)
		return no_memory(err);
	for (i = 0; i < a->n_ids; i++) {
		const json_t *id = json_array_get(v, i);
		if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
			return wrong(err, "tokens", "'tokens' holds what is no token id, at place %zu", i);
		a->ids[i] = (int32_t)json_integer_value(id);
	}
	return LEAT_OK;
}

static enum leat_status take_chat(struct prompts_ask *a, const struct leat_model *m, const struct leat_message *list,
				  size_t n, struct leat_error *err)
{
	a->lead = a->sampling.chat.trim;
	return leat_model_chat_tokens(m, cli_template_name(a->c), list, n, LEAT_CHAT_GENERATE, &a->ids, &a->n_ids, err);
}

static enum leat_status take_messages(struct prompts_ask *a, const struct leat_model *m, const json_t *v,
				      struct leat_error *err)
{
	size_t i, n = json_array_size(v);
	struct leat_message *list;
	enum leat_status s = LEAT_OK;

	if (cli_wants_raw(a->c))
		return wrong(err, "messages", "'messages' needs the chat template, which is left out");
	if (!n || n > MAX_MESSAGES)
		return wrong(err, "messages", "'messages' is not an array of messages");
	list = calloc(n, sizeof(*list));
	if (!list)
		return no_memory(err);
	for (i = 0; i < n && !s; i++) {
		const json_t *o = json_array_get(v, i), *content = json_object_get(o, "content");
		list[i].role = json_string_value(json_object_get(o, "role"));
		list[i].content = json_string_value(content);
		list[i].content_bytes = json_string_length(content);
		if (!list[i].role || !list[i].content || json_object_size(o) != 2)
			s = wrong(err, "messages", "message %zu is not an object of texts 'role' and 'content'", i);
	}
	if (!s)
		s = take_chat(a, m, list, n, err);
	free(list);
	return s;
}

/* As the prompt of `leat run` without --prompts. */
static enum leat_status take_text(struct prompts_ask *a, const struct leat_model *m, const char *text, size_t n,
				  struct leat_error *err)
{
	const char *system = a->c->value[OPT_SYSTEM].s;
	struct leat_message list[2] = { { "system", system, system ? strlen(system) : 0 }, { "user", text, n } };

	if (!cli_wants_raw(a->c) && (strcmp(a->sampling.chat.name, "none") || system))
		return take_chat(a, m, system ? list : list + 1, system ? 2 : 1, err);
	return leat_model_tokenize(m, text, n, cli_text_flags(a->c), &a->ids, &a->n_ids, err);
}

static enum leat_status take_prompt(struct prompts_ask *a, const struct leat_model *m, const char *line, size_t n,
				    struct leat_error *err)
{
	const json_t *j = a->json, *prompt = json_is_string(j) ? j : json_object_get(j, "prompt");
	const json_t *tokens = json_object_get(j, "tokens"), *messages = json_object_get(j, "messages");

	if (!j)
		return take_text(a, m, line, n, err);
	if ((prompt != NULL) + (tokens != NULL) + (messages != NULL) != 1)
		return wrong(err, "", "wanted one of 'prompt', 'messages' and 'tokens'");
	if (tokens)
		return take_ids(a, tokens, err);
	if (messages)
		return take_messages(a, m, messages, err);
	if (!json_is_string(prompt))
		return wrong(err, "prompt", "'prompt' is not a text");
	return take_text(a, m, json_string_value(prompt), json_string_length(prompt), err);
}

/* ---- all of it ---- */

static enum leat_status parse_json(struct prompts_ask *a, const char *line, size_t n, struct leat_error *err)
{
	json_error_t e;

	if (!cli_json_bounded(line, n, MAX_DEPTH, MAX_VALUES))
		return wrong(err, "", "too deep, or too many values, for a prompt");
	a->json = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
	if (!a->json)
		return wrong(err, "", "not JSON: column %d: %s", e.column, e.text);
	if (!json_is_object(a->json) && !json_is_string(a->json))
		return wrong(err, "", "wanted a JSON object or a text in quotes");
	return LEAT_OK;
}

static uint64_t nanoseconds(const struct cli_value *v)
{
	return v->f > 0 ? (uint64_t)(v->f * 1e9) + 1 : 0;
}

static enum leat_status make_request(struct prompts_ask *a, const struct leat_model *m, struct leat_error *err)
{
	struct leat_request_params *p = &a->sampling.p;
	struct leat_model_info info = { .struct_size = sizeof(info) };
	const struct cli_value *v = a->c->value;

	leat_model_get_info(m, &info);
	a->begin = info.bos >= 0 ? info.bos : info.eos;
	if (!a->n_ids && a->begin < 0)
		return wrong(err, "prompt", "the prompt is empty and the model has no token that begins a text");
	if (cli_sampling_init(a->c, m, &a->sampling))
		return no_memory(err); /* everything else was looked at above */
	p->tokens = a->n_ids ? a->ids : &a->begin;
	p->n_tokens = a->n_ids ? a->n_ids : 1;
	p->n_top = (int32_t)v[OPT_LOGPROBS].i;
	p->priority = (int32_t)v[OPT_PRIORITY].i;
	p->timeout_ns = nanoseconds(&v[OPT_TIMEOUT]);
	p->queue_timeout_ns = nanoseconds(&v[OPT_QUEUE_TIMEOUT]);
	return LEAT_OK;
}

enum leat_status prompts_parse(struct cli *c, const struct leat_model *m, const struct cli_sampling *base, int is_json,
			       const char *line, size_t n, struct prompts_ask *a, char **ret_id, struct leat_error *err)
{
	enum leat_status s = LEAT_OK;

	memset(a, 0, sizeof(*a));
	*ret_id = NULL;
	a->c = malloc(sizeof(*a->c));
	if (!a->c)
		return no_memory(err);
	*a->c = *c;
	/* Lists are the one thing that a copy would share; a line's own replace them. */
	if (is_json)
		s = parse_json(a, line, n, err);
	if (!s && json_object_get(a->json, "stop"))
		memset(&a->c->value[OPT_STOP], 0, sizeof(a->c->value[OPT_STOP]));
	if (!s && json_object_get(a->json, "logit_bias"))
		memset(&a->c->value[OPT_LOGIT_BIAS], 0, sizeof(a->c->value[OPT_LOGIT_BIAS]));
	if (!s && json_is_object(a->json))
		s = take_settings(a, ret_id, err);
	if (!s && !cli_wants_raw(a->c) && !json_object_get(a->json, "tokens"))
		a->sampling.chat = base->chat;
	if (!s)
		s = take_prompt(a, m, line, n, err);
	return s ? s : make_request(a, m, err);
}

void prompts_ask_deinit(struct prompts_ask *a)
{
	if (a->c && json_object_get(a->json, "stop"))
		free(a->c->value[OPT_STOP].list);
	if (a->c && json_object_get(a->json, "logit_bias"))
		free(a->c->value[OPT_LOGIT_BIAS].list);
	cli_sampling_deinit(&a->sampling);
	leat_free(a->ids);
	json_decref(a->json);
	free(a->c);
	memset(a, 0, sizeof(*a));
}
