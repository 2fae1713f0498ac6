/* cmd_inspect.c - leat inspect: what is in a model file, what it needs, whether it is sound. */
#include <stdio.h>
#include <string.h>

#include "bench/scan.h"
#include "cli.h"

struct inspect {
	struct cli *c;
	const char *path;
	struct leat_inspect *file;
	struct leat_inspect_info head;
	struct leat_model *model;     /* NULL: leat cannot run it, `why` says why */
	struct leat_error why;
	int sound;                    /* --verify: every weight was read and is a number; else `why` says why */
	struct leat_scan scan;
	struct leat_model_info info;
};

static int flag(const struct inspect *x, enum cli_option o)
{
	return (int)x->c->value[o].i;
}

/* ---- text ---- */

static void text_head(const struct inspect *x)
{
	char bytes[32], version[24] = "";

	if (x->head.version)
		snprintf(version, sizeof(version), " version %u", (unsigned)x->head.version);
	cli_printf("file        %s\ncontainer   %s%s, %s, %llu metadata entries, %llu tensors\n", x->path,
		   x->head.container, version, cli_bytes(x->head.file_bytes, bytes),
		   (unsigned long long)x->head.n_meta, (unsigned long long)x->head.n_tensors);
	if (!x->model)
		cli_printf("leat cannot run it: %s\n", x->why.message);
}

static void text_model(const struct inspect *x)
{
	const struct leat_model_info *m = &x->info;
	char label[96];

	cli_arch_label(m, label);
	cli_printf("model       %s%s%s%s\n", label, m->name[0] ? " (" : "", m->name, m->name[0] ? ")" : "");
	cli_printf("parameters  %llu, %llu bytes of weights read per token\n", (unsigned long long)m->n_params,
		   (unsigned long long)m->read_bytes_per_token);
	cli_printf("shape       %d layers, width %d, feed-forward %d, %d heads of %d", (int)m->n_layer, (int)m->n_embd,
		   (int)m->n_ff, (int)m->n_head, (int)m->head_size);
	if (m->n_kv_head != m->n_head)
		cli_printf(", %d key/value heads", (int)m->n_kv_head);
	cli_printf("\ncontext     ");
	if (m->recurrent)
		cli_puts("unlimited");
	else
		cli_printf("%d tokens", (int)m->n_ctx_train);
	if (m->window)
		cli_printf(", each sees %d", (int)m->window);
	if (m->n_ctx_short)
		cli_printf(", long rotary factors for more than %d", (int)m->n_ctx_short);
	cli_puts("\n");
	cli_printf("vocabulary  %d tokens, %s\n", (int)m->n_vocab, m->tokenizer);
}

static void text_token(const struct inspect *x, const char *label, int32_t id)
{
	char *text;
	size_t n;

	if (id < 0) {
		cli_printf("%s none\n", label);
		return;
	}
	cli_printf("%s %d", label, (int)id);
	if (!leat_model_detokenize(x->model, &id, 1, LEAT_TEXT_SPECIAL, &text, &n, NULL)) {
		cli_puts(" ");
		cli_json_string(text, n);
		leat_free(text);
	}
	cli_puts("\n");
}

static void text_tokenizer(const struct inspect *x)
{
	cli_printf("tokenizer   %s, usable ids 0..%d, rows of the head %d\n", x->info.tokenizer,
		   (int)x->info.n_vocab - 1, (int)x->info.n_rows);
	text_token(x, "  begin    ", x->info.bos);
	text_token(x, "  end      ", x->info.eos);
}

/* Weights are mapped; the cache or state is what a sequence adds. */
static uint64_t sequence_bytes(const struct leat_model_info *m)
{
	return m->recurrent ? m->state_bytes : m->kv_bytes_per_token * (uint64_t)m->n_ctx_train;
}

