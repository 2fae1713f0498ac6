/* chat_history.c - what was typed, one line a line, for the arrows and for the next time. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/outfile.h"
#include "chat_line.h"

enum { KEPT_LINES = 1000, MOST_LINE_BYTES = 65536, MOST_FILE_BYTES = 4 << 20 };

struct chat_history {
	History *list;
	char path[PATH_MAX]; /* "": kept for this run only */
};

/* The folder for what leat keeps, made with mode 0700 as far as it is missing. 1 if there is none. */
static int state_folder(char *path, size_t cap)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;
	char *p;

	/* the specification wants relative paths ignored */
	if (state && *state == '/')
		n = snprintf(path, cap, "%s/leat", state);
	else if (home && *home == '/')
		n = snprintf(path, cap, "%s/.local/state/leat", home);
	else
		return 1;
	if (n < 0 || (size_t)n >= cap)
		return 1;
	for (p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		mkdir(path, 0700);
		*p = '/';
	}
	return mkdir(path, 0700) && errno != EEXIST;
}

/* The last KEPT_LINES lines of a text that is longer. */
static const char *tail(const char *text, size_t n)
{
	size_t lines = 0, i = n;

	while (i && lines <= KEPT_LINES)
		lines += text[--i] == '\n';
	return lines > KEPT_LINES ? text + i + 1 : text;
}

/* A file that has grown to twice what is kept is written anew. */
static void shorten(const char *path, const char *from, size_t n)
{
	struct leat_outfile f;
	mode_t mask = umask(077);
	enum leat_status s = leat_outfile_open(&f, path, 1, NULL);

	umask(mask);
	if (s)
		return;
	if (leat_outfile_write(&f, from, n, NULL))
		leat_outfile_abort(&f);
	else
		leat_outfile_commit(&f, 0, NULL);
}

static void enter(struct chat_history *k, const char *line)
{
	HistEvent ev;

	history(k->list, &ev, H_ENTER, line);
}

static void read_lines(struct chat_history *k, char *text, size_t n)
{
	char *p = text + (tail(text, n) - text), *end;
	int dropped = p > text + n / 2;

	if (dropped)
		shorten(k->path, p, (size_t)(text + n - p));
	for (; *p; p = end + 1) {
		end = strchr(p, '\n');
		if (!end)
			break;
		*end = 0;
		if (cli_is_utf8(p, (size_t)(end - p)))
			enter(k, p);
	}
}

static void load(struct chat_history *k)
{
	struct stat st;
	int fd = open(k->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *text;
	ssize_t n;

	if (fd < 0)
		return;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= MOST_FILE_BYTES) {
		text = malloc((size_t)st.st_size + 1);
		n = text ? read(fd, text, (size_t)st.st_size) : -1;
		if (n > 0) {
			text[n] = 0;
			read_lines(k, text, strlen(text));
		}
		free(text);
	}
	close(fd);
}

int chat_history_open(struct chat *h, EditLine *el, struct chat_history **ret)
{
	struct chat_history *k = calloc(1, sizeof(*k));
	HistEvent ev;

	if (k)
		k->list = history_init();
	if (!k || !k->list) {
		free(k);
		return cli_error(h->c, LEAT_E_NOMEM, "out of memory");
	}
	history(k->list, &ev, H_SETSIZE, KEPT_LINES);
	history(k->list, &ev, H_SETUNIQUE, 1);
	el_set(el, EL_HIST, history, k->list);
	*ret = k;
	if (h->c->value[OPT_NO_HISTORY].i)
		return 0;
	if (state_folder(k->path, sizeof(k->path) - 16)) {
		k->path[0] = 0;
		cli_note(h->c, "leat: no folder for what is typed (no HOME?): it is not kept for the next time\n");
		return 0;
	}
	snprintf(k->path + strlen(k->path), 16, "/chat_history");
	load(k);
	return 0;
}

void chat_history_close(struct chat_history *k)
{
	if (!k)
		return;
	history_end(k->list);
	free(k);
}

void chat_history_add(struct chat_history *k, const char *line, size_t n)
{
	char *copy;
	int fd;

	if (!n || n > MOST_LINE_BYTES)
		return;
	copy = strndup(line, n);
	if (!copy)
		return;
	enter(k, copy);
	fd = k->path[0] ? open(k->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	if (fd >= 0) {
		copy[n] = '\n';
		if (write(fd, copy, n + 1) < 0)
			k->path[0] = 0; /* a full disk keeps no history */
		close(fd);
	}
	free(copy);
}

unsigned char chat_complete_path(EditLine *el, const char *word,
				 unsigned char (*finish)(EditLine *, const char *, char *const *, size_t))
{
	size_t n = strlen(word);
	char *pattern = malloc(2 * n + 2), *p = pattern;
	unsigned char what = CC_ERROR;
	glob_t g;

	if (!pattern)
		return CC_ERROR;
	for (; *word; word++) { /* what glob takes for a pattern is a letter here */
		if (strchr("*?[]\\", *word))
			*p++ = '\\';
		*p++ = *word;
	}
	*p++ = '*';
	*p = 0;
	if (!glob(pattern, GLOB_MARK, NULL, &g)) {
		what = finish(el, word - n, g.gl_pathv, g.gl_pathc);
		globfree(&g);
	}
	free(pattern);
	return what;
}
