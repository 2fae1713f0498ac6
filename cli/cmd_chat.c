/* cmd_chat.c - leat chat: a conversation at the terminal, or line by line with -i. */
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chat.h"
#include "state.h"

void chat_say(const char *fmt, ...)
{
	va_list ap;

	cli_flush();
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
}

/* One message or command. */
static int handle(struct chat *h, const char *text, size_t n)
{
	if (text[strspn(text, " \t\r\n")] == 0 && !memchr(text, 0, n))
		return 0;
	if (text[0] == '/' && text[1] != '/')
		return chat_command(h, text);
	/* "//" is a message that begins with "/" */
	return text[0] == '/' ? chat_ask(h, text + 1, n - 1) : chat_ask(h, text, n);
}

static void remember_failure(struct chat *h, int rc)
{
	if (rc && !h->rc)
		h->rc = rc;
	if (rc == EXIT_SIGPIPE || (rc && rc == cli_out_failed()))
		h->leave = 1;
}

static void converse(struct chat *h, struct chat_reader *r)
{
	char *text;
	size_t n;
	enum chat_input in;

	while (!h->leave) {
		in = chat_read(r, &text, &n);
		if (in == CHAT_TEXT) {
			cli_interrupted(); /* one that came before this has been answered */
			remember_failure(h, handle(h, text, n));
			free(text);
		}
		if (cli_signal() || cli_wants_to_leave() || in == CHAT_END)
			h->leave = 1;
		else if (in == CHAT_INTERRUPT || cli_interrupted())
			chat_say("(Ctrl-C again, or Ctrl-D, leaves)\n");
	}
}

static void greet(const struct chat *h)
{
	cli_banner(h->c, &h->info, h->engine, h->sampling.chat.name, h->load_s);
	if (h->c->quiet || h->c->json || !h->terminal)
		return;
	if (!strcmp(h->sampling.chat.name, "none"))
		chat_say("This model has no chat template: it goes on with what you write.\n");
	chat_say("Enter a message. /help lists commands, Ctrl-D leaves.\n");
}

int cli_chat(struct cli *c, const char *path)
{
	struct chat h;
	struct chat_reader *r = NULL;
	int rc;

	memset(&h, 0, sizeof(h));
	h.c = c;
	h.path = path;
	h.terminal = isatty(0) && isatty(1);
	h.escape = isatty(1) && !c->value[OPT_RAW_OUTPUT].i;
	/* The line editor turns bytes into characters; leat's own text is UTF-8 whatever the locale says. */
	if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
		setlocale(LC_CTYPE, "C.UTF-8");
	rc = chat_open(&h);
	if (!rc)
		rc = chat_reader_open(&h, &r);
	if (!rc) {
		greet(&h);
		cli_interrupts_init();
		converse(&h, r);
		rc = cli_signal() ? 128 + cli_signal() : cli_wants_to_leave() ? EXIT_SIGINT : h.terminal ? 0 : h.rc;
		if (cli_out_failed())
			rc = cli_out_failed();
	}
	chat_reader_close(r);
	if (h.session && (!rc || rc == h.rc) && cli_state_save(c, h.session) && !rc)
		rc = EXIT_IOERR;
	chat_close(&h);
	return rc;
}

static int run(struct cli *c)
{
	const char *path;
	int rc = 0;

	if (!c->value[OPT_INTERACTIVE].i && !(isatty(0) && isatty(1)))
		return cli_usage_error(c, "chat wants a terminal; -i talks line by line on standard input and "
				       "output, and leat run answers one prompt");
	path = cli_model_path(c, 1, &rc);
	return path ? cli_chat(c, path) : rc;
}

const struct leat_cmd leat_cmd_chat = {
	.name = "chat",
	.alias = "",
	.summary = "talk with a model",
	.usage = "chat [FILE] [options]",
	.notes = "\nA line is a message; \\ at its end, or \"\"\" around several lines, makes a longer one.\n"
		 "Ctrl-C stops the answer, a second one within two seconds leaves, Ctrl-D leaves. /help lists the\n"
		 "commands.\n\n"
		 "--save-state FILE keeps what the model has read for another day, --load-state FILE goes on from it;\n"
		 "the words are kept by /save.\n\n"
		 "Answers go to standard output, everything else to standard error. What is typed is kept in\n"
		 "$XDG_STATE_HOME/leat/chat_history (or ~/.local/state/leat), lines that begin with a space are not.\n",
	.examples = {
		{ "leat chat model.gguf", "talk at the terminal" },
		{ "leat chat model.gguf --system \"Answer in one line.\"", "with a system message" },
		{ "printf 'Hi\\nBye\\n' | leat chat model.gguf -i", "two messages from a pipe" },
	},
	.bit = C_CHAT,
	.max_args = 1,
	.run = run,
};