static void text_memory(const struct inspect *x)
{
	const struct leat_model_info *m = &x->info;
	struct leat_system_info s;
	char a[32], b[32];
	uint64_t need = m->file_bytes + sequence_bytes(m);

	memset(&s, 0, sizeof(s));
	s.struct_size = sizeof(s);
	leat_get_system_info(&s);
	cli_printf("memory      weights %s (mapped)\n", cli_bytes(m->file_bytes, a));
	if (m->recurrent)
		cli_printf("            state %s per sequence, whatever its length\n", cli_bytes(m->state_bytes, a));
	else
		cli_printf("            cache %s per token, %s for %d tokens\n", cli_bytes(m->kv_bytes_per_token, a),
			   cli_bytes(sequence_bytes(m), b), (int)m->n_ctx_train);
	cli_printf("            together %s; free here %s%s\n", cli_bytes(need, a), cli_bytes(s.memory_free_bytes, b),
		   need > s.memory_free_bytes ? ": too much, use a smaller context (-c) or file" : "");
}

static void text_tensors(const struct inspect *x)
{
	struct leat_tensor_info t;
	uint64_t i;
	int d;

	cli_printf("%-44s %-6s %-28s %12s %12s\n", "tensor", "type", "shape", "bytes", "offset");
	for (i = 0; i < x->head.n_tensors; i++) {
		char shape[100];
		int n = 0;
		memset(&t, 0, sizeof(t));
		t.struct_size = sizeof(t);
		if (leat_inspect_tensor(x->file, i, &t))
			continue;
		shape[0] = 0;
		for (d = 0; d < t.n_dims && d < 4; d++)
			n += snprintf(shape + n, sizeof(shape) - (size_t)n, "%s%llu", d ? " x " : "",
				      (unsigned long long)t.dim[d]);
		cli_printf("%-44s %-6s %-28s %12llu %12llu\n", t.name, t.type, shape, (unsigned long long)t.bytes,
			   (unsigned long long)t.offset);
	}
}

static void text_metadata(const struct inspect *x)
{
	char key[256], type[48], value[240];
	uint64_t i;

	for (i = 0; i < x->head.n_meta; i++) {
		if (!leat_inspect_meta(x->file, i, key, sizeof(key), type, sizeof(type), value, sizeof(value)))
			cli_printf("%-44s %-10s %s\n", key, type, value);
	}
}

/* What a user can do about a refusal. */
static const char *advice(const struct leat_error *why)
{
	switch (why->status) {
	case LEAT_E_FORMAT:
	case LEAT_E_NONFINITE:
		return "the file is damaged or was made wrong: compare its size and checksum with where it is from";
	case LEAT_E_UNSUPPORTED:
		return "the file may be sound; this build lacks what it asks for (leat --version lists what there is)";
	case LEAT_E_LIMIT:
		return "larger than anything leat takes: damaged, or made to do harm";
	default:
		return "see the message";
	}
}

static void text_verify(const struct inspect *x)
{
	if (x->sound) {
		cli_printf("verify      ok: container, tokenizer, the shape of every tensor; %llu numbers in %llu "
			   "tensors, all finite\n", (unsigned long long)x->scan.n_numbers,
			   (unsigned long long)x->scan.n_tensors);
		return;
	}
	cli_printf("verify      rejected: %s (%s)\n            %s\n", x->why.code,
		   leat_status_text(x->why.status), x->why.message);
	if (x->why.where[0])
		cli_printf("            field or tensor: %s\n", x->why.where);
	if (x->why.offset != UINT64_MAX)
		cli_printf("            byte %llu\n", (unsigned long long)x->why.offset);
	cli_printf("            %s\n", advice(&x->why));
}

static void show_text(const struct inspect *x)
{
	text_head(x);
	if (x->model)
		text_model(x);
	if (x->model && flag(x, OPT_SHOW_TOKENIZER))
		text_tokenizer(x);
	if (x->model && flag(x, OPT_SHOW_MEMORY))
		text_memory(x);
	if (flag(x, OPT_SHOW_METADATA)) {
		cli_puts("\n");
		text_metadata(x);
	}
	if (flag(x, OPT_SHOW_TENSORS)) {
		cli_puts("\n");
		text_tensors(x);
	}
	if (flag(x, OPT_VERIFY))
		text_verify(x);
}

