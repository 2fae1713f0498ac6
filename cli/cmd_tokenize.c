/* cmd_tokenize.c - leat tokenize: text to ids and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Bytes that are no UTF-8 on their own are shown as hex. */
static void write_piece(const unsigned char *bytes, size_t n)
{
	size_t i;

	if (cli_is_utf8(bytes, n)) {
		cli_json_string((const char *)bytes, n);
		return;
	}
	for (i = 0; i < n; i++)
		cli_printf("%s%02x", i ? " " : "hex ", bytes[i]);
}

static void write_ids(const int32_t *ids, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		cli_printf("%s%d", i ? " " : "", (int)ids[i]);
	cli_puts("\n");
}

static void write_lines(const struct leat_model *m, const int32_t *ids, size_t n, int pieces_only)
{
	size_t i, bytes;
	const unsigned char *piece;

	for (i = 0; i < n; i++) {
		piece = leat_model_token_bytes(m, ids[i], &bytes);
		if (!pieces_only)
			cli_printf("%7d  ", (int)ids[i]);
		write_piece(piece, piece ? bytes : 0);
		cli_puts("\n");
	}
}

static void write_json(const struct leat_model *m, const int32_t *ids, size_t n)
{
	size_t i, k, bytes;

	cli_printf("{\"schema\":\"leat.tokenize/1\",\"count\":%zu,\"ids\":[", n);
	for (i = 0; i < n; i++)
		cli_printf("%s%d", i ? "," : "", (int)ids[i]);
	cli_puts("],\"bytes\":[");
	for (i = 0; i < n; i++) {
		const unsigned char *piece = leat_model_token_bytes(m, ids[i], &bytes);
		cli_puts(i ? ",\"" : "\"");
		for (k = 0; piece && k < bytes; k++)
			cli_printf("%02x", piece[k]);
		cli_puts("\"");
	}
	cli_puts("]}\n");
}

static int encode(struct cli *c, const struct leat_model *m, const char *text, size_t n)
{
	struct leat_error e = LEAT_ERROR_INIT;
	int32_t *ids = NULL;
	size_t n_ids = 0;

	if (leat_model_tokenize(m, text, n, cli_text_flags(c), &ids, &n_ids, &e))
		return cli_fail(c, &e, 0);
	if (c->json)
		write_json(m, ids, n_ids);
	else if (c->value[OPT_COUNT].i)
		cli_printf("%zu\n", n_ids);
	else if (c->value[OPT_IDS].i)
		write_ids(ids, n_ids);
	else
		write_lines(m, ids, n_ids, (int)c->value[OPT_PIECES].i);
	leat_free(ids);
	return 0;
}

/* The exact bytes, not the repaired text: decode must give back what encode was given. */
static int decode(struct cli *c, const struct leat_model *m, const char *text, size_t n)
{
	struct leat_model_info info = {.struct_size = sizeof(info)};
	int32_t *ids;
	size_t n_ids, i, bytes, drop;
	int rc = cli_parse_ids(c, text, n, &ids, &n_ids);

	if (rc)
		return rc;
	for (i = 0; i < n_ids && !rc; i++) {
		if (!leat_model_token_bytes(m, ids[i], &bytes))
			rc = cli_error(c, LEAT_E_ARG, "token id %d is not in the vocabulary", (int)ids[i]);
	}
	if (c->json && !rc) {
		struct leat_error e = LEAT_ERROR_INIT;
		char *joined = NULL;
		size_t n_joined;
		unsigned flags = c->value[OPT_NO_SPECIAL].i ? 0 : LEAT_TEXT_SPECIAL;
		if (leat_model_detokenize(m, ids, n_ids, flags, &joined, &n_joined, &e)) {
			rc = cli_fail(c, &e, 0);
		} else {
			cli_printf("{\"schema\":\"leat.tokenize/1\",\"count\":%zu,\"text\":", n_ids);
			cli_json_string(joined, n_joined);
			cli_puts("}\n");
			leat_free(joined);
		}
	}
	leat_model_get_info(m, &info);
	for (i = 0; i < n_ids && !rc && !c->json; i++) {
		const unsigned char *piece = leat_model_token_bytes(m, ids[i], &bytes);
		/* The space that encode has put before the text. */
		drop = i == 0 && info.space_prefix && bytes && piece[0] == ' ';
		cli_out(piece + drop, bytes - drop);
	}
	free(ids);
	return rc;
}

static int get_text(struct cli *c, char **ret, size_t *ret_n)
{
	const char *file = c->value[OPT_FILE].s;

	if (file && c->n_args)
		return cli_usage_error(c, "more than one text: give an argument or -f");
	if (file || !c->n_args || !strcmp(c->args[0], "-"))
		return cli_read_text(c, file ? file : "-", ret, ret_n);
	*ret = strdup(c->args[0]);
	*ret_n = strlen(c->args[0]);
	return *ret ? 0 : cli_error(c, LEAT_E_NOMEM, "out of memory");
}

static int run(struct cli *c)
{
	struct leat_model *m = NULL;
	char *text = NULL;
	size_t n = 0;
	int rc = 0;
	const struct cli_value *v = c->value;
	const char *path;

	if (v[OPT_IDS].i + v[OPT_PIECES].i + v[OPT_COUNT].i + v[OPT_DECODE].i > 1)
		return cli_usage_error(c, "give one of --ids, --pieces, --count, --decode");
	path = cli_model_path(c, 1, &rc);
	if (path && c->n_args > 1)
		rc = cli_usage_error(c, "too many arguments: '%s'", c->args[1]);
	if (path && !rc)
		rc = cli_open_model(c, path, LEAT_MODEL_VOCAB_ONLY, &m);
	if (!rc)
		rc = get_text(c, &text, &n);
	if (!rc)
		rc = v[OPT_DECODE].i ? decode(c, m, text, n) : encode(c, m, text, n);
	leat_model_unref(m);
	free(text);
	return rc;
}

const struct leat_cmd leat_cmd_tokenize = {
	.name = "tokenize",
	.alias = "",
	.summary = "show the tokens of a text",
	.usage = "tokenize [FILE] [TEXT] [options]",
	.notes = "\nThe text is the second argument, -f, or standard input, byte for byte. Without --ids, --pieces or\n"
		 "--count: a line a token, id and text; text in JSON quotes, bytes that are no UTF-8 as hex. With -m\n"
		 "the first argument is the text.\n",
	.examples = {
		{ "leat tokenize model.gguf \"some text\"", "a token a line" },
		{ "leat tokenize model.gguf --count -f book.txt", "how long a text is for this model" },
		{ "leat tokenize model.gguf --ids \"some text\" | leat tokenize model.gguf --decode",
		  "there and back" },
	},
	.bit = C_TOKENIZE,
	.max_args = -1,
	.run = run,
};
