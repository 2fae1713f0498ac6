/* chat_line.c - what is typed: libedit at a terminal, plain lines elsewhere; messages of several lines; history.
 *
 * libedit knows no bracketed paste and restarts reads that a signal ended, so characters come through next_char(). */
#include <errno.h>
#include <histedit.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "chat_line.h"

enum { ESCAPE_WAIT_MS = 50, MOST_BACK = 16, MOST_BYTES = 16 << 20 };

struct chat_reader {
	struct chat *h;
	EditLine *el;             /* NULL: plain lines */
	struct chat_history *history;
	char *line;               /* without a terminal */
	size_t cap;
	unsigned char back[MOST_BACK]; /* bytes read ahead, last first */
	int n_back;
	wchar_t quoted;           /* comes next, after the character that quotes it */
	int in_paste, ended_by_paste, interrupted, continuing;
};

/* ---- characters ---- */

static int next_byte(struct chat_reader *r, int wait_ms)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };
	unsigned char b;
	ssize_t n;

	if (r->n_back)
		return r->back[--r->n_back];
	for (;;) {
		if (cli_signal() || cli_interrupted()) {
			r->interrupted = 1;
			return -1;
		}
		n = poll(&p, 1, wait_ms);
		if (n == 0)
			return -1;
		if (n > 0)
			n = read(0, &b, 1);
		if (n == 1)
			return b;
		if (n == 0 || (errno != EINTR && errno != EAGAIN))
			return -1;
	}
}

static void push_back(struct chat_reader *r, int byte)
{
	if (byte >= 0 && r->n_back < MOST_BACK)
		r->back[r->n_back++] = (unsigned char)byte;
}

/* After an escape byte: 1 if "[200~" or "[201~" (which) follows and was taken, else what was read is put back. */
static int paste_mark(struct chat_reader *r, char which)
{
	const char want[] = { '[', '2', '0', which, '~' };
	int seen[sizeof(want)], n = 0, i;

	for (; n < (int)sizeof(want); n++) {
		seen[n] = next_byte(r, ESCAPE_WAIT_MS);
		if (seen[n] != want[n])
			break;
	}
	if (n == (int)sizeof(want))
		return 1;
	for (i = n; i >= 0; i--)
		push_back(r, seen[i]);
	return 0;
}

/* The rest of the UTF-8 character that begins with `first`; U+FFFD for what is none. */
static wchar_t character(struct chat_reader *r, int first)
{
	int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1, b;
	wchar_t c = first & (0x3f >> more);

	if (first < 0xc2 || first > 0xf4)
		return 0xfffd;
	for (; more; more--) {
		b = next_byte(r, ESCAPE_WAIT_MS);
		if ((b & ~0x3f) != 0x80) {
			push_back(r, b);
			return 0xfffd;
		}
		c = c << 6 | (b & 0x3f);
	}
	return c;
}

static int next_char(EditLine *el, wchar_t *ret)
{
	struct chat_reader *r;
	int b;

	el_get(el, EL_CLIENTDATA, &r);
	if (r->quoted) {
		*ret = r->quoted;
		r->quoted = 0;
		return 1;
	}
	for (;;) {
		b = next_byte(r, -1);
		if (b < 0)
			return r->interrupted ? -1 : 0;
		if (b != 0x1b || !paste_mark(r, r->in_paste ? '1' : '0'))
			break;
		r->in_paste = !r->in_paste;
	}
	*ret = b < 0x80 ? b : character(r, b);
	if (!r->in_paste || *ret >= 0x20)
		return 1;
	if (b == '\r' || b == '\n') {
		/* it ends the line on the screen, not the message */
		r->ended_by_paste = 1;
		*ret = '\n';
	} else {
		r->quoted = *ret;
		*ret = 'V' & 0x1f; /* ed-quoted-insert */
	}
	return 1;
}

/* ---- the Tab key ---- */

/* Completes `word` from candidates: inserts what they share; shows them when that is nothing. */
static unsigned char complete_from(EditLine *el, const char *word, char *const *candidates, size_t n)
{
	size_t i, k, len = strlen(word);
	char *rest;
	unsigned char what = CC_REFRESH;

	if (!n)
		return CC_ERROR;
	for (k = len; candidates[0][k]; k++) {
		for (i = 1; i < n && candidates[i][k] == candidates[0][k]; i++)
			;
		if (i < n)
			break;
	}
	rest = strndup(candidates[0] + len, k - len);
	if (!rest)
		return CC_ERROR;
	if (k > len)
		el_insertstr(el, rest);
	if (n == 1 && (!k || candidates[0][k - 1] != '/'))
		el_insertstr(el, " ");
	if (n > 1 && k == len) {
		fputs("\n", stderr);
		for (i = 0; i < n; i++)
			fprintf(stderr, "%s  ", candidates[i]);
		fputs("\n", stderr);
		what = CC_REDISPLAY;
	}
	free(rest);
	return what;
}