/* ---- JSON ---- */

static void json_text(const char *key, const char *value)
{
	cli_printf(",\"%s\":", key);
	cli_json_string(value, strlen(value));
}

static void json_model(const struct inspect *x)
{
	const struct leat_model_info *m = &x->info;

	json_text("arch", m->arch);
	json_text("name", m->name);
	json_text("type", m->type);
	json_text("tokenizer", m->tokenizer);
	cli_printf(",\"recurrent\":%s,\"n_params\":%llu,\"read_bytes_per_token\":%llu,\"kv_bytes_per_token\":%llu,"
		   "\"state_bytes\":%llu", m->recurrent ? "true" : "false", (unsigned long long)m->n_params,
		   (unsigned long long)m->read_bytes_per_token, (unsigned long long)m->kv_bytes_per_token,
		   (unsigned long long)m->state_bytes);
	cli_printf(",\"n_layer\":%d,\"n_embd\":%d,\"n_ff\":%d,\"n_head\":%d,\"n_kv_head\":%d,\"head_size\":%d,"
		   "\"n_vocab\":%d,\"n_rows\":%d,\"n_ctx_train\":%d,\"window\":%d,"
		   "\"n_ctx_short\":%d,\"bos\":%d,\"eos\":%d",
		   (int)m->n_layer, (int)m->n_embd, (int)m->n_ff, (int)m->n_head, (int)m->n_kv_head, (int)m->head_size,
		   (int)m->n_vocab, (int)m->n_rows, (int)m->n_ctx_train, (int)m->window,
		   (int)m->n_ctx_short, (int)m->bos, (int)m->eos);
}

static void json_metadata(const struct inspect *x)
{
	char key[256], type[48], value[4096];
	uint64_t i;
	int n = 0;

	cli_puts(",\"metadata\":[");
	for (i = 0; i < x->head.n_meta; i++) {
		if (leat_inspect_meta(x->file, i, key, sizeof(key), type, sizeof(type), value, sizeof(value)))
			continue;
		cli_printf("%s{\"key\":", n++ ? "," : "");
		cli_json_string(key, strlen(key));
		json_text("type", type);
		json_text("value", value);
		cli_puts("}");
	}
	cli_puts("]");
}

static void json_tensors(const struct inspect *x)
{
	struct leat_tensor_info t;
	uint64_t i;
	int d, n = 0;

	cli_puts(",\"tensors\":[");
	for (i = 0; i < x->head.n_tensors; i++) {
		memset(&t, 0, sizeof(t));
		t.struct_size = sizeof(t);
		if (leat_inspect_tensor(x->file, i, &t))
			continue;
		cli_printf("%s{\"name\":", n++ ? "," : "");
		cli_json_string(t.name, strlen(t.name));
		json_text("type", t.type);
		cli_printf(",\"bytes\":%llu,\"offset\":%llu,\"shape\":[", (unsigned long long)t.bytes,
			   (unsigned long long)t.offset);
		for (d = 0; d < t.n_dims && d < 4; d++)
			cli_printf("%s%llu", d ? "," : "", (unsigned long long)t.dim[d]);
		cli_puts("]}");
	}
	cli_puts("]");
}

static void json_verify(const struct inspect *x)
{
	cli_printf(",\"verify\":{\"ok\":%s", x->sound ? "true" : "false");
	if (x->sound) {
		cli_printf(",\"n_tensors\":%llu,\"n_numbers\":%llu}", (unsigned long long)x->scan.n_tensors,
			   (unsigned long long)x->scan.n_numbers);
		return;
	}
	json_text("code", x->why.code);
	json_text("message", x->why.message);
	json_text("where", x->why.where);
	if (x->why.offset != UINT64_MAX)
		cli_printf(",\"offset\":%llu", (unsigned long long)x->why.offset);
	json_text("advice", advice(&x->why));
	cli_puts("}");
}

static void show_json(const struct inspect *x)
{
	cli_puts("{\"schema\":\"leat.inspect/1\",\"file\":");
	cli_json_string(x->path, strlen(x->path));
	json_text("container", x->head.container);
	cli_printf(",\"version\":%u,\"file_bytes\":%llu,\"n_meta\":%llu,\"n_tensors\":%llu,\"alignment\":%llu,"
		   "\"runnable\":%s",
		   (unsigned)x->head.version, (unsigned long long)x->head.file_bytes,
		   (unsigned long long)x->head.n_meta, (unsigned long long)x->head.n_tensors,
		   (unsigned long long)x->head.alignment, x->model ? "true" : "false");
	if (x->model)
		json_model(x);
	else
		json_text("reason", x->why.message);
	if (flag(x, OPT_SHOW_METADATA))
		json_metadata(x);
	if (flag(x, OPT_SHOW_TENSORS))
		json_tensors(x);
	if (flag(x, OPT_VERIFY))
		json_verify(x);
	cli_puts("}\n");
}

/* ---- all of it ---- */

/* With --verify the refusal is what was asked for, and goes to standard output; that there is no file to look at is an
 * error as ever. */
static int not_even_opened(const struct inspect *x)
{
	int rc = cli_exit_code(x->why.status, 0);

	if (!flag(x, OPT_VERIFY) || (rc != EXIT_DATA && x->why.status != LEAT_E_LIMIT))
		return cli_fail(x->c, &x->why, 0);
	if (!x->c->json) {
		cli_printf("file        %s\n", x->path);
		text_verify(x);
		return EXIT_VERDICT;
	}
	cli_puts("{\"schema\":\"leat.inspect/1\",\"file\":");
	cli_json_string(x->path, strlen(x->path));
	cli_puts(",\"runnable\":false");
	json_verify(x);
	cli_puts("}\n");
	return EXIT_VERDICT;
}

static int run(struct cli *c)
{
	struct inspect x;
	int rc = 0;

	memset(&x, 0, sizeof(x));
	x.c = c;
	x.why.struct_size = sizeof(x.why);
	x.path = cli_model_path(c, 0, &rc);
	if (!x.path)
		return rc;
	if (leat_inspect_open(x.path, &x.file, &x.why))
		return not_even_opened(&x);
	x.head.struct_size = sizeof(x.head);
	leat_inspect_get_info(x.file, &x.head);
	if (!leat_model_open(x.path, NULL, &x.model, &x.why)) {
		x.info.struct_size = sizeof(x.info);
		leat_model_get_info(x.model, &x.info);
	}
	if (x.model && c->value[OPT_VERIFY].i)
		x.sound = !leat_scan_weights(x.path, cli_signal, &x.scan, &x.why);
	if (x.why.status == LEAT_E_CANCELLED && cli_signal())
		rc = cli_fail(c, &x.why, 0);
	else if (c->json)
		show_json(&x);
	else
		show_text(&x);
	if (!rc && !x.sound && c->value[OPT_VERIFY].i)
		rc = EXIT_VERDICT;
	leat_model_unref(x.model);
	leat_inspect_close(x.file);
	return rc;
}

const struct leat_cmd leat_cmd_inspect = {
	.name = "inspect",
	.alias = "info",
	.summary = "show what is in a model file",
	.usage = "inspect [FILE] [options]",
	.notes = "\nFiles that leat cannot run are shown too, with the reason. --verify opens the file as a run does,\n"
		 "reads every weight, and says of what it refuses which field or tensor it is, at which byte, and\n"
		 "what to do about it.\n",
	.examples = {
		{ "leat inspect model.gguf --memory", "what it is and what it needs" },
		{ "leat inspect model.gguf --verify", "whether it is sound" },
		{ "leat inspect model.gguf --tensors --json", "all tensors, for a program" },
	},
	.verdict = "--verify, and the file is refused",
	.bit = C_INSPECT,
	.max_args = 1,
	.run = run,
};