static unsigned char complete_word(EditLine *el, const char *word, const char *(*name)(int))
{
	char *found[64];
	size_t n = 0;
	int i;

	for (i = 0; name(i) && n < 64; i++) {
		if (!strncmp(name(i), word, strlen(word)))
			found[n++] = strdup(name(i));
		if (n && !found[n - 1])
			return CC_ERROR;
	}
	unsigned char what = complete_from(el, word, found, n);
	while (n)
		free(found[--n]);
	return what;
}

static const char *show_word(int i)
{
	static const char *const words[] = { "memory", "model", "params", "template", NULL };

	return i < 4 ? words[i] : NULL;
}

static unsigned char on_tab(EditLine *el, int c)
{
	const LineInfo *li = el_line(el);
	size_t n = (size_t)(li->cursor - li->buffer);
	char line[1024], *word;
	unsigned char what = CC_ERROR;

	(void)c;
	if (n >= sizeof(line))
		return CC_ERROR;
	memcpy(line, li->buffer, n);
	line[n] = 0;
	if (line[0] != '/')
		return el_insertstr(el, "\t") ? CC_ERROR : CC_REFRESH;
	word = strchr(line, ' ');
	if (!word)
		return complete_word(el, line, chat_command_name);
	*word++ = 0;
	if (!strcmp(line, "/set"))
		what = complete_word(el, word, chat_setting_name);
	else if (!strcmp(line, "/show"))
		what = complete_word(el, word, show_word);
	else if (!strncmp(line, "/save", 5) || !strcmp(line, "/load") || !strcmp(line, "/read"))
		what = chat_complete_path(el, word, complete_from);
	return what;
}

/* ---- lines ---- */

static char *prompt(EditLine *el)
{
	static char first[] = "> ", more[] = "... ";
	struct chat_reader *r;

	el_get(el, EL_CLIENTDATA, &r);
	return r->continuing ? more : first;
}

static int open_editor(struct chat_reader *r)
{
	r->el = el_init("leat", stdin, isatty(2) ? stderr : stdout, stderr);
	if (!r->el)
		return 0; /* a terminal that libedit does not know: plain lines */
	el_set(r->el, EL_CLIENTDATA, r);
	el_set(r->el, EL_GETCFN, next_char);
	el_set(r->el, EL_PROMPT, prompt);
	el_set(r->el, EL_EDITOR, "emacs");
	el_set(r->el, EL_ADDFN, "leat-complete", "complete commands and files", on_tab);
	el_set(r->el, EL_BIND, "^I", "leat-complete", NULL);
	el_set(r->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
	el_set(r->el, EL_BIND, "^W", "ed-delete-prev-word", NULL);
	el_source(r->el, NULL);
	return chat_history_open(r->h, r->el, &r->history);
}

int chat_reader_open(struct chat *h, struct chat_reader **ret)
{
	struct chat_reader *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return cli_error(h->c, LEAT_E_NOMEM, "out of memory");
	r->h = h;
	rc = h->terminal ? open_editor(r) : 0;
	if (rc) {
		chat_reader_close(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void chat_reader_close(struct chat_reader *r)
{
	if (!r)
		return;
	chat_history_close(r->history);
	if (r->el)
		el_end(r->el);
	free(r->line);
	free(r);
}

/* One line of the editor without its end, borrowed until the next. */
static enum chat_input edited_line(struct chat_reader *r, const char **ret, size_t *ret_n)
{
	int n = 0, fancy = cli_tty(2);
	const char *s;

	r->ended_by_paste = r->interrupted = 0;
	if (fancy)
		fputs("\033[?2004h", stderr);
	s = el_gets(r->el, &n);
	if (fancy)
		fputs("\033[?2004l", stderr);
	if (!s || n <= 0) {
		fputs("\n", stderr);
		return r->interrupted ? CHAT_INTERRUPT : CHAT_END;
	}
	*ret_n = (size_t)n - (s[n - 1] == '\n');
	*ret = s;
	if (*s != ' ')
		chat_history_add(r->history, s, *ret_n);
	return CHAT_TEXT;
}

/* Bytes up to a line's end, which is one of them, into r->line; -1: none, or too many, which is told. A line may have
 * no end, so signals are looked for inside. */
static ssize_t read_line(struct chat_reader *r)
{
	size_t n = 0;
	int c = 0;

	while (c != '\n' && (n % 65536 || !(cli_signal() || cli_wants_to_leave()))) {
		if (n + 1 >= r->cap) {
			size_t cap = r->cap ? 2 * r->cap : 256;
			char *grown = n < MOST_BYTES ? realloc(r->line, cap) : NULL;
			if (!grown) {
				r->h->rc = cli_error(r->h->c, n < MOST_BYTES ? LEAT_E_NOMEM : LEAT_E_LIMIT,
						     "a line is longer than %d MiB", MOST_BYTES >> 20);
				return -1;
			}
			r->line = grown;
			r->cap = cap;
		}
		c = getc(stdin);
		if (c == EOF)
			break;
		r->line[n++] = (char)c;
	}
	return n ? (ssize_t)n : -1;
}

static enum chat_input plain_line(struct chat_reader *r, const char **ret, size_t *ret_n)
{
	ssize_t n;

	if (r->h->terminal)
		fputs(r->continuing ? "... " : "> ", stderr);
	errno = 0;
	n = read_line(r);
	if (n < 0) {
		int again = errno == EINTR && !feof(stdin);
		clearerr(stdin);
		return again && !cli_signal() ? CHAT_INTERRUPT : CHAT_END;
	}
	if (n && r->line[n - 1] == '\n')
		n--;
	if (n && r->line[n - 1] == '\r')
		n--;
	r->line[n] = 0;
	*ret = r->line;
	*ret_n = (size_t)n;
	return CHAT_TEXT;
}

/* ---- messages ---- */

struct message {
	char *s;
	size_t n, cap;
	int block; /* between """ */
};

static int append(struct message *m, const char *s, size_t n, int line_break)
{
	size_t want = m->n + n + 2;

	if (m->n + n > MOST_BYTES)
		return 1;
	if (want > m->cap) {
		size_t cap = want < 2 * m->cap ? 2 * m->cap : want;
		char *grown = realloc(m->s, cap);
		if (!grown)
			return 1;
		m->s = grown;
		m->cap = cap;
	}
	memcpy(m->s + m->n, s, n);
	m->n += n;
	if (line_break)
		m->s[m->n++] = '\n';
	m->s[m->n] = 0;
	return 0;
}

static int ends_block(const char *s, size_t n)
{
	return n >= 3 && !memcmp(s + n - 3, "\"\"\"", 3);
}

/* Takes a line in. 1: the message is complete; 0: more follows; -1: out of memory, or longer than MOST_BYTES. */
static int take_line(struct message *m, const char *s, size_t n, int pasted)
{
	int more, bad;

	if (!m->s && n >= 3 && !memcmp(s, "\"\"\"", 3)) {
		m->block = 1;
		s += 3;
		n -= 3;
		if (!n)
			return append(m, s, 0, 0) ? -1 : 0;
	}
	if (m->block) {
		more = !ends_block(s, n);
		bad = append(m, s, more ? n : n - 3, more);
	} else {
		more = n && s[n - 1] == '\\';
		bad = append(m, s, n - (size_t)more, more || pasted);
		more |= pasted;
	}
	return bad ? -1 : !more;
}

enum chat_input chat_read(struct chat_reader *r, char **ret, size_t *ret_n)
{
	struct message m = { 0 };
	const char *s = NULL;
	size_t n = 0;
	enum chat_input in;
	int done = 0;

	r->continuing = 0;
	while (!done) {
		in = r->el ? edited_line(r, &s, &n) : plain_line(r, &s, &n);
		/* what a pipe brought before its end is a message */
		if (in == CHAT_END && m.s && !r->h->terminal)
			break;
		done = in == CHAT_TEXT ? take_line(&m, s, n, r->ended_by_paste) : -1;
		if (done < 0 && in == CHAT_TEXT)
			r->h->rc = cli_error(r->h->c, LEAT_E_LIMIT, "a message is longer than %d MiB",
					     MOST_BYTES >> 20);
		if (done < 0) {
			free(m.s);
			return in == CHAT_TEXT ? CHAT_END : in;
		}
		r->continuing = 1;
	}
	while (m.block && m.n && m.s[m.n - 1] == '\n')
		m.s[--m.n] = 0;
	*ret = m.s;
	*ret_n = m.n;
	return CHAT_TEXT;
}
